public import MediaCodecs

/// Where a call's outgoing pictures come from: a file, a test picture, a camera. Embedders implement it.
///
/// The engine pulls: when the next picture is due, by the timestamps and the interval between the last two, it calls
/// `nextFrame` on a codec thread, never on the cooperative pool. What comes too early is held until its time, what comes too
/// late is left out. A source is used by one call at a time and is always called from the same thread during it.
public protocol VideoSource: AnyObject, Sendable {
  /// Pictures a second, 1 to 120, as far as is known beforehand.
  var framesPerSecond: Int { get }

  /// The next picture. Its timestamp counts from the source's beginning and rises; it says when the picture is due. Its
  /// size may change from one picture to the next.
  ///
  /// - Returns: nil when the source has ended: it is not asked again, and the peer keeps the last picture.
  /// - Throws: what went wrong; no more is sent, and an event tells the error.
  func nextFrame() throws -> VideoFrame?
}

/// Where a call's incoming pictures go after decoding. Embedders implement it.
public protocol VideoSink: AnyObject, Sendable {
  /// Whose time the pictures follow. `.playout` unless the sink says otherwise: each picture comes when the sound of the
  /// same moment is heard. With `.media` it comes as soon as it is decoded.
  var timeline: AudioTimeline { get }

  /// Called on a codec thread.
  ///
  /// - Parameter frame: its timestamp is when it was captured, since the beginning of the call's media, on a time that
  ///   sound and pictures share.
  func write(_ frame: VideoFrame) throws

  /// The call is over: nothing more will be written. Not called for a call that never came to media.
  func finish()
}

extension VideoSink {
  public var timeline: AudioTimeline { .playout }
}

/// What an `EncodedMediaSink` is going to get.
public struct EncodedTracks: Hashable, Sendable {
  /// Opus (RFC 6716). False where the call's codec is another one: such sound goes to an `AudioSink` only.
  public var audio: Bool
  public var video: VideoCodec?

  public init(audio: Bool, video: VideoCodec? = nil) {
    self.audio = audio
    self.video = video
  }
}

/// Where a call's incoming media goes as the peer encoded it, without decoding. Embedders implement it.
///
/// Called on codec threads: sound on one and pictures on another, each in its order. Times are those of capture, since the
/// beginning of the call's media, on one clock for both; gaps are losses or silence.
public protocol EncodedMediaSink: AnyObject, Sendable {
  /// What the sink takes; the peer is asked for nothing else on its account.
  var kinds: Set<MediaKind> { get }

  /// What was agreed on. Called once, before anything is written; not at all while there is nothing that the sink takes.
  /// What joins the call later than that is not written.
  func begin(_ tracks: EncodedTracks) throws

  /// - Parameters:
  ///   - packet: one Opus packet; valid only during the call.
  ///   - time: of its first sample.
  func write(opus packet: Span<UInt8>, at time: Duration) throws

  /// - Parameters:
  ///   - frame: one whole VP8 or VP9 frame; valid only during the call. The first one is a key frame, and so is the one
  ///     after a loss that could not be repaired.
  ///   - time: of its capture.
  func write(video frame: Span<UInt8>, at time: Duration) throws

  /// The call is over: nothing more will be written. Not called for a sink that was not begun.
  func finish()
}

extension EncodedMediaSink {
  public func write(video frame: Span<UInt8>, at time: Duration) throws {}
}
