import JingleCore
import Testing
import XMPPCore

@Suite struct XEP0166JingleHostileBehaviorTests {
  // MARK: Each action in each state

  enum State: CaseIterable {
    case none, fresh, pending, active, ended

    var phase: JingleSession.Phase? {
      switch self {
      case .none: nil
      case .fresh: .fresh
      case .pending: .pending
      case .active: .active
      case .ended: .ended
      }
    }
  }

  /// What a request is answered with; nil is an acknowledgement.
  enum Answer: Hashable {
    case taken
    case refused(StanzaError.Condition, JingleCondition? = nil)

    static let outOfOrder = Answer.refused(.unexpectedRequest, .outOfOrder)
    static let unknown = Answer.refused(.itemNotFound, .unknownSession)
  }

  /// What XEP-0166 has a well-formed request answered with. Contents that are named are those of the session.
  static func answer(to action: Jingle.Action, in state: State, as role: Jingle.Party) -> Answer {
    if case .unknown = action { return action.description.hasSuffix("-info") ? informed(state) : .refused(.badRequest) }
    switch (action, state) {
    // A session of the id that is no more is none.
    case (.sessionInitiate, .none), (.sessionInitiate, .ended): return .taken
    case (.sessionInitiate, .fresh): return .unknown  // Where this side's offer is not known yet, it does not tie.
    case (_, .none), (_, .ended), (_, .fresh): return .unknown
    case (.sessionInitiate, _): return .outOfOrder
    case (.sessionAccept, .pending): return role == .initiator ? .taken : .outOfOrder
    case (.sessionAccept, _): return .outOfOrder
    case (.sessionInfo, _), (.sessionTerminate, _), (.transportInfo, _), (.descriptionInfo, _): return .taken
    case (.contentAdd, _), (.contentModify, _), (.contentRemove, _), (.transportReplace, _): return .taken
    case (.contentAccept, _), (.contentReject, _), (.transportAccept, _), (.transportReject, _): return .outOfOrder
    case (.securityInfo, _): return .refused(.featureNotImplemented, .unsupportedInfo)
    case (.unknown, _): return .refused(.badRequest)
    }
  }

  private static func informed(_ state: State) -> Answer {
    state == .pending || state == .active ? .taken : .unknown
  }

  static let actions = Jingle.Action.defined + [.unknown("source-add"), .unknown("weather-info"), .unknown("")]

  @Test(arguments: actions, State.allCases)
  func `Each action has its answer in each state, on either side, and another session goes on`(
    action: Jingle.Action, state: State
  ) throws {
    for role in [Jingle.Party.initiator, .responder] {
      if state == .fresh, role == .responder { continue }
      var client = SessionTable()
      try client.begin(sid, with: juliet, as: role, state.phase)
      try client.begin("other", with: juliet, as: .initiator, .active)
      try client.begin(sid, with: tybalt, as: .responder, .pending)
      var request = XEP0166JingleBehaviorTests.request(action)
      if action == .sessionAccept { request.contents = [voiceAnswer] }
      let outputs = client.receive(request.element, from: juliet)
      #expect(outputs.answers == 1)
      let answer = outputs.error.map { Answer.refused($0.condition, $0.jingle) } ?? .taken
      #expect(answer == Self.answer(to: action, in: state, as: role), "\(role)")
      if answer != .taken {
        #expect(outputs.count == 1)
        #expect(client[sid, juliet]?.phase == state.phase)
      }
      #expect(client["other", juliet]?.phase == .active)
      #expect(client[sid, tybalt]?.phase == .pending)
    }
  }

  @Test(arguments: Jingle.Action.defined, [julietsPhone, juliet.bare, tybalt, romeo])
  func `Nobody else acts in a session, not even another device of the peer's account`(
    action: Jingle.Action, intruder: JID
  ) throws {
    for phase in [JingleSession.Phase.pending, .active] {
      var client = SessionTable()
      try client.begin(sid, with: juliet, as: .initiator, phase)
      let before = weight(client[sid, juliet])
      let outputs = client.receive(XEP0166JingleBehaviorTests.request(action).element, from: intruder)
      #expect(outputs.answers == 1)
      #expect(outputs.error?.jingle == (action == .sessionInitiate ? nil : .unknownSession))
      #expect(weight(client[sid, juliet]) == before)
    }
  }

