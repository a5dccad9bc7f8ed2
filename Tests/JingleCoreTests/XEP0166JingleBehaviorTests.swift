import JingleCore
import Testing
import XMPPCore

func drain(_ session: inout JingleSession) -> [JingleSession.Output] {
  var outputs: [JingleSession.Output] = []
  while let output = session.nextOutput() { outputs.append(output) }
  return outputs
}

let voice = Jingle.Content(
  name: "voice",
  description: .rtp(RTPDescription(media: "audio", payloadTypes: [RTPCapability.opus().payloadType(id: 111)], rtcpMux: true)),
  transport: .iceUDP(ICETransport(ufrag: "8hhy", pwd: "asd88fgpdd777uzjYhagZg")))
let voiceAnswer = Jingle.Content(
  name: "voice", description: voice.description,
  transport: .iceUDP(ICETransport(ufrag: "9uB6", pwd: "YH75Fviy6338Vbrhrlp8Yh")))

func candidate(_ number: UInt16) -> ICECandidate {
  ICECandidate(foundation: "1", id: "c\(number)", ip: "192.0.2.1", port: number, priority: 2_130_706_431, kind: .host)
}

func transport(_ numbers: UInt16..., ufrag: String = "8hhy", pwd: String = "asd88fgpdd777uzjYhagZg") -> ICETransport {
  ICETransport(ufrag: ufrag, pwd: pwd, candidates: numbers.map(candidate))
}

/// The session of the calling side in a phase.
func initiator(_ phase: JingleSession.Phase, acknowledged: Bool = true) -> JingleSession {
  var session = JingleSession(initiating: sid, own: romeo, peer: juliet)
  if phase != .fresh {
    session.initiate([voice])
    if acknowledged { session.receive(.result(nil), for: 1) }
  }
  if phase == .active || phase == .ended {
    session.receive(Jingle(.sessionAccept, sid: sid, contents: [voiceAnswer]), from: juliet, id: "accept")
  }
  if phase == .ended { session.terminate(Jingle.Reason(.success)) }
  _ = drain(&session)
  return session
}

/// The session of the called side in a phase.
func responder(_ phase: JingleSession.Phase) throws -> JingleSession {
  let offer = Jingle(.sessionInitiate, sid: sid, initiator: romeo, contents: [voice])
  var session = try JingleSession(answering: offer, from: romeo, id: "initiate", own: juliet)
  if phase == .active || phase == .ended { session.accept([voiceAnswer]) }
  if phase == .ended { session.terminate(Jingle.Reason(.success)) }
  _ = drain(&session)
  return session
}

@Suite struct XEP0166JingleBehaviorTests {
  /// A request of each kind, well-formed.
  static func request(_ action: Jingle.Action) -> Jingle {
    switch action {
    case .sessionInitiate: Jingle(action, sid: sid, contents: [voice])
    case .sessionAccept: Jingle(action, sid: sid, contents: [voiceAnswer])
    case .sessionTerminate: Jingle(action, sid: sid, reason: Jingle.Reason(.success))
    case .sessionInfo: Jingle(action, sid: sid, payloads: [RTPInfo.ringing.element])
    case .contentAdd, .contentAccept, .contentReject:
      Jingle(action, sid: sid, contents: [Jingle.Content(creator: .responder, name: "video", description: voice.description)])
    case .contentModify: Jingle(action, sid: sid, contents: [Jingle.Content(name: "voice", senders: .initiator)])
    case .contentRemove: Jingle(action, sid: sid, contents: [Jingle.Content(name: "voice")])
    case .descriptionInfo:
      Jingle(action, sid: sid, contents: [Jingle.Content(name: "voice", description: voice.description)])
    case .transportInfo, .transportReplace, .transportAccept, .transportReject:
      Jingle(action, sid: sid, contents: [Jingle.Content(name: "voice", transport: .iceUDP(transport(1)))])
    case .securityInfo, .unknown: Jingle(action, sid: sid, contents: [Jingle.Content(name: "voice")])
    }
  }

  /// What an action of the peer leads to while the session lives; nil is the answer to an unacceptable one.
  enum Consequence: Sendable {
    case refused(StanzaError)
    case acknowledged(events: [JingleSession.Event], requests: [Jingle.Action] = [], phase: JingleSession.Phase? = nil)
  }

