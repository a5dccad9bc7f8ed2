import Foundation
import Synchronization
import Testing

@testable import Carillon
@testable import CarillonCLI

/// A call that notes what is asked of it.
private final class NotedCall: ControllableCall {
  let sid: String
  let asked = Mutex<[String]>([])
  let contentsNow = Mutex<[CallContent]>([])
  let figures = Mutex<CallStatistics?>(nil)
  private let refusal: CallError?

  init(_ sid: String = "s1", refusal: CallError? = nil) {
    self.sid = sid
    self.refusal = refusal
  }

  private func note(_ what: String) throws {
    asked.withLock { $0.append(what) }
    if let refusal { throw refusal }
  }

  var contents: [CallContent] { contentsNow.withLock { $0 } }
  var statistics: CallStatistics? { figures.withLock { $0 } }
  func add(_ media: MediaOffer, category: CallContent.Category?) throws -> [CallContent] {
    let way = media.videoSink != nil ? "kept" : media.encodedSink?.kinds == [.video] ? "received" : "lost"
    try note("add \(media.video.map { "\(type(of: $0))" } ?? "nothing") \(category?.rawValue ?? "") \(way)")
    return [.video("added")]
  }
  func remove(_ name: String) throws { try note("remove \(name)") }
  func mute(_ kind: MediaKind) throws { try note("mute \(kind)") }
  func unmute(_ kind: MediaKind) throws { try note("unmute \(kind)") }
  func hold() throws { try note("hold") }
  func unhold() throws { try note("unhold") }
  func sendDTMF(_ digits: String) throws { try note("dtmf \(digits)") }
  func restartICE() throws { try note("restart") }
  func hangUp() { asked.withLock { $0.append("hang up") } }

  func waitUntilAsked(_ count: Int) async throws -> [String] {
    while true {
      let asked = asked.withLock { $0 }
      if asked.count >= count { return asked }
      try await Task.sleep(for: .milliseconds(2))
    }
  }
}

extension CallContent {
  fileprivate static func video(_ name: String, sends: Bool = true) -> CallContent {
    CallContent(name: name, kind: .video, categories: [], sends: sends, receives: true)
  }
}

/// A console whose lines are read back.
private final class ReadConsole: Sendable {
  let console: Console
  private let descriptor: Int32

  init(json: Bool) throws {
    let output = FileManager.default.temporaryDirectory.appending(path: "carillon-console-\(UUID())").path
    descriptor = open(output, O_RDWR | O_CREAT | O_APPEND, 0o600)
    try #require(descriptor >= 0)
    unlink(output)
    console = Console(json: json, environment: [:], output: descriptor, errors: descriptor)
  }

  deinit { close(descriptor) }

  var lines: [String] {
    var bytes = [UInt8](repeating: 0, count: 1 << 20)
    let count = pread(descriptor, &bytes, bytes.count, 0)
    return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self).split(separator: "\n").map(String.init)
  }

  /// The events, without their times.
  var events: [[String: String]] {
    lines.map { line in
      let object = (try? JSONSerialization.jsonObject(with: Data(line.utf8))) as? [String: Any] ?? [:]
      return object.filter { $0.key != "time" }.mapValues { "\($0)" }
    }
  }

  func waitForLines(_ count: Int) async throws -> [String] {
    while lines.count < count { try await Task.sleep(for: .milliseconds(2)) }
    return lines
  }
}

@Suite struct CallControlTests {
  /// Has requests carried out while the body runs.
  private func controlling(
    _ calls: [NotedCall], _ console: Console, added: AddedMedia? = nil,
    _ body: (Switchboard, [CallController]) async throws -> Void
  ) async throws {
    let switchboard = Switchboard(console: console)
    let controllers = calls.map { call in
      CallController(call, console: console, fields: ["sid": .string(call.sid)], added: added)
    }
    for controller in controllers { await switchboard.add(controller) }
    try await withThrowingTaskGroup(of: Void.self) { group in
      for controller in controllers { group.addTask { await controller.run() } }
      defer { group.cancelAll() }
      try await body(switchboard, controllers)
    }
  }

