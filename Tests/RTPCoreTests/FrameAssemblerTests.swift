import MediaTime
import Testing

@testable import RTPCore

private let start = Instant(nanoseconds: 1_000_000_000)

private func at(_ milliseconds: Int) -> Instant { start + .milliseconds(milliseconds) }

/// Frames as packets, to be inserted in any order.
private struct Source {
  struct Packet {
    var number: ExtendedSequenceNumber
    var timestamp: RTPTimestamp
    var marker: Bool
    var payload: [UInt8]
  }

  var next: ExtendedSequenceNumber
  var picture = PictureID(0x7FFE)
  var timestamp = RTPTimestamp(rawValue: 0xFFFF_F000)

  init(first: UInt16 = 0) {
    next = ExtendedSequenceNumber(SequenceNumber(rawValue: first))
  }

  /// A frame in so many packets.
  mutating func frame(
    isKeyFrame: Bool = false, packets count: Int = 2, layer: VP8Descriptor.TemporalLayer? = nil,
    baseLayerIndex: UInt8? = nil
  ) -> [Packet] {
    let frame = VideoFixture.vp8(isKeyFrame: isKeyFrame, count: 20 * count)
    var packets: [Packet] = []
    for (index, range) in FramePieces(of: frame.count, limit: 20).enumerated() {
      var descriptor = VP8Descriptor(startsPartition: index == 0, pictureID: picture)
      descriptor.temporalLayer = layer
      descriptor.baseLayerIndex = baseLayerIndex
      var payload: [UInt8] = []
      descriptor.write(to: &payload)
      packets.append(
        Packet(
          number: next, timestamp: timestamp, marker: index == count - 1, payload: payload + frame[range]))
      next = next + 1
    }
    picture = picture + 1
    timestamp = timestamp + 3000
    return packets
  }
}

extension FrameAssembler {
  fileprivate mutating func insert(_ packets: [Source.Packet], at now: Instant) {
    for packet in packets {
      insert(packet.payload.span, number: packet.number, timestamp: packet.timestamp, marker: packet.marker, at: now)
    }
  }

  fileprivate mutating func frames(at now: Instant) -> [ReceivedVideoFrame] {
    var frames: [ReceivedVideoFrame] = []
    while let frame = nextFrame(at: now) { frames.append(frame) }
    return frames
  }
}

@Suite("Packets become frames")
struct FrameAssemblerTests {
  @Test(arguments: SequenceNumberTests.starts)
  func `Shuffled packets come out as whole frames in order`(first: UInt16) {
    var generator = SeededGenerator(seed: UInt64(first))
    var source = Source(first: first)
    var assembler = FrameAssembler(codec: .vp8)
    assembler.insert(source.frame(isKeyFrame: true, packets: 5), at: start)
    #expect(assembler.frames(at: start).map(\.size) == [PictureSize(width: 640, height: 360)])
    #expect(!assembler.needsKeyFrame)
    for round in 1...50 {
      let packets = (0..<4).flatMap { source.frame(packets: 1 + ($0 + round) % 4) }
      let expected = packets.filter { $0.marker }.map(\.timestamp)
      assembler.insert(packets.shuffled(using: &generator), at: at(round * 132))
      let frames = assembler.frames(at: at(round * 132))
      #expect(frames.map(\.timestamp) == expected)
      #expect(frames.allSatisfy { $0.payload.starts(with: [0x11, 0, 0]) && $0.payload.count % 20 == 0 })
    }
    #expect(assembler.packetCount == 0)
    #expect(assembler.statistics.framesReceived == 201)
    #expect(assembler.statistics.framesDropped == 0)
    #expect(assembler.statistics.keyFramesReceived == 1)
  }

  @Test func `A stream begins with a key frame, and what is before it is dropped`() {
    var source = Source()
    var assembler = FrameAssembler(codec: .vp8)
    assembler.insert(source.frame() + source.frame(), at: start)
    #expect(assembler.frames(at: start) == [])
    #expect(assembler.needsKeyFrame)
    assembler.insert(source.frame(isKeyFrame: true) + source.frame(), at: start)
    #expect(assembler.frames(at: start).map(\.isKeyFrame) == [true, false])
    #expect(assembler.packetCount == 0)
  }

  @Test func `A missing packet holds frames up; when it comes in time, all go on`() {
    var source = Source()
    var assembler = FrameAssembler(codec: .vp8)
    assembler.insert(source.frame(isKeyFrame: true), at: start)
    let broken = source.frame(packets: 3)
    assembler.insert([broken[0], broken[2]] + source.frame(), at: start)
    #expect(assembler.frames(at: start).count == 1)
    #expect(assembler.nextDeadline == at(500))
    #expect(assembler.frames(at: at(499)) == [])
    assembler.insert([broken[1]], at: at(499))
    #expect(assembler.frames(at: at(499)).count == 2)
    #expect(assembler.nextDeadline == nil)
    #expect(assembler.statistics.framesDropped == 0)
  }

