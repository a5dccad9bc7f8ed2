import Testing
import XMPPCore

@Suite struct StanzaCodingTests {
  @Test(
    "Stanzas are read and written back unchanged",
    arguments: [
      "<iq id='1' type='get'><ping xmlns='urn:xmpp:ping'/></iq>",
      "<iq from='a@b/c' id='1' to='d@e/f' type='set'><query xmlns='jabber:iq:roster'><item jid='x@y'/></query></iq>",
      "<iq from='a@b/c' id='1' to='d@e/f' type='result'/>",
      "<iq id='1' type='error'><error type='cancel'>"
        + "<item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>",
      "<message from='a@b' id='m' to='c@d' type='chat'><body>hello</body><x xmlns='urn:example'>y</x></message>",
      "<message/>",
      "<message from='a@b' type='error'><body>back</body><error type='wait'>"
        + "<recipient-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>",
      "<presence/>",
      "<presence from='a@b/c' id='p' to='d@e' type='unavailable'/>",
      "<presence><show>dnd</show><status>busy</status><priority>-5</priority><x xmlns='urn:example'/></presence>",
      "<presence from='a@b' to='c@d' type='subscribe'/>",
    ])
  func roundTrip(text: String) throws {
    let element = try stanza(text)
    let written =
      switch try Stanza(element) {
      case .iq(let iq): iq.element
      case .message(let message): message.element
      case .presence(let presence): presence.element
      }
    #expect(written == element)
    #expect(written.serialized(inside: Stanza.namespace) == text)
  }

  @Test(
    "What is wrong with a stanza is said by its error",
    arguments: [
      ("<iq type='get'><a xmlns='b'/></iq>", .badRequest),
      ("<iq id='' type='get'><a xmlns='b'/></iq>", .badRequest),
      ("<iq id='1'><a xmlns='b'/></iq>", .badRequest),
      ("<iq id='1' type='got'><a xmlns='b'/></iq>", .badRequest),
      ("<iq id='1' type='get'/>", .badRequest),
      ("<iq id='1' type='set'><a xmlns='b'/><a xmlns='b'/></iq>", .badRequest),
      ("<iq id='1' type='get' from='@'><a xmlns='b'/></iq>", .jidMalformed),
      ("<iq id='1' type='get' to='a b@c'><a xmlns='b'/></iq>", .jidMalformed),
      ("<message from='/x'/>", .jidMalformed),
      ("<presence type='available'/>", .badRequest),
      ("<presence type='invisible'/>", .badRequest),
      ("<iq xmlns='jabber:server' id='1' type='result'/>", .badRequest),
      ("<stream/>", .badRequest),
    ] as [(String, StanzaError.Condition)])
  func malformed(text: String, condition: StanzaError.Condition) throws {
    let element = try stanza(text)
    let error = #expect(throws: StanzaError.self) { try Stanza(element) }
    #expect(error?.condition == condition)
  }

  @Test("A message of unknown type is a normal one")
  func unknownMessageType() throws {
    let message = try Message(stanza("<message type='shout'><body>hey</body></message>"))
    #expect(message.type == .normal)
    #expect(message.body == "hey")
  }

  @Test(
    "A presence with unknown show or priority out of range is read without them",
    arguments: ["128", "-129", "high", ""])
  func lenientPresence(priority: String) throws {
    let presence = try Presence(stanza("<presence><show>online</show><priority>\(priority)</priority></presence>"))
    #expect(presence.show == nil)
    #expect(presence.priority == 0)
    #expect(presence.type == .available)
  }

  @Test("An iq has as much as its type says")
  func contents() throws {
    let ping = try stanza("<ping xmlns='urn:xmpp:ping'/>")
    #expect(IQ(id: "1", .get(ping)).request == ping)
    #expect(IQ(id: "1", .set(ping)).payload == ping)
    #expect(IQ(id: "1", .result(ping)).request == nil)
    #expect(IQ(id: "1", .result(ping)).payload == ping)
    #expect(IQ(id: "1", .error(StanzaError(.gone))).payload == nil)
    let reply = IQ(id: "7", from: try jid("a@b/c"), to: try jid("d@e"), .get(ping)).reply(.result(nil))
    #expect(reply == IQ(id: "7", from: try jid("d@e"), to: try jid("a@b/c"), .result(nil)))
  }
}

