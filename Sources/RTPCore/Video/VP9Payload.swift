/// What stands before the VP9 data in each payload.
///
/// ```
///      0 1 2 3 4 5 6 7
///     +-+-+-+-+-+-+-+-+
///     |I|P|L|F|B|E|V|Z| (REQUIRED)
///     +-+-+-+-+-+-+-+-+
/// I:  |M| PICTURE ID  | (REQUIRED in flexible mode)
///     +-+-+-+-+-+-+-+-+
/// M:  | EXTENDED PID  | (RECOMMENDED)
///     +-+-+-+-+-+-+-+-+
/// L:  | TID |U| SID |D| (CONDITIONALLY RECOMMENDED)
///     +-+-+-+-+-+-+-+-+
///     |   TL0PICIDX   | (in non-flexible mode)
///     +-+-+-+-+-+-+-+-+
/// P,F:| P_DIFF      |N| (in flexible mode, up to 3 times)
///     +-+-+-+-+-+-+-+-+
/// V:  | SS            |
///     | ..            |
///     +-+-+-+-+-+-+-+-+
/// ```
///
/// - Specification: RFC 9628 §4.2
package struct VP9Descriptor: Hashable, Sendable {
  package struct Layer: Hashable, Sendable {
    /// TID, 0 to 7.
    package var temporal: UInt8
    /// U: a decoder may go up to this temporal layer here.
    package var isSwitchingUpPoint: Bool
    /// SID, 0 to 7.
    package var spatial: UInt8
    /// D: builds on the spatial layer below.
    package var dependsOnLowerSpatialLayer: Bool

    package init(
      temporal: UInt8, isSwitchingUpPoint: Bool = false, spatial: UInt8 = 0, dependsOnLowerSpatialLayer: Bool = false
    ) {
      self.temporal = temporal
      self.isSwitchingUpPoint = isSwitchingUpPoint
      self.spatial = spatial
      self.dependsOnLowerSpatialLayer = dependsOnLowerSpatialLayer
    }
  }

  /// I
  package var pictureID: PictureID?
  /// P: builds on earlier pictures.
  package var isPredicted: Bool
  /// L
  package var layer: Layer?
  /// F
  package var isFlexible = false
  /// B: begins a layer's frame.
  package var beginsFrame: Bool
  /// E: ends a layer's frame.
  package var endsFrame: Bool
  /// Z: no frame of a higher spatial layer builds on this one.
  package var isNotSpatialReference = false
  /// TL0PICIDX; told with a layer, in non-flexible mode.
  package var baseLayerIndex: UInt8?
  /// P_DIFF, 1 to 127 pictures back, at most three; in flexible mode.
  package var referenceDistances: [UInt8] = []
  /// V
  package var scalability: VP9ScalabilityStructure?

  package init(isPredicted: Bool, beginsFrame: Bool, endsFrame: Bool, pictureID: PictureID? = nil) {
    self.isPredicted = isPredicted
    self.beginsFrame = beginsFrame
    self.endsFrame = endsFrame
    self.pictureID = pictureID
  }

  /// - Returns: the descriptor and where the data begins; at least one byte of data follows.
  package static func parse(
    _ payload: Span<UInt8>
  ) throws(VideoPayloadError) -> (descriptor: VP9Descriptor, dataStart: Int) {
    guard payload.count >= 1 else { throw .truncated }
    let first = payload[0]
    var descriptor = VP9Descriptor(
      isPredicted: first & 0x40 != 0, beginsFrame: first & 0x08 != 0, endsFrame: first & 0x04 != 0)
    descriptor.isFlexible = first & 0x10 != 0
    descriptor.isNotSpatialReference = first & 0x01 != 0
    var offset = 1
    if first & 0x80 != 0 {
      guard let identifier = PictureID(parsing: payload, at: &offset) else { throw .truncated }
      descriptor.pictureID = identifier
    }
    if first & 0x20 != 0 {
      guard offset < payload.count else { throw .truncated }
      let layer = payload[offset]
      descriptor.layer = Layer(
        temporal: layer >> 5, isSwitchingUpPoint: layer & 0x10 != 0, spatial: layer >> 1 & 0x07,
        dependsOnLowerSpatialLayer: layer & 0x01 != 0)
      offset += 1
      if !descriptor.isFlexible {
        guard offset < payload.count else { throw .truncated }
        descriptor.baseLayerIndex = payload[offset]
        offset += 1
      }
    }
    if descriptor.isFlexible, descriptor.isPredicted {
      var isLast = false
      while !isLast {
        guard descriptor.referenceDistances.count < 3 else { throw .invalid }
        guard offset < payload.count else { throw .truncated }
        descriptor.referenceDistances.append(payload[offset] >> 1)
        isLast = payload[offset] & 0x01 == 0
        offset += 1
      }
    }
    if first & 0x02 != 0 {
      descriptor.scalability = try VP9ScalabilityStructure(parsing: payload, at: &offset)
    }
    guard offset < payload.count else { throw .truncated }
    return (descriptor, offset)
  }

  /// Appends the descriptor of a stream in non-flexible mode.
  package func write(to payload: inout [UInt8]) {
    precondition(!isFlexible && (layer == nil) == (baseLayerIndex == nil), "non-flexible mode is written")
    var first: UInt8 = (isPredicted ? 0x40 : 0) | (beginsFrame ? 0x08 : 0) | (endsFrame ? 0x04 : 0)
    if pictureID != nil { first |= 0x80 }
    if layer != nil { first |= 0x20 }
    if scalability != nil { first |= 0x02 }
    if isNotSpatialReference { first |= 0x01 }
    payload.append(first)
    pictureID?.write(to: &payload)
    if let layer, let baseLayerIndex {
      payload.append(
        layer.temporal << 5 | (layer.isSwitchingUpPoint ? 0x10 : 0) | layer.spatial << 1
          | (layer.dependsOnLowerSpatialLayer ? 0x01 : 0))
      payload.append(baseLayerIndex)
    }
    scalability?.write(to: &payload)
  }
}

