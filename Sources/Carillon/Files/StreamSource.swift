import JingleCore
import MediaCodecs
import NIOCore
import XMPPCore

/// A stream that is sent as a file: read once, from its beginning, and hashed on a thread for files.
///
/// A way can come to nothing after something was read for it and before anything has arrived; what was read until then is
/// given again to the next. Bound: 4 MiB, which is more than any way takes before it must have brought something over.
actor StreamSource: FileSource {
  nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

  nonisolated let length: Int64?
  nonisolated var date: Duration? { nil }
  nonisolated var isSeekable: Bool { false }
  /// What the stream is written to.
  nonisolated let pipe = ChunkPipe(memory: 4 << 20)
  private nonisolated let thread: CodecThread
  private var turn = 0
  private var offset: Int64 = 0
  private var hash: RunningHash?

  /// - Parameter size: in bytes, if known: then the stream must have exactly so many.
  init(size: Int64?, on thread: CodecThread) {
    length = size
    self.thread = thread
  }

  func begin(at offset: Int64) throws {
    guard offset == 0 else { throw CallError(.input, "A stream can be sent from its beginning only.") }
    guard let turn = pipe.rewind() else {
      throw CallError(.input, "The beginning of the stream is gone, and it cannot be read again.")
    }
    self.turn = turn
    self.offset = 0
    hash = RunningHash([.sha256])
  }

  func next(_ count: Int) async throws -> ByteBuffer? {
    let turn = turn
    guard let chunk = try await pipe.read(count, turn: turn) else {
      if let length, offset < length {
        throw CallError(.input, "The stream ended after \(offset) bytes, and was to have \(length).")
      }
      return nil
    }
    guard turn == self.turn else { throw ChunkPipe.Interrupted() }
    offset += Int64(chunk.readableBytes)
    chunk.withUnsafeReadableBytes { hash?.update($0) }
    // Before the last bytes leave: what has come whole to the peer cannot be called back.
    if offset == length { try await checkEnd() }
    if let length, offset > length { throw Self.tooLong(length) }
    return chunk
  }

  func finish(isWhole: Bool) async throws -> [HashValue] {
    if offset == length { try await checkEnd() }
    let values = hash.take()?.finish() ?? []
    return isWhole ? values : []
  }

  private func checkEnd() async throws {
    if try await pipe.read(1, turn: turn) != nil { throw Self.tooLong(offset) }
  }

  private static func tooLong(_ length: Int64) -> CallError {
    CallError(.input, "The stream has more than the \(length) bytes that it was to have.")
  }
}

/// A sequence of chunks that is to be sent as a file.
struct OutgoingStream: Sendable {
  let size: Int64?
  private let write: @Sendable (ChunkPipe) async throws -> Void

  init<Chunks: AsyncSequence & Sendable>(_ chunks: Chunks, size: Int64?)
  where Chunks.Element: RandomAccessCollection<UInt8> {
    self.size = size
    write = { pipe in
      try await pipe.waitUntilOpen()
      for try await chunk in chunks {
        var rest = chunk[...]
        while !rest.isEmpty {
          let piece = rest.prefix(512 << 10)
          rest = rest.dropFirst(piece.count)
          try await pipe.write(ByteBuffer(bytes: piece))
        }
      }
      try Task.checkCancellation()
    }
  }

  /// Reads the sequence, once somebody wants it, for as long as somebody does.
  func feed(_ pipe: ChunkPipe) async {
    do {
      try await write(pipe)
      pipe.finish()
    } catch let error as CallError {
      pipe.finish(throwing: error)
    } catch {
      pipe.finish(throwing: CallError(.input, "The stream that was to be sent failed: \(error).", cause: error))
    }
  }
}
