import Testing

@testable import RTPCore

/// Frames as far as payloads look into them.
enum VideoFixture {
  static func vp8(isKeyFrame: Bool, count: Int, width: Int = 640, height: Int = 360) -> [UInt8] {
    var frame: [UInt8] = [isKeyFrame ? 0x10 : 0x11, 0, 0]
    if isKeyFrame {
      frame += [0x9D, 0x01, 0x2A, UInt8(width & 0xFF), UInt8(width >> 8), UInt8(height & 0xFF), UInt8(height >> 8)]
    }
    if frame.count < count { frame += Self.filling[frame.count % 256..<frame.count % 256 + count - frame.count] }
    return frame
  }

  private static let filling = (0..<100_000).map { UInt8(truncatingIfNeeded: $0) }

  /// Profile 0, shown, BT.601.
  static func vp9(isKeyFrame: Bool, count: Int, width: Int = 640, height: Int = 360) -> [UInt8] {
    var bits = "10" + "00" + "0" + (isKeyFrame ? "0" : "1") + "1" + "0"
    func append(_ value: Int, _ count: Int) {
      let digits = String(value, radix: 2)
      bits += String(repeating: "0", count: count - digits.count) + digits
    }
    if isKeyFrame {
      append(0x49_8342, 24)
      append(1, 3)
      append(0, 1)
      append(width - 1, 16)
      append(height - 1, 16)
    }
    while bits.count % 8 != 0 { bits += "0" }
    var frame: [UInt8] = []
    var rest = bits[...]
    while !rest.isEmpty {
      frame.append(UInt8(rest.prefix(8), radix: 2) ?? 0)
      rest = rest.dropFirst(8)
    }
    while frame.count < count { frame.append(UInt8(truncatingIfNeeded: frame.count)) }
    return frame
  }

  static func frame(_ codec: VideoPayloadFormat, isKeyFrame: Bool, count: Int) -> [UInt8] {
    codec == .vp8 ? vp8(isKeyFrame: isKeyFrame, count: count) : vp9(isKeyFrame: isKeyFrame, count: count)
  }
}

@Suite("VP8 payloads")
struct VP8PayloadTests {
  static let descriptors: [(VP8Descriptor, [UInt8])] = {
    var full = VP8Descriptor(startsPartition: true, pictureID: PictureID(0x1234))
    full.isNonReference = true
    full.baseLayerIndex = 0xAB
    full.temporalLayer = .init(identifier: 2, isSync: true)
    full.keyIndex = 17
    var layered = VP8Descriptor(startsPartition: true, pictureID: PictureID(0x11, isLong: false))
    layered.temporalLayer = .init(identifier: 3, isSync: false)
    var keyed = VP8Descriptor(startsPartition: false)
    keyed.partition = 7
    keyed.keyIndex = 31
    return [
      (VP8Descriptor(startsPartition: true), [0x10]),
      (VP8Descriptor(startsPartition: false), [0x00]),
      // RFC 7741 §4.6.1, §4.6.3: a key frame's first packet; one of a frame in two packets.
      (VP8Descriptor(startsPartition: true, pictureID: PictureID(0x11, isLong: false)), [0x90, 0x80, 0x11]),
      (VP8Descriptor(startsPartition: true, pictureID: PictureID(0x1234)), [0x90, 0x80, 0x92, 0x34]),
      (layered, [0x90, 0xA0, 0x11, 0xC0]),
      (keyed, [0x87, 0x10, 0x1F]),
      (full, [0xB0, 0xF0, 0x92, 0x34, 0xAB, 0xB1]),
    ]
  }()

  @Test(arguments: descriptors.indices)
  func `A descriptor has the bytes of RFC 7741, and is refused where it is cut off`(index: Int) throws {
    let (descriptor, bytes) = Self.descriptors[index]
    var written: [UInt8] = []
    descriptor.write(to: &written)
    #expect(written == bytes)
    let (read, start) = try VP8Descriptor.parse((bytes + [0xFF]).span)
    #expect(read == descriptor)
    #expect(start == bytes.count)
    for count in 0...bytes.count {
      #expect(throws: VideoPayloadError.truncated) { try VP8Descriptor.parse(Array(bytes.prefix(count)).span) }
    }
  }

