import Testing
import XMPPCore

/// Whatever one thing is wrong with a stanza, every reader says so or copes, and what it accepted can be written.
@Suite struct HostileStanzaTests {
  static let stanzas = [
    """
    <iq from='a@b/c' id='1' to='d@e/f' type='get'><query xmlns='http://jabber.org/protocol/disco#info' node='n'/></iq>
    """,
    """
    <iq from='a@b/c' id='1' to='d@e/f' type='set'><query xmlns='jabber:iq:roster'>\
    <item jid='x@y' name='n' subscription='both' ask='subscribe'><group>g</group></item></query></iq>
    """,
    "<iq from='d@e' id='1' type='result'>\(XEP0115EntityCapabilitiesCodingTests.complex)</iq>",
    """
    <iq id='1' type='result'><query xmlns='http://jabber.org/protocol/disco#items' node='n'>\
    <item jid='a' name='b' node='c'/></query></iq>
    """,
    "<iq from='e' id='1' type='set'>\(XEP0215ExternalServicesCodingTests.answer)</iq>",
    """
    <iq id='1' type='error'><error type='modify' by='x'>\
    <gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>xmpp:a@b</gone>\
    <text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas' xml:lang='en'>t</text><x xmlns='urn:y'/></error></iq>
    """,
    """
    <message from='d@e' id='1' type='chat'><received xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'>\
    <message xmlns='jabber:client' from='a@b/c' to='d@e'><body>x</body></message></forwarded></received>\
    <delay xmlns='urn:xmpp:delay' from='e' stamp='2002-09-10T23:08:25.5Z'/><store xmlns='urn:xmpp:hints'/>\
    <request xmlns='urn:xmpp:receipts'/><received xmlns='urn:xmpp:receipts' id='2'/></message>
    """,
    """
    <presence from='a@b/c' id='1' type='unavailable'><show>dnd</show><status>s</status><priority>1</priority>\
    <c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='n' ver='v'/></presence>
    """,
  ]

  @Test("Every mutation of every stanza is read or refused", arguments: stanzas)
  func mutations(text: String) throws {
    let account = try jid("d@e/f")
    let responder = EntityResponder(info: DiscoInfo(identities: [], features: []), node: "n")
    var roster = Roster(account: account)
    var services = ExternalServices()
    var table = PresenceTable()
    var cache = CapabilitiesCache()
    let mutations = try stanza(text).mutations
    #expect(mutations.count > 20)
    for element in mutations {
      _ = responder.answer(to: element)
      _ = StanzaError(.badRequest).reply(to: element)
      _ = StanzaError(in: element)
      switch try? Stanza(element) {
      case .iq(let iq)?:
        #expect(try IQ(iq.element) == iq)
        _ = roster.receivePush(iq)
        _ = services.receivePush(iq, account: account)
        guard let payload = iq.payload else { continue }
        if let info = try? DiscoInfo(payload) {
          #expect(try DiscoInfo(info.element) == info)
          let capabilities = Capabilities(node: "n", of: info)
          cache.receive(capabilities, from: account)
          if let query = cache.nextQuery() { cache.receive(info, answering: query) }
        }
        if let items = try? DiscoItems(payload) { #expect(try DiscoItems(items.element) == items) }
        if let list = try? ExternalServices(payload) { #expect(try ExternalServices(list.element) == list) }
      case .message(let message)?:
        #expect(try Message(message.element) == message)
        _ = try? MessageCarbon.unwrap(message, account: account)
        _ = DeliveryReceipt(in: message)
        _ = message.hints
        _ = message.delay(by: [account])
      case .presence(let presence)?:
        #expect(try Presence(presence.element) == presence)
        _ = table.receive(presence)
        guard let from = presence.from, let capabilities = presence.capabilities else { continue }
        cache.receive(capabilities, from: from)
      case nil: continue
      }
    }
  }
}
