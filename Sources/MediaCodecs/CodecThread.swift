import Foundation
package import MediaTime
import Synchronization

/// A real thread on which calls encode and decode, so that the cooperative pool never waits for a codec.
///
/// An actor that returns the thread as its `unownedExecutor` lives on it: inside `schedule`'s and `perform`'s closures
/// `assumeIsolated` turns a call of that actor into a plain function call. Threads live as long as the process, since an
/// actor may be on one at any time.
///
/// `@unchecked Sendable`: `jobs`, `work` and `entries` are touched only between `lock()` and `unlock()`; the rest never changes.
package final class CodecThread: SerialExecutor, @unchecked Sendable {
  /// How many `perform` closures may wait. An actor's jobs are not counted: each is a task that waits for its own end.
  package static let workLimit = 1_024

  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private let wakeUp: UnsafeMutablePointer<pthread_cond_t>
  private let identity = Atomic<UInt>(0)

  private var jobs: [UnownedJob] = []
  private var work: [@Sendable () -> Void] = []
  private var entries: [Ticker.Entry] = []

  /// - Parameter name: as `top -H` shows it; at most 15 bytes.
  package init(name: String) {
    mutex = .allocate(capacity: 1)
    wakeUp = .allocate(capacity: 1)
    pthread_mutex_init(mutex, nil)
    var attributes = pthread_condattr_t()
    pthread_condattr_init(&attributes)
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
    pthread_cond_init(wakeUp, &attributes)
    pthread_condattr_destroy(&attributes)

    let thread = Thread {
      // Foundation may tell the system of a name too early or too late.
      try? Data(name.utf8.prefix(15)).write(to: URL(fileURLWithPath: "/proc/thread-self/comm"))
      self.run()
    }
    thread.start()
  }

  /// Runs `body` on the thread, after what was handed over before.
  ///
  /// - Returns: false when `workLimit` closures already wait; then `body` is dropped (newest dropped: the thread is stuck, and
  ///   what waits is older).
  package func perform(_ body: @escaping @Sendable () -> Void) -> Bool {
    lock()
    defer { unlock() }
    guard work.count < Self.workLimit else { return false }
    work.append(body)
    pthread_cond_signal(wakeUp)
    return true
  }

  /// Runs `body` on the thread at `start`, `start + interval`, `start + 2 × interval`, … until the ticker is cancelled or
  /// released.
  ///
  /// The instants are absolute, so late ticks do not move later ones. A thread that was held up runs at most
  /// `Tick.catchUpLimit` overdue ticks back to back; the ones before them are left out and counted in `skipped`.
  ///
  /// - Parameter body: capture the ticker's owner weakly, or cancel the ticker.
  package func schedule(
    at start: Instant, every interval: Duration, _ body: @escaping @Sendable (Tick) -> Void
  ) -> Ticker {
    precondition(interval > .zero, "a tick follows after some time")
    let entry = Ticker.Entry(start: start, interval: interval.nanoseconds, body: body)
    lock()
    entries.append(entry)
    pthread_cond_signal(wakeUp)
    unlock()
    return Ticker(entry, on: self)
  }

  /// Runs `body` on the thread once, at `deadline` or as soon as possible after it, unless the ticker is cancelled or released
  /// before.
  package func schedule(at deadline: Instant, _ body: @escaping @Sendable () -> Void) -> Ticker {
    // The next tick would come in a hundred years.
    schedule(at: deadline, every: .seconds(3_155_760_000)) { _ in body() }
  }

  /// Whether the caller is on this thread.
  package var isCurrent: Bool { identity.load(ordering: .relaxed) == UInt(pthread_self()) }

  // MARK: SerialExecutor

  package func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    lock()
    jobs.append(job)
    pthread_cond_signal(wakeUp)
    unlock()
  }

  package func isIsolatingCurrentContext() -> Bool? { isCurrent }

  package func checkIsolated() {
    precondition(isCurrent, "not on the codec thread")
  }

  // MARK: The thread

  private func run() -> Never {
    identity.store(UInt(pthread_self()), ordering: .relaxed)
    let executor = asUnownedSerialExecutor()
    while true {
      let (due, jobs, work) = next()
      for entry in due { tick(entry) }
      for job in jobs { job.runSynchronously(on: executor) }
      for body in work { body() }
    }
  }

  /// Waits until there is something to do, and takes it.
  private func next() -> (due: [Ticker.Entry], jobs: [UnownedJob], work: [@Sendable () -> Void]) {
    lock()
    defer { unlock() }
    while jobs.isEmpty, work.isEmpty {
      guard let deadline = entries.min(by: { $0.deadline < $1.deadline })?.deadline else {
        pthread_cond_wait(wakeUp, mutex)
        continue
      }
      let left = deadline - SystemClock.now
      if left <= .zero { break }
      wait(left)
    }
    let now = SystemClock.now
    let due = entries.filter { $0.deadline <= now }
    defer {
      jobs.removeAll(keepingCapacity: true)
      work.removeAll(keepingCapacity: true)
    }
    return (due, jobs, work)
  }

  private func wait(_ duration: Duration) {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    // At most an hour at once: a deadline may lie at the end of time.
    let nanoseconds = Int64(time.tv_nsec) + min(duration.nanoseconds, 3_600_000_000_000)
    time.tv_sec += Int(nanoseconds / 1_000_000_000)
    time.tv_nsec = Int(nanoseconds % 1_000_000_000)
    pthread_cond_timedwait(wakeUp, mutex, &time)
  }

  private func tick(_ entry: Ticker.Entry) {
    guard !entry.isCancelled.load(ordering: .acquiring) else { return }
    let tick = entry.take(at: SystemClock.now)
    entry.body(tick)
  }

  fileprivate func remove(_ entry: Ticker.Entry) {
    entry.isCancelled.store(true, ordering: .releasing)
    lock()
    let index = entries.firstIndex { $0 === entry }
    // Released after unlocking: the closure's captures may do anything when they go.
    let removed = index.map { entries.remove(at: $0) }
    unlock()
    withExtendedLifetime(removed) {}
  }

  private func lock() { pthread_mutex_lock(mutex) }
  private func unlock() { pthread_mutex_unlock(mutex) }
}

