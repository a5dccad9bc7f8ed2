/// The process's monotonic clock, read by machinery only.
package enum SystemClock {
  private static let start = ContinuousClock.now

  package static var now: Instant {
    Instant(nanoseconds: start.duration(to: .now).nanoseconds)
  }
}
