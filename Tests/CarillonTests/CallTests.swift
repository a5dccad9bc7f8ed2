import Carillon
import CarillonTesting
import Testing

private let frequencies: [Double] = [220, 440, 660, 880, 1_320]

@Suite(.serialized, .timeLimit(.minutes(1)))
struct CallTests {
  @Test func `two clients hear each other, and both are told everything in order`() async throws {
    let server = InMemoryServer()
    let (aliceEar, bobEar) = (Ear(), Ear())
    let bob = Log<CallEvent>()
    let alice = try await withClient(
      server, "bob@localhost/desk", onCall: answering({ .tone(880, to: bobEar) }, log: bob)
    ) { _ in
      try await withClient(server, "alice@localhost/laptop") { client in
        let (events, error) = await client.follow("bob@localhost", .tone(440, to: aliceEar)) { event in
          guard case .statistics(let statistics) = event else { return false }
          return statistics.inbound(.audio)?.audioLevel != nil && aliceEar.count > 48_000 && bobEar.count > 48_000
        }
        #expect(error == nil)
        try await until { bob.entries.last?.name == "ended" }
        return events
      }
    }
    #expect(alice.names == ["proposed", "ringing", "proceeding", "connecting", "connected", "ended"])
    #expect(bob.entries.names == ["proposed", "proceeding", "connecting", "connected", "ended"])
    #expect(aliceEar.strongest(of: frequencies) == 880)
    #expect(bobEar.strongest(of: frequencies) == 440)
    #expect(aliceEar.isFinished && bobEar.isFinished)

    for report in [alice.report, bob.entries.report] {
      let report = try #require(report)
      #expect(report.setupTime > .zero && report.setupTime >= report.iceTime && report.dtlsTime > .zero)
      #expect(report.path.localCandidateType == "host")
      #expect(report.dtlsVersion == "DTLS 1.2")
      #expect(report.srtpProfile.hasPrefix("SRTP_A"))
      #expect(report.audioCodec == "opus/48000/2")
    }
    #expect(alice.report?.ringingTime != nil && alice.report?.proceedTime != nil)
    #expect(bob.entries.report?.ringingTime == nil)

    let (end, bobEnd) = (try #require(alice.end), try #require(bob.entries.end))
    #expect(end.reason == "success" && !end.endedByPeer && end.error == nil && end.duration > .zero)
    #expect(bobEnd.reason == "success" && bobEnd.endedByPeer && bobEnd.error == nil)
    for statistics in [end.statistics, bobEnd.statistics] {
      let statistics = try #require(statistics)
      let (sent, received) = (try #require(statistics.outbound(.audio)), try #require(statistics.inbound(.audio)))
      #expect(sent.packetsSent > 40 && received.packetsReceived > 40)
      #expect(sent.bytesSent > 0 && received.bytesReceived > 0 && statistics.packetsRejected == 0)
      #expect((sent.audioLevel ?? 0) > -20 && (received.audioLevel ?? -127) > -20)
      #expect(statistics.outbound.count == 1 && statistics.inbound.count == 1)
    }
  }

  @Test func `the called side hangs up by returning`() async throws {
    let server = InMemoryServer()
    let onCall: OnCall = { incoming in
      try await incoming.answer(with: .tone(880)) { call in
        // Only who is connected sends: the caller has come as far as this side.
        for await event in call.events {
          if case .statistics(let statistics) = event, statistics.inbound(.audio)?.packetsReceived ?? 0 > 0 { return }
        }
      }
    }
    try await withClient(server, "bob@localhost/desk", onCall: onCall) { _ in
      try await withClient(server, "alice@localhost/laptop") { client in
        let (events, error) = await client.follow("bob@localhost", .tone(440))
        #expect(events.names.suffix(2) == ["connected", "ended"])
        #expect(error == nil && events.end?.endedByPeer == true && events.end?.reason == "success")
      }
    }
  }

  @Test func `a body that throws hangs up and its error comes out`() async throws {
    let server = InMemoryServer()
    let bob = Log<CallEvent>()
    try await withClient(server, "bob@localhost/desk", onCall: answering({ .tone(880) }, log: bob)) { _ in
      try await withClient(server, "alice@localhost/laptop") { client in
        await #expect(throws: Broken.self) {
          try await client.withCall(to: jid("bob@localhost/desk"), offering: .tone(440)) { call in
            for await event in call.events where event.isConnected { throw Broken() }
          }
        }
        try await until { bob.entries.end != nil }
        #expect(await client.isIdle)
      }
    }
  }

  @Test func `one side only sends and the other only receives`() async throws {
    let server = InMemoryServer()
    let ear = Ear()
    let bob = Log<CallEvent>()
    let onCall = answering({ MediaOffer(audioSink: ear) }, log: bob)
    let events = try await withClient(server, "bob@localhost/desk", onCall: onCall) { _ in
      try await withClient(server, "alice@localhost/laptop") { client in
        let (events, error) = await client.follow("bob@localhost", MediaOffer(audio: Tone(660))) { _ in
          ear.count > 24_000
        }
        #expect(error == nil)
        try await until { bob.entries.end != nil }
        return events
      }
    }
    #expect(ear.strongest(of: frequencies) == 660)
    let (sent, received) = (try #require(events.end?.statistics), try #require(bob.entries.end?.statistics))
    #expect(sent.outbound(.audio)?.packetsSent ?? 0 > 0 && sent.inbound.isEmpty)
    #expect(received.inbound(.audio)?.packetsReceived ?? 0 > 0 && received.outbound.isEmpty)
  }

  @Test func `who offers only to receive is sent to`() async throws {
    let server = InMemoryServer()
    let ear = Ear()
    try await withClient(server, "bob@localhost/desk", onCall: answering { .tone(220) }) { _ in
      try await withClient(server, "alice@localhost/laptop") { client in
        let (_, error) = await client.follow("bob@localhost", MediaOffer(audioSink: ear)) { _ in ear.count > 24_000 }
        #expect(error == nil)
      }
    }
    #expect(ear.strongest(of: frequencies) == 220)
  }

  @Test func `packets come as they were encoded, in the order of playout`() async throws {
    let server = InMemoryServer()
    let shelf = PacketShelf()
    try await withClient(server, "bob@localhost/desk", onCall: answering { .tone(220) }) { _ in
      try await withClient(server, "alice@localhost/laptop") { client in
        let (_, error) = await client.follow("bob@localhost", MediaOffer(encodedSink: shelf)) { _ in
          shelf.packets.count > 30
        }
        #expect(error == nil)
      }
    }
    let packets = shelf.packets
    #expect(packets.first?.time == .zero)
    #expect(zip(packets, packets.dropFirst()).allSatisfy { $0.time < $1.time })
    #expect(packets.allSatisfy { $0.time.components.attoseconds % 20_000_000_000_000_000 == 0 && $0.size > 0 })
    #expect(shelf.tracks == EncodedTracks(audio: true) && shelf.isFinished)
  }

  @Test func `a stereo source is mixed down for a peer that did not ask for stereo`() async throws {
    let server = InMemoryServer()
    let ear = Ear()
    let onCall = answering { MediaOffer(audio: Tone(1_320, channelCount: 2), audioSink: Ear()) }
    try await withClient(server, "bob@localhost/desk", onCall: onCall) { _ in
      try await withClient(server, "alice@localhost/laptop") { client in
        _ = await client.follow("bob@localhost", .tone(440, to: ear)) { _ in ear.count > 24_000 }
      }
    }
    #expect(ear.strongest(of: frequencies) == 1_320)
  }

  @Test(arguments: HostileSource.Manner.allCases)
  fileprivate func `a source that misbehaves costs its own audio, not the call`(manner: HostileSource.Manner)
    async throws
  {
    let server = InMemoryServer()
    let ear = Ear()
    try await withClient(server, "bob@localhost/desk", onCall: answering { .tone(220) }) { _ in
      try await withClient(server, "alice@localhost/laptop") { client in
        let offer = MediaOffer(audio: HostileSource(manner), audioSink: ear)
        let (events, error) = await client.follow("bob@localhost", offer) { _ in ear.count > 24_000 }
        #expect(error == nil)
        #expect(ear.strongest(of: frequencies) == 220)
        if [.throwing, .threeChannels, .noChannels].contains(manner) { #expect(events.warnings.first?.code == .media) }
      }
    }
  }

  @Test func `a sink that throws is told of once and the call goes on`() async throws {
    let server = InMemoryServer()
    let (sink, ear) = (HostileSink(), Ear())
    try await withClient(server, "bob@localhost/desk", onCall: answering { .tone(220, to: ear) }) { _ in
      try await withClient(server, "alice@localhost/laptop") { client in
        let offer = MediaOffer(audio: Tone(440), audioSink: sink, encodedSink: sink)
        let (events, error) = await client.follow("bob@localhost", offer) { _ in ear.count > 24_000 }
        #expect(error == nil)
        #expect(events.warnings.map(\.code) == [.media, .media])
        #expect(sink.finishCount == 2)
      }
    }
  }

  @Test func `a call with nothing to send and nowhere to listen is refused at once`() async throws {
    let client = InMemoryServer().makeClient(configuration("alice@localhost/laptop"))
    let error = await #expect(throws: CallError.self) {
      try await client.withCall(to: jid("bob@localhost"), offering: MediaOffer()) { _ in }
    }
    #expect(error?.code == .configuration)
  }
}
