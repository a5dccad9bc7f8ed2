/// The SASL mechanisms that a client speaks, best first.
///
/// - Specification: RFC 5802, RFC 7677, RFC 4616
package enum SASLMechanism: String, CaseIterable, Hashable, Sendable {
  case scramSHA256Plus = "SCRAM-SHA-256-PLUS"
  case scramSHA256 = "SCRAM-SHA-256"
  case scramSHA1Plus = "SCRAM-SHA-1-PLUS"
  case scramSHA1 = "SCRAM-SHA-1"
  /// Shows the server the password: only inside TLS, and only when the server offers nothing better.
  case plain = "PLAIN"

  package var bindsChannel: Bool { self == .scramSHA256Plus || self == .scramSHA1Plus }
}

/// The mechanism to use, and how it is bound to the TLS channel.
package struct SASLChoice: Hashable, Sendable {
  package var mechanism: SASLMechanism
  package var binding: SCRAM.Binding

  /// Picks the best mechanism that both sides can use, or nil if there is none.
  ///
  /// `y` claims "you do not offer channel binding"; a server that does offer it then knows that somebody in the middle
  /// hid the offer, and refuses. It is therefore claimed only when no `-PLUS` mechanism came. Servers that offer
  /// `-PLUS` without a type we know (tls-unique) are told `n`, since they would refuse `y`.
  ///
  /// - Parameters:
  ///   - offered: the names in the server's `<mechanisms/>`.
  ///   - announced: the channel binding types that the server says it knows (XEP-0440); empty if it does not say.
  ///   - available: the bindings of this TLS connection, strongest first.
  /// - Specification: RFC 5802 §6, XEP-0440 §5
  package init?(offered: Set<String>, announced: Set<String>, available: [ChannelBinding]) {
    let shared = available.first { announced.contains($0.type.rawValue) }
    let offersBinding = offered.contains { $0.hasSuffix("-PLUS") }
    for mechanism in SASLMechanism.allCases where offered.contains(mechanism.rawValue) {
      if mechanism.bindsChannel {
        guard let shared else { continue }
        self.init(mechanism: mechanism, binding: .bound(shared))
      } else {
        self.init(mechanism: mechanism, binding: available.isEmpty || offersBinding ? .unsupported : .notOffered)
      }
      return
    }
    return nil
  }

  init(mechanism: SASLMechanism, binding: SCRAM.Binding) {
    self.mechanism = mechanism
    self.binding = binding
  }
}

/// Why the server refused the credentials.
///
/// - Specification: RFC 6120 §6.5
package struct SASLFailure: Error, Hashable, Sendable, CustomStringConvertible {
  package enum Condition: String, CaseIterable, Hashable, Sendable {
    case aborted
    case accountDisabled = "account-disabled"
    case credentialsExpired = "credentials-expired"
    case encryptionRequired = "encryption-required"
    case incorrectEncoding = "incorrect-encoding"
    case invalidAuthzid = "invalid-authzid"
    case invalidMechanism = "invalid-mechanism"
    case malformedRequest = "malformed-request"
    case mechanismTooWeak = "mechanism-too-weak"
    case notAuthorized = "not-authorized"
    case temporaryAuthFailure = "temporary-auth-failure"
  }

  package var condition: Condition
  package var text: String?

  package init(_ condition: Condition, text: String? = nil) {
    self.condition = condition
    self.text = text
  }

  /// Reads `<failure>`; a condition that is missing or unknown counts as `not-authorized`. Nil for other elements.
  package init?(_ element: XMLElement) {
    guard element.is("failure", StreamNamespace.sasl) else { return nil }
    let condition = element.children.lazy.compactMap { Condition(rawValue: $0.name) }.first
    self.init(condition ?? .notAuthorized, text: element.first("text", StreamNamespace.sasl)?.text)
  }

  package var description: String {
    condition.rawValue + (text.map { " (\(Printable.shortened($0)))" } ?? "")
  }
}
