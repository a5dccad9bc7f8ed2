import Glibc
import NIOCore
import Synchronization

/// What is under way in the two directions of a bytestream, between its event loop and its tasks.
///
/// Bounds: of what is received, 16 chunks or 1 MiB wait for the reader, and one turn of the event loop more; then the
/// socket is not read. Of what is sent, `SOCKS5Connection.maximumBytesUnderWay` and one buffer wait for the socket; then
/// the sender waits.
final class SOCKS5Flow: Sendable {
  private static let maximumChunks = 16
  private static let maximumBytes = 1 << 20

  private struct State {
    /// Why nothing goes on any more; nil as long as it does.
    var failure: SOCKS5ConnectionError?

    var chunks: [ByteBuffer] = []
    var bytes = 0
    var isInputClosed = false
    /// The channel would have read more.
    var isReadHeld = false
    var reader: CheckedContinuation<Void, Never>?

    var underWay = 0
    var isFinishing = false
    var senders: [(count: Int, continuation: CheckedContinuation<Void, any Error>)] = []
    var finisher: CheckedContinuation<Void, any Error>?

    var isFull: Bool { chunks.count >= SOCKS5Flow.maximumChunks || bytes >= SOCKS5Flow.maximumBytes }
  }

  private let state = Mutex(State())

  var failure: SOCKS5ConnectionError? { state.withLock { $0.failure } }

  // MARK: Receiving

  /// - Returns: the next chunk, and whether the channel is to read on; nil when there is none yet.
  func take() throws -> (chunk: ByteBuffer?, wantsMore: Bool)? {
    try state.withLock { state in
      guard !state.chunks.isEmpty else {
        if state.isInputClosed { return (nil, false) }
        if let failure = state.failure { throw failure }
        return nil
      }
      let chunk = state.chunks.removeFirst()
      state.bytes -= chunk.readableBytes
      let hasRoom = state.bytes <= Self.maximumBytes / 2 && state.chunks.count <= Self.maximumChunks / 2
      let wantsMore = state.isReadHeld && hasRoom
      if wantsMore { state.isReadHeld = false }
      return (chunk, wantsMore)
    }
  }

  /// Waits until `take` finds something.
  nonisolated(nonsending) func waitForChunk() async {
    await withCheckedContinuation { continuation in
      // It may have come in the meantime.
      let isReady = state.withLock { state in
        precondition(state.reader == nil, "a bytestream has one reader")
        if !state.chunks.isEmpty || state.isInputClosed || state.failure != nil { return true }
        state.reader = continuation
        return false
      }
      if isReady { continuation.resume() }
    }
  }

  /// - Returns: whether the channel may read. If not, it is told later.
  func mayRead() -> Bool {
    state.withLock { state in
      state.isReadHeld = state.isFull
      return !state.isFull
    }
  }

  func received(_ chunk: ByteBuffer) {
    let reader = state.withLock { state -> CheckedContinuation<Void, Never>? in
      guard state.failure == nil else { return nil }
      state.chunks.append(chunk)
      state.bytes += chunk.readableBytes
      return state.reader.take()
    }
    reader?.resume()
  }

  func inputClosed() {
    let reader = state.withLock { state in
      state.isInputClosed = true
      return state.reader.take()
    }
    reader?.resume()
  }

  // MARK: Sending

  /// - Returns: false when there is no room yet.
  func reserve(_ count: Int) throws -> Bool {
    try state.withLock { state in
      try Self.checkSending(state)
      guard state.underWay < SOCKS5Connection.maximumBytesUnderWay, state.senders.isEmpty else { return false }
      state.underWay += count
      return true
    }
  }

  nonisolated(nonsending) func waitToReserve(_ count: Int) async throws {
    try await withCheckedThrowingContinuation { continuation in
      let ready = state.withLock { state -> Result<Void, any Error>? in
        do { try Self.checkSending(state) } catch { return .failure(error) }
        if state.underWay < SOCKS5Connection.maximumBytesUnderWay, state.senders.isEmpty {
          state.underWay += count
          return .success(())
        }
        state.senders.append((count, continuation))
        return nil
      }
      if let ready { continuation.resume(with: ready) }
    }
  }

  private static func checkSending(_ state: State) throws {
    if let failure = state.failure { throw failure }
    precondition(!state.isFinishing, "nothing is sent on a bytestream after its end")
  }

