import Foundation
import JingleCore
import MediaEngine
import MediaTime
import RTPCore
import XMPPCore

// Jingle sessions and the media behind them.
extension Client {
  // MARK: In

  func receiveJingle(_ payload: XMLElement, in iq: IQ) {
    guard let from = iq.from, let own = link?.address else { return }
    switch router.route(payload, from: from) {
    case .deliver(let jingle, let sid):
      guard let call = calls[sid] else { return send(iq.reply(.error(.unknownSession)).element) }
      call.session?.receive(jingle, from: from, id: iq.id)
      pump(call)
    case .offer(let jingle, _):
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
    if let call = calls[jingle.sid] {
      // The session of a proposal: from the device that proposed, or of the same account.
      guard !call.isOutgoing, call.session == nil, call.phase != .ended, from.bare == call.peer.bare else {
        throw .unknownSession
      }
      call.session = try JingleSession(answering: jingle, from: from, id: id, own: own)
      call.peer = from
      _ = router.add(call.sid, sid: jingle.sid, peer: from)
      return pump(call)
    }
    // Nobody is told that this account is there who may not call it.
    guard handlers.onCall != nil, handlers.allowsCall?(from) ?? true else { throw StanzaError(.serviceUnavailable) }
    guard hasRoom(for: from) else { throw StanzaError(.resourceConstraint) }
    let session = try JingleSession(answering: jingle, from: from, id: id, own: own)
    let call = ActiveCall(sid: jingle.sid, peer: from, isOutgoing: false, at: SystemClock.now)
    call.session = session
    calls[call.sid] = call
    _ = router.add(call.sid, sid: jingle.sid, peer: from)
    call.tell(.proposed)
    pump(call)
    guard call.phase != .ended else { return }
    guard jingle.contents.contains(where: { $0.description?.rtp?.media == "audio" }) else {
      return terminate(
        call, .unsupportedApplications, CallError(.nothingInCommon, "\(from) offers a session without audio."))
    }
    call.session?.sendInfo(RTPInfo.ringing.element)
    pump(call)
    offerToHandler(call)
  }

  // MARK: The session's wishes

  func carryOut(_ output: JingleSession.Output, of call: ActiveCall) {
    switch output {
    case .request(let jingle, let recipient, let token):
      request(.set(jingle.element), to: recipient, endsCall: jingle.action == .sessionTerminate) { outcome in
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
      addRemote(transport, for: content, of: call)
    case .restartedICE(let transport, let content):
      guard content == call.content?.name, let credentials = transport.credentials else { return }
      call.command.yield(.restart(credentials))
      addRemote(transport, for: content, of: call)
    case .receivedInfo(let element):
      if RTPInfo(element) == .ringing, call.isOutgoing, call.ringingAt == nil {
        call.ringingAt = SystemClock.now
        call.tell(.ringing(device: call.peer))
      }
    case .violated(let error):
      terminate(
        call, .failedApplication,
        CallError(.protocolViolation, "\(call.peer) answered with what cannot be understood: \(error).", cause: error))
    case .terminated(let reason, let byPeer):
      let error = byPeer ? failure(reason, of: call) : nil
      finish(call, reason?.condition ?? .success, byPeer: byPeer, call.end?.error ?? error)
    case .failed(let failure):
      finish(call, .generalError, byPeer: true, error(of: failure, call))
    case .removed, .acknowledged, .receivedDescription, .modified, .refused: break
    case .unanswered(let action, let error):
      logger.info(
        "request not granted",
        metadata: ["call.sid": "\(call.sid)", "action": "\(action)", "error": "\(error.map { "\($0)" } ?? "timeout")"])
    }
  }

  // MARK: Offer and answer

  private func initiate(_ call: ActiveCall, _ local: MediaEndpoint.LocalDescription) {
    guard let media = call.media, call.phase != .ended else { return }
    guard let own = link?.address else {
      return terminate(call, .cancel, error(of: .disconnected, call))
    }
    let description = AudioNegotiation.offer()
    let senders = AudioNegotiation.senders(media, as: .initiator)
    let content = Jingle.Content(
      name: "audio", senders: senders, description: .rtp(description),
      transport: .iceUDP(transport(local, setup: .actpass, of: call)))
    call.content = (content.name, content.creator, senders)
    call.offered = description
    call.session = JingleSession(initiating: call.sid, own: own, peer: call.peer)
    guard router.add(call.sid, sid: call.sid, peer: call.peer) else {
      return terminate(call, .generalError, CallError(.failed, "There are too many sessions already."))
    }
    call.session?.initiate([content])
    router.offered([content], sid: call.sid, peer: call.peer)
    pump(call)
  }

  /// The peer's answer to our offer.
  private func accepted(_ call: ActiveCall, _ answer: Jingle) {
    guard let ours = call.content, let offered = call.offered, let media = call.media else { return }
    guard let content = answer.contents.first(where: { $0.name == ours.name }),
      let description = content.description?.rtp, let answered = content.transport?.iceUDP
    else {
      return terminate(
        call, .failedApplication, CallError(.nothingInCommon, "\(call.peer) accepted the call without its audio."))
    }
    let transport = completed(answered, for: content.name, of: call)
    guard let fingerprint = transport.fingerprint else { return refuseUnencrypted(call) }
    let role: JingleCore.DTLSRole
    let agreements: [RTPAgreement]
    do {
      role = try JingleCore.DTLSRole(offered: .actpass, answered: fingerprint.setup)
      agreements = try offered.agreements(answeredBy: description)
    } catch {
      return terminate(
        call, .failedApplication,
        CallError(.protocolViolation, "\(call.peer) answered with what was not offered: \(error).", cause: error))
    }
    let senders = ours.senders.intersection(content.senders)
    begin(call, agreements, senders: senders, media: media, role: role, remote: transport)
  }

  /// Answers the peer's offer as soon as it is there, this side wants the call, and the local path is known.
  func answerIfReady(_ call: ActiveCall) {
    guard !call.isOutgoing, let offer = call.remoteOffer, let media = call.media, let local = call.local,
      call.phase == .negotiating
    else { return }
    call.remoteOffer = nil
    let audio = offer.contents.filter { $0.description?.rtp?.media == "audio" && $0.disposition == "session" }
    guard let content = audio.first, let description = content.description?.rtp else {
      return terminate(
        call, .unsupportedApplications, CallError(.nothingInCommon, "\(call.peer) offers a session without audio."))
    }
    guard let offered = content.transport?.iceUDP else {
      return terminate(
        call, .unsupportedTransports,
        CallError(.nothingInCommon, "\(call.peer) offers no ICE transport (XEP-0176), the only one here."))
    }
    let transport = completed(offered, for: content.name, of: call)
    guard let fingerprint = transport.fingerprint else { return refuseUnencrypted(call) }
    guard let answer = description.answer(supporting: AudioNegotiation.capabilities) else {
      let names = description.payloadTypes.compactMap(\.name).joined(separator: ", ")
      return terminate(
        call, .failedApplication,
        CallError(.nothingInCommon, "No codec in common: \(call.peer) offers \(names); Carillon speaks Opus."))
    }
    guard let (role, setup) = try? JingleCore.DTLSRole.answering(fingerprint.setup) else {
      return terminate(
        call, .failedApplication, CallError(.protocolViolation, "\(call.peer) offers DTLS that nobody may begin."))
    }
    let senders = content.senders.intersection(AudioNegotiation.senders(media, as: .responder))
    call.content = (content.name, content.creator, senders)
    call.session?.accept([
      Jingle.Content(
        creator: content.creator, name: content.name, senders: senders, description: .rtp(answer),
        transport: .iceUDP(self.transport(local, setup: setup, of: call)))
    ])
    pump(call)
    begin(
      call, answer.agreements(answering: description), senders: senders, media: media, role: role, remote: transport)
  }

  private func begin(
    _ call: ActiveCall, _ agreements: [RTPAgreement], senders: Jingle.Senders, media: MediaOffer,
    role: JingleCore.DTLSRole, remote: ICETransport
  ) {
    guard call.phase != .ended else { return }
    let wallTime = NTPTime(sinceUnixEpoch: .seconds(Date.now.timeIntervalSince1970))
    guard let credentials = remote.credentials,
      let agreement = AudioNegotiation.agreement(
        agreements, senders: senders, as: call.party, media: media, at: SystemClock.now, wallTime: wallTime,
        using: &random)
    else {
      return terminate(
        call, .failedApplication,
        CallError(.nothingInCommon, "\(call.peer) accepted no codec of ours, or gave no ICE credentials."))
    }
    call.phase = .connecting
    call.audioCodec = agreement.codec
    call.deadlines[.connect] = SystemClock.now + configuration.connectTimeout
    call.tell(.connecting)
    call.command.yield(.begin(agreement.configuration, agreement.encoding))
    call.command.yield(.setRemote(credentials))
    call.command.yield(
      .setDTLS(
        role: role == .client ? .client : .server,
        fingerprints: remote.fingerprints.map(CertificateFingerprint.init)))
    guard let content = call.content?.name else { return }
    addRemote(remote, for: content, of: call)
    for (name, transport) in call.earlyTransports { addRemote(transport, for: name, of: call) }
    call.earlyTransports = []
  }

  /// What the peer offers or answers, with the fingerprint and credentials that it told before where they are missing:
  /// gateways to SIP send them as soon as they have them.
  private func completed(_ transport: ICETransport, for content: String, of call: ActiveCall) -> ICETransport {
    var transport = transport
    for (name, early) in call.earlyTransports where name == content {
      if transport.fingerprints.isEmpty { transport.fingerprints = early.fingerprints }
      transport.ufrag = transport.ufrag ?? early.ufrag
      transport.pwd = transport.pwd ?? early.pwd
    }
    return transport
  }

  private func addRemote(_ transport: ICETransport, for content: String, of call: ActiveCall) {
    guard call.phase >= .connecting else {
      if call.earlyTransports.count < 64 { call.earlyTransports.append((content, transport)) }
      return
    }
    guard content == call.content?.name else { return }
    let candidates = transport.candidates.compactMap(MediaEngine.ICECandidate.init)
    if !candidates.isEmpty { call.command.yield(.addRemote(candidates)) }
  }

  private func transport(
    _ local: MediaEndpoint.LocalDescription, setup: DTLSSetup, of call: ActiveCall
  ) -> ICETransport {
    defer { call.earlyCandidates = [] }
    return ICETransport(
      ufrag: local.credentials.ufrag, pwd: local.credentials.password,
      fingerprints: DTLSFingerprint(local.fingerprint, setup: setup).map { [$0] } ?? [],
      candidates: call.earlyCandidates)
  }

  private func refuseUnencrypted(_ call: ActiveCall) {
    terminate(
      call, .securityError,
      CallError(
        .nothingInCommon,
        "\(call.peer) offers no DTLS fingerprint (XEP-0320): the call would not be encrypted, so there is none."),
      application: RTPError.cryptoRequired.element)
  }

  // MARK: Media

  func startMedia(of call: ActiveCall, controlling: Bool) {
    guard let offer = call.media, !call.mediaIsRunning, jobs != nil else { return }
    let (sid, commands) = (call.sid, call.commands)
    let (loop, relayOnly, localAddresses) = (loop, configuration.relayOnly, localAddresses)
    call.mediaIsRunning = spawn {
      let servers = await ICEServers.resolve(await self.currentServices(), self.configuration)
      await self.asked(servers.list, for: sid)
      let media = CallMedia(
        on: loop,
        .init(
          controlling: controlling, servers: servers.list, relayOnly: relayOnly, localAddresses: localAddresses),
        offer: offer
      ) { await self.receive($0, of: sid) }
      await media.run(commands)
      await servers.close()
      await self.mediaStopped(sid)
    }
  }

  private func asked(_ servers: [ICEServer], for sid: String) {
    calls[sid]?.turnServers = servers.filter { $0.kind != .stun }
  }

  private func mediaStopped(_ sid: String) {
    guard let call = calls[sid] else { return }
    call.mediaIsRunning = false
    // It stops before its call when the client does.
    if call.phase == .ended { close(call) } else { hangUp(call) }
  }

  private func receive(_ fact: CallMedia.Fact, of sid: String) {
    guard let call = calls[sid] else { return }
    switch fact {
    case .local(let description):
      call.local = description
      for candidate in description.candidates { collect(candidate, of: call) }
      if call.isOutgoing { initiate(call, description) } else { answerIfReady(call) }
    case .restarted(let credentials, let candidates):
      restarted(call, credentials, candidates)
    case .event(let event):
      receive(event, of: call)
    case .statistics(let statistics):
      call.statistics = statistics
      if call.phase == .connected { call.tell(.statistics(statistics)) }
    case .warning(let warning):
      call.tell(.warning(warning))
    case .connectivity(let report):
      call.connectivity = report
    case .failedToStart(let error):
      terminate(call, .failedTransport, error)
    }
    rearm()
  }

  private func receive(_ event: MediaEvent, of call: ActiveCall) {
    switch event {
    case .candidate(let candidate): collect(candidate, of: call)
    case .gatheringDone: gatheringDone(call)
    case .ice: break
    case .connected(let connection): connected(call, connection)
    case .failed(let failure): mediaFailed(call, failure)
    case .closedByPeer, .rtp(.byeReceived):
      // The word of it that comes through signalling says why; it may come later than the media's end, or never.
      if call.phase == .connected {
        call.deadlines[.goodbye] = call.deadlines[.goodbye] ?? SystemClock.now + .seconds(3)
      }
    case .rtp: break
    }
  }

  private func connected(_ call: ActiveCall, _ connection: MediaConnection) {
    guard call.phase == .connecting else { return }
    let now = SystemClock.now
    call.phase = .connected
    call.connectedAt = now
    call.deadlines[.connect] = nil
    call.tell(
      .connected(
        ConnectionReport(
          setupTime: now - call.startedAt, ringingTime: call.ringingAt.map { $0 - call.startedAt },
          proceedTime: call.proceedAt.map { $0 - call.startedAt }, iceTime: connection.iceTime,
          dtlsTime: connection.dtlsTime, localCandidateType: connection.local.kind.rawValue,
          remoteCandidateType: connection.remote.kind.rawValue, dtlsVersion: connection.dtlsVersion,
          srtpProfile: connection.srtpProfile.name, audioCodec: call.audioCodec)))
  }

  private func mediaFailed(_ call: ActiveCall, _ failure: MediaFailure) {
    switch failure {
    case .noSockets:
      terminate(call, .failedTransport, CallError(.connectivity, "No media socket could be opened.", cause: failure))
    case .noPath:
      terminate(
        call, .connectivityError, CallError(.connectivity, "ICE found no path to \(call.peer).", cause: failure))
    case .consentLost:
      terminate(
        call, .connectivityError,
        CallError(.connectivity, "\(call.peer) vanished: it answers no connectivity check any more.", cause: failure))
    case .dtls(let error):
      terminate(
        call, error.isSecurityFailure ? .securityError : .connectivityError,
        CallError(
          .connectivity, "The media could not be encrypted: \(error). Nothing was sent or played.", cause: error))
    }
  }

  // MARK: Candidates

  private func collect(_ candidate: MediaEngine.ICECandidate, of call: ActiveCall) {
    if candidate.kind == .relay { call.gatheredRelay = true }
    guard candidate.transport == .udp, candidate.kind == .relay || !configuration.relayOnly else { return }
    let written = JingleCore.ICECandidate(candidate, id: call.nextCandidateID(), hidesBase: configuration.relayOnly)
    let isNegotiated = call.session.map { $0.phase == .active || $0.role == .initiator } ?? false
    guard isNegotiated, let content = call.content, let local = call.local else {
      return call.earlyCandidates.append(written)
    }
    call.session?.send(
      ICETransport(ufrag: local.credentials.ufrag, pwd: local.credentials.password, candidates: [written]),
      for: content.name)
    pump(call)
  }

  private func gatheringDone(_ call: ActiveCall) {
    guard !call.gatheredRelay, call.phase < .connected else { return }
    let asked = call.turnServers.map(\.name).joined(separator: ", ")
    if configuration.relayOnly {
      let reason =
        asked.isEmpty
        ? "the account's server names no TURN server (XEP-0215). Ask its operator, or call without --relay-only."
        : "no TURN server gave an address: \(asked). It refused the credentials or could not be reached."
      terminate(call, .failedTransport, CallError(.connectivity, "Only relayed paths are allowed, and " + reason))
    } else if !asked.isEmpty {
      call.tell(.warning(CallError(.connectivity, "No TURN server gave a relayed address: \(asked).")))
    }
  }

  private func restarted(_ call: ActiveCall, _ credentials: ICECredentials, _ candidates: [MediaEngine.ICECandidate]) {
    call.local?.credentials = credentials
    guard let content = call.content else { return }
    let usable = candidates.filter { $0.transport == .udp && ($0.kind == .relay || !configuration.relayOnly) }
    let written = usable.map {
      JingleCore.ICECandidate($0, id: call.nextCandidateID(), hidesBase: configuration.relayOnly)
    }
    call.session?.send(
      ICETransport(ufrag: credentials.ufrag, pwd: credentials.password, candidates: written), for: content.name)
    pump(call)
  }
}

extension DTLSError {
  /// Whether the peer is not who it claims to be, rather than out of reach.
  fileprivate var isSecurityFailure: Bool {
    switch self {
    case .fingerprintMismatch, .noSRTPProfile: true
    case .setUp, .failed: false
    }
  }
}
