import CFFmpeg
import CFFmpegShims
import Glibc

/// Why a media file cannot be read or written; its description is a sentence for the user.
public struct MediaFileError: Error, Equatable, CustomStringConvertible {
  public enum Code: Sendable {
    /// There is no file at the path.
    case noSuchFile
    /// The file is there and cannot be opened: permissions, a folder.
    case cannotOpen
    /// No format that FFmpeg knows.
    case notMedia
    /// A media file without an audio stream.
    case noAudio
    /// A media file without pictures.
    case noVideo
    /// The codec is unknown or its data is damaged throughout.
    case cannotDecode
    /// The output cannot be created: the folder is missing or not writable.
    case cannotCreate
    /// The disk is full, failing or too slow; what was written before stays.
    case cannotWrite
  }

  public var code: Code
  public var path: String
  /// What the system said, or what to do; may be empty.
  public var reason: String

  public init(code: Code, path: String, reason: String = "") {
    self.code = code
    self.path = path
    self.reason = reason
  }

  public var description: String {
    let what =
      switch code {
      case .noSuchFile: "no such file: \(path)"
      case .cannotOpen: "cannot open \(path)"
      case .notMedia: "not a media file: \(path)"
      case .noAudio: "no audio in \(path)"
      case .noVideo: "no video in \(path)"
      case .cannotDecode: "cannot decode \(path)"
      case .cannotCreate: "cannot create \(path)"
      case .cannotWrite: "cannot write \(path)"
      }
    return reason.isEmpty ? what : "\(what): \(reason)"
  }
}

/// A status of one of FFmpeg's functions: negative is an error.
struct FFmpegStatus {
  static let endOfFile = carillon_averror_eof()
  static let tryAgain = carillon_averror(EAGAIN)
  static let noSuchFile = carillon_averror(ENOENT)
  static let invalidData = carillon_averror_invalid_data()
  static let streamNotFound = carillon_averror_stream_not_found()

  /// A time that is not known.
  static let noTime = Int64.min

  /// The status in words.
  static func text(_ status: Int32) -> String {
    var buffer = [CChar](repeating: 0, count: 128)
    av_strerror(status, &buffer, buffer.count)
    return String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }

  /// FFmpeg's own lines on stderr are switched off for the whole process: the errors here say what they would.
  static let silenceLog: Void = av_log_set_level(AV_LOG_QUIET)
}
