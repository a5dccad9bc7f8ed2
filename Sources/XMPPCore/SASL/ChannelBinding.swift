import Crypto

/// What ties an authentication to the TLS connection under it, so that nobody can relay it over another one.
///
/// - Specification: RFC 5056
package struct ChannelBinding: Hashable, Sendable {
  package enum BindingType: String, Hashable, Sendable {
    case tlsExporter = "tls-exporter"
    case tlsServerEndPoint = "tls-server-end-point"
  }

  package var type: BindingType
  package var data: [UInt8]

  package init(type: BindingType, data: [UInt8]) {
    self.type = type
    self.data = data
  }

  /// The binding to the key material of a TLS 1.3 connection, or nil if the secret has no known length.
  ///
  /// - Parameter secret: the connection's exporter secret; its length tells the cipher suite's hash.
  /// - Specification: RFC 9266 §2, RFC 8446 §7.5
  package static func exporter(secret: [UInt8]) -> ChannelBinding? {
    let data: [UInt8]? =
      switch secret.count {
      case SHA256.byteCount: exportedKey(SHA256.self, from: secret)
      case SHA384.byteCount: exportedKey(SHA384.self, from: secret)
      default: nil
      }
    return data.map { ChannelBinding(type: .tlsExporter, data: $0) }
  }

  private static func exportedKey<H: HashFunction>(_: H.Type, from secret: [UInt8]) -> [UInt8] {
    let derived = expand(H.self, secret, label: "EXPORTER-Channel-Binding", context: H.hash(data: []), H.Digest.byteCount)
    return expand(H.self, derived, label: "exporter", context: H.hash(data: []), 32)
  }

  /// HKDF-Expand-Label.
  ///
  /// - Specification: RFC 8446 §7.1
  private static func expand<H: HashFunction>(
    _: H.Type, _ secret: [UInt8], label: String, context: H.Digest, _ count: Int
  ) -> [UInt8] {
    let label = Array("tls13 \(label)".utf8)
    let info = [0, UInt8(count), UInt8(label.count)] + label + [UInt8(H.Digest.byteCount)] + context
    return HKDF<H>.expand(pseudoRandomKey: secret, info: info, outputByteCount: count).withUnsafeBytes(Array.init)
  }

  /// The binding to the server's certificate, or nil if its signature algorithm names no hash (as with Ed25519).
  ///
  /// - Parameter certificate: the server's own certificate, in DER.
  /// - Specification: RFC 5929 §4
  package static func serverEndPoint(certificate: [UInt8]) -> ChannelBinding? {
    guard let algorithm = signatureAlgorithm(of: certificate) else { return nil }
    let data: [UInt8]
    switch algorithm {
    case [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x0C], [0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x03, 0x03]:
      data = Array(SHA384.hash(data: certificate))
    case [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x0D], [0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x03, 0x04]:
      data = Array(SHA512.hash(data: certificate))
    case [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x0B], [0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x03, 0x02],
      // MD5 and SHA-1 signatures: SHA-256 stands in.
      [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x04], [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x05],
      [0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x01]:
      data = Array(SHA256.hash(data: certificate))
    default: return nil
    }
    return ChannelBinding(type: .tlsServerEndPoint, data: data)
  }

  /// The object identifier in `Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm SEQUENCE { OID … }, … }`.
  ///
  /// - Specification: RFC 5280 §4.1
  private static func signatureAlgorithm(of certificate: [UInt8]) -> ArraySlice<UInt8>? {
    var certificate = certificate[...]
    guard var fields = value(tagged: 0x30, in: &certificate),
      value(tagged: 0x30, in: &fields) != nil,
      var algorithm = value(tagged: 0x30, in: &fields)
    else { return nil }
    return value(tagged: 0x06, in: &algorithm)
  }

  /// Takes one DER value from the front of the bytes.
  private static func value(tagged tag: UInt8, in bytes: inout ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
    guard bytes.popFirst() == tag, let first = bytes.popFirst() else { return nil }
    var length = Int(first)
    if first & 0x80 != 0 {
      let count = Int(first & 0x7F)
      guard (1...3).contains(count), bytes.count >= count else { return nil }
      length = bytes.prefix(count).reduce(0) { $0 << 8 | Int($1) }
      bytes = bytes.dropFirst(count)
    }
    guard bytes.count >= length else { return nil }
    defer { bytes = bytes.dropFirst(length) }
    return bytes.prefix(length)
  }
}