@Suite struct StanzaErrorCodingTests {
  @Test(
    "Every condition and type comes back as it went",
    arguments: StanzaError.Condition.allCases, StanzaError.Kind.allCases)
  func roundTrip(condition: StanzaError.Condition, type: StanzaError.Kind) {
    var error = StanzaError(
      condition, type: type, text: "why & how",
      application: XMLElement("out-of-order", namespace: "urn:xmpp:jingle:errors:1"))
    if condition == .gone || condition == .redirect { error.alternative = "xmpp:a@b" }
    #expect(StanzaError(error.element) == error)
  }

  @Test(
    "Conditions have the types of RFC 6120 §8.3.3",
    arguments: [
      (.badRequest, .modify), (.conflict, .cancel), (.featureNotImplemented, .cancel), (.forbidden, .auth),
      (.gone, .cancel), (.internalServerError, .cancel), (.itemNotFound, .cancel), (.jidMalformed, .modify),
      (.notAcceptable, .modify), (.notAllowed, .cancel), (.notAuthorized, .auth), (.policyViolation, .modify),
      (.recipientUnavailable, .wait), (.redirect, .modify), (.registrationRequired, .auth),
      (.remoteServerNotFound, .cancel), (.remoteServerTimeout, .wait), (.resourceConstraint, .wait),
      (.serviceUnavailable, .cancel), (.subscriptionRequired, .auth), (.undefinedCondition, .cancel),
      (.unexpectedRequest, .wait),
    ] as [(StanzaError.Condition, StanzaError.Kind)])
  func types(condition: StanzaError.Condition, type: StanzaError.Kind) {
    #expect(StanzaError(condition).type == type)
  }

  @Test("Jingle's own condition stands beside the general one")
  func application() throws {
    let error = StanzaError(
      in: try stanza(
        """
        <iq from='juliet@capulet.lit/balcony' id='ur71vs62' to='romeo@montague.lit/orchard' type='error'>\
        <error type='cancel'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>\
        <unknown-session xmlns='urn:xmpp:jingle:errors:1'/></error></iq>
        """))
    #expect(error.condition == .itemNotFound)
    #expect(error.application?.is("unknown-session", "urn:xmpp:jingle:errors:1") == true)
    #expect(error.description == "item-not-found (unknown-session)")
  }

  @Test(
    "An error that lacks what it should have is an error all the same",
    arguments: [
      ("<error/>", .undefinedCondition, .cancel),
      ("<error type='fatal'><forbidden xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>", .forbidden, .auth),
      ("<error type='wait'><forbidden/></error>", .undefinedCondition, .wait),
      ("<error><payment-required xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>", .undefinedCondition, .cancel),
    ] as [(String, StanzaError.Condition, StanzaError.Kind)])
  func lenient(text: String, condition: StanzaError.Condition, type: StanzaError.Kind) throws {
    let error = StanzaError(try stanza(text))
    #expect(error.condition == condition)
    #expect(error.type == type)
    #expect(try IQ(stanza("<iq id='1' type='error'>\(text)</iq>")).content == .error(error))
  }

  @Test("An iq of type error without an error is one with an undefined condition")
  func missing() throws {
    let iq = try IQ(stanza("<iq id='1' type='error'/>"))
    guard case .error(let error) = iq.content else { return #expect(Bool(false), "not an error") }
    #expect(error.condition == .undefinedCondition)
  }

  @Test("A malformed request is answered to its sender")
  func reply() throws {
    let request = try stanza("<iq from='a@b/c' to='d@e/f' id='1' type='get'/>")
    let expected = try stanza(
      """
      <iq from='d@e/f' to='a@b/c' id='1' type='error'><error type='modify'>\
      <bad-request xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>
      """)
    #expect(StanzaError(.badRequest).reply(to: request) == expected)
  }

  @Test(
    "Answers, errors and what has no readable sender or id are not answered",
    arguments: [
      "<iq from='a@b/c' id='1' type='result'/>", "<iq from='a@b/c' id='1' type='error'/>",
      "<iq from='a@b/c' type='get'/>", "<iq from='@' id='1' type='get'/>", "<message type='error'/>",
      "<presence type='error'/>", "<stream/>", "<iq xmlns='urn:example' from='a@b/c' id='1' type='get'/>",
    ])
  func noReply(text: String) throws {
    #expect(StanzaError(.badRequest).reply(to: try stanza(text)) == nil)
  }
}
