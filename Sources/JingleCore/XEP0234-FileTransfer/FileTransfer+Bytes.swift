package import MediaTime
package import XMPPCore

// From the transport to the last byte and its proof.
extension FileTransfer {
  /// Who can put another transport in the place of one that failed.
  package enum Replacement: Hashable, Sendable {
    case thisSide, peer, nobody
  }

  /// Bytes can flow.
  package mutating func transportReady(at now: Instant) -> Action {
    let state = leave()
    switch consume state {
    case .connecting(var plan, _):
      // Of an empty file, or one that is there but for its proof, nothing comes.
      plan.heard(at: now)
      if plan.direction == .receiving, plan.part.length == 0 { return complete(plan, at: now) }
      self = .transferring(plan, Progress(plan.limits, at: plan.beginning(after: now)))
      return .transfer(plan.part)
    case let state:
      self = state
      return .wait
    }
  }

  /// The transport could not be set up, or broke.
  package mutating func transportFailed(_ replacement: Replacement, at now: Instant) -> Action {
    let state = leave()
    switch consume state {
    case .connecting(let plan, _):
      return connect(plan, replacement, at: now)
    case .transferring(let plan, let progress) where progress.count > 0 && progress.count == plan.part.length:
      // All was sent: the receiver's word decides.
      self = .transferring(plan, progress)
      return .wait
    case .transferring(let plan, let progress):
      // The sender cannot know what of the bytes that it sent arrived.
      if progress.count == 0, replacement != .nobody, !plan.sessionIsOver { return connect(plan, replacement, at: now) }
      return breakOff(plan, .interrupted, at: now)
    case let state:
      return senderClosed(state)
    }
  }

  /// Both sides agreed on another transport, which is being set up.
  package mutating func transportReplaced(at now: Instant) -> Action {
    let state = leave()
    switch consume state {
    case .connecting(let plan, _):
      return connect(plan, .peer, at: now)
    case .transferring(let plan, let progress) where progress.count == 0:
      return connect(plan, .peer, at: now)
    case let state:
      self = state
      return .wait
    }
  }

  private mutating func connect(_ plan: Plan, _ replacement: Replacement, at now: Instant) -> Action {
    guard replacement != .nobody, plan.replacements < plan.limits.maximumReplacements else { return fail(.unconnected) }
    var plan = plan
    plan.replacements += 1
    plan.asks = nil
    self = .connecting(plan, until: now + plan.limits.connection)
    return replacement == .thisSide ? .replaceTransport : .wait
  }

  private mutating func breakOff(_ plan: Plan, _ failure: Failure, at now: Instant) -> Action {
    if plan.sessionIsOver { return plan.direction == .sending ? endedEarly() : .fail(failure, telling: nil) }
    self = .brokenOff(plan, failure, until: now + plan.limits.farewell)
    return .wait
  }

  /// The receiver was content before it can have had all.
  private func endedEarly() -> Action { .fail(.endedByPeer(Jingle.Reason(.success)), telling: nil) }

  // MARK: Bytes

  /// Bytes of the file came, or the transport took them.
  package mutating func moved(_ count: Int, at now: Instant) -> Action {
    let state = leave()
    switch consume state {
    case .transferring(var plan, var progress):
      progress.count += Int64(count)
      progress.windowCount += Int64(count)
      if count > 0 {
        progress.stalls = now + plan.limits.stall
        plan.heard(at: now)
      }
      if let length = plan.part.length {
        if progress.count > length { return fail(plan.direction == .receiving ? .tooManyBytes : .local(.fileFailed)) }
        if progress.count == length, plan.direction == .receiving {
          if plan.limits.ending > .zero { plan.endsBy = now + plan.limits.ending }
          return complete(plan, at: now)
        }
      } else if plan.direction == .receiving, progress.count > plan.limits.maximumLength {
        return fail(.tooLarge)
      }
      self = .transferring(plan, progress)
      return .wait
    case .awaitingChecksum where count > 0:
      return fail(.tooManyBytes)
    case .verifying where count > 0:
      return fail(.tooManyBytes)
    case .awaitingEnd where count > 0:
      return fail(.tooManyBytes)
    case let state:
      self = state
      return .wait
    }
  }

