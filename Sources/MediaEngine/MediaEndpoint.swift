package import MediaTime
package import RTPCore

/// One call's media path: ICE, DTLS, SRTP and the RTP session, on one media loop.
///
/// RTP and RTCP share one component of it, or RTCP has a second one.
///
/// Its executor is the loop, so libnice's callbacks are already isolated here, and a packet passes from the socket to the
/// playout in plain calls. Created by `start`, ended by `close`.
package actor MediaEndpoint {
  package struct Configuration: Sendable {
    package var ice: ICEConfiguration
    /// Whether RTCP shares RTP's port. Where it does not, it has a component of its own, if the peer has an end of that.
    ///
    /// - Specification: RFC 5761 §5.1.3, RFC 8445 §5.1.1.1
    package var multiplexesRTCP = true
    /// How long a path may bring nothing that authenticates before it counts as lost.
    ///
    /// - Specification: RFC 7675 §5.1
    package var consentTimeout = Duration.seconds(30)

    package init(_ ice: ICEConfiguration) {
      self.ice = ice
    }
  }

  /// What signalling tells the peer about this end.
  package struct LocalDescription: Sendable {
    package var credentials: ICECredentials
    package var fingerprint: CertificateFingerprint
    /// What is known at once: host candidates. Others follow as events.
    package var candidates: [ICECandidate]
  }

  /// Where the session's media goes. All are called on the loop and must not block.
  package struct Outlets: Sendable {
    package var playAudio: @Sendable (PlayoutUnit) -> Void
    package var playVideo: @Sendable (ReceivedVideoFrame, _ stream: Int) -> Void
    package var requestOfEncoder: @Sendable (EncoderRequest, _ stream: Int) -> Void

    package init(
      playAudio: @escaping @Sendable (PlayoutUnit) -> Void = { _ in },
      playVideo: @escaping @Sendable (ReceivedVideoFrame, _ stream: Int) -> Void = { _, _ in },
      requestOfEncoder: @escaping @Sendable (EncoderRequest, _ stream: Int) -> Void = { _, _ in }
    ) {
      self.playAudio = playAudio
      self.playVideo = playVideo
      self.requestOfEncoder = requestOfEncoder
    }
  }

  package typealias EncoderRequest = RTPSession.EncoderRequest

  package nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }
  /// In order; finishes with `close`. One consumer.
  package nonisolated let events: AsyncStream<MediaEvent>

  private nonisolated let loop: GLibLoop
  private nonisolated let outbox = MediaOutbox()
  private nonisolated let outboxSource = LoopSource()
  private let continuation: AsyncStream<MediaEvent>.Continuation
  private let configuration: Configuration
  private let timer = LoopSource()

  private var transport: SecureTransport?
  /// By component, that of RTP and that of RTCP where it has one; there once it is encrypted.
  private var srtp: [SRTPSession?] = []
  /// What component 1 is encrypted by.
  private var security: (profile: SRTPProfile, dtlsVersion: String)?
  /// Whether RTCP may go where RTP goes.
  private var multiplexesRTCP: Bool
  private var rtp: RTPSession?
  private var outlets = Outlets()

  private var iceStart: Instant?
  private var iceEnd: Instant?
  private var isConnected = false
  private var isClosed = false
  /// When the peer was last heard, by what only the peer can have sent. Its reports come every second or so, media or not.
  private var heardAt: Instant?
  /// Nothing was heard for too long, but a restart may mend that.
  private var isSilent = false
  private var dropped = TransportStatistics()
  /// When the timer fires, at the latest when something is due.
  private var timerDeadline: Instant?

  package init(on loop: GLibLoop, _ configuration: Configuration) {
    self.loop = loop
    self.configuration = configuration
    multiplexesRTCP = configuration.multiplexesRTCP
    (events, continuation) = AsyncStream.makeStream(of: MediaEvent.self)
  }

  // An endpoint that is dropped says goodbye all the same; what calls back holds it weakly for that.
  isolated deinit {
    close()
  }

  // MARK: Set-up

  /// Opens sockets and begins to gather; candidates follow as events.
  ///
  /// - Throws: `MediaFailure`, `DTLSError`, or `CancellationError` when the endpoint is closed already.
  package func start() throws -> LocalDescription {
    precondition(transport == nil, "an endpoint is started once")
    if isClosed { throw CancellationError() }
    timer.attach(to: loop.context) { [weak self] in self?.assumeIsolated { $0.timeout() } }
    outboxSource.attach(to: loop.context) { [weak self] in self?.assumeIsolated { $0.drainOutbox() } }
    var settings = configuration.ice
    settings.componentCount = configuration.multiplexesRTCP ? 1 : 2
    let transport = try SecureTransport(
      on: loop, settings, handleICE: { [weak self] event in self?.assumeIsolated { $0.handle(event) } },
      handleDTLS: { [weak self] event, component in self?.assumeIsolated { $0.handle(event, of: component) } })
    guard let local = transport.begin() else { throw MediaFailure.noSockets }
    self.transport = transport
    srtp = Array(repeating: nil, count: settings.componentCount)
    return local
  }

  /// The credentials of the peer's newest ICE generation, known once it has answered; ICE's clock starts.
  ///
  /// Each local generation takes credentials once: what comes late for a restart that was given up changes nothing.
  package func setRemote(_ credentials: ICECredentials) {
    guard transport?.paths.setRemote(credentials) == true else { return }
    iceStart = iceStart ?? SystemClock.now
    rearm()
  }

  /// Candidates of the peer's newest ICE generation; those that name the `ufrag` of another are left out.
  package func addRemote(_ candidates: [ICECandidate]) {
    transport?.paths.addRemote(candidates)
  }

  package func remoteGatheringDone() {
    transport?.paths.remoteGatheringDone()
  }

  /// Looks for a new path beside the one in use, which goes on meanwhile: with new sockets, credentials and candidates.
  /// Asked for by this side or by the peer, whose credentials and candidates are set afterwards.
  ///
  /// Media changes over when the new path stands (`.pathChanged`); DTLS and SRTP live on. A restart that comes to nothing
  /// is told (`.restartFailed`); one that is still under way is replaced.
  ///
  /// - Parameter servers: the STUN and TURN servers from now on; nil for the same as before.
  /// - Returns: what to signal: candidates that are not known at once follow as events. Nil when the endpoint is closed.
  /// - Throws: `MediaFailure.noSockets`; then the path in use goes on.
  /// - Specification: RFC 8445 §9, RFC 8842 §4.4
  package func restartICE(servers: [ICEServer]? = nil) throws -> LocalDescription? {
    guard let transport else { return nil }
    guard let local = transport.begin(servers: servers) else { throw MediaFailure.noSockets }
    rearm()
    return local
  }

  /// The peer's fingerprints and who begins; DTLS starts as soon as ICE has a path.
  package func setDTLS(role: DTLSRole, fingerprints: [CertificateFingerprint]) {
    transport?.setDTLS(role: role, fingerprints: fingerprints)
    rearm()
  }

  /// The peer takes no RTCP where RTP goes, which is all that this endpoint has: none is sent, unless the peer shows that
  /// it multiplexes all the same.
  ///
  /// - Specification: RFC 5761 §5.1.1
  package func withholdRTCP() {
    multiplexesRTCP = false
  }

  /// What was negotiated. Media flows once the path is encrypted.
  package func startMedia(_ session: RTPSession, _ outlets: Outlets) {
    rtp = session
    self.outlets = outlets
    if isConnected { heardAt = SystemClock.now }
    rearm()
  }

  /// Gives the session away, for another endpoint to carry. What comes here from now on is dropped.
  package func takeMedia() -> RTPSession? {
    outlets = Outlets()
    return rtp.take()
  }

  /// Changes the session as it was negotiated anew. Does nothing before there is one.
  package func change(_ change: @Sendable (inout RTPSession, _ now: Instant) -> Void) {
    guard var session = rtp.take() else { return }
    change(&session, SystemClock.now)
    rtp = session
    flush()
  }

  // MARK: Media

  /// Hands one encoded frame over for sending. Callable from any thread; never waits.
  package nonisolated func send(_ frame: EncodedAudioFrame) {
    if outbox.add(frame) { outboxSource.fireNow() }
  }

  /// Hands one encoded picture over for sending. Callable from any thread; never waits.
  ///
  /// - Parameter stream: the index in the session's `Configuration.video`.
  package nonisolated func send(_ frame: EncodedVideoFrame, stream: Int) {
    if outbox.add(frame, stream: stream) { outboxSource.fireNow() }
  }

  /// The decoder cannot go on: asks the peer for a key frame. Callable from any thread; never waits.
  package nonisolated func requestKeyFrame(stream: Int) {
    if outbox.addUndecodable(stream: stream) { outboxSource.fireNow() }
  }

  package var statistics: (RTPSession.Statistics?, TransportStatistics) {
    var transport = dropped
    transport.heardAt = heardAt
    transport.carriesRTCP = control != nil
    return (rtp?.statistics, transport)
  }

  package var connectivity: ConnectivityReport {
    let paths = transport?.paths
    return ConnectivityReport(
      ice: paths?.state ?? .new, localCandidates: paths?.localCandidates ?? [],
      remoteCandidates: paths?.remoteCandidates ?? [], refusedCandidates: paths?.refusedCandidates ?? 0,
      servers: paths?.servers ?? configuration.ice.servers,
      dtlsDatagramsReceived: transport?.datagramsReceived ?? 0,
      dtlsStarted: transport?.associations.contains { $0 != nil } ?? false)
  }

  /// Says goodbye to the peer (RTCP BYE, DTLS close_notify) and lets everything go. Later calls do nothing.
  package func close() {
    guard !isClosed else { return }
    isClosed = true
    if isConnected {
      rtp?.finish(at: SystemClock.now)
      flush()
    }
    timer.destroy()
    outboxSource.destroy()
    transport?.close()
    transport = nil
    srtp = []
    outlets = Outlets()
    continuation.finish()
  }

  private func drainOutbox() {
    let frames = outbox.take()
    guard isConnected, !isClosed else { return }
    let now = SystemClock.now
    for stream in frames.undecodable { rtp?.requestKeyFrame(stream: stream, at: now) }
    for stream in frames.broken { outlets.requestOfEncoder(.keyFrame, stream) }
    for frame in frames.audio { rtp?.send(frame, at: now) }
    for (frame, stream) in frames.video { rtp?.send(frame, stream: stream, at: now) }
    flush()
  }

  // MARK: What ICE says

  private func handle(_ event: ICEPaths.Event) {
    guard !isClosed else { return }
    switch event {
    case .datagram(let datagram, let component):
      return receive(datagram, over: component)
    case .candidate(let candidate):
      continuation.yield(.candidate(candidate))
    case .gatheringDone:
      continuation.yield(.gatheringDone)
    case .state(let state):
      continuation.yield(.ice(state))
    case .path(let path):
      iceEnd = iceEnd ?? SystemClock.now
      if isConnected {
        heardAt = SystemClock.now
        isSilent = false
        continuation.yield(.pathChanged(path))
      }
      transport?.startDTLSIfPossible()
    case .progress:
      transport?.startDTLSIfPossible()
      connectIfPossible()
    case .failed:
      continuation.yield(.failed(iceEnd == nil ? .noPath : .consentLost))
    case .restartFailed:
      continuation.yield(.restartFailed)
      if isSilent { continuation.yield(.failed(.consentLost)) }
      isSilent = false
    }
    rearm()
  }

  // MARK: A datagram's way in

  /// Straight line: demultiplex, decrypt in place, hand to the RTP session, see what it wants.
  private func receive(_ datagram: UnsafeMutableRawBufferPointer, over component: Int) {
    guard !isClosed, srtp.indices.contains(component - 1) else { return }
    switch DatagramKind(datagram.assumingMemoryBound(to: UInt8.self).span) {
    case .dtls:
      transport?.receive(UnsafeRawBufferPointer(datagram), over: component)
      rearm()
    case .rtp where component == 1:
      receiveMedia(over: component) { srtp throws(SRTPError) in try srtp.unprotectRTP(datagram) }
    case .rtcp:
      receiveMedia(over: component) { srtp throws(SRTPError) in
        let packet = try srtp.unprotectRTCP(datagram)
        // Whoever multiplexes without a word of it can be answered likewise.
        if control == nil { multiplexesRTCP = true }
        return packet
      }
    case .stun, .rtp, .zrtp, .turnChannel, .unknown: dropped.unknown += 1
    }
  }

  private func receiveMedia(
    over component: Int, _ unprotect: (SRTPSession) throws(SRTPError) -> UnsafeRawBufferPointer
  ) {
    guard let srtp = srtp[component - 1] else { return dropped.early += 1 }
    do {
      let packet = try unprotect(srtp)
      let now = SystemClock.now
      heardAt = now
      isSilent = false
      rtp?.receive(packet.assumingMemoryBound(to: UInt8.self).span, at: now)
      flush()
    } catch {
      if error.isAuthenticationFailure { dropped.unauthenticated += 1 } else { dropped.refused += 1 }
    }
  }

  // MARK: DTLS

  private func handle(_ event: DTLSTransport.Event, of component: Int) {
    switch event {
    case .connected(let material, let version):
      do {
        srtp[component - 1] = try SRTPSession(material)
      } catch {
        continuation.yield(.failed(.dtls(.setUp("libsrtp2 status \(error.status.rawValue)"))))
        return
      }
      if component == 1 { security = (material.profile, version) }
      connectIfPossible()
      rearm()
    case .failed(let error):
      continuation.yield(.failed(.dtls(error)))
    case .closed:
      continuation.yield(.closedByPeer)
    }
  }

  /// Media flows once all components that the peer has an end of are encrypted.
  private func connectIfPossible() {
    guard !isConnected, let paths = transport?.paths, let security,
      srtp.indices.allSatisfy({ srtp[$0] != nil || !paths.counts($0 + 1) })
    else { return }
    isConnected = true
    heardAt = SystemClock.now
    guard let path = paths.path, let iceStart, let iceEnd else { return }
    continuation.yield(
      .connected(
        MediaConnection(
          path: path, iceTime: max(.zero, iceEnd - iceStart), dtlsTime: SystemClock.now - iceEnd,
          dtlsVersion: security.dtlsVersion, srtpProfile: security.profile)))
  }

  // MARK: The RTP session's wishes

  private func timeout() {
    guard !isClosed else { return }
    timerDeadline = nil
    let now = SystemClock.now
    transport?.timeout(at: now)
    if isConnected {
      if let deadline = rtp?.nextDeadline, deadline <= now { rtp?.timeout(at: now) }
      if let deadline = silenceDeadline, deadline <= now {
        heardAt = nil  // told once
        isSilent = transport?.paths.isRestarting == true
        if !isSilent { continuation.yield(.failed(.consentLost)) }
      }
    }
    flush()
  }

  /// Carries out everything the session wants, then arms the one timer.
  private func flush() {
    while var output = rtp?.nextOutput() {
      if var packet = output.takePacket() {
        transmit(&packet)
        rtp?.reuse(&packet)
        continue
      }
      switch output {
      case .packet: break  // taken above
      case .audio(let unit): outlets.playAudio(unit)
      case .video(let frame, let stream): outlets.playVideo(frame, stream)
      case .encoder(let request, let stream): outlets.requestOfEncoder(request, stream)
      case .event(let event): continuation.yield(.rtp(event))
      }
    }
    rearm()
  }

  /// When the silence has lasted too long; nil where none is to be expected otherwise: without RTCP a peer that only
  /// listens says nothing, and its answers to ICE's checks are all that tells of its consent.
  private var silenceDeadline: Instant? {
    guard rtp?.isFlowing == true, control != nil else { return nil }
    return heardAt.map { $0 + configuration.consentTimeout }
  }

  private func rearm() {
    let now = SystemClock.now
    var next = transport?.nextDeadline(at: now)
    if isConnected, let deadline = rtp?.nextDeadline { next = min(next ?? deadline, deadline) }
    if let deadline = silenceDeadline { next = min(next ?? deadline, deadline) }
    guard let next else { return }
    // A timer that fires too early costs less than a system call to put it off with every packet.
    if let timerDeadline, timerDeadline <= next { return }
    timerDeadline = next
    timer.fire(after: next - now)
  }

  /// The component that carries RTCP; nil where none does.
  private var control: Int? {
    if srtp.count == 2, srtp[1] != nil { return 2 }
    return multiplexesRTCP && !srtp.isEmpty ? 1 : nil
  }

  private func transmit(_ packet: inout RTPSession.OutgoingPacket) {
    guard let transport, let component = packet.kind == .rtp ? 1 : control, let srtp = srtp[component - 1]
    else { return }
    do {
      switch packet.kind {
      case .rtp: try srtp.protectRTP(&packet.bytes)
      case .rtcp: try srtp.protectRTCP(&packet.bytes)
      }
      packet.bytes.withUnsafeBytes { _ = transport.paths.send($0, over: component) }
    } catch {
      dropped.refused += 1
    }
  }
}
