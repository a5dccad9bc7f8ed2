import Foundation
import JingleCore
import MediaTime
import XMPPCore

// Placing and taking calls: message initiation (XEP-0353), and direct sessions where a peer has none.
extension Client {
  /// How a peer can be called.
  private enum Approach {
    case propose(to: JID)
    /// The device speaks Jingle without message initiation.
    case direct(to: JID)
    case none(CallError)
  }

  func place(callTo peer: JID, _ offer: MediaOffer) async throws -> ActiveCall {
    let approach = await approach(peer)
    try Task.checkCancellation()
    guard calls.count < configuration.maximumCalls else {
      throw CallError(.failed, "There are too many calls already.")
    }
    guard let own = link?.address else { throw CallError(.serverUnreachable, "The connection to the server is down.") }
    let now = SystemClock.now
    let call = ActiveCall(
      sid: UUID().uuidString.lowercased(), peer: peer, isOutgoing: true, streams: LocalStreams(using: &random), at: now)
    call.media = offer
    switch approach {
    case .none(let error):
      throw error
    case .propose(let recipient):
      calls[call.sid] = call
      call.outgoing = OutgoingProposal(
        id: call.sid, own: own, peer: recipient, media: offer.kinds.map(\.rawValue).sorted(),
        patience: configuration.ringingTimeout, at: now)
      call.tell(.proposed)
      sharePresence(with: peer)
      pump(call)
    case .direct(let device):
      calls[call.sid] = call
      call.peer = device
      call.deadlines[.connect] = now + configuration.ringingTimeout
      call.tell(.proposed)
      startMedia(of: call, controlling: true)
    }
    call.rival = ring(of: peer)
    call.rival?.calledBack = call.sid
    rearm()
    return call
  }

  /// How a peer is to be called. Where some of its devices know message initiation and some do not, those ring that do:
  /// the others could only be tried one by one, and would not be told that another took the call.
  private func approach(_ peer: JID) async -> Approach {
    var devices = [peer]
    if peer.isBare {
      devices = presences.devices(of: peer).map(\.jid).filter { $0 != link?.address }
      // Nothing is known of a stranger, nor of a telephone that a push would wake: whoever is there will ring.
      if devices.isEmpty { return .propose(to: peer) }
    }
    devices = Array(devices.prefix(8))
    let known = devices.compactMap { capabilities.info(of: $0) }
    if known.contains(where: { $0.supports(JingleMessage.namespace) }) { return .propose(to: peer) }
    let infos = await withTaskGroup(of: (JID, DiscoInfo?).self) { group in
      for device in devices { group.addTask { (device, await self.features(of: device)) } }
      var infos: [JID: DiscoInfo] = [:]
      for await (device, info) in group { infos[device] = info }
      return infos
    }
    if infos.values.contains(where: { $0.supports(JingleMessage.namespace) }) { return .propose(to: peer) }
    let needed = [Jingle.namespace, RTPDescription.namespace, ICETransport.namespace]
    let callable = devices.first { device in infos[device].map { needed.allSatisfy($0.supports) } ?? false }
    if let callable { return .direct(to: callable) }
    if infos.count < devices.count {
      return peer.isBare
        ? .propose(to: peer)
        : .none(CallError(.noAnswer, "\(peer) does not answer: the device is not online. Call \(peer.bare) instead."))
    }
    let names = devices.map { $0.resourcepart ?? "\($0)" }.joined(separator: ", ")
    return .none(
      CallError(.noAnswer, "\(peer) is online (\(names)), but no device there can take calls (XEP-0167)."))
  }

  /// This side takes a call.
  func accept(_ call: ActiveCall, with offer: MediaOffer) {
    guard !call.isAnswered, call.phase == .ringing else { return }
    call.isAnswered = true
    call.stopRinging.finish()
    call.media = offer
    call.phase = .negotiating
    call.tell(.proceeding(device: call.peer))
    ringLimit.forgive(call.peer)
    if call.incoming != nil { sharePresence(with: call.peer) }
    call.incoming?.accept(patience: .seconds(30), at: SystemClock.now)
    if call.session != nil {
      // It came without waiting for the word to go ahead, or there is no such word.
      call.incoming?.sessionBegan()
      call.deadlines[.connect] = SystemClock.now + configuration.connectTimeout
    }
    pump(call)
    if call.phase != .ended { startMedia(of: call, controlling: false) }
    rearm()
  }

