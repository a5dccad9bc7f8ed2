import FoundationEssentials

/// One authentication under way, with whichever mechanism was chosen: base64 in, base64 out.
///
/// - Specification: RFC 6120 §6.4
package struct SASLExchange: Sendable {
  private enum Step {
    case plain
    case scramStarted(SCRAM)
    case scramProved(SCRAM)
    case serverProved
  }

  let mechanism: SASLMechanism
  /// What `<auth/>` carries.
  let initialResponse: String
  private var step: Step

  /// - Returns: nil if name or password hold characters that SASLprep prohibits.
  init?(_ choice: SASLChoice, username: String, password: String, nonce: String) {
    mechanism = choice.mechanism
    let hash: SCRAM.Hash
    switch choice.mechanism {
    case .plain:
      guard let username = saslPrepared(username), let password = saslPrepared(password) else { return nil }
      initialResponse = Data("\0\(username)\0\(password)".utf8).base64EncodedString()
      step = .plain
      return
    case .scramSHA1, .scramSHA1Plus: hash = .sha1
    case .scramSHA256, .scramSHA256Plus: hash = .sha256
    }
    guard let scram = SCRAM(hash, username: username, password: password, nonce: nonce, binding: choice.binding) else {
      return nil
    }
    initialResponse = Data(scram.clientFirst.utf8).base64EncodedString()
    step = .scramStarted(scram)
  }

  /// What `<response/>` carries in answer to a `<challenge/>`.
  mutating func response(to challenge: String) throws(SCRAM.Failure) -> String {
    let message = try decoded(challenge)
    switch step {
    case .scramStarted(var scram):
      let final = try scram.clientFinal(answering: message)
      step = .scramProved(scram)
      return Data(final.utf8).base64EncodedString()
    case .scramProved(var scram):
      // The server may prove itself in a challenge; the empty response lets it go on to success.
      try scram.verify(message)
      step = .serverProved
      return ""
    case .plain, .serverProved:
      throw .malformed("order")
    }
  }

  /// Checks that a `<success/>` is one: with SCRAM, that the server has proved itself.
  mutating func succeed(with data: String) throws(SCRAM.Failure) {
    switch step {
    case .plain, .serverProved: return
    case .scramStarted: throw .malformed("order")
    case .scramProved(var scram):
      try scram.verify(try decoded(data))
      step = .serverProved
    }
  }

  /// Base64 to text; `=` stands for the empty string.
  private func decoded(_ base64: String) throws(SCRAM.Failure) -> String {
    if base64 == "=" || base64.isEmpty { return "" }
    guard let data = Data(base64Encoded: base64), let text = String(validating: data, as: UTF8.self) else {
      throw .malformed("base64")
    }
    return text
  }
}
