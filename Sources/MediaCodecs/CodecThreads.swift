import Foundation
import Synchronization

/// The process's codec threads: one per core, started when they are first needed.
///
/// A call takes one with `next()` and keeps it for life.
package final class CodecThreads: Sendable {
  package static let shared = CodecThreads(count: ProcessInfo.processInfo.activeProcessorCount)

  private let count: Int
  private let name: String
  private let state = Mutex((threads: [CodecThread](), next: 0))

  package init(count: Int, name: String = "codec") {
    self.count = max(1, count)
    self.name = name
  }

  /// The threads in turn.
  package func next() -> CodecThread {
    state.withLock { state in
      if state.threads.count < count {
        state.threads.append(CodecThread(name: "\(name)-\(state.threads.count)"))
        return state.threads[state.threads.count - 1]
      }
      defer { state.next = (state.next + 1) % count }
      return state.threads[state.next]
    }
  }
}
