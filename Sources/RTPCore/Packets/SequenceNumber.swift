/// A packet's number in its stream, modulo 2¹⁶.
///
/// - Specification: RFC 3550 §5.1
package struct SequenceNumber: Hashable, Sendable {
  package var rawValue: UInt16

  package init(rawValue: UInt16) {
    self.rawValue = rawValue
  }

  package static func + (number: SequenceNumber, distance: Int) -> SequenceNumber {
    SequenceNumber(rawValue: number.rawValue &+ UInt16(truncatingIfNeeded: distance))
  }

  /// The signed distance on the shorter way round, from -32 768 to 32 767.
  package static func - (a: SequenceNumber, b: SequenceNumber) -> Int {
    Int(Int16(bitPattern: a.rawValue &- b.rawValue))
  }

  package func isNewer(than other: SequenceNumber) -> Bool {
    self - other > 0
  }
}

/// A packet's number in its stream with the wraps counted, so that it never goes back.
///
/// - Specification: RFC 3550 §6.4.1, "extended highest sequence number received"
package struct ExtendedSequenceNumber: Hashable, Comparable, Sendable {
  /// The number of wraps times 2¹⁶, plus the sequence number; negative just before a stream's first packet at most.
  package var rawValue: Int64

  package init(rawValue: Int64) {
    self.rawValue = rawValue
  }

  /// The start of a stream.
  package init(_ number: SequenceNumber) {
    rawValue = Int64(number.rawValue)
  }

  package var sequenceNumber: SequenceNumber {
    SequenceNumber(rawValue: UInt16(truncatingIfNeeded: rawValue))
  }

  /// The extended form of `number` that is nearest to this one.
  package func nearest(_ number: SequenceNumber) -> ExtendedSequenceNumber {
    self + (number - sequenceNumber)
  }

  package static func < (a: ExtendedSequenceNumber, b: ExtendedSequenceNumber) -> Bool {
    a.rawValue < b.rawValue
  }

  package static func + (number: ExtendedSequenceNumber, distance: Int) -> ExtendedSequenceNumber {
    ExtendedSequenceNumber(rawValue: number.rawValue &+ Int64(distance))
  }

  package static func - (a: ExtendedSequenceNumber, b: ExtendedSequenceNumber) -> Int {
    Int(a.rawValue &- b.rawValue)
  }
}
