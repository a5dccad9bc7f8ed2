import Carillon
import Dispatch
import Foundation
import Synchronization

/// Standard output as the place for a file's bytes, written to on a thread where that may take forever.
final class StandardOutputBytes: Sendable {
  /// What a pipe that has room takes at once.
  private static let pieceSize = 4096

  private let file: Int32
  private let queue = DispatchQueue(label: "output")
  private let isCancelled = Atomic(false)

  init(file: Int32 = STDOUT_FILENO) { self.file = file }

  /// - Throws: what the chunks throw, `CallError(.output)`, or `CancellationError`.
  func write(_ chunks: some AsyncSequence<[UInt8], any Error>) async throws {
    for try await chunk in chunks {
      try await withTaskCancellationHandler {
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
          queue.async { continuation.resume(with: Result { try self.write(chunk) }) }
        }
      } onCancel: {
        isCancelled.store(true, ordering: .relaxed)
      }
    }
  }

  private func write(_ chunk: [UInt8]) throws {
    var rest = chunk[...]
    while !rest.isEmpty {
      if isCancelled.load(ordering: .relaxed) { throw CancellationError() }
      var files = pollfd(fd: file, events: Int16(POLLOUT), revents: 0)
      guard poll(&files, 1, 250) > 0 else { continue }
      let count = rest.prefix(Self.pieceSize).withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
      if count > 0 {
        rest = rest.dropFirst(count)
      } else if errno != EINTR, errno != EAGAIN {
        throw CallError(.output, "Standard output cannot be written: \(String(cString: strerror(errno))).")
      }
    }
  }
}
