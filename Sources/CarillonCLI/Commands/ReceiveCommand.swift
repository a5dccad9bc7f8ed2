import ArgumentParser
import Carillon
import Foundation

struct ReceiveCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "receive", abstract: "Receive files.",
    discussion: """
      Takes every file that is offered, until interrupted; with --once, the first. A file is put into the folder when it is
      whole and its hash is right, never in another's place. Until then it is there hidden, and goes on from there when it
      is offered again. With --request, asks for one file instead, and exits as its transfer ended.
      """)

  @Option(help: ArgumentHelp("The folder that files are put into.", valueName: "dir"))
  var into: String

  @Option(
    name: .customLong("from"),
    help: ArgumentHelp("Take files from this account or device only; may be repeated.", valueName: "jid"),
    transform: parseJID)
  var senders: [JID] = []

  @Flag(help: "Take one file, then exit as its transfer ended.")
  var once = false

  @Option(help: ArgumentHelp("Ask the one account or device of --from for the file of this name.", valueName: "name"))
  var request: String?

  @Option(
    help: ArgumentHelp("Decline files that are larger, such as 500M or 2G.", valueName: "size"),
    transform: { try ByteCount(argument: $0) })
  var maxSize: ByteCount?

  @Flag(help: "Use only relays and proxies, so that the peer never learns this machine's addresses.")
  var relayOnly = false

  @OptionGroup(title: "Account") var accountOptions: AccountOptions
  @OptionGroup(title: "Output") var output: OutputOptions

  func validate() throws {
    if request != nil, senders.count != 1 { throw ValidationError("--request takes one --from: whom to ask.") }
  }

  func run() async throws {
    try await Session.reporting(output) { console in
      let settings = try accountOptions.settings()
      let session = Session(console: console, logLevel: output.logLevel ?? settings.logLevel)
      if let warning = settings.warning { console.warning(warning) }
      try Self.check(into)
      var configuration = settings.clientConfiguration(relayOnly: relayOnly)
      configuration.maximumFileSize = maxSize?.bytes
      let client = Client(configuration: configuration)
      let (endings, ended) = AsyncStream.makeStream(of: CommandFailure?.self)
      var handlers = session.handlers()
      handlers.allowsFile = { [senders] peer in senders.isEmpty || senders.contains { $0 == peer || $0 == peer.bare } }
      handlers.allowsCall = handlers.allowsFile
      handlers.onFile = { [into] offer in
        let reporter = FileReporter(console, .incoming)
        let peer = offer.peer
        reporter.offered(offer.file, by: peer, sid: offer.sid)
        do {
          let receipt = try await offer.receive(into: into) { await reporter.follow($0) }
          reporter.tell(receipt, of: peer)
          ended.yield(nil)
        } catch {
          let failure = CommandFailure(error)
          if !once { console.failure(failure) }
          ended.yield(failure)
        }
      }
      try await session.run([{ [handlers] in try await client.run(handlers) }]) { [request, into, senders] in
        if let request {
          let reporter = FileReporter(console, .incoming)
          let receipt = try await client.request(FileSelector(name: request), from: senders[0], into: into) {
            await reporter.follow($0)
          }
          return reporter.tell(receipt, of: senders[0])
        }
        for await failure in endings where once {
          if let failure { throw failure }
          return
        }
      }
    }
  }

  private static func check(_ directory: String) throws {
    var isDirectory: ObjCBool = false
    guard FileManager.default.fileExists(atPath: directory, isDirectory: &isDirectory), isDirectory.boolValue,
      FileManager.default.isWritableFile(atPath: directory)
    else {
      throw CommandFailure(
        code: "output", message: "\(directory) is no folder that can be written to. Make it, or name another.",
        status: .cannotCreateOutput)
    }
  }
}
