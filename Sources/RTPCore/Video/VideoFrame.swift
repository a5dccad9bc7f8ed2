package import MediaTime

/// The video codecs whose payloads are understood.
package enum VideoPayloadFormat: Hashable, Sendable {
  /// - Specification: RFC 7741
  case vp8
  /// - Specification: RFC 9628
  case vp9
}

/// The ticks of a video stream's RTP timestamps in a second.
///
/// - Specification: RFC 7741 §4.1, RFC 9628 §4.1
package let videoClockRate = 90_000

/// A picture's size in pixels.
package struct PictureSize: Hashable, Sendable {
  package var width: Int
  package var height: Int

  package init(width: Int, height: Int) {
    self.width = width
    self.height = height
  }
}

/// One encoded picture to send.
package struct EncodedVideoFrame: Hashable, Sendable {
  package var payload: [UInt8]
  package var isKeyFrame: Bool
  /// Drives the RTP timestamp.
  package var capturedAt: Instant

  package init(payload: [UInt8], isKeyFrame: Bool, capturedAt: Instant) {
    self.payload = payload
    self.isKeyFrame = isKeyFrame
    self.capturedAt = capturedAt
  }
}

/// One frame that the peer sent, as it was encoded.
package struct ReceivedVideoFrame: Hashable, Sendable {
  package var codec: VideoPayloadFormat
  package var payload: [UInt8]
  package var isKeyFrame: Bool
  package var timestamp: RTPTimestamp
  /// Told by key frames; else nil.
  package var size: PictureSize?
  /// 0 where the stream has no temporal layers.
  package var temporalLayer: UInt8
  /// When the frame's first packet came.
  package var firstArrival: Instant
  /// The frame's place in what is received, in ticks of the clock rate from the first frame; goes on where the peer
  /// changes SSRC or restarts.
  package var position: Int64 = 0
  /// When it was captured, on the sender's wall clock; nil before the first sender report.
  package var captureTime: NTPTime?
}

/// The number that tells a stream's pictures apart.
///
/// - Specification: RFC 7741 §4.2, RFC 9628 §4.2
package struct PictureID: Hashable, Sendable {
  package private(set) var rawValue: UInt16
  /// 15 bits rather than 7.
  package let isLong: Bool

  package init(_ value: UInt16, isLong: Bool = true) {
    self.isLong = isLong
    rawValue = value & (isLong ? 0x7FFF : 0x7F)
  }

  package static func + (identifier: PictureID, distance: Int) -> PictureID {
    PictureID(identifier.rawValue &+ UInt16(truncatingIfNeeded: distance), isLong: identifier.isLong)
  }

  /// How many pictures later than `earlier` this one is, modulo what the shorter of the two holds.
  package func distance(after earlier: PictureID) -> Int {
    Int((rawValue &- earlier.rawValue) & (isLong && earlier.isLong ? 0x7FFF : 0x7F))
  }

  /// Reads the one or two bytes, which the first bit tells.
  init?(parsing payload: Span<UInt8>, at offset: inout Int) {
    guard offset < payload.count else { return nil }
    let isLong = payload[offset] & 0x80 != 0
    let end = offset + (isLong ? 2 : 1)
    guard end <= payload.count else { return nil }
    self.init(isLong ? payload.uint16(at: offset) : UInt16(payload[offset]), isLong: isLong)
    offset = end
  }

  func write(to payload: inout [UInt8]) {
    if isLong {
      payload.append(uint16: 0x8000 | rawValue)
    } else {
      payload.append(UInt8(rawValue))
    }
  }
}

/// Why bytes are not a video codec's payload.
package enum VideoPayloadError: Error, Hashable {
  case truncated
  /// What a specification forbids.
  case invalid
}

/// What a payload tells of the frame that it is a part of, whatever the codec.
package struct VideoPayload: Hashable, Sendable {
  /// Where the encoded data stands in the payload.
  package var dataRange: Range<Int>
  package var beginsFrame: Bool
  /// Known of a frame's first payload only.
  package var isKeyFrame: Bool
  package var size: PictureSize?
  package var pictureID: PictureID?
  package var temporalLayer: UInt8?
  /// The frame needs nothing of its own temporal layer: a decoder may go up to it here.
  package var isLayerSync: Bool
  /// TL0PICIDX: counts the pictures of the lowest layer; in the others, the last one that they build on.
  package var baseLayerIndex: UInt8?
  /// How many pictures back the ones that this one builds on are, where the stream tells (VP9, flexible mode).
  package var referenceDistances: [UInt8]?

  package init(codec: VideoPayloadFormat, parsing payload: Span<UInt8>) throws(VideoPayloadError) {
    switch codec {
    case .vp8:
      let (descriptor, start) = try VP8Descriptor.parse(payload)
      let header = descriptor.beginsFrame ? VP8FrameHeader(parsing: payload.extracting(start...)) : nil
      dataRange = start..<payload.count
      beginsFrame = descriptor.beginsFrame
      isKeyFrame = header?.isKeyFrame ?? false
      size = header?.size
      pictureID = descriptor.pictureID
      temporalLayer = descriptor.temporalLayer?.identifier
      isLayerSync = descriptor.temporalLayer?.isSync ?? false
      baseLayerIndex = descriptor.baseLayerIndex
    case .vp9:
      let (descriptor, start) = try VP9Descriptor.parse(payload)
      dataRange = start..<payload.count
      beginsFrame = descriptor.beginsFrame && descriptor.layer?.spatial ?? 0 == 0
      isKeyFrame = beginsFrame && !descriptor.isPredicted
      size = beginsFrame ? VP9FrameHeader(parsing: payload.extracting(start...))?.size : nil
      size = size ?? descriptor.scalability?.sizes.last
      pictureID = descriptor.pictureID
      temporalLayer = descriptor.layer?.temporal
      isLayerSync = descriptor.layer?.isSwitchingUpPoint ?? false
      baseLayerIndex = descriptor.baseLayerIndex
      referenceDistances = descriptor.isFlexible ? descriptor.referenceDistances : nil
    }
  }
}