  /// Does nothing when the call is answered or over.
  func reject(_ id: UUID, busy: Bool) {
    guard let call = offered[id], !call.isAnswered else { return }
    call.isAnswered = true
    terminate(call, busy ? .busy : .decline, nil)
  }

  func hangUp(_ id: UUID) {
    guard let call = calls.values.first(where: { $0.id == id }) else { return }
    hangUp(call)
  }

  func hangUp(_ call: ActiveCall) {
    terminate(call, call.phase == .connected ? .success : call.isOutgoing ? .cancel : .decline, nil)
  }

  /// Tells those who do not see this account's presence that it is there and what it can do, since they talk with it now.
  ///
  /// - Specification: XEP-0353 §3.1, §3.4
  private func sharePresence(with peer: JID) {
    guard peer.bare != configuration.account.bare, !(roster[peer]?.seesOurPresence ?? false) else { return }
    send(Presence(to: peer, payloads: [responder.capabilities.element]).element)
  }

  // MARK: Who may call

  /// Whether a peer's calls ring.
  func isWelcome(_ peer: JID) -> Bool {
    // Whom this side is calling may call back, and knows that it is there.
    if calls.values.contains(where: { $0.isOutgoing && $0.peer.bare == peer.bare }) { return true }
    guard handlers.allowsCall?(peer) ?? true else { return false }
    return switch configuration.callers {
    case .anyone: true
    case .contacts: isContact(peer)
    }
  }

  /// Whether it tells a peer nothing new that this device is online.
  func mayKnowOfUs(_ peer: JID?) -> Bool {
    guard let peer, peer != configuration.account.domain else { return true }
    let isTalking =
      calls.values.contains { $0.peer.bare == peer.bare } || fileSessions.values.contains { $0.peer.bare == peer.bare }
    return isContact(peer) || isTalking || isWelcome(peer) || mayOfferFiles(peer)
  }

  private func isContact(_ peer: JID) -> Bool {
    peer.bare == configuration.account.bare || roster[peer]?.seesOurPresence ?? false
  }

  /// - Parameter leaving: how many calls the new one takes the place of. Those that are over already have left, though
  ///   their media may still be stopping.
  func hasRoom(leaving: Int = 0) -> Bool {
    let maximum = configuration.maximumCalls
    return calls.values.count { $0.phase != .ended } - leaving < maximum && calls.count - leaving < 2 * maximum
      && offered.count < 2 * maximum
  }

  /// The call of this account that rings here and nobody has answered; there is one at most.
  func ring(of caller: JID) -> ActiveCall? {
    calls.values.first { !$0.isOutgoing && $0.phase == .ringing && $0.peer.bare == caller.bare }
  }

  /// Whether another call of the caller's may ring; then it counts.
  func admits(_ caller: JID) -> Bool {
    let isAdmitted = ringLimit.admit(caller, isStranger: !isContact(caller), at: SystemClock.now)
    if !isAdmitted { logger.info("too many calls", metadata: ["call.peer": "\(caller)"]) }
    return isAdmitted
  }

  // MARK: Messages

