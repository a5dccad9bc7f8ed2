import Foundation
import MediaCodecs
import TestSupport
import Testing

@testable import MediaFiles

@Suite(.timeLimit(.minutes(1))) struct ReaderTests {
  let folder = try! TemporaryFolder()

  @Test(arguments: [
    ("missing.wav", MediaFileError.Code.noSuchFile), ("empty", .notMedia), ("noise", .notMedia),
    ("folder", .cannotOpen),
    ("http://127.0.0.1:9/a.wav", .noSuchFile), ("playlist.m3u8", .notMedia),
  ])
  func `what cannot be played is told when it is opened`(name: String, code: MediaFileError.Code) throws {
    _ = try folder.write([], to: "empty")
    _ = try folder.write((0..<5_000).map { UInt8(truncatingIfNeeded: $0 &* $0 &* 31 &+ $0 >> 3) }, to: "noise")
    _ = try folder.write("#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.wav\n".utf8, to: "playlist.m3u8")
    try FileManager.default.createDirectory(atPath: folder.path("folder"), withIntermediateDirectories: true)
    let path = name.contains("//") ? name : folder.path(name)
    let error = try #require(throws: MediaFileError.self) { try AudioFileReader(path: path) }
    #expect(error.code == code)
    #expect(error.description.contains(path))
  }

  @Test(arguments: [1, 2])
  func `a file is read to its last sample, whatever the size of the blocks`(channels: Int) throws {
    let path = folder.path("a.wav")
    let source = Signal.tone(440, frames: 10_007, channels: channels)
    let writer = try WAVWriter(path: path)
    try writer.write(source, channelCount: channels)
    writer.finish()
    let reader = try AudioFileReader(path: path)
    #expect(reader.channelCount == channels)
    var result: [Int16] = []
    for size in sequence(first: 1, next: { ($0 * 7) % 4_001 }) {
      var block = [Int16](repeating: 0, count: size * channels)
      var span = block.mutableSpan
      let count = try reader.read(into: &span)
      result += block[..<(count * channels)]
      if count < size { break }
    }
    #expect(result == source)
    #expect(try reader.readAll().isEmpty)
  }

  /// Files of other rates and formats: a WAV header with `bits` (8 or 16), `rate` and `channels`.
  @Test(arguments: [(8_000, 8, 1), (44_100, 16, 2), (16_000, 16, 1), (48_000, 16, 6), (96_000, 16, 2)])
  func `every rate and layout becomes 48 kHz mono or stereo`(rate: Int, bits: Int, channels: Int) throws {
    var bytes = [UInt8]()
    func number(_ value: Int, _ size: Int) { for i in 0..<size { bytes.append(UInt8(value >> (8 * i) & 0xFF)) } }
    let width = bits / 8 * channels
    bytes += "RIFF".utf8
    number(36 + rate * width, 4)
    bytes += "WAVEfmt ".utf8
    for (value, size) in [(16, 4), (1, 2), (channels, 2), (rate, 4), (rate * width, 4), (width, 2), (bits, 2)] {
      number(value, size)
    }
    bytes += "data".utf8
    number(rate * width, 4)
    for frame in 0..<rate {
      let value = sin(2 * .pi * 440 * Double(frame) / Double(rate))
      for _ in 0..<channels { bits == 8 ? number(Int(value * 60) + 128, 1) : number(Int(value * 9_000) & 0xFFFF, 2) }
    }
    let reader = try AudioFileReader(path: folder.write(bytes, to: "a.wav"))
    #expect(reader.channelCount == min(channels, 2))
    let samples = try reader.readAll()
    #expect(abs(samples.count / reader.channelCount - 48_000) < 50)
    let left = stride(from: 0, to: samples.count, by: reader.channelCount).map { samples[$0] }
    #expect(Signal.dominant(among: [220, 404, 440, 880], in: left[4_800..<43_200]) == 440)
  }

  @Test func `a WAV file that breaks off anywhere plays up to there`() throws {
    let writer = try WAVWriter(path: folder.path("a.wav"))
    try writer.write(Signal.tone(440, frames: 960))
    writer.finish()
    let whole = try Data(contentsOf: URL(filePath: folder.path("a.wav")))
    for length in stride(from: 0, to: whole.count, by: 41) {
      let path = try folder.write(whole.prefix(length), to: "cut.wav")
      guard let samples = try? AudioFileReader(path: path).readAll() else { continue }
      #expect(samples.count <= max(0, (length - WAVHeader.size) / 2))
    }
  }

  @Test(
    .enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/ffmpeg")),
    arguments: ["mp3", "flac", "m4a", "mkv", "opus"])
  func `files of other programs are read, of videos the sound`(suffix: String) throws {
    let path = folder.path("a." + suffix)
    let ffmpeg = Process()
    ffmpeg.executableURL = URL(filePath: "/usr/bin/ffmpeg")
    let video = suffix == "mkv" ? ["-f", "lavfi", "-i", "testsrc=duration=2:size=64x64:rate=10"] : []
    ffmpeg.arguments =
      ["-loglevel", "error", "-nostdin"] + video
      + ["-f", "lavfi", "-i", "sine=frequency=1000:duration=2:sample_rate=44100", path]
    try ffmpeg.run()
    ffmpeg.waitUntilExit()
    let reader = try AudioFileReader(path: path)
    #expect(reader.channelCount == 1)
    let samples = try reader.readAll()
    #expect(abs(samples.count - 96_000) < 4_800)
    #expect(Signal.dominant(among: [500, 918, 1_000, 2_000], in: samples[9_600..<86_400]) == 1_000)
  }

  @Test func `a video without sound has no audio`() throws {
    // A one-frame GIF.
    let screen: [UInt8] = [1, 0, 1, 0, 0x80, 0, 0, 0, 0, 0, 255, 255, 255]
    let image: [UInt8] = [0x2C, 0, 0, 0, 0, 1, 0, 1, 0, 0, 2, 2, 0x44, 1, 0, 0x3B]
    let gif = "GIF89a".utf8 + screen + image
    let error = #expect(throws: MediaFileError.self) { try AudioFileReader(path: folder.write(gif, to: "a.gif")) }
    #expect(error?.code == .noAudio)
  }
}

