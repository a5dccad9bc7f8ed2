import Carillon
import Synchronization

/// What becomes of media that join a running call: what a recording can still take goes there, the rest is received and
/// kept nowhere.
final class AddedMedia: Sendable {
  private struct Unused {
    var video: (any VideoSource)?
    var audioSink: (any AudioSink)?
    var videoSink: (any VideoSink)?
    /// Those that cannot take anything new; each told once.
    var fixed: [Recording]
  }

  private let unused: Mutex<Unused>
  /// Where `claimVideoSink` took from, so that it can be given back.
  private let videoSink: (any VideoSink)?
  private let console: Mutex<Console?> = Mutex(nil)

  /// - Parameters:
  ///   - offer: what the call began with.
  ///   - recordings: all that the user asked for.
  init(_ offer: MediaOffer, recordings: [Recording]) {
    let fixed = recordings.filter { $0.format == .webm || $0.format == .ogg }
    let isKept = { (format: Recording.Format) in recordings.contains { $0.format == format } }
    videoSink = isKept(.y4m) ? offer.videoSink : nil
    unused = Mutex(
      Unused(
        video: offer.video, audioSink: isKept(.wav) ? offer.audioSink : nil, videoSink: videoSink,
        fixed: fixed))
  }

  /// The call has these from its beginning; what serves them is not to serve anything else.
  func began(with report: ConnectionReport, telling console: Console) {
    self.console.withLock { $0 = console }
    unused.withLock { unused in
      if report.audioCodec != nil { unused.audioSink = nil }
      if report.videoCodec != nil { (unused.video, unused.videoSink) = (nil, nil) }
    }
  }

  /// The recording of decoded pictures, if there is one and nothing goes into it.
  func claimVideoSink() -> (any VideoSink)? {
    unused.withLock { unused in
      defer { unused.videoSink = nil }
      return unused.videoSink
    }
  }

  /// Nothing was added after all.
  func releaseVideoSink() { unused.withLock { [videoSink] in $0.videoSink = videoSink } }

  /// What this side brings to a medium that the peer adds. A camera gets `--video` back, if it was not sent yet.
  func offer(for content: CallContent) -> MediaOffer {
    var offer = MediaOffer()
    let spared = unused.withLock { unused in
      switch content.kind {
      case .audio:
        offer.audioSink = unused.audioSink ?? DiscardingSink()
        unused.audioSink = nil
      case .video:
        offer.videoSink = unused.videoSink
        if offer.videoSink == nil { offer.encodedSink = DiscardingEncodedSink(kinds: [.video]) }
        unused.videoSink = nil
        if !content.categories.contains(.slides) {
          offer.video = unused.video
          unused.video = nil
        }
      }
      let spared = unused.fixed.filter { $0.format == .webm || content.kind == .audio }
      unused.fixed.removeAll { spared.contains($0) }
      return spared.map(\.path)
    }
    for path in spared {
      console.withLock { $0 }?.warning(
        code: "media", "\(path) keeps what the call began with; what is added to it later is not recorded there.")
    }
    return offer
  }
}
