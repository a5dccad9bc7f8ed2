import JingleCore
import MediaTime
import Testing
import XMPPCore

/// Dino, on Linux with GStreamer and libnice: after what it sent to Chromium, QXmpp and itself.
@Suite struct DinoTests {
  static let dino = JID(localpart: "dora", domainpart: "garden.example", resourcepart: "dino.4e7a")
  /// Stands on all that Dino sends but its answers.
  static let initiator = "initiator='carol@house.example/carillon'"

  static func candidates(_ port: Int, component: Int = 1) -> String {
    """
    <candidate id='7f3c\(port)' foundation='1' priority='\(2_015_363_328 - component)' component='\(component)'
        generation='0' protocol='udp' network='0' type='host' port='\(port)' ip='192.0.2.17'/>
    """
  }

  static func transport(
    ufrag: String = "Qm4/", pwd: String = "x9Wl2mcQf0aUeM7pRk3vTb", setup: String? = nil, _ inside: String = ""
  ) -> String {
    let fingerprint = setup.map {
      "<fingerprint xmlns='urn:xmpp:jingle:apps:dtls:0' hash='sha-256' setup='\($0)'>\(sha256(3))</fingerprint>"
    }
    return """
      <transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' pwd='\(pwd)' ufrag='\(ufrag)'>
        \(fingerprint ?? "")\(inside)
      </transport>
      """
  }

  static let sdes = """
    <encryption><crypto crypto-suite='AES_CM_128_HMAC_SHA1_80' tag='1'
        key-params='inline:c2l4dGVlbiBzZWNyZXQgYnl0ZXMgYW5kIGEgc2FsdCE='/></encryption>
    """

  static let offered = """
    <content creator='initiator' name='audio' senders='both'>
      <description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'>
        <payload-type id='111' name='opus' clockrate='48000' channels='2'/>\(sdes)<rtcp-mux/>
      </description>
      \(transport(setup: "actpass", candidates(40101)))
    </content>
    """

  static let accept = words(
    "session-accept", "",
    """
    <content creator='initiator' name='audio' senders='both'>
      <description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'>
        <payload-type id='96' name='opus' clockrate='48000' channels='2'/><rtcp-mux/>
      </description>
      \(transport(setup: "active", candidates(40101) + candidates(40102, component: 2)))
    </content>
    """)

  /// An audio call that Dino took.
  static func call() throws -> PeerCall {
    var call = PeerCall(calling: dino, [Ours.audio])
    guard case .accepted = try call.take(accept).event else { throw StanzaError(.unexpectedRequest) }
    return call
  }

  @Test func `Dino refuses two contents in one stanza, so each goes in a stanza of its own`() throws {
    var call = try Self.call()
    let screen = Ours.content("screen", RTPDescription(offering: "video", [.vp8()], from: 110))
    let refusing: (Jingle) -> IQTracker.Outcome = {
      $0.contents.count == 1 ? .result(nil) : .error(StanzaError(.featureNotImplemented))
    }
    call.session.add([Ours.video, screen])
    var outputs = call.answer(drain(&call.session), refusing)
    #expect(outputs.requests.map(\.action) == [.contentAdd, .contentAdd])
    for name in ["video", "screen"] {
      _ = try call.take(
        words(
          "content-accept", "",
          """
          <content creator='initiator' name='\(name)' senders='both'>
            <description xmlns='urn:xmpp:jingle:apps:rtp:1' media='video'>
              <payload-type id='\(name == "video" ? 100 : 110)' name='VP8' clockrate='90000'/><rtcp-mux/>
            </description>
            \(Self.transport(ufrag: "V\(name)", setup: "active"))
          </content>
          """))
    }
    #expect(call.session.agreedContents.count == 3)
    for name in ["audio", "video", "screen"] {
      call.session.send(ICETransport(candidates: [candidate(4000)]), for: name)
      call.session.modify(name, senders: .initiator)
      call.session.sendDescription(.rtp(RTPDescription(media: "video")), for: name)
    }
    outputs = call.answer(drain(&call.session), refusing)
    call.session.remove(["video", "screen"], Jingle.Reason(.success))
    outputs += call.answer(drain(&call.session), refusing)
    #expect(outputs.requests.count >= 11)
    #expect(outputs.requests.allSatisfy { $0.contents.count == 1 })
    #expect(outputs.events.isEmpty)
  }

  @Test func `Dino has two components even where it multiplexes, and the second is told apart`() throws {
    var call = try Self.call()
    let answer = try #require(try jingle(Self.accept).contents.first)
    #expect(answer.description?.rtp?.rtcpMux == true)
    #expect(answer.transport?.iceUDP?.candidates.map(\.isForRTCP) == [false, true])
    let late = words(
      "transport-info", Self.initiator,
      "<content creator='initiator' name='audio'>\(Self.transport(Self.candidates(49301, component: 2)))</content>")
    guard case .receivedTransport(let transport, content: "audio") = try call.take(late).event else {
      throw StanzaError(.badRequest)
    }
    #expect(transport.candidates.map(\.isForRTCP) == [true])
  }

