import MediaTime

/// The ICE agents of one endpoint: the one whose path is in use, during a restart a newer one beside it, and for a moment
/// those that they replaced. Lives on one media loop; not thread-safe.
///
/// A restart makes before it breaks: the newer agent has sockets, credentials and TURN allocations of its own, so it can
/// use addresses and servers that did not exist before, and all goes on over the path in use until the newer one has
/// one too. What comes in on either is received. The role stays the one the endpoint began with.
///
/// - Specification: RFC 8445 §9, RFC 8842 §4.4
final class ICEPaths {
  enum Event: @unchecked Sendable {
    // Proof of Sendable: an event is handled on the loop's thread before the call that brings it returns.
    /// Of the newest agent, as the following two are.
    case candidate(ICECandidate)
    case gatheringDone
    case state(ICEState)
    /// What is sent goes this way from now on: component 1's.
    case path(MediaPath)
    /// A component may have got its path.
    case progress
    /// The path in use is lost, or there never was one, and no restart is under way.
    case failed
    /// The newer agent is given up, and all goes on as before it.
    case restartFailed
    case datagram(UnsafeMutableRawBufferPointer, component: Int)
  }

  private final class Generation {
    let number: Int
    let agent: ICEAgent
    let servers: [ICEServer]
    let credentials: ICECredentials
    var remote: ICECredentials?
    /// Whether the peer has named all its candidates: before that, `.failed` is not the last word.
    var knowsAll = false
    var path: MediaPath?
    /// What was told last.
    var state = ICEState.new
    /// When a restart that has no path is given up, or a replaced agent closed.
    var deadline: Instant?

    var isConnected: Bool { path != nil && [.connected, .ready].contains(agent.state) }

    init(_ number: Int, _ agent: ICEAgent, _ servers: [ICEServer], _ credentials: ICECredentials) {
      self.number = number
      self.agent = agent
      self.servers = servers
      self.credentials = credentials
    }
  }

  /// How long a replaced agent still receives: the peer may change over a little later.
  private static let grace = Duration.seconds(2)

  private let loop: GLibLoop
  private let configuration: ICEConfiguration
  private let handle: (Event) -> Void

  private var used: Generation?
  private var newer: Generation?
  /// Closed by the timer, as an agent must not be from within what it tells.
  private var replaced: [Generation] = []
  private var count = 0
  private var isGathering = false
  /// What was told last.
  private(set) var path: MediaPath?

  init(on loop: GLibLoop, _ configuration: ICEConfiguration, handle: @escaping (Event) -> Void) {
    self.loop = loop
    self.configuration = configuration
    self.handle = handle
  }

  // MARK: The newest agent

  private var newest: Generation? { newer ?? used }

  var isRestarting: Bool { newer != nil }
  var state: ICEState { newest?.agent.state ?? .new }
  var servers: [ICEServer] { newest?.servers ?? configuration.servers }
  var localCandidates: [ICECandidate] { newest?.agent.localCandidates ?? [] }
  var remoteCandidates: [ICECandidate] { newest?.agent.remoteCandidates ?? [] }
  var refusedCandidates: Int { newest?.agent.refusedCandidates ?? 0 }

  /// Makes the first agent, or a newer one beside that in use; one that has not come so far is replaced.
  ///
  /// - Parameter servers: nil for those of the agent before.
  /// - Returns: its credentials and the candidates known at once; nil when there are no sockets to be had. Then nothing
  ///   has changed.
  func begin(servers: [ICEServer]? = nil) -> (credentials: ICECredentials, candidates: [ICECandidate])? {
    var settings = configuration
    settings.servers = servers ?? newest?.servers ?? configuration.servers
    count += 1
    let number = count
    let agent = ICEAgent(on: loop, settings) { [weak self] event in self?.receive(event, of: number) }
    guard let agent else { return nil }
    guard let credentials = agent.localCredentials else {
      agent.close()
      return nil
    }
    let before = (used, newer)
    let generation = Generation(number, agent, settings.servers, credentials)
    if used == nil {
      used = generation
    } else {
      generation.deadline = SystemClock.now + configuration.restartTimeout
      newer = generation
    }
    isGathering = true
    defer { isGathering = false }
    guard agent.gather() else {
      (used, newer) = before
      agent.close()
      return nil
    }
    if let unfinished = before.1 { replace(unfinished, after: .zero) }
    let candidates = agent.localCandidates.map { candidate in
      var candidate = candidate
      candidate.ufrag = credentials.ufrag
      return candidate
    }
    return (credentials, candidates)
  }

