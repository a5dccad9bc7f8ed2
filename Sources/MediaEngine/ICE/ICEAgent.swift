import CNice
import CNiceShims
import Foundation

/// One ICE stream of one component or two, carried by libnice. Lives on one media loop; not thread-safe.
///
/// libnice emits its signals on whichever thread calls into the agent, so every call is made on the loop's thread.
///
/// - Specification: RFC 8445, RFC 8838 (trickle), RFC 7675 (consent)
final class ICEAgent {
  enum Event: @unchecked Sendable {
    // Proof of Sendable: an event is handled on the loop's thread before the call that brings it returns.
    case candidate(ICECandidate)
    case gatheringDone
    /// The stream's or one of its components' state may have changed.
    case stateChanged
    /// Of component 1.
    ///
    /// - Parameter relay: the TURN server behind the local candidate, if that is a relayed one.
    case selectedPair(local: ICECandidate, remote: ICECandidate, relay: RelayAddress?)
    /// What the peer sent, but for STUN; valid, and free to be written into, during the call.
    case datagram(UnsafeMutableRawBufferPointer, component: Int)
  }

  /// A TURN server as libnice tells it of a relayed candidate.
  struct RelayAddress {
    fileprivate var address: NiceAddress
    fileprivate var overTCP: Bool

    func isOf(_ server: ICEServer) -> Bool {
      guard case .turn(overTCP, _, _) = server.kind else { return false }
      var (known, wanted) = (address, NiceAddress())
      nice_address_init(&wanted)
      guard nice_address_set_from_string(&wanted, server.address) != 0 else { return false }
      nice_address_set_port(&wanted, guint(server.port))
      return nice_address_equal(&known, &wanted) != 0
    }
  }

  /// What RFC 8445 §14 allows at least; libnice's own 20 ms is most of the time that a call takes to connect.
  private static let pacingMilliseconds: guint = 5

  private let loop: GLibLoop
  private let agent: OpaquePointer
  private let stream: guint
  private let handle: (Event) -> Void
  /// By component.
  private var states: [ICEState]
  private var closed = false
  private var rules: RemoteCandidateRules
  /// Candidates that came before the credentials that they need. Bound: what the rules take.
  private var early: [ICECandidate] = []
  private var hasCredentials = false
  /// The peer's addresses, from which TCP connections are taken while ICE looks for a path.
  private var admitted: Set<[UInt8]> = []

  private var components: ClosedRange<Int> { 1...states.count }

  init?(on loop: GLibLoop, _ configuration: ICEConfiguration, handle: @escaping (Event) -> Void) {
    guard
      let agent = nice_agent_new_full(loop.context, NICE_COMPATIBILITY_RFC5245, NICE_AGENT_OPTION_ICE_TRICKLE)
    else { return nil }
    let object = UnsafeMutableRawPointer(agent)
    // Checks as consent needs them, every 5 s. libnice's own "consent-freshness" would end a session after 10 s without an
    // answer, that is when two checks are lost, and for good; so it gives up after 50 s, and `MediaEndpoint` after 30 s of
    // silence, as RFC 7675 §5.1 has it.
    carillon_object_set_bool(object, "keepalive-conncheck", 1)
    carillon_object_set_bool(object, "upnp", 0)
    carillon_object_set_bool(object, "ice-tcp", configuration.usesTCP && !configuration.relayOnly ? 1 : 0)
    carillon_object_set_bool(object, "controlling-mode", configuration.controlling ? 1 : 0)
    carillon_object_set_bool(object, "force-relay", configuration.relayOnly ? 1 : 0)
    carillon_object_set_uint(object, "stun-pacing-timer", ICEAgent.pacingMilliseconds)
    let addresses =
      configuration.localAddresses.isEmpty
      ? LocalAddress.usable(of: LocalAddress.all()).map(\.scoped) : configuration.localAddresses
    rules = RemoteCandidateRules(
      localAddresses: addresses, servers: configuration.servers, componentCount: configuration.componentCount)
    for text in addresses {
      var address = NiceAddress()
      nice_address_init(&address)
      if nice_address_set_from_string(&address, text) != 0 { nice_agent_add_local_address(agent, &address) }
    }
    if let stun = configuration.servers.first(where: { $0.kind == .stun }) {
      carillon_object_set_string(object, "stun-server", stun.address)
      carillon_object_set_uint(object, "stun-server-port", guint(stun.port))
    }
    self.loop = loop
    self.agent = agent
    self.handle = handle
    states = Array(repeating: .new, count: configuration.componentCount)
    stream = nice_agent_add_stream(agent, guint(configuration.componentCount))
    for server in configuration.servers.prefix(8) {
      guard case .turn(let overTCP, let username, let password) = server.kind else { continue }
      for component in components {
        nice_agent_set_relay_info(
          agent, stream, guint(component), server.address, guint(server.port), username, password,
          overTCP ? NICE_RELAY_TYPE_TURN_TCP : NICE_RELAY_TYPE_TURN_UDP)
      }
    }
    connectSignals()
  }

