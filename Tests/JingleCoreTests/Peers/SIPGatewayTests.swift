import JingleCore
import MediaTime
import Testing
import XMPPCore

/// Cheogram's gateway to SIP and to the telephone network.
@Suite struct SIPGatewayTests {
  static let gateway = JID(
    localpart: "+15555550142", domainpart: "gate.example", resourcepart: "sip:15555550142@gate.example/7Fq")

  static func transport(_ inside: String = "") -> String {
    """
    <transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' ufrag='gw7Y' pwd='nQ5xTr2bKz8vLm0sHd4wPc9j'>
      \(inside)
    </transport>
    """
  }

  static let fingerprint =
    "<fingerprint xmlns='urn:xmpp:jingle:apps:dtls:0' hash='sha-256' setup='active'>\(sha256(67))</fingerprint>"

  static func info(_ inside: String) -> String {
    words("transport-info", "", "<content creator='initiator' name='audio'>\(transport(inside))</content>")
  }

  static func accept(_ inside: String = "") -> String {
    words(
      "session-accept", "",
      """
      <content creator='initiator' name='audio' senders='both'>
        <description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'>
          <payload-type id='96' name='opus' clockrate='48000' channels='2'/><rtcp-mux/>
        </description>
        \(transport(inside))
      </content>
      """)
  }

  @Test func `The SIP gateway sends its fingerprint in transport-info before it accepts`() throws {
    var call = PeerCall(calling: Self.gateway, [Ours.audio])
    guard case .receivedTransport(let early, content: "audio") = try call.take(Self.info(Self.fingerprint)).event
    else { throw StanzaError(.badRequest) }
    #expect(early.fingerprint?.value == sha256(67))
    #expect(early.fingerprint?.setup == .active)
    #expect(try DTLSRole(offered: .actpass, answered: early.fingerprint?.setup) == .server)
    #expect(call.session.phase == .pending)
    guard case .accepted(let answer) = try call.take(Self.accept()).event else { throw StanzaError(.badRequest) }
    #expect(answer.contents.first?.fingerprint == nil)
    #expect(answer.contents.first?.transport?.iceUDP?.ufrag == "gw7Y")
  }

  @Test func `The SIP gateway's answer is no restart of what it said early`() throws {
    var call = PeerCall(calling: Self.gateway, [Ours.audio])
    _ = try call.take(Self.info(Self.fingerprint))
    #expect(try call.take(Self.accept(Self.fingerprint)).events.count == 1)
    guard case .receivedTransport = try call.take(Self.info("")).event else { throw StanzaError(.badRequest) }
  }

  @Test func `The SIP gateway may be a number whose resource is an address itself`() throws {
    var proposal = OutgoingProposal(
      id: PeerCall.sid, own: PeerCall.own, peer: Self.gateway.bare, media: ["audio"], patience: .seconds(60),
      at: Instant(nanoseconds: 0))
    _ = proposal.nextOutput()
    proposal.receive(JingleMessage(id: PeerCall.sid, .ringing), from: try JID(Self.gateway.description))
    #expect(proposal.nextOutput() == .event(.ringing(device: Self.gateway)))
  }
}