  /// - Returns: whether it was news. An agent takes credentials once: others belong to a restart that is over.
  func setRemote(_ credentials: ICECredentials) -> Bool {
    guard let newest, newest.remote == nil else { return false }
    newest.remote = credentials
    if newer != nil { newest.deadline = SystemClock.now + configuration.restartTimeout }
    newest.agent.setRemote(credentials)
    return true
  }

  func addRemote(_ candidates: [ICECandidate]) {
    guard let newest else { return }
    let ufrag = newest.remote?.ufrag
    newest.agent.addRemote(candidates.filter { $0.ufrag == nil || ufrag == nil || $0.ufrag == ufrag })
  }

  func remoteGatheringDone() {
    newest?.knowsAll = true
    newest?.agent.remoteGatheringDone()
    if let newer, newer.agent.state == .failed { giveUp() }
  }

  // MARK: The path in use

  /// Drops the datagram when there is no path or its socket is full.
  ///
  /// - Returns: whether it went out.
  func send(_ datagram: UnsafeRawBufferPointer, over component: Int) -> Bool {
    used?.agent.send(datagram, over: component) == true
  }

  func isConnected(_ component: Int) -> Bool { used?.agent.isConnected(component) == true }

  /// Whether the peer has an end of the component.
  func counts(_ component: Int) -> Bool { used?.agent.counts(component) == true }

  /// Of the newest agent.
  func widenReceiveBuffers(to bytes: Int32) {
    newest?.agent.widenReceiveBuffers(to: bytes)
  }

  // MARK: Time

  var nextDeadline: Instant? {
    replaced.reduce(newer?.deadline) { [$0, $1.deadline].compactMap(\.self).min() }
  }

  func timeout(at now: Instant) {
    replaced.removeAll { generation in
      guard generation.deadline.map({ $0 <= now }) ?? true else { return false }
      generation.agent.close()
      return true
    }
    if let deadline = newer?.deadline, deadline <= now { giveUp() }
  }

  func close() {
    for generation in replaced + [newer, used].compactMap(\.self) { generation.agent.close() }
    replaced = []
    newer = nil
    used = nil
  }

  private func replace(_ generation: Generation, after grace: Duration) {
    generation.deadline = SystemClock.now + grace
    replaced.append(generation)
  }

  // MARK: What the agents tell

  private func receive(_ event: ICEAgent.Event, of number: Int) {
    switch event {
    case .datagram(let datagram, let component):
      handle(.datagram(datagram, component: component))
    case .candidate(var candidate):
      // Those that are there at once are part of the description.
      guard let newest, newest.number == number, !isGathering else { return }
      candidate.ufrag = newest.credentials.ufrag
      handle(.candidate(candidate))
    case .gatheringDone:
      if newest?.number == number { handle(.gatheringDone) }
    case .selectedPair(let local, let remote, let relay):
      guard let generation = [used, newer].compactMap(\.self).first(where: { $0.number == number }) else { return }
      let server = relay.flatMap { relay in generation.servers.first { relay.isOf($0) } }
      generation.path = MediaPath(local: local, remote: remote, relay: server)
      changed()
    case .stateChanged:
      guard let generation = [used, newer].compactMap(\.self).first(where: { $0.number == number }) else { return }
      let (state, before) = (generation.agent.state, generation.state)
      generation.state = state
      if state != before, newest?.number == number { handle(.state(state)) }
      changed()
      handle(.progress)
      guard state == .failed, state != before else { return }
      if let newer, newer.number == number {
        if newer.knowsAll { giveUp() }
      } else if used?.number == number, newer == nil {
        handle(.failed)
      }
    }
  }

  /// Changes over to the newer agent once it has a path, and tells which way things go.
  private func changed() {
    if let newer, newer.isConnected {
      if let used { replace(used, after: ICEPaths.grace) }
      newer.deadline = nil
      used = newer
      self.newer = nil
    }
    guard let used, used.isConnected, let new = used.path, !new.isSameWay(as: path) else { return }
    path = new
    handle(.path(new))
  }

  private func giveUp() {
    guard let newer else { return }
    self.newer = nil
    replace(newer, after: .zero)
    handle(.restartFailed)
    if used?.agent.state == .failed { handle(.failed) }
  }
}