  /// Ends everything; no event follows. Call on the loop's thread.
  ///
  /// TURN allocations are given back: that takes an exchange with each server, after which libnice's agent goes too. The
  /// loop lives until then.
  func close() {
    guard !closed else { return }
    closed = true
    carillon_signal_disconnect_context(UnsafeMutableRawPointer(agent), Unmanaged.passUnretained(self).toOpaque())
    for component in components { nice_agent_attach_recv(agent, stream, guint(component), nil, nil, nil) }
    nice_agent_close_async(
      agent,
      { agent, _, loop in
        if let agent { carillon_object_unref(agent) }
        if let loop { Unmanaged<GLibLoop>.fromOpaque(loop).release() }
      }, Unmanaged.passRetained(loop).toOpaque())
  }

  deinit {
    precondition(closed, "an ICE agent is closed on its loop before it is dropped")
  }

  func gather() -> Bool {
    for component in components { setState(.gathering, component) }
    let isGathering = nice_agent_gather_candidates(agent, stream) != 0
    for component in components { guardListeners(component) }
    return isGathering
  }

  /// Strangers cannot connect: only addresses that the peer named, and only until there is a path.
  private func guardListeners(_ component: Int) {
    let isOpen = states[component - 1] < .connected
    let addresses = isOpen ? Array(admitted.joined()) : []
    carillon_listeners_accept_only(agent, stream, guint(component), addresses, guint(addresses.count / 16))
  }

  // MARK: State

  /// How far the stream has come: as far as the last of its components that count.
  var state: ICEState {
    let counting = components.filter { counts($0) }.map { states[$0 - 1] }
    return counting.contains(.failed) ? .failed : counting.min() ?? .new
  }

  /// Whether the stream cannot do without a component: without the second one if the peer has an end of it.
  func counts(_ component: Int) -> Bool { component == 1 || rules.takenComponents.contains(component) }

  func isConnected(_ component: Int) -> Bool {
    components.contains(component) && [.connected, .ready].contains(states[component - 1])
  }

  // MARK: Candidates

  var localCredentials: ICECredentials? {
    var ufrag: UnsafeMutablePointer<gchar>?
    var password: UnsafeMutablePointer<gchar>?
    guard nice_agent_get_local_credentials(agent, stream, &ufrag, &password) != 0, let ufrag, let password
    else { return nil }
    defer {
      g_free(ufrag)
      g_free(password)
    }
    return ICECredentials(ufrag: String(cString: ufrag), password: String(cString: password))
  }

  func setRemote(_ credentials: ICECredentials) {
    nice_agent_set_remote_credentials(agent, stream, credentials.ufrag, credentials.password)
    hasCredentials = true
    pass(early)
    early = []
  }

  /// Takes those that the rules let pass.
  func addRemote(_ candidates: [ICECandidate]) {
    let accepted = candidates.compactMap { rules.take($0) }
    if hasCredentials { pass(accepted) } else { early += accepted }
  }

  /// How many candidates of the peer's the rules have kept out.
  var refusedCandidates: Int { rules.refused }

  private func pass(_ candidates: [ICECandidate]) {
    for candidate in candidates {
      guard let address = NumericAddress(candidate.address) else { continue }
      admitted.insert(address.isIPv6 ? address.bytes : [UInt8](repeating: 0, count: 10) + [255, 255] + address.bytes)
    }
    for component in components {
      var list: UnsafeMutablePointer<GSList>?
      for candidate in candidates where candidate.component == component {
        if let native = makeNative(candidate) { list = g_slist_append(list, native) }
      }
      guard let list else { continue }
      defer { g_slist_free_full(list) { nice_candidate_free($0?.assumingMemoryBound(to: NiceCandidate.self)) } }
      guardListeners(component)
      nice_agent_set_remote_candidates(agent, stream, guint(component), list)
    }
  }

  func remoteGatheringDone() {
    nice_agent_peer_candidate_gathering_done(agent, stream)
  }

  /// All local candidates known by now.
  var localCandidates: [ICECandidate] {
    components.flatMap { candidates(nice_agent_get_local_candidates(agent, stream, guint($0))) }
  }

  var remoteCandidates: [ICECandidate] {
    components.flatMap { candidates(nice_agent_get_remote_candidates(agent, stream, guint($0))) }
  }

  // MARK: Datagrams

