/// One of the three things that a stream carries.
///
/// - Specification: RFC 6120 §8
package enum Stanza: Hashable, Sendable {
  case iq(IQ)
  case message(Message)
  case presence(Presence)

  package static let namespace = "jabber:client"

  /// - Throws: the stanza error that the sender has earned; `StanzaError.reply(to:)` makes the answer of it.
  package init(_ element: XMLElement) throws(StanzaError) {
    switch (element.name, element.namespace) {
    case ("iq", Self.namespace): self = .iq(try IQ(element))
    case ("message", Self.namespace): self = .message(try Message(element))
    case ("presence", Self.namespace): self = .presence(try Presence(element))
    default: throw StanzaError(.badRequest, text: "not a stanza")
    }
  }
}

extension XMLElement {
  /// The address in an attribute; nil when the attribute is missing.
  package func address(_ attribute: String) throws(StanzaError) -> JID? {
    guard let text = self[attribute: attribute] else { return nil }
    do {
      return try JID(text)
    } catch {
      throw StanzaError(.jidMalformed, text: "'\(attribute)': \(error)")
    }
  }

  /// The value of an attribute that must be there and not empty.
  package func required(_ attribute: String) throws(StanzaError) -> String {
    guard let text = self[attribute: attribute], !text.isEmpty else {
      throw StanzaError(.badRequest, text: "<\(name)/> without '\(attribute)'")
    }
    return text
  }

  /// An empty stanza with the attributes that all kinds share.
  init(stanza name: String, type: String?, id: String?, from: JID?, to: JID?) {
    self.init(name, namespace: Stanza.namespace)
    self[attribute: "type"] = type
    self[attribute: "id"] = id
    self[attribute: "from"] = from?.description
    self[attribute: "to"] = to?.description
  }
}
