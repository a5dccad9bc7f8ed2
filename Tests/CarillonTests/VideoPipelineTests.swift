import MediaCodecs
import MediaTime
import Synchronization
import Testing

@testable import Carillon
@testable import RTPCore

/// A pipeline and what it says.
private final class Bench: Sendable {
  let pipeline: VideoPipeline
  let timeline = SharedTimeline()
  private let sent = Mutex<[EncodedVideoFrame]>([])
  private let state: Notes

  private final class Notes: Sendable {
    let warnings = Mutex<[CallError]>([])
    let keyFrameRequests = Atomic(0)
  }

  init(
    _ offer: MediaOffer, codec: VideoCodec = .vp8, on thread: CodecThread = CodecThread(name: "test"),
    maximumFramesPerSecond: Int? = nil, maximumPixels: Int? = nil
  ) {
    let notes = Notes()
    state = notes
    pipeline = VideoPipeline(
      offer,
      VideoPipeline.Encoding(
        codec: codec, sends: true, receives: true, maximumBitsPerSecond: 2_000_000,
        maximumFramesPerSecond: maximumFramesPerSecond, maximumPixels: maximumPixels),
      on: thread, timeline: timeline,
      requestKeyFrame: { notes.keyFrameRequests.add(1, ordering: .sequentiallyConsistent) },
      warn: { warning in notes.warnings.withLock { $0.append(warning) } })
  }

  var frames: [EncodedVideoFrame] { sent.withLock { $0 } }
  var keyFrames: Int { frames.count { $0.isKeyFrame } }
  var warnings: [String] { state.warnings.withLock { $0.map(\.message) } }
  var keyFrameRequests: Int { state.keyFrameRequests.load(ordering: .sequentiallyConsistent) }

  /// Each frame that is sent goes to `receiver` too.
  func start(to receiver: Bench? = nil, codec: VideoCodec = .vp8) async throws {
    let start = SystemClock.now
    try await pipeline.start { [weak self] frame in
      self?.sent.withLock { $0.append(frame) }
      receiver?.pipeline.play(ReceivedVideoFrame(frame, codec, since: start))
    }
  }
}

private func until(_ condition: () -> Bool) async throws {
  while !condition() { try await Task.sleep(for: .milliseconds(2)) }
}

private func size(_ frame: EncodedVideoFrame) -> VideoSize? { VPXFrameHeader(.vp8, frame.payload.span)?.size }

