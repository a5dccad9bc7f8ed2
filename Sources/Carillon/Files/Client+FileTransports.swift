import Foundation
import JingleCore
import MediaEngine
import MediaTime
import XMPPCore
import XMPPNetworking

// The ways by which files go: offered, accepted, and changed for others.
extension Client {
  /// Offers the file, or asks for it, once there is a transport to offer.
  func offer(_ id: UUID) async {
    if let transfer = transfer(id) { await propose(id, transfer.file) }
  }

  /// Makes this side's end of the transport, and has it told with the description.
  private func propose(_ id: UUID, _ description: FileDescription) async {
    guard let transfer = transfer(id), let transport = await open(transfer.way, of: transfer), transfer.result == nil
    else { return }
    let session = transfer.session
    transfer.proposal = Jingle.Content(
      creator: transfer.isOutgoing ? session.jingle.role : session.jingle.role.other, name: transfer.content,
      senders: transfer.senders, description: .file(description), transport: transport)
    proceed(session)
    rearm()
  }

  /// Goes on with a session as far as its files let it. The peer's offer is answered as a whole, once each file in it
  /// was decided about; and this side's offer or answer is sent once each has its end of a transport.
  ///
  /// - Specification: XEP-0166 §7.2.8, §7.2.10
  func proceed(_ session: ActiveFileSession) {
    switch (session.jingle.role, session.jingle.phase) {
    case (_, .active):
      // Either side added these, each by itself.
      for transfer in session.transfers where !transfer.isOutgoing && !transfer.hasSpoken { begin(transfer) }
      let untold = session.transfers.filter { !$0.hasSpoken && $0.proposal != nil }
      session.jingle.acceptContents(untold.filter { !$0.isOutgoing }.compactMap(\.proposal))
      session.jingle.add(untold.filter(\.isOutgoing).compactMap(\.proposal))
      told(untold, in: session)
    case (.initiator, .fresh):
      guard session.isProposed else { return }
      session.jingle.initiate(session.transfers.compactMap(\.proposal))
      told(session.transfers, in: session)
    case (.responder, .pending):
      guard session.transfers.allSatisfy({ $0.decision != nil }) else { return }
      for transfer in session.transfers { begin(transfer) }
      guard session.isProposed else { return }
      session.jingle.accept(session.transfers.compactMap(\.proposal))
      told(session.transfers, in: session)
    default: break
    }
  }

  /// Does what was decided, once.
  private func begin(_ transfer: ActiveTransfer) {
    let now = SystemClock.now
    switch transfer.decision {
    case .receive(let offset): carryOut(transfer.machine.accept(from: offset, at: now), of: transfer)
    case .give(let file): carryOut(transfer.machine.accept(giving: file, at: now), of: transfer)
    case nil: break
    }
  }

  /// The peer is told of these.
  private func told(_ transfers: [ActiveTransfer], in session: ActiveFileSession) {
    for transfer in transfers { transfer.hasSpoken = true }
    pump(session)
    for transfer in transfers where !transfer.isOutgoing { connect(transfer) }
  }

  /// Takes the file that is offered, where it stopped the last time.
  func accept(_ id: UUID, into directory: String) async {
    guard let transfer = transfer(id), transfer.result == nil else { return }
    if let size = transfer.file.size, size > configuration.maximumFileSize ?? .max {
      return carryOut(transfer.machine.end(.tooLarge), of: transfer)
    }
    do throws(CallError) {
      let part = try transfer.openPart(in: directory)
      transfer.part = part
      let count = await part.count
      guard transfer.result == nil else { return await part.end(after: nil) }
      transfer.decision = .receive(from: count)
      proceed(transfer.session)
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
    spawn { await self.propose(id, description) }
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
      if let sid = offered?.sid,
        transfers.values.contains(where: {
          $0 !== transfer && $0.peer == transfer.peer && $0.local?.inBand?.sid == sid
        })
      {
        transportFailed("its id is that of another one", of: transfer)
        return nil
      }
      var local = offered?.accepting() ?? InBandTransport(sid: StanzaID.random(using: &random))
      // Nobody answers messages, and the network does not tell when it has taken one.
      if transfer.direction == .sending { local.carrier = .iq }
      transfer.local = .inBand(local)
    // No session goes by it.
    case .upload: return nil
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
    case .upload: break
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
      guard let next = transfer.ways.first else {
        return fail(transfer, error(of: .unconnected, transfer), telling: nil)
      }
      transfer.ways.removeFirst()
      transfer.tell(.fellBack(from: transfer.way, to: next, why: why))
      transfer.way = next
      transfer.proposal = nil
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
    transfer.session.jingle.replaceTransport(transport, for: transfer.content)
    pump(transfer.session)
    rearm()
  }

  func replacedByPeer(_ transport: Jingle.Transport, of transfer: ActiveTransfer) {
    guard !transfer.isOutgoing, transfer.machine.canReplaceTransport, let way = FileTransferWay(transport),
      transfer.ways.contains(way)
    else {
      transfer.session.jingle.rejectTransport(for: transfer.content, Jingle.Reason(.unsupportedTransports))
      return pump(transfer.session)
    }
    stopTransport(of: transfer)
    transfer.tell(.fellBack(from: transfer.way, to: way, why: transfer.failures.last?.why ?? "the peer wants it so"))
    transfer.way = way
    transfer.offered = transport
    carryOut(transfer.machine.transportReplaced(at: SystemClock.now), of: transfer)
    let id = transfer.id
    spawn { await self.acceptReplacement(id) }
  }

  private func acceptReplacement(_ id: UUID) async {
    guard let transfer = transfer(id), let transport = await open(transfer.way, of: transfer), transfer.result == nil
    else { return }
    transfer.session.jingle.acceptTransport(transport, for: transfer.content)
    pump(transfer.session)
    connect(transfer)
    rearm()
  }

  /// Lets go of what there is of a transport.
  func stopTransport(of transfer: ActiveTransfer) {
    transfer.pump?.stop()
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
