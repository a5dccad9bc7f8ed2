import MediaTime
import Testing

@testable import RTPCore

private let start = Instant(nanoseconds: 1_000_000_000)

private func at(_ milliseconds: Int) -> Instant { start + .milliseconds(milliseconds) }

private func number(_ value: UInt16) -> SequenceNumber { SequenceNumber(rawValue: value) }

@Suite("Missing packets are asked for")
struct NACKGeneratorTests {
  @Test(arguments: SequenceNumberTests.starts)
  func `A gap is asked for after the tolerance, then once a round trip, then given up`(first: UInt16) {
    var generator = NACKGenerator(configuration: .init(maximumRequestCount: 3))
    generator.roundTripTime = .milliseconds(80)
    let begin = ExtendedSequenceNumber(number(first))
    generator.received(begin, at: start)
    generator.received(begin + 3, at: start)
    let expected = [begin + 1, begin + 2].map(\.sequenceNumber)
    #expect(generator.nextDeadline == at(10))
    #expect(generator.requests(at: at(9)) == [])
    var times: [Int] = []
    for time in 0..<1000 {
      let requests = generator.requests(at: at(time))
      guard !requests.isEmpty else { continue }
      #expect(requests == expected)
      times.append(time)
    }
    #expect(times == [10, 110, 210])
    #expect(generator.missingCount == 0)
    #expect(generator.takeGivenUp() == true)
    #expect(generator.takeGivenUp() == false)
    #expect(generator.statistics == .init(requestedPackets: 6, recoveredPackets: 0, abandonedPackets: 2))
  }

  @Test func `What comes late or again is asked for no more`() {
    var generator = NACKGenerator()
    let begin = ExtendedSequenceNumber(number(65_534))
    generator.received(begin, at: start)
    generator.received(begin + 4, at: start)
    generator.received(begin + 2, at: at(5))
    #expect(generator.requests(at: at(10)) == [number(65_535), number(1)])
    generator.received(begin + 1, at: at(50))
    generator.received(begin + 1, at: at(51))
    #expect(generator.requests(at: at(500)) == [number(1)])
    generator.forget(before: begin + 4)
    #expect(generator.nextDeadline == nil)
    #expect(generator.takeGivenUp() == false)
    #expect(generator.statistics.recoveredPackets == 1)
  }

  @Test func `A gap beyond the bound is given up at once`() {
    var generator = NACKGenerator()
    let begin = ExtendedSequenceNumber(number(0))
    generator.received(begin, at: start)
    for step in 1...100 {
      generator.received(begin + step * 300, at: start)
      #expect(generator.missingCount <= 512)
    }
    generator.received(ExtendedSequenceNumber(rawValue: .max / 2), at: start)
    #expect(generator.missingCount == 0)
    #expect(generator.takeGivenUp() == true)
  }
}

@Suite("Packets are sent again")
struct RetransmissionBufferTests {
  @Test(arguments: SequenceNumberTests.starts)
  func `A packet is found until the newer ones have taken its place`(first: UInt16) {
    var buffer = RetransmissionBuffer(capacity: 16)
    for index in 0..<20 {
      let number = number(first) + index
      let packet = [UInt8(index)]
      buffer.store(packet.span, number: number, at: start)
    }
    for index in 0..<20 {
      #expect(buffer.answer(number(first) + index, at: start) == (index < 4 ? nil : [UInt8(index)]))
    }
    #expect(buffer.answer(number(first) + 20, at: start) == nil)
    #expect(buffer.statistics.unknownRequests == 5)
    #expect(buffer.statistics.retransmittedPackets == 16)
  }

  @Test func `A packet is sent again once in a round trip, and not when it is old`() {
    var buffer = RetransmissionBuffer(maximumAge: .milliseconds(500))
    buffer.roundTripTime = .milliseconds(80)
    let packet: [UInt8] = [1, 2]
    buffer.store(packet.span, number: number(5), at: start)
    let answered = (0...600).filter { buffer.answer(number(5), at: at($0)) != nil }
    #expect(answered == [0, 80, 160, 240, 320, 400, 480])
    #expect(buffer.statistics.unknownRequests == 100)
    #expect(buffer.statistics.hastyRequests == 601 - 7 - 100)
    #expect(buffer.statistics.retransmittedBytes == 14)
  }
}

