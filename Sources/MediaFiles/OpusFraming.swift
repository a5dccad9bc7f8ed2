/// What a recorder needs to know of an Opus packet: how long it lasts. The first byte tells, and for code 3 the second.
///
/// ```
///  0 1 2 3 4 5 6 7
/// +-+-+-+-+-+-+-+-+
/// | config  |s| c |
/// +-+-+-+-+-+-+-+-+
/// ```
/// - Specification: RFC 6716 §3.1
enum OpusFraming {
  /// The longest packet, in samples at 48 kHz: 120 ms.
  static let longestPacket = 5_760

  /// How many samples (per channel, at 48 kHz) a packet decodes to, or nil when it is not an Opus packet.
  static func sampleCount(of packet: some RandomAccessCollection<UInt8>) -> Int? {
    guard let toc = packet.first else { return nil }
    let frames =
      switch toc & 3 {
      case 0: 1
      case 3: Int(packet.dropFirst().first ?? 0) & 0x3F
      default: 2
      }
    let count = frames * frameSize(toc)
    return (1...longestPacket).contains(count) ? count : nil
  }

  static func isStereo(_ toc: UInt8) -> Bool { toc & 4 != 0 }

  /// Packets that ask the player to conceal a gap: no data, only the byte that tells for how long.
  ///
  /// - Returns: each such packet and how often it is needed; together they last `sampleCount`, less what is shorter than 2.5 ms.
  /// - Specification: RFC 7845 §4.1
  static func concealment(sampleCount: Int, isStereo: Bool) -> [(packet: [UInt8], duration: Int, count: Int)] {
    var left = sampleCount
    // CELT, full band, one frame: configurations 31 (20 ms) down to 28 (2.5 ms).
    return ([31, 30, 29, 28] as [UInt8]).map { configuration in
      let toc = configuration << 3 | (isStereo ? 4 : 0)
      let duration = frameSize(toc)
      defer { left %= duration }
      return ([toc], duration, left / duration)
    }
  }

  private static func frameSize(_ toc: UInt8) -> Int {
    switch toc >> 3 {
    case 0..<12: [480, 960, 1_920, 2_880][Int(toc >> 3) & 3]
    case 12..<16: [480, 960][Int(toc >> 3) & 1]
    default: 120 << (Int(toc >> 3) & 3)
    }
  }
}