  @Test func `An accept after the end is that of an unknown session`() throws {
    var client = SessionTable()
    try client.begin(sid, with: juliet, as: .initiator, .pending)
    _ = client.act(sid, juliet) { $0.terminate(Jingle.Reason(.cancel)) }
    let accept = Jingle(.sessionAccept, sid: sid, contents: [voiceAnswer]).element
    // Whether or not the session is forgotten already.
    #expect(client.receive(accept, from: juliet).error == .unknownSession)
    client.router.remove(sid: sid, peer: juliet)
    #expect(client.receive(accept, from: juliet).error == .unknownSession)
  }

  @Test func `Transport information for a content of another session is refused, and reaches neither`() throws {
    var client = SessionTable()
    try client.begin(sid, with: juliet, as: .initiator, .active)
    try client.begin("other", with: juliet, as: .initiator, .active)
    _ = client.act("other", juliet) { $0.add([content("video")]) }
    let stray = Jingle.Content(name: "video", transport: .iceUDP(transport(1)))
    let outputs = client.receive(Jingle(.transportInfo, sid: sid, contents: [stray]).element, from: juliet)
    #expect(outputs.count == 1)
    #expect(outputs.error?.condition == .itemNotFound)
  }

  // MARK: What cannot be understood

  static let brokenAccepts: [(String, @Sendable (inout XMLElement) -> Void)] = [
    ("two contents of one name", { $0.append($0.children[0]) }),
    ("a content without a name", { $0.nodes[0] = .element(changed($0.children[0]) { $0[attribute: "name"] = nil }) }),
    ("senders that are none", { $0.nodes[0] = .element(changed($0.children[0]) { $0[attribute: "senders"] = "me" }) }),
    ("two transports", { $0.nodes[0] = .element(changed($0.children[0]) { $0.append($0.children[1]) }) }),
    (
      "two reasons",
      {
        $0.append(Jingle.Reason(.success).element)
        $0.append(Jingle.Reason(.busy).element)
      }
    ),
    (
      "too many contents",
      { element in
        for number in 0..<40 {
          element.append(XMLElement("content", namespace: Jingle.namespace, attributes: ["name": "\(number)"]))
        }
      }
    ),
  ]

  static func changed(_ element: XMLElement, _ change: (inout XMLElement) -> Void) -> XMLElement {
    var element = element
    change(&element)
    return element
  }

  static func accept(_ action: Jingle.Action = .sessionAccept, _ contents: [Jingle.Content] = [voiceAnswer])
    -> XMLElement
  {
    Jingle(action, sid: sid, contents: contents).element
  }

  @Test(arguments: brokenAccepts.indices)
  func `A malformed answer to the offer is refused, and its session told at once`(index: Int) throws {
    let (what, spoil) = Self.brokenAccepts[index]
    var client = SessionTable()
    try client.begin(sid, with: juliet, as: .initiator, .pending)
    let broken = Self.changed(Self.accept(), spoil)
    let outputs = client.receive(broken, from: juliet)
    let error = try #require(outputs.error, "\(what)")
    #expect(error.condition == .badRequest)
    #expect(outputs.events == [.violated(error)])
    // The same again is answered the same, and told no more.
    #expect(client.receive(broken, from: juliet) == [outputs[0]])
    #expect(client[sid, juliet]?.phase == .pending)
    let reason = Jingle.Reason(.failedApplication)
    let said = client.act(sid, juliet) { $0.terminate(reason) }
    #expect(said.requests == [Jingle(.sessionTerminate, sid: sid, reason: reason)])
    #expect(client.receive(broken, from: juliet, id: "y").error == .unknownSession)
  }