@Suite("RTX wraps packets and unwraps them")
struct RTXTests {
  static let header = RTPHeader(
    marker: true, payloadType: 96, sequenceNumber: number(0x1234), timestamp: RTPTimestamp(rawValue: 7), ssrc: 1000)

  static var packet: [UInt8] {
    var packet: [UInt8] = []
    header.write(extensionElements: [HeaderExtensionElement(identifier: 3, value: [0, 1])], to: &packet)
    return packet + [9, 8, 7]
  }

  static let receiver = RTXReceiver(associatedPayloadTypes: [97: 96])

  static let sender = RTXSender(payloadTypes: [96: 97])

  static func wrap(_ packet: [UInt8], number: SequenceNumber) throws -> [UInt8] {
    let wrapped = sender.wrap(packet.span, ssrc: 2000, number: number)
    return try #require(wrapped)
  }

  static func unwrap(_ packet: [UInt8]) throws -> RTXReceiver.Unwrapped {
    receiver.unwrap(packet.span, header: try RTPHeader(parsing: packet.span), mediaSSRC: 1000)
  }

  @Test func `A packet comes back as it was, from a stream of its own`() throws {
    for expected in [65_535, 0, 1] as [UInt16] {
      let wrapped = try Self.wrap(Self.packet, number: number(expected))
      let header = try RTPHeader(parsing: wrapped.span)
      #expect(header.ssrc == 2000)
      #expect(header.payloadType == 97)
      #expect(header.sequenceNumber == number(expected))
      #expect(header.timestamp == Self.header.timestamp)
      #expect(header.marker)
      #expect(Array(wrapped[header.payloadRange]) == [0x12, 0x34, 9, 8, 7])
      try expectOriginal(in: wrapped)
    }
  }

  private func expectOriginal(in wrapped: [UInt8], sourceLocation: SourceLocation = #_sourceLocation) throws {
    guard case .packet(let original) = try Self.unwrap(wrapped) else {
      Issue.record("a packet comes back", sourceLocation: sourceLocation)
      return
    }
    #expect(original.ssrc == 1000 && original.payloadType == 96, sourceLocation: sourceLocation)
    #expect(original.sequenceNumber == number(0x1234) && original.marker, sourceLocation: sourceLocation)
    #expect(Array(wrapped[original.payloadRange]) == [9, 8, 7], sourceLocation: sourceLocation)
  }

  @Test func `Padding goes, of the packet and of the one that wraps it`() throws {
    var padded = Self.packet + [0, 0, 3]
    padded[0] |= 0x20
    var wrapped = try Self.wrap(padded, number: number(0))
    try expectOriginal(in: wrapped)
    wrapped += [0, 2]
    wrapped[0] |= 0x20
    try expectOriginal(in: wrapped)
  }

  @Test func `Payloads too short for a number probe the path; other payload types are unknown`() throws {
    var wrapped = try Self.wrap(Self.packet, number: number(0))
    #expect(try Self.unwrap(Array(wrapped.prefix(12))) == .padding)
    #expect(try Self.unwrap(Array(wrapped.prefix(13))) == .padding)
    wrapped[1] = 98
    #expect(try Self.unwrap(wrapped) == .unknownPayloadType)
    var other = Self.packet
    other[1] = 98
    #expect(Self.sender.wrap(other.span, ssrc: 1, number: number(0)) == nil)
  }
}

extension RTXSender {
  /// The whole packet to send in place of one of ours.
  fileprivate func wrap(_ packet: Span<UInt8>, ssrc: UInt32, number: SequenceNumber) -> [UInt8]? {
    guard let header = try? RTPHeader(parsing: packet),
      let wrapper = self.header(inPlaceOf: header, ssrc: ssrc, number: number)
    else { return nil }
    var wrapped: [UInt8] = []
    wrapper.write(to: &wrapped)
    writePayload(of: packet, header: header, to: &wrapped)
    return wrapped
  }
}

