import JingleCore
import Testing
import XMPPCore

/// Psi, whose calls are RTP without DTLS.
@Suite struct PsiTests {
  static let psi = JID(localpart: "pia", domainpart: "delta.example", resourcepart: "Psi")

  static let offer = words(
    "session-initiate", "initiator='pia@delta.example/Psi'",
    """
    <content creator='initiator' name='A' senders='both'>
      <description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'>
        <payload-type id='97' name='speex' clockrate='16000' channels='1'/>
        <payload-type id='96' name='opus' clockrate='48000' channels='2'/>
      </description>
      <transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' ufrag='pJ6s' pwd='eW3yKd0nZq7tVc5rLb1xHm'/>
    </content>
    """)

  @Test func `Psi offers RTP in the open, which is told from an offer that a call can be made of`() throws {
    let offered = try jingle(Self.offer)
    #expect(offered.contents.first?.fingerprint == nil)
    var call = try PeerCall(calledBy: Self.psi, Self.offer)
    let said = call.say {
      $0.terminate(Jingle.Reason(.securityError, application: RTPError.cryptoRequired.element))
    }
    #expect(said.map(\.action) == [.sessionTerminate])
    #expect(try call.hear(words("session-info")).condition == .itemNotFound)
  }

  @Test func `Psi sends its candidates after an offer that has none`() throws {
    var call = try PeerCall(calledBy: Self.psi, Self.offer)
    let info = words(
      "transport-info", "initiator='pia@delta.example/Psi'",
      """
      <content creator='initiator' name='A'>
        <transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' ufrag='pJ6s' pwd='eW3yKd0nZq7tVc5rLb1xHm'>
          <candidate component='1' foundation='0' generation='0' id='Xk2m' ip='198.51.100.70' network='0' port='8010'
              priority='2130706175' protocol='udp' type='host'/>
        </transport>
      </content>
      """)
    guard case .receivedTransport(let transport, content: "A") = try call.take(info).event else {
      throw StanzaError(.badRequest)
    }
    #expect(transport.candidates.map(\.port) == [8010])
  }

  @Test func `Psi cannot be given a payload type that it did not offer`() throws {
    let offered = try #require(try jingle(Self.offer).contents.first?.description?.rtp)
    let answer = try #require(offered.answer(supporting: [RTPCapability(name: "PCMU", clockrate: 8000), .opus()]))
    #expect(answer.payloadTypes.map(\.id) == [96])
    #expect(!answer.rtcpMux)
  }
}
