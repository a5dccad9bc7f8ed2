import Testing
import XMPPCore

@Suite struct RosterTests {
  /// RFC 6121 §2.1.4.
  private let result = """
    <query xmlns='jabber:iq:roster'>\
    <item jid='romeo@example.net' name='Romeo' subscription='both'><group>Friends</group></item>\
    <item jid='mercutio@example.com' name='Mercutio' subscription='from'/>\
    <item jid='benvolio@example.net' name='Benvolio' subscription='to' ask='subscribe'/></query>
    """

  private func roster() throws -> Roster {
    var roster = Roster(account: try jid("juliet@example.com/balcony"))
    try roster.receiveResult(try stanza(result))
    return roster
  }

  private func push(_ items: String, from: String = "from='juliet@example.com'") throws -> IQ {
    try IQ(
      stanza(
        """
        <iq \(from) id='a78b4q6ha463' to='juliet@example.com/balcony' type='set'>\
        <query xmlns='jabber:iq:roster'>\(items)</query></iq>
        """))
  }

  @Test("The list is read, and its items are written back unchanged")
  func list() throws {
    let roster = try roster()
    #expect(roster.contacts.map(\.name) == ["Benvolio", "Mercutio", "Romeo"])
    #expect(roster[try jid("romeo@example.net/orchard")]?.groups == ["Friends"])
    #expect(roster.contacts.map(\.seesOurPresence) == [false, true, true])
    #expect(roster.contacts.map(\.showsItsPresence) == [true, false, true])
    #expect(roster.contacts.map(\.isPending) == [true, false, false])
    for item in roster.contacts { #expect(try RosterItem(item.element) == item) }
  }

  @Test("Items that cannot be read are left out, an unknown state allows nothing")
  func lenient() throws {
    var roster = try roster()
    try roster.receiveResult(
      try stanza(
        """
        <query xmlns='jabber:iq:roster'><item/><item jid='@'/><item jid='a@b' subscription='remove'/>\
        <item jid='c@d' subscription='all'/></query>
        """))
    #expect(roster.contacts == [RosterItem(jid: try jid("c@d"))])
    #expect(throws: StanzaError.self) { try roster.receiveResult(Ping.request) }
    try roster.receiveResult(nil)
    #expect(roster.contacts.count == 1)
  }

  @Test("A push from the own account adds, changes and removes", arguments: ["from='juliet@example.com'", ""])
  func pushes(from: String) throws {
    var roster = try roster()
    let add = try push("<item jid='nurse@example.com' subscription='none'/>", from: from)
    #expect(roster.receivePush(add) == add.reply(.result(nil)))
    #expect(roster[try jid("nurse@example.com")]?.subscription == RosterItem.Subscription.none)
    _ = roster.receivePush(try push("<item jid='nurse@example.com' subscription='both' name='Nurse'/>", from: from))
    #expect(roster[try jid("nurse@example.com")]?.name == "Nurse")
    #expect(roster.contacts.count == 4)
    _ = roster.receivePush(try push("<item jid='nurse@example.com' subscription='remove'/>", from: from))
    #expect(roster.contacts.count == 3)
  }

  @Test(
    "A push from anybody else is refused (RFC 6121 §2.1.6)",
    arguments: ["example.com", "romeo@example.net", "juliet@example.com/chamber", "juliet@example.com/balcony"])
  func strangers(sender: String) throws {
    var roster = try roster()
    let push = try push("<item jid='romeo@example.net' subscription='remove'/>", from: "from='\(sender)'")
    #expect(roster.receivePush(push) == push.reply(.error(StanzaError(.serviceUnavailable))))
    #expect(roster.contacts.count == 3)
  }

  @Test(
    "A push holds exactly one proper item",
    arguments: [
      ("", .badRequest), ("<item jid='a@b'/><item jid='c@d'/>", .badRequest), ("<item/>", .badRequest),
      ("<item jid='a b@c'/>", .jidMalformed),
    ] as [(String, StanzaError.Condition)])
  func malformed(items: String, condition: StanzaError.Condition) throws {
    var roster = try roster()
    guard case .error(let error)? = roster.receivePush(try push(items))?.content else { return #expect(Bool(false)) }
    #expect(error.condition == condition)
    #expect(roster.contacts.count == 3)
  }

  @Test("Other requests are not taken for a push")
  func others() throws {
    var roster = try roster()
    #expect(roster.receivePush(IQ(id: "1", .get(Roster.request))) == nil)
    #expect(roster.receivePush(IQ(id: "1", .set(Ping.request))) == nil)
    #expect(roster.receivePush(IQ(id: "1", .result(Roster.request))) == nil)
  }
}

@Suite struct PresenceTableTests {
  private func receive(_ text: String, _ table: inout PresenceTable) throws -> PresenceTable.Change? {
    table.receive(try Presence(stanza(text)))
  }

  @Test("Devices come, change and go, the preferred one first")
  func devices() throws {
    var table = PresenceTable()
    let bob = try jid("bob@b.example")
    let caps = "<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='n' ver='v'/>"
    #expect(try receive("<presence from='bob@b.example/pc'>\(caps)</presence>", &table) != nil)
    #expect(try receive("<presence from='bob@b.example/pc'>\(caps)</presence>", &table) == nil, "nothing new")
    _ = try receive("<presence from='bob@b.example/phone'><priority>5</priority><show>away</show></presence>", &table)
    _ = try receive("<presence from='eve@b.example/pc'/>", &table)
    #expect(table.devices(of: bob).map(\.jid.resourcepart) == ["phone", "pc"])
    #expect(table[try jid("bob@b.example/pc")]?.capabilities?.queryNode == "n#v")
    #expect(table[try jid("bob@b.example/phone")]?.show == .away)
    let gone = try receive("<presence from='bob@b.example/phone' type='unavailable'/>", &table)
    #expect(gone == .unavailable([try jid("bob@b.example/phone")]))
    #expect(try receive("<presence from='bob@b.example/phone' type='unavailable'/>", &table) == nil)
    #expect(table.devices(of: bob).map(\.jid.resourcepart) == ["pc"])
    table.disconnected()
    #expect(table.devices(of: bob).isEmpty)
  }

  @Test("From a bare address, unavailable and error are said of all devices", arguments: ["unavailable", "error"])
  func bare(type: String) throws {
    var table = PresenceTable()
    _ = try receive("<presence from='bob@b.example/pc'/>", &table)
    _ = try receive("<presence from='bob@b.example/phone'/>", &table)
    let change = try receive("<presence from='bob@b.example' type='\(type)'/>", &table)
    #expect(change == .unavailable([try jid("bob@b.example/pc"), try jid("bob@b.example/phone")]))
  }

  @Test(
    "Steps of a subscription and presence without a sender change nothing",
    arguments: [
      "<presence from='bob@b.example/pc' type='subscribe'/>", "<presence from='bob@b.example/pc' type='unsubscribed'/>",
      "<presence from='bob@b.example/pc' type='probe'/>", "<presence/>",
    ])
  func nothing(text: String) throws {
    var table = PresenceTable()
    #expect(try receive(text, &table) == nil)
    #expect(table.devices(of: try jid("bob@b.example")).isEmpty)
  }

  @Test("Accounts and devices are bounded, and who is known may still change")
  func bounds() throws {
    var table = PresenceTable(maximumAccounts: 2, maximumDevices: 3)
    for account in 0..<4 {
      for device in 0..<5 { _ = try receive("<presence from='\(account)@b.example/\(device)'/>", &table) }
    }
    #expect(try (0..<4).map { table.devices(of: try jid("\($0)@b.example")).count } == [3, 3, 0, 0])
    #expect(try receive("<presence from='0@b.example/0'><priority>1</priority></presence>", &table) != nil)
    _ = try receive("<presence from='0@b.example' type='unavailable'/>", &table)
    #expect(try receive("<presence from='3@b.example/0'/>", &table) != nil)
  }

  @Test("Our own presence carries what it should")
  func own() throws {
    let capabilities = Capabilities(node: "n", verification: .init(algorithm: "sha-1", value: "v"))
    var presence = Presence(payloads: [capabilities.element])
    presence.priority = -1
    #expect(
      presence.element
        == (try stanza(
          """
          <presence><priority>-1</priority>\
          <c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='n' ver='v'/></presence>
          """)))
    let directed = Presence(.unavailable, to: try jid("bob@b.example"))
    #expect(directed.element == (try stanza("<presence to='bob@b.example' type='unavailable'/>")))
  }
}
