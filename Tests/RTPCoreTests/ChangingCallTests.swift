import MediaTime
import Testing

@testable import RTPCore

@Suite("Streams come and go while a call runs, in virtual time", .timeLimit(.minutes(5)))
struct ChangingCallTests {
  /// A party's video; the first or another one.
  static func video(_ party: Int, _ number: Int = 0) -> RTPSession.VideoStream {
    var video = VideoTestCall.configuration(party).video[0]
    let shift = UInt32(number) * 10
    video.localSSRC += shift
    video.retransmission?.localSSRC += shift
    video.remoteSSRCs = video.remoteSSRCs.map { $0 + shift }
    video.remoteRetransmissionSSRCs = Dictionary(
      uniqueKeysWithValues: video.remoteRetransmissionSSRCs.map { ($0 + shift, $1 + shift) })
    video.mid = "video\(number)"
    return video
  }

  static let extensions = VideoTestCall.configuration(0).headerExtensions
  static let bandwidth = VideoTestCall.configuration(0).bandwidth

  /// Audio alone, with no extension but the level.
  static func audioCall(transport: Bool = false, seed: UInt64 = 1) -> VideoTestCall {
    VideoTestCall(
      [0, 1].map {
        var configuration = VideoTestCall.configuration($0)
        configuration.video = []
        if !transport {
          configuration.headerExtensions = .init(audioLevel: 1)
          configuration.audio?.usesTransportFeedback = false
          configuration.bandwidth = .init()
        }
        return configuration
      }, seed: seed)
  }

  private func add(_ number: Int, to call: inout VideoTestCall) {
    for index in call.parties.indices {
      let stream = call.parties[index].session.add(
        Self.video(index, number), Self.extensions, bandwidth: Self.bandwidth, at: call.now)
      #expect(stream == number)
      call.drain(index)
    }
  }

  private func remove(_ stream: Int, from call: inout VideoTestCall, after delay: Duration = .zero) {
    call.parties[0].session.removeVideo(stream, at: call.now)
    call.drain(0)
    call.run(for: delay)
    call.parties[1].session.removeVideo(stream, at: call.now)
    call.drain(1)
  }

  private func hold(_ isHeld: Bool, _ call: inout VideoTestCall, _ index: Int) {
    call.parties[index].session.setAudioDirection(sends: !isHeld, receives: !isHeld)
    for stream in call.parties[index].session.configuration.video.indices {
      call.parties[index].session.setVideoDirection(stream, sends: !isHeld, receives: !isHeld)
    }
  }

  /// Frames of a stream since a moment.
  private func frames(_ party: VideoTestCall.Party, _ stream: Int, since time: Instant) -> Int {
    party.received.count { $0.stream == stream && $0.time > time }
  }

  private func sent(_ party: VideoTestCall.Party, ssrcs: ClosedRange<UInt32>, since time: Instant) -> Int {
    party.packets.count {
      guard $0.time > time, $0.kind == .rtp, let header = try? RTPHeader(parsing: $0.bytes.span) else { return false }
      return ssrcs ~= header.ssrc
    }
  }

  private func hasEnded(_ party: VideoTestCall.Party) -> Bool {
    party.events.contains { if case .byeReceived = $0 { true } else { false } }
  }

  private func goodbyes(_ party: VideoTestCall.Party) -> [Goodbye] {
    party.packets.flatMap { packet in
      var reader = RTCPReader()
      var goodbyes: [Goodbye] = []
      while packet.kind == .rtcp, let next = try? reader.next(in: packet.bytes.span) {
        if case .goodbye(let goodbye) = next { goodbyes.append(goodbye) }
      }
      return goodbyes
    }
  }