  @Test func `Dino does not bundle: each content keeps a transport of its own`() throws {
    var call = PeerCall(
      calling: Self.dino, [Ours.audio, Ours.video], groups: [ContentGroup(.bundle, ["audio", "video"])])
    let video = """
      <content creator='initiator' name='video' senders='both'>
        <description xmlns='urn:xmpp:jingle:apps:rtp:1' media='video'>
          <payload-type id='100' name='VP8' clockrate='90000'/><rtcp-mux/>
        </description>
        \(Self.transport(ufrag: "vid1", pwd: "anotherpasswordforvideo", setup: "active"))
      </content></jingle>
      """
    let both = Self.accept.replacing("</jingle>", with: video)
    guard case .accepted(let answer) = try call.take(both).event else { throw StanzaError(.badRequest) }
    #expect(answer.groups.isEmpty)
    #expect(answer.contents.compactMap { $0.transport?.iceUDP?.ufrag } == ["Qm4/", "vid1"])
    let late = words(
      "transport-info", Self.initiator,
      """
      <content creator='initiator' name='video'>
        \(Self.transport(ufrag: "vid1", pwd: "anotherpasswordforvideo", Self.candidates(49302)))
      </content>
      """)
    guard case .receivedTransport(_, content: "video") = try call.take(late).event else {
      throw StanzaError(.badRequest)
    }
  }

  @Test func `Dino uses the first payload type of the answer, so Opus comes first wherever it was offered`() throws {
    let description = try RTPDescription(
      xml(
        """
        <description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'>
          <payload-type id='0' name='PCMU' clockrate='8000'/>
          <payload-type id='112' name='speex' clockrate='32000'/>
          <payload-type id='111' name='opus' clockrate='48000' channels='2'/>
          \(Self.sdes)<rtcp-mux/>
        </description>
        """))
    let answer = try #require(
      description.answer(supporting: [.opus(), RTPCapability(name: "PCMU", clockrate: 8000)]))
    #expect(answer.payloadTypes.map(\.id) == [111, 0])
    // And of its own answer the first is what this side sends.
    let agreements = try Ours.audio.description?.rtp?.agreements(
      answeredBy: #require(try jingle(Self.accept).contents.first?.description?.rtp))
    #expect(agreements?.first?.sending.name == "opus")
  }

  @Test func `Dino offers SDES beside DTLS, and this side answers with DTLS alone`() throws {
    let offer = words("session-initiate", "initiator='dora@garden.example/dino.4e7a'", Self.offered)
    var call = try PeerCall(calledBy: Self.dino, offer)
    let offered = try #require(try jingle(offer).contents.first)
    let answer = try Ours.answer(offered, [.opus()])
    let said = call.say { $0.accept([answer]) }
    let written = try #require(said.first?.element)
    #expect(said.first?.contents.first?.fingerprint?.setup == .active)
    #expect(!written.serialized().contains("crypto"))
  }

  @Test func `Dino goes on without DTLS when it finds no fingerprint, so an answer without one is told from others`()
    throws
  {
    var call = PeerCall(calling: Self.dino, [Ours.audio])
    let plain = Self.accept.replacing(
      /<fingerprint.*<\/fingerprint>/.dotMatchesNewlines(), with: "")
    guard case .accepted(let answer) = try call.take(plain).event else { throw StanzaError(.badRequest) }
    #expect(answer.contents.allSatisfy { $0.fingerprint == nil })
    let reason = Jingle.Reason(.securityError, application: RTPError.cryptoRequired.element)
    #expect(call.say { $0.terminate(reason) }.map(\.reason) == [reason])
    #expect(try call.hear(Self.accept).condition == .itemNotFound)
  }

  @Test func `Dino answers active, so this side is the server, and it is answered active in turn`() throws {
    let answered = try #require(try jingle(Self.accept).contents.first?.fingerprint)
    #expect(try DTLSRole(offered: .actpass, answered: answered.setup) == .server)
    // Were it answered passive, it would begin its handshake anew as client.
    #expect(try DTLSRole.answering(.actpass) == (.client, .active))
  }

  @Test func `Dino knows no ICE restart: it acknowledges one, and its candidates stay what they were`() throws {
    var call = try Self.call()
    let fresh = ICETransport(ufrag: "own2", pwd: "ownsecondpasswordforice")
    #expect(call.say { $0.send(fresh, for: "audio") }.map(\.action) == [.transportInfo])
    let late = words(
      "transport-info", Self.initiator,
      "<content creator='initiator' name='audio'>\(Self.transport(Self.candidates(49305)))</content>")
    guard case .receivedTransport(let transport, _) = try call.take(late).event else {
      throw StanzaError(.badRequest)
    }
    #expect(transport.ufrag == "Qm4/")
    #expect(call.session.phase == .active)
  }

