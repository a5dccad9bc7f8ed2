import ArgumentParser
import Carillon
import MediaCodecs

/// Which media a call has, by what the user asked for: what is sent, what is wanted, and where it is kept.
struct MediaPlan: Equatable, Sendable {
  /// Who decides which kinds a call has.
  enum Side: Sendable { case caller, callee }

  var audio: AudioArgument
  /// Nil: the call is not about pictures.
  var video: VideoArgument?
  var videoSize: VideoSize?
  var recordings: [Recording]
  var side: Side

  /// - Throws: `ValidationError` for what contradicts itself.
  init(
    audio: AudioArgument, video: VideoArgument? = nil, videoSize: VideoSize? = nil, recordings: [Recording] = [],
    side: Side
  ) throws {
    // Who is called takes what is offered: pictures are shown nowhere, but they are received.
    let video = side == .callee ? video ?? .receiveOnly : video
    (self.audio, self.video, self.videoSize, self.recordings, self.side) = (audio, video, videoSize, recordings, side)
    switch (videoSize, video) {
    case (nil, _), (_, .file): break
    case (_, .bars): throw ValidationError("--size scales files; the size of bars is told as in bars:1280x720.")
    default: throw ValidationError("--size scales files, and --video names none.")
    }
    for (index, recording) in recordings.enumerated() {
      for other in recordings[..<index] where other.format.track == recording.format.track {
        throw ValidationError("\(other.path) and \(recording.path) would keep the same; one of them will do.")
      }
      if recording.format == .y4m, video == nil {
        throw ValidationError("\(recording.path) keeps pictures, and the call has none; add --video SRC or none.")
      }
    }
  }

  /// Whether pictures are asked for or, by who is called, taken.
  var receivesVideo: Bool { video != nil }

  /// Whether sound is asked for: not by who calls with pictures alone and keeps no sound.
  var receivesAudio: Bool {
    let isVideoOnly = side == .caller && audio == .none && video != nil && video != .receiveOnly
    return !isVideoOnly || recordings.contains { $0.format == .wav || $0.format == .ogg }
  }

  /// What one call begins with, where it is kept, and what becomes of what joins it later.
  struct Preparation: Sendable {
    var offer: MediaOffer
    var recordings: [RecordingFile]
    var added: AddedMedia
  }

  /// For the `count`th call of one run.
  func prepare(call count: Int = 1) throws -> Preparation {
    let recordings = recordings.map { $0.numbered(count) }
    for recording in recordings { try recording.check() }
    var offer = MediaOffer(audio: try audio.makeSource(), video: try video?.makeSource(size: videoSize))
    var kinds: Set<MediaKind> = []
    if receivesAudio { kinds.insert(.audio) }
    if receivesVideo { kinds.insert(.video) }
    let files = recordings.map { $0.attach(to: &offer, kinds: kinds) }

    // What is kept nowhere is received all the same: sound is heard for its level, pictures stay as they came.
    if receivesAudio, !offer.receives(.audio) { offer.audioSink = DiscardingSink() }
    if receivesVideo, !offer.receives(.video) { offer.encodedSink = DiscardingEncodedSink(kinds: [.video]) }
    let added = AddedMedia(offer, recordings: recordings)
    offer.onAdded = { added.offer(for: $0) }
    return Preparation(offer: offer, recordings: files, added: added)
  }
}

/// Hears the peer without keeping anything, so that levels and losses can be told.
final class DiscardingSink: AudioSink {
  func write(_ samples: Span<Int16>, channelCount: Int) {}
  func finish() {}
}

/// Receives without decoding or keeping anything.
final class DiscardingEncodedSink: EncodedMediaSink {
  let kinds: Set<MediaKind>

  init(kinds: Set<MediaKind>) { self.kinds = kinds }

  func begin(_ tracks: EncodedTracks) {}
  func write(opus packet: Span<UInt8>, at time: Duration) {}
  func finish() {}
}
