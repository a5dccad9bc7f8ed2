import ArgumentParser
import Carillon

struct CallCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "call", abstract: "Call somebody.",
    discussion: """
      For example:
        carillon call bob@example.org --account alice@example.org --password-file secret --audio speech --record bob.wav
        carillon call bob@example.org --config alice.conf --audio speech --video bars --record bob.webm

      On a terminal, keys steer the call (? lists them). With --json, so do commands on standard input, one JSON \
      object a line, such as {"command":"hold"}; not with --video -, which takes standard input for itself.
      """)

  @Argument(help: ArgumentHelp("Whom to call.", valueName: "jid"), transform: parseJID)
  var peer: JID

  @OptionGroup(title: "Media") var media: MediaOptions

  @Option(
    help: ArgumentHelp("How long it may ring (default: 30s).", valueName: "duration"),
    transform: { try Duration(argument: $0) })
  var wait: Duration?

  @Option(
    help: ArgumentHelp(
      "Press these keys of a telephone's pad once connected: 0-9, *, #, A-D, and a comma for a pause.",
      valueName: "digits"),
    transform: { try DTMFDigits(argument: $0) })
  var dtmf: DTMFDigits?

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
      let plan = try media.plan(.caller)
      let preparation = try plan.prepare()
      let input = StandardInput.mode(json: output.json, isTaken: plan.video == .standardInput)
      let client = Client(
        configuration: settings.clientConfiguration(relayOnly: media.relayOnly, ringingTimeout: wait))
      let follower = CallFollower(session, preparation, limit: media.limit, digits: dtmf, input: input)
      let handlers = session.handlers()
      try await session.run([{ try await client.run(handlers) }], input: input) {
        console.progress("calling \(peer)")
        try await client.withCall(to: peer, offering: preparation.offer) { try await follower.follow($0) }
      }
    }
  }
}
