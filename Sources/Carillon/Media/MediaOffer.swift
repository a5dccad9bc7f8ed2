/// What one side brings to a call: what it sends and where what it receives goes.
///
/// Each direction stands on its own: without a source nothing is sent, without a sink nothing is asked for. One of them
/// there must be. Sources and sinks serve one call at a time and are called on a codec thread; both sinks may be given.
public struct MediaOffer: Sendable {
  /// What is sent; nil sends nothing.
  public var audio: (any AudioSource)?
  /// Where received audio goes, decoded.
  public var audioSink: (any AudioSink)?
  /// Where received audio goes, as the peer encoded it.
  public var encodedAudioSink: (any EncodedAudioSink)?
  /// Opus discontinuous transmission (RFC 7587 §3.1.3): silence costs next to nothing. Off by default.
  public var usesDTX = false
  /// The encoder's target in bit/s, 6 000 to 510 000; a peer that asks for less gets less.
  public var audioBitsPerSecond = 32_000

  public init(
    audio: (any AudioSource)? = nil, audioSink: (any AudioSink)? = nil, encodedAudioSink: (any EncodedAudioSink)? = nil
  ) {
    self.audio = audio
    self.audioSink = audioSink
    self.encodedAudioSink = encodedAudioSink
  }

  /// Whether received audio has somewhere to go.
  public var receivesAudio: Bool { audioSink != nil || encodedAudioSink != nil }
}

/// The kinds of media that a call can carry.
public enum MediaKind: String, Hashable, Sendable, CaseIterable {
  case audio
}