  @Test func `A packet that does not come is given up, and a key frame is needed`() {
    var source = Source()
    var assembler = FrameAssembler(codec: .vp8)
    assembler.insert(source.frame(isKeyFrame: true), at: start)
    _ = assembler.frames(at: start)
    let broken = source.frame()
    assembler.insert([broken[1]] + source.frame(), at: start)
    #expect(assembler.frames(at: start) == [])
    #expect(!assembler.needsKeyFrame)
    #expect(assembler.frames(at: at(500)) == [])
    #expect(assembler.needsKeyFrame)
    assembler.insert([broken[0]], at: at(501))
    #expect(assembler.statistics.packetsLate == 1)
    assembler.insert(source.frame(), at: at(510))
    #expect(assembler.frames(at: at(510)) == [])
    assembler.insert(source.frame(isKeyFrame: true) + source.frame(), at: at(600))
    #expect(assembler.frames(at: at(600)).map(\.isKeyFrame) == [true, false])
    #expect(assembler.statistics.framesDropped == 3)
    #expect(assembler.statistics.freezeCount == 0)
  }

  @Test func `A key frame that came meanwhile ends the gap`() {
    var source = Source()
    var assembler = FrameAssembler(codec: .vp8)
    assembler.insert(source.frame(isKeyFrame: true), at: start)
    _ = assembler.frames(at: start)
    _ = source.frame()
    assembler.insert(source.frame() + source.frame(isKeyFrame: true) + source.frame(), at: start)
    #expect(assembler.frames(at: start) == [])
    #expect(assembler.frames(at: at(500)).map(\.isKeyFrame) == [true, false])
    #expect(!assembler.needsKeyFrame)
  }

  @Test(arguments: [(true, false), (false, true)])
  func `A lost frame of an upper temporal layer needs no key frame, one of the lowest does`(
    losesUpper: Bool, needsKeyFrame: Bool
  ) {
    var source = Source()
    var assembler = FrameAssembler(codec: .vp8)
    assembler.insert(
      source.frame(isKeyFrame: true, layer: .init(identifier: 0, isSync: false), baseLayerIndex: 255), at: start)
    let upper = source.frame(layer: .init(identifier: 1, isSync: true), baseLayerIndex: 255)
    let lower = source.frame(layer: .init(identifier: 0, isSync: false), baseLayerIndex: 0)
    let last = source.frame(layer: .init(identifier: 0, isSync: false), baseLayerIndex: 1)
    assembler.insert((losesUpper ? lower : upper) + last, at: start)
    _ = assembler.frames(at: start)
    let frames = assembler.frames(at: at(500))
    #expect(frames.count == (losesUpper ? 2 : 0))
    #expect(assembler.needsKeyFrame == needsKeyFrame)
    #expect(assembler.statistics.framesDropped == (losesUpper ? 1 : 0))
  }

  @Test func `Packets without data fill their place`() {
    var source = Source()
    var assembler = FrameAssembler(codec: .vp8)
    assembler.insert(source.frame(isKeyFrame: true), at: start)
    let nothing: [UInt8] = []
    assembler.insert(nothing.span, number: source.next, timestamp: source.timestamp, marker: false, at: start)
    source.next = source.next + 1
    assembler.insert(source.frame(), at: start)
    #expect(assembler.frames(at: start).count == 2)
  }

  @Test func `Without room, everything up to the next key frame goes`() {
    var source = Source()
    var assembler = FrameAssembler(codec: .vp8, configuration: .init(packetCapacity: 64))
    assembler.insert(source.frame(isKeyFrame: true), at: start)
    _ = assembler.frames(at: start)
    _ = source.frame()
    for _ in 0..<20 { assembler.insert(source.frame(), at: start) }
    let keyFrame = source.frame(isKeyFrame: true)
    assembler.insert(keyFrame, at: start)
    for _ in 0..<15 { assembler.insert(source.frame(), at: start) }
    let frames = assembler.frames(at: start)
    #expect(frames.first?.timestamp == keyFrame[0].timestamp)
    #expect(frames.count == 16)
    for _ in 0..<1000 {
      _ = source.frame(packets: 1)
      assembler.insert(source.frame(), at: start)
      #expect(assembler.packetCount <= 64)
      _ = assembler.frames(at: start)
    }
    #expect(assembler.needsKeyFrame)
  }

