package import MediaTime
package import RTPCore
import Synchronization

/// One call's media path: ICE, DTLS, SRTP and the RTP session, on one media loop.
///
/// Its executor is the loop, so libnice's callbacks are already isolated here, and a packet passes from the socket to the
/// playout in plain calls. Created by `start`, ended by `close`.
package actor MediaEndpoint {
  package struct Configuration: Sendable {
    /// Whether this side nominates: the initiator does (XEP-0176 §5.1).
    package var controlling: Bool
    package var servers: [ICEServer]
    package var relayOnly: Bool
    /// Numeric addresses to use; empty for every interface's.
    package var localAddresses: [String]
    /// Whether TCP candidates are offered and taken beside UDP's (RFC 6544); never with `relayOnly`.
    package var usesTCP = true
    /// How long a path may bring nothing that authenticates before it counts as lost.
    ///
    /// - Specification: RFC 7675 §5.1
    package var consentTimeout = Duration.seconds(30)
    /// How long an ICE restart may wait for the peer's credentials, and then for a path.
    package var restartTimeout = Duration.seconds(30)

    package init(
      controlling: Bool, servers: [ICEServer] = [], relayOnly: Bool = false, localAddresses: [String] = []
    ) {
      self.controlling = controlling
      self.servers = servers
      self.relayOnly = relayOnly
      self.localAddresses = localAddresses
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

  /// What is on its way from the codec threads.
  private struct Outbox: ~Copyable {
    struct Frames {
      /// Bound: 25 frames (as many as a late codec thread makes at once), the oldest dropped.
      var audio: [EncodedAudioFrame] = []
      /// Bound: 10 frames; then all are dropped up to the next key frame, which is asked for.
      var video: [(frame: EncodedVideoFrame, stream: Int)] = []
      /// The streams that go on with a key frame.
      var broken: Set<Int> = []
      /// The streams whose decoders need a key frame of the peer.
      var undecodable: Set<Int> = []

      var isEmpty: Bool { audio.isEmpty && video.isEmpty && undecodable.isEmpty }
    }

    let frames = Mutex(Frames())
  }

  package nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }
  /// In order; finishes with `close`. One consumer.
  package nonisolated let events: AsyncStream<MediaEvent>

  private nonisolated let loop: GLibLoop
  private nonisolated let outbox = Outbox()
  private nonisolated let outboxSource = LoopSource()
  private let continuation: AsyncStream<MediaEvent>.Continuation
  private let configuration: Configuration
  private let timer = LoopSource()

  private var paths: ICEPaths?
  private var certificate: DTLSCertificate?
  private var dtlsParameters: (role: DTLSRole, fingerprints: [CertificateFingerprint])?
  private var dtls: DTLSTransport?
  private var srtp: SRTPSession?
  private var rtp: RTPSession?
  private var outlets = Outlets()

  private var path: MediaPath?
  private var iceStart: Instant?
  private var iceEnd: Instant?
  private var isConnected = false
  private var isClosed = false
  /// When the peer was last heard, by what only the peer can have sent. Its reports come every second or so, media or not.
  private var heardAt: Instant?
  /// Nothing was heard for too long, but a restart may mend that.
  private var isSilent = false
  private var transport = TransportStatistics()
  private var dtlsReceived = 0
  /// DTLS that arrives before the peer's fingerprint does. Bound: 8 datagrams, later ones dropped (they are repeated).
  private var earlyDTLS: [[UInt8]] = []
  /// When the timer fires, at the latest when something is due.
  private var timerDeadline: Instant?

  package init(on loop: GLibLoop, _ configuration: Configuration) {
    self.loop = loop
    self.configuration = configuration
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
    precondition(paths == nil, "an endpoint is started once")
    if isClosed { throw CancellationError() }
    timer.attach(to: loop.context) { [weak self] in self?.assumeIsolated { $0.timeout() } }
    outboxSource.attach(to: loop.context) { [weak self] in self?.assumeIsolated { $0.drainOutbox() } }
    let certificate = try DTLSCertificate()
    let settings = ICEAgent.Configuration(
      controlling: configuration.controlling, servers: configuration.servers, relayOnly: configuration.relayOnly,
      localAddresses: configuration.localAddresses, usesTCP: configuration.usesTCP)
    let paths = ICEPaths(on: loop, settings, restartTimeout: configuration.restartTimeout) { [weak self] event in
      self?.assumeIsolated { $0.handle(event) }
    }
    guard let (credentials, candidates) = paths.begin() else { throw MediaFailure.noSockets }
    self.paths = paths
    self.certificate = certificate
    return LocalDescription(credentials: credentials, fingerprint: certificate.fingerprint, candidates: candidates)
  }

  /// The credentials of the peer's newest ICE generation, known once it has answered; ICE's clock starts.
  ///
  /// Each local generation takes credentials once: what comes late for a restart that was given up changes nothing.
  package func setRemote(_ credentials: ICECredentials) {
    guard paths?.setRemote(credentials) == true else { return }
    iceStart = iceStart ?? SystemClock.now
    rearm()
  }

  /// Candidates of the peer's newest ICE generation; those that name the `ufrag` of another are left out.
  package func addRemote(_ candidates: [ICECandidate]) {
    paths?.addRemote(candidates)
  }

  package func remoteGatheringDone() {
    paths?.remoteGatheringDone()
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
    guard let paths, let certificate, !isClosed else { return nil }
    guard let (credentials, candidates) = paths.begin(servers: servers) else { throw MediaFailure.noSockets }
    rearm()
    return LocalDescription(credentials: credentials, fingerprint: certificate.fingerprint, candidates: candidates)
  }

  /// The peer's fingerprints and who begins; DTLS starts as soon as ICE has a path.
  package func setDTLS(role: DTLSRole, fingerprints: [CertificateFingerprint]) {
    guard dtlsParameters == nil else { return }
    dtlsParameters = (role, fingerprints)
    startDTLSIfPossible()
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
    hand { frames in
      if frames.audio.count == 25 { frames.audio.removeFirst() }
      frames.audio.append(frame)
    }
  }

  /// Hands one encoded picture over for sending. Callable from any thread; never waits.
  ///
  /// - Parameter stream: the index in the session's `Configuration.video`.
  package nonisolated func send(_ frame: EncodedVideoFrame, stream: Int) {
    hand { frames in
      if frames.video.count == 10 {
        frames.broken.formUnion(frames.video.map(\.stream))
        frames.video.removeAll(keepingCapacity: true)
      }
      if frames.broken.contains(stream) {
        guard frame.isKeyFrame else { return }
        frames.broken.remove(stream)
      }
      frames.video.append((frame, stream))
    }
  }

  /// The decoder cannot go on: asks the peer for a key frame. Callable from any thread; never waits.
  package nonisolated func requestKeyFrame(stream: Int) {
    hand { $0.undecodable.insert(stream) }
  }

  private nonisolated func hand(_ add: (inout Outbox.Frames) -> Void) {
    let wasEmpty = outbox.frames.withLock { frames in
      defer { add(&frames) }
      return frames.isEmpty
    }
    if wasEmpty { outboxSource.fireNow() }
  }

  package var statistics: (RTPSession.Statistics?, TransportStatistics) {
    var transport = transport
    transport.heardAt = heardAt
    return (rtp?.statistics, transport)
  }

  package var connectivity: ConnectivityReport {
    ConnectivityReport(
      ice: paths?.state ?? .new, localCandidates: paths?.localCandidates ?? [],
      remoteCandidates: paths?.remoteCandidates ?? [], refusedCandidates: paths?.refusedCandidates ?? 0,
      servers: paths?.servers ?? configuration.servers, dtlsDatagramsReceived: dtlsReceived, dtlsStarted: dtls != nil)
  }

  /// Says goodbye to the peer (RTCP BYE, DTLS close_notify) and lets everything go. Later calls do nothing.
  package func close() {
    guard !isClosed else { return }
    isClosed = true
    if isConnected {
      rtp?.finish(at: SystemClock.now)
      flush()
      dtls?.close()
    }
    timer.destroy()
    outboxSource.destroy()
    paths?.close()
    paths = nil
    dtls = nil
    srtp = nil
    outlets = Outlets()
    continuation.finish()
  }

  private func drainOutbox() {
    let frames = outbox.frames.withLock { frames in
      defer {
        frames.audio.removeAll(keepingCapacity: true)
        frames.video.removeAll(keepingCapacity: true)
        frames.undecodable.removeAll()
      }
      return frames
    }
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
    case .datagram(let datagram):
      return receive(datagram)
    case .candidate(let candidate):
      continuation.yield(.candidate(candidate))
    case .gatheringDone:
      continuation.yield(.gatheringDone)
    case .state(let state):
      continuation.yield(.ice(state))
    case .path(let path):
      self.path = path
      iceEnd = iceEnd ?? SystemClock.now
      if isConnected {
        heardAt = SystemClock.now
        isSilent = false
        continuation.yield(.pathChanged(path))
      }
      startDTLSIfPossible()
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
  private func receive(_ datagram: UnsafeMutableRawBufferPointer) {
    guard !isClosed else { return }
    switch DatagramKind(datagram.assumingMemoryBound(to: UInt8.self).span) {
    case .dtls: receiveDTLS(UnsafeRawBufferPointer(datagram))
    case .rtp: receiveMedia { srtp throws(SRTPError) in try srtp.unprotectRTP(datagram) }
    case .rtcp: receiveMedia { srtp throws(SRTPError) in try srtp.unprotectRTCP(datagram) }
    case .stun, .zrtp, .turnChannel, .unknown: transport.unknown += 1
    }
  }

  private func receiveDTLS(_ datagram: UnsafeRawBufferPointer) {
    dtlsReceived += 1
    if let dtls {
      dtls.receive(datagram)
      rearm()
    } else if earlyDTLS.count < 8 {
      earlyDTLS.append(Array(datagram))
    }
  }

  private func receiveMedia(_ unprotect: (SRTPSession) throws(SRTPError) -> UnsafeRawBufferPointer) {
    guard let srtp else { return transport.early += 1 }
    do {
      let packet = try unprotect(srtp)
      let now = SystemClock.now
      heardAt = now
      isSilent = false
      rtp?.receive(packet.assumingMemoryBound(to: UInt8.self).span, at: now)
      flush()
    } catch {
      if error.isAuthenticationFailure { transport.unauthenticated += 1 } else { transport.refused += 1 }
    }
  }

  // MARK: DTLS

  private func startDTLSIfPossible() {
    guard dtls == nil, let parameters = dtlsParameters, let certificate, iceEnd != nil, let paths else { return }
    do {
      let transport = try DTLSTransport(
        certificate: certificate, role: parameters.role, fingerprints: parameters.fingerprints,
        send: { _ = paths.send($0) }, handle: { [weak self] event in self?.assumeIsolated { $0.handle(event) } })
      dtls = transport
      transport.start()
      for datagram in earlyDTLS { datagram.withUnsafeBytes { transport.receive($0) } }
      earlyDTLS = []
      rearm()
    } catch {
      continuation.yield(.failed(.dtls(error)))
    }
  }

  private func handle(_ event: DTLSTransport.Event) {
    switch event {
    case .connected(let material, let version):
      do {
        srtp = try SRTPSession(material)
      } catch {
        continuation.yield(.failed(.dtls(.setUp("libsrtp2 status \(error.status.rawValue)"))))
        return
      }
      isConnected = true
      heardAt = SystemClock.now
      reportConnection(profile: material.profile, version: version)
      rearm()
    case .failed(let error):
      continuation.yield(.failed(.dtls(error)))
    case .closed:
      continuation.yield(.closedByPeer)
    }
  }

  private func reportConnection(profile: SRTPProfile, version: String) {
    guard let path, let iceStart, let iceEnd else { return }
    continuation.yield(
      .connected(
        MediaConnection(
          path: path, iceTime: max(.zero, iceEnd - iceStart), dtlsTime: SystemClock.now - iceEnd, dtlsVersion: version,
          srtpProfile: profile)))
  }

  // MARK: The RTP session's wishes

  private func timeout() {
    guard !isClosed else { return }
    timerDeadline = nil
    if let delay = dtls?.timeoutDelay, delay <= .zero { dtls?.timeout() }
    let now = SystemClock.now
    paths?.timeout(at: now)
    if isConnected {
      if let deadline = rtp?.nextDeadline, deadline <= now { rtp?.timeout(at: now) }
      if let deadline = silenceDeadline, deadline <= now {
        heardAt = nil  // told once
        isSilent = paths?.isRestarting == true
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

  /// When the silence has lasted too long; nil where none is to be expected otherwise.
  private var silenceDeadline: Instant? {
    guard rtp?.isFlowing == true else { return nil }
    return heardAt.map { $0 + configuration.consentTimeout }
  }

  private func rearm() {
    let now = SystemClock.now
    var next = dtls?.timeoutDelay.map { now + $0 }
    if isConnected, let deadline = rtp?.nextDeadline { next = min(next ?? deadline, deadline) }
    if let deadline = silenceDeadline { next = min(next ?? deadline, deadline) }
    if let deadline = paths?.nextDeadline { next = min(next ?? deadline, deadline) }
    guard let next else { return }
    // A timer that fires too early costs less than a system call to put it off with every packet.
    if let timerDeadline, timerDeadline <= next { return }
    timerDeadline = next
    timer.fire(after: next - now)
  }

  private func transmit(_ packet: inout RTPSession.OutgoingPacket) {
    guard let srtp, let paths else { return }
    do {
      switch packet.kind {
      case .rtp: try srtp.protectRTP(&packet.bytes)
      case .rtcp: try srtp.protectRTCP(&packet.bytes)
      }
    } catch {
      return transport.refused += 1
    }
    packet.bytes.withUnsafeBytes { _ = paths.send($0) }
  }
}