  @Test func `A malformed answer tells nobody where none is awaited`() throws {
    let broken = Self.changed(Self.accept()) { $0.append($0.children[0]) }
    for (role, phase) in [
      (Jingle.Party.initiator, JingleSession.Phase.active), (.responder, .pending), (.responder, .active),
    ] {
      var client = SessionTable()
      try client.begin(sid, with: juliet, as: role, phase)
      let outputs = client.receive(broken, from: juliet)
      #expect(outputs.count == 1 && outputs.error?.condition == .badRequest)
      #expect(client[sid, juliet]?.phase == phase)
    }
    // Nor does a stranger's.
    var client = SessionTable()
    try client.begin(sid, with: juliet, as: .initiator, .pending)
    let outputs = client.receive(broken, from: tybalt)
    #expect(outputs.count == 1 && outputs.error?.condition == .badRequest)
  }

  @Test(arguments: [Jingle.Action.contentAccept, .sessionAccept])
  func `A malformed acceptance of a content takes the content out again`(action: Jingle.Action) throws {
    var client = SessionTable()
    try client.begin(sid, with: juliet, as: .initiator, .active)
    let added = client.act(sid, juliet) { $0.add([content("video")]) }
    let token = try #require(added.token)
    _ = client.act(sid, juliet) { $0.receive(.result(nil), for: token) }
    let broken = Self.changed(Self.accept(action, [content("video")])) { $0.append($0.children[0]) }
    let outputs = client.receive(broken, from: juliet)
    let error = try #require(outputs.error)
    #expect(outputs.events == [.notAdded(contents: ["video"], .refused(error))])
    #expect(outputs.requests.map(\.action) == [.contentRemove])
    #expect(client[sid, juliet]?.agreedContents == ["voice": .both])
  }

  @Test func `A malformed rejection of a content is one, and there is nothing to take out`() throws {
    var client = SessionTable()
    try client.begin(sid, with: juliet, as: .initiator, .active)
    let token = try #require(client.act(sid, juliet) { $0.add([content("video")]) }.token)
    _ = client.act(sid, juliet) { $0.receive(.result(nil), for: token) }
    let broken = Self.changed(Self.accept(.contentReject, [Jingle.Content(name: "video")])) {
      $0.nodes += [.element(Jingle.Reason(.decline).element), .element(Jingle.Reason(.busy).element)]
    }
    let outputs = client.receive(broken, from: juliet)
    let error = try #require(outputs.error)
    #expect(outputs.dropFirst() == [.event(.notAdded(contents: ["video"], .refused(error)))])
  }

  @Test(arguments: [Jingle.Action.transportAccept, .transportReject])
  func `A malformed answer to another transport keeps the old one`(action: Jingle.Action) throws {
    var client = SessionTable()
    try client.begin(sid, with: juliet, as: .initiator, .active)
    let fresh = Jingle.Transport.iceUDP(ICETransport(ufrag: "new", pwd: "newpassword"))
    _ = client.act(sid, juliet) { $0.replaceTransport(fresh, for: "voice") }
    let accepted = Jingle.Content(name: "voice", transport: .iceUDP(ICETransport(ufrag: "a", pwd: "b")))
    let broken = Self.changed(Self.accept(action, [accepted])) { element in
      element.nodes[0] = .element(
        Self.changed(element.children[0]) {
          $0.nodes[0] = .element(Self.changed($0.children[0]) { $0[attribute: "ufrag"] = "not a token" })
        })
    }
    let outputs = client.receive(broken, from: juliet)
    let error = try #require(outputs.error)
    #expect(outputs.events == [.rejectedTransport(content: "voice", .refused(error))])
  }

  @Test func `A hang-up holds, however malformed`() throws {
    var client = SessionTable()
    try client.begin(sid, with: juliet, as: .responder, .active)
    var end = Jingle(.sessionTerminate, sid: sid, reason: Jingle.Reason(.success)).element
    end.append(Jingle.Reason(.busy).element)
    let outputs = client.receive(end, from: juliet)
    #expect(outputs.error?.condition == .badRequest)
    #expect(outputs.events == [.terminated(nil, byPeer: true)])
    #expect(client[sid, juliet]?.phase == .ended)
  }

  // MARK: Too much

