/// Why a stanza was not accepted: what comes back in an answer of type error, and what parsers of stanzas throw.
///
/// - Specification: RFC 6120 §8.3
package struct StanzaError: Error, Hashable, Sendable {
  /// What the sender may do about it.
  package enum Kind: String, Hashable, Sendable, CaseIterable {
    case auth, cancel, `continue`, modify, wait
  }

  /// - Specification: RFC 6120 §8.3.3
  package enum Condition: String, Hashable, Sendable, CaseIterable {
    case badRequest = "bad-request"
    case conflict
    case featureNotImplemented = "feature-not-implemented"
    case forbidden
    case gone
    case internalServerError = "internal-server-error"
    case itemNotFound = "item-not-found"
    case jidMalformed = "jid-malformed"
    case notAcceptable = "not-acceptable"
    case notAllowed = "not-allowed"
    case notAuthorized = "not-authorized"
    case policyViolation = "policy-violation"
    case recipientUnavailable = "recipient-unavailable"
    case redirect
    case registrationRequired = "registration-required"
    case remoteServerNotFound = "remote-server-not-found"
    case remoteServerTimeout = "remote-server-timeout"
    case resourceConstraint = "resource-constraint"
    case serviceUnavailable = "service-unavailable"
    case subscriptionRequired = "subscription-required"
    case undefinedCondition = "undefined-condition"
    case unexpectedRequest = "unexpected-request"

    /// The type that the specification gives this condition (where it gives two, the first).
    package var type: Kind {
      switch self {
      case .badRequest, .jidMalformed, .notAcceptable, .policyViolation, .redirect: .modify
      case .forbidden, .notAuthorized, .registrationRequired, .subscriptionRequired: .auth
      case .recipientUnavailable, .remoteServerTimeout, .resourceConstraint, .unexpectedRequest: .wait
      case .conflict, .featureNotImplemented, .gone, .internalServerError, .itemNotFound, .notAllowed,
        .remoteServerNotFound, .serviceUnavailable, .undefinedCondition:
        .cancel
      }
    }
  }

  /// The longest text that is kept of a peer's, in Unicode scalars.
  package static let maximumTextLength = 1024
  /// A longer address to go to instead, in UTF-8 bytes, is none: a JID has at most 3071 (RFC 7622 §3.1).
  static let maximumAddressLength = 4096

  package var condition: Condition
  package var type: Kind
  /// Words for people, if the sender gave any.
  package var text: String?
  /// Where the entity is to be found now: an address, only in `gone` and `redirect`.
  package var alternative: String?
  /// The condition that an application's own namespace defines, such as Jingle's.
  package var application: XMLElement?

  package init(
    _ condition: Condition, type: Kind? = nil, text: String? = nil, application: XMLElement? = nil
  ) {
    self.condition = condition
    self.type = type ?? condition.type
    self.text = text
    self.application = application
  }

  package static let namespace = "urn:ietf:params:xml:ns:xmpp-stanzas"
}

extension StanzaError: CustomStringConvertible {
  package var description: String {
    var text = condition.rawValue
    if let application { text += " (\(application.name))" }
    if let words = self.text, !words.isEmpty { text += ": \(words)" }
    return text
  }
}

extension StanzaError {
  /// Reads an `<error/>`. Whatever it lacks is filled in: an error that cannot be read is an error all the same.
  package init(_ element: XMLElement) {
    self.init(.undefinedCondition)
    var known = false
    for child in element.children {
      if child.is("text", Self.namespace) {
        text = text ?? String(String.UnicodeScalarView(child.text.unicodeScalars.prefix(Self.maximumTextLength)))
      } else if child.namespace != Self.namespace {
        application = application ?? child
      } else if !known, let condition = Condition(rawValue: child.name) {
        known = true
        self.condition = condition
        if condition == .gone || condition == .redirect, (1...Self.maximumAddressLength).contains(child.text.utf8.count)
        {
          alternative = child.text
        }
      }
    }
    type = element[attribute: "type"].flatMap(Kind.init) ?? condition.type
  }

  /// The error inside a stanza of type error.
  package init(in stanza: XMLElement) {
    if let element = stanza.first("error", stanza.namespace) {
      self.init(element)
    } else {
      self.init(.undefinedCondition, text: "an error without <error/>")
    }
  }

  package var element: XMLElement {
    var element = XMLElement("error", namespace: Stanza.namespace, attributes: ["type": type.rawValue])
    element.append(XMLElement(condition.rawValue, namespace: Self.namespace, text: alternative))
    if let text { element.append(XMLElement("text", namespace: Self.namespace, text: text)) }
    if let application { element.append(application) }
    return element
  }

  /// The stanza that tells the sender of `stanza`, which may be malformed, of this error.
  ///
  /// - Returns: nil where no answer may be sent: to answers and errors, and to a request whose sender or id cannot be
  ///   read.
  /// - Specification: RFC 6120 §8.3.1
  package func reply(to stanza: XMLElement) -> XMLElement? {
    guard stanza.namespace == Stanza.namespace, ["iq", "message", "presence"].contains(stanza.name) else { return nil }
    let type = stanza[attribute: "type"]
    guard type != "error", !(stanza.name == "iq" && type == "result") else { return nil }
    let id = stanza[attribute: "id"]
    if stanza.name == "iq", id == nil { return nil }
    let sender: JID?
    do { sender = try stanza.address("from") } catch { return nil }
    let recipient = stanza[attribute: "to"].flatMap { try? JID($0) }
    var answer = XMLElement(stanza: stanza.name, type: "error", id: id, from: recipient, to: sender)
    answer.append(element)
    return answer
  }
}
