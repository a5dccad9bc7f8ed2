package import XMPPCore

/// Why no stream came to be: a kind for programs, and a sentence for people that names what was tried.
package struct XMPPConnectionError: Error, Sendable, CustomStringConvertible {
  package enum Kind: Hashable, Sendable {
    /// The configuration cannot work as given, as with an unreadable file of authorities.
    case configuration
    /// The domain does not exist in DNS, or says that it offers no XMPP service.
    case noSuchService
    /// No address answered; `message` names each and its error.
    case unreachable
    /// The server speaks no TLS, or not one that we accept.
    case tlsUnavailable
    case tlsUntrusted(TrustProblem)
    /// The credentials were refused, or no shared way to present them exists (nil).
    case authentication(SASLFailure.Condition?)
    /// The server could not prove that it knows the account.
    case serverNotAuthenticated
    case streamError(StreamError.Condition)
    case protocolViolation
    /// The server sent more than our limits allow.
    case policy
    case timedOut
    case cancelled
  }

  /// What is wrong with the server's certificate.
  package enum TrustProblem: Hashable, Sendable {
    case nameMismatch
    case expired
    case notYetValid
    case unknownAuthority
  }

  package let kind: Kind
  package let message: String

  package init(_ kind: Kind, _ message: String) {
    self.kind = kind
    self.message = message
  }

  package var description: String { message }

  /// What the negotiation with one target failed with.
  init(_ failure: StreamFailure, at target: ConnectionTarget) {
    let kind: Kind
    switch failure {
    case .authentication(let failure): kind = .authentication(failure.condition)
    case .noSharedMechanism, .unusableCredentials: kind = .authentication(nil)
    case .serverNotAuthenticated: kind = .serverNotAuthenticated
    case .tlsNotOffered, .tlsRefused: kind = .tlsUnavailable
    case .streamError(let error): kind = .streamError(error.condition)
    case .malformed(let error): kind = error.condition == .policyViolation ? .policy : .protocolViolation
    case .bindingRefused, .protocolViolation, .handledTooMany: kind = .protocolViolation
    case .closedByServer: kind = .unreachable
    }
    self.init(kind, "\(target): \(failure)")
  }

  /// Whether another of the domain's targets may do better.
  var isWorthAnotherTarget: Bool {
    switch kind {
    case .unreachable, .tlsUnavailable, .tlsUntrusted, .timedOut, .noSuchService: true
    case .streamError(let condition):
      [
        .connectionTimeout, .hostGone, .hostUnknown, .internalServerError, .remoteConnectionFailed, .resourceConstraint,
        .systemShutdown,
      ].contains(condition)
    default: false
    }
  }

  /// One error for all the targets tried: the first that says more than that nobody was there, else all addresses.
  static func summary(of errors: [XMPPConnectionError], domain: String) -> XMPPConnectionError {
    if let telling = errors.first(where: { $0.kind != .unreachable && $0.kind != .noSuchService }) {
      guard errors.count > 1 else { return telling }
      let others = errors.filter { $0.message != telling.message }.map(\.message)
      return XMPPConnectionError(telling.kind, ([telling.message, "Also tried:"] + others).joined(separator: " "))
    }
    let tried = errors.map(\.message).joined(separator: " ")
    if !errors.isEmpty, errors.allSatisfy({ $0.kind == .noSuchService }) {
      return XMPPConnectionError(.noSuchService, "No server was found for \(domain). \(tried)")
    }
    return XMPPConnectionError(.unreachable, "No server of \(domain) could be reached. \(tried)")
  }
}
