import JingleCore
import MediaCodecs
import NIOCore
import XMPPCore

/// A file that is handed on as it comes. Hashed on a thread for files.
actor StreamSink: FileSink {
  nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

  nonisolated var isResumable: Bool { false }
  /// What the file is read from.
  nonisolated let pipe = ChunkPipe()
  private nonisolated let thread: CodecThread
  private(set) var count: Int64 = 0
  private var hash: RunningHash?
  private var values: [HashValue] = []

  init(on thread: CodecThread) { self.thread = thread }

  var sha256: String? { values.first { $0.algorithm == .sha256 }?.hexadecimal }

  func begin(at offset: Int64, _ algorithms: [HashAlgorithm]) throws {
    guard offset == 0, count == 0 else {
      throw CallError(.protocolViolation, "A file that is received as a stream comes whole, from its beginning.")
    }
    // It does not come by again: where no function was told that can be trusted, the checksum may be in any.
    let isTold = algorithms.contains(where: \.isTrusted)
    hash = RunningHash(Set(isTold ? algorithms : HashAlgorithm.allCases).union([.sha256]))
  }

  func append(_ bytes: ByteBuffer) async throws {
    bytes.withUnsafeReadableBytes { hash?.update($0) }
    count += Int64(bytes.readableBytes)
    do { try await pipe.write(bytes) } catch { throw Self.left(error) }
  }

  func digest(_ algorithm: HashAlgorithm, _ range: JingleCore.FileTransfer.Part?) -> HashValue? {
    finishHash()
    // Of a part there is nothing but that part.
    guard range?.offset ?? 0 == 0, range?.length ?? count == count else { return nil }
    return values.first { $0.algorithm == algorithm }
  }

  func place(as names: some Sequence<String> & Sendable) async throws(CallError) -> String? {
    finishHash()
    pipe.finish()
    do { try await pipe.drain() } catch { throw Self.left(error) }
    return nil
  }

  func end(after error: CallError?) {
    pipe.finish(throwing: error)
  }

  private func finishHash() {
    if let finished = hash.take()?.finish() {
      values = finished
    } else if values.isEmpty {
      // Of an empty file nothing comes, not even a beginning.
      values = RunningHash(HashAlgorithm.allCases).finish()
    }
  }

  private static func left(_ error: any Error) -> CallError {
    CallError(.output, "The file was not read to its end, and is given up.", cause: error)
  }
}

/// A file's bytes in the order and, about, in the chunks in which they come. For one consumer, once.
///
/// Who consumes slowly slows the sender down; up to 1 MiB waits. **Do not trust what comes before the end was
/// reached**: the file's hash is known last, and when it is another than the sender's, the sequence throws
/// `CallError(.corrupt)` after the last chunk. It throws too when the transfer breaks off, for what has come is not gone on
/// with.
public struct FileChunks: AsyncSequence, Sendable {
  public typealias Element = [UInt8]

  private let pipe: ChunkPipe
  private let turn: Int

  init(_ pipe: ChunkPipe) {
    self.pipe = pipe
    turn = pipe.rewind() ?? 0
  }

  public struct AsyncIterator: AsyncIteratorProtocol {
    fileprivate let pipe: ChunkPipe
    fileprivate let turn: Int

    /// - Throws: `CallError`, or `CancellationError`.
    public func next() async throws -> [UInt8]? {
      try await pipe.read(256 << 10, turn: turn).map { Array($0.readableBytesView) }
    }
  }

  public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(pipe: pipe, turn: turn) }
}
