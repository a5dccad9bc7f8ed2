import Crypto

/// What a SOCKS5 client asks to be connected to (DST.ADDR): not a host, but the name of a bytestream, which only its two
/// parties can compute.
///
/// - Specification: XEP-0065 §5.3.2
package struct SOCKS5Destination: Hashable, Sendable {
  /// 40 hexadecimal digits, in the case in which they were given: proxies compare them letter by letter.
  package let text: String

  /// The bytestream that `requester` offers to `target`. In XEP-0260 the requester is whoever offers the candidate.
  ///
  /// - Parameters:
  ///   - requester: as in the stanzas between the two, which is why it is a full address as a rule.
  package init(sid: String, requester: JID, target: JID) {
    let names = sid + requester.description + target.description
    text = Insecure.SHA1.hash(data: Array(names.utf8)).reduce(into: "") { text, byte in
      text.append(Self.digits[Int(byte >> 4)])
      text.append(Self.digits[Int(byte & 0xF)])
    }
  }

  /// Somebody's words for it; nil unless they are a SHA-1 hash.
  package init?(_ text: String) {
    guard text.utf8.count == Self.length, text.utf8.allSatisfy(\.isHexadecimal) else { return nil }
    self.text = text
  }

  package static let length = 40

  package static func == (a: Self, b: Self) -> Bool { a.text.lowercased() == b.text.lowercased() }

  package func hash(into hasher: inout Hasher) { hasher.combine(text.lowercased()) }

  private static let digits = Array("0123456789abcdef")
}

extension UInt8 {
  fileprivate var isHexadecimal: Bool {
    switch self {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"),
      UInt8(ascii: "A")...UInt8(ascii: "F"):
      true
    default: false
    }
  }
}
