package import MediaTime
package import XMPPCore

/// Finds the connection that both sides of a SOCKS5 bytestream use.
///
/// Each side tries to reach the other's candidates and reports once how that went. Of what works the better is
/// nominated. A nominated proxy is then connected to, and activated, by the side that offered it.
///
/// - Specification: XEP-0260 §2
package struct SOCKS5Negotiation: Sendable {
  /// How long things may take.
  package struct Timing: Hashable, Sendable {
    /// From one attempt to the next, as long as none failed.
    package var stagger = Duration.milliseconds(200)
    /// How much longer proxies wait for the better candidate before them.
    package var proxyDelay = Duration.milliseconds(300)
    /// How long the first proxy waits at most, however many better candidates there are.
    package var proxyPatience = Duration.seconds(2)
    /// How long better candidates are waited for when one works.
    package var settling = Duration.milliseconds(200)
    /// One attempt.
    package var attempt = Duration.seconds(6)
    /// All attempts.
    package var connecting = Duration.seconds(30)
    /// For candidates that a peer sends later, having sent none at first.
    package var lateCandidates = Duration.seconds(2)
    /// From this side's report to the peer's.
    package var report = Duration.seconds(30)
    /// For the nominated connection to come, be connected to, or be activated.
    package var completing = Duration.seconds(20)
    /// How many attempts are under way at once, and one to a proxy beside them.
    package var parallelAttempts = 4

    package init() {}
  }

  /// A connection that there is or may be.
  package enum Link: Hashable, Sendable {
    /// To this one of the peer's candidates.
    case toPeer(cid: String)
    /// The peer's, to this one of the own candidates.
    case fromPeer(cid: String)
    /// To this proxy, which was offered to the peer.
    case toOwnProxy(cid: String)
  }

  package enum Failure: Hashable, Sendable {
    /// Neither side reaches the other.
    case noConnection
    /// A proxy works for one side only; whether that was found here.
    case proxy(foundHere: Bool)
    /// The nominated connection is gone.
    case lost
    /// The peer did not do its part in time.
    case timedOut
    /// The peer says that it uses what was not offered to it, or speaks of another bytestream.
    case protocolViolation
  }

  package enum Action: Hashable, Sendable {
    /// Connect there, and tell by `connected` or `failed`.
    case connect(Link, SOCKS5Candidate, SOCKS5Destination)
    /// Give up an attempt or a connection of this side's.
    case close(Link)
    /// Send this in transport-info.
    case send(SOCKS5Transport)
    /// Ask this proxy, which is connected to, to let the bytestream flow, and tell by `activated` or `failed`.
    case activate(SOCKS5Candidate, target: JID)
    /// The last one, but for closing what comes too late: this is the bytestream. Listening ends, and what else came in is closed. Where the peer came more
    /// than once to a candidate, the last connection that is open is meant.
    case use(Link, SOCKS5Candidate)
    /// The last one, but for closing what comes too late: there is no bytestream. Listening ends, what came in is closed, and the initiator replaces the
    /// transport or ends the session.
    case fail(Failure)
  }

  package let sid: String
  package let role: Jingle.Party
  private let local: JID
  private let peer: JID
  private let timing: Timing

  private enum Phase {
    /// Candidates are exchanged.
    case offering
    case connecting
    /// For the peer's connection to this own candidate.
    case awaitsConnection(SOCKS5Candidate)
    /// The own proxy.
    case connectsToProxy(SOCKS5Candidate)
    case activatesProxy(SOCKS5Candidate)
    /// The peer is to activate its proxy.
    case awaitsActivation(SOCKS5Candidate)
    case ended
  }

  private enum Report: Hashable {
    case used(SOCKS5Candidate)
    case error
  }

  private var phase = Phase.offering
  private var actions: [Action] = []
  private var offered: [SOCKS5Candidate] = []
  /// What the peer wants to be asked for, where it says.
  private var told: SOCKS5Destination?
  /// All that the peer offered, by cid.
  private var theirs: [String: SOCKS5Candidate] = [:]
  /// What is still to be tried, best first.
  private var waiting: [SOCKS5Candidate] = []
  /// When the attempts under way are given up, by cid.
  private var attempts: [String: Instant] = [:]
  private var established: Set<Link> = []
  private var used: Link?
  /// The best that works, before it is reported.
  private var best: SOCKS5Candidate?
  private var localReport: Report?
  private var remoteReport: Report?
  private var lastStart: Instant?
  private var firstStart: Instant?
  /// An attempt failed, so that the next need not wait.
  private var hasRoom = false
  private var deadlines = DeadlineTable<Deadline>()
  /// What the peer said that had no meaning at its time, or none at all.
  package private(set) var ignored = 0

  private enum Deadline: Hashable {
    case connecting, lateCandidates, settling, report, completing
  }

  /// For the side that offers the bytestream.
  ///
  /// - Parameter sid: not to be guessed, since it is all that a stranger lacks to take the peer's place.
  package init(offering sid: String, from local: JID, to peer: JID, timing: Timing = Timing()) {
    self.sid = sid
    role = .initiator
    self.local = local
    self.peer = peer
    self.timing = timing
  }

  /// For the side that the bytestream is offered to.
  ///
  /// - Throws: when it is not one over TCP.
  package init(
    answering offer: SOCKS5Transport, from peer: JID, to local: JID, timing: Timing = Timing()
  ) throws(StanzaError) {
    guard offer.mode ?? .tcp == .tcp else {
      throw StanzaError(.featureNotImplemented, text: "bytestreams over UDP are not spoken here")
    }
    sid = offer.sid
    role = .responder
    self.local = local
    self.peer = peer
    self.timing = timing
    told = offer.destination
    add(offer.candidates)
  }

  // MARK: Candidates

  /// What those are to ask for who connect to this side's candidates and proxies.
  package var destination: SOCKS5Destination { SOCKS5Destination(sid: sid, requester: local, target: peer) }

  /// What the listener lets in: the specification says whose address is hashed first for proxies only, so that peers
  /// may see it either way.
  package var awaitedDestinations: Set<SOCKS5Destination> {
    [destination, SOCKS5Destination(sid: sid, requester: peer, target: local)]
  }

  /// What is asked for at the peer's candidates and proxies.
  private var peersDestination: SOCKS5Destination {
    told ?? SOCKS5Destination(sid: sid, requester: peer, target: local)
  }

  /// Offers candidates; more may follow.
  ///
  /// The responder does not offer the places that the initiator offered.
  ///
  /// - Returns: what goes into session-initiate or session-accept, or later into transport-info.
  package mutating func offer(_ candidates: [SOCKS5Candidate]) -> SOCKS5Transport {
    var fresh: [SOCKS5Candidate] = []
    for candidate in candidates where offered.count < SOCKS5Transport.maximumCandidates {
      let isTaken = role == .responder && theirs.values.contains { $0.hasSamePlace(as: candidate) }
      guard !isTaken, !offered.contains(where: { $0.cid == candidate.cid }) else { continue }
      offered.append(candidate)
      fresh.append(candidate)
    }
    return SOCKS5Transport(
      sid: sid, destination: fresh.contains { $0.kind == .proxy } ? destination : nil,
      mode: role == .initiator ? .tcp : nil, candidates: fresh)
  }

  /// The session is accepted: the attempts begin.
  ///
  /// - Parameter answer: the responder's transport; the responder itself gives none.
  package mutating func begin(_ answer: SOCKS5Transport? = nil, at now: Instant) {
    guard case .offering = phase else { return }
    phase = .connecting
    if let answer {
      guard answer.sid == sid else { return fail(.protocolViolation) }
      told = answer.destination ?? told
      add(answer.candidates)
    }
    deadlines[.connecting] = now + timing.connecting
    if theirs.isEmpty { deadlines[.lateCandidates] = now + timing.lateCandidates }
    if let info = answer?.info { receive(info, at: now) }
    proceed(at: now)
  }

  private mutating func add(_ candidates: [SOCKS5Candidate]) {
    for candidate in candidates {
      guard theirs.count < SOCKS5Transport.maximumCandidates, theirs[candidate.cid] == nil else {
        ignored += 1
        continue
      }
      theirs[candidate.cid] = candidate
      // Behind those of equal priority.
      waiting.insert(candidate, at: waiting.firstIndex { $0.priority < candidate.priority } ?? waiting.endIndex)
    }
  }

  // MARK: What happens

  /// Takes what the peer sends in transport-info.
  package mutating func receive(_ transport: SOCKS5Transport, at now: Instant) {
    if case .ended = phase {
      ignored += 1
      return
    }
    guard transport.sid == sid else {
      ignored += 1
      return
    }
    if !transport.candidates.isEmpty {
      if localReport == nil {
        told = transport.destination ?? told
        add(transport.candidates)
        if deadlines[.lateCandidates] != nil { deadlines[.lateCandidates] = now + timing.lateCandidates }
      } else {
        // What this side found has been told, and is not taken back.
        ignored += transport.candidates.count
      }
    }
    if let info = transport.info { receive(info, at: now) }
    proceed(at: now)
  }

  private mutating func receive(_ info: SOCKS5Transport.Info, at now: Instant) {
    switch (info, phase) {
    case (.candidateUsed(let cid), .offering), (.candidateUsed(let cid), .connecting):
      guard remoteReport == nil else {
        ignored += 1
        return
      }
      guard let candidate = offered.first(where: { $0.cid == cid }) else { return fail(.protocolViolation) }
      remoteReport = .used(candidate)
    case (.candidateError, .offering), (.candidateError, .connecting):
      guard remoteReport == nil else {
        ignored += 1
        return
      }
      remoteReport = .error
    case (.activated(let cid), .awaitsActivation(let candidate)) where cid == candidate.cid:
      use(.toPeer(cid: cid), candidate)
    case (.proxyError, .connectsToProxy), (.proxyError, .activatesProxy), (.proxyError, .awaitsActivation):
      fail(.proxy(foundHere: false))
    default:
      // Late, repeated, or about something else.
      ignored += 1
    }
  }

  /// An attempt has led to a connection, or the peer to one of the own candidates.
  package mutating func connected(_ link: Link, at now: Instant) {
    switch (link, phase) {
    case (.toPeer(let cid), .connecting):
      guard attempts[cid] != nil, let candidate = theirs[cid] else {
        if !established.contains(link) { actions.append(.close(link)) }
        return
      }
      attempts[cid] = nil
      established.insert(link)
      if let worse = best, worse.priority >= candidate.priority {
        drop(candidate.cid)
      } else {
        if let worse = best { drop(worse.cid) }
        best = candidate
        if deadlines[.settling] == nil { deadlines[.settling] = now + timing.settling }
      }
    case (.fromPeer, .offering), (.fromPeer, .connecting):
      established.insert(link)
    case (.fromPeer(let cid), .awaitsConnection(let candidate)) where cid == candidate.cid:
      established.insert(link)
      return use(link, candidate)
    case (.toOwnProxy(let cid), .connectsToProxy(let candidate)) where cid == candidate.cid:
      established.insert(link)
      phase = .activatesProxy(candidate)
      actions.append(.activate(candidate, target: peer))
    case (.fromPeer, _): break
    case (.toPeer, _), (.toOwnProxy, _):
      // Given up in the meantime.
      if link != used, !established.contains(link) { actions.append(.close(link)) }
    }
    proceed(at: now)
  }

  /// An attempt has failed, a connection has ended, or a proxy has refused to activate.
  package mutating func failed(_ link: Link, at now: Instant) {
    established.remove(link)
    switch (link, phase) {
    case (.toPeer(let cid), .connecting):
      if attempts[cid] != nil {
        attempts[cid] = nil
        hasRoom = true
      } else if best?.cid == cid, localReport == nil {
        best = nil
        deadlines[.settling] = nil
      }
    case (.toPeer(let cid), .awaitsActivation(let candidate)) where cid == candidate.cid:
      return proxyFailed()
    case (.toOwnProxy(let cid), .connectsToProxy(let candidate)) where cid == candidate.cid: return proxyFailed()
    case (.toOwnProxy(let cid), .activatesProxy(let candidate)) where cid == candidate.cid: return proxyFailed()
    default: break
    }
    proceed(at: now)
  }

  /// The proxy has let the bytestream flow.
  package mutating func activated(at now: Instant) {
    guard case .activatesProxy(let candidate) = phase else { return }
    send(.activated(cid: candidate.cid))
    use(.toOwnProxy(cid: candidate.cid), candidate)
  }

  package var nextDeadline: Instant? {
    if case .ended = phase { return nil }
    return [deadlines.next, attempts.values.min(), nextStart].compactMap(\.self).min()
  }

  package mutating func timeout(at now: Instant) {
    if case .ended = phase { return }
    for cid in attempts.filter({ $0.value <= now }).keys.sorted() {
      attempts[cid] = nil
      actions.append(.close(.toPeer(cid: cid)))
      hasRoom = true
    }
    for deadline in deadlines.expired(at: now) {
      switch (deadline, phase) {
      case (.connecting, .connecting):
        waiting = []
        abandonAttempts()
      case (.settling, .connecting):
        // The waiting ones are worse, or came too late.
        waiting = []
        abandonAttempts()
      case (.report, .connecting): return fail(.timedOut)
      case (.completing, .awaitsConnection): return fail(.timedOut)
      case (.completing, .awaitsActivation), (.completing, .connectsToProxy), (.completing, .activatesProxy):
        return proxyFailed()
      default: break
      }
    }
    proceed(at: now)
  }

  /// The session ends, or another transport takes this one's place.
  package mutating func cancel() {
    if case .ended = phase { return }
    end()
  }

  package mutating func nextAction() -> Action? {
    actions.isEmpty ? nil : actions.removeFirst()
  }
}

