package import MediaTime
package import XMPPCore

/// One file's way from its offer or request to its end, as one side sees it.
///
/// ```
/// proposed ── accepted ──▶ connecting ── transportReady ──▶ transferring
/// offered  ── accept ────▶     ▲                                 │
///                              └── transportFailed, at no byte ──┘
///
/// transferring ── sentAll ──▶ awaitingReceipt ── received, ended ──▶ ended
/// transferring ── moved ────▶ awaitingChecksum ─▶ verifying ─▶ awaitingEnd ─▶ ended
/// ```
///
/// Give it facts and do what it answers, then arm a timer for `nextDeadline`. What has no place in its state changes
/// nothing: the facts of one transfer come from a session, a transport and a disk, which do not wait for each other.
///
/// - Specification: XEP-0234 §6, §8
package enum FileTransfer: ~Copyable {
  package enum Direction: Hashable, Sendable, CaseIterable {
    case sending, receiving
  }

  /// How long to wait, and for how much.
  package struct Limits: Hashable, Sendable {
    /// For the peer to accept.
    package var acceptance = Duration.seconds(300)
    /// For each transport to be set up: longer than any needs to find out by itself that it does not work, since the next is
    /// tried only then.
    package var connection = Duration.seconds(90)
    /// For the next byte.
    package var stall = Duration.seconds(30)
    /// Before the rest of a file flows, each side hashes what it has of it, from a disk that may be as slow as this.
    package var rereadBytesPerSecond: Int64 = 20_000_000
    /// Fewer bytes than these in a window of that time are as good as none.
    package var minimumBytesPerSecond: Int64 = 256
    package var rateWindow = Duration.seconds(60)
    /// For a checksum that was promised.
    package var checksum = Duration.seconds(30)
    /// For one that was not: Conversations sends it all the same.
    package var unannouncedChecksum = Duration.zero
    /// For the receiver's word, who may have to read the whole file again.
    package var receipt = Duration.seconds(120)
    /// For the sender, who has sent the last byte, to close: until then more may come, which would be too much.
    package var ending = Duration.milliseconds(250)
    /// For anything from the peer, before it is asked whether it is still there.
    package var silence = Duration.seconds(15)
    /// For a peer that went offline to come back, before it is asked.
    package var absence = Duration.seconds(5)
    /// For the word of a peer that broke off.
    package var farewell = Duration.seconds(2)
    /// More bytes than these are not received, whatever was offered.
    package var maximumLength = Int64.max
    /// More changes of the transport than these are none of good faith.
    package var maximumReplacements = 8

    package init() {}
  }

  /// The bytes of the file that are to be moved; without a length to the end, wherever that is.
  package struct Part: Hashable, Sendable {
    package var offset: Int64
    package var length: Int64?

    package init(offset: Int64 = 0, length: Int64? = nil) {
      self.offset = offset
      self.length = length
    }

    /// nil when the range is not within the file.
    init?(_ range: FileDescription.Range?, of size: Int64?) {
      offset = range?.offset ?? 0
      length = range?.length
      if let size {
        guard offset <= size, (length ?? 0) <= size - offset else { return nil }
        length = length ?? size - offset
      } else if offset > Int64.max - (length ?? 0) {
        return nil
      }
    }

    func reachesEnd(of size: Int64?) -> Bool {
      guard let size else { return length == nil }
      return length == size - offset
    }
  }

  package enum Outcome: Hashable, Sendable {
    /// Held against a hash of that function, or with nil against none.
    case received(verifiedBy: HashAlgorithm?)
    /// Whether the receiver said that it has the file, or only took all and closed.
    case sent(isConfirmed: Bool)
  }

  /// What one stage hands to the next.
  package struct Plan: Sendable {
    let direction: Direction
    let content: FileInfo.Content
    let limits: Limits
    /// Whether the session was there before.
    var isAddition = false
    var file: FileDescription
    var part = Part()
    /// The peer ended the session, content with what was done.
    var sessionIsOver = false
    var replacements = 0
    /// Until when the sender may show that it has more than it offered; nil once it cannot.
    var endsBy: Instant?
    /// When to ask whether the peer is still there.
    var asks: Instant?
    /// The peer was asked, and moved nothing since.
    var isAsked = false

    /// When the rest of a file can begin to flow, on a transport that is there now.
    func beginning(after now: Instant) -> Instant {
      now + .milliseconds(part.offset / max(1, limits.rereadBytesPerSecond / 1000))
    }

    /// The peer has just done something.
    mutating func heard(at now: Instant) {
      asks = now + limits.silence
      isAsked = false
    }
  }

  /// How the bytes come along.
  package struct Progress: Sendable {
    var count: Int64 = 0
    var stalls: Instant
    var windowEnds: Instant
    var windowCount: Int64 = 0
    /// The receiver closed, and this side has not yet told that all was sent.
    var isClosed = false
    /// The receiver said that it has all, and this side has not yet told that all was sent.
    var isConfirmed = false

    /// - Parameter now: when bytes can begin to flow.
    init(_ limits: Limits, at now: Instant) {
      stalls = now + limits.stall
      windowEnds = now + limits.rateWindow
    }
  }

  /// This side offered or asked, and the peer is to decide.
  case proposed(Plan, until: Instant)
  /// The peer offered or asked, and this side is to decide.
  case offered(Plan)
  case connecting(Plan, until: Instant)
  case transferring(Plan, Progress)
  /// The transport broke; the peer's reason may be on its way.
  case brokenOff(Plan, Failure, until: Instant)
  case awaitingChecksum(Plan, until: Instant)
  case verifying(Plan, HashAlgorithm)
  /// All is there and right, and the sender has not closed.
  case awaitingEnd(Plan, verifiedBy: HashAlgorithm?, until: Instant)
  case awaitingReceipt(Plan, until: Instant, isClosed: Bool)
  case ended

  package enum Action: Hashable, Sendable {
    case wait
    /// Accept with this description, then set up the transport.
    case accept(FileDescription)
    /// The peer accepted: set up the transport.
    case connect
    /// Put another transport in the place of the one that failed.
    case replaceTransport
    /// The transport is ready: move these bytes.
    case transfer(Part)
    case send(FileInfo)
    /// Ask the peer whether it still has the session, and tell by `peerIsGone` if it is not there.
    case askPeer
    /// All is there. Hold the whole file, or only this part of it, against the hash, and tell by `verified`.
    case verify(HashValue, of: Part?)
    /// The end: tell the peer this, if anything, and close the transport. For the session's end see `FileSession`.
    case finish(Outcome, telling: FileInfo?)
    /// The end: with nil, the peer knows.
    case fail(Failure, telling: Jingle.Reason?)
  }

  /// This side offers a file, or asks for one.
  ///
  /// - Parameters:
  ///   - file: what is offered, or what is known of the file that is wanted.
  ///   - content: its name in the session, and who put it there.
  ///   - isAddition: whether it is put into a session that runs. Where the session does not take it, it can have one of
  ///     its own.
  package init(
    proposing file: FileDescription, _ direction: Direction, as content: FileInfo.Content, isAddition: Bool = false,
    limits: Limits = Limits(), at now: Instant
  ) {
    let plan = Plan(direction: direction, content: content, limits: limits, isAddition: isAddition, file: file)
    self = .proposed(plan, until: now + limits.acceptance)
  }

  /// The peer offers a file, or asks for one.
  package init(
    answering file: FileDescription, _ direction: Direction, as content: FileInfo.Content, limits: Limits = Limits()
  ) {
    self = .offered(Plan(direction: direction, content: content, limits: limits, file: file))
  }

  /// When `timeout(at:)` is to be called.
  package var nextDeadline: Instant? { [deadline, question].compactMap(\.self).min() }

  /// When this state ends by itself.
  var deadline: Instant? {
    switch self {
    case .proposed(_, let until): until
    case .connecting(_, let until): until
    case .transferring(_, let progress): min(progress.stalls, progress.windowEnds)
    case .brokenOff(_, _, let until): until
    case .awaitingChecksum(_, let until): until
    case .awaitingReceipt(_, let until, _): until
    case .awaitingEnd(_, _, let until): until
    default: nil
    }
  }

  /// Whether the peer has yet to let it into a session that was there before.
  package var isUndecidedAddition: Bool {
    switch self {
    case .proposed(let plan, _): plan.isAddition
    default: false
    }
  }

  /// Whether another transport can take the place of this one without a byte lost or sent twice.
  package var canReplaceTransport: Bool {
    switch self {
    case .connecting: true
    case .transferring(_, let progress): progress.count == 0
    default: false
    }
  }
}

