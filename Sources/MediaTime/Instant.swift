/// A point on the monotonic clock: "now". Never compared with media time (`RTPTimestamp`) or the wall (`NTPTime`).
///
/// The machines of the lower floor receive it as a parameter; only machinery reads `SystemClock`.
package struct Instant: Hashable, Comparable, Sendable {
  /// Nanoseconds since an arbitrary moment that is the same for the whole process.
  package var nanoseconds: Int64

  package init(nanoseconds: Int64) {
    self.nanoseconds = nanoseconds
  }

  package static func < (a: Instant, b: Instant) -> Bool {
    a.nanoseconds < b.nanoseconds
  }

  package static func + (instant: Instant, duration: Duration) -> Instant {
    Instant(nanoseconds: instant.nanoseconds + duration.nanoseconds)
  }

  package static func - (instant: Instant, duration: Duration) -> Instant {
    Instant(nanoseconds: instant.nanoseconds - duration.nanoseconds)
  }

  package static func - (a: Instant, b: Instant) -> Duration {
    .nanoseconds(a.nanoseconds - b.nanoseconds)
  }
}

extension Duration {
  /// The whole duration in nanoseconds, clamped to what `Int64` holds (292 years).
  package var nanoseconds: Int64 {
    let (seconds, attoseconds) = components
    let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
    return overflow ? (seconds < 0 ? .min : .max) : product &+ attoseconds / 1_000_000_000
  }

  /// The duration in seconds, as a number to compute and print with.
  package var inSeconds: Double {
    let (seconds, attoseconds) = components
    return Double(seconds) + Double(attoseconds) * 1e-18
  }

  /// The duration in milliseconds, as a number to compute and print with.
  package var inMilliseconds: Double { inSeconds * 1_000 }
}
