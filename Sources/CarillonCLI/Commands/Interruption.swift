import Carillon
import Dispatch
import Glibc
import Synchronization

/// The user's wish to stop: SIGINT (Ctrl-C), SIGTERM or SIGHUP. The first is delivered, a second ends the process at once.
final class Interruption: Sendable {
  /// Kept so that they stay alive; never touched again after `init`, hence safe to share.
  private nonisolated(unsafe) let sources: [any DispatchSourceSignal]
  private let received = Mutex<Int32?>(nil)
  let signals: AsyncStream<Int32>

  init() {
    let (signals, continuation) = AsyncStream.makeStream(of: Int32.self)
    self.signals = signals
    let numbers = [SIGINT, SIGTERM, SIGHUP]
    sources = numbers.map { number in
      _ = Glibc.signal(number, SIG_IGN)
      return DispatchSource.makeSignalSource(signal: number, queue: .global())
    }
    for (number, source) in zip(numbers, sources) {
      source.setEventHandler { [weak self] in
        guard let self else { return }
        let isFirst = self.received.withLock { received in
          defer { received = received ?? number }
          return received == nil
        }
        guard isFirst else {
          TerminalMode.restore()
          _exit(128 + number)
        }
        continuation.yield(number)
      }
      source.resume()
    }
  }

  /// The signal that came, if any.
  var signal: Int32? { received.withLock { $0 } }
}

/// The calls that run, so that all of them can be hung up.
actor ActiveCalls {
  private var calls: [String: Call] = [:]
  private var isClosing = false
  private var waiters: [CheckedContinuation<Void, Never>] = []

  var isEmpty: Bool { calls.isEmpty }

  func add(_ call: Call) async {
    calls[call.sid] = call
    if isClosing { await call.hangUp() }
  }

  func remove(_ call: Call) {
    calls[call.sid] = nil
    guard calls.isEmpty else { return }
    for waiter in waiters { waiter.resume() }
    waiters = []
  }

  /// Hangs up every call, those still to be added too, and returns when all are over.
  func hangUpAll() async {
    isClosing = true
    for call in calls.values { await call.hangUp() }
    guard !calls.isEmpty else { return }
    await withCheckedContinuation { waiters.append($0) }
  }
}
