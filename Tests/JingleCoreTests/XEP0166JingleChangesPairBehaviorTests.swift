import JingleCore
import Testing
import XMPPCore

/// Two sides that change a running call at random, with a roof's memory of what it was told.
private struct Changers {
  var pair: JinglePair
  /// The credentials that each side gave and was given, by content.
  var given: [JinglePair.Side: [String: ICETransport]] = [.caller: [:], .callee: [:]]
  var taken: [JinglePair.Side: [String: ICETransport]] = [.caller: [:], .callee: [:]]
  /// What waits for a decision.
  var contents: [JinglePair.Side: [Jingle.Content]] = [.caller: [], .callee: []]
  var transports: [JinglePair.Side: [(String, ICETransport)]] = [.caller: [], .callee: []]
  /// The transports that each side proposed.
  var proposed: [JinglePair.Side: [String: ICETransport]] = [.caller: [:], .callee: [:]]
  var seen: [JinglePair.Side: Int] = [.caller: 0, .callee: 0]
  var steps = 0
  var number = 0

  init(_ faults: JinglePair.Faults, seed: UInt64) {
    pair = JinglePair(faults: faults, deciding: [.contents, .transports], seed: seed)
    given[.caller]?["voice"] = voice.transport?.iceUDP
    pair.act(.caller) { $0.initiate([voice]) }
  }

  mutating func fresh() -> ICETransport {
    number += 1
    return ICETransport(ufrag: "u\(number)", pwd: "p\(number)")
  }

  func names(_ side: JinglePair.Side) -> [String] {
    (pair.sessions[side]?.agreedContents.keys).map { $0.sorted() } ?? []
  }

  mutating func chance(_ upper: Int) -> Int { Int.random(in: 0..<upper, using: &pair.random) }

  /// Lets the next thing happen, and both sides take note.
  mutating func step() -> Bool {
    let goesOn = pair.step()
    for side in JinglePair.Side.allCases { takeNote(side) }
    steps += 1
    return goesOn
  }

  mutating func takeNote(_ side: JinglePair.Side) {
    while let events = pair.events[side], let index = seen[side], index < events.count {
      seen[side] = index + 1
      note(events[index], side)
    }
  }

  private mutating func note(_ event: JingleSession.Event, _ side: JinglePair.Side) {
    switch event {
    case .initiated(let offer):
      for content in offer.contents { taken[side]?[content.name] = content.transport?.iceUDP }
      given[side]?["voice"] = voiceAnswer.transport?.iceUDP
      act(side) { $0.accept([voiceAnswer]) }
    case .accepted(let answer):
      for content in answer.contents { taken[side]?[content.name] = content.transport?.iceUDP }
    case .acceptedContents(let accepted, _):
      for content in accepted { taken[side]?[content.name] = content.transport?.iceUDP }
    case .offeredContents(let offered, _):
      contents[side]? += offered
      for content in offered { taken[side]?[content.name] = content.transport?.iceUDP }
    case .restartedICE(let transport, let name):
      taken[side]?[name] = transport
      restart(name, side)
    case .answeredRestart(let transport, let name):
      taken[side]?[name] = transport
    case .offeredTransport(let transport, let name):
      if let transport = transport.iceUDP { transports[side]?.append((name, transport)) }
    case .acceptedTransport(let transport, let name):
      taken[side]?[name] = transport.iceUDP
      given[side]?[name] = proposed[side]?.removeValue(forKey: name)
    case .rejectedTransport(let name, _):
      proposed[side]?[name] = nil
    default: break
    }
  }

  mutating func act(_ side: JinglePair.Side, _ action: (inout JingleSession) -> Void) {
    pair.act(side, action)
    takeNote(side)
  }

  mutating func restart(_ name: String, _ side: JinglePair.Side) {
    let transport = fresh()
    given[side]?[name] = transport
    act(side) { $0.send(transport, for: name) }
  }

  /// One of everything that a side can do.
  mutating func disturb(_ side: JinglePair.Side) {
    let senders: [Jingle.Senders] = [.both, .initiator, .responder, .none]
    let agreed = names(side)
    let name = agreed.isEmpty ? "none" : agreed[chance(agreed.count)]
    switch chance(9) {
    case 0, 1:
      guard let session = pair.sessions[side], session.phase == .active, agreed.count < 5 else { return }
      let transport = fresh()
      var content = voice
      // Names and kinds that clash with the other side's, and such that do not.
      content.name = session.unusedName(like: chance(2) == 0 ? "video" : "\(side)")
      content.senders = senders[chance(3)]
      content.transport = .iceUDP(transport)
      given[side]?[content.name] = transport
      act(side) { $0.add([content]) }
    case 2:
      // Mostly the call goes on.
      guard agreed.count > 1 || chance(20) == 0 else { return }
      act(side) { $0.remove([name], Jingle.Reason(.success)) }
    case 3, 4:
      let wanted = senders[chance(4)]
      act(side) { $0.modify(name, senders: wanted) }
    case 5:
      if agreed.contains(name) { restart(name, side) }
    case 6:
      guard agreed.contains(name), proposed[side]?[name] == nil,
        transports[side]?.contains(where: { $0.0 == name }) == false
      else { return }
      let transport = fresh()
      proposed[side]?[name] = transport
      act(side) { $0.replaceTransport(.iceUDP(transport), for: name) }
    default:
      decide(side)
    }
  }

