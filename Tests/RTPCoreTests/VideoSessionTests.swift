import MediaTime
import Testing

@testable import RTPCore

/// One session whose peer is the test.
private struct Bench {
  static let start = VideoTestCall.start

  var session: RTPSession
  var now = Self.start
  var packets: [RTPSession.OutgoingPacket] = []
  var frames: [(frame: ReceivedVideoFrame, stream: Int)] = []
  var orders: [RTPSession.EncoderRequest] = []
  var events: [RTPSession.Event] = []
  private var picture: UInt16 = 0

  init(_ change: (inout RTPSession.Configuration) -> Void = { _ in }) {
    var configuration = VideoTestCall.configuration(0)
    change(&configuration)
    session = RTPSession(configuration: configuration, at: now)
  }

  var video: RTPSession.VideoStatistics { session.statistics.video[0] }

  var rtp: [RTPHeader] {
    packets.compactMap { $0.kind == .rtp ? try? RTPHeader(parsing: $0.bytes.span) : nil }
  }

  var rtcp: [RTCPPacket] {
    packets.flatMap { packet in
      var reader = RTCPReader()
      var packets: [RTCPPacket] = []
      if packet.kind == .rtcp { while let next = try? reader.next(in: packet.bytes.span) { packets.append(next) } }
      return packets
    }
  }

  var feedback: [FeedbackMessage] {
    rtcp.compactMap { if case .feedback(let feedback) = $0 { try? FeedbackMessage(parsing: feedback) } else { nil } }
  }

  var keyFrameOrders: Int { orders.count { $0 == .keyFrame } }

  mutating func drain() {
    while let output = session.nextOutput() {
      switch output {
      case .packet(let packet): packets.append(packet)
      case .video(let frame, let stream): frames.append((frame, stream))
      case .encoder(let order, _): orders.append(order)
      case .event(let event): events.append(event)
      case .audio: break
      }
    }
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

  mutating func receive(_ bytes: [UInt8]) {
    session.receive(bytes.span, at: now)
    drain()
  }

  mutating func receive(_ packet: RTCPPacket) {
    var bytes: [UInt8] = []
    packet.write(to: &bytes)
    receive(bytes)
  }

  mutating func receive(_ message: FeedbackMessage) {
    receive(.feedback(message.feedback(senderSSRC: 2001)))
  }

  /// A frame in one packet.
  mutating func receiveFrame(
    _ number: Int, ssrc: UInt32 = 2001, payloadType: UInt8 = 96, isKeyFrame: Bool = false,
    elements: [HeaderExtensionElement] = []
  ) {
    picture &+= 1
    var packetizer = VP8Packetizer(firstPictureID: PictureID(picture))
    receive(
      Self.packet(
        number, ssrc: ssrc, payloadType: payloadType, elements: elements,
        payload: packetizer.payloads(of: VideoFixture.vp8(isKeyFrame: isKeyFrame, count: 100).span, limit: 1000)[0]))
  }

  static func packet(
    _ number: Int, ssrc: UInt32, payloadType: UInt8, elements: [HeaderExtensionElement] = [], payload: [UInt8]
  ) -> [UInt8] {
    var bytes: [UInt8] = []
    RTPHeader(
      marker: true, payloadType: payloadType, sequenceNumber: SequenceNumber(rawValue: 0) + number,
      timestamp: RTPTimestamp(rawValue: 0xFFFF_F000) + number * 3000, ssrc: ssrc
    ).write(extensionElements: elements, to: &bytes)
    return bytes + payload
  }

  mutating func sendFrame(isKeyFrame: Bool = false, count: Int = 100) {
    session.send(
      EncodedVideoFrame(
        payload: VideoFixture.vp8(isKeyFrame: isKeyFrame, count: count), isKeyFrame: isKeyFrame, capturedAt: now),
      stream: 0, at: now)
    drain()
  }
}

private func mid(_ name: String) -> HeaderExtensionElement {
  HeaderExtensionElement(identifier: 4, value: Array(name.utf8))
}

@Suite("A session finds the stream that a packet is of")
struct StreamTableTests {
  /// Two videos and an audio, nothing announced.
  private static func unannounced(_ configuration: inout RTPSession.Configuration) {
    configuration.audio?.remoteSSRCs = []
    configuration.video[0].remoteSSRCs = []
    configuration.video[0].remoteRetransmissionSSRCs = [:]
    var second = configuration.video[0]
    second.mid = "screen"
    second.localSSRC = 1101
    second.retransmission?.localSSRC = 1102
    second.acceptedPayloadTypes = [96: .vp8, 98: .vp8]
    second.acceptedRetransmissions = [99: 98]
    configuration.video.append(second)
  }

