import MediaTime
import Testing

@testable import RTPCore

@Suite("Keys of a telephone are told as events", .timeLimit(.minutes(5)))
struct TelephoneEventTests {
  static let start = Instant(nanoseconds: 5_000_000_000)

  // MARK: Sending

  /// What a packet on the wire says.
  struct Sent: Hashable {
    var number: UInt16
    var timestamp: UInt32
    var marker: Bool
    var payload: TelephoneEventPayload
    var at: Int
  }

  private static func session(clockRate: Int = 48_000, telephoneEvents: RTPSession.TelephoneEvents?) -> RTPSession {
    RTPSession(
      configuration: .init(
        cname: "me",
        audio: .init(
          localSSRC: 1, payloadType: 111, acceptedPayloadTypes: [111: .opus], clockRate: clockRate,
          initialSequenceNumber: SequenceNumber(rawValue: 65_534),
          initialTimestamp: RTPTimestamp(rawValue: 0xFFFF_F000),
          telephoneEvents: telephoneEvents),
        wallClock: .init(instant: start, time: NTPTime(rawValue: 0)), seed: 1),
      at: start)
  }

  private static func press(
    _ session: inout RTPSession, _ key: TelephoneEvent, _ duration: Duration, at now: Instant
  ) -> Bool {
    session.send(key, duration: duration, at: now)
  }

  /// Runs a session's timer, and gives what was sent of payload type 126.
  private static func run(_ session: inout RTPSession, for duration: Duration) -> [Sent] {
    var sent: [Sent] = []
    var now = start
    while true {
      while let output = session.nextOutput() {
        guard case .packet(let packet) = output, packet.kind == .rtp,
          let header = try? RTPHeader(parsing: packet.bytes.span), header.payloadType == 126,
          let payload = TelephoneEventPayload(parsing: packet.bytes.span.extracting(header.payloadRange))
        else { continue }
        sent.append(
          Sent(
            number: header.sequenceNumber.rawValue, timestamp: header.timestamp.rawValue, marker: header.marker,
            payload: payload, at: Int((now - start).nanoseconds / 1_000_000)))
      }
      guard let deadline = session.nextDeadline, deadline <= start + duration else { return sent }
      now = max(now, deadline)
      session.timeout(at: now)
    }
  }

  @Test func `A key is told every 50 ms with its duration so far, its end three times, across the wraps`() {
    var session = Self.session(telephoneEvents: .init(payloadType: 126, acceptedPayloadTypes: [:]))
    #expect(Self.press(&session, TelephoneEvent("5")!, .milliseconds(120), at: Self.start))
    #expect(Self.press(&session, TelephoneEvent("#")!, .milliseconds(100), at: Self.start))
    let sent = Self.run(&session, for: .seconds(1))
    #expect(sent.map(\.number) == [65_534, 65_535, 0, 1, 2, 3, 4, 5, 6])
    #expect(sent.map(\.marker) == [true, false, false, false, false, true, false, false, false])
    #expect(sent.map(\.payload.duration) == [2400, 4800, 5760, 5760, 5760, 2400, 4800, 4800, 4800])
    #expect(sent.map(\.payload.isEnd) == [false, false, true, true, true, false, true, true, true])
    #expect(sent.map(\.payload.code) == [5, 5, 5, 5, 5, 11, 11, 11, 11])
    #expect(sent.allSatisfy { $0.payload.volume == 10 })
    #expect(sent.map(\.at) == [50, 100, 120, 170, 220, 320, 370, 420, 470])
    // Begins 270 ms after the first.
    #expect(Set(sent.map(\.timestamp)) == [0xFFFF_F000, 270 * 48 - 0x1000] as Set<UInt32>)
    #expect(session.statistics.audio?.telephoneEventsSent == 2)
    #expect(session.statistics.audio?.outbound.packetsSent == 9)
  }

