import Dispatch
import Synchronization

/// What a recording was given and its disk was not: collected for half a second, then written at once on a file thread.
///
/// So a process that is killed loses half a second, and a codec thread never waits for the disk. Nothing is dropped: a disk that
/// takes nothing for 10 s fails the recording, which keeps what it has. A producer that is faster than real time waits whenever
/// the limit (a minute of audio, unless told otherwise) is queued.
final class WriteBehind<Block: Sendable>: Sendable {
  private static var collectingTime: DispatchTimeInterval { .milliseconds(500) }
  private static var longestStall: Duration { .seconds(10) }
  /// One minute at 48 kHz, for blocks that weigh as much as they have sample frames.
  static var minute: Int { 2_880_000 }

  private struct State {
    var blocks: [Block] = []
    var weight = 0
    var waitingSince: ContinuousClock.Instant?
    var failure: MediaFileError?
    var isFailureTold = false
    var isFinished = false
  }

  private let state = Mutex(State())
  private let queue = DispatchQueue(label: "carillon.recording")
  private let path: String
  private let limit: Int
  private let write: @Sendable ([Block]) throws(MediaFileError) -> Void

  /// - Parameters:
  ///   - limit: how much the blocks that wait may weigh together.
  ///   - write: writes the blocks and makes the file playable up to them; called on the file thread only.
  init(path: String, limit: Int = minute, write: @escaping @Sendable ([Block]) throws(MediaFileError) -> Void) {
    self.path = path
    self.limit = limit
    self.write = write
  }

  /// Why the recording stopped before its end, if it did.
  var failure: MediaFileError? { state.withLock { $0.failure } }

  /// Takes a block of so much weight.
  ///
  /// - Throws: the failure, once; from then on, blocks are ignored.
  func append(_ block: Block, weight: Int) throws(MediaFileError) {
    let (isFirst, isFull) = try state.withLock { state throws(MediaFileError) in
      if let waitingSince = state.waitingSince, state.failure == nil, .now - waitingSince > Self.longestStall {
        state.failure = MediaFileError(
          code: .cannotWrite, path: path, reason: "the disk is too slow: it took nothing for 10 s")
      }
      if let failure = state.failure {
        if state.isFailureTold { return (false, false) }
        state.isFailureTold = true
        throw failure
      }
      guard !state.isFinished else { return (false, false) }
      let isFirst = state.blocks.isEmpty
      if isFirst { state.waitingSince = .now }
      state.blocks.append(block)
      state.weight += weight
      return (isFirst, state.weight >= limit)
    }
    if isFull {
      queue.sync { drain() }
    } else if isFirst {
      queue.asyncAfter(deadline: .now() + Self.collectingTime) { self.drain() }
    }
  }

  /// Writes what is left, then runs `complete`; returns when both are done. Only the first call does anything.
  func finish(_ complete: @escaping @Sendable () throws(MediaFileError) -> Void) {
    let wasFinished = state.withLock { state in
      defer { state.isFinished = true }
      return state.isFinished
    }
    if wasFinished { return }
    queue.sync {
      drain()
      attempt(complete)
    }
  }

  private func drain() {
    let blocks = state.withLock { state in
      defer { (state.blocks, state.weight, state.waitingSince) = ([], 0, nil) }
      return state.failure == nil ? state.blocks : []
    }
    guard !blocks.isEmpty else { return }
    attempt { () throws(MediaFileError) in try write(blocks) }
  }

  private func attempt(_ body: () throws(MediaFileError) -> Void) {
    do throws(MediaFileError) { try body() } catch {
      state.withLock { state in state.failure = state.failure ?? error }
    }
  }
}
