import MediaTime
import Testing

@testable import RTPCore

@Suite("Audio of every codec is played on one clock")
struct AudioCodecTests {
  static let start = Instant(nanoseconds: 5_000_000_000)

  /// A session that is given packets by hand, and what it plays.
  struct Bench {
    var session: RTPSession
    var now = AudioCodecTests.start
    var units: [PlayoutUnit] = []

    init(clockRate: Int = 8_000) {
      session = RTPSession(
        configuration: RTPSession.Configuration(
          cname: "c",
          audio: .init(
            localSSRC: 1, payloadType: 0, acceptedPayloadTypes: [0: .pcmu, 8: .pcma, 9: .g722, 111: .opus],
            clockRate: clockRate, initialSequenceNumber: SequenceNumber(rawValue: 1),
            initialTimestamp: RTPTimestamp(rawValue: 0)),
          wallClock: .init(instant: AudioCodecTests.start, time: NTPTime(sinceUnixEpoch: .seconds(1_700_000_000))),
          seed: 1),
        at: now)
    }

    var frames: [ReceivedAudioFrame] { units.compactMap { if case .frame(let frame) = $0 { frame } else { nil } } }
    var concealed: [Concealment] { units.compactMap { if case .concealment(let gap) = $0 { gap } else { nil } } }
    var statistics: RTPSession.AudioStatistics { session.statistics.audio! }
    var played: Int { frames.reduce(0) { $0 + $1.duration } + concealed.reduce(0) { $0 + $1.duration } }

    mutating func receive(
      _ payloadType: UInt8, _ number: UInt16, _ timestamp: UInt32, _ payload: [UInt8], ssrc: UInt32 = 7
    ) {
      var packet: [UInt8] = []
      RTPHeader(
        marker: false, payloadType: payloadType, sequenceNumber: SequenceNumber(rawValue: number),
        timestamp: RTPTimestamp(rawValue: timestamp), ssrc: ssrc
      ).write(to: &packet)
      packet += payload
      session.receive(packet.span, at: now)
      drain()
    }

    mutating func wait(_ duration: Duration) {
      let end = now + duration
      while let deadline = session.nextDeadline, deadline <= end {
        now = max(now, deadline)
        session.timeout(at: now)
        drain()
      }
      now = end
    }

    private mutating func drain() {
      while let output = session.nextOutput() { if case .audio(let unit) = output { units.append(unit) } }
    }
  }

  private func bytes(_ count: Int) -> [UInt8] { [UInt8](repeating: 0xD5, count: count) }

  @Test(arguments: [0, 8, 9] as [UInt8], [10, 20, 30, 40, 60, 120])
  func `packets of any length are played one after the other`(payloadType: UInt8, milliseconds: Int) {
    var bench = Bench()
    let size = milliseconds * 8
    // Timestamps wrap on the way.
    let first = UInt32.max - 4_000
    for index in 0..<40 {
      bench.receive(payloadType, UInt16(index), first &+ UInt32(index * size), bytes(size))
      bench.wait(.milliseconds(milliseconds))
    }
    bench.wait(.milliseconds(60))
    #expect(bench.frames.count > 30)
    #expect(bench.frames.enumerated().allSatisfy { $0.element.position == Int64($0.offset * size * 6) })
    #expect(bench.frames.allSatisfy { $0.duration == size * 6 && $0.payload.count == size })
    #expect(bench.statistics.inbound.jitter < .milliseconds(1))
    #expect(bench.statistics.jitterBuffer.concealedSamples <= 120 * 48)
    #expect(bench.statistics.jitterBuffer.resynchronizations == 0)
  }

  @Test(arguments: [1, 19, 33, 159, 161, 980, 1_400] as [Int])
  func `a payload of a length that no such packet has is malformed`(size: Int) {
    var bench = Bench()
    bench.receive(0, 1, 0, bytes(size))
    bench.wait(.milliseconds(200))
    #expect(bench.units.isEmpty)
    #expect(bench.session.statistics.packetsMalformed == 1)
  }

  @Test func `a lost packet is concealed, and no other codec's redundancy is looked for in the next`() {
    var bench = Bench()
    for index in 0..<50 where index != 20 {
      bench.receive(0, UInt16(index), UInt32(index * 160), bytes(160))
      bench.wait(.milliseconds(20))
    }
    #expect(bench.concealed.contains { $0.cause == .loss && $0.duration == 960 })
    #expect(bench.concealed.allSatisfy { $0.nextPayload == nil })
  }

  @Test func `comfort noise is ignored`() {
    var bench = Bench()
    bench.receive(13, 0, 0, [60])
    for index in 1..<30 {
      bench.receive(index % 5 == 0 ? 13 : 0, UInt16(index), UInt32(index * 160), index % 5 == 0 ? [60] : bytes(160))
      bench.wait(.milliseconds(20))
    }
    #expect(bench.frames.count >= 20)
    #expect(bench.frames.allSatisfy { $0.codec == .pcmu })
    #expect(bench.session.statistics.packetsMalformed == 0)
  }

