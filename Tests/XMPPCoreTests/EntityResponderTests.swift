import Testing
import XMPPCore

@Suite struct EntityResponderTests {
  private let responder = EntityResponder(
    info: DiscoInfo(
      identities: [.init(category: "client", type: "pc", name: "Carillon")],
      features: ["urn:xmpp:jingle:1", "urn:xmpp:ping"]),
    node: "https://carillon.example")

  private func answer(_ text: String) throws -> XMLElement? { responder.answer(to: try stanza(text)) }

  @Test("disco#info lists each feature once, with those that are answered here")
  func info() throws {
    let answer = try #require(
      try answer(
        """
        <iq from='a@b/c' id='1' type='get'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>
        """))
    let info = try DiscoInfo(try #require(try IQ(answer).payload))
    #expect(info.node == nil)
    #expect(
      info.features == [
        "http://jabber.org/protocol/caps", "http://jabber.org/protocol/disco#info",
        "http://jabber.org/protocol/disco#items", "urn:xmpp:jingle:1", "urn:xmpp:ping",
      ])
    #expect(responder.capabilities.verification.verifies(info))
  }

  @Test("disco#info of the advertised node is the same, with the node mirrored")
  func capabilitiesNode() throws {
    let node = responder.capabilities.queryNode
    #expect(node.hasPrefix("https://carillon.example#"))
    let answer = try #require(
      try answer(
        """
        <iq from='a@b/c' id='1' type='get'><query xmlns='http://jabber.org/protocol/disco#info' node='\(node)'/></iq>
        """))
    let info = try DiscoInfo(try #require(try IQ(answer).payload))
    #expect(info.node == node)
    #expect(responder.capabilities.verification.verifies(info))
  }

  @Test("disco#items is empty")
  func items() throws {
    #expect(
      try answer("<iq from='a@b/c' id='1' type='get'><query xmlns='http://jabber.org/protocol/disco#items'/></iq>")
        == stanza("<iq to='a@b/c' id='1' type='result'><query xmlns='http://jabber.org/protocol/disco#items'/></iq>"))
  }

  @Test(
    "What cannot be answered gets the error that says why",
    arguments: [
      ("<iq id='1' type='get' from='a@b/c'><query xmlns='jabber:iq:version'/></iq>", .serviceUnavailable),
      ("<iq id='1' type='set' from='a@b/c'><jingle xmlns='urn:xmpp:jingle:1'/></iq>", .serviceUnavailable),
      ("<iq id='1' type='set' from='a@b/c'><ping xmlns='urn:xmpp:ping'/></iq>", .featureNotImplemented),
      ("<iq id='1' type='get' from='a@b/c'><pong xmlns='urn:xmpp:ping'/></iq>", .featureNotImplemented),
      (
        "<iq id='1' type='get' from='a@b/c'><query xmlns='http://jabber.org/protocol/disco#info' node='x'/></iq>",
        .itemNotFound
      ),
      (
        "<iq id='1' type='get' from='a@b/c'><query xmlns='http://jabber.org/protocol/disco#items' node='x'/></iq>",
        .itemNotFound
      ),
      ("<iq id='1' type='get' from='a@b/c'/>", .badRequest),
      ("<iq id='1' type='get'><a xmlns='b'/><a xmlns='b'/></iq>", .badRequest),
      ("<iq id='1' type='ask' from='a@b/c'><a xmlns='b'/></iq>", .badRequest),
      ("<iq id='1' from='a@b/c'><a xmlns='b'/></iq>", .badRequest),
      ("<iq id='1' type='get' to='@'><a xmlns='b'/></iq>", .jidMalformed),
    ] as [(String, StanzaError.Condition)])
  func errors(text: String, condition: StanzaError.Condition) throws {
    let answer = try IQ(try #require(try answer(text)))
    guard case .error(let error) = answer.content else { return #expect(Bool(false), "\(answer)") }
    #expect(error.condition == condition)
    #expect(answer.id == "1")
    #expect(answer.to == (text.contains("a@b/c") ? try jid("a@b/c") : nil))
  }

  @Test(
    "Answers, errors, messages and presence are not answered",
    arguments: [
      "<iq id='1' type='result' from='a@b/c'/>", "<iq id='1' type='error' from='a@b/c'/>",
      "<iq id='1' type='result' from='a@b/c'><ping xmlns='urn:xmpp:ping'/></iq>",
      "<iq type='get' from='a@b/c'><ping xmlns='urn:xmpp:ping'/></iq>",
      "<iq id='1' type='get' from='@'><ping xmlns='urn:xmpp:ping'/></iq>", "<message type='error' from='a@b/c'/>",
      "<message from='a@b/c'><ping xmlns='urn:xmpp:ping'/></message>", "<presence from='a@b/c' type='probe'/>",
    ])
  func silence(text: String) throws {
    #expect(try answer(text) == nil)
  }
}