  /// - Parameter isCopy: whether it is a carbon of what another device of this account sent or received.
  func receiveInitiation(_ message: Message, own: JID, isCopy: Bool) {
    if message.type == .error {
      let undelivered = calls.values.first { $0.proposalStanzaID == message.id && message.id != nil }
      guard let call = undelivered, message.from?.bare == call.peer.bare, let error = message.error else { return }
      call.outgoing?.receiveError(error)
      return pump(call)
    }
    if receiveInvitation(message, own: own) { return }
    guard let initiation = JingleMessage(in: message), let sender = message.from else { return }
    if case .propose = initiation.action {
      // A call to one of this account's devices alone is copied to the others.
      guard message.to.map({ $0.isBare || $0 == own }) ?? true else { return }
      let delay = message.delay(by: [own.bare, own.domain])
      guard receive(ProposalLedger.Proposal(initiation, from: sender, stamp: delay?.stamp), own: own) else { return }
      // Of this account's devices, the one that it was delivered to gives the receipt.
      if !isCopy, let id = message.id, DeliveryReceipt(in: message) == .request {
        send(Message(type: message.type, to: sender, payloads: [DeliveryReceipt.received(id: id).element]).element)
      }
      return
    }
    ledger.receive(initiation, from: sender, own: own)
    guard let call = calls[initiation.id] else { return }
    call.outgoing?.receive(initiation, from: sender)
    call.incoming?.receive(initiation, from: sender, to: message.to, at: SystemClock.now)
    pump(call)
    rearm()
  }

  /// Takes a proposal as it comes.
  ///
  /// - Returns: whether it rings at once.
  private func receive(_ proposal: ProposalLedger.Proposal, own: JID) -> Bool {
    let (message, caller) = (proposal.message, proposal.caller)
    guard caller.bare != own.bare, message.media.contains(where: { MediaKind(rawValue: $0) != nil }), isWelcome(caller),
      ledger.isNew(message.id, from: caller)
    else { return false }
    guard proposal.stamp == nil else {
      ledger.wait(proposal, wallTime: .seconds(Date.now.timeIntervalSince1970), at: SystemClock.now)
      rearm()
      return false
    }
    return !outranks(message, from: caller) && ring(proposal, own: own)
  }

  /// What came out of the server's storage rings if it is young, and is told of if it is not.
  func settleStoredProposals(at now: Instant) {
    ledger.timeout(at: now)
    while let output = ledger.nextOutput() {
      switch output {
      case .ring(let proposal):
        if let own = link?.address { _ = ring(proposal, own: own) }
      case .missed(let proposal):
        let call = MissedCall(
          peer: proposal.caller, sid: proposal.message.id,
          media: Set(proposal.message.media.compactMap(MediaKind.init)), proposedAt: proposal.stamp ?? .zero)
        logger.info("missed call", metadata: ["call.peer": "\(call.peer)", "call.sid": "\(call.sid)"])
        if let onMissed = handlers.onMissed { spawn { await onMissed(call) } }
      }
    }
  }

  /// - Returns: whether it rings.
  private func ring(_ proposal: ProposalLedger.Proposal, own: JID) -> Bool {
    let (message, caller) = (proposal.message, proposal.caller)
    let replaced = ring(of: caller)
    let running = runningCalls(with: caller)
    guard handlers.onCall != nil, calls[message.id] == nil,
      hasRoom(leaving: running.count + (replaced == nil ? 0 : 1)), admits(caller),
      var incoming = IncomingProposal(
        message, from: caller, own: own, hasCarbons: hasCarbons, patience: .seconds(120), at: SystemClock.now)
    else { return false }
    if let replaced {
      terminate(
        replaced, .expired, CallError(.failed, "\(replaced.peer) gave up this call and calls anew."), byPeer: true,
        migratedTo: message.id)
    }
    for call in running { migrate(call, to: message.id) }
    incoming.ring()
    let call = ActiveCall(
      sid: message.id, peer: caller, isOutgoing: false, streams: LocalStreams(using: &random), at: SystemClock.now)
    call.incoming = incoming
    calls[call.sid] = call
    call.tell(.proposed)
    pump(call)
    let continued = running.first { $0.connectedAt != nil } ?? running.first
    offerToHandler(call, Set(message.media.compactMap(MediaKind.init)), replaces: continued?.sid)
    rearm()
    return true
  }

  // MARK: Calls that cross

  /// The calls with a peer's account that it gives up by calling anew: from another device, or after it was lost. Only
  /// those that were proposed: without, there may well be several.
  ///
  /// - Specification: XEP-0353 §4.2
  private func runningCalls(with peer: JID) -> [ActiveCall] {
    guard configuration.migratesCalls else { return [] }
    return calls.values.filter {
      $0.peer.bare == peer.bare && $0.phase > .ringing && $0.phase < .ended
        && ($0.incoming != nil || $0.outgoing != nil)
    }
  }