  /// Sends one datagram over the component's selected pair; dropped when there is none or the socket is full.
  func send(_ datagram: UnsafeRawBufferPointer, over component: Int) -> Bool {
    guard let start = datagram.baseAddress else { return false }
    return nice_agent_send(
      agent, stream, guint(component), guint(datagram.count), start.assumingMemoryBound(to: gchar.self)) >= 0
  }

  /// Lets the sockets hold more of what comes in while the loop is busy, as far as the system allows: what files need, and
  /// calls do not.
  func widenReceiveBuffers(to bytes: Int32) {
    guard let sockets = nice_agent_get_sockets(agent, stream, 1) else { return }
    defer { g_ptr_array_unref(sockets) }
    for index in 0..<Int(sockets.pointee.len) {
      guard let socket = sockets.pointee.pdata[index] else { continue }
      var bytes = bytes
      setsockopt(
        g_socket_get_fd(socket.assumingMemoryBound(to: GSocket.self)), SOL_SOCKET, SO_RCVBUF, &bytes,
        socklen_t(MemoryLayout<Int32>.size))
    }
  }

  // MARK: libnice

  private func connectSignals() {
    let context = Unmanaged.passUnretained(self).toOpaque()
    let object = UnsafeMutableRawPointer(agent)
    typealias Object = UnsafeMutableRawPointer
    let newCandidate: @convention(c) (Object?, UnsafeMutablePointer<NiceCandidate>?, Object) -> Void = {
      guard let candidate = $1.flatMap({ ICECandidate($0) }) else { return }
      ICEAgent.at($2).handle(.candidate(candidate))
    }
    carillon_signal_connect(object, "new-candidate-full", unsafeBitCast(newCandidate, to: GCallback.self), context)
    let gatheringDone: @convention(c) (Object?, guint, Object) -> Void = {
      ICEAgent.at($2).handle(.gatheringDone)
    }
    carillon_signal_connect(object, "candidate-gathering-done", unsafeBitCast(gatheringDone, to: GCallback.self), context)
    let stateChanged: @convention(c) (Object?, guint, guint, guint, Object) -> Void = {
      ICEAgent.at($4).changed(to: NiceComponentState(rawValue: $3), Int($2))
    }
    carillon_signal_connect(object, "component-state-changed", unsafeBitCast(stateChanged, to: GCallback.self), context)
    typealias Candidate = UnsafeMutablePointer<NiceCandidate>
    let selected: @convention(c) (Object?, guint, guint, Candidate?, Candidate?, Object) -> Void = {
      guard $2 == 1, let local = $3.flatMap({ ICECandidate($0) }), let remote = $4.flatMap({ ICECandidate($0) })
      else { return }
      let this = ICEAgent.at($5)
      this.handle(.selectedPair(local: local, remote: remote, relay: this.relayOfSelectedPair))
    }
    carillon_signal_connect(object, "new-selected-pair-full", unsafeBitCast(selected, to: GCallback.self), context)
    for component in components {
      nice_agent_attach_recv(
        agent, stream, guint(component), loop.context,
        { _, _, component, count, bytes, context in
          guard let bytes, let context else { return }
          let datagram = UnsafeMutableRawBufferPointer(start: bytes, count: Int(count))
          ICEAgent.at(context).handle(.datagram(datagram, component: Int(component)))
        }, context)
    }
  }

  /// The signal's candidates are copies without their server, so libnice's own are looked at.
  private var relayOfSelectedPair: RelayAddress? {
    var local: UnsafeMutablePointer<NiceCandidate>?
    var remote: UnsafeMutablePointer<NiceCandidate>?
    guard nice_agent_get_selected_pair(agent, stream, 1, &local, &remote) != 0, let local,
      local.pointee.type == NICE_CANDIDATE_TYPE_RELAYED
    else { return nil }
    var relay = RelayAddress(address: NiceAddress(), overTCP: false)
    nice_candidate_relay_address(local, &relay.address)
    // libnice keeps the server's transport to itself, but prefers UDP: its type preferences are 30 for UDP, else 20.
    relay.overTCP = local.pointee.priority >> 24 < 30
    return relay
  }

  private static func at(_ context: UnsafeMutableRawPointer) -> ICEAgent {
    Unmanaged<ICEAgent>.fromOpaque(context).takeUnretainedValue()
  }

  private func changed(to native: NiceComponentState, _ component: Int) {
    switch native {
    case NICE_COMPONENT_STATE_GATHERING: setState(.gathering, component)
    case NICE_COMPONENT_STATE_CONNECTING: setState(.connecting, component)
    case NICE_COMPONENT_STATE_CONNECTED: setState(.connected, component)
    case NICE_COMPONENT_STATE_READY: setState(.ready, component)
    case NICE_COMPONENT_STATE_FAILED: setState(.failed, component)
    default: break
    }
  }

