public import Carillon
import MediaCodecs
public import MediaFiles
import Synchronization

extension WAVWriter: AudioSink {
  public var timeline: AudioTimeline { .media }
}
extension Y4MWriter: VideoSink {
  public var timeline: AudioTimeline { .media }
}

extension Recording {
  /// Lets what the peer sends go to the file, which is made when the first of it arrives.
  ///
  /// - Parameter kinds: what the call is about.
  func attach(to offer: inout MediaOffer, kinds: Set<MediaKind>) -> RecordingFile {
    let path = path
    switch format {
    case .wav:
      let sink = LateAudioSink { try WAVWriter(path: path) }
      offer.audioSink = sink
      return RecordingFile(path: path) { sink.isOpen }
    case .y4m:
      let sink = LateVideoSink { try Y4MWriter(path: path) }
      offer.videoSink = sink
      return RecordingFile(path: path) { sink.isOpen }
    case .ogg:
      let sink = LateEncodedSink(kinds: kinds, keeping: [.audio]) { _ in
        try OpusFileWriter(path: path, container: .ogg)
      }
      offer.encodedSink = sink
      return RecordingFile(path: path) { sink.isOpen }
    case .webm:
      let sink = LateEncodedSink(kinds: kinds, keeping: kinds) { tracks in
        try WebMWriter(path: path, hasAudio: tracks.audio, video: tracks.video)
      }
      offer.encodedSink = sink
      return RecordingFile(path: path) { sink.isOpen }
    }
  }
}

/// What became of a recording.
struct RecordingFile: Sendable {
  let path: String
  /// Whether anything came that was to be kept.
  let isMade: @Sendable () -> Bool
}

/// A file of a peer's packets as they came.
protocol PacketRecorder: Sendable {
  func write(opus packet: Span<UInt8>, at time: Duration) throws
  func write(video frame: Span<UInt8>, at time: Duration) throws
  func finish()
}

extension WebMWriter: PacketRecorder {}
extension OpusFileWriter: PacketRecorder {
  func write(video frame: Span<UInt8>, at time: Duration) {}
}

// Each opens its file at the first that is to be kept, so that a call that never was leaves no file and destroys none.

final class LateAudioSink: AudioSink {
  let timeline = AudioTimeline.media
  private let sink: Late<any AudioSink>

  init(open: @escaping @Sendable () throws -> any AudioSink) { sink = Late(open) }

  func write(_ samples: Span<Int16>, channelCount: Int) throws {
    try sink.opened().write(samples, channelCount: channelCount)
  }

  func finish() { sink.ifOpened?.finish() }

  var isOpen: Bool { sink.ifOpened != nil }
}

final class LateVideoSink: VideoSink {
  let timeline = AudioTimeline.media
  private let sink: Late<any VideoSink>

  init(open: @escaping @Sendable () throws -> any VideoSink) { sink = Late(open) }

  func write(_ frame: VideoFrame) throws { try sink.opened().write(frame) }

  func finish() { sink.ifOpened?.finish() }

  var isOpen: Bool { sink.ifOpened != nil }
}

/// Takes sound and pictures from two threads.
final class LateEncodedSink: EncodedMediaSink {
  let kinds: Set<MediaKind>
  private let kept: Set<MediaKind>
  private let open: @Sendable (EncodedTracks) throws -> any PacketRecorder
  private let recorder = Mutex<Late<any PacketRecorder>?>(nil)

  /// - Parameters:
  ///   - kinds: what is received.
  ///   - kept: what of it goes to the file.
  ///   - open: gets the tracks that were agreed on and are kept.
  init(
    kinds: Set<MediaKind>, keeping kept: Set<MediaKind>,
    open: @escaping @Sendable (EncodedTracks) throws -> any PacketRecorder
  ) {
    self.kinds = kinds
    self.kept = kept
    self.open = open
  }

  func begin(_ tracks: EncodedTracks) {
    let tracks = EncodedTracks(
      audio: tracks.audio && kept.contains(.audio), video: kept.contains(.video) ? tracks.video : nil)
    recorder.withLock { [open] in $0 = Late { try open(tracks) } }
  }

  func write(opus packet: Span<UInt8>, at time: Duration) throws {
    try recorder(for: .audio)?.write(opus: packet, at: time)
  }

  func write(video frame: Span<UInt8>, at time: Duration) throws {
    try recorder(for: .video)?.write(video: frame, at: time)
  }

  func finish() { recorder.withLock { $0 }?.ifOpened?.finish() }

  var isOpen: Bool { recorder.withLock { $0 }?.ifOpened != nil }

  private func recorder(for kind: MediaKind) throws -> (any PacketRecorder)? {
    guard kept.contains(kind) else { return nil }
    return try recorder.withLock { $0 }?.opened()
  }
}

/// Something that is made when it is first needed.
final class Late<Value: Sendable>: Sendable {
  private let make: @Sendable () throws -> Value
  private let value = Mutex<Value?>(nil)

  init(_ make: @escaping @Sendable () throws -> Value) { self.make = make }

  /// Makes it unless it is there.
  func opened() throws -> Value {
    try value.withLock { held in
      if let value = held { return value }
      let value = try make()
      held = value
      return value
    }
  }

  var ifOpened: Value? { value.withLock { $0 } }
}
