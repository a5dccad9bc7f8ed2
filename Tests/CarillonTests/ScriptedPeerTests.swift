import CarillonTesting
import JingleCore
import MediaTime
import Testing
import XMPPCore

@testable import Carillon

/// What becomes of calls with peers that keep to the protocol, or not.
@Suite(.serialized, .timeLimit(.minutes(1)))
struct ScriptedPeerTests {
  private let server = InMemoryServer()

  /// Alice calls Bob, whom the test plays from the offer on.
  private func called(
    configure: @escaping @Sendable (inout Client.Configuration) -> Void = { _ in },
    _ play: @escaping @Sendable (ScriptedPeer, _ offer: Jingle, _ alice: JID) async throws -> Void
  ) async throws -> (events: [CallEvent], error: CallError?) {
    try await withScript(server, "bob@localhost/desk") { bob in
      try await withClient(server, "alice@localhost/laptop", configure: configure) { alice in
        async let result = alice.follow("bob@localhost", .tone(440))
        let (offer, caller) = try await bob.takeCall()
        try await play(bob, offer, caller)
        let (events, error) = await result
        #expect(await alice.isIdle)
        #expect(await alice.router.count == 0)
        return (events, error)
      }
    }
  }

  /// Bob calls Alice, played by the test, and she answers at once.
  private func calling(
    _ play: @escaping @Sendable (ScriptedPeer, _ alice: JID) async throws -> Void
  ) async throws -> CallError? {
    let errors = Log<CallError>()
    let onCall: OnCall = { incoming in
      do {
        try await incoming.answer(with: .tone(880)) { call in for await _ in call.events {} }
      } catch let error as CallError {
        errors.append(error)
      }
    }
    return try await withScript(server, "bob@localhost/desk") { bob in
      try await withClient(server, "alice@localhost/laptop", onCall: onCall) { alice in
        let own = alice.configuration.account
        await bob.send(.audioProposal, "call", to: own.bare)
        _ = try await bob.message("proceed")
        try await play(bob, own)
        try await until { await alice.isIdle }
        #expect(await alice.router.count == 0)
        return errors.entries.first
      }
    }
  }

  private static func accept(_ offer: Jingle, _ contents: [Jingle.Content]) -> Jingle {
    Jingle(.sessionAccept, sid: offer.sid, contents: contents)
  }

  // MARK: Answers

  @Test func `an answer without fingerprint is refused, since the call would not be encrypted`() async throws {
    let (events, error) = try await called { bob, offer, alice in
      try await bob.request(Self.accept(offer, [.audio(.opus, .some(nil))]), to: alice)
      let (end, _) = try await bob.jingle(.sessionTerminate)
      #expect(end.reason?.condition == .securityError)
      #expect(end.reason?.application == RTPError.cryptoRequired.element)
    }
    #expect(error?.code == .nothingInCommon && error?.message.contains("fingerprint") == true)
    #expect(events.names == ["proposed", "proceeding", "ended"])
  }

  @Test func `an answer with a codec that was not offered breaks the protocol`() async throws {
    var description = RTPDescription.opus
    description.payloadTypes = [RTPPayloadType(id: 18, name: "G729", clockrate: 8_000)]
    let (_, error) = try await called { [description] bob, offer, alice in
      try await bob.request(Self.accept(offer, [.audio(description, .some(.some(.active)))]), to: alice)
      let (end, _) = try await bob.jingle(.sessionTerminate)
      #expect(end.reason?.condition == .failedApplication)
    }
    #expect(error?.code == .protocolViolation)
  }

  @Test(arguments: [DTLSSetup.actpass, .holdconn])
  func `an answer that leaves open who begins DTLS breaks the protocol`(setup: DTLSSetup) async throws {
    let (_, error) = try await called { bob, offer, alice in
      try await bob.request(Self.accept(offer, [.audio(.opus, .some(.some(setup)))]), to: alice)
      _ = try await bob.jingle(.sessionTerminate)
    }
    #expect(error?.code == .protocolViolation)
  }

  @Test func `an answer without ICE credentials has nothing in common`() async throws {
    var transport = ICETransport.some(.some(.active))
    (transport.ufrag, transport.pwd) = (nil, nil)
    let (_, error) = try await called { [transport] bob, offer, alice in
      try await bob.request(Self.accept(offer, [.audio(.opus, transport)]), to: alice)
      _ = try await bob.jingle(.sessionTerminate)
    }
    #expect(error?.code == .nothingInCommon)
  }

