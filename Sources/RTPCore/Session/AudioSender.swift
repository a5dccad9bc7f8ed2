import MediaTime

/// The audio that this side sends.
struct AudioSender: Sendable {
  var stream: SendStream
  private(set) var figures: RTPSession.OutboundStatistics
  private var extensions: OutgoingExtensions
  private let mid: String?
  private let usesTransportFeedback: Bool

  private var sends: Bool
  private let payloadType: UInt8
  private let clockRate: Int
  private var initialTimestamp: RTPTimestamp
  /// The position behind the last frame; nil at first and after a pause.
  private var end: Int64?
  /// The moment of position 0, as far as the moments at which frames are sent tell.
  private var origin: Instant?

  private let eventPayloadType: UInt8?
  private var telephoneEvents: TelephoneEventSender
  /// Where the key that is told begins.
  private var eventStart: RTPTimestamp
  /// The next frame's position may have stood still while time went on.
  private var needsAlignment = false

  init(_ audio: RTPSession.AudioStream, extensions agreed: RTPSession.HeaderExtensions) {
    stream = SendStream(
      ssrc: audio.localSSRC, initialSequenceNumber: audio.initialSequenceNumber, clockRate: audio.clockRate)
    figures = RTPSession.OutboundStatistics(ssrc: audio.localSSRC)
    mid = audio.mid
    usesTransportFeedback = audio.usesTransportFeedback
    extensions = OutgoingExtensions(
      agreed, mid: audio.mid, isAudio: true, usesTransportFeedback: audio.usesTransportFeedback)
    sends = audio.sends
    eventPayloadType = audio.telephoneEvents?.payloadType
    telephoneEvents = TelephoneEventSender(clockRate: audio.clockRate)
    payloadType = audio.payloadType
    clockRate = audio.clockRate
    initialTimestamp = audio.initialTimestamp
    eventStart = audio.initialTimestamp
  }

  mutating func use(_ agreed: RTPSession.HeaderExtensions) {
    extensions = OutgoingExtensions(agreed, mid: mid, isAudio: true, usesTransportFeedback: usesTransportFeedback)
  }

  mutating func setSending(_ sends: Bool) {
    if sends, !self.sends {
      end = nil
      needsAlignment = origin != nil
    }
    if !sends { telephoneEvents.removeAll() }
    self.sends = sends
  }

  /// What stands before the payload in a packet, at most.
  var overhead: Int { 12 + extensions.maximumSize }

  /// Appends the frame's packet, stamped as of now: audio does not wait.
  ///
  /// - Specification: RFC 3551 §4.1 (the marker), RFC 7587 §4.1
  mutating func write(
    _ frame: borrowing EncodedAudioFrame, congestion: inout CongestionControl, to packet: inout [UInt8],
    at now: Instant
  ) {
    align(frame.position, at: now)
    RTPHeader(
      marker: end != frame.position, payloadType: payloadType, sequenceNumber: stream.takeSequenceNumber(),
      timestamp: initialTimestamp + Int(truncatingIfNeeded: frame.position), ssrc: stream.ssrc
    ).write(to: &packet)
    extensions.write(tellsMID: !stream.isKnownToPeer, level: frame.level, to: &packet)
    packet.append(contentsOf: frame.payload)
    congestion.depart(&packet, extensions, at: now)
    congestion.departedAudio(size: packet.count, at: now)
    stream.noteSent(payloadSize: frame.payload.count)
    figures.packetsSent += 1
    figures.bytesSent += frame.payload.count
    end = frame.position &+ Int64(frame.duration)
    note(frame.position, at: now)
  }

  /// After a pause, the timestamps have gone on, though the source may not.
  ///
  /// - Specification: RFC 3550 §5.1
  private mutating func align(_ position: Int64, at now: Instant) {
    guard needsAlignment, let origin else { return }
    needsAlignment = false
    let missing = (now - origin).ticks(clockRate: clockRate) - position
    if missing > Int64(clockRate / 10) { initialTimestamp = initialTimestamp + Int(truncatingIfNeeded: missing) }
  }

  /// Frames are sent somewhat unevenly: only a part of each one's difference is believed, except for a jump.
  private mutating func note(_ position: Int64, at now: Instant) {
    let sample = now - .ofTicks(position, clockRate: clockRate)
    if let origin, abs((sample - origin).inSeconds) < 0.1 {
      self.origin = origin + (sample - origin) / 16
    } else {
      origin = sample
    }
  }

  // MARK: Keys

  var telephoneEventCount: Int { telephoneEvents.count }

  var nextDeadline: Instant? { telephoneEvents.nextDeadline }

  func isPressingKey(at now: Instant) -> Bool { telephoneEvents.isActive(at: now) }

  /// - Returns: false when it cannot be sent.
  mutating func append(_ event: TelephoneEvent, duration: Duration) -> Bool {
    eventPayloadType != nil && telephoneEvents.append(event, duration: duration)
  }

  /// Whether a packet is due; begins with the next key where it is time.
  mutating func hasTelephoneEvent(at now: Instant) -> Bool {
    if telephoneEvents.begin(at: now) {
      if origin == nil {
        // No sound has told where its positions stand.
        origin = now
        needsAlignment = true
      }
      let position = origin.map { (now - $0).ticks(clockRate: clockRate) } ?? 0
      eventStart = initialTimestamp + Int(truncatingIfNeeded: max(position, end ?? position))
    }
    return telephoneEvents.nextPacket.map { $0 <= now } ?? false
  }

  /// Appends the packet that is due.
  mutating func writeTelephoneEvent(
    congestion: inout CongestionControl, to packet: inout [UInt8], at now: Instant
  ) {
    guard let payloadType = eventPayloadType, let event = telephoneEvents.next(at: now) else { return }
    RTPHeader(
      marker: event.isFirst, payloadType: payloadType, sequenceNumber: stream.takeSequenceNumber(),
      timestamp: eventStart + event.offset, ssrc: stream.ssrc
    ).write(to: &packet)
    extensions.write(tellsMID: !stream.isKnownToPeer, to: &packet)
    event.payload.write(to: &packet)
    congestion.depart(&packet, extensions, at: now)
    congestion.departedAudio(size: packet.count, at: now)
    stream.noteSent(payloadSize: TelephoneEventPayload.size)
    figures.packetsSent += 1
    figures.bytesSent += TelephoneEventPayload.size
  }

  /// A report on what was sent; nil when nothing was sent since the last one.
  mutating func makeReport(time: NTPTime, blocks: [ReportBlock], at now: Instant) -> SenderReport? {
    guard let origin, stream.hasNews else { return nil }
    let elapsed = ((now - origin).inSeconds * Double(clockRate)).rounded()
    return stream.makeReport(time: time, timestamp: initialTimestamp + Int(elapsed), blocks: blocks, at: now)
  }

  mutating func received(_ block: ReportBlock, at now: Instant) -> (lost: Int, expected: Int)? {
    block.ssrc == stream.ssrc ? stream.received(block, into: &figures, at: now) : nil
  }

  mutating func change(to ssrc: UInt32) {
    stream.change(to: ssrc)
    figures.ssrc = ssrc
  }
}
