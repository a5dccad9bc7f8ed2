import Foundation
import JingleCore
import MediaEngine
import MediaTime
import XMPPCore
import XMPPNetworking

// The ways by which files go: offered, accepted, and changed for others.
extension Client {
  /// Offers the file, once there is a transport to offer.
  func offer(_ id: UUID) async {
    guard let transfer = transfer(id), let transport = await open(transfer.way, of: transfer), transfer.result == nil
    else { return }
    let content = Jingle.Content(
      name: transfer.content, senders: .initiator, description: .file(transfer.file), transport: transport)
    transfer.session.initiate([content])
    transfer.hasSpoken = true
    pump(transfer)
    rearm()
  }

  /// Takes the file that is offered, where it stopped the last time.
  func accept(_ id: UUID, into directory: String) async {
    guard let transfer = transfer(id), transfer.result == nil else { return }
    if let size = transfer.file.size, size > configuration.maximumFileSize ?? .max {
      return carryOut(transfer.machine.end(.tooLarge), of: transfer)
    }
    do throws(CallError) {
      let date = transfer.file.date.map { DateTime.format($0) }
      let identity = PartialFile.Identity(
        peer: transfer.peer.bare.description, name: transfer.file.name ?? "", size: transfer.file.size,
        date: date, hash: transfer.file.hashes.strongest.map { "\($0.algorithm.rawValue):\($0.hexadecimal)" })
      // Without a date or a hash, another file of the same name and size could not be told apart.
      let part = try PartialFile(
        of: identity, in: directory, resumes: identity.date != nil || identity.hash != nil,
        on: FileThreads.shared.next())
      transfer.part = part
      let count = await part.count
      guard transfer.result == nil else { return await part.keep() }
      carryOut(transfer.machine.accept(from: count == 0 ? nil : count, at: SystemClock.now), of: transfer)
    } catch {
      transfer.fileError = error
      carryOut(transfer.machine.end(error.cause is PartialFile.NoRoom ? .tooLarge : .fileFailed), of: transfer)
    }
    rearm()
  }

  /// Answers the offer with this side's end of the transport.
  func answer(_ transfer: ActiveTransfer, _ description: FileDescription) {
    transfer.tell(.accepted)
    let id = transfer.id
    spawn { await self.answer(id, description) }
  }

  private func answer(_ id: UUID, _ description: FileDescription) async {
    guard let transfer = transfer(id), let transport = await open(transfer.way, of: transfer), transfer.result == nil
    else { return }
    transfer.session.accept([
      Jingle.Content(
        creator: .initiator, name: transfer.content, senders: .initiator, description: .file(description),
        transport: transport)
    ])
    transfer.hasSpoken = true
    pump(transfer)
    connect(transfer)
    rearm()
  }

  /// Makes this side's end of a transport: with what the peer offers, or to offer.
  ///
  /// - Returns: nil when that cannot be; then the transfer knows.
  private func open(_ way: FileTransferWay, of transfer: ActiveTransfer) async -> Jingle.Transport? {
    switch way {
    case .dataChannel: transfer.local = await openDataChannel(of: transfer).map { Jingle.Transport($0) }
    case .socks5: transfer.local = await openSOCKS5(of: transfer).map { .socks5($0) }
    case .inBand:
      let offered = transfer.offered?.inBand
      transfer.local = .inBand(offered?.accepting() ?? InBandTransport(sid: StanzaID.random(using: &random)))
    }
    return transfer.local
  }

  /// Both sides know each other's ends: lets them meet.
  func connect(_ transfer: ActiveTransfer) {
    let now = SystemClock.now
    switch transfer.way {
    case .socks5:
      guard !transfer.isOutgoing || transfer.offered?.socks5 != nil else {
        return transportFailed("the peer answered with another transport", of: transfer)
      }
      transfer.socks5?.negotiation.begin(transfer.isOutgoing ? transfer.offered?.socks5 : nil, at: now)
      pumpSOCKS5(transfer)
    case .inBand: connectInBand(transfer)
    case .dataChannel: connectDataChannel(transfer)
    }
  }

