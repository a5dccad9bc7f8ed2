import Carillon
import MediaCodecs
import MediaFiles
import Synchronization

/// Measures calls with pictures alone between two clients of this process, each on a media loop of its own.
final class VideoBenchmark: Sendable {
  static let framesPerSecond = 30
  /// Until the bandwidth estimate has risen to what the pictures need.
  static let warmUp = Duration.seconds(6)

  private let clients: LocalClients
  /// Of the running call; calls come one after the other.
  private let meter = Mutex<VideoMeter?>(nil)

  /// - Parameter clients: with media loops of their own.
  init(clients: LocalClients) { self.clients = clients }

  /// The called end: decodes what comes and reads the clock in it.
  var answering: Client.Handlers {
    var handlers = Client.Handlers()
    handlers.onCall = { [self] incoming in
      guard let meter = meter.withLock({ $0 }) else { return await incoming.decline() }
      try await incoming.answer(with: MediaOffer(videoSink: meter)) { call in
        for await event in call.events {
          if case .statistics(let statistics) = event { meter.received(statistics) }
        }
      }
    }
    return handlers
  }

  /// Holds one call and watches it for a while.
  func measure(_ size: VideoSize, during span: Duration) async throws -> Result {
    let meter = VideoMeter()
    self.meter.withLock { $0 = meter }
    let offer = MediaOffer(video: Bars(size: size, framesPerSecond: Self.framesPerSecond))
    return try await clients.caller.withCall(to: clients.calleeAddress, offering: offer) { call in
      try await withThrowingTaskGroup(of: Result?.self) { group in
        defer { group.cancelAll() }
        group.addTask {
          for await event in call.events {
            if case .statistics(let statistics) = event { meter.sent(statistics) }
            if case .ended(let end) = event {
              throw end.error ?? CallError(.failed, "The call ended before it was measured: \(end.reason).")
            }
          }
          return nil
        }
        group.addTask {
          for await _ in meter.firstPicture { break }
          try await Task.sleep(for: Self.warmUp)
          let before = Moment(meter)
          _ = meter.takeAges()
          try await Task.sleep(for: span)
          return Result(size: size, from: before, to: Moment(meter), ages: meter.takeAges())
        }
        while let result = try await group.next() {
          if let result { return result }
        }
        throw CancellationError()
      }
    }
  }

  /// What was used and done up to one moment.
  fileprivate struct Moment {
    let time = ContinuousClock.now
    let send = ThreadClock(prefix: LocalClients.callerLoopName).seconds
    let receive = ThreadClock(prefix: LocalClients.calleeLoopName).seconds
    let codecs = ThreadClock(prefix: "codec-").seconds
    let process = ProcessUsage.processorSeconds
    let outbound: OutboundStreamStatistics?
    let inbound: InboundStreamStatistics?

    init(_ meter: VideoMeter) {
      (outbound, inbound) = meter.streams
    }
  }
}

extension VideoBenchmark {
  /// What was measured; costs are seconds per second.
  struct Result: Equatable {
    var size: VideoSize
    var encode = 0.0
    var send = 0.0
    var receive = 0.0
    var decode = 0.0
    var codecThreads = 0.0
    var process = 0.0
    var framesSent = 0
    var framesDecoded = 0
    var framesLost = 0
    /// By the source or the encoder, to keep up or to keep to the bitrate.
    var framesLeftOut = 0
    /// What was sent at the end: smaller than the source's where the path was believed to be slow.
    var sentSize: VideoSize?
    var bitrate: Int?
    var ages: [Duration] = []

    init(size: VideoSize) { self.size = size }

    fileprivate init(size: VideoSize, from start: Moment, to end: Moment, ages: [Duration]) {
      self.size = size
      let span = (end.time - start.time) / .seconds(1)
      send = (end.send - start.send) / span
      receive = (end.receive - start.receive) / span
      codecThreads = (end.codecs - start.codecs) / span
      process = (end.process - start.process) / span
      let (sent, sentBefore) = (end.outbound?.video ?? .init(), start.outbound?.video ?? .init())
      let (received, receivedBefore) = (end.inbound?.video ?? .init(), start.inbound?.video ?? .init())
      framesSent = sent.framesSent - sentBefore.framesSent
      framesLeftOut = sent.framesDropped - sentBefore.framesDropped
      framesDecoded = received.framesDecoded - receivedBefore.framesDecoded
      framesLost = received.framesDropped - receivedBefore.framesDropped
      encode = (sent.totalEncodeTime - sentBefore.totalEncodeTime) / .seconds(1) / span
      decode = (received.totalDecodeTime - receivedBefore.totalDecodeTime) / .seconds(1) / span
      sentSize = VideoSize(width: sent.frameWidth, height: sent.frameHeight)
      bitrate = end.outbound?.bitrate
      self.ages = ages
    }

