import MediaTime

/// What the peer sends for one content: one stream at a time.
///
/// The first SSRC is it, at once, since SRTP has vouched for the packet; another takes its place when two of its packets
/// come in a row while the first is silent, at once when that has been silent for a while or has said BYE.
struct RemoteStream: Sendable {
  /// A stream that pauses for so long is no rival of one that begins: its first packet may be a key frame's.
  private static let silence = Duration.seconds(1)

  enum Verdict: Hashable, Sendable {
    case next(ExtendedSequenceNumber)
    case reordered(ExtendedSequenceNumber)
    /// The first packet of all.
    case first(ExtendedSequenceNumber)
    /// The same source with other numbers.
    case restarted(ExtendedSequenceNumber)
    /// Another source.
    case changed(from: UInt32, ExtendedSequenceNumber)
    /// Counted.
    case duplicate
    /// Of no stream that is played.
    case ignored
  }

  /// Nil before the first packet; goes on to be told after the stream's end.
  private(set) var figures = RTPSession.InboundStatistics()
  private(set) var current: ReceiveStream?

  private var clockRate: Int
  private let maximumMisorder: Int
  /// A second stream that may take the first one's place.
  private var candidate: (ssrc: UInt32, expected: SequenceNumber)?
  private var lastArrival: Instant?
  /// A stream that has ended or was replaced: its late packets do not bring it back before this time.
  private var retired: (ssrc: UInt32, until: Instant)?
  /// What earlier streams add to the figures.
  private var pastReceived = 0
  private var pastLost = 0
  /// The same moment on the sender's wall clock and in its media time.
  private var report: (time: NTPTime, timestamp: RTPTimestamp)?

  init(clockRate: Int, maximumMisorder: Int = ReceiveStream.maximumMisorder) {
    self.clockRate = clockRate
    self.maximumMisorder = maximumMisorder
  }

  var ssrc: UInt32? { current?.ssrc }

  var statistics: RTPSession.InboundStatistics {
    var statistics = figures
    statistics.packetsReceived = pastReceived + (current?.receivedCount ?? 0)
    statistics.cumulativeLost = pastLost + (current?.cumulativeLost ?? 0)
    // Of a stream that has ended, the last jitter stays told.
    if let current { statistics.jitter = .ofTicks(Int64(current.jitter), clockRate: clockRate) }
    return statistics
  }

  /// Finds a packet's place.
  ///
  /// - Parameters:
  ///   - clockRate: of the packet's codec; nil where that is not known or cannot change.
  ///   - isTimed: whether its timestamp tells when it was sent.
  /// - Specification: RFC 3550 A.1
  mutating func receive(
    _ header: RTPHeader, clockRate: Int? = nil, isTimed: Bool = true, at now: Instant
  ) -> Verdict {
    guard current?.ssrc == header.ssrc else { return begin(header, clockRate, isTimed: isTimed, at: now) }
    candidate = nil
    let verdict: Verdict
    switch current?.received(header.sequenceNumber) {
    case .newest(let number):
      verdict = .next(number)
    case .reordered(let number):
      figures.packetsReordered += 1
      verdict = .reordered(number)
    case .restarted(let number):
      report = nil
      verdict = .restarted(number)
    case .duplicate:
      figures.packetsDuplicated += 1
      return .duplicate
    case .suspect, nil:
      return .ignored
    }
    note(header, clockRate, isTimed: isTimed, at: now)
    return verdict
  }

  /// - Specification: RFC 3550 A.1, `probation`
  private mutating func begin(_ header: RTPHeader, _ clockRate: Int?, isTimed: Bool, at now: Instant) -> Verdict {
    if let retired, retired.ssrc == header.ssrc, now < retired.until { return .ignored }
    let previous = current?.ssrc ?? retired?.ssrc
    if current != nil, let lastArrival, now - lastArrival < Self.silence {
      guard let candidate, candidate.ssrc == header.ssrc, candidate.expected == header.sequenceNumber else {
        candidate = (header.ssrc, header.sequenceNumber + 1)
        return .ignored
      }
    }
    retire(at: now, patience: .seconds(5))
    let begun = ReceiveStream(
      ssrc: header.ssrc, first: header.sequenceNumber, clockRate: self.clockRate, maximumMisorder: maximumMisorder)
    current = begun
    figures.ssrc = header.ssrc
    note(header, clockRate, isTimed: isTimed, at: now)
    return previous.map { .changed(from: $0, begun.highest) } ?? .first(begun.highest)
  }

  private mutating func note(_ header: RTPHeader, _ clockRate: Int?, isTimed: Bool, at now: Instant) {
    lastArrival = now
    if let clockRate, clockRate != self.clockRate {
      self.clockRate = clockRate
      report = nil
      current?.change(clockRate: clockRate)
    }
    figures.bytesReceived += header.payloadRange.count
    if isTimed, !header.payloadRange.isEmpty { current?.noteArrival(of: header.timestamp, at: now) }
  }

  /// Keeps a stream's figures and lets another one begin.
  ///
  /// - Parameter patience: how long its late packets are not taken for its return. A sender that is put on hold may say
  ///   BYE, and come back with the same SSRC.
  mutating func retire(at now: Instant, patience: Duration = .seconds(1)) {
    guard let current else { return }
    figures = statistics
    pastReceived += current.receivedCount
    pastLost += current.cumulativeLost
    retired = (current.ssrc, now + patience)
    candidate = nil
    report = nil
    self.current = nil
  }

  mutating func received(_ report: SenderReport, at now: Instant) {
    guard report.ssrc == current?.ssrc else { return }
    current?.noteSenderReport(report.ntpTime, at: now)
    self.report = (report.ntpTime, report.rtpTimestamp)
  }

  /// When media of a timestamp was captured, on the sender's wall clock; nil before its first report.
  ///
  /// - Specification: RFC 3550 §6.4.1
  func captureTime(of timestamp: RTPTimestamp) -> NTPTime? {
    guard let report else { return nil }
    return report.time + .ofTicks(Int64(timestamp - report.timestamp), clockRate: clockRate)
  }

  mutating func makeReportBlock(at now: Instant) -> ReportBlock? {
    current?.makeReportBlock(at: now)
  }
}