  @Test func `Dino says accept to itself and proceed, and neither ringing nor finish`() throws {
    let now = Instant(nanoseconds: 0)
    var proposal = OutgoingProposal(
      id: PeerCall.sid, own: PeerCall.own, peer: Self.dino.bare, media: ["audio"], patience: .seconds(30), at: now)
    _ = proposal.nextOutput()
    let said = try [
      "<accept xmlns='urn:xmpp:jingle-message:0' id='\(PeerCall.sid)'/>",
      """
      <proceed xmlns='urn:xmpp:jingle-message:0' id='\(PeerCall.sid)'>
        <device xmlns='http://gultsch.de/xmpp/drafts/omemo/dlts-srtp-verification' id='18081'/>
      </proceed>
      """,
    ].map { try #require(JingleMessage(try xml($0))) }
    for message in said { proposal.receive(message, from: Self.dino) }
    #expect(proposal.nextOutput() == .event(.proceeded(device: Self.dino)))
    #expect(proposal.nextOutput() == nil)

    // Where another device of this account is a Dino, its word to itself stops this one's ringing.
    let sibling = JID(localpart: "carol", domainpart: "house.example", resourcepart: "dino.77")
    let asked = JingleMessage(id: PeerCall.sid, .propose([.rtp(RTPDescription(media: "audio"))]))
    var incoming = try #require(
      IncomingProposal(asked, from: Self.dino, own: PeerCall.own, patience: .seconds(30), at: now))
    incoming.receive(said[0], from: sibling, at: now)
    #expect(incoming.nextOutput() == .event(.answeredElsewhere(device: sibling)))

    var call = try Self.call()
    let end = words("session-terminate", "", "<reason><success/></reason>")
    #expect(try call.take(end).events == [.terminated(Jingle.Reason(.success), byPeer: true)])
  }

  @Test func `Dino modifies a content of this side before it accepts it`() throws {
    var call = try Self.call()
    _ = call.say { $0.add([Ours.video]) }
    let modify = words(
      "content-modify", Self.initiator, "<content creator='initiator' name='video' senders='initiator'/>")
    #expect(try call.take(modify).isEmpty)
    let accept = words(
      "content-accept", "",
      """
      <content creator='initiator' name='video' senders='initiator'>
        <description xmlns='urn:xmpp:jingle:apps:rtp:1' media='video'>
          <payload-type id='100' name='VP8' clockrate='90000'/><rtcp-mux/>
        </description>
        \(Self.transport(ufrag: "vid1", setup: "active"))
      </content>
      """)
    guard case .acceptedContents(let contents, _) = try call.take(accept).event else {
      throw StanzaError(.badRequest)
    }
    #expect(contents.map(\.senders) == [.initiator])
    #expect(call.session.agreedContents == ["audio": .both, "video": .initiator])
  }

  @Test func `Dino adds its video in one direction, under the creator initiator though it was called`() throws {
    var call = try Self.call()
    let add = words(
      "content-add", "",
      """
      <content creator='initiator' name='video' senders='responder'>
        <description xmlns='urn:xmpp:jingle:apps:rtp:1' media='video'>
          <payload-type id='98' name='VP8' clockrate='90000'/>\(Self.sdes)<rtcp-mux/>
        </description>
        \(Self.transport(ufrag: "vid1", setup: "actpass", Self.candidates(40201)))
      </content>
      """)
    guard case .offeredContents(let offered, let groups) = try call.take(add).event else {
      throw StanzaError(.badRequest)
    }
    #expect(groups.isEmpty)
    let answer = try Ours.answer(offered[0], [.vp8()])
    let said = call.say { $0.acceptContents([answer]) }
    #expect(said.flatMap(\.contents).map(\.creator) == [.initiator])
    #expect(call.session.agreedContents["video"] == .responder)
  }

  @Test func `Dino mutes one content, and says so`() throws {
    var call = try Self.call()
    let mute = words(
      "session-info", Self.initiator,
      "<mute xmlns='urn:xmpp:jingle:apps:rtp:info:1' creator='initiator' name='audio'/>")
    guard case .receivedInfo(let news) = try call.take(mute).event else { throw StanzaError(.badRequest) }
    #expect(RTPInfo(news) == .mute(creator: .initiator, name: "audio"))
  }

  @Test func `Dino's call within a group chat names its room beside the contents`() throws {
    let muji = "<muji xmlns='http://telepathy.freedesktop.org/muji' room='tea@rooms.garden.example'/>"
    let text = words(
      "session-initiate", "initiator='dora@garden.example/dino.4e7a'", muji + Self.offered)
    #expect(try jingle(text).payloads.map { $0[attribute: "room"] } == ["tea@rooms.garden.example"])
    let call = try PeerCall(calledBy: Self.dino, text)
    #expect(call.session.phase == .pending)
  }
}
