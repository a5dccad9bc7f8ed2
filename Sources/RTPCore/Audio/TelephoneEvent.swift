/// A key of a telephone: DTMF, told by name instead of by its tones.
///
/// - Specification: RFC 4733 §3.2
package struct TelephoneEvent: Hashable, Sendable {
  private static let keys: [Character] = Array("0123456789*#ABCD")

  /// 0 to 15.
  let code: UInt8

  /// - Parameter key: 0 to 9, *, #, A to D (or a to d); nil for anything else.
  package init?(_ key: Character) {
    let upper = key.uppercased()
    guard let index = Self.keys.firstIndex(where: { String($0) == upper }) else { return nil }
    code = UInt8(index)
  }

  init?(code: UInt8) {
    guard code < Self.keys.count else { return nil }
    self.code = code
  }

  package var key: Character { Self.keys[Int(code)] }
}

/// What one packet says of an event.
///
/// ```
///  0                   1                   2                   3
///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |     event     |E|R| volume    |          duration             |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// ```
///
/// - Specification: RFC 4733 §2.3
struct TelephoneEventPayload: Hashable, Sendable {
  static let size = 4

  var code: UInt8
  var isEnd: Bool
  /// 0 (loudest) to −63 dBm0, the sign left out.
  var volume: UInt8
  /// In ticks of the clock rate, since the packet's timestamp.
  var duration: UInt16

  init(code: UInt8, isEnd: Bool, volume: UInt8 = 10, duration: UInt16) {
    self.code = code
    self.isEnd = isEnd
    self.volume = volume
    self.duration = duration
  }

  /// Nil when it is too short. What follows the first event is not of a telephone's keys.
  init?(parsing payload: Span<UInt8>) {
    guard payload.count >= Self.size else { return nil }
    code = payload[0]
    isEnd = payload[1] & 0x80 != 0
    volume = payload[1] & 0x3F
    duration = payload.uint16(at: 2)
  }

  func write(to packet: inout [UInt8]) {
    packet.append(code)
    packet.append((isEnd ? 0x80 : 0) | volume & 0x3F)
    packet.append(uint16: duration)
  }
}
