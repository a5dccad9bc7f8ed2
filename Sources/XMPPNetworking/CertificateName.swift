import NIOSSL

extension NIOSSLCertificate {
  /// Whether one of the certificate's DNS names is `host`'s; a wildcard stands for exactly the leftmost label.
  ///
  /// NIOSSL's own check is not enough where a name is expected: it also accepts a certificate for the IP address that the
  /// connection leads to, which whoever can forge a DNS answer can have for an address of their own.
  ///
  /// - Parameter host: in ASCII (A-labels).
  /// - Specification: RFC 6120 §13.7.2, RFC 9525 §6.3
  func isFor(host: String) -> Bool {
    let host = CertificateName.labels(host)
    return dnsNames.contains { CertificateName.matches(CertificateName.labels($0), host) }
  }

  var dnsNames: [String] {
    _subjectAlternativeNames().lazy.filter { $0.nameType == .dnsName }.map {
      String(decoding: $0.contents, as: UTF8.self)
    }
  }
}

enum CertificateName {
  static func labels(_ name: String) -> [String] {
    let name = name.lowercased()
    return (name.hasSuffix(".") ? name.dropLast() : name[...])
      .split(separator: ".", omittingEmptySubsequences: false).map(String.init)
  }

  static func matches(_ presented: [String], _ wanted: [String]) -> Bool {
    guard presented.count == wanted.count, let first = presented.first, !wanted.contains("") else { return false }
    let isWildcard = first == "*" && presented.count > 2
    return presented.dropFirst() == wanted.dropFirst() && (isWildcard || first == wanted[0])
  }
}
