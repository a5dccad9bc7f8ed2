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

  /// What is on its way from the codec thread. Bound: 5 frames, the oldest dropped.
  private struct Outbox: ~Copyable {
    static let bound = 5
    let frames = Mutex<[EncodedAudioFrame]>([])
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

  private var ice: ICEAgent?
  private var certificate: DTLSCertificate?
  private var dtlsParameters: (role: DTLSRole, fingerprints: [CertificateFingerprint])?
  private var dtls: DTLSTransport?
  private var srtp: SRTPSession?
  private var rtp: RTPSession?
  private var playAudio: (@Sendable (PlayoutUnit) -> Void)?

  private var selectedPair: (local: ICECandidate, remote: ICECandidate)?
  private var iceStart: Instant?
  private var iceEnd: Instant?
  private var isStarted = false
  private var isConnected = false
  private var isClosed = false
  private var transport = TransportStatistics()
  private var dtlsReceived = 0
  /// DTLS that arrives before the peer's fingerprint does. Bound: 8 datagrams, later ones dropped (they are repeated).
  private var earlyDTLS: [[UInt8]] = []
  /// Where outgoing packets are encrypted in place.
  private nonisolated(unsafe) let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: 2048, alignment: 16)

  package init(on loop: GLibLoop, _ configuration: Configuration) {
    self.loop = loop
    self.configuration = configuration
    (events, continuation) = AsyncStream.makeStream(of: MediaEvent.self)
  }

  deinit {
    scratch.deallocate()
  }

  // MARK: Set-up

  /// Opens sockets and begins to gather; candidates follow as events.
  package func start() throws -> LocalDescription {
    precondition(ice == nil, "an endpoint is started once")
    timer.attach(to: loop.context) { [unowned self] in self.timeout() }
    outboxSource.attach(to: loop.context) { [unowned self] in self.drainOutbox() }
    let certificate = try DTLSCertificate()
    let settings = ICEAgent.Configuration(
      controlling: configuration.controlling, servers: configuration.servers, relayOnly: configuration.relayOnly,
      localAddresses: configuration.localAddresses)
    let handle: (ICEAgent.Event) -> Void = { [unowned self] event in self.handle(event) }
    guard let agent = ICEAgent(on: loop, settings, handle: handle) else { throw MediaFailure.noSockets }
    ice = agent
    self.certificate = certificate
    guard agent.gather(), let credentials = agent.localCredentials else { throw MediaFailure.noSockets }
    isStarted = true
    return LocalDescription(
      credentials: credentials, fingerprint: certificate.fingerprint, candidates: agent.localCandidates)
  }

  /// The peer's credentials, known once it has answered; ICE's clock starts.
  package func setRemote(_ credentials: ICECredentials) {
    iceStart = iceStart ?? SystemClock.now
    ice?.setRemote(credentials)
  }

  package func addRemote(_ candidates: [ICECandidate]) {
    ice?.addRemote(candidates)
  }

  package func remoteGatheringDone() {
    ice?.remoteGatheringDone()
  }

  /// New local credentials for an ICE restart; candidates must be signalled again under them.
  package func restartICE() -> (ICECredentials, [ICECandidate])? {
    guard let ice else { return nil }
    ice.restart()
    return ice.localCredentials.map { ($0, ice.localCandidates) }
  }

  /// The peer's fingerprints and who begins; DTLS starts as soon as ICE has a path.
  package func setDTLS(role: DTLSRole, fingerprints: [CertificateFingerprint]) {
    guard dtlsParameters == nil else { return }
    dtlsParameters = (role, fingerprints)
    startDTLSIfPossible()
  }

  /// What was negotiated. Media flows once the path is encrypted.
  ///
  /// - Parameter playAudio: called on the loop, once per playout unit; must not block.
  package func startMedia(_ session: RTPSession, playAudio: @escaping @Sendable (PlayoutUnit) -> Void) {
    rtp = session
    self.playAudio = playAudio
    rearm()
  }

  // MARK: Media

  /// Hands one encoded frame over for sending. Callable from any thread; never waits.
  package nonisolated func send(_ frame: EncodedAudioFrame) {
    let wasEmpty = outbox.frames.withLock { frames in
      if frames.count == Outbox.bound { frames.removeFirst() }
      frames.append(frame)
      return frames.count == 1
    }
    if wasEmpty { outboxSource.fireNow() }
  }

  package var statistics: (RTPSession.Statistics?, TransportStatistics) { (rtp?.statistics, transport) }

  package var connectivity: ConnectivityReport {
    ConnectivityReport(
      ice: ice?.state ?? .new, localCandidates: ice?.localCandidates ?? [],
      remoteCandidates: ice?.remoteCandidates ?? [], servers: configuration.servers,
      dtlsDatagramsReceived: dtlsReceived, dtlsStarted: dtls != nil)
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
    ice?.close()
    ice = nil
    dtls = nil
    srtp = nil
    playAudio = nil
    continuation.finish()
  }

  private func drainOutbox() {
    let frames = outbox.frames.withLock { frames in
      defer { frames.removeAll(keepingCapacity: true) }
      return frames
    }
    guard isConnected, !isClosed else { return }
    let now = SystemClock.now
    for frame in frames { rtp?.send(frame, at: now) }
    flush()
  }

  // MARK: What ICE says

  private func handle(_ event: ICEAgent.Event) {
    switch event {
    case .candidate(let candidate):
      // Those that are there at once are part of the description.
      if isStarted { continuation.yield(.candidate(candidate)) }
    case .datagram(let datagram):
      receive(datagram)
    case .gatheringDone:
      continuation.yield(.gatheringDone)
    case .selectedPair(let local, let remote):
      selectedPair = (local, remote)
    case .state(let state):
      continuation.yield(.ice(state))
      switch state {
      case .connected, .ready:
        iceEnd = iceEnd ?? SystemClock.now
        startDTLSIfPossible()
      case .failed:
        continuation.yield(.failed(isConnected ? .consentLost : .noPath))
      case .new, .gathering, .connecting: break
      }
    }
  }

  // MARK: A datagram's way in

  /// Straight line: demultiplex, decrypt in place, hand to the RTP session, see what it wants.
  ///
  /// - Specification: RFC 7983 §7
  private func receive(_ datagram: UnsafeMutableRawBufferPointer) {
    guard let start = datagram.baseAddress, datagram.count > 1, !isClosed else { return }
    switch datagram[0] {
    case 20...63: receiveDTLS(UnsafeRawBufferPointer(datagram))
    case 128...191: receiveMedia(start, count: datagram.count)
    default: transport.unknown += 1
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

  private func receiveMedia(_ packet: UnsafeMutableRawPointer, count: Int) {
    guard let srtp else { return transport.early += 1 }
    let payloadType = packet.load(fromByteOffset: 1, as: UInt8.self)
    do {
      // RFC 5761 §4: RTCP's packet types are 192 to 223.
      let length =
        (192...223).contains(payloadType)
        ? try srtp.unprotectRTCP(packet, count: count) : try srtp.unprotectRTP(packet, count: count)
      let plain = UnsafeBufferPointer(start: packet.assumingMemoryBound(to: UInt8.self), count: length)
      rtp?.receive(plain.span, at: SystemClock.now)
      flush()
    } catch {
      if error.isAuthenticationFailure { transport.unauthenticated += 1 } else { transport.refused += 1 }
    }
  }

  // MARK: DTLS

  private func startDTLSIfPossible() {
    guard dtls == nil, let parameters = dtlsParameters, let certificate, iceEnd != nil, let ice else { return }
    do {
      let transport = try DTLSTransport(
        certificate: certificate, role: parameters.role, fingerprints: parameters.fingerprints,
        send: { ice.send($0) }, handle: { [unowned self] in self.handle($0) })
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
      reportConnection(profile: material.profile, version: version)
      rearm()
    case .failed(let error):
      continuation.yield(.failed(.dtls(error)))
    case .closed:
      continuation.yield(.closedByPeer)
    }
  }

  private func reportConnection(profile: SRTPProfile, version: String) {
    guard let pair = selectedPair, let iceStart, let iceEnd else { return }
    continuation.yield(
      .connected(
        MediaConnection(
          local: pair.local, remote: pair.remote, iceTime: max(.zero, iceEnd - iceStart),
          dtlsTime: SystemClock.now - iceEnd, dtlsVersion: version, srtpProfile: profile)))
  }

  // MARK: The RTP session's wishes

  private func timeout() {
    guard !isClosed else { return }
    if let delay = dtls?.timeoutDelay, delay <= .zero { dtls?.timeout() }
    if isConnected {
      let now = SystemClock.now
      if let deadline = rtp?.nextDeadline, deadline <= now { rtp?.timeout(at: now) }
    }
    flush()
  }

  /// Carries out everything the session wants, then arms the one timer.
  private func flush() {
    while let output = rtp?.nextOutput() {
      switch output {
      case .packet(let packet):
        transmit(packet)
        rtp?.reuse(packet.bytes)
      case .audio(let unit): playAudio?(unit)
      case .event(let event): continuation.yield(.rtp(event))
      }
    }
    rearm()
  }

  private func rearm() {
    let session = isConnected ? rtp?.nextDeadline.map { $0 - SystemClock.now } : nil
    let next = [session, dtls?.timeoutDelay].compactMap(\.self).min()
    timer.fire(after: next)
  }

  private func transmit(_ packet: RTPSession.OutgoingPacket) {
    guard let srtp, let ice, packet.bytes.count + SRTPSession.maximumTrailer <= scratch.count, let start = scratch.baseAddress
    else { return }
    scratch.copyBytes(from: packet.bytes)
    do {
      let length =
        switch packet.kind {
        case .rtp: try srtp.protectRTP(start, count: packet.bytes.count)
        case .rtcp: try srtp.protectRTCP(start, count: packet.bytes.count)
        }
      ice.send(UnsafeRawBufferPointer(start: start, count: length))
    } catch {
      transport.refused += 1
    }
  }
}
