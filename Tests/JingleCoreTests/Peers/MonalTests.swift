import JingleCore
import MediaTime
import Testing
import XMPPCore

/// Monal, on iOS with libwebrtc.
@Suite struct MonalTests {
  static let monal = JID(localpart: "mona", domainpart: "orchard.example", resourcepart: "Monal-iOS.4F21A0")

  static func transport(ufrag: String = "1Kd8", pwd: String = "vG7nqYb2cXw9sLk4HtPzRj3M", setup: String? = nil)
    -> String
  {
    let fingerprint = setup.map {
      "<fingerprint xmlns='urn:xmpp:jingle:apps:dtls:0' hash='sha-256' setup='\($0)'>\(sha256(29))</fingerprint>"
    }
    return """
      <transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' ufrag='\(ufrag)' pwd='\(pwd)'>
        \(fingerprint ?? "")
      </transport>
      """
  }

  static let accept = words(
    "session-accept", "responder='mona@orchard.example/Monal-iOS.4F21A0'",
    """
    <content creator='initiator' name='audio' senders='both'>
      <description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'>
        <payload-type id='96' name='opus' clockrate='48000' channels='2'/><rtcp-mux/>
      </description>
      \(transport(setup: "active"))
    </content>
    """)

  static func call() throws -> PeerCall {
    var call = PeerCall(calling: monal, [Ours.audio])
    guard case .accepted = try call.take(accept).event else { throw StanzaError(.unexpectedRequest) }
    return call
  }

  @Test func `Monal wants ufrag and pwd in every transport-info, also where they go without saying`() throws {
    var call = try Self.call()
    var said = call.say { session in
      session.send(ICETransport(candidates: [candidate(1)]), for: "audio")
      session.send(ICETransport(ufrag: "ownaudio", candidates: [candidate(2)]), for: "audio")
    }
    said += call.say { $0.send(ICETransport(ufrag: "own2", pwd: "ownsecondpasswordforice"), for: "audio") }
    said += call.say { $0.send(ICETransport(candidates: [candidate(3)]), for: "audio") }
    let transports = said.flatMap(\.contents).compactMap { $0.transport?.iceUDP }
    #expect(transports.map(\.ufrag) == ["ownaudio", "ownaudio", "own2", "own2"])
    let (first, second) = ("ownpasswordofaudioforice", "ownsecondpasswordforice")
    #expect(transports.map(\.pwd) == [first, first, second, second])
  }

  @Test func `Monal refuses candidates under credentials that it does not know, and the call goes on`() throws {
    var call = try Self.call()
    call.session.send(ICETransport(candidates: [candidate(1)]), for: "audio")
    let error = StanzaError(.notAuthorized)
    let outputs = call.answer(drain(&call.session)) { _ in .error(error) }
    #expect(outputs.events == [.unanswered(.transportInfo, error)])
    #expect(call.session.phase == .active)
  }

  @Test func `Monal takes a second session-initiate for a conflict, which the running call survives`() throws {
    var session = JingleSession(initiating: PeerCall.sid, own: PeerCall.own, peer: Self.monal)
    session.initiate([Ours.audio])
    let token = try #require(drain(&session).token)
    session.receive(try jingle(Self.accept), from: Self.monal, id: "1")
    _ = drain(&session)
    // The first one arrived twice.
    let conflict = StanzaError(.conflict)
    #expect(session.take(.error(conflict), for: token) == [.event(.unanswered(.sessionInitiate, conflict))])
    #expect(session.phase == .active)
  }

  @Test func `Monal hears that a device rings before anything else, or gives up`() throws {
    let asked = try #require(
      JingleMessage(
        try xml(
          """
          <propose xmlns='urn:xmpp:jingle-message:0' id='0b7e3a9c-6a52-4e0c-9f0d-2f5d8c1b7a60'>
            <description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'/>
          </propose>
          """)))
    var incoming = try #require(
      IncomingProposal(
        asked, from: Self.monal, own: PeerCall.own, patience: .seconds(45), at: Instant(nanoseconds: 0)))
    incoming.ring()
    incoming.ring()
    #expect(incoming.nextOutput() == .send(JingleMessage(id: asked.id, .ringing), to: Self.monal))
    #expect(incoming.nextOutput() == nil)
    #expect(incoming.nextDeadline == Instant(nanoseconds: 0) + .seconds(45))
  }

  @Test func `Monal is always asked for sound, by a proposal whose id is that of the session`() throws {
    var proposal = OutgoingProposal(
      id: PeerCall.sid, own: PeerCall.own, peer: Self.monal.bare, media: ["audio", "video"], patience: .seconds(30),
      at: Instant(nanoseconds: 0))
    guard case .send(let message, _)? = proposal.nextOutput() else { throw StanzaError(.badRequest) }
    #expect(message.media == ["audio", "video"])
    #expect(message.element[attribute: "id"] == PeerCall.sid)
  }

  @Test func `Monal retracts a call that is not taken in time`() throws {
    let asked = JingleMessage(id: PeerCall.sid, .propose([.rtp(RTPDescription(media: "audio"))]))
    let now = Instant(nanoseconds: 0)
    var incoming = try #require(
      IncomingProposal(asked, from: Self.monal, own: PeerCall.own, patience: .seconds(60), at: now))
    let retract = try #require(
      JingleMessage(
        try xml(
          """
          <retract xmlns='urn:xmpp:jingle-message:0' id='\(PeerCall.sid)'>
            <reason xmlns='urn:xmpp:jingle:1'><timeout/></reason>
          </retract>
          """)))
    incoming.receive(retract, from: Self.monal, at: now)
    #expect(incoming.nextOutput() == .event(.retracted(Jingle.Reason(.timeout), isTieBreak: false)))
  }
}