  @Test func `an answer for another content is told so and ends the call`() async throws {
    let (_, error) = try await called { bob, offer, alice in
      let answer = try await bob.request(Self.accept(offer, [.audio(name: "video")]), to: alice)
      guard case .error(let error) = answer.content else {
        Issue.record("it was taken")
        return
      }
      #expect(error.condition == .itemNotFound)
      _ = try await bob.jingle(.sessionTerminate)
    }
    #expect(error?.code == .protocolViolation)
  }

  @Test func `an answer that cannot be understood ends the call at once, and says why`() async throws {
    let (events, error) = try await called { bob, offer, alice in
      var accept = Self.accept(offer, [.audio(.opus, .some(.some(.active)))]).element
      accept.append(accept.children[0])
      guard case .error(let error) = try await bob.request(accept, to: alice).content else {
        Issue.record("it was taken")
        return
      }
      #expect(error.condition == .badRequest)
      let (end, _) = try await bob.jingle(.sessionTerminate)
      #expect(end.reason?.condition == .failedApplication)
    }
    #expect(error?.code == .protocolViolation && error?.message.contains("occurs twice") == true)
    #expect(events.names == ["proposed", "proceeding", "ended"])
  }

  @Test func `a hang-up that cannot be understood is a hang-up`() async throws {
    let (events, _) = try await called { bob, offer, alice in
      var end = Jingle(.sessionTerminate, sid: offer.sid, reason: Jingle.Reason(.decline)).element
      end.append(end.children[0])
      try await bob.request(end, to: alice)
    }
    #expect(events.names == ["proposed", "proceeding", "ended"] && events.end?.endedByPeer == true)
  }

  @Test func `a peer's reason at length is cut`() async throws {
    let (_, error) = try await called { bob, offer, alice in
      let reason = Jingle.Reason(.decline, text: String(repeating: "no ", count: 100_000))
      try await bob.request(Jingle(.sessionTerminate, sid: offer.sid, reason: reason), to: alice)
    }
    #expect(error?.code == .declined)
    #expect((1000...1200).contains(error?.message.count ?? 0))
  }

  @Test func `a second answer is out of order and changes nothing`() async throws {
    let (events, error) = try await called { bob, offer, alice in
      let accept = Self.accept(offer, [.audio(.opus, .some(.some(.active)))])
      #expect(try await bob.request(accept, to: alice).content == .result(nil))
      #expect(try await bob.request(accept, to: alice).content == .error(.outOfOrder))
      try await bob.request(Jingle(.sessionTerminate, sid: offer.sid, reason: Jingle.Reason(.cancel)), to: alice)
    }
    #expect(events.names == ["proposed", "proceeding", "connecting", "ended"])
    #expect(error?.code == .noAnswer)
  }

  @Test func `a fingerprint that came ahead of the answer counts`() async throws {
    let (events, _) = try await called { bob, offer, alice in
      let early = ICETransport(fingerprints: [.some(.active)])
      let update = Jingle.Content(name: "audio", transport: .iceUDP(early))
      try await bob.request(Jingle(.transportInfo, sid: offer.sid, contents: [update]), to: alice)
      try await bob.request(Self.accept(offer, [.audio(.opus, .some(nil))]), to: alice)
      try await bob.settle(alice)
      try await bob.request(Jingle(.sessionTerminate, sid: offer.sid, reason: Jingle.Reason(.gone)), to: alice)
    }
    #expect(events.names == ["proposed", "proceeding", "connecting", "ended"])
  }

  @Test func `a peer that takes the call and never answers the offer is given up`() async throws {
    let (_, error) = try await called(configure: { $0.connectTimeout = .milliseconds(300) }) { bob, _, _ in
      let (end, _) = try await bob.jingle(.sessionTerminate)
      #expect(end.reason?.condition == .connectivityError)
      let (finish, _) = try await bob.message("finish")
      #expect(finish.action == .finish(Jingle.Reason(.connectivityError)))
    }
    #expect(error?.code == .connectivity)
    #expect(error?.message.contains("did not begin it") == true && error?.message.contains("host 127.0.0.1") == true)
  }

