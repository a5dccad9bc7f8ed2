import MediaCodecs
import MediaTime
import RTPCore
import Synchronization

/// Source to encoder and decoder to sink of one call's pictures, on one codec thread.
actor VideoPipeline {
  /// What was negotiated about the pictures.
  struct Encoding: Sendable {
    var codec: VideoCodec
    var sends: Bool
    var receives: Bool
    /// The most that is sent, whatever the path carries.
    var maximumBitsPerSecond: Int
    /// The peer's `max-fr` (RFC 7741 §6.1).
    var maximumFramesPerSecond: Int?
    /// The peer's `max-fs` × 256 (RFC 7741 §6.1).
    var maximumPixels: Int?
  }

  /// What both directions have done so far. The session knows the rest of these facts.
  struct Figures: Sendable {
    /// All but `framesSent`.
    var sent = OutboundVideoStatistics()
    /// All but `framesReceived` and the freezes; `framesDropped` counts what came whole and was not decoded.
    var received = InboundVideoStatistics()
  }

  /// How many pictures wait for their sound at most; then the oldest is shown at once.
  static let playoutLimit = 16
  /// The pixels of all that wait for their sound: 16 pictures of 1920×1080.
  static let playoutPixelLimit = 16 * 1_920 * 1_088
  /// Until the session has said what the path carries.
  static let initialBitsPerSecond = 300_000
  /// How long pictures that are late are left out before one is sent all the same.
  static let catchUpLimit = Duration.milliseconds(250)

  nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

  private nonisolated let thread: CodecThread
  private nonisolated let inbox: VideoInbox
  private nonisolated let orders = Mutex(Orders())
  private nonisolated let meter = Mutex(Meter())
  private nonisolated let requestKeyFrame: @Sendable () -> Void
  private let offer: MediaOffer
  private let encoding: Encoding
  private let timeline: SharedTimeline
  private let warn: @Sendable (CallError) -> Void
  private var isFinished = false

  private var send: (@Sendable (EncodedVideoFrame) -> Void)?
  private var encoder: VPXEncoder?
  private var scale: PictureScale
  /// The source's time zero.
  private var start = Instant(nanoseconds: 0)
  /// Read too early.
  private var held: VideoFrame?
  private var lastTimestamp: Duration?
  private var interval: Duration
  private var frameRateLimit: FrameRateLimit?
  private var captureTimer: Ticker?

  private var decoder: VPXDecoder?
  /// Decoded pictures that wait for their sound, in order.
  private var waiting: [(frame: VideoFrame, at: Instant)] = []
  private var playoutTimer: Ticker?
  private var sinkFailed = false
  private var encodedSinkFailed = false
  private var encodedSinkHasKeyFrame = false
  private var toldOfSize = false

  /// - Parameters:
  ///   - requestKeyFrame: called on any thread when the peer has to send a key frame; must not wait.
  ///   - warn: called on the codec thread with what a person would want to know; must not wait.
  init(
    _ offer: MediaOffer, _ encoding: Encoding, on thread: CodecThread, timeline: SharedTimeline,
    requestKeyFrame: @escaping @Sendable () -> Void, warn: @escaping @Sendable (CallError) -> Void
  ) {
    self.offer = offer
    self.encoding = encoding
    self.thread = thread
    self.timeline = timeline
    self.requestKeyFrame = requestKeyFrame
    self.warn = warn
    inbox = VideoInbox()
    scale = PictureScale(maximumPixels: encoding.maximumPixels)
    frameRateLimit = encoding.maximumFramesPerSecond.map { FrameRateLimit(framesPerSecond: $0) }
    interval = .seconds(1) / Self.rate(of: offer)
  }

  nonisolated var figures: Figures { meter.withLock { $0.figures(at: SystemClock.now) } }

  /// Begins to encode: the source's time zero is now.
  ///
  /// - Parameter send: called on the codec thread with each frame; must not wait.
  func start(send: @escaping @Sendable (EncodedVideoFrame) -> Void) throws {
    guard encoding.sends, offer.video != nil, !isFinished, self.send == nil else { return }
    var configuration = VPXEncoder.Configuration(codec: encoding.codec)
    configuration.framesPerSecond = framesPerSecond
    configuration.bitsPerSecond = min(Self.initialBitsPerSecond, encoding.maximumBitsPerSecond)
    encoder = try VPXEncoder(configuration)
    self.send = send
    start = SystemClock.now
    capture(at: start)
  }

  /// Carries out what the session wants of the encoder, with the next picture. Callable from any thread; never waits.
  nonisolated func request(_ request: RTPSession.EncoderRequest) {
    orders.withLock { orders in
      switch request {
      case .keyFrame: orders.wantsKeyFrame = true
      case .bitsPerSecond(let target): orders.bitsPerSecond = target
      }
    }
  }

  /// Hands over a frame that the peer sent. Callable from any thread; never waits.
  nonisolated func play(_ frame: ReceivedVideoFrame) {
    let outcome = inbox.append(frame)
    if outcome.dropped > 0 { meter.withLock { $0.figures.received.framesDropped += outcome.dropped } }
    if outcome.needsKeyFrame { requestKeyFrame() }
    if outcome.needsReader { wakeReader() }
  }

  /// Stops both directions and finishes the sink for pictures, after what is under way has been written. The encoded sink
  /// is left to whoever began it.
  func finish() {
    guard !isFinished else { return }
    while let frame = inbox.next() { receive(frame) }
    inbox.close()
    for picture in waiting { show(picture.frame) }
    waiting.removeAll()
    isFinished = true
    playoutTimer = nil
    stopSending()
    offer.videoSink?.finish()
  }

  // MARK: Out

  /// What the session wants; the newest holds.
  private struct Orders {
    var bitsPerSecond: Int?
    var wantsKeyFrame = false
  }

  private static func rate(of offer: MediaOffer) -> Int { min(max(offer.video?.framesPerSecond ?? 30, 1), 120) }

  private var framesPerSecond: Int {
    min(Self.rate(of: offer), max(1, encoding.maximumFramesPerSecond ?? 120))
  }

  private func capture(at deadline: Instant) {
    captureTimer = thread.schedule(at: deadline) { [weak self] in
      // The timer runs on the thread that is this actor's executor.
      self?.assumeIsolated { $0.capture() }
    }
  }

  /// Encodes the picture that is due, and comes back when the next one is.
  private func capture() {
    let began = SystemClock.now
    while let frame = nextFrame() {
      guard frame.timestamp > lastTimestamp ?? .zero - .seconds(1) else {
        meter.withLock { $0.figures.sent.framesDropped += 1 }
        return capture(at: began + interval)
      }
      let now = SystemClock.now
      // A source may say anything; an hour is as good as never.
      let due = start + min(frame.timestamp, (now - start) + .seconds(3_600))
      if due > now {
        held = frame
        return capture(at: due)
      }
      if let lastTimestamp { interval = min(frame.timestamp - lastTimestamp, .seconds(1)) }
      lastTimestamp = frame.timestamp
      let isLate = now - due > interval && now - began < Self.catchUpLimit
      if isLate {
        meter.withLock { $0.figures.sent.framesDropped += 1 }
      } else {
        if frameRateLimit?.admits(frame.timestamp) ?? true { encode(frame, capturedAt: due) }
        return capture(at: due + interval)
      }
    }
  }

  private func nextFrame() -> VideoFrame? {
    guard send != nil, let source = offer.video else { return nil }
    if let frame = held.take() { return frame }
    do {
      if let frame = try source.nextFrame() { return frame }
      warn(CallError(.media, "The video source has ended. The peer keeps the last picture."))
    } catch {
      warn(CallError(.media, "The video source failed: \(error). No more pictures are sent.", cause: error))
    }
    stopSending()
    return nil
  }

  private func encode(_ source: VideoFrame, capturedAt: Instant) {
    guard let encoder, let send else { return }
    let orders = orders.withLock { orders in
      defer { orders.wantsKeyFrame = false }
      return orders
    }
    let target = min(orders.bitsPerSecond ?? Self.initialBitsPerSecond, encoding.maximumBitsPerSecond)
    encoder.bitsPerSecond = target
    if orders.wantsKeyFrame { encoder.requestKeyFrame() }
    let halvings = scale.halvings(
      of: source.size, bitsPerSecond: target, framesPerSecond: framesPerSecond, at: source.timestamp)
    let began = SystemClock.now
    do {
      let frame = (0..<halvings).reduce(source) { frame, _ in frame.halved() }
      let packet = try encoder.encode(frame)
      let now = SystemClock.now
      meter.withLock { $0.encoded(packet, took: now - began, at: now) }
      guard let packet else { return }
      send(EncodedVideoFrame(payload: packet.bytes, isKeyFrame: packet.isKeyFrame, capturedAt: capturedAt))
    } catch {
      warn(CallError(.media, "Video could not be encoded: \(error). No more pictures are sent.", cause: error))
      stopSending()
    }
  }

  private func stopSending() {
    captureTimer = nil
    held = nil
    send = nil
    encoder = nil
  }

  // MARK: In

  private nonisolated func wakeReader() {
    let accepted = thread.perform { [weak self] in self?.assumeIsolated { $0.drain() } }
    if !accepted { inbox.missedReader() }
  }

  /// One frame at a time: timers, and another call's frames, come in between.
  private func drain() {
    guard !isFinished, let frame = inbox.next() else { return }
    receive(frame)
    if inbox.needsReader() { wakeReader() }
  }

  private func receive(_ frame: ReceivedVideoFrame) {
    guard encoding.receives else { return }
    let time = timeline.time(of: frame)
    keep(frame, at: time)
    guard let sink = offer.videoSink else {
      return timeline.shownVideo(at: time, now: SystemClock.now)
    }
    guard let picture = decode(frame, at: time) else { return }
    switch sink.timeline {
    case .media: show(picture)
    case .playout: hold(picture)
    }
  }

  private func keep(_ frame: ReceivedVideoFrame, at time: Duration) {
    guard let sink = offer.encodedSink, sink.kinds.contains(.video), !encodedSinkFailed else { return }
    guard encodedSinkHasKeyFrame || frame.isKeyFrame else { return requestKeyFrame() }
    encodedSinkHasKeyFrame = true
    do {
      try sink.write(video: frame.payload.span, at: time)
    } catch {
      encodedSinkFailed = true
      warn(CallError(.media, "Received video could not be written: \(error). The recording ends here.", cause: error))
    }
  }

  private func decode(_ frame: ReceivedVideoFrame, at time: Duration) -> VideoFrame? {
    let codec: VideoCodec = frame.codec == .vp8 ? .vp8 : .vp9
    // The peer may change between the codecs that were agreed on.
    if decoder?.codecName != codec { decoder = VPXDecoder(codec: codec) }
    guard let decoder else { return nil }
    let began = SystemClock.now
    do {
      let picture = try decoder.decode(frame.payload.span, timestamp: time)
      let now = SystemClock.now
      meter.withLock { $0.decoded(picture, isKeyFrame: frame.isKeyFrame, took: now - began, at: now) }
      return picture
    } catch {
      meter.withLock { $0.figures.received.framesDropped += 1 }
      if case .tooLarge = error {
        // The next key frame would be as large.
        if !toldOfSize { warn(CallError(.media, "The peer's pictures are not shown: \(error).", cause: error)) }
        toldOfSize = true
      } else {
        requestKeyFrame()
      }
      return nil
    }
  }

  // MARK: Playout

  private func hold(_ picture: VideoFrame) {
    let now = SystemClock.now
    // In order: never before the picture that came before.
    let due = max(timeline.playout(of: picture.timestamp, now: now), waiting.last?.at ?? now)
    waiting.append((picture, due))
    while waiting.count > Self.playoutLimit
      || waiting.reduce(0, { $0 + $1.frame.size.pixelCount }) > Self.playoutPixelLimit
    {
      show(waiting.removeFirst().frame)
    }
    showDue()
  }

  private func showDue() {
    let now = SystemClock.now
    while let first = waiting.first, first.at <= now {
      show(waiting.removeFirst().frame)
    }
    playoutTimer = waiting.first.map { first in
      thread.schedule(at: first.at) { [weak self] in
        // The timer runs on the thread that is this actor's executor.
        self?.assumeIsolated { $0.showDue() }
      }
    }
  }

  private func show(_ picture: VideoFrame) {
    timeline.shownVideo(at: picture.timestamp, now: SystemClock.now)
    guard let sink = offer.videoSink, !sinkFailed else { return }
    do {
      try sink.write(picture)
    } catch {
      sinkFailed = true
      warn(CallError(.media, "Received video could not be written: \(error). No more is written.", cause: error))
    }
  }
}

