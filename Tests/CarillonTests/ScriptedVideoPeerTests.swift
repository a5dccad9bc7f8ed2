import CarillonTesting
import JingleCore
import MediaTime
import Testing
import XMPPCore

@testable import Carillon

/// What is offered and answered where a call has pictures too, and what becomes of strange answers and offers.
@Suite(.serialized, .timeLimit(.minutes(1)))
struct ScriptedVideoPeerTests {
  private let server = InMemoryServer()

  /// Alice calls Bob with sound and pictures; the test plays Bob from the offer on, and ends the call.
  private func called(
    _ play: @escaping @Sendable (ScriptedPeer, _ offer: Jingle, _ alice: JID) async throws -> Void
  ) async throws -> (events: [CallEvent], error: CallError?) {
    try await withScript(server, "bob@localhost/desk") { bob in
      try await withClient(server, "alice@localhost/laptop") { alice in
        let media = MediaOffer(audio: Tone(440), video: Paint(Paint.red), audioSink: Ear(), videoSink: Eye())
        async let result = alice.follow("bob@localhost", media)
        let (offer, caller) = try await bob.takeCall()
        try await play(bob, offer, caller)
        let (events, error) = await result
        #expect(await alice.isIdle)
        return (events, error)
      }
    }
  }

  /// Bob offers Alice, who brings sound and pictures, what the test says.
  private func answer(
    to contents: [Jingle.Content], groups: [ContentGroup] = [],
    media: @escaping @Sendable () -> MediaOffer = {
      MediaOffer(audio: Tone(440), video: Paint(Paint.red), audioSink: Ear(), videoSink: Eye())
    },
    _ look: @escaping @Sendable (ScriptedPeer, _ acknowledgement: IQ, _ alice: JID) async throws -> Void
  ) async throws {
    try await withScript(server, "bob@localhost/desk") { bob in
      try await withClient(server, "alice@localhost/laptop", onCall: answering(media)) { alice in
        let own = alice.configuration.account
        let proposal = contents.compactMap { $0.description?.rtp?.media }.map { RTPDescription(media: $0) }
        await bob.send(.propose(proposal.map { .rtp($0) }), "call", to: own.bare)
        _ = try await bob.message("proceed")
        let offer = Jingle(.sessionInitiate, sid: "call", contents: contents, groups: groups)
        let acknowledgement = try await bob.request(offer, to: own)
        try await look(bob, acknowledgement, own)
        await bob.send(.retract(Jingle.Reason(.cancel)), "call", to: own)
        _ = try? await bob.request(Jingle(.sessionTerminate, sid: "call", reason: Jingle.Reason(.cancel)), to: own)
        try await until { await alice.isIdle }
      }
    }
  }

  private static func accept(_ offer: Jingle, _ contents: [Jingle.Content], groups: [ContentGroup] = []) -> Jingle {
    Jingle(.sessionAccept, sid: offer.sid, contents: contents, groups: groups)
  }

  private static func terminate(_ offer: Jingle) -> Jingle {
    Jingle(.sessionTerminate, sid: offer.sid, reason: Jingle.Reason(.cancel))
  }

  // MARK: What is offered

  @Test func `the offer bundles two contents that could do without, and names what this side can do`() async throws {
    _ = try await called { bob, offer, alice in
      #expect(offer.contents.map(\.name) == ["audio", "video"])
      #expect(offer.groups == [ContentGroup(.bundle, ["audio", "video"])])
      let transports = offer.contents.compactMap { $0.transport?.iceUDP }
      #expect(Set(transports.map(\.ufrag)).count == 2 && transports.allSatisfy { $0.fingerprint != nil })
      let audio = try #require(offer.contents[0].description?.rtp)
      let video = try #require(offer.contents[1].description?.rtp)
      #expect(audio.canBeBundled(with: video) && audio.rtcpMux && video.rtcpMux)
      #expect(video.payloadTypes.map(\.name) == ["VP8", "rtx", "VP9", "rtx"])
      for payloadType in video.payloadTypes where !payloadType.isRetransmission {
        let feedback = video.feedback(for: payloadType)
        #expect([.nack, .pli, .fir, .remb, .transportCC].allSatisfy(feedback.contains))
      }
      #expect(audio.sources.count == 1 && video.sources.count == 2)
      #expect(Set((audio.sources + video.sources).map(\.cname)).count == 1)
      #expect(video.sourceGroups == [RTPSourceGroup(.flowIdentification, video.sources.map(\.ssrc))])
      try await bob.request(Self.terminate(offer), to: alice)
    }
  }

