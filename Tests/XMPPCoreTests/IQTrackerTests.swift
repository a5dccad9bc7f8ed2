import MediaTime
import Testing
import XMPPCore

@Suite struct IQTrackerTests {
  private let now = Instant(nanoseconds: 0)

  @Test(
    "An answer counts when it comes from whom was asked, and only then",
    arguments: [
      (nil, nil, true),
      (nil, "me@home.example", true),
      (nil, "me@home.example/phone", true),
      (nil, "home.example", true),
      (nil, "me@home.example/tablet", false),
      (nil, "mallory@evil.example", false),
      (nil, "sub.home.example", false),
      ("me@home.example", nil, true),
      ("home.example", "home.example", true),
      ("home.example", nil, true),
      ("home.example", "other@home.example", false),
      ("proxy.home.example", "proxy.home.example", true),
      ("proxy.home.example", nil, false),
      ("proxy.home.example", "home.example", false),
      ("bob@away.example/pc", "bob@away.example/pc", true),
      ("bob@away.example/pc", "BOB@away.example/pc", true),
      ("bob@away.example/pc", "bob@away.example", false),
      ("bob@away.example/pc", "bob@away.example/PC", false),
      ("bob@away.example/pc", "me@home.example", false),
      ("bob@away.example/pc", nil, false),
      ("bob@away.example", "bob@away.example/pc", false),
    ] as [(String?, String?, Bool)])
  func senders(to: String?, from: String?, counts: Bool) throws {
    var random = FixedGenerator()
    var tracker = IQTracker(account: try jid("me@home.example/phone"))
    let iq = tracker.request(.get(Ping.request), to: try to.map(JID.init), at: now, using: &random)
    let answer = IQ(id: iq.id, from: try from.map(JID.init), .result(nil))
    let received = tracker.receive(answer)
    #expect((received != nil) == counts)
    #expect(tracker.count == (counts ? 0 : 1))
    if counts {
      #expect(received?.outcome == .result(nil))
      #expect(tracker.receive(answer) == nil, "an answer counts once")
    }
  }

  @Test("An answer to another id, or a request with a known id, is not an answer")
  func strangers() throws {
    var random = FixedGenerator()
    var tracker = IQTracker(account: try jid("me@home.example/phone"))
    let iq = tracker.request(.set(Ping.request), at: now, using: &random)
    #expect(tracker.receive(IQ(id: "1", .result(nil))) == nil)
    #expect(tracker.receive(IQ(id: iq.id, .get(Ping.request))) == nil)
    #expect(tracker.receive(IQ(id: iq.id, .error(StanzaError(.forbidden))))?.outcome == .error(StanzaError(.forbidden)))
  }

  @Test("A forged answer does not take the place of the true one")
  func forgery() throws {
    var random = FixedGenerator()
    var tracker = IQTracker(account: try jid("me@home.example/phone"))
    let bob = try jid("bob@away.example/pc")
    let iq = tracker.request(.get(Ping.request), to: bob, at: now, using: &random)
    #expect(tracker.receive(IQ(id: iq.id, from: try jid("eve@away.example/pc"), .error(StanzaError(.gone)))) == nil)
    #expect(tracker.receive(IQ(id: iq.id, from: bob, .result(nil)))?.id == iq.id)
  }

  @Test("Requests time out in their order, and an answer after that is dropped")
  func timeouts() throws {
    var random = FixedGenerator()
    var tracker = IQTracker(account: try jid("me@home.example/phone"))
    let slow = tracker.request(.get(Ping.request), at: now, timeout: .seconds(20), using: &random)
    let fast = tracker.request(.get(Ping.request), at: now, timeout: .seconds(10), using: &random)
    let answered = tracker.request(.get(Ping.request), at: now, timeout: .seconds(5), using: &random)
    #expect(tracker.nextDeadline == now + .seconds(5))
    #expect(tracker.receive(IQ(id: answered.id, .result(nil))) != nil)
    #expect(tracker.nextDeadline == now + .seconds(10))
    #expect(tracker.timeout(at: now + .milliseconds(9_999)).isEmpty)
    #expect(tracker.timeout(at: now + .seconds(10)) == [fast.id])
    #expect(tracker.receive(IQ(id: fast.id, .result(nil))) == nil)
    #expect(tracker.timeout(at: now + .seconds(60)) == [slow.id])
    #expect(tracker.nextDeadline == nil)
  }

  @Test("The end of the stream ends all requests")
  func disconnected() throws {
    var random = FixedGenerator()
    var tracker = IQTracker(account: try jid("me@home.example/phone"))
    let ids = (0..<3).map { _ in tracker.request(.get(Ping.request), at: now, using: &random).id }
    tracker.forget(ids[0])
    #expect(tracker.disconnected() == ids[1...].sorted())
    #expect(tracker.count == 0)
    #expect(tracker.nextDeadline == nil)
  }

  @Test("Ids have 128 bits and do not repeat")
  func ids() {
    var random = FixedGenerator()
    let ids = (0..<1000).map { _ in StanzaID.random(using: &random) }
    #expect(Set(ids).count == 1000)
    #expect(ids.allSatisfy { $0.count == 32 && $0.allSatisfy(\.isHexDigit) })
  }

  @Test("A request that waits for a stream never times out, until its time begins anew")
  func suspended() throws {
    var random = FixedGenerator()
    var tracker = IQTracker(account: try jid("me@home.example/phone"))
    let iq = tracker.request(.get(Ping.request), at: now, using: &random)
    tracker.suspend(iq.id)
    #expect(tracker.nextDeadline == nil && tracker.timeout(at: now + .seconds(3600)).isEmpty && tracker.count == 1)
    tracker.resume(iq.id, until: now + .seconds(3700))
    tracker.resume("unknown", until: now)
    #expect(tracker.nextDeadline == now + .seconds(3700))
    #expect(tracker.timeout(at: now + .seconds(3700)) == [iq.id])
  }

  @Test("After a stream under another address its own server answers under that")
  func rebound() throws {
    var random = FixedGenerator()
    var tracker = IQTracker(account: try jid("me@home.example/phone"))
    let iq = tracker.request(.get(Ping.request), at: now, using: &random)
    tracker.rebind(to: try jid("me@home.example/other"))
    #expect(tracker.receive(IQ(id: iq.id, from: try jid("me@home.example/phone"), .result(nil))) == nil)
    #expect(tracker.receive(IQ(id: iq.id, from: try jid("me@home.example/other"), .result(nil))) != nil)
  }
}
