import MediaCodecs
import MediaTime

/// Decoded pictures that wait for their sound, in order.
///
/// Bound: 16 pictures, and the pixels of 16 at 1920×1080; beyond it the oldest is shown at once, since a picture too early is
/// better than none.
struct VideoPlayoutQueue {
  static let limit = 16
  static let pixelLimit = 16 * 1_920 * 1_088

  private var waiting: [(frame: VideoFrame, due: Instant)] = []
  private var pixelCount = 0

  /// When the first one is due.
  var nextDeadline: Instant? { waiting.first?.due }

  /// - Parameter due: when it is to be shown; not before the picture in front of it.
  mutating func append(_ frame: VideoFrame, due: Instant) {
    waiting.append((frame, max(due, waiting.last?.due ?? due)))
    pixelCount += frame.size.pixelCount
  }

  /// The next picture that is to be shown now; nil when there is none.
  mutating func next(at now: Instant) -> VideoFrame? {
    guard let nextDeadline, nextDeadline <= now || isFull else { return nil }
    let frame = waiting.removeFirst().frame
    pixelCount -= frame.size.pixelCount
    return frame
  }

  private var isFull: Bool { waiting.count > Self.limit || pixelCount > Self.pixelLimit }
}