  /// Ends a call since its peer goes on with it as another one.
  private func migrate(_ call: ActiveCall, to sid: String) {
    let reason = Jingle.Reason(.expired, text: "Session migrated")
    call.outgoing?.finish(reason, migratedTo: sid)
    call.incoming?.finish(reason, migratedTo: sid)
    // Before the session's own end, which does not say that it goes on.
    pump(call)
    migrated(call, to: sid)
  }

  /// The call goes on as another session.
  private func migrated(_ call: ActiveCall, to sid: String) {
    let error =
      call.connectedAt != nil ? nil : CallError(.failed, "\(call.peer) goes on with this call as another one: \(sid).")
    terminate(call, .expired, error, byPeer: true, migratedTo: sid)
  }

  /// Lets proposals that crossed settle which one stands.
  ///
  /// - Returns: whether one of this side's does, and the peer's is not to ring.
  /// - Specification: XEP-0353 §4.1
  private func outranks(_ proposal: JingleMessage, from sender: JID) -> Bool {
    for call in rivals(of: sender) {
      if call.outgoing != nil {
        call.outgoing?.receive(proposal, from: sender)
        pump(call)
      } else if overrules(call, proposal.id, of: sender) {
        let reason = Jingle.Reason(.expired, text: "Tie-Break")
        send(JingleMessage(id: proposal.id, .reject(reason, isTieBreak: true)), to: sender)
      } else {
        // A session of this side's, begun without a proposal.
        loseTie(call, to: proposal.id)
      }
    }
    return !rivals(of: sender).isEmpty
  }

  /// Lets a session that the peer begins without a proposal settle which one stands: with this side's open proposals,
  /// and with the sessions that this side is about to offer that device. The router knows those that were offered.
  func outranks(_ offer: Jingle, from sender: JID) -> Bool {
    func ties(_ call: ActiveCall) -> Bool { call.outgoing != nil || call.session == nil && call.peer == sender }
    for call in rivals(of: sender) where ties(call) && !overrules(call, offer.sid, of: sender) {
      if call.outgoing == nil { loseTie(call, to: offer.sid) }
      call.outgoing?.loseTie(to: offer.sid)
      pump(call)
    }
    return rivals(of: sender).contains(where: ties)
  }

  /// The calls that this side has asked an account for, and that it has not answered.
  private func rivals(of peer: JID) -> [ActiveCall] {
    calls.values.filter { $0.isOutgoing && $0.phase == .ringing && $0.peer.bare == peer.bare }
  }

  private func overrules(_ call: ActiveCall, _ sid: String, of peer: JID) -> Bool {
    guard let own = link?.address else { return false }
    return JingleTieBreak(sid: call.sid, sender: own).overrules(JingleTieBreak(sid: sid, sender: peer))
  }

  /// The peer's call of the same moment goes first.
  ///
  /// - Parameter sid: the call that this one crossed. Without, the peer alone saw them cross: its call rang here, or
  ///   lay in the server's storage, when this one was placed.
  func loseTie(_ call: ActiveCall, to sid: String?) {
    let sid = sid ?? (call.rival?.mayGoOn == true ? call.rival?.sid : ledger.youngest(from: call.peer))
    terminate(
      call, .expired,
      CallError(.failed, "\(call.peer) was calling at the same moment, and its call goes first: answer that one."),
      byPeer: true, migratedTo: sid)
  }

  /// The peer's call gives way to the one by which this side has called back.
  func makeWay(_ call: ActiveCall, for sid: String) {
    let error = CallError(
      .failed, "This side was calling \(call.peer.bare) at the same moment, and its own call goes first.")
    let isOver = calls[sid].map { $0.phase == .ended } ?? true
    finish(call, .expired, byPeer: true, error, migratedTo: isOver ? nil : sid)
  }

  // MARK: The embedder's answer