  private func setState(_ new: ICEState, _ component: Int) {
    guard components.contains(component), new != states[component - 1] else { return }
    states[component - 1] = new
    if new == .connected || new == .failed { guardListeners(component) }
    handle(.stateChanged)
  }

  private func candidates(_ list: UnsafeMutablePointer<GSList>?) -> [ICECandidate] {
    defer { g_slist_free_full(list) { nice_candidate_free($0?.assumingMemoryBound(to: NiceCandidate.self)) } }
    var result: [ICECandidate] = []
    var node = list
    while let current = node {
      if let data = current.pointee.data,
        let candidate = ICECandidate(data.assumingMemoryBound(to: NiceCandidate.self))
      {
        result.append(candidate)
      }
      node = current.pointee.next
    }
    return result
  }

  private func makeNative(_ candidate: ICECandidate) -> UnsafeMutablePointer<NiceCandidate>? {
    let type: NiceCandidateType =
      switch candidate.kind {
      case .host: NICE_CANDIDATE_TYPE_HOST
      case .srflx: NICE_CANDIDATE_TYPE_SERVER_REFLEXIVE
      case .prflx: NICE_CANDIDATE_TYPE_PEER_REFLEXIVE
      case .relay: NICE_CANDIDATE_TYPE_RELAYED
      }
    let transport: NiceCandidateTransport =
      switch candidate.transport {
      case .udp: NICE_CANDIDATE_TRANSPORT_UDP
      case .tcp("active"): NICE_CANDIDATE_TRANSPORT_TCP_ACTIVE
      case .tcp: NICE_CANDIDATE_TRANSPORT_TCP_PASSIVE
      }
    guard let native = nice_candidate_new(type) else { return nil }
    nice_address_init(&native.pointee.addr)
    guard nice_address_set_from_string(&native.pointee.addr, candidate.address) != 0 else {
      nice_candidate_free(native)
      return nil
    }
    nice_address_set_port(&native.pointee.addr, guint(candidate.port))
    native.pointee.transport = transport
    native.pointee.priority = candidate.priority
    native.pointee.stream_id = stream
    native.pointee.component_id = guint(candidate.component)
    withUnsafeMutableBytes(of: &native.pointee.foundation) { field in
      let bytes = candidate.foundation.utf8.prefix(field.count - 1)
      field.initializeMemory(as: UInt8.self, repeating: 0)
      field.copyBytes(from: Array(bytes))
    }
    return native
  }
}

extension ICECandidate {
  fileprivate init?(_ native: UnsafePointer<NiceCandidate>) {
    let candidate = native.pointee
    switch candidate.type {
    case NICE_CANDIDATE_TYPE_HOST: kind = .host
    case NICE_CANDIDATE_TYPE_SERVER_REFLEXIVE: kind = .srflx
    case NICE_CANDIDATE_TYPE_PEER_REFLEXIVE: kind = .prflx
    case NICE_CANDIDATE_TYPE_RELAYED: kind = .relay
    default: return nil
    }
    switch candidate.transport {
    case NICE_CANDIDATE_TRANSPORT_UDP: transport = .udp
    case NICE_CANDIDATE_TRANSPORT_TCP_ACTIVE: transport = .tcp("active")
    case NICE_CANDIDATE_TRANSPORT_TCP_PASSIVE: transport = .tcp("passive")
    default: transport = .tcp("so")
    }
    component = Int(candidate.component_id)
    foundation = withUnsafeBytes(of: candidate.foundation) {
      String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
    }
    priority = candidate.priority
    (address, port) = ICECandidate.text(of: candidate.addr)
    // Nobody can connect to it (RFC 6544 §4.5).
    if transport == .tcp("active"), kind != .prflx || port == 0 { port = 9 }
    var baseAddress = candidate.base_addr
    if kind != .host, nice_address_is_valid(&baseAddress) != 0 {
      let (base, basePort) = ICECandidate.text(of: candidate.base_addr)
      relatedAddress = base
      relatedPort = basePort
    }
  }

  fileprivate init?(_ native: UnsafeMutablePointer<NiceCandidate>) {
    self.init(UnsafePointer(native))
  }

  private static func text(of address: NiceAddress) -> (String, UInt16) {
    var address = address
    var buffer = [CChar](repeating: 0, count: Int(NICE_ADDRESS_STRING_LEN))
    nice_address_to_string(&address, &buffer)
    let text = String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return (text, UInt16(truncatingIfNeeded: nice_address_get_port(&address)))
  }
}
