import ArgumentParser
import Carillon
import Foundation

struct SendCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "send", abstract: "Send files.",
    discussion: """
      Sends the files one after the other, by the first way that both ends know and that works: a data channel, then TCP
      (straight or by a proxy), then through the servers. The data channel alone is encrypted from end to end. A folder
      stands for the files in it. What broke off goes on where it stopped when it is sent again.
      """)

  @Argument(help: ArgumentHelp("What to send.", valueName: "file"))
  var files: [String]

  @Option(help: ArgumentHelp("The account or device to send to.", valueName: "jid"), transform: parseJID)
  var to: JID

  @Option(help: ArgumentHelp("auto, datachannel, s5b (over TCP) or ibb (through the servers).", valueName: "way"))
  var transport = Transport.auto

  @Option(help: ArgumentHelp("What the receiver is to call it; of one file.", valueName: "name"))
  var name: String?

  @Flag(help: "Offer all files in one session. Many clients handle one file a session only.")
  var together = false

  @Flag(help: "Use only relays and proxies, so that the peer never learns this machine's addresses.")
  var relayOnly = false

  @OptionGroup(title: "Account") var accountOptions: AccountOptions
  @OptionGroup(title: "Output") var output: OutputOptions

  enum Transport: String, ExpressibleByArgument, CaseIterable {
    case auto, datachannel, s5b, ibb

    var ways: [FileTransferWay] {
      switch self {
      case .auto: FileTransferWay.allCases
      case .datachannel: [.dataChannel]
      case .s5b: [.socks5]
      case .ibb: [.inBand]
      }
    }
  }

  func validate() throws {
    if name != nil, files.count > 1 { throw ValidationError("--name is for one file.") }
  }

  func run() async throws {
    try await Session.reporting(output) { console in
      let settings = try accountOptions.settings()
      let session = Session(console: console, logLevel: output.logLevel ?? settings.logLevel)
      if let warning = settings.warning { console.warning(warning) }
      // What cannot be sent is told before anything is.
      let paths = try files.flatMap { try Self.expand($0) }
      let client = Client(configuration: settings.clientConfiguration(relayOnly: relayOnly))
      let handlers = session.handlers()
      try await session.run([{ try await client.run(handlers) }]) { [transport, name, to, together] in
        let files = paths.map { path in
          var file = OutgoingFile(path: path)
          file.name = name
          file.ways = transport.ways
          return file
        }
        if together {
          let results = try await client.send(files, to: to, together: true) {
            await FileReporter(console, .outgoing).follow($0)
          }
          for result in results { FileReporter(console, .outgoing).tell(try result.get(), of: to) }
          return
        }
        for file in files {
          let reporter = FileReporter(console, .outgoing)
          let receipt = try await client.send(file, to: to) { await reporter.follow($0) }
          reporter.tell(receipt, of: to)
        }
      }
    }
  }

  /// A folder as the files in it, those in its folders too.
  private static func expand(_ path: String) throws -> [String] {
    var isDirectory: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) else {
      throw CommandFailure(code: "input", message: "There is no \(path).", status: .failure)
    }
    guard isDirectory.boolValue else { return [path] }
    let inside = FileManager.default.enumerator(
      at: URL(fileURLWithPath: path), includingPropertiesForKeys: [.isRegularFileKey], options: [.skipsHiddenFiles])
    let found = (inside?.allObjects ?? []).compactMap { $0 as? URL }.filter {
      (try? $0.resourceValues(forKeys: [.isRegularFileKey]).isRegularFile) == true
    }
    return found.map(\.path).sorted()
  }
}