/// How a stream's layers are built: told with its key frames.
///
/// ```
///      +-+-+-+-+-+-+-+-+
///      | N_S |Y|G|-|-|-|
///      +-+-+-+-+-+-+-+-+
/// Y:   |     WIDTH     | (16 bits, and as many of height; N_S + 1 times)
///      +-+-+-+-+-+-+-+-+
/// G:   |      N_G      |
///      +-+-+-+-+-+-+-+-+
/// N_G: | TID |U| R |-|-| (N_G times)
///      +-+-+-+-+-+-+-+-+
///      |    P_DIFF     | (R times)
///      +-+-+-+-+-+-+-+-+
/// ```
///
/// - Specification: RFC 9628 §4.2.1
package struct VP9ScalabilityStructure: Hashable, Sendable {
  package struct Picture: Hashable, Sendable {
    package var temporalLayer: UInt8
    package var isSwitchingUpPoint: Bool
    /// At most three.
    package var referenceDistances: [UInt8]

    package init(temporalLayer: UInt8, isSwitchingUpPoint: Bool, referenceDistances: [UInt8]) {
      self.temporalLayer = temporalLayer
      self.isSwitchingUpPoint = isSwitchingUpPoint
      self.referenceDistances = referenceDistances
    }
  }

  /// 1 to 8.
  package var spatialLayerCount: Int
  /// The lowest layer first; empty when they are not told.
  package var sizes: [PictureSize]
  /// The pictures of a group, at most 255; nil when it is not told.
  package var pictures: [Picture]?

  package init(spatialLayerCount: Int, sizes: [PictureSize], pictures: [Picture]? = nil) {
    precondition(1...8 ~= spatialLayerCount && (sizes.isEmpty || sizes.count == spatialLayerCount), "one size each")
    self.spatialLayerCount = spatialLayerCount
    self.sizes = sizes
    self.pictures = pictures
  }

  init(parsing payload: Span<UInt8>, at offset: inout Int) throws(VideoPayloadError) {
    guard offset < payload.count else { throw .truncated }
    let first = payload[offset]
    offset += 1
    spatialLayerCount = Int(first >> 5) + 1
    sizes = []
    if first & 0x10 != 0 {
      guard offset + 4 * spatialLayerCount <= payload.count else { throw .truncated }
      for _ in 0..<spatialLayerCount {
        sizes.append(
          PictureSize(width: Int(payload.uint16(at: offset)), height: Int(payload.uint16(at: offset + 2))))
        offset += 4
      }
    }
    guard first & 0x08 != 0 else { return }
    guard offset < payload.count else { throw .truncated }
    let count = payload[offset]
    offset += 1
    var pictures: [Picture] = []
    for _ in 0..<count {
      guard offset < payload.count else { throw .truncated }
      let picture = payload[offset]
      let end = offset + 1 + Int(picture >> 2 & 0x03)
      guard end <= payload.count else { throw .truncated }
      pictures.append(
        Picture(
          temporalLayer: picture >> 5, isSwitchingUpPoint: picture & 0x10 != 0,
          referenceDistances: payload.bytes(in: offset + 1..<end)))
      offset = end
    }
    self.pictures = pictures
  }

  func write(to payload: inout [UInt8]) {
    payload.append(UInt8(spatialLayerCount - 1) << 5 | (sizes.isEmpty ? 0 : 0x10) | (pictures == nil ? 0 : 0x08))
    for size in sizes {
      payload.append(uint16: UInt16(clamping: size.width))
      payload.append(uint16: UInt16(clamping: size.height))
    }
    guard let pictures else { return }
    precondition(pictures.count <= 255, "a count has eight bits")
    payload.append(UInt8(pictures.count))
    for picture in pictures {
      precondition(picture.referenceDistances.count <= 3, "R has two bits")
      payload.append(
        picture.temporalLayer << 5 | (picture.isSwitchingUpPoint ? 0x10 : 0)
          | UInt8(picture.referenceDistances.count) << 2)
      payload.append(contentsOf: picture.referenceDistances)
    }
  }
}

