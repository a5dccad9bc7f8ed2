import Dispatch
import Foundation
import Synchronization

/// Standard input as a source of keys or commands, read by a thread of its own: a read may take forever.
///
/// Bound: 64 items wait for whoever consumes them, then the thread waits. The end of input ends `items` and nothing
/// else.
final class StandardInput: Sendable {
  /// What is read, if anything.
  enum Mode: Equatable { case commands, keys }

  enum Item: Equatable, Sendable {
    case line([UInt8])
    case lineTooLong
    case key(UInt8)
  }

  /// - Parameter isTaken: whether pictures come through standard input.
  static func mode(
    json: Bool, isTaken: Bool, inputIsTerminal: Bool = isatty(STDIN_FILENO) == 1,
    errorIsTerminal: Bool = isatty(STDERR_FILENO) == 1
  ) -> Mode? {
    if isTaken { return nil }
    return json ? .commands : inputIsTerminal && errorIsTerminal ? .keys : nil
  }

  let mode: Mode
  /// One consumer, which calls `consumed` after each.
  let items: AsyncStream<Item>
  private let continuation: AsyncStream<Item>.Continuation
  private let file: Int32
  private let isTerminal: Bool
  private let room = DispatchSemaphore(value: 64)
  private let isStopped = Atomic(false)
  private let input: WakeableFile
  /// Kept so that they stay alive; never touched again once set, hence safe to share.
  private nonisolated(unsafe) var signals: [any DispatchSourceSignal] = []

  init(_ mode: Mode, file: Int32 = STDIN_FILENO) {
    self.mode = mode
    self.file = file
    isTerminal = isatty(file) == 1
    (items, continuation) = AsyncStream.makeStream(of: Item.self)
    input = WakeableFile(file)
    if mode == .keys { signals = watchSuspension() }
    let thread = Thread { [self] in read() }
    thread.name = "input"
    thread.start()
  }

  func consumed() { room.signal() }

  /// Reads no more, and leaves the terminal as it was found.
  func stop() {
    isStopped.store(true, ordering: .sequentiallyConsistent)
    if mode == .keys { TerminalMode.restore() }
    continuation.finish()
    room.signal()
    input.wake()
  }

  private var goesOn: Bool { !isStopped.load(ordering: .sequentiallyConsistent) }

  // MARK: The thread

  private func read() {
    defer { continuation.finish() }
    var (lines, keys) = (LineSplitter(maximumLength: CallRequest.maximumLineLength), KeyDecoder())
    var buffer = [UInt8](repeating: 0, count: 4096)
    reading: while goesOn {
      let isInBackground = isTerminal && TerminalMode.isInBackground(file)
      if mode == .keys, !isInBackground {
        TerminalMode.enter(file)
        if !goesOn { TerminalMode.restore() }
      }
      let ready = input.wait(isReading: !isInBackground, upTo: isInBackground ? 250 : -1)
      guard ready.isReadable, goesOn else { continue }
      let count: Int
      switch buffer.withUnsafeMutableBytes({ input.read(into: $0) }) {
      case .nothing: continue
      case .bytes(let read): count = read
      case .end, .failed: break reading
      }
      switch mode {
      case .commands: for line in lines.receive(buffer[..<count]) { deliver(line) }
      case .keys: for key in keys.receive(buffer[..<count]) { deliver(.key(key)) }
      }
    }
    if let rest = lines.finish() { deliver(rest) }
  }

  private func deliver(_ line: LineSplitter.Line) {
    switch line {
    case .text(let line): deliver(.line(line))
    case .tooLong: deliver(.lineTooLong)
    }
  }

  private func deliver(_ item: Item) {
    room.wait()
    if goesOn { continuation.yield(item) }
  }

  // MARK: Ctrl-Z and Ctrl-\

  /// Leaves the terminal to the shell as it was found while this process is stopped or dumps core, and takes it back.
  private func watchSuspension() -> [any DispatchSourceSignal] {
    func watch(_ number: Int32, _ body: @escaping @Sendable () -> Void) -> any DispatchSourceSignal {
      _ = signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
      source.setEventHandler(handler: body)
      source.resume()
      return source
    }
    return [
      watch(SIGTSTP) {
        // Who leads a session has no shell above that would let it go on.
        guard getsid(0) != getpid() else { return }
        TerminalMode.restore()
        kill(getpid(), SIGSTOP)
      },
      watch(SIGCONT) { [input] in input.wake() },
      watch(SIGQUIT) {
        TerminalMode.restore()
        _exit(128 + SIGQUIT)
      },
    ]
  }
}