// MARK: - Agreeing

extension FileTransfer {
  /// Takes the file that the peer offers.
  ///
  /// - Parameter offset: where to begin, when the file's beginning is there already or the peer wants to leave it out,
  ///   with all that follows; nil is the part that the peer offers. A peer that knows no ranges begins at the beginning
  ///   all the same: `transfer` tells.
  package mutating func accept(from offset: Int64? = nil, at now: Instant) -> Action {
    let state = leave()
    switch consume state {
    case .offered(var plan) where plan.direction == .receiving:
      guard let offered = Part(plan.file.range, of: plan.file.size) else { return fail(.outsideFile) }
      plan.part = offered
      let size = plan.file.size
      let isCutShort = size != nil && !offered.reachesEnd(of: size)
      if let offset, offset != offered.offset || isCutShort, plan.file.range != nil {
        // A beginning that is longer than the file is that of another one.
        let end = size ?? offered.length.map { offered.offset + $0 }
        let start = offset > end ?? .max ? 0 : offset
        plan.part = Part(offset: start, length: end.map { $0 - start })
        // Its end is written only where the peer wrote one, and it is the only one known.
        let length = plan.file.range?.length == nil || size != nil ? nil : plan.part.length
        plan.file.range = .init(offset: start, length: length)
      }
      guard plan.part.length ?? 0 <= plan.limits.maximumLength else { return fail(.tooLarge) }
      var answer = plan.file
      answer.thumbnails = []
      self = .connecting(plan, until: now + plan.limits.connection)
      return .accept(answer)
    case let state:
      self = state
      return .wait
    }
  }

