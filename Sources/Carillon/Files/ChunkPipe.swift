import NIOCore
import Synchronization

/// Bytes between one task that writes and one that reads.
///
/// Bound: who writes waits while `capacity` bytes are there that were not read. Nothing is dropped.
final class ChunkPipe: Sendable {
  /// The pipe was rewound, and another reads it now.
  struct Interrupted: Error {}
  /// Nobody reads any more.
  struct Abandoned: Error {}

  private struct State {
    /// To be read.
    var future = ByteQueue()
    /// What was read, while it can be read again.
    var past: ByteQueue? = ByteQueue()
    var end: Result<Void, any Error>?
    var isOpen = false
    var isAbandoned = false
    /// How often it was rewound.
    var turn = 0
    /// How often anything was read.
    var reads = 0
    var reader: CheckedContinuation<Void, Never>?
    var writer: CheckedContinuation<Void, Never>?
  }

  private let state = Mutex(State())
  private let capacity: Int
  private let memory: Int

  /// - Parameters:
  ///   - capacity: in bytes; at least one chunk is taken.
  ///   - memory: so many bytes from the beginning can be read again.
  init(capacity: Int = 1 << 20, memory: Int = 0) {
    self.capacity = capacity
    self.memory = memory
  }

  // MARK: The reader

  /// Begins to read, or to read again from the beginning, in the place of who has read until now.
  ///
  /// - Returns: what to read with; nil when the beginning is gone.
  func rewind() -> Int? {
    let (turn, waiting) = state.withLock { state -> (Int?, [CheckedContinuation<Void, Never>?]) in
      guard var past = state.past else { return (nil, []) }
      past.append(state.future)
      state.future = past
      state.past = ByteQueue()
      state.turn += 1
      state.isOpen = true
      return (state.turn, [state.reader.take(), state.writer.take()])
    }
    for continuation in waiting { continuation?.resume() }
    return turn
  }

  /// - Parameters:
  ///   - count: how many bytes at most.
  ///   - turn: what `rewind` gave.
  /// - Returns: what comes next, as soon as there is anything; nil at the end.
  /// - Throws: what the writer ended with, `Interrupted`, or `CancellationError`.
  func read(_ count: Int, turn: Int) async throws -> ByteBuffer? {
    while true {
      typealias Step = (result: Result<ByteBuffer?, any Error>?, writer: CheckedContinuation<Void, Never>?)
      let (result, writer) = state.withLock { state -> Step in
        if state.turn != turn { return (.failure(Interrupted()), nil) }
        if state.isAbandoned { return (.failure(Abandoned()), nil) }
        if let chunk = state.future.removeFirst(count) {
          state.reads += 1
          state.past?.append(chunk)
          if state.past?.count ?? 0 > memory { state.past = nil }
          return (.success(chunk), state.future.count < capacity ? state.writer.take() : nil)
        }
        // Who waits until all was read may go on.
        return (state.end.map { end in end.map { nil } }, state.end == nil ? nil : state.writer.take())
      }
      writer?.resume()
      if let result { return try result.get() }
      try await wait(\.reader) { $0.turn == turn && $0.future.isEmpty && $0.end == nil && !$0.isAbandoned }
    }
  }

  /// Reads no more: what was not read, and what is written from now on, comes to nothing.
  func abandon() {
    let waiting = state.withLock { state in
      state.isAbandoned = state.end == nil || !state.future.isEmpty
      state.future = ByteQueue()
      state.past = nil
      return [state.reader.take(), state.writer.take()]
    }
    for continuation in waiting { continuation?.resume() }
  }

  /// Ends it with an error once somebody has waited so long, or up to twice as long, for something to read.
  func end(afterIdle limit: Duration) async {
    var reads = -1
    while true {
      do { try await Task.sleep(for: limit) } catch { return }
      let (count, isWaiting) = state.withLock { ($0.reads, $0.reader != nil) }
      if isWaiting, count == reads {
        return finish(throwing: CallError(.timedOut, "Nothing came of the stream that was to be sent for too long."))
      }
      reads = count
    }
  }

