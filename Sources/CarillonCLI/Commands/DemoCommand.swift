import ArgumentParser
import Carillon

struct DemoCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "demo", abstract: "Place a call between two ends in this process.",
    discussion: """
      ICE, DTLS, SRTP and the codecs are real and run over loopback; only the stanzas pass through memory instead of a \
      server. No account is needed: the quickest look.
      """)

  @Option(
    help: ArgumentHelp("What the caller sends: PATH, tone[:HZ], speech, silence or none.", valueName: "src"),
    transform: { try AudioArgument(argument: $0) })
  var audio: AudioArgument = .speech

  @OptionGroup var pictures: VideoOptions
  @OptionGroup var keeping: RecordingOptions

  @Option(
    name: .customLong("for"), help: ArgumentHelp("How long the call lasts.", valueName: "duration"),
    transform: { try Duration(argument: $0) })
  var limit: Duration = .seconds(5)

  @OptionGroup(title: "Output") var output: OutputOptions

  /// What the caller sends, and what the other end does with it.
  private func plans() throws -> (caller: MediaPlan, callee: MediaPlan) {
    let caller = try MediaPlan(audio: audio, video: pictures.video, videoSize: pictures.size, side: .caller)
    let callee = try MediaPlan(
      audio: .silence, video: pictures.video.map { _ in .receiveOnly }, recordings: keeping.recordings, side: .callee)
    if pictures.video == nil, let recording = keeping.recordings.first(where: { $0.format == .y4m }) {
      throw ValidationError("\(recording.path) keeps pictures, and the call has none; add --video SRC.")
    }
    return (caller, callee)
  }

  func validate() throws { _ = try plans() }

  func run() async throws {
    try await Session.reporting(output) { console in
      let session = Session(console: console, logLevel: output.logLevel)
      let clients = try LocalClients()
      let plans = try plans()
      let (called, calling) = (try plans.callee.prepare(), try plans.caller.prepare())
      let outgoing = CallFollower(session, calling, limit: limit)
      let incoming = CallFollower(session, called, direction: .incoming)
      let (endings, ended) = AsyncStream.makeStream(of: Void.self)
      var handlers = session.handlers()
      handlers.onCall = { call in
        defer { ended.finish() }
        try await call.answer(with: called.offer) { try await incoming.follow($0) }
      }
      try await clients.run(in: session, caller: session.handlers(), callee: handlers) {
        try await clients.caller.withCall(to: clients.calleeAddress, offering: calling.offer) {
          try await outgoing.follow($0)
        }
        for await _ in endings {}  // the other end sums up too
      }
    }
  }
}
