import MediaTime
import Testing

@testable import RTPCore

@Suite("Two sessions hold a call with sound and pictures, in virtual time")
struct VideoCallTests {
  @Test func `On a clean path every frame comes, nothing is asked for, and the rate rises`() {
    var call = VideoTestCall()
    call.run(for: .seconds(20))
    for (index, party) in call.parties.enumerated() {
      let statistics = party.session.statistics
      let other = call.parties[1 - index]
      #expect(other.sentFrames - party.frames.count <= 3)
      #expect(party.frames.first?.isKeyFrame == true)
      #expect(party.frames.first?.position == 0)
      #expect(zip(party.frames, party.frames.dropFirst()).allSatisfy { 2999...3001 ~= $1.position - $0.position })
      #expect(party.longestPause < .milliseconds(100))
      #expect(other.keyFrameRequests.count <= 1)
      #expect(statistics.video[0].inbound.nackCount == 0)
      #expect(statistics.video[0].inbound.packetsLost == 0)
      #expect(statistics.packetsIgnored + statistics.packetsMalformed + statistics.packetsOfUnknownPayloadType == 0)
      #expect(79...81 ~= statistics.roundTripTime?.inMilliseconds ?? 0)
      #expect(party.targets.first.map { $0.bitsPerSecond > 400_000 && $0.time == VideoTestCall.start } == true)
      #expect(party.target ?? 0 > 1_000_000)
      #expect(statistics.availableOutgoingBitrate ?? 0 > 1_200_000)
      #expect(party.packets.allSatisfy { $0.bytes.count <= 1200 })
      #expect(statistics.audio?.remoteAudioLevel == -30)
      #expect(party.events.count == 2)
      #expect(statistics.video[0].frameSize == PictureSize(width: 640, height: 360))
    }
  }
}

/// A share of packets lost, and packets that overtake each other.
extension VideoTestCall {
  mutating func degrade(_ change: (inout TestLink<[UInt8]>) -> Void) {
    for index in parties.indices { change(&parties[index].path) }
  }
}