extension VideoPacketizer {
  /// A whole frame's payloads.
  mutating func payloads(of frame: Span<UInt8>, limit: Int) -> [[UInt8]] {
    defer { nextFrame() }
    var payloads: [[UInt8]] = []
    for range in pieces(of: frame, limit: limit) {
      payloads.append([])
      writePayload(range, of: frame, to: &payloads[payloads.count - 1])
    }
    return payloads
  }
}

@Suite("Key frames are asked for, and made, within limits")
struct KeyFrameRequestTests {
  @Test(arguments: [KeyFrameRequester.Kind.pictureLoss, .fullIntraRequest])
  func `A need is told at once and repeated until the key frame comes`(kind: KeyFrameRequester.Kind) {
    var requester = KeyFrameRequester(kind: kind, firstSequenceNumber: 255)
    var messages: [FeedbackMessage] = []
    #expect(requester.nextDeadline == nil)
    for time in 0..<1000 {
      requester.need()
      if let message = requester.request(mediaSSRC: 9, at: at(time)) { messages.append(message) }
    }
    #expect(requester.requestCount == 4)
    requester.receivedKeyFrame()
    #expect(requester.request(mediaSSRC: 9, at: at(5000)) == nil)
    requester.need()
    if let message = requester.request(mediaSSRC: 9, at: at(5000)) { messages.append(message) }
    let numbers: [UInt8] = [255, 255, 255, 255, 0]
    #expect(
      messages
        == numbers.map {
          kind == .pictureLoss
            ? .pictureLoss(mediaSSRC: 9) : .fullIntraRequest([FullIntraRequest(ssrc: 9, sequenceNumber: $0)])
        })
  }

  @Test func `A thousand requests a second are answered as often as the limit says`() {
    var responder = KeyFrameResponder(minimumInterval: .milliseconds(500))
    var answers: [Int] = []
    for time in 0..<10_000 {
      if time % 2 == 0 {
        responder.receivedPictureLoss()
      } else {
        responder.receivedFullIntraRequest(sequenceNumber: UInt8(truncatingIfNeeded: time))
      }
      if responder.takeKeyFrame(at: at(time)) { answers.append(time) }
    }
    #expect(answers == (0..<20).map { $0 * 500 })
    #expect(responder.pictureLossCount == 5000)
    #expect(responder.fullIntraRequestCount == 5000)
  }

  @Test func `A request that comes too soon is answered later, a repeated one not at all`() {
    var responder = KeyFrameResponder(minimumInterval: .milliseconds(500))
    responder.receivedFullIntraRequest(sequenceNumber: 4)
    #expect(responder.takeKeyFrame(at: start) == true)
    responder.receivedFullIntraRequest(sequenceNumber: 4)
    #expect(responder.nextDeadline == nil)
    responder.receivedFullIntraRequest(sequenceNumber: 5)
    #expect(responder.takeKeyFrame(at: at(100)) == false)
    #expect(responder.nextDeadline == at(500))
    #expect(responder.takeKeyFrame(at: at(500)) == true)
    #expect(responder.nextDeadline == nil)
  }
}

/// A sender of video, a receiver and the path between them: what the machines do together.
private struct VideoCall {
  static let framePeriod = Duration.microseconds(33_333)

  var path: TestLink<[UInt8]>
  var back: TestLink<[SequenceNumber]>
  var buffer = RetransmissionBuffer()
  var rtx = RTXSender(payloadTypes: [96: 97])
  var rtxNumber = number(65_530)
  var generator = NACKGenerator()
  var assembler: FrameAssembler
  var packetizer = VP8Packetizer(firstPictureID: PictureID(0x7FF0))
  var stream: ReceiveStream?
  var mediaPackets: Set<Int64> = []
  var frames: [ReceivedVideoFrame] = []
  var sentFrames = 0
  var longestPause = Duration.zero
  private var next: SequenceNumber
  private var keyFrameDue = true
  private var lastFrameAt = start

  init(first: UInt16, seed: UInt64, loss: Double, jitter: Duration) {
    path = TestLink(seed: seed)
    path.loss = loss
    path.jitter = jitter
    back = TestLink(seed: seed + 1)
    back.loss = loss
    next = number(first)
    assembler = FrameAssembler(codec: .vp8)
    generator.roundTripTime = .milliseconds(80)
    buffer.roundTripTime = .milliseconds(80)
  }