  static let many: [(String, @Sendable () -> Jingle)] = [
    (
      "contents",
      { Jingle(.contentAdd, sid: sid, contents: (0..<1000).map { content("\($0)") }) }
    ),
    (
      "payload types",
      {
        var description = RTPDescription(media: "audio")
        description.payloadTypes = (0..<1000).map { RTPPayloadType(id: UInt8($0 % 128), name: "x\($0)") }
        return Jingle(.contentAdd, sid: sid, contents: [Jingle.Content(name: "a", description: .rtp(description))])
      }
    ),
    (
      "sources and groups of them",
      {
        var description = RTPDescription(media: "audio")
        description.sources = (0..<1000).map { RTPSource(ssrc: UInt32($0)) }
        description.sourceGroups = (0..<1000).map { RTPSourceGroup(.simulcast, [UInt32($0), 7]) }
        return Jingle(.contentAdd, sid: sid, contents: [Jingle.Content(name: "a", description: .rtp(description))])
      }
    ),
    (
      "parameters",
      {
        let parameters = (0..<1000).map { RTPParameter("p\($0)", "v") }
        var description = RTPDescription(media: "audio")
        description.payloadTypes = [RTPPayloadType(id: 96, name: "x", parameters: parameters)]
        description.headerExtensions = (0..<1000).map { RTPHeaderExtension(id: UInt16($0 % 255 + 1), uri: "urn:\($0)") }
        return Jingle(.contentAdd, sid: sid, contents: [Jingle.Content(name: "a", description: .rtp(description))])
      }
    ),
    (
      "fingerprints",
      {
        let fingerprints = Array(
          repeating: DTLSFingerprint(hash: .sha256, setup: .actpass, bytes: Array(repeating: 1, count: 32)), count: 1000
        )
        return Jingle(
          .transportInfo, sid: sid,
          contents: [Jingle.Content(name: "voice", transport: .iceUDP(ICETransport(fingerprints: fingerprints)))])
      }
    ),
    (
      "groups",
      {
        Jingle(
          .contentAdd, sid: sid, contents: [content("a")],
          groups: (0..<1000).map { ContentGroup(ContentGroup.Semantics(rawValue: "g\($0)"), ["a"]) })
      }
    ),
  ]

  @Test(arguments: many.indices)
  func `A thousand of anything are cut or refused, and the session goes on`(index: Int) throws {
    let (what, request) = Self.many[index]
    var client = SessionTable()
    try client.begin(sid, with: juliet, as: .initiator, .active)
    let outputs = client.receive(request().element, from: juliet)
    #expect(outputs.answers == 1, "\(what)")
    #expect(weight(outputs) < 200_000, "\(what)")
    #expect(weight(client[sid, juliet]) < 50_000, "\(what)")
    #expect(client[sid, juliet]?.phase == .active)
    let info = Jingle(.sessionInfo, sid: sid).element
    #expect(client.receive(info, from: juliet, id: "y") == [.acknowledge(id: "y", to: juliet)])
  }

  @Test func `However many candidates come one by one, a generation has few, and a restart makes room`() throws {
    var client = SessionTable()
    try client.begin(sid, with: juliet, as: .initiator, .active)
    func taken(_ ufrag: String) -> Int {
      var count = 0
      for number in 0..<UInt16(1000) {
        let some = transport(number * 3 + 1, number * 3 + 2, number * 3 + 3, ufrag: ufrag, pwd: "p\(ufrag)")
        let update = Jingle(.transportInfo, sid: sid, contents: [.init(name: "voice", transport: .iceUDP(some))])
        for event in client.receive(update.element, from: juliet, id: "\(ufrag)\(number)").events {
          switch event {
          case .receivedTransport(let transport, _), .restartedICE(let transport, _):
            count += transport.candidates.count
          default: break
          }
        }
      }
      return count
    }
    #expect(taken("new1") == ICETransport.maximumCandidates)
    #expect(taken("new2") == ICETransport.maximumCandidates)
  }

  @Test func `A peer that restarts ICE without end and acknowledges nothing is not answered without end`() throws {
    var client = SessionTable()
    try client.begin(sid, with: juliet, as: .initiator, .active)
    var requests = 0
    for number in 0..<2000 {
      let fresh = Jingle.Content(
        name: "voice", transport: .iceUDP(ICETransport(ufrag: "u\(number)", pwd: "p\(number)")))
      let update = Jingle(.transportInfo, sid: sid, contents: [fresh])
      var outputs = client.receive(update.element, from: juliet, id: "\(number)")
      if case .restartedICE? = outputs.events.first {
        outputs += client.act(sid, juliet) {
          $0.send(ICETransport(ufrag: "o\(number)", pwd: "q\(number)"), for: "voice")
        }
      }
      requests += outputs.requests.count
    }
    #expect(requests == 1)
    #expect(weight(client[sid, juliet]) < 50_000)
  }

