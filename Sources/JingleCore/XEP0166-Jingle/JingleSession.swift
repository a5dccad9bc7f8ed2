package import XMPPCore

/// One Jingle session as one side sees it.
///
/// A flow machine: call what happened, then take `nextOutput()` until it is nil. It knows the protocol's order and
/// nothing of media: whether an offer is wanted, can be answered, and is safe, is decided above.
///
/// ```
/// initiator   fresh ── initiate ──▶ pending ── received session-accept ──▶ active ──▶ ended
/// responder                         pending ── accept ───────────────────▶ active ──▶ ended
/// ```
///
/// - Specification: XEP-0166 §4, §6
package struct JingleSession: Sendable {
  package enum Phase: Hashable, Sendable, CaseIterable {
    /// Nothing was sent yet; initiators only.
    case fresh
    case pending
    case active
    case ended
  }

  package let sid: String
  package let role: Jingle.Party
  /// This side's full address.
  package let own: JID
  /// The peer's full address; actions from any other are those of an unknown session.
  package let peer: JID
  package private(set) var phase: Phase

  private let understoodInfo: Set<String>
  private var contents: [String: ContentState] = [:]
  private var offeredGroups: [ContentGroup] = []
  /// The names of contents that the peer wanted to add and did not get. What it sends for them in ignorance is let go.
  private var refusedContents: Set<String> = []
  /// Whether the peer is known to have the offer. Candidates wait for that, so that they go out together and reach
  /// nobody who has no session for them; XEP-0176 §5.4 would let them go earlier.
  private var peerHasOffer: Bool
  private var waitingTransports: [(content: String, transport: ICETransport)] = []
  private var requests: [Token: Jingle.Action] = [:]
  private var lastToken = 0
  /// The latest requests of the peer and how they were answered, oldest first, at most `rememberedRequests`.
  private var answered: [(id: String, digest: Int, error: StanzaError?)] = []
  private var outputs: [Output] = []

  static let rememberedRequests = 64
  static let maximumRefusedContents = 64
  /// How many of the peer's ICE generations are remembered, so that a late candidate of an old one is no restart.
  static let rememberedGenerations = 16

  private struct ContentState {
    var creator: Jingle.Party
    var senders: Jingle.Senders
    var remoteTransport: ICETransport?
    var pastUfrags: [String] = []
  }

  /// Starts as the side that calls. Nothing is sent before `initiate`.
  ///
  /// - Parameters:
  ///   - sid: a random id, or with XEP-0353 that of the proposal.
  ///   - understoodInfo: the namespaces whose messages in `session-info` are taken; others are refused as unsupported.
  package init(
    initiating sid: String, own: JID, peer: JID, understoodInfo: Set<String> = [RTPInfo.namespace]
  ) {
    self.sid = sid
    self.own = own
    self.peer = peer
    self.understoodInfo = understoodInfo
    role = .initiator
    phase = .fresh
    peerHasOffer = false
  }

  /// Starts as the side that is called, from a `session-initiate`. The first outputs acknowledge it and tell of it.
  ///
  /// - Parameters:
  ///   - from: the sender, who counts as the initiator whatever the `initiator` attribute says.
  ///   - id: the request's id.
  /// - Throws: what the request is to be answered with, when it is malformed.
  /// - Specification: XEP-0166 §6.2, §7.1, §7.2.10
  package init(
    answering offer: Jingle, from: JID, id: String, own: JID, understoodInfo: Set<String> = [RTPInfo.namespace]
  ) throws(StanzaError) {
    precondition(offer.action == .sessionInitiate, "a session begins with session-initiate")
    try Self.checkComplete(offer.contents)
    try offer.checkGroups()
    guard offer.contents.contains(where: { $0.disposition == "session" }) else {
      throw .badRequest("no content has the disposition session")
    }
    sid = offer.sid
    self.own = own
    self.peer = from
    self.understoodInfo = understoodInfo
    role = .responder
    phase = .pending
    peerHasOffer = true
    for content in offer.contents {
      contents[content.name] = ContentState(
        creator: content.creator, senders: content.senders, remoteTransport: content.transport?.iceUDP)
    }
    answered = [(id, offer.hashValue, nil)]
    outputs = [.acknowledge(id: id, to: from), .event(.initiated(offer))]
  }

  /// What to do next, in the order in which it is to be done.
  package mutating func nextOutput() -> Output? {
    outputs.isEmpty ? nil : outputs.removeFirst()
  }
}

