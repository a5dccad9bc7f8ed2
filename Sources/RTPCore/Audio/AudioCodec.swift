/// The codecs whose payloads the session understands.
package enum AudioCodec: Hashable, Sendable, CaseIterable {
  /// - Specification: RFC 7587
  case opus
  /// G.711 in µ-law.
  ///
  /// - Specification: RFC 3551 §4.5.14
  case pcmu
  /// G.711 in A-law.
  ///
  /// - Specification: RFC 3551 §4.5.14
  case pcma
  /// Its samples are 16 kHz; that its RTP clock runs at 8 kHz is an error which everybody keeps.
  ///
  /// - Specification: RFC 3551 §4.5.2
  case g722

  /// Ticks of the RTP timestamp per second.
  package var clockRate: Int { self == .opus ? 48_000 : 8_000 }

  /// What a payload tells of itself without being decoded; nil when it is none of this codec's.
  ///
  /// Durations are in samples of 48 kHz: multiples of 120 (2.5 ms), at most 5760 (120 ms).
  func parse(_ payload: Span<UInt8>) -> (duration: Int, isSilence: Bool)? {
    switch self {
    case .opus:
      guard let packet = try? OpusPacket(parsing: payload) else { return nil }
      return (packet.duration, packet.isSilence)
    case .pcmu, .pcma, .g722:
      // 64 kbit/s: a byte for each tick of the clock, whatever the packets' length.
      let duration = payload.count * 6
      return duration > 0 && duration <= 5_760 && duration % 120 == 0 ? (duration, false) : nil
    }
  }
}
