import Carillon
import CarillonTesting
import Foundation
import JingleCore
import MediaEngine
import Synchronization
import XMPPCore

/// Measures transfers from this process to another, which it starts: each with a process of its own.
struct FileBenchmark: Sendable {
  /// What is measured in one go.
  struct Plan: Equatable {
    var way: FileTransferWay
    var size: Int64
    /// As a simple client has it: the next block only when the last is answered.
    var hasOneBlockUnderWay = false
    /// Whether the receiver takes it as a stream, of which it keeps nothing: without the disk.
    var isStream = false

    var name: String {
      way.rawValue + (hasOneBlockUnderWay ? ", one at a time" : "") + (isStream ? ", as a stream" : "")
    }

    /// What is measured: as much as was asked for, but no more than takes about a minute.
    static func all(
      _ ways: [FileTransferWay], size: Int64, isDelayed: Bool, server: Bool
    ) -> [Plan] {
      ways.flatMap { way -> [Plan] in
        guard way == .inBand else {
          let plan = Plan(way: way, size: min(size, isDelayed ? 256 << 20 : size))
          return way == .socks5 ? [plan, Plan(way: way, size: plan.size, isStream: true)] : [plan]
        }
        return [
          Plan(way: way, size: min(size, isDelayed ? 64 << 20 : server ? 256 << 20 : size)),
          Plan(way: way, size: min(size, isDelayed ? 1 << 20 : 64 << 20), hasOneBlockUnderWay: true),
        ]
      }
    }
  }

  /// What one end used.
  struct Usage: Equatable {
    var processorSeconds = 0.0
    /// Resident, at the most, over what it was before.
    var bytes = 0
  }

  let console: Console
  /// Where the files are.
  let folder: String
  /// A round trip.
  let delay: Duration
  /// The account whose server in-band streams go through, and the options that tell the other process of it.
  let account: (configuration: Client.Configuration, arguments: [String])?

  func measure(_ plan: Plan, _ path: String) async throws -> Result {
    let server = plan.way == .inBand && account != nil ? nil : MemoryServer(delay: delay)
    let inbox = folder + "/in"
    try FileManager.default.createDirectory(atPath: inbox, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: inbox) }
    let receiver = try Receiver(
      (plan.isStream ? [] : ["--into", inbox]) + (server == nil ? account?.arguments ?? [] : ["--piped"]))
    defer { receiver.stop() }
    var relay: DelayedTCPPath?
    let sender: Client
    if let server {
      sender = server.sender(oneBlock: plan.hasOneBlockUnderWay)
    } else if var configuration = account?.configuration {
      if delay > .zero {
        guard let address = configuration.server else {
          throw CommandFailure(
            code: "usage", message: "--delay through a server needs --host 127.0.0.1:PORT or another IPv4 address.",
            status: .usage)
        }
        let path = try DelayedTCPPath(to: address.host, UInt16(clamping: address.port ?? 5222), delay: delay / 2)
        configuration.server = Client.ServerAddress(host: "127.0.0.1", port: Int(path.port))
        relay = path
      }
      configuration.maximumInBandBlocks = plan.hasOneBlockUnderWay ? 1 : nil
      sender = Client(configuration: configuration)
    } else {
      preconditionFailure("there is a server of some kind")
    }
    defer { withExtendedLifetime(relay) {} }
    let reports = AsyncStream.makeStream(of: XMLElement.self)
    let (online, cameOnline) = AsyncStream.makeStream(of: Void.self)
    var handlers = Client.Handlers()
    handlers.onOnline = { _ in cameOnline.yield() }
    let result = try await withThrowingTaskGroup(of: Result?.self) { group in
      defer { group.cancelAll() }
      group.addTask { [handlers] in
        try await sender.run(handlers)
        return nil
      }
      group.addTask {
        if let server {
          await server.serve(receiver.pipe) { reports.continuation.yield($0) }
        } else {
          for await report in receiver.pipe.incoming { reports.continuation.yield(report) }
        }
        try Task.checkCancellation()
        throw CommandFailure(code: "failed", message: "The receiving process ended.", status: .failure)
      }
      group.addTask {
        try await transfer(plan, path, sender, online, reports.stream, isReal: server == nil)
      }
      return try await group.next() ?? nil
    }
    guard let result, result.isEqual else {
      throw CommandFailure(code: "corrupt", message: "The file did not arrive as it was sent.", status: .failure)
    }
    return result
  }

  private func transfer(
    _ plan: Plan, _ path: String, _ sender: Client, _ online: AsyncStream<Void>, _ reports: AsyncStream<XMLElement>,
    isReal: Bool
  ) async throws -> Result? {
    for await _ in online { break }
    var reports = reports.makeAsyncIterator()
    guard let ready = await reports.next(), let peer = try? JID(ready[attribute: "address"] ?? "") else { return nil }
    var file = OutgoingFile(path: path)
    file.ways = [plan.way]
    let meter = ProcessMeter()
    let receipt = try await sender.send(file, to: peer) { transfer in
      for await case .progress(let progress) in transfer.events {
        console.live { FileReporter.bar(plan.name, progress, width: $0) }
      }
    }
    let used = meter.usage
    guard let report = await reports.next(), report[attribute: "error"] == nil else {
      throw CommandFailure(code: "failed", message: "The receiver did not get the file.", status: .failure)
    }
    func number(_ name: String) -> Double { Double(report[attribute: name] ?? "") ?? 0 }
    var result = Result(plan: plan)
    result.bytes = receipt.bytes
    result.seconds = number("seconds")
    result.sender = used
    result.receiver = Usage(processorSeconds: number("processor"), bytes: Int(number("memory")))
    result.route = receipt.route + (isReal ? ", through \(peer.domain)" : "")
    result.isEqual = receipt.sha256 == report[attribute: "sha256"]
    return result
  }
}

