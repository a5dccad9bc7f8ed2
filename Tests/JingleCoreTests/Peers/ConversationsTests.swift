import JingleCore
import MediaTime
import Testing
import XMPPCore

/// Conversations and Cheogram, on Android with libwebrtc.
@Suite struct ConversationsTests {
  static let phone = JID(localpart: "conny", domainpart: "pocket.example", resourcepart: "Conversations.q8Zt")

  static let bundle = """
    <group xmlns='urn:xmpp:jingle:apps:grouping:0' semantics='BUNDLE'><content name='0'/><content name='1'/></group>
    """

  static func transport(
    ufrag: String = "sGf2", pwd: String = "Rz1kqLw0uY3hN8dPbJ5tXvCe", setup: String? = "actpass", _ inside: String = ""
  ) -> String {
    let fingerprint = setup.map {
      "<fingerprint xmlns='urn:xmpp:jingle:apps:dtls:0' hash='sha-256' setup='\($0)'>\(sha256(11))</fingerprint>"
    }
    return """
      <transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' ufrag='\(ufrag)' pwd='\(pwd)'>
        \(fingerprint ?? "")
        <trickle xmlns='http://gultsch.de/xmpp/drafts/jingle/transports/ice-udp/option'/>
        \(inside)
      </transport>
      """
  }

  static let audio = """
    <description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'>
      <payload-type id='111' name='opus' clockrate='48000' channels='2'>
        <parameter name='minptime' value='10'/><parameter name='useinbandfec' value='1'/>
        <rtcp-fb xmlns='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' type='transport-cc'/>
      </payload-type>
      <payload-type id='0' name='PCMU' clockrate='8000'/>
      <payload-type id='126' name='telephone-event' clockrate='8000'/>
      <rtp-hdrext xmlns='urn:xmpp:jingle:apps:rtp:rtp-hdrext:0' id='4' uri='urn:ietf:params:rtp-hdrext:sdes:mid'/>
      <extmap-allow-mixed xmlns='urn:xmpp:jingle:apps:rtp:rtp-hdrext:0'/>
      <rtcp-mux/>
      <source xmlns='urn:xmpp:jingle:apps:rtp:ssma:0' ssrc='918273645'>
        <parameter name='cname' value='k3XqTn0f'/><parameter name='msid' value='my-media-stream my-audio-track'/>
      </source>
    </description>
    """

  static let video = """
    <description xmlns='urn:xmpp:jingle:apps:rtp:1' media='video'>
      <payload-type id='96' name='VP8' clockrate='90000'>
        <rtcp-fb xmlns='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' type='nack' subtype='pli'/>
      </payload-type>
      <payload-type id='97' name='rtx' clockrate='90000'><parameter name='apt' value='96'/></payload-type>
      <rtcp-mux/>
    </description>
    """

  static func content(_ name: String, _ description: String, _ transport: String) -> String {
    "<content creator='initiator' name='\(name)' senders='both'>\(description)\(transport)</content>"
  }

  static let offer = words(
    "session-initiate", "initiator='conny@pocket.example/Conversations.q8Zt'",
    bundle + content("0", audio, transport()) + content("1", video, transport()))

  /// A call of both kinds of media that this side took whole.
  static func call() throws -> PeerCall {
    var call = try PeerCall(calledBy: phone, offer)
    let offered = try jingle(offer)
    let answers = try offered.contents.map { try Ours.answer($0, [.opus(), .vp8(retransmits: true)]) }
    call.accept(answers, groups: offered.groups)
    return call
  }

  @Test func `Conversations wants the media of its offer answered whole, under one setup and its own names`() throws {
    let offered = try jingle(Self.offer)
    #expect(offered.contents.allSatisfy { $0.fingerprint?.setup == .actpass })
    var call = try PeerCall(calledBy: Self.phone, Self.offer)
    let answers = try offered.contents.map { try Ours.answer($0, [.opus(), .vp8(retransmits: true)]) }
    let accept = try #require(call.say { $0.accept(answers, groups: offered.groups) }.first)
    let sent = try Jingle(accept.element)
    #expect(sent.contents.map(\.name) == ["0", "1"])
    #expect(sent.contents.compactMap { $0.description?.rtp?.media } == ["audio", "video"])
    #expect(sent.contents.map { $0.fingerprint?.setup } == [.active, .active])
    #expect(sent.groups == offered.groups)
  }