@Suite struct GeneratorTests {
  private func blocks(_ count: Int, of size: Int = 960, _ read: (inout MutableSpan<Int16>) -> Int) -> [Int16] {
    (0..<count).flatMap { _ in
      var block = [Int16](repeating: 1, count: size)
      var span = block.mutableSpan
      #expect(read(&span) == size)
      return block
    }
  }

  @Test(arguments: [1.0, 50, 440, 1_000, 12_345.6, 24_000])
  func `a tone has its frequency and level, and no seams`(frequency: Double) {
    let tone = ToneGenerator(frequency: frequency)
    let samples = blocks(100) { tone.read(into: &$0) }
    let exact = (0..<samples.count).map { 32_767 * 0.251_19 * sin(2 * .pi * frequency * Double($0) / 48_000) }
    #expect(zip(samples, exact).allSatisfy { abs(Double($0) - $1) <= 1.5 })
  }

  @Test func `silence is silent`() {
    let silence = Silence()
    #expect(blocks(3) { silence.read(into: &$0) }.allSatisfy { $0 == 0 })
  }

  @Test func `a folder without the voice names the package`() {
    let error = #expect(throws: MediaFileError.self) { try Speech(folder: "/nonexistent") }
    #expect(error?.code == .noSuchFile)
    #expect(error?.description.contains("alsa-utils") == true)
  }

  @Test func `words are joined and looped without clicks`() throws {
    let folder = try TemporaryFolder()
    for (name, frequency) in [("Front_Left", 440.0), ("Rear_Right", 660), ("Noise", 999)] {
      let writer = try WAVWriter(path: folder.path(name + ".wav"))
      try writer.write(Signal.tone(frequency, frames: 4_711))
      writer.finish()
    }
    let speech = try Speech(folder: folder.url.path)
    #expect(speech.samples.count == 2 * 4_711)
    let samples = blocks(30) { speech.read(into: &$0) }
    #expect(Array(samples[9_422..<18_844]) == speech.samples)
    // A 660 Hz sine of this amplitude moves by 691 a sample; a cut would move by thousands.
    #expect(zip(samples, samples.dropFirst()).allSatisfy { abs(Int($0) - Int($1)) < 750 })
  }

  @Test(.enabled(if: FileManager.default.fileExists(atPath: Speech.folder + "/Front_Center.wav")))
  func `Debian's recordings are a voice`() throws {
    let speech = try Speech()
    #expect(speech.samples.count > 5 * 48_000)
    let samples = speech.samples
    #expect(AudioLevel.decibels(of: samples.span) > -40)
  }
}
