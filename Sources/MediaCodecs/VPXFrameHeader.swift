/// What the first bytes of an encoded picture tell, read without a decoder: so that a picture's size is known before anyone
/// makes room for it.
package struct VPXFrameHeader: Equatable, Sendable {
  /// Whether decoding can begin here.
  package var isKeyFrame: Bool
  /// The size that the header states. Nil when it states none and the picture is as large as those that it refers to.
  package var size: VideoSize?

  /// - Returns: nil when the bytes are no frame of the codec, or of a VP9 profile other than 0.
  package init?(_ codec: VideoCodec, _ bytes: Span<UInt8>) {
    switch codec {
    case .vp8: self.init(vp8: bytes)
    case .vp9: self.init(vp9: bytes)
    }
  }

  /// ```
  ///  0 1 2 3 4 5 6 7
  /// +-+-+-+-+-+-+-+-+
  /// |Size0|H| VER |P|   P: 0 for a key frame
  /// +-+-+-+-+-+-+-+-+
  /// |     Size1     |
  /// |     Size2     |
  /// +-+-+-+-+-+-+-+-+   of a key frame also:
  /// | 9D    01   2A |   start code
  /// | width    (14) |   little-endian, the upper 2 bits a scaling that nobody applies
  /// | height   (14) |
  /// ```
  /// - Specification: RFC 6386 §9.1
  private init?(vp8 bytes: Span<UInt8>) {
    guard bytes.count >= 3 else { return nil }
    isKeyFrame = bytes[0] & 1 == 0
    guard isKeyFrame else { return }
    guard bytes.count >= 10, bytes[3] == 0x9D, bytes[4] == 0x01, bytes[5] == 0x2A else { return nil }
    size = VideoSize(
      width: Int(bytes[6]) | Int(bytes[7] & 0x3F) << 8, height: Int(bytes[8]) | Int(bytes[9] & 0x3F) << 8)
  }

  /// The uncompressed header up to the size: "VP9 Bitstream & Decoding Process Specification", §6.2.
  private init?(vp9 bytes: Span<UInt8>) {
    var bit = 0
    var isShort = false
    func read(_ count: Int) -> Int {
      var value = 0
      for _ in 0..<count {
        guard bit >> 3 < bytes.count else {
          isShort = true
          return 0
        }
        value = value << 1 | Int(bytes[bit >> 3] >> UInt8(7 - bit & 7)) & 1
        bit += 1
      }
      return value
    }
    func readSize() -> VideoSize {
      let width = read(16) + 1
      return VideoSize(width: width, height: read(16) + 1)
    }

    isKeyFrame = false
    let frameMarker = read(2)
    let profile = read(2)
    guard frameMarker == 2, profile == 0 else { return nil }
    // show_existing_frame
    if read(1) == 1 {
      if isShort { return nil }
      return
    }
    isKeyFrame = read(1) == 0
    let isShown = read(1) == 1
    let isErrorResilient = read(1) == 1
    if isKeyFrame {
      guard read(24) == Self.vp9SyncCode else { return nil }
      let colorSpace = read(3)
      // sRGB is 4:4:4, which profile 0 has not.
      guard colorSpace != 7 else { return nil }
      _ = read(1)
      size = readSize()
    } else {
      let isIntraOnly = isShown ? false : read(1) == 1
      if !isErrorResilient { _ = read(2) }
      if isIntraOnly {
        guard read(24) == Self.vp9SyncCode else { return nil }
        _ = read(8)
        size = readSize()
      } else {
        _ = read(8 + 3 * 4)
        let takesReferenceSize = read(1) == 1 || read(1) == 1 || read(1) == 1
        if !takesReferenceSize { size = readSize() }
      }
    }
    if isShort { return nil }
  }

  private static let vp9SyncCode = 0x49_83_42
}

extension VPXFrameHeader {
  /// The frames of a VP9 packet that has an index of them at its end (a "superframe"): all but the last are not shown. A packet
  /// without an index is one frame.
  ///
  /// - Returns: nil when the index states more than there is.
  static func vp9Frames(in bytes: Span<UInt8>) -> [Range<Int>]? {
    let whole = [0..<bytes.count]
    guard bytes.count > 0, case let marker = bytes[bytes.count - 1], marker & 0xE0 == 0xC0 else { return whole }
    let frameCount = Int(marker & 7) + 1
    let width = Int(marker >> 3 & 3) + 1
    let indexStart = bytes.count - 2 - width * frameCount
    guard indexStart >= 0, bytes[indexStart] == marker else { return whole }
    var frames: [Range<Int>] = []
    var start = 0
    for frame in 0..<frameCount {
      var size = 0
      for byte in 0..<width { size |= Int(bytes[indexStart + 1 + frame * width + byte]) << (8 * byte) }
      guard size <= indexStart - start else { return nil }
      if size > 0 { frames.append(start..<start + size) }
      start += size
    }
    return frames
  }
}