/// Watches what this process uses.
struct ProcessMeter {
  private let processorSeconds = ProcessUsage.processorSeconds
  private let bytes = ProcessUsage.residentBytes

  /// Begins now.
  init() { ProcessUsage.forgetPeak() }

  var usage: FileBenchmark.Usage {
    .init(
      processorSeconds: ProcessUsage.processorSeconds - processorSeconds,
      bytes: max(0, ProcessUsage.peakResidentBytes - bytes))
  }
}

extension ProcessUsage {
  /// Lets the peak begin anew.
  static func forgetPeak() { try? Data("5".utf8).write(to: URL(fileURLWithPath: "/proc/self/clear_refs")) }

  static var peakResidentBytes: Int {
    let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    let line = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
    return (line?.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first.flatMap { Int($0) } ?? 0) * 1024
  }
}

/// The process that receives: this program again, with a pipe each way.
private struct Receiver {
  let pipe: StanzaPipe
  private let process = Process()

  init(_ arguments: [String]) throws {
    let (input, output) = (Pipe(), Pipe())
    process.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
    process.arguments = ["bench", BenchFilesEndCommand.name] + arguments
    process.standardInput = input
    process.standardOutput = output
    try process.run()
    pipe = StanzaPipe(input: output.fileHandleForReading, output: input.fileHandleForWriting)
  }

  func stop() {
    // It ends with its input.
    pipe.close()
    process.waitUntilExit()
  }
}

/// A server in this process for a client here and one in another process, on whose paths everything may take its time.
private final class MemoryServer: Sendable {
  static let receiver = "bob@localhost/bench"

  private let server: InMemoryServer
  private let paths: DelayedPaths
  private let delay: Duration

  init(delay: Duration) {
    self.delay = delay / 2
    let paths = DelayedPaths(delay: delay / 2)
    self.paths = paths
    server = InMemoryServer(rewriting: { delay > .zero ? paths.rewrite($0) : $0 })
  }

  deinit { paths.close() }

  func sender(oneBlock: Bool) -> Client {
    guard let account = try? JID("alice@localhost/bench") else { preconditionFailure("an address") }
    var configuration = Client.Configuration(account: account, password: "")
    configuration.maximumInBandBlocks = oneBlock ? 1 : nil
    return server.makeClient(configuration)
  }

