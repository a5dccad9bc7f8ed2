import JingleCore
import MediaTime
import RTPCore

/// Between Jingle's words for audio and the RTP session's configuration: the one place where they meet.
enum AudioNegotiation {
  /// What this side can use, best first.
  static let capabilities: [RTPCapability] = [
    .opus([
      RTPPayloadType.Parameter("minptime", "10"),
      RTPPayloadType.Parameter("useinbandfec", "1"),
    ])
  ]

  /// The description to offer. Opus under 111, the number that every implementation uses.
  static func offer() -> RTPDescription {
    RTPDescription(
      media: "audio", payloadTypes: capabilities.enumerated().map { $1.payloadType(id: UInt8(111 + $0)) }, rtcpMux: true
    )
  }

  /// Who sends, as this side would have it.
  static func senders(_ media: MediaOffer, as party: Jingle.Party) -> Jingle.Senders {
    Jingle.Senders(party, sends: media.audio != nil, receives: media.receivesAudio)
  }

  /// What was agreed on, ready to run.
  struct Agreement: Sendable {
    var configuration: RTPSession.Configuration
    var encoding: AudioPipeline.Encoding
    /// Payload name and clock rate, such as `opus/48000/2`.
    var codec: String
  }

  /// - Parameters:
  ///   - agreements: what both sides take, best first.
  ///   - senders: what both sides agreed on.
  /// - Returns: nil when no codec of ours is among them.
  static func agreement(
    _ agreements: [RTPAgreement], senders: Jingle.Senders, as party: Jingle.Party, media: MediaOffer,
    at now: Instant, wallTime: NTPTime, using random: inout some RandomNumberGenerator
  ) -> Agreement? {
    guard let best = agreements.first(where: { $0.sending.name?.lowercased() == "opus" }) else { return nil }
    func parameter(_ name: String) -> String? { best.sending.parameters.first { $0.name == name }?.value }
    var accepted: [UInt8: AudioCodec] = [:]
    for agreement in agreements where agreement.receiving.name?.lowercased() == "opus" {
      accepted[agreement.receiving.id] = .opus
    }
    let sends = senders.include(party) && media.audio != nil
    let receives = senders.include(party.other) && media.receivesAudio
    let stream = RTPSession.AudioStream(
      payloadType: best.sending.id, acceptedPayloadTypes: accepted, sends: sends, receives: receives,
      initialSequenceNumber: SequenceNumber(rawValue: .random(in: 0...0x7FFF, using: &random)),
      initialTimestamp: RTPTimestamp(rawValue: .random(in: 0...UInt32.max, using: &random)))
    let configuration = RTPSession.Configuration(
      localSSRC: .random(in: 1...UInt32.max, using: &random),
      cname: String(UInt64.random(in: 0...UInt64.max, using: &random), radix: 36), audio: stream,
      wallClock: RTPSession.WallClock(instant: now, time: wallTime), seed: .random(in: 0...UInt64.max, using: &random))
    let limit = parameter("maxaveragebitrate").flatMap { Int($0) }.map { min(max($0, 6_000), 510_000) }
    return Agreement(
      configuration: configuration,
      encoding: AudioPipeline.Encoding(
        sends: sends, receives: receives, stereo: parameter("stereo") == "1" && media.audio?.channelCount == 2,
        bitsPerSecond: min(max(media.audioBitsPerSecond, 6_000), limit ?? 510_000)),
      codec: "opus/48000/2")
  }
}