// MARK: -

/// From the media loop to the codec thread. Bound: 30 frames (a second), then everything before the newest key frame is
/// dropped, or everything up to the next one, which is asked for: what comes later builds on what was dropped.
private final class VideoInbox: Sendable {
  static let bound = 30

  struct Outcome {
    var dropped = 0
    var needsKeyFrame = false
    var needsReader = false
  }

  private struct State {
    var frames: [ReceivedVideoFrame] = []
    var awaitsKeyFrame = false
    var hasReader = false
    var isClosed = false
  }

  private let state = Mutex(State())

  func append(_ frame: ReceivedVideoFrame) -> Outcome {
    state.withLock { state in
      var outcome = Outcome()
      if state.isClosed { return outcome }
      if state.awaitsKeyFrame, !frame.isKeyFrame {
        outcome.dropped = 1
        return outcome
      }
      state.awaitsKeyFrame = false
      state.frames.append(frame)
      if state.frames.count > Self.bound {
        let kept = state.frames.lastIndex { $0.isKeyFrame } ?? 0
        outcome.dropped = kept > 0 ? kept : state.frames.count
        state.frames.removeFirst(outcome.dropped)
        state.awaitsKeyFrame = state.frames.isEmpty
        outcome.needsKeyFrame = state.awaitsKeyFrame
      }
      outcome.needsReader = !state.hasReader && !state.frames.isEmpty
      if outcome.needsReader { state.hasReader = true }
      return outcome
    }
  }