  static let common: [(Jingle.Action, Consequence)] = [
    (.sessionInitiate, .refused(.outOfOrder)),
    (.sessionTerminate, .acknowledged(events: [.terminated(Jingle.Reason(.success), byPeer: true)], phase: .ended)),
    (.sessionInfo, .acknowledged(events: [.receivedInfo(RTPInfo.ringing.element)])),
    (.contentAccept, .refused(.outOfOrder)),
    (.contentReject, .refused(.outOfOrder)),
    (
      .contentAdd,
      .acknowledged(events: [.refused(contents: request(.contentAdd).contents)], requests: [.contentReject])
    ),
    (.contentModify, .acknowledged(events: [.modified(content: "voice", .initiator)])),
    (
      .contentRemove,
      .acknowledged(
        events: [
          .removed(contents: ["voice"]),
          .terminated(Jingle.Reason(.success, text: "no content is left"), byPeer: false),
        ], requests: [.sessionTerminate], phase: .ended)
    ),
    (.descriptionInfo, .acknowledged(events: [.receivedDescription(voice.description!, content: "voice")])),
    (.transportReplace, .acknowledged(events: [], requests: [.transportReject])),
    (.transportAccept, .refused(.outOfOrder)),
    (.transportReject, .refused(.outOfOrder)),
    (.securityInfo, .refused(.unsupportedInfo)),
    (.unknown("source-add"), .refused(StanzaError(.badRequest, text: "unknown action source-add"))),
  ]

  func check(
    _ action: Jingle.Action, _ consequence: Consequence, in session: JingleSession, from: JID,
    _ location: SourceLocation = #_sourceLocation
  ) {
    var session = session
    let before = session.phase
    session.receive(Self.request(action), from: from, id: "x")
    let outputs = drain(&session)
    switch consequence {
    case .refused(let error):
      #expect(outputs.first == .refuse(id: "x", to: from, error), sourceLocation: location)
      #expect(session.phase == before, sourceLocation: location)
    case .acknowledged(let events, let requests, let phase):
      #expect(outputs.first == .acknowledge(id: "x", to: from), sourceLocation: location)
      let told = outputs.compactMap { if case .event(let event) = $0 { event } else { nil } }
      let sent = outputs.compactMap { if case .request(let jingle, _, _) = $0 { jingle.action } else { nil } }
      #expect(told == events, sourceLocation: location)
      #expect(sent == requests, sourceLocation: location)
      #expect(session.phase == phase ?? before, sourceLocation: location)
    }
  }

  @Test(arguments: common)
  func `Each action of the peer has its consequence while a session lives`(
    action: Jingle.Action, consequence: Consequence
  ) throws {
    for phase in [JingleSession.Phase.pending, .active] {
      check(action, consequence, in: initiator(phase), from: juliet)
      check(action, consequence, in: try responder(phase), from: romeo)
    }
  }

  @Test func `Transport information is taken while a session lives`() throws {
    let taken = Consequence.acknowledged(events: [.receivedTransport(transport(1), content: "voice")])
    check(.transportInfo, taken, in: initiator(.pending), from: juliet)
    check(.transportInfo, taken, in: try responder(.pending), from: romeo)
    check(.transportInfo, taken, in: try responder(.active), from: romeo)
  }

  @Test func `Only the called side accepts, and once`() throws {
    let accepted = Consequence.acknowledged(
      events: [.accepted(Self.request(.sessionAccept))], phase: .active)
    check(.sessionAccept, accepted, in: initiator(.pending), from: juliet)
    check(.sessionAccept, .refused(.outOfOrder), in: initiator(.active), from: juliet)
    check(.sessionAccept, .refused(.outOfOrder), in: try responder(.pending), from: romeo)
    check(.sessionAccept, .refused(.outOfOrder), in: try responder(.active), from: romeo)
  }

  @Test(arguments: Jingle.Action.defined + [.unknown("source-add")])
  func `Before its beginning and after its end a session is unknown`(action: Jingle.Action) throws {
    check(action, .refused(.unknownSession), in: initiator(.fresh), from: juliet)
    check(action, .refused(.unknownSession), in: initiator(.ended), from: juliet)
    check(action, .refused(.unknownSession), in: try responder(.ended), from: romeo)
  }

  @Test(arguments: Jingle.Action.defined, [julietsPhone, tybalt, romeo, juliet.bare])
  func `Nobody but the peer's device can act in a session`(action: Jingle.Action, intruder: JID) {
    for phase in [JingleSession.Phase.pending, .active] {
      check(action, .refused(.unknownSession), in: initiator(phase), from: intruder)
    }
  }

