import Foundation
import Testing

@testable import CarillonCLI

/// One after the other: there is one terminal mode in a process.
@Suite(.serialized) struct StandardInputTests {
  private func openPipe() -> (read: Int32, write: Int32) {
    var ends: [Int32] = [-1, -1]
    #expect(pipe(&ends) == 0)
    return (ends[0], ends[1])
  }

  @Test(
    "Commands come with --json, keys on a terminal, and nothing where pictures come",
    arguments: [
      (true, false, false, false, .commands), (true, false, true, true, .commands), (false, false, true, true, .keys),
      (false, false, true, false, nil), (false, false, false, true, nil), (true, true, false, false, nil),
      (false, true, true, true, nil),
    ] as [(Bool, Bool, Bool, Bool, StandardInput.Mode?)])
  func mode(json: Bool, isTaken: Bool, input: Bool, error: Bool, mode: StandardInput.Mode?) {
    #expect(
      StandardInput.mode(json: json, isTaken: isTaken, inputIsTerminal: input, errorIsTerminal: error) == mode)
  }

  @Test("Lines come as they are written, and the end of input ends them", .timeLimit(.minutes(1)))
  func lines() async {
    let (read, write) = openPipe()
    defer { close(read) }
    let input = StandardInput(.commands, file: read)
    let text =
      "one\n" + String(repeating: "x", count: CallRequest.maximumLineLength + 1) + "\n"
      + String(repeating: "y\n", count: 500) + "rest"
    let writer = Thread {
      let file = FileHandle(fileDescriptor: write, closeOnDealloc: true)
      try? file.write(contentsOf: Data(text.utf8))
      try? file.close()
    }
    writer.start()
    var items: [StandardInput.Item] = []
    for await item in input.items {
      items.append(item)
      input.consumed()
    }
    #expect(items.count == 503)
    #expect(items.first == .line(Array("one".utf8)))
    #expect(items[1] == .lineTooLong)
    #expect(items.last == .line(Array("rest".utf8)))
  }

  @Test("Nobody who does not read on is flooded", .timeLimit(.minutes(1)))
  func flood() async throws {
    let (read, write) = openPipe()
    defer {
      close(read)
      close(write)
    }
    let input = StandardInput(.commands, file: read)
    _ = fcntl(write, F_SETFL, O_NONBLOCK)
    // A pipe holds 64 KiB; that writing stops means that reading did.
    let lines = Array(repeatElement(UInt8(ascii: "\n"), count: 4096))
    var written = 0
    for _ in 0..<200 where written < 1 << 20 {
      let count = Glibc.write(write, lines, lines.count)
      if count > 0 { written += count } else { try await Task.sleep(for: .milliseconds(5)) }
    }
    #expect(written < 1 << 19)
    input.stop()
  }

  @Test("Stopping ends the items though nothing comes", .timeLimit(.minutes(1)))
  func stop() async {
    let (read, write) = openPipe()
    defer {
      close(read)
      close(write)
    }
    let input = StandardInput(.commands, file: read)
    input.stop()
    for await _ in input.items { Issue.record("nothing was written") }
  }

  /// A terminal of one's own: what is typed into `keyboard` is read from `terminal`.
  private func openTerminal() throws -> (keyboard: Int32, terminal: Int32) {
    // As `grantpt`, `unlockpt` and `ptsname` do, which Swift does not see.
    let (unlock, getNumber): (UInt, UInt) = (0x4004_5431, 0x8004_5430)
    let keyboard = open("/dev/ptmx", O_RDWR | O_NOCTTY)
    var (locked, number): (Int32, UInt32) = (0, 0)
    try #require(ioctl(keyboard, unlock, &locked) == 0 && ioctl(keyboard, getNumber, &number) == 0)
    let terminal = open("/dev/pts/\(number)", O_RDWR | O_NOCTTY)
    try #require(terminal >= 0)
    return (keyboard, terminal)
  }

  private func localFlags(_ file: Int32) -> tcflag_t {
    var mode = termios()
    #expect(tcgetattr(file, &mode) == 0)
    return mode.c_lflag
  }

  @Test("Keys count at once and are not shown, and the terminal is left as it was found", .timeLimit(.minutes(1)))
  func terminal() async throws {
    let (keyboard, terminal) = try openTerminal()
    defer {
      close(terminal)
      close(keyboard)
    }
    let found = localFlags(terminal)
    #expect(found & tcflag_t(ICANON | ECHO | ISIG) == tcflag_t(ICANON | ECHO | ISIG))
    let input = StandardInput(.keys, file: terminal)
    while localFlags(terminal) == found { try await Task.sleep(for: .milliseconds(5)) }
    #expect(localFlags(terminal) == found & ~tcflag_t(ICANON | ECHO))
    let typed = Array("m\u{1B}[A5".utf8)
    #expect(Glibc.write(keyboard, typed, typed.count) == typed.count)
    var keys: [StandardInput.Item] = []
    for await item in input.items {
      keys.append(item)
      input.consumed()
      if keys.count == 2 { break }
    }
    #expect(keys == [.key(UInt8(ascii: "m")), .key(UInt8(ascii: "5"))])
    input.stop()
    #expect(localFlags(terminal) == found)
    TerminalMode.restore()
    #expect(localFlags(terminal) == found)
  }

  @Test("What is no terminal is left alone")
  func noTerminal() {
    let (read, write) = openPipe()
    defer {
      close(read)
      close(write)
    }
    #expect(!TerminalMode.enter(read))
    TerminalMode.restore()
    #expect(!TerminalMode.isInBackground(read))
  }
}
