import Foundation
import JingleCore
import MediaTime
import NIOCore
import XMPPCore

// The sessions of files: what comes in, and what the machines want.
extension Client {
  // MARK: In

  func receiveFileOffer(_ offer: Jingle, from: JID, id: String, own: JID) throws(StanzaError) {
    guard mayOfferFiles(from), transfers[offer.sid] == nil else {
      throw StanzaError(.serviceUnavailable)
    }
    guard transfers.count < Self.maximumTransfers else { throw StanzaError(.resourceConstraint) }
    let content = offer.contents.first { $0.description?.file != nil }
    guard let content, let file = content.description?.file, let transport = content.transport else {
      throw StanzaError(.badRequest)
    }
    let session = try JingleSession(
      answering: offer, from: from, id: id, own: own, understoodInfo: [FileInfo.namespace], deciding: [.transports])
    var limits = fileLimits
    limits.maximumLength = configuration.maximumFileSize ?? .max
    // Conversations sends a checksum that it does not announce.
    limits.unannouncedChecksum = .seconds(1)
    let isOffer = content.senders == .initiator || content.senders == .both
    let transfer = ActiveTransfer(
      sid: offer.sid, peer: from, isOutgoing: false, content: content.name, file, session: session,
      machine: JingleCore.FileTransfer(
        answering: file, isOffer ? .receiving : .sending, as: .init(creator: content.creator, name: content.name),
        limits: limits),
      ways: FileTransferWay(transport).map { [$0] } ?? [])
    transfer.offered = transport
    transfers[offer.sid] = transfer
    _ = router.add(offer.sid, sid: offer.sid, peer: from)
    pump(transfer)
    // Nothing is given that is asked for.
    guard isOffer else { return carryOut(transfer.machine.end(.notAvailable), of: transfer) }
    guard FileTransferWay(transport) != nil else {
      transfer.session.terminate(Jingle.Reason(.unsupportedTransports))
      return carryOut(transfer.machine.ended(by: nil), of: transfer)
    }
    offerToHandler(transfer)
  }

  /// Whether a peer's files are heard of.
  func mayOfferFiles(_ peer: JID) -> Bool { handlers.onFile != nil && handlers.allowsFile?(peer) ?? true }

  private func offerToHandler(_ transfer: ActiveTransfer) {
    guard let onFile = handlers.onFile else { return }
    let (id, sid, peer, file) = (transfer.id, transfer.sid, transfer.peer, transfer.summary)
    let (pending, logger) = (transfer.pending, logger)
    let isUnderWay = spawn {
      await withDiscardingTaskGroup { group in
        group.addTask {
          do {
            try await onFile(IncomingFile(peer: peer, sid: sid, file: file, id: id, client: self))
          } catch {
            logger.info("file handler failed", metadata: ["file.sid": "\(sid)", "error": "\(error)"])
          }
          await self.fileHandlerReturned(id)
        }
        for await _ in pending {}
        if await !self.isFileAnswered(id) { group.cancelAll() }
      }
    }
    if !isUnderWay { fileHandlerReturned(id) }
  }

  private func isFileAnswered(_ id: UUID) -> Bool { transfer(id)?.isAnswered ?? false }

  private func fileHandlerReturned(_ id: UUID) {
    guard let transfer = transfer(id), !transfer.isAnswered else { return }
    cancelTransfer(id)
  }

  func deliver(_ jingle: Jingle, _ iq: IQ, to transfer: ActiveTransfer) {
    guard let from = iq.from else { return }
    transfer.session.receive(jingle, from: from, id: iq.id)
    pump(transfer)
    rearm()
  }

  func deliver(_ violation: Jingle.Violation, _ iq: IQ, to transfer: ActiveTransfer) {
    guard let from = iq.from else { return }
    transfer.session.receive(violation, from: from, id: iq.id)
    pump(transfer)
    rearm()
  }

  // MARK: The session's wishes

  func pump(_ transfer: ActiveTransfer) {
    while let output = transfer.session.nextOutput() {
      switch output {
      case .request(let jingle, let recipient, let token):
        request(.set(jingle.element), to: recipient) { outcome in
          transfer.session.receive(outcome, for: token)
          self.pump(transfer)
        }
      case .acknowledge(let id, let recipient): send(IQ(id: id, to: recipient, .result(nil)).element)
      case .refuse(let id, let recipient, let error): send(IQ(id: id, to: recipient, .error(error)).element)
      case .event(let event): handle(event, of: transfer)
      }
    }
  }

  private func handle(_ event: JingleSession.Event, of transfer: ActiveTransfer) {
    let now = SystemClock.now
    switch event {
    case .accepted(let answer):
      guard let content = answer.contents.first(where: { $0.name == transfer.content }) else { return }
      transfer.tell(.accepted)
      transfer.offered = content.transport
      carryOut(transfer.machine.accepted(content.description?.file, at: now), of: transfer)
    case .receivedTransportInfo(.socks5(let transport), _):
      transfer.socks5?.negotiation.receive(transport, at: now)
      pumpSOCKS5(transfer)
    case .receivedTransport(let transport, _): addRemote(transport, of: transfer)
    case .offeredTransport(let transport, let name):
      replacedByPeer(transport, name, of: transfer)
    case .acceptedTransport(let transport, _):
      transfer.offered = transport
      connect(transfer)
    case .rejectedTransport:
      transportFailed("the peer does not take it", of: transfer)
    case .receivedInfo(let element):
      if let info = FileInfo(element) { carryOut(transfer.machine.received(info), of: transfer) }
    case .removed(_, let reason):
      carryOut(transfer.machine.ended(by: reason), of: transfer)
    case .terminated(let reason, let byPeer):
      if byPeer { carryOut(transfer.machine.ended(by: reason), of: transfer) }
      if transfer.result != nil { forget(transfer) }
    case .failed(let failure):
      end(transfer, .failure(error(of: failure, transfer)))
      forget(transfer)
    case .violated(let error):
      transfer.session.terminate(Jingle.Reason(.failedApplication))
      end(
        transfer,
        .failure(
          CallError(
            .protocolViolation, "\(transfer.peer) answered with what cannot be understood: \(error).", cause: error)))
    default: break
    }
  }

