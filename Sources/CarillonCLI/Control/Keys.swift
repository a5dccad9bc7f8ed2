import Carillon

/// What a key means while the command runs on a terminal.
enum KeyAction: Equatable, Sendable {
  case request(CallRequest.Action)
  case help

  /// - Parameters:
  ///   - key: as the terminal sends it.
  ///   - isRinging: whether a call waits for a decision.
  /// - Returns: nil for keys that mean nothing.
  init?(key: UInt8, isRinging: Bool) {
    switch UnicodeScalar(key) {
    case "a" where isRinging: self = .request(.answer)
    case "d" where isRinging: self = .request(.decline)
    case "m": self = .request(.toggleMute)
    case "h": self = .request(.toggleHold)
    case "v": self = .request(.toggleCamera)
    case "r": self = .request(.restartICE)
    case "i": self = .request(.statistics)
    case "q": self = .request(.hangUp)
    case "?": self = .help
    case "0"..."9", "*", "#": self = .request(.dtmf(String(UnicodeScalar(key))))
    default: return nil
    }
  }

  static let ringingHelp = "keys: a answer, d decline"
  static let callHelp =
    "keys: m mute, h hold, v camera off and on, 0-9 * # telephone keys, r new path (ICE restart), i figures, "
    + "q hang up, ? help"
}

/// Tells keys from the sequences that arrows and the like send, whose letters and digits are no keys.
///
/// - Specification: ECMA-48 §5.4
struct KeyDecoder {
  private enum State { case key, escape, sequence, final }
  private var state = State.key

  mutating func receive(_ bytes: some Sequence<UInt8>) -> [UInt8] {
    // A lone Escape is a key of its own: what comes later does not belong to it.
    if state == .escape { state = .key }
    return bytes.filter { byte in
      switch (state, byte) {
      case (_, 0x1B):
        state = .escape
        return false
      case (.key, _): return (0x20..<0x7F).contains(byte)
      case (.escape, UInt8(ascii: "[")): state = .sequence
      case (.escape, UInt8(ascii: "O")): state = .final
      case (.sequence, 0x20..<0x40): break
      default: state = .key
      }
      return false
    }
  }
}
