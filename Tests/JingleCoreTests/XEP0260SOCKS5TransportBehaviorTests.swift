import JingleCore
import MediaTime
import Testing
import XMPPCore

/// One side of a negotiation, with what it did.
private struct Side {
  var machine: SOCKS5Negotiation
  var now = Instant(nanoseconds: 0)

  /// What is to be done, in order.
  mutating func done() -> [SOCKS5Negotiation.Action] {
    var actions: [SOCKS5Negotiation.Action] = []
    while let action = machine.nextAction() { actions.append(action) }
    return actions
  }

  mutating func receive(_ info: SOCKS5Transport.Info) -> [SOCKS5Negotiation.Action] {
    receive(SOCKS5Transport(sid: "s5b", info: info))
  }

  mutating func receive(_ transport: SOCKS5Transport) -> [SOCKS5Negotiation.Action] {
    machine.receive(transport, at: now)
    return done()
  }

  mutating func connected(_ link: SOCKS5Negotiation.Link) -> [SOCKS5Negotiation.Action] {
    machine.connected(link, at: now)
    return done()
  }

  mutating func failed(_ link: SOCKS5Negotiation.Link) -> [SOCKS5Negotiation.Action] {
    machine.failed(link, at: now)
    return done()
  }

  mutating func activated() -> [SOCKS5Negotiation.Action] {
    machine.activated(at: now)
    return done()
  }

  /// Lets time go by, deadline by deadline.
  mutating func wait(_ duration: Duration) -> [SOCKS5Negotiation.Action] {
    let end = now + duration
    var actions: [SOCKS5Negotiation.Action] = []
    while let deadline = machine.nextDeadline, deadline <= end {
      now = max(now, deadline)
      machine.timeout(at: now)
      actions += done()
    }
    now = end
    return actions
  }
}

private func candidate(_ cid: String, _ priority: UInt32, _ kind: SOCKS5Candidate.Kind = .direct) -> SOCKS5Candidate {
  SOCKS5Candidate(cid: cid, host: "\(cid).example", jid: juliet, port: 5000, priority: priority, kind: kind)
}

private func news(_ info: SOCKS5Transport.Info) -> SOCKS5Negotiation.Action {
  .send(SOCKS5Transport(sid: "s5b", info: info))
}

private let romeosHash = SOCKS5Destination(sid: "s5b", requester: romeo, target: juliet)
private let julietsHash = SOCKS5Destination(sid: "s5b", requester: juliet, target: romeo)

/// Romeo, who offers; Juliet's candidates come with the answer.
private func initiator(
  own: [SOCKS5Candidate] = [candidate("own", 100)], theirs: [SOCKS5Candidate]
) -> Side {
  var side = Side(machine: SOCKS5Negotiation(offering: "s5b", from: romeo, to: juliet))
  _ = side.machine.offer(own)
  side.machine.begin(SOCKS5Transport(sid: "s5b", candidates: theirs), at: side.now)
  return side
}

/// Juliet, who is offered Romeo's candidates.
private func responder(
  own: [SOCKS5Candidate] = [candidate("own", 100)], theirs: [SOCKS5Candidate]
) throws -> Side {
  let offer = SOCKS5Transport(sid: "s5b", mode: .tcp, candidates: theirs)
  var side = Side(machine: try SOCKS5Negotiation(answering: offer, from: romeo, to: juliet))
  _ = side.machine.offer(own)
  side.machine.begin(at: side.now)
  return side
}

@Suite struct XEP0260SOCKS5TransportBehaviorTests {
  // MARK: Offers

  @Test func `An offer tells the hash where a proxy is in it, and the mode once`() throws {
    var machine = SOCKS5Negotiation(offering: "s5b", from: romeo, to: juliet)
    let direct = machine.offer([candidate("a", 1)])
    #expect(direct == SOCKS5Transport(sid: "s5b", mode: .tcp, candidates: [candidate("a", 1)]))
    let proxied = machine.offer([candidate("p", 1, .proxy), candidate("a", 1)])
    #expect(proxied.destination == romeosHash)
    #expect(proxied.candidates.map(\.cid) == ["p"])

    var answering = try SOCKS5Negotiation(answering: direct, from: romeo, to: juliet)
    let answer = answering.offer([candidate("p", 1, .proxy)])
    #expect(answer == SOCKS5Transport(sid: "s5b", destination: julietsHash, candidates: [candidate("p", 1, .proxy)]))
    #expect(answering.awaitedDestinations == [romeosHash, julietsHash])
  }

