import JingleCore
import MediaTime
import RTPCore
import Testing

@testable import Carillon

@Suite struct AudioNegotiationTests {
  private func type(
    _ id: UInt8, _ name: String?, _ clockrate: UInt32? = 8_000, ptime: UInt32? = nil, maxptime: UInt32? = nil
  ) -> RTPPayloadType {
    RTPPayloadType(
      id: id, name: name, clockrate: clockrate, channels: name == "opus" ? 2 : nil, ptime: ptime, maxptime: maxptime)
  }

  /// What both sides run with after an answer to this side's offer.
  private func agreement(
    answered types: [RTPPayloadType]
  ) throws -> (RTPSession.AudioStream, AudioPipeline.Encoding, String)? {
    var random = SystemRandomNumberGenerator()
    var local = LocalStreams(using: &random)
    let streams = local.make(using: &random)
    let offered = MediaNegotiation.offer(.audio, streams, sends: true, beside: .init())
    let answer = RTPDescription(media: "audio", payloadTypes: types, rtcpMux: true)
    let content = MediaNegotiation.Content(
      name: "0", kind: .audio, agreements: try offered.agreements(answeredBy: answer), headerExtensions: [],
      senders: .both, remote: answer, transport: 0, media: .tone(440), streams: streams)
    let agreement = MediaNegotiation.agreement(
      [content], cname: local.cname, as: .initiator, isOneTransport: true,
      wallClock: .init(instant: SystemClock.now, time: NTPTime(sinceUnixEpoch: .zero)), using: &random)
    guard let track = agreement?.tracks.first, case .audio(let stream, let encoding) = track.stream else { return nil }
    return (stream, encoding, track.codec)
  }

  @Test func `what is offered stands under the usual numbers`() {
    var random = SystemRandomNumberGenerator()
    var local = LocalStreams(using: &random)
    let offer = MediaNegotiation.offer(.audio, local.make(using: &random), sends: true, beside: .init())
    #expect(offer.payloadTypes.map(\.id) == [111, 9, 0, 8, 110, 126])
  }

  @Test func `Opus is sent wherever the answer puts it, and all that was agreed on is accepted`() throws {
    let agreed = try agreement(
      answered: [
        type(0, "PCMU"), type(126, "telephone-event"), type(110, "telephone-event", 48_000), type(96, "opus", 48_000),
        type(8, nil, nil),
      ])
    let (stream, encoding, codec) = try #require(agreed)
    #expect(stream.payloadType == 96 && stream.clockRate == 48_000)
    #expect(stream.acceptedPayloadTypes == [0: .pcmu, 111: .opus, 8: .pcma])
    #expect(encoding.codec == .opus && codec == "opus/48000/2")
  }

  @Test func `without Opus the peer's first is sent`() throws {
    let (stream, encoding, codec) = try #require(try agreement(answered: [type(8, nil, nil), type(0, "pcmu")]))
    #expect(stream.payloadType == 8 && stream.clockRate == 8_000)
    #expect(stream.acceptedPayloadTypes == [0: .pcmu, 8: .pcma])
    #expect(encoding.codec == .pcma && encoding.bitsPerSecond == 64_000 && !encoding.stereo && codec == "PCMA/8000")
  }

  @Test func `telephone events are no audio`() throws {
    #expect(try agreement(answered: [type(110, "telephone-event", 48_000)]) == nil)
  }

  @Test(
    arguments: [
      (nil, nil, 20), (10, nil, 10), (30, nil, 30), (25, nil, 20), (nil, 10, 10), (40, 30, 30), (0, nil, 10),
      (nil, 0, 10), (4_294_967_295, 4_294_967_295, 60), (1, nil, 10), (nil, 150, 20),
    ] as [(UInt32?, UInt32?, Int)])
  func `packets last as long as the peer wants, within reason`(ptime: UInt32?, maxptime: UInt32?, milliseconds: Int) {
    #expect(
      MediaNegotiation.packetDuration(type(0, "PCMU", ptime: ptime, maxptime: maxptime))
        == .milliseconds(milliseconds))
  }
}
