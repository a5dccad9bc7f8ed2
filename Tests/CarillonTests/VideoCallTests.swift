import CarillonTesting
import JingleCore
import Testing
import XMPPCore

@testable import Carillon

@Suite(.serialized, .timeLimit(.minutes(1)))
struct VideoCallTests {
  /// What other clients do to the stanzas of a call.
  enum Habit: CaseIterable {
    case none
    /// Dino: a transport for each content.
    case noBundle
    /// No XEP-0339.
    case noSources
    /// No XEP-0294: streams are known by their payload types.
    case noHeaderExtensions
    case noHeaderExtensionsAndNoSources
    /// No XEP-0293: nothing is asked for again, and key frames come only at the beginning.
    case noFeedback
    /// No RFC 4588.
    case noRetransmissions
    /// No word of rtcp-mux, which goes without saying in a bundle.
    case noMultiplexing
    /// A transport for each content, without RTCP for who calls.
    case noBundleNorMultiplexing

    func apply(_ element: XMLElement) -> XMLElement {
      var element = element
      element.nodes = element.nodes.compactMap { node in
        guard case .element(let child) = node else { return node }
        return drops(child) ? nil : .element(apply(child))
      }
      return element
    }

    private func drops(_ child: XMLElement) -> Bool {
      let dropped: Set<String> =
        switch self {
        case .none, .noRetransmissions, .noMultiplexing: []
        case .noBundle, .noBundleNorMultiplexing: [ContentGroup.namespace]
        case .noSources: [RTPSource.namespace]
        case .noHeaderExtensions: [RTPHeaderExtension.namespace]
        case .noHeaderExtensionsAndNoSources: [RTPHeaderExtension.namespace, RTPSource.namespace]
        case .noFeedback: [RTPFeedback.namespace]
        }
      if case .noRetransmissions = self, child[attribute: "name"] == "rtx" { return true }
      if [.noMultiplexing, .noBundleNorMultiplexing].contains(self), child.name == "rtcp-mux" { return true }
      return dropped.contains(child.namespace)
    }
  }

