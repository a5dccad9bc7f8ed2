import Foundation
import MediaCodecs

/// A file that is sent, or a range of it. Lives on a thread of its own, since disks are slow.
actor SourceFile {
  nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

  nonisolated let path: String
  /// In bytes.
  nonisolated let size: Int64
  /// When it was last changed, in seconds since 1970-01-01 00:00 UTC.
  nonisolated let modified: Duration
  private nonisolated let thread: CodecThread
  private let descriptor: Int32

  /// - Throws: `CallError(.input)` when it cannot be read, or is no regular file.
  init(_ path: String, on thread: CodecThread) throws(CallError) {
    self.path = path
    self.thread = thread
    // A FIFO would wait for its other end.
    descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else {
      throw CallError(.input, "\(path) cannot be read: \(String(cString: strerror(errno))).")
    }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      close(descriptor)
      throw CallError(.input, "\(path) is no regular file: only those can be sent. Pipe others through standard input.")
    }
    size = Int64(status.st_size)
    modified = status.modified
    posix_fadvise(descriptor, 0, 0, POSIX_FADV_SEQUENTIAL)
  }

  deinit {
    close(descriptor)
  }

  /// - Returns: what stands at `offset`, as much as fits into `buffer`; 0 at the end.
  /// - Throws: `CallError(.input)` when the disk fails.
  func read(at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) throws(CallError) -> Int {
    while true {
      let length = pread(descriptor, buffer.baseAddress, buffer.count, off_t(offset))
      if length >= 0 { return length }
      guard errno == EINTR else {
        throw CallError(.input, "\(path) cannot be read: \(String(cString: strerror(errno))).")
      }
    }
  }

  /// Checks that the file is the one that was offered.
  ///
  /// - Throws: `CallError(.input)` when somebody has changed it meanwhile.
  func checkUnchanged() throws(CallError) {
    var status = stat()
    guard fstat(descriptor, &status) == 0, Int64(status.st_size) == size, status.modified == modified else {
      throw CallError(.input, "\(path) was changed while it was being sent. Send it again.")
    }
  }
}

extension stat {
  fileprivate var modified: Duration {
    .seconds(Int64(st_mtim.tv_sec)) + .nanoseconds(Int64(st_mtim.tv_nsec))
  }
}
