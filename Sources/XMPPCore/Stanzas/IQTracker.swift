package import MediaTime

/// The requests that await their answers: gives each its id, finds the request that an answer belongs to, and tells
/// which have waited too long.
///
/// - Specification: RFC 6120 §8.1.2.1, §8.1.3, §8.2.3
package struct IQTracker: Sendable {
  /// What became of a request.
  package enum Outcome: Hashable, Sendable {
    case result(XMLElement?)
    case error(StanzaError)
    /// No answer came in time.
    case timedOut
    /// The stream ended before the answer came.
    case disconnected
  }

  private var account: JID
  private var recipients: [String: JID?] = [:]
  private var deadlines = DeadlineTable<String>()

  /// - Parameter account: the full address that this stream is bound to.
  package init(account: JID) {
    self.account = account
  }

  /// How many requests are waited for.
  package var count: Int { recipients.count }

  package var nextDeadline: Instant? { deadlines.next }

  /// Makes a request of `content` and waits for its answer until `now + timeout`.
  ///
  /// - Parameter to: whom to ask; nil is the account's own server.
  /// - Parameter random: where the id comes from. It cannot be guessed, so that nobody can answer in another's stead.
  package mutating func request(
    _ content: IQ.Content, to: JID? = nil, at now: Instant, timeout: Duration = .seconds(30),
    using random: inout some RandomNumberGenerator
  ) -> IQ {
    let iq = IQ(id: StanzaID.random(using: &random), to: to, content)
    precondition(iq.request != nil, "only requests are answered")
    recipients[iq.id] = .some(to)
    deadlines[iq.id] = now + timeout
    return iq
  }

  /// Takes an answer.
  ///
  /// - Returns: the id of the request and what became of it; nil when the stanza is a request, answers nothing that was
  ///   asked, or comes from somebody who was not asked. Such an answer is dropped: it may be a forgery, and the true
  ///   one is still waited for.
  package mutating func receive(_ iq: IQ) -> (id: String, outcome: Outcome)? {
    let outcome: Outcome
    switch iq.content {
    case .get, .set: return nil
    case .result(let payload): outcome = .result(payload)
    case .error(let error): outcome = .error(error)
    }
    guard let recipient = recipients[iq.id], answers(iq.from, recipient) else { return nil }
    forget(iq.id)
    return (iq.id, outcome)
  }

  /// Stops waiting for an answer that nobody needs any more.
  package mutating func forget(_ id: String) {
    recipients[id] = nil
    deadlines[id] = nil
  }

  /// There is no stream to answer on: what is waited for is waited for without end, until `resume`.
  package mutating func suspend(_ id: String) { deadlines[id] = nil }

  package mutating func resume(_ id: String, until deadline: Instant) {
    if recipients[id] != nil { deadlines[id] = deadline }
  }

  /// The next stream is bound to this address.
  package mutating func rebind(to account: JID) { self.account = account }

  /// - Returns: the ids of the requests whose time is over, for `Outcome.timedOut`.
  package mutating func timeout(at now: Instant) -> [String] {
    let expired = deadlines.expired(at: now)
    for id in expired { recipients[id] = nil }
    return expired
  }

  /// The stream is gone, and no answer will come.
  ///
  /// - Returns: the ids of all requests, for `Outcome.disconnected`.
  package mutating func disconnected() -> [String] {
    let ids = recipients.keys.sorted()
    recipients = [:]
    deadlines = DeadlineTable()
    return ids
  }

  /// Whether an answer from `sender` can be one to a request to `recipient`.
  private func answers(_ sender: JID?, _ recipient: JID?) -> Bool {
    sender == recipient || isOwnServer(sender) && isOwnServer(recipient)
  }

  /// The own server answers for the account under either's address, or under none. Only it can write these addresses
  /// into `from`, so that they need not be told apart.
  private func isOwnServer(_ address: JID?) -> Bool {
    guard let address else { return true }
    return address == account.bare || address == account || address == account.domain
  }
}

/// Ids that nobody can guess and that tell nothing.
///
/// - Specification: RFC 6120 §8.1.3
package enum StanzaID {
  /// 128 random bits, in hexadecimal.
  package static func random(using random: inout some RandomNumberGenerator) -> String {
    [random.next(), random.next()].map { (half: UInt64) in
      let digits = String(half, radix: 16)
      return String(repeating: "0", count: 16 - digits.count) + digits
    }.joined()
  }
}
