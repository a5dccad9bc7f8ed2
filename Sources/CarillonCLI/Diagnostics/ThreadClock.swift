import FoundationEssentials
import Glibc

/// The processor time of threads of this process, found by their names.
struct ThreadClock {
  private let clocks: [clockid_t]

  /// - Parameter prefix: what the threads' names begin with, as `top -H` shows them.
  init(prefix: String) {
    let threads = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/task")) ?? []
    clocks = threads.compactMap { thread in
      guard let id = Int32(thread), let name = FileManager.default.contents(atPath: "/proc/self/task/\(id)/comm"),
        String(decoding: name, as: UTF8.self).hasPrefix(prefix)
      else { return nil }
      // As the kernel numbers a thread's clock: CPUCLOCK_PERTHREAD_MASK and CPUCLOCK_SCHED.
      return ~id << 3 | 6
    }
  }

  /// User and system time of these threads together.
  var seconds: Double { clocks.reduce(0) { $0 + Self.seconds(of: $1) } }

  /// Of the thread that asks.
  static var ownSeconds: Double { seconds(of: CLOCK_THREAD_CPUTIME_ID) }

  private static func seconds(of clock: clockid_t) -> Double {
    var time = timespec()
    guard clock_gettime(clock, &time) == 0 else { return 0 }
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }
}
