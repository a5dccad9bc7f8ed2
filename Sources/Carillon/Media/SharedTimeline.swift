import MediaTime
import RTPCore
import Synchronization

/// The time that a call's sound and pictures share, between their codec threads. Nobody holds it for longer than a sum takes.
final class SharedTimeline: Sendable {
  private let timeline = Mutex(MediaTimeline())

  func time(of audio: ReceivedAudioFrame) -> Duration { timeline.withLock { $0.time(of: audio) } }
  func time(of video: ReceivedVideoFrame) -> Duration { timeline.withLock { $0.time(of: video) } }
  func playedAudio(at time: Duration, now: Instant) { timeline.withLock { $0.playedAudio(at: time, now: now) } }
  func shownVideo(at time: Duration, now: Instant) { timeline.withLock { $0.shownVideo(at: time, now: now) } }
  func playout(of time: Duration, now: Instant) -> Instant { timeline.withLock { $0.playout(of: time, now: now) } }

  /// By how much pictures come before the sound of the same moment; nil while that is unknown.
  var audioVideoOffset: Duration? { timeline.withLock { $0.audioVideoOffset } }
}