  @Test func `a path that leads nowhere is reported with all that was tried`() async throws {
    let (events, error) = try await called(configure: { $0.connectTimeout = .milliseconds(500) }) { bob, offer, alice in
      try await bob.request(Self.accept(offer, [.audio(.opus, .some(.some(.active)))]), to: alice)
      let (end, _) = try await bob.jingle(.sessionTerminate)
      #expect(end.reason?.condition == .connectivityError)
    }
    #expect(events.names == ["proposed", "proceeding", "connecting", "ended"])
    #expect(error?.code == .connectivity)
    #expect(error?.message.contains("Theirs: host 127.0.0.1:9.") == true)
    #expect(error?.message.contains("No STUN or TURN server was asked") == true)
    #expect(events.end?.error?.message == error?.message)
  }

  @Test(
    arguments: [
      (.decline, .declined), (.busy, .busy), (.cancel, .noAnswer), (.expired, .noAnswer), (.timeout, .noAnswer),
      (.unsupportedApplications, .nothingInCommon), (.unsupportedTransports, .nothingInCommon),
      (.failedApplication, .nothingInCommon), (.incompatibleParameters, .nothingInCommon),
      (.connectivityError, .connectivity), (.failedTransport, .connectivity), (.securityError, .connectivity),
      (.success, .failed), (.gone, .failed), (.generalError, .failed), (.mediaError, .failed),
      (.alternativeSession(sid: nil), .failed), (.unknown("tired"), .failed),
    ] as [(Jingle.Reason.Condition, CallError.Code)])
  func `each reason of the peer's has its code`(condition: Jingle.Reason.Condition, code: CallError.Code) async throws {
    let (events, error) = try await called { bob, offer, alice in
      let reason = Jingle.Reason(condition, text: "Had enough.")
      let answer = try await bob.request(Jingle(.sessionTerminate, sid: offer.sid, reason: reason), to: alice)
      #expect(answer.content == .result(nil))
    }
    #expect(error?.code == code && error?.message.contains("Had enough.") == true)
    #expect(events.end?.reason == condition.description && events.end?.endedByPeer == true)
  }

  @Test func `a device that refuses the offer ends the call`() async throws {
    try await withScript(server, "bob@localhost/desk", acknowledges: false) { bob in
      try await withClient(server, "alice@localhost/laptop") { alice in
        async let result = alice.follow("bob@localhost", .tone(440))
        let (proposal, caller) = try await bob.message("propose")
        await bob.send(.proceed, proposal.id, to: caller)
        let offer = try IQ(try await bob.next { $0.first("jingle", Jingle.namespace) != nil })
        bob.link.send(offer.reply(.error(StanzaError(.notAcceptable))).element)
        #expect(await result.error?.code == .protocolViolation)
        #expect(await alice.isIdle)
      }
    }
  }

  @Test func `a peer without message initiation is called directly`() async throws {
    try await withScript(server, "bob@localhost/desk", features: ScriptedPeer.callable) { bob in
      try await withClient(server, "alice@localhost/laptop") { alice in
        try await until { await alice.knows(bob.address) }
        async let result = alice.follow("bob@localhost", .tone(440))
        let (offer, caller) = try await bob.jingle(.sessionInitiate)
        try await bob.request(Jingle(.sessionInfo, sid: offer.sid, payloads: [RTPInfo.ringing.element]), to: caller)
        try await bob.request(Jingle(.sessionTerminate, sid: offer.sid, reason: Jingle.Reason(.decline)), to: caller)
        let (events, error) = await result
        #expect(events.names == ["proposed", "ringing", "ended"] && error?.code == .declined)
        #expect(await !bob.has { $0.first("propose", JingleMessage.namespace) != nil })
      }
    }
  }

  @Test func `a direct call that is not answered in time has no answer`() async throws {
    try await withScript(server, "bob@localhost/desk", features: ScriptedPeer.callable) { bob in
      try await withClient(
        server, "alice@localhost/laptop", configure: { $0.ringingTimeout = .milliseconds(300) }
      ) { alice in
        try await until { await alice.knows(bob.address) }
        let (_, error) = await alice.follow("bob@localhost", .tone(440))
        #expect(error?.code == .noAnswer)
        _ = try await bob.jingle(.sessionTerminate)
      }
    }
  }

