import ArgumentParser
import Carillon

struct CallCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "call", abstract: "Call somebody.",
    discussion: """
      For example:
        carillon call bob@example.org --account alice@example.org --password-file secret --audio speech --record bob.wav
        carillon call bob@example.org --config alice.conf --audio speech --video bars --record bob.webm
      """)

  @Argument(help: ArgumentHelp("Whom to call.", valueName: "jid"), transform: parseJID)
  var peer: JID

  @OptionGroup(title: "Media") var media: MediaOptions

  @Option(
    help: ArgumentHelp("How long it may ring (default: 30s).", valueName: "duration"),
    transform: { try Duration(argument: $0) })
  var wait: Duration?

  @OptionGroup(title: "Account") var accountOptions: AccountOptions
  @OptionGroup(title: "Output") var output: OutputOptions

  func validate() throws {
    guard peer.localpart != nil else { throw ValidationError("'\(peer)' has no name before an @: whom to call there?") }
    _ = try media.plan(.caller)
  }

  func run() async throws {
    try await Session.reporting(output) { console in
      let settings = try accountOptions.settings()
      let session = Session(console: console, logLevel: output.logLevel ?? settings.logLevel)
      if let warning = settings.warning { console.warning(warning) }
      let (offer, recordings) = try media.plan(.caller).offer()
      let client = Client(
        configuration: settings.clientConfiguration(relayOnly: media.relayOnly, ringingTimeout: wait))
      let follower = CallFollower(
        console: console, calls: session.calls, limit: media.limit, recordings: recordings)
      let handlers = session.handlers()
      try await session.run([{ try await client.run(handlers) }]) {
        console.progress("calling \(peer)")
        try await client.withCall(to: peer, offering: offer) { try await follower.follow($0) }
      }
    }
  }
}
