package import MediaTime

/// One encoded frame to send.
package struct EncodedAudioFrame: Hashable, Sendable {
  /// One packet's payload, as the encoder wrote it (for Opus: RFC 6716 §3).
  package var payload: [UInt8]
  /// The place of the first sample in what is sent, in ticks of the clock rate from the start.
  ///
  /// It drives the RTP timestamp: where frames are left out (DTX, mute), the position goes on all the same.
  package var position: Int64
  /// How much the frame lasts, in ticks of the clock rate.
  package var duration: Int
  /// Its loudness, 0 (full scale) to −127 dBov, for the header extension (RFC 6464); nil says nothing of it.
  package var level: Int?

  package init(payload: [UInt8], position: Int64, duration: Int, level: Int? = nil) {
    self.payload = payload
    self.position = position
    self.duration = duration
    self.level = level
  }
}

/// One frame that the peer sent, as it was encoded.
package struct ReceivedAudioFrame: Hashable, Sendable {
  package var codec: AudioCodec
  package var payload: [UInt8]
  /// The place of the first sample in the stream, in samples of 48 kHz from the first packet that was played, whatever the
  /// codec's clock.
  ///
  /// Gaps are losses or silence. It goes on where the peer changes SSRC or restarts.
  package var position: Int64
  /// How much the frame lasts, in samples of 48 kHz.
  package var duration: Int
  /// When its packet came.
  package var arrival: Instant
  /// When it was captured, on the sender's wall clock; nil before the first sender report.
  package var captureTime: NTPTime?

  package init(
    codec: AudioCodec, payload: [UInt8], position: Int64, duration: Int, arrival: Instant, captureTime: NTPTime? = nil
  ) {
    self.codec = codec
    self.payload = payload
    self.position = position
    self.duration = duration
    self.arrival = arrival
    self.captureTime = captureTime
  }
}

/// A piece of what is played, in order: the played units' durations add up to the time that passed.
package enum PlayoutUnit: Hashable, Sendable {
  /// Decode it and play it.
  case frame(ReceivedAudioFrame)
  /// Decode it, so that the decoder stays in step (and keep it in a recording of the encoded stream), but do not play
  /// it: the delay has grown too long.
  case skipped(ReceivedAudioFrame)
  /// Let the decoder fill in.
  case concealment(Concealment)
}

/// Time that no frame fills.
package struct Concealment: Hashable, Sendable {
  package enum Cause: Hashable, Sendable {
    /// A frame was lost, or has not come yet.
    case loss
    /// The sender has left frames out, since there is nothing to hear (DTX).
    case silence
    /// The delay has to grow: the next frame is held back.
    case stretch
  }

  /// How much to fill, in samples of 48 kHz: a multiple of 2.5 ms, at most 120 ms.
  package var duration: Int
  package var cause: Cause
  /// The payload of the frame right after, if it is already here and Opus: it may hold in-band forward error correction for
  /// this time.
  ///
  /// - Specification: RFC 6716 §2.1.7
  package var nextPayload: [UInt8]?

  package init(duration: Int, cause: Cause, nextPayload: [UInt8]? = nil) {
    self.duration = duration
    self.cause = cause
    self.nextPayload = nextPayload
  }
}