  /// Gives the file that the peer asks for.
  ///
  /// - Parameter file: all that is to be told of it. Without a range it is given as a whole or not at all.
  package mutating func accept(giving file: FileDescription, at now: Instant) -> Action {
    let state = leave()
    switch consume state {
    case .offered(var plan) where plan.direction == .sending:
      guard let part = Part(plan.file.range, of: file.size) else { return fail(.outsideFile) }
      var answer = file
      if file.range != nil {
        answer.range = .init(offset: plan.file.range?.offset, length: plan.file.range?.length)
      } else if part != Part(nil, of: file.size) {
        // A pipe has no parts.
        return fail(.outsideFile)
      }
      plan.file = answer
      plan.part = part
      self = .connecting(plan, until: now + plan.limits.connection)
      return .accept(answer)
    case let state:
      self = state
      return .wait
    }
  }

  /// The peer accepted.
  ///
  /// - Parameter answer: the description that it answered with, if it is one of a file.
  package mutating func accepted(_ answer: FileDescription?, at now: Instant) -> Action {
    let state = leave()
    switch consume state {
    case .proposed(var plan, _):
      let answer = answer ?? plan.file
      let part = plan.direction == .sending ? plan.partToSend(answer) : plan.partToReceive(answer)
      guard let part else { return fail(.outsideFile) }
      plan.part = part
      if plan.direction == .receiving {
        guard part.length ?? 0 <= plan.limits.maximumLength else { return fail(.tooLarge) }
      }
      self = .connecting(plan, until: now + plan.limits.connection)
      return .connect
    case let state:
      self = state
      return .wait
    }
  }

