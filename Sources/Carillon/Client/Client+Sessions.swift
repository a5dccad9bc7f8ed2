import Foundation
import JingleCore
import MediaTime
import XMPPCore

// Jingle sessions: what comes in, and what the machines want.
extension Client {
  // MARK: In

  func receiveJingle(_ payload: XMLElement, in iq: IQ) {
    guard let from = iq.from, let own = link?.address else { return }
    guard mayKnowOfUs(from) else { return send(iq.reply(.error(StanzaError(.serviceUnavailable))).element) }
    switch router.route(payload, from: from) {
    case .deliver(let jingle, let sid):
      if let session = fileSessions[sid] { return deliver(jingle, iq, to: session) }
      guard let call = calls[sid] else { return send(iq.reply(.error(.unknownSession)).element) }
      call.session?.receive(jingle, from: from, id: iq.id)
      pump(call)
      if call.phase != .ended { found(call) }
    case .violation(let violation, let sid):
      if let session = fileSessions[sid] { return deliver(violation, iq, to: session) }
      guard let call = calls[sid], call.session != nil else { return send(iq.reply(.error(violation.error)).element) }
      call.session?.receive(violation, from: from, id: iq.id)
      pump(call)
    case .offer(let jingle, let overruled):
      for sid in overruled {
        if let call = calls[sid] { loseTie(call, to: jingle.sid) }
      }
      do throws(StanzaError) {
        try receiveOffer(jingle, from: from, id: iq.id, own: own)
      } catch {
        send(iq.reply(.error(error)).element)
      }
    case .refuse(let error):
      send(iq.reply(.error(error)).element)
    }
    rearm()
  }

  private func receiveOffer(_ jingle: Jingle, from: JID, id: String, own: JID) throws(StanzaError) {
    if jingle.contents.contains(where: { $0.description?.file != nil }) {
      return try receiveFileOffer(jingle, from: from, id: id, own: own)
    }
    if let call = calls[jingle.sid] {
      // The session of a proposal: from the device that proposed, or of the same account.
      guard !call.isOutgoing, call.session == nil, call.phase != .ended, from.bare == call.peer.bare else {
        throw .unknownSession
      }
      call.session = try JingleSession(
        answering: jingle, from: from, id: id, own: own, deciding: [.contents, .transports])
      call.peer = from
      heedHabits(of: call)
      _ = router.add(call.sid, sid: jingle.sid, peer: from)
      return pump(call)
    }
    // Nobody is told that this account is there who may not call it.
    guard handlers.onCall != nil, isWelcome(from) else { throw StanzaError(.serviceUnavailable) }
    // The session of a proposal that is over: the word for the end and the session crossed.
    guard !ledger.remembers(jingle.sid, from: from) else { throw .unknownSession }
    guard !outranks(jingle, from: from) else { throw .tieBreak }
    guard hasRoom(), ring(of: from) == nil, admits(from) else { throw StanzaError(.resourceConstraint) }
    let session = try JingleSession(
      answering: jingle, from: from, id: id, own: own, deciding: [.contents, .transports])
    let call = ActiveCall(
      sid: jingle.sid, peer: from, isOutgoing: false, streams: LocalStreams(using: &random), at: SystemClock.now)
    call.session = session
    heedHabits(of: call)
    calls[call.sid] = call
    _ = router.add(call.sid, sid: jingle.sid, peer: from)
    call.tell(.proposed)
    pump(call)
    guard call.phase != .ended else { return }
    let kinds = Set(jingle.contents.compactMap { $0.description?.rtp?.kind })
    guard !kinds.isEmpty else { return refuseWithoutMedia(call) }
    call.session?.sendInfo(RTPInfo.ringing.element)
    pump(call)
    offerToHandler(call, kinds, replaces: nil)
  }

  /// Movim takes `initiator` in `senders` for whoever writes it.
  func heedHabits(of call: ActiveCall) {
    let software = presences[call.peer]?.capabilities?.node ?? ""
    if software.contains("movim.eu") { call.session?.peerTakesAuthorForInitiator = true }
  }

