import MediaTime

/// The audio that the peer sends: packets in, audio to play out.
struct AudioReceiver: Sendable {
  var source: RemoteStream
  var unknownCount = 0

  private let acceptedPayloadTypes: [UInt8: AudioCodec]
  /// With their clock rates.
  private let eventPayloadTypes: [UInt8: Int]
  private var telephoneEvents = TelephoneEventReceiver()
  private var receives: Bool
  private var clock = AudioClock()
  /// Runs on 48 kHz, whatever the codec's clock.
  private var jitterBuffer: JitterBuffer
  private var remoteAudioLevel: Int?

  init(_ audio: RTPSession.AudioStream) {
    source = RemoteStream(clockRate: audio.clockRate)
    acceptedPayloadTypes = audio.acceptedPayloadTypes
    eventPayloadTypes = audio.telephoneEvents?.acceptedPayloadTypes ?? [:]
    receives = audio.receives
    jitterBuffer = JitterBuffer(clockRate: AudioClock.rate, configuration: audio.jitterBuffer)
  }

  var nextDeadline: Instant? {
    guard let event = telephoneEvents.nextDeadline else { return jitterBuffer.nextDeadline }
    return min(event, jitterBuffer.nextDeadline ?? event)
  }

  func accepts(_ payloadType: UInt8) -> Bool {
    acceptedPayloadTypes[payloadType] != nil || eventPayloadTypes[payloadType] != nil
  }

  func addStatistics(to statistics: inout RTPSession.AudioStatistics?) {
    statistics?.inbound = source.statistics
    statistics?.inbound.packetsOfUnknownPayloadType = unknownCount
    statistics?.jitterBuffer = jitterBuffer.statistics
    statistics?.inbound.packetsLate = jitterBuffer.statistics.latePackets
    statistics?.remoteAudioLevel = remoteAudioLevel
    statistics?.telephoneEventsReceived = telephoneEvents.count
    statistics?.telephoneEventsUnknown = telephoneEvents.unknownCount
  }

  /// Takes a packet of the stream, or of one that wants to be.
  mutating func receive(
    _ header: RTPHeader, in packet: Span<UInt8>, _ extensions: IncomingExtensions, at now: Instant
  ) -> (verdict: RemoteStream.Verdict, isMalformed: Bool) {
    let codec = acceptedPayloadTypes[header.payloadType]
    let eventClockRate = codec == nil ? eventPayloadTypes[header.payloadType] : nil
    // An event's packets have one timestamp: they come as late as it lasts.
    let verdict = source.receive(header, clockRate: codec?.clockRate, isTimed: eventClockRate == nil, at: now)
    let number: ExtendedSequenceNumber
    switch verdict {
    case .next(let next), .reordered(let next), .first(let next): number = next
    case .restarted(let next), .changed(_, let next):
      clock.restart()
      jitterBuffer.restart()
      telephoneEvents.restart(at: now)
      number = next
    case .duplicate, .ignored: return (verdict, false)
    }
    remoteAudioLevel = extensions.audioLevel ?? remoteAudioLevel

    // Packets without payload probe the path or keep it open.
    guard let codec, !header.payloadRange.isEmpty, receives else {
      jitterBuffer.skip(number)
      guard let eventClockRate, receives else { return (verdict, false) }
      return (verdict, !receiveEvent(header, in: packet, clockRate: eventClockRate, at: now))
    }
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

  /// - Returns: false when it is malformed.
  private mutating func receiveEvent(
    _ header: RTPHeader, in packet: Span<UInt8>, clockRate: Int, at now: Instant
  ) -> Bool {
    guard !header.payloadRange.isEmpty else { return true }
    guard let payload = TelephoneEventPayload(parsing: packet.extracting(header.payloadRange)) else { return false }
    telephoneEvents.receive(
      payload, timestamp: header.timestamp, isMarked: header.marker, clockRate: clockRate, at: now)
    return true
  }

  /// The next key that was let go; to be called until it returns nil.
  mutating func nextTelephoneEvent(at now: Instant) -> TelephoneEventReceiver.Report? {
    telephoneEvents.next(at: now)
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
