/// Where a call's outgoing audio comes from: a file, a tone, a microphone. Embedders implement it.
///
/// The engine pulls: once every 20 ms of media it calls `read` on a codec thread, never on the cooperative pool.
/// A source is used by one call at a time and is always called from the same thread during it.
public protocol AudioSource: AnyObject, Sendable {
  /// 1 or 2; does not change.
  var channelCount: Int { get }

  /// Fills `samples` with 48 kHz, interleaved Int16.
  ///
  /// - Parameter samples: room for 960 sample frames (20 ms), that is 960 × `channelCount` values.
  /// - Returns: how many sample frames were written; fewer than there was room for means that the source has ended, and it
  ///   is not asked again. The rest is sent as silence.
  /// - Throws: what went wrong; the call goes on with silence and an event tells the error.
  func read(into samples: inout MutableSpan<Int16>) throws -> Int
}

/// Where a call's incoming audio goes after decoding. Embedders implement it.
///
/// Called on a codec thread as playout goes on, 2.5 to 120 ms at a time, without gaps: what was lost arrives concealed.
public protocol AudioSink: AnyObject, Sendable {
  /// Whose time the samples follow. `.playout` unless the sink says otherwise.
  var timeline: AudioTimeline { get }

  /// - Parameters:
  ///   - samples: 48 kHz, interleaved Int16, from 2.5 to 120 ms of them, as the peer packs them; valid only during the call.
  ///   - channelCount: 1 or 2; may change from one call to the next.
  func write(_ samples: Span<Int16>, channelCount: Int) throws

  /// The call is over: nothing more will be written. Not called for a call that never came to media.
  func finish()
}

extension AudioSink {
  public var timeline: AudioTimeline { .playout }
}

/// Whose time received audio follows, where the two differ: playout waits for what is late, and hurries after it.
public enum AudioTimeline: Sendable {
  /// The listener's: for each second that passes, a second of audio. Late audio is waited for with made-up samples, and
  /// some is left out when the delay has grown too long. For loudspeakers.
  case playout
  /// The speaker's: every sample at the time at which it was captured, whenever it arrived. For recordings.
  case media
}