  @Test func `By MID, which holds for the SSRC from then on`() {
    var bench = Bench(Self.unannounced)
    bench.receiveFrame(1, ssrc: 7, isKeyFrame: true, elements: [mid("screen")])
    bench.receiveFrame(2, ssrc: 7)
    bench.receiveFrame(1, ssrc: 8, isKeyFrame: true, elements: [mid("video")])
    bench.receiveFrame(2, ssrc: 8)
    #expect(bench.frames.map(\.stream) == [1, 1, 0, 0])
    #expect(bench.session.statistics.video.map(\.inbound.ssrc) == [8, 7])
    // Another MID takes it along.
    bench.receiveFrame(3, ssrc: 7, elements: [mid("video")])
    bench.receiveFrame(4, ssrc: 7)
    #expect(bench.session.statistics.video.map(\.inbound.ssrc) == [7, 7])
  }

  @Test func `By a payload type that only one content has, else not at all`() {
    var bench = Bench(Self.unannounced)
    bench.receiveFrame(1, ssrc: 7, payloadType: 98, isKeyFrame: true)
    bench.receiveFrame(1, ssrc: 8, payloadType: 96, isKeyFrame: true)
    #expect(bench.frames.map(\.stream) == [1])
    #expect(bench.session.statistics.packetsOfUnknownPayloadType == 1)
    // What is known of the SSRC holds for payload types that do not tell.
    bench.receiveFrame(2, ssrc: 7, payloadType: 96)
    #expect(bench.frames.map(\.stream) == [1, 1])
    bench.receive(Bench.packet(1, ssrc: 9, payloadType: 111, payload: [0x08, 1]))
    #expect(bench.session.statistics.audio?.inbound.packetsReceived == 1)
  }

  @Test func `By announced SSRC, though the payload type would not tell`() {
    var bench = Bench {
      Self.unannounced(&$0)
      $0.video[0].remoteSSRCs = [7]
      $0.video[1].remoteSSRCs = [8]
    }
    bench.receiveFrame(1, ssrc: 8, isKeyFrame: true)
    bench.receiveFrame(1, ssrc: 7, isKeyFrame: true, elements: [mid("unheard-of")])
    #expect(bench.frames.map(\.stream) == [1, 0])
    #expect(bench.events == [.firstMediaReceived(ssrc: 8), .firstMediaReceived(ssrc: 7)])
  }

  @Test func `SSRCs that come with MIDs without end are forgotten in turn`() {
    var bench = Bench(Self.unannounced)
    for ssrc in 0..<5_000 as Range<UInt32> {
      bench.receiveFrame(1, ssrc: 10_000 + ssrc, isKeyFrame: true, elements: [mid("screen")])
    }
    #expect(bench.frames.count == 1)
    #expect(bench.session.statistics.packetsIgnored == 4_999)
  }

