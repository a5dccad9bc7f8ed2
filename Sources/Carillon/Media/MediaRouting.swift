import MediaEngine
import RTPCore
import Synchronization

/// Which pipelines take what comes over one transport, and which endpoint carries it at present. Asked on media loops and
/// codec threads; nobody holds it for longer than a look.
final class MediaRouting: Sendable {
  private struct Pipelines {
    var endpoint: MediaEndpoint
    var audio: AudioPipeline?
    var video: [Int: VideoPipeline] = [:]
  }

  private let pipelines: Mutex<Pipelines>

  init(_ endpoint: MediaEndpoint) {
    pipelines = Mutex(Pipelines(endpoint: endpoint))
  }

  var endpoint: MediaEndpoint {
    get { pipelines.withLock { $0.endpoint } }
    set { pipelines.withLock { $0.endpoint = newValue } }
  }

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
