import MediaTime

@testable import RTPCore

/// One direction of a network path in virtual time: delay, jitter, loss and a bottleneck with a queue.
struct TestLink<Item> {
  var delay: Duration = .milliseconds(40)
  /// Added to the delay, evenly spread: packets overtake each other.
  var jitter: Duration = .zero
  var loss = 0.0
  /// Nil without a bottleneck.
  var bitsPerSecond: Double?
  /// What the bottleneck's queue holds; the rest is dropped.
  var queue: Duration = .milliseconds(300)

  private(set) var sent = 0
  private(set) var lost = 0

  private var generator: SeededGenerator
  /// By arrival.
  private var inFlight: [(arrival: Instant, item: Item)] = []
  private var freeAt = Instant(nanoseconds: 0)

  init(seed: UInt64) {
    generator = SeededGenerator(seed: seed)
  }

  var nextArrival: Instant? { inFlight.first?.arrival }

  mutating func send(_ item: Item, size: Int, at now: Instant) {
    sent += 1
    var departure = now
    if let bitsPerSecond {
      let start = max(freeAt, now)
      guard start - now <= queue else {
        lost += 1
        return
      }
      freeAt = start + .nanoseconds(Int64(Double(size * 8) / bitsPerSecond * 1e9))
      departure = freeAt
    }
    guard Double.random(in: 0..<1, using: &generator) >= loss else {
      lost += 1
      return
    }
    let extra = jitter * Double.random(in: 0...1, using: &generator)
    let arrival = departure + delay + extra
    let place = inFlight.lastIndex { $0.arrival <= arrival }.map { $0 + 1 } ?? 0
    inFlight.insert((arrival, item), at: place)
  }

  mutating func arrived(at now: Instant) -> [Item] {
    let count = inFlight.firstIndex { $0.arrival > now } ?? inFlight.count
    defer { inFlight.removeFirst(count) }
    return inFlight.prefix(count).map(\.item)
  }
}