  /// Whether the sender's timestamps go on or begin anew when it changes codec, and whether it takes another SSRC as
  /// RFC 7160 has it.
  @Test(arguments: [(0, 7), (123_456, 7), (4_000_000_000, 7), (99, 8)] as [(UInt32, UInt32)])
  func `the peer may change to Opus and back in mid-call`(timestamp: UInt32, ssrc: UInt32) {
    var bench = Bench()
    for index in 0..<50 {
      bench.receive(0, UInt16(index), UInt32(index * 160), bytes(160))
      bench.wait(.milliseconds(20))
    }
    for index in 50..<100 {
      bench.receive(111, UInt16(index), timestamp &+ UInt32(index - 50) * 960, [0xF8, 0xFF, 0xFE], ssrc: ssrc)
      bench.wait(.milliseconds(20))
    }
    for index in 100..<150 {
      bench.receive(8, UInt16(index), 77 &+ UInt32(index - 100) * 160, bytes(160), ssrc: ssrc)
      bench.wait(.milliseconds(20))
    }
    bench.wait(.milliseconds(100))
    let lost = ssrc == 7 ? 0 : 2
    #expect(bench.frames.count { $0.codec == .pcmu } >= 50 - 2 * lost)
    #expect(bench.frames.count { $0.codec == .opus } >= 50 - 2 * lost)
    #expect(bench.frames.count { $0.codec == .pcma } == 50)
    #expect(zip(bench.frames, bench.frames.dropFirst()).allSatisfy { $0.position + 960 <= $1.position })
    #expect(bench.statistics.inbound.jitter < .milliseconds(1))
    // All that passed was played.
    #expect(bench.statistics.jitterBuffer.discardedPackets <= lost * 2)
    if ssrc == 7 { #expect(bench.frames.last?.position == Int64(149 * 960)) }
  }

  @Test func `a packet of the clock before the change that comes late does no harm`() {
    var bench = Bench()
    for index in 0..<30 where index != 28 {
      bench.receive(0, UInt16(index), UInt32(index * 160), bytes(160))
      bench.wait(.milliseconds(20))
    }
    bench.receive(111, 30, 5_000_000, [0xF8, 0xFF, 0xFE])
    bench.receive(0, 28, 28 * 160, bytes(160))
    for index in 31..<60 {
      bench.wait(.milliseconds(20))
      bench.receive(111, UInt16(index), 5_000_000 + UInt32(index - 30) * 960, [0xF8, 0xFF, 0xFE])
    }
    bench.wait(.milliseconds(100))
    // Since one came late, the delay has grown, and may shrink again by a frame.
    #expect(bench.frames.count { $0.codec == .opus } >= 29)
    #expect(bench.frames.count { $0.codec == .pcmu } == 29)
    #expect(bench.frames.last?.position == Int64(59 * 960))
  }

  @Test func `a pause between two clocks is time that passed`() {
    var bench = Bench()
    for index in 0..<50 {
      bench.receive(0, UInt16(index), UInt32(index * 160), bytes(160))
      bench.wait(.milliseconds(20))
    }
    bench.wait(.seconds(10))
    for index in 50..<100 {
      bench.receive(111, UInt16(index), UInt32(index) * 960, [0xF8, 0xFF, 0xFE])
      bench.wait(.milliseconds(20))
    }
    bench.wait(.milliseconds(100))
    #expect(bench.frames.count { $0.codec == .opus } == 50)
    #expect(abs(bench.played - 12 * 48_000) < 48_000 / 2)
  }

  @Test func `a report of each clock tells when what follows was captured`() {
    var bench = Bench()
    func report(_ timestamp: UInt32) -> [UInt8] {
      var packet: [UInt8] = []
      RTCPPacket.senderReport(
        SenderReport(
          ssrc: 7, ntpTime: NTPTime(sinceUnixEpoch: .seconds(1_000)), rtpTimestamp: RTPTimestamp(rawValue: timestamp),
          packetCount: 1, octetCount: 1)
      ).write(to: &packet)
      return packet
    }
    for index in 0..<20 {
      let position = UInt32(index % 10)
      if index < 10 {
        bench.receive(0, UInt16(index), position * 160, bytes(160))
      } else {
        bench.receive(111, UInt16(index), 500 + position * 960, [0xF8, 0xFF, 0xFE])
      }
      if position == 0 { bench.session.receive(report(index < 10 ? 0 : 500).span, at: bench.now) }
      bench.wait(.milliseconds(20))
    }
    bench.wait(.milliseconds(100))
    let captured = bench.frames.map { $0.captureTime.map { $0 - NTPTime(sinceUnixEpoch: .seconds(1_000)) } }
    #expect(captured.count == 20)
    for (index, time) in captured.enumerated() {
      // The first of each clock came before its report.
      let expected = index % 10 == 0 ? nil : index % 10 * 20
      #expect(time.map { Int(($0.inSeconds * 1_000).rounded()) } == expected)
    }
  }

  @Test func `what is sent is stamped on the codec's clock`() throws {
    var bench = Bench()
    for index in 0..<3 {
      bench.session.send(
        EncodedAudioFrame(payload: bytes(160), position: Int64(index * 160), duration: 160), at: bench.now)
      bench.now = bench.now + .milliseconds(20)
    }
    var stamps: [UInt32] = []
    var markers: [Bool] = []
    while let output = bench.session.nextOutput() {
      guard case .packet(let packet) = output, let header = try? RTPHeader(parsing: packet.bytes.span) else { continue }
      stamps.append(header.timestamp.rawValue)
      markers.append(header.marker)
    }
    #expect(stamps == [0, 160, 320])
    #expect(markers == [true, false, false])
  }
}
