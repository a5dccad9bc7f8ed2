import ArgumentParser
import Carillon
import Foundation
import Synchronization

struct ReceiveCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "receive", abstract: "Receive files.",
    discussion: """
      Takes every file that is offered, until interrupted; with --once, the first. A file is put into the folder when it is
      whole and its hash is right, never in another's place. Until then it is there hidden, and goes on from there when it
      is offered again. What nobody went on with for a week is removed (--keep-parts).

      --into - --once writes the file to standard output as it comes, and results and events to standard error. Do not
      trust it before the command has exited with 0: the hash is known last.
      """)

  @Option(help: ArgumentHelp("The folder that files are put into, or - for standard output.", valueName: "dir"))
  var into: String

  @Option(
    name: .customLong("from"),
    help: ArgumentHelp("Take files from this account or device only; may be repeated.", valueName: "jid"),
    transform: parseJID)
  var senders: [JID] = []

  @Flag(help: "Take one file, then exit as its transfer ended.")
  var once = false

  @Option(
    help: ArgumentHelp("Decline files that are larger, such as 500M or 2G.", valueName: "size"),
    transform: { try ByteCount(argument: $0) })
  var maxSize: ByteCount?

  @Option(
    help: ArgumentHelp(
      "How long to keep what came of transfers that broke off, such as 48h; 7 days if not given.", valueName: "duration"
    ),
    transform: { try Duration(argument: $0) })
  var keepParts = Duration.seconds(7 * 86_400)

  @Flag(help: "Use only relays and proxies, so that the peer never learns this machine's addresses.")
  var relayOnly = false

  @OptionGroup(title: "Account") var accountOptions: AccountOptions
  @OptionGroup(title: "Output") var output: OutputOptions

  private var isStream: Bool { into == "-" }

  func validate() throws {
    if isStream, !once { throw ValidationError("Standard output (--into -) is for one file: add --once.") }
  }

  func run() async throws {
    try await Session.reporting(output, results: isStream ? STDERR_FILENO : STDOUT_FILENO) { console in
      let settings = try accountOptions.settings()
      let session = Session(console: console, logLevel: output.logLevel ?? settings.logLevel)
      if let warning = settings.warning { console.warning(warning) }
      if !isStream { try await prepareFolder(console) }
      var configuration = settings.clientConfiguration(relayOnly: relayOnly)
      configuration.maximumFileSize = maxSize?.bytes
      let client = Client(configuration: configuration)
      let (endings, ended) = AsyncStream.makeStream(of: CommandFailure?.self)
      var handlers = session.handlers()
      handlers.allowsFile = { [senders] peer in senders.isEmpty || senders.contains { $0 == peer || $0 == peer.bare } }
      handlers.allowsCall = handlers.allowsFile
      let isTaken = Atomic(false)
      handlers.onFile = { [into, isStream] offer in
        // Two files cannot go to one stream.
        if isStream, isTaken.exchange(true, ordering: .relaxed) { return await offer.decline() }
        let reporter = FileReporter(console, .incoming)
        let peer = offer.peer
        reporter.offered(offer.file, by: peer, sid: offer.sid)
        do {
          let receipt =
            if isStream {
              try await offer.receive { transfer, chunks in
                async let followed: Void = reporter.follow(transfer)
                try await StandardOutputBytes().write(chunks)
                await followed
              }
            } else {
              try await offer.receive(into: into) { await reporter.follow($0) }
            }
          reporter.tell(receipt, of: peer)
          ended.yield(nil)
        } catch {
          let failure = CommandFailure(error)
          if !once { console.failure(failure) }
          ended.yield(failure)
        }
      }
      try await session.run([{ [handlers] in try await client.run(handlers) }]) {
        for await failure in endings where once {
          if let failure { throw failure }
          return
        }
      }
    }
  }

  private func prepareFolder(_ console: Console) async throws {
    try Self.check(into)
    let removed = try await IncomingFile.removeParts(in: into, olderThan: keepParts)
    if removed > 0 { console.progress("removed what was left of \(removed) old transfers in \(into)") }
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
