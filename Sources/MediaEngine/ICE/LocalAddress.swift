import Foundation

/// An address of this machine's, on an interface that is up.
package struct LocalAddress: Hashable {
  var text: String
  var interface: String
  var isLoopback = false
  var isLinkLocal = false
  /// Of IPv6: made up for a while, so that nobody can follow the machine by it (RFC 8981).
  var isTemporary = false
  /// Of IPv6: not verified to be unique, or about to go.
  var isUnstable = false

  /// The spelling for a socket: with the scope where it takes one.
  var scoped: String { isLinkLocal && text.contains(":") ? "\(text)%\(interface)" : text }

  /// Those that peers may be told, as a socket takes them.
  package static var usable: [String] { usable(of: all()).map(\.scoped) }

  /// Those that ICE shall use.
  ///
  /// Loopback and link-local addresses are left to machines without others. Where an interface has a temporary address of
  /// a network, its lasting ones of that network stay unsaid.
  ///
  /// - Specification: RFC 8445 §5.1.1.1
  static func usable(of all: [LocalAddress]) -> [LocalAddress] {
    let stable = all.filter { !$0.isUnstable && NumericAddress($0.text)?.isUnicast == true }
    let wide = stable.filter { !$0.isLoopback && !$0.isLinkLocal }
    let temporary = Set(wide.filter(\.isTemporary).map(\.network))
    let untraceable = wide.filter { $0.isTemporary || !temporary.contains($0.network) }
    if !untraceable.isEmpty { return untraceable }
    let linkLocal = stable.filter { $0.isLinkLocal && !$0.isLoopback }
    return linkLocal.isEmpty ? stable.filter(\.isLoopback) : linkLocal
  }

  /// The interface and the first 64 bits of an IPv6 address; an IPv4 address whole.
  private var network: [String] {
    [interface, NumericAddress(text).map { "\($0.isIPv6 ? Array($0.bytes[..<8]) : $0.bytes)" } ?? text]
  }

  /// The machine's addresses now.
  static func all() -> [LocalAddress] {
    var first: UnsafeMutablePointer<ifaddrs>?
    guard getifaddrs(&first) == 0 else { return [] }
    defer { freeifaddrs(first) }
    let flags = addressFlags()
    var entries: [ifaddrs] = []
    while let entry = entries.isEmpty ? first : entries.last?.ifa_next { entries.append(entry.pointee) }
    return entries.compactMap { entry -> LocalAddress? in
      guard let socketAddress = entry.ifa_addr, let name = entry.ifa_name,
        entry.ifa_flags & UInt32(IFF_UP) != 0, entry.ifa_flags & UInt32(IFF_RUNNING) != 0
      else { return nil }
      let family = Int32(socketAddress.pointee.sa_family)
      guard family == AF_INET || family == AF_INET6 else { return nil }
      let size = family == AF_INET ? MemoryLayout<sockaddr_in>.size : MemoryLayout<sockaddr_in6>.size
      var buffer = [CChar](repeating: 0, count: Int(NI_MAXHOST))
      guard getnameinfo(socketAddress, socklen_t(size), &buffer, socklen_t(buffer.count), nil, 0, NI_NUMERICHOST) == 0
      else { return nil }
      let spelling = String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      let text = String(spelling.prefix { $0 != "%" })
      guard let number = NumericAddress(text) else { return nil }
      let interface = String(cString: name)
      let known = flags[[interface] + number.bytes.map { String($0) }] ?? 0
      return LocalAddress(
        text: text, interface: interface, isLoopback: number.isLoopback, isLinkLocal: number.isLinkLocal,
        isTemporary: known & 0x01 != 0, isUnstable: known & (0x08 | 0x20 | 0x40) != 0)
    }
  }

  /// The kernel's flags of its IPv6 addresses: IFA_F_TEMPORARY, _DADFAILED, _DEPRECATED and _TENTATIVE are of interest.
  private static func addressFlags() -> [[String]: UInt32] {
    guard let table = try? String(contentsOfFile: "/proc/thread-self/net/if_inet6", encoding: .utf8) else { return [:] }
    var flags: [[String]: UInt32] = [:]
    for line in table.split(separator: "\n") {
      let fields = line.split(separator: " ")
      guard fields.count == 6, fields[0].utf8.count == 32, let value = UInt32(fields[4], radix: 16) else { continue }
      let digits = Array(fields[0].utf8)
      let bytes = stride(from: 0, to: 32, by: 2).map {
        String(UInt8(String(decoding: digits[$0..<$0 + 2], as: UTF8.self), radix: 16) ?? 0)
      }
      flags[[String(fields[5])] + bytes] = value
    }
    return flags
  }
}
