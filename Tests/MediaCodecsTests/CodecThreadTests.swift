import MediaTime
import Synchronization
import Testing

@testable import MediaCodecs

private actor Resident {
  let thread: CodecThread
  var count = 0
  var ticks: [Int64] = []
  var ticker: Ticker?

  init(_ thread: CodecThread) { self.thread = thread }

  nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

  func isHome() -> Bool { thread.isCurrent }
  func increment() { count += 1 }

  /// Ticks until `limit` of them have come.
  func collect(_ limit: Int, from start: Instant, every interval: Duration) async -> [Int64] {
    await withCheckedContinuation { continuation in
      ticker = thread.schedule(at: start, every: interval) { [weak self] tick in
        self?.assumeIsolated { resident in
          resident.ticks.append(tick.index)
          guard resident.ticks.count == limit else { return }
          resident.ticker?.cancel()
          continuation.resume(returning: resident.ticks)
        }
      }
    }
  }
}

@Suite(.timeLimit(.minutes(1))) struct CodecThreadTests {
  @Test func `an actor lives on the thread, and plain calls reach it from there`() async {
    let thread = CodecThread(name: "test")
    let resident = Resident(thread)
    #expect(await resident.isHome())
    #expect(!thread.isCurrent)
    #expect(thread.isIsolatingCurrentContext() == false)
    await withTaskGroup { group in
      for _ in 0..<500 { group.addTask { await resident.increment() } }
    }
    #expect(await resident.count == 500)
    await withCheckedContinuation { continuation in
      let accepted = thread.perform {
        resident.assumeIsolated { $0.increment() }
        continuation.resume()
      }
      #expect(accepted)
    }
    #expect(await resident.count == 501)
  }

  @Test func `ticks come in order, one for each interval`() async {
    let resident = Resident(CodecThread(name: "test"))
    let ticks = await resident.collect(20, from: SystemClock.now, every: .milliseconds(2))
    #expect(ticks.count == 20)
    #expect(zip(ticks, ticks.dropFirst()).allSatisfy { $0 < $1 })
    #expect(ticks.first == 0)
  }

  @Test func `overdue ticks catch up a little and the rest is left out`() async {
    let resident = Resident(CodecThread(name: "test"))
    // 1000 intervals of a minute overdue: the last few run at once, and the next would take a minute.
    let ticks = await resident.collect(
      Tick.catchUpLimit, from: SystemClock.now - .seconds(60_000), every: .seconds(60))
    #expect(ticks == Array((1_001 - Int64(Tick.catchUpLimit))...1_000))
  }

  @Test func `a cancelled or released ticker does not tick again`() async throws {
    let thread = CodecThread(name: "test")
    let counter = Counter()
    var ticker: Ticker? = thread.schedule(at: SystemClock.now, every: .milliseconds(1)) { _ in counter.increment() }
    while counter.value == 0 { try await Task.sleep(for: .milliseconds(1)) }
    ticker?.cancel()
    await drain(thread)
    let cancelled = counter.value
    try await Task.sleep(for: .milliseconds(20))
    #expect(counter.value == cancelled)

    ticker = thread.schedule(at: SystemClock.now, every: .milliseconds(1)) { _ in counter.increment() }
    while counter.value == cancelled { try await Task.sleep(for: .milliseconds(1)) }
    ticker = nil
    await drain(thread)
    let released = counter.value
    try await Task.sleep(for: .milliseconds(20))
    #expect(counter.value == released)
  }

  @Test func `a thread that is stuck refuses more work than its bound`() async {
    let thread = CodecThread(name: "test")
    let counter = Counter()
    var accepted = 0
    let blocker = Blocker()
    #expect(thread.perform { blocker.wait() })
    blocker.waitUntilEntered()
    for _ in 0..<CodecThread.workLimit + 10 where thread.perform({ counter.increment() }) { accepted += 1 }
    blocker.open()
    while counter.value < accepted { await Task.yield() }
    #expect(accepted == CodecThread.workLimit)
    #expect(counter.value == CodecThread.workLimit)
  }

  @Test func `the pool hands its threads out in turn`() {
    let pool = CodecThreads(count: 3)
    let first = (0..<3).map { _ in pool.next() }
    #expect(Set(first.map(ObjectIdentifier.init)).count == 3)
    #expect((0..<6).map { _ in ObjectIdentifier(pool.next()) } == (first + first).map(ObjectIdentifier.init))
  }

  private func drain(_ thread: CodecThread) async {
    await withCheckedContinuation { continuation in
      while !thread.perform({ continuation.resume() }) {}
    }
  }
}

private final class Counter: Sendable {
  private let count = Atomic(0)
  var value: Int { count.load(ordering: .sequentiallyConsistent) }
  func increment() { count.add(1, ordering: .sequentiallyConsistent) }
}

/// Holds a thread until it is opened.
private final class Blocker: Sendable {
  private let entered = Atomic(false)
  private let opened = Atomic(false)

  func wait() {
    entered.store(true, ordering: .sequentiallyConsistent)
    while !opened.load(ordering: .sequentiallyConsistent) {}
  }
  func waitUntilEntered() { while !entered.load(ordering: .sequentiallyConsistent) {} }
  func open() { opened.store(true, ordering: .sequentiallyConsistent) }
}
