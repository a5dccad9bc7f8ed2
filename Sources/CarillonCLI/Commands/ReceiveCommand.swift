import ArgumentParser
import Carillon
import Foundation
import Synchronization

struct ReceiveCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "receive", abstract: "Receive files.",
    discussion: """
      Takes every file that is offered, until interrupted; with --once, the first. A file is put into the folder when \
      it is whole and its hash is right, never in another's place. Until then it is there hidden, and goes on from \
      there when it is offered again. What nobody went on with for a week is removed (--keep-parts).

      With --request, asks for one file instead, and exits as its transfer ended.

      Files that somebody shares as links (HTTP upload) are fetched if that is one of --from, or with --download, and \
      never with --relay-only: the web server learns this machine's address.

      --into - --once writes the file to standard output as it comes, and results and events to standard error. Do not \
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

  @Option(help: ArgumentHelp("Ask the one account or device of --from for the file of this name.", valueName: "name"))
  var request: String?

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

  @Option(
    help: ArgumentHelp(
      "Fetch the small pictures of files that are offered, and put them into this folder.", valueName: "dir"))
  var thumbnails: String?

  @Flag(help: "Fetch files that are shared as links even without --from, from wherever the sender says.")
  var download = false

  @Flag(help: "Use only relays and proxies, so that the peer never learns this machine's addresses.")
  var relayOnly = false

  @OptionGroup(title: "Account") var accountOptions: AccountOptions
  @OptionGroup(title: "Output") var output: OutputOptions

  private var isStream: Bool { into == "-" }

  func validate() throws {
    if isStream, !once { throw ValidationError("Standard output (--into -) is for one file: add --once.") }
    guard request != nil else { return }
    if thumbnails != nil { throw ValidationError("--thumbnails is for files that are offered, not for --request.") }
    if senders.count != 1 { throw ValidationError("--request takes one --from: whom to ask.") }
    if isStream { throw ValidationError("A file that is asked for (--request) is received into a folder.") }
  }

  func run() async throws {
    try await Session.reporting(output, results: isStream ? STDERR_FILENO : STDOUT_FILENO) { console in
      let settings = try accountOptions.settings()
      let session = Session(console: console, logLevel: output.logLevel ?? settings.logLevel)
      if let warning = settings.warning { console.warning(warning) }
      if let thumbnails { try Self.check(thumbnails) }
      if !isStream { try await prepareFolder(console) }
      var configuration = settings.clientConfiguration(relayOnly: relayOnly)
      configuration.maximumFileSize = maxSize?.bytes
      let client = Client(configuration: configuration)
      let (endings, ended) = AsyncStream.makeStream(of: CommandFailure?.self)
      var handlers = session.handlers()
      handlers.allowsFile = { [senders] peer in senders.isEmpty || senders.contains { $0 == peer || $0 == peer.bare } }
      handlers.allowsCall = handlers.allowsFile
      let refusal = noDownload
      let isTaken = Atomic(false)
      let pictures = thumbnails.map { ThumbnailFolder(path: $0) }
      let take: @Sendable (consuming IncomingFile) async -> Void = { [into, isStream, once] offer in
        // Two files cannot go to one stream.
        if isStream, offer.host == nil, isTaken.exchange(true, ordering: .relaxed) { return await offer.decline() }
        let reporter = FileReporter(console, .incoming)
        let (peer, name) = (offer.peer, offer.file.name)
        reporter.offered(offer.file, by: peer, sid: offer.sid, at: offer.host)
        if let host = offer.host, let refusal {
          reporter.ignored(offer.file, by: peer, sid: offer.sid, at: host, refusal)
          return await offer.decline()
        }
        if let pictures, offer.host == nil, offer.file.thumbnail != nil {
          do {
            // Web servers are not asked: they would learn this machine's address.
            if let picture = try await offer.thumbnail() {
              let path = try pictures.keep(picture, of: offer.file.name)
              reporter.received(picture, at: path, of: offer.file, by: peer, sid: offer.sid)
            }
          } catch {
            console.warning(CommandFailure(error).message)
          }
        }
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
          if !once { console.failure(failure, of: name, isFinal: false) }
          ended.yield(failure)
        }
      }
      handlers.onFile = take
      handlers.onSharedFile = take
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

  private func prepareFolder(_ console: Console) async throws {
    try Self.check(into)
    let removed = try await IncomingFile.removeParts(in: into, olderThan: keepParts)
    if removed > 0 { console.progress("removed what was left of \(removed) old transfers in \(into)") }
  }

  /// Why files that are shared as links are left where they are.
  private var noDownload: String? {
    if isStream { return "they are fetched into folders only" }
    if relayOnly { return "--relay-only: the web server would learn this machine's address" }
    return senders.isEmpty && !download ? "neither --from nor --download allows it" : nil
  }

  static func check(_ directory: String) throws {
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