  // MARK: The transfer's wishes

  func carryOut(_ action: JingleCore.FileTransfer.Action, of transfer: ActiveTransfer) {
    switch action {
    case .wait: break
    case .accept(let description): answer(transfer, description)
    case .connect: connect(transfer)
    case .replaceTransport: replaceTransport(of: transfer)
    case .transfer(let part): begin(part, of: transfer)
    case .send(let info): transfer.session.sendInfo(info.element)
    case .verify(let hash, let part):
      let id = transfer.id
      spawn { await self.verify(hash, part, id) }
    case .finish(let outcome, let info):
      if let info { transfer.session.sendInfo(info.element) }
      finish(transfer, outcome)
    case .fail(let failure, let reason):
      carryOut(transfer.ending.failed(transfer.content, telling: reason), of: transfer)
      end(transfer, .failure(error(of: failure, transfer)))
    }
    pump(transfer)
  }

  private func carryOut(_ ending: FileSession.Ending, of transfer: ActiveTransfer) {
    switch ending {
    case .nothing: break
    case .remove(let content, let reason): transfer.session.remove([content], reason)
    case .terminate(let reason): transfer.session.terminate(reason)
    }
  }

  func timeout(_ transfer: ActiveTransfer, at now: Instant) {
    carryOut(transfer.machine.timeout(at: now), of: transfer)
    carryOut(transfer.ending.timeout(at: now), of: transfer)
    transfer.socks5?.negotiation.timeout(at: now)
    pumpSOCKS5(transfer)
    pump(transfer)
  }

  // MARK: The end

  /// Compares the file with what the sender says of it.
  private func verify(_ hash: HashValue, _ range: JingleCore.FileTransfer.Part?, _ id: UUID) async {
    guard let transfer = transfer(id), let part = transfer.part else { return }
    do {
      let digest = try await part.digest(hash.algorithm, range)
      carryOut(transfer.machine.verified(digest == hash), of: transfer)
    } catch {
      logger.info("file failed", metadata: ["file.sid": "\(transfer.sid)", "error": "\(error)"])
      carryOut(transfer.machine.end(.fileFailed), of: transfer)
    }
    rearm()
  }

  private func finish(_ transfer: ActiveTransfer, _ outcome: JingleCore.FileTransfer.Outcome) {
    switch outcome {
    case .sent(let isConfirmed):
      carryOut(transfer.ending.finished(transfer.content, outcome, at: SystemClock.now), of: transfer)
      end(transfer, .success(receipt(of: transfer, path: nil, isConfirmed)))
    case .received(let algorithm):
      let id = transfer.id
      spawn { await self.publish(id, outcome, isVerified: algorithm?.isTrusted == true) }
    }
  }

  private func publish(
    _ id: UUID, _ outcome: JingleCore.FileTransfer.Outcome, isVerified: Bool
  ) async {
    guard let transfer = transfer(id), let part = transfer.part else { return }
    do throws(CallError) {
      let name = transfer.summary.name
      let path = try await part.publish(as: (0...999).lazy.map { SafeFileName.numbered(name, $0) })
      transfer.sha256 = await part.sha256
      carryOut(transfer.ending.finished(transfer.content, outcome, at: SystemClock.now), of: transfer)
      end(transfer, .success(receipt(of: transfer, path: path, isVerified)))
    } catch {
      transfer.session.terminate(Jingle.Reason(.failedApplication, text: "the file cannot be put in its place"))
      end(transfer, .failure(error))
    }
    pump(transfer)
    rearm()
  }

  private func receipt(of transfer: ActiveTransfer, path: String?, _ isConfirmed: Bool) -> FileReceipt {
    FileReceipt(
      name: path.map { URL(fileURLWithPath: $0).lastPathComponent } ?? transfer.summary.name, path: path,
      size: transfer.offset + transfer.count, bytes: transfer.count,
      seconds: transfer.startedAt.map { (SystemClock.now - $0).inSeconds } ?? 0, way: transfer.way,
      route: transfer.route, sha256: transfer.sha256 ?? "", isConfirmed: isConfirmed)
  }

  /// Notes a transfer's end, once, and lets everything of it go.
  func end(_ transfer: ActiveTransfer, _ result: Result<FileReceipt, CallError>) {
    guard transfer.result == nil else { return }
    transfer.result = result
    transfer.stopPending.finish()
    stopTransport(of: transfer)
    pump(transfer)
    if let part = transfer.part {
      let isCorrupt = if case .failure(let error) = result { error.code == .corrupt } else { false }
      spawn { if isCorrupt { await part.discard() } else { await part.keep() } }
    }
    transfer.tell(.ended(result))
    for waiter in transfer.waiters { waiter.resume(returning: result) }
    transfer.waiters = []
    // Its session may still wait for the peer's word.
    if transfer.ending.nextDeadline == nil { forget(transfer) }
    rearm()
  }

  private func forget(_ transfer: ActiveTransfer) {
    // A peer may have used its id again.
    guard transfers[transfer.sid] === transfer else { return }
    router.remove(sid: transfer.sid, peer: transfer.peer)
    transfers[transfer.sid] = nil
  }
}
