import MediaTime
import Testing

@testable import RTPCore

@Suite("A session takes packets and reports")
struct RTPSessionTests {
  static let start = Instant(nanoseconds: 0)
  static let local: UInt32 = 0x1111_1111
  static let remote: UInt32 = 0x2222_2222

  /// What one who sends nothing asks with its report.
  private static func asking(_ time: UInt64) -> RTCPPacket {
    .extendedReport(ExtendedReport(ssrc: local, referenceTime: NTPTime(rawValue: time)))
  }

  private func session(usesReducedSizeRTCP: Bool = false, sends: Bool = true, receives: Bool = true) -> RTPSession {
    RTPSession(
      configuration: .init(
        cname: "me",
        audio: .init(
          localSSRC: Self.local, payloadType: 96, acceptedPayloadTypes: [111: .opus], sends: sends, receives: receives,
          initialSequenceNumber: SequenceNumber(rawValue: 65535),
          initialTimestamp: RTPTimestamp(rawValue: 0xFFFF_FFFF)),
        usesReducedSizeRTCP: usesReducedSizeRTCP,
        wallClock: .init(instant: Self.start, time: NTPTime(rawValue: 0xE000_0000_8000_0000)), seed: 1),
      at: Self.start)
  }

  private func packet(
    _ number: Int, payloadType: UInt8 = 111, ssrc: UInt32 = remote, payload: [UInt8] = [0x08, 1, 2]
  ) -> [UInt8] {
    var bytes: [UInt8] = []
    RTPHeader(
      marker: false, payloadType: payloadType, sequenceNumber: SequenceNumber(rawValue: 0) + number,
      timestamp: RTPTimestamp(rawValue: 0) + number * 960, ssrc: ssrc
    ).write(to: &bytes)
    return bytes + payload
  }

  private func receive(_ packets: [[UInt8]], into session: inout RTPSession, at now: Instant = start) {
    for packet in packets { session.receive(packet.span, at: now) }
  }

  private func outputs(of session: inout RTPSession) -> [RTPSession.Output] {
    var outputs: [RTPSession.Output] = []
    while let output = session.nextOutput() { outputs.append(output) }
    return outputs
  }

  private func reports(of session: inout RTPSession) -> [[RTCPPacket]] {
    outputs(of: &session).compactMap { output in
      guard case .packet(let packet) = output, packet.kind == .rtcp else { return nil }
      var reader = RTCPReader()
      var packets: [RTCPPacket] = []
      while let packet = try? reader.next(in: packet.bytes.span) { packets.append(packet) }
      return packets
    }
  }

  // MARK: Sending

  @Test func `A frame becomes a packet, numbered and stamped across the wraps, marked after silence`() throws {
    var session = session()
    for position in [0, 960, 4800] as [Int64] {
      session.send(EncodedAudioFrame(payload: [7, 8], position: position, duration: 960), at: Self.start)
    }
    let headers = try outputs(of: &session).map { output in
      guard case .packet(let packet) = output, packet.kind == .rtp else { throw RTPError.truncated }
      #expect(packet.bytes.suffix(2) == [7, 8])
      #expect(packet.bytes.capacity >= packet.bytes.count + RTPSession.trailerCapacity)
      return try RTPHeader(parsing: packet.bytes.span)
    }
    #expect(headers.map(\.sequenceNumber.rawValue) == [65535, 0, 1])
    #expect(headers.map(\.timestamp.rawValue) == [0xFFFF_FFFF, 959, 4799])
    #expect(headers.map(\.marker) == [true, false, true])
    #expect(headers.allSatisfy { $0.ssrc == Self.local && $0.payloadType == 96 })
    #expect(session.statistics.audio?.outbound.packetsSent == 3)
    #expect(session.statistics.audio?.outbound.bytesSent == 6)
  }

  @Test func `Nothing is sent while sending is off, nor after the end`() {
    var session = session(sends: false)
    let frame = EncodedAudioFrame(payload: [1], position: 0, duration: 960)
    session.send(frame, at: Self.start)
    #expect(outputs(of: &session).isEmpty)
    session.setAudioDirection(sends: true, receives: true)
    session.send(frame, at: Self.start)
    #expect(outputs(of: &session).count == 1)
    session.finish(at: Self.start)
    #expect(outputs(of: &session).count == 1)
    session.send(frame, at: Self.start)
    session.timeout(at: Self.start + .seconds(9))
    session.finish(at: Self.start)
    receive([packet(0)], into: &session)
    #expect(outputs(of: &session).isEmpty)
    #expect(session.nextDeadline == nil)
  }

