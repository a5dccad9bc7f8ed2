package import MediaTime

/// How much may be sent: what the path carries, by what the receiver says of each packet.
///
/// Follows libwebrtc's Google Congestion Control in these parts: groups of packets sent together, the trendline of
/// their delay gradient, the overuse detector with its adaptive threshold, the rate that follows the delay (additive
/// near the known capacity, else multiplicative; 0.85 of what arrived on overuse), and the first loss-based controller
/// (below 2 % up, above 10 % down by half the loss). The lowest of these and of the peer's limit holds.
///
/// Not followed: probing, so that a rise takes some seconds; the congestion window, so that silence of the peer changes
/// nothing; the Bayesian throughput estimate, for which a mean over half a second stands; the search for periods in
/// which the application limits itself, where the limit of one and a half times what arrived has to do; the second
/// loss-based controller.
///
/// - Specification: draft-ietf-rmcat-gcc-02
package struct BandwidthEstimator: Sendable {
  package struct Configuration: Hashable, Sendable {
    package var initialBitsPerSecond: Int
    package var minimumBitsPerSecond: Int
    package var maximumBitsPerSecond: Int

    package init(
      initialBitsPerSecond: Int = 300_000, minimumBitsPerSecond: Int = 30_000, maximumBitsPerSecond: Int = 2_500_000
    ) {
      precondition(minimumBitsPerSecond...maximumBitsPerSecond ~= initialBitsPerSecond, "in the range")
      self.initialBitsPerSecond = initialBitsPerSecond
      self.minimumBitsPerSecond = minimumBitsPerSecond
      self.maximumBitsPerSecond = maximumBitsPerSecond
    }
  }

  /// Packets until a share of lost ones means something.
  private static let lossSampleCount = 20
  private static let throughputWindow = Duration.milliseconds(500)

  /// To be kept current by the reports.
  package var roundTripTime: Duration = .milliseconds(100)
  /// What the peer allows (REMB); nil when it has said nothing.
  package var remoteLimit: Int?
  /// The share lost of the last packets that were told about, 0 to 1.
  package private(set) var lossRate = 0.0

  /// The bounds may change; where the estimate begins, it does once.
  package var configuration: Configuration
  private var gradient = DelayGradient()
  private var control: RateControl
  private var hasArrivals = false
  /// What the loss allows.
  private var lossBased: Double
  private var lossCount = (lost: 0, total: 0)
  private var lastLossUpdate: Instant?
  private var lastLossDecrease: Instant?
  /// What arrived in the last half second of the receiver's clock.
  private var arrived: [(arrival: Duration, size: Int)] = []
  private var arrivedBytes = 0

  package init(configuration: Configuration = .init()) {
    self.configuration = configuration
    control = RateControl(bitsPerSecond: Double(configuration.initialBitsPerSecond))
    lossBased = Double(configuration.initialBitsPerSecond)
  }

  /// Whether the peer has told anything yet.
  package var hasEvidence: Bool { hasArrivals || lastLossUpdate != nil }

  /// What all streams of the transport may take together.
  package var bitsPerSecond: Int {
    // Without arrivals nothing is known of the delay.
    let delayBased = hasArrivals ? control.bitsPerSecond : .infinity
    let lowest = min(delayBased, lossBased, Double(remoteLimit ?? .max))
    return Int(min(max(lowest, Double(configuration.minimumBitsPerSecond)), Double(configuration.maximumBitsPerSecond)))
  }

  /// Takes what a report says of our packets.
  package mutating func received(_ results: [PacketResult], at now: Instant) {
    guard !results.isEmpty else { return }
    if !hasArrivals {
      hasArrivals = true
      control = RateControl(bitsPerSecond: lossBased)
    }
    var isOverused = false
    for result in results.sorted(by: { $0.sentAt < $1.sentAt }) {
      lossCount.total += 1
      guard let arrival = result.arrival else {
        lossCount.lost += 1
        continue
      }
      note(arrival: arrival, size: result.size)
      gradient.received(sentAt: result.sentAt, arrival: arrival, at: now)
      isOverused = isOverused || gradient.usage == .over
    }
    let range = Double(configuration.minimumBitsPerSecond)...Double(configuration.maximumBitsPerSecond)
    control.update(
      usage: isOverused ? .over : gradient.usage, arrived: throughput, roundTripTime: roundTripTime, at: now)
    control.clamp(to: range)
    updateLoss(at: now)
    lossBased = min(max(min(lossBased, control.bitsPerSecond), range.lowerBound), range.upperBound)
  }

  /// Takes what a receiver report says, where nothing tells of each packet.
  package mutating func received(lost: Int, of expected: Int, at now: Instant) {
    lossCount.lost += lost
    lossCount.total += expected
    updateLoss(at: now)
    let range = Double(configuration.minimumBitsPerSecond)...Double(configuration.maximumBitsPerSecond)
    lossBased = min(max(lossBased, range.lowerBound), range.upperBound)
  }

  /// - Specification: draft-ietf-rmcat-gcc-02 §6
  private mutating func updateLoss(at now: Instant) {
    guard lossCount.total >= Self.lossSampleCount else { return }
    lossRate = Double(lossCount.lost) / Double(lossCount.total)
    lossCount = (0, 0)
    let elapsed = min((now - (lastLossUpdate ?? now)).inSeconds, 1)
    lastLossUpdate = now
    if lossRate < 0.02 {
      lossBased += (0.08 * lossBased + 1000) * elapsed
    } else if lossRate > 0.1 {
      if let lastLossDecrease, now - lastLossDecrease < roundTripTime + .milliseconds(300) { return }
      lossBased *= 1 - lossRate / 2
      lastLossDecrease = now
    }
  }

  private mutating func note(arrival: Duration, size: Int) {
    // The receiver's clock has jumped.
    if let last = arrived.last, arrival < last.arrival - .seconds(1) || arrival > last.arrival + .seconds(2) {
      arrived.removeAll(keepingCapacity: true)
      arrivedBytes = 0
    }
    arrived.append((arrival, size))
    arrivedBytes += size
    let oldest = arrival - Self.throughputWindow
    var oldCount = 0
    while oldCount < arrived.count, arrived[oldCount].arrival < oldest {
      arrivedBytes -= arrived[oldCount].size
      oldCount += 1
    }
    arrived.removeFirst(oldCount)
  }

  /// Nil while too little has come.
  private var throughput: Double? {
    guard let first = arrived.first, let last = arrived.last else { return nil }
    let span = last.arrival - first.arrival
    guard span >= Self.throughputWindow / 2 else { return nil }
    // The first packet stands at the beginning of the span, not in it.
    return Double(arrivedBytes - first.size) * 8 / span.inSeconds
  }
}