  @Test func `Extensions in the two-byte form are read, and written where an id asks for it`() throws {
    var bench = Bench {
      Self.unannounced(&$0)
      $0.headerExtensions = .init(audioLevel: 1, absoluteSendTime: 200, transportSequenceNumber: 20, mid: 30)
    }
    bench.receiveFrame(
      1, ssrc: 7, isKeyFrame: true,
      elements: [
        HeaderExtensionElement(identifier: 20, value: [0xFF, 0xFE]),
        HeaderExtensionElement(identifier: 30, value: Array("screen".utf8)),
      ])
    #expect(bench.frames.map(\.stream) == [1])
    bench.wait(.milliseconds(50))
    let told = bench.feedback.compactMap { if case .transport(_, let feedback) = $0 { feedback } else { nil } }
    #expect(told.map(\.baseSequenceNumber.rawValue) == [0xFFFE])

    bench.sendFrame(isKeyFrame: true)
    let packet = try #require(bench.packets.last { $0.kind == .rtp })
    let header = try RTPHeader(parsing: packet.bytes.span)
    #expect(header.headerExtension?.form == .twoByte)
    let read = IncomingExtensions(
      header, in: packet.bytes.span, identifiers: bench.session.configuration.headerExtensions)
    #expect(read.midRange.map { Array(packet.bytes[$0]) } == Array("video".utf8))
    #expect(read.transportSequenceNumber == SequenceNumber(rawValue: 0))
    #expect(read.absoluteSendTime == AbsoluteSendTime(bench.now))
  }
}

extension StreamTableTests {
  @Test func `An extension whose id is 0 is not written`() throws {
    var bench = Bench {
      $0.headerExtensions = .init(audioLevel: 0, absoluteSendTime: 0, transportSequenceNumber: 0, mid: 0)
    }
    bench.sendFrame(isKeyFrame: true)
    #expect(bench.rtp.count == 1)
    #expect(bench.rtp.allSatisfy { $0.headerExtension == nil })
  }
}

@Suite("A session receives pictures")
struct VideoReceivingTests {
  @Test func `A missing packet is asked for, and comes as RTX`() {
    var bench = Bench()
    bench.receiveFrame(1, isKeyFrame: true)
    bench.receiveFrame(3)
    bench.wait(.milliseconds(15))
    #expect(bench.feedback.contains(.nack(NACK(mediaSSRC: 2001, sequenceNumbers: [SequenceNumber(rawValue: 2)]))))
    var packetizer = VP8Packetizer(firstPictureID: PictureID(9))
    let payload = packetizer.payloads(of: VideoFixture.vp8(isKeyFrame: false, count: 30).span, limit: 100)[0]
    var rtx = Bench.packet(0, ssrc: 2002, payloadType: 97, payload: [0, 2] + payload)
    // The timestamp between the two.
    rtx.replaceSubrange(4..<8, with: [0, 0, 0x07, 0x70])
    bench.receive(rtx)
    #expect(bench.frames.count == 3)
    #expect(bench.video.inbound.packetsRecovered == 1)
    #expect(bench.video.inbound.retransmittedPacketsReceived == 1)
    #expect(bench.video.inbound.nackCount == 1)
    // A report tells of both streams.
    bench.wait(.seconds(1))
    let blocks = bench.rtcp.flatMap { packet -> [ReportBlock] in
      if case .receiverReport(let report) = packet { report.reportBlocks } else { [] }
    }
    #expect(Set(blocks.map(\.ssrc)) == [2001, 2002])
  }

  @Test func `RTX of nothing that is known is counted and dropped`() {
    var bench = Bench()
    bench.receive(Bench.packet(1, ssrc: 2002, payloadType: 97, payload: [0, 1, 0x10, 1]))
    bench.receiveFrame(1, ssrc: 3001, isKeyFrame: true)
    // Announced with a stream that does not come.
    bench.receive(Bench.packet(2, ssrc: 2002, payloadType: 97, payload: [0, 2, 0x10, 1]))
    #expect(bench.session.statistics.packetsIgnored == 2)
    // Not announced: it is the current stream's.
    bench.receive(Bench.packet(3, ssrc: 5, payloadType: 97, payload: [0, 2, 0x10, 0x11, 0, 0]))
    #expect(bench.frames.count == 2)
    for count in 0..<2 {
      bench.receive(Bench.packet(4 + count, ssrc: 5, payloadType: 97, payload: .init(repeating: 0, count: count)))
    }
    #expect(bench.frames.count == 2)
  }