  @Test func `Conversations ends a call at any error, so whatever it says in a call is acknowledged`() throws {
    var call = try Self.call()
    let bare = "<content creator='initiator' name='0'/>"
    let said = [
      words("session-info"),
      words("session-info", "", "<ringing xmlns='urn:xmpp:jingle:apps:rtp:info:1'/>"),
      words("session-info", "", "<mute xmlns='urn:xmpp:jingle:apps:rtp:info:1' creator='initiator' name='0'/>"),
      words("session-info", "", "<shiver xmlns='urn:xmpp:jingle:apps:rtp:info:1'/>"),
      words("transport-info", "", "<content creator='initiator' name='0'>\(Self.transport(setup: nil))</content>"),
      words("transport-info", "", "<content creator='initiator' name='1'>\(Self.transport(setup: nil))</content>"),
      words("description-info", "", "<content creator='initiator' name='0'>\(Self.audio)</content>"),
      words("content-modify", "", "<content creator='initiator' name='1' senders='none'/>"),
      words("weather-info", "", bare),
      words("content-remove", "", "<content creator='initiator' name='1'/>"),
      // Late words for what has just left.
      words("transport-info", "", "<content creator='initiator' name='1'>\(Self.transport(setup: nil))</content>"),
      words("session-terminate", "", "<reason><success/></reason>"),
    ]
    for text in said { _ = try call.take(text) }
    #expect(call.session.phase == .ended)
  }

  @Test func `In Conversations' bundle, multiplexing goes without saying`() throws {
    let silent = try jingle(Self.offer.replacing("<rtcp-mux/>", with: ""))
    let offered = try #require(silent.contents[0].description?.rtp)
    let answer = try #require(offered.answer(supporting: [.opus()]))
    #expect(!offered.rtcpMux && !answer.rtcpMux)
    #expect(offered.multiplexesRTCP(answeredBy: answer, bundled: true))
    #expect(!offered.multiplexesRTCP(answeredBy: answer))
  }

  @Test func `Conversations adds video to the bundle without a transport of its own, and is answered likewise`() throws
  {
    var call = try PeerCall(
      calledBy: Self.phone, words("session-initiate", "", Self.content("0", Self.audio, Self.transport())))
    let first = try Ours.answer(
      #require(try jingle(Self.offer).contents.first), [.opus()])
    call.accept([first])
    let empty = "<transport xmlns='urn:xmpp:jingle:transports:ice-udp:1'/>"
    let add = words("content-add", "", Self.bundle + Self.content("1", Self.video, empty))
    guard case .offeredContents(let offered, let groups) = try call.take(add).event else {
      throw StanzaError(.badRequest)
    }
    #expect(groups == [ContentGroup(.bundle, ["0", "1"])])
    #expect(offered[0].transport == .iceUDP(ICETransport()))
    var answer = try Ours.answer(offered[0], [.vp8(retransmits: true)])
    answer.transport = .iceUDP(ICETransport())
    let said = call.say { $0.acceptContents([answer], groups: groups) }
    #expect(said.map(\.action) == [.contentAccept])
    #expect(said.first?.groups == groups)
    #expect(call.session.agreedContents.keys.sorted() == ["0", "1"])
  }

  @Test func `Conversations restarts ICE with new credentials and no candidates, and answers one with candidates`()
    throws
  {
    var call = try Self.call()
    func info(_ ufrag: String, _ pwd: String, _ inside: String = "") -> String {
      words(
        "transport-info", "",
        "<content creator='initiator' name='0'>\(Self.transport(ufrag: ufrag, pwd: pwd, setup: nil, inside))</content>")
    }
    let one =
      "<candidate component='1' foundation='1' generation='0' id='a1' ip='198.51.100.7' network='0' "
      + "port='50123' priority='2122260223' protocol='udp' type='host'/>"
    guard case .restartedICE(let theirs, content: "0") = try call.take(info("new1", "firstnewpasswordoftheirs")).event
    else { throw StanzaError(.badRequest) }
    #expect(theirs.candidates.isEmpty && theirs.pwd == "firstnewpasswordoftheirs")
    // This side's answer to it has candidates, and is not answered.
    let answer = ICETransport(ufrag: "own2", pwd: "ownsecondpasswordforice", candidates: [candidate(5000)])
    #expect(call.say { $0.send(answer, for: "0") }.first?.contents.first?.transport == .iceUDP(answer))
    guard case .receivedTransport = try call.take(info("new1", "firstnewpasswordoftheirs", one)).event else {
      throw StanzaError(.badRequest)
    }
    // And the other way round.
    _ = call.say { $0.send(ICETransport(ufrag: "own3", pwd: "ownthirdpasswordforice"), for: "0") }
    guard
      case .answeredRestart(let answered, content: "0") =
        try call.take(info("new2", "secondnewpasswordtheirs", one)).event
    else { throw StanzaError(.badRequest) }
    #expect(answered.candidates.map(\.ip) == ["198.51.100.7"])
  }

  @Test func `Conversations asks for a receipt of its proposal, and is rung, taken and declined at its full address`()
    throws
  {
    let message = try Message(
      xml(
        """
        <message xmlns='jabber:client' type='chat' id='jm-propose-1' from='\(Self.phone)' to='carol@house.example'>
          <propose xmlns='urn:xmpp:jingle-message:0' id='\(PeerCall.sid)'>
            <description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'/>
            <description xmlns='urn:xmpp:jingle:apps:rtp:1' media='video'/>
          </propose>
          <request xmlns='urn:xmpp:receipts'/><store xmlns='urn:xmpp:hints'/>
        </message>
        """))
    #expect(DeliveryReceipt(in: message) == .request)
    let asked = try #require(JingleMessage(in: message))
    let now = Instant(nanoseconds: 0)
    for isTaken in [true, false] {
      var incoming = try #require(
        IncomingProposal(asked, from: Self.phone, own: PeerCall.own, patience: .seconds(60), at: now))
      #expect(incoming.media == ["audio", "video"])
      incoming.ring()
      if isTaken { incoming.accept(patience: .seconds(30), at: now) } else { incoming.reject() }
      var said: [JingleMessage.Action: JID] = [:]
      while case .send(let message, let recipient)? = incoming.nextOutput() { said[message.action] = recipient }
      #expect(said[.ringing] == Self.phone)
      #expect(said[isTaken ? .proceed : .reject(Jingle.Reason(.busy))] == Self.phone)
    }
  }

