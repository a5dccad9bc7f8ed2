/// The wall clock as RTCP writes it: seconds since 1 January 1900 in 32.32 fixed point.
///
/// - Specification: RFC 3550 §4
package struct NTPTime: Hashable, Sendable {
  package var rawValue: UInt64

  package init(rawValue: UInt64) {
    self.rawValue = rawValue
  }

  /// - Parameter sinceUnixEpoch: time since 1 January 1970 UTC.
  package init(sinceUnixEpoch duration: Duration) {
    let nanoseconds = duration.nanoseconds
    let (seconds, rest) = nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
    let fraction = (UInt64(rest) << 32) / 1_000_000_000
    rawValue = (UInt64(seconds) &+ 2_208_988_800) << 32 | fraction
  }

  /// The middle 32 bits, as LSR and DLSR carry them (units of 1/65536 s).
  package var middle: UInt32 { UInt32(truncatingIfNeeded: rawValue >> 16) }

  package static func + (time: NTPTime, duration: Duration) -> NTPTime {
    let nanoseconds = duration.nanoseconds
    let (seconds, rest) = nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
    let fraction = Int64(Double(rest) * 4.294967296)
    return NTPTime(rawValue: UInt64(bitPattern: Int64(bitPattern: time.rawValue) &+ (seconds << 32) &+ fraction))
  }

  package static func - (a: NTPTime, b: NTPTime) -> Duration {
    let difference = Int64(bitPattern: a.rawValue &- b.rawValue)
    let seconds = difference >> 32
    let fraction = difference & 0xFFFF_FFFF
    return .seconds(seconds) + .nanoseconds(Int64((Double(fraction) / 4.294967296).rounded()))
  }
}
