import JingleCore
import XMPPCore

/// A client with several sessions, as far as the machines go: router and sessions, each request by its XML.
struct SessionTable {
  typealias Output = JingleSession.Output

  var router = JingleRouter<String>(own: romeo, maximumSessions: 8)
  var sessions: [String: JingleSession] = [:]
  /// Offers that were let in.
  var offers = 0

  private static func key(_ sid: String, _ peer: JID) -> String { "\(sid) \(peer)" }

  /// A session with a peer in the given role and phase; nil is no session at all.
  mutating func begin(_ sid: String, with peer: JID, as role: Jingle.Party, _ phase: JingleSession.Phase?) throws {
    guard let phase else { return }
    var session: JingleSession
    switch role {
    case .initiator:
      session = JingleSession(initiating: sid, own: romeo, peer: peer, deciding: [.contents, .transports])
      if phase != .fresh {
        session.initiate([voice])
        session.receive(.result(nil), for: 1)
      }
      if phase == .active || phase == .ended {
        session.receive(Jingle(.sessionAccept, sid: sid, contents: [voiceAnswer]), from: peer, id: "accept")
      }
    case .responder:
      session = try JingleSession(
        answering: Jingle(.sessionInitiate, sid: sid, contents: [voice]), from: peer, id: "offer", own: romeo,
        deciding: [.contents, .transports])
      if phase == .active || phase == .ended {
        session.accept([voiceAnswer])
        session.receive(.result(nil), for: 1)
      }
    }
    if phase == .ended { session.terminate(Jingle.Reason(.success)) }
    _ = drain(&session)
    sessions[Self.key(sid, peer)] = session
    // What has ended is forgotten.
    if phase != .ended { _ = router.add(Self.key(sid, peer), sid: sid, peer: peer) }
  }

  subscript(sid: String, peer: JID) -> JingleSession? { sessions[Self.key(sid, peer)] }

  mutating func act(_ sid: String, _ peer: JID, _ action: (inout JingleSession) -> Void) -> [Output] {
    guard var session = sessions[Self.key(sid, peer)] else { return [] }
    action(&session)
    let outputs = drain(&session)
    sessions[Self.key(sid, peer)] = session
    return outputs
  }

  /// Takes a request from the wire, and tells what goes out for it.
  mutating func receive(_ element: XMLElement, from peer: JID, id: String = "x") -> [Output] {
    switch router.route(element, from: peer) {
    case .deliver(let jingle, let key):
      return act(key) { $0.receive(jingle, from: peer, id: id) }
    case .violation(let violation, let key):
      return act(key) { $0.receive(violation, from: peer, id: id) }
    case .refuse(let error):
      return [.refuse(id: id, to: peer, error)]
    case .offer(let jingle, _):
      do throws(StanzaError) {
        var session = try JingleSession(
          answering: jingle, from: peer, id: id, own: romeo, deciding: [.contents, .transports])
        let outputs = drain(&session)
        offers += 1
        // Nobody wants it.
        return outputs
      } catch {
        return [.refuse(id: id, to: peer, error)]
      }
    }
  }

  private mutating func act(_ key: String, _ action: (inout JingleSession) -> Void) -> [Output] {
    guard var session = sessions[key] else { return [] }
    action(&session)
    let outputs = drain(&session)
    sessions[key] = session
    return outputs
  }
}

extension [JingleSession.Output] {
  /// The answers to requests among them.
  var answers: Int {
    count {
      switch $0 {
      case .acknowledge, .refuse: true
      case .request, .event: false
      }
    }
  }

  var error: StanzaError? {
    if case .refuse(_, _, let error) = first { error } else { nil }
  }
}

/// How much there is of a value, roughly.
func weight(_ value: some Any) -> Int {
  var text = ""
  dump(value, to: &text)
  return text.utf8.count
}
