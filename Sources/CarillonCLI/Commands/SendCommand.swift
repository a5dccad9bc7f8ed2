import ArgumentParser
import Carillon
import Foundation

struct SendCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "send", abstract: "Send files.",
    discussion: """
      Sends the files one after the other, by the first way that both ends know and that works: a data channel, then TCP
      (straight or by a proxy), then through the servers. The data channel alone is encrypted from end to end. To who is
      not online, takes no files or cannot be reached, they go by way of this account's web server (HTTP upload). A folder
      stands for the files in it, without hidden ones and links; - stands for standard input, which --name gives a name.
      What broke off goes on where it stopped when it is sent again, but for standard input.
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
    guard files.contains("-") else { return }
    if files.count > 1 { throw ValidationError("Standard input (-) is sent alone.") }
    if name == nil { throw ValidationError("Standard input (-) has no name: give it one with --name.") }
    if transport == .upload { throw ValidationError("Standard input (-) has no size yet, and a web server wants one.") }
  }

  func run() async throws {
    try await Session.reporting(output) { console in
      let settings = try accountOptions.settings()
      let session = Session(console: console, logLevel: output.logLevel ?? settings.logLevel)
      if let warning = settings.warning { console.warning(warning) }
      // What cannot be sent is told before anything is.
      let outgoing = try outgoingFiles(console)
      let client = Client(configuration: settings.clientConfiguration(relayOnly: relayOnly))
      let handlers = session.handlers()
      try await session.run([{ try await client.run(handlers) }]) { [to, together] in
        if together {
          let results = try await client.send(outgoing, to: to, together: true) {
            await FileReporter(console, .outgoing).follow($0)
          }
          for case .success(let receipt) in results { FileReporter(console, .outgoing).tell(receipt, of: to) }
          for result in results { _ = try result.get() }
          return
        }
        for file in outgoing {
          let reporter = FileReporter(console, .outgoing)
          let receipt = try await client.send(file, to: to) { await reporter.follow($0) }
          reporter.tell(receipt, of: to)
        }
      }
    }
  }

  private func outgoingFiles(_ console: Console) throws -> [OutgoingFile] {
    var outgoing: [OutgoingFile]
    if files == ["-"], let name {
      outgoing = [OutgoingFile(StandardInputBytes(), name: name, size: StandardInputBytes.size())]
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
    for index in outgoing.indices { outgoing[index].ways = transport.ways }
    return outgoing
  }
}
