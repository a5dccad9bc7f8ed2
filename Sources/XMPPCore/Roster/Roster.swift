/// The account's contacts, fetched from its server and kept up to date by the server's pushes.
///
/// - Specification: RFC 6121 §2
package struct Roster: Sendable {
  package static let namespace = "jabber:iq:roster"

  /// More contacts than people have; further ones are not kept.
  package static let maximumItems = 16_384

  /// The question, for an iq of type get.
  package static let request = XMLElement("query", namespace: namespace)

  private let account: JID
  private var items: [JID: RosterItem] = [:]

  /// - Parameter account: the own address; only its server may change the list.
  package init(account: JID) {
    self.account = account
  }

  /// The contact with the bare form of that address.
  package subscript(jid: JID) -> RosterItem? { items[jid.bare] }

  package var contacts: [RosterItem] { items.values.sorted { $0.jid.description < $1.jid.description } }

  /// Takes the answer to the question, which replaces what was known. Items that cannot be read are left out.
  ///
  /// - Specification: RFC 6121 §2.1.4
  package mutating func receiveResult(_ payload: XMLElement?) throws(StanzaError) {
    // No payload: the list is as it was (RFC 6121 §2.6.3).
    guard let payload else { return }
    guard payload.is("query", Self.namespace) else { throw StanzaError(.badRequest, text: "not a roster") }
    items = [:]
    for element in payload.all("item", Self.namespace) {
      if let item = try? RosterItem(element) { keep(item) }
    }
  }

  /// Takes a push.
  ///
  /// - Returns: the answer to send; nil when the stanza is no roster push.
  /// - Specification: RFC 6121 §2.1.6
  package mutating func receivePush(_ iq: IQ) -> IQ? {
    guard case .set(let payload) = iq.content, payload.is("query", Self.namespace) else { return nil }
    // From anybody but the own account this is an attempt to change our list.
    guard iq.from == nil || iq.from == account.bare else { return iq.reply(.error(StanzaError(.serviceUnavailable))) }
    let elements = payload.all("item", Self.namespace)
    guard elements.count == 1 else {
      return iq.reply(.error(StanzaError(.badRequest, text: "a roster push holds exactly one item")))
    }
    do {
      keep(try RosterItem(elements[0]))
      return iq.reply(.result(nil))
    } catch {
      return iq.reply(.error(error))
    }
  }

  private mutating func keep(_ item: RosterItem) {
    let key = item.jid.bare
    if item.subscription == .remove {
      items[key] = nil
    } else if items[key] != nil || items.count < Self.maximumItems {
      items[key] = item
    }
  }
}
