import RTPCore
import Synchronization

/// From the media loop to the codec thread. Bound: 30 frames (a second), then everything before the newest key frame is
/// dropped, or everything up to the next one, which is asked for: what comes later builds on what was dropped.
final class VideoInbox: Sendable {
  static let bound = 30

  struct Outcome {
    var dropped = 0
    var needsKeyFrame = false
    var needsReader = false
  }

  private struct State {
    var frames: [ReceivedVideoFrame] = []
    var awaitsKeyFrame = false
    var hasReader = false
    var isClosed = false
  }

  private let state = Mutex(State())

  func append(_ frame: ReceivedVideoFrame) -> Outcome {
    state.withLock { state in
      var outcome = Outcome()
      if state.isClosed { return outcome }
      if state.awaitsKeyFrame, !frame.isKeyFrame {
        outcome.dropped = 1
        return outcome
      }
      state.awaitsKeyFrame = false
      state.frames.append(frame)
      if state.frames.count > Self.bound {
        let kept = state.frames.lastIndex { $0.isKeyFrame } ?? 0
        outcome.dropped = kept > 0 ? kept : state.frames.count
        state.frames.removeFirst(outcome.dropped)
        state.awaitsKeyFrame = state.frames.isEmpty
        outcome.needsKeyFrame = state.awaitsKeyFrame
      }
      outcome.needsReader = !state.hasReader && !state.frames.isEmpty
      if outcome.needsReader { state.hasReader = true }
      return outcome
    }
  }

  func next() -> ReceivedVideoFrame? {
    state.withLock { state in
      state.hasReader = false
      return state.frames.isEmpty ? nil : state.frames.removeFirst()
    }
  }

  /// Whether the caller is to see to it that the rest is read.
  func needsReader() -> Bool {
    state.withLock { state in
      guard !state.hasReader, !state.frames.isEmpty else { return false }
      state.hasReader = true
      return true
    }
  }

  /// The thread took no more work: whoever appends next tries again.
  func missedReader() { state.withLock { $0.hasReader = false } }

  func close() {
    state.withLock { state in
      state.isClosed = true
      state.frames.removeAll()
    }
  }
}
