/// A word that a message has arrived, or the wish for one.
///
/// - Specification: XEP-0184 §7
package enum DeliveryReceipt: Hashable, Sendable {
  /// The sender wishes to know; the message carries an id.
  case request
  /// The message with this id has arrived.
  case received(id: String)

  package static let namespace = "urn:xmpp:receipts"

  /// What the message says, or nil.
  package init?(in message: Message) {
    if let id = message.first("received", Self.namespace)?[attribute: "id"], !id.isEmpty {
      self = .received(id: id)
    } else if message.first("request", Self.namespace) != nil, message.id != nil {
      self = .request
    } else {
      return nil
    }
  }

  package var element: XMLElement {
    switch self {
    case .request: XMLElement("request", namespace: Self.namespace)
    case .received(let id): XMLElement("received", namespace: Self.namespace, attributes: ["id": id])
    }
  }
}
