package import XMPPCore

/// A message that announces, answers or ends a call before and beside its Jingle session.
///
/// - Specification: XEP-0353 §3
package struct JingleMessage: Hashable, Sendable {
  package static let namespace = "urn:xmpp:jingle-message:0"
  /// A proposal with more descriptions is not read.
  package static let maximumDescriptions = 32
  private static let roomNamespace = "http://jabber.org/protocol/muc#user"

  package enum Action: Hashable, Sendable {
    /// The caller asks: one description, without payload types, for each kind of media.
    case propose([Jingle.Description])
    /// A device of the callee rings.
    case ringing
    /// A device of the callee takes the call.
    case proceed
    case reject(Jingle.Reason?, isTieBreak: Bool = false)
    /// The caller changed its mind.
    case retract(Jingle.Reason?, isTieBreak: Bool = false)
    /// The call is over, or goes on as another session.
    case finish(Jingle.Reason?, migratedTo: String? = nil)
    /// The word for `proceed` that a device sends to its own account, for servers without carbons.
    case accept
  }

  /// The id of the proposal, and of the session that follows.
  package var id: String
  package var action: Action
  /// Children of other specifications, such as the OMEMO device in Dino's `proceed`.
  package var extensions: [XMLElement]

  package init(id: String, _ action: Action, extensions: [XMLElement] = []) {
    self.id = id
    self.action = action
    self.extensions = extensions
  }

  /// The kinds of media that a proposal is about; nothing in other messages.
  package var media: [String] {
    guard case .propose(let descriptions) = action else { return [] }
    return descriptions.compactMap { $0.rtp?.media }
  }
}

extension JingleMessage {
  /// The one inside a message stanza. Errors and malformed ones are none: no answer could be sent. Nor is what comes
  /// through a chat room, whose occupants share one bare address.
  package init?(in message: Message) {
    guard message.type == .chat || message.type == .normal, message.first("x", Self.roomNamespace) == nil else {
      return nil
    }
    for payload in message.payloads {
      if let found = JingleMessage(payload) {
        self = found
        return
      }
    }
    return nil
  }

  package init?(_ element: XMLElement) {
    guard element.namespace == Self.namespace, let id = element[attribute: "id"], Jingle.isName(id) else { return nil }
    let reason = element.first("reason", Jingle.namespace).map(Jingle.Reason.init)
    let isTieBreak = element.first("tie-break", Self.namespace) != nil
    var known: [String] = ["reason", "tie-break", "migrated"]
    let action: Action
    switch element.name {
    case "propose":
      known.append("description")
      let descriptions = element.children.filter { $0.name == "description" }
      guard descriptions.count <= Self.maximumDescriptions else { return nil }
      action = .propose(descriptions.compactMap { try? Jingle.Description($0) })
    case "ringing": action = .ringing
    case "proceed": action = .proceed
    case "reject": action = .reject(reason, isTieBreak: isTieBreak)
    case "retract": action = .retract(reason, isTieBreak: isTieBreak)
    case "finish":
      let migrated = element.first("migrated", Self.namespace)?[attribute: "to"]
      action = .finish(reason, migratedTo: migrated.flatMap { Jingle.isName($0) ? $0 : nil })
    case "accept": action = .accept
    default: return nil
    }
    self.init(id: id, action, extensions: element.children.filter { !known.contains($0.name) })
  }

  package var element: XMLElement {
    var element = XMLElement(name, namespace: Self.namespace, attributes: ["id": id])
    switch action {
    case .propose(let descriptions):
      for description in descriptions { element.append(description.element) }
    case .reject(let reason, let isTieBreak), .retract(let reason, let isTieBreak):
      if let reason { element.append(reason.element) }
      if isTieBreak { element.append(XMLElement("tie-break", namespace: Self.namespace)) }
    case .finish(let reason, let migratedTo):
      if let reason { element.append(reason.element) }
      if let migratedTo {
        element.append(XMLElement("migrated", namespace: Self.namespace, attributes: ["to": migratedTo]))
      }
    case .ringing, .proceed, .accept: break
    }
    for child in extensions { element.append(child) }
    return element
  }

  /// The stanza to send, of type chat and with the hint to archive it, as the specification demands.
  ///
  /// - Parameter stanzaID: a random id for the stanza itself.
  /// - Specification: XEP-0353 §3, XEP-0334 §4
  package func stanza(to recipient: JID, stanzaID: String) -> Message {
    Message(type: .chat, id: stanzaID, to: recipient, payloads: [element, MessageHint.store.element])
  }

  private var name: String {
    switch action {
    case .propose: "propose"
    case .ringing: "ringing"
    case .proceed: "proceed"
    case .reject: "reject"
    case .retract: "retract"
    case .finish: "finish"
    case .accept: "accept"
    }
  }
}