  @Test(arguments: [(1, 1), (640, 360), (16_383, 16_383)])
  func `A key frame tells its size`(width: Int, height: Int) {
    let frame = VideoFixture.vp8(isKeyFrame: true, count: 30, width: width, height: height)
    #expect(VP8FrameHeader(parsing: frame.span)?.size == PictureSize(width: width, height: height))
    for count in 1..<10 {
      let header = VP8FrameHeader(parsing: Array(frame.prefix(count)).span)
      #expect(header?.isKeyFrame == true)
      #expect(header?.size == nil)
    }
    #expect(VP8FrameHeader(parsing: VideoFixture.vp8(isKeyFrame: false, count: 30).span)?.isKeyFrame == false)
  }
}

@Suite("VP9 payloads")
struct VP9PayloadTests {
  static let descriptors: [(VP9Descriptor, [UInt8])] = {
    var layered = VP9Descriptor(isPredicted: true, beginsFrame: true, endsFrame: true, pictureID: PictureID(0x7FFF))
    layered.layer = .init(temporal: 5, isSwitchingUpPoint: true, spatial: 3, dependsOnLowerSpatialLayer: true)
    layered.baseLayerIndex = 9
    layered.isNotSpatialReference = true
    var structured = VP9Descriptor(isPredicted: false, beginsFrame: true, endsFrame: false)
    structured.scalability = VP9ScalabilityStructure(
      spatialLayerCount: 2, sizes: [PictureSize(width: 320, height: 180), PictureSize(width: 640, height: 360)],
      pictures: [
        .init(temporalLayer: 0, isSwitchingUpPoint: false, referenceDistances: [4]),
        .init(temporalLayer: 2, isSwitchingUpPoint: true, referenceDistances: [1, 2, 3]),
        .init(temporalLayer: 1, isSwitchingUpPoint: false, referenceDistances: []),
      ])
    var bare = VP9Descriptor(isPredicted: false, beginsFrame: true, endsFrame: false)
    bare.scalability = VP9ScalabilityStructure(spatialLayerCount: 8, sizes: [])
    return [
      (VP9Descriptor(isPredicted: false, beginsFrame: false, endsFrame: false), [0x00]),
      (
        VP9Descriptor(isPredicted: true, beginsFrame: true, endsFrame: true, pictureID: PictureID(5, isLong: false)),
        [0xCC, 0x05]
      ),
      (layered, [0xED, 0xFF, 0xFF, 0xB7, 9]),
      (bare, [0x0A, 0xE0]),
      (
        structured,
        [
          0x0A, 0x38, 0x01, 0x40, 0x00, 0xB4, 0x02, 0x80, 0x01, 0x68, 3, 0x04, 4, 0x5C, 1, 2, 3, 0x20,
        ]
      ),
    ]
  }()

  @Test(arguments: descriptors.indices)
  func `A descriptor has the bytes of RFC 9628, and is refused where it is cut off`(index: Int) throws {
    let (descriptor, bytes) = Self.descriptors[index]
    var written: [UInt8] = []
    descriptor.write(to: &written)
    #expect(written == bytes)
    let (read, start) = try VP9Descriptor.parse((bytes + [0xFF]).span)
    #expect(read == descriptor)
    #expect(start == bytes.count)
    for count in 0...bytes.count {
      #expect(throws: VideoPayloadError.truncated) { try VP9Descriptor.parse(Array(bytes.prefix(count)).span) }
    }
  }

