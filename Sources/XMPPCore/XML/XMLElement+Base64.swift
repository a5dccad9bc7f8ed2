import FoundationEssentials

extension XMLElement {
  /// The text inside, decoded. White space, which specifications forbid and their examples have, is passed over.
  ///
  /// - Parameter maximum: more bytes than these are not decoded.
  /// - Returns: nil when it is not base64, or too much.
  /// - Specification: RFC 4648 §4
  func base64Content(upTo maximum: Int) -> [UInt8]? {
    // Lines of examples have half as much white space as text, at most.
    let text = text
    guard text.utf8.count <= (maximum + 2) / 3 * 8 + 64 else { return nil }
    let digits = text.utf8.filter { ![0x20, 0x09, 0x0A, 0x0D].contains($0) }
    // Foundation takes any padding.
    let padding = digits.count - (digits.firstIndex(of: UInt8(ascii: "=")) ?? digits.count)
    guard digits.count.isMultiple(of: 4), padding <= 2 else { return nil }
    guard let data = Data(base64Encoded: Data(digits)), data.count <= maximum else { return nil }
    return [UInt8](data)
  }
}

extension [UInt8] {
  var base64: String { Data(self).base64EncodedString() }

  var hexadecimal: String {
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 0xF)]] }, as: UTF8.self)
  }

  /// Pairs of hexadecimal digits in either case.
  init?(hexadecimal text: some StringProtocol) {
    let digits = Array(text.utf8)
    guard digits.count.isMultiple(of: 2) else { return nil }
    self = []
    for index in stride(from: 0, to: digits.count, by: 2) {
      guard let high = digits[index].hexadecimalValue, let low = digits[index + 1].hexadecimalValue else { return nil }
      append(high << 4 | low)
    }
  }
}

extension UInt8 {
  fileprivate var hexadecimalValue: UInt8? {
    switch self {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): self - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): self - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): self - UInt8(ascii: "A") + 10
    default: nil
    }
  }
}
