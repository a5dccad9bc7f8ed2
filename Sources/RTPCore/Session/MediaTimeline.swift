package import MediaTime

/// The time that the received sound and pictures of one call share. Zero is when the first of them came.
///
/// Sound is the master: its time is where its first frame arrived, and from there its own samples, whatever happens.
/// Pictures stand where the sender's reports say, beside the sound of the same moment. Before both have reports, or without
/// sound, they stand where their first frame arrived, and from there their own ticks. It does not matter whether both come
/// over one transport.
///
/// The reports' clock may be set while the call goes on, and sound and pictures tell of it seconds apart. So a place that is
/// far from the one that held is believed only after it has held for longer than a report takes, and never one that would
/// have sound and pictures travel for seconds longer than each other.
///
/// - Specification: RFC 3550 §6.4.1 (NTP timestamp), §5.1 (synchronization across media)
package struct MediaTimeline: Sendable {
  /// How long a picture waits for its sound at most.
  package static let patience = Duration.milliseconds(500)
  /// A report's new place for the pictures that is no farther than this from the old one is followed at once.
  package static let trustedStep = Duration.milliseconds(250)
  /// For how long a place farther away must hold: two report intervals (RFC 3550 §6.2).
  package static let probation = Duration.seconds(10)
  /// How much longer pictures can have travelled than sound, or the other way round; more is a clock that is wrong.
  package static let plausibleDelay = Duration.seconds(5)
  /// After this time without sound, pictures do not wait for it.
  package static let silence = Duration.seconds(1)

  /// A sound whose place is known on all clocks.
  private struct Reference {
    var time: Duration
    var captureTime: NTPTime
    var arrival: Instant
  }

  private var zero: Instant?
  /// The time of the sound's position 0.
  private var audioOrigin: Duration?
  /// The time of the pictures' position 0.
  private var videoOrigin: Duration?
  private var reference: Reference?
  /// The last sound that came, whether its capture time is known or not.
  private var newestAudio: (time: Duration, arrival: Instant)?
  private var newestVideo: Duration?
  /// A place for the pictures' position 0 that is not believed yet, and since when it holds.
  private var suspect: (origin: Duration, since: Instant)?
  /// Whether the pictures stand where the reports put them.
  private var isSynchronized = false
  /// What is heard.
  private var played: (time: Duration, at: Instant)?

  /// By how much pictures are shown before the sound of the same moment (negative: after it), as of the last picture
  /// shown; nil unless reports tell the times of both and both go on.
  package private(set) var audioVideoOffset: Duration?

  package init() {}

  /// The time of a sound's first sample. Never jumps against the sound's own positions.
  package mutating func time(of audio: ReceivedAudioFrame) -> Duration {
    let position = Self.duration(audio.position, clockRate: 48_000)
    let origin = audioOrigin ?? sinceZero(audio.arrival) - position
    audioOrigin = origin
    let time = origin + position
    newestAudio = (time, audio.arrival)
    if let captureTime = audio.captureTime {
      reference = Reference(time: time, captureTime: captureTime, arrival: audio.arrival)
    }
    return time
  }

  /// The time of a picture's capture; always later than that of the picture before.
  package mutating func time(of video: ReceivedVideoFrame) -> Duration {
    let position = Self.duration(video.position, clockRate: videoClockRate)
    var origin = videoOrigin ?? sinceZero(video.firstArrival) - position
    if let reported = reportedTime(of: video) {
      origin = judge(reported - position, held: origin, at: video.firstArrival)
    }
    videoOrigin = origin
    // Where the pictures were moved back, they go on slowly.
    let time = max(origin + position, newestVideo.map { $0 + .milliseconds(1) } ?? .zero)
    newestVideo = time
    return time
  }

  /// Notes that the sound of a time is heard now.
  package mutating func playedAudio(at time: Duration, now: Instant) {
    played = (time, now)
  }

  /// Notes that the picture of a time is shown now.
  package mutating func shownVideo(at time: Duration, now: Instant) {
    audioVideoOffset = isSynchronized ? wait(for: time, now: now) : nil
  }

  /// When a picture is to be shown that is here now: with the sound of its time; at once without sound; in half a second at
  /// the latest.
  package func playout(of time: Duration, now: Instant) -> Instant {
    guard let wait = wait(for: time, now: now) else { return now }
    return now + min(max(wait, .zero), Self.patience)
  }

  /// How long it takes until the sound of a time is heard; negative when it has been. Nil when no sound is heard.
  private func wait(for time: Duration, now: Instant) -> Duration? {
    guard let played, now - played.at < Self.silence else { return nil }
    return (time - played.time) - (now - played.at)
  }

  private mutating func sinceZero(_ arrival: Instant) -> Duration {
    let zero = zero ?? arrival
    self.zero = zero
    // Sound waits in the jitter buffer: what is seen first may have come after it.
    return max(.zero, arrival - zero)
  }

  /// Where the reports put a picture; nil where they say nothing, or what cannot be.
  private func reportedTime(of video: ReceivedVideoFrame) -> Duration? {
    guard let captureTime = video.captureTime, let reference, let newestAudio else { return nil }
    guard video.firstArrival - reference.arrival < Self.probation else { return nil }
    let time = reference.time + (captureTime - reference.captureTime)
    let timeByArrival = newestAudio.time + (video.firstArrival - newestAudio.arrival)
    return abs(timeByArrival - time) <= Self.plausibleDelay ? time : nil
  }

  /// Chooses between the place that held and the reports' one.
  private mutating func judge(_ reported: Duration, held: Duration, at now: Instant) -> Duration {
    if !isSynchronized || abs(reported - held) <= Self.trustedStep {
      isSynchronized = true
      suspect = nil
      return reported
    }
    guard let suspect, abs(reported - suspect.origin) <= Self.trustedStep else {
      suspect = (reported, now)
      return held
    }
    guard now - suspect.since >= Self.probation else { return held }
    self.suspect = nil
    return reported
  }

  private static func duration(_ ticks: Int64, clockRate: Int) -> Duration {
    let (seconds, rest) = ticks.quotientAndRemainder(dividingBy: Int64(clockRate))
    return .seconds(seconds) + .nanoseconds(rest * 1_000_000_000 / Int64(clockRate))
  }
}

private func abs(_ duration: Duration) -> Duration { duration < .zero ? .zero - duration : duration }
