/// Base64 for blocks of a bytestream: straight between the bytes and the text's own storage, strict about what is read.
///
/// - Specification: XEP-0047 §2.2, §5; RFC 4648 §4
enum Base64Block {
  static func encode(_ bytes: some Collection<UInt8>) -> String {
    bytes.withContiguousStorageIfAvailable(encode) ?? Array(bytes).withUnsafeBufferPointer(encode)
  }

  private static func encode(_ bytes: UnsafeBufferPointer<UInt8>) -> String {
    let whole = bytes.count / 3
    let rest = bytes.count % 3
    return String(unsafeUninitializedCapacity: whole * 4 + (rest == 0 ? 0 : 4)) { text in
      digits.withUnsafeBufferPointer { digits in
        var (from, to) = (0, 0)
        func write(_ bits: UInt32, count: Int) {
          for digit in 0..<count { text[to + digit] = digits[Int(bits >> (18 - 6 * UInt32(digit)) & 63)] }
          for digit in count..<4 { text[to + digit] = UInt8(ascii: "=") }
          to += 4
        }
        for _ in 0..<whole {
          let bits = UInt32(bytes[from]) << 16 | UInt32(bytes[from + 1]) << 8 | UInt32(bytes[from + 2])
          text[to] = digits[Int(bits >> 18)]
          text[to + 1] = digits[Int(bits >> 12 & 63)]
          text[to + 2] = digits[Int(bits >> 6 & 63)]
          text[to + 3] = digits[Int(bits & 63)]
          (from, to) = (from + 3, to + 4)
        }
        switch rest {
        case 1: write(UInt32(bytes[from]) << 16, count: 2)
        case 2: write(UInt32(bytes[from]) << 16 | UInt32(bytes[from + 1]) << 8, count: 3)
        default: break
        }
        return to
      }
    }
  }

  /// The bytes; nil when the text is not base64, padded as it must be, with no bit set that stands for nothing.
  ///
  /// White space around and between is let pass, since the specification's own examples have it. Everything else that
  /// is no digit is refused.
  static func decode(_ text: String) -> [UInt8]? {
    var text = text
    return text.withUTF8 { text in
      if let bytes = decode(text) { return bytes }
      // Only few peers wrap their lines: the text is looked at twice for them alone.
      let packed = text.filter { ![0x20, 0x09, 0x0A, 0x0D].contains($0) }
      return packed.count == text.count ? nil : packed.withUnsafeBufferPointer(decode)
    }
  }

  private static func decode(_ text: UnsafeBufferPointer<UInt8>) -> [UInt8]? {
    guard text.count % 4 == 0 else { return nil }
    guard !text.isEmpty else { return [] }
    let pad = UInt8(ascii: "=")
    let padding = text[text.count - 1] != pad ? 0 : text[text.count - 2] != pad ? 1 : 2
    var isValid = true
    let bytes = [UInt8](unsafeUninitializedCapacity: text.count / 4 * 3) { bytes, count in
      values.withUnsafeBufferPointer { values in
        var (from, to) = (0, 0)
        for _ in 0..<(padding == 0 ? text.count / 4 : text.count / 4 - 1) {
          let (a, b) = (values[Int(text[from])], values[Int(text[from + 1])])
          let (c, d) = (values[Int(text[from + 2])], values[Int(text[from + 3])])
          guard a | b | c | d < 64 else {
            isValid = false
            return
          }
          bytes[to] = a << 2 | b >> 4
          bytes[to + 1] = b << 4 | c >> 2
          bytes[to + 2] = c << 6 | d
          (from, to) = (from + 4, to + 3)
        }
        count = to
        guard padding > 0 else { return }
        let (a, b) = (values[Int(text[from])], values[Int(text[from + 1])])
        let c = padding == 1 ? values[Int(text[from + 2])] : 0
        guard a | b | c < 64, padding == 1 ? c & 3 == 0 : b & 15 == 0 else {
          isValid = false
          return
        }
        bytes[to] = a << 2 | b >> 4
        if padding == 1 { bytes[to + 1] = b << 4 | c >> 2 }
        count = to + 3 - padding
      }
    }
    return isValid ? bytes : nil
  }

  private static let digits = [UInt8]("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

  /// What each byte stands for as a digit; 0xFF for those that are none.
  private static let values: [UInt8] = {
    var values = [UInt8](repeating: 0xFF, count: 256)
    for (value, digit) in digits.enumerated() { values[Int(digit)] = UInt8(value) }
    return values
  }()
}
