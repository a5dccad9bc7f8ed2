import ArgumentParser
import Carillon
import Synchronization

struct AnswerCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "answer", abstract: "Answer calls.",
    discussion: """
      Answers every call, several at a time, until interrupted; with --once, the first. With --record x.wav, further calls
      are kept in x-2.wav, x-3.wav and so on. Pictures are received from who sends them, and sent with --video.
      """)

  @Option(
    name: .customLong("from"),
    help: ArgumentHelp("Answer only calls from this account, decline others; may be repeated.", valueName: "jid"),
    transform: parseJID)
  var callers: [JID] = []

  @Flag(help: "Answer one call, then exit as it ended; others meanwhile are told busy.")
  var once = false

  @OptionGroup(title: "Media") var media: MediaOptions
  @OptionGroup(title: "Account") var accountOptions: AccountOptions
  @OptionGroup(title: "Output") var output: OutputOptions

  func validate() throws { _ = try media.plan(.callee) }

  func run() async throws {
    try await Session.reporting(output) { console in
      let settings = try accountOptions.settings()
      let session = Session(console: console, logLevel: output.logLevel ?? settings.logLevel)
      if let warning = settings.warning { console.warning(warning) }
      let plan = try media.plan(.callee)
      // What cannot work is told before anybody calls; what comes through a pipe can be opened only once.
      if plan.video != .standardInput { _ = try plan.offer() }
      let client = Client(configuration: settings.clientConfiguration(relayOnly: media.relayOnly))
      let (endings, ended) = AsyncStream.makeStream(of: CommandFailure?.self)
      let desk = Desk(command: self, plan: plan, session: session, ended: ended)
      var handlers = session.handlers()
      handlers.onCall = { incoming in await desk.receive(incoming) }
      try await session.run([{ [handlers] in try await client.run(handlers) }]) {
        for await failure in endings where once {
          if let failure { throw failure }
          return
        }
      }
    }
  }
}

/// Decides what becomes of each incoming call.
private final class Desk: Sendable {
  private let command: AnswerCommand
  private let plan: MediaPlan
  private let session: Session
  private let ended: AsyncStream<CommandFailure?>.Continuation
  private let answered = Mutex(0)

  init(
    command: AnswerCommand, plan: MediaPlan, session: Session, ended: AsyncStream<CommandFailure?>.Continuation
  ) {
    self.command = command
    self.plan = plan
    self.session = session
    self.ended = ended
  }

  func receive(_ incoming: consuming IncomingCall) async {
    let console = session.console
    let (peer, sid) = (incoming.peer, incoming.sid)
    let fields: JSONObject = ["direction": "incoming", "sid": .string(sid), "peer": .string("\(peer)")]
    console.event("call.proposed", fields)
    console.progress("call from \(peer.named)")

    guard command.callers.isEmpty || command.callers.contains(where: { $0 == peer || $0 == peer.bare }) else {
      await incoming.decline()
      console.progress("declined: \(peer.bare) is not among those of --from")
      console.event("call.ended", fields.merging(["reason": "decline", "endedByPeer": false, "durationMs": 0]))
      return
    }
    let count = answered.withLock { answered in
      answered += 1
      return answered
    }
    guard count == 1 || !command.once else {
      await incoming.declineBusy()
      console.progress("declined: busy")
      console.event("call.ended", fields.merging(["reason": "busy", "endedByPeer": false, "durationMs": 0]))
      return
    }

    do {
      let (offer, recordings) = try plan.offer(call: count)
      let follower = CallFollower(
        console: console, calls: session.calls, limit: command.media.limit, recordings: recordings,
        direction: .incoming)
      try await incoming.answer(with: offer) { try await follower.follow($0) }
      ended.yield(nil)
    } catch {
      let failure = CommandFailure(error)
      if !command.once { console.warning(code: failure.code, failure.message) }
      ended.yield(failure)
    }
  }
}
