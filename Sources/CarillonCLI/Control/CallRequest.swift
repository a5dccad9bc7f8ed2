import Carillon
import FoundationEssentials
import MediaCodecs

/// What somebody asks of a call, by a key or by a line of JSON.
struct CallRequest: Equatable, Sendable {
  var action: Action
  /// Which call; nil where there is but one.
  var sid: String?

  enum Action: Equatable, Sendable {
    case mute(MediaKind)
    case unmute(MediaKind)
    case hold
    case unhold
    case addVideo(VideoArgument, size: VideoSize? = nil, category: CallContent.Category? = nil)
    /// Nil: the one that was added last.
    case removeVideo(content: String?)
    case dtmf(String)
    case restartICE
    case statistics
    case hangUp
    /// Decides on a call that rings.
    case answer
    case decline
    // What only keys ask for: they know no state.
    case toggleMute
    case toggleHold
    case toggleCamera

    /// As it is called in JSON.
    var command: String {
      switch self {
      case .mute: "mute"
      case .unmute: "unmute"
      case .hold, .toggleHold: "hold"
      case .unhold: "unhold"
      case .addVideo: "addVideo"
      case .removeVideo: "removeVideo"
      case .dtmf: "dtmf"
      case .restartICE: "restartICE"
      case .statistics: "statistics"
      case .hangUp: "hangUp"
      case .answer: "answer"
      case .decline: "decline"
      case .toggleMute, .toggleCamera: "mute"
      }
    }
  }

  init(_ action: Action, sid: String? = nil) {
    self.action = action
    self.sid = sid
  }
}

/// Why a request is not carried out.
struct RequestFailure: Error, Equatable {
  /// A word for programs: `usage`, `noCall`, `ambiguous`, or a `CallError.Code`'s.
  var code = "usage"
  var message: String
  /// Which was asked for, as far as that could be read.
  var command: String?

  init(code: String = "usage", _ message: String, command: String? = nil) {
    (self.code, self.message, self.command) = (code, message, command)
  }

  init(_ error: any Error, command: String) {
    self =
      if let failure = error as? RequestFailure {
        RequestFailure(code: failure.code, failure.message, command: command)
      } else {
        RequestFailure(code: CommandFailure(error).code, CommandFailure(error).message, command: command)
      }
  }
}

// MARK: JSON

extension CallRequest {
  /// The most that a line may have, in bytes.
  static let maximumLineLength = 64 * 1024

  /// Reads a line such as `{"command":"mute","media":"audio"}`.
  init(line: [UInt8]) throws(RequestFailure) {
    guard line.count <= Self.maximumLineLength else {
      throw RequestFailure("The line is longer than \(Self.maximumLineLength / 1024) KiB.")
    }
    guard let text = String(validating: line, as: UTF8.self) else { throw RequestFailure("The line is not UTF-8.") }
    let decoded: [String: Field]
    do {
      decoded = try JSONDecoder().decode([String: Field].self, from: Data(text.utf8))
    } catch DecodingError.typeMismatch, DecodingError.valueNotFound {
      throw RequestFailure(#"The line is no JSON object; write {"command":"…"}."#)
    } catch {
      throw RequestFailure("The line is not JSON.")
    }
    var fields = Fields(decoded)
    guard let command = try fields.take("command") else { throw RequestFailure(#"The line has no "command"."#) }
    fields.command = command
    sid = try fields.take("sid")
    action = try Self.action(command, &fields)
    try fields.finish()
  }

  private static func action(_ command: String, _ fields: inout Fields) throws(RequestFailure) -> Action {
    switch command {
    case "mute": return .mute(try fields.take("media", MediaKind.self) ?? .audio)
    case "unmute": return .unmute(try fields.take("media", MediaKind.self) ?? .audio)
    case "hold": return .hold
    case "unhold": return .unhold
    case "addVideo":
      let source = try fields.need("source") { try VideoArgument(argument: $0) }
      let size = try fields.take("size") { try VideoSize(option: $0) }
      let category = try fields.take("category", CallContent.Category.self)
      switch (source, size) {
      case (.standardInput, _):
        throw RequestFailure("Pictures cannot come through standard input: commands do.", command: command)
      case (_, nil), (.file, _): return .addVideo(source, size: size, category: category)
      default: throw RequestFailure(#""size" scales the pictures of files."#, command: command)
      }
    case "removeVideo": return .removeVideo(content: try fields.take("content"))
    case "dtmf": return .dtmf(try fields.need("digits") { try DTMFDigits(argument: $0).text })
    case "restartICE": return .restartICE
    case "statistics": return .statistics
    case "hangUp": return .hangUp
    case "answer": return .answer
    case "decline": return .decline
    default:
      // Not echoed as the error's `command`: it is none.
      throw RequestFailure("There is no command '\(command.prefix(64))'.")
    }
  }

  /// A value that commands may have: text, and nothing else is looked into.
  private enum Field: Decodable {
    case text(String)
    case other

    init(from decoder: any Decoder) throws {
      self = (try? decoder.singleValueContainer().decode(String.self)).map { .text($0) } ?? .other
    }
  }

  /// What a line says, each to be taken once.
  private struct Fields {
    private var values: [String: Field]
    var command: String?

    init(_ values: [String: Field]) { self.values = values }

    mutating func take(_ key: String) throws(RequestFailure) -> String? {
      switch values.removeValue(forKey: key) {
      case nil: return nil
      case .text(let text): return text
      case .other: throw RequestFailure("\"\(key)\" is no string.", command: command)
      }
    }

    mutating func take<Value>(
      _ key: String, _ transform: (String) throws -> Value
    ) throws(RequestFailure) -> Value? {
      guard let text = try take(key) else { return nil }
      do { return try transform(text) } catch {
        throw RequestFailure("\"\(key)\": \(error)", command: command)
      }
    }

    mutating func take<Word: RawRepresentable<String> & CaseIterable>(
      _ key: String, _: Word.Type
    ) throws(RequestFailure) -> Word? {
      guard let text = try take(key) else { return nil }
      guard let word = Word(rawValue: text) else {
        let words = Word.allCases.map(\.rawValue).joined(separator: ", ")
        throw RequestFailure("\"\(key)\" is none of \(words).", command: command)
      }
      return word
    }

    mutating func need<Value>(
      _ key: String, _ transform: (String) throws -> Value
    ) throws(RequestFailure) -> Value {
      guard let value = try take(key, transform) else {
        throw RequestFailure("The command \(command ?? "") needs \"\(key)\".", command: command)
      }
      return value
    }

    /// - Throws: for what is left, which would be a slip of the pen.
    func finish() throws(RequestFailure) {
      guard let key = values.keys.min() else { return }
      throw RequestFailure("The command \(command ?? "") takes no \"\(key.prefix(64))\".", command: command)
    }
  }
}
