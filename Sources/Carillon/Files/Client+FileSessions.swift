import Foundation
import JingleCore
import MediaTime
import NIOCore
import XMPPCore

// The sessions of files: what comes in, and what the machines want.
extension Client {
  // MARK: In

  func receiveFileOffer(_ offer: Jingle, from: JID, id: String, own: JID) throws(StanzaError) {
    guard mayOfferFiles(from) else { throw StanzaError(.serviceUnavailable) }
    guard hasRoom(forFiles: offer.contents.count) else { throw StanzaError(.resourceConstraint) }
    let session = ActiveFileSession(
      try JingleSession(
        answering: offer, from: from, id: id, own: own, understoodInfo: [FileInfo.namespace],
        deciding: [.contents, .transports]))
    fileSessions[session.handle] = session
    _ = router.add(session.handle, sid: offer.sid, peer: from)
    session.keepBits(of: offer)
    pump(session)
    take(offer.contents, into: session)
  }

  /// Whether a peer's files, or its requests for some, are heard of.
  func mayOfferFiles(_ peer: JID) -> Bool {
    (handlers.onFile != nil || handlers.onFileRequest != nil) && handlers.allowsFile?(peer) ?? true
  }

  /// Bounds the files under way, and the sessions with those that wait for the peer's last word.
  func hasRoom(forFiles count: Int) -> Bool {
    transfers.count + count <= Self.maximumTransfers && fileSessions.count < Self.maximumTransfers
  }

  /// The peer offers these, or asks for them.
  private func take(_ contents: [Jingle.Content], into session: ActiveFileSession) {
    var taken: [ActiveTransfer] = []
    for content in contents {
      guard let file = content.description?.file else { continue }
      let transfer = ActiveTransfer(answering: content, file, in: session, limits: receivingLimits)
      transfers[transfer.id] = transfer
      taken.append(transfer)
    }
    // After that, so that one that cannot be had does not end the session of the others.
    let others = contents.filter { $0.description?.file == nil }.map(\.name)
    if !others.isEmpty { session.jingle.rejectContents(others, Jingle.Reason(.unsupportedApplications)) }
    for transfer in taken {
      if transfer.offered.flatMap(FileTransferWay.init) == nil {
        let error = CallError(.nothingInCommon, "\(transfer.peer) chose a way that is not known here.")
        fail(transfer, error, telling: Jingle.Reason(.unsupportedTransports))
      } else if transfer.direction == .sending {
        requestToHandler(transfer)
      } else {
        offerToHandler(transfer)
      }
    }
    pump(session)
  }

  /// Of what is received.
  var receivingLimits: JingleCore.FileTransfer.Limits {
    var limits = fileLimits
    limits.maximumLength = configuration.maximumFileSize ?? .max
    // Conversations sends a checksum that it does not announce.
    limits.unannouncedChecksum = .seconds(1)
    return limits
  }

  private func offerToHandler(_ transfer: ActiveTransfer) {
    guard let onFile = handlers.onFile else { return cancelTransfer(transfer.id) }
    let (id, sid, peer, file) = (transfer.id, transfer.sid, transfer.peer, transfer.summary)
    handle(transfer) {
      try await onFile(IncomingFile(peer: peer, sid: sid, file: file, id: id, client: self))
    }
  }

  /// Lets a handler decide about a file. It is cancelled when the peer takes the file back before.
  func handle(_ transfer: ActiveTransfer, by handler: @escaping @Sendable () async throws -> Void) {
    let (id, sid, withdrawal, logger) = (transfer.id, transfer.sid, transfer.withdrawal, logger)
    let isUnderWay = spawn {
      await withDiscardingTaskGroup { group in
        group.addTask {
          do {
            try await handler()
          } catch {
            logger.info("file handler failed", metadata: ["file.sid": "\(sid)", "error": "\(error)"])
          }
          await self.fileHandlerReturned(id)
        }
        for await _ in withdrawal { group.cancelAll() }
      }
    }
    if !isUnderWay { fileHandlerReturned(id) }
  }

  private func fileHandlerReturned(_ id: UUID) {
    guard let transfer = transfer(id), !transfer.isAnswered else { return }
    cancelTransfer(id)
  }

  func deliver(_ jingle: Jingle, _ iq: IQ, to session: ActiveFileSession) {
    guard let from = iq.from else { return }
    session.keepBits(of: jingle)
    session.jingle.receive(jingle, from: from, id: iq.id)
    pump(session)
    rearm()
  }

  func deliver(_ violation: Jingle.Violation, _ iq: IQ, to session: ActiveFileSession) {
    guard let from = iq.from else { return }
    session.jingle.receive(violation, from: from, id: iq.id)
    pump(session)
    rearm()
  }

  // MARK: The session's wishes

