package import MediaTime
package import XMPPCore

/// What this device has heard of calls to its account: tells which proposals are new, and what is to be done about
/// those that came late, out of the server's storage.
///
/// A stored proposal waits until what was stored after it has come too. Then it rings if it is young, is told as missed
/// if it is not, and is let go if another device dealt with it.
///
/// A flow machine: call what happened, then take `nextOutput()` until it is nil, then arm a timer for `nextDeadline`.
///
/// - Specification: XEP-0353 §3.3, §5
package struct ProposalLedger: Sendable {
  package struct Proposal: Hashable, Sendable {
    package var message: JingleMessage
    package var caller: JID
    /// Since 1 January 1970 UTC, as the server noted; nil for one that came straight away.
    package var stamp: Duration?

    package init(_ message: JingleMessage, from caller: JID, stamp: Duration? = nil) {
      self.message = message
      self.caller = caller
      self.stamp = stamp
    }
  }

  package enum Output: Hashable, Sendable {
    /// It is young enough to be answered still.
    case ring(Proposal)
    case missed(Proposal)
  }

  /// A stored proposal that is older does not ring; Monal keeps to the same.
  package static let maximumAge = Duration.seconds(60)
  /// Calls that are remembered, so that none rings twice; the oldest are forgotten.
  static let maximumRemembered = 1024
  /// Stored proposals that wait at a time; later ones are dropped.
  static let maximumWaiting = 64

  private struct Key: Hashable {
    var id: String
    var caller: JID
  }

  private struct Waiting {
    var proposal: Proposal
    var until: Instant
    var isYoung: Bool
  }

  private let settling: Duration
  private var remembered: Set<Key> = []
  private var order: [Key] = []
  private var next = 0
  private var waiting: [Waiting] = []
  private var outputs: [Output] = []

  /// - Parameter settling: for how long what was stored after a proposal is waited for.
  package init(settling: Duration = .seconds(2)) {
    self.settling = settling
  }

  package var nextDeadline: Instant? { waiting.map(\.until).min() }

  package mutating func nextOutput() -> Output? {
    outputs.isEmpty ? nil : outputs.removeFirst()
  }

  /// Takes note of a proposal: the same one may come directly, as a carbon and out of an archive.
  ///
  /// - Returns: whether it is heard of for the first time.
  package mutating func isNew(_ id: String, from caller: JID) -> Bool {
    let key = Key(id: id, caller: caller.bare)
    guard remembered.insert(key).inserted else { return false }
    if order.count < Self.maximumRemembered {
      order.append(key)
    } else {
      remembered.remove(order[next])
      order[next] = key
      next = (next + 1) % Self.maximumRemembered
    }
    return true
  }

  /// Whether a proposal was taken note of and is not forgotten.
  package func remembers(_ id: String, from caller: JID) -> Bool {
    remembered.contains(Key(id: id, caller: caller.bare))
  }

  /// Lets a stored proposal wait for what was stored after it.
  ///
  /// - Parameter wallTime: since 1 January 1970 UTC.
  package mutating func wait(_ proposal: Proposal, wallTime: Duration, at now: Instant) {
    guard waiting.count < Self.maximumWaiting else { return }
    let age = proposal.stamp.map { wallTime - $0 } ?? .zero
    waiting.append(Waiting(proposal: proposal, until: now + settling, isYoung: age <= Self.maximumAge))
  }

  /// The last stored proposal of an account's that is going to ring.
  package func youngest(from caller: JID) -> String? {
    waiting.last { $0.isYoung && $0.proposal.caller.bare == caller.bare }?.proposal.message.id
  }

  /// Takes what was said about a call later, by its caller or by any device of this account.
  package mutating func receive(_ message: JingleMessage, from sender: JID, own: JID) {
    guard
      let index = waiting.firstIndex(where: {
        $0.proposal.message.id == message.id
          && (sender.bare == own.bare || sender.bare == $0.proposal.caller.bare)
      })
    else { return }
    switch message.action {
    case .accept, .proceed, .reject:
      // What only the called account can say.
      if sender.bare == own.bare { waiting.remove(at: index) }
    case .finish where sender.bare == own.bare:
      // Who finishes a call had taken it.
      waiting.remove(at: index)
    case .retract(_, isTieBreak: true) where sender.bare != own.bare:
      // This account was calling at the same moment, and that call went first.
      waiting.remove(at: index)
    case .retract, .finish:
      if sender.bare != own.bare { waiting[index].isYoung = false }
    case .propose, .ringing:
      break
    }
  }

  package mutating func timeout(at now: Instant) {
    for entry in waiting where entry.until <= now {
      outputs.append(entry.isYoung ? .ring(entry.proposal) : .missed(entry.proposal))
    }
    waiting.removeAll { $0.until <= now }
  }
}