  func offerToHandler(_ call: ActiveCall, _ media: Set<MediaKind>, replaces: String?) {
    guard let onCall = handlers.onCall else { return }
    let (id, sid, peer, ringing, logger) = (call.id, call.sid, call.peer, call.ringing, logger)
    let answer: Job = {
      do {
        try await onCall(IncomingCall(peer: peer, sid: sid, id: id, media: media, replaces: replaces, client: self))
      } catch {
        logger.info("call handler failed", metadata: ["call.sid": "\(sid)", "error": "\(error)"])
      }
      await self.handlerReturned(id)
    }
    offered[id] = call
    let isUnderWay = spawn {
      await withDiscardingTaskGroup { group in
        group.addTask(operation: answer)
        for await _ in ringing {}
        if await !self.isAnswered(id) { group.cancelAll() }
      }
    }
    if !isUnderWay { handlerReturned(id) }
  }

  private func isAnswered(_ id: UUID) -> Bool { offered[id]?.isAnswered ?? true }

  private func handlerReturned(_ id: UUID) {
    // Does nothing when the handler has answered.
    reject(id, busy: false)
    offered[id] = nil
  }

  // MARK: The machines' wishes

  /// Carries out what a call's machines want, until they want no more.
  func pump(_ call: ActiveCall) {
    while let output = call.session?.nextOutput() { carryOut(output, of: call) }
    while let output = call.outgoing?.nextOutput() {
      switch output {
      case .send(let message, let recipient):
        let id = send(message, to: recipient)
        if case .propose = message.action { call.proposalStanzaID = id }
      case .event(let event): handle(event, of: call)
      }
    }
    while let output = call.incoming?.nextOutput() {
      switch output {
      case .send(let message, let recipient): send(message, to: recipient)
      case .event(let event): handle(event, of: call)
      }
    }
  }

  private func handle(_ event: OutgoingProposal.Event, of call: ActiveCall) {
    switch event {
    case .ringing(let device):
      call.ringingAt = call.ringingAt ?? SystemClock.now
      call.tell(.ringing(device: device))
    case .proceeded(let device):
      call.peer = device
      call.proceedAt = SystemClock.now
      call.phase = .negotiating
      call.deadlines[.connect] = SystemClock.now + configuration.connectTimeout
      call.tell(.proceeding(device: device))
      startMedia(of: call, controlling: true)
    case .rejected(let reason, let device):
      finish(call, reason?.condition ?? .decline, byPeer: true, refusal(reason, by: device))
    case .timedOut:
      finish(call, .timeout, byPeer: false, CallError(.noAnswer, silence(of: call)))
    case .failed(let error):
      finish(call, .gone, byPeer: true, CallError(.noAnswer, undelivered(call.peer, error), cause: error))
    case .lostTieBreak(let sid):
      loseTie(call, to: sid)
    case .finished(let reason, let sid):
      finished(call, reason, migratedTo: sid)
    }
  }

  private func handle(_ event: IncomingProposal.Event, of call: ActiveCall) {
    switch event {
    case .retracted(let reason, isTieBreak: false):
      finish(call, reason?.condition ?? .cancel, byPeer: true, CallError(.failed, "\(call.peer) hung up."))
    case .retracted(let reason, isTieBreak: true):
      if let sid = call.calledBack { return makeWay(call, for: sid) }
      finish(
        call, reason?.condition ?? .expired, byPeer: true,
        CallError(
          .answeredElsewhere, "Another device of this account was calling \(call.peer.bare) at the same moment."))
    case .answeredElsewhere(let device):
      finish(
        call, .cancel, byPeer: false,
        CallError(
          .answeredElsewhere,
          call.isAnswered
            ? "Another device took the call at the same moment, and \(call.peer) chose that one: \(device)."
            : "Another device took the call: \(device)."))
    case .rejectedElsewhere(_, isTieBreak: false, let device):
      finish(
        call, .decline, byPeer: false, CallError(.declinedElsewhere, "Another device declined the call: \(device)."))
    case .rejectedElsewhere(_, isTieBreak: true, let device):
      finish(
        call, .expired, byPeer: false,
        CallError(
          .answeredElsewhere, "Another device was calling \(call.peer.bare) at the same moment: \(device)."))
    case .timedOut where call.isAnswered:
      finish(
        call, .timeout, byPeer: false,
        CallError(.timedOut, "\(call.peer) did not begin the session after the call was taken."))
    case .timedOut:
      finish(
        call, .timeout, byPeer: false,
        CallError(.failed, "\(call.peer) no longer waits for an answer: the call has rung for too long."))
    case .finished(let reason, let sid):
      finished(call, reason, migratedTo: sid)
    }
  }