  @Test func `A key that is held for longer than a packet can tell goes on as another segment`() {
    var session = Self.session(telephoneEvents: .init(payloadType: 126, acceptedPayloadTypes: [:]))
    #expect(Self.press(&session, TelephoneEvent("D")!, .seconds(3), at: Self.start))
    let sent = Self.run(&session, for: .seconds(4))
    let base = 0xFFFF_F000 as UInt32
    #expect(Set(sent.map(\.timestamp)) == [base, base &+ 0xFFFF, base &+ 2 * 0xFFFF])
    #expect(sent.count(where: \.marker) == 1)
    #expect(sent.count(where: \.payload.isEnd) == 3)
    #expect(sent.last?.payload.duration == UInt16(144_000 - 2 * 0xFFFF))
    for segment in [base, base &+ 0xFFFF] {
      #expect(sent.last { $0.timestamp == segment }?.payload.duration == 0xFFFF)
    }
    #expect(sent.allSatisfy { $0.payload.code == 15 && $0.payload.duration > 0 })
  }

  @Test func `No sound goes out while a key is held, and its time goes on`() throws {
    var session = Self.session(telephoneEvents: .init(payloadType: 126, acceptedPayloadTypes: [:]))
    var headers: [RTPHeader] = []
    for step in 0..<20 {
      let now = Self.start + .milliseconds(20 * step)
      if step == 5 { _ = session.send(TelephoneEvent("1")!, duration: .milliseconds(100), at: now) }
      if let deadline = session.nextDeadline, deadline <= now { session.timeout(at: now) }
      session.send(EncodedAudioFrame(payload: [0x08, 1], position: Int64(step * 960), duration: 960), at: now)
      while let output = session.nextOutput() {
        guard case .packet(let packet) = output, packet.kind == .rtp else { continue }
        headers.append(try RTPHeader(parsing: packet.bytes.span))
      }
    }
    let sound = headers.filter { $0.payloadType == 111 }.map { $0.timestamp - RTPTimestamp(rawValue: 0xFFFF_F000) }
    #expect(sound == (Array(0..<5) + Array(10..<20)).map { $0 * 960 })
    let keyStart = RTPTimestamp(rawValue: 0xFFFF_F000) + 4800
    #expect(headers.filter { $0.payloadType == 126 }.allSatisfy { $0.timestamp == keyStart })
    #expect(zip(headers, headers.dropFirst()).allSatisfy { $1.sequenceNumber == $0.sequenceNumber + 1 })
    #expect(headers.filter(\.marker).count == 3)
  }

  @Test func `64 keys wait at most, and none where they were not agreed on or nothing is sent`() {
    var session = Self.session(telephoneEvents: .init(payloadType: 126, acceptedPayloadTypes: [:]))
    let key = TelephoneEvent("*")!
    // One is held, the others wait.
    let taken = (0..<100).count { _ in Self.press(&session, key, .zero, at: Self.start) }
    #expect(taken == 65)
    #expect(Set(Self.run(&session, for: .seconds(60)).map(\.timestamp)).count == 65)
    #expect(Self.press(&session, key, .zero, at: Self.start + .seconds(60)))
    session.setAudioDirection(sends: false, receives: true)
    while session.nextOutput() != nil {}
    #expect(!Self.press(&session, key, .zero, at: Self.start + .seconds(60)))
    #expect(Self.run(&session, for: .seconds(61)).isEmpty)
    for events in [nil, RTPSession.TelephoneEvents(payloadType: nil, acceptedPayloadTypes: [126: 48_000])] {
      var other = Self.session(telephoneEvents: events)
      #expect(!Self.press(&other, key, .zero, at: Self.start))
    }
  }

  @Test func `Keys are 0 to 9, star, pound and A to D`() {
    #expect("0123456789*#ABCDabcd".map { TelephoneEvent($0)?.code } == Array(0...15) + [12, 13, 14, 15])
    #expect("0123456789*#ABCD".map { TelephoneEvent($0)?.key } == Array("0123456789*#ABCD"))
    #expect(",E \u{DF}½٣".allSatisfy { TelephoneEvent($0) == nil })
    #expect(TelephoneEvent(code: 16) == nil)
  }

  // MARK: Receiving

  /// A packet of an event: where it stands in ticks, what it says, when it comes in ms.
  struct Come: Sendable {
    var offset: Int
    var code: UInt8 = 1
    var duration: UInt16
    var isEnd = false
    var marker = false
    var at: Int
  }