  private func line(_ text: String) -> StandardInput.Item { .line(Array(text.utf8)) }
  private func key(_ key: UnicodeScalar) -> StandardInput.Item { .key(UInt8(ascii: key)) }

  @Test("Commands reach the call in their order", .timeLimit(.minutes(1)))
  func commands() async throws {
    let (call, console) = (NotedCall(), try ReadConsole(json: true))
    try await controlling([call], console.console) { switchboard, _ in
      for command in [
        #""mute""#, #""mute","media":"video""#, #""hold""#, #""unhold""#, #""unmute""#, #""restartICE","sid":"s1""#,
      ] {
        await switchboard.receive(line(#"{"command":\#(command)}"#))
      }
      let asked = try await call.waitUntilAsked(6)
      #expect(asked == ["mute audio", "mute video", "hold", "unhold", "unmute audio", "restart"])
      await switchboard.receive(line(#"{"command":"dtmf","digits":"12#"}"#))
      #expect(try await call.waitUntilAsked(7).last == "dtmf 12#")
      await switchboard.receive(line(#"{"command":"hangUp"}"#))
      #expect(try await call.waitUntilAsked(8).last == "hang up")
    }
    #expect(console.lines.isEmpty)
  }

  @Test(
    "Video is added with its category, received too, and removed by name or the last one first", .timeLimit(.minutes(1))
  )
  func video() async throws {
    let (call, console) = (NotedCall(), try ReadConsole(json: true))
    call.contentsNow.withLock {
      $0 = [CallContent(name: "voice", kind: .audio, categories: [], sends: true, receives: true), .video("camera")]
    }
    try await controlling([call], console.console) { switchboard, controllers in
      await switchboard.receive(line(#"{"command":"addVideo","source":"bars","category":"slides"}"#))
      #expect(try await call.waitUntilAsked(1) == ["add Bars slides received"])
      await switchboard.receive(line(#"{"command":"removeVideo"}"#))
      #expect(try await call.waitUntilAsked(2).last == "remove added")
      controllers[0].note(.removed(.video("added"), byPeer: false))
      await switchboard.receive(line(#"{"command":"removeVideo"}"#))
      #expect(try await call.waitUntilAsked(3).last == "remove camera")
      await switchboard.receive(line(#"{"command":"removeVideo","content":"camera"}"#))
      #expect(try await call.waitUntilAsked(4).last == "remove camera")
      await switchboard.receive(line(#"{"command":"removeVideo","content":"voice"}"#))
      _ = try await console.waitForLines(1)
      await switchboard.receive(line(#"{"command":"addVideo","source":"/nonexistent.mkv"}"#))
      _ = try await console.waitForLines(2)
      call.contentsNow.withLock { $0 = [] }
      await switchboard.receive(line(#"{"command":"removeVideo"}"#))
      _ = try await console.waitForLines(3)
    }
    #expect(console.events.map { $0["code"] } == ["failed", "media", "failed"])
    #expect(console.events.map { $0["command"] } == ["removeVideo", "addVideo", "removeVideo"])
    #expect(call.asked.withLock { $0.count } == 4)
  }

  @Test("What is so already is told again, and not asked of the peer", .timeLimit(.minutes(1)))
  func again() async throws {
    let (call, console) = (NotedCall(), try ReadConsole(json: true))
    try await controlling([call], console.console) { switchboard, controllers in
      controllers[0].note(.muted(.audio, byPeer: false))
      controllers[0].note(.held(byPeer: true))
      for command in ["mute", "unhold"] { await switchboard.receive(line(#"{"command":"\#(command)"}"#)) }
      _ = try await console.waitForLines(2)
    }
    #expect(
      console.events
        == [
          ["event": "call.muted", "media": "audio", "byPeer": "false", "sid": "s1"],
          ["event": "call.unheld", "byPeer": "false", "sid": "s1"],
        ].map { $0.mapValues { $0 == "false" ? "\(NSNumber(value: false))" : $0 } })
    #expect(call.asked.withLock { $0.isEmpty })
  }

  @Test("What the call refuses is an error with its code and its command", .timeLimit(.minutes(1)))
  func refusals() async throws {
    let console = try ReadConsole(json: true)
    let call = NotedCall(refusal: CallError(.declined, "The peer wants no video."))
    try await controlling([call], console.console) { switchboard, _ in
      await switchboard.receive(line(#"{"command":"addVideo","source":"bars"}"#))
      _ = try await console.waitForLines(1)
      await switchboard.receive(line(#"{"command":"statistics"}"#))
      _ = try await console.waitForLines(2)
    }
    #expect(
      console.events.first
        == [
          "event": "error", "code": "declined", "message": "The peer wants no video.", "command": "addVideo",
          "sid": "s1",
        ])
    #expect(console.events.last?["code"] == "failed")
  }

  @Test("Statistics are told when asked for, with the keys of the event", .timeLimit(.minutes(1)))
  func statistics() async throws {
    let (call, console) = (NotedCall(), try ReadConsole(json: true))
    call.figures.withLock { $0 = .sample }
    try await controlling([call], console.console) { switchboard, _ in
      await switchboard.receive(line(#"{"command":"statistics"}"#))
      let text = try await console.waitForLines(1)[0]
      #expect(text.contains(#""event":"call.statistics""#) && text.contains(#""sid":"s1","durationMs":10000"#))
    }
  }

  @Test("Malformed lines give an error and nothing else, empty ones nothing at all", .timeLimit(.minutes(1)))
  func malformed() async throws {
    let (call, console) = (NotedCall(), try ReadConsole(json: true))
    try await controlling([call], console.console) { switchboard, _ in
      for item in [
        line(""), line(" \t\r"), line("hang up"), line(#"{"command":"hangup"}"#), .lineTooLong, .line([0xFF]),
      ] {
        await switchboard.receive(item)
      }
      await switchboard.receive(line(#"{"command":"hangUp"}"#))
      let asked = try await call.waitUntilAsked(1)
      #expect(asked == ["hang up"])
    }
    #expect(console.events.map { $0["event"] } == ["error", "error", "error", "error"])
    #expect(console.events.allSatisfy { $0["code"] == "usage" && $0["command"] == nil && $0["exitCode"] == nil })
  }

  @Test("Of several calls one is named; without a name there is an error", .timeLimit(.minutes(1)))
  func severalCalls() async throws {
    let (one, two, console) = (NotedCall("s1"), NotedCall("s2"), try ReadConsole(json: true))
    try await controlling([one, two], console.console) { switchboard, controllers in
      await switchboard.receive(line(#"{"command":"hold"}"#))
      await switchboard.receive(line(#"{"command":"hold","sid":"s3"}"#))
      await switchboard.receive(line(#"{"command":"hold","sid":"s2"}"#))
      let asked = try await two.waitUntilAsked(1)
      #expect(asked == ["hold"])
      await switchboard.remove(controllers[1])
      await switchboard.receive(line(#"{"command":"mute"}"#))
      #expect(try await one.waitUntilAsked(1) == ["mute audio"])
      await switchboard.remove(controllers[0])
      await switchboard.receive(line(#"{"command":"mute"}"#))
      await switchboard.receive(line(#"{"command":"hangUp"}"#))
      await switchboard.receive(line(#"{"command":"answer"}"#))
    }
    #expect(console.events.map { $0["code"] } == ["ambiguous", "noCall", "noCall", "noCall", "noCall"])
    #expect(console.events.map { $0["command"] } == ["hold", "hold", "mute", "hangUp", "answer"])
  }

  @Test("More than a call can do at once is refused", .timeLimit(.minutes(1)))
  func flood() async throws {
    let (call, console) = (NotedCall(), try ReadConsole(json: true))
    let controller = CallController(call, console: console.console)
    for _ in 0..<40 { controller.request(.hold) }
    #expect(console.events.map { $0["code"] } == Array(repeating: "busy", count: 8))
  }

  @Test("Keys toggle, press digits and hang up, and mean the call that began last", .timeLimit(.minutes(1)))
  func keys() async throws {
    let (old, call, console) = (NotedCall("s1"), NotedCall("s2"), try ReadConsole(json: false))
    call.contentsNow.withLock { $0 = [.video("camera")] }
    try await controlling([old, call], console.console) { switchboard, _ in
      for scalar in "mhvmhvr".unicodeScalars { await switchboard.receive(key(scalar)) }
      let asked = try await call.waitUntilAsked(7)
      #expect(
        asked == ["mute audio", "hold", "mute video", "unmute audio", "unhold", "unmute video", "restart"])
      await switchboard.receive(key("#"))
      #expect(try await call.waitUntilAsked(8).last == "dtmf #")
      await switchboard.receive(key("x"))
      await switchboard.receive(key("q"))
      #expect(try await call.waitUntilAsked(9).last == "hang up")
      #expect(console.lines.isEmpty)
      call.contentsNow.withLock { $0 = [.video("theirs", sends: false)] }
      await switchboard.receive(key("v"))
      #expect(try await console.waitForLines(1) == ["This side sends no pictures."])
      await switchboard.receive(key("?"))
      #expect(try await console.waitForLines(2).last == KeyAction.callHelp)
      call.figures.withLock { $0 = .sample }
      await switchboard.receive(key("i"))
      #expect(try await console.waitForLines(6).contains { $0.hasPrefix("received audio") })
    }
    #expect(old.asked.withLock { $0.isEmpty })
  }

  @Test("A key without a call says so")
  func keyWithoutCall() async throws {
    let console = try ReadConsole(json: false)
    await Switchboard(console: console.console).receive(key("m"))
    #expect(console.lines == ["No call runs."])
  }

  // MARK: Ringing

  @Test(
    "A command or a key decides on a call that rings", .timeLimit(.minutes(1)),
    arguments: [
      (StandardInput.Item.line(Array(#"{"command":"answer"}"#.utf8)), .answer),
      (.line(Array(#"{"command":"decline","sid":"r1"}"#.utf8)), .decline),
      (.line(Array(#"{"command":"hangUp"}"#.utf8)), .decline), (.key(UInt8(ascii: "a")), .answer),
      (.key(UInt8(ascii: "d")), .decline), (.key(UInt8(ascii: "q")), .decline),
    ] as [(StandardInput.Item, Switchboard.Decision)])
  func decision(item: StandardInput.Item, decision: Switchboard.Decision) async throws {
    let console = try ReadConsole(json: true)
    let switchboard = Switchboard(console: console.console)
    let decisions = await switchboard.ring("r1")
    await switchboard.receive(item)
    #expect(await Switchboard.decision(decisions, patience: nil) == decision)
    await switchboard.receive(line(#"{"command":"answer"}"#))
    #expect(console.events.map { $0["code"] } == ["noCall"])
  }

  @Test("A call is answered when patience ends, and not when the call ends before", .timeLimit(.minutes(1)))
  func patience() async throws {
    let switchboard = Switchboard(console: try ReadConsole(json: true).console)
    #expect(await Switchboard.decision(await switchboard.ring("r1"), patience: .milliseconds(1)) == .answer)
    let decisions = await switchboard.ring("r2")
    let waiting = Task { await Switchboard.decision(decisions, patience: .seconds(3_600)) }
    waiting.cancel()
    #expect(await waiting.value == nil)
  }

  @Test("Of several calls that ring, keys decide on the first, and commands name one", .timeLimit(.minutes(1)))
  func severalRing() async throws {
    let console = try ReadConsole(json: true)
    let switchboard = Switchboard(console: console.console)
    let (one, two) = (await switchboard.ring("r1"), await switchboard.ring("r2"))
    await switchboard.receive(line(#"{"command":"answer"}"#))
    #expect(console.events.map { $0["code"] } == ["ambiguous"])
    await switchboard.receive(key("d"))
    #expect(await Switchboard.decision(one, patience: nil) == .decline)
    await switchboard.receive(line(#"{"command":"answer","sid":"r2"}"#))
    #expect(await Switchboard.decision(two, patience: nil) == .answer)
  }

  // MARK: What joins a running call

  private func offer() -> MediaOffer {
    MediaOffer(
      audioSink: DiscardingSink(), videoSink: LateVideoSink { throw CancellationError() },
      encodedSink: DiscardingEncodedSink(kinds: [.audio, .video]))
  }

  private func report(video: Bool) -> ConnectionReport {
    var report = ConnectionReport.sample
    if !video { report.videoCodec = nil }
    return report
  }

  @Test("The first video that joins goes to a .y4m that nothing went to; the rest is received and not kept")
  func unusedRecording() throws {
    let (offer, console) = (offer(), try ReadConsole(json: true))
    let added = AddedMedia(offer, recordings: [try Recording(argument: "x.y4m")])
    added.began(with: report(video: false), telling: console.console)
    #expect(added.offer(for: .video("a")).videoSink === offer.videoSink)
    let second = added.offer(for: .video("b"))
    #expect(second.videoSink == nil)
    #expect(second.encodedSink?.kinds == [.video])
    #expect(second.kinds == [.video])
    #expect(console.lines.isEmpty)
  }

  @Test("A recording that the call began with takes nothing else, and is said to only once")
  func usedRecording() throws {
    let (offer, console) = (offer(), try ReadConsole(json: true))
    let added = AddedMedia(offer, recordings: [try Recording(argument: "x.y4m"), try Recording(argument: "x.webm")])
    added.began(with: report(video: true), telling: console.console)
    #expect(added.offer(for: .video("a")).videoSink == nil)
    #expect(added.offer(for: .video("b")).videoSink == nil)
    #expect(console.events.map { $0["code"] }.filter { $0 != nil } == ["media"])
  }

  @Test("Sound that joins is heard for its level")
  func addedSound() throws {
    let added = AddedMedia(offer(), recordings: [])
    let content = CallContent(name: "voice", kind: .audio, categories: [], sends: false, receives: true)
    #expect(added.offer(for: content).audioSink is DiscardingSink)
    #expect(added.offer(for: content).kinds == [.audio])
  }

  @Test("A camera that joins gets --video back once, a screen does not")
  func pictureBack() throws {
    let plan = try MediaPlan(audio: .silence, video: .bars(), side: .callee)
    let preparation = try plan.prepare()
    let console = try ReadConsole(json: true)
    preparation.added.began(with: report(video: false), telling: console.console)
    var screen = CallContent.video("screen")
    screen.categories = [.slides]
    #expect(preparation.added.offer(for: screen).video == nil)
    #expect(preparation.added.offer(for: .video("camera")).video === preparation.offer.video)
    #expect(preparation.added.offer(for: .video("another")).video == nil)
  }

  @Test(
    "Pictures that this side adds bring the peer's into an unused .y4m, unless the peer wants none",
    .timeLimit(.minutes(1)))
  func addedHere() async throws {
    let console = try ReadConsole(json: true)
    let added = AddedMedia(offer(), recordings: [try Recording(argument: "x.y4m")])
    added.began(with: report(video: false), telling: console.console)
    for (refusal, way) in [(CallError(.declined, "No."), "kept"), (nil, "kept"), (nil, "received")] {
      let call = NotedCall(refusal: refusal)
      try await controlling([call], console.console, added: added) { switchboard, _ in
        let told = console.lines.count
        await switchboard.receive(line(#"{"command":"addVideo","source":"bars"}"#))
        #expect(try await call.waitUntilAsked(1) == ["add Bars  \(way)"])
        if refusal != nil { _ = try await console.waitForLines(told + 1) }
      }
    }
  }
}
