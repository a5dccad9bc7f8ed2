import MediaTime

/// How much of a file has been moved, and how fast.
struct TransferMeter {
  /// A rate is told from then on.
  private static let leastSeconds = 0.001

  /// How many bytes were there before.
  private(set) var offset: Int64 = 0
  /// How many were moved since.
  private(set) var count: Int64 = 0
  /// What the rate is counted from.
  private(set) var startedAt: Instant?
  /// When the last bytes were moved.
  private(set) var movedAt: Instant?

  /// Bytes can flow.
  mutating func start(from offset: Int64, at now: Instant) {
    self.offset = offset
    startedAt = now
  }

  /// The first byte moves. What was there before had to be hashed again until now, here and on the other side, which
  /// takes none of a transfer's time.
  mutating func begin(at now: Instant) { startedAt = now }

  mutating func move(_ bytes: Int, of size: Int64?, at now: Instant) -> FileProgress {
    count += Int64(bytes)
    movedAt = now
    let seconds = seconds(until: now)
    return FileProgress(
      bytes: offset + count, size: size, bytesPerSecond: seconds > Self.leastSeconds ? Double(count) / seconds : 0)
  }

  func seconds(until end: Instant) -> Double { startedAt.map { (end - $0).inSeconds } ?? 0 }
}
