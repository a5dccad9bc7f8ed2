import JingleCore
import Testing
import XMPPCore

/// A running session of either side that decides about everything itself.
func running(_ role: Jingle.Party, deciding: JingleSession.Decisions = [.contents, .transports]) -> JingleSession {
  var session: JingleSession
  switch role {
  case .initiator:
    session = JingleSession(initiating: sid, own: romeo, peer: juliet, deciding: deciding)
    session.initiate([voice])
    session.receive(.result(nil), for: 1)
    session.receive(Jingle(.sessionAccept, sid: sid, contents: [voiceAnswer]), from: juliet, id: "accept")
  case .responder:
    let offer = Jingle(.sessionInitiate, sid: sid, contents: [voice])
    guard let answering = try? JingleSession(answering: offer, from: romeo, id: "0", own: juliet, deciding: deciding)
    else { preconditionFailure("the offer is well-formed") }
    session = answering
    session.accept([voiceAnswer])
    session.receive(.result(nil), for: 1)
  }
  _ = drain(&session)
  return session
}

func content(
  _ name: String, _ media: String = "video", _ senders: Jingle.Senders = .both, creator: Jingle.Party = .initiator
) -> Jingle.Content {
  Jingle.Content(
    creator: creator, name: name, senders: senders, description: .rtp(RTPDescription(media: media)),
    transport: .iceUDP(ICETransport()))
}

extension JingleSession {
  /// Takes a request of the peer and tells what follows: the answer first.
  mutating func take(
    _ action: Jingle.Action, _ contents: [Jingle.Content], id: String = "x", reason: Jingle.Reason? = nil,
    groups: [ContentGroup] = []
  ) -> [Output] {
    receive(Jingle(action, sid: sid, contents: contents, reason: reason, groups: groups), from: peer, id: id)
    return drain(&self)
  }

  /// Takes what became of a request and tells what follows.
  mutating func take(_ outcome: IQTracker.Outcome, for token: Token) -> [Output] {
    receive(outcome, for: token)
    return drain(&self)
  }

  func refusal(_ error: StanzaError) -> [Output] { [.refuse(id: "x", to: peer, error)] }

  var granted: Output { .acknowledge(id: "x", to: peer) }
}

extension [JingleSession.Output] {
  var requests: [Jingle] {
    compactMap { if case .request(let jingle, _, _) = $0 { jingle } else { nil } }
  }
  var events: [JingleSession.Event] {
    compactMap { if case .event(let event) = $0 { event } else { nil } }
  }
  /// The token of the only request.
  var token: JingleSession.Token? {
    let tokens = compactMap { if case .request(_, _, let token) = $0 { token } else { nil } }
    return tokens.count == 1 ? tokens[0] : nil
  }
  /// The condition of the first answer; nil when it is granted.
  var condition: StanzaError.Condition? {
    if case .refuse(_, _, let error) = first { error.condition } else { nil }
  }
}

@Suite struct XEP0166JingleContentsBehaviorTests {
  static let parties: [Jingle.Party] = [.initiator, .responder]
  static let declined = Jingle.Reason(.decline)
  static let bundle = ContentGroup(.bundle, ["voice", "video"])

  // MARK: Adding

  @Test(arguments: parties)
  func `A content is added, one a stanza, and accepted`(role: Jingle.Party) throws {
    var session = running(role)
    session.add([content("video"), content("slides", "video", .responder)], groups: [Self.bundle])
    let sent = drain(&session)
    #expect(sent.requests.map(\.action) == [.contentAdd, .contentAdd])
    #expect(sent.requests.map { $0.contents.map(\.name) } == [["video"], ["slides"]])
    #expect(sent.requests.allSatisfy { $0.contents[0].creator == role && $0.groups == [Self.bundle] })
    #expect(session.agreedContents.keys.sorted() == ["voice"])

    // Dino, Conversations and Movim write `initiator` in any case.
    let answer = content("video", "video", role == .initiator ? .initiator : .responder, creator: .initiator)
    let outputs = session.take(.contentAccept, [answer], groups: [Self.bundle])
    #expect(outputs == [session.granted, .event(.acceptedContents([answer], [Self.bundle]))])
    #expect(session.agreedContents["video"] == answer.senders)
  }