/// The beginning of an encoded VP9 frame: the uncompressed header up to the size.
///
/// - Specification: VP9 Bitstream & Decoding Process Specification §6.2, §7.2
package struct VP9FrameHeader: Hashable, Sendable {
  package let isKeyFrame: Bool
  /// Of a key frame; nil where the frame is cut off before it.
  package let size: PictureSize?

  /// Nil when the bytes do not begin a VP9 frame.
  package init?(parsing frame: Span<UInt8>) {
    var offset = 0
    /// Bits, the highest first; nil at the end.
    func bits(_ count: Int, of frame: Span<UInt8>) -> Int? {
      guard offset + count <= 8 * frame.count else { return nil }
      var value = 0
      for _ in 0..<count {
        value = value << 1 | Int(frame[offset >> 3] >> UInt8(7 - offset & 7) & 1)
        offset += 1
      }
      return value
    }
    // frame_marker, profile_low_bit, profile_high_bit
    guard bits(2, of: frame) == 2, let low = bits(1, of: frame), let high = bits(1, of: frame) else { return nil }
    let profile = high << 1 | low
    if profile == 3 { offset += 1 }
    // show_existing_frame: nothing is encoded.
    guard let existing = bits(1, of: frame) else { return nil }
    guard existing == 0 else {
      isKeyFrame = false
      size = nil
      return
    }
    guard let frameType = bits(1, of: frame), bits(2, of: frame) != nil else { return nil }
    isKeyFrame = frameType == 0
    guard isKeyFrame, bits(24, of: frame) == 0x49_8342 else {
      size = nil
      return
    }
    if profile >= 2 { offset += 1 }  // ten_or_twelve_bit
    let colorSpace = bits(3, of: frame)
    let isRGB = colorSpace == 7
    let isSubsampledFreely = profile & 1 == 1
    // color_range, then subsampling and a reserved bit
    offset += (isRGB ? 0 : 1) + (isSubsampledFreely ? (isRGB ? 1 : 3) : 0)
    guard let width = bits(16, of: frame), let height = bits(16, of: frame) else {
      size = nil
      return
    }
    size = PictureSize(width: width + 1, height: height + 1)
  }
}

/// Cuts encoded frames of one layer into payloads, in non-flexible mode.
///
/// A key frame's first payload tells the size.
///
/// - Specification: RFC 9628 §4.2, §4.4
package struct VP9Packetizer: VideoPacketizer {
  private var pictureID: PictureID

  /// - Parameter firstPictureID: random.
  package init(firstPictureID: PictureID) {
    pictureID = firstPictureID
  }

  package func overhead(of frame: Span<UInt8>) -> Int {
    VP9FrameHeader(parsing: frame)?.isKeyFrame == true ? 10 : 3
  }

  package func writePayload(_ range: Range<Int>, of frame: Span<UInt8>, to packet: inout [UInt8]) {
    let header = VP9FrameHeader(parsing: frame)
    var descriptor = VP9Descriptor(
      isPredicted: header?.isKeyFrame != true, beginsFrame: range.lowerBound == 0,
      endsFrame: range.upperBound == frame.count, pictureID: pictureID)
    if range.lowerBound == 0, let size = header?.size {
      // One picture that builds on the one before.
      descriptor.scalability = VP9ScalabilityStructure(
        spatialLayerCount: 1, sizes: [size],
        pictures: [.init(temporalLayer: 0, isSwitchingUpPoint: false, referenceDistances: [1])])
    }
    descriptor.write(to: &packet)
    packet.append(frame.extracting(range))
  }

  package mutating func nextFrame() {
    pictureID = pictureID + 1
  }
}
