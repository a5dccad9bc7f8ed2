/// Why a stream could not be negotiated, or ended: a sentence for people, and a kind for programs.
package enum StreamFailure: Error, Hashable, Sendable, CustomStringConvertible {
  /// The server refused the credentials.
  case authentication(SASLFailure)
  /// The server offers no mechanism that we speak.
  case noSharedMechanism(offered: [String])
  /// Name or password hold characters that no server accepts.
  case unusableCredentials
  /// The server could not prove that it knows the account: it may be somebody else.
  case serverNotAuthenticated(SCRAM.Failure)
  /// The server offers no TLS; nothing secret was said.
  case tlsNotOffered
  case tlsRefused
  case bindingRefused(condition: String)
  case streamError(StreamError)
  /// What the server sends is not XMPP's XML, or beyond our limits.
  case malformed(XMLStreamError)
  case protocolViolation(String)
  /// The server says to have handled more stanzas than it was sent.
  case handledTooMany(UInt32, sent: UInt32)
  /// The server ended the stream without a word.
  case closedByServer

  package var description: String {
    switch self {
    case .authentication(let failure):
      switch failure.condition {
      case .notAuthorized: "The server refused the name or the password: \(failure)."
      case .accountDisabled, .credentialsExpired: "The server does not let this account in: \(failure)."
      case .temporaryAuthFailure: "The server cannot check passwords at the moment: \(failure)."
      default: "The server refused the authentication: \(failure)."
      }
    case .noSharedMechanism(let offered):
      offered.isEmpty
        ? "The server offers no way to authenticate."
        : "The server offers only ways to authenticate that are not supported: "
          + Printable.shortened(offered.joined(separator: ", ")) + "."
    case .unusableCredentials:
      "The account's name or password holds characters that must not stand in one (such as control characters)."
    case .serverNotAuthenticated(let failure):
      "The server did not prove that it knows this account: \(failure)."
    case .tlsNotOffered: "The server offers no TLS, so the password was not sent."
    case .tlsRefused: "The server offered TLS but refused to start it."
    case .bindingRefused(let condition): "The server refused to bind a resource: \(Printable.shortened(condition))."
    case .streamError(let error): "The server ended the stream: \(error)."
    case .malformed(let error): "The server sent \(error)."
    case .protocolViolation(let what): "The server broke the protocol: \(what)."
    case .handledTooMany(let count, let sent):
      "The server broke the protocol: it acknowledged stanza \(count) when \(sent) had been sent."
    case .closedByServer: "The server closed the stream."
    }
  }

  /// What to send before the connection is closed: a stream error where the peer should learn its mistake.
  ///
  /// - Specification: RFC 6120 §4.9.1, XEP-0198 §6
  package var farewell: String {
    let elements: [XMLElement]
    switch self {
    case .malformed(let error): elements = [Self.element(error.condition)]
    case .protocolViolation: elements = [Self.element(.undefinedCondition)]
    case .handledTooMany(let count, let sent):
      elements = [
        Self.element(.undefinedCondition),
        XMLElement(
          "handled-count-too-high", namespace: StreamManagement.namespace,
          attributes: ["h": "\(count)", "send-count": "\(sent)"]),
      ]
    default: return "</stream:stream>"
    }
    let error = elements.map { $0.serialized(inside: StreamNamespace.client) }.joined()
    return "<stream:error>\(error)</stream:error></stream:stream>"
  }

  private static func element(_ condition: StreamError.Condition) -> XMLElement {
    XMLElement(condition.rawValue, namespace: StreamNamespace.streamErrors)
  }
}
