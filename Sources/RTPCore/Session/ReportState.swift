import MediaTime

/// What reports have to remember.
struct ReportState: Sendable {
  /// Receivers whose reference times wait to be answered, at most.
  private static let capacity = 8
  /// A peer that changes its SSRC says BYE to the old one: the end is told when no stream has begun for this time.
  private static let goodbyeDelay = Duration.seconds(1)
  /// Sources that have said BYE, at most; the oldest makes room.
  private static let endedCapacity = 64

  var schedule: ReportSchedule
  /// Who has reported last, unless it has said BYE since.
  private var remoteSource: UInt32?
  private var ended: [(ssrc: UInt32, at: Instant)] = []
  private var goodbye: (reason: String?, due: Instant)?
  private var referenceTimes = SentReports()
  private var unanswered: [(ssrc: UInt32, middle: UInt32, arrival: Instant)] = []

  init(schedule: ReportSchedule) {
    self.schedule = schedule
  }

  var nextDeadline: Instant { min(schedule.next, goodbye?.due ?? schedule.next) }

  /// A report came. One that its BYE has overtaken says nothing.
  mutating func noteSource(_ ssrc: UInt32, at now: Instant) {
    if let end = ended.first(where: { $0.ssrc == ssrc }) {
      guard now - end.at >= Self.goodbyeDelay else { return }
      ended.removeAll { $0.ssrc == ssrc }
    }
    remoteSource = ssrc
  }

  func isRemoteSource(_ ssrc: UInt32) -> Bool { remoteSource == ssrc }
  var hasRemoteSource: Bool { remoteSource != nil }
  func hasEnded(_ ssrc: UInt32) -> Bool { ended.contains { $0.ssrc == ssrc } }

  mutating func noteGoodbye(of ssrcs: [UInt32], at now: Instant) {
    ended.removeAll { ssrcs.contains($0.ssrc) }
    ended += ssrcs.map { ($0, now) }
    ended.removeFirst(max(0, ended.count - Self.endedCapacity))
    if let remoteSource, ssrcs.contains(remoteSource) { self.remoteSource = nil }
  }

  mutating func awaitEnd(reason: String?, at now: Instant) {
    if goodbye == nil { goodbye = (reason, now + Self.goodbyeDelay) }
  }

  mutating func streamBegan(_ ssrc: UInt32) {
    ended.removeAll { $0.ssrc == ssrc }
    goodbye = nil
  }

  /// The reason, if the peer's streams have ended and none has begun.
  mutating func takeGoodbye(at now: Instant) -> String?? {
    guard let goodbye, goodbye.due <= now else { return nil }
    self.goodbye = nil
    return .some(goodbye.reason)
  }

  /// - Returns: the round trip, where the report answers ours.
  ///
  /// - Specification: RFC 3611 §4.4, §4.5
  mutating func received(_ report: ExtendedReport, localSSRC: UInt32, at now: Instant) -> Duration? {
    if let time = report.referenceTime {
      unanswered.removeAll { $0.ssrc == report.ssrc }
      if unanswered.count == Self.capacity { unanswered.removeFirst() }
      unanswered.append((report.ssrc, time.middle, now))
    }
    let answer = report.answers.last { $0.ssrc == localSSRC }
    return answer.flatMap {
      referenceTimes.roundTripTime(to: $0.lastReport, held: $0.delaySinceLastReport, at: now)
    }
  }

  /// Nil when there is nothing to say.
  mutating func makeExtendedReport(ssrc: UInt32, referenceTime: NTPTime?, at now: Instant) -> ExtendedReport? {
    guard referenceTime != nil || !unanswered.isEmpty else { return nil }
    if let referenceTime { referenceTimes.note(referenceTime, at: now) }
    let answers = unanswered.map {
      ExtendedReport.Answer(
        ssrc: $0.ssrc, lastReport: $0.middle,
        delaySinceLastReport: UInt32(min(max((now - $0.arrival).inSeconds * 65_536, 0), 4_294_967_295)))
    }
    unanswered.removeAll(keepingCapacity: true)
    return ExtendedReport(ssrc: ssrc, referenceTime: referenceTime, answers: answers)
  }
}
