package import MediaTime

/// How many blocks may be under way before the first is answered.
///
/// One at a time is as fast as any number where the answers come at once; at 80 ms a round trip it is 50 KB/s. So the
/// number grows while the answers come as promptly as ever, and shrinks when they take longer than the quickest did:
/// then blocks wait in a queue of the server's, where they win nothing and delay whatever else the stream carries. It
/// changes once a round trip, by the promptest answer in it, so that single late ones do not count.
package struct BlockWindow: Hashable, Sendable {
  /// Blocks that may wait in queues along the way, by our estimate: below, the number grows; above, it shrinks.
  static let tolerableQueue = 4.0...12.0
  static let initial = 4
  static let minimum = 2
  /// How long the quickest answer is remembered: the way may become longer.
  static let memory = Duration.seconds(10)

  package private(set) var blocks: Int
  package let maximum: Int

  private var isDoubling = true
  /// The promptest answer of the present round, of the present stretch of memory, and of the one before.
  private var promptest: Duration?
  private var quickest: Duration?
  private var formerQuickest: Duration?
  private var stretchEnd: Instant?
  /// The round ends with the answer to this block or a later one.
  private var roundEnd: UInt64 = 0
  private var wasFull = false

  package init(maximum: Int) {
    self.maximum = max(1, maximum)
    blocks = min(Self.initial, self.maximum)
  }

  /// A block was answered.
  ///
  /// - Parameters:
  ///   - number: counts blocks.
  ///   - next: the number that the next block to be sent will have.
  ///   - underway: blocks under way when the answer came, with this one.
  package mutating func answered(
    _ number: UInt64, next: UInt64, after roundTrip: Duration, underway: Int, at now: Instant
  ) {
    remember(roundTrip, at: now)
    promptest = min(promptest ?? roundTrip, roundTrip)
    // What is never filled need not grow.
    wasFull = wasFull || underway >= blocks
    guard number >= roundEnd else { return }
    adjust()
    (roundEnd, promptest, wasFull) = (next, nil, false)
  }

  private mutating func adjust() {
    guard let promptest, let base = [quickest, formerQuickest].compactMap(\.self).min(), promptest > .zero else {
      return
    }
    let queued = Double(blocks) * (1 - base.inSeconds / promptest.inSeconds)
    if queued > Self.tolerableQueue.upperBound {
      isDoubling = false
      blocks -= max(1, Int((queued - Self.tolerableQueue.upperBound) / 2))
    } else if queued > Self.tolerableQueue.lowerBound {
      isDoubling = false
    } else if wasFull {
      blocks += isDoubling ? blocks : 1
    }
    blocks = min(max(blocks, min(Self.minimum, maximum)), maximum)
  }

  private mutating func remember(_ roundTrip: Duration, at now: Instant) {
    if let end = stretchEnd, now < end {
      quickest = min(quickest ?? roundTrip, roundTrip)
    } else {
      (formerQuickest, quickest) = (quickest, roundTrip)
      stretchEnd = now + Self.memory
    }
  }
}
