package import XMPPCore

/// The `jingle` element: one action on one session.
///
/// Reading is lenient where peers differ (creators, addresses) and strict where a guess could be wrong: what cannot be
/// understood throws the stanza error that the sender is to be answered with.
///
/// - Specification: XEP-0166 §7
package struct Jingle: Hashable, Sendable {
  package static let namespace = "urn:xmpp:jingle:1"
  /// More contents in one stanza than this are refused.
  package static let maximumContents = 32
  /// A longer session id or content name, in UTF-8 bytes, is refused.
  package static let maximumNameLength = 256

  package var action: Action
  /// The session's identifier, chosen by the initiator; with XEP-0353 the proposal's `id`.
  package var sid: String
  /// Written in `session-initiate` only. Peers write anything here, so it is never relied on: the sender counts.
  package var initiator: JID?
  /// Written in `session-accept` only, and as little relied on.
  package var responder: JID?
  package var contents: [Content]
  package var reason: Reason?
  /// Contents that belong together.
  package var groups: [ContentGroup]
  /// Everything else inside: informational messages, extensions.
  package var payloads: [XMLElement]

  package init(
    _ action: Action, sid: String, initiator: JID? = nil, responder: JID? = nil, contents: [Content] = [],
    reason: Reason? = nil, groups: [ContentGroup] = [], payloads: [XMLElement] = []
  ) {
    self.action = action
    self.sid = sid
    self.initiator = initiator
    self.responder = responder
    self.contents = contents
    self.reason = reason
    self.groups = groups
    self.payloads = payloads
  }
}

extension Jingle {
  /// What the stanza is about.
  ///
  /// - Specification: XEP-0166 §7.2
  package enum Action: Hashable, Sendable, CustomStringConvertible {
    case contentAccept, contentAdd, contentModify, contentReject, contentRemove
    case descriptionInfo
    case securityInfo
    case sessionAccept, sessionInfo, sessionInitiate, sessionTerminate
    case transportAccept, transportInfo, transportReject, transportReplace
    /// An action that the specification does not define.
    case unknown(String)

    package static let defined: [Action] = [
      .contentAccept, .contentAdd, .contentModify, .contentReject, .contentRemove, .descriptionInfo, .securityInfo,
      .sessionAccept, .sessionInfo, .sessionInitiate, .sessionTerminate, .transportAccept, .transportInfo,
      .transportReject, .transportReplace,
    ]

    package init(_ name: String) {
      self = Self.defined.first { $0.description == name } ?? .unknown(name)
    }

    /// The action as the attribute spells it.
    package var description: String {
      switch self {
      case .contentAccept: "content-accept"
      case .contentAdd: "content-add"
      case .contentModify: "content-modify"
      case .contentReject: "content-reject"
      case .contentRemove: "content-remove"
      case .descriptionInfo: "description-info"
      case .securityInfo: "security-info"
      case .sessionAccept: "session-accept"
      case .sessionInfo: "session-info"
      case .sessionInitiate: "session-initiate"
      case .sessionTerminate: "session-terminate"
      case .transportAccept: "transport-accept"
      case .transportInfo: "transport-info"
      case .transportReject: "transport-reject"
      case .transportReplace: "transport-replace"
      case .unknown(let name): name
      }
    }
  }
}

extension Jingle {
  /// - Throws: `bad-request`, with a text that names what was wrong.
  package init(_ element: XMLElement) throws(StanzaError) {
    guard element.is("jingle", Jingle.namespace) else { throw .badRequest("this is no jingle element") }
    guard let action = element[attribute: "action"], action.utf8.count <= Jingle.maximumNameLength else {
      throw .badRequest("jingle's action is missing or too long")
    }
    guard let sid = element[attribute: "sid"], Jingle.isName(sid) else {
      throw .badRequest("jingle's sid is missing, empty or too long")
    }
    self.init(Action(action), sid: sid)
    initiator = element[attribute: "initiator"].flatMap { try? JID($0) }
    responder = element[attribute: "responder"].flatMap { try? JID($0) }
    var keys: Set<Content.Key> = []
    for child in element.children {
      if child.is("content", Jingle.namespace) {
        guard contents.count < Jingle.maximumContents else { throw .badRequest("too many contents") }
        let content = try Content(child, in: self.action)
        guard keys.insert(content.key).inserted else { throw .badRequest("a content's name occurs twice") }
        contents.append(content)
      } else if child.is("reason", Jingle.namespace) {
        guard reason == nil else { throw .badRequest("there are two reasons") }
        reason = Reason(child)
      } else if child.is("group", ContentGroup.namespace) {
        // A group that is malformed, repeated or one too many leaves its contents as they are: apart.
        guard groups.count < ContentGroup.maximumCount, let group = ContentGroup(child), !groups.contains(group) else {
          continue
        }
        groups.append(group)
      } else {
        payloads.append(child)
      }
    }
  }

  package var element: XMLElement {
    var element = XMLElement("jingle", namespace: Jingle.namespace)
    element[attribute: "action"] = action.description
    element[attribute: "sid"] = sid
    element[attribute: "initiator"] = initiator?.description
    element[attribute: "responder"] = responder?.description
    for group in groups { element.append(group.element) }
    for payload in payloads { element.append(payload) }
    for content in contents { element.append(content.element(in: action)) }
    if let reason { element.append(reason.element) }
    return element
  }

  static func isName(_ string: String) -> Bool {
    !string.isEmpty && string.utf8.count <= maximumNameLength
  }
}

extension Jingle {
  /// What can be told of a request that cannot be understood: whose session it is in, and what it was to be.
  package struct Violation: Hashable, Sendable {
    package var action: Action
    package var sid: String
    /// The names of its contents, as far as they are names.
    package var contents: [String]
    /// What it is answered with.
    package var error: StanzaError

    package init(_ action: Action, sid: String, contents: [String] = [], error: StanzaError) {
      self.action = action
      self.sid = sid
      self.contents = contents
      self.error = error
    }

    /// nil when not even the session is named.
    init?(_ element: XMLElement, error: StanzaError) {
      guard let action = element[attribute: "action"], let sid = element[attribute: "sid"], Jingle.isName(sid) else {
        return nil
      }
      self.init(Action(action), sid: sid, error: error)
      for content in element.all("content", Jingle.namespace).prefix(Jingle.maximumContents) {
        guard let name = content[attribute: "name"], Jingle.isName(name), !contents.contains(name) else { continue }
        contents.append(name)
      }
    }
  }
}