  func next() -> ReceivedVideoFrame? {
    state.withLock { state in
      state.hasReader = false
      return state.frames.isEmpty ? nil : state.frames.removeFirst()
    }
  }

  /// Whether the caller is to see to it that the rest is read.
  func needsReader() -> Bool {
    state.withLock { state in
      guard !state.hasReader, !state.frames.isEmpty else { return false }
      state.hasReader = true
      return true
    }
  }

  /// The thread took no more work: whoever appends next tries again.
  func missedReader() { state.withLock { $0.hasReader = false } }

  func close() {
    state.withLock { state in
      state.isClosed = true
      state.frames.removeAll()
    }
  }
}

/// Picks pictures so that no more than so many come in a second, evenly.
private struct FrameRateLimit {
  private let period: Duration
  private var next: Duration?

  init(framesPerSecond: Int) { period = .seconds(1) / max(1, framesPerSecond) }

  mutating func admits(_ timestamp: Duration) -> Bool {
    let due = next ?? timestamp
    // Timestamps are rounded.
    guard timestamp + .milliseconds(1) >= due else { return false }
    next = max(due + period, timestamp)
    return true
  }
}

/// Counts what the pipeline does.
private struct Meter {
  var figures = VideoPipeline.Figures()
  private var sent = FrameRate()
  private var received = FrameRate()

