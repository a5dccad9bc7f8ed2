package import MediaTime

// Whether the peer is still there. A peer that is not closes no session, and what it is sent by servers comes back.
extension FileTransfer {
  /// When to ask the peer.
  var question: Instant? { waitingPlan?.asks }

  /// The plan, where the peer is waited for.
  private var waitingPlan: Plan? {
    switch self {
    case .proposed(let plan, _): plan
    case .offered(let plan): plan
    case .connecting(let plan, _): plan
    case .transferring(let plan, _): plan
    case .awaitingChecksum(let plan, _): plan
    case .awaitingReceipt(let plan, _, _): plan
    default: nil
    }
  }

  /// The peer went offline, by its presence. It may come back, and bytes may flow all the same.
  ///
  /// - Specification: XEP-0166 §6.7
  package mutating func peerLeft(at now: Instant) {
    update { $0.asks = min($0.asks ?? now + $0.limits.absence, now + $0.limits.absence) }
  }

  /// The question came back: nobody is there. Where bytes were moved since it was asked, somebody is.
  package mutating func peerIsGone() -> Action {
    guard waitingPlan?.isAsked == true else { return .wait }
    let state = leave()
    return switch consume state {
    case .proposed: fail(.unanswered)
    default: fail(.gone)
    }
  }

  mutating func ask(at now: Instant) -> Action {
    guard let question, question <= now else { return .wait }
    update {
      $0.asks = now + $0.limits.silence
      $0.isAsked = true
    }
    return .askPeer
  }

  private mutating func update(_ change: (inout Plan) -> Void) {
    let state = leave()
    switch consume state {
    case .proposed(var plan, let until):
      change(&plan)
      self = .proposed(plan, until: until)
    case .offered(var plan):
      change(&plan)
      self = .offered(plan)
    case .connecting(var plan, let until):
      change(&plan)
      self = .connecting(plan, until: until)
    case .transferring(var plan, let progress):
      change(&plan)
      self = .transferring(plan, progress)
    case .awaitingChecksum(var plan, let until):
      change(&plan)
      self = .awaitingChecksum(plan, until: until)
    case .awaitingReceipt(var plan, let until, let isClosed):
      change(&plan)
      self = .awaitingReceipt(plan, until: until, isClosed: isClosed)
    case let state:
      self = state
    }
  }
}
