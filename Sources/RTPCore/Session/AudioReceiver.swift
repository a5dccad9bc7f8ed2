import MediaTime

/// The audio that the peer sends: packets in, audio to play out.
struct AudioReceiver: Sendable {
  var source: RemoteStream

  private let acceptedPayloadTypes: [UInt8: AudioCodec]
  private var receives: Bool
  private var clock = AudioClock()
  /// Runs on 48 kHz, whatever the codec's clock.
  private var jitterBuffer: JitterBuffer
  private var remoteAudioLevel: Int?

  init(_ audio: RTPSession.AudioStream) {
    source = RemoteStream(clockRate: audio.clockRate)
    acceptedPayloadTypes = audio.acceptedPayloadTypes
    receives = audio.receives
    jitterBuffer = JitterBuffer(clockRate: AudioClock.rate, configuration: audio.jitterBuffer)
  }

  var nextDeadline: Instant? { jitterBuffer.nextDeadline }

  func addStatistics(to statistics: inout RTPSession.AudioStatistics?) {
    statistics?.inbound = source.statistics
    statistics?.jitterBuffer = jitterBuffer.statistics
    statistics?.inbound.packetsLate = jitterBuffer.statistics.latePackets
    statistics?.remoteAudioLevel = remoteAudioLevel
  }

  /// Takes a packet of the stream, or of one that wants to be.
  mutating func receive(
    _ header: RTPHeader, in packet: Span<UInt8>, _ extensions: IncomingExtensions, at now: Instant
  ) -> (verdict: RemoteStream.Verdict, isMalformed: Bool) {
    let codec = acceptedPayloadTypes[header.payloadType]
    let verdict = source.receive(header, clockRate: codec?.clockRate, at: now)
    let number: ExtendedSequenceNumber
    switch verdict {
    case .next(let next), .reordered(let next), .first(let next): number = next
    case .restarted(let next), .changed(_, let next):
      clock.restart()
      jitterBuffer.restart()
      number = next
    case .duplicate, .ignored: return (verdict, false)
    }
    remoteAudioLevel = extensions.audioLevel ?? remoteAudioLevel

    // Packets without payload probe the path or keep it open.
    guard let codec, !header.payloadRange.isEmpty, receives else { return (verdict, false) }
    guard let parsed = codec.parse(packet.extracting(header.payloadRange)) else { return (verdict, true) }
    guard
      let timestamp = clock.time(
        of: header.timestamp, number: number, clockRate: codec.clockRate, duration: parsed.duration)
    else { return (verdict, false) }
    jitterBuffer.insert(
      JitterBuffer.Packet(
        sequenceNumber: number, timestamp: timestamp, codec: codec,
        payload: packet.bytes(in: header.payloadRange), duration: parsed.duration, isSilence: parsed.isSilence,
        captureTime: source.captureTime(of: header.timestamp)),
      at: now)
    return (verdict, false)
  }

  /// The next piece that is due; to be called until it returns nil.
  mutating func nextUnit(at now: Instant) -> PlayoutUnit? {
    jitterBuffer.next(at: now)
  }

  /// What was not played yet, for recordings to be whole.
  mutating func takeAll() -> [ReceivedAudioFrame] { jitterBuffer.takeAll() }

  /// The stream has ended: what has come is played.
  mutating func retire(at now: Instant) {
    source.retire(at: now)
    jitterBuffer.drain()
  }

  mutating func setReceiving(_ receives: Bool) {
    self.receives = receives
    if !receives { jitterBuffer.drain() }
  }
}
