import ArgumentParser
import Carillon
import FoundationEssentials

/// What `--record` names: a file, whose ending says how it is kept.
struct Recording: Equatable, Sendable {
  enum Format: String, CaseIterable {
    /// Sound, decoded, 16-bit.
    case wav
    /// The peer's Opus packets, untouched.
    case ogg
    /// The peer's Opus, VP8 and VP9, untouched and in sync.
    case webm
    /// Pictures, decoded.
    case y4m

    /// Which of a call's sinks it takes; there is one of each.
    var track: Track {
      switch self {
      case .wav: .audio
      case .y4m: .video
      case .ogg, .webm: .encoded
      }
    }
  }

  enum Track { case audio, video, encoded }

  var path: String
  var format: Format

  init(argument: String) throws {
    let name = argument.split(separator: "/").last ?? ""
    guard !argument.hasSuffix("/"), let dot = name.lastIndex(of: "."), dot > name.startIndex,
      let format = Format(rawValue: name[name.index(after: dot)...].lowercased())
    else {
      throw ValidationError("'\(argument)': a recording ends in .wav, .ogg, .webm or .y4m.")
    }
    path = argument
    self.format = format
  }

  /// The recording of the `count`th call of one run: `x.wav`, `x-2.wav`, `x-3.wav`.
  func numbered(_ count: Int) -> Recording {
    guard count > 1, let dot = path.lastIndex(of: ".") else { return self }
    var other = self
    other.path = "\(path[..<dot])-\(count)\(path[dot...])"
    return other
  }

  /// Finds out before the call whether the file can be made, without touching what may be there.
  func check() throws {
    let manager = FileManager.default
    var isDirectory = false
    let folder = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    let problem: String? =
      if !manager.fileExists(atPath: folder, isDirectory: &isDirectory) {
        "there is no folder \(folder)"
      } else if !isDirectory {
        "\(folder) is no folder"
      } else if manager.fileExists(atPath: path, isDirectory: &isDirectory) {
        isDirectory ? "it is a folder" : manager.isWritableFile(atPath: path) ? nil : "it may not be written"
      } else {
        manager.isWritableFile(atPath: folder) ? nil : "\(folder) may not be written"
      }
    guard let problem else { return }
    throw CommandFailure(
      code: "cannotCreateOutput", message: "\(path) cannot be recorded: \(problem).", status: .cannotCreateOutput)
  }
}