  @Test(arguments: [false, true], [1, 2] as [UInt64])
  func `Audio, video, hold, a second video, and back: media flows after each`(transport: Bool, seed: UInt64) {
    var call = Self.audioCall(transport: transport, seed: seed)
    for index in call.parties.indices { call.parties[index].path.jitter = .milliseconds(5) }
    call.run(for: .seconds(5))
    #expect(call.parties.allSatisfy { $0.encoders.isEmpty && $0.audio.count > 240 })

    add(0, to: &call)
    var start = call.now
    #expect(call.parties.allSatisfy { $0.target.map { $0 > 400_000 } == true })
    call.run(for: .seconds(10))
    for party in call.parties {
      #expect(frames(party, 0, since: start) > 290)
      #expect(party.target! > 600_000)
      #expect(party.session.statistics.availableOutgoingBitrate != nil)
    }

    for index in call.parties.indices { hold(true, &call, index) }
    #expect(call.parties.allSatisfy { !$0.session.isFlowing })
    call.run(for: .seconds(1))
    let before = call.parties.map(\.session.statistics)
    start = call.now
    call.run(for: .seconds(30))
    for party in call.parties {
      #expect(sent(party, ssrcs: 0...9999, since: start) == 0)
      #expect(frames(party, 0, since: start) == 0)
    }
    let requests = call.parties.map(\.keyFrameRequests.count)
    for index in call.parties.indices { hold(false, &call, index) }
    #expect(call.parties.allSatisfy { $0.session.isFlowing })
    start = call.now
    let concealed = call.parties.map(\.concealments.count)
    let audio = call.parties.map(\.audio.count)
    call.run(for: .seconds(5))
    for (index, party) in call.parties.enumerated() {
      let statistics = party.session.statistics
      // Its packets may overtake each other: the peer asks then, too.
      #expect(1...2 ~= party.keyFrameRequests.count - requests[index])
      #expect(frames(party, 0, since: start) > 140)
      #expect(party.received.first { $0.time > start }?.frame.isKeyFrame == true)
      #expect(party.received.first { $0.time > start }!.time - start < .milliseconds(200))
      #expect(party.audio.count - audio[index] > 240)
      #expect(party.concealments.count - concealed[index] < 20)
      #expect(party.target! > 400_000)
      #expect(statistics.video[0].assembler.freezeCount == before[index].video[0].assembler.freezeCount)
      #expect(statistics.video[0].assembler.framesDropped == before[index].video[0].assembler.framesDropped)
      #expect(statistics.video[0].inbound.packetsLost == 0)
      #expect(statistics.audio!.inbound.packetsLost == 0)
      #expect(statistics.audio!.inbound.jitter < .milliseconds(10))
      let concealedSamples = statistics.audio!.jitterBuffer.concealedSamples
      #expect(concealedSamples - before[index].audio!.jitterBuffer.concealedSamples < 9600)
    }

    add(1, to: &call)
    start = call.now
    call.run(for: .seconds(5))
    for party in call.parties {
      #expect(frames(party, 0, since: start) > 140 && frames(party, 1, since: start) > 140)
    }

    let goodbye = call.now
    remove(0, from: &call, after: .milliseconds(300))
    start = call.now
    call.run(for: .seconds(5))
    for (index, party) in call.parties.enumerated() {
      let base = UInt32(index + 1) * 1000
      #expect(sent(party, ssrcs: base + 1...base + 2, since: start) == 0)
      #expect(frames(party, 0, since: start) == 0)
      #expect(frames(party, 1, since: goodbye) > 150)
      #expect(goodbyes(party) == [Goodbye(ssrcs: [base + 1, base + 2])])
      #expect(party.session.statistics.video[0].assembler.framesReceived > 400)
      #expect(party.session.statistics.video[0].targetBitrate == 0)
      #expect(!hasEnded(party))
    }

    remove(1, from: &call)
    start = call.now
    let targets = call.parties.map { $0.encoders.values.map(\.targets.count) }
    call.run(for: .seconds(5))
    for (index, party) in call.parties.enumerated() {
      let base = UInt32(index + 1) * 1000
      #expect(sent(party, ssrcs: base + 1...base + 999, since: start) == 0)
      #expect(party.encoders.values.map(\.targets.count) == targets[index])
      #expect(party.session.isFlowing)
      #expect(!hasEnded(party))
      #expect(party.session.statistics.packetsOfUnknownPayloadType == 0)
    }
    #expect(call.parties.allSatisfy { $0.audio.count > 240 + 5 * 240 })

    call.parties[0].session.finish(reason: "over", at: call.now)
    call.drain(0)
    call.run(for: .seconds(3))
    #expect(call.parties[1].events.last == .byeReceived(reason: "over"))
  }

