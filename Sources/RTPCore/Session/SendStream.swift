import MediaTime

/// One SSRC that this side sends: its numbers, its counts, what the peer says of it.
struct SendStream: Sendable {
  private(set) var ssrc: UInt32
  /// The peer has reported on it, so it knows what the stream belongs to.
  private(set) var isKnownToPeer = false
  private var roundTripTime: Duration?

  private let clockRate: Int
  private var nextSequenceNumber: SequenceNumber
  private var packetCount = 0
  private var octetCount = 0
  private var packetCountAtReport = 0
  private var reports = SentReports()
  private var lastBlock: (highest: UInt32, lost: Int)?

  init(ssrc: UInt32, initialSequenceNumber: SequenceNumber, clockRate: Int) {
    self.ssrc = ssrc
    self.clockRate = clockRate
    nextSequenceNumber = initialSequenceNumber
  }

  mutating func takeSequenceNumber() -> SequenceNumber {
    defer { nextSequenceNumber = nextSequenceNumber + 1 }
    return nextSequenceNumber
  }

  mutating func noteSent(payloadSize: Int) {
    packetCount += 1
    octetCount += payloadSize
  }

  /// Goes on as another source.
  ///
  /// - Specification: RFC 3550 §8.2
  mutating func change(to ssrc: UInt32) {
    self = SendStream(ssrc: ssrc, initialSequenceNumber: nextSequenceNumber, clockRate: clockRate)
  }

  /// What the last block has told of the round trip, if anything.
  mutating func takeRoundTripTime() -> Duration? {
    defer { roundTripTime = nil }
    return roundTripTime
  }

  /// Whether something was sent since the last report.
  var hasNews: Bool { packetCount > packetCountAtReport }

  /// - Specification: RFC 3550 §6.4.1
  mutating func makeReport(
    time: NTPTime, timestamp: RTPTimestamp, blocks: [ReportBlock], at now: Instant
  ) -> SenderReport {
    packetCountAtReport = packetCount
    reports.note(time, at: now)
    return SenderReport(
      ssrc: ssrc, ntpTime: time, rtpTimestamp: timestamp, packetCount: UInt32(truncatingIfNeeded: packetCount),
      octetCount: UInt32(truncatingIfNeeded: octetCount), reportBlocks: blocks)
  }

  /// Takes what the peer says of the stream into the figures.
  ///
  /// - Returns: how many packets were lost, of how many, since the last block.
  mutating func received(
    _ block: ReportBlock, into figures: inout RTPSession.OutboundStatistics, at now: Instant
  ) -> (lost: Int, expected: Int) {
    isKnownToPeer = true
    figures.remotePacketsLost = block.cumulativeLost
    figures.remoteFractionLost = Double(block.fractionLost) / 256
    figures.remoteJitter = .ofTicks(Int64(block.jitter), clockRate: clockRate)
    if block.lastSenderReport != 0,
      let answered = reports.roundTripTime(
        to: block.lastSenderReport, held: block.delaySinceLastSenderReport, at: now)
    {
      roundTripTime = answered
    }
    defer { lastBlock = (block.extendedHighestSequenceNumber, block.cumulativeLost) }
    guard let lastBlock else { return (0, 0) }
    // At most what a report interval can hold, whatever the peer says.
    let expected = min(Int(block.extendedHighestSequenceNumber &- lastBlock.highest), 10_000)
    return (min(max(block.cumulativeLost - lastBlock.lost, 0), expected), expected)
  }
}

/// When reports went out that the peer will name in its answers.
struct SentReports: Sendable {
  /// How many of them the peer may be behind.
  private static let capacity = 8

  private var reports: [(middle: UInt32, sentAt: Instant)] = []

  mutating func note(_ time: NTPTime, at now: Instant) {
    if reports.count == Self.capacity { reports.removeFirst() }
    reports.append((time.middle, now))
  }

  /// The time since the report that is answered, less what the peer held it; nil when it is none of these.
  ///
  /// - Parameter held: in units of 1/65536 s.
  /// - Specification: RFC 3550 §6.4.1, "delay since last SR"; RFC 3611 §4.5
  func roundTripTime(to middle: UInt32, held: UInt32, at now: Instant) -> Duration? {
    guard let report = reports.last(where: { $0.middle == middle }) else { return nil }
    let roundTripTime = now - report.sentAt - .ofTicks(Int64(held), clockRate: 65_536)
    // The peer's fraction of a second is rounded to 15 µs.
    return roundTripTime > .microseconds(-100) ? max(roundTripTime, .zero) : nil
  }
}

extension Duration {
  static func ofTicks(_ ticks: Int64, clockRate: Int) -> Duration {
    let (seconds, rest) = ticks.quotientAndRemainder(dividingBy: Int64(clockRate))
    return .seconds(seconds) + .nanoseconds(rest * 1_000_000_000 / Int64(clockRate))
  }
}
