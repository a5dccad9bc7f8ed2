/// A fingerprint of what an entity can do, carried in its presence.
///
/// - Specification: XEP-0115 §4
package struct Capabilities: Hashable, Sendable {
  package static let namespace = "http://jabber.org/protocol/caps"

  /// The software, as a URI; `node#ver` is the node to ask for what the fingerprint stands for.
  package var node: String
  package var verification: Verification

  package init(node: String, verification: Verification) {
    self.node = node
    self.verification = verification
  }

  /// The node of the disco#info question, and of its answer.
  package var queryNode: String { "\(node)#\(verification.value)" }
}

extension Capabilities {
  /// The fingerprint of an entity's own information.
  package init(node: String, of info: DiscoInfo, hash: Verification.Hash = .sha1) {
    self.init(node: node, verification: Verification(of: info, hash: hash))
  }

  /// Longer ones than any hash or software needs are refused, since caches keep them.
  static let maximumLength = 512

  /// Reads a `<c/>`. Without a `hash` it is of the legacy format, whose `ver` proves nothing and names no hash.
  package init(_ element: XMLElement) throws(StanzaError) {
    guard element.is("c", Self.namespace) else { throw StanzaError(.badRequest, text: "not a <c/>") }
    node = try element.required("node")
    verification = Verification(algorithm: element[attribute: "hash"] ?? "", value: try element.required("ver"))
    guard [node, verification.algorithm, verification.value].allSatisfy({ $0.utf8.count <= Self.maximumLength }) else {
      throw StanzaError(.notAcceptable, text: "a <c/> of this length")
    }
  }

  package var element: XMLElement {
    XMLElement(
      "c", namespace: Self.namespace,
      attributes: ["hash": verification.algorithm, "node": node, "ver": verification.value])
  }
}

extension Presence {
  /// The capabilities that this presence advertises; nil when there are none that can be read.
  package var capabilities: Capabilities? {
    first("c", Capabilities.namespace).flatMap { try? Capabilities($0) }
  }
}
