import RTPCore
import Synchronization

/// What is on its way from the codec threads to an endpoint's loop. Callable from any thread; nobody waits.
struct MediaOutbox: ~Copyable, Sendable {
  struct Frames {
    /// Bound: 25 frames (as many as a late codec thread makes at once), the oldest dropped.
    var audio: [EncodedAudioFrame] = []
    /// Bound: 10 frames; then all are dropped up to the next key frame, which is asked for.
    var video: [(frame: EncodedVideoFrame, stream: Int)] = []
    /// The streams that go on with a key frame.
    var broken: Set<Int> = []
    /// The streams whose decoders need a key frame of the peer.
    var undecodable: Set<Int> = []

    fileprivate var isEmpty: Bool { audio.isEmpty && video.isEmpty && undecodable.isEmpty }
  }

  private let frames = Mutex(Frames())

  /// - Returns: whether there was nothing before: the loop is to be woken.
  func add(_ frame: EncodedAudioFrame) -> Bool {
    add { frames in
      if frames.audio.count == 25 { frames.audio.removeFirst() }
      frames.audio.append(frame)
    }
  }

  /// - Returns: whether there was nothing before.
  func add(_ frame: EncodedVideoFrame, stream: Int) -> Bool {
    add { frames in
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

  /// - Returns: whether there was nothing before.
  func addUndecodable(stream: Int) -> Bool {
    add { $0.undecodable.insert(stream) }
  }

  /// Takes everything out, but for what is broken: that lasts until a key frame comes.
  func take() -> Frames {
    frames.withLock { frames in
      defer {
        frames.audio.removeAll(keepingCapacity: true)
        frames.video.removeAll(keepingCapacity: true)
        frames.undecodable.removeAll()
      }
      return frames
    }
  }

  private func add(_ change: (inout Frames) -> Void) -> Bool {
    frames.withLock { frames in
      defer { change(&frames) }
      return frames.isEmpty
    }
  }
}
