package import XMPPCore

/// News about the media of a running call, carried by `session-info`.
///
/// - Specification: XEP-0167 §7
package enum RTPInfo: Hashable, Sendable {
  package static let namespace = "urn:xmpp:jingle:apps:rtp:info:1"

  /// Back from hold and mute.
  case active
  /// The sender does not listen for now.
  case hold
  case unhold
  /// The sender sends nothing for now; without a name, in no content. The creator is no more reliable than elsewhere.
  case mute(creator: Jingle.Party?, name: String?)
  case unmute(creator: Jingle.Party?, name: String?)
  /// The device rings.
  case ringing

  /// nil when the element is none of these, or names what cannot be a content.
  package init?(_ element: XMLElement) {
    guard element.namespace == Self.namespace else { return nil }
    let creator = element[attribute: "creator"].flatMap(Jingle.Party.init)
    let name = element[attribute: "name"]
    if let name, !Jingle.isName(name) { return nil }
    switch element.name {
    case "active": self = .active
    case "hold": self = .hold
    case "unhold": self = .unhold
    case "mute": self = .mute(creator: creator, name: name)
    case "unmute": self = .unmute(creator: creator, name: name)
    case "ringing": self = .ringing
    default: return nil
    }
  }

  package var element: XMLElement {
    switch self {
    case .active: XMLElement("active", namespace: Self.namespace)
    case .hold: XMLElement("hold", namespace: Self.namespace)
    case .unhold: XMLElement("unhold", namespace: Self.namespace)
    case .mute(let creator, let name): Self.element("mute", creator, name)
    case .unmute(let creator, let name): Self.element("unmute", creator, name)
    case .ringing: XMLElement("ringing", namespace: Self.namespace)
    }
  }

  private static func element(_ kind: String, _ creator: Jingle.Party?, _ name: String?) -> XMLElement {
    var element = XMLElement(kind, namespace: namespace)
    element[attribute: "creator"] = creator?.rawValue
    element[attribute: "name"] = name
    return element
  }
}

/// What stands beside `security-error` when a call's media cannot be protected.
///
/// - Specification: XEP-0167 §6
package enum RTPError: String, Hashable, Sendable {
  package static let namespace = "urn:xmpp:jingle:apps:rtp:errors:1"

  case cryptoRequired = "crypto-required"
  case invalidCrypto = "invalid-crypto"

  package init?(_ element: XMLElement) {
    guard element.namespace == Self.namespace else { return nil }
    self.init(rawValue: element.name)
  }

  package var element: XMLElement { XMLElement(rawValue, namespace: Self.namespace) }
}
