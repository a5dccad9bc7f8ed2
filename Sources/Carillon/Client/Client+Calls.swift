import Foundation
import JingleCore
import MediaTime
import XMPPCore

// Placing and taking calls: message initiation (XEP-0353), and direct sessions where a peer has none.
extension Client {
  /// How many calls of one account may ring at once.
  private static let maximumRinging = 4

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
    guard calls.count < configuration.maximumCalls else { throw CallError(.failed, "There are too many calls already.") }
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
      pump(call)
    case .direct(let device):
      calls[call.sid] = call
      call.peer = device
      call.deadlines[.connect] = now + configuration.ringingTimeout
      call.tell(.proposed)
      startMedia(of: call, controlling: true)
    }
    rearm()
    return call
  }

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

  // MARK: Messages

  func receiveInitiation(_ message: Message, own: JID) {
    if message.type == .error {
      let undelivered = calls.values.first { $0.proposalStanzaID == message.id && message.id != nil }
      guard let call = undelivered, message.from?.bare == call.peer.bare, let error = message.error else { return }
      call.outgoing?.receiveError(error)
      return pump(call)
    }
    guard let initiation = JingleMessage(in: message), let sender = message.from else { return }
    if case .propose = initiation.action {
      let isDelayed = message.delay(by: [own.bare, own.domain]) != nil
      if !isDelayed, outranks(initiation, from: sender) { return }
      guard receiveProposal(initiation, from: sender, own: own, isDelayed: isDelayed) else { return }
      if let id = message.id, DeliveryReceipt(in: message) == .request {
        send(Message(type: message.type, to: sender, payloads: [DeliveryReceipt.received(id: id).element]).element)
      }
      return
    }
    guard let call = calls[initiation.id] else { return }
    call.outgoing?.receive(initiation, from: sender)
    call.incoming?.receive(initiation, from: sender)
    pump(call)
    rearm()
  }

  /// Lets proposals that crossed settle which one stands.
  ///
  /// - Returns: whether one of this side's does, and the peer's is not to ring.
  /// - Specification: XEP-0353 §4.1
  private func outranks(_ proposal: JingleMessage, from sender: JID) -> Bool {
    let rivals = calls.values.filter { $0.outgoing != nil && $0.phase == .ringing && $0.peer.bare == sender.bare }
    for call in rivals {
      call.outgoing?.receive(proposal, from: sender)
      pump(call)
    }
    return rivals.contains { $0.phase == .ringing }
  }

  /// - Returns: whether it rings.
  private func receiveProposal(_ message: JingleMessage, from caller: JID, own: JID, isDelayed: Bool) -> Bool {
    guard handlers.onCall != nil, handlers.allowsCall?(caller) ?? true, calls[message.id] == nil,
      hasRoom(for: caller), message.media.contains(where: { MediaKind(rawValue: $0) != nil }),
      var proposal = IncomingProposal(
        message, from: caller, own: own, isDelayed: isDelayed, patience: .seconds(120), at: SystemClock.now)
    else { return false }
    guard !isDelayed else {
      logger.info("missed call", metadata: ["call.peer": "\(caller)", "call.sid": "\(message.id)"])
      return false
    }
    proposal.ring()
    let call = ActiveCall(
      sid: message.id, peer: caller, isOutgoing: false, streams: LocalStreams(using: &random), at: SystemClock.now)
    call.incoming = proposal
    calls[call.sid] = call
    call.tell(.proposed)
    pump(call)
    offerToHandler(call, Set(message.media.compactMap(MediaKind.init)))
    rearm()
    return true
  }

  func hasRoom(for caller: JID) -> Bool {
    let ringing = calls.values.count { !$0.isOutgoing && $0.phase == .ringing && $0.peer.bare == caller.bare }
    return calls.count < configuration.maximumCalls && offered.count < 2 * configuration.maximumCalls
      && ringing < Client.maximumRinging
  }

  func offerToHandler(_ call: ActiveCall, _ media: Set<MediaKind>) {
    guard let onCall = handlers.onCall else { return }
    let (id, sid, peer, ringing, logger) = (call.id, call.sid, call.peer, call.ringing, logger)
    let answer: Job = {
      do {
        try await onCall(IncomingCall(peer: peer, sid: sid, id: id, media: media, client: self))
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
    case .lostTieBreak:
      finish(
        call, .expired, byPeer: true,
        CallError(.failed, "\(call.peer) was calling at the same moment, and its call goes first: answer that one."))
    case .finished(let reason, _):
      endedElsewhere(call, reason)
    }
  }

  private func handle(_ event: IncomingProposal.Event, of call: ActiveCall) {
    switch event {
    case .retracted(let reason):
      finish(call, reason?.condition ?? .cancel, byPeer: true, CallError(.failed, "\(call.peer) hung up."))
    case .answeredElsewhere(let device):
      finish(call, .cancel, byPeer: false, CallError(.failed, "Another device took the call: \(device)."))
    case .rejectedElsewhere(_, let device):
      finish(call, .decline, byPeer: false, CallError(.failed, "Another device declined the call: \(device)."))
    case .timedOut:
      finish(
        call, .timeout, byPeer: false,
        CallError(.timedOut, "\(call.peer) did not begin the session after the call was taken."))
    case .finished(let reason, _):
      endedElsewhere(call, reason)
    }
  }

  /// The peer says that the call is over; the session's own end is on its way, if there is a session.
  private func endedElsewhere(_ call: ActiveCall, _ reason: Jingle.Reason?) {
    if call.session == nil {
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