// MARK: - Requests of this side

extension JingleSession {
  /// Sends the offer.
  ///
  /// - Parameter payloads: what stands beside the contents and groups.
  package mutating func initiate(
    _ offer: [Jingle.Content], groups: [ContentGroup] = [], payloads: [XMLElement] = []
  ) {
    precondition(role == .initiator, "the initiator initiates")
    if phase == .ended { return }  // Given up before it began.
    precondition(phase == .fresh, "a session is initiated once")
    for content in offer {
      contents[content.name] = ContentState(creator: content.creator, senders: content.senders)
    }
    phase = .pending
    offeredGroups = groups
    request(Jingle(.sessionInitiate, sid: sid, initiator: own, contents: offer, groups: groups, payloads: payloads))
  }

  /// Accepts the offer. Does nothing when the session has ended meanwhile.
  package mutating func accept(
    _ answer: [Jingle.Content], groups: [ContentGroup] = [], payloads: [XMLElement] = []
  ) {
    precondition(role == .responder, "the responder accepts")
    if phase == .ended { return }
    precondition(phase == .pending, "a session is accepted once")
    phase = .active
    request(Jingle(.sessionAccept, sid: sid, responder: own, contents: answer, groups: groups, payloads: payloads))
  }

  /// Sends candidates, or the credentials of an ICE restart, for one content; both credentials must be in it.
  ///
  /// What is given before the peer has the offer is sent as one stanza for each content as soon as it has. Does nothing
  /// when the session or the content is gone.
  ///
  /// - Specification: XEP-0176 §5.4, §5.9
  package mutating func send(_ transport: ICETransport, for content: String) {
    guard phase != .ended else { return }
    if let index = waitingTransports.lastIndex(where: { $0.content == content }),
      let merged = waitingTransports[index].transport.merging(transport)
    {
      waitingTransports[index].transport = merged
    } else {
      waitingTransports.append((content, transport))
    }
    if peerHasOffer { sendWaitingTransports() }
  }

  /// Sends news of the session, or with nil asks whether the peer still has it.
  ///
  /// - Specification: XEP-0166 §6.8
  package mutating func sendInfo(_ payload: XMLElement?) {
    guard phase != .ended else { return }
    precondition(phase != .fresh, "there is no session yet")
    request(Jingle(.sessionInfo, sid: sid, payloads: payload.map { [$0] } ?? []))
  }

  /// Ends the session: declines it, cancels it or hangs up. Does nothing when it has ended.
  ///
  /// - Specification: XEP-0166 §6.7
  package mutating func terminate(_ reason: Jingle.Reason) {
    guard phase != .ended else { return }
    if phase != .fresh { request(Jingle(.sessionTerminate, sid: sid, reason: reason)) }
    end(.terminated(reason, byPeer: false))
  }
}

// MARK: - What the peer answers

extension JingleSession {
  /// Takes what became of a request.
  package mutating func receive(_ outcome: IQTracker.Outcome, for token: Token) {
    guard let action = requests.removeValue(forKey: token), phase != .ended else { return }
    switch (action, outcome) {
    case (.sessionInitiate, .result):
      acknowledged()
    case (_, .result):
      break
    case (.sessionInitiate, .timedOut) where peerHasOffer, (.sessionInitiate, .disconnected) where peerHasOffer:
      // The acknowledgement was lost, but the peer acts in the session.
      outputs.append(.event(.unanswered(.sessionInitiate, nil)))
    case (.sessionInitiate, .timedOut), (.sessionAccept, .timedOut):
      // The peer may have it all the same, so it is told.
      request(Jingle(.sessionTerminate, sid: sid, reason: Jingle.Reason(.timeout)))
      end(.failed(.unanswered))
    case (.sessionInitiate, .disconnected), (.sessionAccept, .disconnected):
      end(.failed(.disconnected))
    case (.sessionInitiate, .error(let error)) where phase == .active:
      // It was accepted, so the error is that of a repeated request.
      outputs.append(.event(.unanswered(.sessionInitiate, error)))
    case (.sessionInitiate, .error(let error)):
      end(.failed(Failure(error)))
    case (.sessionAccept, .error(let error)):
      // Who cannot take the answer still has the session.
      if error.jingle != .unknownSession {
        request(Jingle(.sessionTerminate, sid: sid, reason: Jingle.Reason(.generalError)))
      }
      end(.failed(Failure(error)))
    case (_, .error(let error)) where error.jingle == .unknownSession || (phase == .pending && error.meansAbsence):
      end(.failed(Failure(error)))
    case (_, .error(let error)):
      outputs.append(.event(.unanswered(action, error)))
    case (_, .timedOut), (_, .disconnected):
      outputs.append(.event(.unanswered(action, nil)))
    }
  }
}