  @Test func `a proposal names all kinds of media`() async throws {
    try await withScript(server, "bob@localhost/desk") { bob in
      try await withClient(server, "alice@localhost/laptop") { alice in
        async let result = alice.follow(
          "bob@localhost", MediaOffer(audio: Tone(440), video: Paint(Paint.red), audioSink: Ear()))
        let (proposal, caller) = try await bob.message("propose")
        #expect(proposal.media == ["audio", "video"])
        await bob.send(.reject(Jingle.Reason(.decline)), proposal.id, to: caller)
        _ = await result
      }
    }
  }

  // MARK: Answers

  @Test func `an answer may take the sound alone`() async throws {
    let (events, _) = try await called { bob, offer, alice in
      let answer = Self.accept(offer, [.audio(.opus, .some(.some(.active)))])
      #expect(try await bob.request(answer, to: alice).content == .result(nil))
      try await bob.request(Self.terminate(offer), to: alice)
    }
    #expect(events.names == ["proposed", "proceeding", "connecting", "ended"])
  }

  @Test(arguments: [true, false])
  func `an answer may take both, in a bundle or not`(bundled: Bool) async throws {
    let (events, _) = try await called { bob, offer, alice in
      let contents: [Jingle.Content] = [
        .audio(.opus, .some(.some(.active))), .audio(.vp8, .some(.some(.active)), name: "video"),
      ]
      let groups = bundled ? [ContentGroup(.bundle, ["audio", "video"])] : []
      #expect(try await bob.request(Self.accept(offer, contents, groups: groups), to: alice).content == .result(nil))
      try await bob.request(Self.terminate(offer), to: alice)
    }
    #expect(events.names == ["proposed", "proceeding", "connecting", "ended"])
  }

  @Test func `an answer with strange extensions, feedback and retransmissions is taken without them`() async throws {
    var video = RTPDescription.vp8
    video.headerExtensions = [
      RTPHeaderExtension(id: 15, uri: RTPHeaderExtension.URI.mid), RTPHeaderExtension(id: 200, uri: "urn:strange"),
      RTPHeaderExtension(id: 9, uri: RTPHeaderExtension.URI.absoluteSendTime),
    ]
    video.feedback = RTPFeedback([.init("strange", "kind")])
    video.payloadTypes.append(RTPPayloadType(id: 120, name: "rtx", clockrate: 90_000, parameters: [.init("apt", "7")]))
    let (events, _) = try await called { [video] bob, offer, alice in
      let contents: [Jingle.Content] = [
        .audio(.opus, .some(.some(.active))), .audio(video, .some(.some(.active)), name: "video"),
      ]
      #expect(try await bob.request(Self.accept(offer, contents), to: alice).content == .result(nil))
      try await bob.request(Self.terminate(offer), to: alice)
    }
    #expect(events.names == ["proposed", "proceeding", "connecting", "ended"])
  }

  @Test func `an answer with a codec that was not offered ends the call`() async throws {
    let h264 = RTPDescription(
      media: "video", payloadTypes: [RTPPayloadType(id: 102, name: "H264", clockrate: 90_000)], rtcpMux: true)
    let (_, error) = try await called { bob, offer, alice in
      let contents: [Jingle.Content] = [
        .audio(.opus, .some(.some(.active))), .audio(h264, .some(.some(.active)), name: "video"),
      ]
      try await bob.request(Self.accept(offer, contents), to: alice)
      let (end, _) = try await bob.jingle(.sessionTerminate)
      #expect(end.reason?.condition == .failedApplication)
    }
    #expect(error?.code == .protocolViolation)
  }

  @Test(arguments: [["audio", "nothing"], ["video", "audio", "screen"]])
  func `an answer that bundles what was not offered ends the call`(names: [String]) async throws {
    let (_, error) = try await called { bob, offer, alice in
      let contents: [Jingle.Content] = [
        .audio(.opus, .some(.some(.active))), .audio(.vp8, .some(.some(.active)), name: "video"),
      ]
      let accept = Self.accept(offer, contents, groups: [ContentGroup(.bundle, names)])
      guard case .error(let error) = try await bob.request(accept, to: alice).content else {
        Issue.record("it was taken")
        return
      }
      #expect(error.condition == .notAcceptable)
      _ = try await bob.jingle(.sessionTerminate)
    }
    #expect(error?.code == .protocolViolation)
  }

  @Test func `an answer whose contents share a name is no answer`() async throws {
    let (events, _) = try await called { bob, offer, alice in
      let contents: [Jingle.Content] = [.audio(.opus, .some(.some(.active))), .audio(.vp8, .some(.some(.active)))]
      guard case .error = try await bob.request(Self.accept(offer, contents), to: alice).content else {
        Issue.record("it was taken")
        return
      }
      try await bob.request(Self.terminate(offer), to: alice)
    }
    #expect(events.names == ["proposed", "proceeding", "ended"])
  }

