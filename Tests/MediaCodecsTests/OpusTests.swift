import TestSupport
import Testing

@testable import MediaCodecs

@Suite struct OpusTests {
  /// Encodes in frames of 20 ms; nil where discontinuous transmission leaves a packet out.
  private func encode(_ samples: [Int16], with encoder: OpusEncoder, channels: Int = 1) throws -> [[UInt8]?] {
    let size = OpusEncoder.frameCount * channels
    var buffer = [UInt8](repeating: 0, count: OpusEncoder.maximumPacketSize)
    return try stride(from: 0, to: samples.count, by: size).map { start in
      var packet = buffer.mutableSpan
      switch try encoder.encode(samples.span.extracting(start..<start + size), into: &packet) {
      case .silence: return nil
      case .packet(let count): return Array(buffer[..<count])
      }
    }
  }

  private func decoded(_ packet: [UInt8], with decoder: OpusDecoder) throws -> [Int16] {
    var samples = [Int16](repeating: 0, count: OpusDecoder.maximumFrameCount * decoder.channelCount)
    var span = samples.mutableSpan
    let count = try decoder.decode(packet.span, into: &span)
    return Array(samples[..<(count * decoder.channelCount)])
  }

  private func filled(_ decoder: OpusDecoder, _ fill: (inout MutableSpan<Int16>) -> Int) -> [Int16] {
    var samples = [Int16](repeating: 1, count: OpusDecoder.maximumFrameCount * decoder.channelCount)
    var span = samples.mutableSpan
    let count = fill(&span)
    return Array(samples[..<(count * decoder.channelCount)])
  }

  @Test(arguments: [220.0, 440, 1000, 3000], [1, 2])
  func `a tone comes back with its frequency and level`(frequency: Double, channels: Int) throws {
    var configuration = OpusEncoder.Configuration()
    configuration.channelCount = channels
    configuration.application = .audio
    configuration.bitsPerSecond = 64_000
    let encoder = try OpusEncoder(configuration)
    let decoder = try OpusDecoder(channelCount: channels)
    let source = Signal.tone(frequency, frames: 48_000, channels: channels)
    let packets = try encode(source, with: encoder, channels: channels).compactMap { $0 }
    #expect(packets.count == 50)
    let result = try packets.flatMap { try decoded($0, with: decoder) }
    #expect(result.count == source.count)
    let left = stride(from: 9_600 * channels, to: result.count, by: channels).map { result[$0] }
    #expect(Signal.dominant(among: [220, 440, 1000, 3000], in: left) == frequency)
    #expect(abs(AudioLevel.decibels(of: left.span) - AudioLevel.decibels(of: source.span)) <= 1)
  }

  @Test(arguments: [(1, 2), (2, 1)])
  func `a stream of either kind decodes to the channel count asked for`(sent: Int, received: Int) throws {
    var configuration = OpusEncoder.Configuration()
    configuration.channelCount = sent
    let encoder = try OpusEncoder(configuration)
    let decoder = try OpusDecoder(channelCount: received)
    let packets = try encode(Signal.tone(440, frames: 9_600, channels: sent), with: encoder, channels: sent)
    let result = try packets.compactMap { $0 }.flatMap { try decoded($0, with: decoder) }
    #expect(result.count == 9_600 * received)
    #expect(AudioLevel.decibels(of: result.span) > -30)
  }

  @Test func `discontinuous transmission leaves silence out and tells so`() throws {
    var configuration = OpusEncoder.Configuration()
    configuration.usesDTX = true
    let quiet = try encode([Int16](repeating: 0, count: 96_000), with: OpusEncoder(configuration))
    #expect(quiet.filter { $0 == nil }.count > 50)
    configuration.usesDTX = false
    let steady = try encode([Int16](repeating: 0, count: 96_000), with: OpusEncoder(configuration))
    #expect(!steady.contains { $0 == nil })
  }

