import MediaTime

/// What is known of one content's media at one moment; counters run from the transport's beginning.
struct MediaObservation: Hashable, Sendable {
  /// That came, of the content.
  var packets = 0
  /// That came over the content's transport.
  var unauthenticated: Int
  var unknownPayloadTypes: Int
  /// Since anything of the peer's came over the transport; nil when nothing ever did.
  var silence: Duration?
  /// Whether the peer's reports come even while its media does not.
  var hasReports = true
}

/// Tells when a content's media does not come though it should, and why, as far as that can be known.
struct MediaWatch {
  /// How long nothing may come.
  static let patience = Duration.seconds(5)

  private var last: (observation: MediaObservation, at: Instant)?
  private(set) var isMissing = false

  enum Verdict: Equatable {
    case missing(MediaAbsence)
    case found
  }

  /// Nothing is expected for now: the wait begins anew.
  mutating func pause() { last = nil }

  /// Takes what is known now.
  ///
  /// - Parameter excuse: what the peer, or this side, has said about it.
  mutating func observe(_ observation: MediaObservation, excuse: MediaAbsence?, at now: Instant) -> Verdict? {
    guard let (before, since) = last else {
      last = (observation, now)
      return nil
    }
    if observation.packets > before.packets {
      last = (observation, now)
      defer { isMissing = false }
      return isMissing ? .found : nil
    }
    guard !isMissing, now - since >= Self.patience else { return nil }
    isMissing = true
    return .missing(excuse ?? cause(before, observation))
  }

  private func cause(_ before: MediaObservation, _ now: MediaObservation) -> MediaAbsence {
    if now.unauthenticated > before.unauthenticated { return .nothingDecrypts }
    if now.unknownPayloadTypes > before.unknownPayloadTypes { return .unknownPayloadType }
    // Without reports silence says nothing, and the path holds as long as ICE says so.
    guard now.hasReports else { return .notSent }
    return now.silence.map { $0 < Self.patience } ?? false ? .notSent : .consentLost
  }
}
