import Carillon
import CarillonTesting
import JingleCore
import Testing
import XMPPCore

private let frequencies: [Double] = [220, 440, 660, 880, 1_320]

extension XMLElement {
  /// With the payload types of audio changed in every session-initiate or session-accept.
  fileprivate func changingAudio(
    in actions: Set<String>, _ change: ([RTPPayloadType]) -> [RTPPayloadType]
  ) -> XMLElement {
    guard let child = children.first(where: { $0.namespace == "urn:xmpp:jingle:1" }),
      actions.contains(child[attribute: "action"] ?? ""), var jingle = try? Jingle(child)
    else { return self }
    for content in jingle.contents.indices {
      guard var description = jingle.contents[content].description?.rtp, description.media == "audio" else { continue }
      description.payloadTypes = change(description.payloadTypes)
      jingle.contents[content].description = .rtp(description)
    }
    var changed = self
    changed.nodes = [.element(jingle.element)]
    return changed
  }
}

/// Calls with peers that have other codecs: the stanzas are rewritten on their way.
@Suite(.serialized, .timeLimit(.minutes(1)))
struct AudioCodecCallTests {
  private struct Outcome {
    var alice: (events: [CallEvent], error: CallError?)
    var bob: [CallEvent]
    var aliceEar: Ear
    var bobEar: Ear

    var codecs: [String?] {
      [alice.events, bob].flatMap { events -> [String?] in
        let end = events.end?.statistics
        return [events.report?.audioCodec, end?.outbound(.audio)?.codec, end?.inbound(.audio)?.codec]
      }
    }
  }

  /// - Parameter bobHears: whether the caller waits until the other side has heard enough, too.
  private func call(
    bobHears: Bool = true, _ rewrite: @escaping @Sendable (XMLElement) -> XMLElement
  ) async throws -> Outcome {
    let server = InMemoryServer(rewriting: rewrite)
    let (aliceEar, bobEar) = (Ear(), Ear())
    let bob = Log<CallEvent>()
    return try await withClient(
      server, "bob@localhost/desk", onCall: answering({ .tone(880, to: bobEar) }, log: bob)
    ) { _ in
      try await withClient(server, "alice@localhost/laptop") { client in
        let outcome = await client.follow("bob@localhost", .tone(440, to: aliceEar)) { event in
          guard case .statistics = event else { return false }
          return aliceEar.count > 60_000 && (!bobHears || bobEar.count > 60_000)
        }
        try await until { bob.entries.last?.name == "ended" }
        return Outcome(alice: outcome, bob: bob.entries, aliceEar: aliceEar, bobEar: bobEar)
      }
    }
  }

  private func expectHeard(_ outcome: Outcome, codec: String) {
    #expect(outcome.alice.error == nil)
    #expect(outcome.aliceEar.strongest(of: frequencies) == 880)
    #expect(outcome.bobEar.strongest(of: frequencies) == 440)
    #expect(outcome.codecs == Array(repeating: codec, count: 6))
    for statistics in [outcome.alice.events.end?.statistics, outcome.bob.end?.statistics] {
      // The tone's own level, −13 dBFS; a busy machine loses some of the second that is measured. Twice the amplitude, or
      // half of it, would be 6 dB.
      #expect((-16...(-11.5)).contains(statistics?.inbound(.audio)?.audioLevel ?? 0))
      #expect(statistics?.inbound(.audio)?.packetsReceived ?? 0 > 40)
      #expect(statistics?.inbound(.audio)?.jitter ?? .seconds(1) < .milliseconds(100))
    }
  }

  @Test(arguments: [("PCMU", "PCMU/8000"), ("PCMA", "PCMA/8000"), ("G722", "G722/8000"), ("opus", "opus/48000/2")])
  func `a peer that has one codec is heard and hears in it`(name: String, codec: String) async throws {
    let outcome = try await call { stanza in
      stanza.changingAudio(in: ["session-initiate"]) { types in types.filter { $0.name == name } }
    }
    expectHeard(outcome, codec: codec)
  }

  @Test func `Opus is taken where it stands last, and answered first`() async throws {
    let answered = Log<[UInt8]>()
    let outcome = try await call { stanza in
      _ = stanza.changingAudio(in: ["session-accept"]) { types in
        answered.append(types.map(\.id))
        return types
      }
      return stanza.changingAudio(in: ["session-initiate"]) { types in
        types.filter { $0.name?.hasPrefix("PCM") == true } + types.filter { $0.name == "opus" }
      }
    }
    expectHeard(outcome, codec: "opus/48000/2")
    #expect(answered.entries == [[111, 0, 8]])
  }

  @Test func `Opus is sent to a peer whose answer puts it last, and what the peer prefers is heard`() async throws {
    // Bob's side believes that only PCMU is in common, and Alice's that Bob prefers it.
    let outcome = try await call(bobHears: false) { stanza in
      stanza.changingAudio(in: ["session-initiate"]) { types in types.filter { $0.name == "PCMU" } }
        .changingAudio(in: ["session-accept"]) { types in types + [RTPCapability.opus().payloadType(id: 111)] }
    }
    #expect(outcome.alice.error == nil)
    #expect(outcome.alice.events.report?.audioCodec == "opus/48000/2")
    // Bob sends PCMU: it is one of what Alice offered, and its clock is not Opus's.
    #expect(outcome.aliceEar.strongest(of: frequencies) == 880)
  }

  @Test func `a peer with nothing but telephone events has no codec in common`() async throws {
    let outcome = try await call { stanza in
      stanza.changingAudio(in: ["session-accept"]) { types in types.filter(\.isTelephoneEvent) }
    }
    #expect(outcome.alice.error?.code == .nothingInCommon)
  }

  @Test func `packets of other codecs are not kept as if they were Opus, and a warning tells so once`() async throws {
    let server = InMemoryServer { stanza in
      stanza.changingAudio(in: ["session-initiate"]) { types in types.filter { $0.name == "PCMA" } }
    }
    let shelf = PacketShelf()
    let ear = Ear()
    try await withClient(server, "bob@localhost/desk", onCall: answering { .tone(220) }) { _ in
      try await withClient(server, "alice@localhost/laptop") { client in
        let offer = MediaOffer(audioSink: ear, encodedSink: shelf)
        let (events, error) = await client.follow("bob@localhost", offer) { _ in
          ear.count > 48_000
        }
        #expect(error == nil)
        #expect(events.warnings.count == 1)
        #expect(events.warnings.first?.message.contains("PCMA") == true)
        #expect(events.warnings.first?.message.contains(".wav") == true)
      }
    }
    #expect(shelf.packets.isEmpty)
    #expect(shelf.tracks == nil, "there is nothing for it to begin with")
    #expect(ear.strongest(of: frequencies) == 220)
  }
}
