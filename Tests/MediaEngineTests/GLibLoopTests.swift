import Foundation
import Synchronization
import Testing

@testable import MediaEngine

@Suite("The media loop", .timeLimit(.minutes(1)))
struct GLibLoopTests {
  @Test("runs its actors' work on its own thread")
  func isolation() async {
    let loop = GLibLoop()
    let counter = Counter(on: loop)
    #expect(!loop.isOnLoop)
    #expect(await counter.isOnLoop)
    #expect(await counter.incrementThroughPlainCall() == 1)
  }

  @Test("runs what one task queues in order, thousands of times and from many tasks at once")
  func order() async {
    let counter = Counter(on: GLibLoop())
    await withTaskGroup { group in
      for _ in 0..<4 {
        group.addTask {
          for _ in 0..<2_000 { await counter.increment() }
        }
      }
    }
    #expect(await counter.value == 8_000)
    await counter.queue(5_000)
    #expect(await counter.seen == Array(0..<5_000))
  }

  @Test("ends its thread when its last reference goes, on the loop itself or elsewhere", arguments: [true, false])
  func release(onLoop: Bool) async throws {
    let name = "loop-release-\(onLoop ? 1 : 0)"
    do {
      var loop: GLibLoop? = GLibLoop(name: name)
      let counter = try Counter(on: #require(loop))
      await counter.increment()
      loop = nil
      if onLoop { Task { await counter.increment() } }
    }
    while threads(named: name) > 0 { try await Task.sleep(for: .milliseconds(5)) }
  }

  @Test("leaves no thread behind when it is dropped at once")
  func dropAtOnce() async throws {
    for _ in 0..<200 { _ = GLibLoop(name: "loop-at-once") }
    while threads(named: "loop-at-once") > 0 { try await Task.sleep(for: .milliseconds(5)) }
  }

  @Test("fires a source once when it is armed, and not when it is disarmed or destroyed")
  func sources() async throws {
    let loop = GLibLoop()
    let fired = Mutex([0, 0, 0, 0])
    let (done, finish) = AsyncStream.makeStream(of: Void.self)
    let sources = (0..<4).map { _ in LoopSource() }
    for (index, source) in sources.enumerated() {
      source.attach(to: loop.context) {
        let last = fired.withLock { fired in
          fired[index] += 1
          return fired[0] > 0 && fired[1] > 0
        }
        if last { finish.finish() }
      }
    }
    let first = LoopSource()
    first.attach(to: loop.context) {
      sources[3].fire(after: .zero)
      sources[3].destroy()
      sources[2].fire(after: .zero)
      sources[2].fire(after: nil)
      sources[1].fire(after: .milliseconds(20))
      sources[0].fire(after: .seconds(100))
      sources[0].fireNow()
    }
    first.fireNow()
    for await _ in done {}
    #expect(await Counter(on: loop).isOnLoop)
    #expect(fired.withLock { $0 } == [1, 1, 0, 0])
  }

  @Test("lets a source go while it fires")
  func dropWhileFiring() async {
    let loop = GLibLoop()
    let count = Mutex(0)
    for _ in 0..<5_000 {
      let source = LoopSource()
      source.attach(to: loop.context) { count.withLock { $0 += 1 } }
      source.fireNow()
    }
    // The loop still works.
    #expect(await Counter(on: loop).isOnLoop)
  }
}

private actor Counter {
  private nonisolated let loop: GLibLoop
  private(set) var value = 0
  private(set) var seen: [Int] = []

  nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

  init(on loop: GLibLoop) {
    self.loop = loop
  }

  var isOnLoop: Bool { loop.isOnLoop }

  func increment() {
    value += 1
  }

  /// As libnice's callbacks come in: from plain code on the loop's thread.
  func incrementThroughPlainCall() -> Int {
    let plain: @Sendable () -> Void = { self.assumeIsolated { $0.increment() } }
    plain()
    return value
  }

  /// Queues so many jobs from the loop itself and waits for the last.
  func queue(_ count: Int) async {
    let tasks = (0..<count).map { index in Task { seen.append(index) } }
    for task in tasks { await task.value }
  }
}

/// How many threads of this process have that name.
func threads(named name: String) -> Int {
  let tasks = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/task")) ?? []
  return tasks.count {
    (try? String(contentsOfFile: "/proc/self/task/\($0)/comm", encoding: .utf8)) == name + "\n"
  }
}
