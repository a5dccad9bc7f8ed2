import MediaTime

/// The bitrate that follows the delay: up step by step while all is well, down at once when queues grow.
///
/// - Specification: draft-ietf-rmcat-gcc-02 §5.5
struct RateControl: Sendable {
  private enum State {
    case hold
    case increase
  }

  private static let decrease = 0.85

  private(set) var bitsPerSecond: Double

  private var state = State.increase
  private var lastUpdate: Instant?
  private var lastDecrease: Instant?
  /// What arrived when the path was full: its mean and its variance relative to the mean, in kbit/s.
  private var capacity: (mean: Double, deviation: Double)?

  init(bitsPerSecond: Double) {
    self.bitsPerSecond = bitsPerSecond
  }

  /// - Parameter arrived: bits per second that came through of late; nil while unknown.
  mutating func update(
    usage: DelayGradient.Usage, arrived: Double?, roundTripTime: Duration, at now: Instant
  ) {
    let elapsed = min((now - (lastUpdate ?? now)).inSeconds, 1)
    lastUpdate = now
    switch usage {
    case .under:
      // The queues drain: wait until they are empty.
      state = .hold
    case .normal:
      if state == .increase {
        increase(arrived: arrived, roundTripTime: roundTripTime, elapsed: elapsed)
      }
      state = .increase
    case .over:
      // What was decided is seen a round trip later.
      if let lastDecrease, now - lastDecrease < roundTripTime + .milliseconds(100) { break }
      decrease(arrived: arrived ?? bitsPerSecond)
      lastDecrease = now
      state = .hold
    }
  }

  mutating func clamp(to range: ClosedRange<Double>) {
    bitsPerSecond = min(max(bitsPerSecond, range.lowerBound), range.upperBound)
  }

  private mutating func increase(arrived: Double?, roundTripTime: Duration, elapsed: Double) {
    if let arrived, let capacity, arrived / 1000 > capacity.mean + 3 * deviation(of: capacity) {
      self.capacity = nil  // the path has become better than it was
    }
    let step: Double
    if capacity != nil {
      // Near the limit: about a packet each response time.
      let bitsPerFrame = bitsPerSecond / 30
      let packets = max((bitsPerFrame / (8 * 1200)).rounded(.up), 1)
      let responseTime = (roundTripTime + .milliseconds(100)).inSeconds
      step = max(4000, bitsPerFrame / packets / responseTime) * elapsed
    } else {
      step = max(0.08 * bitsPerSecond, 1000) * elapsed
    }
    // Not beyond what has been proven.
    let limit = arrived.map { 1.5 * $0 + 10_000 } ?? .infinity
    if bitsPerSecond < limit { bitsPerSecond = min(bitsPerSecond + step, limit) }
  }

  private mutating func decrease(arrived: Double) {
    var next = Self.decrease * arrived
    if next > bitsPerSecond, let capacity { next = Self.decrease * capacity.mean * 1000 }
    bitsPerSecond = min(next, bitsPerSecond)
    if let capacity, arrived / 1000 < capacity.mean - 3 * deviation(of: capacity) { self.capacity = nil }
    note(capacity: arrived / 1000)
  }

  private mutating func note(capacity sample: Double) {
    let weight = 0.05
    guard let capacity else {
      self.capacity = (sample, 0.4)
      return
    }
    let mean = (1 - weight) * capacity.mean + weight * sample
    let error = capacity.mean - sample
    let deviation = (1 - weight) * capacity.deviation + weight * error * error / max(mean, 1)
    self.capacity = (mean, min(max(deviation, 0.4), 2.5))
  }

  private func deviation(of capacity: (mean: Double, deviation: Double)) -> Double {
    (capacity.deviation * capacity.mean).squareRoot()
  }
}
