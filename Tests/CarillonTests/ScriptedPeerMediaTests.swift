import CarillonTesting
import JingleCore
import MediaEngine
import MediaTime
import RTPCore
import Synchronization
import Testing
import XMPPCore

@testable import Carillon

/// Calls with peers of old and odd habits, over real paths: what such a peer hears it sends back, and it is heard.
@Suite(.serialized, .timeLimit(.minutes(1)))
struct ScriptedPeerMediaTests {
  private let server = InMemoryServer()
  private let loop = GLibLoop(name: "test-peer")
  private let ear = Ear()

  /// What a peer does unlike others.
  struct Habits: OptionSet, Sendable {
    let rawValue: Int
    /// Offers and answers without rtcp-mux: RTCP has a component of its own.
    static let withoutMultiplexing = Habits(rawValue: 1)
    /// Tells each candidate in a stanza of its own, after an offer or answer without any.
    static let oneByOne = Habits(rawValue: 2)
    /// Has its fingerprint in transport-info before it answers, and not in the answer.
    static let fingerprintFirst = Habits(rawValue: 4)
    /// Leaves the beginning of DTLS to the other side.
    static let passive = Habits(rawValue: 8)
    /// Answers under payload types of its own.
    static let renumbers = Habits(rawValue: 16)
    /// Multiplexes, and does not say so.
    static let multiplexesTacitly = Habits(rawValue: 32)
    /// The same, with its one content in a bundle.
    static let bundlesOne = Habits(rawValue: 64)
  }

  // MARK: The peer

  /// One content's path on the peer's side.
  private struct Path {
    let endpoint: MediaEndpoint
    let local: MediaEndpoint.LocalDescription
    let habits: Habits

    init(on loop: GLibLoop, controlling: Bool, _ habits: Habits) async throws {
      var configuration = MediaEndpoint.Configuration(.init(controlling: controlling, localAddresses: ["127.0.0.1"]))
      configuration.multiplexesRTCP = !habits.contains(.withoutMultiplexing)
      endpoint = MediaEndpoint(on: loop, configuration)
      local = try await endpoint.start()
      self.habits = habits
    }

    func transport(_ setup: DTLSSetup) throws -> ICETransport {
      let isHeldBack = habits.contains(.fingerprintFirst) && setup != .actpass
      return ICETransport(
        ufrag: local.credentials.ufrag, pwd: local.credentials.password,
        fingerprints: isHeldBack ? [] : [try fingerprint(setup)],
        candidates: habits.contains(.oneByOne) ? [] : candidates)
    }

    func fingerprint(_ setup: DTLSSetup) throws -> DTLSFingerprint {
      try #require(DTLSFingerprint(local.fingerprint, setup: setup))
    }

    var candidates: [JingleCore.ICECandidate] {
      local.candidates.map { JingleCore.ICECandidate($0, id: "c\($0.port)", hidesBase: false) }
    }