// MARK: - The rules

extension SOCKS5Negotiation {
  private mutating func proceed(at now: Instant) {
    guard case .connecting = phase else { return }
    forgetTheHopeless()
    startAttempts(at: now)
    reportIfDone(at: now)
    decideIfReported(at: now)
  }

  private var peerIsConnected: Bool { if case .used = remoteReport { true } else { false } }

  /// Whether the peer's report makes a connection to this candidate superfluous.
  ///
  /// - Specification: XEP-0260 §2.3
  private func isOutranked(_ candidate: SOCKS5Candidate) -> Bool {
    guard case .used(let used) = remoteReport else { return false }
    // Of equals, the initiator's choice holds.
    return role == .initiator ? candidate.priority < used.priority : candidate.priority <= used.priority
  }

  private mutating func forgetTheHopeless() {
    let limit = best?.priority
    let isHopeless = { [self] (candidate: SOCKS5Candidate) in
      limit.map { candidate.priority <= $0 } ?? false || isOutranked(candidate)
    }
    waiting.removeAll(where: isHopeless)
    for cid in attempts.keys.sorted() where theirs[cid].map(isHopeless) ?? true {
      attempts[cid] = nil
      actions.append(.close(.toPeer(cid: cid)))
    }
  }

  /// When the best of the candidates that wait is tried, if nothing else happens.
  ///
  /// - Specification: XEP-0260 §4
  private var nextInOrder: Instant? {
    guard let next = waiting.first, attempts.count < timing.parallelAttempts else { return nil }
    guard let lastStart, !attempts.isEmpty else { return .longAgo }
    if next.kind == .proxy { return lastStart + timing.stagger + timing.proxyDelay }
    return hasRoom ? .longAgo : lastStart + timing.stagger
  }

