package import MediaTime

/// The files of one session, and what the end of one means for the session: as long as others are under way it goes on.
///
/// - Specification: XEP-0234 §6.5, §6.6
package struct FileSession: Sendable {
  package enum Ending: Hashable, Sendable {
    /// Nothing is to be told: others are under way, or the peer is going to end the session.
    case nothing
    /// Take the content out of the session, or where it is not in yet, reject it.
    case remove(content: String, Jingle.Reason)
    case terminate(Jingle.Reason)
  }

  /// How long the peer, who has received the last file, may take to end the session.
  static let patience = Duration.seconds(10)

  /// The names of the contents that are under way.
  package private(set) var open: Set<String>
  private var hasSucceeded = false
  package private(set) var nextDeadline: Instant?

  package init(_ contents: some Sequence<String>) { open = Set(contents) }

  package mutating func add(_ content: String) {
    open.insert(content)
    nextDeadline = nil
  }

  /// A file was received or sent. Who received the last one ends the session.
  package mutating func finished(_ content: String, _ outcome: FileTransfer.Outcome, at now: Instant) -> Ending {
    guard open.remove(content) != nil else { return .nothing }
    hasSucceeded = true
    guard open.isEmpty else { return .nothing }
    if case .sent(isConfirmed: true) = outcome {
      nextDeadline = now + Self.patience
      return .nothing
    }
    return .terminate(Jingle.Reason(.success))
  }

  /// A transfer failed.
  ///
  /// - Parameter reason: what the peer is told; nil when it knows.
  package mutating func failed(_ content: String, telling reason: Jingle.Reason?) -> Ending {
    guard open.remove(content) != nil else { return .nothing }
    guard open.isEmpty else { return reason.map { .remove(content: content, $0) } ?? .nothing }
    if let reason { return .terminate(reason) }
    return .terminate(Jingle.Reason(hasSucceeded ? .success : .cancel))
  }

  package mutating func timeout(at now: Instant) -> Ending {
    guard let nextDeadline, nextDeadline <= now else { return .nothing }
    self.nextDeadline = nil
    return .terminate(Jingle.Reason(.success))
  }
}
