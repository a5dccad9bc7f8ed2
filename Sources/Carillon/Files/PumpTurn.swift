import Synchronization

/// One task that moves a file's bytes. Where another transport takes the place of the one that it moves them over, another
/// task follows it: never are two at the same file.
final class PumpTurn: Sendable {
  /// Finishes when the task is to stop, or has ended.
  private let stopping = AsyncStream.makeStream(of: Void.self)
  /// Finishes when the task has ended.
  private let ending = AsyncStream.makeStream(of: Void.self)
  private let hasStopped = Atomic(false)

  /// Runs a job when the one before has ended, and cancels it when it is to stop.
  func run(after before: PumpTurn?, _ job: @escaping @Sendable () async -> Void) async {
    if let before { for await _ in before.ending.stream {} }
    await withDiscardingTaskGroup { group in
      group.addTask {
        await job()
        self.stopping.continuation.finish()
      }
      for await _ in stopping.stream {}
      group.cancelAll()
    }
    ending.continuation.finish()
  }

  /// What it moves, and how it ends, is of no interest any more.
  func stop() {
    hasStopped.store(true, ordering: .relaxed)
    stopping.continuation.finish()
  }

  var isStopped: Bool { hasStopped.load(ordering: .relaxed) }
}