  // MARK: Offers

  @Test func `an offer without fingerprint is refused`() async throws {
    let error = try await calling { bob, alice in
      try await bob.request(Jingle(.sessionInitiate, sid: "call", contents: [.audio(.opus, .some(nil))]), to: alice)
      let (end, _) = try await bob.jingle(.sessionTerminate)
      #expect(end.reason?.condition == .securityError)
    }
    #expect(error?.code == .nothingInCommon)
  }

  @Test func `an offer without a codec of ours is refused`() async throws {
    let foreign = RTPPayloadType(id: 18, name: "G729", clockrate: 8_000)
    let error = try await calling { bob, alice in
      let description = RTPDescription(media: "audio", payloadTypes: [foreign], rtcpMux: true)
      try await bob.request(Jingle(.sessionInitiate, sid: "call", contents: [.audio(description)]), to: alice)
      let (end, _) = try await bob.jingle(.sessionTerminate)
      #expect(end.reason?.condition == .failedApplication)
    }
    #expect(error?.code == .nothingInCommon && error?.message.contains("G729") == true)
  }

  @Test func `an offer without audio is refused`() async throws {
    let error = try await calling { bob, alice in
      let video = RTPDescription(
        media: "video", payloadTypes: [RTPPayloadType(id: 96, name: "VP8", clockrate: 90_000)], rtcpMux: true)
      try await bob.request(Jingle(.sessionInitiate, sid: "call", contents: [.audio(video)]), to: alice)
      let (end, _) = try await bob.jingle(.sessionTerminate)
      #expect(end.reason?.condition == .unsupportedApplications)
    }
    #expect(error?.code == .nothingInCommon)
  }

  @Test func `a caller that withdraws after the call was taken ends it`() async throws {
    let error = try await calling { bob, alice in
      await bob.send(.retract(Jingle.Reason(.cancel)), "call", to: alice)
    }
    #expect(error?.code == .failed && error?.message.contains("hung up") == true)
  }

  @Test func `an offer that comes before the call is taken waits for that`() async throws {
    let (answers, answer) = AsyncStream.makeStream(of: Void.self)
    let onCall: OnCall = { incoming in
      for await _ in answers { break }
      try await incoming.answer(with: .tone(880)) { call in for await _ in call.events {} }
    }
    try await withClient(server, "alice@localhost/laptop", onCall: onCall) { alice in
      let own = alice.configuration.account
      try await withScript(server, "bob@localhost/desk") { bob in
        await bob.send(.audioProposal, "call", to: own.bare)
        _ = try await bob.message("ringing")
        try await bob.request(Jingle(.sessionInitiate, sid: "call", contents: [.audio(.opus, .some(nil))]), to: own)
        let late = Jingle.Content(name: "audio", transport: .iceUDP(ICETransport(fingerprints: [.some()])))
        try await bob.request(Jingle(.transportInfo, sid: "call", contents: [late]), to: own)
        answer.yield()
        let (accept, _) = try await bob.jingle(.sessionAccept)
        #expect(accept.contents.first?.fingerprint?.setup == .active)
        // The word to go ahead has done its work, and does not run out.
        #expect(await alice.proposalDeadline("call") == nil)
        try await bob.request(Jingle(.sessionTerminate, sid: "call", reason: Jingle.Reason(.success)), to: own)
        try await until { await alice.isIdle }
      }
    }
  }

  private func features(of client: Client, asking peer: ScriptedPeer) async throws -> [String] {
    let question = XMLElement("query", namespace: DiscoInfo.namespace)
    peer.link.send(IQ(id: "disco", to: client.configuration.account, .get(question)).element)
    let answer = try await peer.next { $0[attribute: "id"] == "disco" && $0[attribute: "type"] == "result" }
    return try #require(answer.children.first).children.compactMap { $0[attribute: "var"] }
  }

