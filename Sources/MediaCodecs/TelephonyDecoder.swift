import CSpanDSP

/// Turns G.711 or G.722 into 48 kHz mono Int16 audio, and fills the places of what is missing.
///
/// Belongs to one codec thread. Any bytes are valid.
package final class TelephonyDecoder {
  /// Sample frames in the longest packet: 120 ms.
  package static let maximumFrameCount = 5_760

  private enum State {
    case g711(OpaquePointer)
    case g722(OpaquePointer)
  }

  package let codec: TelephonyCodec
  private let state: State
  /// Repeats the last pitch period of what was heard and fades it out.
  private let concealer: UnsafeMutablePointer<plc_state_t>
  private let resampler: Resampler
  private var decoded: [Int16]

  package init(_ codec: TelephonyCodec) {
    self.codec = codec
    state = codec == .g722 ? .g722(.g722Decoder()) : .g711(.g711(codec))
    guard let concealer = plc_init(nil) else { outOfMemory() }
    self.concealer = concealer
    resampler = Resampler(from: codec.sampleRate, to: 48_000)
    decoded = [Int16](repeating: 0, count: Self.maximumFrameCount * codec.sampleRate / 48_000)
  }

  deinit {
    plc_free(concealer)
    switch state {
    case .g711(let state): g711_free(state)
    case .g722(let state): g722_decode_free(state)
    }
  }

  /// Decodes one packet.
  ///
  /// - Parameters:
  ///   - packet: at most 120 ms, that is 960 bytes; what is beyond is left out.
  ///   - samples: room for `maximumFrameCount` values.
  /// - Returns: how many samples were written: six for each byte.
  package func decode(_ packet: Span<UInt8>, into samples: inout MutableSpan<Int16>) -> Int {
    precondition(samples.count >= Self.maximumFrameCount, "every packet must fit")
    let byteCount = min(packet.count, Self.maximumFrameCount / TelephonyCodec.samplesPerByte)
    return fill(&samples) { target in
      packet.withUnsafeBufferPointer { packet in
        guard let source = packet.baseAddress, byteCount > 0 else { return 0 }
        let count =
          switch state {
          case .g711(let state): g711_decode(state, target, source, Int32(byteCount))
          case .g722(let state): g722_decode(state, target, source, Int32(byteCount))
          }
        return plc_rx(concealer, target, count)
      }
    }
  }

  /// Invents audio for a place where no packet came; the longer nothing comes, the quieter.
  ///
  /// - Parameter frameCount: the samples that are missing; rounded down to a multiple of 6.
  /// - Returns: how many samples were written.
  package func conceal(frameCount: Int, into samples: inout MutableSpan<Int16>) -> Int {
    let count = max(0, min(frameCount, samples.count, Self.maximumFrameCount)) / TelephonyCodec.samplesPerByte
    return fill(&samples) { plc_fillin(concealer, $0, Int32(count * codec.samplesPerByte)) }
  }

  /// - Parameter make: writes at most 120 ms at the codec's rate, and tells how many samples.
  private func fill(_ samples: inout MutableSpan<Int16>, _ make: (UnsafeMutablePointer<Int16>) -> Int32) -> Int {
    decoded.withUnsafeMutableBufferPointer { decoded in
      guard let target = decoded.baseAddress else { return 0 }
      let count = Int(make(target))
      return resampler.process(UnsafeBufferPointer(start: target, count: count), into: &samples)
    }
  }
}
