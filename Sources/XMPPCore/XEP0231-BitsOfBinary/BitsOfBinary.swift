/// A small piece of data that goes inside a stanza, under a name that says its hash.
///
/// - Specification: XEP-0231 §2
package struct BitsOfBinary: Hashable, Sendable {
  package static let namespace = "urn:xmpp:bob"
  /// No more than this is offered, as the specification advises.
  package static let advisedLength = 8 * 1024
  /// More than this is refused.
  package static let maximumLength = 64 * 1024

  package let cid: ContentID
  /// What the data is.
  package let type: String
  /// How long the data may be kept: not at all when zero; nil is for as long as the application runs.
  package let maxAge: Duration?
  package let bytes: [UInt8]

  /// - Parameter type: a media type.
  package init(_ bytes: [UInt8], type: String, maxAge: Duration? = nil, algorithm: HashAlgorithm = .sha256) {
    precondition(bytes.count <= Self.maximumLength, "more than a bit of data")
    cid = ContentID(HashValue(algorithm, of: bytes))
    self.type = type
    self.maxAge = maxAge
    self.bytes = bytes
  }

  /// Whether the data is what its name says; nil when the name says nothing that can be checked.
  package var isGenuine: Bool? {
    cid.hash.map { HashValue($0.algorithm, of: bytes) == $0 }
  }
}

extension BitsOfBinary {
  /// Reads data, which need not be genuine. See `init(_:answering:)`.
  ///
  /// - Throws: `bad-request` when it has no name or type, is not base64, or too much.
  package init(_ element: XMLElement) throws(StanzaError) {
    guard element.is("data", Self.namespace), let name = element[attribute: "cid"], let cid = ContentID(name) else {
      throw StanzaError(.badRequest, text: "data without a cid")
    }
    guard let bytes = element.base64Content(upTo: Self.maximumLength) else {
      throw StanzaError(.badRequest, text: "data that is not base64, or too much")
    }
    guard let type = MediaType.checked(element[attribute: "type"]) else {
      throw StanzaError(.badRequest, text: "data without a type")
    }
    self.cid = cid
    self.type = type
    self.bytes = bytes
    maxAge = element[attribute: "max-age"].flatMap {
      // Years enough for anybody.
      (1...9).contains($0.utf8.count) && $0.utf8.allSatisfy { (0x30...0x39).contains($0) } ? UInt32($0) : nil
    }.map { .seconds($0) }
  }

  /// Reads the answer to a request.
  ///
  /// - Throws: `bad-request` when it is not what was asked for: malformed, empty, under another name, or with another
  ///   hash than its name says.
  package init(_ element: XMLElement?, answering cid: ContentID) throws(StanzaError) {
    guard let element else { throw StanzaError(.badRequest, text: "there is no data") }
    let data = try BitsOfBinary(element)
    guard data.cid == cid, !data.bytes.isEmpty, data.isGenuine != false else {
      throw StanzaError(.badRequest, text: "data that is not what was asked for")
    }
    self = data
  }

  package var element: XMLElement {
    var element = XMLElement(
      "data", namespace: Self.namespace, attributes: ["cid": cid.text, "type": type], text: bytes.base64)
    element[attribute: "max-age"] = maxAge.map { "\(max(0, $0.components.seconds))" }
    return element
  }

  /// The question for data, in an iq of type get.
  package static func request(_ cid: ContentID) -> XMLElement {
    XMLElement("data", namespace: namespace, attributes: ["cid": cid.text])
  }

  /// What a question is for, or nil when it is not one.
  package static func requested(by element: XMLElement) -> ContentID? {
    guard element.is("data", namespace), let name = element[attribute: "cid"] else { return nil }
    return ContentID(name)
  }
}

extension BitsOfBinary {
  /// The name of some data: `sha-256+…@bob.xmpp.org` with its hash in hexadecimal digits, or any other.
  ///
  /// - Specification: XEP-0231 §2.5, §2.6, RFC 2392 §2
  package struct ContentID: Hashable, Sendable {
    static let maximumLength = 512
    private static let domain = "@bob.xmpp.org"

    package let text: String
    /// nil when the name has none, or one that cannot be checked here.
    package let hash: HashValue?

    package init(_ hash: HashValue) {
      // For historical reasons SHA-1 has a name of its own here.
      let name = hash.algorithm == .sha1 ? "sha1" : hash.algorithm.rawValue
      text = "\(name)+\(hash.hexadecimal)\(Self.domain)"
      self.hash = hash
    }

    /// nil when the name is empty, too long, or has characters that no such name has.
    package init?(_ text: String) {
      guard
        (1...Self.maximumLength).contains(text.utf8.count), text.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
      else { return nil }
      self.text = text
      hash = Self.hash(in: text)
    }

    /// The name in a URI `cid:…`; nil when it is another URI.
    package init?(uri: String) {
      guard
        uri.utf8.count <= 4 + 3 * Self.maximumLength, uri.prefix(4).lowercased() == "cid:",
        let text = Self.decoded(uri.dropFirst(4))
      else { return nil }
      self.init(text)
    }

    package var uri: String { "cid:\(text.replacing("%", with: "%25"))" }

    /// With the signs for which `%` and two hexadecimal digits stand; nil when a `%` stands for nothing.
    private static func decoded(_ text: Substring) -> String? {
      let parts = text.utf8.split(separator: UInt8(ascii: "%"), omittingEmptySubsequences: false)
      var bytes = Array(parts[0])
      for part in parts.dropFirst() {
        let digits = String(decoding: part.prefix(2), as: UTF8.self)
        guard let byte = [UInt8](hexadecimal: digits)?.first else { return nil }
        bytes.append(byte)
        bytes += part.dropFirst(2)
      }
      return String(decoding: bytes, as: UTF8.self)
    }

    private static func hash(in text: String) -> HashValue? {
      guard text.hasSuffix(domain) else { return nil }
      let parts = text.dropLast(domain.count).split(separator: "+", omittingEmptySubsequences: false)
      guard
        parts.count == 2, let algorithm = HashAlgorithm(named: String(parts[0])),
        let bytes = [UInt8](hexadecimal: parts[1]), bytes.count == algorithm.length
      else { return nil }
      return HashValue(algorithm, bytes)
    }
  }
}