  @Test func `A frame without end is bounded by bytes and by packets`() {
    var assembler = FrameAssembler(codec: .vp8, configuration: .init(byteCapacity: 100_000))
    var number = ExtendedSequenceNumber(SequenceNumber(rawValue: 0))
    let first = VideoFixture.vp8(isKeyFrame: true, count: 1000)
    for index in 0..<10_000 {
      let payload: [UInt8] = [index == 0 ? 0x10 : 0x00] + first
      assembler.insert(
        payload.span, number: number, timestamp: RTPTimestamp(rawValue: 0), marker: false, at: start)
      #expect(assembler.nextFrame(at: start) == nil)
      #expect(assembler.packetCount <= 100)
      number = number + 1
    }
  }

  @Test func `A long pause is a freeze`() {
    var source = Source()
    var assembler = FrameAssembler(codec: .vp8)
    var time = 0
    for index in 0..<100 {
      assembler.insert(source.frame(isKeyFrame: index == 0), at: at(time))
      _ = assembler.frames(at: at(time))
      time += index == 50 ? 433 : 33
    }
    #expect(assembler.statistics.freezeCount == 1)
    #expect(assembler.statistics.totalFreezesDuration == .milliseconds(433))
  }

  @Test func `The layers of a VP9 picture are one frame, up to the marker`() {
    var assembler = FrameAssembler(codec: .vp9)
    let number = ExtendedSequenceNumber(SequenceNumber(rawValue: 65_535))
    // B and E set, L and non-flexible; spatial layers 0 and 1.
    let payloads: [[UInt8]] = [
      [0x2C, 0x00, 7] + VideoFixture.vp9(isKeyFrame: true, count: 20), [0x2C, 0x03, 7] + [1, 2, 3],
    ]
    for (index, payload) in payloads.enumerated() {
      #expect(assembler.nextFrame(at: start) == nil)
      assembler.insert(
        payload.span, number: number + index, timestamp: RTPTimestamp(rawValue: 1), marker: index == 1, at: start)
    }
    let frame = assembler.nextFrame(at: start)
    #expect(frame?.payload == VideoFixture.vp9(isKeyFrame: true, count: 20) + [1, 2, 3])
    #expect(frame?.size == PictureSize(width: 640, height: 360))
  }

  /// Pictures 0, 1 and 2 come, 3 is lost; then one that builds on pictures so far back.
  @Test(arguments: [([2], true), ([2, 3], true), ([1], false), ([2, 1], false), ([100], false)] as [([UInt8], Bool)])
  func `In VP9's flexible mode a frame goes on behind a gap if what it builds on is here`(
    distances: [UInt8], isDecodable: Bool
  ) {
    var assembler = FrameAssembler(codec: .vp9)
    for picture in [0, 1, 2, 4] as [UInt8] {
      var payload: [UInt8] = [picture == 0 ? 0x9C : 0xDC, picture]
      let references = picture == 4 ? distances : picture == 0 ? [] : [1]
      for (index, distance) in references.enumerated() {
        payload.append(distance << 1 | (index < references.count - 1 ? 1 : 0))
      }
      payload += VideoFixture.vp9(isKeyFrame: picture == 0, count: 20)
      assembler.insert(
        payload.span, number: ExtendedSequenceNumber(rawValue: Int64(picture)),
        timestamp: RTPTimestamp(rawValue: UInt32(picture) * 3000), marker: true, at: start)
    }
    #expect(assembler.frames(at: start).count == 3)
    #expect(assembler.frames(at: at(500)).count == (isDecodable ? 1 : 0))
    #expect(assembler.needsKeyFrame == !isDecodable)
  }

  @Test(arguments: [VideoPayloadFormat.vp8, .vp9])
  func `Packets of any content in any order neither stop it nor make it grow`(codec: VideoPayloadFormat) {
    var generator = SeededGenerator(seed: 11)
    var assembler = FrameAssembler(codec: codec, configuration: .init(packetCapacity: 128))
    for step in 0..<20_000 {
      let payload = (0..<Int.random(in: 0...30, using: &generator)).map { _ in
        UInt8.random(in: 0...255, using: &generator)
      }
      let number = ExtendedSequenceNumber(rawValue: Int64(step / 2) + Int64.random(in: -50...50, using: &generator))
      assembler.insert(
        payload.span, number: number, timestamp: RTPTimestamp(rawValue: UInt32(step / 8)),
        marker: Bool.random(using: &generator), at: at(step))
      while assembler.nextFrame(at: at(step)) != nil {}
      #expect(assembler.packetCount <= 128)
    }
    assembler.restart()
    #expect(assembler.packetCount == 0)
  }
}
