import Testing
import XMPPCore

@Suite struct XEP0030ServiceDiscoveryCodingTests {
  /// XEP-0030, example 2.
  private let answer = """
    <query xmlns='http://jabber.org/protocol/disco#info'>\
    <identity category='conference' name='Play-Specific Chatrooms' type='text'/>\
    <identity category='directory' name='Play-Specific Chatrooms' type='chatroom'/>\
    <feature var='http://jabber.org/protocol/disco#info'/>\
    <feature var='http://jabber.org/protocol/disco#items'/>\
    <feature var='http://jabber.org/protocol/muc'/>\
    <feature var='jabber:iq:register'/><feature var='jabber:iq:search'/>\
    <feature var='jabber:iq:time'/><feature var='jabber:iq:version'/></query>
    """

  @Test("The answer of example 2 is read and written back unchanged")
  func info() throws {
    let element = try stanza(answer)
    let info = try DiscoInfo(element)
    #expect(info.element == element)
    #expect(
      info.identities == [
        .init(category: "conference", type: "text", name: "Play-Specific Chatrooms"),
        .init(category: "directory", type: "chatroom", name: "Play-Specific Chatrooms"),
      ])
    #expect(info.supports("jabber:iq:time"))
    #expect(!info.supports("urn:xmpp:jingle:1"))
  }

  @Test("The questions are those of examples 1, 11 and 16")
  func questions() throws {
    #expect(try DiscoInfo.request() == stanza("<query xmlns='http://jabber.org/protocol/disco#info'/>"))
    #expect(
      try DiscoInfo.request(node: "http://jabber.org/protocol/commands")
        == stanza("<query xmlns='http://jabber.org/protocol/disco#info' node='http://jabber.org/protocol/commands'/>"))
    #expect(try DiscoItems.request() == stanza("<query xmlns='http://jabber.org/protocol/disco#items'/>"))
  }

  @Test("An entity that answers without saying so supports disco#info")
  func implied() throws {
    let info = try DiscoInfo(stanza("<query xmlns='http://jabber.org/protocol/disco#info'/>"))
    #expect(info.supports(DiscoInfo.namespace))
  }

  @Test("Identities, features and elements that lack what they need are left out")
  func broken() throws {
    let info = try DiscoInfo(
      stanza(
        """
        <query xmlns='http://jabber.org/protocol/disco#info'><identity category='client'/><identity type='pc'/>\
        <identity category='client' type='pc' xml:lang='en'/><feature/><feature var='a'/><other/>text</query>
        """))
    #expect(info.identities == [.init(category: "client", type: "pc", language: "en")])
    #expect(info.features == ["a"])
  }

  @Test(
    "What is no answer, or holds a broken form, is refused",
    arguments: [
      "<query xmlns='http://jabber.org/protocol/disco#items'/>", "<query/>",
      "<query xmlns='http://jabber.org/protocol/disco#info'><x xmlns='jabber:x:data'/></query>",
    ])
  func malformed(text: String) throws {
    let element = try stanza(text)
    #expect(throws: StanzaError.self) { try DiscoInfo(element) }
  }

  @Test("An answer with too many features, identities or forms is refused", arguments: [0, 1])
  func bounds(excess: Int) {
    let infos = [
      DiscoInfo(identities: [], features: (0..<1024 + excess).map(String.init)),
      DiscoInfo(identities: (0..<64 + excess).map { .init(category: "c", type: "\($0)") }, features: []),
      DiscoInfo(identities: [], features: [], forms: Array(repeating: DataForm(fields: []), count: 32 + excess)),
    ]
    for info in infos { #expect(((try? DiscoInfo(info.element)) != nil) == (excess == 0)) }
  }

  @Test("The items of a node are read and written back unchanged")
  func items() throws {
    let element = try stanza(
      """
      <query node='http://jabber.org/protocol/tune' xmlns='http://jabber.org/protocol/disco#items'>\
      <item jid='pubsub.shakespeare.lit' name='Romeo&apos;s CD player' node='s623nms9s3bfh8js'/>\
      <item jid='pubsub.montague.net' node='music/R/Romeo/iPod'/>\
      <item jid='tunes.characters.lit' node='g8k4kds9sd89djf3'/></query>
      """)
    let items = try DiscoItems(element)
    #expect(items.element == element)
    let domains = ["pubsub.shakespeare.lit", "pubsub.montague.net", "tunes.characters.lit"]
    #expect(items.items.map(\.jid.domainpart) == domains)
    #expect(items.items.map(\.node) == ["s623nms9s3bfh8js", "music/R/Romeo/iPod", "g8k4kds9sd89djf3"])
  }

  @Test("Items without a proper address are left out, and a long list is cut")
  func brokenItems() throws {
    let items = try DiscoItems(
      stanza(
        """
        <query xmlns='http://jabber.org/protocol/disco#items'><item/><item jid='@'/><item jid='a.example'/></query>
        """))
    #expect(items.items == [.init(jid: try jid("a.example"))])
    let long = DiscoItems(items: Array(repeating: items.items[0], count: 1025))
    #expect(try DiscoItems(long.element).items.count == 1024)
    #expect(throws: StanzaError.self) { try DiscoItems(DiscoInfo.request()) }
  }
}