  @Test func `a lost packet is restored from the redundancy in the next one`() throws {
    let encoder = try OpusEncoder()
    encoder.expectedPacketLoss = 0.25
    // A sweep of steps: each packet differs from the one before, so that plain concealment cannot guess it.
    let steps = [300.0, 500, 700, 900, 1100, 1300]
    let source = (0..<30).flatMap { Signal.tone(steps[$0 / 5], amplitude: 12_000, frames: 960) }
    let packets = try encode(source, with: encoder).compactMap { $0 }
    func run(restoring: Bool) throws -> [Int16] {
      let decoder = try OpusDecoder(channelCount: 1)
      for packet in packets[..<10] { _ = try decoded(packet, with: decoder) }
      let next = packets[11]
      return filled(decoder) {
        restoring
          ? decoder.decodeFEC(next.span, frameCount: 960, into: &$0) : decoder.conceal(frameCount: 960, into: &$0)
      }
    }
    let (restored, concealed) = (try run(restoring: true), try run(restoring: false))
    #expect(restored.count == 960)
    #expect(concealed.count == 960)
    // Packet 10 is the first at 700 Hz; only the redundancy knows.
    #expect(Signal.amplitude(of: 700, in: restored) > 2 * Signal.amplitude(of: 700, in: concealed))
  }

  @Test(arguments: [(0, 0), (119, 0), (120, 120), (959, 840), (960, 960), (48_000, 5_760), (-960, 0), (Int.max, 5_760)])
  func `concealment fills what fits in steps of 2,5 ms`(asked: Int, made: Int) throws {
    let decoder = try OpusDecoder(channelCount: 2)
    #expect(filled(decoder) { decoder.conceal(frameCount: asked, into: &$0) }.count == made * 2)
    let nothing: [UInt8] = []
    #expect(filled(decoder) { decoder.decodeFEC(nothing.span, frameCount: asked, into: &$0) }.count == made * 2)
  }

  @Test func `every truncation of a packet and garbage leave the decoder usable`() throws {
    let encoder = try OpusEncoder()
    let packets = try encode(Signal.tone(440, frames: 9_600), with: encoder).compactMap { $0 }
    let decoder = try OpusDecoder(channelCount: 1)
    var random = SeededGenerator(state: 42)
    var inputs: [[UInt8]] = packets.flatMap { packet in packet.indices.map { Array(packet[..<$0]) } }
    for length in 0..<400 { inputs.append((0..<length).map { _ in UInt8.random(in: 0...255, using: &random) }) }
    for input in inputs {
      _ = OpusDecoder.frameCount(of: input.span)
      _ = filled(decoder) { decoder.decodeFEC(input.span, frameCount: 960, into: &$0) }
      do { _ = try decoded(input, with: decoder) } catch let error as OpusError {
        #expect(error == .corruptPacket)
        #expect(filled(decoder) { decoder.conceal(frameCount: 960, into: &$0) }.count == 960)
      }
    }
    #expect(throws: OpusError.corruptPacket) { try decoded([], with: decoder) }
    // Code 3 with 63 frames: longer than 120 ms.
    #expect(throws: OpusError.corruptPacket) { try decoded([0x03, 0x3F, 0, 0], with: decoder) }
    let after = try packets.flatMap { try decoded($0, with: decoder) }
    #expect(Signal.dominant(among: [220, 440, 880], in: after[4_800...]) == 440)
  }

  @Test func `the bitrate follows and never leaves Opus's range`() throws {
    var configuration = OpusEncoder.Configuration()
    configuration.application = .audio
    let encoder = try OpusEncoder(configuration)
    var random = SeededGenerator(state: 7)
    let noise = (0..<48_000).map { _ in Int16.random(in: -9_000...9_000, using: &random) }
    func bytes() throws -> Int { try encode(noise, with: encoder).reduce(0) { $0 + ($1?.count ?? 0) } }
    let before = try bytes()
    encoder.bitsPerSecond = 96_000
    #expect(try bytes() > before * 2)
    encoder.bitsPerSecond = .max
    encoder.expectedPacketLoss = .infinity
    encoder.expectedPacketLoss = -3
    #expect(try bytes() > before * 2)
  }
}

@Suite struct AudioLevelTests {
  @Test(arguments: [
    ([Int16](repeating: 0, count: 960), -127), ([], -127), ([1] + [Int16](repeating: 0, count: 999_999), -127),
    ([Int16](repeating: .min, count: 960), 0), ([Int16](repeating: 3_277, count: 960), -20),
    (Signal.tone(480, amplitude: 32_767, frames: 960), -3),
  ])
  func `the level is the root mean square below full scale`(samples: [Int16], level: Int) {
    #expect(AudioLevel.decibels(of: samples.span) == level)
  }
}
