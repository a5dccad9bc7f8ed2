/// Whether an entity can be reached, or a step in a subscription to that knowledge.
///
/// - Specification: RFC 6121 §3 (subscriptions), §4 (availability)
package struct Presence: Hashable, Sendable {
  package enum Kind: String, Hashable, Sendable, CaseIterable {
    case available, unavailable, subscribe, subscribed, unsubscribe, unsubscribed, probe, error
  }

  package enum Show: String, Hashable, Sendable, CaseIterable {
    case away, chat, doNotDisturb = "dnd", extendedAway = "xa"
  }

  package var type: Kind
  package var id: String?
  package var from: JID?
  /// Nil in a broadcast; an address makes it directed presence (RFC 6121 §4.6).
  package var to: JID?
  package var show: Show?
  package var status: String?
  package var priority: Int8 = 0
  /// The elements inside, except those that have their own property here.
  package var payloads: [XMLElement]
  /// Why a presence came back; nil unless the type is error.
  package var error: StanzaError?

  package init(
    _ type: Kind = .available, id: String? = nil, from: JID? = nil, to: JID? = nil, payloads: [XMLElement] = []
  ) {
    self.type = type
    self.id = id
    self.from = from
    self.to = to
    self.payloads = payloads
  }

  /// The first payload of that name and namespace.
  package func first(_ name: String, _ namespace: String) -> XMLElement? {
    payloads.first { $0.is(name, namespace) }
  }
}

extension Presence {
  package init(_ element: XMLElement) throws(StanzaError) {
    guard element.is("presence", Stanza.namespace) else { throw StanzaError(.badRequest, text: "not a <presence/>") }
    if let text = element[attribute: "type"] {
      // "available" is our word for an absent type, not one that may be sent.
      guard let type = Kind(rawValue: text), type != .available else {
        throw StanzaError(.badRequest, text: "<presence/> of unknown type")
      }
      self.type = type
    } else {
      type = .available
    }
    id = element[attribute: "id"]
    from = try element.address("from")
    to = try element.address("to")
    payloads = []
    for child in element.children {
      switch (child.name, child.namespace) {
      case ("show", Stanza.namespace): show = show ?? Show(rawValue: child.text)
      case ("status", Stanza.namespace): status = status ?? child.text
      case ("priority", Stanza.namespace): priority = Int8(child.text) ?? 0
      case ("error", Stanza.namespace): break
      default: payloads.append(child)
      }
    }
    if type == .error { error = StanzaError(in: element) }
  }

  package var element: XMLElement {
    var element = XMLElement(
      stanza: "presence", type: type == .available ? nil : type.rawValue, id: id, from: from, to: to)
    func append(_ name: String, _ text: String) {
      element.append(XMLElement(name, namespace: Stanza.namespace, text: text))
    }
    if let show { append("show", show.rawValue) }
    if let status { append("status", status) }
    if priority != 0 { append("priority", "\(priority)") }
    for payload in payloads { element.append(payload) }
    if let error { element.append(error.element) }
    return element
  }
}
