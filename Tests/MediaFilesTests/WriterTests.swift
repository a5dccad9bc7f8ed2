import Foundation
import MediaCodecs
import TestSupport
import Testing

@testable import MediaFiles

@Suite(.timeLimit(.minutes(1))) struct WriterTests {
  let folder = try! TemporaryFolder()

  private func record(_ packets: [[UInt8]], to name: String, at position: (Int) -> Int64 = { Int64($0) * 960 }) throws
    -> [Int16]
  {
    let container: OpusFileWriter.Container = name.hasSuffix("ogg") ? .ogg : .webM
    let writer = try OpusFileWriter(path: folder.path(name), container: container)
    for (index, packet) in packets.enumerated() { try writer.write(opus: packet.span, at: time(of: position(index))) }
    writer.finish()
    #expect(writer.failure == nil)
    return try AudioFileReader(path: folder.path(name)).readAll()
  }

  @Test(arguments: ["a.ogg", "a.webm"])
  func `recorded packets play as what was encoded`(name: String) throws {
    let source = Signal.tone(1_000, frames: 96_000)
    let result = try record(opusPackets(source), to: name, at: { 777_777 + Int64($0) * 960 })
    #expect(abs(result.count - (96_000 - 312)) <= 48)
    #expect(Signal.dominant(among: [500, 990, 1_000, 2_000], in: result[9_600...]) == 1_000)
    #expect(abs(AudioLevel.decibels(of: result.span) - AudioLevel.decibels(of: source.span)) <= 1)
  }

  @Test(arguments: ["a.ogg", "a.webm"])
  func `the first packet decides between mono and stereo`(name: String) throws {
    let packets = try opusPackets(Signal.tone(440, frames: 48_000, channels: 2), channels: 2)
    _ = try record(packets, to: name)
    #expect(try AudioFileReader(path: folder.path(name)).channelCount == 2)
    _ = try record(opusPackets(Signal.tone(440, frames: 48_000)), to: name)
    #expect(try AudioFileReader(path: folder.path(name)).channelCount == 1)
  }

  @Test(arguments: ["a.ogg", "a.webm"], [0, 1_000, 48_000, 36_120])
  func `a gap keeps its length and is not louder than what surrounds it`(name: String, gap: Int) throws {
    let packets = try opusPackets(Signal.tone(300, frames: 96_000))
    let result = try record(packets, to: name) { Int64($0 * 960 + ($0 < 50 ? 0 : gap)) }
    #expect(abs(result.count - (96_000 + gap / 120 * 120 - 312)) <= 48)
    let around = Array(result[40_000..<60_000])
    #expect(AudioLevel.decibels(of: around.span) <= -12)
    #expect(Signal.amplitude(of: 300, in: result.suffix(24_000)) > 6_000)
  }

  @Test(arguments: ["a.ogg", "a.webm"])
  func `hostile positions and packets neither stop nor swell the recording`(name: String) throws {
    let packets = try opusPackets(Signal.tone(440, frames: 48_000))
    let writer = try OpusFileWriter(path: folder.path(name), container: name == "a.ogg" ? .ogg : .webM)
    let positions: [Int64] = [0, 960, 959, 2_000, .min, -5, 960, .max, 4_800, .max - 1, 5_760]
    for (packet, position) in zip(packets, positions) { try writer.write(opus: packet.span, at: time(of: position)) }
    for length in 0..<3 {
      let broken = [0x03, 0x3F, 0xFF].prefix(length).map { UInt8($0) }
      try writer.write(opus: broken.span, at: .milliseconds(20))
    }
    writer.finish()
    #expect(writer.failure == nil)
    let size = try Data(contentsOf: URL(filePath: folder.path(name))).count
    #expect(size < 4_000_000)
    #expect(try AudioFileReader(path: folder.path(name)).channelCount == 1)
  }

  @Test(arguments: ["a.ogg", "a.webm", "a.wav"])
  func `what a killed process leaves behind plays but for its end`(name: String) async throws {
    let source = Signal.tone(1_000, frames: 144_000)
    let writer: any Sendable
    if name == "a.wav" {
      let wav = try WAVWriter(path: folder.path(name))
      try wav.write(source)
      writer = wav
    } else {
      let opus = try OpusFileWriter(path: folder.path(name), container: name == "a.ogg" ? .ogg : .webM)
      for (index, packet) in try opusPackets(source).enumerated() {
        try opus.write(opus: packet.span, at: .milliseconds(20 * index))
      }
      writer = opus
    }
    var samples: [Int16] = []
    while samples.count < 96_000 {
      try await Task.sleep(for: .milliseconds(50))
      samples = (try? AudioFileReader(path: folder.snapshot(of: name)).readAll()) ?? []
    }
    #expect(Signal.dominant(among: [500, 990, 1_000, 2_000], in: samples[9_600..<96_000]) == 1_000)
    withExtendedLifetime(writer) {}
  }

  @Test(arguments: ["a.ogg", "a.webm", "a.wav"])
  func `a recording of nothing is a playable file without sound`(name: String) throws {
    if name == "a.wav" {
      try WAVWriter(path: folder.path(name)).finish()
    } else {
      _ = try record([], to: name)
    }
    let samples = try AudioFileReader(path: folder.path(name)).readAll()
    #expect(samples.count < 960)
    #expect(samples.allSatisfy { $0 == 0 })
  }

  @Test func `an earlier recording is replaced, and later blocks take the first one's channels`() throws {
    let path = try folder.write([UInt8](repeating: 7, count: 100_000), to: "a.wav")
    let writer = try WAVWriter(path: path)
    try writer.write([1, 2], channelCount: 2)
    try writer.write([5], channelCount: 1)
    writer.finish()
    try writer.write([9, 9], channelCount: 2)
    writer.finish()
    let reader = try AudioFileReader(path: path)
    #expect(reader.channelCount == 2)
    #expect(try reader.readAll() == [1, 2, 5, 5])

    let mono = try WAVWriter(path: path)
    try mono.write([3])
    try mono.write([10, 20, -32_768, -32_768], channelCount: 2)
    mono.finish()
    #expect(try AudioFileReader(path: path).readAll() == [3, 15, -32_768])
  }

  @Test func `a producer faster than real time loses nothing`() throws {
    let writer = try WAVWriter(path: folder.path("a.wav"))
    let second = Signal.tone(440, frames: 48_000)
    for _ in 0..<150 { try writer.write(second) }
    writer.finish()
    let size = try Data(contentsOf: URL(filePath: folder.path("a.wav"))).count
    #expect(size == WAVHeader.size + 150 * 96_000)
  }

  @Test func `beyond 4 GiB the sizes are 64 bits wide`() {
    let small = WAVHeader(channelCount: 2, dataSize: 0xFFFF_FF00).bytes
    let large = WAVHeader(channelCount: 2, dataSize: 0x1_2345_6780).bytes
    #expect(small.count == WAVHeader.size)
    #expect(large.count == WAVHeader.size)
    #expect(small.starts(with: "RIFF".utf8))
    #expect(small[12..<16].elementsEqual("JUNK".utf8))
    #expect(small[4..<8].elementsEqual([0x48, 0xFF, 0xFF, 0xFF]))
    #expect(large.starts(with: Array("RF64".utf8) + [0xFF, 0xFF, 0xFF, 0xFF]))
    #expect(large[12..<16].elementsEqual("ds64".utf8))
    #expect(large[20..<28].elementsEqual([0xC8, 0x67, 0x45, 0x23, 1, 0, 0, 0]))
    #expect(large[28..<36].elementsEqual([0x80, 0x67, 0x45, 0x23, 1, 0, 0, 0]))
    #expect(large[76..<80].elementsEqual([0xFF, 0xFF, 0xFF, 0xFF]))
  }

  @Test(arguments: ["a.ogg", "a.wav"])
  func `a missing folder cannot be created in`(name: String) throws {
    let path = folder.path("missing/" + name)
    let error = try #require(throws: MediaFileError.self) {
      if name == "a.ogg" { _ = try OpusFileWriter(path: path, container: .ogg) } else { _ = try WAVWriter(path: path) }
    }
    #expect(error.code == .cannotCreate)
    #expect(error.description == "cannot create \(path): No such file or directory")
  }

  @Test(.enabled(if: FileManager.default.isWritableFile(atPath: "/dev/full")))
  func `a full disk is told once`() async throws {
    #expect(throws: MediaFileError(code: .cannotWrite, path: "/dev/full", reason: "No space left on device")) {
      try WAVWriter(path: "/dev/full")
    }
    let packet = try opusPackets([Int16](repeating: 0, count: 960))[0]
    let writer = try OpusFileWriter(path: "/dev/full", container: .ogg)
    try writer.write(opus: packet.span, at: .zero)
    while writer.failure == nil { try await Task.sleep(for: .milliseconds(20)) }
    #expect(throws: MediaFileError.self) { try writer.write(opus: packet.span, at: .milliseconds(20)) }
    try writer.write(opus: packet.span, at: .milliseconds(40))
    writer.finish()
    #expect(writer.failure?.code == .cannotWrite)
  }
}

@Suite struct OpusFramingTests {
  @Test(
    arguments: [
      ([], nil), ([0x00], 480), ([0x08], 960), ([0x18], 2_880), ([0x60], 480), ([0x78, 1, 2], 960), ([0xE0], 120),
      ([0xF8], 960), ([0xF9], 1_920), ([0xFB], nil), ([0xFB, 0], nil), ([0xFB, 6], 5_760), ([0xFB, 7], nil),
      ([0x1B, 2], 5_760), ([0xFB, 0xC6], 5_760),
    ] as [([UInt8], Int?)])
  func `the first bytes tell how long a packet lasts`(packet: [UInt8], count: Int?) {
    #expect(OpusFraming.sampleCount(of: packet) == count)
  }

  @Test(arguments: [0, 119, 120, 960, 1_000, 48_000, 48_840])
  func `concealment lasts as long as the gap`(gap: Int) {
    let total = OpusFraming.concealment(sampleCount: gap, isStereo: true).reduce(0) { sum, filler in
      #expect(OpusFraming.sampleCount(of: filler.packet) == filler.duration)
      return sum + filler.count * filler.duration
    }
    #expect(total == gap / 120 * 120)
  }
}