  // MARK: The session's wishes

  func carryOut(_ output: JingleSession.Output, of call: ActiveCall) {
    switch output {
    case .request(let jingle, let recipient, let token):
      // The question whether the peer has the session is put anew on each stream.
      let repeats = { call.session?.isWorthRepeating(token, fromNewAddress: $0) ?? false }
      let isQuestion = jingle.action == .sessionInfo && jingle.payloads.isEmpty
      request(.set(jingle.element), to: recipient, repeats: isQuestion ? nil : repeats) { outcome in
        call.session?.receive(outcome, for: token)
        self.pump(call)
      }
    case .acknowledge(let id, let recipient):
      send(IQ(id: id, to: recipient, .result(nil)).element)
    case .refuse(let id, let recipient, let error):
      send(IQ(id: id, to: recipient, .error(error)).element)
    case .event(let event):
      handle(event, of: call)
    }
  }

  private func handle(_ event: JingleSession.Event, of call: ActiveCall) {
    switch event {
    case .initiated(let offer):
      call.remoteOffer = offer
      call.incoming?.sessionBegan()
      if call.media != nil { call.deadlines[.connect] = SystemClock.now + configuration.connectTimeout }
      answerIfReady(call)
    case .accepted(let answer):
      router.settled(sid: call.sid, peer: call.peer)
      accepted(call, answer)
    case .receivedTransport(let transport, let content):
      if !addToReplacement(transport, content, of: call) { addRemote(transport, for: content, of: call) }
    case .restartedICE(let transport, let content):
      restartedByPeer(call, transport, content)
    case .answeredRestart(let transport, let content):
      answeredRestart(call, transport, content)
    case .receivedInfo(let element):
      if let info = RTPInfo(element) { received(info, of: call) }
    case .violated(let error):
      terminate(
        call, .failedApplication,
        CallError(.protocolViolation, "\(call.peer) answered with what cannot be understood: \(error).", cause: error))
    case .terminated(let reason, let byPeer):
      if byPeer, reason?.condition == .expired, call.connectedAt == nil, let sid = call.calledBack {
        return makeWay(call, for: sid)
      }
      let error = byPeer ? failure(reason, of: call) : nil
      finish(call, reason?.condition ?? .success, byPeer: byPeer, call.end?.error ?? error)
    case .failed(.tieBreak) where call.isOutgoing:
      loseTie(call, to: nil)
    case .failed(let failure):
      finish(call, .generalError, byPeer: true, error(of: failure, call))
    case .removed(let names, let reason):
      for name in names { removedByPeer(name, reason, of: call) }
    case .offeredContents(let contents, let groups):
      for content in contents { consider(content, groups, of: call) }
    case .acceptedContents(let contents, let groups):
      for content in contents { addedByPeersLeave(content, groups, of: call) }
    case .notAdded(let names, let refusal):
      for name in names { notAdded(name, refusal, of: call) }
    case .modified(let name, let senders), .notModified(let name, let senders, _):
      modified(name, senders, of: call)
    case .receivedDescription(.rtp(let description), let content):
      if let limit = description.bandwidth?.bitsPerSecond {
        call.command.yield(.limit(content: content, bitsPerSecond: limit))
      }
    case .offeredTransport(let transport, let content): replacedByPeer(transport, content, of: call)
    case .acceptedTransport(let transport, let content): replacementAccepted(transport, content, of: call)
    case .rejectedTransport(let content, _): replacementRejected(content, of: call)
    case .acknowledged, .receivedDescription, .receivedTransportInfo, .refused:
      break
    case .confirmed: found(call)
    case .unconfirmed: notFound(call)
    case .unanswered(let action, let error):
      logger.info(
        "request not granted",
        metadata: ["call.sid": "\(call.sid)", "action": "\(action)", "error": "\(error.map { "\($0)" } ?? "timeout")"])
    }
  }
}
