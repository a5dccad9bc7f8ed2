/// What one side brings to a call: what it sends and where what it receives goes.
///
/// Each direction of each kind stands on its own: without a source nothing is sent, without a sink nothing is asked for. One
/// of them there must be. Sources and sinks serve one call at a time and are called on codec threads; decoded and
/// encoded sinks may both be given.
public struct MediaOffer: Sendable {
  /// What is heard; nil sends no sound.
  public var audio: (any AudioSource)?
  /// What is seen; nil sends no pictures.
  public var video: (any VideoSource)?
  /// Where received sound goes, decoded.
  public var audioSink: (any AudioSink)?
  /// Where received pictures go, decoded.
  public var videoSink: (any VideoSink)?
  /// Where received sound and pictures go, as the peer encoded them.
  public var encodedSink: (any EncodedMediaSink)?
  /// Asked when the peer adds a medium to the running call: it is taken with what this returns, and refused with nil.
  ///
  /// Without it, a kind that the call does not have yet is taken when this offer has a sink for it.
  public var onAdded: (@Sendable (CallContent) async -> MediaOffer?)?
  /// Opus discontinuous transmission (RFC 7587 §3.1.3): silence costs next to nothing. Off by default.
  public var usesDTX = false
  /// The audio encoder's target in bit/s, 6 000 to 510 000; a peer that asks for less gets less.
  public var audioBitsPerSecond = 32_000
  /// The most that pictures may take, in bit/s, 30 000 to 20 000 000; the path and the peer may allow less.
  public var maximumVideoBitsPerSecond = 2_500_000

  public init(
    audio: (any AudioSource)? = nil, video: (any VideoSource)? = nil, audioSink: (any AudioSink)? = nil,
    videoSink: (any VideoSink)? = nil, encodedSink: (any EncodedMediaSink)? = nil
  ) {
    self.audio = audio
    self.video = video
    self.audioSink = audioSink
    self.videoSink = videoSink
    self.encodedSink = encodedSink
  }

  func sends(_ kind: MediaKind) -> Bool {
    switch kind {
    case .audio: audio != nil
    case .video: video != nil
    }
  }

  /// Whether received media of a kind has somewhere to go.
  public func receives(_ kind: MediaKind) -> Bool {
    let isDecoded =
      switch kind {
      case .audio: audioSink != nil
      case .video: videoSink != nil
      }
    return isDecoded || encodedSink?.kinds.contains(kind) == true
  }

  /// The kinds that are sent or received.
  public var kinds: Set<MediaKind> { Set(MediaKind.allCases.filter { sends($0) || receives($0) }) }
}

/// The kinds of media that a call can carry.
public enum MediaKind: String, Hashable, Sendable, CaseIterable {
  case audio
  case video
}
