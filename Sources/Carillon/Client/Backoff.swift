/// How long to wait before something is tried again: twice as long each time, up to a limit, and never at the same
/// moment as everybody else.
struct Backoff: Hashable, Sendable {
  /// Between attempts to connect.
  static let connecting = Backoff(first: .seconds(1), longest: .seconds(60))
  /// Between questions to a peer whether it still has a call. It may itself be without a stream.
  static let seeking = Backoff(first: .seconds(2), longest: .seconds(120))

  private let first: Duration
  private let longest: Duration
  private var next: Duration

  init(first: Duration, longest: Duration) {
    self.first = first
    self.longest = longest
    next = first
  }

  /// The next pause: between half of what has come due and all of it.
  mutating func pause(using random: inout some RandomNumberGenerator) -> Duration {
    defer { next = min(next * 2, longest) }
    return next * Double.random(in: 0.5...1, using: &random)
  }

  mutating func reset() { next = first }
}