/// One beat of a `Ticker`.
package struct Tick: Sendable {
  /// How many overdue ticks run back to back after the thread was held up.
  package static let catchUpLimit = 25

  /// The number of intervals since the start, the skipped ones included.
  package let index: Int64
  /// When the tick was due: start + index × interval.
  package let deadline: Instant
  /// How many ticks were left out just before this one.
  package let skipped: Int64
}

/// A repeating tick on a codec thread; lasts until it is cancelled or released.
package final class Ticker: Sendable {
  private let entry: Entry
  private let thread: CodecThread

  fileprivate init(_ entry: Entry, on thread: CodecThread) {
    self.entry = entry
    self.thread = thread
  }

  deinit { cancel() }

  /// Stops the ticks: at once when called on the codec thread; from elsewhere one may still be running.
  package func cancel() { thread.remove(entry) }

  /// `@unchecked Sendable`: `index` and `deadline` belong to the codec thread once `schedule` has handed the entry over
  /// under its lock; the rest never changes or is atomic.
  fileprivate final class Entry: @unchecked Sendable {
    let start: Instant
    let interval: Int64
    let body: @Sendable (Tick) -> Void
    let isCancelled = Atomic(false)
    private var index: Int64 = 0
    private(set) var deadline: Instant

    init(start: Instant, interval: Int64, body: @escaping @Sendable (Tick) -> Void) {
      self.start = start
      self.interval = interval
      self.body = body
      deadline = start
    }

    /// The tick to run now; the entry moves on to the one after it.
    func take(at now: Instant) -> Tick {
      let overdue = (now.nanoseconds &- deadline.nanoseconds) / interval
      let skipped = max(0, overdue - Int64(Tick.catchUpLimit) + 1)
      let tick = Tick(index: index &+ skipped, deadline: instant(index &+ skipped), skipped: skipped)
      index = tick.index &+ 1
      deadline = instant(index)
      return tick
    }

    private func instant(_ index: Int64) -> Instant {
      Instant(nanoseconds: start.nanoseconds &+ interval &* index)
    }
  }
}
