extension Span where Element == UInt8 {
  /// A big-endian value; the caller has checked that it lies within the span.
  func uint16(at offset: Int) -> UInt16 {
    UInt16(self[offset]) << 8 | UInt16(self[offset + 1])
  }

  /// A big-endian value; the caller has checked that it lies within the span.
  func uint24(at offset: Int) -> UInt32 {
    UInt32(self[offset]) << 16 | UInt32(uint16(at: offset + 1))
  }

  /// A big-endian value; the caller has checked that it lies within the span.
  func uint32(at offset: Int) -> UInt32 {
    UInt32(uint16(at: offset)) << 16 | UInt32(uint16(at: offset + 2))
  }

  /// A copy of a part that the caller has checked to lie within the span.
  func bytes(in range: Range<Int>) -> [UInt8] {
    extracting(range).withUnsafeBufferPointer { Array($0) }
  }

  func text(in range: Range<Int>) -> String {
    extracting(range).withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) }
  }
}

extension Array where Element == UInt8 {
  package mutating func append(_ bytes: Span<UInt8>) {
    bytes.withUnsafeBufferPointer { append(contentsOf: $0) }
  }

  mutating func append(uint16 value: UInt16) {
    append(UInt8(truncatingIfNeeded: value >> 8))
    append(UInt8(truncatingIfNeeded: value))
  }

  mutating func append(uint32 value: UInt32) {
    append(uint16: UInt16(truncatingIfNeeded: value >> 16))
    append(uint16: UInt16(truncatingIfNeeded: value))
  }

  /// Replaces two bytes that are there.
  mutating func write(uint16 value: UInt16, at offset: Int) {
    self[offset] = UInt8(truncatingIfNeeded: value >> 8)
    self[offset + 1] = UInt8(truncatingIfNeeded: value)
  }

  /// Replaces four bytes that are there.
  mutating func write(uint32 value: UInt32, at offset: Int) {
    write(uint16: UInt16(truncatingIfNeeded: value >> 16), at: offset)
    write(uint16: UInt16(truncatingIfNeeded: value), at: offset + 2)
  }
}
