import JingleCore
import MediaTime
import XMPPCore

/// What can happen to a file transfer.
enum FileFact: Sendable {
  case accept(from: Int64? = nil)
  case give(FileDescription)
  case accepted(FileDescription?)
  case ready
  case failed(FileTransfer.Replacement)
  case replaced
  case moved(Int)
  case sentAll(Hashes, part: Hashes = Hashes())
  case closed
  case info(FileInfo)
  case verified(Bool)
  case ended(Jingle.Reason?)
  case end(FileTransfer.Cause)
  case left
  case gone
  /// Time passes, and the timer fires.
  case wait(Duration)
}

/// One side's machine with its clock.
final class FileSide {
  static let content = FileInfo.Content(creator: .initiator, name: "a-file-offer")

  /// Without what has tests of its own: the sender's end is not waited for, and the peer not asked whether it is there.
  static let limits = {
    var limits = FileTransfer.Limits()
    limits.ending = .zero
    limits.silence = .seconds(100_000)
    return limits
  }()

  private var machine: FileTransfer
  private(set) var now = Instant(nanoseconds: 0)

  init(
    proposing file: FileDescription, _ direction: FileTransfer.Direction, isAddition: Bool = false,
    limits: FileTransfer.Limits = FileSide.limits
  ) {
    machine = FileTransfer(
      proposing: file, direction, as: Self.content, isAddition: isAddition, limits: limits, at: now)
  }

  init(
    answering file: FileDescription, _ direction: FileTransfer.Direction, limits: FileTransfer.Limits = FileSide.limits
  ) {
    machine = FileTransfer(answering: file, direction, as: Self.content, limits: limits)
  }

  var nextDeadline: Instant? { machine.nextDeadline }
  var isUndecidedAddition: Bool { machine.isUndecidedAddition }
  var canReplaceTransport: Bool { machine.canReplaceTransport }

  @discardableResult
  func callAsFunction(_ fact: FileFact) -> FileTransfer.Action {
    switch fact {
    case .accept(let offset): machine.accept(from: offset, at: now)
    case .give(let file): machine.accept(giving: file, at: now)
    case .accepted(let answer): machine.accepted(answer, at: now)
    case .ready: machine.transportReady(at: now)
    case .failed(let replacement): machine.transportFailed(replacement, at: now)
    case .replaced: machine.transportReplaced(at: now)
    case .moved(let count): machine.moved(count, at: now)
    case .sentAll(let hashes, let part): machine.sentAll(hashes, part: part, at: now)
    case .closed: machine.closedByPeer(at: now)
    case .info(let info): machine.received(info)
    case .verified(let isEqual): machine.verified(isEqual)
    case .ended(let reason): machine.ended(by: reason)
    case .end(let cause): machine.end(cause)
    case .left: leave()
    case .gone: machine.peerIsGone()
    case .wait(let time): pass(time)
    }
  }

  private func leave() -> FileTransfer.Action {
    machine.peerLeft(at: now)
    return .wait
  }

  private func pass(_ time: Duration) -> FileTransfer.Action {
    now = now + time
    return machine.timeout(at: now)
  }

  /// All but the last fact only lead there.
  func after(_ facts: [FileFact]) -> FileSide {
    for fact in facts { self(fact) }
    return self
  }
}
