import ArgumentParser
import Carillon

struct DemoCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "demo", abstract: "Place a call between two ends in this process.",
    discussion: """
      ICE, DTLS, SRTP and Opus are real and run over loopback; only the stanzas pass through memory instead of a server. No
      account is needed: the quickest look.
      """)

  @Option(
    help: ArgumentHelp("What the caller sends: PATH, tone[:HZ], speech, silence or none.", valueName: "src"),
    transform: { try AudioArgument(argument: $0) })
  var audio: AudioArgument = .speech

  @Option(
    help: ArgumentHelp("Keep what the other end hears (.wav, .ogg or .webm).", valueName: "path"),
    transform: { try Recording(argument: $0) })
  var record: Recording?

  @Option(
    name: .customLong("for"), help: ArgumentHelp("How long the call lasts.", valueName: "duration"),
    transform: { try Duration(argument: $0) })
  var limit: Duration = .seconds(5)

  @OptionGroup(title: "Output") var output: OutputOptions

  func run() async throws {
    try await Session.reporting(output) { console in
      let session = Session(console: console, logLevel: output.logLevel)
      let clients = try LocalClients()
      try record?.check()
      var incomingOffer = MediaOffer(audio: try AudioArgument.silence.makeSource(), audioSink: DiscardingSink())
      if let record {
        incomingOffer.audioSink = nil
        record.attach(to: &incomingOffer)
      }
      let offer = MediaOffer(audio: try audio.makeSource(), audioSink: DiscardingSink())
      let outgoing = CallFollower(console: console, calls: session.calls, limit: limit)
      let incoming = CallFollower(
        console: console, calls: session.calls, recording: record?.path, direction: .incoming)
      let (endings, ended) = AsyncStream.makeStream(of: Void.self)
      var handlers = session.handlers()
      handlers.onCall = { [incomingOffer] call in
        defer { ended.finish() }
        try await call.answer(with: incomingOffer) { try await incoming.follow($0) }
      }
      try await clients.run(in: session, caller: session.handlers(), callee: handlers) {
        try await clients.caller.withCall(to: clients.calleeAddress, offering: offer) { try await outgoing.follow($0) }
        for await _ in endings {}  // the other end sums up too
      }
    }
  }
}