  @Test func `the phone clients' call buttons find what they look for in disco`() async throws {
    try await withScript(server, "bob@localhost/desk") { bob in
      try await withClient(server, "alice@localhost/laptop", onCall: { _ in }) { alice in
        let features = try await features(of: alice, asking: bob)
        // Conversations and Cheogram, Movim.
        let wanted = [
          "urn:xmpp:jingle:1", "urn:xmpp:jingle:transports:ice-udp:1", "urn:xmpp:jingle:apps:rtp:1",
          "urn:xmpp:jingle:apps:dtls:0", "urn:xmpp:jingle:apps:rtp:audio", "urn:xmpp:jingle:apps:rtp:video",
          "urn:xmpp:jingle-message:0",
        ]
        #expect(Set(features).isSuperset(of: wanted))
        // It would say that this side cannot trickle.
        #expect(!features.contains("urn:ietf:rfc:3264"))
      }
    }
  }

  @Test func `what files need is told in disco, as each specification wants it`() async throws {
    try await withScript(server, "bob@localhost/desk") { bob in
      try await withClient(server, "alice@localhost/laptop", onCall: { _ in }) { alice in
        let features = try await features(of: alice, asking: bob)
        let wanted = [
          "urn:xmpp:jingle:apps:file-transfer:5", "urn:xmpp:jingle:transports:s5b:1",
          "urn:xmpp:jingle:transports:ibb:1", "http://jabber.org/protocol/ibb", "urn:xmpp:hashes:2",
          "urn:xmpp:hash-function-text-names:sha-256", "urn:xmpp:hash-function-text-names:id-blake2b512",
          "urn:xmpp:bob", "urn:xmpp:thumbs:1", "jabber:x:oob",
        ]
        #expect(Set(wanted).subtracting(features).isEmpty)
        // What is asked to be fetched at once would not be.
        #expect(!features.contains("jabber:iq:oob"))
      }
    }
  }

  @Test func `malformed requests are answered as such and leave nothing behind`() async throws {
    try await withClient(server, "alice@localhost/laptop", onCall: { _ in }) { alice in
      let own = alice.configuration.account
      try await withScript(server, "bob@localhost/desk") { bob in
        let good = Jingle(.sessionInitiate, sid: "s", contents: [.audio()]).element
        var broken: [XMLElement] = []
        for attribute in ["action", "sid"] {
          var element = good
          element[attribute: attribute] = nil
          broken.append(element)
        }
        for (attribute, value) in [
          ("action", "session-invent"), ("sid", ""), ("sid", String(repeating: "x", count: 300)),
        ] {
          var element = good
          element[attribute: attribute] = value
          broken.append(element)
        }
        broken.append(Jingle(.sessionInitiate, sid: "s").element)
        broken.append(Jingle(.sessionInitiate, sid: "s", contents: [.audio(), .audio()]).element)
        broken.append(
          Jingle(
            .sessionInitiate, sid: "s", contents: [.audio(), Jingle.Content(creator: .responder, name: "audio")]
          ).element)
        broken.append(Jingle(.sessionInitiate, sid: "s", contents: [Jingle.Content(name: "audio")]).element)
        for element in broken {
          guard case .error(let error) = try await bob.request(element, to: own).content else {
            Issue.record("taken: \(element)")
            continue
          }
          #expect(error.condition == .badRequest)
        }
        let actions = Jingle.Action.defined.filter { $0 != .sessionInitiate }
        for action in actions {
          let contents: [Jingle.Content] = [.audio()]
          let answer = try await bob.request(Jingle(action, sid: "s", contents: contents), to: own)
          #expect(answer.content == .error(.unknownSession))
        }
        #expect(await alice.isIdle)
        #expect(await alice.router.count == 0)
      }
    }
  }

  @Test func `a stranger cannot act in a session`() async throws {
    let (events, error) = try await called { [server] bob, offer, alice in
      try await withScript(server, "mallory@localhost/x") { mallory in
        for action in [Jingle.Action.sessionTerminate, .sessionAccept, .transportInfo] {
          let answer = try await mallory.request(Jingle(action, sid: offer.sid, contents: [.audio()]), to: alice)
          #expect(answer.content == .error(.unknownSession))
        }
        await mallory.send(.reject(nil), offer.sid, to: alice)
        await mallory.send(.finish(nil), offer.sid, to: alice)
        try await mallory.settle(alice)
      }
      try await bob.request(Jingle(.sessionTerminate, sid: offer.sid, reason: Jingle.Reason(.busy)), to: alice)
    }
    #expect(events.names == ["proposed", "proceeding", "ended"] && error?.code == .busy)
  }
}
