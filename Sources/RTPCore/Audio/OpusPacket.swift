/// Why bytes are not an Opus packet.
package enum OpusError: Error, Hashable {
  case empty
  /// The frame count is 0, or the frames last longer than 120 ms together.
  case invalidFrameCount
  /// The frames' lengths do not add up to the packet's, or one is longer than 1275 bytes.
  case invalidLength
}

/// What an Opus packet tells of itself without being decoded.
///
/// ```
///  0 1 2 3 4 5 6 7
/// +-+-+-+-+-+-+-+-+
/// | config  |s| c |   the table-of-contents byte
/// +-+-+-+-+-+-+-+-+
/// ```
///
/// - Specification: RFC 6716 §3.1, §3.2
package struct OpusPacket: Hashable, Sendable {
  package enum Mode: Hashable, Sendable {
    case silk
    case hybrid
    case celt
  }

  package let mode: Mode
  /// 1 or 2.
  package let channelCount: Int
  /// 1 to 48.
  package let frameCount: Int
  /// One frame's samples at 48 kHz: 120 to 2880 (2.5 to 60 ms).
  package let samplesPerFrame: Int
  /// Every frame is empty or one byte long: the encoder has nothing to say (DTX).
  package let isSilence: Bool

  /// All frames' samples at 48 kHz: 120 to 5760 (2.5 to 120 ms).
  package var duration: Int { frameCount * samplesPerFrame }

  package init(parsing packet: Span<UInt8>) throws(OpusError) {
    guard !packet.isEmpty else { throw .empty }
    let toc = packet[0]
    let configuration = Int(toc >> 3)
    switch configuration {
    case 0..<12:
      mode = .silk
      samplesPerFrame = [480, 960, 1920, 2880][configuration & 3]
    case 12..<16:
      mode = .hybrid
      samplesPerFrame = 480 << (configuration & 1)
    default:
      mode = .celt
      samplesPerFrame = 120 << (configuration & 3)
    }
    channelCount = toc & 0x04 == 0 ? 1 : 2

    var rest = packet.count - 1
    let longest: Int
    switch toc & 0x03 {
    case 0:
      frameCount = 1
      longest = rest
    case 1:
      frameCount = 2
      guard rest % 2 == 0 else { throw .invalidLength }  // [R3]
      longest = rest / 2
    case 2:
      frameCount = 2
      var offset = 1
      let first = try Self.frameLength(in: packet, at: &offset)
      rest = packet.count - offset - first
      guard rest >= 0 else { throw .invalidLength }  // [R4]
      longest = max(first, rest)
    default:
      (frameCount, longest) = try Self.arbitraryFrames(in: packet, samplesPerFrame: samplesPerFrame)
    }
    guard longest <= 1275 else { throw .invalidLength }  // [R2]
    isSilence = longest <= 1
  }

  /// Code 3: a count, padding, and frames of one length or of lengths told one by one.
  private static func arbitraryFrames(
    in packet: Span<UInt8>, samplesPerFrame: Int
  ) throws(OpusError) -> (count: Int, longest: Int) {
    guard packet.count >= 2 else { throw .invalidLength }  // [R6]
    let header = packet[1]
    let count = Int(header & 0x3F)
    guard count > 0, count * samplesPerFrame <= 5760 else { throw .invalidFrameCount }  // [R5]
    var offset = 2
    var padding = 0
    if header & 0x40 != 0 {
      var byte: UInt8
      repeat {
        guard offset < packet.count else { throw .invalidLength }
        byte = packet[offset]
        offset += 1
        padding += byte == 255 ? 254 : Int(byte)
      } while byte == 255
    }
    var longest = 0
    if header & 0x80 != 0 {
      var told = 0
      for _ in 1..<count {
        let length = try frameLength(in: packet, at: &offset)
        told += length
        longest = max(longest, length)
      }
      let last = packet.count - offset - padding - told
      guard last >= 0 else { throw .invalidLength }  // [R7]
      return (count, max(longest, last))
    }
    let rest = packet.count - offset - padding
    guard rest >= 0, rest % count == 0 else { throw .invalidLength }  // [R6]
    longest = rest / count
    return (count, longest)
  }

  /// - Specification: RFC 6716 §3.2.1
  private static func frameLength(in packet: Span<UInt8>, at offset: inout Int) throws(OpusError) -> Int {
    guard offset < packet.count else { throw .invalidLength }
    let first = Int(packet[offset])
    offset += 1
    guard first >= 252 else { return first }
    guard offset < packet.count else { throw .invalidLength }
    defer { offset += 1 }
    return Int(packet[offset]) * 4 + first
  }
}
