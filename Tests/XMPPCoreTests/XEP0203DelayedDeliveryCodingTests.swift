import Testing
import XMPPCore

@Suite struct XEP0203DelayedDeliveryCodingTests {
  /// XEP-0203, example 1.
  private let offline = """
    <message from='romeo@montague.net/orchard' to='juliet@capulet.com' type='chat'>\
    <body>O blessed, blessed night! I am afeard.</body>\
    <delay xmlns='urn:xmpp:delay' from='capulet.com' stamp='2002-09-10T23:08:25Z'>Offline Storage</delay></message>
    """

  @Test("The delay that the own server noted is read")
  func delay() throws {
    let message = try Message(stanza(offline))
    let delay = try #require(message.delay(by: [try jid("capulet.com"), try jid("juliet@capulet.com")]))
    #expect(delay == Delay(stamp: .seconds(1_031_699_305), from: try jid("capulet.com")))
    #expect(try Delay(delay.element) == delay)
  }

  @Test("A delay that a stranger noted is not believed")
  func stranger() throws {
    #expect(try Message(stanza(offline)).delay(by: [try jid("montague.net")]) == nil)
  }

  @Test("Without a name, it was the own server")
  func unnamed() throws {
    let message = try Message(stanza("<message><delay xmlns='urn:xmpp:delay' stamp='1970-01-01T00:00:01Z'/></message>"))
    #expect(message.delay(by: [])?.stamp == .seconds(1))
  }

  @Test(
    "A broken delay is none",
    arguments: [
      "<delay xmlns='urn:xmpp:delay'/>", "<delay xmlns='urn:xmpp:delay' stamp='20020910T23:08:25'/>",
      "<delay xmlns='urn:xmpp:delay' stamp='2002-09-10T23:08:25Z' from='@'/>", "<delay stamp='2002-09-10T23:08:25Z'/>",
    ])
  func broken(text: String) throws {
    let element = try stanza(text)
    #expect(throws: StanzaError.self) { try Delay(element) }
    #expect(try Message(stanza("<message>\(text)</message>")).delay(by: []) == nil)
  }
}
