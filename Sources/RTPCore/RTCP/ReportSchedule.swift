import MediaTime

/// When the next RTCP report is due.
///
/// A call has two parties and a report takes some hundred bytes, so one a second stays far below a twentieth of the
/// bandwidth. The intervals vary between half and one and a half times that, so that the parties do not fall into step.
///
/// - Specification: RFC 3550 §6.2, §6.3.1
struct ReportSchedule: Sendable {
  private var generator: SeededGenerator
  private(set) var next: Instant

  init(seed: UInt64, start: Instant) {
    generator = SeededGenerator(seed: seed)
    next = start + .milliseconds(500)
  }

  mutating func reported(at now: Instant) {
    next = now + .milliseconds(Int64.random(in: 500...1500, using: &generator))
  }
}

/// SplitMix64: evenly spread, not for secrets.
struct SeededGenerator: RandomNumberGenerator, Sendable {
  private var state: UInt64

  init(seed: UInt64) {
    state = seed
  }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