  /// When a proxy is tried before its turn: others may be silent for long where all but the proxy is blocked.
  private var nextProxy: Instant? {
    guard let firstStart, waiting.contains(where: { $0.kind == .proxy }),
      !attempts.keys.contains(where: { theirs[$0]?.kind == .proxy })
    else { return nil }
    return firstStart + timing.proxyPatience
  }

  private var nextStart: Instant? {
    guard case .connecting = phase, localReport == nil else { return nil }
    return [nextInOrder, nextProxy].compactMap(\.self).min()
  }

  private mutating func startAttempts(at now: Instant) {
    while let nextStart, nextStart <= now {
      let isInOrder = nextInOrder.map { $0 <= now } ?? false
      let index = isInOrder ? waiting.startIndex : waiting.firstIndex { $0.kind == .proxy }
      guard let index else { return }
      let next = waiting.remove(at: index)
      if firstStart == nil { firstStart = now }
      if isInOrder {
        lastStart = now
        hasRoom = false
      }
      attempts[next.cid] = now + timing.attempt
      actions.append(.connect(.toPeer(cid: next.cid), next, peersDestination))
    }
  }

  private mutating func reportIfDone(at now: Instant) {
    guard localReport == nil, waiting.isEmpty, attempts.isEmpty else { return }
    if let best {
      localReport = .used(best)
      send(.candidateUsed(cid: best.cid))
    } else {
      // Whatever comes later cannot outrank what the peer uses, or it is too late.
      guard deadlines[.lateCandidates] == nil || deadlines[.connecting] == nil || peerIsConnected else { return }
      localReport = .error
      send(.candidateError)
    }
    for deadline in [Deadline.connecting, .settling, .lateCandidates] { deadlines[deadline] = nil }
    deadlines[.report] = now + timing.report
  }