@Suite("A call with pictures over a bad path")
struct BadPathTests {
  @Test(arguments: [1, 2, 3] as [UInt64])
  func `40 ± 8 ms with 3 % loss: nearly all frames come, and no picture stands still for a second`(seed: UInt64) {
    var call = VideoTestCall(seed: seed)
    call.degrade {
      $0.delay = .milliseconds(32)
      $0.jitter = .milliseconds(16)
      $0.loss = 0.03
    }
    call.run(for: .seconds(30))
    for (index, party) in call.parties.enumerated() {
      let other = call.parties[1 - index]
      let inbound = party.session.statistics.video[0].inbound
      #expect(
        Double(party.frames.count) >= 0.98 * Double(other.sentFrames), "\(party.frames.count)/\(other.sentFrames)")
      #expect(party.longestPause < .seconds(1), "\(party.longestPause)")
      #expect(inbound.packetsRecovered > 20)
      // Some that were asked for were merely late.
      #expect(inbound.retransmittedPacketsReceived + 10 >= inbound.packetsRecovered)
      #expect(other.outbound.retransmittedPacketsSent >= inbound.retransmittedPacketsReceived)
      #expect(other.outbound.nackCount > 0 && other.outbound.nackCount <= inbound.nackCount)
      #expect(party.audio.count > 1400)
      #expect(party.target ?? 0 > 300_000)
    }
  }

  @Test(arguments: [1, 2] as [UInt64])
  func `Without RTX the packets themselves are sent again`(seed: UInt64) {
    let configurations = [0, 1].map { VideoTestCall.configuration($0, hasRTX: false) }
    var call = VideoTestCall(configurations, seed: seed)
    call.degrade { $0.loss = 0.03 }
    call.run(for: .seconds(20))
    for (index, party) in call.parties.enumerated() {
      let sent = call.parties[1 - index].sentFrames
      #expect(Double(party.frames.count) >= 0.98 * Double(sent), "\(party.frames.count)/\(sent)")
      #expect(party.video.inbound.packetsRecovered > 10)
    }
    // The same number means the same bits: SRTP would else encrypt two packets with one key stream.
    var sent: [UInt16: [UInt8]] = [:]
    for packet in call.parties[0].packets where packet.kind == .rtp {
      guard let header = try? RTPHeader(parsing: packet.bytes.span), header.ssrc == 1001 else { continue }
      #expect(sent[header.sequenceNumber.rawValue] ?? packet.bytes == packet.bytes)
      sent[header.sequenceNumber.rawValue] = packet.bytes
    }
  }

  @Test(arguments: [1, 2, 3] as [UInt64])
  func `Without NACK a loss costs a key frame, and little time`(seed: UInt64) {
    let feedback = RTPSession.VideoStream.Feedback(pictureLoss: true, transport: true)
    var call = VideoTestCall([0, 1].map { VideoTestCall.configuration($0, feedback: feedback) }, seed: seed)
    call.degrade { $0.loss = 0.005 }
    call.run(for: .seconds(20))
    for (index, party) in call.parties.enumerated() {
      #expect(party.longestPause < .seconds(2), "\(party.longestPause)")
      #expect(party.video.inbound.pliCount > 0)
      #expect(party.video.inbound.nackCount == 0)
      #expect(party.frames.count > call.parties[1 - index].sentFrames / 2)
    }
  }

  @Test(arguments: [1, 2, 3] as [UInt64])
  func `Before 600 kbit/s the rate settles below within 10 s, with little loss after that`(seed: UInt64) {
    var call = VideoTestCall(seed: seed)
    call.parties[0].path.bitsPerSecond = 600_000
    call.run(for: .seconds(10))
    let settled = call.now
    let (sent, lost) = (call.parties[0].path.sent, call.parties[0].path.lost)
    call.run(for: .seconds(20))
    let rate = call.parties[0].rtpBits(since: settled) / 20
    #expect(rate < 600_000, "\(rate)")
    #expect(rate > 250_000, "\(rate)")
    let share = Double(call.parties[0].path.lost - lost) / Double(call.parties[0].path.sent - sent)
    #expect(share < 0.05, "\(share)")
    #expect(call.parties[0].targets.allSatisfy { $0.time < settled || $0.bitsPerSecond < 650_000 })
    #expect(call.parties[1].longestPause < .seconds(1), "\(call.parties[1].longestPause)")
    #expect(call.parties[1].target ?? 0 > 1_000_000)
  }

  @Test(arguments: [1, 2, 3] as [UInt64])
  func `Without transport-wide feedback, limits and reported loss hold the rate below 600 kbit/s`(seed: UInt64) {
    let feedback = RTPSession.VideoStream.Feedback(nack: true, pictureLoss: true, bitrateLimit: true)
    var call = VideoTestCall([0, 1].map { VideoTestCall.configuration($0, feedback: feedback) }, seed: seed)
    call.parties[0].path.bitsPerSecond = 600_000
    call.run(for: .seconds(15))
    let settled = call.now
    let (sent, lost) = (call.parties[0].path.sent, call.parties[0].path.lost)
    call.run(for: .seconds(20))
    let rate = call.parties[0].rtpBits(since: settled) / 20
    #expect(rate < 600_000, "\(rate)")
    #expect(rate > 200_000, "\(rate)")
    let share = Double(call.parties[0].path.lost - lost) / Double(call.parties[0].path.sent - sent)
    #expect(share < 0.05, "\(share)")
    #expect(call.parties[1].longestPause < .seconds(1), "\(call.parties[1].longestPause)")
    #expect(call.parties[1].target ?? 0 > 600_000)
  }

  @Test func `When feedback falls silent the rate falls, and it comes back with it`() {
    var call = VideoTestCall()
    call.run(for: .seconds(20))
    let before = call.parties[0].target ?? 0
    call.parties[1].path.loss = 1
    call.run(for: .milliseconds(1900))
    #expect(call.parties[0].target ?? 0 > before / 2)
    call.run(for: .seconds(6))
    #expect(call.parties[0].target ?? 0 < before / 10)
    call.parties[1].path.loss = 0
    call.run(for: .seconds(3))
    #expect(call.parties[0].target ?? 0 > before / 2)
  }

  @Test(arguments: [1, 2] as [UInt64])
  func `Duplicates and packets far out of order harm nothing`(seed: UInt64) {
    var call = VideoTestCall(seed: seed)
    call.degrade { $0.jitter = .milliseconds(60) }
    call.run(for: .seconds(15))
    for (index, party) in call.parties.enumerated() {
      #expect(call.parties[1 - index].sentFrames - party.frames.count <= 6)
      #expect(party.video.inbound.packetsReordered > 50)
      #expect(party.longestPause < .milliseconds(500))
    }
  }
}