  @Test func `A content that is added while the call rings waits for the call to begin`() throws {
    var session = JingleSession(initiating: sid, own: romeo, peer: juliet)
    session.initiate([voice])
    session.add([content("video")])
    #expect(drain(&session).requests.map(\.action) == [.sessionInitiate])
    session.receive(Jingle(.sessionAccept, sid: sid, contents: [voiceAnswer]), from: juliet, id: "1")
    #expect(drain(&session).requests.map(\.action) == [.contentAdd])

    // The called side waits until the caller has its answer.
    var called = try JingleSession(
      answering: Jingle(.sessionInitiate, sid: sid, contents: [voice]), from: romeo, id: "1", own: juliet)
    called.add([content("video")])
    called.accept([voiceAnswer])
    #expect(drain(&called).requests.map(\.action) == [.sessionAccept])
    #expect(called.take(.result(nil), for: 1).requests.map(\.action) == [.contentAdd])
  }

  @Test func `Candidates wait until the peer has the content`() throws {
    var session = running(.initiator)
    session.add([content("video")])
    let token = try #require(drain(&session).token)
    session.send(transport(1), for: "video")
    session.send(transport(2), for: "video")
    #expect(drain(&session).isEmpty)
    let sent = session.take(.result(nil), for: token).requests
    #expect(sent.map { $0.contents[0].transport } == [.iceUDP(transport(1, 2))])
  }

