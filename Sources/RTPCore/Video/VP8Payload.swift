/// What stands before the VP8 data in each payload.
///
/// ```
///      0 1 2 3 4 5 6 7
///     +-+-+-+-+-+-+-+-+
///     |X|R|N|S|R| PID | (REQUIRED)
///     +-+-+-+-+-+-+-+-+
/// X:  |I|L|T|K| RSV   | (OPTIONAL)
///     +-+-+-+-+-+-+-+-+
/// I:  |M| PictureID   | (OPTIONAL)
///     +-+-+-+-+-+-+-+-+
///     |   PictureID   | (if M)
///     +-+-+-+-+-+-+-+-+
/// L:  |   TL0PICIDX   | (OPTIONAL)
///     +-+-+-+-+-+-+-+-+
/// T/K:|TID|Y| KEYIDX  | (OPTIONAL)
///     +-+-+-+-+-+-+-+-+
/// ```
///
/// - Specification: RFC 7741 §4.2
package struct VP8Descriptor: Hashable, Sendable {
  package struct TemporalLayer: Hashable, Sendable {
    /// TID, 0 to 3.
    package var identifier: UInt8
    /// Y: the frame needs the lowest layer only.
    package var isSync: Bool

    package init(identifier: UInt8, isSync: Bool) {
      self.identifier = identifier
      self.isSync = isSync
    }
  }

  /// N: no other frame needs this one.
  package var isNonReference = false
  /// S: the payload begins a partition.
  package var startsPartition: Bool
  /// PID, 0 to 7.
  package var partition: UInt8 = 0
  package var pictureID: PictureID?
  /// TL0PICIDX
  package var baseLayerIndex: UInt8?
  package var temporalLayer: TemporalLayer?
  /// KEYIDX, 0 to 31: counts the key frames.
  package var keyIndex: UInt8?

  package init(startsPartition: Bool, pictureID: PictureID? = nil) {
    self.startsPartition = startsPartition
    self.pictureID = pictureID
  }

  package var beginsFrame: Bool { startsPartition && partition == 0 }

  /// - Returns: the descriptor and where the data begins; at least one byte of data follows.
  package static func parse(
    _ payload: Span<UInt8>
  ) throws(VideoPayloadError) -> (descriptor: VP8Descriptor, dataStart: Int) {
    guard payload.count >= 1 else { throw .truncated }
    let first = payload[0]
    var descriptor = VP8Descriptor(startsPartition: first & 0x10 != 0)
    descriptor.isNonReference = first & 0x20 != 0
    descriptor.partition = first & 0x07
    var offset = 1
    if first & 0x80 != 0 {
      guard payload.count >= 2 else { throw .truncated }
      let extensions = payload[1]
      offset = 2
      if extensions & 0x80 != 0 {
        guard let identifier = PictureID(parsing: payload, at: &offset) else { throw .truncated }
        descriptor.pictureID = identifier
      }
      if extensions & 0x40 != 0 {
        guard offset < payload.count else { throw .truncated }
        descriptor.baseLayerIndex = payload[offset]
        offset += 1
      }
      if extensions & 0x30 != 0 {
        guard offset < payload.count else { throw .truncated }
        let layer = payload[offset]
        if extensions & 0x20 != 0 {
          descriptor.temporalLayer = TemporalLayer(identifier: layer >> 6, isSync: layer & 0x20 != 0)
        }
        if extensions & 0x10 != 0 { descriptor.keyIndex = layer & 0x1F }
        offset += 1
      }
    }
    guard offset < payload.count else { throw .truncated }
    return (descriptor, offset)
  }

  package func write(to payload: inout [UInt8]) {
    precondition(partition < 8 && keyIndex ?? 0 < 32 && temporalLayer?.identifier ?? 0 < 4, "RFC 7741 §4.2")
    var extensions: UInt8 = 0
    if pictureID != nil { extensions |= 0x80 }
    if baseLayerIndex != nil { extensions |= 0x40 }
    if temporalLayer != nil { extensions |= 0x20 }
    if keyIndex != nil { extensions |= 0x10 }
    payload.append(
      (extensions != 0 ? 0x80 : 0) | (isNonReference ? 0x20 : 0) | (startsPartition ? 0x10 : 0) | partition)
    guard extensions != 0 else { return }
    payload.append(extensions)
    pictureID?.write(to: &payload)
    if let baseLayerIndex { payload.append(baseLayerIndex) }
    guard temporalLayer != nil || keyIndex != nil else { return }
    let layer = temporalLayer.map { $0.identifier << 6 | ($0.isSync ? 0x20 : 0) } ?? 0
    payload.append(layer | (keyIndex ?? 0))
  }
}

/// The beginning of an encoded VP8 frame.
///
/// ```
///  0 1 2 3 4 5 6 7
/// +-+-+-+-+-+-+-+-+
/// |Size0|H| VER |P|   P: 0 in key frames
/// +-+-+-+-+-+-+-+-+
/// |     Size1     |
/// |     Size2     |
/// +-+-+-+-+-+-+-+-+   in key frames: 9D 01 2A, width and height, 14 bits each, little-endian
/// ```
///
/// - Specification: RFC 7741 §4.3, RFC 6386 §9.1
package struct VP8FrameHeader: Hashable, Sendable {
  package let isKeyFrame: Bool
  /// Of a key frame; nil where the frame is cut off before it.
  package let size: PictureSize?

  /// Nil when there is nothing to read.
  package init?(parsing frame: Span<UInt8>) {
    guard !frame.isEmpty else { return nil }
    isKeyFrame = frame[0] & 0x01 == 0
    guard isKeyFrame, frame.count >= 10, frame.uint24(at: 3) == 0x9D_012A else {
      size = nil
      return
    }
    size = PictureSize(
      width: Int(frame.uint16(at: 6).byteSwapped & 0x3FFF), height: Int(frame.uint16(at: 8).byteSwapped & 0x3FFF))
  }
}

/// Cuts encoded frames into payloads.
///
/// - Specification: RFC 7741 §4.4
package struct VP8Packetizer: VideoPacketizer {
  private var pictureID: PictureID

  /// - Parameter firstPictureID: random.
  package init(firstPictureID: PictureID) {
    pictureID = firstPictureID
  }

  package func overhead(of frame: Span<UInt8>) -> Int { 4 }

  package func writePayload(_ range: Range<Int>, of frame: Span<UInt8>, to packet: inout [UInt8]) {
    VP8Descriptor(startsPartition: range.lowerBound == 0, pictureID: pictureID).write(to: &packet)
    packet.append(frame.extracting(range))
  }

  package mutating func nextFrame() {
    pictureID = pictureID + 1
  }
}