// MARK: - What the peer asks

extension JingleSession {
  /// Takes a request of the peer. The same request under the same id is answered as before and changes nothing.
  package mutating func receive(_ jingle: Jingle, from: JID, id: String) {
    guard from == peer, jingle.sid == sid else {
      outputs.append(.refuse(id: id, to: from, .unknownSession))
      return
    }
    let digest = jingle.hashValue
    if let earlier = answered.first(where: { $0.id == id && $0.digest == digest }) {
      outputs.append(answer(id, earlier.error))
      return
    }
    // The answer goes out before what follows from the request.
    let place = outputs.count
    var refusal: StanzaError?
    do {
      try process(jingle)
    } catch {
      refusal = error
      if jingle.action == .sessionAccept, phase == .pending { outputs.append(.event(.violated(error))) }
    }
    outputs.insert(answer(id, refusal), at: place)
    if answered.count == Self.rememberedRequests { answered.removeFirst() }
    answered.append((id, digest, refusal))
  }

  private func answer(_ id: String, _ error: StanzaError?) -> Output {
    if let error { .refuse(id: id, to: peer, error) } else { .acknowledge(id: id, to: peer) }
  }

  private mutating func process(_ jingle: Jingle) throws(StanzaError) {
    switch phase {
    case .ended: throw .unknownSession
    case .fresh: throw .unknownSession  // The peer cannot know of the session.
    case .pending, .active: break
    }
    switch jingle.action {
    case .sessionTerminate:
      end(.terminated(jingle.reason, byPeer: true))
    case .sessionAccept:
      try processAccept(jingle)
    case .transportInfo:
      try processTransportInfo(jingle.contents)
    case .sessionInfo:
      guard jingle.payloads.allSatisfy({ understoodInfo.contains($0.namespace) }) else { throw .unsupportedInfo }
      acknowledged()
      outputs += jingle.payloads.map { .event(.receivedInfo($0)) }
    case .descriptionInfo:
      acknowledged()
      for content in jingle.contents where contents[content.name] != nil {
        if let description = content.description {
          outputs.append(.event(.receivedDescription(description, content: content.name)))
        }
      }
    case .contentAdd:
      try processContentAdd(jingle.contents)
    case .contentModify:
      try checkKnown(jingle.contents)
      acknowledged()
      for content in jingle.contents {
        contents[content.name]?.senders = content.senders
        outputs.append(.event(.modified(content: content.name, content.senders)))
      }
    case .contentRemove:
      try checkKnown(jingle.contents)
      acknowledged()
      for content in jingle.contents { contents[content.name] = nil }
      outputs.append(.event(.removed(contents: jingle.contents.map(\.name))))
      if contents.isEmpty { terminate(Jingle.Reason(.success, text: "no content is left")) }
    case .transportReplace:
      try checkKnown(jingle.contents)
      acknowledged()
      let rejected = jingle.contents.map { Self.bare($0, transport: $0.transport) }
      request(Jingle(.transportReject, sid: sid, contents: rejected))
    case .sessionInitiate, .contentAccept, .contentReject, .transportAccept, .transportReject:
      // The last four answer what this side never sends.
      throw .outOfOrder
    case .securityInfo:
      throw .unsupportedInfo
    case .unknown(let name):
      throw .badRequest("unknown action \(name)")
    }
  }

  private mutating func processAccept(_ jingle: Jingle) throws(StanzaError) {
    guard role == .initiator, phase == .pending else { throw .outOfOrder }
    try Self.checkComplete(jingle.contents)
    try checkKnown(jingle.contents)
    var answer = jingle
    answer.groups = try jingle.groups(answering: offeredGroups)
    acknowledged()
    phase = .active
    for content in jingle.contents {
      contents[content.name]?.senders = content.senders
      if let transport = content.transport?.iceUDP { _ = track(transport, for: content.name) }
    }
    outputs.append(.event(.accepted(answer)))
  }

