/// Media time: ticks of a payload's clock rate, modulo 2³².
///
/// - Specification: RFC 3550 §5.1
package struct RTPTimestamp: Hashable, Sendable {
  package var rawValue: UInt32

  package init(rawValue: UInt32) {
    self.rawValue = rawValue
  }

  package static func + (timestamp: RTPTimestamp, ticks: Int) -> RTPTimestamp {
    RTPTimestamp(rawValue: timestamp.rawValue &+ UInt32(truncatingIfNeeded: ticks))
  }

  /// The signed distance in ticks on the shorter way round.
  package static func - (a: RTPTimestamp, b: RTPTimestamp) -> Int {
    Int(Int32(bitPattern: a.rawValue &- b.rawValue))
  }
}