  /// Passes stanzas between the pipe and the server, and what else the other process tells to `report`.
  func serve(_ pipe: StanzaPipe, _ report: @escaping @Sendable (XMLElement) -> Void) async {
    guard let address = try? JID(Self.receiver) else { return }
    let link = server.connect(address)
    await withTaskGroup(of: Void.self) { group in
      let toPipe = Delayed(delay) { pipe.send($0) }
      let toServer = Delayed(delay) { element in
        if element.namespace == BenchFilesEndCommand.namespace { report(element) } else { link.send(element) }
      }
      group.addTask { await toPipe.run() }
      group.addTask { await toServer.run() }
      group.addTask { _ = await link.receive { toPipe.pass($0) } }
      for await element in pipe.incoming { toServer.pass(element) }
      group.cancelAll()
    }
    await link.close()
  }
}

/// Hands stanzas on, later. Not bounded: the streams inside of stanzas are.
private struct Delayed: Sendable {
  private let delay: Duration
  private let deliver: @Sendable (XMLElement) -> Void
  private let stanzas: AsyncStream<(due: ContinuousClock.Instant, stanza: XMLElement)>
  private let continuation: AsyncStream<(due: ContinuousClock.Instant, stanza: XMLElement)>.Continuation

  init(_ delay: Duration, _ deliver: @escaping @Sendable (XMLElement) -> Void) {
    (self.delay, self.deliver) = (delay, deliver)
    (stanzas, continuation) = AsyncStream.makeStream()
  }

  func pass(_ stanza: XMLElement) {
    if delay == .zero { deliver(stanza) } else { continuation.yield((.now + delay, stanza)) }
  }

  func run() async {
    for await (due, stanza) in stanzas {
      if due > .now { try? await Task.sleep(until: due, clock: .continuous) }
      deliver(stanza)
    }
  }
}

/// Puts a delayed path in the place of every address that the two ends tell each other.
private final class DelayedPaths: Sendable {
  private struct State {
    var streams: [DelayedTCPPath] = []
    var datagrams: DelayedUDPPath?
    /// Of each end, the port whose candidate stands.
    var known: [UInt16?] = [nil, nil]
  }

  private let delay: Duration
  private let state = Mutex(State())

  init(delay: Duration) { self.delay = delay }

  func close() { state.withLock { $0.datagrams?.close() } }

  func rewrite(_ stanza: XMLElement) -> XMLElement {
    let end = stanza[attribute: "to"] == MemoryServer.receiver ? 0 : 1
    return rewrite(stanza, of: end) ?? stanza
  }

  /// - Returns: nil for a candidate that there is no delayed path for.
  private func rewrite(_ element: XMLElement, of end: Int) -> XMLElement? {
    var copy = element
    if element.name == "candidate", let port = UInt16(element[attribute: "port"] ?? "") {
      guard let other = path(element, port, of: end) else { return nil }
      copy[attribute: "port"] = String(other)
      return copy
    }
    copy.nodes = element.nodes.compactMap { node in
      if case .element(let child) = node { rewrite(child, of: end).map { .element($0) } } else { node }
    }
    return copy
  }

  private func path(_ candidate: XMLElement, _ port: UInt16, of end: Int) -> UInt16? {
    state.withLock { state in
      if candidate.namespace == SOCKS5Transport.namespace {
        guard let path = try? DelayedTCPPath(to: "127.0.0.1", port, delay: delay) else { return nil }
        state.streams.append(path)
        return path.port
      }
      // One address each: there is one path.
      guard candidate[attribute: "protocol"]?.lowercased() == "udp", state.known[end] ?? port == port else {
        return nil
      }
      if state.datagrams == nil { state.datagrams = try? DelayedUDPPath(delay: delay) }
      state.known[end] = port
      state.datagrams?.set(end, at: port)
      return state.datagrams?.ports[end]
    }
  }
}

