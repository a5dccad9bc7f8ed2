import JingleCore
import MediaEngine
import MediaTime
import XMPPCore

// The media behind sessions: transports, candidates, connection.
extension Client {
  func startMedia(of call: ActiveCall, controlling: Bool) {
    guard let offer = call.media, !call.mediaIsRunning, jobs != nil else { return }
    // Who offers needs a transport for each content; who answers learns from the offer whether there are more.
    for _ in 0..<(controlling ? offer.kinds.count : 1) { open(call.nextTransport, of: call) }
    let (sid, commands) = (call.sid, call.commands)
    let (loop, relayOnly, localAddresses) = (loop, configuration.relayOnly, localAddresses)
    call.mediaIsRunning = spawn {
      let media = CallMedia(
        on: loop, .init(.init(controlling: controlling, relayOnly: relayOnly, localAddresses: localAddresses)),
        resolve: { await self.resolveServers(for: sid) }
      ) { await self.receive($0, of: sid) }
      await media.run(commands)
      await self.mediaStopped(sid)
    }
  }

  /// Opens one of the call's transports, unless it is open already.
  ///
  /// - Parameter multiplexesRTCP: whether RTCP goes where RTP goes; else it gets a component of its own.
  func open(_ index: Int, of call: ActiveCall, multiplexesRTCP: Bool = true) {
    guard call.addTransport(index, multiplexesRTCP: multiplexesRTCP) else { return }
    call.command.yield(.open(index, multiplexesRTCP: multiplexesRTCP))
  }

  func close(_ index: Int, of call: ActiveCall) {
    guard call.transports.removeValue(forKey: index) != nil else { return }
    call.deadlines[.connectTransport(index)] = nil
    call.command.yield(.close(index))
  }

  private func resolveServers(for sid: String) async -> ICEServers {
    let servers = await ICEServers.resolve(await currentServices(), configuration)
    calls[sid]?.turnServers = servers.list.filter { $0.kind != .stun }
    return servers
  }

  private func mediaStopped(_ sid: String) {
    guard let call = calls[sid] else { return }
    call.mediaIsRunning = false
    // It stops before its call when the client does.
    if call.phase == .ended { close(call) } else { hangUp(call) }
  }

  private func receive(_ fact: CallMedia.Fact, of sid: String) {
    guard let call = calls[sid] else { return }
    switch fact {
    case .transport(let index, let fact):
      // One that was let go may still have had something to say.
      if call.transports[index] != nil { receive(fact, of: call, index) }
    case .statistics(let statistics, let observations):
      call.statistics = statistics
      guard call.phase == .connected else { break }
      call.tell(.statistics(statistics))
      watch(call, observations)
    case .warning(let warning):
      call.tell(.warning(warning))
    case .failedToStart(let index, let error):
      transportFailed(call, index, .failedTransport, error)
    }
    rearm()
  }

  private func receive(_ fact: CallMedia.TransportFact, of call: ActiveCall, _ index: Int) {
    switch fact {
    case .local(let description):
      call.transports[index]?.local = description
      for candidate in description.candidates { collect(candidate, of: call, index) }
      if call.phase >= .connecting {
        advanceAdditions(of: call)
        advanceReplacements(of: call)
      }
      if call.isOutgoing { offerIfReady(call) } else { answerIfReady(call) }
    case .restarted(let credentials, let candidates):
      restarted(call, index, credentials, candidates)
    case .event(let event):
      receive(event, of: call, index)
    case .connectivity(let report):
      if call.transports[index]?.connection == nil { call.connectivity = report }
    }
  }