  @Test(arguments: [(true, false), (false, true), (false, false)])
  func `Without a key frame one is asked for as was agreed, once a while`(asks: (pli: Bool, fir: Bool)) {
    var bench = Bench {
      $0.video[0].feedback.pictureLoss = asks.pli
      $0.video[0].feedback.fullIntraRequest = asks.fir
    }
    for number in 1...30 {
      bench.receiveFrame(number)
      bench.wait(.milliseconds(33))
    }
    #expect(bench.frames.isEmpty)
    let requests = bench.feedback.count { if case .transport = $0 { false } else { true } }
    #expect(requests == (asks.pli || asks.fir ? 4 : 0))
    #expect(bench.video.inbound.pliCount == (asks.pli ? 4 : 0))
    #expect(bench.video.inbound.firCount == (asks.fir ? 4 : 0))
    bench.receiveFrame(31, isKeyFrame: true)
    #expect(bench.frames.count == 1)
    bench.wait(.seconds(2))
    #expect(bench.feedback.count { if case .transport = $0 { false } else { true } } == requests)
    // The decoder's word counts as well.
    bench.receiveFrame(32)
    bench.session.requestKeyFrame(stream: 0, at: bench.now)
    bench.session.requestKeyFrame(stream: 5, at: bench.now)
    bench.drain()
    #expect(bench.video.inbound.pliCount == (asks.pli ? 5 : 0))
  }

  @Test func `A sender that has stopped is asked for nothing`() {
    var bench = Bench()
    bench.receiveFrame(1)
    bench.wait(.seconds(60))
    #expect(10...20 ~= bench.video.inbound.pliCount)
  }

  @Test func `What is not wanted is counted, and asked for when it is wanted again`() {
    var bench = Bench()
    bench.receiveFrame(1, isKeyFrame: true)
    bench.session.setVideoDirection(0, sends: true, receives: false)
    for number in [2, 5, 6] { bench.receiveFrame(number) }
    bench.wait(.seconds(1))
    #expect(bench.frames.count == 1)
    #expect(bench.video.inbound.packetsReceived == 4)
    #expect(bench.video.inbound.nackCount + bench.video.inbound.pliCount == 0)
    bench.session.setVideoDirection(0, sends: true, receives: true)
    bench.receiveFrame(7)
    bench.receiveFrame(8, isKeyFrame: true)
    #expect(bench.video.inbound.pliCount == 1)
    #expect(bench.frames.count == 2)
    // Their time has gone on.
    #expect(89_000...91_000 ~= bench.frames[1].frame.position)
  }

  @Test func `A stream that begins anew goes on in its place, by another SSRC or other numbers`() {
    var bench = Bench()
    for number in 1...10 {
      bench.receiveFrame(number, isKeyFrame: number == 1)
      bench.wait(.milliseconds(100))
    }
    for number in 1...3 { bench.receiveFrame(number, ssrc: 77, isKeyFrame: number == 2) }
    #expect(bench.events == [.firstMediaReceived(ssrc: 2001), .ssrcChanged(from: 2001, to: 77)])
    #expect(bench.frames.count == 12)
    bench.wait(.milliseconds(500))
    for number in 20_000...20_003 { bench.receiveFrame(number, ssrc: 77, isKeyFrame: number == 20_001) }
    #expect(bench.frames.count == 15)
    let positions = bench.frames.map(\.frame.position)
    #expect(positions == positions.sorted())
    #expect(abs(positions[10] - positions[9] - 9000) <= 1)
    #expect(abs(positions[12] - positions[11] - 45_000) <= 1)
  }

