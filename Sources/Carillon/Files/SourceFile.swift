import Foundation
import MediaCodecs
import NIOCore
import XMPPCore

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
  private var hash: RunningHash?
  private var offset: Int64 = 0
  private var buffers = BufferPool()

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
      throw CallError(.input, "\(path) is no regular file, and only those can be sent.")
    }
    size = Int64(status.st_size)
    modified = status.modified
    posix_fadvise(descriptor, 0, 0, POSIX_FADV_SEQUENTIAL)
  }

  deinit {
    close(descriptor)
  }

  /// Begins to read at `offset`. What stands before it is hashed first: the peer has it.
  ///
  /// - Throws: `CallError(.input)`, or `CancellationError`.
  func begin(at offset: Int64) async throws {
    hash = RunningHash([.sha256])
    self.offset = 0
    while self.offset < offset {
      let turn = self.offset / FileThreads.turn
      guard try next(Int(min(1 << 20, offset - self.offset))) != nil else { return }
      guard self.offset / FileThreads.turn != turn else { continue }
      try Task.checkCancellation()
      await Task.yield()
    }
  }

  /// - Returns: what comes next, `count` bytes at most; nil at the end.
  /// - Throws: `CallError(.input)` when the disk fails.
  func next(_ count: Int) throws(CallError) -> ByteBuffer? {
    var buffer = buffers.take(count)
    let read = buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: count) { bytes in
      while true {
        let length = pread(descriptor, bytes.baseAddress, count, off_t(offset))
        if length >= 0 || errno != EINTR { return max(0, length) }
      }
    }
    guard read > 0 else {
      guard offset >= size else { throw CallError(.input, "\(path) ends before its time, or cannot be read.") }
      return nil
    }
    buffer.withUnsafeReadableBytes { hash?.update($0) }
    offset += Int64(read)
    buffers.lend(buffer)
    return buffer
  }

  /// Checks that the file is still the one that was offered.
  ///
  /// - Parameter isWhole: whether it was read to its end.
  /// - Returns: the hashes of the whole file; of a part, none.
  /// - Throws: `CallError(.input)` when somebody has changed it meanwhile.
  func finish(isWhole: Bool) throws(CallError) -> [HashValue] {
    try checkUnchanged()
    let values = hash.take()?.finish() ?? []
    return isWhole ? values : []
  }

  private func checkUnchanged() throws(CallError) {
    var status = stat()
    guard fstat(descriptor, &status) == 0, Int64(status.st_size) == size, status.modified == modified else {
      throw CallError(.input, "\(path) was changed while it was being sent. Send it again.")
    }
  }
}

/// Buffers that are used again when nobody has them any more: new memory costs as much as reading into it.
private struct BufferPool {
  /// About as many as are under way in a bytestream.
  private static let capacity = 12

  /// Those that were lent first come first.
  private var lent: [ByteBuffer] = []

  /// - Returns: an empty buffer.
  mutating func take(_ capacity: Int) -> ByteBuffer {
    while let index = lent.indices.first(where: { lent[$0].modifyIfUniquelyOwned({ $0.clear() }) != nil }) {
      let buffer = lent.remove(at: index)
      if buffer.capacity >= capacity { return buffer }
    }
    return ByteBufferAllocator().buffer(capacity: capacity)
  }

  /// Remembers a buffer that is given to somebody.
  mutating func lend(_ buffer: ByteBuffer) {
    if lent.count < Self.capacity { lent.append(buffer) }
  }
}

extension stat {
  fileprivate var modified: Duration {
    .seconds(Int64(st_mtim.tv_sec)) + .nanoseconds(Int64(st_mtim.tv_nsec))
  }
}
