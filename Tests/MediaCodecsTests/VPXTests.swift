import Testing

@testable import MediaCodecs

@Suite(.timeLimit(.minutes(1))) struct VPXTests {
  private let small = VideoSize(width: 160, height: 90)

  private func encoder(_ codec: VideoCodec, kilobits: Int = 500, drops: Bool = false, threads: Int = 1) throws
    -> VPXEncoder
  {
    var configuration = VPXEncoder.Configuration(codec: codec)
    configuration.bitsPerSecond = kilobits * 1_000
    configuration.dropsFrames = drops
    configuration.threadCount = threads
    return try VPXEncoder(configuration)
  }

  private func packets(_ codec: VideoCodec, count: Int, size: VideoSize) throws -> [VPXEncoder.Packet] {
    let encoder = try encoder(codec)
    return try (0..<count).compactMap { try encoder.encode(Pictures.moving($0, size: size)) }
  }

  @Test(arguments: VideoCodec.allCases, [1, 2])
  func `pictures come back with their size, time and brightness`(codec: VideoCodec, threads: Int) throws {
    let encoder = try encoder(codec, threads: threads)
    let decoder = VPXDecoder(codec: codec)
    for index in 0..<20 {
      let source = Pictures.moving(index, size: small)
      let packet = try #require(try encoder.encode(source))
      #expect(packet.isKeyFrame == (index == 0))
      let picture = try #require(try decoder.decode(packet.bytes.span, timestamp: packet.timestamp))
      #expect(picture.size == small)
      #expect(picture.timestamp == source.timestamp)
      #expect(abs(picture.meanColor.y - source.meanColor.y) < 3)
    }
  }

  @Test(arguments: VideoCodec.allCases)
  func `a key frame comes when it is asked for, once`(codec: VideoCodec) throws {
    let encoder = try encoder(codec)
    let keys = try (0..<30).filter { index in
      if index == 7 || index == 20 { encoder.requestKeyFrame() }
      let packet = try #require(try encoder.encode(Pictures.moving(index, size: small)))
      #expect(VPXFrameHeader(codec, packet.bytes.span)?.isKeyFrame == packet.isKeyFrame)
      return packet.isKeyFrame
    }
    #expect(keys == [0, 7, 20])
  }

  @Test(arguments: VideoCodec.allCases)
  func `a new bitrate is kept to`(codec: VideoCodec) throws {
    let size = VideoSize(width: 320, height: 180)
    let encoder = try encoder(codec, kilobits: 600, drops: true)
    func rate(_ range: Range<Int>) throws -> Double {
      let packets = try range.map { try encoder.encode(Pictures.moving($0, size: size)) }
      // The second half: rate control needs a moment to settle.
      let bytes = packets.suffix(range.count / 2).reduce(0) { $0 + ($1?.bytes.count ?? 0) }
      return Double(bytes) * 8 / (Double(range.count / 2) / 30) / 1_000
    }
    let high = try rate(0..<120)
    encoder.bitsPerSecond = 200_000
    let low = try rate(120..<240)
    encoder.bitsPerSecond = 600_000
    let again = try rate(240..<360)
    #expect((450...750).contains(high), "\(high) kbit/s of 600")
    #expect((140...260).contains(low), "\(low) kbit/s of 200")
    #expect((450...750).contains(again), "\(again) kbit/s of 600")
  }

  @Test(arguments: VideoCodec.allCases)
  func `a new size in every picture decodes, up and down, odd and even, to 1×1`(codec: VideoCodec) throws {
    let encoder = try encoder(codec)
    let decoder = VPXDecoder(codec: codec)
    let sizes = [(160, 90), (161, 91), (1, 1), (640, 360), (2, 3), (17, 400), (160, 90), (1, 64)]
    for (index, (width, height)) in sizes.enumerated() {
      let size = VideoSize(width: width, height: height)
      let packet = try #require(try encoder.encode(Pictures.moving(index, size: size)))
      #expect(packet.isKeyFrame)
      #expect(VPXFrameHeader(codec, packet.bytes.span)?.size == size)
      #expect(try decoder.decode(packet.bytes.span, timestamp: .zero)?.size == size)
    }
  }

  @Test(arguments: VideoCodec.allCases)
  func `every truncation of a frame is refused or survived, and a key frame mends it`(codec: VideoCodec) throws {
    let packets = try packets(codec, count: 2, size: VideoSize(width: 64, height: 48))
    let (key, delta) = (packets[0].bytes, packets[1].bytes)
    let decoder = VPXDecoder(codec: codec)
    for length in 0..<key.count {
      _ = try? decoder.decode(key.span.extracting(first: length), timestamp: .zero)
    }
    for length in 0..<delta.count {
      #expect(try decoder.decode(key.span, timestamp: .zero) != nil)
      _ = try? decoder.decode(delta.span.extracting(first: length), timestamp: .zero)
    }
    let nothing: [UInt8] = []
    #expect(throws: VPXError.corruptFrame) { try decoder.decode(nothing.span, timestamp: .zero) }
    #expect(decoder.needsKeyFrame)
    #expect(throws: VPXError.keyFrameNeeded) { try decoder.decode(delta.span, timestamp: .zero) }
    #expect(try decoder.decode(key.span, timestamp: .zero) != nil)
    #expect(try decoder.decode(delta.span, timestamp: .zero) != nil)
  }

  @Test(arguments: VideoCodec.allCases)
  func `random bytes and flipped bits never stop the decoder`(codec: VideoCodec) throws {
    var random = SeededGenerator(state: 7)
    let packets = try packets(codec, count: 6, size: VideoSize(width: 64, height: 48))
    let decoder = VPXDecoder(codec: codec, pixelLimit: 320 * 240)
    for _ in 0..<300 {
      let noise = (0..<Int.random(in: 0..<200, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
      _ = try? decoder.decode(noise.span, timestamp: .zero)
      for packet in packets {
        var bytes = packet.bytes
        if Int.random(in: 0..<3, using: &random) == 0 {
          bytes[Int.random(in: 0..<min(bytes.count, 40), using: &random)] ^= UInt8.random(in: 1...255, using: &random)
        }
        if let picture = try? decoder.decode(bytes.span, timestamp: .zero) {
          #expect(picture.size.pixelCount <= 320 * 240)
        }
      }
    }
    let key = packets[0].bytes
    #expect(try decoder.decode(key.span, timestamp: .zero) != nil)
  }

  @Test func `a picture beyond the limit is refused by its header`() throws {
    for (width, height, size) in [(0xFF, 0x3F, 16_383), (0x01, 0x10, 4_097)] {
      let header: [UInt8] = [0x10, 0, 0, 0x9D, 0x01, 0x2A, UInt8(width), UInt8(height), UInt8(width), UInt8(height)]
      #expect(throws: VPXError.tooLarge(VideoSize(width: size, height: size))) {
        try VPXDecoder(codec: .vp8).decode(header.span, timestamp: .zero)
      }
    }
    // Frame marker 2, profile 0, key frame, shown; sync code; colours; 16 bits each of width − 1 and height − 1.
    let vp9: [UInt8] = [0x82, 0x49, 0x83, 0x42, 0x0F, 0xFF, 0xFF, 0xFF, 0xF0]
    #expect(throws: VPXError.tooLarge(VideoSize(width: 65_536, height: 65_536))) {
      try VPXDecoder(codec: .vp9).decode(vp9.span, timestamp: .zero)
    }
    // The same as the hidden second frame of a superframe.
    let superframe = vp9 + vp9 + [0xC1, 9, 9, 0xC1]
    #expect(VPXFrameHeader.vp9Frames(in: superframe.span) == [0..<9, 9..<18])
    let small = try packets(.vp9, count: 1, size: small)[0].bytes
    let hidden = small + vp9 + [0xC9, UInt8(small.count & 0xFF), UInt8(small.count >> 8), 9, 0, 0xC9]
    #expect(throws: VPXError.tooLarge(VideoSize(width: 65_536, height: 65_536))) {
      try VPXDecoder(codec: .vp9).decode(hidden.span, timestamp: .zero)
    }
    let limited = VPXDecoder(codec: .vp9, pixelLimit: 160 * 90 - 1)
    #expect(throws: VPXError.tooLarge(VideoSize(width: 160, height: 90))) {
      try limited.decode(small.span, timestamp: .zero)
    }
    let zero: [UInt8] = [0x10, 0, 0, 0x9D, 0x01, 0x2A, 0, 0, 8, 0]
    #expect(throws: VPXError.corruptFrame) { try VPXDecoder(codec: .vp8).decode(zero.span, timestamp: .zero) }
  }

  @Test(arguments: VideoCodec.allCases)
  func `time that stands still, goes back or leaps is encoded all the same`(codec: VideoCodec) throws {
    let encoder = try encoder(codec)
    for time in [Duration.seconds(5), .seconds(5), .zero, .seconds(-9), .seconds(100_000), .seconds(100_001)] {
      let packet = try #require(try encoder.encode(Pictures.plain(100, size: small, timestamp: time)))
      #expect(packet.timestamp == time)
    }
  }

  @Test func `pictures share their pixels, and their memory is used again within bounds`() {
    for index in 0..<200 {
      let size = VideoSize(width: 64 + index, height: 64)
      let frames = (0..<3).map { Pictures.plain(UInt8($0), size: size) }
      let copy = frames[1]
      #expect(copy.meanColor == MeanColor(y: 1, u: 128, v: 128))
      #expect(VideoFramePool.shared.byteCount <= VideoFramePool.byteLimit)
    }
    let large = Pictures.plain(9, size: VideoSize(width: 16_383, height: 1))
    #expect(large.meanColor.y == 9)
  }
}
