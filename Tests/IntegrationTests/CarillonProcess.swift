import Foundation
import Synchronization
import Testing

/// A line of the command's JSON output.
struct Event: Sendable {
  let line: String

  private var fields: [String: Any] {
    (try? JSONSerialization.jsonObject(with: Data(line.utf8))) as? [String: Any] ?? [:]
  }
  var name: String { string("event") ?? "" }
  func string(_ key: String) -> String? { fields[key] as? String }
  func number(_ key: String) -> Double? { (fields[key] as? NSNumber)?.doubleValue }
  func boolean(_ key: String) -> Bool? { fields[key] as? Bool }
  func strings(_ key: String) -> [String]? { fields[key] as? [String] }
  var time: Date? {
    let format = Date.ISO8601FormatStyle().year().month().day().time(includingFractionalSeconds: true)
    return string("time").flatMap { try? Date($0, strategy: format) }
  }

  /// What a stream's object in `streams` says.
  ///
  /// - Parameter type: `outbound-rtp` or `inbound-rtp`.
  func number(_ key: String, of kind: String, _ type: String) -> Double? {
    let streams = fields["streams"] as? [[String: Any]] ?? []
    let stream = streams.first { $0["type"] as? String == type && $0["kind"] as? String == kind }
    return (stream?[key] as? NSNumber)?.doubleValue
  }

  /// What has arrived of each content that is received, by name.
  var packetsReceived: [String: Int] { packets("packetsReceived") }
  /// What went out of each content that is sent, by name.
  var packetsSent: [String: Int] { packets("packetsSent") }

  private func packets(_ key: String) -> [String: Int] {
    let counts = (fields["streams"] as? [[String: Any]] ?? []).compactMap { stream -> (String, Int)? in
      guard let mid = stream["mid"] as? String, let count = stream[key] as? Int else { return nil }
      return (mid, count)
    }
    return Dictionary(counts) { first, _ in first }
  }
}

/// The built command, running.
final class CarillonProcess: Sendable {
  /// Next to the test bundle.
  static let executable = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
    .appending(path: "carillon")

  private let process = Process()
  private let input = Pipe()
  private let output = Mutex(Data())
  private let errors = Mutex(Data())

  /// Runs `carillon` for as long as the body does, and no longer.
  ///
  /// - Parameter wrapper: a program and its arguments that become `carillon` with those that follow.
  static func run<Value>(
    _ arguments: [String], by wrapper: [String] = [], password: String = Rig.current.password,
    _ body: (CarillonProcess) async throws -> Value
  ) async throws -> Value {
    let carillon = CarillonProcess()
    carillon.process.executableURL = wrapper.first.map { URL(filePath: $0) } ?? executable
    carillon.process.arguments = wrapper.isEmpty ? arguments : wrapper.dropFirst() + [executable.path] + arguments
    carillon.process.environment = ProcessInfo.processInfo.environment.merging(["CARILLON_PASSWORD": password]) { $1 }
    carillon.process.standardInput = carillon.input
    // No other child may hold this end, and no child's death is this process's.
    _ = fcntl(carillon.input.fileHandleForWriting.fileDescriptor, F_SETFD, FD_CLOEXEC)
    _ = signal(SIGPIPE, SIG_IGN)
    carillon.process.standardOutput = carillon.pipe { carillon, data in carillon.output.withLock { $0 += data } }
    carillon.process.standardError = carillon.pipe { carillon, data in carillon.errors.withLock { $0 += data } }
    try carillon.process.run()
    try Rig.current.watch(carillon.process.processIdentifier)
    defer {
      if carillon.process.isRunning { carillon.send(SIGKILL) }
      carillon.process.waitUntilExit()
    }
    return try await body(carillon)
  }

  /// Runs `carillon` to its end.
  static func run(_ arguments: [String], password: String = Rig.current.password) async throws -> Outcome {
    try await run(arguments, password: password) { try await $0.outcome() }
  }

  struct Outcome {
    var exitCode: Int32
    var events: [Event]
    var standardError: String

    /// The last event of this name.
    func event(_ name: String) throws -> Event {
      try #require(events.last { $0.name == name }, "no \(name) among \(events.map(\.name)); \(standardError)")
    }
    var message: String { (try? event("error").string("message")) ?? standardError }
  }

  private func pipe(_ receive: @escaping @Sendable (CarillonProcess, Data) -> Void) -> Pipe {
    let pipe = Pipe()
    pipe.fileHandleForReading.readabilityHandler = { [self] file in
      let data = file.availableData
      if data.isEmpty { file.readabilityHandler = nil } else { receive(self, data) }
    }
    return pipe
  }

  var events: [Event] {
    output.withLock { String(decoding: $0, as: UTF8.self) }.split(separator: "\n").map { Event(line: String($0)) }
  }

  var standardError: String { errors.withLock { String(decoding: $0, as: UTF8.self) } }

  var processIdentifier: Int32 { process.processIdentifier }
  var isRunning: Bool { process.isRunning }

  func send(_ signal: Int32) { kill(process.processIdentifier, signal) }

  /// Writes to standard input, and ends it.
  func write(_ data: Data) throws {
    try input.fileHandleForWriting.write(contentsOf: data)
    try input.fileHandleForWriting.close()
  }

  /// What is on standard output, if that is no events.
  var standardOutput: Data { output.withLock { $0 } }

  /// Writes a command, as programs do.
  func command(_ name: String, _ fields: [String: String] = [:]) throws {
    let line = try JSONEncoder().encode(fields.merging(["command": name]) { $1 })
    try input.fileHandleForWriting.write(contentsOf: line + Data("\n".utf8))
  }

  /// Waits for the first event of a name, after so many of any name, that is as it should be.
  @discardableResult func event(
    _ name: String, after count: Int, where isWanted: (Event) -> Bool = { _ in true }
  ) async throws -> Event {
    try await event(after: count) { $0.name == name && isWanted($0) }
  }

  /// Waits for the first event, after so many, that is as it should be.
  func event(after count: Int, where isWanted: (Event) -> Bool) async throws -> Event {
    let deadline = ContinuousClock.now + .seconds(30)
    var seen = count
    while true {
      let (isRunning, events) = (process.isRunning, events)
      if let found = events.dropFirst(seen).first(where: isWanted) { return found }
      seen = max(seen, events.count)
      try #require(
        isRunning && ContinuousClock.now < deadline,
        "not among \(events.dropFirst(count).map(\.line)); \(standardError)")
      try await Task.sleep(for: .milliseconds(20))
    }
  }

  /// Waits for so many events of a name.
  ///
  /// - Returns: the last of them.
  @discardableResult func event(_ name: String, count: Int = 1) async throws -> Event {
    while true {
      let isRunning = process.isRunning
      let found = events.filter { $0.name == name }
      if found.count >= count { return found[count - 1] }
      try #require(isRunning, "carillon exited before \(name): \(standardError)")
      try await Task.sleep(for: .milliseconds(20))
    }
  }

  /// Waits for the process to end.
  func outcome() async throws -> Outcome {
    while process.isRunning { try await Task.sleep(for: .milliseconds(20)) }
    // What was written just before the end may still be in the pipe.
    try await Task.sleep(for: .milliseconds(100))
    return Outcome(exitCode: process.terminationStatus, events: events, standardError: standardError)
  }
}

/// The options with which an account of the rig signs in.
func signingIn(_ account: String, certificateAuthority: String? = nil, host: String? = nil) -> [String] {
  [
    "--account", account, "--host", host ?? Rig.current.host, "--ca-file",
    certificateAuthority ?? Rig.current.certificateAuthority, "--json",
  ]
}