  struct Case: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var packets: [Come]
    /// Keys with their durations in ticks.
    var expected: [String]
  }

  static let cases: [Case] = [
    Case(
      testDescription: "All comes",
      packets: [
        Come(offset: 0, duration: 400, marker: true, at: 50), Come(offset: 0, duration: 800, isEnd: true, at: 100),
        Come(offset: 0, duration: 800, isEnd: true, at: 150), Come(offset: 0, duration: 800, isEnd: true, at: 200),
      ], expected: ["1 800"]),
    Case(
      testDescription: "Only the last end comes", packets: [Come(offset: 0, duration: 800, isEnd: true, at: 200)],
      expected: ["1 800"]),
    Case(
      testDescription: "No end comes",
      packets: [Come(offset: 0, duration: 400, marker: true, at: 50), Come(offset: 0, duration: 800, at: 100)],
      expected: ["1 800"]),
    Case(
      testDescription: "No end comes, and another key",
      packets: [
        Come(offset: 0, duration: 400, marker: true, at: 50),
        Come(offset: 1600, code: 2, duration: 400, marker: true, at: 120),
        Come(offset: 1600, code: 2, duration: 800, isEnd: true, at: 170),
      ], expected: ["1 400", "2 800"]),
    Case(
      testDescription: "The same key twice",
      packets: [
        Come(offset: 0, duration: 800, isEnd: true, at: 100), Come(offset: 0, duration: 800, isEnd: true, at: 150),
        Come(offset: 1600, duration: 400, marker: true, at: 250),
        Come(offset: 1600, duration: 800, isEnd: true, at: 300),
      ], expected: ["1 800", "1 800"]),
    Case(
      testDescription: "The order is turned",
      packets: [
        Come(offset: 0, duration: 800, isEnd: true, at: 100), Come(offset: 0, duration: 400, marker: true, at: 101),
        Come(offset: 1600, code: 2, duration: 800, at: 200), Come(offset: 0, duration: 800, isEnd: true, at: 201),
        Come(offset: 1600, code: 2, duration: 400, marker: true, at: 202),
        Come(offset: 1600, code: 2, duration: 1000, isEnd: true, at: 203),
      ], expected: ["1 800", "2 1000"]),
    Case(
      testDescription: "Three segments",
      packets: [
        Come(offset: 0, duration: 0xFF00, marker: true, at: 50), Come(offset: 0, duration: 0xFFFF, at: 100),
        Come(offset: 0xFFFF, duration: 400, at: 150), Come(offset: 0xFFFF, duration: 0xFFFF, at: 200),
        Come(offset: 2 * 0xFFFF, duration: 10, isEnd: true, at: 250),
        Come(offset: 2 * 0xFFFF, duration: 10, isEnd: true, at: 300),
      ], expected: ["1 \(2 * 0xFFFF + 10)"]),
    Case(
      testDescription: "A segment's end is lost",
      packets: [
        Come(offset: 0, duration: 0xFF00, marker: true, at: 50),
        Come(offset: 0xFFFF, duration: 400, isEnd: true, at: 150),
      ], expected: ["1 \(0xFFFF + 400)"]),
    Case(
      testDescription: "A key goes on after it was given up",
      packets: [
        Come(offset: 0, duration: 0xFFFF, marker: true, at: 50), Come(offset: 0xFFFF, duration: 400, at: 900),
        Come(offset: 0xFFFF, duration: 800, isEnd: true, at: 950),
      ], expected: ["1 \(0xFFFF)"]),
    Case(
      testDescription: "Events that are no keys, and none that last",
      packets: [
        Come(offset: 0, code: 16, duration: 800, isEnd: true, at: 50),
        Come(offset: 0, code: 255, duration: 800, isEnd: true, at: 60),
        Come(offset: 800, duration: 0, isEnd: true, at: 70),
      ], expected: []),
    Case(
      testDescription: "Hours later",
      packets: [
        Come(offset: 0, duration: 800, isEnd: true, at: 50),
        Come(offset: 0x9000_0000, code: 3, duration: 800, isEnd: true, at: 90_000_000),
      ], expected: ["1 800", "3 800"]),
  ]

  @Test(arguments: cases, [0, 0xFFFF_FFFF, 0xFFFF_FD00, 0x7FFF_FF00] as [UInt32])
  func `Each key is reported once`(table: Case, first: UInt32) {
    var receiver = TelephoneEventReceiver()
    var reports: [String] = []
    func take(at now: Instant) {
      while let report = receiver.next(at: now) {
        reports.append("\(report.event.key) \(Int((report.duration.inSeconds * 8000).rounded()))")
      }
    }
    for packet in table.packets {
      let now = Self.start + .milliseconds(packet.at)
      if let deadline = receiver.nextDeadline, deadline <= now { take(at: deadline) }
      receiver.receive(
        TelephoneEventPayload(code: packet.code, isEnd: packet.isEnd, duration: packet.duration),
        timestamp: RTPTimestamp(rawValue: first) + packet.offset, isMarked: packet.marker, clockRate: 8000, at: now)
      if let deadline = receiver.nextDeadline, deadline <= now { take(at: now) }
    }
    while let deadline = receiver.nextDeadline { take(at: max(deadline, Self.start)) }
    #expect(reports == table.expected)
    #expect(receiver.count == table.expected.count)
    #expect(receiver.unknownCount == table.packets.count { $0.code > 15 })
  }

  @Test func `A payload that is cut off is malformed`() {
    for count in 0..<4 {
      let bytes = [UInt8](repeating: 1, count: count)
      #expect(TelephoneEventPayload(parsing: bytes.span) == nil)
    }
    var bytes: [UInt8] = []
    let payload = TelephoneEventPayload(code: 11, isEnd: true, volume: 63, duration: 0xABCD)
    payload.write(to: &bytes)
    #expect(bytes == [11, 0xBF, 0xAB, 0xCD])
    #expect(TelephoneEventPayload(parsing: (bytes + [1, 2]).span) == payload)
  }

  // MARK: Both ways

  private static func call(loss: Double, jitter: Duration, seed: UInt64) -> VideoTestCall {
    var call = VideoTestCall(
      [0, 1].map {
        var configuration = VideoTestCall.configuration($0)
        configuration.video = []
        configuration.audio?.telephoneEvents = .init(payloadType: 126, acceptedPayloadTypes: [126: 48_000])
        return configuration
      }, seed: seed)
    call.parties[0].path.loss = loss
    call.parties[0].path.jitter = jitter
    return call
  }

  private static func keys(_ party: VideoTestCall.Party) -> String {
    String(party.events.compactMap { if case .telephoneEvent(let key, _) = $0 { key } else { nil } })
  }

  @Test func `On a clean path keys come once, and cost the sound nothing but their time`() {
    var call = Self.call(loss: 0, jitter: .zero, seed: 1)
    call.run(for: .seconds(2))
    for key in "123#" {
      _ = call.parties[0].session.send(TelephoneEvent(key)!, duration: .milliseconds(200), at: call.now)
    }
    call.run(for: .seconds(5))
    let party = call.parties[1]
    #expect(Self.keys(party) == "123#")
    #expect(party.events.contains(.telephoneEvent("#", .milliseconds(200))))
    let statistics = party.session.statistics
    #expect(statistics.audio?.telephoneEventsReceived == 4)
    #expect(statistics.audio!.inbound.packetsLost == 0)
    #expect(statistics.audio!.inbound.jitter < .milliseconds(2))
    #expect(statistics.audio!.jitterBuffer.concealedSamples <= 4 * 960)
    #expect(statistics.audio!.jitterBuffer.resynchronizations == 0)
    #expect(statistics.packetsOfUnknownPayloadType == 0)
    let positions = party.audio.map(\.position)
    #expect(positions == positions.sorted())
    #expect(party.audio.count > 300)
  }

  @Test(arguments: [1, 2, 3, 4] as [UInt64])
  func `With a tenth lost and 40 ms of jitter, no key comes twice or out of turn`(seed: UInt64) {
    var call = Self.call(loss: 0.1, jitter: .milliseconds(40), seed: seed)
    call.run(for: .seconds(1))
    for key in "0123456789*#" {
      _ = call.parties[0].session.send(TelephoneEvent(key)!, duration: .milliseconds(100), at: call.now)
    }
    call.run(for: .seconds(6))
    #expect(Self.keys(call.parties[1]) == "0123456789*#")
  }
}
