/// Why a data channel carries nothing more.
package enum DataChannelFailure: Error, Hashable, Sendable {
  case noSockets
  /// ICE found no way.
  case noPath
  /// There was a path, and the peer is not heard there any more.
  case consentLost
  case dtls(String)
  /// The peer's certificate is not the one whose fingerprint was signalled.
  case fingerprintMismatch
  case sctp(SCTPFailure)
  /// The peer ended the connection before it ended its stream.
  case closedByPeer
  /// The peer does what data channels for streams do not: unordered or lossy ones, data on two at once.
  case unsuitable
  /// Not connected in time.
  case timedOut
  /// This side has closed it.
  case closed
}

/// A stream of bytes in each direction, as data channels carry it: this side's on a channel that it opens, the peer's
/// on one of the peer's or on the same. Lives on the SCTP loop; not thread-safe.
///
/// - Specification: RFC 8831 §6, RFC 8832, XEP-0343 §1
final class DataChannel {
  struct Configuration {
    var label = ""
    var subprotocol = ""
    /// A channel that signalling has named, which is not opened in band.
    var negotiated: UInt16?
    /// The largest message that the peer takes.
    var sendLimit = 65_536
    /// This side's part in the handshake decides about channels' numbers: the client has the even ones.
    var role: DTLSRole
    var association = SCTPAssociation.Configuration()
  }

  /// Messages are of at most this size, whatever the peer takes: other peers have something smaller in mind.
  static let maximumMessage = 65_536
  /// What is kept for a reader that is slow, before the peer has to wait. One read of usrsctp may come on top.
  static let maximumUnread = 1 << 20

  private(set) var failure: DataChannelFailure?

  private let configuration: Configuration
  private let stream: UInt16
  private let changed: () -> Void
  private var association: SCTPAssociation!
  private var isConnected = false
  /// All that was sent has arrived.
  private var isAcknowledged = true
  private var isEndConfirmed = false
  private var isFinishing = false
  private var isShutDown = false

  private var incoming: UInt16?
  private var hasIncomingEnded = false
  /// Streams that the peer opened.
  private var opened: Set<UInt16> = []
  private var control: [UInt16: [UInt8]] = [:]
  private var chunks: ArraySlice<[UInt8]> = []
  private var unread = 0

  /// Who waits for something to change. Two at most: one sends, one receives.
  private var waiters: [CheckedContinuation<Void, Never>] = []
  private let wakeup = LoopSource()

  /// - Parameters:
  ///   - send: carries one SCTP packet to the peer.
  ///   - changed: is told when the channel is connected, and when it fails.
  init(
    _ configuration: Configuration, send: @escaping (UnsafeRawBufferPointer) -> Void, changed: @escaping () -> Void
  ) {
    self.configuration = configuration
    self.changed = changed
    stream = configuration.negotiated ?? (configuration.role == .client ? 0 : 1)
    association = SCTPAssociation(configuration.association, send: send) { [weak self] in self?.receive($0) }
    wakeup.attach(to: SCTPStack.shared.loop.context) { [weak self] in self?.wake() }
  }

  deinit {
    wakeup.destroy()
    for waiter in waiters { waiter.resume() }
  }

  var isOpen: Bool { isConnected && failure == nil }

  func connect() {
    do {
      try association.connect()
    } catch {
      fail(.sctp(error))
    }
  }

  /// Takes one SCTP packet from the peer.
  func receive(_ packet: UnsafeRawBufferPointer) {
    association.receive(packet)
  }

  func fail(_ reason: DataChannelFailure) {
    if reason != .closed { association.drain() }
    guard failure == nil else { return }
    failure = reason
    association.close()
    changed()
    wake()
  }

  // MARK: Sending

  /// Sends bytes, suspending while the send buffer is full. One caller at a time.
  func send(_ bytes: ArraySlice<UInt8>, isolation: isolated (any Actor)? = #isolation) async throws {
    let size = min(Self.maximumMessage, max(1, configuration.sendLimit))
    var rest = bytes
    while !rest.isEmpty {
      if let failure { throw failure }
      precondition(!isFinishing, "nothing is sent after the end")
      let message = rest.prefix(size)
      let result = isConnected ? message.withUnsafeBytes { association.send($0, stream: stream, ppid: .binary) } : .full
      switch result {
      case .sent:
        isAcknowledged = false
        rest = rest.dropFirst(message.count)
      case .full: try await wait()
      case .failed: throw failure ?? .sctp(.lost)
      }
    }
  }

  /// Ends this side's stream: returns when the peer has all that was sent.
  func finish(isolation: isolated (any Actor)? = #isolation) async throws {
    while !isConnected {
      if let failure { throw failure }
      try await wait()
    }
    isFinishing = true
    // A peer that cannot end streams has at least acknowledged all.
    var isAsked = false
    while !isEndConfirmed {
      if isAcknowledged, failure != nil || isShutDown { return }
      if let failure { throw failure }
      if isShutDown { throw DataChannelFailure.closedByPeer }
      if isAcknowledged, !isAsked {
        isAsked = true
        association.end(stream)
        continue
      }
      try await wait()
    }
  }

