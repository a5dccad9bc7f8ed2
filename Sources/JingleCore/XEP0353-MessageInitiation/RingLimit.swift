package import MediaTime
package import XMPPCore

/// How often calls may ring that nobody answers: so many within a minute from one account, and so many from all
/// strangers together.
package struct RingLimit: Sendable {
  private struct Ring {
    var caller: JID
    var at: Instant
    var isStranger: Bool
  }

  static let window = Duration.seconds(60)

  private let perCaller: Int
  private let strangers: Int
  /// Bound: `maximumRings`.
  private var rings: [Ring] = []

  /// Contacts are bounded one by one; beyond this many together they wait, too.
  static let maximumRings = 512

  package init(perCaller: Int = 12, strangers: Int = 30) {
    self.perCaller = perCaller
    self.strangers = strangers
  }

  /// - Parameter isStranger: whether the caller is not among the account's contacts.
  /// - Returns: whether a call may ring; then it counts.
  package mutating func admit(_ caller: JID, isStranger: Bool, at now: Instant) -> Bool {
    rings.removeAll { $0.at + Self.window <= now }
    guard rings.count < Self.maximumRings, rings.count(where: { $0.caller == caller.bare }) < perCaller,
      !isStranger || rings.count(where: \.isStranger) < strangers
    else { return false }
    rings.append(Ring(caller: caller.bare, at: now, isStranger: isStranger))
    return true
  }

  /// A call of the caller's was answered: it is welcome.
  package mutating func forgive(_ caller: JID) {
    rings.removeAll { $0.caller == caller.bare }
  }
}
