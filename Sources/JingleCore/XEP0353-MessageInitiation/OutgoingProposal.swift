package import MediaTime
package import XMPPCore

/// A call that this side proposes, from the question to the end that both sides' archives tell of.
///
/// A flow machine: call what happened, then take `nextOutput()` until it is nil, then arm a timer for `nextDeadline`.
///
/// - Specification: XEP-0353 §3, §4.1
package struct OutgoingProposal: Sendable {
  package enum Output: Hashable, Sendable {
    case send(JingleMessage, to: JID)
    case event(Event)
  }

  package enum Event: Hashable, Sendable {
    /// Told once for each device that rings.
    case ringing(device: JID)
    /// This device takes the call: send it the session-initiate, with the proposal's id as sid.
    case proceeded(device: JID)
    case rejected(Jingle.Reason?, device: JID)
    /// Nobody took the call in time; it was retracted.
    case timedOut
    /// The peer proposes a call of its own at the same time, which has precedence. The id is the other proposal's, or
    /// nil when it has not arrived since this one was made.
    case lostTieBreak(to: String?)
    /// The proposal came back undelivered.
    case failed(StanzaError)
    /// The peer says that the call is over, or goes on as another session.
    case finished(Jingle.Reason?, migratedTo: String?)
  }

  private enum State: Hashable {
    case proposed
    case proceeding(device: JID)
    /// The call's end was told by one side; the other one's word for it may follow.
    case finished(device: JID)
    case over
  }

  package let id: String
  package let own: JID
  package let peer: JID
  /// When the proposal is given up, while it is open.
  package private(set) var nextDeadline: Instant?
  private var state = State.proposed
  private var ringingDevices: Set<JID> = []
  private var outputs: [Output]

  /// The peer's devices whose ringing is told.
  static let maximumRingingDevices = 32

  /// Proposes a call: the first output sends the proposal.
  ///
  /// - Parameters:
  ///   - id: random and unique (a version 4 UUID; Monal takes no other).
  ///   - peer: whom to ask: an account, so that all of its devices ring.
  ///   - media: `audio`, `video`.
  ///   - patience: how long it may ring.
  package init(id: String, own: JID, peer: JID, media: [String], patience: Duration, at now: Instant) {
    self.id = id
    self.own = own
    self.peer = peer
    nextDeadline = now + patience
    let descriptions = media.map { Jingle.Description.rtp(RTPDescription(media: $0)) }
    outputs = [.send(JingleMessage(id: id, .propose(descriptions)), to: peer)]
  }

  /// What to do next, in the order in which it is to be done.
  package mutating func nextOutput() -> Output? {
    outputs.isEmpty ? nil : outputs.removeFirst()
  }

  /// Takes the question back, or the call before its session began. Does nothing when it is over.
  package mutating func retract(_ reason: Jingle.Reason = Jingle.Reason(.cancel)) {
    switch state {
    case .proposed, .proceeding: close(sending: .retract(reason))
    case .finished, .over: break
    }
  }

  /// Tells that the call that came of the proposal is over. Does nothing when it never came to one.
  ///
  /// - Specification: XEP-0353 §3.7
  package mutating func finish(_ reason: Jingle.Reason?, migratedTo sid: String? = nil) {
    switch state {
    case .proceeding(let device), .finished(let device):
      send(.finish(reason, migratedTo: sid), to: device)
      state = .over
    case .proposed, .over:
      break
    }
  }

  /// Takes a message of anybody's; those that have no place here change nothing.
  package mutating func receive(_ message: JingleMessage, from sender: JID) {
    // Only a device of the peer's can answer, and the account may be this side's own.
    guard sender.bare == peer.bare, !sender.isBare, sender != own else { return }
    if case .propose = message.action {
      receiveRival(message, from: sender)
      return
    }
    guard message.id == id else { return }
    switch (state, message.action) {
    case (.proposed, .ringing):
      guard ringingDevices.count < Self.maximumRingingDevices, ringingDevices.insert(sender).inserted else { return }
      outputs.append(.event(.ringing(device: sender)))
    case (.proposed, .proceed):
      nextDeadline = nil
      state = .proceeding(device: sender)
      outputs.append(.event(.proceeded(device: sender)))
    case (.proposed, .reject(_, isTieBreak: true)):
      // Its other devices may ring, and would hear of the refusal by carbons alone.
      close(sending: .retract(Self.tieBreak, isTieBreak: true), .lostTieBreak(to: nil))
    case (.proposed, .reject(let reason, _)):
      close(.rejected(reason, device: sender))
    case (.proceeding(let device), .reject(let reason, _)) where device == sender:
      close(.rejected(reason, device: sender))
    case (.proceeding(let device), .finish(let reason, let migratedTo)) where device == sender:
      state = .finished(device: device)
      outputs.append(.event(.finished(reason, migratedTo: migratedTo)))
    default:
      break
    }
  }

  /// The proposal came back as an error: from one device perhaps, while others ring.
  package mutating func receiveError(_ error: StanzaError) {
    guard state == .proposed, ringingDevices.isEmpty else { return }
    close(.failed(error))
  }

  package mutating func timeout(at now: Instant) {
    guard let nextDeadline, nextDeadline <= now else { return }
    close(sending: .retract(Jingle.Reason(.timeout)), .timedOut)
  }

  /// A proposal of the peer's, which crossed this one.
  ///
  /// - Specification: XEP-0353 §4.1
  private mutating func receiveRival(_ rival: JingleMessage, from sender: JID) {
    guard state == .proposed, !rival.media.isEmpty else { return }
    if JingleTieBreak(sid: id, sender: own).overrules(JingleTieBreak(sid: rival.id, sender: sender)) {
      outputs.append(.send(JingleMessage(id: rival.id, .reject(Self.tieBreak, isTieBreak: true)), to: sender))
    } else {
      loseTie(to: rival.id)
    }
  }

  private static let tieBreak = Jingle.Reason(.expired, text: "Tie-Break")

  /// Gives way to a call of the peer's that crossed this one.
  package mutating func loseTie(to id: String) {
    guard state == .proposed else { return }
    close(sending: .retract(Self.tieBreak, isTieBreak: true), .lostTieBreak(to: id))
  }

  private mutating func send(_ action: JingleMessage.Action, to recipient: JID) {
    outputs.append(.send(JingleMessage(id: id, action), to: recipient))
  }

  private mutating func close(sending action: JingleMessage.Action? = nil, _ event: Event? = nil) {
    nextDeadline = nil
    state = .over
    if let action { send(action, to: peer.bare) }
    if let event { outputs.append(.event(event)) }
  }
}