  // MARK: Receiving

  /// The next bytes that came; nil at the end of the peer's stream. One caller at a time.
  ///
  /// - Throws: when the connection ends before the stream does, after all that came was received.
  func next(isolation: isolated (any Actor)? = #isolation) async throws -> [UInt8]? {
    while true {
      if let chunk = chunks.popFirst() {
        unread -= chunk.count
        if unread < Self.maximumUnread / 2, !association.isReading { association.resume() }
        return chunk
      }
      if hasIncomingEnded { return nil }
      if let failure { throw failure }
      if isShutDown { return nil }
      try await wait()
    }
  }

  /// Ends the connection; what is under way is lost.
  func close() {
    fail(.closed)
  }

  // MARK: Waiting

  private func wait(isolation: isolated (any Actor)? = #isolation) async throws {
    try Task.checkCancellation()
    let wakeup = wakeup
    await withTaskCancellationHandler {
      _ = isolation  // What does not capture the isolation does not have it.
      await withCheckedContinuation { waiter in
        precondition(SCTPStack.shared.loop.isOnLoop, "channels live on the SCTP loop")
        waiters.append(waiter)
      }
    } onCancel: {
      wakeup.fireNow()
    }
    try Task.checkCancellation()
  }

  private func wake() {
    let waiting = waiters
    waiters = []
    for waiter in waiting { waiter.resume() }
  }

  // MARK: What the association tells

  private func receive(_ event: SCTPAssociation.Event) {
    switch event {
    case .connected:
      isConnected = true
      if configuration.negotiated == nil {
        let open = DataChannelMessage.Open(label: configuration.label, subprotocol: configuration.subprotocol)
        say(.open(open), on: stream)
      }
      changed()
    case .bytes(let bytes, let stream, let ppid, let isEnd):
      return receive(bytes, on: stream, DataChannelPayload(rawValue: ppid), isEnd: isEnd)
    case .endedStreams(let streams): ended(streams)
    case .confirmedEnd(let streams, let isRefused):
      if streams.isEmpty || streams.contains(stream) || isRefused { isEndConfirmed = isFinishing }
    case .acknowledged: isAcknowledged = true
    case .writable: break
    case .closed(nil): isShutDown = true
    case .closed(let failure?): fail(failure == .aborted ? .closedByPeer : .sctp(failure))
    }
    wake()
  }

  private func receive(
    _ bytes: UnsafeRawBufferPointer, on stream: UInt16, _ payload: DataChannelPayload?, isEnd: Bool
  ) {
    switch payload {
    case .control: receiveControl(bytes, on: stream, isEnd: isEnd)
    case .text, .binary, .partialText, .partialBinary:
      if incoming == nil { incoming = stream }
      guard incoming == stream, !hasIncomingEnded else { return fail(.unsuitable) }
      chunks.append(Array(bytes))
      unread += bytes.count
      if unread >= Self.maximumUnread { association.isReading = false }
      wake()
    case .emptyText, .emptyBinary: break
    case nil: fail(.unsuitable)
    }
  }

  private func receiveControl(_ bytes: UnsafeRawBufferPointer, on stream: UInt16, isEnd: Bool) {
    let message = (control.removeValue(forKey: stream) ?? []) + bytes
    guard isEnd else {
      guard message.count <= DataChannelMessage.maximumLength, control.count < 16 else { return fail(.unsuitable) }
      control[stream] = message
      return
    }
    switch message.count <= DataChannelMessage.maximumLength ? DataChannelMessage(message) : nil {
    case .open(let open):
      // Nothing is opened on a stream that is in use (RFC 8832 §6).
      let isOwn = stream == self.stream && configuration.negotiated == nil
      guard open.isStream, !isOwn, opened.insert(stream).inserted else { return fail(.unsuitable) }
      say(.acknowledge, on: stream)
    case .acknowledge: break  // Nothing waits for it: what is sent arrives in order (RFC 8832 §6).
    case nil: fail(.unsuitable)
    }
  }

  /// - Specification: RFC 8831 §6.7
  private func ended(_ streams: [UInt16]) {
    let isIncoming = incoming.map { streams.isEmpty || streams.contains($0) }
    // Of a channel that signalling named there may have been neither opening nor bytes.
    let known = configuration.negotiated.map { opened.union([$0]) } ?? opened
    if isIncoming ?? (streams.isEmpty || !known.isDisjoint(with: streams)) { hasIncomingEnded = true }
    // The channel is closed in both directions; this side's own goes on until `finish`.
    for ended in streams where opened.remove(ended) != nil && ended != stream { association.end(ended) }
  }

  private func say(_ message: DataChannelMessage, on stream: UInt16) {
    // When the buffer is full, the peer's channels are many; the acknowledgement is of no consequence.
    _ = message.bytes.withUnsafeBytes { association.send($0, stream: stream, ppid: .control) }
  }
}

extension SCTPAssociation {
  fileprivate func send(
    _ message: UnsafeRawBufferPointer, stream: UInt16, ppid: DataChannelPayload
  ) -> SendResult { send(message, stream: stream, ppid: ppid.rawValue) }
}
