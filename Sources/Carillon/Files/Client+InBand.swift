import Foundation
import JingleCore
import NIOCore
import Synchronization
import XMPPCore
import XMPPNetworking

// In-band bytestreams: whose the stanzas are.
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
    var settings = InBandStream.Configuration(
      peer: transfer.peer, open: transport.open, idPrefix: StanzaID.random(using: &random))
    if let maximum = configuration.maximumInBandBlocks { settings.maximumBlocks = maximum }
    let outlet = outlet
    let stream =
      transfer.session.jingle.role == .initiator
      ? InBandByteStream(opening: settings) { outlet.send($0) }
      : InBandByteStream(accepting: settings) { outlet.send($0) }
    transfer.inBand = stream
    let id = transfer.id
    spawn {
      do {
        try await stream.opened()
        await self.opened(stream, id)
      } catch {
        await self.failed(stream, id, error)
      }
    }
  }

  private func opened(_ stream: InBandByteStream, _ id: UUID) {
    guard let transfer = transfer(id), transfer.inBand === stream else { return stream.close() }
    transportReady(stream, "in band", of: transfer)
    rearm()
  }

  private func failed(_ stream: InBandByteStream, _ id: UUID, _ error: any Error) {
    guard let transfer = transfer(id), transfer.inBand === stream else { return }
    transportFailed("\(error)", of: transfer)
  }

  /// - Returns: whether it was one of theirs.
  func receiveInBand(_ iq: IQ) -> Bool { transfers.values.contains { $0.inBand?.receive(iq) == true } }

  func receiveInBand(_ message: Message) -> Bool {
    transfers.values.contains { $0.inBand?.receive(message) == true }
  }
}

extension InBandByteStream: Bytestream {
  var chunkSize: Int { 16 << 10 }
  nonisolated(nonsending) func next() async throws -> ByteBuffer? { try await receive() }
}

/// Sends stanzas on the stream of the moment from any thread, in order. Without a stream they are dropped.
final class StanzaOutlet: Sendable {
  private let current = Mutex<(any StanzaLink)?>(nil)

  var link: (any StanzaLink)? {
    get { current.withLock { $0 } }
    set { current.withLock { $0 = newValue } }
  }

  func send(_ stanza: XMLElement) { current.withLock { $0?.send(stanza) } }
}
