import Foundation
import JingleCore
import MediaTime
import NIOCore
import XMPPCore
import XMPPNetworking

// Moving the bytes between the disk and the transport.
extension Client {
  func begin(_ part: JingleCore.FileTransfer.Part, of transfer: ActiveTransfer) {
    guard let stream = transfer.stream else { return }
    transfer.offset = part.offset
    transfer.startedAt = SystemClock.now
    transfer.tell(.started(transfer.way, path: transfer.route, offset: part.offset))
    let id = transfer.id
    if let source = transfer.source {
      spawn { await self.sendFile(id, source, part, stream) }
    } else if let file = transfer.part {
      let algorithms = transfer.file.hashes.algorithms
      spawn { await self.receiveFile(id, file, algorithms, part, stream) }
    }
  }

  private func sendFile(
    _ id: UUID, _ source: any FileSource, _ part: JingleCore.FileTransfer.Part, _ stream: any Bytestream
  ) async {
    do {
      try await source.begin(at: part.offset)
      let size = source.length ?? .max
      let end = part.length.map { part.offset + $0 } ?? size
      // Small enough for even a slow way to take one before it counts as stalled.
      let chunkSize = stream is InBandByteStream ? 16 << 10 : 512 << 10
      var offset = part.offset
      while offset < end, let chunk = try await source.next(min(chunkSize, Int(end - offset))) {
        let count = chunk.readableBytes
        offset += Int64(count)
        try await stream.send(chunk)
        guard moved(count, id) else { return }
      }
      let hashes = try await source.finish(isWhole: end == size)
      guard let transfer = transfer(id) else { return }
      transfer.sha256 = hashes.first { $0.algorithm == .sha256 }?.hexadecimal
      carryOut(transfer.machine.sentAll(Hashes(hashes), at: SystemClock.now), of: transfer)
      rearm()
      // Who has all may well have closed it by then.
      try? await stream.finish()
    } catch {
      broke(id, error)
    }
  }

  private func receiveFile(
    _ id: UUID, _ file: any FileSink, _ algorithms: [HashAlgorithm], _ part: JingleCore.FileTransfer.Part,
    _ stream: any Bytestream
  ) async {
    do {
      try await file.begin(at: part.offset, algorithms)
      var left = part.length ?? .max
      while left > 0, var chunk = try await stream.next() {
        // What is too much is counted, and not kept.
        let surplus = max(0, Int64(chunk.readableBytes) - left)
        if surplus > 0 { chunk = chunk.getSlice(at: chunk.readerIndex, length: Int(left)) ?? ByteBuffer() }
        let count = chunk.readableBytes
        try await file.append(chunk)
        left -= Int64(count)
        guard moved(count + Int(surplus), id) else { return }
      }
      guard let transfer = transfer(id) else { return }
      if left > 0 { carryOut(transfer.machine.closedByPeer(at: SystemClock.now), of: transfer) }
      rearm()
    } catch {
      broke(id, error)
    }
  }

  /// - Returns: whether the transfer goes on.
  private func moved(_ count: Int, _ id: UUID) -> Bool {
    guard let transfer = transfer(id), transfer.result == nil else { return false }
    let now = SystemClock.now
    transfer.count += Int64(count)
    if transfer.toldAt.map({ now - $0 >= .milliseconds(100) }) ?? true {
      transfer.toldAt = now
      let seconds = transfer.startedAt.map { (now - $0).inSeconds } ?? 0
      transfer.tell(
        .progress(
          FileProgress(
            bytes: transfer.offset + transfer.count, size: transfer.file.size,
            bytesPerSecond: seconds > 0 ? Double(transfer.count) / seconds : 0)))
      rearm()
    }
    carryOut(transfer.machine.moved(count, at: now), of: transfer)
    return transfer.result == nil
  }

  private func broke(_ id: UUID, _ error: any Error) {
    // Another pump is at work then.
    if error is ChunkPipe.Interrupted { return }
    guard let transfer = transfer(id), transfer.result == nil else { return }
    if let error = error as? CallError {
      transfer.fileError = error
      carryOut(transfer.machine.end(.fileFailed), of: transfer)
    } else {
      logger.info("bytestream broke", metadata: ["file.sid": "\(transfer.sid)", "error": "\(error)"])
      transportFailed("\(error)", of: transfer)
    }
    rearm()
  }
}
