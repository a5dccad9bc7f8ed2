/// Where something lies on a web server that is reached by TLS: the only kind of URL that is followed here.
///
/// Whoever knows such a URL can often fetch what it leads to: log the host, not the whole.
///
/// - Specification: RFC 3986 §3, §5.2; RFC 9110 §4.2.2
package struct HTTPSURL: Hashable, Sendable, CustomStringConvertible {
  /// A longer text is no URL, in UTF-8 bytes.
  package static let maximumLength = 8192

  /// A name in lower case and ASCII, or a numeric address without brackets.
  package let host: String
  package let port: Int
  /// Path and query, as they go into the request; begins with a slash. A fragment is not part of it.
  package let target: String

  /// nil when the text is no `https` URL of a host, or has user and password in it, which nobody should send on.
  package init?(_ text: String) {
    guard text.utf8.count <= Self.maximumLength, let scheme = text.utf8.firstIndex(of: UInt8(ascii: ":")),
      text[..<scheme].lowercased() == "https"
    else { return nil }
    self.init(hierarchy: text[text.utf8.index(after: scheme)...])
  }

  /// The file's name as the path tells it, decoded; nil when there is none. Not safe to be used in a file system.
  package var fileName: String? {
    let path = target.prefix { $0 != "?" }
    guard let slash = path.lastIndex(of: "/") else { return nil }
    var bytes: [UInt8] = []
    var rest = path[path.index(after: slash)...].utf8
    while let byte = rest.popFirst() {
      let digits = rest.prefix(2)
      if byte == UInt8(ascii: "%"), digits.count == 2, digits.allSatisfy(Self.isHexadecimal),
        let value = UInt8(String(digits) ?? "", radix: 16)
      {
        bytes.append(value)
        rest = rest.dropFirst(2)
      } else {
        bytes.append(byte)
      }
    }
    guard !bytes.isEmpty else { return nil }
    return String(validating: bytes, as: UTF8.self)
  }

  /// Host and port, as a request names them: the port only where it is not 443.
  package var authority: String {
    let name = host.contains(":") ? "[\(host)]" : host
    return port == 443 ? name : "\(name):\(port)"
  }

  package var description: String { "https://\(authority)\(target)" }

  /// Where a reference leads that was found here, as in a redirection; nil where it leads away from `https`.
  package func resolving(_ reference: String) -> HTTPSURL? {
    guard reference.utf8.count <= Self.maximumLength else { return nil }
    if reference.hasPrefix("//") { return HTTPSURL(hierarchy: reference[...]) }
    if reference.hasPrefix("/") { return HTTPSURL("https://\(authority)\(reference)") }
    let head = reference.prefix { !"/?#".contains($0) }
    if head.contains(":") { return HTTPSURL(reference) }
    let path = target.prefix { $0 != "?" }
    if reference.hasPrefix("?") { return HTTPSURL("https://\(authority)\(path)\(reference)") }
    if reference.isEmpty || reference.hasPrefix("#") { return self }
    guard let slash = path.lastIndex(of: "/") else { return nil }
    return HTTPSURL("https://\(authority)\(path[...slash])\(reference)")
  }

  /// What stands behind the scheme and its colon.
  private init?(hierarchy text: Substring) {
    guard text.hasPrefix("//") else { return nil }
    let text = text.dropFirst(2)
    let authority = text.prefix { !"/?#".contains($0) }
    guard let (host, port) = Self.hostAndPort(authority) else { return nil }
    guard let target = Self.target(text[authority.endIndex...].prefix { $0 != "#" }) else { return nil }
    self.host = host
    self.port = port
    self.target = target
  }

  private static func hostAndPort(_ authority: Substring) -> (String, Int)? {
    let host: Substring
    var rest: Substring
    if authority.hasPrefix("[") {
      guard let end = authority.firstIndex(of: "]") else { return nil }
      host = authority[authority.index(after: authority.startIndex)..<end]
      rest = authority[authority.index(after: end)...]
      guard host.contains(":"), host.utf8.allSatisfy({ isHexadecimal($0) || $0 == 0x3A || $0 == 0x2E }) else {
        return nil
      }
    } else {
      host = authority.prefix { $0 != ":" }
      rest = authority[host.endIndex...]
      guard host.utf8.allSatisfy({ isAlphanumeric($0) || $0 == 0x2D || $0 == 0x2E || $0 == 0x5F }),
        !host.hasPrefix("."), !host.contains("..")
      else { return nil }
    }
    guard (1...253).contains(host.utf8.count) else { return nil }
    guard let colon = rest.popFirst() else { return (host.lowercased(), 443) }
    if colon == ":", rest.isEmpty { return (host.lowercased(), 443) }
    guard colon == ":", let port = UInt16(decimal: String(rest)), port > 0 else { return nil }
    return (host.lowercased(), Int(port))
  }

  /// Path and query without dot segments. What is no ASCII is percent-encoded, for the services that forget to.
  private static func target(_ text: Substring) -> String? {
    var encoded = ""
    for byte in text.utf8 {
      switch byte {
      case 0...0x20, 0x7F, UInt8(ascii: "\\"): return nil
      case 0x80...: encoded += "%" + String(byte, radix: 16, uppercase: true)
      default: encoded.unicodeScalars.append(Unicode.Scalar(byte))
      }
    }
    let path = encoded.prefix { $0 != "?" }
    let query = encoded[path.endIndex...]
    var segments: [Substring] = []
    let parts = path.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
    for (index, part) in parts.enumerated() {
      let isLast = index == parts.count - 1
      switch part {
      case ".": if isLast { segments.append("") }
      case "..":
        _ = segments.popLast()
        if isLast { segments.append("") }
      default: segments.append(part)
      }
    }
    return "/" + segments.joined(separator: "/") + query
  }

  private static func isAlphanumeric(_ byte: UInt8) -> Bool {
    isHexadecimal(byte) || (0x47...0x5A).contains(byte) || (0x67...0x7A).contains(byte)
  }

  private static func isHexadecimal(_ byte: UInt8) -> Bool {
    (0x30...0x39).contains(byte) || (0x41...0x46).contains(byte) || (0x61...0x66).contains(byte)
  }
}