  @Test func `Whatever a peer writes at length, little of it is kept and little answered`() throws {
    let long = String(repeating: "w", count: 1_000_000)
    var client = SessionTable()
    try client.begin(sid, with: juliet, as: .initiator, .active)
    func jingle(_ action: String, _ children: [XMLElement] = []) -> XMLElement {
      XMLElement(
        "jingle", namespace: Jingle.namespace, attributes: ["action": action, "sid": sid], children: children)
    }
    func content(_ attributes: [String: String], _ children: [XMLElement] = []) -> XMLElement {
      XMLElement("content", namespace: Jingle.namespace, attributes: attributes, children: children)
    }
    let requests = [
      jingle(long), jingle(long + "-info"), jingle("session-info", [XMLElement(long, namespace: long)]),
      jingle("content-add", [content(["name": long])]),
      jingle("content-modify", [content(["name": "voice", "senders": long])]),
      jingle("content-remove", [content(["name": "unheard-of", "creator": long, "disposition": long])]),
      jingle(
        "transport-info",
        [
          content(
            ["name": "voice"],
            [
              XMLElement("transport", namespace: ICETransport.namespace, attributes: ["ufrag": long, "pwd": long])
            ])
        ]),
      jingle("description-info", [content(["name": "voice"], [XMLElement("description", namespace: long)])]),
      jingle("content-add", [content(["name": "video"], [XMLElement("description", namespace: long)])]),
      jingle("transport-replace", [content(["name": "voice"], [XMLElement("transport", namespace: long)])]),
      jingle("session-accept", [content(["name": "voice"]), content(["name": "voice"])]),
    ]
    for (number, request) in requests.enumerated() {
      let id = "\(number)" + long
      let outputs = client.receive(request, from: juliet, id: id)
      #expect(outputs.answers == 1)
      let error = try #require(outputs.error, "\(number)")
      #expect(weight(error) < 5_000, "\(number)")
    }
    #expect(weight(client[sid, juliet]) < 50_000)
    let words = XMLElement(
      "reason", namespace: Jingle.namespace,
      children: [
        XMLElement(long, namespace: Jingle.namespace), XMLElement("text", namespace: Jingle.namespace, text: long),
        XMLElement("odd", namespace: "urn:odd", attributes: ["a": long], text: long),
      ])
    let end = client.receive(jingle("session-terminate", [words]), from: juliet)
    let odd = XMLElement("odd", namespace: "urn:odd")
    let kept = Jingle.Reason(.unknown(""), text: String(repeating: "w", count: 1024), application: odd)
    #expect(end.events == [.terminated(kept, byPeer: true)])
  }

  @Test func `A deeply nested stanza is read and answered like another`() throws {
    var nest = XMLElement("nest", namespace: "urn:nest")
    // As deep as a stream lets a stanza be.
    for _ in 0..<60 { nest = XMLElement("nest", namespace: "urn:nest", children: [nest]) }
    var client = SessionTable()
    try client.begin(sid, with: juliet, as: .initiator, .active)
    for action in Jingle.Action.defined where action != .sessionTerminate {
      var request = Jingle(action, sid: sid, payloads: [nest])
      request.contents = [
        Jingle.Content(name: "voice", description: .unknown(nest), transport: .unknown(nest), security: nest)
      ]
      #expect(client.receive(request.element, from: juliet, id: action.description).answers == 1)
    }
  }

