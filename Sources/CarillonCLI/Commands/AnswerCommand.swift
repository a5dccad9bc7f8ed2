import ArgumentParser
import Carillon

struct AnswerCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "answer", abstract: "Answer calls.",
    discussion: """
      Answers every call, several at a time, until interrupted; with --once, the first. With --record x.wav, further \
      calls are kept in x-2.wav, x-3.wav and so on. Pictures are received from who sends them, and sent with --video.

      On a terminal, keys steer the calls (? lists them). With --json, so do commands on standard input, one JSON \
      object a line, such as {"command":"hold"}; not with --video -, which takes standard input for itself.
      """)

  @Option(
    name: .customLong("from"),
    help: ArgumentHelp(
      "Answer only calls from this account, decline others; may be repeated. 'contacts' stands for all of the roster.",
      valueName: "jid"),
    transform: { try CallerArgument(argument: $0) })
  var callers: [CallerArgument] = []

  @Flag(help: "Answer one call, then exit as it ended; others meanwhile are told busy.")
  var once = false

  @Option(
    help: ArgumentHelp("Let it ring for so long before it is answered (default: at once).", valueName: "duration"),
    transform: { try Duration(argument: $0) })
  var ring: Duration?

  @Flag(help: "Let it ring until a key (a, d) or a command (answer, decline) decides.")
  var ask = false

  @Option(
    help: ArgumentHelp(
      "Press these keys of a telephone's pad once connected: 0-9, *, #, A-D, and a comma for a pause.",
      valueName: "digits"),
    transform: { try DTMFDigits(argument: $0) })
  var dtmf: DTMFDigits?

  @OptionGroup(title: "Media") var media: MediaOptions
  @OptionGroup(title: "Account") var accountOptions: AccountOptions
  @OptionGroup(title: "Output") var output: OutputOptions

  /// What the user decides with.
  var input: StandardInput.Mode? {
    StandardInput.mode(json: output.json, isTaken: media.pictures.video == .standardInput)
  }

  func validate() throws {
    _ = try media.plan(.callee)
    guard !callers.contains(.contacts) || callers.allSatisfy({ $0 == .contacts }) else {
      throw ValidationError("--from contacts stands alone.")
    }
    guard ask else { return }
    if ring != nil { throw ValidationError("--ask waits for you, --ring does not; one of them will do.") }
    guard input != nil else {
      throw ValidationError(
        "--ask needs somebody to ask: a terminal, or --json and commands on standard input (not with --video -).")
    }
  }

  func run() async throws {
    try await Session.reporting(output) { console in
      let settings = try accountOptions.settings()
      let session = Session(console: console, logLevel: output.logLevel ?? settings.logLevel)
      if let warning = settings.warning { console.warning(warning) }
      let plan = try media.plan(.callee)
      // What cannot work is told before anybody calls; what comes through a pipe can be opened only once.
      if plan.video != .standardInput { _ = try plan.prepare() }
      var configuration = settings.clientConfiguration(relayOnly: media.relayOnly)
      if callers.contains(.contacts) { configuration.callers = .contacts }
      let client = Client(configuration: configuration)
      let (endings, ended) = AsyncStream.makeStream(of: CommandFailure?.self)
      let desk = Desk(command: self, plan: plan, session: session, ended: ended)
      var handlers = session.handlers()
      handlers.onCall = { incoming in await desk.receive(incoming) }
      handlers.onMissed = { missed in
        console.event("call.missed", missed.object)
        console.progress(missed.line)
      }
      handlers.onInvitation = { invitation in
        console.event("call.invited", invitation.object)
        console.progress(invitation.line)
      }
      try await session.run([{ [handlers] in try await client.run(handlers) }], input: input) {
        for await failure in endings where once {
          if let failure { throw failure }
          return
        }
      }
    }
  }
}
