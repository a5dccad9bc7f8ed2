/// Something pushed to another entity, without an answer.
///
/// - Specification: RFC 6121 §5
package struct Message: Hashable, Sendable {
  package enum Kind: String, Hashable, Sendable, CaseIterable {
    case normal, chat, groupchat, headline, error
  }

  package var type: Kind
  package var id: String?
  package var from: JID?
  package var to: JID?
  /// The elements inside, except the error of a message of type error.
  package var payloads: [XMLElement]
  /// Why a message came back; nil unless the type is error.
  package var error: StanzaError?

  package init(type: Kind = .normal, id: String? = nil, from: JID? = nil, to: JID? = nil, payloads: [XMLElement] = []) {
    self.type = type
    self.id = id
    self.from = from
    self.to = to
    self.payloads = payloads
  }

  package var body: String? { first("body", Stanza.namespace)?.text }

  /// The first payload of that name and namespace.
  package func first(_ name: String, _ namespace: String) -> XMLElement? {
    payloads.first { $0.is(name, namespace) }
  }
}

extension Message {
  package init(_ element: XMLElement) throws(StanzaError) {
    guard element.is("message", Stanza.namespace) else { throw StanzaError(.badRequest, text: "not a <message/>") }
    // An unknown type is to be treated as normal (RFC 6121 §5.2.2).
    type = element[attribute: "type"].flatMap(Kind.init) ?? .normal
    id = element[attribute: "id"]
    from = try element.address("from")
    to = try element.address("to")
    payloads = element.children
    if type == .error {
      error = StanzaError(in: element)
      payloads.removeAll { $0.is("error", Stanza.namespace) }
    }
  }

  package var element: XMLElement {
    var element = XMLElement(
      stanza: "message", type: type == .normal ? nil : type.rawValue, id: id, from: from, to: to)
    for payload in payloads { element.append(payload) }
    if let error { element.append(error.element) }
    return element
  }
}