  @Test func `A request for another session is unknown here`() {
    var session = initiator(.active)
    session.receive(Jingle(.sessionTerminate, sid: "other"), from: juliet, id: "x")
    #expect(drain(&session) == [.refuse(id: "x", to: juliet, .unknownSession)])
  }

  @Test(arguments: common.map(\.0) + [.transportInfo, .sessionAccept])
  func `A request that comes twice is answered twice and done once`(action: Jingle.Action) {
    var session = initiator(.pending)
    session.receive(Self.request(action), from: juliet, id: "x")
    let first = drain(&session)
    session.receive(Self.request(action), from: juliet, id: "x")
    let second = drain(&session)
    #expect(second == [first[0]])
  }

  @Test func `Another request under a used id is another request`() {
    var session = initiator(.active)
    session.receive(Jingle(.sessionInfo, sid: sid), from: juliet, id: "x")
    session.receive(Self.request(.sessionTerminate), from: juliet, id: "x")
    #expect(session.phase == .ended)
  }

  @Test func `The memory of answered requests is bounded`() {
    var session = initiator(.active)
    for number in 0..<1000 { session.receive(Jingle(.sessionInfo, sid: sid), from: juliet, id: "\(number)") }
    #expect(drain(&session).count == 1000)
  }

  // MARK: Beginning

  @Test func `The offer names the initiator and the answer the responder`() throws {
    var session = JingleSession(initiating: sid, own: romeo, peer: juliet)
    session.initiate([voice])
    #expect(
      drain(&session) == [
        .request(Jingle(.sessionInitiate, sid: sid, initiator: romeo, contents: [voice]), to: juliet, 1)
      ])
    #expect(session.phase == .pending)

