import FoundationEssentials
import Glibc
import Synchronization

/// Where the command's words go: results to standard output, progress and errors to standard error.
///
/// Every line leaves at once and whole. A reader that went away is no error: the call goes on without it.
final class Console: Sendable {
  let isJSON: Bool
  /// Whether people watch standard error on a terminal that can rewrite a line.
  let isLive: Bool
  private let isColoured: Bool
  private let output: Int32
  private let errors: Int32
  /// Whether the live line is on the screen; guards the order of everything that is written.
  private let liveLineIsShown = Mutex(false)

  init(
    json: Bool, environment: [String: String] = ProcessInfo.processInfo.environment, output: Int32 = STDOUT_FILENO,
    errors: Int32 = STDERR_FILENO
  ) {
    // What is opened later must not take the place of a stream that the parent closed.
    for file in STDIN_FILENO...STDERR_FILENO where fcntl(file, F_GETFD) < 0 { _ = open("/dev/null", O_RDWR) }
    isJSON = json
    (self.output, self.errors) = (output, errors)
    let isTerminal = isatty(errors) == 1 && environment["TERM"] != "dumb"
    isLive = isTerminal && !json
    isColoured = isLive && environment["NO_COLOR", default: ""].isEmpty
    _ = signal(SIGPIPE, SIG_IGN)
  }

  /// With `--json`, tells programs what happened.
  func event(_ name: String, _ fields: JSONObject = [:]) {
    guard isJSON else { return }
    let object: JSONObject = ["event": .string(name), "time": .string(Date().rfc3339)]
    write(object.merging(fields).text + "\n", to: output)
  }

  /// Tells people what happens. With `--json` they read the events.
  func progress(_ line: String) {
    guard !isJSON else { return }
    write(printable(line) + "\n", to: errors)
  }

  /// Tells people what came of it, on standard output.
  func result(_ text: String) {
    guard !isJSON else { return }
    write(text + "\n", to: output)
  }

  /// Something that people should know and that ends nothing.
  func warning(code: String = "warning", _ message: String) {
    event("error", ["code": .string(code), "message": .string(message)])
    write(coloured("warning:", "33") + " " + printable(message) + "\n", to: errors)
  }

  /// What somebody asked for by a key or a command is not done.
  func refused(_ failure: RequestFailure, sid: String? = nil) {
    var fields: JSONObject = ["code": .string(failure.code), "message": .string(failure.message)]
    fields["command"] = failure.command.map { .string($0) }
    fields["sid"] = sid.map { .string($0) }
    event("error", fields)
    progress(failure.message)
  }

  /// Why the command ends without success, or will, or why one file did not come while it goes on.
  ///
  /// - Parameter file: which of several files it is about.
  func failure(_ failure: CommandFailure, of file: String? = nil, isFinal: Bool = true) {
    var fields: JSONObject = ["code": .string(failure.code), "message": .string(failure.message)]
    if isFinal { fields["exitCode"] = .integer(Int(failure.exitCode)) }
    fields["file"] = file.map { .string($0) }
    event("error", fields)
    let words = (file.map { "\($0): " } ?? "") + failure.message
    write(coloured("error:", "31") + " " + printable(words) + "\n", to: errors)
  }

  /// Rewrites the live line, on a terminal.
  func live(_ render: (_ width: Int) -> String) {
    guard isLive else { return }
    var size = winsize()
    let width = ioctl(errors, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0 ? Int(size.ws_col) : 80
    let line = printable(render(width - 1))
    liveLineIsShown.withLock { isShown in
      Self.writeAll("\r\(line)\u{1B}[K", to: errors)
      isShown = true
    }
  }

  private func coloured(_ text: String, _ code: String) -> String {
    isColoured ? "\u{1B}[\(code)m\(text)\u{1B}[0m" : text
  }

  private func write(_ text: String, to file: Int32) {
    liveLineIsShown.withLock { isShown in
      if isShown { Self.writeAll("\r\u{1B}[K", to: errors) }
      isShown = false
      Self.writeAll(text, to: file)
    }
  }

  private static func writeAll(_ text: String, to file: Int32) {
    var text = text
    text.withUTF8 { bytes in
      var written = 0
      while written < bytes.count {
        let count = Glibc.write(file, bytes.baseAddress! + written, bytes.count - written)
        if count >= 0 { written += count } else if errno != EINTR { return }
      }
    }
  }
}
