import Foundation
import JingleCore
import MediaTime
import XMPPCore

// Files that are received as streams.
extension Client {
  func receiveFile(
    _ id: UUID, _ body: @escaping @Sendable (FileTransfer, FileChunks) async throws -> Void
  ) async throws -> FileReceipt {
    guard web.underWay[id] == nil else {
      throw CallError(.configuration, "A file that is shared as a link is received into a folder.")
    }
    guard let transfer = transfer(id), !transfer.isAnswered else {
      throw CallError(.failed, "The offer was withdrawn.")
    }
    transfer.isAnswered = true
    transfer.withdrawn.finish()
    let sink = StreamSink(on: FileThreads.shared.next())
    let (handle, chunks) = (FileTransfer(transfer, client: self), FileChunks(sink.pipe))
    accept(transfer, into: sink)
    return try await withTaskCancellationHandler {
      async let consumed: Void = consume(handle, chunks, from: sink, id, body)
      let result = await end(of: transfer)
      try await consumed
      return try result.get()
    } onCancel: {
      Task { await self.cancelTransfer(id) }
    }
  }

  private func accept(_ transfer: ActiveTransfer, into sink: StreamSink) {
    defer { rearm() }
    transfer.part = sink
    if let size = transfer.file.size, size > configuration.maximumFileSize ?? .max {
      return carryOut(transfer.machine.end(.tooLarge), of: transfer)
    }
    transfer.decision = .receive(from: 0)
    proceed(transfer.session)
  }

  /// Who consumes no more lets go of the transfer; after its end that changes nothing.
  private func consume(
    _ transfer: FileTransfer, _ chunks: FileChunks, from sink: StreamSink, _ id: UUID,
    _ body: @Sendable (FileTransfer, FileChunks) async throws -> Void
  ) async throws {
    defer {
      sink.pipe.abandon()
      cancelTransfer(id)
    }
    try await body(transfer, chunks)
  }
}
