import JingleCore
import MediaTime
import XMPPCore

/// Two sessions on a wire in virtual time: every request goes through its XML, and faults are switched on by flags.
struct JinglePair {
  enum Side: CaseIterable {
    case caller, callee

    var other: Side { self == .caller ? .callee : .caller }
    var address: JID { self == .caller ? romeo : juliet }
  }

  /// What the wire does to stanzas.
  struct Faults: OptionSet, Sendable {
    let rawValue: Int
    /// The callee's answers to requests never arrive.
    static let losesAnswers = Faults(rawValue: 1)
    /// Every request arrives twice.
    static let doublesRequests = Faults(rawValue: 2)
    /// Transport information overtakes what was sent before it, or is overtaken.
    static let reordersTransports = Faults(rawValue: 4)
    /// Everything takes its own time, as the seed has it.
    static let unordered = Faults(rawValue: 8)
  }

  private enum Stanza {
    case request(XMLElement, id: String)
    case answer(StanzaError?, id: String)
  }

  var sessions: [Side: JingleSession] = [:]
  var events: [Side: [JingleSession.Event]] = [.caller: [], .callee: []]
  /// Errors that were answered, by the side that answered.
  var refusals: [Side: [StanzaError]] = [.caller: [], .callee: []]
  private(set) var clock = ManualClock()
  /// Called for each event, to react as an application would.
  var react: (inout JinglePair, Side, JingleSession.Event) -> Void = { _, _, _ in }

  private let faults: Faults
  private let latency = Duration.milliseconds(50)
  private let patience = Duration.seconds(10)
  private var wire: [(at: Instant, to: Side, stanza: Stanza)] = []
  private var waiting: [(deadline: Instant, side: Side, id: String, token: JingleSession.Token)] = []
  private var sentTransports = 0

  private let decisions: JingleSession.Decisions
  var random: SplitMix64

  init(faults: Faults = [], deciding decisions: JingleSession.Decisions = [], seed: UInt64 = 0) {
    self.faults = faults
    self.decisions = decisions
    random = SplitMix64(seed: seed)
    sessions[.caller] = JingleSession(initiating: sid, own: romeo, peer: juliet, deciding: decisions)
  }

  /// Does something on one side and sends what follows.
  mutating func act(_ side: Side, _ action: (inout JingleSession) -> Void) {
    guard var session = sessions[side] else { return }
    action(&session)
    sessions[side] = session
    drain(side)
  }

  /// Runs until nothing is under way and nobody waits.
  mutating func run() {
    while step() {}
  }

  /// Lets the next thing happen.
  ///
  /// - Returns: false when nothing is under way and nobody waits.
  mutating func step() -> Bool {
    guard let next = (wire.map(\.at) + waiting.map(\.deadline)).min() else { return false }
    clock.advance(to: max(next, clock.now))
    if let index = wire.firstIndex(where: { $0.at <= next }) {
      let (_, side, stanza) = wire.remove(at: index)
      deliver(stanza, to: side)
    } else if let index = waiting.firstIndex(where: { $0.deadline <= next }) {
      let (_, side, _, token) = waiting.remove(at: index)
      act(side) { $0.receive(.timedOut, for: token) }
    }
    return true
  }

  func phase(_ side: Side) -> JingleSession.Phase? { sessions[side]?.phase }

  private mutating func deliver(_ stanza: Stanza, to side: Side) {
    switch stanza {
    case .request(let element, let id):
      guard let jingle = try? Jingle(element) else {
        return send(.answer(StanzaError(.badRequest), id: id), from: side)
      }
      if sessions[side] != nil {
        act(side) { $0.receive(jingle, from: side.other.address, id: id) }
      } else if jingle.action == .sessionInitiate,
        let session = try? JingleSession(
          answering: jingle, from: side.other.address, id: id, own: side.address, deciding: decisions)
      {
        sessions[side] = session
        drain(side)
      } else {
        send(.answer(.unknownSession, id: id), from: side)
      }
    case .answer(let error, let id):
      guard let index = waiting.firstIndex(where: { $0.side == side && $0.id == id }) else { return }
      let token = waiting.remove(at: index).token
      act(side) { $0.receive(error.map { .error($0) } ?? .result(nil), for: token) }
    }
  }

  private mutating func drain(_ side: Side) {
    while let output = sessions[side]?.nextOutput() {
      switch output {
      case .request(let jingle, _, let token):
        let id = "\(side)-\(token)"
        waiting.append((clock.now + patience, side, id, token))
        send(.request(jingle.element, id: id), from: side)
      case .acknowledge(let id, _):
        send(.answer(nil, id: id), from: side)
      case .refuse(let id, _, let error):
        refusals[side]?.append(error)
        send(.answer(error, id: id), from: side)
      case .event(let event):
        events[side]?.append(event)
        react(&self, side, event)
      }
    }
  }

  private mutating func send(_ stanza: Stanza, from side: Side) {
    var delay = latency
    if faults.contains(.unordered) { delay = .milliseconds(Int.random(in: 1...1000, using: &random)) }
    switch stanza {
    case .answer:
      if faults.contains(.losesAnswers), side == .callee { return }
    case .request(let element, _):
      if faults.contains(.reordersTransports), element[attribute: "action"] == "transport-info" {
        sentTransports += 1
        if sentTransports % 2 == 0 { delay = delay / 2 } else { delay = delay * 3 }
      }
      if faults.contains(.doublesRequests) { wire.append((clock.now + delay * 2, side.other, stanza)) }
    }
    wire.append((clock.now + delay, side.other, stanza))
    wire.sort { $0.at < $1.at }
  }
}

/// Random numbers that a seed gives again.
struct SplitMix64: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var word = state
    word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
    word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
    return word ^ (word >> 31)
  }
}
