import MediaTime

/// Whether the queues on the path grow, by how much longer each group of packets takes than the one before.
///
/// Groups are packets sent within 5 ms. The delay that has added up is smoothed; the slope of a straight line through
/// the last twenty groups is the trend. It is compared with a threshold that follows the trend slowly, so that a
/// competing flow does not starve this one.
///
/// - Specification: draft-ietf-rmcat-gcc-02 §5.2 to §5.4, with the trendline in place of the Kalman filter
struct DelayGradient: Sendable {
  enum Usage: Hashable, Sendable {
    case normal
    case over
    case under
  }

  private struct Group {
    var firstSent: Instant
    var lastSent: Instant
    var lastArrival: Duration
  }

  private static let groupSpan = Duration.milliseconds(5)
  private static let windowCount = 20
  private static let smoothing = 0.9
  private static let gain = 4.0
  private static let maximumDeltaCount = 60
  private static let thresholdRange = 6.0...600.0

  private(set) var usage = Usage.normal

  private var current: Group?
  private var previous: Group?
  private var deltaCount = 0
  /// Milliseconds.
  private var accumulatedDelay = 0.0
  private var smoothedDelay = 0.0
  private var window: [(arrival: Double, delay: Double)] = []
  private var threshold = 12.5
  private var thresholdUpdatedAt: Instant?
  private var previousTrend = 0.0
  /// How long the trend has been above the threshold, in milliseconds, and for how many groups.
  private var overuse: (time: Double, count: Int)?

  /// Takes a packet that arrived; packets come in the order in which they were sent.
  mutating func received(sentAt: Instant, arrival: Duration, at now: Instant) {
    guard var group = current else {
      current = Group(firstSent: sentAt, lastSent: sentAt, lastArrival: arrival)
      return
    }
    guard sentAt >= group.firstSent else { return }
    if belongs(sentAt, arrival, to: group) {
      group.lastSent = max(group.lastSent, sentAt)
      group.lastArrival = max(group.lastArrival, arrival)
      current = group
      return
    }
    if let previous {
      update(
        sendDelta: (group.lastSent - previous.lastSent).inMilliseconds,
        arrivalDelta: (group.lastArrival - previous.lastArrival).inMilliseconds,
        arrival: group.lastArrival.inMilliseconds, at: now)
    }
    previous = group
    current = Group(firstSent: sentAt, lastSent: sentAt, lastArrival: arrival)
  }

  /// Sent together, or arrived together since something held them up.
  private func belongs(_ sentAt: Instant, _ arrival: Duration, to group: Group) -> Bool {
    if sentAt - group.firstSent <= Self.groupSpan { return true }
    let arrivalDelta = arrival - group.lastArrival
    return arrivalDelta <= Self.groupSpan && arrivalDelta < sentAt - group.lastSent
      && sentAt - group.firstSent < .milliseconds(100)
  }

  private mutating func update(sendDelta: Double, arrivalDelta: Double, arrival: Double, at now: Instant) {
    // The receiver's clock was set, or the path has changed: begin anew.
    guard abs(arrivalDelta - sendDelta) < 3000 else {
      window.removeAll()
      deltaCount = 0
      accumulatedDelay = 0
      smoothedDelay = 0
      return
    }
    deltaCount += 1
    accumulatedDelay += arrivalDelta - sendDelta
    smoothedDelay = Self.smoothing * smoothedDelay + (1 - Self.smoothing) * accumulatedDelay
    if window.count == Self.windowCount { window.removeFirst() }
    window.append((arrival, smoothedDelay))
    detect(trend: window.count == Self.windowCount ? slope() : previousTrend, sendDelta: sendDelta, at: now)
  }

  /// Of the line with the least squares.
  private func slope() -> Double {
    let count = Double(window.count)
    let meanArrival = window.reduce(0) { $0 + $1.arrival } / count
    let meanDelay = window.reduce(0) { $0 + $1.delay } / count
    var covariance = 0.0
    var variance = 0.0
    for point in window {
      covariance += (point.arrival - meanArrival) * (point.delay - meanDelay)
      variance += (point.arrival - meanArrival) * (point.arrival - meanArrival)
    }
    return variance > 0 ? covariance / variance : previousTrend
  }

  /// - Specification: draft-ietf-rmcat-gcc-02 §5.4
  private mutating func detect(trend: Double, sendDelta: Double, at now: Instant) {
    let scaled = Double(min(deltaCount, Self.maximumDeltaCount)) * trend * Self.gain
    if scaled > threshold {
      let time = overuse.map { $0.time + sendDelta } ?? sendDelta / 2
      let count = (overuse?.count ?? 0) + 1
      overuse = (time, count)
      if time > 10, count > 1, trend >= previousTrend {
        overuse = (0, 0)
        usage = .over
      }
    } else {
      overuse = nil
      usage = scaled < -threshold ? .under : .normal
    }
    previousTrend = trend
    updateThreshold(abs(scaled), at: now)
  }

  private mutating func updateThreshold(_ trend: Double, at now: Instant) {
    let elapsed = min((now - (thresholdUpdatedAt ?? now)).inMilliseconds, 100)
    thresholdUpdatedAt = now
    // A spike, as of a route that changes, is not to be learned from.
    guard trend <= threshold + 15 else { return }
    let rate = trend < threshold ? 0.039 : 0.0087
    threshold += rate * (trend - threshold) * elapsed
    threshold = min(max(threshold, Self.thresholdRange.lowerBound), Self.thresholdRange.upperBound)
  }
}