  // MARK: Offers

  @Test func `what is bundled is answered over one transport`() async throws {
    let group = ContentGroup(.bundle, ["0", "1"])
    try await answer(to: [.audio(name: "0"), .audio(.vp8, ICETransport(), name: "1")], groups: [group]) { bob, _, _ in
      let (accept, _) = try await bob.jingle(.sessionAccept)
      #expect(accept.contents.map(\.name) == ["0", "1"] && accept.groups == [group])
      let transports = accept.contents.compactMap { $0.transport?.iceUDP }
      #expect(Set(transports.map(\.ufrag)).count == 1)
      #expect(transports[1].candidates.isEmpty)
    }
  }

  @Test func `what is not bundled is answered over a transport each`() async throws {
    try await answer(to: [.audio(name: "0"), .audio(.vp8, .some(), name: "1")]) { bob, _, _ in
      let (accept, _) = try await bob.jingle(.sessionAccept)
      #expect(accept.contents.map(\.name) == ["0", "1"] && accept.groups.isEmpty)
      #expect(Set(accept.contents.compactMap { $0.transport?.iceUDP?.ufrag }).count == 2)
    }
  }

  @Test func `what could not be told apart in a bundle is not bundled`() async throws {
    var video = RTPDescription.vp8
    video.payloadTypes[0].id = 111
    let group = ContentGroup(.bundle, ["0", "1"])
    try await answer(to: [.audio(name: "0"), .audio(video, .some(), name: "1")], groups: [group]) { bob, _, _ in
      let (accept, _) = try await bob.jingle(.sessionAccept)
      #expect(accept.groups.isEmpty && Set(accept.contents.compactMap { $0.transport?.iceUDP?.ufrag }).count == 2)
    }
  }

  @Test func `unknown codecs and media are left out, and what remains is answered`() async throws {
    var video = RTPDescription.vp8
    video.payloadTypes.insert(RTPPayloadType(id: 102, name: "H264", clockrate: 90_000), at: 0)
    video.payloadTypes.append(RTPPayloadType(id: 103, name: "ulpfec", clockrate: 90_000))
    let data = RTPDescription(media: "application", payloadTypes: [RTPPayloadType(id: 99, name: "data", clockrate: 1)])
    try await answer(to: [.audio(name: "a"), .audio(video, .some(), name: "v"), .audio(data, .some(), name: "d")]) {
      bob, _, _ in
      let (accept, _) = try await bob.jingle(.sessionAccept)
      #expect(accept.contents.map(\.name) == ["a", "v"])
      #expect(accept.contents[1].description?.rtp?.payloadTypes.map(\.name) == ["VP8"])
    }
  }

  @Test func `pictures without a codec in common cost the pictures, not the call`() async throws {
    let h264 = RTPDescription(
      media: "video", payloadTypes: [RTPPayloadType(id: 102, name: "H264", clockrate: 90_000)], rtcpMux: true)
    try await answer(to: [.audio(name: "a"), .audio(h264, .some(), name: "v")]) { bob, _, _ in
      let (accept, _) = try await bob.jingle(.sessionAccept)
      #expect(accept.contents.map(\.name) == ["a"])
    }
  }

  @Test func `who does not want pictures answers their content without sending or receiving`() async throws {
    try await answer(to: [.audio(name: "a"), .audio(.vp8, .some(), name: "v")], media: { .tone(440) }) { bob, _, _ in
      let (accept, _) = try await bob.jingle(.sessionAccept)
      #expect(accept.contents.map(\.senders) == [.both, .none])
      #expect(accept.contents[1].description?.rtp?.sources.isEmpty == true)
    }
  }

  @Test func `an offer that bundles what it does not have is refused`() async throws {
    try await withScript(server, "bob@localhost/desk") { bob in
      try await withClient(server, "alice@localhost/laptop", onCall: answering { .tone(440) }) { alice in
        let offer = Jingle(
          .sessionInitiate, sid: "call", contents: [.audio()], groups: [ContentGroup(.bundle, ["audio", "video"])])
        let answer = try await bob.request(offer, to: alice.configuration.account)
        guard case .error(let error) = answer.content else {
          Issue.record("it was taken")
          return
        }
        #expect(error.condition == .badRequest)
        #expect(await alice.isIdle)
      }
    }
  }
}

extension RTPDescription {
  fileprivate static let vp8 = RTPDescription(
    media: "video", payloadTypes: [RTPCapability.vp8().payloadType(id: 96)], rtcpMux: true)
}