@Suite(.timeLimit(.minutes(1))) struct VideoPipelineTests {
  @Test(arguments: VideoCodec.allCases)
  func `pictures go from the source to the other side's sinks, in order`(codec: MediaCodecs.VideoCodec) async throws {
    let (wall, reel) = (Wall(), Reel())
    let sender = Bench(MediaOffer(video: Slides()), codec: codec)
    let receiver = Bench(MediaOffer(videoSink: wall, encodedSink: reel), codec: codec)
    try await sender.start(to: receiver, codec: codec)
    try await until { wall.pictures.count >= 10 }
    await sender.pipeline.finish()
    await receiver.pipeline.finish()

    let frames = sender.frames
    #expect(frames.first?.isKeyFrame == true)
    #expect(zip(frames, frames.dropFirst()).allSatisfy { $0.capturedAt < $1.capturedAt })
    #expect(reel.entries.map(\.bytes) == frames.map(\.payload))
    #expect(wall.pictures.count == frames.count)
    #expect(wall.pictures.allSatisfy { $0.size == VideoSize(width: 160, height: 96) })
    #expect(wall.pictures.map(\.timestamp) == reel.entries.map(\.time))
    #expect(wall.pictures.first?.timestamp == .zero)
    #expect(zip(wall.pictures, wall.pictures.dropFirst()).allSatisfy { $0.timestamp < $1.timestamp })
    #expect(wall.finishes == 1)
    #expect(reel.finishes == 0)

    let (sent, received) = (sender.pipeline.figures.sent, receiver.pipeline.figures.received)
    #expect(sent.framesEncoded == frames.count)
    #expect(sent.keyFramesEncoded == sender.keyFrames)
    #expect(sent.frameWidth == 160 && sent.frameHeight == 96)
    #expect(sent.totalEncodeTime > .zero)
    #expect(received.framesDecoded == frames.count)
    #expect(received.keyFramesDecoded == sender.keyFrames)
    #expect(received.frameWidth == 160 && received.frameHeight == 96)
    #expect(received.totalDecodeTime > .zero)
    #expect(sender.warnings.isEmpty && receiver.warnings.isEmpty && receiver.keyFrameRequests == 0)
  }

  @Test func `a key frame comes when it is asked for`() async throws {
    let sender = Bench(MediaOffer(video: Slides()))
    try await sender.start()
    try await until { sender.frames.count >= 5 }
    #expect(sender.keyFrames == 1)
    sender.pipeline.request(.keyFrame)
    try await until { sender.keyFrames == 2 }
    let count = sender.frames.count
    try await until { sender.frames.count >= count + 5 }
    #expect(sender.keyFrames == 2)
    await sender.pipeline.finish()
  }

  @Test func `a size that changes in every picture comes through, each a key frame`() async throws {
    let wall = Wall()
    let sizes = [(160, 96), (1, 1), (2, 3), (321, 181), (16, 200)].map { VideoSize(width: $0.0, height: $0.1) }
    let sender = Bench(MediaOffer(video: Slides(framesPerSecond: 30) { sizes[$0 % sizes.count] }))
    let receiver = Bench(MediaOffer(videoSink: wall))
    try await sender.start(to: receiver)
    try await until { Set(wall.pictures.map(\.size)).count == sizes.count }
    await sender.pipeline.finish()
    await receiver.pipeline.finish()
    #expect(sender.keyFrames == sender.frames.count)
    #expect(wall.pictures.map(\.size) == sender.frames.compactMap(size))
    #expect(receiver.keyFrameRequests == 0)
  }

  @Test func `a bitrate that falls halves the picture, and the change is a key frame`() async throws {
    let source = VideoSize(width: 640, height: 360)
    let sender = Bench(MediaOffer(video: Slides(framesPerSecond: 20) { _ in source }))
    sender.pipeline.request(.bitsPerSecond(1_000_000))
    try await sender.start()
    try await until { sender.frames.count >= 3 }
    #expect(sender.frames.compactMap(size) == [source])
    // 0.011 bits a pixel.
    sender.pipeline.request(.bitsPerSecond(50_000))
    try await until { sender.keyFrames == 2 }
    #expect(sender.frames.compactMap(size) == [source, VideoSize(width: 320, height: 180)])
    #expect(sender.pipeline.figures.sent.frameWidth == 320)
    await sender.pipeline.finish()
  }

  @Test func `a peer's limits on size and rate are kept to`() async throws {
    let source = VideoSize(width: 640, height: 360)
    let sender = Bench(
      MediaOffer(video: Slides(framesPerSecond: 60) { _ in source }), maximumFramesPerSecond: 20,
      maximumPixels: 300 * 256)
    sender.pipeline.request(.bitsPerSecond(2_000_000))
    try await sender.start()
    try await until { sender.frames.count >= 5 }
    await sender.pipeline.finish()
    #expect(sender.frames.compactMap(size) == [VideoSize(width: 320, height: 180)])
    let gaps = zip(sender.frames, sender.frames.dropFirst()).map { $1.capturedAt - $0.capturedAt }
    #expect(gaps.allSatisfy { $0 >= .milliseconds(24) })
  }

  @Test(arguments: [true, false])
  func `a source that ends or fails is told of, and no more is sent`(fails: Bool) async throws {
    let sender = Bench(MediaOffer(video: Slides(count: 3, failsAtEnd: fails)))
    try await sender.start()
    try await until { !sender.warnings.isEmpty }
    let count = sender.frames.count
    #expect((1...3).contains(count))
    sender.pipeline.request(.keyFrame)
    try await sender.start()
    await sender.pipeline.finish()
    #expect(sender.warnings.count == 1)
    #expect(sender.warnings.first?.contains(fails ? "failed" : "ended") == true)
    #expect(sender.frames.count == count)
  }

  @Test func `a sink that fails is told of once and not written to again`() async throws {
    let (wall, reel) = (Wall(failsAfter: 2), Reel(failsAfter: 4))
    let receiver = Bench(MediaOffer(videoSink: wall, encodedSink: reel))
    var film = try Film()
    for _ in 0..<8 { receiver.pipeline.play(try film.next()) }
    await receiver.pipeline.finish()
    #expect(wall.writes == 3)
    #expect(reel.writes == 5)
    #expect(receiver.warnings.count == 2)
    #expect(wall.finishes == 1)
  }

  @Test func `a frame that cannot be decoded asks for a key frame, and the next one heals`() async throws {
    let wall = Wall()
    let receiver = Bench(MediaOffer(videoSink: wall))
    var film = try Film()
    receiver.pipeline.play(try film.next())
    var damaged = try film.next()
    damaged.payload = []
    receiver.pipeline.play(damaged)
    receiver.pipeline.play(try film.next())
    receiver.pipeline.play(try film.next(isKeyFrame: true))
    receiver.pipeline.play(try film.next())
    await receiver.pipeline.finish()
    #expect(wall.pictures.count == 3)
    #expect(receiver.keyFrameRequests == 2)
    #expect(receiver.pipeline.figures.received.framesDropped == 2)
    #expect(receiver.pipeline.figures.received.framesDecoded == 3)
    #expect(receiver.warnings.isEmpty)
  }

  @Test func `a recording begins with a key frame`() async throws {
    let reel = Reel()
    let receiver = Bench(MediaOffer(encodedSink: reel))
    var film = try Film()
    _ = try film.next()
    receiver.pipeline.play(try film.next())
    #expect(reel.entries.isEmpty)
    let key = try film.next(isKeyFrame: true)
    let other = try film.next()
    receiver.pipeline.play(key)
    receiver.pipeline.play(other)
    await receiver.pipeline.finish()
    #expect(reel.entries.map(\.bytes) == [key.payload, other.payload])
    #expect(receiver.keyFrameRequests == 1)
    #expect(receiver.pipeline.figures.received.framesDecoded == 0)
  }

  @Test func `a recording does not mix codecs, and the picture goes on`() async throws {
    let (wall, reel) = (Wall(), Reel())
    let receiver = Bench(MediaOffer(videoSink: wall, encodedSink: reel))
    var (film, other) = (try Film(.vp8), try Film(.vp9))
    receiver.pipeline.play(try film.next())
    receiver.pipeline.play(try other.next())
    receiver.pipeline.play(try other.next())
    await receiver.pipeline.finish()
    #expect(reel.entries.count == 1)
    #expect(wall.pictures.count == 3)
    #expect(receiver.warnings.count == 1)
  }

  @Test func `a picture that is too large is refused with one word about it`() async throws {
    let wall = Wall()
    let receiver = Bench(MediaOffer(videoSink: wall))
    var film = try Film()
    var huge = try film.next()
    huge.payload[6...9] = [0xFF, 0x3F, 0xFF, 0x3F]
    for _ in 0..<3 { receiver.pipeline.play(huge) }
    receiver.pipeline.play(try film.next(isKeyFrame: true))
    await receiver.pipeline.finish()
    #expect(receiver.warnings.count == 1)
    #expect(receiver.warnings.first?.contains("16383×16383") == true)
    #expect(receiver.keyFrameRequests == 0)
    #expect(wall.pictures.count == 1)
  }

  @Test func `a thread that is stuck drops up to the next key frame and asks for one`() async throws {
    let wall = Wall()
    let thread = CodecThread(name: "test")
    let receiver = Bench(MediaOffer(videoSink: wall), on: thread)
    let gate = Gate()
    #expect(thread.perform { gate.wait() })
    var film = try Film()
    for _ in 0..<VideoInbox.bound { receiver.pipeline.play(try film.next()) }
    #expect(receiver.keyFrameRequests == 0)
    for _ in 0..<5 { receiver.pipeline.play(try film.next()) }
    #expect(receiver.keyFrameRequests == 1)
    #expect(receiver.pipeline.figures.received.framesDropped == VideoInbox.bound + 5)
    receiver.pipeline.play(try film.next(isKeyFrame: true))
    receiver.pipeline.play(try film.next())
    gate.open()
    await receiver.pipeline.finish()
    #expect(wall.pictures.count == 2)
    #expect(receiver.keyFrameRequests == 1)
  }

  @Test func `where a key frame waits already, none is asked for`() async throws {
    let wall = Wall()
    let thread = CodecThread(name: "test")
    let receiver = Bench(MediaOffer(videoSink: wall), on: thread)
    let gate = Gate()
    #expect(thread.perform { gate.wait() })
    var film = try Film()
    for index in 0...VideoInbox.bound { receiver.pipeline.play(try film.next(isKeyFrame: index == 20)) }
    gate.open()
    await receiver.pipeline.finish()
    #expect(receiver.pipeline.figures.received.framesDropped == 20)
    #expect(wall.pictures.count == VideoInbox.bound + 1 - 20)
    #expect(receiver.keyFrameRequests == 0)
  }

  @Test func `pictures for playout wait for their sound, and the end shows them all`() async throws {
    let wall = Wall(timeline: .playout)
    let receiver = Bench(MediaOffer(videoSink: wall))
    var film = try Film()
    let sound = ReceivedAudioFrame(codec: .opus, payload: [0], position: 0, duration: 960, arrival: SystemClock.now)
    // This sound is heard in a minute only: every picture waits for as long as it may.
    let time = receiver.timeline.time(of: sound)
    receiver.timeline.playedAudio(at: time, now: SystemClock.now + .seconds(60))
    let began = SystemClock.now
    for _ in 0..<3 { receiver.pipeline.play(try film.next()) }
    try await until { wall.pictures.count == 3 }
    // Never sooner; how much later depends on the machine.
    #expect(wall.pictures.allSatisfy { $0.at - began >= MediaTimeline.patience })

    for _ in 0..<20 { receiver.pipeline.play(try film.next()) }
    await receiver.pipeline.finish()
    #expect(wall.pictures.count == 23)
    #expect(zip(wall.pictures, wall.pictures.dropFirst()).allSatisfy { $0.timestamp < $1.timestamp })
  }

  @Test func `after the end nothing is written or sent`() async throws {
    let wall = Wall()
    let bench = Bench(MediaOffer(video: Slides(), videoSink: wall))
    await bench.pipeline.finish()
    var film = try Film()
    bench.pipeline.play(try film.next())
    try await bench.start()
    await bench.pipeline.finish()
    #expect(wall.pictures.isEmpty && bench.frames.isEmpty)
    #expect(wall.finishes == 1)
  }
}

/// Holds a thread until it is opened.
private final class Gate: Sendable {
  private let isOpen = Atomic(false)
  func wait() { while !isOpen.load(ordering: .sequentiallyConsistent) {} }
  func open() { isOpen.store(true, ordering: .sequentiallyConsistent) }
}
