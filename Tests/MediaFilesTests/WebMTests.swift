import Foundation
import MediaCodecs
import TestSupport
import Testing

@testable import MediaFiles

@Suite(.timeLimit(.minutes(1))) struct WebMTests {
  let folder = try! TemporaryFolder()

  private func videoPackets(_ codec: VideoCodec, count: Int, size: VideoSize = VideoSize(width: 320, height: 180))
    throws
    -> [VPXEncoder.Packet]
  {
    var configuration = VPXEncoder.Configuration(codec: codec)
    configuration.dropsFrames = false
    let (encoder, bars) = (try VPXEncoder(configuration), Bars(size: size))
    return try (0..<count).compactMap { _ in try bars.nextFrame().flatMap { try encoder.encode($0) } }
  }

  /// Four seconds of both, written as a call brings them.
  private func write(_ writer: WebMWriter, _ codec: VideoCodec, videoLate: Duration = .zero) throws {
    let start = Duration.seconds(100)
    let audio = try opusPackets(Signal.tone(1_000, frames: 192_000))
    var video = try videoPackets(codec, count: 120)[...]
    for (index, packet) in audio.enumerated() {
      let time = start + .milliseconds(20 * index)
      try writer.write(opus: packet.span, at: time)
      while let frame = video.first, start + videoLate + frame.timestamp <= time {
        try writer.write(video: frame.bytes.span, at: start + videoLate + frame.timestamp)
        video.removeFirst()
      }
    }
  }

  private func pictures(_ path: String) throws -> [(counter: UInt32?, time: Duration)] {
    let reader = try VideoFileReader(path: path)
    var result: [(UInt32?, Duration)] = []
    while let picture = try reader.nextFrame() { result.append((Bars.read(from: picture)?.counter, picture.timestamp)) }
    return result
  }

  @Test(arguments: VideoCodec.allCases)
  func `audio and video play from one file, in sync`(codec: VideoCodec) throws {
    let path = folder.path("a.webm")
    let writer = try WebMWriter(path: path, video: codec)
    try write(writer, codec)
    writer.finish()
    #expect(writer.failure == nil)
    let samples = try AudioFileReader(path: path).readAll()
    let pictures = try pictures(path)
    #expect(pictures.map(\.counter) == (0..<120).map { UInt32($0) })
    let last = try #require(pictures.last)
    let (audioEnd, videoEnd) = (Double(samples.count) / 48_000, (last.time + .milliseconds(33)) / .seconds(1))
    #expect(abs(audioEnd - videoEnd) < 0.04)
    #expect(Signal.dominant(among: [500, 990, 1_000, 2_000], in: samples[9_600...]) == 1_000)
  }

  @Test(arguments: [Duration.milliseconds(700), .seconds(2)])
  func `video that begins late keeps its place`(late: Duration) throws {
    let path = folder.path("a.webm")
    let writer = try WebMWriter(path: path, video: .vp8)
    try write(writer, .vp8, videoLate: late)
    writer.finish()
    let first = try #require(try pictures(path).first)
    #expect(first.counter == 0)
    #expect(abs((first.time - late) / .milliseconds(1)) < 20)
  }

  @Test(arguments: VideoCodec.allCases)
  func `what a killed process leaves behind plays`(codec: VideoCodec) async throws {
    let writer = try WebMWriter(path: folder.path("a.webm"), video: codec)
    try write(writer, codec)
    var (samples, seen): ([Int16], [(counter: UInt32?, time: Duration)]) = ([], [])
    while samples.count < 144_000 || seen.count < 90 {
      try await Task.sleep(for: .milliseconds(50))
      guard let copy = try? folder.snapshot(of: "a.webm") else { continue }
      samples = (try? AudioFileReader(path: copy).readAll()) ?? []
      seen = (try? pictures(copy)) ?? []
    }
    #expect(seen.prefix(90).map(\.counter) == (0..<90).map { UInt32($0) })
    withExtendedLifetime(writer) {}
  }

  @Test func `a file of one kind, and of none, plays`() throws {
    let path = folder.path("a.webm")
    var writer = try WebMWriter(path: path, hasAudio: false, video: .vp9)
    for packet in try videoPackets(.vp9, count: 20) { try writer.write(video: packet.bytes.span, at: packet.timestamp) }
    writer.finish()
    #expect(try pictures(path).count == 20)
    writer = try WebMWriter(path: path, video: .vp8)
    for (index, packet) in try opusPackets(Signal.tone(440, frames: 96_000)).enumerated() {
      try writer.write(opus: packet.span, at: .milliseconds(20 * index))
    }
    writer.finish()
    #expect(try AudioFileReader(path: path).readAll().count > 95_000)
    for hasAudio in [true, false] {
      writer = try WebMWriter(path: path, hasAudio: hasAudio, video: .vp8)
      writer.finish()
      #expect(writer.failure == nil)
    }
  }

  @Test func `hostile times, garbage and pictures before the key frame neither stop nor swell it`() throws {
    let path = folder.path("a.webm")
    let writer = try WebMWriter(path: path, video: .vp8)
    let video = try videoPackets(.vp8, count: 30)
    let key = video[0].bytes
    let audio = try opusPackets(Signal.tone(440, frames: 96_000))
    for packet in video.dropFirst() { try writer.write(video: packet.bytes.span, at: packet.timestamp) }
    let times: [Duration] = [
      .zero, .seconds(-1), .seconds(1 << 60), .seconds(-(1 << 60)), .zero, .seconds(40), .seconds(5), .seconds(41),
    ]
    for (index, time) in times.enumerated() {
      try writer.write(video: key.span, at: time)
      for garbage in [[9, 9, 9], []] as [[UInt8]] { try writer.write(video: garbage.span, at: time) }
      let sound = audio[index]
      try writer.write(opus: sound.span, at: .milliseconds(20 * index))
    }
    writer.finish()
    #expect(writer.failure == nil)
    #expect(try Data(contentsOf: URL(filePath: path)).count < 1_000_000)
    #expect(try pictures(path).isEmpty == false)
  }

  @Test func `the picture's size may change on the way`() throws {
    let path = folder.path("a.webm")
    let writer = try WebMWriter(path: path, hasAudio: false, video: .vp8)
    let sizes = [VideoSize(width: 320, height: 180), VideoSize(width: 640, height: 360)]
    for (index, size) in sizes.enumerated() {
      for packet in try videoPackets(.vp8, count: 10, size: size) {
        try writer.write(video: packet.bytes.span, at: .seconds(index) + packet.timestamp)
      }
    }
    writer.finish()
    #expect(try pictures(path).map(\.counter) == (0..<20).map { UInt32($0 % 10) })
  }
}
