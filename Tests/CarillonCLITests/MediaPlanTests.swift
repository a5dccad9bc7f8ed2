import ArgumentParser
import Carillon
import Foundation
import MediaCodecs
import MediaFiles
import Testing

@testable import CarillonCLI

@Suite final class MediaPlanTests {
  private let folder = FileManager.default.temporaryDirectory.appending(path: "carillon-plan-\(UUID())")

  init() throws { try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true) }
  deinit { try? FileManager.default.removeItem(at: folder) }

  private func path(_ name: String) -> String { folder.appending(path: name).path }

  private func offer(
    _ side: MediaPlan.Side = .caller, audio: AudioArgument = .silence, video: VideoArgument? = nil,
    recording names: [String] = []
  ) throws -> MediaOffer {
    let recordings = try names.map { try Recording(argument: path($0)) }
    return try MediaPlan(audio: audio, video: video, recordings: recordings, side: side).prepare().offer
  }

  @Test("Who calls has pictures in the call only with --video")
  func caller() throws {
    #expect(try offer().kinds == [.audio])
    let wanting = try offer(video: .receiveOnly)
    #expect(wanting.kinds == [.audio, .video])
    #expect(wanting.video == nil)
    #expect(try offer(video: .bars()).video is Bars)
  }

  @Test("Who is called receives pictures in any case, and sends them only with --video")
  func callee() throws {
    let plain = try offer(.callee)
    #expect(plain.kinds == [.audio, .video])
    #expect(plain.video == nil)
    #expect(try offer(.callee, audio: .none, video: .bars()).kinds == [.audio, .video])
  }

  @Test("A call with --audio none and pictures to send has no sound, unless sound is to be kept")
  func videoOnly() throws {
    #expect(try offer(audio: .none, video: .bars()).kinds == [.video])
    #expect(try offer(audio: .none, video: .bars(), recording: ["a.webm"]).kinds == [.video])
    #expect(try offer(audio: .none, video: .bars(), recording: ["a.wav"]).kinds == [.audio, .video])
    #expect(try offer(audio: .none, video: .bars(), recording: ["a.ogg"]).kinds == [.audio, .video])
    #expect(try offer(audio: .none, video: .receiveOnly).kinds == [.audio, .video])
    #expect(try offer(audio: .none).kinds == [.audio])
  }

  @Test("Pictures are decoded only where they are kept decoded")
  func decoding() throws {
    #expect(try offer(video: .bars()).videoSink == nil)
    #expect(try offer(.callee, recording: ["a.webm"]).videoSink == nil)
    #expect(try offer(.callee, recording: ["a.y4m"]).videoSink != nil)
  }

  @Test(
    "A recording takes the kinds that its format keeps and the call has",
    arguments: [
      ("a.webm", nil, [.audio]), ("a.webm", .receiveOnly, [.audio, .video]), ("a.ogg", nil, [.audio]),
    ] as [(String, VideoArgument?, Set<MediaKind>)])
  func kinds(name: String, video: VideoArgument?, kinds: Set<MediaKind>) throws {
    #expect(try offer(video: video, recording: [name]).encodedSink?.kinds == kinds)
  }

  @Test("Further calls get files of their own")
  func numbered() throws {
    let recordings = try ["a.wav", "a.y4m"].map { try Recording(argument: path($0)) }
    let plan = try MediaPlan(audio: .silence, recordings: recordings, side: .callee)
    #expect(try plan.prepare(call: 2).recordings.map(\.path) == [path("a-2.wav"), path("a-2.y4m")])
  }

  // MARK: Recordings, with a call played by hand

  private func record(into offer: MediaOffer, tracks: EncodedTracks) throws {
    let sink = try #require(offer.encodedSink)
    try sink.begin(tracks)
    let opus = try OpusEncoder(.init())
    var packet = [UInt8](repeating: 0, count: OpusEncoder.maximumPacketSize)
    let tone = ToneGenerator(frequency: 440)
    let (bars, vpx) = (Bars(size: VideoSize(width: 160, height: 90)), try VPXEncoder(.init(codec: .vp8)))
    for index in 0..<100 {
      var samples = [Int16](repeating: 0, count: OpusEncoder.frameCount)
      var span = samples.mutableSpan
      _ = tone.read(into: &span)
      if tracks.audio, offer.receives(.audio) {
        var output = packet.mutableSpan
        if case .packet(let count) = try opus.encode(samples.span, into: &output) {
          try sink.write(opus: packet.span.extracting(first: count), at: .milliseconds(20 * index))
        }
      }
      if tracks.video != nil, offer.receives(.video), index % 2 == 0, let picture = bars.nextFrame(),
        let frame = try vpx.encode(picture)
      {
        try sink.write(video: frame.bytes.span, at: .milliseconds(20 * index))
      }
    }
    sink.finish()
  }

  private func duration(ofSoundIn path: String) throws -> Duration {
    try Sound(reading: AudioFileReader(path: path)).duration
  }

  @Test("A .webm keeps sound and pictures", .timeLimit(.minutes(1)))
  func webM() throws {
    let offer = try offer(.callee, recording: ["a.webm"])
    try record(into: offer, tracks: EncodedTracks(audio: true, video: .vp8))
    #expect(abs(try duration(ofSoundIn: path("a.webm")).milliseconds - 2_000) < 50)
    let reader = try VideoFileReader(path: path("a.webm"))
    var count = 0
    while let picture = try reader.nextFrame() {
      if Bars.read(from: picture) != nil { count += 1 }
    }
    #expect(count > 40)
  }

  @Test("A .webm of a call without pictures, or without sound, has one track", .timeLimit(.minutes(1)))
  func oneTrack() throws {
    try record(into: try offer(.callee, recording: ["a.webm"]), tracks: EncodedTracks(audio: true))
    #expect(throws: MediaFileError.self) { try VideoFileReader(path: path("a.webm")) }
    #expect(try duration(ofSoundIn: path("a.webm")) > .seconds(1))
    try record(
      into: try offer(audio: .none, video: .bars(), recording: ["v.webm"]),
      tracks: EncodedTracks(audio: true, video: .vp8))
    #expect(throws: MediaFileError.self) { try AudioFileReader(path: path("v.webm")) }
    #expect(try VideoFileReader(path: path("v.webm")).size == VideoSize(width: 160, height: 90))
  }

  @Test("An .ogg of a call with pictures keeps the sound, and none is made without sound", .timeLimit(.minutes(1)))
  func ogg() throws {
    try record(into: try offer(.callee, recording: ["v.ogg"]), tracks: EncodedTracks(audio: false, video: .vp8))
    #expect(!FileManager.default.fileExists(atPath: path("v.ogg")))
    try record(into: try offer(.callee, recording: ["a.ogg"]), tracks: EncodedTracks(audio: true, video: .vp8))
    #expect(abs(try duration(ofSoundIn: path("a.ogg")).milliseconds - 2_000) < 50)
  }

  @Test("Pictures are kept decoded in a .y4m", .timeLimit(.minutes(1)))
  func y4m() throws {
    let sink = try #require(try offer(.callee, recording: ["a.wav", "a.y4m"]).videoSink)
    #expect(sink.timeline == .media)
    let bars = Bars(size: VideoSize(width: 160, height: 90))
    for _ in 0..<5 { try sink.write(try #require(bars.nextFrame())) }
    sink.finish()
    let reader = try Y4MReader(path: path("a.y4m"))
    var counters: [UInt32?] = []
    while let picture = try reader.nextFrame() { counters.append(Bars.read(from: picture)?.counter) }
    #expect(counters == [0, 1, 2, 3, 4])
  }

  @Test("A call that never was leaves no file")
  func nothing() throws {
    let recordings = try ["a.wav", "a.webm", "a.y4m"].map { try Recording(argument: path($0)) }
    let preparation = try MediaPlan(audio: .silence, recordings: recordings, side: .callee).prepare()
    let (offer, files) = (preparation.offer, preparation.recordings)
    try offer.encodedSink?.begin(EncodedTracks(audio: true, video: .vp9))
    offer.encodedSink?.finish()
    offer.audioSink?.finish()
    offer.videoSink?.finish()
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
    #expect(files.map { $0.isMade() } == [false, false, false])
  }

  @Test("A file's pictures are scaled with --size", .timeLimit(.minutes(1)))
  func scaled() throws {
    let writer = try Y4MWriter(path: path("a.y4m"), framesPerSecond: 25)
    let bars = Bars(size: VideoSize(width: 160, height: 90), framesPerSecond: 25)
    for _ in 0..<30 { try writer.write(try #require(bars.nextFrame())) }
    writer.finish()
    for size in [nil, VideoSize(width: 320, height: 180)] {
      let source = try #require(try VideoArgument.file(path("a.y4m")).makeSource(size: size))
      #expect(source.framesPerSecond == 25)
      #expect(try source.nextFrame()?.size == size ?? VideoSize(width: 160, height: 90))
    }
  }
}