  @Test func `A video that is added after the last one has gone begins as the first did`() {
    var call = Self.audioCall()
    add(0, to: &call)
    call.parties[0].path.bitsPerSecond = 150_000
    call.run(for: .seconds(20))
    #expect(call.parties[0].target! < 150_000)
    remove(0, from: &call)
    call.parties[0].path.bitsPerSecond = nil
    call.run(for: .seconds(5))
    add(1, to: &call)
    #expect(call.parties[0].encoders[1]!.target! > 400_000)
    call.run(for: .seconds(10))
    for party in call.parties { #expect(party.encoders[1]!.target! > 600_000) }
  }

  @Test func `Audio goes and comes back, and the video goes on`() {
    var call = VideoTestCall()
    call.run(for: .seconds(3))
    for index in call.parties.indices { call.parties[index].session.removeAudio(at: call.now) }
    for index in call.parties.indices { call.drain(index) }
    var start = call.now
    let audio = call.parties.map(\.audio.count)
    call.run(for: .seconds(3))
    for (index, party) in call.parties.enumerated() {
      #expect(frames(party, 0, since: start) > 85)
      #expect(party.audio.count == audio[index])
      #expect(party.session.statistics.audio?.inbound.packetsReceived ?? 0 > 140)
      #expect(goodbyes(party) == [Goodbye(ssrcs: [UInt32(index + 1) * 1000])])
      #expect(!hasEnded(party))
    }
    for index in call.parties.indices {
      var stream = VideoTestCall.configuration(index).audio!
      stream.localSSRC += 500
      stream.remoteSSRCs = stream.remoteSSRCs.map { $0 + 500 }
      call.parties[index].session.add(stream, Self.extensions, at: call.now)
    }
    start = call.now
    call.run(for: .seconds(3))
    for (index, party) in call.parties.enumerated() {
      #expect(party.audio.count - audio[index] > 140)
      #expect(party.session.statistics.audio?.outbound.ssrc == UInt32(index + 1) * 1000 + 500)
      #expect(frames(party, 0, since: start) > 85)
    }
  }

  @Test func `With the last stream goes everything, and nothing is left to do`() {
    var call = VideoTestCall()
    call.run(for: .seconds(3))
    for index in call.parties.indices {
      call.parties[index].session.removeAudio(at: call.now)
      call.parties[index].session.removeVideo(0, at: call.now)
      call.parties[index].session.removeVideo(0, at: call.now)
      call.parties[index].session.removeVideo(7, at: call.now)
      call.parties[index].session.removeAudio(at: call.now)
      call.drain(index)
    }
    let start = call.now
    call.run(for: .seconds(5))
    for party in call.parties {
      #expect(!party.session.isFlowing)
      #expect(party.packets.allSatisfy { $0.time <= start })
      #expect(goodbyes(party).count == 2)
      // What was under way.
      #expect(party.session.statistics.packetsIgnored > 0)
    }
    call.parties[0].session.finish(at: call.now)
    #expect(call.parties[0].session.nextOutput() == nil)
  }

  @Test func `Late packets of a removed video are not taken for another one's that shares its payload types`() {
    var call = Self.audioCall()
    add(0, to: &call)
    call.run(for: .seconds(2))
    remove(0, from: &call)
    // The peer announces nothing.
    for index in call.parties.indices {
      var video = Self.video(index, 1)
      video.remoteSSRCs = []
      video.remoteRetransmissionSSRCs = [:]
      video.mid = nil
      _ = call.parties[index].session.add(video, Self.extensions, bandwidth: nil, at: call.now)
      call.drain(index)
    }
    call.run(for: .seconds(3))
    for (index, party) in call.parties.enumerated() {
      #expect(party.session.statistics.video[1].inbound.ssrc == UInt32(2 - index) * 1000 + 11)
      #expect(party.session.statistics.video[1].inbound.packetsReceived > 80)
      #expect(party.session.statistics.packetsIgnored > 0)
      #expect(party.received.contains { $0.stream == 1 })
    }
  }

  @Test(arguments: [Duration.milliseconds(100), .seconds(2), .seconds(30)])
  func `A peer that pauses unasked and comes back with another SSRC is followed from its key frame on`(
    pause: Duration
  ) {
    var call = VideoTestCall()
    call.run(for: .seconds(5))
    call.parties[0].sendsVideo = false
    call.parties[0].sendsAudio = false
    call.run(for: pause)
    let start = call.now
    // Our session is the old one's end; the peer has started its sources anew.
    var configuration = VideoTestCall.configuration(0)
    configuration.audio?.localSSRC = 5000
    configuration.video[0].localSSRC = 5001
    configuration.video[0].retransmission?.localSSRC = 5002
    call.parties[0].session = RTPSession(configuration: configuration, at: call.now)
    call.parties[0].encoders = [:]
    call.parties[0].sendsVideo = true
    call.parties[0].sendsAudio = true
    let audio = call.parties[1].audio.count
    call.run(for: .seconds(5))
    let party = call.parties[1]
    #expect(party.events.contains(.ssrcChanged(from: 1000, to: 5000)))
    #expect(party.events.contains(.ssrcChanged(from: 1001, to: 5001)))
    #expect(frames(party, 0, since: start) > 130)
    #expect(party.received.first { $0.time > start }?.frame.isKeyFrame == true)
    #expect(party.audio.count - audio > 230)
    #expect(party.session.statistics.video[0].inbound.packetsLost == 0)
    #expect(party.session.statistics.audio!.inbound.packetsLost == 0)
  }

  @Test func `A peer that says BYE when it is put on hold, and comes back with the same SSRCs, is heard again`() {
    var call = VideoTestCall()
    call.run(for: .seconds(3))
    hold(true, &call, 1)
    call.parties[0].sendsVideo = false
    call.parties[0].sendsAudio = false
    var bytes: [UInt8] = []
    RTCPPacket.goodbye(Goodbye(ssrcs: [1000, 1001])).write(to: &bytes)
    call.parties[1].session.receive(bytes.span, at: call.now)
    call.run(for: .seconds(10))
    #expect(!call.parties[1].events.contains(.byeReceived(reason: nil)))
    hold(false, &call, 1)
    call.parties[0].sendsVideo = true
    call.parties[0].sendsAudio = true
    let start = call.now
    let audio = call.parties[1].audio.count
    call.run(for: .seconds(5))
    #expect(frames(call.parties[1], 0, since: start) > 140)
    #expect(call.parties[1].audio.count - audio > 240)
    #expect(call.parties[1].events.count == 2)
    #expect(call.parties[1].video.assembler.freezeCount == 0)
  }

  @Test func `BYE of a video that was removed is not the peer's end where its audio has not begun`() {
    var call = VideoTestCall()
    for index in call.parties.indices { call.parties[index].sendsAudio = false }
    call.run(for: .seconds(3))
    call.parties[0].session.removeVideo(0, at: call.now)
    call.drain(0)
    call.run(for: .seconds(5))
    #expect(!call.parties[1].events.contains(.byeReceived(reason: nil)))
    call.parties[0].session.finish(at: call.now)
    call.drain(0)
    call.run(for: .seconds(3))
    #expect(call.parties[1].events.last == .byeReceived(reason: nil))
  }

  @Test func `Added extensions are written by the streams that were there, and ids keep their meaning`() throws {
    var call = Self.audioCall()
    call.run(for: .seconds(1))
    let extensions = RTPSession.HeaderExtensions(
      audioLevel: 9, absoluteSendTime: 1, transportSequenceNumber: 3, mid: 4)
    _ = call.parties[0].session.add(Self.video(0), extensions, bandwidth: nil, at: call.now)
    #expect(
      call.parties[0].session.configuration.headerExtensions
        == .init(audioLevel: 1, absoluteSendTime: nil, transportSequenceNumber: 3, mid: 4))
    call.drain(0)
    call.parties[0].packets = []
    call.run(for: .milliseconds(20))
    let packet = try #require(call.parties[0].packets.first { $0.kind == .rtp }?.bytes)
    let header = try RTPHeader(parsing: packet.span)
    let incoming = IncomingExtensions(
      header, in: packet.span, identifiers: call.parties[0].session.configuration.headerExtensions)
    #expect(incoming.audioLevel == -30)
  }
}
