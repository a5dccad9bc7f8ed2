package import MediaTime

/// Counts what goes over a stream, so that both ends know what has arrived, and that the stream can be carried on when
/// its connection is lost.
///
/// A flow machine that begins when the server has granted it and outlives the connection: tell it each stanza that is
/// sent and each element that arrives, in their order, and ask for an acknowledgement when it says so.
///
/// - Specification: XEP-0198 §4, §5
package struct StreamManagement: Sendable {
  /// A stanza that the server has not said to have handled.
  package struct Unacknowledged: Hashable, Sendable {
    package var stanza: XMLElement
    package var sentAt: Instant

    package init(stanza: XMLElement, sentAt: Instant) {
      self.stanza = stanza
      self.sentAt = sentAt
    }
  }

  package let grant: Grant
  /// How many of the server's stanzas were handled, modulo 2³².
  package private(set) var handled: UInt32 = 0
  /// How many stanzas were sent, modulo 2³².
  package private(set) var sent: UInt32 = 0
  /// What the server may not have, oldest first. Bound: `maximumUnacknowledged`, the oldest are dropped; the stream is
  /// then not resumed any more, since it would have a hole.
  package private(set) var unacknowledged: [Unacknowledged] = []
  /// When an acknowledgement is to be asked for at the latest.
  package private(set) var nextDeadline: Instant?
  private var isComplete = true
  /// How many stanzas were sent since an acknowledgement was last asked for.
  private var unasked = 0

  static let maximumUnacknowledged = 1000
  /// Asked at each of so many stanzas, or after `requestDelay`.
  static let requestInterval = 10
  static let requestDelay = Duration.seconds(3)

  package init(_ grant: Grant) {
    self.grant = grant
  }

  /// Starts with counters that have run for long.
  init(_ grant: Grant, sent: UInt32, handled: UInt32) {
    self.grant = grant
    self.sent = sent
    self.handled = handled
  }

  /// A stanza is sent.
  ///
  /// - Returns: whether to ask for an acknowledgement after it.
  package mutating func send(_ stanza: XMLElement, at now: Instant) -> Bool {
    sent &+= 1
    if unacknowledged.count == Self.maximumUnacknowledged {
      isComplete = false
      unacknowledged.removeFirst()
    }
    unacknowledged.append(Unacknowledged(stanza: stanza, sentAt: now))
    unasked += 1
    nextDeadline = nextDeadline ?? now + Self.requestDelay
    guard unasked >= Self.requestInterval else { return false }
    asked()
    return true
  }

  /// - Returns: whether to ask for an acknowledgement now.
  package mutating func timeout(at now: Instant) -> Bool {
    guard let nextDeadline, nextDeadline <= now else { return false }
    asked()
    return true
  }

  package enum Action: Hashable, Sendable {
    /// A stanza, or something that is none of this machine's business.
    case deliver
    /// Send this; it is no stanza, and not to be told.
    case answer(XMLElement)
    case ignore
    /// Send the failure's `farewell` and close.
    case fail(StreamFailure)
  }

  /// An element arrived on the stream.
  package mutating func receive(_ element: XMLElement) -> Action {
    guard element.namespace == Self.namespace else {
      // Handled means that this side has taken responsibility, not that it has acted.
      if Self.isStanza(element) { handled &+= 1 }
      return .deliver
    }
    switch element.name {
    case "r": return .answer(answer)
    case "a":
      // Errors of management are to be survived (§6): a count that is none says nothing.
      guard let count = Self.handled(element) else { return .ignore }
      do {
        try acknowledge(count)
        return .ignore
      } catch {
        return .fail(error)
      }
    default: return .ignore
    }
  }

  /// What to say unasked right before the stream is closed in order.
  ///
  /// - Specification: XEP-0198 §4
  package var answer: XMLElement { Self.answer(handled) }

  /// What to offer on the next connection; nil when the stream cannot be resumed.
  package func resumption(of jid: String) -> Resumption? {
    guard isComplete else { return nil }
    return grant.id.map { Resumption(id: $0, handled: handled, jid: jid) }
  }

  /// The stream goes on over another connection, and the server has handled so many stanzas.
  ///
  /// - Returns: what is to be sent again, and is not to be told again; an acknowledgement is to be asked for after it.
  /// - Specification: XEP-0198 §5
  package mutating func resume(handled count: UInt32) throws(StreamFailure) -> [XMLElement] {
    try acknowledge(count)
    asked()
    return unacknowledged.map(\.stanza)
  }

  /// The stream is over, and the server may have said how many stanzas it had handled.
  ///
  /// - Returns: the stanzas that have not arrived, or may not have.
  package mutating func end(handled count: UInt32?) -> [Unacknowledged] {
    // Who claims more than was sent knows nothing.
    if let count { try? acknowledge(count) }
    return unacknowledged
  }

  private mutating func asked() {
    unasked = 0
    nextDeadline = nil
  }

  /// - Specification: XEP-0198 §4, §6
  private mutating func acknowledge(_ count: UInt32) throws(StreamFailure) {
    let missing = Int(Int32(bitPattern: sent &- count))
    guard missing >= 0 else { throw .handledTooMany(count, sent: sent) }
    // A count that is smaller than one before takes nothing back.
    if missing < unacknowledged.count { unacknowledged.removeFirst(unacknowledged.count - missing) }
  }

  private static func isStanza(_ element: XMLElement) -> Bool {
    element.namespace == Stanza.namespace && ["iq", "message", "presence"].contains(element.name)
  }
}
