import ArgumentParser
import Carillon

/// The command's exit codes. They are API: scripts branch on them.
enum ExitStatus: Int32 {
  case success = 0
  case failure = 1
  case declined = 10
  case busy = 11
  case noAnswer = 12
  case nothingInCommon = 13
  case connectivity = 14
  case usage = 64
  case corruptData = 65
  case serverUnreachable = 69
  case cannotCreateOutput = 73
  case timedOut = 75
  case protocolError = 76
  case authentication = 77
  case configuration = 78

  init(_ code: CallError.Code) {
    self =
      switch code {
      case .declined, .declinedElsewhere: .declined
      case .busy: .busy
      case .noAnswer: .noAnswer
      case .nothingInCommon: .nothingInCommon
      case .connectivity: .connectivity
      case .serverUnreachable: .serverUnreachable
      case .timedOut: .timedOut
      case .protocolViolation: .protocolError
      case .authentication: .authentication
      case .configuration: .configuration
      case .corrupt: .corruptData
      case .output: .cannotCreateOutput
      default: .failure
      }
  }
}

/// Why the command ends without success: what it says and how it exits.
struct CommandFailure: Error, Equatable {
  /// A word for programs; `CallError.Code`'s, where there is one.
  var code: String
  var message: String
  var exitCode: Int32

  init(code: String, message: String, status: ExitStatus) {
    self.code = code
    self.message = message
    exitCode = status.rawValue
  }

  /// The failure behind any error that reaches the command's end.
  init(_ error: any Error) {
    switch error {
    case let failure as CommandFailure: self = failure
    case let error as CallError:
      self.init(code: error.code.description, message: error.message, status: ExitStatus(error.code))
    case is CancellationError: self.init(code: "failed", message: "The call was cancelled.", status: .failure)
    default: self.init(code: "failed", message: "\(error)", status: .failure)
    }
  }

  /// The user's signal ended the command.
  init(signal: Int32) {
    code = "interrupted"
    message = "Interrupted."
    exitCode = 128 + signal
  }
}
