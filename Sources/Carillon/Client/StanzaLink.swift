import MediaTime
package import XMPPCore

/// A negotiated stream to a server, or what stands in for one: whole stanzas, in order, both ways.
package protocol StanzaLink: Sendable {
  /// The full address that this end is known by.
  var address: JID { get }
  /// Whether this link carries on where the one before it ended: what was sent and not received meanwhile was sent
  /// again by both sides, and everybody believes that this end was there all the time.
  var isResumed: Bool { get }
  /// What was sent on the link before and may not have arrived, oldest first; empty when this one carries on.
  var undelivered: [Undelivered] { get }
  /// Hands over what arrives, one stanza after the other, until the link is down. Called once.
  ///
  /// - Returns: why it went down.
  func receive(_ deliver: @Sendable (XMLElement) async -> Void) async -> String
  /// Queues one stanza for sending. Callable from any thread; never waits.
  func send(_ stanza: XMLElement)
  /// Ends the link in an orderly way, after what was queued has gone out.
  func close() async
  /// Gives the link up without a word, as one that is dead, so that the next can carry on.
  func abandon() async
}

extension StanzaLink {
  package typealias Undelivered = StreamManagement.Unacknowledged

  package var isResumed: Bool { false }
  package var undelivered: [Undelivered] { [] }
  package func abandon() async { await close() }
}