  private mutating func processTransportInfo(_ updates: [Jingle.Content]) throws(StanzaError) {
    guard !updates.isEmpty else { throw .badRequest("transport-info without content") }
    var known: [(name: String, transport: Jingle.Transport)] = []
    for content in updates {
      guard let transport = content.transport else { throw .badRequest("content \(content.name) has no transport") }
      if contents[content.name] != nil {
        known.append((content.name, transport))
      } else if !refusedContents.contains(content.name) {
        throw StanzaError(.itemNotFound, text: "there is no content \(content.name)")
      }
    }
    acknowledged()
    for (name, transport) in known {
      guard let transport = transport.iceUDP else { continue }  // Another transport was not negotiated.
      switch track(transport, for: name) {
      case .current: outputs.append(.event(.receivedTransport(transport, content: name)))
      case .restart: outputs.append(.event(.restartedICE(transport, content: name)))
      case .past: break
      }
    }
  }

  private mutating func processContentAdd(_ added: [Jingle.Content]) throws(StanzaError) {
    guard !added.isEmpty else { throw .badRequest("content-add without content") }
    guard refusedContents.count + added.count <= Self.maximumRefusedContents else {
      throw StanzaError(.resourceConstraint, text: "too many contents")
    }
    acknowledged()
    refusedContents.formUnion(added.map(\.name))
    let reason = Jingle.Reason(.unsupportedApplications)
    request(Jingle(.contentReject, sid: sid, contents: added.map { Self.bare($0) }, reason: reason))
    outputs.append(.event(.refused(contents: added)))
  }
}

// MARK: - Helpers

extension JingleSession {
  private enum Generation { case current, restart, past }

  /// Remembers the peer's newest credentials of a content and tells which ICE generation a transport belongs to.
  private mutating func track(_ transport: ICETransport, for name: String) -> Generation {
    guard var content = contents[name] else { return .past }
    defer { contents[name] = content }
    var credentials = ICETransport(ufrag: transport.ufrag, pwd: transport.pwd)
    guard let previous = content.remoteTransport else {
      content.remoteTransport = credentials
      return .current
    }
    if let ufrag = transport.ufrag, ufrag != previous.ufrag, content.pastUfrags.contains(ufrag) { return .past }
    let restarts = transport.restarts(previous)
    if restarts, let old = previous.ufrag, old != transport.ufrag {
      if content.pastUfrags.count == Self.rememberedGenerations { content.pastUfrags.removeFirst() }
      content.pastUfrags.append(old)
    }
    credentials.ufrag = credentials.ufrag ?? previous.ufrag
    credentials.pwd = credentials.pwd ?? (restarts ? nil : previous.pwd)
    content.remoteTransport = credentials
    return restarts ? .restart : .current
  }

  private mutating func acknowledged() {
    guard !peerHasOffer else { return }
    peerHasOffer = true
    outputs.append(.event(.acknowledged))
    sendWaitingTransports()
  }

  private mutating func sendWaitingTransports() {
    for (name, transport) in waitingTransports {
      guard let content = contents[name] else { continue }
      // One content a stanza: Dino refuses more.
      let update = Jingle.Content(creator: content.creator, name: name, transport: .iceUDP(transport))
      request(Jingle(.transportInfo, sid: sid, contents: [update]))
    }
    waitingTransports = []
  }

  private mutating func request(_ jingle: Jingle) {
    lastToken += 1
    requests[lastToken] = jingle.action
    outputs.append(.request(jingle, to: peer, lastToken))
  }

  private mutating func end(_ event: Event) {
    phase = .ended
    waitingTransports = []
    outputs.append(.event(event))
  }

  private func checkKnown(_ named: [Jingle.Content]) throws(StanzaError) {
    guard !named.isEmpty else { throw .badRequest("no content is named") }
    for content in named where contents[content.name] == nil {
      throw StanzaError(.itemNotFound, text: "there is no content \(content.name)")
    }
  }

  /// An offer or answer needs contents, each with a name of its own, a description and a transport.
  private static func checkComplete(_ contents: [Jingle.Content]) throws(StanzaError) {
    guard !contents.isEmpty else { throw .badRequest("there is no content") }
    // Creators are no help in telling contents apart, since peers write them at random.
    guard Set(contents.map(\.name)).count == contents.count else {
      throw .badRequest("a content's name occurs twice")
    }
    for content in contents where content.description == nil || content.transport == nil {
      throw .badRequest("content \(content.name) has no description or no transport")
    }
  }

  private static func bare(_ content: Jingle.Content, transport: Jingle.Transport? = nil) -> Jingle.Content {
    Jingle.Content(creator: content.creator, name: content.name, transport: transport)
  }
}