  func pump(_ session: ActiveFileSession) {
    while let output = session.jingle.nextOutput() {
      switch output {
      case .request(let jingle, let recipient, let token):
        request(.set(jingle.element), to: recipient) { outcome in
          session.jingle.receive(outcome, for: token)
          self.pump(session)
        }
      case .acknowledge(let id, let recipient): send(IQ(id: id, to: recipient, .result(nil)).element)
      case .refuse(let id, let recipient, let error): send(IQ(id: id, to: recipient, .error(error)).element)
      case .event(let event): handle(event, of: session)
      }
    }
    forgetIfOver(session)
  }

  private func handle(_ event: JingleSession.Event, of session: ActiveFileSession) {
    let now = SystemClock.now
    switch event {
    case .accepted(let answer):
      // What is not in the answer is declined by that.
      for transfer in session.transfers
      where transfer.hasSpoken && !answer.contents.contains(where: { $0.name == transfer.content }) {
        carryOut(transfer.machine.ended(by: nil), of: transfer)
      }
      for content in answer.contents { accepted(content, in: session) }
      // What was put into the session since it was offered.
      proceed(session)
    case .acceptedContents(let contents, _):
      for content in contents { accepted(content, in: session) }
    case .offeredContents(let contents, _):
      guard transfers.count + contents.count <= Self.maximumTransfers else {
        return session.jingle.rejectContents(contents.map(\.name), Jingle.Reason(.busy))
      }
      take(contents, into: session)
    case .receivedTransportInfo(.socks5(let transport), let name):
      if let transfer = session[name] { receive(transport, of: transfer, at: now) }
    case .receivedTransport(let transport, let name):
      if let transfer = session[name] { addRemote(transport, of: transfer) }
    case .offeredTransport(let transport, let name):
      if let transfer = session[name] { replacedByPeer(transport, of: transfer) }
    case .acceptedTransport(let transport, let name):
      guard let transfer = session[name] else { return }
      transfer.offered = transport
      connect(transfer)
    case .rejectedTransport(let name, _):
      if let transfer = session[name] { transportFailed("the peer does not take it", of: transfer) }
    case .receivedInfo(let element):
      guard let info = FileInfo(element), let transfer = session.transfer(info.content) else { return }
      carryOut(transfer.machine.received(info), of: transfer)
    case .removed(let names, let reason), .notAdded(let names, .rejected(let reason)):
      for transfer in names.compactMap({ session[$0] }) { carryOut(transfer.machine.ended(by: reason), of: transfer) }
    case .notAdded(let names, _):
      for transfer in names.compactMap({ session[$0] }) { carryOut(transfer.machine.ended(by: nil), of: transfer) }
    case .terminated(let reason, let byPeer):
      for transfer in session.transfers where byPeer || transfer.machine.isUndecidedAddition {
        // What the peer never heard of, it did not refuse.
        let isUntold = transfer.isOutgoing && !transfer.hasSpoken
        carryOut(transfer.machine.ended(by: isUntold ? nil : reason), of: transfer)
      }
    case .unconfirmed(isAbsent: true):
      for transfer in session.transfers { carryOut(transfer.machine.peerIsGone(), of: transfer) }
    case .failed(let failure):
      for transfer in session.transfers where !transfer.isBeingPlaced {
        if transfer.machine.isUndecidedAddition { carryOut(transfer.machine.ended(by: nil), of: transfer) }
        end(transfer, .failure(error(of: failure, transfer)))
      }
    case .violated(let error):
      for transfer in session.transfers
      where !transfer.machine.isUndecidedAddition && !transfer.isBeingPlaced {
        let what = "\(transfer.peer) answered with what cannot be understood: \(error)."
        fail(transfer, CallError(.protocolViolation, what, cause: error), telling: Jingle.Reason(.failedApplication))
      }
    default: break
    }
  }

  private func accepted(_ content: Jingle.Content, in session: ActiveFileSession) {
    guard let transfer = session[content.name] else { return }
    transfer.tell(.accepted)
    transfer.offered = content.transport
    let answer = content.description?.file
    if transfer.direction == .sending {
      carryOut(transfer.machine.accepted(answer, at: SystemClock.now), of: transfer)
    } else {
      let id = transfer.id
      spawn { await self.requestAccepted(id, answer) }
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
    case .send(let info): transfer.session.jingle.sendInfo(info.element)
    // Before the offer nobody has a session, and the offer tells as much.
    case .askPeer: if transfer.session.jingle.phase != .fresh { transfer.session.jingle.sendInfo(nil) }
    case .verify(let hash, let part):
      let id = transfer.id
      spawn { await self.verify(hash, part, id) }
    case .finish(let outcome, let info):
      finish(transfer, outcome, telling: info)
    case .fail(let failure, let reason): fail(transfer, error(of: failure, transfer), telling: reason)
    }
    pump(transfer.session)
  }