  @Test func `Packets of a stream that are of no known payload type are not waited for`() {
    var bench = Bench()
    bench.receiveFrame(1, isKeyFrame: true)
    bench.receiveFrame(2, payloadType: 120)
    bench.receiveFrame(3)
    bench.wait(.milliseconds(100))
    #expect(bench.frames.count == 2)
    #expect(bench.video.inbound.nackCount == 0)
    #expect(bench.session.statistics.packetsOfUnknownPayloadType == 1)
  }

  @Test func `The end of one stream is not the end of all`() {
    var bench = Bench()
    bench.receiveFrame(1, isKeyFrame: true)
    bench.receive(Bench.packet(1, ssrc: 2000, payloadType: 111, payload: [0x08, 1]))
    bench.receive(.goodbye(Goodbye(ssrcs: [2001], reason: "camera off")))
    bench.wait(.seconds(2))
    #expect(!bench.events.contains(.byeReceived(reason: "camera off")))
    bench.receive(.goodbye(Goodbye(ssrcs: [2000], reason: "over")))
    bench.wait(.seconds(2))
    #expect(bench.events.last == .byeReceived(reason: "over"))
  }
}

@Suite("A session sends pictures")
struct VideoSendingTests {
  @Test func `The MID is told until the peer has reported, in what is sent again as well`() throws {
    var bench = Bench()
    func tellsMID() throws -> Bool {
      let packet = try #require(bench.packets.last { $0.kind == .rtp })
      let header = try RTPHeader(parsing: packet.bytes.span)
      return IncomingExtensions(
        header, in: packet.bytes.span, identifiers: bench.session.configuration.headerExtensions
      ).midRange != nil
    }
    bench.sendFrame(isKeyFrame: true)
    #expect(try tellsMID())
    let block = ReportBlock(
      ssrc: 1001, fractionLost: 0, cumulativeLost: 0, extendedHighestSequenceNumber: 0, jitter: 0, lastSenderReport: 0,
      delaySinceLastSenderReport: 0)
    bench.receive(.receiverReport(ReceiverReport(ssrc: 2001, reportBlocks: [block])))
    bench.wait(.milliseconds(100))
    bench.sendFrame()
    #expect(try !tellsMID())
    bench.receive(.nack(NACK(mediaSSRC: 1001, sequenceNumbers: [SequenceNumber(rawValue: 65_501)])))
    #expect(bench.rtp.last?.ssrc == 1002)
    #expect(try tellsMID())
  }

  @Test(arguments: [VideoPayloadFormat.vp8, .vp9])
  func `What one side sends is what the other receives, to the last byte`(format: VideoPayloadFormat) {
    var sides = [0, 1].map { index in
      Bench {
        $0 = VideoTestCall.configuration(index)
        $0.video[0].format = format
        $0.video[0].acceptedPayloadTypes = [96: format]
      }
    }
    var sent: [[UInt8]] = []
    for number in 0..<20 {
      let count = [20, 1_143, 1_144, 5_000, 30_000][number % 5]
      sent.append(
        format == .vp8
          ? VideoFixture.vp8(isKeyFrame: number == 0, count: count)
          : VideoFixture.vp9(isKeyFrame: number == 0, count: count))
      sides[0].session.send(
        EncodedVideoFrame(payload: sent[number], isKeyFrame: number == 0, capturedAt: sides[0].now), stream: 0,
        at: sides[0].now)
      sides[0].wait(.milliseconds(300))
    }
    for packet in sides[0].packets { sides[1].receive(packet.bytes) }
    #expect(sides[0].packets.allSatisfy { $0.bytes.count <= 1200 })
    #expect(sides[0].packets.allSatisfy { $0.bytes.capacity >= $0.bytes.count + RTPSession.trailerCapacity })
    #expect(sides[1].frames.map(\.frame.payload) == sent)
    #expect(sides[1].frames.map(\.frame.codec).allSatisfy { $0 == format })
    #expect(sides[1].frames.first?.frame.size == PictureSize(width: 640, height: 360))
  }