  /// The transport is there: bytes can flow.
  func transportReady(_ stream: any Bytestream, _ route: String, of transfer: ActiveTransfer) {
    transfer.stream = stream
    transfer.route = route
    carryOut(transfer.machine.transportReady(at: SystemClock.now), of: transfer)
  }

  func transportFailed(_ why: String, of transfer: ActiveTransfer) {
    guard transfer.result == nil else { return }
    transfer.failures.append((transfer.way, why))
    let canReplace = transfer.machine.canReplaceTransport
    stopTransport(of: transfer)
    defer { rearm() }
    if transfer.isOutgoing, !transfer.hasSpoken {
      // Nobody has heard of it: another one can be offered at once.
      guard let next = transfer.ways.first else { return end(transfer, .failure(error(of: .unconnected, transfer))) }
      transfer.ways.removeFirst()
      transfer.tell(.fellBack(from: transfer.way, to: next, why: why))
      transfer.way = next
      let id = transfer.id
      spawn { await self.offer(id) }
      return
    }
    // Before the session is accepted, its transport cannot be replaced.
    let isLast = transfer.isOutgoing ? transfer.ways.isEmpty : !transfer.hasSpoken
    let replacement: JingleCore.FileTransfer.Replacement =
      !canReplace || isLast ? .nobody : transfer.isOutgoing ? .thisSide : .peer
    carryOut(transfer.machine.transportFailed(replacement, at: SystemClock.now), of: transfer)
  }

  // MARK: Another one

  func replaceTransport(of transfer: ActiveTransfer) {
    guard let next = transfer.ways.first else { return }
    transfer.ways.removeFirst()
    transfer.tell(.fellBack(from: transfer.way, to: next, why: transfer.failures.last?.why ?? ""))
    transfer.way = next
    transfer.offered = nil
    let id = transfer.id
    spawn { await self.offerReplacement(id) }
  }

  private func offerReplacement(_ id: UUID) async {
    guard let transfer = transfer(id), let transport = await open(transfer.way, of: transfer), transfer.result == nil
    else { return }
    transfer.session.replaceTransport(transport, for: transfer.content)
    pump(transfer)
    rearm()
  }

  func replacedByPeer(_ transport: Jingle.Transport, _ name: String, of transfer: ActiveTransfer) {
    guard !transfer.isOutgoing, transfer.machine.canReplaceTransport, let way = FileTransferWay(transport) else {
      transfer.session.rejectTransport(for: name, Jingle.Reason(.unsupportedTransports))
      return pump(transfer)
    }
    stopTransport(of: transfer)
    transfer.tell(.fellBack(from: transfer.way, to: way, why: transfer.failures.last?.why ?? "the peer wants it so"))
    transfer.way = way
    transfer.offered = transport
    carryOut(transfer.machine.transportReplaced(at: SystemClock.now), of: transfer)
    let id = transfer.id
    spawn { await self.acceptReplacement(id, name) }
  }

  private func acceptReplacement(_ id: UUID, _ name: String) async {
    guard let transfer = transfer(id), let transport = await open(transfer.way, of: transfer), transfer.result == nil
    else { return }
    transfer.session.acceptTransport(transport, for: name)
    pump(transfer)
    connect(transfer)
    rearm()
  }

  /// Lets go of what there is of a transport.
  func stopTransport(of transfer: ActiveTransfer) {
    if let stream = transfer.stream { spawn { await stream.close() } }
    transfer.stream = nil
    if let endpoint = transfer.dataChannel?.endpoint { spawn { await endpoint.close() } }
    transfer.dataChannel = nil
    transfer.socks5?.negotiation.cancel()
    pumpSOCKS5(transfer)
    stopSOCKS5(transfer)
    transfer.inBand?.close()
    transfer.inBand = nil
  }
}
