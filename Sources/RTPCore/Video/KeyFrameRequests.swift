package import MediaTime

/// Asks the peer for key frames: at once when one is needed, then again at intervals until it comes.
///
/// - Specification: RFC 4585 §6.3.1, RFC 5104 §4.3.1.2
package struct KeyFrameRequester: Sendable {
  package enum Kind: Hashable, Sendable {
    case pictureLoss
    case fullIntraRequest
  }

  /// A request is repeated no sooner than this, nor than a round trip.
  package static let minimumInterval = Duration.milliseconds(300)

  /// The time that an answer takes; to be kept current by the reports.
  package var roundTripTime: Duration = .milliseconds(100)
  package private(set) var requestCount = 0

  private let kind: Kind
  private var isNeeded = false
  private var lastRequest: Instant?
  private var sequenceNumber: UInt8

  /// - Parameters:
  ///   - kind: what was negotiated.
  ///   - firstSequenceNumber: of the first full intra request; random.
  package init(kind: Kind, firstSequenceNumber: UInt8 = 0) {
    self.kind = kind
    sequenceNumber = firstSequenceNumber &- 1
  }

  /// Frames cannot be decoded without a key frame. Calling it again changes nothing.
  package mutating func need() {
    guard !isNeeded else { return }
    isNeeded = true
    sequenceNumber &+= 1
  }

  package mutating func receivedKeyFrame() {
    isNeeded = false
  }

  /// The request to send now, or nil when none is due.
  package mutating func request(mediaSSRC: UInt32, at now: Instant) -> FeedbackMessage? {
    guard let nextDeadline, nextDeadline <= now else { return nil }
    lastRequest = now
    requestCount += 1
    switch kind {
    case .pictureLoss: return .pictureLoss(mediaSSRC: mediaSSRC)
    case .fullIntraRequest:
      return .fullIntraRequest([FullIntraRequest(ssrc: mediaSSRC, sequenceNumber: sequenceNumber)])
    }
  }

  /// When to ask, nil while no key frame is needed.
  package var nextDeadline: Instant? {
    guard isNeeded else { return nil }
    guard let lastRequest else { return Instant(nanoseconds: .min) }
    return lastRequest + max(Self.minimumInterval, roundTripTime * 3 / 2)
  }
}

/// Answers requests for key frames, but not faster than a limit: what comes sooner is answered when its time has come.
///
/// - Specification: RFC 4585 §6.3.1.2, RFC 5104 §4.3.1.2
package struct KeyFrameResponder: Sendable {
  package private(set) var pictureLossCount = 0
  package private(set) var fullIntraRequestCount = 0
  package private(set) var keyFrameCount = 0

  private let minimumInterval: Duration
  private var isDue = false
  private var lastKeyFrame: Instant?
  private var lastSequenceNumber: UInt8?

  package init(minimumInterval: Duration = .milliseconds(500)) {
    self.minimumInterval = minimumInterval
  }

  /// A picture loss indication came.
  package mutating func receivedPictureLoss() {
    pictureLossCount += 1
    isDue = true
  }

  /// A full intra request came; one with the last one's number is a repetition.
  package mutating func receivedFullIntraRequest(sequenceNumber: UInt8) {
    fullIntraRequestCount += 1
    guard sequenceNumber != lastSequenceNumber else { return }
    lastSequenceNumber = sequenceNumber
    isDue = true
  }

  /// This side needs one for itself: frames were dropped.
  package mutating func need() {
    isDue = true
  }

  /// Whether the encoder is to make its next frame a key frame.
  package mutating func takeKeyFrame(at now: Instant) -> Bool {
    guard let nextDeadline, nextDeadline <= now else { return false }
    noteKeyFrame(at: now)
    return true
  }

  /// The encoder has made a key frame of its own accord: it answers what was asked before.
  package mutating func noteKeyFrame(at now: Instant) {
    isDue = false
    lastKeyFrame = now
    keyFrameCount += 1
  }

  /// When a key frame may be made, nil while none is asked for.
  package var nextDeadline: Instant? {
    guard isDue else { return nil }
    return lastKeyFrame.map { $0 + minimumInterval } ?? Instant(nanoseconds: .min)
  }
}