  @Test func `Conversations gives up after half a minute of ringing`() throws {
    let now = Instant(nanoseconds: 0)
    let asked = JingleMessage(id: PeerCall.sid, .propose([.rtp(RTPDescription(media: "audio"))]))
    var incoming = try #require(
      IncomingProposal(asked, from: Self.phone, own: PeerCall.own, patience: .seconds(60), at: now))
    incoming.timeout(at: now + .seconds(30))
    #expect(incoming.nextOutput() == nil)
    let retract = try #require(
      JingleMessage(try xml("<retract xmlns='urn:xmpp:jingle-message:0' id='\(PeerCall.sid)'/>")))
    incoming.receive(retract, from: Self.phone, at: now)
    #expect(incoming.nextOutput() == .event(.retracted(nil, isTieBreak: false)))
  }

  @Test func `Conversations queues candidates before it accepts, so they go out as soon as it has the offer`() throws {
    var call = PeerCall(calling: Self.phone, [Ours.audio])
    let said = call.say { $0.send(ICETransport(candidates: [candidate(5001)]), for: "audio") }
    #expect(said.map(\.action) == [.transportInfo])
    #expect(call.session.phase == .pending)
  }

  @Test func `Conversations puts all candidates into the offer for a peer that does not trickle`() throws {
    let three = (1...3).map {
      "<candidate component='1' foundation='\($0)' generation='0' id='c\($0)' ip='198.51.100.\($0)' network='0' "
        + "port='5012\($0)' priority='212226022\($0)' protocol='udp' type='host'/>"
    }
    let text = words(
      "session-initiate", "", Self.content("0", Self.audio, Self.transport(three.joined())))
    let offered = try #require(try jingle(text).contents.first?.transport?.iceUDP)
    #expect(offered.candidates.map(\.port) == [50121, 50122, 50123])
    #expect(offered.droppedCandidates == 0)
    _ = try PeerCall(calledBy: Self.phone, text)
  }

  @Test func `Conversations hides its fingerprint by OMEMO from peers that it knows, and that is no fingerprint here`()
    throws
  {
    let hidden = """
      <transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' ufrag='sGf2' pwd='Rz1kqLw0uY3hN8dPbJ5tXvCe'>
        <fingerprint xmlns='http://gultsch.de/xmpp/drafts/omemo/dlts-srtp-verification' hash='sha-256' setup='actpass'>
          <encrypted xmlns='eu.siacs.conversations.axolotl'><header sid='1'/></encrypted>
        </fingerprint>
      </transport>
      """
    let offered = try jingle(words("session-initiate", "", Self.content("0", Self.audio, hidden)))
    #expect(offered.contents[0].fingerprint == nil)
    #expect(offered.contents[0].transport?.iceUDP?.extensions.count == 1)
  }

  @Test func `Conversations names its device for OMEMO in proceed`() throws {
    var proposal = OutgoingProposal(
      id: PeerCall.sid, own: PeerCall.own, peer: Self.phone.bare, media: ["audio"], patience: .seconds(30),
      at: Instant(nanoseconds: 0))
    _ = proposal.nextOutput()
    let proceed = try #require(
      JingleMessage(
        try xml(
          """
          <proceed xmlns='urn:xmpp:jingle-message:0' id='\(PeerCall.sid)'>
            <device xmlns='http://gultsch.de/xmpp/drafts/omemo/dlts-srtp-verification' id='4711'/>
          </proceed>
          """)))
    #expect(proceed.extensions.map { $0[attribute: "id"] } == ["4711"])
    proposal.receive(proceed, from: Self.phone)
    #expect(proposal.nextOutput() == .event(.proceeded(device: Self.phone)))
  }
}