  private func receive(_ event: MediaEvent, of call: ActiveCall, _ index: Int) {
    switch event {
    case .candidate(let candidate): collect(candidate, of: call, index)
    case .gatheringDone: gatheringDone(call, index)
    case .ice: break
    case .pathChanged(let path): pathChanged(call, index, path)
    case .restartFailed:
      call.tell(
        .warning(
          CallError(.connectivity, "No new path to \(call.peer) was found; the old one is used as long as it bears.")))
    case .connected(let connection):
      call.transports[index]?.connection = connection
      call.deadlines[.connectTransport(index)] = nil
      keepRelay(call)
      if !replacementConnected(index, of: call) { connected(call) }
    case .failed(let failure): mediaFailed(call, index, failure)
    case .closedByPeer, .rtp(.byeReceived):
      // The word of it that comes through signalling says why; it may come later than the media's end, or never. One of
      // several transports may just be superfluous.
      call.transports[index]?.isClosedByPeer = true
      let isOver = call.transports.values.allSatisfy { $0.isClosedByPeer || $0.connection == nil }
      if call.phase == .connected, isOver {
        call.deadlines[.goodbye] = call.deadlines[.goodbye] ?? SystemClock.now + .seconds(3)
      }
    case .rtp(.telephoneEvent(let key, let duration)): call.tell(.dtmf(key, duration: duration, byPeer: true))
    case .rtp: break
    }
  }

  /// The call is connected when all its transports are.
  private func connected(_ call: ActiveCall) {
    guard call.phase == .connecting, call.transports.values.allSatisfy({ $0.connection != nil }),
      let connection = call.transports.min(by: { $0.key < $1.key })?.value.connection
    else { return }
    let now = SystemClock.now
    call.phase = .connected
    call.connectedAt = now
    call.deadlines[.connect] = nil
    call.tell(
      .connected(
        ConnectionReport(
          setupTime: now - call.startedAt, ringingTime: call.ringingAt.map { $0 - call.startedAt },
          proceedTime: call.proceedAt.map { $0 - call.startedAt }, iceTime: connection.iceTime,
          dtlsTime: connection.dtlsTime, path: MediaPath(connection.path), dtlsVersion: connection.dtlsVersion,
          srtpProfile: connection.srtpProfile.name, audioCodec: call.audioCodec, videoCodec: call.videoCodec,
          isBundled: call.isBundled)))
  }

  private func mediaFailed(_ call: ActiveCall, _ index: Int, _ failure: MediaFailure) {
    switch failure {
    case .noSockets:
      transportFailed(
        call, index, .failedTransport,
        CallError(.connectivity, "No media socket could be opened.", cause: failure))
    case .noPath:
      transportFailed(
        call, index, .connectivityError, CallError(.connectivity, "ICE found no path to \(call.peer).", cause: failure))
    case .consentLost:
      terminate(
        call, .connectivityError,
        CallError(.connectivity, "\(call.peer) vanished: nothing has come from it for half a minute.", cause: failure))
    case .dtls(let error):
      transportFailed(
        call, index, error.isSecurityFailure ? .securityError : .connectivityError,
        CallError(
          .connectivity, "The media could not be encrypted: \(error). Nothing was sent or played.", cause: error))
    }
  }

  /// The call ends when one of its first transports does not come about; else what was to join does not.
  func transportFailed(
    _ call: ActiveCall, _ index: Int, _ condition: Jingle.Reason.Condition, _ error: CallError
  ) {
    if call.replacements[index] != nil {
      abandon(index, of: call)
      call.tell(.warning(error))
      return pump(call)
    }
    guard call.phase == .connected, call.transports[index]?.connection == nil else {
      return terminate(call, condition, error)
    }
    let lost = (call.contents + call.additions.map(\.content)).filter { $0.transport == index }.map(\.name)
    call.tell(.warning(error))
    for name in lost { leave(name, of: call, Jingle.Reason(condition), error) }
    close(index, of: call)
  }

  // MARK: Candidates

  /// Takes what the peer tells of a transport: candidates, before both sides agree also credentials and fingerprints.
  func addRemote(_ transport: ICETransport, for content: String, of call: ActiveCall) {
    guard call.phase >= .connecting else {
      if call.earlyTransports.count < 64 { call.earlyTransports.append((content, transport)) }
      return
    }
    guard let index = call.contents.first(where: { $0.name == content })?.transport,
      let used = call.transports[index]
    else {
      let isToJoin = call.additions.contains { $0.content.name == content }
      if isToJoin, call.earlyTransports.count < 64 { call.earlyTransports.append((content, transport)) }
      return
    }
    // What comes under another name of a bundle may belong to the transport that the bundle made superfluous.
    guard used.owner == content || (transport.ufrag != nil && transport.ufrag == used.remoteUfrag) else { return }
    let candidates = transport.candidates.compactMap(MediaEngine.ICECandidate.init)
    if !candidates.isEmpty { call.command.yield(.transport(index, .addRemote(candidates))) }
    if transport.hasGatheringComplete { call.command.yield(.transport(index, .remoteGatheringDone)) }
  }