  @Test func `Videos that are sent share what the path carries`() {
    var targets: [Int: Int] = [:]
    var configuration = VideoTestCall.configuration(0)
    configuration.video.append(configuration.video[0])
    configuration.video[1].localSSRC = 1101
    configuration.video[1].retransmission?.localSSRC = 1102
    var session = RTPSession(configuration: configuration, at: Bench.start)
    #expect(session.nextDeadline == Bench.start)
    func run(at now: Instant) {
      session.timeout(at: now)
      while let output = session.nextOutput() {
        if case .encoder(.bitsPerSecond(let target), let stream) = output { targets[stream] = target }
      }
    }
    run(at: Bench.start)
    #expect(200_000...240_000 ~= targets[0] ?? 0)
    #expect(targets[0] == targets[1])
    session.setVideoDirection(1, sends: false, receives: true)
    run(at: Bench.start + .milliseconds(1))
    #expect(400_000...480_000 ~= targets[0] ?? 0)
  }

  @Test func `A storm of requests is answered twice a second`() {
    var bench = Bench()
    bench.sendFrame(isKeyFrame: true)
    let before = bench.keyFrameOrders
    for step in 0..<5_000 {
      bench.receive(.pictureLoss(mediaSSRC: 1001))
      bench.receive(.fullIntraRequest([FullIntraRequest(ssrc: 1001, sequenceNumber: UInt8(step & 0xFF))]))
      bench.receive(.pictureLoss(mediaSSRC: 9))
      bench.wait(.milliseconds(1))
    }
    #expect(9...11 ~= bench.keyFrameOrders - before)
    #expect(bench.video.outbound.pliCount == 5_000)
    #expect(bench.video.outbound.firCount == 5_000)
  }

  @Test func `Packets never sent are not sent again, and nothing grows`() {
    var bench = Bench()
    bench.sendFrame(isKeyFrame: true, count: 5_000)
    bench.wait(.milliseconds(200))
    let sent = bench.packets.count { $0.kind == .rtp }
    for _ in 0..<200 {
      bench.receive(.nack(NACK(mediaSSRC: 1001, sequenceNumbers: (0..<1000).map { SequenceNumber(rawValue: $0) })))
      bench.receive(.nack(NACK(mediaSSRC: 5, sequenceNumbers: [SequenceNumber(rawValue: 65_500)])))
    }
    bench.wait(.milliseconds(50))
    #expect(bench.packets.count { $0.kind == .rtp } == sent)
    // Asked for without end, the same one goes out a few times a second.
    for _ in 0..<1_000 {
      bench.receive(.nack(NACK(mediaSSRC: 1001, sequenceNumbers: [SequenceNumber(rawValue: 65_500)])))
      bench.wait(.milliseconds(1))
    }
    #expect(5...11 ~= bench.video.outbound.retransmittedPacketsSent)
  }

  @Test func `A peer that misses everything, always, gets no more than the pacer lets go`() {
    var bench = Bench()
    var bytes = 0
    var last = SequenceNumber(rawValue: 65_500)
    for step in 0..<5_000 {
      if step % 33 == 0 { bench.sendFrame(isKeyFrame: step == 0, count: 2_000) }
      last = bench.rtp.last { $0.ssrc == 1001 }?.sequenceNumber ?? last
      bench.packets.removeAll()
      bench.receive(.nack(NACK(mediaSSRC: 1001, sequenceNumbers: (0..<500).map { last + -$0 })))
      bench.wait(.milliseconds(1))
      bytes += bench.packets.reduce(0) { $0 + ($1.kind == .rtp ? $1.bytes.count : 0) }
    }
    // The frames themselves, and half the bitrate.
    #expect(bytes * 8 < 5_000_000)
    #expect(bench.video.outbound.retransmittedPacketsSent > 100)
    #expect(bench.video.outbound.nackCount == 5_000)
  }

