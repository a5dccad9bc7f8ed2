import MediaTime
package import NIOCore
import NIOPosix
import Synchronization
package import XMPPCore

/// Carries out what `InBandStream` asks for: a stream of bytes inside of the stanzas of somebody's connection.
///
/// Give it each iq and message that may be its own, in the order in which they came. One task sends, one receives.
package final class InBandByteStream: Sendable {
  /// Why bytes cannot be sent or received any more.
  package struct Interruption: Error, Sendable, CustomStringConvertible {
    package let end: InBandStream.End

    package var description: String {
      switch end {
      case .finished, .aborted: "The in-band bytestream was closed on this side."
      case .closedByPeer(0): "The peer closed the in-band bytestream."
      case .closedByPeer(let count): "The peer closed the in-band bytestream, with \(count) bytes still to be sent."
      case .failed(.refused(let error)): "The peer does not open the in-band bytestream: \(error)."
      case .failed(.blockRefused(let error)): "A block of the in-band bytestream could not be delivered: \(error)."
      case .failed(.outOfSequence(let expected, let received)):
        "Blocks of the in-band bytestream were lost: number \(received) came instead of \(expected)."
      case .failed(.badBlock(let error)): "The peer sent a block that cannot be read: \(error)."
      case .failed(.overrun): "The peer sends more than was asked for, and does not wait."
      case .failed(.timedOut): "The peer does not answer in the in-band bytestream."
      }
    }
  }

  private struct State {
    var stream: InBandStream
    var isOpen = false
    var end: InBandStream.End?
    /// Received and not yet taken. Bounded by the machine, which holds its answers back.
    var chunks: [[UInt8]] = []
    var firstChunk = 0
    /// When the event loop looks at the machine's deadline.
    var alarm: Instant?
    var opening: Waiter?
    var sending: Waiter?
    var receiving: Waiter?
    var finishing: Waiter?

    var hasChunk: Bool { firstChunk < chunks.count }
  }

  private typealias Waiter = CheckedContinuation<Void, Never>

  private let state: Mutex<State>
  private let output: @Sendable (XMLElement) -> Void
  private let eventLoop = MultiThreadedEventLoopGroup.singleton.next()

  /// - Parameter output: queues a stanza to be sent, in the order of the calls. It is called under a lock: it must not
  ///   wait, nor call back.
  package convenience init(
    opening configuration: InBandStream.Configuration, output: @escaping @Sendable (XMLElement) -> Void
  ) {
    self.init(InBandStream(opening: configuration, at: SystemClock.now), output)
  }

  package convenience init(
    accepting configuration: InBandStream.Configuration, output: @escaping @Sendable (XMLElement) -> Void
  ) {
    self.init(InBandStream(accepting: configuration, at: SystemClock.now), output)
  }

  private init(_ stream: InBandStream, _ output: @escaping @Sendable (XMLElement) -> Void) {
    state = Mutex(State(stream: stream))
    self.output = output
    perform { _, _ in }
  }

  deinit {
    // The tasks that wait hold on to the stream, so that none is left waiting here.
    let output = output
    state.withLock { state in
      state.stream.abort()
      while let next = state.stream.nextOutput() { if case .send(let stanza) = next { output(stanza) } }
    }
  }

  /// How the stream ended; nil while it has not.
  package var end: InBandStream.End? { state.withLock { $0.end } }

  // MARK: Bytes

  /// Returns when both ends have opened the stream.
  package nonisolated(nonsending) func opened() async throws {
    try await wait(\.opening) { !$0.isOpen && $0.end == nil }
    try check { $0.isOpen }
  }

  /// Queues bytes; waits while more than `sendBuffer` of those before are under way.
  package nonisolated(nonsending) func send(_ bytes: ByteBuffer) async throws {
    try await wait(\.sending) { $0.stream.isFull && $0.end == nil }
    let isTaken = perform { stream, now in stream.send(bytes.readableBytesView, at: now) }
    if !isTaken { throw Interruption(end: end ?? .closedByPeer(undelivered: 0)) }
  }

  /// Returns when the peer has everything, and the stream is closed.
  package nonisolated(nonsending) func finish() async throws {
    perform { stream, now in stream.finish(at: now) }
    try await wait(\.finishing) { $0.end == nil }
    try check { $0.end == .finished }
  }

  /// The next bytes from the peer; nil when it has closed the stream.
  package nonisolated(nonsending) func receive() async throws -> ByteBuffer? {
    try await wait(\.receiving) { !$0.hasChunk && $0.end == nil }
    let chunk = state.withLock { state -> [UInt8]? in
      guard state.hasChunk else { return nil }
      let chunk = state.chunks[state.firstChunk]
      state.firstChunk += 1
      if !state.hasChunk {
        state.chunks.removeAll(keepingCapacity: true)
        state.firstChunk = 0
      }
      return chunk
    }
    if let chunk {
      perform { stream, _ in stream.consumed(chunk.count) }
      return ByteBuffer(bytes: chunk)
    }
    try check { if case .failed? = $0.end { false } else { true } }
    return nil
  }

  /// Closes the stream at once, whatever is still to be sent.
  package func close() { perform { stream, _ in stream.abort() } }

  // MARK: Stanzas

  /// - Returns: whether it was this stream's.
  package func receive(_ iq: IQ) -> Bool { perform { stream, now in stream.receive(iq, at: now) } }

  /// - Returns: whether it was this stream's.
  package func receive(_ message: Message) -> Bool { perform { stream, now in stream.receive(message, at: now) } }

  /// The network has taken so many more of the messages with blocks; see `InBandStream.taken`.
  package func taken(_ blocks: Int) { perform { stream, now in stream.taken(blocks, at: now) } }

  /// The connection to the server is lost, and perhaps resumed later.
  package func suspend() { perform { stream, _ in stream.suspend() } }

  package func resume() { perform { stream, now in stream.resume(at: now) } }

  // MARK: The machine

  @discardableResult
  private func perform<Result>(_ change: (inout InBandStream, Instant) -> Result) -> Result {
    let (result, woken, alarm) = state.withLock { state -> (Result, [Waiter], Instant?) in
      let result = change(&state.stream, SystemClock.now)
      var woken: [Waiter?] = []
      while let next = state.stream.nextOutput() {
        switch next {
        case .send(let stanza): output(stanza)
        case .opened:
          state.isOpen = true
          woken.append(state.opening.take())
        case .received(let bytes):
          state.chunks.append(bytes)
          woken.append(state.receiving.take())
        case .drained: woken.append(state.sending.take())
        case .ended(let end):
          state.end = end
          woken += [state.opening.take(), state.sending.take(), state.receiving.take(), state.finishing.take()]
        }
      }
      var alarm: Instant?
      if let deadline = state.stream.nextDeadline, deadline < state.alarm ?? .init(nanoseconds: .max) {
        (state.alarm, alarm) = (deadline, deadline)
      }
      return (result, woken.compactMap(\.self), alarm)
    }
    for waiter in woken { waiter.resume() }
    if let alarm { arm(alarm) }
    return result
  }

  /// The deadline moves with every answer; it is looked at again only when it would have come.
  private func arm(_ alarm: Instant) {
    eventLoop.scheduleTask(in: TimeAmount(Swift.max(.zero, alarm - SystemClock.now))) { [weak self] in
      guard let self else { return }
      state.withLock { if $0.alarm == alarm { $0.alarm = nil } }
      perform { stream, now in stream.timeout(at: now) }
    }
  }

  private func check(_ isGood: (borrowing State) -> Bool) throws {
    let end = state.withLock { isGood($0) ? nil : $0.end }
    if let end { throw Interruption(end: end) }
  }

  /// Waits as long as the condition holds. One task at a time for each kind.
  private nonisolated(nonsending) func wait(
    _ place: any WritableKeyPath<State, Waiter?> & Sendable, while holds: @Sendable (borrowing State) -> Bool
  ) async throws {
    while state.withLock({ holds($0) }) {
      try Task.checkCancellation()
      await withTaskCancellationHandler {
        await withCheckedContinuation { waiter in
          let waits = state.withLock { state in
            // Cancelled before: nobody would come to wake it.
            guard holds(state), !Task.isCancelled else { return false }
            precondition(state[keyPath: place] == nil, "one task at a time")
            state[keyPath: place] = waiter
            return true
          }
          if !waits { waiter.resume() }
        }
      } onCancel: {
        state.withLock { $0[keyPath: place].take() }?.resume()
      }
    }
  }
}

extension InBandByteStream: AsyncSequence {
  package typealias Element = ByteBuffer

  package struct AsyncIterator: AsyncIteratorProtocol {
    fileprivate let stream: InBandByteStream

    package mutating func next() async throws -> ByteBuffer? { try await stream.receive() }
  }

  package func makeAsyncIterator() -> AsyncIterator { AsyncIterator(stream: self) }
}
