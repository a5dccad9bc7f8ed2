import Foundation
import JingleCore
import MediaTime
import NIOCore
import XMPPCore

// In-band bytestreams: the stanzas, and those who wait for bytes.
extension Client {
  func connectInBand(_ transfer: ActiveTransfer) {
    guard var transport = transfer.local?.inBand, let answer = transfer.offered?.inBand else {
      return transportFailed("the peer answered with another transport", of: transfer)
    }
    if transfer.isOutgoing {
      do {
        transport = try transport.agreed(with: answer)
      } catch {
        return transportFailed("\(error)", of: transfer)
      }
    }
    let prefix = StanzaID.random(using: &random)
    let settings = InBandStream.Configuration(peer: transfer.peer, open: transport.open, idPrefix: prefix)
    let now = SystemClock.now
    let stream =
      transfer.isOutgoing ? InBandStream(opening: settings, at: now) : InBandStream(accepting: settings, at: now)
    transfer.inBand = .init(stream: stream)
    pumpInBand(transfer)
    rearm()
  }

  /// - Returns: whether it was one of theirs.
  func receiveInBand(_ iq: IQ) -> Bool {
    for transfer in transfers.values where transfer.inBand?.stream.receive(iq, at: SystemClock.now) == true {
      pumpInBand(transfer)
      rearm()
      return true
    }
    return false
  }

  func receiveInBand(_ message: Message) -> Bool {
    for transfer in transfers.values where transfer.inBand?.stream.receive(message, at: SystemClock.now) == true {
      pumpInBand(transfer)
      rearm()
      return true
    }
    return false
  }

  func pumpInBand(_ transfer: ActiveTransfer) {
    while let output = transfer.inBand?.stream.nextOutput() {
      switch output {
      case .send(let stanza): send(stanza)
      case .opened:
        transportReady(InBandChannel(client: self, sid: transfer.sid), "in band", of: transfer)
      case .received(let bytes):
        if let reader = transfer.inBand?.reader {
          transfer.inBand?.reader = nil
          transfer.inBand?.stream.consumed(bytes.count)
          reader.resume(returning: ByteBuffer(bytes: bytes))
        } else {
          transfer.inBand?.received.append(bytes)
        }
      case .drained:
        let sender = transfer.inBand?.sender
        transfer.inBand?.sender = nil
        sender?.resume()
      case .ended(let end): ended(transfer, end)
      }
    }
  }

  private func ended(_ transfer: ActiveTransfer, _ end: InBandStream.End) {
    guard let state = transfer.inBand else { return }
    transfer.inBand?.end = end
    transfer.inBand?.reader = nil
    transfer.inBand?.sender = nil
    transfer.inBand?.finisher = nil
    let error = InBandError(end: end)
    switch end {
    case .finished, .closedByPeer(undelivered: 0):
      state.reader?.resume(returning: nil)
      state.finisher?.resume()
      state.sender?.resume(throwing: error)
    case .closedByPeer:
      state.reader?.resume(returning: nil)
      state.finisher?.resume(throwing: error)
      state.sender?.resume(throwing: error)
    case .aborted, .failed:
      state.reader?.resume(throwing: error)
      state.finisher?.resume(throwing: error)
      state.sender?.resume(throwing: error)
    }
    if transfer.stream == nil, case .failed = end { transportFailed("\(error)", of: transfer) }
  }

  // MARK: The bytestream

  func sendInBand(_ bytes: ByteBuffer, _ sid: String) async throws {
    guard let transfer = transfers[sid], let state = transfer.inBand, state.end == nil else {
      throw InBandError(end: transfers[sid]?.inBand?.end)
    }
    guard transfer.inBand?.stream.send(bytes.readableBytesView, at: SystemClock.now) == true else {
      throw InBandError(end: nil)
    }
    pumpInBand(transfer)
    rearm()
    guard transfer.inBand?.stream.isFull == true else { return }
    try await withCheckedThrowingContinuation { transfer.inBand?.sender = $0 }
  }

  func finishInBand(_ sid: String) async throws {
    guard let transfer = transfers[sid], let state = transfer.inBand, state.end == nil else {
      throw InBandError(end: transfers[sid]?.inBand?.end)
    }
    try await withCheckedThrowingContinuation { continuation in
      transfer.inBand?.finisher = continuation
      transfer.inBand?.stream.finish(at: SystemClock.now)
      pumpInBand(transfer)
      rearm()
    }
  }

  func receiveInBand(_ sid: String) async throws -> ByteBuffer? {
    guard let transfer = transfers[sid], let state = transfer.inBand else { throw InBandError(end: nil) }
    if !state.received.isEmpty {
      // All that there is, at once.
      var buffer = ByteBuffer()
      for bytes in state.received { buffer.writeBytes(bytes) }
      transfer.inBand?.received = []
      transfer.inBand?.stream.consumed(buffer.readableBytes)
      pumpInBand(transfer)
      return buffer
    }
    switch state.end {
    case nil: return try await withCheckedThrowingContinuation { transfer.inBand?.reader = $0 }
    case .finished, .closedByPeer: return nil
    case .aborted, .failed: throw InBandError(end: state.end)
    }
  }

  func closeInBand(_ sid: String) {
    guard let transfer = transfers[sid] else { return }
    transfer.inBand?.stream.abort()
    pumpInBand(transfer)
  }
}

/// Why an in-band bytestream goes no further.
struct InBandError: Error, CustomStringConvertible {
  let end: InBandStream.End?

  var description: String {
    switch end {
    case .failed(.refused(let error)): "the peer refused the bytestream: \(error)"
    case .failed(.blockRefused(let error)): "a block was refused: \(error)"
    case .failed(.outOfSequence): "blocks were lost on their way"
    case .failed(.badBlock(let error)): "a block was malformed: \(error)"
    case .failed(.overrun): "the peer sends faster than can be written"
    case .failed(.timedOut): "the peer does not answer"
    case .closedByPeer: "the peer closed the bytestream before all had come"
    case .aborted, .finished, nil: "the bytestream is closed"
    }
  }
}