  private func carryOut(_ ending: FileSession.Ending, of session: ActiveFileSession) {
    switch ending {
    case .nothing: break
    case .remove(let content, let reason):
      if session.jingle.phase == .pending, session.jingle.role == .responder {
        session.jingle.rejectContents([content], reason)
      } else {
        session.jingle.remove([content], reason)
      }
    case .terminate(let reason): session.jingle.terminate(reason)
    }
  }

  func timeout(_ transfer: ActiveTransfer, at now: Instant) {
    carryOut(transfer.machine.timeout(at: now), of: transfer)
    transfer.socks5?.negotiation.timeout(at: now)
    pumpSOCKS5(transfer)
    pump(transfer.session)
  }

  /// A device went offline.
  func left(_ device: JID) {
    for transfer in transfers.values where transfer.peer == device { transfer.machine.peerLeft(at: SystemClock.now) }
    rearm()
  }

  func timeout(_ session: ActiveFileSession, at now: Instant) {
    carryOut(session.ending.timeout(at: now), of: session)
    pump(session)
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

  private func finish(
    _ transfer: ActiveTransfer, _ outcome: JingleCore.FileTransfer.Outcome, telling info: FileInfo?
  ) {
    switch outcome {
    case .sent(let isConfirmed):
      leave(transfer, outcome)
      let size = transfer.meter.offset + transfer.meter.count
      end(transfer, .success(receipt(of: transfer, path: nil, size: size, isConfirmed)))
    case .received(let algorithm):
      let id = transfer.id
      transfer.isBeingPlaced = true
      spawn { await self.publish(id, outcome, telling: info, isVerified: algorithm?.isTrusted == true) }
    }
  }

  private func publish(
    _ id: UUID, _ outcome: JingleCore.FileTransfer.Outcome, telling info: FileInfo?, isVerified: Bool
  ) async {
    guard let transfer = transfer(id), let part = transfer.part else { return }
    do throws(CallError) {
      let name = transfer.summary.name
      let path = try await part.place(as: (0...999).lazy.map { SafeFileName.numbered(name, $0) })
      transfer.sha256 = await part.sha256
      let size = await part.count
      // The sender may remove its own then.
      if let info { transfer.session.jingle.sendInfo(info.element) }
      leave(transfer, outcome)
      end(transfer, .success(receipt(of: transfer, path: path, size: size, isVerified)))
    } catch {
      let reason = Jingle.Reason(.failedApplication, text: "the file cannot be put in its place")
      fail(transfer, error, telling: reason)
    }
    rearm()
  }

  /// The session goes on without a file that was moved, or ends with it.
  private func leave(_ transfer: ActiveTransfer, _ outcome: JingleCore.FileTransfer.Outcome) {
    let session = transfer.session
    carryOut(session.ending.finished(transfer.content, outcome, at: SystemClock.now), of: session)
    session.jingle.forget(transfer.content)
  }

  private func receipt(of transfer: ActiveTransfer, path: String?, size: Int64, _ isConfirmed: Bool) -> FileReceipt {
    // Who sends knows only by the peer's word when all was there.
    let end = transfer.direction == .sending ? SystemClock.now : transfer.meter.movedAt ?? SystemClock.now
    return FileReceipt(
      name: path.map { URL(fileURLWithPath: $0).lastPathComponent } ?? transfer.summary.name, path: path,
      size: size, bytes: transfer.meter.count, seconds: transfer.meter.seconds(until: end), way: transfer.way,
      route: transfer.route, sha256: transfer.sha256 ?? "", isConfirmed: isConfirmed)
  }

  /// Ends a transfer that came to nothing. Other files of its session go on.
  ///
  /// - Parameter reason: what the peer is told; nil when it knows.
  func fail(_ transfer: ActiveTransfer, _ error: CallError, telling reason: Jingle.Reason?) {
    guard transfer.result == nil else { return }
    carryOut(transfer.session.ending.failed(transfer.content, telling: reason), of: transfer.session)
    end(transfer, .failure(error))
  }

  /// Notes a transfer's end, once, and lets everything of it go.
  private func end(_ transfer: ActiveTransfer, _ result: Result<FileReceipt, CallError>) {
    guard transfer.result == nil else { return }
    let session = transfer.session
    transfer.result = result
    if !transfer.isAnswered { transfer.withdrawn.yield() }
    transfer.withdrawn.finish()
    stopTransport(of: transfer)
    transfers[transfer.id] = nil
    session.remove(transfer)
    transfer.tell(.ended(result))
    for waiter in transfer.waiters { waiter.resume(returning: result) }
    transfer.waiters = []
    // Others may have waited for this one to be decided about.
    proceed(session)
    pump(session)
    rearm()
  }

  private func forgetIfOver(_ session: ActiveFileSession) {
    guard session.jingle.phase == .ended, session.transfers.isEmpty, fileSessions[session.handle] != nil else { return }
    fileSessions[session.handle] = nil
    router.remove(sid: session.sid, peer: session.peer)
  }
}