  /// Packets sent for the first time.
  var originals = 0

  mutating func run(for duration: Duration) {
    var now = start
    var nextFrame = start
    while now < start + duration {
      for packet in path.arrived(at: now) { receive(packet, at: now) }
      while let frame = assembler.nextFrame(at: now) {
        frames.append(frame)
        longestPause = max(longestPause, now - lastFrameAt)
        lastFrameAt = now
        if let firstWanted = assembler.firstWanted { generator.forget(before: firstWanted) }
      }
      let requests = generator.requests(at: now)
      if !requests.isEmpty { back.send(requests, size: 40, at: now) }
      for number in back.arrived(at: now).flatMap({ $0 }) {
        guard let packet = buffer.answer(number, at: now),
          let wrapped = rtx.wrap(packet.span, ssrc: 2, number: rtxNumber)
        else { continue }
        rtxNumber = rtxNumber + 1
        path.send(wrapped, size: wrapped.count, at: now)
      }
      if assembler.needsKeyFrame, sentFrames % 30 == 29 { keyFrameDue = true }
      if nextFrame <= now {
        sendFrame(at: now)
        nextFrame = nextFrame + Self.framePeriod
      }
      now = now + .milliseconds(1)
    }
  }

  private mutating func sendFrame(at now: Instant) {
    let frame = VideoFixture.vp8(isKeyFrame: keyFrameDue, count: keyFrameDue ? 20_000 : 5_000)
    keyFrameDue = false
    let payloads = packetizer.payloads(of: frame.span, limit: 1200)
    for (index, payload) in payloads.enumerated() {
      var packet: [UInt8] = []
      RTPHeader(
        marker: index == payloads.count - 1, payloadType: 96, sequenceNumber: next,
        timestamp: RTPTimestamp(rawValue: 0xFFFF_0000) + sentFrames * 3000, ssrc: 1
      ).write(to: &packet)
      packet += payload
      buffer.store(packet.span, number: next, at: now)
      path.send(packet, size: packet.count, at: now)
      next = next + 1
      originals += 1
    }
    sentFrames += 1
  }

  private mutating func receive(_ packet: [UInt8], at now: Instant) {
    guard var header = try? RTPHeader(parsing: packet.span) else { return }
    if header.ssrc == 2 {
      guard
        case .packet(let original) = RTXReceiver(associatedPayloadTypes: [97: 96]).unwrap(
          packet.span, header: header, mediaSSRC: 1)
      else { return }
      header = original
    }
    let extended: ExtendedSequenceNumber
    if stream == nil {
      let begun = ReceiveStream(ssrc: 1, first: header.sequenceNumber, clockRate: videoClockRate)
      stream = begun
      extended = begun.highest
    } else {
      switch stream?.received(header.sequenceNumber) {
      case .newest(let number), .reordered(let number): extended = number
      default: return
      }
    }
    mediaPackets.insert(extended.rawValue)
    generator.received(extended, at: now)
    assembler.insert(
      packet.span.extracting(header.payloadRange), number: extended, timestamp: header.timestamp, marker: header.marker,
      at: now)
  }
}

@Suite("A lossy path in virtual time")
struct LossyPathTests {
  @Test(arguments: [(0, 1), (32_767, 2), (65_535, 3)] as [(UInt16, UInt64)])
  func `With 3 % loss, jitter and 80 ms of round trip nearly all packets and frames come through`(
    first: UInt16, seed: UInt64
  ) {
    var call = VideoCall(first: first, seed: seed, loss: 0.03, jitter: .milliseconds(8))
    call.run(for: .seconds(30))
    #expect(call.path.lost > call.originals / 50)
    #expect(Double(call.mediaPackets.count) > 0.99 * Double(call.originals))
    #expect(Double(call.frames.count) > 0.98 * Double(call.sentFrames))
    #expect(call.longestPause < .seconds(1))
    #expect(call.generator.statistics.recoveredPackets > 0)
    #expect(call.generator.statistics.abandonedPackets < call.originals / 500)
    #expect(call.assembler.packetCount < 200)
  }
}
