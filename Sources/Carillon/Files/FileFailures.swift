import JingleCore
import XMPPCore

// What people are told of a transfer that failed.
extension Client {
  func error(of failure: JingleCore.FileTransfer.Failure, _ transfer: ActiveTransfer) -> CallError {
    let (peer, name, later) = (transfer.peer, transfer.summary.name, transfer.prospects)
    return switch failure {
    case .local(.cancelled): CallError(.failed, "The transfer of \(name) was cancelled.", cause: failure)
    case .local(.notAvailable):
      CallError(.failed, "\(peer) asked for a file and was not given it.", cause: failure)
    case .local(.tooLarge):
      transfer.fileError
        ?? CallError(
          .output, "\(name) is larger than the \(configuration.maximumFileSize ?? 0) bytes that are taken here.",
          cause: failure)
    case .local(.fileFailed):
      transfer.fileError
        ?? CallError(.input, "\(name) cannot be read or written, or was changed meanwhile.", cause: failure)
    case .declined(let reason) where reason?.condition == .busy:
      CallError(.busy, "\(peer.bare) is busy. Try again later.", cause: failure)
    case .declined(let reason) where reason?.fileTransfer == .fileTooLarge:
      CallError(
        .declined, "\(peer.bare) has no room for \(name), or takes none as large as \(name).", cause: failure)
    case .declined(let reason):
      CallError(
        .declined,
        "\(peer.bare) does not \(transfer.direction == .sending ? "take" : "give") \(name)\(Self.words(reason)).",
        cause: failure)
    case .notAdded:
      CallError(.failed, "\(peer) takes no more files in the session that \(name) was to go in.", cause: failure)
    case .endedByPeer(let reason) where reason?.condition == .success:
      CallError(.failed, "\(peer) ended the transfer before it had all of \(name).", cause: failure)
    case .endedByPeer(let reason) where reason?.condition == .timeout:
      CallError(.timedOut, "\(peer) waited too long for \(name). \(later)", cause: failure)
    case .endedByPeer(let reason)
    where reason?.condition == .failedTransport || reason?.condition == .connectivityError:
      CallError(.connectivity, "\(peer) gave up the way for \(name)\(Self.words(reason)). \(later)", cause: failure)
    case .endedByPeer(let reason):
      CallError(.failed, "\(peer) ended the transfer of \(name)\(Self.words(reason)).", cause: failure)
    case .notAvailable: CallError(.declined, "\(peer) has no such file, or does not give it.", cause: failure)
    case .tooLarge where transfer.direction == .receiving:
      CallError(
        .output, "More of \(name) comes than the \(configuration.maximumFileSize ?? 0) bytes that are taken here.",
        cause: failure)
    case .tooLarge: CallError(.output, "\(peer) has no more room for \(name). \(later)", cause: failure)
    case .outsideFile: CallError(.protocolViolation, "\(peer) wants a part that \(name) has not.", cause: failure)
    case .unanswered: CallError(.noAnswer, "\(peer) did not answer the offer of \(name).", cause: failure)
    case .unconnected:
      CallError(
        .connectivity,
        "No way was found for \(name): \(transfer.failures.map { "\($0.way.rawValue): \(Self.clause($0.why))" }.joined(separator: "; ")).",
        cause: failure)
    case .interrupted:
      CallError(
        .connectivity,
        "The transfer of \(name) broke off\(transfer.failures.last.map { ": \(Self.clause($0.why))" } ?? ""). \(later)",
        cause: failure)
    case .tooFewBytes:
      CallError(.connectivity, "\(peer) stopped before all of \(name) had come. \(later)", cause: failure)
    case .gone: CallError(.connectivity, "\(peer) left before all of \(name) was moved. \(later)", cause: failure)
    case .tooManyBytes: CallError(.protocolViolation, "\(peer) sends more than \(name) was to have.", cause: failure)
    case .stalled: CallError(.timedOut, "Nothing more of \(name) was moved for too long. \(later)", cause: failure)
    case .tooSlow: CallError(.timedOut, "\(name) moved too slowly. \(later)", cause: failure)
    case .unconfirmed: CallError(.timedOut, "\(peer) never said that it has all of \(name).", cause: failure)
    case .checksumMissing:
      CallError(
        .corrupt, "\(peer) never sent the checksum of \(name): nobody knows whether it is whole.", cause: failure)
    case .corrupt:
      CallError(.corrupt, "\(name) arrived with another hash than it was sent with, and is not kept.", cause: failure)
    }
  }

  func error(of failure: JingleSession.Failure, _ transfer: ActiveTransfer) -> CallError {
    let peer = transfer.peer
    return switch failure {
    case .unavailable:
      CallError(.noAnswer, "\(peer) is not there, or takes no files from this account.", cause: failure)
    case .overloaded: CallError(.busy, "\(peer) has no room for another transfer.", cause: failure)
    case .redirected(let address):
      CallError(.failed, "\(peer) takes files at \(address ?? "another address").", cause: failure)
    case .tieBreak: CallError(.failed, "\(peer) was beginning the same session.", cause: failure)
    case .unknownSession:
      CallError(
        .failed, "\(peer) no longer knows the transfer of \(transfer.summary.name). \(transfer.prospects)",
        cause: failure)
    case .refused(let error): CallError(.protocolViolation, "\(peer) refused the session: \(error).", cause: failure)
    case .unanswered: CallError(.timedOut, "\(peer) did not answer a request in time.", cause: failure)
    case .disconnected:
      CallError(.serverUnreachable, "The connection to the server went down before the transfer began.", cause: failure)
    }
  }

  /// Without the full stop, to go on after.
  private static func clause(_ sentence: String) -> Substring {
    sentence.hasSuffix(".") ? sentence.dropLast() : sentence[...]
  }

  private static func words(_ reason: Jingle.Reason?) -> String {
    reason.map { $0.text.map { ": \($0)" } ?? " (\($0.condition))" } ?? ""
  }
}

extension ActiveTransfer {
  /// What people are told of going on with it later.
  fileprivate var prospects: String {
    isResumable
      ? "What has come is kept: when \(summary.name) is offered again, it goes on from there."
      : "It cannot be gone on with: let it be sent again from its beginning."
  }

  /// Whether what has come is of use later, as far as this side knows.
  private var isResumable: Bool { file.range != nil && file.size != nil && part?.isResumable ?? true }
}