  /// The peer ended the session, or took the content out of it or did not let it in.
  ///
  /// - Parameter reason: the peer's; nil where it gave none, or the file was never put before it.
  package mutating func ended(by reason: Jingle.Reason?) -> Action {
    let isSuccess = reason?.condition == .success
    let state = leave()
    switch consume state {
    case .proposed(let plan, _):
      if plan.isAddition, reason?.isAboutFile != true { return .fail(.notAdded, telling: nil) }
      return .fail(Failure(declinedFor: reason), telling: nil)
    case .connecting(var plan, _) where isSuccess && plan.part.length == 0:
      // Nothing was to be moved.
      if plan.direction == .sending { return finishConfirmed() }
      plan.sessionIsOver = true
      return conclude(plan)
    case .transferring(var plan, let progress) where isSuccess:
      // What was sent is still under way, or this side is yet to hear that the last of it went out.
      plan.sessionIsOver = true
      self = .transferring(plan, progress)
      return .wait
    case .awaitingReceipt where isSuccess:
      return finishConfirmed()
    case .awaitingChecksum(var plan, _) where isSuccess:
      plan.sessionIsOver = true
      return conclude(plan)
    case .verifying(var plan, let algorithm):
      plan.sessionIsOver = true
      self = .verifying(plan, algorithm)
      return .wait
    case .awaitingEnd(var plan, let algorithm, _):
      plan.sessionIsOver = true
      return finish(plan, verifiedBy: algorithm)
    case .awaitingReceipt where reason?.condition == .mediaError && reason?.application == nil:
      // The receiver has all of it, and it is not right.
      return .fail(.corrupt, telling: nil)
    case .ended:
      return .wait
    default:
      return .fail(reason?.fileTransfer == .fileTooLarge ? .tooLarge : .endedByPeer(reason), telling: nil)
    }
  }

  /// This side ends it.
  package mutating func end(_ cause: Cause) -> Action {
    let state = leave()
    switch consume state {
    case .ended:
      return .wait
    case .offered where cause == .cancelled:
      return .fail(.local(.cancelled), telling: Jingle.Reason(.decline))
    default:
      return fail(.local(cause))
    }
  }

  /// Takes the state out: who handles it sets the next one, or leaves the machine ended.
  mutating func leave() -> FileTransfer {
    let state = consume self
    self = .ended
    return state
  }

  func fail(_ failure: Failure) -> Action {
    .fail(failure, telling: failure.reason)
  }
}

extension FileTransfer.Plan {
  /// What the receiver wants of an offer.
  fileprivate func partToSend(_ answer: FileDescription) -> FileTransfer.Part? {
    let range = answer.range?.isExplicit == true ? answer.range : file.range
    let whole = FileTransfer.Part(nil, of: file.size)
    guard let part = FileTransfer.Part(range, of: file.size) else { return nil }
    // Who offers no ranges, such as of a pipe, has none.
    return file.range == nil && part != whole ? nil : part
  }

  /// What the sender gives on a request. What was asked for holds against another word about it.
  fileprivate mutating func partToReceive(_ answer: FileDescription) -> FileTransfer.Part? {
    let wanted = file.range
    file.hashes.formUnion(answer.hashes)
    file.size = file.size ?? answer.size
    file.name = file.name ?? answer.name
    file.mediaType = file.mediaType ?? answer.mediaType
    file.date = file.date ?? answer.date
    file.range = answer.range?.isExplicit == true ? answer.range : answer.range.flatMap { _ in wanted }
    // A sender that answers without a range knows none, and begins at the beginning.
    guard answer.range == nil || file.range?.offset ?? 0 == wanted?.offset ?? 0 else { return nil }
    let part = FileTransfer.Part(file.range, of: file.size)
    if answer.range != nil, let most = wanted?.length, let part, part.length ?? .max > most { return nil }
    return part
  }
}
