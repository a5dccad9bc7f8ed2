import MediaTime
import RTPCore

/// What a data channel's endpoint tells its owner. Few for each.
package enum DataChannelEvent: Sendable {
  /// A local candidate to signal to the peer: of the newest ICE generation, as the following two events are.
  case candidate(ICECandidate)
  case gatheringDone
  case ice(ICEState)
  /// Bytes can flow, on this path, encrypted.
  case connected(MediaPath, dtlsVersion: String)
  /// They go another way from now on.
  case pathChanged(MediaPath)
  case restartFailed
  /// Nothing will flow any more.
  case failed(DataChannelFailure)
}

/// A stream of bytes to and from the peer over SCTP, DTLS and ICE.
///
/// Its executor is the SCTP loop, as a call's endpoint has a media loop. Created by `start`, ended by `close`.
///
/// - Specification: XEP-0343, RFC 8831
package actor DataChannelEndpoint {
  package struct Configuration: Sendable {
    package var ice: ICEConfiguration
    /// Name and protocol of the channel that this side opens: the content's name, and what Conversations writes.
    package var label: String
    package var subprotocol = "xmpp-jingle"
    /// A channel that signalling names, and that is not opened in band.
    package var negotiated: UInt16?
    /// How long it may take from the peer's credentials to the connection.
    package var timeout = Duration.seconds(30)

    package init(_ ice: ICEConfiguration, label: String = "") {
      self.ice = ice
      self.label = label
    }
  }

  /// What signalling tells about the peer's end.
  package struct Remote: Sendable {
    /// This side's part in the handshake.
    package var role: DTLSRole
    package var fingerprints: [CertificateFingerprint]
    package var port: UInt16
    /// The largest message that the peer takes.
    package var sendLimit: Int

    package init(role: DTLSRole, fingerprints: [CertificateFingerprint], port: UInt16 = 5000, sendLimit: Int = 65_536) {
      self.role = role
      self.fingerprints = fingerprints
      self.port = port
      self.sendLimit = sendLimit
    }
  }

  package typealias LocalDescription = MediaEndpoint.LocalDescription

  /// To be signalled: the port, and the largest message that is taken (any; it need not be kept whole).
  package static let localPort: UInt16 = 5000
  package static let maximumMessageSize: UInt64 = 262_144
  /// The numbers that a channel may have are those below.
  package static let maximumStreams = SCTPAssociation.maximumStreams

  package nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }
  /// In order; finishes with `close`. One consumer.
  package nonisolated let events: AsyncStream<DataChannelEvent>

  private nonisolated let loop = SCTPStack.shared.loop
  private let continuation: AsyncStream<DataChannelEvent>.Continuation
  private let configuration: Configuration
  private let timer = LoopSource()

  private var transport: SecureTransport?
  private var remote: Remote?
  private var channel: DataChannel?
  private var dtlsVersion: String?
  private var isConnected = false
  private var isClosed = false
  private var failure: DataChannelFailure?
  /// Callers that wait for the channel to exist.
  private var waiters: [CheckedContinuation<Void, Never>] = []
  /// When the connection must stand.
  private var deadline: Instant?

  package init(_ configuration: Configuration) {
    self.configuration = configuration
    (events, continuation) = AsyncStream.makeStream(of: DataChannelEvent.self)
  }

  // What calls back holds the endpoint weakly, so one that is dropped is closed.
  isolated deinit {
    close()
  }

  // MARK: Set-up

  /// Opens sockets and begins to gather; candidates follow as events.
  ///
  /// - Throws: `DataChannelFailure`, `DTLSError`, or `CancellationError` when the endpoint is closed already.
  package func start() throws -> LocalDescription {
    precondition(transport == nil, "an endpoint is started once")
    if isClosed { throw CancellationError() }
    timer.attach(to: loop.context) { [weak self] in self?.assumeIsolated { $0.timeout() } }
    let application = DTLSTransport.Application(
      opened: { [weak self] version in self?.assumeIsolated { $0.opened(version) } },
      received: { [weak self] packet in
        // Proof: it is read before the call returns, on the thread that this is.
        nonisolated(unsafe) let packet = packet
        self?.assumeIsolated { $0.channel?.receive(packet) }
      })
    let transport = try SecureTransport(
      on: loop, configuration.ice, application: application,
      handleICE: { [weak self] event in self?.assumeIsolated { $0.handle(event) } },
      handleDTLS: { [weak self] event, _ in self?.assumeIsolated { $0.handle(event) } })
    let local = try begin(transport)
    self.transport = transport
    return local
  }

  private func begin(_ transport: SecureTransport, servers: [ICEServer]? = nil) throws -> LocalDescription {
    guard let local = transport.begin(servers: servers) else { throw DataChannelFailure.noSockets }
    transport.paths.widenReceiveBuffers(to: Int32(SCTPAssociation.bufferSize))
    return local
  }

  /// The credentials of the peer's newest ICE generation; the time to connect in begins.
  package func setRemote(_ credentials: ICECredentials) {
    guard transport?.paths.setRemote(credentials) == true else { return }
    if !isConnected { deadline = deadline ?? SystemClock.now + configuration.timeout }
    rearm()
  }

  /// Candidates of the peer's newest ICE generation; those that name the `ufrag` of another are left out.
  package func addRemote(_ candidates: [ICECandidate]) {
    transport?.paths.addRemote(candidates)
  }

  package func remoteGatheringDone() {
    transport?.paths.remoteGatheringDone()
  }

  /// What else the peer said; DTLS starts as soon as ICE has a path.
  package func connect(_ remote: Remote) {
    guard self.remote == nil else { return }
    self.remote = remote
    transport?.setDTLS(role: remote.role, fingerprints: remote.fingerprints)
    rearm()
  }

  /// Looks for a new path beside the one in use, which goes on meanwhile.
  ///
  /// - Returns: what to signal; nil when the endpoint is closed.
  /// - Specification: RFC 8445 §9
  package func restartICE(servers: [ICEServer]? = nil) throws -> LocalDescription? {
    guard let transport else { return nil }
    let local = try begin(transport, servers: servers)
    rearm()
    return local
  }

  // MARK: Bytes

  /// Sends bytes in order, suspending before there is a connection and while 2 MiB are under way. One caller at a time.
  ///
  /// - Throws: `DataChannelFailure`, or `CancellationError`; some of the bytes may have been sent then.
  package func send(_ bytes: ArraySlice<UInt8>) async throws {
    try await established().send(bytes)
  }

  package func send(_ bytes: [UInt8]) async throws {
    try await send(bytes[...])
  }

  /// Ends this side's stream: returns once the peer has all of it. What the peer sends still comes.
  package func finish() async throws {
    try await established().finish()
  }

  /// What the peer sends, until it ends its stream. While 1 MiB is not received, the peer has to wait. One consumer.
  package nonisolated var received: Received { Received(endpoint: self) }

  package struct Received: AsyncSequence, Sendable {
    let endpoint: DataChannelEndpoint

    package struct AsyncIterator: AsyncIteratorProtocol {
      let endpoint: DataChannelEndpoint

      /// - Throws: `DataChannelFailure` when the connection ends before the stream does.
      package mutating func next() async throws -> [UInt8]? {
        try await endpoint.receive()
      }
    }

    package func makeAsyncIterator() -> AsyncIterator { AsyncIterator(endpoint: endpoint) }
  }

  private func receive() async throws -> [UInt8]? {
    try await established().next()
  }

  /// Ends everything; what is under way is lost. Later calls do nothing.
  package func close() {
    guard !isClosed else { return }
    isClosed = true
    failure = failure ?? .closed
    channel?.close()
    timer.destroy()
    transport?.close()
    transport = nil
    wake()
    continuation.finish()
  }

  // MARK: Waiting

  private func established() async throws -> DataChannel {
    while true {
      if let channel { return channel }
      if let failure { throw failure }
      try Task.checkCancellation()
      await withTaskCancellationHandler {
        await withCheckedContinuation { waiters.append($0) }
      } onCancel: { [timer] in
        timer.fireNow()
      }
    }
  }

  private func wake() {
    let waiting = waiters
    waiters = []
    for waiter in waiting { waiter.resume() }
  }

  // MARK: What the layers tell

  private func handle(_ event: ICEPaths.Event) {
    guard !isClosed else { return }
    switch event {
    case .datagram(let datagram, _): return receive(datagram)
    case .candidate(let candidate): continuation.yield(.candidate(candidate))
    case .gatheringDone: continuation.yield(.gatheringDone)
    case .progress: break
    case .state(let state): continuation.yield(.ice(state))
    case .path(let path):
      if isConnected { continuation.yield(.pathChanged(path)) }
      transport?.startDTLSIfPossible()
    case .failed: fail(transport?.paths.path == nil ? .noPath : .consentLost)
    case .restartFailed: continuation.yield(.restartFailed)
    }
    rearm()
  }

  private func receive(_ datagram: UnsafeMutableRawBufferPointer) {
    guard case .dtls = DatagramKind(datagram.assumingMemoryBound(to: UInt8.self).span) else { return }
    transport?.receive(UnsafeRawBufferPointer(datagram), over: 1)
    if !isConnected { rearm() }
  }

  private func opened(_ version: String) {
    guard let remote, let association = transport?.associations[0], channel == nil else { return }
    dtlsVersion = version
    let settings = DataChannel.Configuration(
      label: configuration.label, subprotocol: configuration.subprotocol, negotiated: configuration.negotiated,
      sendLimit: remote.sendLimit, role: remote.role,
      association: SCTPAssociation.Configuration(localPort: Self.localPort, remotePort: remote.port))
    let channel = DataChannel(
      settings, send: { [weak association] in _ = association?.send($0) },
      changed: { [weak self] in self?.assumeIsolated { $0.channelChanged() } })
    self.channel = channel
    channel.connect()
    wake()
  }

  private func channelChanged() {
    guard let channel, !isClosed else { return }
    if let failure = channel.failure { return fail(failure) }
    guard channel.isOpen, !isConnected, let path = transport?.paths.path, let dtlsVersion else { return }
    isConnected = true
    deadline = nil
    continuation.yield(.connected(path, dtlsVersion: dtlsVersion))
  }

  private func handle(_ event: DTLSTransport.Event) {
    switch event {
    case .connected: break  // Of SRTP.
    case .failed(.fingerprintMismatch): fail(.fingerprintMismatch)
    case .failed(let error): fail(.dtls(error.description))
    case .closed: fail(.closedByPeer)
    }
  }

  private func fail(_ reason: DataChannelFailure) {
    guard failure == nil, !isClosed else { return }
    failure = reason
    deadline = nil
    channel?.fail(reason)
    wake()
    continuation.yield(.failed(reason))
  }

  // MARK: Time

  private func timeout() {
    guard !isClosed else { return }
    wake()
    let now = SystemClock.now
    transport?.timeout(at: now)
    if let deadline, deadline <= now { fail(.timedOut) }
    rearm()
  }

  private func rearm() {
    let now = SystemClock.now
    let next = [transport?.nextDeadline(at: now), deadline].compactMap(\.self).min()
    timer.fire(after: next.map { max(.zero, $0 - now) })
  }
}
