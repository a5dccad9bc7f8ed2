import CVPX

/// What libvpx refused, or was not asked for the peer's mistake.
package enum VPXError: Error, Equatable, CustomStringConvertible {
  /// The peer's mistake, or a loss: the bytes are no frame or a damaged one. Nothing is shown until a key frame comes.
  case corruptFrame
  /// There is no picture yet, or a damaged one, to which this frame could refer: ask the peer for a key frame.
  case keyFrameNeeded
  /// The peer's mistake: a picture beyond the decoder's limit. Nothing was allocated for it.
  case tooLarge(VideoSize)
  /// Anything else, in libvpx's words.
  case library(String)

  init(code: vpx_codec_err_t) {
    self = .library(String(cString: vpx_codec_err_to_string(code)))
  }

  package var description: String {
    switch self {
    case .corruptFrame: "a damaged video frame"
    case .keyFrameNeeded: "the video goes on with the next key frame"
    case .tooLarge(let size): "a picture of \(size.width)×\(size.height) is too large"
    case .library(let message): "libvpx: \(message)"
    }
  }
}
