import JingleCore
import Testing
import XMPPCore

@Suite struct XEP0166JingleTransportsBehaviorTests {
  static func update(_ transport: ICETransport, _ name: String = "voice") -> Jingle.Content {
    Jingle.Content(name: name, transport: .iceUDP(transport))
  }

  static let fresh = transport(ufrag: "new1", pwd: "p1")
  static let other = transport(ufrag: "new2", pwd: "p2")
  static let rawUDP = XMLElement("transport", namespace: "urn:xmpp:jingle:transports:raw-udp:1")

  // MARK: ICE restarts

  @Test func `The answer to this side's restart is not to be answered, the next restart of the peer is`() {
    var session = running(.initiator)
    session.send(Self.fresh, for: "voice")
    #expect(drain(&session).requests.map(\.contents) == [[Self.update(Self.fresh)]])
    #expect(
      session.take(.transportInfo, [Self.update(Self.other)], id: "1").events
        == [.answeredRestart(Self.other, content: "voice")])
    let third = transport(ufrag: "new3", pwd: "p3")
    #expect(
      session.take(.transportInfo, [Self.update(third)], id: "2").events == [.restartedICE(third, content: "voice")])
  }

  @Test func `Restarts that cross answer each other`() {
    for role in [Jingle.Party.initiator, .responder] {
      var session = running(role)
      session.send(Self.fresh, for: "voice")
      _ = drain(&session)
      #expect(
        session.take(.transportInfo, [Self.update(Self.other)]).events
          == [.answeredRestart(Self.other, content: "voice")])
    }
  }

  @Test func `A restart waits for the last one to arrive, candidates do not`() throws {
    var session = running(.initiator)
    session.send(Self.fresh, for: "voice")
    let token = try #require(drain(&session).token)
    session.send(transport(1, ufrag: "new1", pwd: "p1"), for: "voice")
    #expect(drain(&session).requests.count == 1)
    session.send(Self.other, for: "voice")
    session.send(transport(2, ufrag: "new2", pwd: "p2"), for: "voice")
    #expect(drain(&session).isEmpty)
    let sent = session.take(.result(nil), for: token).requests
    #expect(sent.map(\.contents) == [[Self.update(transport(2, ufrag: "new2", pwd: "p2"))]])
  }

  @Test func `Conversations restarts without candidates and Movim without a password`() {
    var session = running(.initiator)
    let bare = ICETransport(ufrag: "new1", pwd: "p1")
    #expect(
      session.take(.transportInfo, [Self.update(bare)], id: "1").events == [.restartedICE(bare, content: "voice")])
    let half = ICETransport(ufrag: "new2", candidates: [candidate(1)])
    #expect(
      session.take(.transportInfo, [Self.update(half)], id: "2").events == [.restartedICE(half, content: "voice")])
  }

  // MARK: Another transport

  @Test(arguments: [Jingle.Party.initiator, .responder])
  func `A transport takes another's place, asked for by either side`(role: Jingle.Party) {
    var asking = running(role)
    asking.replaceTransport(.iceUDP(Self.fresh), for: "voice")
    #expect(drain(&asking).requests.map(\.action) == [.transportReplace])
    #expect(
      asking.take(.transportAccept, [Self.update(Self.other)])
        == [asking.granted, .event(.acceptedTransport(.iceUDP(Self.other), content: "voice"))])
    // Its candidates are no restart, those of the old one are late.
    let more = transport(5, ufrag: "new2", pwd: "p2")
    #expect(
      asking.take(.transportInfo, [Self.update(more)], id: "1").events == [.receivedTransport(more, content: "voice")])
    let old = role == .initiator ? voiceAnswer : voice
    #expect(asking.take(.transportInfo, [old], id: "2").events.isEmpty)

    var asked = running(role)
    #expect(
      asked.take(.transportReplace, [Self.update(Self.fresh)]).events
        == [.offeredTransport(.iceUDP(Self.fresh), content: "voice")])
    #expect(asked.take(.transportReplace, [Self.update(Self.other)], id: "y").condition == .unexpectedRequest)
    asked.acceptTransport(.iceUDP(Self.other), for: "voice")
    #expect(
      drain(&asked).requests == [Jingle(.transportAccept, sid: sid, contents: [Self.update(Self.other)])])
    asked.rejectTransport(for: "voice")
    #expect(drain(&asked).isEmpty)
  }

  @Test func `A transport is kept, by either side's decision`() {
    let reason = Jingle.Reason(.unsupportedTransports)
    var asking = running(.initiator)
    asking.replaceTransport(.unknown(Self.rawUDP), for: "voice")
    _ = drain(&asking)
    #expect(
      asking.take(.transportReject, [Jingle.Content(name: "voice")], reason: reason).events
        == [.rejectedTransport(content: "voice", .rejected(reason))])

    var asked = running(.initiator)
    let raw = Jingle.Content(name: "voice", transport: .unknown(Self.rawUDP))
    #expect(asked.take(.transportReplace, [raw]).events == [.offeredTransport(.unknown(Self.rawUDP), content: "voice")])
    asked.rejectTransport(for: "voice", reason)
    #expect(drain(&asked).requests == [Jingle(.transportReject, sid: sid, contents: [raw], reason: reason)])
  }

  @Test(arguments: XEP0166JingleContentsBehaviorTests.refusals)
  func `A replacement that is not granted keeps the transport`(
    outcome: IQTracker.Outcome, refusal: JingleSession.Refusal
  ) throws {
    var session = running(.initiator)
    session.replaceTransport(.iceUDP(Self.fresh), for: "voice")
    let token = try #require(drain(&session).token)
    session.send(transport(1, ufrag: "new1", pwd: "p1"), for: "voice")
    // Candidates of the one that came to nothing are not sent.
    #expect(session.take(outcome, for: token) == [.event(.rejectedTransport(content: "voice", refusal))])
  }

  @Test func `When both replace a transport, the initiator's replacement holds`() throws {
    var initiator = running(.initiator)
    initiator.replaceTransport(.iceUDP(Self.fresh), for: "voice")
    _ = initiator.take(.result(nil), for: try #require(drain(&initiator).token))
    #expect(initiator.take(.transportReplace, [Self.update(Self.other)]) == initiator.refusal(.tieBreak))

    var responder = running(.responder)
    responder.replaceTransport(.iceUDP(Self.other), for: "voice")
    let token = try #require(drain(&responder).token)
    #expect(
      responder.take(.transportReplace, [Self.update(Self.fresh)]).events == [
        .rejectedTransport(content: "voice", .tieBreak), .offeredTransport(.iceUDP(Self.fresh), content: "voice"),
      ])
    // The answer goes out when the own request is off the way.
    responder.acceptTransport(.iceUDP(Self.other), for: "voice")
    #expect(drain(&responder).isEmpty)
    #expect(responder.take(.error(.tieBreak), for: token).requests.map(\.action) == [.transportAccept])
  }

  @Test func `A replacement waits for the restart before it to arrive`() throws {
    for isAsking in [true, false] {
      var session = running(.initiator)
      session.send(Self.fresh, for: "voice")
      let token = try #require(drain(&session).token)
      if isAsking {
        session.replaceTransport(.iceUDP(Self.other), for: "voice")
      } else {
        _ = session.take(.transportReplace, [Self.update(transport(ufrag: "n", pwd: "p"))])
        session.acceptTransport(.iceUDP(Self.other), for: "voice")
      }
      #expect(drain(&session).isEmpty)
      let sent = session.take(.result(nil), for: token).requests
      #expect(sent.map(\.action) == [isAsking ? .transportReplace : .transportAccept])
    }
  }

  @Test func `A restart that waits for a replacement is void when that comes, and sent when not`() throws {
    for isAccepted in [true, false] {
      var session = running(.initiator)
      session.replaceTransport(.iceUDP(Self.fresh), for: "voice")
      _ = session.take(.result(nil), for: try #require(drain(&session).token))
      session.send(Self.other, for: "voice")
      #expect(drain(&session).isEmpty)
      let answer = isAccepted ? Jingle.Action.transportAccept : .transportReject
      let sent = session.take(answer, [Self.update(transport(ufrag: "n", pwd: "p"))]).requests
      #expect(sent.map(\.contents) == (isAccepted ? [] : [[Self.update(Self.other)]]))
    }
  }
}
