import Testing

@testable import RTPCore

@Suite("An Opus packet tells its duration")
struct OpusPacketTests {
  @Test func `Every configuration has its mode and its frame size`() throws {
    let sizes =
      [480, 960, 1920, 2880] + [480, 960, 1920, 2880] + [480, 960, 1920, 2880] + [480, 960, 480, 960]
      + Array(repeating: [120, 240, 480, 960], count: 4).flatMap { $0 }
    for (configuration, size) in sizes.enumerated() {
      for stereo in [UInt8(0), 4] {
        let packet = try OpusPacket(parsing: [UInt8(configuration) << 3 | stereo, 1, 2].span)
        #expect(packet.samplesPerFrame == size)
        #expect(packet.duration == size)
        #expect(packet.channelCount == (stereo == 0 ? 1 : 2))
        #expect(packet.mode == (configuration < 12 ? .silk : configuration < 16 ? .hybrid : .celt))
      }
    }
  }

  /// 0x08 is SILK, 20 ms, mono.
  @Test(
    arguments: [
      ([0x08], 960, true), ([0x08, 1], 960, true), ([0x08, 1, 2], 960, false),
      ([0x09, 1, 2], 1920, true), ([0x09, 1, 2, 3, 4], 1920, false),
      ([0x0A, 2, 1, 2, 3], 1920, false), ([0x0A, 0], 1920, true),
      ([0x0B, 3, 1, 2, 3, 4, 5, 6], 2880, false), ([0x0B, 1], 960, true),
      ([0x0B, 0x83, 1, 2, 9, 8, 8, 7], 2880, false),
      ([0x0B, 0x42, 2, 1, 1, 2, 2, 0, 0], 1920, false),
      ([0x0B, 6] + Array(repeating: 1, count: 12), 5760, false),
      ([0x83, 48] + Array(repeating: 1, count: 48), 5760, true),
      ([0x08] + Array(repeating: 1, count: 1275), 960, false),
      ([0x0A, 252, 1] + Array(repeating: 1, count: 256), 1920, false),
    ] as [([UInt8], Int, Bool)])
  func `Frames are counted in every code`(bytes: [UInt8], duration: Int, isSilence: Bool) throws {
    let packet = try OpusPacket(parsing: bytes.span)
    #expect(packet.duration == duration)
    #expect(packet.isSilence == isSilence)
  }

  @Test(
    arguments: [
      ([], OpusError.empty),
      ([0x09, 1], .invalidLength),
      ([0x0A], .invalidLength), ([0x0A, 252], .invalidLength), ([0x0A, 2, 1], .invalidLength),
      ([0x0B], .invalidLength), ([0x0B, 0], .invalidFrameCount), ([0x0B, 7], .invalidFrameCount),
      ([0x83, 49], .invalidFrameCount),
      ([0x0B, 2, 1], .invalidLength), ([0x0B, 0x82], .invalidLength), ([0x0B, 0x82, 3, 1], .invalidLength),
      ([0x0B, 0x41], .invalidLength), ([0x0B, 0x41, 255], .invalidLength), ([0x0B, 0x41, 2, 0], .invalidLength),
      ([0x08] + Array(repeating: 1, count: 1276), .invalidLength),
    ] as [([UInt8], OpusError)])
  func `A broken packet is refused with its reason`(bytes: [UInt8], error: OpusError) {
    #expect(throws: error) { try OpusPacket(parsing: bytes.span) }
  }

  @Test(arguments: [1, 2] as [UInt64])
  func `Random bytes are refused or last between 2,5 and 120 ms`(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    for _ in 0..<20_000 {
      let bytes = (0..<Int.random(in: 0...20, using: &generator)).map { _ in
        UInt8.random(in: 0...255, using: &generator)
      }
      guard let packet = try? OpusPacket(parsing: bytes.span) else { continue }
      #expect(120...5760 ~= packet.duration)
      #expect(packet.duration % 120 == 0)
    }
  }
}
