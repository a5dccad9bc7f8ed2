/// Deadlines by key, for machines that wait for several things and arm one timer.
///
/// Small tables only: finding the next deadline looks at every entry.
package struct DeadlineTable<Key: Hashable & Sendable>: Sendable {
  private var deadlines: [Key: Instant] = [:]

  package init() {}

  /// The earliest deadline, or nil when nothing is waited for.
  package var next: Instant? { deadlines.values.min() }

  package var isEmpty: Bool { deadlines.isEmpty }

  package subscript(key: Key) -> Instant? {
    get { deadlines[key] }
    set { deadlines[key] = newValue }
  }

  /// Removes and returns the keys whose deadline has come, earliest first.
  package mutating func expired(at now: Instant) -> [Key] {
    let due = deadlines.filter { $0.value <= now }.sorted { $0.value < $1.value }.map(\.key)
    for key in due { deadlines[key] = nil }
    return due
  }
}
