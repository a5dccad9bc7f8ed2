/// An address in a candidate, as far as it matters whether packets may be sent there.
enum ICEAddress {
  /// Whether a candidate may name it: an IPv4 or IPv6 address of one host, the latter with a scope if need be, or a
  /// name under `.local`. Other names would have this side ask a name server on the peer's behalf, and addresses of
  /// many hosts would have it send packets to them all.
  ///
  /// - Specification: RFC 8839 §5.1, RFC 8445 §19
  static func isUsable(_ text: String) -> Bool {
    if text.lowercased().hasSuffix(".local") { return isName(text.dropLast(6)) }
    if let octets = ipv4(text[...]) { return isOneHost(octets) }
    guard let groups = ipv6(text) else { return false }
    if groups[0] & 0xFF00 == 0xFF00 || groups.allSatisfy({ $0 == 0 }) { return false }
    if groups[..<6].elementsEqual([0, 0, 0, 0, 0, 0xFFFF]) {
      // An IPv4 address in IPv6's dress (RFC 4291 §2.5.5.2).
      return isOneHost(groups[6...].flatMap { [UInt8($0 >> 8), UInt8($0 & 0xFF)] })
    }
    return true
  }

  private static func isName(_ text: Substring) -> Bool {
    !text.isEmpty
      && text.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."): true
        default: false
        }
      }
  }

  /// Not multicast (224/4), not reserved (240/4), broadcast among it, and not this network (0/8).
  private static func isOneHost(_ octets: [UInt8]) -> Bool {
    octets[0] != 0 && octets[0] < 224
  }

  private static func ipv4(_ text: Substring) -> [UInt8]? {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 4 else { return nil }
    let octets = parts.compactMap { part in
      part.utf8.allSatisfy({ (0x30...0x39).contains($0) }) && part.utf8.count <= 3 ? UInt8(part) : nil
    }
    return octets.count == 4 ? octets : nil
  }

  /// Behind `%` stands the scope of a link-local address (RFC 4007 §11).
  ///
  /// - Specification: RFC 4291 §2.2
  private static func ipv6(_ text: String) -> [UInt16]? {
    let address = text.split(separator: "%", maxSplits: 1, omittingEmptySubsequences: false)
    guard let first = address.first, first.contains(":"), address.count == 1 || !address[1].isEmpty else { return nil }
    guard let gap = first.firstDoubleColon else {
      guard let whole = groups(first), whole.count == 8 else { return nil }
      return whole
    }
    let (head, tail) = (first[..<gap], first[first.index(gap, offsetBy: 2)...])
    guard let head = head.isEmpty ? [] : groups(head), !first[..<gap].contains("."),
      let tail = tail.isEmpty ? [] : groups(tail),
      head.count + tail.count < 8
    else { return nil }
    return head + Array(repeating: 0, count: 8 - head.count - tail.count) + tail
  }

  /// Groups between colons; the last may be an IPv4 address.
  private static func groups(_ text: Substring) -> [UInt16]? {
    var groups: [UInt16] = []
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count <= 8 else { return nil }
    for (index, part) in parts.enumerated() {
      if index == parts.count - 1, let octets = ipv4(part) {
        groups += [UInt16(octets[0]) << 8 | UInt16(octets[1]), UInt16(octets[2]) << 8 | UInt16(octets[3])]
      } else if (1...4).contains(part.utf8.count), part.utf8.allSatisfy({ $0 != 0x2B && $0 != 0x2D }),
        let group = UInt16(part, radix: 16)
      {
        groups.append(group)
      } else {
        return nil
      }
    }
    return groups.count <= 8 ? groups : nil
  }
}

extension Substring {
  fileprivate var firstDoubleColon: Index? {
    indices.first { self[$0] == ":" && index(after: $0) < endIndex && self[index(after: $0)] == ":" }
  }
}
