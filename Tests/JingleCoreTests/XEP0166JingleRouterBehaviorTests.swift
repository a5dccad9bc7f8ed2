import JingleCore
import Testing
import XMPPCore

@Suite struct XEP0166JingleRouterBehaviorTests {
  /// What became of a request, comparable.
  enum Outcome: Hashable {
    case delivered(Int)
    case offered(overruling: [Int])
    case refused(StanzaError.Condition, JingleCondition?)
    case violated(Int, Jingle.Action)
  }

  func route(_ router: JingleRouter<Int>, _ jingle: Jingle, from: JID = juliet) -> Outcome {
    switch router.route(jingle.element, from: from) {
    case .deliver(_, let handle): .delivered(handle)
    case .offer(_, let handles): .offered(overruling: handles.sorted())
    case .violation(let violation, let handle): .violated(handle, violation.action)
    case .refuse(let error): .refused(error.condition, error.jingle)
    }
  }

  func router(_ sessions: (Int, sid: String, peer: JID)...) -> JingleRouter<Int> {
    var router = JingleRouter<Int>(own: romeo, maximumSessions: 4)
    for (handle, sid, peer) in sessions { _ = router.add(handle, sid: sid, peer: peer) }
    return router
  }

  func offer(_ sid: String) -> Jingle { Jingle(.sessionInitiate, sid: sid, contents: [voice]) }

  @Test(arguments: Jingle.Action.defined)
  func `An action goes to the session of that id and peer, and to no other`(action: Jingle.Action) {
    let router = router((1, "a", juliet), (2, "a", tybalt), (3, "b", juliet))
    let jingle = Jingle(action, sid: "a", contents: [Jingle.Content(name: "voice", senders: .initiator)])
    #expect(route(router, jingle) == .delivered(1))
    #expect(route(router, jingle, from: tybalt) == .delivered(2))
    let unknown =
      action == .sessionInitiate ? Outcome.offered(overruling: []) : .refused(.itemNotFound, .unknownSession)
    #expect(route(router, jingle, from: julietsPhone) == unknown)
    #expect(route(router, jingle, from: juliet.bare) == unknown)
  }

  @Test func `What is removed is unknown`() {
    var router = router((1, "a", juliet))
    router.remove(sid: "a", peer: juliet)
    #expect(route(router, Jingle(.sessionTerminate, sid: "a")) == .refused(.itemNotFound, .unknownSession))
    #expect(router.count == 0)
  }

  @Test func `Unknown actions and what is malformed are bad requests`() {
    let router = router((1, "a", juliet))
    #expect(route(router, Jingle(.unknown("source-add"), sid: "a")) == .refused(.badRequest, nil))
    #expect(route(router, Jingle(.sessionInfo, sid: "")) == .refused(.badRequest, nil))
  }

  @Test func `Sessions are bounded`() {
    var router = router((1, "a", juliet), (2, "b", juliet), (3, "c", juliet), (4, "d", juliet))
    #expect(route(router, offer("e")) == .refused(.resourceConstraint, nil))
    let (added, replaced) = (router.add(5, sid: "e", peer: juliet), router.add(6, sid: "d", peer: juliet))
    #expect(!added)
    #expect(replaced)
    router.remove(sid: "a", peer: juliet)
    #expect(route(router, offer("e")) == .offered(overruling: []))
    let addedLater = router.add(5, sid: "e", peer: juliet)
    #expect(addedLater)
  }

  static let ties: [(ours: String, theirs: String, outcome: Outcome)] = [
    ("a", "b", .refused(.conflict, .tieBreak)),
    ("b", "a", .offered(overruling: [1])),
    ("a", "B", .offered(overruling: [1])),
    // With equal ids the lower address wins, which is juliet's.
    ("a", "a", .offered(overruling: [1])),
  ]

  @Test(arguments: ties)
  func `Of two offers that cross, the one with the lower id stands`(ours: String, theirs: String, outcome: Outcome) {
    var router = router((1, ours, juliet))
    router.offered([voice], sid: ours, peer: juliet)
    #expect(route(router, offer(theirs)) == outcome)
    // Others are no rivals, nor is an offer of something else.
    #expect(route(router, offer("z"), from: tybalt) == .offered(overruling: []))
    var file = offer("z")
    file.contents[0].description = .unknown(
      XMLElement("description", namespace: "urn:xmpp:jingle:apps:file-transfer:5"))
    #expect(route(router, file) == .offered(overruling: []))
  }

  @Test func `Files that cross are two files`() {
    var file = voice
    file.description = .file(FileDescription(name: "a.txt", size: 1))
    var router = router((1, "a", juliet))
    router.offered([file], sid: "a", peer: juliet)
    var theirs = offer("b")
    theirs.contents = [file]
    #expect(route(router, theirs) == .offered(overruling: []))
    theirs.sid = "a"
    #expect(route(router, theirs) == .delivered(1))
  }

  @Test func `An offer that was answered ties with nothing`() {
    var router = router((1, "a", juliet))
    router.offered([voice], sid: "a", peer: juliet)
    router.settled(sid: "a", peer: juliet)
    #expect(route(router, offer("b")) == .offered(overruling: []))
    // It is the session's own business to refuse a second beginning.
    #expect(route(router, offer("a")) == .delivered(1))
  }
}
