import JingleCore
import Testing
import XMPPCore

/// Movim, in a browser.
@Suite struct MovimTests {
  static let movim = JID(localpart: "momo", domainpart: "nursery.example", resourcepart: "movimA1b2C3")
  /// A bare address, and on every stanza.
  static let initiator = "initiator='carol@house.example'"

  static func content(_ name: String, _ media: String, _ payloadType: String, senders: String = "both") -> String {
    """
    <content creator='initiator' name='\(name)' senders='\(senders)'>
      <description xmlns='urn:xmpp:jingle:apps:rtp:1' media='\(media)'>\(payloadType)<rtcp-mux/></description>
      <transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' ufrag='mv01' pwd='aPasswordOfMovimForIce12'>
        <fingerprint xmlns='urn:xmpp:jingle:apps:dtls:0' hash='sha-256' setup='active'>\(sha256(41))</fingerprint>
      </transport>
    </content>
    """
  }

  static let opus = "<payload-type id='96' name='opus' clockrate='48000' channels='2'/>"
  static let vp8 = "<payload-type id='100' name='VP8' clockrate='90000'/>"

  static func call() throws -> PeerCall {
    var call = PeerCall(calling: movim, [Ours.audio])
    guard case .accepted = try call.take(words("session-accept", initiator, content("audio", "audio", opus))).event
    else { throw StanzaError(.unexpectedRequest) }
    return call
  }

  @Test func `Movim answers content-add with session-accept`() throws {
    var call = try Self.call()
    _ = call.say { $0.add([Ours.video]) }
    let answer = words(
      "session-accept", Self.initiator,
      Self.content("audio", "audio", Self.opus) + Self.content("video", "video", Self.vp8))
    guard case .acceptedContents(let contents, _) = try call.take(answer).event else {
      throw StanzaError(.badRequest)
    }
    #expect(contents.map(\.name) == ["video"])
    #expect(call.session.agreedContents == ["audio": .both, "video": .both])
  }

  @Test(arguments: [Jingle.Action.contentModify, .contentRemove])
  func `Movim answers content-modify and content-remove with session-accept, which changes nothing`(
    action: Jingle.Action
  ) throws {
    var call = try Self.call()
    _ = call.say { $0.add([Ours.video]) }
    _ = try call.take(words("session-accept", Self.initiator, Self.content("video", "video", Self.vp8)))
    _ = call.say { session in
      if action == .contentModify {
        session.modify("video", senders: .initiator)
      } else {
        session.remove(["video"], Jingle.Reason(.success))
      }
    }
    let answer = words("session-accept", Self.initiator, Self.content("audio", "audio", Self.opus))
    #expect(try call.take(answer).isEmpty)
    #expect(call.session.agreedContents["audio"] == .both)
    #expect(call.session.agreedContents["video"] == (action == .contentModify ? .initiator : nil))
  }

  @Test func `Movim's accept of nothing at all is out of order`() throws {
    var call = try Self.call()
    let again = words("session-accept", Self.initiator, Self.content("audio", "audio", Self.opus))
    #expect(try call.hear(again).condition == .unexpectedRequest)
  }

  @Test func `Movim calls its account the initiator, and its device counts`() throws {
    let offer = words("session-initiate", "initiator='momo@nursery.example'", Self.content("0", "audio", Self.opus))
    var call = try PeerCall(calledBy: Self.movim, offer)
    #expect(call.session.peer == Self.movim)
    call.accept([try Ours.answer(#require(try jingle(offer).contents.first), [.opus()])])
    let end = words("session-terminate", "initiator='momo@nursery.example'", "<reason><success/></reason>")
    #expect(try call.take(end).events == [.terminated(Jingle.Reason(.success), byPeer: true)])
  }

  @Test func `Movim takes whoever writes for the initiator, and is understood and written to so`() throws {
    var call = try Self.call()
    call.session.peerTakesAuthorForInitiator = true
    // As the responder it means itself.
    let modify = words("content-modify", Self.initiator, "<content name='audio' senders='initiator'/>")
    #expect(try call.take(modify).events == [.modified(content: "audio", .responder)])
    #expect(call.session.agreedContents == ["audio": .responder])
    let said = call.say { $0.modify("audio", senders: .initiator) }
    #expect(said.flatMap(\.contents).map(\.senders) == [.initiator])
  }

  @Test func `Movim leaves the password out of transport-info`() throws {
    var call = try Self.call()
    func info(_ ufrag: String) -> String {
      words(
        "transport-info", Self.initiator,
        """
        <content creator='initiator' name='audio'>
          <transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' ufrag='\(ufrag)'>
            <candidate component='1' foundation='77' generation='0' id='el1' ip='203.0.113.8' network='1' port='60001'
                priority='2113937151' protocol='udp' type='host'/>
          </transport>
        </content>
        """)
    }
    guard case .receivedTransport(let transport, _) = try call.take(info("mv01")).event else {
      throw StanzaError(.badRequest)
    }
    #expect(transport.candidates.map(\.port) == [60001])
    // Under another ufrag it begins anew, as far as it can be understood.
    guard case .restartedICE(let other, _) = try call.take(info("mv02")).event else { throw StanzaError(.badRequest) }
    #expect(other.pwd == nil)
  }
}
