import JingleCore
import Testing
import XMPPCore

/// A call with a client that the test plays by its own words. What it says comes through the router, as in a client.
struct PeerCall {
  typealias Output = JingleSession.Output

  static let own = JID(localpart: "carol", domainpart: "house.example", resourcepart: "carillon")
  /// This side's session id, and the peers'.
  static let sid = "5b0f3c9e-2f0e-4a39-8a4d-6f2a7c1d9e10"

  let peer: JID
  var session: JingleSession
  private var router = JingleRouter<Int>(own: own)
  private var lastID = 0

  /// Calls the peer, which acknowledges the offer.
  init(calling peer: JID, _ offer: [Jingle.Content], groups: [ContentGroup] = []) {
    self.peer = peer
    session = JingleSession(
      initiating: Self.sid, own: Self.own, peer: peer, deciding: [.contents, .transports])
    session.initiate(offer, groups: groups)
    _ = router.add(1, sid: Self.sid, peer: peer)
    grant(drain(&session))
  }

  /// Is called by the peer with these words.
  init(calledBy peer: JID, _ text: String) throws {
    self.peer = peer
    guard case .offer(let offer, _) = router.route(try xml(text), from: peer) else {
      throw StanzaError(.badRequest, text: "no offer")
    }
    session = try JingleSession(
      answering: offer, from: peer, id: "offer", own: Self.own, deciding: [.contents, .transports])
    _ = router.add(1, sid: offer.sid, peer: peer)
    #expect(drain(&session) == [.acknowledge(id: "offer", to: peer), .event(.initiated(offer))])
  }

  /// Accepts the peer's call, and is understood.
  mutating func accept(_ answer: [Jingle.Content], groups: [ContentGroup] = []) {
    session.accept(answer, groups: groups)
    grant(drain(&session))
  }

  /// Tells what follows from the peer's words: the answer first.
  mutating func hear(_ text: String) throws -> [Output] {
    lastID += 1
    let id = "p\(lastID)"
    switch router.route(try xml(text), from: peer) {
    case .deliver(let jingle, 1): session.receive(jingle, from: peer, id: id)
    case .violation(let violation, 1): session.receive(violation, from: peer, id: id)
    case .refuse(let error): return [.refuse(id: id, to: peer, error)]
    default: throw StanzaError(.itemNotFound)
    }
    return drain(&session)
  }

  /// Tells what follows from words that the peer must get no error for.
  mutating func take(_ text: String, _ location: SourceLocation = #_sourceLocation) throws -> [Output] {
    let outputs = try hear(text)
    guard case .acknowledge = outputs.first else {
      Issue.record("refused: \(outputs)", sourceLocation: location)
      return []
    }
    return Array(outputs.dropFirst())
  }

  /// Does something on this side, and tells what is said.
  mutating func say(_ action: (inout JingleSession) -> Void) -> [Jingle] {
    action(&session)
    return answer(drain(&session)) { _ in .result(nil) }.requests
  }

  /// Answers what this side asked as the peer does, and whatever follows from that.
  @discardableResult
  mutating func answer(_ outputs: [Output], _ outcome: (Jingle) -> IQTracker.Outcome) -> [Output] {
    var all: [Output] = []
    var next = outputs
    while !next.isEmpty {
      all += next
      for case .request(let jingle, _, let token) in next { session.receive(outcome(jingle), for: token) }
      next = drain(&session)
    }
    return all
  }

  private mutating func grant(_ outputs: [Output]) {
    answer(outputs) { _ in .result(nil) }
  }
}

/// What this side offers and answers.
enum Ours {
  static let fingerprint = DTLSFingerprint(hash: .sha256, setup: .actpass, bytes: Array(0..<32))

  static func transport(_ name: String, setup: DTLSSetup = .actpass) -> ICETransport {
    var fingerprint = fingerprint
    fingerprint.setup = setup
    let word = name.filter { $0.isASCII && $0.isLetter }
    return ICETransport(ufrag: "own\(word)", pwd: "ownpasswordof\(word)forice", fingerprints: [fingerprint])
  }

  static func content(_ name: String, _ description: RTPDescription, setup: DTLSSetup = .actpass) -> Jingle.Content {
    Jingle.Content(name: name, description: .rtp(description), transport: .iceUDP(transport(name, setup: setup)))
  }

  static let audio = content("audio", RTPDescription(offering: "audio", [.opus()]))
  static let video = content("video", RTPDescription(offering: "video", [.vp8(retransmits: true)], from: 100))

  /// The answer to a content of the peer's.
  static func answer(_ content: Jingle.Content, _ capabilities: [RTPCapability]) throws -> Jingle.Content {
    let offer = try #require(content.description?.rtp)
    var answer = content
    answer.description = .rtp(try #require(offer.answer(supporting: capabilities)))
    let setup = try DTLSRole.answering(content.fingerprint?.setup).setup
    answer.transport = .iceUDP(transport(content.name, setup: setup))
    return answer
  }
}

extension [JingleSession.Output] {
  /// The only event.
  var event: JingleSession.Event? { events.count == 1 ? events[0] : nil }
}

/// A certificate's sha-256, as written.
func sha256(_ seed: UInt8) -> String {
  DTLSFingerprint(hash: .sha256, setup: nil, bytes: (0..<32).map { seed &+ $0 &* 7 }).value
}

/// What every client's stanzas begin with.
func words(_ action: String, _ attributes: String = "", _ inside: String = "") -> String {
  "<jingle xmlns='urn:xmpp:jingle:1' action='\(action)' sid='\(PeerCall.sid)' \(attributes)>\(inside)</jingle>"
}