  @Test func `The responder does not offer a place that the initiator offered`() throws {
    let proxy = candidate("p", 1, .proxy)
    let offer = SOCKS5Transport(sid: "s5b", candidates: [proxy])
    var machine = try SOCKS5Negotiation(answering: offer, from: romeo, to: juliet)
    var same = proxy
    same.cid = "q"
    same.host = "P.Example"
    var other = same
    other.cid = "r"
    other.port = 5001
    #expect(machine.offer([same, other]).candidates == [other])
  }

  @Test func `UDP is refused`() {
    #expect(throws: StanzaError.self) {
      try SOCKS5Negotiation(answering: SOCKS5Transport(sid: "s5b", mode: .udp), from: romeo, to: juliet)
    }
  }

  @Test func `The own offer is bounded as the peer's is`() {
    var machine = SOCKS5Negotiation(offering: "s5b", from: romeo, to: juliet)
    let many = (0..<100).map { candidate("c\($0)", 1) }
    #expect(machine.offer(many).candidates.count == SOCKS5Transport.maximumCandidates)
  }

  // MARK: Attempts

  @Test func `Candidates are tried from the best down, one after another, some at once`() {
    let theirs = [
      candidate("p", 10, .proxy), candidate("low", 50), candidate("high", 90), candidate("mid", 70),
      candidate("last", 40), candidate("end", 30),
    ]
    var side = initiator(theirs: theirs)
    #expect(side.done() == [.connect(.toPeer(cid: "high"), theirs[2], julietsHash)])
    #expect(side.wait(.milliseconds(199)) == [])
    #expect(side.wait(.milliseconds(1)) == [.connect(.toPeer(cid: "mid"), theirs[3], julietsHash)])
    // Room is made by a failure, and there is more of it for four only.
    #expect(side.failed(.toPeer(cid: "high")) == [.connect(.toPeer(cid: "low"), theirs[1], julietsHash)])
    #expect(
      side.wait(.seconds(1)) == [
        .connect(.toPeer(cid: "last"), theirs[4], julietsHash), .connect(.toPeer(cid: "end"), theirs[5], julietsHash),
      ])
    // A proxy begins at once only when nothing else is under way.
    var actions: [SOCKS5Negotiation.Action] = []
    for cid in ["mid", "low", "last", "end"] { actions += side.failed(.toPeer(cid: cid)) }
    #expect(actions == [.connect(.toPeer(cid: "p"), theirs[0], julietsHash)])
  }

  @Test func `What does not come about is over before the transfer is, and the next way is tried`() {
    let timing = SOCKS5Negotiation.Timing()
    #expect(timing.connecting + timing.report + timing.completing < FileTransfer.Limits().connection)
  }

  @Test func `A proxy waits longer for what is better`() {
    let theirs = [candidate("d", 90), candidate("p", 10, .proxy)]
    var side = initiator(theirs: theirs)
    #expect(side.done().count == 1)
    #expect(side.wait(.milliseconds(499)) == [])
    #expect(side.wait(.milliseconds(1)) == [.connect(.toPeer(cid: "p"), theirs[1], julietsHash)])
  }

  @Test func `A proxy does not wait for silent candidates without end`() {
    let silent = (0..<10).map { candidate("d\($0)", 100 - UInt32($0)) }
    let proxies = [candidate("p", 11, .proxy), candidate("q", 10, .proxy)]
    var side = initiator(theirs: silent + proxies)
    #expect(side.wait(.milliseconds(1999)).count == 4)
    #expect(side.wait(.milliseconds(1)) == [.connect(.toPeer(cid: "p"), proxies[0], julietsHash)])
    // The better ones had their time.
    #expect(side.connected(.toPeer(cid: "p")) == [])
    #expect(side.wait(.milliseconds(200)).last == news(.candidateUsed(cid: "p")))

    side = initiator(theirs: silent + proxies)
    _ = side.wait(.seconds(2))
    #expect(side.failed(.toPeer(cid: "p")).last == .connect(.toPeer(cid: "q"), proxies[1], julietsHash))
  }

  @Test func `The hash is the one that the peer tells`() throws {
    let told = try #require(SOCKS5Destination("416781edf1ae50bad01cb8509ba35b43952bc345"))
    let offer = SOCKS5Transport(sid: "s5b", destination: told, candidates: [candidate("a", 1)])
    var side = Side(machine: try SOCKS5Negotiation(answering: offer, from: romeo, to: juliet))
    side.machine.begin(at: side.now)
    #expect(side.done() == [.connect(.toPeer(cid: "a"), candidate("a", 1), told)])
    var computed = try responder(theirs: [candidate("a", 1)])
    #expect(computed.done() == [.connect(.toPeer(cid: "a"), candidate("a", 1), romeosHash)])
  }

  @Test func `The hash that came before the answer holds where the answer has none`() throws {
    let told = try #require(SOCKS5Destination("416781edf1ae50bad01cb8509ba35b43952bc345"))
    var side = Side(machine: SOCKS5Negotiation(offering: "s5b", from: romeo, to: juliet))
    let early = SOCKS5Transport(sid: "s5b", destination: told, candidates: [candidate("p", 10, .proxy)])
    #expect(side.receive(early) == [])
    side.machine.begin(SOCKS5Transport(sid: "s5b"), at: side.now)
    #expect(side.done() == [.connect(.toPeer(cid: "p"), candidate("p", 10, .proxy), told)])
  }

  @Test func `The first that works is reported, unless a better one may still`() {
    let theirs = [candidate("high", 90), candidate("low", 50), candidate("never", 40)]
    var side = initiator(theirs: theirs)
    _ = side.wait(.milliseconds(200))
    #expect(side.connected(.toPeer(cid: "low")) == [])
    #expect(
      side.connected(.toPeer(cid: "high")) == [.close(.toPeer(cid: "low")), news(.candidateUsed(cid: "high"))])

    side = initiator(theirs: theirs)
    _ = side.wait(.milliseconds(200))
    #expect(side.connected(.toPeer(cid: "low")) == [])
    #expect(
      side.wait(.milliseconds(200)) == [.close(.toPeer(cid: "high")), news(.candidateUsed(cid: "low"))])

    side = initiator(theirs: theirs)
    _ = side.wait(.milliseconds(200))
    #expect(
      side.connected(.toPeer(cid: "high")) == [.close(.toPeer(cid: "low")), news(.candidateUsed(cid: "high"))])
    // What was given up and works all the same is closed; what is reported is not reported again.
    #expect(side.connected(.toPeer(cid: "low")) == [.close(.toPeer(cid: "low"))])
    #expect(side.connected(.toPeer(cid: "high")) == [])
  }

  @Test func `A worse one that breaks while the better is awaited is forgotten`() {
    var side = initiator(theirs: [candidate("high", 90), candidate("low", 50)])
    _ = side.wait(.milliseconds(200))
    #expect(side.connected(.toPeer(cid: "low")) == [])
    #expect(side.failed(.toPeer(cid: "low")) == [])
    #expect(side.failed(.toPeer(cid: "high")) == [news(.candidateError)])
  }

  @Test func `When nothing works, or nothing is offered, that is reported once`() {
    var side = initiator(theirs: [candidate("a", 90), candidate("b", 50)])
    _ = side.done()
    #expect(side.failed(.toPeer(cid: "a")).count == 1)
    #expect(side.failed(.toPeer(cid: "b")) == [news(.candidateError)])
    #expect(side.failed(.toPeer(cid: "b")) == [])

    side = initiator(theirs: [])
    #expect(side.wait(.milliseconds(1999)) == [])
    #expect(side.wait(.milliseconds(1)) == [news(.candidateError)])
  }

  @Test func `An attempt that takes too long has failed, and so have all together`() {
    var side = initiator(theirs: [candidate("a", 90)])
    _ = side.done()
    #expect(side.wait(.seconds(6)) == [.close(.toPeer(cid: "a")), news(.candidateError)])

    side = initiator(theirs: (0..<64).map { candidate("c\($0)", 1000 - UInt32($0)) })
    let actions = side.wait(.seconds(30))
    #expect(actions.last == news(.candidateError))
    let begun = actions.count { if case .connect = $0 { true } else { false } }
    let ended = actions.count { if case .close = $0 { true } else { false } }
    #expect(begun == ended)
    #expect((16...24).contains(begun))
  }

  @Test func `Candidates may come later, until this side has reported`() {
    var side = initiator(theirs: [])
    _ = side.wait(.seconds(1))
    let late = SOCKS5Transport(sid: "s5b", candidates: [candidate("a", 90)])
    #expect(side.receive(late) == [.connect(.toPeer(cid: "a"), candidate("a", 90), julietsHash)])
    #expect(side.failed(.toPeer(cid: "a")) == [])
    let later = SOCKS5Transport(sid: "s5b", candidates: [candidate("b", 95), candidate("a", 90)])
    #expect(side.receive(later).count == 1)
    #expect(side.machine.ignored == 1)
    #expect(side.connected(.toPeer(cid: "b")) == [news(.candidateUsed(cid: "b"))])
    #expect(side.receive(SOCKS5Transport(sid: "s5b", candidates: [candidate("c", 99)])) == [])
    #expect(side.machine.ignored == 2)
  }

  // MARK: What the peer reports (XEP-0260 §2.3)

  @Test func `What cannot outrank the peer's choice is given up`() throws {
    let theirs = [candidate("high", 101), candidate("same", 100), candidate("low", 99)]
    var side = initiator(theirs: theirs)
    _ = side.wait(.seconds(1))
    // Of equals the initiator's choice holds, so its attempt goes on.
    #expect(side.receive(.candidateUsed(cid: "own")) == [.close(.toPeer(cid: "low"))])
    #expect(side.failed(.toPeer(cid: "high")) == [])
    #expect(side.failed(.toPeer(cid: "same")) == [news(.candidateError)])

    side = try responder(theirs: theirs)
    _ = side.wait(.seconds(1))
    #expect(
      side.receive(.candidateUsed(cid: "own")) == [.close(.toPeer(cid: "low")), .close(.toPeer(cid: "same"))])
    #expect(side.failed(.toPeer(cid: "high")) == [news(.candidateError)])

    side = try responder(theirs: [candidate("low", 99)])
    _ = side.done()
    #expect(
      side.receive(.candidateUsed(cid: "own")) == [.close(.toPeer(cid: "low")), news(.candidateError)])
  }

  @Test func `A late offer is not waited for when the peer is connected`() {
    var side = initiator(theirs: [])
    #expect(side.connected(.fromPeer(cid: "own")) == [])
    #expect(
      side.receive(.candidateUsed(cid: "own"))
        == [news(.candidateError), .use(.fromPeer(cid: "own"), candidate("own", 100))])
  }

  // MARK: Who wins (XEP-0260 §2.4)

  static let decisions: [(own: UInt32?, peers: UInt32?, initiator: Bool, uses: String?)] = [
    (nil, nil, true, nil), (nil, nil, false, nil),
    (50, nil, true, "theirs"), (50, nil, false, "theirs"), (nil, 50, true, "own"), (nil, 50, false, "own"),
    (60, 50, true, "theirs"), (60, 50, false, "theirs"), (50, 60, true, "own"), (50, 60, false, "own"),
    (50, 50, true, "theirs"), (50, 50, false, "own"),
  ]

  @Test(arguments: decisions)
  func `The better wins, and of equals the initiator's`(
    found: UInt32?, chosen: UInt32?, initiates: Bool, uses: String?
  ) throws {
    // The reports cross, in either order.
    for peerIsFirst in [false, true] {
      let own = candidate("own", chosen ?? 1)
      let theirs = candidate("theirs", found ?? 1)
      var side = initiates ? initiator(own: [own], theirs: [theirs]) : try responder(own: [own], theirs: [theirs])
      _ = side.done()
      if chosen != nil { #expect(side.connected(.fromPeer(cid: "own")) == []) }
      let news = chosen == nil ? SOCKS5Transport.Info.candidateError : .candidateUsed(cid: "own")
      var actions: [SOCKS5Negotiation.Action] = []
      if peerIsFirst, chosen == nil || (found ?? 0) > chosen! { actions += side.receive(news) }
      actions += found == nil ? side.failed(.toPeer(cid: "theirs")) : side.connected(.toPeer(cid: "theirs"))
      actions += side.receive(news)
      let last: SOCKS5Negotiation.Action =
        switch uses {
        case "theirs": .use(.toPeer(cid: "theirs"), theirs)
        case "own": .use(.fromPeer(cid: "own"), own)
        default: .fail(.noConnection)
        }
      #expect(actions.last == last)
      #expect(actions.contains(.close(.toPeer(cid: "theirs"))) == (uses == "own" && found != nil))
      #expect(side.machine.nextDeadline == nil)
    }
  }

  @Test func `A nominated connection that has not come yet is awaited, but not for ever`() {
    var side = initiator(theirs: [candidate("a", 50)])
    _ = side.done()
    #expect(side.failed(.toPeer(cid: "a")) == [news(.candidateError)])
    #expect(side.receive(.candidateUsed(cid: "own")) == [])
    var impatient = side
    #expect(side.connected(.fromPeer(cid: "own")) == [.use(.fromPeer(cid: "own"), candidate("own", 100))])
    #expect(impatient.wait(.seconds(20)) == [.fail(.timedOut)])
  }

  @Test func `A connection that came and went is no connection`() {
    var side = initiator(theirs: [candidate("a", 50)])
    _ = side.connected(.fromPeer(cid: "own"))
    _ = side.failed(.fromPeer(cid: "own"))
    _ = side.failed(.toPeer(cid: "a"))
    #expect(side.receive(.candidateUsed(cid: "own")) == [])
    #expect(side.connected(.fromPeer(cid: "own")) == [.use(.fromPeer(cid: "own"), candidate("own", 100))])
  }

  @Test func `A reported connection that breaks before the peer's report is lost`() {
    var side = initiator(theirs: [candidate("a", 50)])
    _ = side.connected(.toPeer(cid: "a"))
    #expect(side.failed(.toPeer(cid: "a")) == [])
    #expect(side.receive(.candidateError) == [.fail(.lost)])
  }

  @Test func `A peer that never reports is given up`() {
    var side = initiator(theirs: [candidate("a", 50)])
    _ = side.done()
    #expect(side.connected(.toPeer(cid: "a")) == [news(.candidateUsed(cid: "a"))])
    #expect(side.wait(.seconds(29)) == [])
    #expect(side.wait(.seconds(1)) == [.close(.toPeer(cid: "a")), .fail(.timedOut)])
  }

  // MARK: Proxies (XEP-0260 §2.4)

  private func ownProxyNominated(initiates: Bool = true) throws -> Side {
    let own = [candidate("proxy", 20, .proxy)]
    let theirs = [candidate("a", 50)]
    var side = initiates ? initiator(own: own, theirs: theirs) : try responder(own: own, theirs: theirs)
    _ = side.done()
    _ = side.failed(.toPeer(cid: "a"))
    let hash = initiates ? romeosHash : julietsHash
    #expect(side.receive(.candidateUsed(cid: "proxy")) == [.connect(.toOwnProxy(cid: "proxy"), own[0], hash)])
    return side
  }

  @Test(arguments: [true, false])
  func `Who offered the nominated proxy connects to it, activates it, and says so`(initiates: Bool) throws {
    var side = try ownProxyNominated(initiates: initiates)
    let proxy = candidate("proxy", 20, .proxy)
    #expect(
      side.connected(.toOwnProxy(cid: "proxy")) == [.activate(proxy, target: initiates ? juliet : romeo)])
    #expect(side.activated() == [news(.activated(cid: "proxy")), .use(.toOwnProxy(cid: "proxy"), proxy)])
    #expect(side.activated() == [])
    #expect(side.receive(.proxyError) == [])
    #expect(side.machine.ignored == 1)
    #expect(side.connected(.toOwnProxy(cid: "proxy")) == [])
  }

  @Test func `A proxy that cannot be reached is told to the peer`() throws {
    var side = try ownProxyNominated()
    let over: [SOCKS5Negotiation.Action] = [news(.proxyError), .close(.toOwnProxy(cid: "proxy"))]
    #expect(side.failed(.toOwnProxy(cid: "proxy")).filter { !over.contains($0) } == [.fail(.proxy(foundHere: true))])

    side = try ownProxyNominated()
    #expect(
      side.wait(.seconds(20))
        == [news(.proxyError), .close(.toOwnProxy(cid: "proxy")), .fail(.proxy(foundHere: true))])
    // It comes after all.
    #expect(side.connected(.toOwnProxy(cid: "proxy")) == [.close(.toOwnProxy(cid: "proxy"))])
  }

  @Test func `A proxy that does not activate, or breaks, is told to the peer`() throws {
    for isSilent in [true, false] {
      var side = try ownProxyNominated()
      _ = side.connected(.toOwnProxy(cid: "proxy"))
      let actions = isSilent ? side.wait(.seconds(20)) : side.failed(.toOwnProxy(cid: "proxy"))
      #expect(actions.first == news(.proxyError))
      #expect(actions.last == .fail(.proxy(foundHere: true)))
      #expect(side.activated() == [])
    }
  }

  @Test func `The peer cannot use the proxy that was offered to it`() throws {
    var side = try ownProxyNominated()
    #expect(side.receive(.proxyError) == [.close(.toOwnProxy(cid: "proxy")), .fail(.proxy(foundHere: false))])
    side = try ownProxyNominated()
    _ = side.connected(.toOwnProxy(cid: "proxy"))
    #expect(side.receive(.proxyError) == [.close(.toOwnProxy(cid: "proxy")), .fail(.proxy(foundHere: false))])
  }

  private func peersProxyNominated(initiates: Bool = true) throws -> Side {
    let proxy = candidate("proxy", 20, .proxy)
    var side = initiates ? initiator(theirs: [proxy]) : try responder(theirs: [proxy])
    _ = side.done()
    #expect(side.connected(.toPeer(cid: "proxy")) == [news(.candidateUsed(cid: "proxy"))])
    #expect(side.receive(.candidateError) == [])
    return side
  }

  @Test(arguments: [true, false])
  func `The peer's proxy is used when the peer has activated it`(initiates: Bool) throws {
    var side = try peersProxyNominated(initiates: initiates)
    #expect(side.receive(.activated(cid: "other")) == [])
    #expect(side.receive(.candidateUsed(cid: "own")) == [])
    #expect(side.machine.ignored == 2)
    #expect(
      side.receive(.activated(cid: "proxy")) == [.use(.toPeer(cid: "proxy"), candidate("proxy", 20, .proxy))])
    #expect(side.machine.nextDeadline == nil)
  }

  @Test func `A proxy that the peer does not activate comes to nothing`() throws {
    var side = try peersProxyNominated()
    #expect(side.receive(.proxyError) == [.close(.toPeer(cid: "proxy")), .fail(.proxy(foundHere: false))])
    side = try peersProxyNominated()
    #expect(
      side.wait(.seconds(20))
        == [news(.proxyError), .close(.toPeer(cid: "proxy")), .fail(.proxy(foundHere: true))])
    side = try peersProxyNominated()
    #expect(side.failed(.toPeer(cid: "proxy")) == [news(.proxyError), .fail(.proxy(foundHere: true))])
  }

  @Test func `A direct connection outranks proxies on both sides`() {
    let theirs = [candidate("theirs", 20, .proxy)]
    var side = initiator(own: [candidate("own", 100), candidate("mine", 20, .proxy)], theirs: theirs)
    _ = side.done()
    _ = side.connected(.toPeer(cid: "theirs"))
    _ = side.connected(.fromPeer(cid: "own"))
    #expect(
      side.receive(.candidateUsed(cid: "own"))
        == [.close(.toPeer(cid: "theirs")), .use(.fromPeer(cid: "own"), candidate("own", 100))])
  }

  // MARK: Bad input

  @Test func `What is repeated, late or about another bytestream changes nothing`() {
    var side = initiator(theirs: [candidate("a", 50)])
    _ = side.done()
    #expect(side.receive(SOCKS5Transport(sid: "other", info: .candidateError)) == [])
    #expect(side.receive(.activated(cid: "own")) == [])
    #expect(side.receive(.proxyError) == [])
    #expect(side.receive(.candidateError) == [])
    #expect(side.receive(.candidateUsed(cid: "own")) == [])
    #expect(side.receive(.candidateError) == [])
    #expect(side.machine.ignored == 5)
    #expect(side.failed(.toPeer(cid: "a")) == [news(.candidateError), .fail(.noConnection)])
    #expect(side.receive(.candidateUsed(cid: "own")) == [])
    #expect(side.connected(.toPeer(cid: "a")) == [.close(.toPeer(cid: "a"))])
    #expect(side.wait(.seconds(1000)) == [])
  }

  @Test(arguments: ["", "a", "OWN", "nobody's"])
  func `A choice that was not offered ends the attempt`(cid: String) {
    var side = initiator(theirs: [candidate("a", 50)])
    _ = side.done()
    #expect(side.receive(.candidateUsed(cid: cid)) == [.close(.toPeer(cid: "a")), .fail(.protocolViolation)])
  }

  @Test func `An answer about another bytestream ends the attempt`() {
    var side = Side(machine: SOCKS5Negotiation(offering: "s5b", from: romeo, to: juliet))
    side.machine.begin(SOCKS5Transport(sid: "x", candidates: [candidate("a", 1)]), at: side.now)
    #expect(side.done() == [.fail(.protocolViolation)])
  }

  @Test func `News that come before the answer count`() {
    var side = Side(machine: SOCKS5Negotiation(offering: "s5b", from: romeo, to: juliet))
    _ = side.machine.offer([candidate("own", 100)])
    #expect(side.connected(.fromPeer(cid: "own")) == [])
    #expect(side.receive(.candidateUsed(cid: "own")) == [])
    side.machine.begin(SOCKS5Transport(sid: "s5b", candidates: [candidate("a", 1)]), at: side.now)
    #expect(side.done() == [news(.candidateError), .use(.fromPeer(cid: "own"), candidate("own", 100))])
  }

  @Test func `Cancelling closes everything`() {
    var side = initiator(theirs: [candidate("a", 50), candidate("b", 40)])
    _ = side.wait(.seconds(1))
    side.machine.cancel()
    #expect(side.done() == [.close(.toPeer(cid: "a")), .close(.toPeer(cid: "b"))])
    #expect(side.machine.nextDeadline == nil)
    side.machine.cancel()
    #expect(side.done() == [])
  }

  @Test(arguments: 0..<100 as Range<UInt64>)
  func `Whatever happens, it ends in time, once, and leaves nothing open`(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let kinds = SOCKS5Candidate.Kind.allCases
    func some() -> [SOCKS5Candidate] {
      (0..<Int.random(in: 0...8, using: &random)).map { _ in
        candidate(
          "c\(Int.random(in: 0...9, using: &random))", UInt32.random(in: 1...5, using: &random),
          kinds.randomElement(using: &random) ?? .direct)
      }
    }
    let offer = SOCKS5Transport(sid: "s5b", candidates: some())
    var side = Side(
      machine: seed % 2 == 0
        ? SOCKS5Negotiation(offering: "s5b", from: romeo, to: juliet)
        : try SOCKS5Negotiation(answering: offer, from: juliet, to: romeo))
    _ = side.machine.offer(some())
    var open: Set<SOCKS5Negotiation.Link> = []
    var ends = 0
    func check(_ actions: [SOCKS5Negotiation.Action]) {
      for action in actions {
        switch action {
        case .connect(let link, _, _):
          #expect(ends == 0)
          #expect(open.insert(link).inserted)
          #expect(open.count <= 20)
        case .close(let link): open.remove(link)
        case .use(let link, _):
          open.remove(link)
          ends += 1
        case .fail: ends += 1
        case .send, .activate: #expect(ends == 0)
        }
      }
    }
    side.machine.begin(seed % 2 == 0 ? offer : nil, at: side.now)
    for _ in 0..<300 {
      let cid = "c\(Int.random(in: 0...9, using: &random))"
      switch Int.random(in: 0...11, using: &random) {
      case 0: check(side.receive(.candidateUsed(cid: cid)))
      case 1: check(side.receive(.candidateError))
      case 2: check(side.receive(.activated(cid: cid)))
      case 3: check(side.receive(.proxyError))
      case 4: check(side.receive(SOCKS5Transport(sid: "s5b", candidates: some())))
      case 5: check(side.connected(.fromPeer(cid: cid)))
      case 6: check(side.failed(.fromPeer(cid: cid)))
      case 7: check(side.activated())
      case 8:
        // The machinery speaks only of what it was told to do.
        if let link = open.sorted(by: { "\($0)" < "\($1)" }).randomElement(using: &random) {
          check(side.connected(link))
        }
      case 9:
        if let link = open.sorted(by: { "\($0)" < "\($1)" }).randomElement(using: &random) {
          open.remove(link)
          check(side.failed(link))
        }
      default: check(side.wait(.milliseconds(Int.random(in: 0...400, using: &random))))
      }
    }
    check(side.wait(.seconds(200)))
    #expect(ends == 1)
    #expect(open.isEmpty)
    #expect(side.machine.nextDeadline == nil)
  }

  // MARK: Two parties

  /// Both sides, over links that work or do not, with delays; both must come to the same end.
  @Test(arguments: 0..<200 as Range<UInt64>)
  func `Two parties agree`(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    func candidates(_ party: String) -> [SOCKS5Candidate] {
      (0..<Int.random(in: 0...6, using: &random)).map {
        let kind = SOCKS5Candidate.Kind.allCases.randomElement(using: &random) ?? .direct
        return candidate(
          "\(party)\($0)", kind.priority(localPreference: UInt16.random(in: 0...2, using: &random)), kind)
      }
    }
    enum Event {
      case news(SOCKS5Transport)
      case connected(SOCKS5Negotiation.Link)
      case failed(SOCKS5Negotiation.Link)
      case activated
      case refused(String)
    }
    let offers = [candidates("r"), candidates("j")]
    let reachability = [0, 20, 60, 100].randomElement(using: &random) ?? 0
    var initiating = SOCKS5Negotiation(offering: "s5b", from: romeo, to: juliet)
    let offer = initiating.offer(offers[0])
    var answering = try SOCKS5Negotiation(answering: offer, from: romeo, to: juliet)
    let answer = answering.offer(offers[1])
    var now = Instant(nanoseconds: 0)
    answering.begin(at: now)
    initiating.begin(answer, at: now)
    var machines = [initiating, answering]
    var events: [(at: Instant, to: Int, event: Event)] = []
    var ends: [SOCKS5Negotiation.Action?] = [nil, nil]
    /// Stanzas of one side stay in order.
    var lastNews = [now, now]
    for _ in 0..<10_000 where ends.contains(nil) {
      for party in 0..<2 {
        while let action = machines[party].nextAction() {
          // What comes too late is closed, and that is all.
          if ends[party] != nil, case .close = action {} else { #expect(ends[party] == nil) }
          let delay = Duration.milliseconds(Int.random(in: 1...900, using: &random))
          switch action {
          case .connect(let link, let to, _):
            guard Int.random(in: 0..<100, using: &random) < reachability else {
              events.append((now + delay, party, .failed(link)))
              continue
            }
            events.append((now + delay, party, .connected(link)))
            if to.kind != .proxy, case .toPeer(let cid) = link {
              events.append((now + delay, 1 - party, .connected(.fromPeer(cid: cid))))
            }
          case .send(let news):
            lastNews[party] = max(lastNews[party], now + delay)
            events.append((lastNews[party], 1 - party, .news(news)))
          case .activate(let proxy, _):
            let works = Int.random(in: 0..<100, using: &random) < reachability
            events.append((now + delay, party, works ? .activated : .refused(proxy.cid)))
          case .close(.toPeer(let cid)): events.append((now + delay, 1 - party, .failed(.fromPeer(cid: cid))))
          case .close: break
          case .use, .fail: ends[party] = action
          }
        }
      }
      let next = events.enumerated().min { ($0.element.at, $0.offset) < ($1.element.at, $1.offset) }
      let deadline = machines.compactMap(\.nextDeadline).min()
      if let next, deadline.map({ next.element.at <= $0 }) ?? true {
        events.remove(at: next.offset)
        now = max(now, next.element.at)
        let party = next.element.to
        switch next.element.event {
        case .news(let news): machines[party].receive(news, at: now)
        case .connected(let link): machines[party].connected(link, at: now)
        case .failed(let link): machines[party].failed(link, at: now)
        case .activated: machines[party].activated(at: now)
        case .refused(let cid): machines[party].failed(.toOwnProxy(cid: cid), at: now)
        }
      } else if let deadline {
        now = max(now, deadline)
        for party in 0..<2 { machines[party].timeout(at: now) }
      } else {
        break
      }
    }
    switch (ends[0], ends[1]) {
    case (.use(let a, let first), .use(let b, let second)):
      #expect(first == second)
      switch (a, b) {
      case (.toPeer(let x), .fromPeer(let y)), (.fromPeer(let x), .toPeer(let y)), (.toOwnProxy(let x), .toPeer(let y)),
        (.toPeer(let x), .toOwnProxy(let y)):
        #expect(x == y)
      default: Issue.record("\(a) and \(b) are not two ends of one connection")
      }
      #expect(reachability > 0)
    case (.fail, .fail): break
    default: Issue.record("\(String(describing: ends[0])) and \(String(describing: ends[1]))")
    }
  }
}
