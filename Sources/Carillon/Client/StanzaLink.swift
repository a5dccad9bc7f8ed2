package import XMPPCore

/// A negotiated stream to a server, or what stands in for one: whole stanzas, in order, both ways.
package protocol StanzaLink: Sendable {
  /// The full address that this end is known by.
  var address: JID { get }
  /// What arrives; finishes when the link is down. One consumer.
  var inbound: AsyncStream<StanzaLinkEvent> { get }
  /// Queues one stanza for sending. Callable from any thread; never waits.
  func send(_ stanza: XMLElement)
  /// Ends the link in an orderly way, after what was queued has gone out.
  func close() async
}

package enum StanzaLinkEvent: Sendable {
  case stanza(XMLElement)
  /// The link went down by itself; nothing follows.
  case closed(reason: String)
}