    var medianAge: Duration? {
      let sorted = ages.sorted()
      return sorted.isEmpty ? nil : (sorted[sorted.count / 2] + sorted[(sorted.count - 1) / 2]) / 2
    }

    var object: JSONObject {
      var object: JSONObject = [
        "width": .integer(size.width), "height": .integer(size.height),
        "framesPerSecond": .integer(VideoBenchmark.framesPerSecond),
        "encodeSecondsPerSecond": .number(encode), "sendProcessorSecondsPerSecond": .number(send),
        "receiveProcessorSecondsPerSecond": .number(receive), "decodeSecondsPerSecond": .number(decode),
        "codecThreadsProcessorSecondsPerSecond": .number(codecThreads),
        "processorSecondsPerSecond": .number(process), "framesSent": .integer(framesSent),
        "framesDecoded": .integer(framesDecoded), "framesLost": .integer(framesLost),
        "framesLeftOut": .integer(framesLeftOut),
      ]
      object["sentWidth"] = sentSize.map { .integer($0.width) }
      object["sentHeight"] = sentSize.map { .integer($0.height) }
      object["bitrate"] = bitrate.map { .integer($0) }
      object["latencyMedianMs"] = medianAge.map { .milliseconds($0) }
      object["latencyWorstMs"] = ages.max().map { .milliseconds($0) }
      return object
    }
  }

  /// A column for each call, and what stands behind each row.
  static func text(_ results: [Result]) -> String {
    func cost(_ value: Double) -> String { decimal(value, places: 3) }
    let rows: [(name: String, cell: (Result) -> String, means: String)] = [
      ("", { "\($0.size.width)x\($0.size.height)@\(framesPerSecond)" }, ""),
      ("encode", { cost($0.encode) }, "s per second inside the encoder, by the clock"),
      ("send", { cost($0.send) }, "s per second of the sender's media loop: processor"),
      ("receive", { cost($0.receive) }, "s per second of the receiver's media loop: processor"),
      ("decode", { cost($0.decode) }, "s per second inside the decoder, by the clock"),
      ("codec threads", { cost($0.codecThreads) }, "s per second with drawing and reading the pictures: processor"),
      ("whole process", { cost($0.process) }, "s per second, both ends: processor"),
      ("frames sent", { "\($0.framesSent)" }, "by the sender's statistics"),
      ("frames decoded", { "\($0.framesDecoded)" }, "by the receiver's statistics"),
      ("frames lost", { "\($0.framesLost)" }, "missing or not decodable"),
      ("frames left out", { "\($0.framesLeftOut)" }, "not encoded, to keep up or to keep to the bitrate"),
      ("sent at the end", { $0.sentSize.map { "\($0.width)x\($0.height)" } ?? "-" }, ""),
      ("bitrate", { $0.bitrate.map { bitrateText(Double($0)) } ?? "-" }, "at the end"),
      ("latency, median", { $0.medianAge?.short ?? "-" }, "drawn to decoded, by the clock in the picture (ms steps)"),
      ("latency, worst", { $0.ages.max()?.short ?? "-" }, ""),
    ]
    return table(rows.map { row in [row.name] + results.map(row.cell) + [row.means] })
  }
}

/// Reads the clock in each picture as soon as it is decoded, and keeps both ends' last statistics.
private final class VideoMeter: VideoSink {
  private struct State {
    var ages: [Duration] = []
    var outbound: OutboundStreamStatistics?
    var inbound: InboundStreamStatistics?
  }

  let timeline = AudioTimeline.media
  let firstPicture: AsyncStream<Void>
  private let continuation: AsyncStream<Void>.Continuation
  private let state = Mutex(State())

  init() { (firstPicture, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(1)) }

  func write(_ frame: VideoFrame) {
    let now = Bars.wallClock()
    guard let reading = Bars.read(from: frame) else { return }
    state.withLock { $0.ages.append(reading.age(at: now)) }
    continuation.yield()
  }

  func finish() { continuation.finish() }

  func sent(_ statistics: CallStatistics) { state.withLock { $0.outbound = statistics.outbound(.video) } }

  func received(_ statistics: CallStatistics) { state.withLock { $0.inbound = statistics.inbound(.video) } }

  var streams: (OutboundStreamStatistics?, InboundStreamStatistics?) {
    state.withLock { ($0.outbound, $0.inbound) }
  }

  /// Since the last time.
  func takeAges() -> [Duration] {
    state.withLock { state in
      defer { state.ages = [] }
      return state.ages
    }
  }
}
