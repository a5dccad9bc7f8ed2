import ArgumentParser
public import Carillon
import MediaCodecs
public import MediaFiles

// MediaFiles stands beside the façade, not on it; its types have the protocols' shape.
extension VideoFileReader: VideoSource {}
extension Y4MReader: VideoSource {}
extension Bars: VideoSource {}

/// What `--video` names: `PATH`, `-` (Y4M on standard input), `bars[:WxH][@FPS]` or `none`.
enum VideoArgument: Equatable, Sendable {
  /// Any video file that FFmpeg reads, Y4M among them.
  case file(String)
  case standardInput
  case bars(VideoSize = VideoSize(width: 640, height: 360), framesPerSecond: Int = 30)
  /// `none`: pictures are wanted and not sent.
  case receiveOnly

  init(argument: String) throws {
    switch argument {
    case "": throw ValidationError("The video source is empty.")
    case "-": self = .standardInput
    case "none": self = .receiveOnly
    case "speech", "silence", "tone":
      throw ValidationError("'\(argument)' is a sound; for video use a file, bars, - or none.")
    case _ where argument == "device" || argument.hasPrefix("device:"):
      throw ValidationError("Cameras are not supported yet; use a file, bars, - or none.")
    case _ where argument == "bars" || argument.hasPrefix("bars:") || argument.hasPrefix("bars@"):
      self = try Self.bars(argument)
    default: self = .file(argument)
    }
  }

  private static func bars(_ argument: String) throws -> VideoArgument {
    let parts = argument.dropFirst("bars".count).split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
    var size = VideoSize(width: 640, height: 360)
    if !parts[0].isEmpty {
      // From 64×60 on, programs can read what the picture says.
      guard let given = VideoSize(argument: parts[0].dropFirst()), given.width >= 64, given.height >= 60 else {
        throw ValidationError("'\(argument)': bars are 64x60 to 16383x16383 large, as in bars:1280x720.")
      }
      size = given
    }
    guard parts.count == 2 else { return .bars(size) }
    guard let rate = Int(parts[1]), (1...120).contains(rate) else {
      throw ValidationError("'\(argument)': bars come 1 to 120 times a second, as in bars@25.")
    }
    return .bars(size, framesPerSecond: rate)
  }

  /// A source of its own for one call; nil sends nothing.
  ///
  /// - Parameter size: what a file's pictures are scaled to.
  func makeSource(size: VideoSize? = nil) throws -> (any VideoSource)? {
    do {
      return switch self {
      // A pipe cannot be looked into twice, as FFmpeg does; neither can it be named.
      case .file(let path) where path.lowercased().hasSuffix(".y4m") && size == nil: try Y4MReader(path: path)
      case .file(let path): try VideoFileReader(path: path, size: size)
      case .standardInput: try Y4MReader.standardInput()
      case .bars(let size, let framesPerSecond): Bars(size: size, framesPerSecond: framesPerSecond)
      case .receiveOnly: nil
      }
    } catch {
      throw CallError(.media, "The video cannot be played: \(error)", cause: error)
    }
  }
}

extension VideoSize {
  /// `WxH`, each 1 to 16383.
  init?(argument: some StringProtocol) {
    let sides = argument.split(separator: "x", omittingEmptySubsequences: false).map { Int($0) }
    guard sides.count == 2, let width = sides[0], let height = sides[1] else { return nil }
    self.init(width: width, height: height)
    guard isValid else { return nil }
  }

  /// As the value of an option.
  init(option argument: String) throws {
    guard let size = VideoSize(argument: argument) else {
      throw ValidationError("'\(argument)' is no size; write it as 640x360.")
    }
    self = size
  }
}