  /// The peer says that the call is over; the session's own end is on its way, if there is a session.
  private func finished(_ call: ActiveCall, _ reason: Jingle.Reason?, migratedTo sid: String?) {
    if let sid {
      migrated(call, to: sid)
    } else if call.session == nil {
      finish(call, reason?.condition ?? .success, byPeer: true, CallError(.failed, "\(call.peer) ended the call."))
    } else {
      call.deadlines[.goodbye] = call.deadlines[.goodbye] ?? SystemClock.now + .seconds(3)
    }
  }

  func timeout(_ call: ActiveCall, at now: Instant) {
    call.outgoing?.timeout(at: now)
    call.incoming?.timeout(at: now)
    pump(call)
    for deadline in call.deadlines.expired(at: now) where call.phase != .ended {
      switch deadline {
      case .goodbye:
        terminate(call, .success, nil, byPeer: true)
      case .renewRelay:
        restartICE(of: call)
        pump(call)
      case .addition(let name):
        additionTimedOut(name, of: call)
      case .connectTransport(let index):
        transportFailed(
          call, index, .connectivityError,
          CallError(.connectivity, "No encrypted path was found for what was to join the call."))
      case .seek:
        seek(call)
      case .connect where call.phase == .ringing:
        terminate(call, .timeout, CallError(.noAnswer, silence(of: call)))
      case .connect:
        let seconds = configuration.connectTimeout.components.seconds
        let lack =
          call.phase == .negotiating ? "\(call.peer) took the call and did not begin it" : "No encrypted path was found"
        terminate(call, .connectivityError, CallError(.connectivity, "\(lack) within \(seconds) s."))
      }
    }
  }

  // MARK: Words

  private func refusal(_ reason: Jingle.Reason?, by device: JID) -> CallError {
    let words = reason?.text.map { ": \($0)" } ?? ""
    return reason?.condition == .busy
      ? CallError(.busy, "\(device.bare) is busy\(words). Try again later.")
      : CallError(.declined, "\(device.bare) declined the call\(words).")
  }

  private func silence(of call: ActiveCall) -> String {
    let waited = "\(call.peer.bare) did not answer within \(configuration.ringingTimeout.components.seconds) s"
    if call.ringingAt != nil { return "\(waited), though a device rang." }
    let devices = presences.devices(of: call.peer.bare).map { $0.jid.resourcepart ?? "\($0.jid)" }
    if !devices.isEmpty {
      return "\(waited): it is online (\(devices.joined(separator: ", "))), but no device rang (XEP-0353)."
    }
    if roster[call.peer]?.showsItsPresence ?? false {
      return "\(waited): no device of it is online. Try again when it is."
    }
    return "\(waited): no device rang. It may be offline, or its client may not be able to take calls (XEP-0353)."
  }

  private func undelivered(_ peer: JID, _ error: StanzaError) -> String {
    switch error.condition {
    case .serviceUnavailable, .itemNotFound, .recipientUnavailable:
      "There is no account \(peer.bare), or it is offline and keeps no messages. Check the address."
    case .remoteServerNotFound:
      "There is no server for \(peer.domainpart). Check the address."
    case .remoteServerTimeout:
      "The server of \(peer.domainpart) does not answer. Try again later."
    case .forbidden, .notAllowed, .notAuthorized, .subscriptionRequired, .policyViolation:
      "The server does not let this account call \(peer.bare) (\(error.condition.rawValue))."
    default:
      "The call could not be delivered to \(peer.bare): \(error.text ?? error.condition.rawValue)."
    }
  }
}
