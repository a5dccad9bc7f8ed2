import ArgumentParser
import Carillon
import Foundation
import Logging
import MediaEngine
import XMPPCore

struct BenchFilesCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "files", abstract: "Measure transfers of files to a second process, over loopback.",
    discussion: """
      For each transport, this process sends to another one that it starts, and both hash the file. The MB/s are the \
      receiver's, from the first byte to the last; processor seconds, and memory over that of the idle process, are \
      told of each. A server in this process passes the stanzas on; with --account, in-band streams go through that \
      account's real one. With --delay, the path between the two is one in this process on which everything takes its \
      time. Tools/Benchmarks/files runs this with a Prosody of its own.
      """)

  @Option(
    help: ArgumentHelp("The size of the file (default: 1 GiB); slow ways take less.", valueName: "size"),
    transform: { try ByteCount(argument: $0) })
  var size: ByteCount?

  @Option(
    name: .customLong("transport"),
    help: ArgumentHelp("datachannel, s5b or ibb; may be repeated (default: all).", valueName: "way"),
    transform: { try Self.way($0) })
  var ways: [FileTransferWay] = []

  @Option(
    help: ArgumentHelp("How long a round trip takes, such as 80ms (default: none).", valueName: "duration"),
    transform: { try Duration(argument: $0) })
  var delay: Duration = .zero

  @Option(help: "How often each is measured; the fastest is told.")
  var runs = 1

  @Option(
    help: ArgumentHelp("Where the files are put for the time being (default: the system's place).", valueName: "dir"))
  var into: String?

  @OptionGroup(title: "Account, for in-band streams") var accountOptions: AccountOptions
  @OptionGroup(title: "Output") var output: OutputOptions

  /// Those that go from one process to the other: no upload.
  static let measuredWays: [FileTransferWay] = [.dataChannel, .socks5, .inBand]

  private static func way(_ name: String) throws -> FileTransferWay {
    guard let way = measuredWays.first(where: { $0.rawValue == name }) else {
      throw ValidationError("There is no transport '\(name)': it is datachannel, s5b or ibb.")
    }
    return way
  }

  func validate() throws {
    guard (1...100).contains(runs), (size?.bytes ?? 1) > 0, delay <= .seconds(10) else {
      throw ValidationError("--runs is 1 to 100, --size more than nothing, --delay 10s at most.")
    }
  }

  func run() async throws {
    try await Session.reporting(output) { console in
      // First, since it says what is logged.
      let session = Session(console: console, logLevel: output.logLevel)
      var account: (configuration: Client.Configuration, arguments: [String])?
      if accountOptions.account != nil || accountOptions.config != nil {
        let settings = try accountOptions.settings()
        if let warning = settings.warning { console.warning(warning) }
        account = (settings.clientConfiguration(relayOnly: false), accountOptions.arguments(settings))
      }
      if let into { try ReceiveCommand.check(into) }
      let folder = (into ?? NSTemporaryDirectory()) + "/carillon-bench-\(UUID().uuidString)"
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      defer { try? FileManager.default.removeItem(atPath: folder) }
      let size = size?.bytes ?? 1 << 30
      let path = folder + "/file"
      console.progress("making a file of \(byteCount(size))")
      try FileYardsticks.make(path, size)
      let yardsticks = FileBenchmark.Yardsticks(
        hash: FileYardsticks.hash(), tcp: try FileYardsticks.tcp(min(size, 4 << 30)),
        hashedTCP: try FileYardsticks.tcp(min(size, 4 << 30), isHashed: true),
        congestionControl: FileYardsticks.congestionControl,
        copy: FileYardsticks.copy(path, to: folder + "/copy"))
      console.event("bench.files.yardsticks", yardsticks.object)
      let benchmark = FileBenchmark(
        console: console, folder: folder, delay: delay, account: account)
      let plans = FileBenchmark.Plan.all(
        ways.isEmpty ? Self.measuredWays : ways, size: size, isDelayed: delay > .zero, server: account != nil)
      // Slower ways take a part of it.
      for other in Set(plans.map(\.size)) where other != size { try FileYardsticks.make("\(path)-\(other)", other) }
      try await session.run([]) { [runs, delay] in
        var results: [FileBenchmark.Result] = []
        for plan in plans {
          var best: FileBenchmark.Result?
          for run in 1...runs {
            console.progress("\(plan.name), \(byteCount(plan.size))\(runs > 1 ? ", \(run) of \(runs)" : "")")
            let result = try await benchmark.measure(plan, plan.size == size ? path : "\(path)-\(plan.size)")
            if result.seconds < best?.seconds ?? .infinity { best = result }
          }
          guard let best else { continue }
          console.event("bench.files", FileBenchmark.object(best, delay: delay))
          results.append(best)
        }
        console.result(FileBenchmark.text(results, yardsticks, delay: delay))
      }
    }
  }
}

