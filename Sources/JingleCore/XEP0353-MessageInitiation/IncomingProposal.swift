package import MediaTime
package import XMPPCore

/// A call that a peer proposes to this account, as one of its devices sees it.
///
/// A flow machine: call what happened, then take `nextOutput()` until it is nil, then arm a timer for `nextDeadline`.
///
/// - Specification: XEP-0353 §3
package struct IncomingProposal: Sendable {
  package enum Output: Hashable, Sendable {
    case send(JingleMessage, to: JID)
    case event(Event)
  }

  package enum Event: Hashable, Sendable {
    /// The caller changed its mind.
    case retracted(Jingle.Reason?)
    /// Another device of this account took the call.
    case answeredElsewhere(device: JID)
    /// Another device of this account declined it.
    case rejectedElsewhere(Jingle.Reason?, device: JID)
    /// It rang unheard for too long, or was taken and no session followed.
    case timedOut
    /// The call is over, or goes on as another session.
    case finished(Jingle.Reason?, migratedTo: String?)
  }

  private enum State: Hashable {
    /// Nobody answered yet, on any device.
    case open
    /// This device took the call.
    case accepted
    /// The peer told that the call is over; this side's word for it may follow.
    case finished
    case over
  }

  package let id: String
  /// The device that calls.
  package let caller: JID
  package let own: JID
  /// `audio`, `video`; at least one.
  package let media: [String]
  /// The proposal was stored on its way: it may be long over, and nobody is to be woken by it.
  package let isDelayed: Bool
  /// When the proposal is no longer waited for.
  package private(set) var nextDeadline: Instant?
  private var state = State.open
  private var isRinging = false
  private var outputs: [Output] = []

  /// - Parameters:
  ///   - isDelayed: whether it came with a delay, from the archive or by stream resumption.
  ///   - patience: how long it may ring.
  /// - Returns: nil when the message proposes nothing that this side could take, or is the account's own.
  package init?(
    _ message: JingleMessage, from caller: JID, own: JID, isDelayed: Bool = false, patience: Duration, at now: Instant
  ) {
    guard !message.media.isEmpty, caller.bare != own.bare else { return nil }
    id = message.id
    self.caller = caller
    self.own = own
    media = message.media
    self.isDelayed = isDelayed
    nextDeadline = now + patience
  }

  /// What to do next, in the order in which it is to be done.
  package mutating func nextOutput() -> Output? {
    outputs.isEmpty ? nil : outputs.removeFirst()
  }

  /// Tells the caller that this device rings.
  package mutating func ring() {
    guard state == .open, !isRinging else { return }
    isRinging = true
    send(.ringing, to: caller)
  }

  /// Takes the call, and expects its session within `patience`. Does nothing when it is over meanwhile.
  package mutating func accept(patience: Duration, at now: Instant) {
    guard state == .open else { return }
    state = .accepted
    nextDeadline = now + patience
    // The first is for this account's other devices where carbons do not tell them.
    send(.accept, to: own.bare)
    send(.proceed, to: caller)
  }

  /// The caller's session-initiate arrived.
  package mutating func sessionBegan() {
    if state == .accepted { nextDeadline = nil }
  }

  /// Declines the call for all of the account's devices; once it is taken, calls it off before its session began.
  ///
  /// - Parameter reason: other words than `busy` and `expired` tell the caller more than nothing.
  package mutating func reject(_ reason: Jingle.Reason? = Jingle.Reason(.busy)) {
    guard state == .open || state == .accepted else { return }
    send(.reject(reason), to: caller)
    close()
  }

  /// Tells that the call is over. Does nothing when this device did not take it.
  ///
  /// - Specification: XEP-0353 §3.7
  package mutating func finish(_ reason: Jingle.Reason?, migratedTo sid: String? = nil) {
    guard state == .accepted || state == .finished else { return }
    send(.finish(reason, migratedTo: sid), to: caller)
    close()
  }

  /// Takes a message of the caller's, or of another device of this account: as sent to the account, or as the carbon of
  /// what was sent to the caller. Those that have no place here change nothing.
  package mutating func receive(_ message: JingleMessage, from sender: JID) {
    guard message.id == id, sender != own else { return }
    if sender.bare == own.bare {
      guard state == .open, !sender.isBare else { return }
      switch message.action {
      case .accept, .proceed: close(.answeredElsewhere(device: sender))
      case .reject(let reason, _): close(.rejectedElsewhere(reason, device: sender))
      case .finish(let reason, let migratedTo): close(.finished(reason, migratedTo: migratedTo))
      case .propose, .ringing, .retract: break
      }
    } else if sender.bare == caller.bare {
      switch (state, message.action) {
      case (.open, .retract(let reason, _)), (.accepted, .retract(let reason, _)):
        close(.retracted(reason))
      case (.open, .finish(let reason, let migratedTo)):
        close(.finished(reason, migratedTo: migratedTo))
      case (.accepted, .finish(let reason, let migratedTo)):
        nextDeadline = nil
        state = .finished
        outputs.append(.event(.finished(reason, migratedTo: migratedTo)))
      default:
        break
      }
    }
  }

  package mutating func timeout(at now: Instant) {
    guard let nextDeadline, nextDeadline <= now else { return }
    // The caller ends an unanswered proposal itself; a call that was taken is called off.
    if state == .accepted { send(.finish(Jingle.Reason(.timeout), migratedTo: nil), to: caller) }
    close(.timedOut)
  }

  private mutating func send(_ action: JingleMessage.Action, to recipient: JID) {
    outputs.append(.send(JingleMessage(id: id, action), to: recipient))
  }

  private mutating func close(_ event: Event? = nil) {
    nextDeadline = nil
    state = .over
    if let event { outputs.append(.event(event)) }
  }
}
