package import MediaTime

/// What is known of one stream that the peer sends: which packets have come, how many are missing, how unevenly they
/// come.
///
/// - Specification: RFC 3550 §6.4.1, appendices A.1, A.3, A.8
package struct ReceiveStream: Sendable {
  /// A jump ahead of this many packets or more is no loss but a restart.
  package static let maximumDropout = 3000
  /// A packet may come this late, usually.
  package static let maximumMisorder = 100

  /// What a packet's number says of it.
  package enum Arrival: Hashable, Sendable {
    case newest(ExtendedSequenceNumber)
    case reordered(ExtendedSequenceNumber)
    case duplicate
    /// Far from what was expected: ignored, unless the next one follows it.
    case suspect
    /// The second of two in a row that were far from what was expected: the sender has started anew.
    case restarted(ExtendedSequenceNumber)
  }

  package let ssrc: UInt32
  package private(set) var highest: ExtendedSequenceNumber
  /// As RFC 3550 counts: with duplicates and late packets.
  package private(set) var receivedCount = 0

  private var clockRate: Int
  private let maximumMisorder: Int
  private var first: ExtendedSequenceNumber
  private var expectedAfterJump: SequenceNumber?
  /// Bit n: the packet n before the highest has come.
  private var window: UInt128 = 1
  /// What counted before the last restart.
  private var expectedBefore = 0
  private var lastTransit: UInt32?
  /// In 1/16 ticks.
  private var scaledJitter: Int64 = 0
  private var expectedAtReport = 0
  private var receivedAtReport = 0
  private var lastSenderReport: (middle: UInt32, arrival: Instant)?

  /// Begins with the first packet, which counts as received.
  ///
  /// - Parameter maximumMisorder: more where packets are sent again under their own numbers. Duplicates are told apart up to
  ///   128 packets back.
  package init(
    ssrc: UInt32, first: SequenceNumber, clockRate: Int, maximumMisorder: Int = Self.maximumMisorder
  ) {
    self.ssrc = ssrc
    self.clockRate = clockRate
    self.maximumMisorder = maximumMisorder
    self.first = ExtendedSequenceNumber(first)
    highest = self.first
    receivedCount = 1
  }

  package var expectedCount: Int { expectedBefore + (highest - first) + 1 }

  /// Negative when duplicates outnumber the losses.
  package var cumulativeLost: Int { expectedCount - receivedCount }

  /// In ticks of the clock rate.
  package var jitter: UInt32 { UInt32(clamping: scaledJitter >> 4) }

  /// - Specification: RFC 3550 A.1, `update_seq`
  package mutating func received(_ number: SequenceNumber) -> Arrival {
    let ahead = Int((number.rawValue &- highest.sequenceNumber.rawValue))
    if ahead > 0, ahead < Self.maximumDropout {
      window = ahead < 128 ? window << UInt128(ahead) | 1 : 1
      highest = highest + ahead
      receivedCount += 1
      expectedAfterJump = nil
      return .newest(highest)
    }
    let behind = ahead == 0 ? 0 : 0x1_0000 - ahead
    if behind <= maximumMisorder {
      receivedCount += 1
      guard behind < 128 else { return .reordered(highest + -behind) }
      let bit = UInt128(1) << UInt128(behind)
      guard window & bit == 0 else { return .duplicate }
      window |= bit
      return .reordered(highest + -behind)
    }
    guard number == expectedAfterJump else {
      expectedAfterJump = number + 1
      return .suspect
    }
    expectedBefore = expectedCount
    first = ExtendedSequenceNumber(number)
    highest = first
    window = 1
    receivedCount += 1
    expectedAfterJump = nil
    lastTransit = nil
    return .restarted(highest)
  }

  /// Takes a packet's arrival into the interarrival jitter, but for a jump of the timestamps: after a pause they may
  /// have stood still meanwhile.
  ///
  /// - Specification: RFC 3550 A.8
  package mutating func noteArrival(of timestamp: RTPTimestamp, at now: Instant) {
    let arrival = UInt32(truncatingIfNeeded: now.ticks(clockRate: clockRate))
    let transit = arrival &- timestamp.rawValue
    defer { lastTransit = transit }
    guard let lastTransit else { return }
    let difference = abs(Int64(Int32(bitPattern: transit &- lastTransit)))
    guard difference < Int64(clockRate) else { return }
    scaledJitter += difference - ((scaledJitter + 8) >> 4)
  }

  /// The packets' timestamps count at another rate from now on: the jitter keeps its length in time.
  ///
  /// - Specification: RFC 7160 §4
  mutating func change(clockRate: Int) {
    scaledJitter = scaledJitter * Int64(clockRate) / Int64(self.clockRate)
    self.clockRate = clockRate
    lastTransit = nil
  }

  package mutating func noteSenderReport(_ time: NTPTime, at now: Instant) {
    lastSenderReport = (time.middle, now)
  }

  /// What is to be reported now; the fraction lost counts from the last call.
  ///
  /// - Specification: RFC 3550 A.3
  package mutating func makeReportBlock(at now: Instant) -> ReportBlock {
    let expected = expectedCount - expectedAtReport
    let lost = expected - (receivedCount - receivedAtReport)
    expectedAtReport = expectedCount
    receivedAtReport = receivedCount
    let delay = lastSenderReport.map { (now - $0.arrival).inSeconds * 65_536 } ?? 0
    return ReportBlock(
      ssrc: ssrc, fractionLost: expected > 0 && lost > 0 ? UInt8(clamping: (lost << 8) / expected) : 0,
      cumulativeLost: cumulativeLost, extendedHighestSequenceNumber: UInt32(truncatingIfNeeded: highest.rawValue),
      jitter: jitter, lastSenderReport: lastSenderReport?.middle ?? 0,
      delaySinceLastSenderReport: UInt32(min(max(delay, 0), 4_294_967_295)))
  }
}

extension Instant {
  /// The instant in ticks of a clock rate.
  func ticks(clockRate: Int) -> Int64 {
    let (seconds, rest) = nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
    return seconds &* Int64(clockRate) &+ rest &* Int64(clockRate) / 1_000_000_000
  }
}