    var answering = try responder(.pending)
    answering.accept([voiceAnswer])
    #expect(
      drain(&answering) == [
        .request(Jingle(.sessionAccept, sid: sid, responder: juliet, contents: [voiceAnswer]), to: romeo, 1)
      ])
    #expect(answering.phase == .active)
  }

  @Test func `An offer is acknowledged and told, and counts as its sender's whatever it says`() throws {
    let offer = Jingle(.sessionInitiate, sid: sid, initiator: tybalt, contents: [voice])
    var session = try JingleSession(answering: offer, from: romeo, id: "1", own: juliet)
    #expect(session.peer == romeo)
    #expect(drain(&session) == [.acknowledge(id: "1", to: romeo), .event(.initiated(offer))])
    session.receive(offer, from: romeo, id: "1")
    #expect(drain(&session) == [.acknowledge(id: "1", to: romeo)])
  }

  static let incomplete: [[Jingle.Content]] = [
    [],
    [Jingle.Content(name: "voice", description: voice.description)],
    [Jingle.Content(name: "voice", transport: voice.transport)],
    [
      voice,
      Jingle.Content(creator: .responder, name: "voice", description: voice.description, transport: voice.transport),
    ],
  ]

  @Test(arguments: incomplete)
  func `An incomplete offer is a bad request`(contents: [Jingle.Content]) {
    let error = #expect(throws: StanzaError.self) {
      try JingleSession(
        answering: Jingle(.sessionInitiate, sid: sid, contents: contents), from: romeo, id: "1", own: juliet)
    }
    #expect(error?.condition == .badRequest)
  }

  @Test func `At least one content belongs to the session itself`() {
    var early = voice
    early.disposition = "early-session"
    var other = voice
    other.name = "other"
    func session(_ contents: [Jingle.Content]) throws -> JingleSession {
      try JingleSession(
        answering: Jingle(.sessionInitiate, sid: sid, contents: contents), from: romeo, id: "1", own: juliet)
    }
    #expect(throws: StanzaError.self) { try session([early]) }
    #expect(throws: Never.self) { try session([early, other]) }
  }

  @Test(arguments: incomplete + [[Jingle.Content(name: "other", description: voice.description, transport: voice.transport)]])
  func `An answer that does not fit the offer is refused and told`(contents: [Jingle.Content]) {
    var session = initiator(.pending)
    session.receive(Jingle(.sessionAccept, sid: sid, contents: contents), from: juliet, id: "x")
    let outputs = drain(&session)
    #expect(outputs.count == 2)
    guard case .refuse("x", juliet, let error) = outputs.first, case .event(.violated(error)) = outputs.last else {
      Issue.record("\(outputs)")
      return
    }
    #expect(session.phase == .pending)
    session.terminate(Jingle.Reason(.generalError))
    #expect(session.phase == .ended)
  }

  // MARK: Candidates

  @Test func `Candidates wait for the offer's acknowledgement and go out together, one stanza for a content`() {
    var session = JingleSession(initiating: sid, own: romeo, peer: juliet)
    session.send(transport(1), for: "voice")
    var video = voice
    video.name = "video"
    session.initiate([voice, video])
    _ = drain(&session)
    session.send(transport(2), for: "voice")
    session.send(transport(3), for: "video")
    session.send(transport(4), for: "voice")
    #expect(drain(&session).isEmpty)
    session.receive(.result(nil), for: 1)
    func update(_ transport: ICETransport, _ name: String) -> Jingle {
      Jingle(.transportInfo, sid: sid, contents: [Jingle.Content(name: name, transport: .iceUDP(transport))])
    }
    #expect(
      drain(&session) == [
        .event(.acknowledged), .request(update(transport(1, 2, 4), "voice"), to: juliet, 2),
        .request(update(transport(3), "video"), to: juliet, 3),
      ])
    session.send(transport(5), for: "voice")
    #expect(drain(&session) == [.request(update(transport(5), "voice"), to: juliet, 4)])
  }

  @Test(arguments: [Jingle.Action.sessionInfo, .transportInfo, .sessionAccept])
  func `Whatever the peer says in the session acknowledges the offer too`(action: Jingle.Action) {
    var session = initiator(.pending, acknowledged: false)
    session.send(transport(1), for: "voice")
    session.receive(Self.request(action), from: juliet, id: "x")
    let outputs = drain(&session)
    #expect(outputs.contains(.event(.acknowledged)))
    #expect(outputs.contains { if case .request(let jingle, _, _) = $0 { jingle.action == .transportInfo } else { false } })
    session.receive(.result(nil), for: 1)
    #expect(drain(&session).isEmpty)
  }

  @Test func `The called side sends candidates before it accepts, under the offer's creator and name`() throws {
    var offered = voice
    offered.creator = .responder
    var session = try JingleSession(
      answering: Jingle(.sessionInitiate, sid: sid, contents: [offered]), from: romeo, id: "1", own: juliet)
    _ = drain(&session)
    session.send(transport(1), for: "voice")
    let content = Jingle.Content(creator: .responder, name: "voice", transport: .iceUDP(transport(1)))
    #expect(drain(&session) == [.request(Jingle(.transportInfo, sid: sid, contents: [content]), to: romeo, 1)])
  }

  @Test func `Credentials of different ICE generations are not mixed`() {
    var session = initiator(.pending, acknowledged: false)
    session.send(transport(1), for: "voice")
    session.send(transport(2, ufrag: "new1"), for: "voice")
    session.receive(.result(nil), for: 1)
    #expect(drain(&session).count == 3)
  }

  @Test func `New credentials of the peer restart ICE, and late candidates of the old do not restart it back`() {
    var session = initiator(.active)
    func receive(_ transport: ICETransport, _ id: String) -> [JingleSession.Output] {
      let content = Jingle.Content(name: "voice", transport: .iceUDP(transport))
      session.receive(Jingle(.transportInfo, sid: sid, contents: [content]), from: juliet, id: id)
      return Array(drain(&session).dropFirst())
    }
    let old = transport(1, ufrag: "9uB6", pwd: "YH75Fviy6338Vbrhrlp8Yh")
    let new = transport(ufrag: "g7qs", pwd: "bv71hdn38hgb39hf6xlk33")
    #expect(receive(old, "1") == [.event(.receivedTransport(old, content: "voice"))])
    #expect(receive(new, "2") == [.event(.restartedICE(new, content: "voice"))])
    #expect(receive(old, "3") == [])
    // Movim leaves the password out.
    let partial = ICETransport(ufrag: "g7qs", candidates: [candidate(7)])
    #expect(receive(partial, "4") == [.event(.receivedTransport(partial, content: "voice"))])
    #expect(receive(new, "5") == [.event(.receivedTransport(new, content: "voice"))])
  }

  @Test func `Credentials that come before the answer are no restart`() {
    var session = initiator(.pending)
    let early = transport(1, ufrag: "9uB6", pwd: "YH75Fviy6338Vbrhrlp8Yh")
    let content = Jingle.Content(name: "voice", transport: .iceUDP(early))
    session.receive(Jingle(.transportInfo, sid: sid, contents: [content]), from: juliet, id: "1")
    #expect(drain(&session).last == .event(.receivedTransport(early, content: "voice")))
  }

  @Test func `Transport information needs a content that exists, with a transport`() {
    func refusal(_ contents: [Jingle.Content]) -> StanzaError.Condition? {
      var session = initiator(.active)
      session.receive(Jingle(.transportInfo, sid: sid, contents: contents), from: juliet, id: "x")
      guard case .refuse(_, _, let error) = session.nextOutput() else { return nil }
      return error.condition
    }
    #expect(refusal([]) == .badRequest)
    #expect(refusal([Jingle.Content(name: "voice")]) == .badRequest)
    #expect(refusal([Jingle.Content(name: "other", transport: .iceUDP(transport(1)))]) == .itemNotFound)
    // The creator is not looked at.
    #expect(refusal([Jingle.Content(creator: .responder, name: "voice", transport: .iceUDP(transport(1)))]) == nil)
  }

  @Test func `Candidates for a content that was just refused are let go`() {
    var session = initiator(.active)
    session.receive(Self.request(.contentAdd), from: juliet, id: "1")
    _ = drain(&session)
    let late = Jingle.Content(name: "video", transport: .iceUDP(transport(1)))
    session.receive(Jingle(.transportInfo, sid: sid, contents: [late]), from: juliet, id: "2")
    #expect(drain(&session) == [.acknowledge(id: "2", to: juliet)])
  }

  @Test func `Endless contents are not refused endlessly`() {
    var session = initiator(.active)
    for number in 0..<100 {
      let content = Jingle.Content(name: "\(number)", description: voice.description)
      session.receive(Jingle(.contentAdd, sid: sid, contents: [content]), from: juliet, id: "\(number)")
    }
    let refused = drain(&session).filter { if case .refuse = $0 { true } else { false } }
    #expect(refused.count == 100 - 64)
  }

  // MARK: Information

  @Test func `An empty session-info is answered, and an unknown one refused`() {
    var session = initiator(.active)
    session.receive(Jingle(.sessionInfo, sid: sid), from: juliet, id: "1")
    #expect(drain(&session) == [.acknowledge(id: "1", to: juliet)])
    let unknown = XMLElement("dance", namespace: "urn:example:dance")
    session.receive(Jingle(.sessionInfo, sid: sid, payloads: [unknown]), from: juliet, id: "2")
    #expect(drain(&session) == [.refuse(id: "2", to: juliet, .unsupportedInfo)])
  }

  @Test func `Unknown news in a known namespace is acknowledged, because Conversations ends a call at any error`() {
    var session = initiator(.active)
    let news = XMLElement("yawn", namespace: RTPInfo.namespace)
    session.receive(Jingle(.sessionInfo, sid: sid, payloads: [news]), from: juliet, id: "1")
    #expect(drain(&session) == [.acknowledge(id: "1", to: juliet), .event(.receivedInfo(news))])
  }

  @Test func `This side sends news and pings`() {
    var session = initiator(.active)
    session.sendInfo(RTPInfo.hold.element)
    session.sendInfo(nil)
    #expect(
      drain(&session) == [
        .request(Jingle(.sessionInfo, sid: sid, payloads: [RTPInfo.hold.element]), to: juliet, 2),
        .request(Jingle(.sessionInfo, sid: sid), to: juliet, 3),
      ])
  }

  // MARK: The end

  @Test(arguments: JingleSession.Phase.allCases)
  func `A session can be ended once, at any time`(phase: JingleSession.Phase) throws {
    var sessions = [initiator(phase)]
    if phase != .fresh { sessions.append(try responder(phase)) }
    for var session in sessions {
      session.terminate(Jingle.Reason(.decline))
      let outputs = drain(&session)
      switch phase {
      case .fresh: #expect(outputs == [.event(.terminated(Jingle.Reason(.decline), byPeer: false))])
      case .ended: #expect(outputs.isEmpty)
      case .pending, .active:
        #expect(outputs.count == 2)
        guard case .request(let jingle, _, _) = outputs.first else { throw CancellationError() }
        #expect(jingle == Jingle(.sessionTerminate, sid: sid, reason: Jingle.Reason(.decline)))
      }
      session.terminate(Jingle.Reason(.success))
      session.send(transport(1), for: "voice")
      session.sendInfo(nil)
      if session.role == .responder { session.accept([voiceAnswer]) } else { session.initiate([voice]) }
      #expect(drain(&session).isEmpty)
      #expect(session.phase == .ended)
    }
  }

  static let failures: [(StanzaError, JingleSession.Failure)] = [
    (StanzaError(.serviceUnavailable), .unavailable(StanzaError(.serviceUnavailable))),
    (StanzaError(.recipientUnavailable), .unavailable(StanzaError(.recipientUnavailable))),
    (StanzaError(.itemNotFound), .unavailable(StanzaError(.itemNotFound))),
    (StanzaError(.resourceConstraint), .overloaded),
    (.tieBreak, .tieBreak),
    (StanzaError(.conflict), .tieBreak),
    (.unknownSession, .unknownSession),
    (StanzaError(.badRequest), .refused(StanzaError(.badRequest))),
    (.outOfOrder, .refused(.outOfOrder)),
    (.securityRequired, .refused(.securityRequired)),
  ]

  @Test(arguments: failures)
  func `A refused offer ends the session and tells why`(error: StanzaError, failure: JingleSession.Failure) {
    var session = initiator(.pending, acknowledged: false)
    session.receive(.error(error), for: 1)
    #expect(drain(&session) == [.event(.failed(failure))])
    #expect(session.phase == .ended)
  }

  @Test func `The example of redirection tells where to call`() throws {
    let error = StanzaError(
      try xml(
        """
        <error type='modify'><redirect xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>xmpp:voicemail@capulet.lit</redirect></error>
        """))
    var session = initiator(.pending, acknowledged: false)
    session.receive(.error(error), for: 1)
    #expect(drain(&session) == [.event(.failed(.redirected(to: "xmpp:voicemail@capulet.lit")))])
  }

  @Test func `An offer or answer that nobody acknowledges is withdrawn`() throws {
    for var session in [initiator(.pending, acknowledged: false), try responder(.active)] {
      session.receive(.timedOut, for: 1)
      let outputs = drain(&session)
      guard case .request(let jingle, _, _) = outputs.first else { throw CancellationError() }
      #expect(jingle == Jingle(.sessionTerminate, sid: sid, reason: Jingle.Reason(.timeout)))
      #expect(outputs.last == .event(.failed(.unanswered)))
      #expect(session.phase == .ended)
    }
  }

  @Test func `An answer that is refused ends the session on both sides`() throws {
    var session = try responder(.active)
    session.receive(.error(StanzaError(.badRequest)), for: 1)
    #expect(
      drain(&session) == [
        .request(Jingle(.sessionTerminate, sid: sid, reason: Jingle.Reason(.generalError)), to: romeo, 2),
        .event(.failed(.refused(StanzaError(.badRequest)))),
      ])
    session = try responder(.active)
    session.receive(.error(.unknownSession), for: 1)
    #expect(drain(&session) == [.event(.failed(.unknownSession))])
  }

  @Test func `A refused candidate is told and costs nothing, unless the peer knows no session`() {
    func outcome(_ outcome: IQTracker.Outcome) -> ([JingleSession.Output], JingleSession.Phase) {
      var session = initiator(.active)
      session.send(transport(1), for: "voice")
      _ = drain(&session)
      session.receive(outcome, for: 2)
      return (drain(&session), session.phase)
    }
    #expect(outcome(.result(nil)) == ([], .active))
    #expect(
      outcome(.error(StanzaError(.badRequest)))
        == ([.event(.unanswered(.transportInfo, StanzaError(.badRequest)))], .active))
    #expect(
      outcome(.error(StanzaError(.serviceUnavailable)))
        == ([.event(.unanswered(.transportInfo, StanzaError(.serviceUnavailable)))], .active))
    #expect(outcome(.timedOut) == ([.event(.unanswered(.transportInfo, nil))], .active))
    #expect(outcome(.disconnected) == ([.event(.unanswered(.transportInfo, nil))], .active))
    #expect(outcome(.error(.unknownSession)) == ([.event(.failed(.unknownSession))], .ended))
  }

  @Test func `An answer to nothing changes nothing`() {
    for outcome in [IQTracker.Outcome.result(nil), .error(.unknownSession), .timedOut, .disconnected] {
      var session = initiator(.active)
      session.receive(outcome, for: 1)
      session.receive(outcome, for: 99)
      #expect(drain(&session).isEmpty)
      #expect(session.phase == .active)
    }
  }
}