  func written(_ count: Int, _ result: Result<Void, any Error>) {
    if case .failure(let error) = result { return end(.lost(error)) }
    let (senders, finisher) = state.withLock { state in
      state.underWay -= count
      var senders: [CheckedContinuation<Void, any Error>] = []
      while state.underWay < SOCKS5Connection.maximumBytesUnderWay, let next = state.senders.first {
        state.senders.removeFirst()
        state.underWay += next.count
        senders.append(next.continuation)
      }
      return (senders, state.underWay == 0 ? state.finisher.take() : nil)
    }
    for sender in senders { sender.resume() }
    finisher?.resume()
  }

  /// - Returns: false when that has been said before.
  func beginFinishing() -> Bool {
    state.withLock { state in
      defer { state.isFinishing = true }
      return !state.isFinishing
    }
  }

  nonisolated(nonsending) func waitUntilWritten() async throws {
    try await withCheckedThrowingContinuation { continuation in
      let ready = state.withLock { state -> Result<Void, any Error>? in
        if let failure = state.failure { return .failure(failure) }
        if state.underWay == 0 { return .success(()) }
        state.finisher = continuation
        return nil
      }
      if let ready { continuation.resume(with: ready) }
    }
  }

  // MARK: The end

  /// The channel is gone.
  func channelClosed() {
    // After both sides have finished, this is the end of what is received.
    if state.withLock({ $0.isFinishing && $0.underWay == 0 && $0.failure == nil }) { inputClosed() }
    end(SOCKS5ConnectionError(.lost, "The other side closed the bytestream."))
  }

  /// Nothing goes on: who waits is told why. What has been received whole is still given out.
  func end(_ failure: SOCKS5ConnectionError) {
    let (reader, senders, finisher) = state.withLock { state in
      if state.failure == nil {
        state.failure = failure
        if failure.kind == .closed || failure.kind == .cancelled {
          state.chunks = []
          state.bytes = 0
          state.isInputClosed = false
        }
      }
      defer { state.senders = [] }
      return (state.reader.take(), state.senders, state.finisher.take())
    }
    reader?.resume()
    for sender in senders { sender.continuation.resume(throwing: failure) }
    finisher?.resume(throwing: failure)
  }
}

/// Carries what the channel receives into the flow, no faster than it drains.
final class SOCKS5FlowHandler: ChannelDuplexHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  /// As much comes in an interval where it comes fast: from 80 MB/s on.
  private static let much = 8 << 20
  private static let interval = TimeAmount.milliseconds(100)
  /// What the socket waits for then. Waking for less goes through several threads for little.
  private static let batch: SocketOptionValue = 1 << 20

  private let flow: SOCKS5Flow
  private var count = 0
  /// Since when it counts.
  private var start = NIODeadline.now()
  private var isBatching = false
  private var check: Scheduled<Void>?

  init(_ flow: SOCKS5Flow) { self.flow = flow }

  func handlerRemoved(context: ChannelHandlerContext) { check?.cancel() }

  func read(context: ChannelHandlerContext) {
    if flow.mayRead() { context.read() }
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let chunk = unwrapInboundIn(data)
    flow.received(chunk)
    count += chunk.readableBytes
    guard check == nil, count >= Self.much else { return }
    let now = context.eventLoop.now
    if now - start <= Self.interval {
      adapt(context)
    } else {
      (count, start) = (0, now)
    }
  }

  /// What comes fast comes in batches. Whoever falls behind that, or stops, is heard byte by byte again.
  private func adapt(_ context: ChannelHandlerContext) {
    let isFast = count >= Self.much
    (count, start) = (0, context.eventLoop.now)
    if isFast != isBatching {
      isBatching = isFast
      let option = ChannelOptions.socketOption(.init(rawValue: SO_RCVLOWAT))
      try? context.channel.syncOptions?.setOption(option, value: isFast ? Self.batch : 1)
    }
    check = isFast ? context.eventLoop.assumeIsolated().scheduleTask(in: Self.interval) { self.adapt(context) } : nil
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if case ChannelEvent.inputClosed = event { flow.inputClosed() }
    context.fireUserInboundEventTriggered(event)
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    flow.end(.lost(error))
    context.close(promise: nil)
  }

  func channelInactive(context: ChannelHandlerContext) {
    flow.channelClosed()
    context.fireChannelInactive()
  }
}
