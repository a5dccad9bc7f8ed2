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
  package internal(set) var phase: Phase

  /// What is decided above when the peer wants it, each by an event that is to be answered. Else it is rejected here.
  package struct Decisions: OptionSet, Hashable, Sendable {
    package let rawValue: UInt8
    package init(rawValue: UInt8) { self.rawValue = rawValue }
    /// Contents that the peer adds, by `offeredContents`.
    package static let contents = Decisions(rawValue: 1)
    /// Transports that the peer puts in another's place, by `offeredTransport`.
    package static let transports = Decisions(rawValue: 2)
  }

  /// Set this for a peer that takes `initiator` in `senders` for whoever writes it, as Movim does: it is then understood
  /// so, and written to.
  package var peerTakesAuthorForInitiator = false

  let understoodInfo: Set<String>
  let decisions: Decisions
  var contents: [String: ContentState] = [:]
  /// The names of contents that left the session or were never let in, oldest first, at most `rememberedNames`. What
  /// the peer sends for them in ignorance is let go, and this side uses no such name again: an answer that was meant
  /// for the old content would count for the new.
  var departed: [String] = []
  /// How many contents were rejected without asking above.
  var rejectedContents = 0
  var offeredGroups: [ContentGroup] = []
  /// Whether the peer is known to have the offer. Candidates wait for that, so that they go out together and reach
  /// nobody who has no session for them; XEP-0176 §5.4 would let them go earlier.
  var peerHasOffer: Bool
  /// Whether the peer is known to have this side's answer, or gave its own. Changes wait for that.
  var peerIsActive = false
  /// Whether this side ever changed a content.
  var hasChanged = false
  var changes: [String: Changes] = [:]
  var waitingTransports: [(content: String, transport: ICETransport)] = []
  var requests: [Token: Request] = [:]
  var lastToken = 0
  /// The latest requests of the peer and how they were answered, oldest first, at most `rememberedRequests`.
  var answered: [(digest: Int, error: StanzaError?)] = []
  var outputs: [Output] = []

  static let rememberedRequests = 64
  static let rememberedNames = 64
  static let maximumRequests = 128
  /// ICE generations of one content that wait for their turn: as many as a peer can have this side owe it that restarts
  /// without end and acknowledges nothing. The oldest is left out.
  static let maximumWaitingTransports = 16
  static let maximumRejectedContents = 64
  /// More contents of the peer than these do not wait for a decision.
  package static let maximumOfferedContents = 16

  /// Starts as the side that calls. Nothing is sent before `initiate`.
  ///
  /// - Parameters:
  ///   - sid: a random id, or with XEP-0353 that of the proposal.
  ///   - understoodInfo: the namespaces whose messages in `session-info` are taken; others are refused as unsupported.
  ///   - decisions: what is decided above, and not rejected here, when the peer wants to change it.
  package init(
    initiating sid: String, own: JID, peer: JID, understoodInfo: Set<String> = [RTPInfo.namespace],
    deciding decisions: Decisions = []
  ) {
    self.sid = sid
    self.own = own
    self.peer = peer
    self.understoodInfo = understoodInfo
    self.decisions = decisions
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
    answering offer: Jingle, from: JID, id: String, own: JID, understoodInfo: Set<String> = [RTPInfo.namespace],
    deciding decisions: Decisions = []
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
    self.decisions = decisions
    role = .responder
    phase = .pending
    peerHasOffer = true
    for content in offer.contents {
      contents[content.name] = ContentState(content, .agreed, remote: content.transport?.ice)
    }
    answered = [(Self.digest(offer, id), nil)]
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
      contents[content.name] = ContentState(content, .agreed, local: content.transport?.ice)
    }
    phase = .pending
    offeredGroups = groups
    request(Jingle(.sessionInitiate, sid: sid, initiator: own, contents: offer, groups: groups, payloads: payloads))
  }

  /// Accepts the offer; a content that is not in the answer is declined by that. Does nothing when the session has
  /// ended meanwhile.
  package mutating func accept(
    _ answer: [Jingle.Content], groups: [ContentGroup] = [], payloads: [XMLElement] = []
  ) {
    precondition(role == .responder, "the responder accepts")
    if phase == .ended { return }
    precondition(phase == .pending, "a session is accepted once")
    phase = .active
    for (name, content) in contents where !content.isAdded && !answer.contains(where: { $0.name == name }) {
      drop(name)
    }
    for content in answer {
      contents[content.name]?.senders = content.senders
      if let transport = content.transport?.ice { contents[content.name]?.ice.begin(local: transport) }
    }
    request(Jingle(.sessionAccept, sid: sid, responder: own, contents: answer, groups: groups, payloads: payloads))
  }

  /// Sends news of the session, or with nil asks whether the peer still has it.
  ///
  /// - Specification: XEP-0166 §6.8
  package mutating func sendInfo(_ payload: XMLElement?) {
    guard phase != .ended else { return }
    precondition(phase != .fresh, "there is no session yet")
    request(Jingle(.sessionInfo, sid: sid, payloads: payload.map { [$0] } ?? []))
  }

  /// Sends news of the call. A name in it is that of a content; its creator is filled in.
  ///
  /// - Specification: XEP-0167 §7
  package mutating func sendInfo(_ info: RTPInfo) {
    func creator(_ name: String?) -> Jingle.Party? { name.flatMap { contents[$0]?.creator } }
    switch info {
    case .mute(_, let name): sendInfo(RTPInfo.mute(creator: creator(name), name: name).element)
    case .unmute(_, let name): sendInfo(RTPInfo.unmute(creator: creator(name), name: name).element)
    case .active, .hold, .unhold, .ringing: sendInfo(info.element)
    }
  }

  /// Sends advice about how this side would like to receive a content. Does nothing when the peer has no such content.
  ///
  /// - Specification: XEP-0166 §7.2.6
  package mutating func sendDescription(_ description: Jingle.Description, for name: String) {
    guard phase != .ended, peerHasOffer, let content = contents[name], content.isKnownToPeer else { return }
    let advice = Jingle.Content(creator: content.creator, name: name, description: description)
    request(Jingle(.descriptionInfo, sid: sid, contents: [advice]))
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
