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
