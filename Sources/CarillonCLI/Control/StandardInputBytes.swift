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

    private let queue = DispatchQueue(label: "input")
    private let input: WakeableFile

    init(_ file: Int32) { input = WakeableFile(file) }

    func next() async throws -> [UInt8]? {
      try Task.checkCancellation()
      let chunk = await withTaskCancellationHandler {
        await withCheckedContinuation { continuation in
          queue.async { continuation.resume(returning: self.read()) }
        }
      } onCancel: {
        input.wake()
      }
      return try chunk.get()
    }

    private func read() -> Result<[UInt8]?, any Error> {
      while true {
        let ready = input.wait()
        if ready.isWoken { return .failure(CancellationError()) }
        guard ready.isReadable else { continue }
        var outcome = WakeableFile.Outcome.nothing
        let chunk = [UInt8](unsafeUninitializedCapacity: Self.chunkSize) { buffer, initialized in
          outcome = input.read(into: UnsafeMutableRawBufferPointer(buffer))
          if case .bytes(let count) = outcome { initialized = count }
        }
        switch outcome {
        case .bytes: return .success(chunk)
        case .end: return .success(nil)
        case .nothing: continue
        case .failed(let error):
          let words = String(cString: strerror(error))
          return .failure(CallError(.input, "Standard input cannot be read: \(words)."))
        }
      }
    }
  }
}
