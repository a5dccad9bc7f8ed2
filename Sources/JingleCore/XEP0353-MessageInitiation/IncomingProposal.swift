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
    /// The caller changed its mind; in a tie-break, for a call that another device of this account places.
    case retracted(Jingle.Reason?, isTieBreak: Bool)
    /// Another device of this account took the call.
    case answeredElsewhere(device: JID)
    /// Another device of this account declined it; in a tie-break, for a call of its own to the same peer.
    case rejectedElsewhere(Jingle.Reason?, isTieBreak: Bool, device: JID)
    /// It rang unheard for too long, or was taken, and no session followed.
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
  /// When the proposal is no longer waited for.
  package private(set) var nextDeadline: Instant?
  private let hasCarbons: Bool
  private var state = State.open
  private var isRinging = false
  /// Another device answered at the same moment as this one: what is told if the caller goes by its word.
  private var rival: Event?
  private var outputs: [Output] = []

  /// How long the caller's session is waited for when another device answered, too.
  static let patienceWithRival = Duration.seconds(10)

  /// - Parameters:
  ///   - hasCarbons: whether the server copies what this device sends to the account's other devices.
  ///   - patience: how long it may ring.
  /// - Returns: nil when the message proposes nothing that this side could take, or is the account's own.
  package init?(
    _ message: JingleMessage, from caller: JID, own: JID, hasCarbons: Bool = true, patience: Duration, at now: Instant
  ) {
    guard !message.media.isEmpty, caller.bare != own.bare else { return nil }
    id = message.id
    self.caller = caller
    self.own = own
    media = message.media
    self.hasCarbons = hasCarbons
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
    // The caller may be talking with the other device already, and the word would end that call.
    if rival == nil {
      send(.reject(reason), to: caller)
      if !hasCarbons { send(.reject(reason), to: own.bare) }
    }
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
  ///
  /// - Parameter recipient: whom the message was sent to, if it says so.
  package mutating func receive(_ message: JingleMessage, from sender: JID, to recipient: JID? = nil, at now: Instant) {
    guard message.id == id, sender != own else { return }
    if sender.bare == own.bare {
      guard !sender.isBare else { return }
      receive(message.action, fromDevice: sender, at: now)
    } else if sender.bare == caller.bare {
      // Carbons tell what was meant for another device, too. Once this one took the call that is none of its business.
      guard state == .open || recipient?.isBare ?? true || recipient == own else { return }
      switch (state, message.action) {
      case (.open, .retract(let reason, let isTieBreak)), (.accepted, .retract(let reason, let isTieBreak)):
        close(.retracted(reason, isTieBreak: isTieBreak))
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

  /// Another device of this account answered. If this one did so too, the caller takes the first that it hears, and who
  /// that is shows when its session comes here, or does not.
  private mutating func receive(_ action: JingleMessage.Action, fromDevice device: JID, at now: Instant) {
    let answer: Event
    switch action {
    case .accept, .proceed: answer = .answeredElsewhere(device: device)
    case .reject(let reason, let isTieBreak):
      answer = .rejectedElsewhere(reason, isTieBreak: isTieBreak, device: device)
    case .finish(let reason, let migratedTo):
      if state == .open { close(.finished(reason, migratedTo: migratedTo)) }
      if state == .accepted, nextDeadline != nil { close(rival ?? .answeredElsewhere(device: device)) }
      return
    case .propose, .ringing, .retract: return
    }
    if state == .open { close(answer) }
    if state == .accepted, rival == nil, let deadline = nextDeadline {
      rival = answer
      nextDeadline = min(deadline, now + Self.patienceWithRival)
    }
  }

  package mutating func timeout(at now: Instant) {
    guard let nextDeadline, nextDeadline <= now else { return }
    // The caller ends an unanswered proposal itself; a call that was taken is called off, unless it goes on elsewhere.
    if state == .accepted, rival == nil { send(.finish(Jingle.Reason(.timeout), migratedTo: nil), to: caller) }
    close(rival ?? .timedOut)
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