  mutating func encoded(_ packet: VPXEncoder.Packet?, took duration: Duration, at now: Instant) {
    figures.sent.totalEncodeTime += duration
    guard let packet else { return figures.sent.framesDropped += 1 }
    figures.sent.framesEncoded += 1
    if packet.isKeyFrame { figures.sent.keyFramesEncoded += 1 }
    (figures.sent.frameWidth, figures.sent.frameHeight) = (packet.size.width, packet.size.height)
    sent.count(at: now)
  }

  mutating func decoded(_ picture: VideoFrame?, isKeyFrame: Bool, took duration: Duration, at now: Instant) {
    figures.received.totalDecodeTime += duration
    figures.received.framesDecoded += 1
    if isKeyFrame { figures.received.keyFramesDecoded += 1 }
    guard let picture else { return }
    (figures.received.frameWidth, figures.received.frameHeight) = (picture.width, picture.height)
    received.count(at: now)
  }

  func figures(at now: Instant) -> VideoPipeline.Figures {
    var figures = figures
    figures.sent.framesPerSecond = sent.perSecond(at: now)
    figures.received.framesPerSecond = received.perSecond(at: now)
    return figures
  }
}

/// The frames of the last second.
private struct FrameRate {
  /// More than 120 a second are not counted.
  private var recent: [Instant] = []

  mutating func count(at now: Instant) {
    recent.removeAll { now - $0 >= .seconds(1) }
    if recent.count < 120 { recent.append(now) }
  }

  func perSecond(at now: Instant) -> Double { Double(recent.count { now - $0 < .seconds(1) }) }
}