  @Test func `Frames are dropped up to a key frame, which is asked for, when the encoder does not heed its target`() {
    var bench = Bench()
    for number in 0..<120 {
      bench.sendFrame(isKeyFrame: number == 0, count: 20_000)
      bench.wait(.milliseconds(33))
    }
    #expect(bench.video.framesDropped > 30)
    #expect(bench.keyFrameOrders > 1)
    bench.wait(.seconds(3))
    bench.sendFrame(isKeyFrame: true)
    #expect(bench.rtp.filter { $0.ssrc == 1001 }.map(\.sequenceNumber.rawValue).adjacentDifferencesAreOne)
  }

  @Test func `Nothing is sent while sending is off, and a key frame is asked for when it is on again`() {
    var bench = Bench()
    bench.sendFrame(isKeyFrame: true, count: 30_000)
    bench.session.setVideoDirection(0, sends: false, receives: true)
    let before = bench.rtp.count
    bench.sendFrame()
    bench.wait(.seconds(1))
    #expect(bench.rtp.count == before)
    let orders = bench.keyFrameOrders
    bench.session.setVideoDirection(0, sends: true, receives: true)
    bench.session.setVideoDirection(3, sends: true, receives: true)
    bench.wait(.milliseconds(400))
    #expect(bench.keyFrameOrders == orders + 1)
    bench.sendFrame(isKeyFrame: true)
    #expect(bench.rtp.count == before + 1)
  }

  @Test(arguments: [1001, 1002, 1000] as [UInt32])
  func `An SSRC that the peer has taken is left to it`(ssrc: UInt32) {
    var bench = Bench()
    bench.sendFrame(isKeyFrame: true)
    bench.packets.removeAll()
    for number in 0..<100 { bench.receiveFrame(number, ssrc: ssrc) }
    guard case .ssrcCollision(let from, let to) = bench.events.first else {
      Issue.record("the collision is told")
      return
    }
    #expect(from == ssrc)
    // Where our own packets come back to us, another SSRC each time would not help.
    for number in 0..<10 { bench.receiveFrame(number, ssrc: to) }
    #expect(bench.events.count { if case .ssrcCollision = $0 { true } else { false } } == 1)
    #expect(bench.rtcp.contains(.goodbye(Goodbye(ssrcs: [ssrc]))))
    bench.wait(.milliseconds(600))
    #expect(bench.keyFrameOrders == (ssrc == 1001 ? 1 : 0))
    bench.packets.removeAll()
    bench.sendFrame(isKeyFrame: true)
    bench.session.send(EncodedAudioFrame(payload: [0x08, 1], position: 0, duration: 960), at: bench.now)
    bench.receive(
      .nack(NACK(mediaSSRC: ssrc == 1001 ? to : 1001, sequenceNumbers: [SequenceNumber(rawValue: 65_501)])))
    bench.drain()
    #expect(Set(bench.rtp.map(\.ssrc)) == Set([1000, 1001, 1002].map { $0 == ssrc ? to : $0 }))
    bench.packets.removeAll()
    bench.wait(.seconds(2))
    let names = bench.rtcp.compactMap { if case .senderReport(let report) = $0 { report.ssrc } else { nil } }
    #expect(names.contains(to) && !names.contains(ssrc))
  }
}

extension [UInt16] {
  fileprivate var adjacentDifferencesAreOne: Bool { zip(self, dropFirst()).allSatisfy { $1 == $0 &+ 1 } }
}

@Suite("A session reports")
struct SessionReportTests {
  @Test func `One who only receives knows the round trip by XR`() {
    var call = VideoTestCall()
    call.parties[1].sendsVideo = false
    call.parties[1].sendsAudio = false
    call.run(for: .seconds(5))
    for party in call.parties {
      let roundTripTime = party.session.statistics.roundTripTime
      #expect(79...81 ~= roundTripTime?.inMilliseconds ?? 0)
    }
  }

