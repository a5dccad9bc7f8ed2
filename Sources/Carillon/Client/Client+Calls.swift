import Foundation
import JingleCore
import MediaTime
import XMPPCore

// Placing and taking calls: message initiation (XEP-0353), and direct sessions where a peer has none.
extension Client {
  /// How many calls, ringing ones included, a client holds at once; further proposals are not heard.
  private static let maximumCalls = 32

  /// How a peer can be called.
  private enum Approach {
    case propose(to: JID)
    /// The device speaks Jingle without message initiation.
    case direct(to: JID)
    case none(CallError)
  }

  func place(callTo peer: JID, _ offer: MediaOffer) async throws -> ActiveCall {
    guard calls.count < Client.maximumCalls else { throw CallError(.failed, "There are too many calls already.") }
    let approach = await approach(peer)
    guard let own = link?.address else { throw CallError(.serverUnreachable, "The connection to the server is down.") }
    let now = SystemClock.now
    let call = ActiveCall(sid: UUID().uuidString.lowercased(), peer: peer, isOutgoing: true, at: now)
    call.media = offer
    switch approach {
    case .none(let error):
      throw error
    case .propose(let recipient):
      calls[call.sid] = call
      call.outgoing = OutgoingProposal(
        id: call.sid, own: own, peer: recipient, media: ["audio"], patience: configuration.ringingTimeout, at: now)
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
    var direct: JID?
    var isCertain = true
    for device in devices.prefix(8) {
      guard let info = await features(of: device) else {
        isCertain = false
        continue
      }
      if info.supports(JingleMessage.namespace) { return .propose(to: peer) }
      let isCallable = [Jingle.namespace, RTPDescription.namespace, ICETransport.namespace].allSatisfy(info.supports)
      if isCallable, direct == nil { direct = device }
    }
    if let direct { return .direct(to: direct) }
    if !isCertain {
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
    guard call.media == nil, call.phase == .ringing else { return }
    call.media = offer
    call.phase = .negotiating
    call.tell(.proceeding(device: call.peer))
    call.incoming?.accept(patience: .seconds(30), at: SystemClock.now)
    pump(call)
    if call.phase != .ended { startMedia(of: call, controlling: false) }
    rearm()
  }

  func reject(_ sid: String, busy: Bool) {
    guard let call = calls[sid], call.media == nil, call.phase != .ended else { return }
    let reason = Jingle.Reason(busy ? .busy : .decline)
    call.incoming?.reject(reason)
    if call.session != nil {
      call.session?.terminate(reason)
      pump(call)
    } else {
      pump(call)
      finish(call, reason.condition, byPeer: false)
    }
  }

  func hangUp(_ sid: String) {
    guard let call = calls[sid], call.phase != .ended else { return }
    let reason = Jingle.Reason(call.phase == .connected ? .success : call.isOutgoing ? .cancel : .decline)
    if call.session != nil {
      call.session?.terminate(reason)
      pump(call)
    } else {
      call.outgoing?.retract(reason)
      call.incoming?.reject(reason)
      pump(call)
      finish(call, reason.condition, byPeer: false)
    }
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
      for call in Array(calls.values) where call.outgoing != nil && call.phase == .ringing {
        call.outgoing?.receive(initiation, from: sender)
        pump(call)
      }
      let isDelayed = message.delay(by: [own.bare, own.domain]) != nil
      return receiveProposal(initiation, from: sender, own: own, isDelayed: isDelayed)
    }
    guard let call = calls[initiation.id] else { return }
    call.outgoing?.receive(initiation, from: sender)
    call.incoming?.receive(initiation, from: sender)
    pump(call)
    rearm()
  }

  private func receiveProposal(_ message: JingleMessage, from caller: JID, own: JID, isDelayed: Bool) {
    guard handlers.onCall != nil, handlers.allowsCall?(caller) ?? true, calls[message.id] == nil,
      calls.count < Client.maximumCalls, message.media.contains("audio"),
      var proposal = IncomingProposal(
        message, from: caller, own: own, isDelayed: isDelayed, patience: .seconds(120), at: SystemClock.now)
    else { return }
    guard !isDelayed else {
      return logger.info("missed call", metadata: ["call.peer": "\(caller)", "call.sid": "\(message.id)"])
    }
    proposal.ring()
    let call = ActiveCall(sid: message.id, peer: caller, isOutgoing: false, at: SystemClock.now)
    call.incoming = proposal
    calls[call.sid] = call
    call.tell(.proposed)
    pump(call)
    offerToHandler(call)
    rearm()
  }

  func offerToHandler(_ call: ActiveCall) {
    guard let onCall = handlers.onCall else { return }
    let (peer, sid, logger) = (call.peer, call.sid, logger)
    spawn {
      do {
        try await onCall(IncomingCall(peer: peer, sid: sid, media: [.audio], client: self))
      } catch {
        logger.info("call handler failed", metadata: ["call.sid": "\(sid)", "error": "\(error)"])
      }
      // Does nothing when the handler has answered.
      await self.reject(sid, busy: false)
    }
  }

  // MARK: The machines' wishes

  /// Carries out what a call's machines want, until they want no more.
  func pump(_ call: ActiveCall) {
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
    while let output = call.session?.nextOutput() { carryOut(output, of: call) }
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
        terminate(call, .success, nil)
      case .connect where call.phase == .ringing:
        terminate(call, .timeout, CallError(.noAnswer, silence(of: call)))
      case .connect:
        let seconds = configuration.connectTimeout.components.seconds
        terminate(
          call, .connectivityError, CallError(.connectivity, "No encrypted path was found within \(seconds) s."))
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
    let subscribed = roster[call.peer]?.showsItsPresence ?? false
    if subscribed, presences.devices(of: call.peer.bare).isEmpty {
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
