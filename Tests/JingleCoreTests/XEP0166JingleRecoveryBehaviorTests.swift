import JingleCore
import Testing
import XMPPCore

/// Whether the peer still has a session, and what is said again on a new stream.
@Suite struct XEP0166JingleRecoveryBehaviorTests {
  private func question(_ session: inout JingleSession) throws -> JingleSession.Token {
    session.sendInfo(nil)
    guard case .request(let jingle, let peer, let token)? = next(&session) else {
      throw StanzaError(.undefinedCondition, text: "nothing was asked")
    }
    #expect(jingle == Jingle(.sessionInfo, sid: sid) && peer == session.peer)
    return token
  }

  @Test(
    "What becomes of the question tells whether the peer has the session",
    arguments: [
      (.result(nil), .confirmed),
      (.error(.unsupportedInfo), .confirmed),
      (.error(StanzaError(.featureNotImplemented)), .confirmed),
      (.error(StanzaError(.badRequest)), .confirmed),
      (.error(.outOfOrder), .confirmed),
      (.error(StanzaError(.serviceUnavailable)), .unconfirmed(isAbsent: true)),
      (.error(StanzaError(.recipientUnavailable)), .unconfirmed(isAbsent: true)),
      (.error(StanzaError(.remoteServerNotFound)), .unconfirmed(isAbsent: true)),
      (.error(StanzaError(.remoteServerTimeout)), .unconfirmed(isAbsent: true)),
      (.error(StanzaError(.itemNotFound)), .unconfirmed(isAbsent: true)),
      (.error(StanzaError(.resourceConstraint)), .unconfirmed(isAbsent: false)),
      (.error(StanzaError(.internalServerError)), .unconfirmed(isAbsent: false)),
      (.timedOut, .unconfirmed(isAbsent: false)),
      (.disconnected, .unconfirmed(isAbsent: false)),
      (.error(.unknownSession), .failed(.unknownSession)),
    ] as [(IQTracker.Outcome, JingleSession.Event)])
  func answers(outcome: IQTracker.Outcome, event: JingleSession.Event) throws {
    for var session in [initiator(.active), try responder(.active), initiator(.pending), try responder(.pending)] {
      let phase = session.phase
      let token = try question(&session)
      session.receive(outcome, for: token)
      #expect(drain(&session) == [.event(event)])
      #expect(session.phase == (event == .failed(.unknownSession) ? .ended : phase))
    }
  }

  @Test("Information that says something is told as refused, and does not pass for the question")
  func information() throws {
    var session = initiator(.active)
    session.sendInfo(RTPInfo.hold.element)
    guard case .request(_, _, let token)? = next(&session) else {
      Issue.record("nothing was sent")
      return
    }
    session.receive(.error(.unsupportedInfo), for: token)
    #expect(drain(&session) == [.event(.unanswered(.sessionInfo, .unsupportedInfo))])
  }

  @Test(
    "Whoever has a session answers the question with an empty result",
    arguments: [JingleSession.Phase.pending, .active])
  func asked(phase: JingleSession.Phase) throws {
    var session = try responder(phase)
    session.receive(Jingle(.sessionInfo, sid: sid), from: romeo, id: "question")
    #expect(drain(&session) == [.acknowledge(id: "question", to: romeo)])
  }

  @Test("A change that found no answer is said again on a new stream, but not from a new address")
  func changes() throws {
    var session = initiator(.active)
    session.sendInfo(RTPInfo.hold.element)
    session.send(transport(1), for: "voice")
    session.modify("voice", senders: .initiator)
    for output in drain(&session) {
      guard case .request(let jingle, _, let token) = output else { continue }
      #expect(session.isWorthRepeating(token, fromNewAddress: false), "\(jingle.action)")
      #expect(!session.isWorthRepeating(token, fromNewAddress: true), "\(jingle.action)")
    }
    let token = try question(&session)
    #expect(!session.isWorthRepeating(token, fromNewAddress: false))
    session.receive(.result(nil), for: token)
    #expect(!session.isWorthRepeating(token, fromNewAddress: false))
  }

  @Test("The end is always worth saying again, and what came before it no more")
  func end() throws {
    var session = initiator(.active)
    session.sendInfo(RTPInfo.hold.element)
    session.terminate(Jingle.Reason(.success))
    let tokens = drain(&session)
      .compactMap { output -> (Jingle.Action, Int)? in
        if case .request(let jingle, _, let token) = output { (jingle.action, token) } else { nil }
      }
    #expect(tokens.map(\.0) == [.sessionInfo, .sessionTerminate])
    for isMoved in [false, true] {
      #expect(tokens.map { session.isWorthRepeating($0.1, fromNewAddress: isMoved) } == [false, true])
    }
  }

  @Test("An offer is made again only to a peer that may not have it")
  func offer() throws {
    let ringing = Jingle(.sessionInfo, sid: sid, payloads: [RTPInfo.ringing.element])
    for (message, isWorth) in [(nil, true), (ringing, false)] {
      var session = JingleSession(initiating: sid, own: romeo, peer: juliet)
      session.initiate([voice])
      if let message { session.receive(message, from: juliet, id: "ringing") }
      #expect(session.isWorthRepeating(1, fromNewAddress: false) == isWorth)
    }
  }
}
