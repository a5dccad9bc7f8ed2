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

  /// Until the session has said what the path carries.
  static let initialBitsPerSecond = 300_000

  nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

  private nonisolated let thread: CodecThread
  private nonisolated let inbox: VideoInbox
  private nonisolated let orders = Mutex(Orders())
  private nonisolated let meter = Mutex(VideoMeter())
  private nonisolated let requestKeyFrame: @Sendable () -> Void
  private let offer: MediaOffer
  private var encoding: Encoding
  private let timeline: SharedTimeline
  private let warn: @Sendable (CallError) -> Void
  private var isFinished = false

  /// Once: a source that has ended is not asked again.
  private var hasStarted = false
  private var pausedAt: Instant?
  private var send: (@Sendable (EncodedVideoFrame) -> Void)?
  private var encoder: VPXEncoder?
  private var scale: PictureScale
  private var pacing: VideoPacing?
  /// Read too early.
  private var held: VideoFrame?
  private var captureTimer: Ticker?

  private var decoder: VPXDecoder?
  private var waiting = VideoPlayoutQueue()
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
  }

  nonisolated var figures: Figures { meter.withLock { $0.figures(at: SystemClock.now) } }

  /// Begins to encode: the source's time zero is now.
  ///
  /// - Parameter send: called on the codec thread with each frame; must not wait.
  func start(send: @escaping @Sendable (EncodedVideoFrame) -> Void) throws {
    guard offer.video != nil, !isFinished, !hasStarted else { return }
    hasStarted = true
    var configuration = VPXEncoder.Configuration(codec: encoding.codec)
    configuration.framesPerSecond = framesPerSecond
    configuration.bitsPerSecond = min(Self.initialBitsPerSecond, encoding.maximumBitsPerSecond)
    encoder = try VPXEncoder(configuration)
    self.send = send
    let now = SystemClock.now
    pacing = VideoPacing(start: now, framesPerSecond: sourceRate, limit: encoding.maximumFramesPerSecond)
    if encoding.sends { capture(at: now) } else { pausedAt = now }
  }

  /// Which way pictures flow from now on. What is not sent is not read either: a file goes on where it stopped.
  func setFlow(sends: Bool, receives: Bool) {
    encoding.receives = receives
    guard sends != encoding.sends else { return }
    encoding.sends = sends
    guard send != nil else { return }
    let now = SystemClock.now
    if sends, let pausedAt {
      self.pausedAt = nil
      pacing?.delay(by: now - pausedAt)
      orders.withLock { $0.wantsKeyFrame = true }
      capture(at: now)
    } else if !sends {
      pausedAt = now
      captureTimer = nil
    }
  }

  /// The peer takes no more than this.
  func limit(to bitsPerSecond: Int) {
    let (lower, upper) = (VPXEncoder.bitrates.lowerBound, VPXEncoder.bitrates.upperBound)
    encoding.maximumBitsPerSecond = min(max(bitsPerSecond, lower), upper)
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
    while let picture = waiting.next(at: Instant(nanoseconds: .max)) { show(picture) }
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

  private var sourceRate: Int { min(max(offer.video?.framesPerSecond ?? 30, 1), 120) }

  private var framesPerSecond: Int { min(sourceRate, max(1, encoding.maximumFramesPerSecond ?? 120)) }

  private func capture(at deadline: Instant) {
    captureTimer = thread.schedule(at: deadline) { [weak self] in
      // The timer runs on the thread that is this actor's executor.
      self?.assumeIsolated { $0.capture() }
    }
  }

  /// Encodes the picture that is due, and comes back when the next one is.
  private func capture() {
    guard encoding.sends else { return }
    let began = SystemClock.now
    while let frame = nextFrame(),
      let verdict = pacing?.judge(frame.timestamp, at: SystemClock.now, readingSince: began)
    {
      switch verdict {
      case .early(let due):
        held = frame
        return capture(at: due)
      case .late:
        meter.withLock { $0.figures.sent.framesDropped += 1 }
      case .surplus(let next):
        return capture(at: next)
      case .due(let due):
        encode(frame, capturedAt: due)
        if let pacing { capture(at: pacing.nextDue) }
        return
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
      scale.encoded(bits: 8 * (packet?.bytes.count ?? 0), at: source.timestamp)
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
    pacing = nil
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
      guard frame.videoCodec == encoding.codec else {
        throw CallError(.media, "the peer sends \(frame.videoCodec.rawValue) now")
      }
      try sink.write(video: frame.payload.span, at: time)
    } catch {
      encodedSinkFailed = true
      warn(CallError(.media, "Received video could not be written: \(error). The recording ends here.", cause: error))
    }
  }

  private func decode(_ frame: ReceivedVideoFrame, at time: Duration) -> VideoFrame? {
    // The peer may change between the codecs that were agreed on.
    if decoder?.codecName != frame.videoCodec { decoder = VPXDecoder(codec: frame.videoCodec) }
    guard let decoder else { return nil }
    let began = SystemClock.now
    do {
      let picture = try decoder.decode(frame.payload.span, timestamp: time)
      let duration = SystemClock.now - began
      meter.withLock { $0.decoded(picture, isKeyFrame: frame.isKeyFrame, took: duration) }
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
    waiting.append(picture, due: timeline.playout(of: picture.timestamp, now: SystemClock.now))
    showDue()
  }

  private func showDue() {
    while let picture = waiting.next(at: SystemClock.now) { show(picture) }
    playoutTimer = waiting.nextDeadline.map { deadline in
      thread.schedule(at: deadline) { [weak self] in
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

extension ReceivedVideoFrame {
  fileprivate var videoCodec: VideoCodec {
    switch codec {
    case .vp8: .vp8
    case .vp9: .vp9
    }
  }
}
