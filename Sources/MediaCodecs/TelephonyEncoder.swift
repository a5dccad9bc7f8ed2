import CSpanDSP

/// Turns 48 kHz mono Int16 audio into G.711 or G.722.
///
/// Belongs to one codec thread.
package final class TelephonyEncoder {
  /// Most sample frames that are taken at once: 120 ms.
  package static let maximumFrameCount = 5_760

  private enum State {
    case g711(OpaquePointer)
    case g722(OpaquePointer)
  }

  private let codec: TelephonyCodec
  private let state: State
  private let resampler: Resampler
  private var resampled: [Int16]

  package init(_ codec: TelephonyCodec) {
    self.codec = codec
    state = codec == .g722 ? .g722(.g722Encoder()) : .g711(.g711(codec))
    resampler = Resampler(from: 48_000, to: codec.sampleRate)
    resampled = [Int16](repeating: 0, count: Self.maximumFrameCount * codec.sampleRate / 48_000)
  }

  deinit {
    switch state {
    case .g711(let state): g711_free(state)
    case .g722(let state): g722_encode_free(state)
    }
  }

  /// Encodes up to 120 ms.
  ///
  /// - Parameters:
  ///   - samples: a multiple of 6, that is of what a byte holds.
  ///   - bytes: room for a sixth of it.
  /// - Returns: how many bytes were written: a sixth of the samples.
  package func encode(_ samples: Span<Int16>, into bytes: inout MutableSpan<UInt8>) -> Int {
    precondition(samples.count <= Self.maximumFrameCount, "at most 120 ms at once")
    precondition(samples.count % TelephonyCodec.samplesPerByte == 0, "a byte is six samples")
    precondition(bytes.count >= samples.count / TelephonyCodec.samplesPerByte, "all must fit")
    var span = resampled.mutableSpan
    let count = samples.withUnsafeBufferPointer { resampler.process($0, into: &span) }
    return resampled.withUnsafeBufferPointer { resampled in
      bytes.withUnsafeMutableBufferPointer { bytes in
        guard let source = resampled.baseAddress, let target = bytes.baseAddress, count > 0 else { return 0 }
        return switch state {
        case .g711(let state): Int(g711_encode(state, target, source, Int32(count)))
        case .g722(let state): Int(g722_encode(state, target, source, Int32(count)))
        }
      }
    }
  }
}

extension OpaquePointer {
  static func g711(_ codec: TelephonyCodec) -> OpaquePointer {
    guard let state = g711_init(nil, Int32(codec == .pcma ? G711_ALAW : G711_ULAW)) else { outOfMemory() }
    return state
  }

  fileprivate static func g722Encoder() -> OpaquePointer {
    guard let state = g722_encode_init(nil, 64_000, 0) else { outOfMemory() }
    return state
  }

  static func g722Decoder() -> OpaquePointer {
    guard let state = g722_decode_init(nil, 64_000, 0) else { outOfMemory() }
    return state
  }
}

func outOfMemory() -> Never { fatalError("spandsp has no memory for a codec") }
