import Glibc

/// A file that one thread reads where that may take forever, and that others can wake it from.
final class WakeableFile: Sendable {
  struct Readiness {
    var isWoken = false
    var isReadable = false
  }

  enum Outcome {
    case bytes(Int)
    case end
    /// There is nothing after all.
    case nothing
    /// - Parameter error: the system's number for it.
    case failed(_ error: Int32)
  }

  private let file: Int32
  /// A pipe whose only use is that the reading thread wakes.
  private let (waking, wakes): (Int32, Int32)

  init(_ file: Int32) {
    self.file = file
    var ends: [Int32] = [-1, -1]
    _ = pipe(&ends)
    for end in ends {
      _ = fcntl(end, F_SETFD, FD_CLOEXEC)
      _ = fcntl(end, F_SETFL, O_NONBLOCK)
    }
    (wakes, waking) = (ends[0], ends[1])
  }

  deinit {
    close(waking)
    close(wakes)
  }

  /// Ends the wait that there is, or the next one.
  func wake() {
    var byte: UInt8 = 0
    _ = write(waking, &byte, 1)
  }

  /// Waits until there is something to read, or somebody wakes. A signal may end it too, with neither.
  ///
  /// - Parameters:
  ///   - isReading: whether to wait for something to read.
  ///   - milliseconds: how long; -1 is for ever.
  func wait(isReading: Bool = true, upTo milliseconds: Int32 = -1) -> Readiness {
    var files = [
      pollfd(fd: wakes, events: Int16(POLLIN), revents: 0),
      pollfd(fd: isReading ? file : -1, events: Int16(POLLIN), revents: 0),
    ]
    guard poll(&files, 2, milliseconds) > 0 else { return Readiness() }
    let isWoken = files[0].revents != 0
    if isWoken {
      var bytes = [UInt8](repeating: 0, count: 64)
      _ = Glibc.read(wakes, &bytes, bytes.count)
    }
    return Readiness(isWoken: isWoken, isReadable: files[1].revents != 0)
  }

  /// Reads what there is.
  func read(into buffer: UnsafeMutableRawBufferPointer) -> Outcome {
    switch Glibc.read(file, buffer.baseAddress, buffer.count) {
    case 0: .end
    case let count where count > 0: .bytes(count)
    default: errno == EINTR || errno == EAGAIN ? .nothing : .failed(errno)
    }
  }
}
