/// How late packets come, compared with the fastest ones, and how long a buffer has to hold them back for nearly all to
/// be in time.
///
/// All in ticks of the clock rate. A packet's *transit* is its arrival less its position: only differences mean
/// something.
struct DelayEstimator: Sendable {
  /// The share of packets that may come too late.
  private static let toleratedLateness = 0.01
  /// How much one packet weighs against all earlier ones, once there are many: some four seconds count.
  private static let weight = 0.005
  /// Packets until the histogram is trusted.
  private static let trustedCount = 25
  private static let bucketsPerSecond: Int64 = 200

  private let clockRate: Int64
  /// Shares of packets by their lateness, 5 ms a bucket.
  private var histogram: [Double]
  private var count = 0
  /// The fastest transit in this window and in the one before, so that a drifting clock or a new path is followed.
  private var current: (fastest: Int64, start: Int64)?
  private var previousFastest: Int64?

  init(clockRate: Int, longest: Int64) {
    self.clockRate = Int64(clockRate)
    histogram = Array(repeating: 0, count: Int(longest * Self.bucketsPerSecond / Int64(clockRate)) + 1)
  }

  /// The fastest transit of the last two to four seconds, nil before the first packet.
  var fastestTransit: Int64? {
    guard let current else { return nil }
    return min(current.fastest, previousFastest ?? current.fastest)
  }

  mutating func note(transit: Int64, arrival: Int64) {
    if let window = current, arrival - window.start < 2 * clockRate {
      current?.fastest = min(window.fastest, transit)
    } else {
      previousFastest = current?.fastest
      current = (transit, arrival)
    }
    guard let fastestTransit else { return }
    let bucket = min((transit - fastestTransit) * Self.bucketsPerSecond / clockRate, Int64(histogram.count - 1))
    count += 1
    let weight = max(Self.weight, 1 / Double(count))
    for index in histogram.indices { histogram[index] *= 1 - weight }
    histogram[Int(bucket)] += weight
  }

  /// Forgets when packets come, not how unevenly: the sender has started anew.
  mutating func rebase() {
    current = nil
    previousFastest = nil
  }

  /// The delay after which all but one in a hundred packets have come; nil while too few have been seen.
  var neededDelay: Int64? {
    guard count >= Self.trustedCount else { return nil }
    var late = 0.0
    for bucket in histogram.indices.reversed() {
      late += histogram[bucket]
      if late > Self.toleratedLateness { return Int64(bucket + 1) * clockRate / Self.bucketsPerSecond }
    }
    return 0
  }
}
