import Glibc

/// An IPv4 or IPv6 address in one of the spellings that standards know, which are fewer than those of `getaddrinfo`.
struct NumericAddress: Hashable {
  /// 4 or 16.
  let bytes: [UInt8]
  /// The interface that a link-local IPv6 address belongs to.
  ///
  /// - Specification: RFC 4007 §11
  let scope: String?

  init?(_ text: String) {
    let parts = text.split(separator: "%", maxSplits: 1, omittingEmptySubsequences: false)
    guard text.utf8.count <= 64, let host = parts.first.map(String.init) else { return nil }
    var bytes = [UInt8](repeating: 0, count: 16)
    if inet_pton(AF_INET, host, &bytes) == 1, parts.count == 1 {
      self.bytes = Array(bytes[..<4])
    } else if inet_pton(AF_INET6, host, &bytes) == 1 {
      self.bytes = bytes
    } else {
      return nil
    }
    scope = parts.count == 2 ? String(parts[1]) : nil
  }

  var isIPv6: Bool { bytes.count == 16 }

  var isLoopback: Bool { isIPv6 ? bytes == [UInt8](repeating: 0, count: 15) + [1] : bytes[0] == 127 }

  var isLinkLocal: Bool {
    isIPv6 ? bytes[0] == 0xFE && bytes[1] & 0xC0 == 0x80 : bytes[0] == 169 && bytes[1] == 254
  }

  /// Whether a host may be reached at it at all: none of "this network", multicast, broadcast and reserved, nor IPv4 in
  /// IPv6's clothes, nor the site-local addresses of old.
  ///
  /// - Specification: RFC 6890 §2.2, RFC 8445 §5.1.1.1
  var isUnicast: Bool {
    guard isIPv6 else { return bytes[0] != 0 && bytes[0] < 224 }
    if isLoopback { return true }
    let isOfIPv4 =
      bytes[..<10].allSatisfy { $0 == 0 } && bytes[10] == bytes[11] && (bytes[10] == 0 || bytes[10] == 0xFF)
    return !isOfIPv4 && bytes[0] != 0xFF && !(bytes[0] == 0xFE && bytes[1] & 0xC0 == 0xC0)
  }
}