  /// - Specification: XEP-0260 §2.4
  private mutating func decideIfReported(at now: Instant) {
    guard let localReport, let remoteReport else { return }
    deadlines[.report] = nil
    switch (localReport, remoteReport) {
    case (.error, .error): fail(.noConnection)
    case (.used(let candidate), .error): nominate(peers: candidate, at: now)
    case (.error, .used(let candidate)): nominate(own: candidate, at: now)
    case (.used(let found), .used(let chosen)):
      let isOurs = found.priority == chosen.priority ? role == .initiator : found.priority > chosen.priority
      if isOurs { nominate(peers: found, at: now) } else { nominate(own: chosen, at: now) }
    }
  }

  private mutating func nominate(peers candidate: SOCKS5Candidate, at now: Instant) {
    let link = Link.toPeer(cid: candidate.cid)
    guard established.contains(link) else {
      return candidate.kind == .proxy ? proxyFailed() : fail(.lost)
    }
    closeOthers(than: link)
    guard candidate.kind == .proxy else { return use(link, candidate) }
    phase = .awaitsActivation(candidate)
    deadlines[.completing] = now + timing.completing
  }

  private mutating func nominate(own candidate: SOCKS5Candidate, at now: Instant) {
    deadlines[.completing] = now + timing.completing
    if candidate.kind == .proxy {
      closeOthers(than: nil)
      phase = .connectsToProxy(candidate)
      actions.append(.connect(.toOwnProxy(cid: candidate.cid), candidate, destination))
      return
    }
    let link = Link.fromPeer(cid: candidate.cid)
    closeOthers(than: link)
    if established.contains(link) { return use(link, candidate) }
    phase = .awaitsConnection(candidate)
  }