  @Test func `Sound and pictures of one moment have one capture time, wherever their clocks start`() throws {
    var call = VideoTestCall(seed: 3)
    call.parties[0].path.jitter = .milliseconds(20)
    call.run(for: .seconds(10))
    let listener = call.parties[1]
    // What the test's encoders did: audio position p and video frame n are both of start + p/48000, start + n/30.
    let zero = NTPTime(sinceUnixEpoch: .seconds(1_700_000_000))
    let audio = try #require(listener.audio.last)
    let heard = try #require(audio.captureTime) - zero
    #expect(abs((heard - .ofTicks(audio.position, clockRate: 48_000)).inMilliseconds) < 1)
    let video = try #require(listener.frames.last)
    let seen = try #require(video.captureTime) - zero
    #expect(abs((seen - .ofTicks(video.position, clockRate: videoClockRate)).inMilliseconds) < 1)
    #expect(listener.frames.first?.captureTime == nil)
  }

  @Test func `A limit is told where that is what was agreed on, once a second`() {
    let feedback = RTPSession.VideoStream.Feedback(nack: true, pictureLoss: true, bitrateLimit: true)
    var call = VideoTestCall([0, 1].map { VideoTestCall.configuration($0, feedback: feedback) })
    call.run(for: .seconds(10))
    for party in call.parties {
      var limits = 0
      for packet in party.packets where packet.kind == .rtcp {
        var reader = RTCPReader()
        while let next = try? reader.next(in: packet.bytes.span) {
          guard case .feedback(let feedback) = next else { continue }
          switch try? FeedbackMessage(parsing: feedback) {
          case .bitrateLimit(let limit):
            limits += 1
            #expect(limit.ssrcs.count == 1)
          case .transport: Issue.record("not agreed on")
          default: break
          }
        }
      }
      #expect(8...12 ~= limits)
      #expect(party.session.statistics.availableOutgoingBitrate != nil)
    }
  }
}

@Suite("A session bears a hostile peer")
struct HostilePeerTests {
  @Test(arguments: [1, 2, 3, 4] as [UInt64])
  func `Random changes to what a call is made of never trap, and memory stays bounded`(seed: UInt64) {
    var call = VideoTestCall(seed: seed)
    call.run(for: .seconds(3))
    let recorded = call.parties[0].packets.suffix(400).map(\.bytes)
    var generator = SeededGenerator(seed: seed)
    var bench = Bench { $0 = VideoTestCall.configuration(1) }
    for step in 0..<6_000 {
      var packet = recorded[Int.random(in: 0..<recorded.count, using: &generator)]
      switch Int.random(in: 0..<4, using: &generator) {
      case 0: break
      case 1: packet = Array(packet.prefix(Int.random(in: 0...packet.count, using: &generator)))
      default: packet = mutated(packet, using: &generator)
      }
      bench.receive(packet)
      bench.wait(.milliseconds(Int64.random(in: 0...5, using: &generator)))
      if step % 10 == 0 { bench.sendFrame(isKeyFrame: step % 100 == 0, count: 3_000) }
      bench.packets.removeAll(keepingCapacity: true)
      bench.frames.removeAll()
    }
    #expect(bench.session.statistics.packetsMalformed > 0)
    #expect(bench.session.outputs.isEmpty)
  }

  @Test func `Payloads cut off at every length are counted`() {
    var bench = Bench()
    bench.receiveFrame(0, isKeyFrame: true)
    var packetizer = VP8Packetizer(firstPictureID: PictureID(1))
    let payload = packetizer.payloads(of: VideoFixture.vp8(isKeyFrame: true, count: 40).span, limit: 100)[0]
    for count in 0...payload.count {
      bench.receive(Bench.packet(count + 1, ssrc: 2001, payloadType: 96, payload: Array(payload.prefix(count))))
    }
    bench.wait(.seconds(2))
    #expect(bench.video.assembler.packetsMalformed > 0)
    #expect(bench.frames.count > 1)
  }
}
