package import MediaTime

/// Which packets of a stream are missing, and when to ask for them, again and no more.
///
/// Tell it of every packet; ask it for `requests` when `nextDeadline` has come.
///
/// - Specification: RFC 4585 §6.2.1
package struct NACKGenerator: Sendable {
  package struct Configuration: Hashable, Sendable {
    /// How long a missing packet may be merely late.
    package var reorderingTolerance: Duration
    /// A packet is given up after so many requests.
    package var maximumRequestCount: Int
    /// A packet is given up after this time.
    package var maximumAge: Duration
    /// When more are missing, all are given up.
    package var maximumCount: Int

    package init(
      reorderingTolerance: Duration = .milliseconds(10), maximumRequestCount: Int = 10,
      maximumAge: Duration = .seconds(1), maximumCount: Int = 512
    ) {
      self.reorderingTolerance = reorderingTolerance
      self.maximumRequestCount = maximumRequestCount
      self.maximumAge = maximumAge
      self.maximumCount = maximumCount
    }
  }

  package struct Statistics: Hashable, Sendable {
    /// Requests, the repeated ones too.
    package var requestedPackets = 0
    /// Came after they were asked for.
    package var recoveredPackets = 0
    package var abandonedPackets = 0
  }

  private struct Missing {
    var number: ExtendedSequenceNumber
    var since: Instant
    var requestCount = 0
    var nextRequest: Instant
  }

  /// The time that an answer takes; to be kept current by the reports.
  package var roundTripTime: Duration = .milliseconds(100)
  package private(set) var statistics = Statistics()

  private let configuration: Configuration
  private var highest: ExtendedSequenceNumber?
  /// In rising order.
  private var missing: [Missing] = []
  private var hasGivenUp = false

  package init(configuration: Configuration = .init()) {
    self.configuration = configuration
  }

  package var missingCount: Int { missing.count }

  /// Takes a packet of the stream, retransmitted ones too.
  package mutating func received(_ number: ExtendedSequenceNumber, at now: Instant) {
    guard let highest else {
      self.highest = number
      return
    }
    guard number > highest else {
      if let index = missing.firstIndex(where: { $0.number == number }) {
        if missing[index].requestCount > 0 { statistics.recoveredPackets += 1 }
        missing.remove(at: index)
      }
      return
    }
    self.highest = number
    let gap = number - highest - 1
    guard gap + missing.count <= configuration.maximumCount else {
      giveUp(missing.count + gap)
      missing.removeAll(keepingCapacity: true)
      return
    }
    for distance in 0..<gap {
      missing.append(
        Missing(number: highest + (distance + 1), since: now, nextRequest: now + configuration.reorderingTolerance))
    }
  }

  /// What came before a packet is not wanted any more: a frame behind it was handed on.
  package mutating func forget(before number: ExtendedSequenceNumber) {
    missing.removeAll { $0.number < number }
  }

  /// The stream has begun anew.
  package mutating func restart() {
    missing.removeAll(keepingCapacity: true)
    highest = nil
  }

  /// The numbers to ask for now, as many as a message shall hold.
  package mutating func requests(at now: Instant, limit: Int = 256) -> [SequenceNumber] {
    let count = missing.count
    missing.removeAll {
      $0.nextRequest <= now
        && ($0.requestCount >= configuration.maximumRequestCount || now - $0.since >= configuration.maximumAge)
    }
    giveUp(count - missing.count)
    var numbers: [SequenceNumber] = []
    for index in missing.indices where missing[index].nextRequest <= now && numbers.count < limit {
      numbers.append(missing[index].number.sequenceNumber)
      missing[index].requestCount += 1
      missing[index].nextRequest = now + patience
    }
    statistics.requestedPackets += numbers.count
    return numbers
  }

  /// Whether packets have been given up since the last question: only a key frame can help then.
  package mutating func takeGivenUp() -> Bool {
    defer { hasGivenUp = false }
    return hasGivenUp
  }

  package var nextDeadline: Instant? { missing.lazy.map(\.nextRequest).min() }

  /// How long an answer may take: a quarter more than the round trip, for its jitter.
  private var patience: Duration { max(roundTripTime * 5 / 4, .milliseconds(20)) }

  private mutating func giveUp(_ count: Int) {
    guard count > 0 else { return }
    statistics.abandonedPackets += count
    hasGivenUp = true
  }
}