  /// This side handed the last byte to the transport.
  ///
  /// - Parameters:
  ///   - hashes: of the whole file.
  ///   - partHashes: of the part that was asked for, where that is not the whole.
  package mutating func sentAll(_ hashes: Hashes, part partHashes: Hashes = Hashes(), at now: Instant) -> Action {
    let state = leave()
    switch consume state {
    case .transferring(var plan, let progress) where plan.direction == .sending:
      // A file may change while it is sent.
      let isChanged = hashes.values.contains { value in
        plan.file.hashes[value.algorithm].map { $0 != value } ?? false
      }
      if isChanged || plan.part.length.map({ $0 != progress.count }) ?? false { return fail(.local(.fileFailed)) }
      if plan.sessionIsOver || progress.isConfirmed { return finishConfirmed() }
      plan.heard(at: now)
      self = .awaitingReceipt(plan, until: now + plan.limits.receipt, isClosed: progress.isClosed)
      let isNew = hashes.values.contains { plan.file.hashes[$0.algorithm] == nil }
      guard isNew || !partHashes.isEmpty else { return .wait }
      let range = FileDescription.Range(offset: plan.part.offset, length: plan.part.length, hashes: partHashes)
      return .send(.checksum(plan.content, hashes, range: partHashes.isEmpty ? nil : range))
    case let state:
      self = state
      return .wait
    }
  }

  /// The peer closed its end of the transport.
  package mutating func closedByPeer(at now: Instant) -> Action {
    let state = leave()
    switch consume state {
    case .transferring(let plan, _) where plan.direction == .receiving && plan.part.length == nil:
      return complete(plan, at: now)
    case .transferring(let plan, var progress) where progress.count == plan.part.length:
      // Who sees the last byte closes, perhaps before this side is told that the byte went out.
      progress.isClosed = true
      self = .transferring(plan, progress)
      return .wait
    case .transferring(let plan, _):
      return breakOff(plan, plan.direction == .receiving ? .tooFewBytes : .interrupted, at: now)
    case .awaitingReceipt(let plan, let until, _):
      self = .awaitingReceipt(plan, until: until, isClosed: true)
      return .wait
    case let state:
      return senderClosed(state)
    }
  }

  /// No more than all can come.
  private mutating func senderClosed(_ state: consuming FileTransfer) -> Action {
    switch consume state {
    case .awaitingChecksum(var plan, let until):
      plan.endsBy = nil
      self = .awaitingChecksum(plan, until: until)
      return .wait
    case .verifying(var plan, let algorithm):
      plan.endsBy = nil
      self = .verifying(plan, algorithm)
      return .wait
    case .awaitingEnd(var plan, let algorithm, _):
      plan.endsBy = nil
      return finish(plan, verifiedBy: algorithm)
    case let state:
      self = state
      return .wait
    }
  }

  // MARK: Proof

  /// The peer's news about this file.
  package mutating func received(_ info: FileInfo) -> Action {
    switch info {
    case .checksum(_, let hashes, let range): receivedChecksum(hashes, range)
    case .received: receivedReceipt()
    }
  }

  private mutating func receivedChecksum(_ hashes: Hashes, _ range: FileDescription.Range?) -> Action {
    let state = leave()
    switch consume state {
    // It may come at any time: the sender reads the file while this side makes up its mind.
    case .proposed(var plan, let until) where plan.direction == .receiving:
      plan.learn(hashes, range)
      self = .proposed(plan, until: until)
      return .wait
    case .offered(var plan) where plan.direction == .receiving:
      plan.learn(hashes, range)
      self = .offered(plan)
      return .wait
    case .connecting(var plan, let until) where plan.direction == .receiving:
      plan.learn(hashes, range)
      self = .connecting(plan, until: until)
      return .wait
    case .transferring(var plan, let progress) where plan.direction == .receiving:
      plan.learn(hashes, range)
      self = .transferring(plan, progress)
      return .wait
    case .awaitingChecksum(var plan, let until):
      plan.learn(hashes, range)
      // With names alone, the values are still to come.
      if hashes.isAnnouncement || (hashes.isEmpty && range?.hashes.isAnnouncement == true) {
        self = .awaitingChecksum(plan, until: until)
        return .wait
      }
      return conclude(plan)
    case let state:
      self = state
      return .wait
    }
  }

  private mutating func receivedReceipt() -> Action {
    let state = leave()
    switch consume state {
    // The receiver may know before this side that bytes can flow, of which none are to.
    case .connecting(let plan, _) where plan.direction == .sending && plan.part.length == 0:
      return finishConfirmed()
    // Before all was sent it cannot be true.
    case .transferring(let plan, var progress)
    where plan.direction == .sending && progress.count == plan.part.length:
      progress.isConfirmed = true
      self = .transferring(plan, progress)
      return .wait
    case .awaitingReceipt:
      return finishConfirmed()
    case let state:
      self = state
      return .wait
    }
  }