  /// Whether somebody reads, and there is nothing.
  var isWaiting: Bool { state.withLock { $0.reader != nil } }

  // MARK: The writer

  /// Waits until somebody reads.
  func waitUntilOpen() async throws { try await wait(\.writer) { !$0.isOpen && !$0.isAbandoned } }

  /// - Throws: `Abandoned`, or `CancellationError`.
  func write(_ chunk: ByteBuffer) async throws {
    try await wait(\.writer) { [capacity] in $0.future.count >= capacity && !$0.isAbandoned && $0.end == nil }
    let (isWritten, reader) = state.withLock { state in
      guard !state.isAbandoned, state.end == nil else { return (false, nil as CheckedContinuation<Void, Never>?) }
      state.future.append(chunk)
      return (true, state.reader.take())
    }
    guard isWritten else { throw Abandoned() }
    reader?.resume()
  }

  /// No more comes; the reader is told when it has read the rest. Only the first end counts.
  func finish(throwing error: (any Error)? = nil) {
    let waiting = state.withLock { state in
      if state.end == nil { state.end = error.map { .failure($0) } ?? .success(()) }
      return [state.reader.take(), state.writer.take()]
    }
    for continuation in waiting { continuation?.resume() }
  }

  /// Waits until all was read.
  ///
  /// - Throws: `Abandoned` when nobody wanted all, or `CancellationError`.
  func drain() async throws {
    try await wait(\.writer) { !$0.future.isEmpty && !$0.isAbandoned }
    if state.withLock({ $0.isAbandoned }) { throw Abandoned() }
  }

  /// Waits for as long as something is so, looked at whenever the other side has done anything.
  private func wait(
    _ side: any WritableKeyPath<State, CheckedContinuation<Void, Never>?> & Sendable,
    while isSo: @Sendable (borrowing State) -> Bool
  ) async throws {
    while state.withLock({ isSo($0) }) {
      try Task.checkCancellation()
      await withTaskCancellationHandler {
        await withCheckedContinuation { continuation in
          let mustWait = state.withLock { state in
            // Who is cancelled later finds the continuation.
            guard isSo(state), !Task.isCancelled else { return false }
            precondition(state[keyPath: side] == nil, "one task reads, and one writes")
            state[keyPath: side] = continuation
            return true
          }
          if !mustWait { continuation.resume() }
        }
      } onCancel: {
        state.withLock { $0[keyPath: side].take() }?.resume()
      }
    }
  }
}

/// Bytes in the order in which they came. Small chunks are put together.
private struct ByteQueue {
  private static let smallest = 64 << 10

  private var chunks = CircularBuffer<ByteBuffer>()
  private(set) var count = 0

  var isEmpty: Bool { count == 0 }

  mutating func append(_ chunk: ByteBuffer) {
    guard chunk.readableBytes > 0 else { return }
    count += chunk.readableBytes
    if !chunks.isEmpty, chunks[chunks.index(before: chunks.endIndex)].readableBytes < Self.smallest,
      chunk.readableBytes < Self.smallest
    {
      chunks.modifyLast { $0.writeImmutableBuffer(chunk) }
    } else {
      chunks.append(chunk)
    }
  }

  mutating func append(_ others: ByteQueue) {
    for chunk in others.chunks { append(chunk) }
  }

  mutating func removeFirst(_ limit: Int) -> ByteBuffer? {
    guard var first = chunks.popFirst() else { return nil }
    let slice = first.readSlice(length: min(limit, first.readableBytes))
    if first.readableBytes > 0 { chunks.prepend(first) }
    count -= slice?.readableBytes ?? 0
    return slice
  }
}

extension CircularBuffer {
  fileprivate mutating func modifyLast(_ body: (inout Element) -> Void) {
    body(&self[index(before: endIndex)])
  }
}
