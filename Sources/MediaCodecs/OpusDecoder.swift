import COpus

/// Turns Opus packets into 48 kHz Int16 audio, and fills the places of those that are missing.
///
/// Belongs to one codec thread. Decodes any Opus stream to the channel count that it was made with.
///
/// - Specification: RFC 6716
package final class OpusDecoder {
  /// Sample frames (values per channel) in the longest packet: 120 ms.
  package static let maximumFrameCount = 5_760

  /// 1 or 2, interleaved.
  package let channelCount: Int
  private let decoder: OpaquePointer

  package init(channelCount: Int) throws(OpusError) {
    precondition((1...2).contains(channelCount), "Opus calls are mono or stereo")
    var status: Int32 = OPUS_OK
    guard let decoder = opus_decoder_create(48_000, Int32(channelCount), &status) else {
      throw OpusError(code: status)
    }
    self.decoder = decoder
    self.channelCount = channelCount
  }

  deinit { opus_decoder_destroy(decoder) }

  /// How many sample frames a packet decodes to, or nil when it is not an Opus packet.
  package static func frameCount(of packet: Span<UInt8>) -> Int? {
    let count = packet.withUnsafeBufferPointer { packet in
      guard let bytes = packet.baseAddress, !packet.isEmpty else { return OPUS_INVALID_PACKET }
      return opus_packet_get_nb_samples(bytes, Int32(clamping: packet.count), 48_000)
    }
    return count > 0 ? Int(count) : nil
  }

  /// Decodes one packet.
  ///
  /// - Parameter samples: room for `maximumFrameCount` × `channelCount` values.
  /// - Returns: how many sample frames were written.
  /// - Throws: `corruptPacket`. The decoder stays usable: call `conceal` for the packet's place.
  package func decode(_ packet: Span<UInt8>, into samples: inout MutableSpan<Int16>) throws(OpusError) -> Int {
    precondition(samples.count >= Self.maximumFrameCount * channelCount, "every packet must fit")
    // libopus takes an empty packet for a lost one.
    guard !packet.isEmpty else { throw .corruptPacket }
    let result = run(packet, Self.maximumFrameCount, fec: false, into: &samples)
    guard result >= 0 else { throw OpusError(code: result) }
    return Int(result)
  }

  /// Restores the audio before `next` from the redundancy that `next` carries, or conceals it where it carries none.
  ///
  /// Decode `next` itself afterwards.
  ///
  /// - Parameter frameCount: the sample frames that are missing, a multiple of 120 (2.5 ms) as every Opus duration is; the
  ///   result is rounded down to one.
  /// - Returns: how many sample frames were written.
  package func decodeFEC(_ next: Span<UInt8>, frameCount: Int, into samples: inout MutableSpan<Int16>) -> Int {
    let count = fitting(frameCount, samples.count)
    guard count > 0, !next.isEmpty else { return conceal(frameCount: frameCount, into: &samples) }
    let result = run(next, count, fec: true, into: &samples)
    return result < 0 ? conceal(frameCount: frameCount, into: &samples) : Int(result)
  }

  /// Invents audio for a place where no packet came.
  ///
  /// - Parameter frameCount: the sample frames that are missing; rounded down to a multiple of 120 (2.5 ms).
  /// - Returns: how many sample frames were written.
  package func conceal(frameCount: Int, into samples: inout MutableSpan<Int16>) -> Int {
    let count = fitting(frameCount, samples.count)
    guard count > 0 else { return 0 }
    let result = run(nil, count, fec: false, into: &samples)
    if result >= 0 { return Int(result) }
    for index in 0..<count * channelCount { samples[index] = 0 }
    return count
  }

  private func fitting(_ frameCount: Int, _ room: Int) -> Int {
    max(0, min(frameCount, room / channelCount)) / 120 * 120
  }

  private func run(_ packet: Span<UInt8>?, _ count: Int, fec: Bool, into samples: inout MutableSpan<Int16>) -> Int32 {
    samples.withUnsafeMutableBufferPointer { samples in
      guard let samples = samples.baseAddress else { return OPUS_BUFFER_TOO_SMALL }
      guard let packet else { return opus_decode(decoder, nil, 0, samples, Int32(count), 0) }
      return packet.withUnsafeBufferPointer { packet in
        opus_decode(
          decoder, packet.baseAddress, Int32(clamping: packet.count), samples, Int32(count), fec ? 1 : 0)
      }
    }
  }
}
