/// A word about a call that somebody invites to: the invitation itself, what was answered, or that it is over.
///
/// - Specification: XEP-0482 §2
package struct CallInvite: Hashable, Sendable {
  package static let namespace = "urn:xmpp:call-invites:0"
  /// XEP-0272's, which adds a way to join.
  fileprivate static let mujiNamespace = "urn:xmpp:jingle:muji:0"
  /// XEP-0359's.
  private static let stanzaIDNamespace = "urn:xmpp:sid:0"

  /// Of more ways to join, the first are read.
  package static let maximumMethods = 16
  /// Longer ids and addresses are none.
  static let maximumLength = 2048

  /// A way to join.
  package enum Method: Hashable, Sendable {
    /// A Jingle session that will be begun from `jid`, or from the inviter itself.
    case jingle(sid: String, jid: JID?)
    case external(uri: String)
    /// A conference in a chat room (XEP-0272).
    case muji(room: JID)
    /// One that another specification defines.
    case other(XMLElement)
  }

  package enum Action: Hashable, Sendable {
    case invite(audio: Bool = true, video: Bool = false, [Method])
    case retract
    /// The way that the accepting client goes; nil when it does not say.
    case accept(Method?)
    case reject
    case left
  }

  package var action: Action
  /// The id of the invitation that this is about; of an invitation, its own.
  package var id: String

  package init(id: String, _ action: Action) {
    self.id = id
    self.action = action
  }
}

extension CallInvite {
  /// The one in a message; nil when there is none, or it cannot be read or referred to.
  ///
  /// - Specification: XEP-0482 §3.1
  package init?(in message: Message) {
    guard message.type != .error, let element = message.payloads.first(where: { $0.namespace == Self.namespace }) else {
      return nil
    }
    let id = element.name == "invite" ? Self.id(of: message) : element[attribute: "id"]
    guard let id, (1...Self.maximumLength).contains(id.utf8.count) else { return nil }
    self.id = id
    switch element.name {
    case "invite":
      let audio = element[attribute: "audio"].map(Self.isTrue) ?? true
      let video = element[attribute: "video"].map(Self.isTrue) ?? false
      action = .invite(
        audio: audio, video: video, element.children.prefix(Self.maximumMethods).compactMap(Method.init))
    case "retract": action = .retract
    case "accept": action = .accept(element.children.lazy.compactMap(Method.init).first)
    case "reject": action = .reject
    case "left": action = .left
    default: return nil
    }
  }

  /// The element for a message. Of an invitation, the id is that of the message itself.
  package var element: XMLElement {
    var element = XMLElement(name, namespace: Self.namespace)
    switch action {
    case .invite(let audio, let video, let methods):
      if !audio { element[attribute: "audio"] = "false" }
      if video { element[attribute: "video"] = "true" }
      for method in methods { element.append(method.element) }
    case .accept(let method):
      element[attribute: "id"] = id
      if let method { element.append(method.element) }
    case .retract, .reject, .left:
      element[attribute: "id"] = id
    }
    return element
  }

  private var name: String {
    switch action {
    case .invite: "invite"
    case .retract: "retract"
    case .accept: "accept"
    case .reject: "reject"
    case .left: "left"
    }
  }

  private static func isTrue(_ text: String) -> Bool { text == "true" || text == "1" }

  /// By which id others speak of a message: in a room the room's, else the sender's.
  private static func id(of message: Message) -> String? {
    if message.type == .groupchat {
      guard let room = message.from?.bare else { return nil }
      let given = message.payloads.first {
        $0.is("stanza-id", stanzaIDNamespace) && $0[attribute: "by"].flatMap { try? JID($0) } == room
      }
      return given?[attribute: "id"]
    }
    return message.first("origin-id", stanzaIDNamespace)?[attribute: "id"] ?? message.id
  }
}

extension CallInvite.Method {
  /// Nil when a way that is known is told wrongly.
  fileprivate init?(_ element: XMLElement) {
    func text(_ attribute: String) -> String? {
      element[attribute: attribute].flatMap { (1...CallInvite.maximumLength).contains($0.utf8.count) ? $0 : nil }
    }
    switch (element.name, element.namespace) {
    case ("jingle", CallInvite.namespace):
      guard let sid = text("sid") else { return nil }
      let address = element[attribute: "jid"]
      let jid = address.flatMap { try? JID($0) }
      guard address == nil || jid != nil else { return nil }
      self = .jingle(sid: sid, jid: jid)
    case ("external", CallInvite.namespace):
      guard let uri = text("uri"), !uri.unicodeScalars.contains(where: { $0.value <= 0x20 || $0.value == 0x7F }) else {
        return nil
      }
      self = .external(uri: uri)
    case ("muji", CallInvite.mujiNamespace):
      guard let room = text("room").flatMap({ try? JID($0) }), room.isBare else { return nil }
      self = .muji(room: room)
    default:
      self = .other(element)
    }
  }

  fileprivate var element: XMLElement {
    switch self {
    case .jingle(let sid, let jid):
      var element = XMLElement("jingle", namespace: CallInvite.namespace, attributes: ["sid": sid])
      element[attribute: "jid"] = jid?.description
      return element
    case .external(let uri): return XMLElement("external", namespace: CallInvite.namespace, attributes: ["uri": uri])
    case .muji(let room):
      return XMLElement("muji", namespace: CallInvite.mujiNamespace, attributes: ["room": room.description])
    case .other(let element): return element
    }
  }
}
