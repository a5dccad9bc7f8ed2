import MediaTime

/// Makes one event of the packets that tell of it, whichever of them come, and in whatever order.
///
/// An event is known by its timestamp. It is over when a packet says so, when another one begins, or when nothing more
/// is told of it.
///
/// - Specification: RFC 4733 §2.5.2
struct TelephoneEventReceiver: Sendable {
  /// Three times the usual interval between packets, and some jitter.
  private static let patience = Duration.milliseconds(200)
  /// For how long packets of an event may come after its end.
  private static let memory = Duration.seconds(5)
  private static let longestSegment = Int(UInt16.max)

  struct Report: Hashable, Sendable {
    var event: TelephoneEvent
    var duration: Duration
  }

  private struct Known: Sendable {
    let event: TelephoneEvent
    let clockRate: Int
    /// Where the last segment begins, and what was told of it.
    var segment: RTPTimestamp
    var lasted: Int
    /// The segments before it.
    var before = 0
    var lastArrival: Instant

    /// Whether a packet tells of the event's next segment, though the end of this one may be lost.
    func isContinued(by payload: TelephoneEventPayload, at timestamp: RTPTimestamp, isMarked: Bool) -> Bool {
      let distance = timestamp - segment
      return !isMarked && payload.code == event.code && (distance == longestSegment || distance == lasted)
    }
  }

  private var current: Known?
  /// The last one that was reported.
  private var past: Known?
  private var reports: [Report] = []
  private(set) var count = 0
  private(set) var unknownCount = 0

  var nextDeadline: Instant? {
    reports.isEmpty ? current.map { $0.lastArrival + Self.patience } : Instant(nanoseconds: .min)
  }

  mutating func receive(
    _ payload: TelephoneEventPayload, timestamp: RTPTimestamp, isMarked: Bool, clockRate: Int, at now: Instant
  ) {
    guard let event = TelephoneEvent(code: payload.code) else {
      unknownCount += 1
      return
    }
    // Only events that are states last no time.
    guard payload.duration > 0, !isPast(payload, timestamp, isMarked, at: now) else { return }
    if var known = current {
      if known.isContinued(by: payload, at: timestamp, isMarked: isMarked) {
        known.before += timestamp - known.segment
        known.segment = timestamp
        known.lasted = 0
      }
      let distance = timestamp - known.segment
      guard distance >= 0 else { return }
      if distance == 0 {
        known.lasted = max(known.lasted, Int(payload.duration))
        known.lastArrival = now
        current = known
        if payload.isEnd { finish(at: now) }
        return
      }
      finish(at: now)
    }
    current = Known(
      event: event, clockRate: clockRate, segment: timestamp, lasted: Int(payload.duration), lastArrival: now)
    if payload.isEnd { finish(at: now) }
  }

  /// Whether a packet tells again of what was reported.
  private mutating func isPast(
    _ payload: TelephoneEventPayload, _ timestamp: RTPTimestamp, _ isMarked: Bool, at now: Instant
  ) -> Bool {
    guard let past, now - past.lastArrival < Self.memory else { return false }
    if past.isContinued(by: payload, at: timestamp, isMarked: isMarked), current == nil {
      self.past?.segment = timestamp
      self.past?.lasted = Int(payload.duration)
      self.past?.lastArrival = now
      return true
    }
    return timestamp - past.segment <= 0
  }

  /// The next event that is over; to be called until it returns nil.
  mutating func next(at now: Instant) -> Report? {
    if let current, current.lastArrival + Self.patience <= now { finish(at: now) }
    return reports.isEmpty ? nil : reports.removeFirst()
  }

  /// The stream begins anew, its timestamps having nothing to do with the old ones.
  mutating func restart(at now: Instant) {
    finish(at: now)
    past = nil
  }

  private mutating func finish(at now: Instant) {
    guard var known = current else { return }
    reports.append(
      Report(
        event: known.event, duration: .ofTicks(Int64(known.before + known.lasted), clockRate: known.clockRate)))
    count += 1
    known.lastArrival = now
    past = known
    current = nil
  }
}