  private func collect(_ candidate: MediaEngine.ICECandidate, of call: ActiveCall, _ index: Int) {
    if candidate.kind == .relay { call.transports[index]?.gatheredRelay = true }
    guard candidate.kind == .relay || !configuration.relayOnly else { return }
    if let ufrag = candidate.ufrag, let local = call.transports[index]?.local, local.credentials.ufrag != ufrag {
      // Of a restart whose credentials are still to be told, or of one that was replaced.
      call.transports[index]?.restartCandidates.append(candidate)
      return
    }
    let written = JingleCore.ICECandidate(candidate, id: call.nextCandidateID(), hidesBase: configuration.relayOnly)
    let isNegotiated = call.session.map { $0.phase == .active || $0.role == .initiator } ?? false
    let isPending =
      call.additions.contains { $0.content.transport == index && !$0.isSent }
      || call.replacements[index].map { !$0.isSent } ?? false
    guard isNegotiated, !isPending, let owner = call.transports[index]?.owner, let local = call.transports[index]?.local
    else {
      call.transports[index]?.earlyCandidates.append(written)
      return
    }
    call.session?.send(
      ICETransport(ufrag: local.credentials.ufrag, pwd: local.credentials.password, candidates: [written]),
      for: owner)
    pump(call)
  }

  private func gatheringDone(_ call: ActiveCall, _ index: Int) {
    guard call.transports[index]?.gatheredRelay == false, call.phase < .connected else { return }
    let asked = call.turnServers.map(\.name).joined(separator: ", ")
    if configuration.relayOnly {
      let reason =
        asked.isEmpty
        ? "the account's server names no TURN server (XEP-0215). Ask its operator, or call without --relay-only."
        : "no TURN server gave an address: \(asked). It refused the credentials or could not be reached."
      terminate(call, .failedTransport, CallError(.connectivity, "Only relayed paths are allowed, and " + reason))
    } else if !asked.isEmpty {
      call.tell(.warning(CallError(.connectivity, "No TURN server gave a relayed address: \(asked).")))
    }
  }

  private func restarted(
    _ call: ActiveCall, _ index: Int, _ credentials: ICECredentials, _ candidates: [MediaEngine.ICECandidate]
  ) {
    call.transports[index]?.local?.credentials = credentials
    guard let owner = call.transports[index]?.owner, let asks = call.transports[index]?.restartsItself else { return }
    call.transports[index]?.restartsItself = false
    let early = call.transports[index]?.restartCandidates.filter { $0.ufrag == credentials.ufrag } ?? []
    call.transports[index]?.restartCandidates = []
    let usable = (candidates + early).filter { $0.kind == .relay || !configuration.relayOnly }
    let written = usable.map {
      JingleCore.ICECandidate($0, id: call.nextCandidateID(), hidesBase: configuration.relayOnly)
    }
    let (ufrag, pwd) = (credentials.ufrag, credentials.password)
    // By having none of them, Conversations tells the question from its answer.
    if asks { call.session?.send(ICETransport(ufrag: ufrag, pwd: pwd), for: owner) }
    if !asks || !written.isEmpty {
      call.session?.send(ICETransport(ufrag: ufrag, pwd: pwd, candidates: written), for: owner)
    }
    pump(call)
  }
}

extension DTLSError {
  /// Whether the peer is not who it claims to be, rather than out of reach.
  fileprivate var isSecurityFailure: Bool {
    switch self {
    case .fingerprintMismatch, .noSRTPProfile: true
    case .setUp, .failed: false
    }
  }
}
