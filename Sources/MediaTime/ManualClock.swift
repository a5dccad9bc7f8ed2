/// A clock that tests move by hand.
package struct ManualClock: Sendable {
  package private(set) var now: Instant

  package init(now: Instant = Instant(nanoseconds: 0)) {
    self.now = now
  }

  package mutating func advance(by duration: Duration) {
    precondition(duration >= .zero, "a monotonic clock never goes back")
    now = now + duration
  }

  package mutating func advance(to instant: Instant) {
    precondition(instant >= now, "a monotonic clock never goes back")
    now = instant
  }
}
