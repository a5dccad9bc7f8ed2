import Testing
import XMPPCore

@Suite struct XEP0280MessageCarbonsBehaviorTests {
  private func copy(
    _ wrapper: String, outerFrom: String = "from='romeo@montague.example'", from: String, to: String
  ) throws -> Message {
    try Message(
      stanza(
        """
        <message \(outerFrom) to='romeo@montague.example/home' type='chat'><\(wrapper) xmlns='urn:xmpp:carbons:2'>\
        <forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' from='\(from)' to='\(to)' type='chat'>\
        <body>hi</body></message></forwarded></\(wrapper)></message>
        """))
  }

  private func unwrap(_ message: Message) throws -> MessageCarbon? {
    try MessageCarbon.unwrap(message, account: try jid("romeo@montague.example/home"))
  }

  @Test("Copies from the own account are opened (XEP-0280 §7, §8)")
  func genuine() throws {
    let received = try copy("received", from: "juliet@capulet.example/balcony", to: "romeo@montague.example/garden")
    guard case .received(let message)? = try unwrap(received) else { return #expect(Bool(false)) }
    #expect(message.from == (try jid("juliet@capulet.example/balcony")))
    #expect(message.body == "hi")
    let sent = try copy("sent", from: "romeo@montague.example/garden", to: "juliet@capulet.example/balcony")
    guard case .sent(let message)? = try unwrap(sent) else { return #expect(Bool(false)) }
    #expect(message.from == (try jid("romeo@montague.example/garden")))
  }

  @Test(
    "From anybody else they are forged (XEP-0280 §11)",
    arguments: [
      "from='tybalt@capulet.example/home'", "from='montague.example'", "from='romeo@montague.example/garden'",
      "from='romeo@montague.example/home'", "",
    ])
  func forged(outerFrom: String) throws {
    let message = try copy(
      "received", outerFrom: outerFrom, from: "juliet@capulet.example/balcony", to: "romeo@montague.example/garden")
    #expect(throws: MessageCarbon.Refusal.forged) { try unwrap(message) }
  }

  @Test("A copy of what was not from or to the account is forged too")
  func foreign() throws {
    let sent = try copy("sent", from: "juliet@capulet.example/balcony", to: "tybalt@capulet.example")
    #expect(throws: MessageCarbon.Refusal.forged) { try unwrap(sent) }
    let received = try copy("received", from: "juliet@capulet.example/balcony", to: "tybalt@capulet.example")
    #expect(throws: MessageCarbon.Refusal.forged) { try unwrap(received) }
  }

  @Test("A copy to somebody else, or with a copy inside, is forged (XEP-0280 §7, §11)")
  func misplaced() throws {
    for recipient in ["tybalt@capulet.example/home", "montague.example"] {
      var message = try copy("received", from: "juliet@capulet.example/balcony", to: "romeo@montague.example/garden")
      message.to = try jid(recipient)
      #expect(throws: MessageCarbon.Refusal.forged) { try unwrap(message) }
    }
    let inner = try copy("sent", from: "romeo@montague.example/garden", to: "juliet@capulet.example/balcony")
    for outerFrom in ["romeo@montague.example", "tybalt@capulet.example/home"] {
      var nested = inner
      nested.from = try jid(outerFrom)
      let forwarded = XMLElement("forwarded", namespace: "urn:xmpp:forward:0", children: [nested.element])
      let message = Message(
        type: .chat, from: try jid("romeo@montague.example"), to: try jid("romeo@montague.example/home"),
        payloads: [XMLElement("received", namespace: MessageCarbon.namespace, children: [forwarded])])
      #expect(throws: MessageCarbon.Refusal.forged) { try unwrap(message) }
    }
  }

  @Test(
    "A wrapper without a readable message is malformed",
    arguments: [
      "<received xmlns='urn:xmpp:carbons:2'/>",
      "<received xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'/></received>",
      "<sent xmlns='urn:xmpp:carbons:2'><message from='romeo@montague.example/garden'/></sent>",
      "<sent xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'>"
        + "<message xmlns='jabber:client' from='@'/></forwarded></sent>",
      "<received xmlns='urn:xmpp:carbons:2'/><sent xmlns='urn:xmpp:carbons:2'/>",
    ])
  func malformed(text: String) throws {
    let message = try Message(stanza("<message from='romeo@montague.example'>\(text)</message>"))
    #expect(throws: MessageCarbon.Refusal.malformed) { try unwrap(message) }
  }

  @Test(
    "Other messages are no carbons",
    arguments: ["<received/>", "<private xmlns='urn:xmpp:carbons:2'/>", "<body>x</body>"])
  func ordinary(text: String) throws {
    #expect(try unwrap(Message(stanza("<message from='juliet@capulet.example'>\(text)</message>"))) == nil)
  }

  @Test("The requests are those of examples 3 and 6")
  func requests() throws {
    #expect(MessageCarbon.enable == (try stanza("<enable xmlns='urn:xmpp:carbons:2'/>")))
    #expect(MessageCarbon.disable == (try stanza("<disable xmlns='urn:xmpp:carbons:2'/>")))
  }
}