  @Test func `In flexible mode the references are told, three at most`() throws {
    let bytes: [UInt8] = [0xF8, 0x85, 0x39, 0x20, 0x03, 0x05, 0x08, 0xFF]
    let (descriptor, start) = try VP9Descriptor.parse(bytes.span)
    #expect(start == 7)
    #expect(descriptor.isFlexible)
    #expect(descriptor.referenceDistances == [1, 2, 4])
    #expect(descriptor.baseLayerIndex == nil)
    for count in 0..<start {
      #expect(throws: VideoPayloadError.truncated) { try VP9Descriptor.parse(Array(bytes.prefix(count)).span) }
    }
    let tooMany: [UInt8] = [0xF8, 0x85, 0x39, 0x20, 0x03, 0x05, 0x09, 0x02, 0xFF]
    #expect(throws: VideoPayloadError.invalid) { try VP9Descriptor.parse(tooMany.span) }
  }

  @Test(arguments: [(1, 1), (640, 360), (16_383, 16_383), (65_536, 65_536)])
  func `A key frame tells its size`(width: Int, height: Int) {
    let frame = VideoFixture.vp9(isKeyFrame: true, count: 30, width: width, height: height)
    #expect(VP9FrameHeader(parsing: frame.span)?.size == PictureSize(width: width, height: height))
    for count in 0..<9 {
      #expect(VP9FrameHeader(parsing: Array(frame.prefix(count)).span)?.size == nil)
    }
    #expect(VP9FrameHeader(parsing: VideoFixture.vp9(isKeyFrame: false, count: 30).span)?.isKeyFrame == false)
  }
}

@Suite("Frames are cut into payloads")
struct PacketizerTests {
  static func payloads(_ codec: VideoPayloadFormat, _ frame: [UInt8], limit: Int) -> [[UInt8]] {
    switch codec {
    case .vp8:
      var packetizer = VP8Packetizer(firstPictureID: PictureID(7))
      return packetizer.payloads(of: frame.span, limit: limit)
    case .vp9:
      var packetizer = VP9Packetizer(firstPictureID: PictureID(7))
      return packetizer.payloads(of: frame.span, limit: limit)
    }
  }

  @Test(arguments: [VideoPayloadFormat.vp8, .vp9], [true, false])
  func `The pieces are within the limit, make up the frame and tell what it is`(
    codec: VideoPayloadFormat, isKeyFrame: Bool
  ) throws {
    for count in [1, 2, 11, 1187, 1188, 1189, 1196, 1197, 50_000] {
      let frame = Array(VideoFixture.frame(codec, isKeyFrame: isKeyFrame, count: count).prefix(count))
      let payloads = Self.payloads(codec, frame, limit: 1200)
      #expect(payloads.allSatisfy { $0.count <= 1200 })
      var whole: [UInt8] = []
      for (index, bytes) in payloads.enumerated() {
        let payload = try VideoPayload(codec: codec, parsing: bytes.span)
        #expect(payload.beginsFrame == (index == 0))
        #expect(payload.isKeyFrame == (index == 0 && isKeyFrame))
        #expect(payload.pictureID == PictureID(7))
        #expect(payload.size == (index == 0 && isKeyFrame && count >= 11 ? PictureSize(width: 640, height: 360) : nil))
        whole += bytes[payload.dataRange]
      }
      #expect(whole == frame)
    }
  }

  @Test(arguments: [VideoPayloadFormat.vp8, .vp9])
  func `No payload, however cut off or scrambled, stops the reader`(codec: VideoPayloadFormat) {
    var generator = SeededGenerator(seed: 3)
    for _ in 0..<20_000 {
      let count = Int.random(in: 0...40, using: &generator)
      let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
      if let payload = try? VideoPayload(codec: codec, parsing: bytes.span) {
        #expect(!payload.dataRange.isEmpty && payload.dataRange.upperBound == count)
      }
    }
  }

  @Test(arguments: [(127, false), (0x7FFF, true), (0, true), (1, false)] as [(UInt16, Bool)])
  func `Picture numbers wrap`(value: UInt16, isLong: Bool) {
    let identifier = PictureID(value, isLong: isLong)
    #expect((identifier + 1).distance(after: identifier) == 1)
    #expect((identifier + 100).distance(after: identifier) == 100)
  }
}
