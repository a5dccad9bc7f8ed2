import Carillon
import MediaCodecs
import MediaTime
import Synchronization

@testable import RTPCore

/// Pictures of a moving gradient, as many as wanted, in real time.
final class Slides: VideoSource {
  let framesPerSecond: Int
  private let size: @Sendable (Int) -> VideoSize
  private let count: Int
  private let failsAtEnd: Bool
  private let index = Mutex(0)

  init(
    framesPerSecond: Int = 60, count: Int = .max, failsAtEnd: Bool = false,
    size: @escaping @Sendable (Int) -> VideoSize = { _ in VideoSize(width: 160, height: 96) }
  ) {
    self.framesPerSecond = framesPerSecond
    self.count = count
    self.failsAtEnd = failsAtEnd
    self.size = size
  }

  func nextFrame() throws -> VideoFrame? {
    let index = index.withLock { index in
      defer { index += 1 }
      return index
    }
    guard index < count else {
      if failsAtEnd { throw Broken() }
      return nil
    }
    return Self.slide(index, size: size(index), timestamp: .seconds(1) * index / framesPerSecond)
  }

  static func slide(_ index: Int, size: VideoSize, timestamp: Duration) -> VideoFrame {
    VideoFrame(size: size, timestamp: timestamp) { plane, pixels, _ in
      for place in pixels.indices {
        pixels[place] = plane == .y ? UInt8(truncatingIfNeeded: 64 + (place &+ index &* 3) & 127) : 128
      }
    }
  }
}

/// Keeps the sizes and times of the pictures that it is shown.
final class Wall: VideoSink {
  struct Picture: Equatable {
    var size: VideoSize
    var timestamp: Duration
    var at: Instant
  }

  let timeline: AudioTimeline
  private let failsAfter: Int
  private let state = Mutex((pictures: [Picture](), writes: 0, finishes: 0))

  init(timeline: AudioTimeline = .media, failsAfter: Int = .max) {
    self.timeline = timeline
    self.failsAfter = failsAfter
  }

  func write(_ frame: VideoFrame) throws {
    try state.withLock { state in
      state.writes += 1
      guard state.pictures.count < failsAfter else { throw Broken() }
      state.pictures.append(Picture(size: frame.size, timestamp: frame.timestamp, at: SystemClock.now))
    }
  }

  func finish() { state.withLock { $0.finishes += 1 } }

  var pictures: [Picture] { state.withLock { $0.pictures } }
  var writes: Int { state.withLock { $0.writes } }
  var finishes: Int { state.withLock { $0.finishes } }
}

/// Keeps what comes encoded.
final class Reel: EncodedMediaSink {
  struct Entry: Equatable {
    var isVideo: Bool
    var bytes: [UInt8]
    var time: Duration
  }

  let kinds: Set<MediaKind>
  private let failsAfter: Int
  private let state = Mutex((entries: [Entry](), writes: 0, finishes: 0))

  init(kinds: Set<MediaKind> = [.audio, .video], failsAfter: Int = .max) {
    self.kinds = kinds
    self.failsAfter = failsAfter
  }

  func begin(_ tracks: EncodedTracks) {}
  func write(opus packet: Span<UInt8>, at time: Duration) throws { try keep(packet, isVideo: false, time) }
  func write(video frame: Span<UInt8>, at time: Duration) throws { try keep(frame, isVideo: true, time) }
  func finish() { state.withLock { $0.finishes += 1 } }

  var entries: [Entry] { state.withLock { $0.entries } }
  var writes: Int { state.withLock { $0.writes } }
  var finishes: Int { state.withLock { $0.finishes } }

  private func keep(_ bytes: Span<UInt8>, isVideo: Bool, _ time: Duration) throws {
    let entry = Entry(isVideo: isVideo, bytes: bytes.indices.map { bytes[$0] }, time: time)
    try state.withLock { state in
      state.writes += 1
      guard state.entries.count < failsAfter else { throw Broken() }
      state.entries.append(entry)
    }
  }
}

/// Frames made without a pipeline, as the other side of a path without loss gives them.
struct Film {
  private let encoder: VPXEncoder
  private let codec: VideoCodec
  private var index = 0

  init(_ codec: VideoCodec = .vp8) throws {
    self.codec = codec
    var configuration = VPXEncoder.Configuration(codec: codec)
    configuration.dropsFrames = false
    encoder = try VPXEncoder(configuration)
  }

  mutating func next(isKeyFrame: Bool = false, size: VideoSize = VideoSize(width: 160, height: 96)) throws
    -> ReceivedVideoFrame
  {
    if isKeyFrame { encoder.requestKeyFrame() }
    let time = Duration.seconds(1) * index / 30
    index += 1
    guard let packet = try encoder.encode(Slides.slide(index, size: size, timestamp: time)) else { throw Broken() }
    return ReceivedVideoFrame(
      EncodedVideoFrame(
        payload: packet.bytes, isKeyFrame: packet.isKeyFrame, capturedAt: Instant(nanoseconds: 0) + time),
      codec, since: Instant(nanoseconds: 0))
  }
}

extension ReceivedVideoFrame {
  init(_ frame: EncodedVideoFrame, _ codec: VideoCodec, since start: Instant) {
    let ticks = Int64(((frame.capturedAt - start).inSeconds * 90_000).rounded())
    self.init(
      codec: codec == .vp8 ? .vp8 : .vp9, payload: frame.payload, isKeyFrame: frame.isKeyFrame,
      timestamp: RTPTimestamp(rawValue: UInt32(truncatingIfNeeded: ticks)), temporalLayer: 0,
      firstArrival: SystemClock.now, position: ticks)
  }
}
