import MediaTime

/// Decides when a source's pictures are encoded, and which are left out. Its time zero is the start.
struct VideoPacing {
  enum Verdict: Equatable {
    /// Too early: to be held until then.
    case early(due: Instant)
    /// To be encoded; it was due then.
    case due(Instant)
    /// More than an interval late: to be left out, and the next one read at once.
    case late
    /// More than the peer wants, or not later than the one before: to be left out. The next one is to be read then.
    case surplus(next: Instant)
  }

  /// How long pictures that are late are left out before one is encoded all the same: a source that cannot keep up is
  /// seen at a few pictures a second.
  static let catchUpLimit = Duration.milliseconds(250)
  /// A picture whose time is farther away than this is as good as never due.
  static let horizon = Duration.seconds(3_600)

  private var start: Instant
  private var last: Duration?
  /// Between the last two pictures.
  private var interval: Duration
  private let shortestInterval: Duration
  /// When the peer takes the next picture.
  private var nextAdmission: Duration?

  /// - Parameters:
  ///   - framesPerSecond: the source's, as far as is known beforehand.
  ///   - limit: the most pictures a second that the peer takes.
  init(start: Instant, framesPerSecond: Int, limit: Int?) {
    self.start = start
    interval = .seconds(1) / max(1, framesPerSecond)
    shortestInterval = limit.map { .seconds(1) / max(1, $0) } ?? .zero
  }

  /// - Parameters:
  ///   - timestamp: of the picture that was read last.
  ///   - began: when reading began, after the last wait.
  mutating func judge(_ timestamp: Duration, at now: Instant, readingSince began: Instant) -> Verdict {
    guard timestamp > last ?? .zero - .nanoseconds(1) else { return .surplus(next: now + interval) }
    let due = start + min(timestamp, (now - start) + Self.horizon)
    if due > now { return .early(due: due) }
    if let last { interval = min(timestamp - last, .seconds(1)) }
    last = timestamp
    if now - due > interval, now - began < Self.catchUpLimit { return .late }
    return admits(timestamp) ? .due(due) : .surplus(next: nextDue)
  }

  /// The source was not asked for so long.
  mutating func delay(by pause: Duration) { start = start + pause }

  /// When the next picture is to be read after one that was due.
  var nextDue: Instant { start + (last ?? .zero) + interval }

  /// Evenly, whatever the source's rate: after a gap, no picture comes sooner than half the peer's interval.
  private mutating func admits(_ timestamp: Duration) -> Bool {
    let due = nextAdmission ?? timestamp
    // Timestamps are rounded.
    guard timestamp + .milliseconds(1) >= due else { return false }
    nextAdmission = max(due + shortestInterval, timestamp + shortestInterval / 2)
    return true
  }
}
