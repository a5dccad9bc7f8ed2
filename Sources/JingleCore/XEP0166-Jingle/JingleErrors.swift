package import XMPPCore

/// Jingle's own conditions, which stand beside the general ones in a stanza error.
///
/// - Specification: XEP-0166 §10
package enum JingleCondition: String, Hashable, Sendable, CaseIterable {
  package static let namespace = "urn:xmpp:jingle:errors:1"

  case outOfOrder = "out-of-order"
  case securityRequired = "security-required"
  case tieBreak = "tie-break"
  case unknownSession = "unknown-session"
  case unsupportedInfo = "unsupported-info"
}

extension StanzaError {
  /// Jingle's condition, if there is one.
  package var jingle: JingleCondition? {
    guard let application, application.namespace == JingleCondition.namespace else { return nil }
    return JingleCondition(rawValue: application.name)
  }

  /// The action cannot come at this point of the session.
  package static let outOfOrder = StanzaError(.unexpectedRequest, .outOfOrder)
  /// Another action at the same time has precedence.
  package static let tieBreak = StanzaError(.conflict, .tieBreak)
  /// There is no such session with this peer, or no longer.
  package static let unknownSession = StanzaError(.itemNotFound, .unknownSession)
  /// The informational message is not understood.
  package static let unsupportedInfo = StanzaError(.featureNotImplemented, type: .modify, .unsupportedInfo)
  /// What was sent openly is expected inside a protected channel.
  package static let securityRequired = StanzaError(.notAcceptable, type: .cancel, .securityRequired)

  init(_ condition: Condition, type: Kind? = nil, _ jingle: JingleCondition) {
    self.init(
      condition, type: type, application: XMLElement(jingle.rawValue, namespace: JingleCondition.namespace))
  }

  /// Peers' words in the text go back cut: what they write at length is neither kept nor answered at length.
  static func badRequest(_ text: String) -> StanzaError {
    StanzaError(.badRequest, text: text.cut(to: Jingle.Reason.maximumTextLength))
  }

  static func notAcceptable(_ text: String) -> StanzaError {
    StanzaError(.notAcceptable, text: text.cut(to: Jingle.Reason.maximumTextLength))
  }
}

extension String {
  /// The beginning, in Unicode scalars: a character may have any number of them.
  func cut(to length: Int) -> String {
    String(String.UnicodeScalarView(unicodeScalars.prefix(length)))
  }
}
