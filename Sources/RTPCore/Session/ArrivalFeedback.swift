import MediaTime

/// What this side tells the peer's congestion control: when each packet of the transport came, where transport-wide
/// feedback was agreed on; else an estimate of its own, where a limit (REMB) was.
///
/// - Specification: draft-holmer-rmcat-transport-wide-cc-extensions-01 §3, draft-alvestrand-rmcat-remb-03 §2
struct ArrivalFeedback: Sendable {
  /// Goes on counting for as long as the transport lasts.
  private var log = TransportArrivalLog()
  private var usesLog = false
  private var estimate: ReceiveSideEstimate?
  /// Made, but not taken yet.
  private var waiting: [TransportFeedback] = []

  /// Begins or ends what is agreed on now.
  mutating func update(_ configuration: RTPSession.Configuration) {
    let videos = configuration.video.filter { !$0.isRemoved }
    let usesTransport =
      configuration.audio?.usesTransportFeedback == true || videos.contains(where: \.feedback.transport)
    usesLog = usesTransport && configuration.headerExtensions.transportSequenceNumber != nil
    if !usesLog {
      _ = log.feedback()
      waiting = []
    }
    let usesEstimate =
      !usesLog && configuration.headerExtensions.absoluteSendTime != nil
      && videos.contains(where: \.feedback.bitrateLimit)
    estimate = usesEstimate ? estimate ?? ReceiveSideEstimate() : nil
  }

  var nextDeadline: Instant? { usesLog ? log.nextDeadline : estimate?.nextDeadline }

  mutating func received(_ extensions: IncomingExtensions, size: Int, at now: Instant) {
    if usesLog, let number = extensions.transportSequenceNumber { log.received(number, at: now) }
    if let time = extensions.absoluteSendTime { estimate?.received(time, size: size, at: now) }
  }

  /// What is to be sent now; to be called until it returns nil.
  ///
  /// - Parameter mediaSSRCs: the video streams that come.
  mutating func nextFeedback(mediaSSRCs: [UInt32], at now: Instant) -> FeedbackMessage? {
    if usesLog, let deadline = log.nextDeadline, deadline <= now { waiting += log.feedback() }
    if !waiting.isEmpty { return .transport(mediaSSRC: mediaSSRCs.first ?? 0, waiting.removeFirst()) }
    guard let limit = estimate?.takeLimit(at: now) else { return nil }
    guard !mediaSSRCs.isEmpty else { return nil }
    return .bitrateLimit(BitrateLimit(bitsPerSecond: limit, ssrcs: Array(mediaSSRCs.prefix(255))))
  }
}

/// How much the path carries to this side, by the times at which the packets say they were sent.
struct ReceiveSideEstimate: Sendable {
  private static let interval = Duration.seconds(1)
  /// Packets are looked at together, since those sent as a burst say one thing.
  private static let batchInterval = Duration.milliseconds(50)

  private var estimator = BandwidthEstimator(
    configuration: .init(
      initialBitsPerSecond: 10_000_000, minimumBitsPerSecond: 30_000, maximumBitsPerSecond: 10_000_000))
  private var batch: [PacketResult] = []
  private var batchDeadline: Instant?
  private var lastTicks: Int64?
  private var lastLimit: (bitsPerSecond: Int, at: Instant)?

  /// While nothing comes, nothing is due.
  var nextDeadline: Instant? { batchDeadline }

  mutating func received(_ time: AbsoluteSendTime, size: Int, at now: Instant) {
    let ticks = time.ticks(near: lastTicks ?? 0)
    lastTicks = max(ticks, lastTicks ?? ticks)
    if batch.count >= 1000 { batch.removeAll(keepingCapacity: true) }
    batch.append(
      PacketResult(sentAt: AbsoluteSendTime.instant(ofTicks: ticks), size: size, arrival: now - Instant(nanoseconds: 0))
    )
    batchDeadline = batchDeadline ?? now + Self.batchInterval
  }

  /// The limit to tell: once a second, and at once when it falls by more than three hundredths.
  mutating func takeLimit(at now: Instant) -> Int? {
    guard let batchDeadline, batchDeadline <= now else { return nil }
    estimator.received(batch, at: now)
    batch.removeAll(keepingCapacity: true)
    self.batchDeadline = nil
    let limit = estimator.bitsPerSecond
    if let lastLimit, now - lastLimit.at < Self.interval, limit * 100 >= lastLimit.bitsPerSecond * 97 { return nil }
    lastLimit = (limit, now)
    return limit
  }
}