    /// Goes to work with what the other side told in its one stanza.
    func begin(_ theirs: Jingle.Content, role: MediaEngine.DTLSRole) async throws {
      let remote = try #require(theirs.transport?.iceUDP)
      await endpoint.setRemote(try #require(remote.credentials))
      await endpoint.addRemote(remote.candidates.compactMap { MediaEngine.ICECandidate($0) })
      await endpoint.setDTLS(
        role: role, fingerprints: [CertificateFingerprint(try #require(remote.fingerprint))])
    }

    /// Whether each side has heard of the other's reports; nil when RTCP has no way.
    var exchangesReports: Bool? {
      get async {
        let (session, transport) = await endpoint.statistics
        return transport.carriesRTCP ? session?.roundTripTime != nil : nil
      }
    }

    /// Sends back what comes.
    func echo(receiving: UInt8, sending: UInt8) async {
      let session = RTPSession(
        configuration: RTPSession.Configuration(
          cname: "echo",
          audio: .init(
            localSSRC: 7, payloadType: sending, acceptedPayloadTypes: [receiving: .opus],
            initialSequenceNumber: SequenceNumber(rawValue: 1), initialTimestamp: RTPTimestamp(rawValue: 1)),
          wallClock: .init(instant: SystemClock.now, time: NTPTime(sinceUnixEpoch: .seconds(1_700_000_000))), seed: 7),
        at: SystemClock.now)
      let position = Position()
      await endpoint.startMedia(
        session,
        .init(playAudio: { [endpoint] unit in
          guard case .frame(let frame) = unit else { return }
          endpoint.send(EncodedAudioFrame(payload: frame.payload, position: position.next(), duration: 960))
        }))
    }
  }

  private final class Position: Sendable {
    private let value = Mutex(Int64(0))

    func next() -> Int64 {
      value.withLock { value in
        defer { value += 960 }
        return value
      }
    }
  }

  private static func update(_ name: String, _ transport: ICETransport, _ sid: String) -> Jingle {
    Jingle(.transportInfo, sid: sid, contents: [Jingle.Content(name: name, transport: .iceUDP(transport))])
  }

  /// Alice calls Bob, who has these habits and hears nothing of her after her offer.
  private func called(_ media: MediaOffer, _ habits: Habits = []) async throws -> [CallEvent] {
    try await withScript(server, "bob@localhost/desk") { [server, ear, loop] bob in
      try await withClient(server, "alice@localhost/laptop") { alice in
        async let result = alice.follow("bob@localhost", media)
        let (offer, caller) = try await bob.takeCall()
        var answer = Jingle(.sessionAccept, sid: offer.sid)
        var paths: [(name: String, path: Path)] = []
        let setup: DTLSSetup = habits.contains(.passive) ? .passive : .active
        for content in offer.contents {
          let path = try await Path(on: loop, controlling: false, habits)
          paths.append((content.name, path))
          let theirs = try #require(content.description?.rtp)
          var ours = try #require(theirs.answer(supporting: [.opus(), .vp8()]))
          ours.rtcpMux = habits.isDisjoint(with: [.withoutMultiplexing, .multiplexesTacitly])
          let offered = ours.payloadTypes[0].id
          if habits.contains(.renumbers) { ours.payloadTypes[0].id = 99 }
          answer.contents.append(
            Jingle.Content(
              name: content.name, description: .rtp(ours), transport: .iceUDP(try path.transport(setup))))
          if theirs.media == "audio" { await path.echo(receiving: ours.payloadTypes[0].id, sending: offered) }
          if habits.contains(.fingerprintFirst) {
            let early = ICETransport(
              ufrag: path.local.credentials.ufrag, pwd: path.local.credentials.password,
              fingerprints: [try path.fingerprint(setup)])
            try await bob.request(Self.update(content.name, early, offer.sid), to: caller)
          }
          // DTLS may begin before the answer.
          try await path.begin(content, role: setup == .active ? .client : .server)
        }
        #expect(try await bob.request(answer, to: caller).content == .result(nil))
        for (name, path) in paths where habits.contains(.oneByOne) {
          for candidate in path.candidates {
            let one = ICETransport(
              ufrag: path.local.credentials.ufrag, pwd: path.local.credentials.password, candidates: [candidate])
            #expect(try await bob.request(Self.update(name, one, offer.sid), to: caller).content == .result(nil))
          }
        }
        try await until { ear.strongest(of: [440, 880]) == 440 }
        for (_, path) in paths where habits.contains(.multiplexesTacitly) {
          try await until { await path.exchangesReports == true }
        }
        if habits.contains(.withoutMultiplexing) {
          // Long enough for reports, of which the first would show the peer that there is a way for its own.
          try await Task.sleep(for: .seconds(4))
          for (_, path) in paths { #expect(await path.exchangesReports == nil) }
        }
        try await bob.request(Jingle(.sessionTerminate, sid: offer.sid, reason: Jingle.Reason(.success)), to: caller)
        let (events, error) = await result
        #expect(error == nil)
        // Dino refuses more than one content in such a stanza.
        let hasMany = await bob.has {
          $0.first("jingle", Jingle.namespace).map { $0.all("content", Jingle.namespace).count > 1 } == true
        }
        #expect(!hasMany)
        for (_, path) in paths { await path.endpoint.close() }
        return events
      }
    }
  }

  /// Bob, who has these habits, calls Alice with sound and hears nothing of her after her answer.
  private func calling(_ habits: Habits) async throws -> Jingle {
    let offer: @Sendable () -> MediaOffer = { [ear] in .tone(440, to: ear) }
    return try await withScript(server, "bob@localhost/desk") { [server, ear, loop] bob in
      try await withClient(server, "alice@localhost/laptop", onCall: answering(offer)) { alice in
        let own = alice.configuration.account
        await bob.send(.audioProposal, "call", to: own.bare)
        _ = try await bob.message("proceed")
        let path = try await Path(on: loop, controlling: true, habits)
        var description = RTPDescription.opus
        description.rtcpMux = habits.isDisjoint(with: [.withoutMultiplexing, .multiplexesTacitly, .bundlesOne])
        let groups = habits.contains(.bundlesOne) ? [ContentGroup(.bundle, ["microphone"])] : []
        let contents: [Jingle.Content] = [.audio(description, try path.transport(.actpass), name: "microphone")]
        await path.echo(receiving: 111, sending: 111)
        try await bob.request(Jingle(.sessionInitiate, sid: "call", contents: contents, groups: groups), to: own)
        for candidate in path.candidates where habits.contains(.oneByOne) {
          let one = ICETransport(
            ufrag: path.local.credentials.ufrag, pwd: path.local.credentials.password, candidates: [candidate])
          try await bob.request(Self.update("microphone", one, "call"), to: own)
        }
        let (accept, _) = try await bob.jingle(.sessionAccept)
        try await path.begin(try #require(accept.contents.first), role: .server)
        try await until { ear.strongest(of: [440, 880]) == 440 }
        if !habits.isSubset(of: .oneByOne) { try await until { await path.exchangesReports == true } }
        try await bob.request(Jingle(.sessionTerminate, sid: "call", reason: Jingle.Reason(.success)), to: own)
        try await until { await alice.isIdle }
        await path.endpoint.close()
        return accept
      }
    }
  }

  // MARK: Calling such a peer

  @Test func `a peer that does not trickle is told enough by the offer, and tells enough by its answer`() async throws {
    #expect(try await called(.tone(440, to: ear)).report != nil)
  }

  @Test func `a peer that tells its candidates one by one after an answer without any is heard`() async throws {
    #expect(try await called(.tone(440, to: ear), .oneByOne).report != nil)
  }

  @Test func `a peer that does not bundle has a path for each content`() async throws {
    let media = MediaOffer(audio: Tone(440), video: Paint(Paint.red), audioSink: ear, videoSink: Eye())
    #expect(try await called(media).report != nil)
  }

  @Test func `a peer that does not multiplex is heard, and sent no RTCP where RTP goes`() async throws {
    let events = try await called(.tone(440, to: ear), .withoutMultiplexing)
    #expect(events.report != nil)
    #expect(events.warnings.count == 1 && events.warnings[0].message.contains("rtcp-mux"))
  }

  @Test func `a peer that multiplexes without a word of it is sent RTCP once it has sent some`() async throws {
    #expect(try await called(.tone(440, to: ear), .multiplexesTacitly).report != nil)
  }

  @Test func `a gateway that begins DTLS and tells its fingerprint before it answers is heard`() async throws {
    #expect(try await called(.tone(440, to: ear), .fingerprintFirst).report != nil)
  }

  @Test func `a peer that lets this side begin DTLS is heard`() async throws {
    #expect(try await called(.tone(440, to: ear), .passive).report != nil)
  }

  @Test func `a peer that numbers Opus otherwise is sent its own number and heard under the offer's`() async throws {
    #expect(try await called(.tone(440, to: ear), .renumbers).report != nil)
  }

  // MARK: Called by such a peer

  @Test(
    arguments: [
      [], .oneByOne, .withoutMultiplexing, [.withoutMultiplexing, .oneByOne], .multiplexesTacitly, .bundlesOne,
    ] as [Habits])
  func `a call of such a peer is answered in its own terms`(habits: Habits) async throws {
    let content = try #require(try await calling(habits).contents.first)
    #expect(content.name == "microphone")
    let multiplexes = habits.isDisjoint(with: [.withoutMultiplexing, .multiplexesTacitly])
    #expect(content.description?.rtp?.rtcpMux == multiplexes)
    let components = try #require(content.transport?.iceUDP).candidates.map(\.component)
    #expect(Set(components) == (multiplexes ? [1] : [1, 2]))
  }
}
