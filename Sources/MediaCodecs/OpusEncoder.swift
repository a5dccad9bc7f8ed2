import COpus
import COpusShims

/// Turns 20 ms of 48 kHz Int16 audio into one Opus packet.
///
/// Belongs to one codec thread. In-band FEC is always on; it takes effect when `expectedPacketLoss` is above zero.
///
/// - Specification: RFC 6716, RFC 7587 §4.2
package final class OpusEncoder {
  /// What the encoder favours.
  package enum Application: Sendable {
    /// Speech: intelligible at low bitrates.
    case voip
    /// Music: close to the input.
    case audio
  }

  package struct Configuration: Sendable {
    /// 1 or 2, interleaved.
    package var channelCount = 1
    package var application = Application.voip
    /// 6 000 to 510 000.
    package var bitsPerSecond = 32_000
    /// Whether silence is left out (RFC 7587 §3.1.3).
    package var usesDTX = false
    /// 0 (cheapest) to 10 (best). 5 costs two fifths of 9 (0.17 ms and 0.43 ms for 20 ms of speech).
    package var complexity = 5

    package init() {}
  }

  /// What became of 20 ms.
  package enum Output: Equatable, Sendable {
    /// This many bytes are to be sent.
    case packet(byteCount: Int)
    /// Discontinuous transmission: nothing need be sent, and the RTP timestamp moves on.
    case silence
  }

  /// Sample frames (values per channel) in one packet.
  package static let frameCount = 960
  /// Room that every packet fits into.
  package static let maximumPacketSize = 1_276

  private let encoder: OpaquePointer
  private let configuration: Configuration

  package init(_ configuration: Configuration = .init()) throws(OpusError) {
    precondition((1...2).contains(configuration.channelCount), "Opus calls are mono or stereo")
    var status: Int32 = OPUS_OK
    let application = configuration.application == .voip ? OPUS_APPLICATION_VOIP : OPUS_APPLICATION_AUDIO
    guard let encoder = opus_encoder_create(48_000, Int32(configuration.channelCount), application, &status) else {
      throw OpusError(code: status)
    }
    self.encoder = encoder
    self.configuration = configuration
    bitsPerSecond = configuration.bitsPerSecond
    set(OPUS_SET_BITRATE_REQUEST, Self.bitrates.clamp(bitsPerSecond))
    set(OPUS_SET_COMPLEXITY_REQUEST, (0...10).clamp(configuration.complexity))
    set(OPUS_SET_DTX_REQUEST, configuration.usesDTX ? 1 : 0)
    set(OPUS_SET_INBAND_FEC_REQUEST, 1)
  }

  deinit { opus_encoder_destroy(encoder) }

  /// The target bitrate, 6 000 to 510 000; changes with the next packet.
  package var bitsPerSecond: Int {
    didSet { set(OPUS_SET_BITRATE_REQUEST, Self.bitrates.clamp(bitsPerSecond)) }
  }

  /// The share of packets that the receiver loses, 0 to 1: the more, the more redundancy each packet carries.
  package var expectedPacketLoss = 0.0 {
    didSet {
      let percent = expectedPacketLoss.isFinite ? (expectedPacketLoss * 100).rounded(.up) : 0
      set(OPUS_SET_PACKET_LOSS_PERC_REQUEST, Int(min(max(percent, 0), 100)))
    }
  }

  /// Encodes one frame of 20 ms.
  ///
  /// - Parameters:
  ///   - samples: exactly 960 × `channelCount` values, interleaved.
  ///   - packet: where the packet goes; `maximumPacketSize` is always enough, less caps the packet.
  package func encode(_ samples: Span<Int16>, into packet: inout MutableSpan<UInt8>) throws(OpusError) -> Output {
    precondition(samples.count == Self.frameCount * configuration.channelCount, "a frame is 20 ms of 48 kHz audio")
    let room = Int32(clamping: packet.count)
    let result = samples.withUnsafeBufferPointer { samples in
      packet.withUnsafeMutableBufferPointer { packet in
        guard let samples = samples.baseAddress, let packet = packet.baseAddress else { return OPUS_BUFFER_TOO_SMALL }
        return opus_encode(encoder, samples, Int32(Self.frameCount), packet, room)
      }
    }
    guard result >= 0 else { throw OpusError(code: result) }
    // opus_encode: "if the return value is 2 bytes or less, then the packet does not need to be transmitted (DTX)".
    return configuration.usesDTX && result <= 2 ? .silence : .packet(byteCount: Int(result))
  }

  private static let bitrates = 6_000...510_000

  private func set(_ request: Int32, _ value: Int) {
    let status = carillon_opus_encoder_set(encoder, request, Int32(value))
    precondition(status == OPUS_OK, "the value was clamped to what libopus takes")
  }
}

extension ClosedRange<Int> {
  fileprivate func clamp(_ value: Int) -> Int { Swift.min(Swift.max(value, lowerBound), upperBound) }
}
