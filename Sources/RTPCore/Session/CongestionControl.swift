import MediaTime

/// How much this side may send, by what the peer says of what came.
///
/// Where transport-wide feedback was agreed on, delay and loss of each packet count; until it comes, or without it, the
/// loss in the receiver reports and the peer's limit (REMB) do.
struct CongestionControl: Sendable {
  /// After this time without feedback on what is sent, the path is taken for broken, and each second more halves the
  /// rate.
  private static let patience = Duration.seconds(2)
  /// What the headers take of the bitrate.
  private static let overhead = 0.05
  /// Assumed before it is measured.
  private static let usualAudioBitsPerSecond = 40_000.0

  private var configuration: BandwidthEstimator.Configuration
  private var estimator: BandwidthEstimator
  private var sequencer = TransportSequencer()
  private var hasFeedback = false
  /// The last packet that is to be told about, and the first of those since the last feedback.
  private var lastDeparture: Instant?
  private var unansweredSince: Instant?
  private var silenceFactor = 1.0
  private var hasLimit = false
  private var audioBitsPerSecond = 0.0
  private var audioWindow: (start: Instant, bytes: Int)?

  init(_ configuration: BandwidthEstimator.Configuration) {
    self.configuration = configuration
    estimator = BandwidthEstimator(configuration: configuration)
  }

  /// Begins with an estimate anew, as the first video comes: what was learned from audio alone would hold it down. The
  /// transport-wide numbers go on.
  mutating func restart(_ configuration: BandwidthEstimator.Configuration) {
    self.configuration = configuration
    let roundTripTime = estimator.roundTripTime
    estimator = BandwidthEstimator(configuration: configuration)
    estimator.roundTripTime = roundTripTime
    hasLimit = false
    unansweredSince = nil
    silenceFactor = 1
  }

  /// Goes on with the estimate, in other bounds.
  mutating func setBounds(_ configuration: BandwidthEstimator.Configuration) {
    self.configuration = configuration
    estimator.configuration = configuration
  }

  /// Audio comes or goes.
  mutating func setAudio(sends: Bool) {
    audioBitsPerSecond = sends ? Self.usualAudioBitsPerSecond : 0
    audioWindow = nil
  }

  /// What all streams may take together.
  var bitsPerSecond: Int {
    max(Int(Double(estimator.bitsPerSecond) * silenceFactor), configuration.minimumBitsPerSecond)
  }

  /// Nil while nothing has come that an estimate could rest on.
  var availableBitsPerSecond: Int? {
    estimator.hasEvidence || hasLimit ? bitsPerSecond : nil
  }

  /// For the encoder of each of the videos: less the audio, the headers and what is sent again.
  func videoTarget(count: Int) -> Int {
    let share = 1 - Self.overhead - min(estimator.lossRate, 0.25)
    let target = (Double(bitsPerSecond) - audioBitsPerSecond) * share / Double(max(count, 1))
    return max(Int(target), configuration.minimumBitsPerSecond)
  }

  /// Stamps a packet that leaves now.
  mutating func depart(_ packet: inout [UInt8], _ extensions: OutgoingExtensions, at now: Instant) {
    guard extensions.stamp(&packet, sequencer: &sequencer, at: now) else { return }
    // After a pause of our own, the peer's silence begins anew.
    if let lastDeparture, now - lastDeparture > .seconds(1) {
      unansweredSince = nil
      silenceFactor = 1
    }
    unansweredSince = unansweredSince ?? now
    lastDeparture = now
  }

  /// Measures what the audio takes.
  mutating func departedAudio(size: Int, at now: Instant) {
    let window = audioWindow ?? (now, 0)
    audioWindow = (window.start, window.bytes + size)
    let elapsed = now - window.start
    guard elapsed >= .seconds(1) else { return }
    audioBitsPerSecond = Double(window.bytes * 8) / elapsed.inSeconds
    audioWindow = (now, size)
  }

  // MARK: What the peer says

  mutating func received(_ feedback: TransportFeedback, at now: Instant) {
    hasFeedback = true
    unansweredSince = nil
    silenceFactor = 1
    estimator.received(sequencer.results(of: feedback), at: now)
  }

  mutating func received(_ limit: BitrateLimit) {
    hasLimit = true
    estimator.remoteLimit = limit.bitsPerSecond
  }

  mutating func received(lost: Int, of expected: Int, at now: Instant) {
    guard !hasFeedback else { return }
    estimator.received(lost: lost, of: expected, at: now)
  }

  mutating func note(roundTripTime: Duration) {
    estimator.roundTripTime = roundTripTime
  }

  /// Backs off while feedback that used to come has fallen silent though we send.
  mutating func update() {
    guard hasFeedback, let unansweredSince, let lastDeparture else { return }
    // While nothing is sent (on hold), there is nothing to be answered.
    let silence = lastDeparture - unansweredSince - Self.patience
    guard silence > .zero else { return }
    let halvings = min(Int(silence.inSeconds) + 1, 10)
    silenceFactor = 1 / Double(1 << halvings)
  }
}
