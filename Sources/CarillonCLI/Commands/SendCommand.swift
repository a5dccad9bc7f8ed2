import ArgumentParser
import Carillon
import Foundation
import JingleCore

struct SendCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "send", abstract: "Send files.",
    discussion: """
      Sends the files one after the other, by the first way that both ends know and that works: a data channel, then \
      TCP (straight or by a proxy), then through the servers. The data channel alone is encrypted from end to end. To \
      who is not online, takes no files or cannot be reached, they go by way of this account's web server (HTTP \
      upload). A folder stands for the files in it, without hidden ones and links; - stands for standard input, which \
      --name gives a name. What broke off goes on where it stopped when it is sent again, but for standard input.

      A file that fails, or is declined, leaves the others: each failure is told, and the command exits with the code \
      of the first.

      With --thumbnail, images and films are offered with a small picture, which the peer may fetch through both \
      servers before it takes the file. The servers can read it, even where the file itself goes encrypted.
      """)

  @Argument(help: ArgumentHelp("What to send.", valueName: "file"))
  var files: [String]

  @Option(help: ArgumentHelp("The account or device to send to.", valueName: "jid"), transform: parseJID)
  var to: JID

  @Option(
    help: ArgumentHelp("auto, datachannel, s5b (over TCP), ibb (through the servers) or upload.", valueName: "way"))
  var transport = Transport.auto

  @Option(help: ArgumentHelp("What the receiver is to call it; of one file, or of standard input.", valueName: "name"))
  var name: String?

  @Option(
    name: .customLong("description"),
    help: ArgumentHelp("Words about the files for who receives them, in the locale's language.", valueName: "text"))
  var text: String?

  @Option(
    name: .customLong("size"),
    help: ArgumentHelp("How many bytes standard input has: without that it cannot go by a web server.", valueName: "size"),
    transform: { try ByteCount(argument: $0) })
  var inputSize: ByteCount?

  @Flag(name: .customLong("thumbnail"), help: "Offer images and films with a small picture, which servers can read.")
  var isPictured = false

  @Flag(help: "Offer all files in one session. Many clients handle one file a session only.")
  var together = false

  @Flag(help: "Use only relays and proxies, so that the peer never learns this machine's addresses.")
  var relayOnly = false

  @OptionGroup(title: "Account") var accountOptions: AccountOptions
  @OptionGroup(title: "Output") var output: OutputOptions

  enum Transport: String, ExpressibleByArgument, CaseIterable {
    case auto, datachannel, s5b, ibb, upload

    var ways: [FileTransferWay] {
      switch self {
      case .auto: FileTransferWay.allCases
      case .datachannel: [.dataChannel]
      case .s5b: [.socks5]
      case .ibb: [.inBand]
      case .upload: [.upload]
      }
    }
  }

  func validate() throws {
    if name != nil, files.count > 1 { throw ValidationError("--name is for one file.") }
    if let text, !(1...FileDescription.maximumTextLength).contains(text.unicodeScalars.count) {
      throw ValidationError("--description takes 1 to \(FileDescription.maximumTextLength) characters.")
    }
    guard files.contains("-") else {
      if inputSize != nil { throw ValidationError("--size is for standard input (-).") }
      return
    }
    if files.count > 1 { throw ValidationError("Standard input (-) is sent alone.") }
    if name == nil { throw ValidationError("Standard input (-) has no name: give it one with --name.") }
  }

  func run() async throws {
    try await Session.reporting(output) { console in
      let settings = try accountOptions.settings()
      let session = Session(console: console, logLevel: output.logLevel ?? settings.logLevel)
      if let warning = settings.warning { console.warning(warning) }
      // What cannot be sent is told before anything is.
      let outgoing = try outgoingFiles(console)
      let client = Client(configuration: settings.clientConfiguration(relayOnly: relayOnly))
      let (arrivals, arrived) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
      var handlers = session.handlers()
      handlers.onOnline = { [tell = handlers.onOnline] address in
        await tell?(address)
        arrived.yield()
      }
      let (to, isPictured) = (to, isPictured && transport != .upload)
      // As many as one session takes: what ends one leaves the files of the others.
      let size = together ? JingleSession.maximumOfferedContents : 1
      let batches = stride(from: 0, to: outgoing.count, by: size).map {
        Array(outgoing[$0..<min(outgoing.count, $0 + size)])
      }
      try await session.run([{ [handlers] in try await client.run(handlers) }]) { [together] in
        // That the server cannot be reached, or refuses, is not about any of the files.
        for await _ in arrivals { break }
        try Task.checkCancellation()
        var failures: [CommandFailure] = []
        for batch in batches {
          let results = try await Self.send(batch, together, isPictured, to: to, of: client, console)
          for (file, result) in zip(batch, results) {
            do { FileReporter(console, .outgoing).tell(try result.get(), of: to) } catch {
              let failure = CommandFailure(error)
              failures.append(failure)
              console.failure(failure, of: outgoing.count > 1 ? file.path : nil)
            }
          }
        }
        guard let first = failures.first else { return }
        if outgoing.count > 1 { console.progress("\(failures.count) of \(outgoing.count) files were not sent") }
        throw ExitCode(first.exitCode)
      }
    }
  }

  /// Sends files together, or one file by any way.
  ///
  /// - Returns: what became of each.
  private static func send(
    _ batch: [OutgoingFile], _ together: Bool, _ isPictured: Bool, to: JID, of client: Client, _ console: Console
  ) async throws -> [Result<FileReceipt, any Error>] {
    let reporter = FileReporter(console, .outgoing)
    var batch = batch
    if isPictured { for index in batch.indices { batch[index] = await batch[index].pictured() } }
    do {
      if together {
        let results = try await client.send(batch, to: to, together: true) { await reporter.follow($0) }
        return results.map { $0.mapError { $0 } }
      }
      return [.success(try await client.send(batch[0], to: to) { await reporter.follow($0) })]
    } catch {
      // Whoever interrupted this wants none of the others.
      try Task.checkCancellation()
      return batch.map { _ in .failure(error) }
    }
  }

  private func outgoingFiles(_ console: Console) throws -> [OutgoingFile] {
    var outgoing: [OutgoingFile]
    if files == ["-"], let name {
      outgoing = [OutgoingFile(StandardInputBytes(), name: name, size: inputSize?.bytes ?? StandardInputBytes.size())]
    } else {
      let found = try FilesToSend(files)
      for skipped in found.skipped { console.warning("not sent: \(skipped)") }
      outgoing = found.paths.map { OutgoingFile(path: $0) }
      if let name {
        if outgoing.count > 1 {
          throw CommandFailure(
            code: "usage", message: "--name is for one file, and there are \(outgoing.count).", status: .usage)
        }
        outgoing[0].name = name
      }
    }
    let texts = text.map { [FileText($0, language: UserLanguages.current.first)] } ?? []
    for index in outgoing.indices { (outgoing[index].ways, outgoing[index].texts) = (transport.ways, texts) }
    return outgoing
  }
}
