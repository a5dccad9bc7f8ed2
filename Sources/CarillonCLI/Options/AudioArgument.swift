import ArgumentParser
public import Carillon
public import MediaFiles

// MediaFiles stands beside the façade, not on it; its types have the protocols' shape.
extension AudioFileReader: AudioSource {}
extension ToneGenerator: AudioSource {}
extension Speech: AudioSource {}
extension Silence: AudioSource {}

/// What `--audio` names: `PATH`, `tone[:HZ]`, `speech`, `silence` or `none`.
enum AudioArgument: Equatable, Sendable {
  case file(String)
  case tone(hertz: Double)
  case speech
  case silence
  case none

  init(argument: String) throws {
    let word = argument.prefix { $0 != ":" }
    let value = argument.contains(":") ? argument.dropFirst(word.count + 1) : nil
    switch (word, value) {
    case ("tone", nil): self = .tone(hertz: 440)
    case ("tone", let value?):
      guard let hertz = Double(value), (20...20_000).contains(hertz) else {
        throw ValidationError("'\(argument)': a tone has 20 to 20000 Hz, as in tone:1000.")
      }
      self = .tone(hertz: hertz)
    case ("speech", nil): self = .speech
    case ("silence", nil): self = .silence
    case ("none", nil): self = .none
    case ("device", _):
      throw ValidationError("Sound devices are not supported yet; use a file, speech, tone or silence.")
    case ("bars", nil):
      throw ValidationError("'bars' is a picture; for audio use a file, speech, tone or silence.")
    case ("", _): throw ValidationError("The audio source is empty.")
    default: self = .file(argument)
    }
  }

  /// A source of its own for one call; nil sends nothing.
  func makeSource() throws -> (any AudioSource)? {
    do {
      return switch self {
      case .file(let path): try AudioFileReader(path: path)
      case .tone(let hertz): ToneGenerator(frequency: hertz)
      case .speech: try Speech()
      case .silence: Silence()
      case .none: nil
      }
    } catch {
      throw CallError(.media, "The audio cannot be played: \(error)", cause: error)
    }
  }
}
