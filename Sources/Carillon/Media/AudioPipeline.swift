import MediaCodecs
import MediaTime
import RTPCore
import Synchronization

/// Source to encoder and decoder to sink of one call, on one codec thread.
actor AudioPipeline {
  /// What was negotiated about the audio that is sent.
  struct Encoding {
    /// What is sent. Whatever else was agreed on may come.
    var codec = AudioCodec.opus
    var sends: Bool
    var receives: Bool
    /// Whether the peer asked for stereo (RFC 7587 §6.1 `stereo`).
    var stereo: Bool
    var bitsPerSecond: Int
    /// How much the peer wants in a packet, 10 to 60 ms in steps of ten; Opus goes in packets of 20 ms all the same.
    var packetDuration = Duration.milliseconds(20)
  }

  struct Levels: Sendable {
    /// dBFS; nil where the direction does not exist.
    var sent: Double?
    var received: Double?
  }

  /// From the media loop to the codec thread. Bound: 25 units (500 ms), the oldest dropped: what is heard should be now.
  private struct Inbox: ~Copyable {
    static let bound = 25
    let units = Mutex<[PlayoutUnit]>([])
  }

  nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

  private nonisolated let thread: CodecThread
  private nonisolated let inbox = Inbox()
  private nonisolated let meter = Mutex(Levels())
  private let offer: MediaOffer
  private var encoding: Encoding
  private var isMuted = false
  private let timeline: SharedTimeline
  private let warn: @Sendable (CallError) -> Void

  private var encoder: AudioEncoder?
  private var ticker: Ticker?
  private var sourceEnded = false
  private var captured: [Int16] = []
  /// The source's, asked once.
  private var channels = 1
  private var send: (@Sendable (EncodedAudioFrame) -> Void)?

  private var decoder = AudioDecoder()
  private var sinkFailed = false
  private var encodedSinkFailed = false
  private var hasWarnedOfCodec = false
  private var finished = false

  init(
    _ offer: MediaOffer, _ encoding: Encoding, on thread: CodecThread, timeline: SharedTimeline,
    warn: @escaping @Sendable (CallError) -> Void
  ) {
    self.offer = offer
    self.encoding = encoding
    self.thread = thread
    self.timeline = timeline
    self.warn = warn
  }

  nonisolated var levels: Levels { meter.withLock { $0 } }

  /// Begins to encode, one frame every 20 ms from now on.
  ///
  /// - Parameter send: called on the codec thread with each frame; must not wait.
  func start(send: @escaping @Sendable (EncodedAudioFrame) -> Void) throws {
    guard let source = offer.audio, !finished, ticker == nil else { return }
    channels = source.channelCount
    guard (1...2).contains(channels) else {
      throw CallError(.media, "a source has one channel or two, not \(channels)")
    }
    encoder = try AudioEncoder(encoding, channelCount: encoding.stereo ? channels : 1, usesDTX: offer.usesDTX)
    self.send = send
    captured = [Int16](repeating: 0, count: AudioEncoder.frameCount * channels)
    ticker = thread.schedule(at: SystemClock.now, every: .milliseconds(20)) { [weak self] tick in
      // The ticker runs on the thread that is this actor's executor.
      self?.assumeIsolated { $0.capture(tick) }
    }
  }

  /// Which way sound flows from now on. What is not sent is not read either: a file goes on where it stopped.
  ///
  /// - Parameter muted: whether silence is sent, and what the source gives meanwhile is let go.
  func setFlow(sends: Bool, receives: Bool, muted: Bool) {
    (encoding.sends, encoding.receives, isMuted) = (sends, receives, muted)
  }

  /// The peer takes no more than this.
  func limit(to bitsPerSecond: Int) {
    guard encoding.codec == .opus else { return }
    encoding.bitsPerSecond = min(max(bitsPerSecond, 6_000), 510_000)
    encoder?.limit(to: encoding.bitsPerSecond)
  }

  /// The share of packets that the peer reports as lost, 0 to 1, once a second.
  func setExpectedLoss(_ loss: Double) { encoder?.setExpectedLoss(loss) }

  /// Hands over what is to be heard next. Callable from any thread; never waits.
  nonisolated func play(_ unit: PlayoutUnit) {
    let wasEmpty = inbox.units.withLock { units in
      if units.count == Inbox.bound { units.removeFirst() }
      units.append(unit)
      return units.count == 1
    }
    if wasEmpty { _ = thread.perform { [weak self] in self?.assumeIsolated { $0.drain() } } }
  }

  /// Stops both directions and finishes the sink for samples, after what is under way has been written. The encoded sink
  /// is left to whoever began it.
  func finish() {
    guard !finished else { return }
    drain()
    finished = true
    ticker?.cancel()
    ticker = nil
    send = nil
    offer.audioSink?.finish()
  }

  // MARK: Out

  private func capture(_ tick: Tick) {
    guard encoding.sends, let source = offer.audio, let send, !finished else { return }
    if !sourceEnded { read(source) } else { silence(from: 0) }
    if isMuted { silence(from: 0) }
    var samples = captured
    if channels == 2, !encoding.stereo { samples = AudioPipeline.mixedDown(captured) }
    let level = AudioLevel.decibels(of: samples.span)
    meter.withLock { $0.sent = Double(level) }
    do {
      for packet in try encoder?.encode(samples.span, index: tick.index, level: level) ?? [] { send(packet) }
    } catch {
      warn(CallError(.media, "Audio could not be encoded: \(error). Nothing more is sent.", cause: error))
      ticker?.cancel()
    }
  }

  private func read(_ source: any AudioSource) {
    var frames = 0
    do {
      var span = captured.mutableSpan
      frames = min(max(0, try source.read(into: &span)), AudioEncoder.frameCount)
    } catch {
      warn(CallError(.media, "The audio source failed: \(error). Silence is sent from now on.", cause: error))
    }
    if frames < AudioEncoder.frameCount {
      sourceEnded = true
      silence(from: frames * channels)
    }
  }

  private func silence(from index: Int) {
    for index in index..<captured.count { captured[index] = 0 }
  }

  private static func mixedDown(_ stereo: [Int16]) -> [Int16] {
    (0..<stereo.count / 2).map { Int16((Int(stereo[2 * $0]) + Int(stereo[2 * $0 + 1])) / 2) }
  }

  // MARK: In

  private func drain() {
    let units = inbox.units.withLock { units in
      defer { units.removeAll(keepingCapacity: true) }
      return units
    }
    guard encoding.receives, !finished else { return }
    for unit in units { play(now: unit) }
  }

  private func play(now unit: PlayoutUnit) {
    switch unit {
    case .frame(let frame):
      let time = timeline.time(of: frame)
      keep(frame, at: time)
      if offer.audioSink != nil { write(decoder.decode(frame)) }
      timeline.playedAudio(at: time, now: SystemClock.now)
    case .skipped(let frame):
      keep(frame, at: timeline.time(of: frame))
      guard let sink = offer.audioSink else { return }
      let count = decoder.decode(frame)
      if sink.timeline == .media { write(count) }
    case .concealment(let gap):
      if gap.cause == .stretch, offer.audioSink?.timeline == .media { return }
      write(decoder.conceal(gap))
    }
  }

  private func write(_ frameCount: Int) {
    guard let sink = offer.audioSink, frameCount > 0 else { return }
    let channels = decoder.channelCount
    let samples = decoder.decoded.span.extracting(first: frameCount * channels)
    meter.withLock { $0.received = Double(AudioLevel.decibels(of: samples)) }
    guard !sinkFailed else { return }
    do {
      try sink.write(samples, channelCount: channels)
    } catch {
      sinkFailed = true
      warn(CallError(.media, "Received audio could not be written: \(error). The recording ends here.", cause: error))
    }
  }

  private func keep(_ frame: ReceivedAudioFrame, at time: Duration) {
    guard let sink = offer.encodedSink, sink.kinds.contains(.audio), !encodedSinkFailed else { return }
    guard frame.codec == .opus else {
      guard !hasWarnedOfCodec else { return }
      hasWarnedOfCodec = true
      let name = frame.codec.name
      return warn(
        CallError(.media, "The peer sends \(name), which .ogg and .webm recordings do not keep: record to .wav."))
    }
    do {
      try sink.write(opus: frame.payload.span, at: time)
    } catch {
      encodedSinkFailed = true
      warn(CallError(.media, "Received audio could not be written: \(error). The recording ends here.", cause: error))
    }
  }
}