  @Test(arguments: parties)
  func `The peer's content is told, and accepted or rejected as decided above`(role: Jingle.Party) {
    let offered = content("video", creator: role.other)
    for isAccepted in [true, false] {
      var session = running(role)
      let outputs = session.take(.contentAdd, [offered], groups: [Self.bundle])
      #expect(outputs == [session.granted, .event(.offeredContents([offered], [Self.bundle]))])
      #expect(session.agreedContents["video"] == nil)
      if isAccepted {
        session.acceptContents([content("video", "video", .none)], groups: [Self.bundle])
        let sent = drain(&session).requests
        #expect(sent.map(\.action) == [.contentAccept])
        #expect(sent[0].contents == [content("video", "video", .none, creator: role.other)])
        #expect(session.agreedContents["video"] == Jingle.Senders.none)
      } else {
        session.rejectContents(["video"], Self.declined)
        let named = Jingle.Content(creator: role.other, name: "video")
        #expect(
          drain(&session).requests == [Jingle(.contentReject, sid: sid, contents: [named], reason: Self.declined)])
      }
      // Once decided, twice does nothing.
      session.acceptContents([content("video")])
      session.rejectContents(["video", "voice"], Self.declined)
      #expect(drain(&session).isEmpty)
    }
  }

  @Test func `What the peer takes back before it is decided is gone`() {
    var session = running(.initiator)
    _ = session.take(.contentAdd, [content("video")])
    let outputs = session.take(.contentRemove, [Jingle.Content(name: "video")], id: "y", reason: Self.declined)
    #expect(outputs.events == [.removed(contents: ["video"], Self.declined)])
    session.acceptContents([content("video")])
    #expect(drain(&session).isEmpty)
  }

  static let refusals: [(IQTracker.Outcome, JingleSession.Refusal)] = [
    (.error(.tieBreak), .tieBreak),
    (.error(StanzaError(.conflict)), .tieBreak),
    (.error(StanzaError(.featureNotImplemented)), .refused(StanzaError(.featureNotImplemented))),
    (.error(StanzaError(.serviceUnavailable)), .refused(StanzaError(.serviceUnavailable))),
    (.timedOut, .unanswered),
    (.disconnected, .unanswered),
  ]

  @Test(arguments: refusals)
  func `An addition that is not granted is told and costs nothing else`(
    outcome: IQTracker.Outcome, refusal: JingleSession.Refusal
  ) throws {
    var session = running(.initiator)
    session.add([content("video")])
    let token = try #require(drain(&session).token)
    let outputs = session.take(outcome, for: token)
    #expect(outputs.events == [.notAdded(contents: ["video"], refusal)])
    // The peer may have what it did not answer.
    #expect(outputs.requests.map(\.action) == (refusal == .unanswered ? [.contentRemove] : []))
    #expect(session.phase == .active)
    #expect(session.agreedContents.keys.sorted() == ["voice"])
  }

  @Test func `The peer's rejection is told`() {
    var session = running(.initiator)
    session.add([content("video")])
    _ = drain(&session)
    let outputs = session.take(.contentReject, [Jingle.Content(name: "video")], reason: Self.declined)
    #expect(outputs == [session.granted, .event(.notAdded(contents: ["video"], .rejected(Self.declined)))])
  }

  @Test func `An acceptance that cannot be understood takes the content back`() {
    var session = running(.initiator)
    session.add([content("video")])
    _ = drain(&session)
    let outputs = session.take(.contentAccept, [Jingle.Content(name: "video")])
    #expect(outputs.condition == .badRequest)
    guard case .notAdded(["video"], .refused) = outputs.events.first else {
      Issue.record("\(outputs)")
      return
    }
    // The removal waits for the addition to be answered.
    #expect(session.take(.result(nil), for: 2).requests.map(\.action) == [.contentRemove])
  }

  @Test func `A name is used once, and there is always another`() throws {
    var session = running(.initiator)
    #expect(session.unusedName(like: "voice") == "voice-2")
    session.add([content("voice")])
    #expect(drain(&session) == [.event(.notAdded(contents: ["voice"], .nameTaken))])
    session.add([content("video")])
    session.remove(["video"], Self.declined)
    session.add([content("video")])
    #expect(drain(&session).events == [.notAdded(contents: ["video"], .nameTaken)])
    #expect(session.unusedName(like: "video") == "video-2")
  }

  @Test func `The peer may use a name again`() {
    var session = running(.initiator)
    for id in ["1", "2"] {
      let offer = session.take(.contentAdd, [content("video")], id: "add\(id)")
      #expect(offer.events == [.offeredContents([content("video")], [])])
      session.acceptContents([content("video")])
      for token in drain(&session).compactMap({ if case .request(_, _, let token) = $0 { token } else { nil } }) {
        _ = session.take(.result(nil), for: token)
      }
      _ = session.take(.contentRemove, [Jingle.Content(name: "video")], id: "remove\(id)")
    }
    #expect(session.agreedContents.keys.sorted() == ["voice"])
  }

  // MARK: What does not fit

  static let misplaced: [(Jingle.Action, [Jingle.Content], StanzaError.Condition)] = [
    (.contentAdd, [], .badRequest),
    (.contentAdd, [Jingle.Content(name: "video")], .badRequest),
    (.contentAdd, [content("video"), content("video", creator: .responder)], .badRequest),
    (.contentAdd, [content("voice", "audio")], .conflict),
    (.contentAccept, [], .badRequest),
    (.contentAccept, [content("voice", "audio")], .unexpectedRequest),
    (.contentAccept, [content("other")], .unexpectedRequest),
    (.contentReject, [Jingle.Content(name: "voice")], .unexpectedRequest),
    (.contentReject, [Jingle.Content(name: "other")], .unexpectedRequest),
    (.contentModify, [], .badRequest),
    (.contentModify, [Jingle.Content(name: "other")], .itemNotFound),
    (.contentRemove, [], .badRequest),
    (.contentRemove, [Jingle.Content(name: "voice"), Jingle.Content(name: "other")], .itemNotFound),
    (.sessionAccept, [voiceAnswer], .unexpectedRequest),
    (.sessionInitiate, [voice], .unexpectedRequest),
    (.securityInfo, [Jingle.Content(name: "voice")], .featureNotImplemented),
    (
      .descriptionInfo, [Jingle.Content(name: "voice", description: .unknown(XMLElement("d", namespace: "urn:x")))],
      .featureNotImplemented
    ),
    (.transportInfo, [Jingle.Content(name: "other", transport: .iceUDP(transport(1)))], .itemNotFound),
    (.transportReplace, [Jingle.Content(name: "other", transport: .iceUDP(transport(1)))], .itemNotFound),
    (.transportReplace, [Jingle.Content(name: "voice")], .badRequest),
    (.transportAccept, [Jingle.Content(name: "voice", transport: .iceUDP(transport(1)))], .unexpectedRequest),
    (.transportAccept, [Jingle.Content(name: "other", transport: .iceUDP(transport(1)))], .itemNotFound),
    (.transportReject, [Jingle.Content(name: "voice")], .unexpectedRequest),
    (.unknown("source-add"), [Jingle.Content(name: "voice")], .badRequest),
  ]

  @Test(arguments: misplaced)
  func `What does not fit is refused and changes nothing`(
    action: Jingle.Action, contents: [Jingle.Content], condition: StanzaError.Condition
  ) {
    for role in Self.parties {
      var session = running(role)
      let outputs = session.take(action, contents)
      #expect(outputs.condition == condition)
      #expect(outputs.count == 1)
      #expect(session.agreedContents == ["voice": .both])
    }
  }

  @Test func `An answer about an unknown content is told from one that nothing asks for`() {
    var session = running(.initiator)
    session.add([content("video")])
    _ = drain(&session)
    #expect(session.take(.contentAccept, [content("other")]).condition == .itemNotFound)
    #expect(session.take(.contentReject, [content("voice")], id: "y").condition == .unexpectedRequest)
  }

  @Test func `What is only told is acknowledged though nobody knows it`() {
    var session = running(.initiator)
    #expect(session.take(.unknown("weather-info"), []) == [session.granted])
  }

  @Test func `Endless contents do not wait endlessly`() {
    var session = running(.initiator)
    var conditions: [StanzaError.Condition?] = []
    for number in 0..<100 {
      conditions.append(session.take(.contentAdd, [content("\(number)")], id: "\(number)").condition)
    }
    #expect(conditions == Array(repeating: nil, count: 16) + Array(repeating: .resourceConstraint, count: 84))
    let many = (0..<17).map { content("\($0)") }
    var other = running(.initiator)
    #expect(other.take(.contentAdd, many).condition == .resourceConstraint)
  }

  @Test func `However many contents come and go, a session holds few`() {
    var session = running(.responder)
    for number in 0..<2000 {
      _ = session.take(.contentAdd, [content("\(number)")], id: "a\(number)")
      session.acceptContents([content("\(number)")])
      for token in drain(&session).compactMap({ if case .request(_, _, let token) = $0 { token } else { nil } }) {
        _ = session.take(.result(nil), for: token)
      }
    }
    #expect(session.agreedContents.count == Jingle.maximumContents)
  }

  @Test(arguments: [Jingle.Action.contentAdd, .transportReplace])
  func `A peer that asks and never answers is not answered endlessly`(action: Jingle.Action) {
    var session = running(.initiator)
    var requests = 0
    for number in 0..<1000 {
      let name = action == .contentAdd ? "\(number)" : "voice"
      let outputs = session.take(action, [content(name)], id: "\(number)")
      session.rejectContents([name], Self.declined)
      session.rejectTransport(for: name)
      requests += outputs.requests.count + drain(&session).requests.count
    }
    #expect((1...128).contains(requests))
  }

  @Test func `Groups of additions name what is there, and no content twice`() {
    var session = running(.initiator)
    let foreign = ContentGroup(.bundle, ["voice", "video", "nothing"])
    let apart = ContentGroup(.lipSync, ["voice"])
    #expect(
      session.take(.contentAdd, [content("video")], groups: [foreign, apart]).events
        == [.offeredContents([content("video")], [Self.bundle])])
    let twice = [ContentGroup(.bundle, ["slides"]), ContentGroup(.bundle, ["slides", "voice"])]
    #expect(session.take(.contentAdd, [content("slides")], id: "y", groups: twice).condition == .badRequest)

    // An accepted group that was not offered leaves its content apart.
    session = running(.initiator)
    session.add([content("video")])
    _ = drain(&session)
    #expect(
      session.take(.contentAccept, [content("video")], groups: [Self.bundle]).events
        == [.acceptedContents([content("video")], [])])
  }

  // MARK: Changing

  @Test(arguments: parties)
  func `Directions change both ways`(role: Jingle.Party) throws {
    var session = running(role)
    session.modify("voice", senders: .initiator)
    let sent = drain(&session)
    #expect(
      sent.requests == [
        Jingle(.contentModify, sid: sid, contents: [Jingle.Content(name: "voice", senders: .initiator)])
      ])
    #expect(session.agreedContents == ["voice": .both])
    #expect(session.take(.result(nil), for: try #require(sent.token)).isEmpty)
    #expect(session.agreedContents == ["voice": .initiator])
    #expect(
      session.take(.contentModify, [Jingle.Content(creator: role, name: "voice", senders: .none)])
        == [session.granted, .event(.modified(content: "voice", .none))])
    #expect(session.agreedContents == ["voice": .none])
  }

  @Test func `Of many changes of direction the last one counts, and one is under way at a time`() throws {
    var session = running(.initiator)
    for senders in [Jingle.Senders.initiator, .none, .responder] { session.modify("voice", senders: senders) }
    let sent = drain(&session)
    #expect(sent.requests.map { $0.contents[0].senders } == [.initiator])
    let then = session.take(.result(nil), for: try #require(sent.token))
    #expect(then.requests.map { $0.contents[0].senders } == [.responder])
    #expect(
      session.take(.error(StanzaError(.notAllowed)), for: try #require(then.token)).events
        == [.notModified(content: "voice", .initiator, .refused(StanzaError(.notAllowed)))])
  }

  @Test func `A direction that is wanted before the peer accepts is asked for after it`() {
    var session = running(.initiator)
    session.add([content("video")])
    session.modify("video", senders: .initiator)
    #expect(drain(&session).requests.map(\.action) == [.contentAdd])
    _ = session.take(.result(nil), for: 2)
    let outputs = session.take(.contentAccept, [content("video")])
    #expect(outputs.requests.map { $0.contents[0].senders } == [.initiator])
  }

  // MARK: Removing

  @Test(arguments: parties)
  func `A content is removed both ways with a reason, and the last one ends the session`(role: Jingle.Party) {
    var session = running(role)
    _ = session.take(.contentAdd, [content("video", creator: role.other)], id: "1")
    session.acceptContents([content("video")])
    let accept = drain(&session).token ?? 0
    _ = session.take(.result(nil), for: accept)
    var other = session
    session.remove(["video", "video", "nothing"], Self.declined)
    let named = Jingle.Content(creator: role.other, name: "video")
    #expect(drain(&session).requests == [Jingle(.contentRemove, sid: sid, contents: [named], reason: Self.declined)])
    session.remove(["voice"], Self.declined)
    #expect(drain(&session).requests == [Jingle(.sessionTerminate, sid: sid, reason: Self.declined)])
    #expect(session.phase == .ended)

    #expect(
      other.take(.contentRemove, [Jingle.Content(name: "video")], reason: Self.declined)
        == [other.granted, .event(.removed(contents: ["video"], Self.declined))])
    let last = other.take(.contentRemove, [Jingle.Content(name: "voice")], id: "y")
    #expect(last.requests.map(\.action) == [.sessionTerminate])
    #expect(other.phase == .ended)
  }

  @Test func `What was not sent yet is taken back in silence`() {
    var session = JingleSession(initiating: sid, own: romeo, peer: juliet)
    session.initiate([voice])
    session.add([content("video")])
    session.remove(["video"], Self.declined)
    session.receive(Jingle(.sessionAccept, sid: sid, contents: [voiceAnswer]), from: juliet, id: "1")
    #expect(drain(&session).requests.map(\.action) == [.sessionInitiate])
  }

  @Test func `A part of an offer is rejected with its reason, before the rest is accepted`() throws {
    let offer = Jingle(.sessionInitiate, sid: sid, contents: [voice, content("video"), content("slides")])
    var callee = try JingleSession(answering: offer, from: romeo, id: "0", own: juliet)
    var caller = JingleSession(initiating: sid, own: romeo, peer: juliet)
    caller.initiate(offer.contents)
    _ = (drain(&callee), drain(&caller))
    callee.rejectContents(["video", "video", "nothing"], Self.declined)
    let rejection = Jingle(
      .contentReject, sid: sid, contents: [Jingle.Content(name: "video")], reason: Self.declined)
    #expect(drain(&callee).requests == [rejection])
    #expect(
      caller.take(.contentReject, rejection.contents, reason: Self.declined)
        == [caller.granted, .event(.acknowledged), .event(.removed(contents: ["video"], Self.declined))])

    var other = callee
    callee.accept([voiceAnswer])
    #expect(drain(&callee).requests.map(\.action) == [.sessionAccept])
    #expect(caller.take(.sessionAccept, [voiceAnswer], id: "y").events.count == 1)
    #expect(caller.agreedContents.keys.sorted() == ["voice"])

    other.rejectContents(["voice", "slides"], Self.declined)
    #expect(drain(&other).requests.map(\.action) == [.contentReject, .contentReject, .sessionTerminate])
    #expect(other.phase == .ended)
  }

  @Test(arguments: parties)
  func `A content that has served its purpose is told of no more, and its name can be the peer's again`(
    role: Jingle.Party
  ) {
    var session = running(role)
    _ = session.take(.contentAdd, [content("video", creator: role.other)], id: "1")
    session.acceptContents([content("video")])
    let accept = drain(&session).token ?? 0
    _ = session.take(.result(nil), for: accept)
    session.forget("video")
    session.forget("nothing")
    #expect(drain(&session).isEmpty)
    #expect(session.agreedContents.keys.sorted() == ["voice"])
    // The peer may not know yet that it has.
    #expect(session.take(.contentRemove, [Jingle.Content(name: "video")], id: "2").count == 1)
    #expect(session.phase == .active)
    let again = session.take(.contentAdd, [content("video", creator: role.other)], id: "3")
    #expect(again.events == [.offeredContents([content("video", creator: role.other)], [])])
  }

  @Test func `An answer that lacks contents of the offer declines them`() {
    var session = JingleSession(initiating: sid, own: romeo, peer: juliet)
    session.initiate([voice, content("video")])
    session.receive(Jingle(.sessionAccept, sid: sid, contents: [voiceAnswer]), from: juliet, id: "1")
    #expect(session.agreedContents.keys.sorted() == ["voice"])
    _ = drain(&session)
    // What the peer still sends for them is let go.
    let late = Jingle.Content(name: "video", transport: .iceUDP(transport(1)))
    #expect(session.take(.transportInfo, [late]) == [session.granted])
  }

  // MARK: At the same moment

  @Test func `When both add the same kind, the initiator's holds`() throws {
    var initiator = running(.initiator)
    initiator.add([content("mine")])
    _ = drain(&initiator)
    #expect(initiator.take(.contentAdd, [content("yours")]) == initiator.refusal(.tieBreak))
    // Another kind, and the other direction, are no rivals.
    #expect(initiator.take(.contentAdd, [content("text", "text")], id: "y").condition == nil)

    var responder = running(.responder)
    responder.add([content("yours")])
    let token = try #require(drain(&responder).token)
    #expect(responder.take(.contentAdd, [content("mine")]).events == [.offeredContents([content("mine")], [])])
    #expect(
      responder.take(.error(.tieBreak), for: token).events == [.notAdded(contents: ["yours"], .tieBreak)])
  }

  @Test func `Two one-way contents of the same moment do not compete`() {
    var session = running(.initiator)
    session.add([content("mine", "video", .initiator)])
    _ = drain(&session)
    #expect(session.take(.contentAdd, [content("yours", "video", .responder)]).condition == nil)
  }

  @Test func `Once the peer has the one content, another of the same kind is another`() throws {
    var session = running(.initiator)
    session.add([content("mine")])
    _ = session.take(.result(nil), for: try #require(drain(&session).token))
    #expect(session.take(.contentAdd, [content("yours")]).condition == nil)
  }

  @Test func `When both add under the same name, the responder's stands back`() throws {
    var initiator = running(.initiator)
    initiator.add([content("video")])
    _ = initiator.take(.result(nil), for: try #require(drain(&initiator).token))
    #expect(initiator.take(.contentAdd, [content("video", "text")]) == initiator.refusal(.tieBreak))

    for decisions in [JingleSession.Decisions.contents, []] {
      var responder = running(.responder, deciding: decisions)
      responder.add([content("video")])
      let token = try #require(drain(&responder).token)
      let events = responder.take(.contentAdd, [content("video")]).events
      #expect(events.first == .notAdded(contents: ["video"], .tieBreak))
      #expect(
        events.last
          == (decisions == .contents
            ? .offeredContents([content("video")], []) : .refused(contents: [content("video")])))
      #expect(responder.take(.error(.tieBreak), for: token).events.isEmpty)
    }
  }

  @Test func `The candidates of what stood back are not told as the rival's`() throws {
    var session = running(.responder)
    session.add([content("video")])
    let token = try #require(drain(&session).token)
    session.send(transport(1, ufrag: "old1", pwd: "p1"), for: "video")
    _ = session.take(.contentAdd, [content("video")])
    session.acceptContents([content("video")])
    let accepted = drain(&session) + session.take(.error(.tieBreak), for: token)
    #expect(accepted.requests.map(\.action) == [.contentAccept])
    #expect(session.take(.result(nil), for: try #require(accepted.token)).requests.isEmpty)
  }

  @Test func `What stood back and was let in all the same is taken out, once its rival has left`() throws {
    var session = running(.responder)
    session.add([content("video")])
    let token = try #require(drain(&session).token)
    _ = session.take(.contentAdd, [content("video")], id: "1")
    _ = session.take(.contentRemove, [Jingle.Content(name: "video")], id: "2")
    #expect(session.take(.result(nil), for: token).requests.map(\.action) == [.contentRemove])
  }

  @Test func `When both change directions, the initiator's change holds`() throws {
    let theirs = Jingle.Content(name: "voice", senders: .none)
    var initiator = running(.initiator)
    initiator.modify("voice", senders: .initiator)
    let token = try #require(drain(&initiator).token)
    #expect(initiator.take(.contentModify, [theirs]) == initiator.refusal(.tieBreak))
    _ = initiator.take(.result(nil), for: token)
    #expect(initiator.agreedContents == ["voice": .initiator])

    var responder = running(.responder)
    responder.modify("voice", senders: .responder)
    let other = try #require(drain(&responder).token)
    #expect(
      responder.take(.contentModify, [theirs]).events
        == [.notModified(content: "voice", .none, .tieBreak), .modified(content: "voice", .none)])
    var lenient = responder
    #expect(responder.take(.error(.tieBreak), for: other).isEmpty)
    #expect(responder.agreedContents == ["voice": .none])
    // A peer that breaks no ties took this side's last: what holds is said again.
    #expect(lenient.take(.result(nil), for: other).requests.map { $0.contents[0].senders } == [.none])
  }

  @Test(arguments: [Jingle.Action.contentAccept, .contentReject, .contentModify, .contentRemove, .descriptionInfo])
  func `A removal holds, whatever it crosses`(action: Jingle.Action) throws {
    var session = running(.initiator)
    session.add([content("video")])
    let token = try #require(drain(&session).token)
    session.remove(["video"], Self.declined)
    // It waits for its turn, but holds from now on.
    #expect(drain(&session).isEmpty)
    #expect(session.take(action, [content("video")]) == [session.granted])
    #expect(session.take(.result(nil), for: token).requests.map(\.action) == [.contentRemove])
    #expect(session.agreedContents.keys.sorted() == ["voice"])
  }

  @Test func `A removal that crosses this side's acceptance holds`() throws {
    var session = running(.responder)
    _ = session.take(.contentAdd, [content("video")], id: "1")
    session.acceptContents([content("video")])
    let token = try #require(drain(&session).token)
    _ = session.take(.contentRemove, [Jingle.Content(name: "video")], id: "2")
    #expect(session.take(.error(StanzaError(.itemNotFound)), for: token).events.isEmpty)
    #expect(session.agreedContents.keys.sorted() == ["voice"])
  }

  @Test func `An acceptance that the peer refuses takes the content out`() throws {
    var session = running(.responder)
    _ = session.take(.contentAdd, [content("video")], id: "1")
    session.acceptContents([content("video")])
    let token = try #require(drain(&session).token)
    #expect(
      session.take(.error(StanzaError(.itemNotFound)), for: token).events
        == [.unanswered(.contentAccept, StanzaError(.itemNotFound)), .removed(contents: ["video"])])
  }

  @Test func `A name that is on its way out is not taken for a new content`() {
    var session = running(.initiator)
    _ = session.take(.contentAdd, [content("video")], id: "1")
    session.rejectContents(["video"], Self.declined)
    let token = drain(&session).token ?? 0
    #expect(session.take(.contentAdd, [content("video")], id: "2").condition == .unexpectedRequest)
    _ = session.take(.result(nil), for: token)
    #expect(session.take(.contentAdd, [content("video")], id: "3").condition == nil)
  }

  // MARK: How the peers really behave

  @Test func `Movim accepts every change with session-accept`() {
    var session = running(.initiator)
    session.add([content("video")])
    _ = drain(&session)
    let answer = [voiceAnswer, content("video"), content("unheard-of")]
    #expect(
      session.take(.sessionAccept, answer)
        == [session.granted, .event(.acceptedContents([content("video")], []))])
    // The same after content-modify and content-remove, where it answers nothing.
    session.modify("voice", senders: .initiator)
    _ = drain(&session)
    #expect(session.take(.sessionAccept, [voiceAnswer], id: "2").first == .acknowledge(id: "2", to: juliet))
    #expect(session.phase == .active)
  }

  @Test func `Movim takes whoever writes for the initiator`() {
    let mine = Jingle.Content(name: "voice", senders: .initiator)
    for role in Self.parties {
      var session = running(role)
      session.peerTakesAuthorForInitiator = true
      #expect(
        session.take(.contentModify, [mine]).events == [
          .modified(content: "voice", role == .initiator ? .responder : .initiator)
        ])
      session.modify("voice", senders: role == .initiator ? .initiator : .responder)
      #expect(drain(&session).requests.map(\.contents) == [[mine]])
    }
  }

  @Test func `Conversations adds a content without a transport of its own`() throws {
    let add = try jingle(
      """
      <jingle xmlns='urn:xmpp:jingle:1' action='content-add' sid='a73sjjvkla37jfea'>
        <group xmlns='urn:xmpp:jingle:apps:grouping:0' semantics='BUNDLE'>
          <content name='voice'/><content name='1'/>
        </group>
        <content name='1' creator='initiator' senders='both'>
          <description xmlns='urn:xmpp:jingle:apps:rtp:1' media='video'/>
          <transport xmlns='urn:xmpp:jingle:transports:ice-udp:1'/>
        </content>
      </jingle>
      """)
    var session = running(.initiator)
    session.receive(add, from: juliet, id: "x")
    let events = drain(&session).events
    #expect(events == [.offeredContents(add.contents, [ContentGroup(.bundle, ["voice", "1"])])])
    #expect(add.contents[0].transport == .iceUDP(ICETransport()))
  }

  @Test func `News of the call name contents under their creators`() {
    var session = running(.responder)
    session.sendInfo(RTPInfo.mute(creator: nil, name: "voice"))
    session.sendInfo(RTPInfo.unmute(creator: .responder, name: nil))
    session.sendInfo(RTPInfo.hold)
    let sent = drain(&session).requests.flatMap(\.payloads)
    #expect(
      sent.map { RTPInfo($0) } == [.mute(creator: .initiator, name: "voice"), .unmute(creator: nil, name: nil), .hold])
    #expect(RTPInfo(XMLElement("mute", namespace: RTPInfo.namespace, attributes: ["name": ""])) == nil)
  }

  @Test func `Advice goes out for contents that the peer has`() throws {
    var session = running(.responder)
    let advice = Jingle.Description.rtp(RTPDescription(media: "audio"))
    session.sendDescription(advice, for: "voice")
    session.sendDescription(advice, for: "nothing")
    #expect(
      drain(&session).requests
        == [Jingle(.descriptionInfo, sid: sid, contents: [Jingle.Content(name: "voice", description: advice)])])
  }
}