  @Test(arguments: Habit.allCases)
  func `two clients see and hear each other, whatever little they agree on`(habit: Habit) async throws {
    let server = InMemoryServer(rewriting: habit.apply)
    let (aliceEye, bobEye, aliceEar, bobEar) = (Eye(), Eye(), Ear(), Ear())
    let bob = Log<CallEvent>()
    let onCall = answering(
      { MediaOffer(audio: Tone(880), video: Paint(Paint.blue), audioSink: bobEar, videoSink: bobEye) }, log: bob)
    let alice = try await withClient(server, "bob@localhost/desk", onCall: onCall) { _ in
      try await withClient(server, "alice@localhost/laptop") { client in
        let offer = MediaOffer(audio: Tone(440), video: Paint(Paint.red), audioSink: aliceEar, videoSink: aliceEye)
        let (events, error) = await client.follow("bob@localhost", offer) { event in
          guard case .statistics = event else { return false }
          return aliceEye.count > 30 && bobEye.count > 30 && aliceEar.count > 24_000 && bobEar.count > 24_000
        }
        #expect(error == nil)
        try await until { bob.entries.end != nil }
        return events
      }
    }
    #expect(aliceEye.sees(Paint.blue) && bobEye.sees(Paint.red))
    #expect(aliceEye.isFinished && bobEye.isFinished)
    #expect(aliceEar.strongest(of: [440, 880]) == 880 && bobEar.strongest(of: [440, 880]) == 440)
    // Who calls has no place for what is not multiplexed.
    #expect(alice.warnings.map { $0.message.contains("rtcp-mux") } == (habit == .noBundleNorMultiplexing ? [true] : []))
    #expect(bob.entries.warnings.isEmpty)
    for events in [alice, bob.entries] {
      let report = try #require(events.report)
      #expect(report.audioCodec == "opus/48000/2" && report.videoCodec == "VP8/90000")
      #expect(report.isBundled == ![.noBundle, .noBundleNorMultiplexing].contains(habit))
      let statistics = try #require(events.end?.statistics)
      let (sent, received) = (try #require(statistics.outbound(.video)), try #require(statistics.inbound(.video)))
      #expect(sent.video?.framesEncoded ?? 0 > 30 && sent.video?.frameWidth == 160 && sent.video?.frameHeight == 120)
      #expect(received.video?.framesDecoded ?? 0 > 30 && received.video?.frameWidth == 160)
      #expect(received.video?.keyFramesDecoded ?? 0 >= 1 && received.packetsLost == 0)
      #expect(statistics.outbound.map(\.kind) == [.audio, .video] && statistics.inbound.map(\.kind) == [.audio, .video])
      #expect(Set(statistics.outbound.map(\.ssrc)).isDisjoint(with: statistics.inbound.compactMap(\.ssrc)))
    }
  }

  @Test func `each direction of each kind stands on its own`() async throws {
    let server = InMemoryServer()
    let (eye, ear) = (Eye(), Ear())
    let bob = Log<CallEvent>()
    let onCall = answering({ MediaOffer(video: Paint(Paint.blue), audioSink: ear) }, log: bob)
    let alice = try await withClient(server, "bob@localhost/desk", onCall: onCall) { _ in
      try await withClient(server, "alice@localhost/laptop") { client in
        let (events, error) = await client.follow("bob@localhost", MediaOffer(audio: Tone(440), videoSink: eye)) { _ in
          eye.count > 15 && ear.count > 24_000
        }
        #expect(error == nil)
        try await until { bob.entries.end != nil }
        return events
      }
    }
    #expect(eye.sees(Paint.blue) && ear.strongest(of: [440, 880]) == 440)
    let (ours, theirs) = (try #require(alice.end?.statistics), try #require(bob.entries.end?.statistics))
    #expect(ours.outbound.map(\.kind) == [.audio] && ours.inbound.map(\.kind) == [.video])
    #expect(theirs.outbound.map(\.kind) == [.video] && theirs.inbound.map(\.kind) == [.audio])
  }

  @Test func `a call may be of pictures alone`() async throws {
    let server = InMemoryServer()
    let (aliceEye, bobEye) = (Eye(timeline: .playout), Eye())
    let onCall = answering { MediaOffer(video: Paint(Paint.blue), videoSink: bobEye) }
    try await withClient(server, "bob@localhost/desk", onCall: onCall) { _ in
      try await withClient(server, "alice@localhost/laptop") { client in
        let offer = MediaOffer(video: Paint(Paint.red), videoSink: aliceEye)
        let (events, error) = await client.follow("bob@localhost", offer) { _ in
          aliceEye.count > 15 && bobEye.count > 15
        }
        #expect(error == nil && events.report?.audioCodec == nil)
      }
    }
    #expect(aliceEye.sees(Paint.blue) && bobEye.sees(Paint.red))
  }

  @Test func `who has no use for pictures still takes the sound of a video call`() async throws {
    let server = InMemoryServer()
    let (eye, ear) = (Eye(), Ear())
    try await withClient(server, "bob@localhost/desk", onCall: answering { .tone(880) }) { _ in
      try await withClient(server, "alice@localhost/laptop") { client in
        let offer = MediaOffer(audio: Tone(440), video: Paint(Paint.red), audioSink: ear, videoSink: eye)
        let (events, error) = await client.follow("bob@localhost", offer) { _ in ear.count > 24_000 }
        #expect(error == nil)
        #expect(events.end?.statistics?.outbound.map(\.kind) == [.audio])
      }
    }
    #expect(ear.strongest(of: [440, 880]) == 880 && eye.count == 0)
  }

  @Test func `a call of pictures alone to one who only listens has nothing in common`() async throws {
    let server = InMemoryServer()
    try await withClient(server, "bob@localhost/desk", onCall: answering { .tone(880) }) { _ in
      try await withClient(server, "alice@localhost/laptop") { client in
        let (_, error) = await client.follow("bob@localhost", MediaOffer(video: Paint(Paint.red))) { _ in false }
        #expect(error?.code == .nothingInCommon)
      }
    }
  }

  @Test func `encoded sound and pictures come on one time, beginning with a key frame`() async throws {
    let server = InMemoryServer()
    let shelf = PacketShelf([.audio, .video])
    let onCall = answering { MediaOffer(audio: Tone(880), video: Paint(Paint.blue)) }
    try await withClient(server, "bob@localhost/desk", onCall: onCall) { _ in
      try await withClient(server, "alice@localhost/laptop") { client in
        let (_, error) = await client.follow("bob@localhost", MediaOffer(encodedSink: shelf)) { _ in
          shelf.frames.count > 60 && shelf.packets.count > 60
        }
        #expect(error == nil)
      }
    }
    #expect(shelf.tracks == EncodedTracks(audio: true, video: .vp8) && shelf.isFinished)
    let (packets, frames) = (shelf.packets, shelf.frames)
    #expect(zip(frames, frames.dropFirst()).allSatisfy { $0.time < $1.time })
    #expect(zip(packets, packets.dropFirst()).allSatisfy { $0.time < $1.time })
    let (lastPacket, lastFrame) = (try #require(packets.last?.time), try #require(frames.last?.time))
    // Sound is handed on when it is played, pictures when they are whole.
    #expect(abs(lastFrame.inSeconds - lastPacket.inSeconds) < 1)
  }
}
