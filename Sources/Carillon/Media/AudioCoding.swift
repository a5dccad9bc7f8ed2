import JingleCore
import MediaCodecs
import RTPCore

/// The audio that is sent, 20 ms at a time, in the codec that was agreed on.
struct AudioEncoder {
  /// Sample frames (values per channel) that are taken at a time.
  static let frameCount = OpusEncoder.frameCount

  private enum Codec {
    case opus(OpusEncoder)
    case telephony(TelephonyEncoder)
  }

  private let codec: Codec
  private var bytes = [UInt8](repeating: 0, count: OpusEncoder.maximumPacketSize)
  /// Of the telephone codecs' packets, whose bytes are ticks of their clock.
  private let packetSize: Int
  /// Encoded, and not a packet yet.
  private var waiting: [UInt8] = []
  /// Of the first byte that waits.
  private var position: Int64 = 0

  /// - Parameter channelCount: 1 or 2; the telephone codecs take 1.
  init(_ encoding: AudioPipeline.Encoding, channelCount: Int, usesDTX: Bool) throws {
    packetSize = encoding.packetDuration.milliseconds * 8
    if let name = encoding.codec.telephony {
      codec = .telephony(TelephonyEncoder(name))
      return
    }
    var configuration = OpusEncoder.Configuration()
    configuration.channelCount = channelCount
    configuration.bitsPerSecond = encoding.bitsPerSecond
    configuration.usesDTX = usesDTX
    codec = .opus(try OpusEncoder(configuration))
  }

  /// - Parameters:
  ///   - samples: 960 × `channelCount` values of 48 kHz.
  ///   - index: which 20 ms since the beginning they are. Some may be missing between one call and the next.
  ///   - level: their loudness in dBov.
  /// - Returns: the packets that are complete now, none in silence that is left out.
  mutating func encode(_ samples: Span<Int16>, index: Int64, level: Int) throws -> [EncodedAudioFrame] {
    switch codec {
    case .opus(let encoder):
      var span = bytes.mutableSpan
      guard case .packet(let count) = try encoder.encode(samples, into: &span) else { return [] }
      return [
        EncodedAudioFrame(
          payload: Array(bytes[..<count]), position: index * Int64(Self.frameCount), duration: Self.frameCount,
          level: level)
      ]
    case .telephony(let encoder):
      let start = index * Int64(Self.frameCount / TelephonyCodec.samplesPerByte)
      if position + Int64(waiting.count) != start {
        waiting.removeAll(keepingCapacity: true)
        position = start
      }
      var span = bytes.mutableSpan
      let count = encoder.encode(samples, into: &span)
      waiting += bytes[..<count]
      var packets: [EncodedAudioFrame] = []
      while waiting.count >= packetSize {
        packets.append(
          EncodedAudioFrame(
            payload: Array(waiting[..<packetSize]), position: position, duration: packetSize, level: level))
        waiting.removeFirst(packetSize)
        position += Int64(packetSize)
      }
      return packets
    }
  }

  /// The peer takes no more than this; the telephone codecs cannot do with less than they take.
  func limit(to bitsPerSecond: Int) {
    if case .opus(let encoder) = codec { encoder.bitsPerSecond = bitsPerSecond }
  }

  /// The share of packets that the peer reports as lost, 0 to 1, once a second: decides how much redundancy is sent.
  ///
  /// Rises at once and falls by a tenth a second, for losses come in bursts; a path without loss pays for none.
  func setExpectedLoss(_ loss: Double) {
    guard case .opus(let encoder) = codec else { return }
    let expected = max(loss, encoder.expectedPacketLoss * 0.9)
    encoder.expectedPacketLoss = expected < 0.01 ? 0 : min(expected, 0.3)
  }
}

/// The audio that comes, in whichever of the codecs agreed on; the peer may change it with any packet.
struct AudioDecoder {
  private enum Codec {
    case opus(OpusDecoder)
    case telephony(TelephonyDecoder)
  }

  private var codec: Codec?
  /// What the last call made, and room for more.
  private(set) var decoded = [Int16](repeating: 0, count: OpusDecoder.maximumFrameCount * 2)

  /// 1 or 2, interleaved.
  var channelCount: Int { if case .opus(let decoder) = codec { decoder.channelCount } else { 1 } }

  /// - Returns: sample frames of 48 kHz.
  mutating func decode(_ frame: ReceivedAudioFrame) -> Int {
    let codec = decoder(for: frame)
    self.codec = codec
    var span = decoded.mutableSpan
    switch codec {
    case .opus(let decoder):
      do {
        return try decoder.decode(frame.payload.span, into: &span)
      } catch {
        return decoder.conceal(frameCount: frame.duration, into: &span)
      }
    case .telephony(let decoder): return decoder.decode(frame.payload.span, into: &span)
    case nil: return 0
    }
  }

  /// Fills time for which there is no frame.
  ///
  /// - Returns: sample frames of 48 kHz.
  mutating func conceal(_ gap: Concealment) -> Int {
    let codec = codec
    var span = decoded.mutableSpan
    switch codec {
    case .opus(let decoder):
      if gap.cause == .loss, let next = gap.nextPayload {
        return decoder.decodeFEC(next.span, frameCount: gap.duration, into: &span)
      }
      return decoder.conceal(frameCount: gap.duration, into: &span)
    case .telephony(let decoder): return decoder.conceal(frameCount: gap.duration, into: &span)
    case nil:
      let count = min(gap.duration, OpusDecoder.maximumFrameCount)
      for index in 0..<count { span[index] = 0 }
      return count
    }
  }

  /// The decoder at hand, where it is for the frame's codec and has its channels.
  private func decoder(for frame: ReceivedAudioFrame) -> Codec? {
    if let name = frame.codec.telephony {
      if case .telephony(let decoder) = codec, decoder.codec == name { return codec }
      return .telephony(TelephonyDecoder(name))
    }
    let isStereo = (frame.payload.first ?? 0) & 0x04 != 0  // RFC 6716 §3.1, the TOC's "s"
    if case .opus(let decoder) = codec, decoder.channelCount == 2 || !isStereo { return codec }
    return (try? OpusDecoder(channelCount: isStereo ? 2 : 1)).map { .opus($0) }
  }
}

extension AudioCodec {
  /// Nil for what is no codec of ours, such as telephone events.
  init?(_ payloadType: RTPPayloadType) {
    let name = payloadType.name?.uppercased()
    guard let codec = Self.allCases.first(where: { $0.name.uppercased() == name }) else { return nil }
    self = codec
  }

  /// By which payload types know it.
  var name: String { telephony?.rawValue ?? "opus" }

  /// Payload name, clock rate and channels where they are not one, such as `opus/48000/2`.
  var encodingName: String { "\(name)/\(clockRate)\(self == .opus ? "/2" : "")" }

  var telephony: TelephonyCodec? {
    switch self {
    case .opus: nil
    case .pcmu: .pcmu
    case .pcma: .pcma
    case .g722: .g722
    }
  }
}

extension Duration {
  fileprivate var milliseconds: Int { Int(self / .milliseconds(1)) }
}
