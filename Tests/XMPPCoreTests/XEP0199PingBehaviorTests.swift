import MediaTime
import Testing
import XMPPCore

@Suite struct XEP0199PingBehaviorTests {
  private let responder = EntityResponder(
    info: DiscoInfo(identities: [], features: []), node: "https://carillon.example")

  @Test(
    "A ping gets a pong (XEP-0199 §4.1, §4.2)",
    arguments: [
      (
        "<iq from='capulet.lit' to='juliet@capulet.lit/balcony' id='s2c1' type='get'><ping xmlns='urn:xmpp:ping'/></iq>",
        "<iq from='juliet@capulet.lit/balcony' to='capulet.lit' id='s2c1' type='result'/>"
      ),
      (
        "<iq from='romeo@montague.lit/home' to='juliet@capulet.lit/chamber' type='get' id='e2e1'>"
          + "<ping xmlns='urn:xmpp:ping'/></iq>",
        "<iq from='juliet@capulet.lit/chamber' to='romeo@montague.lit/home' id='e2e1' type='result'/>"
      ),
    ])
  func pong(ping: String, pong: String) throws {
    #expect(responder.answer(to: try stanza(ping)) == (try stanza(pong)))
  }

  @Test("Our ping is answered by a pong, and just as well by an error")
  func ping() throws {
    var random = FixedGenerator()
    var tracker = IQTracker(account: try jid("juliet@capulet.lit/balcony"))
    for answer in [IQ.Content.result(nil), .error(StanzaError(.serviceUnavailable))] {
      let iq = tracker.request(.get(Ping.request), at: Instant(nanoseconds: 0), using: &random)
      let text = "<iq id='\(iq.id)' type='get'><ping xmlns='urn:xmpp:ping'/></iq>"
      #expect(iq.element.serialized(inside: Stanza.namespace) == text)
      let received = tracker.receive(IQ(id: iq.id, from: try jid("capulet.lit"), answer))
      #expect(received != nil)
    }
  }
}
