package import XMPPCore

/// The hash of the certificate that one side will show in the DTLS handshake, and the part that it wants to play there.
///
/// - Specification: XEP-0320 §2, RFC 8122 §5
package struct DTLSFingerprint: Hashable, Sendable {
  package static let namespace = "urn:xmpp:jingle:apps:dtls:0"
  /// A transport with more of them is refused.
  package static let maximumCount = 8

  /// The hash functions that are trusted, weakest first. MD5 and SHA-1 are not: a certificate with a given hash of
  /// theirs can be forged, or soon will be.
  package enum Hash: String, Hashable, Sendable, CaseIterable, Comparable {
    case sha256 = "sha-256"
    case sha384 = "sha-384"
    case sha512 = "sha-512"

    /// Bytes in a hash.
    package var length: Int {
      switch self {
      case .sha256: 32
      case .sha384: 48
      case .sha512: 64
      }
    }

    package static func < (a: Hash, b: Hash) -> Bool { a.length < b.length }
  }

  package var hash: Hash
  /// nil when the peer did not say.
  package var setup: DTLSSetup?
  package private(set) var bytes: [UInt8]

  package init(hash: Hash, setup: DTLSSetup?, bytes: [UInt8]) {
    precondition(bytes.count == hash.length, "a hash has its function's length")
    self.hash = hash
    self.setup = setup
    self.bytes = bytes
  }

  /// `02:1A:CC:…`
  package var value: String {
    let digits = Array("0123456789ABCDEF".utf8)
    var text: [UInt8] = []
    text.reserveCapacity(bytes.count * 3)
    for (index, byte) in bytes.enumerated() {
      if index > 0 { text.append(UInt8(ascii: ":")) }
      text.append(digits[Int(byte >> 4)])
      text.append(digits[Int(byte & 0xF)])
    }
    return String(decoding: text, as: UTF8.self)
  }
}

extension DTLSFingerprint {
  /// - Returns: nil when the hash function is unknown or not trusted.
  /// - Throws: `bad-request` when the hash is malformed or has another length than its function gives.
  package init?(_ element: XMLElement) throws(StanzaError) {
    guard let name = element[attribute: "hash"] else { throw .badRequest("fingerprint without hash") }
    guard let hash = Hash(rawValue: name.lowercased()) else { return nil }
    var setup: DTLSSetup?
    if let value = element[attribute: "setup"] {
      setup = DTLSSetup(rawValue: value.lowercased())
      if setup == nil { throw .badRequest("fingerprint with unknown setup") }
    }
    guard let bytes = Self.bytes(of: element.text), bytes.count == hash.length else {
      throw .badRequest("fingerprint that is no \(hash.rawValue)")
    }
    self.init(hash: hash, setup: setup, bytes: bytes)
  }

  package var element: XMLElement {
    var element = XMLElement("fingerprint", namespace: Self.namespace, text: value)
    element[attribute: "hash"] = hash.rawValue
    element[attribute: "setup"] = setup?.rawValue
    return element
  }

  /// Pairs of hexadecimal digits between colons, with white space around them as the specification's examples have it.
  private static func bytes(of text: String) -> [UInt8]? {
    let isSpace: (UInt8) -> Bool = { [0x20, 0x09, 0x0A, 0x0D].contains($0) }
    guard text.utf8.count <= 1024 else { return nil }
    let trimmed = text.utf8.drop(while: isSpace).reversed().drop(while: isSpace).reversed()
    var bytes: [UInt8] = []
    for pair in trimmed.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false) {
      let digits = pair.compactMap { UInt8(String(UnicodeScalar($0)), radix: 16) }
      guard pair.count == 2, digits.count == 2 else { return nil }
      bytes.append(digits[0] << 4 | digits[1])
    }
    return bytes
  }
}

extension ICETransport {
  /// The fingerprint to hold the peer's certificate against: the strongest.
  ///
  /// - Specification: RFC 8122 §5
  package var fingerprint: DTLSFingerprint? {
    fingerprints.max { $0.hash < $1.hash }
  }
}
