import MediaTime

/// Sends keys one after the other, each as packets that tell how long it has lasted so far.
///
/// - Specification: RFC 4733 §2.5.1
struct TelephoneEventSender: Sendable {
  /// Keys that wait at most; more are refused.
  static let capacity = 64
  static let durations = Duration.milliseconds(40)...Duration.seconds(10)
  private static let interval = Duration.milliseconds(50)
  /// Between two keys, at least.
  private static let pause = Duration.milliseconds(50)
  /// How often the end is told.
  private static let endCount = 3
  /// What a packet can tell; what lasts longer goes on as another segment.
  private static let longestSegment = Int(UInt16.max)

  struct Packet: Hashable, Sendable {
    /// In ticks after the event's start.
    var offset: Int
    var isFirst: Bool
    var payload: TelephoneEventPayload
  }

  private struct Active: Sendable {
    let event: TelephoneEvent
    let start: Instant
    let duration: Duration
    var segmentStart = 0
    var isBegun = false
    var endCount = 0
    var nextPacket: Instant
  }

  private let clockRate: Int
  private var queue: [(event: TelephoneEvent, duration: Duration)] = []
  private var active: Active?
  private var pauseEnd: Instant?
  /// Since the start, those that were begun.
  private(set) var count = 0

  init(clockRate: Int) {
    self.clockRate = clockRate
  }

  /// - Returns: false when too many wait.
  mutating func append(_ event: TelephoneEvent, duration: Duration) -> Bool {
    guard queue.count < Self.capacity else { return false }
    queue.append((event, min(max(duration, Self.durations.lowerBound), Self.durations.upperBound)))
    return true
  }

  mutating func removeAll() {
    queue = []
    active = nil
  }

  /// Whether a key is held down: no sound is sent then.
  func isActive(at now: Instant) -> Bool { active.map { now < $0.start + $0.duration } ?? false }

  var nextDeadline: Instant? {
    if let active { return active.nextPacket }
    return queue.isEmpty ? nil : pauseEnd ?? Instant(nanoseconds: .min)
  }

  /// When a packet of the key that is held down is due.
  var nextPacket: Instant? { active?.nextPacket }

  /// Begins with the next key where it is time.
  ///
  /// - Returns: whether one has begun now.
  mutating func begin(at now: Instant) -> Bool {
    guard active == nil, !queue.isEmpty, pauseEnd ?? now <= now else { return false }
    let (event, duration) = queue.removeFirst()
    active = Active(event: event, start: now, duration: duration, nextPacket: now + min(Self.interval, duration))
    count += 1
    return true
  }

  /// The packet that is due; to be called until it returns nil.
  mutating func next(at now: Instant) -> Packet? {
    guard var active, active.nextPacket <= now else { return nil }
    defer { if self.active != nil { self.active = active } }
    let isEnd = now >= active.start + active.duration
    let lasted = Int((isEnd ? active.duration : now - active.start).ticks(clockRate: clockRate))
    var packet = Packet(
      offset: active.segmentStart, isFirst: !active.isBegun,
      payload: TelephoneEventPayload(
        code: active.event.code, isEnd: isEnd, duration: UInt16(clamping: lasted - active.segmentStart)))
    active.isBegun = true
    if lasted - active.segmentStart > Self.longestSegment {
      // Told once: where it is lost, the next segment's place tells the same.
      packet.payload.isEnd = false
      active.segmentStart += Self.longestSegment
      return packet
    }
    active.nextPacket = now + Self.interval
    if isEnd {
      active.endCount += 1
      if active.endCount == Self.endCount {
        self.active = nil
        pauseEnd = now + Self.pause
      }
    } else {
      active.nextPacket = min(active.nextPacket, active.start + active.duration)
    }
    return packet
  }
}
