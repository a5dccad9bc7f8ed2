import JingleCore
import MediaTime
import Testing
import XMPPCore

@Suite struct XEP0166JinglePairBehaviorTests {
  /// A pair whose callee answers at once and where each side sends three candidates.
  func call(_ faults: JinglePair.Faults = []) -> JinglePair {
    var pair = JinglePair(faults: faults)
    pair.react = { pair, side, event in
      guard case .initiated(let offer) = event else { return }
      pair.act(side) { session in
        let credentials = voiceAnswer.transport?.iceUDP ?? ICETransport()
        func send(_ number: UInt16) {
          var transport = credentials
          transport.candidates = [candidate(number)]
          session.send(transport, for: "voice")
        }
        send(11)
        var answer = voiceAnswer
        answer.name = offer.contents[0].name
        session.accept([answer])
        send(12)
        send(13)
      }
    }
    pair.act(.caller) { session in
      session.initiate([voice])
      for number in 1...3 { session.send(transport(UInt16(number)), for: "voice") }
    }
    return pair
  }

  func candidates(_ pair: JinglePair, _ side: JinglePair.Side) -> [UInt16] {
    (pair.events[side] ?? []).flatMap { event -> [UInt16] in
      if case .receivedTransport(let transport, _) = event { transport.candidates.map(\.port) } else { [] }
    }
  }

  static let wires: [JinglePair.Faults] = [
    [], .doublesRequests, .reordersTransports, [.doublesRequests, .reordersTransports],
  ]

  @Test(arguments: wires)
  func `A call comes about, has its candidates exchanged and is hung up`(faults: JinglePair.Faults) {
    var pair = call(faults)
    pair.run()
    #expect(pair.phase(.caller) == .active)
    #expect(pair.phase(.callee) == .active)
    #expect(candidates(pair, .callee).sorted() == [1, 2, 3])
    #expect(candidates(pair, .caller).sorted() == [11, 12, 13])
    let accepted = pair.events[.caller]?.filter { if case .accepted = $0 { true } else { false } }
    #expect(accepted?.count == 1)
    #expect(pair.refusals[.caller]?.isEmpty == true)
    #expect(pair.refusals[.callee]?.isEmpty == true)

    pair.act(.caller) { $0.terminate(Jingle.Reason(.success)) }
    pair.run()
    #expect(pair.events[.caller]?.last == .terminated(Jingle.Reason(.success), byPeer: false))
    #expect(pair.events[.callee]?.last == .terminated(Jingle.Reason(.success), byPeer: true))
  }

  @Test func `A call whose acknowledgements are lost comes about all the same`() {
    var pair = call(.losesAnswers)
    pair.run()
    #expect(pair.phase(.callee) == .active)
    #expect(candidates(pair, .callee) == [1, 2, 3])
    // The caller's offer was never acknowledged, but accepted; only when its waiting ends is it known to be lost.
    #expect(pair.events[.caller]?.contains { if case .accepted = $0 { true } else { false } } == true)
    #expect(pair.phase(.caller) == .active)
  }

  @Test(arguments: [Jingle.Reason(.decline), Jingle.Reason(.busy)])
  func `A call is declined`(reason: Jingle.Reason) {
    for faults in Self.wires {
      var pair = JinglePair(faults: faults)
      pair.react = { pair, side, event in
        if case .initiated = event { pair.act(side) { $0.terminate(reason) } }
      }
      pair.act(.caller) { $0.initiate([voice]) }
      pair.run()
      #expect(pair.events[.caller] == [.acknowledged, .terminated(reason, byPeer: true)])
      #expect(pair.events[.callee]?.last == .terminated(reason, byPeer: false))
    }
  }

