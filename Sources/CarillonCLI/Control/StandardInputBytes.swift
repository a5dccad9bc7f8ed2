import Carillon
import Dispatch
import Foundation

/// Standard input as bytes, read on a thread where that may take forever, and only when somebody wants more. For one
/// consumer, once.
struct StandardInputBytes: AsyncSequence, Sendable {
  typealias Element = [UInt8]

  private let reader: Reader

  init(file: Int32 = STDIN_FILENO) { reader = Reader(file) }

  /// How many bytes there are, if that is known: of a file that is standard input.
  static func size(file: Int32 = STDIN_FILENO) -> Int64? {
    var status = stat()
    guard fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
    let position = lseek(file, 0, SEEK_CUR)
    return position < 0 ? nil : Swift.max(0, Int64(status.st_size) - Int64(position))
  }

  func makeAsyncIterator() -> AsyncIterator { AsyncIterator(reader: reader) }

  struct AsyncIterator: AsyncIteratorProtocol {
    fileprivate let reader: Reader

    /// - Throws: `CallError(.input)`, or `CancellationError`.
    func next() async throws -> [UInt8]? { try await reader.next() }
  }

  fileprivate final class Reader: Sendable {
    private static let chunkSize = 128 << 10

    private let file: Int32
    private let queue = DispatchQueue(label: "input")
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

    func next() async throws -> [UInt8]? {
      try Task.checkCancellation()
      let chunk = await withTaskCancellationHandler {
        await withCheckedContinuation { continuation in
          queue.async { continuation.resume(returning: self.read()) }
        }
      } onCancel: {
        var byte: UInt8 = 0
        _ = write(waking, &byte, 1)
      }
      return try chunk.get()
    }

    private func read() -> Result<[UInt8]?, any Error> {
      var files = [
        pollfd(fd: wakes, events: Int16(POLLIN), revents: 0), pollfd(fd: file, events: Int16(POLLIN), revents: 0),
      ]
      while true {
        guard poll(&files, 2, -1) > 0 else { continue }
        if files[0].revents != 0 { return .failure(CancellationError()) }
        var count = 0
        let chunk = [UInt8](unsafeUninitializedCapacity: Self.chunkSize) { buffer, initialized in
          count = Glibc.read(file, buffer.baseAddress, buffer.count)
          initialized = Swift.max(0, count)
        }
        if count > 0 { return .success(chunk) }
        if count == 0 { return .success(nil) }
        guard errno == EINTR || errno == EAGAIN else {
          let words = String(cString: strerror(errno))
          return .failure(CallError(.input, "Standard input cannot be read: \(words)."))
        }
      }
    }
  }
}