  /// - Specification: XEP-0260 §2.4
  private mutating func proxyFailed() {
    send(.proxyError)
    fail(.proxy(foundHere: true))
  }

  private mutating func use(_ link: Link, _ candidate: SOCKS5Candidate) {
    used = link
    established.remove(link)
    end()
    actions.append(.use(link, candidate))
  }

  private mutating func fail(_ failure: Failure) {
    end()
    actions.append(.fail(failure))
  }

  private mutating func end() {
    if case .connectsToProxy(let candidate) = phase { established.insert(.toOwnProxy(cid: candidate.cid)) }
    phase = .ended
    abandonAttempts()
    closeOthers(than: nil)
    waiting = []
    deadlines = DeadlineTable()
  }

  private mutating func abandonAttempts() {
    for cid in attempts.keys.sorted() { actions.append(.close(.toPeer(cid: cid))) }
    attempts = [:]
  }

  private mutating func drop(_ cid: String) {
    established.remove(.toPeer(cid: cid))
    actions.append(.close(.toPeer(cid: cid)))
  }

  private mutating func closeOthers(than link: Link?) {
    for other in established.sorted(by: { $0.name < $1.name }) where other != link {
      established.remove(other)
      if case .fromPeer = other { continue }
      actions.append(.close(other))
    }
  }

  private mutating func send(_ info: SOCKS5Transport.Info) {
    actions.append(.send(SOCKS5Transport(sid: sid, info: info)))
  }
}

extension SOCKS5Negotiation.Link {
  /// For a fixed order.
  fileprivate var name: String {
    switch self {
    case .toPeer(let cid): "a\(cid)"
    case .fromPeer(let cid): "b\(cid)"
    case .toOwnProxy(let cid): "c\(cid)"
    }
  }
}

extension Instant {
  fileprivate static let longAgo = Instant(nanoseconds: .min)
}

extension SOCKS5Candidate {
  func hasSamePlace(as other: SOCKS5Candidate) -> Bool {
    host.lowercased() == other.host.lowercased() && port == other.port
  }
}
