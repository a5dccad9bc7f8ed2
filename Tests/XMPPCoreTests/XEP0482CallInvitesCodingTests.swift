import Testing
import XMPPCore

@Suite struct XEP0482CallInvitesCodingTests {
  private func message(_ inside: String, id: String = "id='id1'", type: String = "chat") throws -> Message {
    try Message(
      stanza("<message from='dan@example.com/phone' to='mara@example.com' \(id) type='\(type)'>\(inside)</message>"))
  }

  static let examples: [(text: String, action: CallInvite.Action)] = [
    (
      "<invite video='true' xmlns='urn:xmpp:call-invites:0'><jingle sid='sid1'/></invite>",
      .invite(video: true, [.jingle(sid: "sid1", jid: nil)])
    ),
    (
      """
      <invite xmlns='urn:xmpp:call-invites:0'><jingle sid='sid2' jid='mixer@example.com/uuid'/>\
      <external uri='https://example.com/uuid'/><external uri='tel:+12345678'/></invite>
      """,
      .invite([
        .jingle(sid: "sid2", jid: JID(localpart: "mixer", domainpart: "example.com", resourcepart: "uuid")),
        .external(uri: "https://example.com/uuid"), .external(uri: "tel:+12345678"),
      ])
    ),
    (
      """
      <invite xmlns='urn:xmpp:call-invites:0' audio='false' video='true'>\
      <muji xmlns='urn:xmpp:jingle:muji:0' room='room@conference.example.com'/></invite>
      """,
      .invite(
        audio: false, video: true,
        [.muji(room: JID(localpart: "room", domainpart: "conference.example.com", resourcepart: nil))])
    ),
    ("<retract id='id1' xmlns='urn:xmpp:call-invites:0'/>", .retract),
    (
      """
      <accept id='id1' xmlns='urn:xmpp:call-invites:0'><jingle sid='sid1' jid='mixer@example.com/uuid'/></accept>
      """,
      .accept(.jingle(sid: "sid1", jid: JID(localpart: "mixer", domainpart: "example.com", resourcepart: "uuid")))
    ),
    ("<reject id='id1' xmlns='urn:xmpp:call-invites:0'/>", .reject),
    ("<left id='id1' xmlns='urn:xmpp:call-invites:0'/>", .left),
  ]

  @Test(arguments: examples)
  func `The examples are read and written`(text: String, action: CallInvite.Action) throws {
    let read = try #require(CallInvite(in: message(text)))
    #expect(read == CallInvite(id: "id1", action))
    #expect(read.element == (try stanza(text)))
  }

  @Test(arguments: examples)
  func `In an error, without an id, or under another name they are none`(text: String, action: CallInvite.Action) throws
  {
    #expect(try CallInvite(in: message(text, type: "error")) == nil)
    for broken in [
      text.replacing("id='id1'", with: ""), text.replacing("call-invites:0", with: "call-invites:9"),
      text.replacing("<invite", with: "<shout").replacing("/invite", with: "/shout")
        .replacing("<retract", with: "<shout").replacing("<accept", with: "<shout").replacing("/accept", with: "/shout")
        .replacing("<reject", with: "<shout").replacing("<left", with: "<shout"),
    ] {
      #expect(try CallInvite(in: message(broken, id: "")) == nil)
    }
    #expect(
      try CallInvite(
        in: message(text.replacing("id='id1'", with: "id='\(String(repeating: "x", count: 5000))'"), id: ""))
        == nil)
  }

  @Test func `The sender's own id goes before the stanza's, and in a room the room's counts alone`() throws {
    let invite = "<invite xmlns='urn:xmpp:call-invites:0'><jingle sid='1'/></invite>"
    let origin = "<origin-id xmlns='urn:xmpp:sid:0' id='origin'/>"
    #expect(try CallInvite(in: message(invite + origin))?.id == "origin")
    #expect(try CallInvite(in: message(invite, type: "groupchat")) == nil)
    let ids = """
      <stanza-id xmlns='urn:xmpp:sid:0' id='forged' by='mallory@example.com'/>\
      <stanza-id xmlns='urn:xmpp:sid:0' id='room' by='dan@example.com'/>
      """
    #expect(try CallInvite(in: message(invite + origin + ids, type: "groupchat"))?.id == "room")
  }

  @Test(
    "Ways to join that are told wrongly are left out",
    arguments: [
      "<jingle/>", "<jingle sid=''/>", "<jingle sid='1' jid='@'/>", "<external/>", "<external uri='a b'/>",
      "<external uri='a&#10;b'/>", "<muji xmlns='urn:xmpp:jingle:muji:0'/>",
      "<muji xmlns='urn:xmpp:jingle:muji:0' room='room@example.com/nick'/>",
    ])
  func wrongMethods(method: String) throws {
    let text = "<invite xmlns='urn:xmpp:call-invites:0'>\(method)<jingle sid='1'/></invite>"
    #expect(try CallInvite(in: message(text))?.action == .invite([.jingle(sid: "1", jid: nil)]))
  }

  @Test func `Endless ways to join come to an end`() throws {
    let text = String(repeating: "<jingle sid='1'/>", count: 1000)
    let read = try CallInvite(in: message("<invite xmlns='urn:xmpp:call-invites:0'>\(text)</invite>"))
    guard case .invite(_, _, let methods)? = read?.action else { return #expect(Bool(false)) }
    #expect(methods.count == CallInvite.maximumMethods)
  }
}
