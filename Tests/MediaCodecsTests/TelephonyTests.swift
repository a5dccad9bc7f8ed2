import TestSupport
import Testing

@testable import MediaCodecs

@Suite(.timeLimit(.minutes(1))) struct TelephonyTests {
  private func encode(_ samples: [Int16], with encoder: TelephonyEncoder, block: Int = 960) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: 960)
    return stride(from: 0, to: samples.count, by: block).flatMap { start in
      var span = bytes.mutableSpan
      let end = min(start + block, samples.count)
      let count = encoder.encode(samples.span.extracting(start..<end), into: &span)
      #expect(count == (end - start) / 6)
      return bytes[..<count]
    }
  }

  private func filled(_ fill: (inout MutableSpan<Int16>) -> Int) -> [Int16] {
    var samples = [Int16](repeating: 1, count: TelephonyDecoder.maximumFrameCount)
    var span = samples.mutableSpan
    let count = fill(&span)
    return Array(samples[..<count])
  }

  private func decode(_ bytes: [UInt8], with decoder: TelephonyDecoder, packet: Int = 160) -> [Int16] {
    stride(from: 0, to: bytes.count, by: packet).flatMap { start in
      let part = bytes[start..<min(start + packet, bytes.count)]
      let samples = filled { decoder.decode(part.span, into: &$0) }
      #expect(samples.count == part.count * 6)
      return samples
    }
  }

  /// The likeness of two signals where the second lags by up to 20 ms: 1 when they are the same, whatever their levels.
  private func correlation(_ a: [Int16], _ b: [Int16]) -> Double {
    let length = a.count - 960
    func sum(_ x: ArraySlice<Int16>, _ y: ArraySlice<Int16>) -> Double {
      zip(x, y).reduce(0) { $0 + Double($1.0) * Double($1.1) }
    }
    return (0..<960).map { lag in
      let (x, y) = (a[..<length], b[lag..<lag + length])
      return sum(x, y) / (sum(x, x) * sum(y, y)).squareRoot()
    }.max() ?? 0
  }

  @Test(arguments: TelephonyCodec.allCases, [300.0, 1000, 3000])
  func `a tone comes back with its frequency, level and shape`(codec: TelephonyCodec, frequency: Double) {
    let source = Signal.tone(frequency, frames: 48_000)
    let bytes = encode(source, with: TelephonyEncoder(codec))
    #expect(bytes.count == 8_000)
    let result = decode(bytes, with: TelephonyDecoder(codec))
    #expect(result.count == source.count)
    let settled = Array(result[9_600...])
    #expect(Signal.dominant(among: [300, 1000, 3000], in: settled) == frequency)
    #expect(abs(AudioLevel.decibels(of: settled.span) - AudioLevel.decibels(of: source.span)) <= 1)
    #expect(correlation(Array(source[9_600..<14_400]), Array(result[9_600..<14_400])) > 0.99)
  }

  @Test func `only G722 carries what lies above 4 kHz`() {
    let source = Signal.tone(6_000, frames: 24_000)
    for codec in TelephonyCodec.allCases {
      let result = decode(encode(source, with: TelephonyEncoder(codec)), with: TelephonyDecoder(codec))
      let amplitude = Signal.amplitude(of: 6_000, in: result[9_600...])
      #expect(codec == .g722 ? amplitude > 6_000 : amplitude < 200)
    }
  }

  @Test func `the bytes are those of the standards`() {
    // G.711's silence and full scale; what one decodes the other does not.
    let silence = [Int16](repeating: 0, count: 960)
    #expect(Set(encode(silence, with: TelephonyEncoder(.pcmu))) == [0xFF])
    #expect(Set(encode(silence, with: TelephonyEncoder(.pcma))) == [0xD5])
    let loudest = [UInt8](repeating: 0x80, count: 160)
    let decoder = TelephonyDecoder(.pcmu)
    _ = decode(loudest, with: decoder)
    #expect((32_000...32_767).contains(decode(loudest, with: decoder).last ?? 0))
    #expect(abs(Int(decode(loudest, with: TelephonyDecoder(.pcma)).last ?? 0)) < 6_000)
  }

  @Test(arguments: TelephonyCodec.allCases, [80, 160, 240, 320, 480, 960])
  func `it does not matter how the bytes are cut into packets`(codec: TelephonyCodec, packet: Int) {
    let source = Signal.tone(700, frames: 57_600)
    let bytes = encode(source, with: TelephonyEncoder(codec), block: packet * 6)
    #expect(bytes == encode(source, with: TelephonyEncoder(codec)))
    let whole = decode(bytes, with: TelephonyDecoder(codec))
    #expect(decode(bytes, with: TelephonyDecoder(codec), packet: packet) == whole)
  }

  @Test(arguments: TelephonyCodec.allCases)
  func `a lost packet is filled with more of the same, and a long loss fades to silence`(codec: TelephonyCodec) {
    let bytes = encode(Signal.tone(400, frames: 48_000), with: TelephonyEncoder(codec))
    let decoder = TelephonyDecoder(codec)
    _ = decode(Array(bytes[..<4_000]), with: decoder)
    let first = filled { decoder.conceal(frameCount: 960, into: &$0) }
    #expect(first.count == 960)
    #expect(Signal.amplitude(of: 400, in: first) > 2_000)
    for _ in 0..<4 { _ = filled { decoder.conceal(frameCount: 960, into: &$0) } }
    let late = filled { decoder.conceal(frameCount: 960, into: &$0) }
    #expect(AudioLevel.decibels(of: late.span) < -80)
    let after = decode(Array(bytes[4_960...]), with: decoder)
    #expect(Signal.amplitude(of: 400, in: after[4_800...]) > 7_000)
  }

  @Test(
    arguments: TelephonyCodec.allCases,
    [(-5, 0), (0, 0), (5, 0), (6, 6), (120, 120), (965, 960), (5_760, 5_760), (Int.max, 5_760)])
  func `concealment fills what was asked for, before anything has come too`(
    codec: TelephonyCodec, size: (asked: Int, made: Int)
  ) {
    let decoder = TelephonyDecoder(codec)
    let silence = filled { decoder.conceal(frameCount: size.asked, into: &$0) }
    #expect(silence == [Int16](repeating: 0, count: size.made))
    _ = decode([1, 2, 3, 4, 5], with: decoder)
    #expect(filled { decoder.conceal(frameCount: size.asked, into: &$0) }.count == size.made)
  }

  @Test(arguments: TelephonyCodec.allCases)
  func `whatever bytes come, they decode to their length`(codec: TelephonyCodec) {
    let decoder = TelephonyDecoder(codec)
    var random = SeededGenerator(state: 5)
    for length in (0...300).map({ $0 * 7 }) {
      let packet = (0..<length).map { _ in UInt8.random(in: 0...255, using: &random) }
      #expect(filled { decoder.decode(packet.span, into: &$0) }.count == min(length, 960) * 6)
      if length % 3 == 0 { _ = filled { decoder.conceal(frameCount: length, into: &$0) } }
    }
  }
}
