import MediaTime

extension RTPSession {
  /// The stream that this side sends: its numbers, its counts, its reports.
  struct Sender: Sendable {
    /// How many of our sender reports a peer may be behind with its answers.
    private static let rememberedReports = 8

    private(set) var packetCount = 0
    private(set) var octetCount = 0

    private let ssrc: UInt32
    private let wallClock: WallClock
    private let clockRate: Int
    private let initialTimestamp: RTPTimestamp
    private var nextSequenceNumber: SequenceNumber
    /// The position behind the last frame.
    private var end: Int64?
    private var last: (timestamp: RTPTimestamp, sentAt: Instant)?
    private var packetCountAtReport = 0
    private var reports: [(middle: UInt32, sentAt: Instant)] = []

    init(configuration: Configuration) {
      ssrc = configuration.localSSRC
      wallClock = configuration.wallClock
      clockRate = configuration.audio?.clockRate ?? 48_000
      initialTimestamp = configuration.audio?.initialTimestamp ?? RTPTimestamp(rawValue: 0)
      nextSequenceNumber = configuration.audio?.initialSequenceNumber ?? SequenceNumber(rawValue: 0)
    }

    /// Appends the frame's packet.
    ///
    /// - Specification: RFC 3551 §4.1 (the marker), RFC 7587 §4.1
    mutating func write(
      _ frame: EncodedAudioFrame, payloadType: UInt8, to packet: inout [UInt8], at now: Instant
    ) {
      let timestamp = initialTimestamp + Int(frame.position)
      RTPHeader(
        marker: end != frame.position, payloadType: payloadType, sequenceNumber: nextSequenceNumber,
        timestamp: timestamp, ssrc: ssrc
      ).write(to: &packet)
      packet.append(contentsOf: frame.payload)
      nextSequenceNumber = nextSequenceNumber + 1
      packetCount += 1
      octetCount += frame.payload.count
      end = frame.position + Int64(frame.duration)
      last = (timestamp, now)
    }

    /// A report on what was sent; nil when nothing was sent since the last one.
    ///
    /// - Specification: RFC 3550 §6.4
    mutating func makeReport(blocks: [ReportBlock], at now: Instant) -> SenderReport? {
      guard let last, packetCount > packetCountAtReport else { return nil }
      packetCountAtReport = packetCount
      let time = wallClock.time(at: now)
      if reports.count == Self.rememberedReports { reports.removeFirst() }
      reports.append((time.middle, now))
      let elapsed = Int(((now - last.sentAt).inSeconds * Double(clockRate)).rounded())
      return SenderReport(
        ssrc: ssrc, ntpTime: time, rtpTimestamp: last.timestamp + elapsed,
        packetCount: UInt32(truncatingIfNeeded: packetCount), octetCount: UInt32(truncatingIfNeeded: octetCount),
        reportBlocks: blocks)
    }

    /// The time since the report that a block answers, less what the peer held it; nil when it answers none of ours.
    ///
    /// - Specification: RFC 3550 §6.4.1, "delay since last SR"
    func roundTripTime(reportedIn block: ReportBlock, at now: Instant) -> Duration? {
      guard let report = reports.last(where: { $0.middle == block.lastSenderReport }) else { return nil }
      let held = Duration.nanoseconds(Int64(block.delaySinceLastSenderReport) * 1_000_000_000 / 65_536)
      let roundTripTime = now - report.sentAt - held
      // The peer's fraction of a second is rounded to 15 µs.
      return roundTripTime > .microseconds(-100) ? max(roundTripTime, .zero) : nil
    }
  }
}
