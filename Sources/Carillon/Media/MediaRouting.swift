import RTPCore
import Synchronization

/// Which pipelines take what comes over one transport. Asked on its media loop; nobody holds it for longer than a look.
final class MediaRouting: Sendable {
  private struct Pipelines {
    var audio: AudioPipeline?
    var video: [Int: VideoPipeline] = [:]
  }

  private let pipelines = Mutex(Pipelines())

  var audio: AudioPipeline? {
    get { pipelines.withLock { $0.audio } }
    set { pipelines.withLock { $0.audio = newValue } }
  }

  /// - Parameter stream: the index in the transport's session.
  subscript(stream: Int) -> VideoPipeline? {
    get { pipelines.withLock { $0.video[stream] } }
    set { pipelines.withLock { $0.video[stream] = newValue } }
  }
}
