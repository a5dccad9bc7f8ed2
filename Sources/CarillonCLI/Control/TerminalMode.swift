import Glibc
import Synchronization

/// The terminal in a mode where each key counts at once and none is shown, and back to how it was found.
///
/// Signals (Ctrl-C, Ctrl-Z) and the output are as ever. `restore` is called wherever the process may end, also by
/// `exit`.
enum TerminalMode {
  private struct Saved {
    var file: Int32
    var mode: termios
  }

  private static let saved = Mutex<Saved?>(nil)
  /// Once for the process.
  private static let restoresAtExit: Void = { _ = atexit { TerminalMode.restore() } }()

  /// Does nothing when it is in that mode already.
  ///
  /// - Returns: false when `file` is no terminal.
  @discardableResult
  static func enter(_ file: Int32 = STDIN_FILENO) -> Bool {
    _ = restoresAtExit
    return saved.withLock { saved in
      if saved != nil { return true }
      var mode = termios()
      guard tcgetattr(file, &mode) == 0 else { return false }
      let found = mode
      mode.c_lflag &= ~tcflag_t(ICANON | ECHO)
      guard tcsetattr(file, TCSANOW, &mode) == 0 else { return false }
      saved = Saved(file: file, mode: found)
      return true
    }
  }

  /// Does nothing when the terminal is as it was found.
  static func restore() {
    saved.withLock { saved in
      guard var found = saved else { return }
      saved = nil
      // In the background it is somebody else's, who has set it up as they want it.
      if !isInBackground(found.file) { tcsetattr(found.file, TCSANOW, &found.mode) }
    }
  }

  /// Whether reading `file`, a terminal, would stop this process, since another one has it now.
  static func isInBackground(_ file: Int32) -> Bool {
    let foreground = tcgetpgrp(file)
    return foreground >= 0 && foreground != getpgrp()
  }
}
