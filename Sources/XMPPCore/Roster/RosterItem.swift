/// A contact as the account's own server remembers it.
///
/// - Specification: RFC 6121 §2.1.2
package struct RosterItem: Hashable, Sendable {
  /// Who sees whose presence.
  package enum Subscription: String, Hashable, Sendable, CaseIterable {
    /// Neither.
    case none
    /// The account sees the contact's.
    case to
    /// The contact sees the account's.
    case from
    case both
    /// The contact is taken off the list; only in a push.
    case remove
  }

  package var jid: JID
  package var name: String?
  package var subscription: Subscription
  /// Whether the account has asked to see the contact's presence and awaits the answer.
  package var isPending: Bool
  package var groups: [String]

  package init(
    jid: JID, name: String? = nil, subscription: Subscription = .none, isPending: Bool = false, groups: [String] = []
  ) {
    self.jid = jid
    self.name = name
    self.subscription = subscription
    self.isPending = isPending
    self.groups = groups
  }

  /// Whether the contact may know that the account is available, and so may be answered without telling a stranger.
  package var seesOurPresence: Bool { subscription == .from || subscription == .both }

  package var showsItsPresence: Bool { subscription == .to || subscription == .both }
}

extension RosterItem {
  /// Of more groups, the first are read.
  package static let maximumGroups = 64

  package init(_ element: XMLElement) throws(StanzaError) {
    guard element.is("item", Roster.namespace) else { throw StanzaError(.badRequest, text: "not a roster item") }
    guard let jid = try element.address("jid") else { throw StanzaError(.badRequest, text: "<item/> without 'jid'") }
    self.jid = jid
    name = element[attribute: "name"]
    // An unknown state is read as the one that allows nothing.
    subscription = element[attribute: "subscription"].flatMap(Subscription.init) ?? .none
    isPending = element[attribute: "ask"] == "subscribe"
    groups = element.all("group", Roster.namespace).prefix(Self.maximumGroups).map(\.text)
  }

  package var element: XMLElement {
    var element = XMLElement(
      "item", namespace: Roster.namespace,
      attributes: ["jid": jid.description, "subscription": subscription.rawValue],
      children: groups.map { XMLElement("group", namespace: Roster.namespace, text: $0) })
    element[attribute: "name"] = name
    if isPending { element[attribute: "ask"] = "subscribe" }
    return element
  }
}