/// The process that `bench files` sends to: receives files and tells on standard output what it used, as XML.
struct BenchFilesEndCommand: AsyncParsableCommand {
  static let name = "files-end"
  static let namespace = "urn:carillon:bench:files"
  static let configuration = CommandConfiguration(commandName: name, shouldDisplay: false)

  /// Without it, files are taken as streams.
  @Option var into: String?
  /// Whether stanzas go by the pipes too.
  @Flag var piped = false
  @OptionGroup var accountOptions: AccountOptions

  func run() async throws {
    LoggingSystem.bootstrap { label in
      var handler = StreamLogHandler.standardError(label: label)
      handler.logLevel = .warning
      return handler
    }
    let pipe = StanzaPipe(input: .standardInput, output: .standardOutput)
    let client: Client
    if piped {
      let address = try JID("bob@localhost/bench")
      client = Client(
        configuration: .init(account: address, password: ""), loop: GLibLoop(), localAddresses: ["127.0.0.1"]
      ) { PipeLink(address: address, pipe: pipe, stanzas: pipe.incoming) }
    } else {
      client = Client(configuration: try accountOptions.settings().clientConfiguration(relayOnly: false))
    }
    var handlers = Client.Handlers()
    handlers.onOnline = { address in
      pipe.send(XMLElement("ready", namespace: Self.namespace, attributes: ["address": "\(address)"]))
    }
    handlers.onFile = { [into] offer in
      let meter = ProcessMeter()
      var attributes: [String: String] = [:]
      do {
        let receipt =
          if let into {
            try await offer.receive(into: into)
          } else {
            try await offer.receive { _, chunks in for try await _ in chunks {} }
          }
        let usage = meter.usage
        attributes = [
          "seconds": "\(receipt.seconds)", "sha256": receipt.sha256, "processor": "\(usage.processorSeconds)",
          "memory": "\(usage.bytes)",
        ]
        if let path = receipt.path { unlink(path) }
      } catch {
        attributes["error"] = "\(error)"
      }
      pipe.send(XMLElement("received", namespace: Self.namespace, attributes: attributes))
    }
    // The end of its input ends it.
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { [handlers] in try await client.run(handlers) }
      group.addTask { for await _ in pipe.closed {} }
      try await group.next()
      group.cancelAll()
    }
  }
}

extension AccountOptions {
  /// The options that give another device of this account the same server. The password goes by the environment or its
  /// file.
  fileprivate func arguments(_ settings: Settings) -> [String] {
    var arguments = ["--account", "\(settings.account.bare)"]
    for (name, value) in [("--password-file", passwordFile), ("--ca-file", caFile), ("--config", config)] {
      if let value { arguments += [name, value] }
    }
    if let host {
      let name = host.host.contains(":") ? "[\(host.host)]" : host.host
      arguments += ["--host", host.port.map { "\(name):\($0)" } ?? name]
    }
    return arguments
  }
}