extension FileBenchmark {
  /// What was measured in one go, or the best of several.
  struct Result: Equatable {
    var plan: Plan
    var bytes: Int64 = 0
    /// From the first byte to the last, at the receiver.
    var seconds = 0.0
    var sender = Usage()
    var receiver = Usage()
    var route = ""
    var isEqual = false

    var megabytesPerSecond: Double { seconds > 0 ? Double(bytes) / seconds / 1e6 : 0 }
  }

  /// What the machine does without any protocol, in bytes a second.
  struct Yardsticks: Equatable {
    var hash: Double
    var tcp: Double
    var hashedTCP: Double
    var congestionControl: String
    var copy: Double

    var object: JSONObject {
      [
        "sha256MegabytesPerSecond": .number(hash / 1e6), "tcpMegabytesPerSecond": .number(tcp / 1e6),
        "hashedTCPMegabytesPerSecond": .number(hashedTCP / 1e6), "congestionControl": .string(congestionControl),
        "fileCopyMegabytesPerSecond": .number(copy / 1e6),
      ]
    }
  }

  /// - Parameter delay: then this process has the delayed path too, and its processor time and memory say nothing.
  static func object(_ result: Result, delay: Duration) -> JSONObject {
    let gigabytes = Double(max(1, result.bytes)) / 1e9
    var object: JSONObject = [
      "transport": .string(result.plan.way.rawValue), "oneAtATime": .boolean(result.plan.hasOneBlockUnderWay),
      "stream": .boolean(result.plan.isStream), "route": .string(result.route), "delayMs": .milliseconds(delay),
      "bytes": .integer(Int(result.bytes)), "seconds": .number(result.seconds),
      "megabytesPerSecond": .number(result.megabytesPerSecond),
    ]
    guard delay == .zero else { return object }
    object["senderProcessorSecondsPerGigabyte"] = .number(result.sender.processorSeconds / gigabytes)
    object["receiverProcessorSecondsPerGigabyte"] = .number(result.receiver.processorSeconds / gigabytes)
    object["senderBytesAboveIdle"] = .integer(result.sender.bytes)
    object["receiverBytesAboveIdle"] = .integer(result.receiver.bytes)
    return object
  }

  static func text(_ results: [Result], _ yardsticks: Yardsticks, delay: Duration) -> String {
    func rate(_ bytesPerSecond: Double) -> String {
      let number = bytesPerSecond / 1e6
      return decimal(number, places: number < 99.95 ? 2 : 0)
    }
    func share(_ bytesPerSecond: Double) -> String {
      let share = yardsticks.hash > 0 ? bytesPerSecond * 100 / yardsticks.hash : 0
      return decimal(share, places: share < 9.95 ? 1 : 0) + " %"
    }
    let tcp = "loopback, \(yardsticks.congestionControl)"
    var rows = [
      ["", "size", "MB/s", "of sha-256", "s/GB sender", "s/GB receiver", "MiB sender", "MiB receiver", "route"],
      ["sha-256, one core", "", rate(yardsticks.hash), "", "", "", "", "", "in memory"],
      ["TCP, one stream", "", rate(yardsticks.tcp), "", "", "", "", "", "\(tcp), nothing hashed or kept"],
      [
        "TCP, hashed", "", rate(yardsticks.hashedTCP), share(yardsticks.hashedTCP), "", "", "", "",
        "\(tcp), hashed at both ends, nothing kept",
      ],
      ["file copy", "", rate(yardsticks.copy), "", "", "", "", "", "not waiting for the disk"],
    ]
    for result in results {
      let gigabytes = Double(max(1, result.bytes)) / 1e9
      let usage =
        delay > .zero
        ? ["-", "-", "-", "-"]
        : [result.sender, result.receiver].map { decimal($0.processorSeconds / gigabytes, places: 2) }
          + [result.sender, result.receiver].map { decimal(Double($0.bytes) / 1_048_576, places: 1) }
      let speed = result.megabytesPerSecond * 1e6
      rows.append(
        [result.plan.name, byteCount(result.bytes), rate(speed), share(speed)] + usage
          + [result.route + (delay > .zero ? ", \(delay.short) a round trip" : "")])
    }
    return table(rows)
  }
}
