import JingleCore
import Testing
import XMPPCore

/// Gajim 1.x, which calls with Farstream in the open.
@Suite struct GajimTests {
  static let gajim = JID(localpart: "gus", domainpart: "desk.example", resourcepart: "gajim.M7XQ")

  static let offer = words(
    "session-initiate", "initiator='gus@desk.example/gajim.M7XQ'",
    """
    <content creator='initiator' name='voice' senders='both'>
      <description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'>
        <payload-type id='96' name='OPUS' clockrate='48000'/>
        <payload-type id='105' name='SPEEX' clockrate='32000' channels='1'/>
        <payload-type id='9' name='G722' clockrate='8000' channels='1'/>
        <payload-type id='0' name='PCMU' clockrate='8000'/>
        <payload-type id='99' name='AMR' clockrate='8000' channels='1'><parameter name='crc' value='0'/></payload-type>
        <payload-type id='102' name='telephone-event' clockrate='8000'>
          <parameter name='events' value='0-15'/>
        </payload-type>
      </description>
      <transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' pwd='hT4/w9Lx2mQ8/vRn0cKs5e' ufrag='7bJz'>
        <candidate id='0f9d2c41' foundation='1' priority='1010828030' component='2' generation='0' protocol='tcp'
            network='0' type='host' port='41665' ip='192.0.2.44'/>
        <candidate id='5b7e0a92' foundation='1' priority='1015022334' component='1' generation='0' protocol='tcp'
            network='0' type='host' port='0' ip='192.0.2.44'/>
        <candidate id='c3a1f8d6' foundation='1' priority='2015363839' component='1' generation='0' protocol='udp'
            network='0' type='host' port='48269' ip='192.0.2.44'/>
        <candidate id='9e4b7d10' foundation='1' priority='2015364351' component='1' generation='0' protocol='udp'
            network='0' type='host' port='41472' ip='fe80::5c3e:9aff:fe21:7d04'/>
      </transport>
    </content>
    """)

  @Test
  func `Gajim offers TCP candidates without a type, port 0 among them, and link-local ones, all under foundation 1`()
    throws
  {
    let transport = try #require(try jingle(Self.offer).contents.first?.transport?.iceUDP)
    #expect(transport.droppedCandidates == 0)
    #expect(transport.candidates.map(\.transportProtocol) == [.tcp, .tcp, .udp, .udp])
    #expect(transport.candidates.map(\.port) == [41665, 0, 48269, 41472])
    #expect(transport.candidates.last?.ip == "fe80::5c3e:9aff:fe21:7d04")
  }

  @Test func `Gajim calls in the open, which is seen before the call is taken, and told why it is not`() throws {
    let offered = try jingle(Self.offer)
    #expect(offered.contents.allSatisfy { $0.fingerprint == nil })
    #expect(offered.contents.first?.description?.rtp?.rtcpMux == false)
    var call = try PeerCall(calledBy: Self.gajim, Self.offer)
    let said = call.say {
      $0.terminate(Jingle.Reason(.securityError, application: RTPError.cryptoRequired.element))
    }
    let reason = try #require(said.first?.element.first("reason", Jingle.namespace))
    #expect(reason.first("security-error", Jingle.namespace) != nil)
    #expect(reason.first("crypto-required", RTPError.namespace) != nil)
  }

  @Test func `Gajim writes OPUS in capitals and without channels, and means Opus`() throws {
    let offered = try #require(try jingle(Self.offer).contents.first?.description?.rtp)
    let answer = try #require(
      offered.answer(supporting: [.opus(), RTPCapability(name: "PCMU", clockrate: 8000)]))
    #expect(answer.payloadTypes.map(\.name) == ["OPUS", "PCMU"])
    #expect(answer.agreements(answering: offered).map(\.sending.id) == [96, 0])
  }

  @Test func `Gajim advises on its parameters right after the answer, with one channel for everything`() throws {
    var call = try PeerCall(calledBy: Self.gajim, Self.offer)
    let offered = try #require(try jingle(Self.offer).contents.first)
    call.accept([try Ours.answer(offered, [.opus(), RTPCapability(name: "PCMU", clockrate: 8000)])])
    let advice = words(
      "description-info", "initiator='gus@desk.example/gajim.M7XQ'",
      """
      <content creator='initiator' name='voice' senders='both'>
        <description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'>
          <payload-type id='96' name='OPUS' clockrate='48000' channels='1'/>
          <payload-type id='0' name='PCMU' clockrate='8000' channels='1'/>
        </description>
      </content>
      """)
    guard case .receivedDescription(.rtp(let description), content: "voice") = try call.take(advice).event else {
      throw StanzaError(.badRequest)
    }
    #expect(description.payloadTypes.map(\.channels) == [1, 1])
    #expect(call.session.agreedContents == ["voice": .both])
  }
}
