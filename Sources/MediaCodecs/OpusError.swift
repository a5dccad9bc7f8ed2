import COpus

/// What libopus refused.
package enum OpusError: Error, Equatable, CustomStringConvertible {
  /// The peer's mistake: the bytes are not an Opus packet. The decoder goes on; conceal the packet's duration instead.
  case corruptPacket
  /// Anything else, in libopus's words.
  case library(String)

  init(code: Int32) {
    self = code == OPUS_INVALID_PACKET ? .corruptPacket : .library(String(cString: opus_strerror(code)))
  }

  package var description: String {
    switch self {
    case .corruptPacket: "not an Opus packet"
    case .library(let message): "Opus: \(message)"
    }
  }
}
