package import XMPPCore

/// A negotiated stream to a server, or what stands in for one: whole stanzas, in order, both ways.
package protocol StanzaLink: Sendable {
  /// The full address that this end is known by.
  var address: JID { get }
  /// Hands over what arrives, one stanza after the other, until the link is down. Called once.
  ///
  /// - Returns: why it went down.
  func receive(_ deliver: @Sendable (XMLElement) async -> Void) async -> String
  /// Queues one stanza for sending. Callable from any thread; never waits.
  func send(_ stanza: XMLElement)
  /// Ends the link in an orderly way, after what was queued has gone out.
  func close() async
}
