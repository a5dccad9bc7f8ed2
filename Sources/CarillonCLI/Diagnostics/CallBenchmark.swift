import Carillon
import FoundationEssentials
import Glibc
import MediaFiles
import Synchronization

/// Measures calls between two clients of this process.
struct CallBenchmark: Sendable {
  let clients: LocalClients

  /// The called end: answers everything with a tone.
  var answering: Client.Handlers {
    var handlers = Client.Handlers()
    handlers.onCall = { incoming in
      try await incoming.answer(with: MediaOffer(audio: ToneGenerator(frequency: 440), audioSink: DiscardingSink())) {
        for await _ in $0.events {}
      }
    }
    return handlers
  }

  /// Places a call and hangs up when the peer is heard.
  ///
  /// - Returns: the time from the wish to call to the first decoded sound.
  func setUpOneCall() async throws -> Duration {
    let start = ContinuousClock.now
    return try await withSoundingCall { heard, _ in heard - start }
  }

  /// Holds one call.
  ///
  /// - Returns: processor seconds for both ends together per second of call.
  func processorTime(during span: Duration) async throws -> Double {
    try await withSoundingCall { _, _ in
      let (start, used) = (ContinuousClock.now, ProcessUsage.processorSeconds)
      try await Task.sleep(for: span)
      return (ProcessUsage.processorSeconds - used) / ((ContinuousClock.now - start).milliseconds / 1000)
    }
  }

  /// Holds so many calls at once, each placed when the one before is heard: an account rings a few times at once only.
  ///
  /// - Returns: resident bytes for each call, both ends together.
  func memory(of count: Int, during span: Duration) async throws -> Int {
    let before = ProcessUsage.residentBytes
    let (sounding, sounds) = AsyncStream.makeStream(of: Void.self)
    return try await withThrowingTaskGroup(of: Void.self) { group in
      defer { group.cancelAll() }
      var heard = sounding.makeAsyncIterator()
      for _ in 0..<count {
        group.addTask {
          defer { sounds.finish() }
          try await withSoundingCall { _, _ in
            sounds.yield()
            try await Task.sleep(for: .seconds(3600))
          }
        }
        if await heard.next() == nil { break }
      }
      group.addTask { try await Task.sleep(for: span) }
      try await group.next()
      return max(0, ProcessUsage.residentBytes - before) / count
    }
  }

  /// Places a call, runs the body once the peer is heard, and hangs up.
  private func withSoundingCall<Value: Sendable>(
    _ body: @escaping @Sendable (_ heard: ContinuousClock.Instant, Call) async throws -> Value
  ) async throws -> Value {
    let sink = FirstSoundSink()
    let offer = MediaOffer(audio: ToneGenerator(frequency: 1000), audioSink: sink)
    return try await clients.caller.withCall(to: clients.calleeAddress, offering: offer) { call in
      try await withThrowingTaskGroup(of: Value?.self) { group in
        defer { group.cancelAll() }
        group.addTask {
          for await event in call.events {
            if case .ended(let end) = event {
              throw end.error ?? CallError(.failed, "The call ended before it was measured: \(end.reason).")
            }
          }
          return nil
        }
        group.addTask {
          for await heard in sink.heard { return try await body(heard, call) }
          return nil
        }
        while let value = try await group.next() {
          if let value { return value }
        }
        throw CancellationError()
      }
    }
  }
}

extension CallBenchmark {
  /// What was measured.
  struct Result: Equatable {
    var concurrent: Int
    var setupTimes: [Duration] = []
    var processorTimePerSecond = 0.0
    var bytesPerCall = 0

    var median: Duration {
      let sorted = setupTimes.sorted()
      guard !sorted.isEmpty else { return .zero }
      return (sorted[sorted.count / 2] + sorted[(sorted.count - 1) / 2]) / 2
    }

    var text: String {
      table([
        ["set-up, median of \(setupTimes.count)", median.short],
        ["set-up, worst", (setupTimes.max() ?? .zero).short],
        ["processor, both ends", decimal(processorTimePerSecond, places: 3) + " s per second"],
        ["memory, \(concurrent) calls at once", "\(bytesPerCall / 1024) KiB per call, both ends"],
      ])
    }

    var object: JSONObject {
      [
        "calls": .integer(setupTimes.count),
        "setupMedianMs": .milliseconds(median),
        "setupWorstMs": .milliseconds(setupTimes.max() ?? .zero),
        "processorSecondsPerSecond": .number(processorTimePerSecond),
        "concurrentCalls": .integer(concurrent),
        "residentBytesPerCall": .integer(bytesPerCall),
      ]
    }
  }
}

/// Tells when the first sound that is not silence was decoded.
private final class FirstSoundSink: AudioSink {
  let heard: AsyncStream<ContinuousClock.Instant>
  private let continuation: AsyncStream<ContinuousClock.Instant>.Continuation
  private let isHeard = Atomic(false)

  init() { (heard, continuation) = AsyncStream.makeStream() }

  func write(_ samples: Span<Int16>, channelCount: Int) {
    guard !isHeard.load(ordering: .relaxed) else { return }
    for index in samples.indices where abs(Int(samples[index])) > 100 {
      isHeard.store(true, ordering: .relaxed)
      continuation.yield(.now)
      return
    }
  }

  func finish() { continuation.finish() }
}

/// What this process has used.
enum ProcessUsage {
  /// User and system time of all threads.
  static var processorSeconds: Double {
    var time = timespec()
    guard clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time) == 0 else { return 0 }
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }

  static var residentBytes: Int {
    guard let data = FileManager.default.contents(atPath: "/proc/self/statm"),
      let pages = String(decoding: data, as: UTF8.self).split(separator: " ").dropFirst().first.flatMap({ Int($0) })
    else { return 0 }
    return pages * sysconf(Int32(_SC_PAGESIZE))
  }
}
