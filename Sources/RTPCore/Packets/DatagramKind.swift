/// What arrives on a media socket, told apart by its first bytes.
///
/// ```
///             +----------------+
///             |        [0..3] -+--> STUN
///             |      [16..19] -+--> ZRTP
/// packet  --> |      [20..63] -+--> DTLS
///             |      [64..79] -+--> TURN channel
///             |    [128..191] -+--> RTP or RTCP
///             +----------------+
/// ```
///
/// - Specification: RFC 7983 §7, RFC 5761 §4
package enum DatagramKind: Hashable, Sendable {
  case stun
  case zrtp
  case dtls
  case turnChannel
  case rtp
  case rtcp
  case unknown

  package init(_ datagram: Span<UInt8>) {
    guard !datagram.isEmpty else {
      self = .unknown
      return
    }
    switch datagram[0] {
    case 0...3: self = .stun
    case 16...19: self = .zrtp
    case 20...63: self = .dtls
    case 64...79: self = .turnChannel
    case 128...191 where datagram.count >= 2:
      // Payload types 64 to 95 are RTCP packet types 192 to 223 without their highest bit (the marker).
      self = 64...95 ~= datagram[1] & 0x7F ? .rtcp : .rtp
    default: self = .unknown
    }
  }
}
