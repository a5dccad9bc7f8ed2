import JingleCore
import Testing
import XMPPCore

/// QXmpp: with its own GStreamer calls, and without rtcp-mux and DTLS where they are not built in.
@Suite struct QXmppTests {
  static let qxmpp = JID(localpart: "quinn", domainpart: "lab.example", resourcepart: "QXmpp")

  static func transport(_ fingerprint: String = "") -> String {
    """
    <transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' pwd='zK2bRw8vTn5yHq0sLd7fXa' ufrag='Pm4E'>
      \(fingerprint)
      <candidate id='Vb7kQz2LpX' foundation='4d9e1f3a7c5b2d8e6f0a1b3c5d7e9f21' priority='2130706431' component='1'
          generation='0' protocol='udp' network='0' type='host' port='49170' ip='192.0.2.60'/>
      <candidate id='Nc3jYw9RtD' foundation='4d9e1f3a7c5b2d8e6f0a1b3c5d7e9f21' priority='2130706430' component='2'
          generation='0' protocol='udp' network='0' type='host' port='49171' ip='192.0.2.60'/>
    </transport>
    """
  }

  static func accept(_ fingerprint: String = "") -> String {
    words(
      "session-accept", "responder='quinn@lab.example/QXmpp'",
      """
      <content creator='initiator' name='audio' senders='both'>
        <description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio' ssrc='3141592653'>
          <payload-type id='96' name='opus' clockrate='48000' channels='2'/>
        </description>
        \(transport(fingerprint))
      </content>
      """)
  }

  @Test func `QXmpp reads only the first content, so of an offer of two the other is declined`() throws {
    var call = PeerCall(
      calling: Self.qxmpp, [Ours.audio, Ours.video], groups: [ContentGroup(.bundle, ["audio", "video"])])
    guard case .accepted(let answer) = try call.take(Self.accept()).event else { throw StanzaError(.badRequest) }
    #expect(answer.contents.map(\.name) == ["audio"])
    #expect(call.session.agreedContents.keys.sorted() == ["audio"])
    #expect(call.say { $0.send(ICETransport(candidates: [candidate(1)]), for: "video") }.isEmpty)
  }

  @Test func `QXmpp is told of changes one content a stanza, since it reads no second one`() throws {
    var call = PeerCall(calling: Self.qxmpp, [Ours.audio])
    _ = try call.take(Self.accept())
    let screen = Ours.content("screen", RTPDescription(offering: "video", [.vp8()], from: 110))
    #expect(call.say { $0.add([Ours.video, screen]) }.map(\.contents.count) == [1, 1])
  }

  @Test func `QXmpp rings by session-info, without message initiation`() throws {
    var call = PeerCall(calling: Self.qxmpp, [Ours.audio])
    let ringing = words("session-info", "", "<ringing xmlns='urn:xmpp:jingle:apps:rtp:info:1'/>")
    #expect(try call.take(ringing).events == [.receivedInfo(RTPInfo.ringing.element)])
    #expect(call.session.phase == .pending)
  }

  @Test func `QXmpp understands sha-256 alone, so that is what is written, whatever else is understood here`() throws {
    #expect(Ours.audio.fingerprint?.element[attribute: "hash"] == "sha-256")
    var call = PeerCall(calling: Self.qxmpp, [Ours.audio])
    let fingerprint =
      "<fingerprint xmlns='urn:xmpp:jingle:apps:dtls:0' hash='sha-256' setup='active'>\(sha256(53))</fingerprint>"
    guard case .accepted(let answer) = try call.take(Self.accept(fingerprint)).event else {
      throw StanzaError(.badRequest)
    }
    #expect(answer.contents.first?.fingerprint?.value == sha256(53))
  }

  @Test func `QXmpp without DTLS and rtcp-mux is told from one with them`() throws {
    var call = PeerCall(calling: Self.qxmpp, [Ours.audio])
    guard case .accepted(let answer) = try call.take(Self.accept()).event else { throw StanzaError(.badRequest) }
    let content = try #require(answer.contents.first)
    #expect(content.fingerprint == nil)
    let (ours, theirs) = (try #require(Ours.audio.description?.rtp), try #require(content.description?.rtp))
    #expect(!ours.multiplexesRTCP(answeredBy: theirs))
    #expect(theirs.ssrc == 3_141_592_653)
    #expect(content.transport?.iceUDP?.candidates.map(\.isForRTCP) == [false, true])
  }
}
