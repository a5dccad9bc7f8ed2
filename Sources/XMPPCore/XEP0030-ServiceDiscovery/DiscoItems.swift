/// What else there is at an entity: addresses, or nodes of an address.
///
/// - Specification: XEP-0030 §4
package struct DiscoItems: Hashable, Sendable {
  package struct Item: Hashable, Sendable {
    package var jid: JID
    package var node: String?
    package var name: String?

    package init(jid: JID, node: String? = nil, name: String? = nil) {
      self.jid = jid
      self.node = node
      self.name = name
    }
  }

  package static let namespace = "http://jabber.org/protocol/disco#items"

  package var node: String?
  package var items: [Item]

  package init(node: String? = nil, items: [Item] = []) {
    self.node = node
    self.items = items
  }
}

extension DiscoItems {
  /// Of a longer list, the first items are read.
  package static let maximumItems = 1024

  /// The question, for an iq of type get.
  package static func request(node: String? = nil) -> XMLElement {
    var element = XMLElement("query", namespace: namespace)
    element[attribute: "node"] = node
    return element
  }

  /// Reads the answer. Items without a proper address are left out.
  package init(_ element: XMLElement) throws(StanzaError) {
    guard element.is("query", Self.namespace) else { throw StanzaError(.badRequest, text: "not a disco#items answer") }
    node = element[attribute: "node"]
    items = element.all("item", Self.namespace).prefix(Self.maximumItems).compactMap { item in
      guard let text = item[attribute: "jid"], let jid = try? JID(text) else { return nil }
      return Item(jid: jid, node: item[attribute: "node"], name: item[attribute: "name"])
    }
  }

  package var element: XMLElement {
    var element = Self.request(node: node)
    for item in items {
      var child = XMLElement("item", namespace: Self.namespace, attributes: ["jid": item.jid.description])
      child[attribute: "node"] = item.node
      child[attribute: "name"] = item.name
      element.append(child)
    }
    return element
  }
}