  @Test(arguments: wires)
  func `A call is cancelled while it rings`(faults: JinglePair.Faults) {
    var pair = JinglePair(faults: faults)
    pair.act(.caller) { $0.initiate([voice]) }
    pair.run()
    #expect(pair.phase(.callee) == .pending)
    pair.act(.callee) { $0.sendInfo(RTPInfo.ringing.element) }
    pair.run()
    #expect(pair.events[.caller]?.last == .receivedInfo(RTPInfo.ringing.element))
    pair.act(.caller) { $0.terminate(Jingle.Reason(.cancel)) }
    pair.run()
    #expect(pair.events[.callee]?.last == .terminated(Jingle.Reason(.cancel), byPeer: true))
  }

  @Test func `A call that is cancelled before its offer arrives ends on both sides`() {
    var pair = call()
    pair.act(.caller) { $0.terminate(Jingle.Reason(.cancel)) }
    pair.run()
    #expect(pair.phase(.caller) == .ended)
    #expect(pair.phase(.callee) == .ended)
    // What the callee had under way finds no session any more.
    #expect(pair.refusals[.caller]?.allSatisfy { $0 == .unknownSession } == true)
    #expect(pair.refusals[.caller]?.isEmpty == false)
  }

  @Test func `Two hang-ups that cross end the call once on each side`() {
    var pair = call()
    pair.run()
    for side in JinglePair.Side.allCases { pair.act(side) { $0.terminate(Jingle.Reason(.success)) } }
    pair.run()
    for side in JinglePair.Side.allCases {
      let ends = pair.events[side]?.filter {
        switch $0 {
        case .terminated, .failed: true
        default: false
        }
      }
      #expect(ends == [.terminated(Jingle.Reason(.success), byPeer: false)])
      #expect(pair.refusals[side] == [.unknownSession])
    }
  }

  @Test func `A peer that forgot the session is noticed by a ping`() {
    var pair = call()
    pair.run()
    pair.sessions[.callee] = nil
    pair.act(.caller) { $0.sendInfo(nil) }
    pair.run()
    #expect(pair.events[.caller]?.last == .failed(.unknownSession))
  }

  @Test func `ICE restarts in both directions`() {
    var pair = call()
    pair.run()
    pair.react = { pair, side, event in
      guard case .restartedICE = event, side == .callee else { return }
      pair.act(side) { $0.send(transport(31, ufrag: "new2", pwd: "p2"), for: "voice") }
    }
    pair.act(.caller) { $0.send(transport(ufrag: "new1", pwd: "p1"), for: "voice") }
    pair.run()
    #expect(pair.events[.callee]?.last == .restartedICE(transport(ufrag: "new1", pwd: "p1"), content: "voice"))
    // What the caller gets is its answer, which it is not to answer in its turn.
    #expect(pair.events[.caller]?.last == .answeredRestart(transport(31, ufrag: "new2", pwd: "p2"), content: "voice"))
  }

  @Test func `Two calls that cross become one`() {
    // Romeo's offer has the higher id, Juliet's the lower; both are under way.
    var ours = JingleSession(initiating: "b", own: romeo, peer: juliet)
    var router = JingleRouter<String>(own: romeo)
    _ = router.add("ours", sid: "b", peer: juliet)
    ours.initiate([voice])
    router.offered([voice], sid: "b", peer: juliet)
    var juliets = JingleRouter<String>(own: juliet)
    _ = juliets.add("hers", sid: "a", peer: romeo)
    juliets.offered([voice], sid: "a", peer: romeo)

    let crossing = { (sid: String) in Jingle(.sessionInitiate, sid: sid, contents: [voice]).element }
    guard case .offer(let hers, overruling: ["ours"]) = router.route(crossing("a"), from: juliet),
      case .refuse(.tieBreak) = juliets.route(crossing("b"), from: romeo)
    else {
      Issue.record("the lower id did not win")
      return
    }
    #expect(hers.sid == "a")
    ours.receive(.error(.tieBreak), for: 1)
    let last = drain(&ours).last
    #expect(last == .event(.failed(.tieBreak)))
  }
}