  mutating func decide(_ side: JinglePair.Side) {
    for var content in contents[side] ?? [] {
      if chance(3) == 0 {
        act(side) { $0.rejectContents([content.name], Jingle.Reason(.decline)) }
      } else {
        let transport = fresh()
        content.transport = .iceUDP(transport)
        if chance(3) == 0 { content.senders = .none }
        given[side]?[content.name] = transport
        act(side) { [content] in $0.acceptContents([content]) }
      }
    }
    contents[side] = []
    for (name, theirs) in transports[side] ?? [] {
      if chance(3) == 0 {
        act(side) { $0.rejectTransport(for: name, Jingle.Reason(.failedTransport)) }
      } else {
        let transport = fresh()
        given[side]?[name] = transport
        taken[side]?[name] = theirs
        act(side) { $0.acceptTransport(.iceUDP(transport), for: name) }
      }
    }
    transports[side] = []
  }

  /// Nothing more is wanted: what is under way comes to its end.
  ///
  /// - Returns: false when it does not.
  mutating func settle() -> Bool {
    for _ in 0..<20_000 where !step() {
      if contents.values.allSatisfy(\.isEmpty), transports.values.allSatisfy(\.isEmpty) { return true }
      for side in JinglePair.Side.allCases { decide(side) }
    }
    return false
  }
}

@Suite struct XEP0166JingleChangesPairBehaviorTests {
  static let wires: [JinglePair.Faults] = [[], .doublesRequests, .unordered, [.unordered, .doublesRequests]]

  @Test(.timeLimit(.minutes(1)), arguments: wires)
  func `However two sides change a call at once, they end in the same`(faults: JinglePair.Faults) throws {
    var ended = 0
    for seed: UInt64 in 1...150 {
      var call = Changers(faults, seed: seed)
      for _ in 0..<40 {
        for _ in 0..<call.chance(8) { _ = call.step() }
        call.disturb(call.chance(2) == 0 ? .caller : .callee)
      }
      let isSettled = call.settle()
      try #require(isSettled, "seed \(seed): there is no end")
      let caller = try #require(call.pair.sessions[.caller])
      let callee = try #require(call.pair.sessions[.callee])
      try #require(caller.phase == callee.phase, "seed \(seed)")
      if caller.phase == .ended {
        ended += 1
        continue
      }
      try #require(caller.agreedContents == callee.agreedContents, "seed \(seed)")
      try #require(!caller.agreedContents.isEmpty, "seed \(seed)")
      // Without overtaking, no answer is a surprise.
      if !faults.contains(.unordered) {
        for error in call.pair.refusals.values.joined() {
          try #require(
            error == .tieBreak || error.condition == .conflict || error == .outOfOrder || error == .unknownSession,
            "seed \(seed): \(error)")
        }
      }
      for side in JinglePair.Side.allCases {
        for name in caller.agreedContents.keys {
          try #require(call.given[side]?[name] == call.taken[side.other]?[name], "seed \(seed), \(side), \(name)")
        }
      }
    }
    #expect(ended < 75)
  }

  @Test(.timeLimit(.minutes(1)), arguments: [Jingle.Party.initiator, .responder])
  func `Whatever a hostile peer sends, each request is answered once and little is kept`(role: Jingle.Party) {
    let senders: [Jingle.Senders] = [.both, .initiator, .responder, .none]
    let names = (0..<40).map { "\($0)" } + ["voice", "video", "voice", "video"]
    var random = SplitMix64(seed: role == .initiator ? 1 : 2)
    for _ in 0..<200 {
      var session = running(role)
      for number in 0..<200 {
        let contents = (0..<Int.random(in: 0...3, using: &random)).map { _ in
          var content = content(names.randomElement(using: &random) ?? "", "audio", senders[number % 4])
          if Int.random(in: 0..<4, using: &random) == 0 { content.description = nil }
          if Int.random(in: 0..<4, using: &random) == 0 {
            content.transport = nil
          } else {
            content.transport = .iceUDP(ICETransport(ufrag: "\(number % 5)", pwd: "p"))
          }
          return content
        }
        var action = Jingle.Action.defined.randomElement(using: &random) ?? .unknown("x")
        // The end would come too soon otherwise.
        if action == .sessionTerminate || action == .contentRemove, number % 8 != 0 { action = .contentAdd }
        let groups = [ContentGroup(.bundle, contents.map(\.name))]
        let outputs = session.take(action, contents, id: "\(number)", groups: groups)
        let answers = outputs.filter {
          switch $0 {
          case .acknowledge, .refuse: true
          default: false
          }
        }
        #expect(answers.count == 1)
        let name = names.randomElement(using: &random) ?? ""
        switch Int.random(in: 0..<8, using: &random) {
        case 0: session.add([content(name)])
        case 1: session.acceptContents([content(name)])
        case 2: session.modify(name, senders: senders[number % 4])
        case 3: session.replaceTransport(.iceUDP(ICETransport(ufrag: "r\(number)", pwd: "p")), for: name)
        case 4: session.acceptTransport(.iceUDP(ICETransport(ufrag: "a\(number)", pwd: "p")), for: name)
        case 5: session.send(ICETransport(ufrag: "s\(number)", pwd: "p"), for: name)
        case 6 where session.agreedContents.count > 1: session.remove([name], Jingle.Reason(.success))
        default: break
        }
        let outcomes: [IQTracker.Outcome] = [.result(nil), .error(.tieBreak), .error(.outOfOrder), .timedOut]
        for case .request(_, _, let token) in drain(&session) where Bool.random(using: &random) {
          session.receive(outcomes.randomElement(using: &random) ?? .disconnected, for: token)
        }
        _ = drain(&session)
        #expect(session.agreedContents.count <= Jingle.maximumContents + 40)
      }
    }
  }
}