  @Test func `An offer that comes twice begins one session`() throws {
    var router = JingleRouter<Int>(own: romeo)
    let offer = Jingle(.sessionInitiate, sid: sid, contents: [voice])
    guard case .offer(let read, overruling: []) = router.route(offer.element, from: juliet) else {
      throw StanzaError(.badRequest)
    }
    var session = try JingleSession(answering: read, from: juliet, id: "1", own: romeo)
    let isAdded = router.add(1, sid: sid, peer: juliet)
    let first = drain(&session)
    #expect(isAdded && first.events == [.initiated(offer)])
    guard case .deliver(let again, to: 1) = router.route(offer.element, from: juliet) else {
      throw StanzaError(.badRequest)
    }
    session.receive(again, from: juliet, id: "1")
    #expect(drain(&session) == [.acknowledge(id: "1", to: juliet)])
    session.receive(again, from: juliet, id: "2")
    #expect(drain(&session) == [.refuse(id: "2", to: juliet, .outOfOrder)])
  }

  @Test func `A peer's error at length is kept short`() throws {
    let long = String(repeating: "e", count: 100_000)
    let element = XMLElement(
      "error", namespace: "jabber:client",
      children: [
        XMLElement("gone", namespace: StanzaError.namespace, text: long),
        XMLElement("text", namespace: StanzaError.namespace, text: long),
      ])
    var client = SessionTable()
    try client.begin(sid, with: juliet, as: .initiator, .active)
    let token = try #require(client.act(sid, juliet) { $0.sendInfo(RTPInfo.hold) }.token)
    let outputs = client.act(sid, juliet) { $0.receive(.error(StanzaError(element)), for: token) }
    var kept = StanzaError(.gone, text: String(repeating: "e", count: 1024))
    kept.alternative = nil
    #expect(outputs == [.event(.unanswered(.sessionInfo, kept))])
  }

  @Test func `The same id twice is the same request only if it says the same`() throws {
    var client = SessionTable()
    try client.begin(sid, with: juliet, as: .initiator, .active)
    let add = Jingle(.contentAdd, sid: sid, contents: [content("video")]).element
    let outputs = client.receive(add, from: juliet, id: "1")
    #expect(outputs.events.count == 1)
    #expect(client.receive(add, from: juliet, id: "1") == [.acknowledge(id: "1", to: juliet)])
    #expect(client.receive(add, from: juliet, id: "2").error?.condition == .conflict)
    let other = Jingle(.contentRemove, sid: sid, contents: [Jingle.Content(name: "video")]).element
    #expect(client.receive(other, from: juliet, id: "1").events.count == 1)
  }

  // MARK: Anything

  @Test(.timeLimit(.minutes(2)), arguments: [UInt64(1), 2, 3, 4])
  func `Whatever comes in whatever order, each request is answered once, little is kept and the other call lives`(
    seed: UInt64
  ) throws {
    var random = SplitMix64(seed: seed)
    var client = SessionTable()
    try client.begin("quiet", with: tybalt, as: .responder, .active)
    var grammar = HostileGrammar(seed: seed)
    var lives = 0
    for number in 0..<5_000 {
      // The hostile peer's session is begun again when it ends.
      let phase = client[sid, juliet]?.phase
      if phase == nil || phase == .ended {
        let role: Jingle.Party = Bool.random(using: &random) ? .initiator : .responder
        try client.begin(sid, with: juliet, as: role, Bool.random(using: &random) ? .pending : .active)
        lives += 1
      }
      let outputs = client.receive(grammar.stanza(), from: grammar.sender(), id: "\(number % 50)")
      #expect(outputs.answers == 1)
      #expect(outputs.count <= 200)
      for case .request(let jingle, let recipient, _) in outputs {
        #expect(recipient == juliet && jingle.sid == sid)
        #expect(try Jingle(jingle.element).sid == sid)
      }
      _ = client.act(sid, juliet) { grammar.react(&$0) }
      for case .request(_, _, let token) in outputs where Bool.random(using: &random) {
        _ = client.act(sid, juliet) { $0.receive(grammar.outcome(), for: token) }
      }
      if number % 500 == 0 { #expect(weight(client[sid, juliet]) < 2_000_000) }
    }
    #expect(lives > 10)
    #expect(client["quiet", tybalt]?.phase == .active)
    #expect(client["quiet", tybalt]?.agreedContents == ["voice": .both])
    let info = Jingle(.sessionInfo, sid: "quiet").element
    #expect(client.receive(info, from: tybalt) == [.acknowledge(id: "x", to: tybalt)])
  }
}