  /// Whether the bytes have the hash that `verify` gave.
  package mutating func verified(_ isEqual: Bool) -> Action {
    let state = leave()
    switch consume state {
    case .verifying(let plan, let algorithm):
      guard isEqual else { return fail(.corrupt) }
      return finish(plan, verifiedBy: algorithm)
    case let state:
      self = state
      return .wait
    }
  }

  /// All bytes are there.
  private mutating func complete(_ plan: Plan, at now: Instant) -> Action {
    let isPromised = plan.awaitsChecksum
    let patience = isPromised ? plan.limits.checksum : plan.limits.unannouncedChecksum
    if plan.proof?.hash.algorithm.isTrusted != true, patience > .zero, !plan.sessionIsOver,
      isPromised || plan.proof == nil
    {
      self = .awaitingChecksum(plan, until: now + patience)
      return .wait
    }
    return conclude(plan)
  }

  /// No more hashes are waited for.
  mutating func conclude(_ plan: Plan) -> Action {
    if let (hash, part) = plan.proof {
      self = .verifying(plan, hash.algorithm)
      return .verify(hash, of: part)
    }
    // Bytes that end somewhere prove nothing when it was not told where.
    if plan.part.length == nil, plan.awaitsChecksum { return fail(.checksumMissing) }
    return finish(plan, verifiedBy: nil)
  }

  mutating func finish(_ plan: Plan, verifiedBy algorithm: HashAlgorithm?) -> Action {
    if let until = plan.endsBy, !plan.sessionIsOver {
      self = .awaitingEnd(plan, verifiedBy: algorithm, until: until)
      return .wait
    }
    return .finish(
      .received(verifiedBy: algorithm), telling: plan.sessionIsOver ? nil : .received(plan.content))
  }

  func finishConfirmed() -> Action {
    return .finish(.sent(isConfirmed: true), telling: nil)
  }

  // MARK: Time

  package mutating func timeout(at now: Instant) -> Action {
    guard let deadline, deadline <= now else { return ask(at: now) }
    let state = leave()
    switch consume state {
    case .proposed: return fail(.unanswered)
    case .connecting: return fail(.unconnected)
    case .transferring(let plan, var progress):
      if progress.stalls <= now {
        return plan.sessionIsOver && plan.direction == .sending ? endedEarly() : fail(.stalled)
      }
      let least = Double(plan.limits.minimumBytesPerSecond) * plan.limits.rateWindow.inSeconds
      if Double(progress.windowCount) < least { return fail(.tooSlow) }
      progress.windowCount = 0
      progress.windowEnds = now + plan.limits.rateWindow
      self = .transferring(plan, progress)
      return .wait
    case .brokenOff(_, let failure, _): return fail(failure)
    case .awaitingChecksum(let plan, _): return conclude(plan)
    case .awaitingEnd(var plan, let algorithm, _):
      plan.endsBy = nil
      return finish(plan, verifiedBy: algorithm)
    case .awaitingReceipt(_, _, isClosed: true):
      return .finish(.sent(isConfirmed: false), telling: nil)
    case .awaitingReceipt(_, _, isClosed: false): return fail(.unconfirmed)
    case let state:
      self = state
      return .wait
    }
  }
}

extension FileTransfer.Plan {
  /// The strongest hash of what this side has, if it was told: of the whole file, when its beginning was there and its
  /// end came; else of the part alone.
  fileprivate var proof: (hash: HashValue, part: FileTransfer.Part?)? {
    let whole = part.reachesEnd(of: file.size) ? file.hashes.strongest : nil
    let ofPart = file.range?.hashes.strongest
    if let whole, whole.algorithm.isTrusted || ofPart?.algorithm.isTrusted != true { return (whole, nil) }
    return ofPart.map { ($0, part) }
  }

  /// Whether a hash was promised that is not there, and is better than what is.
  fileprivate var awaitsChecksum: Bool {
    let promised = file.hashes.announced + (file.range?.hashes.announced ?? [])
    return proof == nil ? !promised.isEmpty : promised.contains(where: \.isTrusted)
  }

  fileprivate mutating func learn(_ hashes: Hashes, _ range: FileDescription.Range?) {
    // One that can be trusted is enough, and is computed already.
    if file.hashes.strongest?.algorithm.isTrusted != true { file.hashes.formUnion(hashes) }
    // The part may be told by its length or by the file's end.
    guard let range, let told = FileTransfer.Part(range, of: file.size), told == part else { return }
    file.range = file.range ?? .init()
    file.range?.hashes.formUnion(range.hashes)
  }
}