  @Test func `An array that is given back is used again`() {
    var session = session()
    var storage = [UInt8](repeating: 1, count: 9)
    storage.reserveCapacity(4096)
    var sent = RTPSession.OutgoingPacket(kind: .rtp, bytes: storage)
    session.reuse(&sent)
    #expect(sent.bytes.isEmpty)
    session.send(EncodedAudioFrame(payload: [1], position: 0, duration: 960), at: Self.start)
    guard case .packet(let packet) = outputs(of: &session).first else {
      Issue.record("a packet is sent")
      return
    }
    #expect(packet.bytes.count == 13)
    #expect(packet.bytes.capacity >= 4096)
  }

  // MARK: Reports

  @Test
  func `Reports go out about once a second: a sender's when something was sent, else a receiver's, each with the name`()
  {
    var session = session()
    let name = RTCPPacket.sourceDescription([SourceDescription(ssrc: Self.local, cname: "me")])
    #expect(session.nextDeadline == Self.start + .milliseconds(500))
    session.timeout(at: Self.start + .milliseconds(499))
    #expect(reports(of: &session).isEmpty)
    session.timeout(at: Self.start + .milliseconds(500))
    #expect(
      reports(of: &session) == [
        [.receiverReport(ReceiverReport(ssrc: Self.local)), name, Self.asking(0xE000_0001_0000_0000)]
      ])

