import MediaCodecs
import NIOCore
import Synchronization
import XMPPCore

/// Hashes what is written, on a thread beside the disk's. For one task.
///
/// Bound: 2 MiB, and one buffer, wait to be hashed; then `update` waits.
///
/// `@unchecked Sendable`: `hash` is touched by whoever drains the queue, of whom the state lets there be one at a time,
/// and after that by `finish`; the rest never changes or is under the lock.
final class BackgroundHash: @unchecked Sendable {
  private static let maximumBytes = 2 << 20

  private struct State {
    var buffers: [ByteBuffer] = []
    /// Of the buffers, and of those being hashed.
    var bytes = 0
    var isDraining = false
    var waiter: (maximum: Int, continuation: CheckedContinuation<Void, Never>)?
  }

  private let thread: CodecThread
  private let state = Mutex(State())
  private var hash: RunningHash?

  init(_ hash: consuming RunningHash, on thread: CodecThread) {
    self.hash = consume hash
    self.thread = thread
  }

  /// Adds what comes next.
  nonisolated(nonsending) func update(_ bytes: ByteBuffer) async {
    let (begins, waits) = state.withLock { state in
      state.buffers.append(bytes)
      state.bytes += bytes.readableBytes
      defer { state.isDraining = true }
      return (!state.isDraining, state.bytes > Self.maximumBytes)
    }
    // Where there is no room for it on the thread, it is done here.
    if begins, !thread.perform({ self.drain() }) { drain() }
    if waits { await wait(for: Self.maximumBytes / 2) }
  }

  /// One value a function, once. Nothing may follow.
  nonisolated(nonsending) func finish() async -> [HashValue] {
    await wait(for: 0)
    return hash.take()?.finish() ?? []
  }

  private nonisolated(nonsending) func wait(for maximum: Int) async {
    await withCheckedContinuation { continuation in
      let isDone = state.withLock { state in
        if state.bytes <= maximum, maximum > 0 || !state.isDraining { return true }
        precondition(state.waiter == nil, "a hash is for one task")
        state.waiter = (maximum, continuation)
        return false
      }
      if isDone { continuation.resume() }
    }
  }

  private func drain() {
    var done = 0
    while true {
      let (buffer, woken) = state.withLock { state -> (ByteBuffer?, CheckedContinuation<Void, Never>?) in
        state.bytes -= done
        let buffer = state.buffers.isEmpty ? nil : state.buffers.removeFirst()
        state.isDraining = buffer != nil
        guard let waiter = state.waiter, state.bytes <= waiter.maximum, waiter.maximum > 0 || !state.isDraining else {
          return (buffer, nil)
        }
        state.waiter = nil
        return (buffer, waiter.continuation)
      }
      woken?.resume()
      guard let buffer else { return }
      buffer.withUnsafeReadableBytes { hash?.update($0) }
      done = buffer.readableBytes
    }
  }
}