    session.send(EncodedAudioFrame(payload: [1, 2], position: 48_000, duration: 960), at: Self.start + .seconds(1))
    let next = session.nextDeadline!
    #expect(.milliseconds(500)...(.milliseconds(1500)) ~= next - (Self.start + .milliseconds(500)))
    _ = outputs(of: &session)
    session.timeout(at: Self.start + .seconds(2))
    #expect(
      reports(of: &session) == [
        [
          .senderReport(
            SenderReport(
              ssrc: Self.local, ntpTime: NTPTime(rawValue: 0xE000_0002_8000_0000),
              rtpTimestamp: RTPTimestamp(rawValue: 0xFFFF_FFFF) + 96_000, packetCount: 1, octetCount: 2)), name,
        ]
      ])
    session.timeout(at: Self.start + .seconds(4))
    #expect(
      reports(of: &session) == [
        [.receiverReport(ReceiverReport(ssrc: Self.local)), name, Self.asking(0xE000_0004_8000_0000)]
      ])
  }

  @Test func `The end is told by BYE behind a report`() {
    var session = session()
    session.finish(reason: "over", at: Self.start)
    let last = reports(of: &session).first?.last
    #expect(last == .goodbye(Goodbye(ssrcs: [Self.local], reason: "over")))
  }

  @Test func `The peer's report tells its losses, its jitter and the round trip`() {
    var session = session()
    session.send(EncodedAudioFrame(payload: [1], position: 0, duration: 960), at: Self.start)
    session.timeout(at: Self.start + .milliseconds(500))
    guard case .senderReport(let sent) = reports(of: &session).first?.first else {
      Issue.record("a sender report goes out")
      return
    }
    func report(lastSenderReport: UInt32, held: UInt32, at now: Instant) {
      var bytes: [UInt8] = []
      let block = ReportBlock(
        ssrc: Self.local, fractionLost: 64, cumulativeLost: 5, extendedHighestSequenceNumber: 0, jitter: 480,
        lastSenderReport: lastSenderReport, delaySinceLastSenderReport: held)
      RTCPPacket.receiverReport(ReceiverReport(ssrc: Self.remote, reportBlocks: [block])).write(to: &bytes)
      session.receive(bytes.span, at: now)
    }
    let now = Self.start + .milliseconds(1100)
    report(lastSenderReport: 0, held: 0, at: now)
    report(lastSenderReport: sent.ntpTime.middle &+ 1, held: 0, at: now)
    report(lastSenderReport: sent.ntpTime.middle, held: 0xFFFF_FFFF, at: now)
    #expect(session.statistics.roundTripTime == nil)
    report(lastSenderReport: sent.ntpTime.middle, held: 32_768, at: now)
    #expect(session.statistics.roundTripTime == .milliseconds(100))
    #expect(session.statistics.audio?.outbound.remoteFractionLost == 0.25)
    #expect(session.statistics.audio?.outbound.remotePacketsLost == 5)
    #expect(session.statistics.audio?.outbound.remoteJitter == .milliseconds(10))
  }

  // MARK: Receiving

  @Test func `A payload type that was not agreed on is counted, begins no stream and is no loss`() {
    var session = session()
    receive([packet(0, payloadType: 8)], into: &session)
    #expect(outputs(of: &session).isEmpty)
    receive([packet(1), packet(2, payloadType: 13), packet(3)], into: &session)
    #expect(outputs(of: &session) == [.event(.firstMediaReceived(ssrc: Self.remote))])
    #expect(session.statistics.packetsOfUnknownPayloadType == 2)
    #expect(session.statistics.audio?.inbound.packetsOfUnknownPayloadType == 1)
    #expect(session.statistics.rtpPacketsReceived == 4)
    #expect(session.statistics.audio?.inbound.packetsLost == 0)
  }

  @Test func `Our own SSRC from the peer is a collision, told once`() {
    var session = session()
    receive([packet(0, ssrc: Self.local), packet(1, ssrc: Self.local)], into: &session)
    #expect(
      outputs(of: &session).contains { if case .event(.ssrcCollision(Self.local, _)) = $0 { true } else { false } })
  }

  @Test func `A second stream beside the first does not replace it, nor do a replaced one's late packets`() {
    var session = session()
    let other: UInt32 = 0x3333_3333
    for number in 0..<20 { receive([packet(number), packet(500 + number, ssrc: other)], into: &session) }
    #expect(session.statistics.audio?.inbound.ssrc == Self.remote)
    receive([packet(520, ssrc: other)], into: &session)
    #expect(session.statistics.audio?.inbound.ssrc == other)
    receive([packet(20), packet(21)], into: &session)
    #expect(session.statistics.audio?.inbound.ssrc == other)
    receive([packet(22), packet(23)], into: &session, at: Self.start + .seconds(6))
    #expect(session.statistics.audio?.inbound.ssrc == Self.remote)
  }

  @Test func `A payload that is not its codec's is counted, and an empty one is nothing`() {
    var session = session()
    receive([packet(0, payload: [0x0B, 0]), packet(1, payload: []), packet(2)], into: &session)
    #expect(session.statistics.packetsMalformed == 1)
    #expect(session.statistics.audio?.inbound.packetsReceived == 3)
    session.timeout(at: Self.start + .milliseconds(60))
    let played = outputs(of: &session).compactMap { if case .audio(let unit) = $0 { unit } else { nil } }
    #expect(
      played == [
        .frame(
          ReceivedAudioFrame(codec: .opus, payload: [0x08, 1, 2], position: 0, duration: 960, arrival: Self.start))
      ])
  }

  @Test func `What is not wanted is counted and not played`() {
    var session = session(receives: false)
    receive([packet(0), packet(1)], into: &session)
    #expect(session.statistics.audio?.inbound.packetsReceived == 2)
    #expect(session.nextDeadline == Self.start + .milliseconds(500))
    session.setAudioDirection(sends: true, receives: true)
    receive([packet(2)], into: &session)
    #expect(session.nextDeadline == Self.start + .milliseconds(60))
    session.setAudioDirection(sends: true, receives: false)
    for step in 0..<20 { session.timeout(at: Self.start + .milliseconds(60 + 20 * step)) }
    #expect(outputs(of: &session).count { if case .audio = $0 { true } else { false } } == 1)
  }

  @Test func `BYE of someone else is nothing`() {
    var session = session()
    receive([packet(0)], into: &session)
    _ = outputs(of: &session)
    var bytes: [UInt8] = []
    RTCPPacket.goodbye(Goodbye(ssrcs: [5, 6])).write(to: &bytes)
    receive([bytes], into: &session)
    #expect(outputs(of: &session).isEmpty)
  }

  @Test func `Packets cut off at every length are counted and change nothing else`() {
    var session = session()
    for count in 0..<12 { receive([Array(packet(0).prefix(count))], into: &session) }
    #expect(session.statistics.packetsMalformed == 12)
    var report: [UInt8] = []
    RTCPPacket.receiverReport(ReceiverReport(ssrc: 1, reportBlocks: [RTCPTests.block])).write(to: &report)
    for count in 1..<report.count { receive([Array(report.prefix(count))], into: &session) }
    #expect(session.statistics.packetsMalformed == 12 + report.count - 1)
    #expect(session.statistics.audio?.inbound.packetsReceived == 0)
    #expect(outputs(of: &session).isEmpty)
  }

  @Test(arguments: [1, 2, 3, 4] as [UInt64])
  func `Random changes to a call's packets never trap a session`(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    var session = session()
    var now = Self.start
    let compound = RTCPTests.compound
    for number in 0..<5_000 {
      now = now + .milliseconds(Int.random(in: 0...30, using: &generator))
      switch Int.random(in: 0..<4, using: &generator) {
      case 0: receive([mutated(compound, using: &generator)], into: &session, at: now)
      case 1: receive([packet(number)], into: &session, at: now)
      default: receive([mutated(packet(number), using: &generator)], into: &session, at: now)
      }
      if let deadline = session.nextDeadline, deadline <= now { session.timeout(at: now) }
      _ = outputs(of: &session)
    }
    #expect(session.statistics.packetsMalformed > 0)
    #expect(session.statistics.audio!.inbound.packetsReceived > 0)
  }
}
