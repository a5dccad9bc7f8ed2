import Foundation
import JingleCore
import MediaEngine
import MediaTime
import RTPCore
import XMPPCore

// Offer and answer.
extension Client {
  /// A content that was agreed on, and how the peer is reached for it.
  struct Agreed {
    var content: MediaNegotiation.Content
    /// Nil where the transport is in use already.
    var path: (remote: ICETransport, role: JingleCore.DTLSRole)?
  }

  // MARK: Offering

  /// Makes the offer as soon as all its transports are open. Each content has one of its own, for peers that do not
  /// bundle; with others all but the first are let go again.
  ///
  /// - Specification: XEP-0338 §2, RFC 9143 §7.2
  func offerIfReady(_ call: ActiveCall) {
    guard let media = call.media, call.phase != .ended, call.session == nil,
      call.transports.values.allSatisfy({ $0.local != nil })
    else { return }
    guard let own = address else { return terminate(call, .cancel, error(of: .disconnected, call)) }
    var offer: [Jingle.Content] = []
    var numbers = MediaNegotiation.Numbers()
    for (index, kind) in media.kinds.sorted(by: { $0.rawValue < $1.rawValue }).enumerated() {
      let senders = MediaNegotiation.senders(media, kind, as: .initiator)
      let streams = call.streams.make(using: &random)
      let description = MediaNegotiation.offer(kind, streams, sends: media.sends(kind), beside: numbers)
      numbers.add(description)
      let content = Jingle.Content(
        name: kind.rawValue, senders: senders, description: .rtp(description),
        transport: .iceUDP(transport(index, setup: .actpass, of: call)))
      call.transports[index]?.owner = content.name
      call.contents.append(
        .init(
          name: content.name, creator: content.creator, kind: kind, media: media, streams: streams, senders: senders,
          offered: description, transport: index))
      offer.append(content)
    }
    call.session = JingleSession(
      initiating: call.sid, own: own, peer: call.peer, deciding: [.contents, .transports])
    heedHabits(of: call)
    guard router.add(call.sid, sid: call.sid, peer: call.peer) else {
      return terminate(call, .generalError, CallError(.failed, "There are too many sessions already."))
    }
    call.session?.initiate(offer, groups: offer.count > 1 ? [ContentGroup(.bundle, offer.map(\.name))] : [])
    router.offered(offer, sid: call.sid, peer: call.peer)
    pump(call)
  }

  /// The peer's answer to our offer.
  func accepted(_ call: ActiveCall, _ answer: Jingle) {
    bundle(call, answer.groups)
    var agreed: [Agreed] = []
    for ours in call.contents {
      guard let offered = ours.offered, let content = answer.contents.first(where: { $0.name == ours.name }),
        let description = content.description?.rtp
      else { continue }
      do {
        let agreements = try offered.agreements(answeredBy: description)
        if !offered.multiplexesRTCP(answeredBy: description, bundled: answer.groups.bundle(ours.name)) {
          withholdRTCP(ours.transport, of: call)
        }
        guard let (remote, setup) = remoteTransport(ours.transport, answer.contents, of: call) else { continue }
        guard let setup else { return refuseUnencrypted(call) }
        agreed.append(
          Agreed(
            content: .init(
              name: ours.name, kind: ours.kind, agreements: agreements,
              headerExtensions: offered.headerExtensions(answeredBy: description),
              senders: ours.senders.intersection(content.senders), remote: description, transport: ours.transport,
              media: ours.media, streams: ours.streams),
            path: (remote, try JingleCore.DTLSRole(offered: .actpass, answered: setup.setup))))
      } catch {
        return terminate(
          call, .failedApplication,
          CallError(.protocolViolation, "\(call.peer) answered with what was not offered: \(error).", cause: error))
      }
    }
    guard !agreed.isEmpty else {
      return terminate(
        call, .failedApplication, CallError(.nothingInCommon, "\(call.peer) accepted the call without its media."))
    }
    begin(call, agreed)
  }

  /// The peer takes no RTCP where RTP goes. Such peers are so rare that no offer has a second component for them, and once
  /// they have answered it is too late for one: media does without.
  ///
  /// - Specification: RFC 5761 §5.1.1
  func withholdRTCP(_ index: Int, of call: ActiveCall) {
    guard call.transports[index]?.multiplexesRTCP == true else { return }
    let isNews = call.multiplexesRTCP
    call.transports[index]?.multiplexesRTCP = false
    call.command.yield(.transport(index, .withholdRTCP))
    guard isNews else { return }
    call.tell(
      .warning(
        CallError(
          .nothingInCommon,
          "\(call.peer) does not multiplex RTCP (rtcp-mux, RFC 5761): the media goes without reports, so that nobody "
            + "knows of losses and delays. Let \(call.peer.bare) call, and there will be some.")))
  }

  /// Moves the contents that the peer bundles onto one transport.
  private func bundle(_ call: ActiveCall, _ groups: [ContentGroup]) {
    for group in groups where group.semantics == .bundle {
      call.bundles = true
      guard let owner = call.contents.first(where: { $0.name == group.contents.first })?.transport else { continue }
      for index in call.contents.indices where group.contents.contains(call.contents[index].name) {
        call.contents[index].transport = owner
      }
    }
  }

  // MARK: Answering

  /// Answers the peer's offer as soon as it is there, this side wants the call, and the local paths are known.
  func answerIfReady(_ call: ActiveCall) {
    guard !call.isOutgoing, let offer = call.remoteOffer, let media = call.media, call.phase == .negotiating else {
      return
    }
    let offered = MediaKind.allCases.compactMap { kind in
      offer.contents.first { $0.description?.rtp?.kind == kind && $0.disposition == "session" }
    }
    guard !offered.isEmpty else { return refuseWithoutMedia(call) }
    guard offered.contains(where: { $0.transport?.iceUDP != nil }) else {
      return terminate(
        call, .unsupportedTransports,
        CallError(.nothingInCommon, "\(call.peer) offers no ICE transport (XEP-0176), the only one here."))
    }
    var answers: [(content: Jingle.Content, kind: MediaKind, streams: ContentStreams, answer: RTPDescription)] = []
    for content in offered {
      let streams = call.streams.make(using: &random)
      guard let description = content.description?.rtp, let kind = description.kind,
        var answer = MediaNegotiation.answer(description, kind, streams, sends: media.sends(kind))
      else { continue }
      // What the peer would bundle it multiplexes, whether it says so or not.
      answer.rtcpMux = description.multiplexesRTCP(answeredBy: answer, bundled: offer.groups.bundle(content.name))
      answers.append((content, kind, streams, answer))
    }
    guard !answers.isEmpty else {
      let names = offered.compactMap { $0.description?.rtp }.flatMap(\.payloadTypes).compactMap(\.name)
      return terminate(
        call, .failedApplication,
        CallError(
          .nothingInCommon,
          "No codec in common: \(call.peer) offers \(names.joined(separator: ", ")); Carillon speaks Opus, G.722, "
            + "PCMU, PCMA, VP8 and VP9."))
    }
    if !answers[0].answer.rtcpMux, call.transports[call.firstTransport]?.multiplexesRTCP == true {
      // It was opened ahead of the offer, without a component for RTCP.
      close(call.firstTransport, of: call)
      call.firstTransport = call.nextTransport
    }
    let group = bundle(of: answers.map { ($0.content.name, $0.answer) }, offer.groups)
    call.contents = answers.enumerated().map { index, answer in
      let content = answer.content
      let isBundled = group?.contents.contains(content.name) == true
      let owner = answers.firstIndex { $0.content.name == group?.contents.first }
      return .init(
        name: content.name, creator: content.creator, kind: answer.kind, media: media, streams: answer.streams,
        senders: content.senders.intersection(MediaNegotiation.senders(media, answer.kind, as: .responder)),
        transport: call.firstTransport + (isBundled ? owner ?? index : index))
    }
    guard call.contents.contains(where: { $0.senders != .none }) else {
      let kinds = call.contents.map(\.kind.rawValue).joined(separator: " and ")
      return terminate(
        call, .unsupportedApplications,
        CallError(.nothingInCommon, "\(call.peer) offers \(kinds), and nothing of it is wanted here."))
    }
    if Set(call.contents.map(\.transport)).count > 1 {
      for index in answers.indices { answers[index].answer.dropTransportFeedback() }
    }
    // Each transport needs its sockets; this side comes back here when it has them.
    let needed = Set(call.contents.map(\.transport))
    for (content, answer) in zip(call.contents, answers) {
      open(content.transport, of: call, multiplexesRTCP: answer.answer.rtcpMux)
    }
    guard needed.allSatisfy({ call.transports[$0]?.local != nil }) else { return }
    call.remoteOffer = nil
    call.bundles = group != nil
    answer(call, offer, answers.map(\.answer), group)
  }

  private func answer(_ call: ActiveCall, _ offer: Jingle, _ answers: [RTPDescription], _ group: ContentGroup?) {
    var agreed: [Agreed] = []
    var written: [Jingle.Content] = []
    var transports: [Int: (remote: ICETransport, role: JingleCore.DTLSRole, local: ICETransport)] = [:]
    for (ours, description) in zip(call.contents, answers) {
      guard let content = offer.contents.first(where: { $0.name == ours.name }), let theirs = content.description?.rtp
      else { continue }
      if transports[ours.transport] == nil {
        guard let (remote, fingerprint) = remoteTransport(ours.transport, offer.contents, of: call) else { continue }
        guard let fingerprint else { return refuseUnencrypted(call) }
        guard let (role, setup) = try? JingleCore.DTLSRole.answering(fingerprint.setup) else {
          return terminate(
            call, .failedApplication, CallError(.protocolViolation, "\(call.peer) offers DTLS that nobody may begin."))
        }
        transports[ours.transport] = (remote, role, transport(ours.transport, setup: setup, of: call))
      }
      guard case (let remote, let role, var local)? = transports[ours.transport] else { continue }
      // The candidates of a bundle stand in its first content.
      if call.transports[ours.transport]?.owner != ours.name { local.candidates = [] }
      written.append(
        Jingle.Content(
          creator: ours.creator, name: ours.name, senders: ours.senders, description: .rtp(description),
          transport: .iceUDP(local)))
      agreed.append(
        Agreed(
          content: .init(
            name: ours.name, kind: ours.kind, agreements: description.agreements(answering: theirs),
            headerExtensions: description.headerExtensions, senders: ours.senders, remote: theirs,
            transport: ours.transport, media: ours.media, streams: ours.streams),
          path: (remote, role)))
    }
    call.session?.accept(written, groups: group.map { [$0] } ?? [])
    pump(call)
    begin(call, agreed)
  }

  /// The bundle to answer with: what the peer offers to bundle, where packets could be told apart in it.
  private func bundle(of answers: [(name: String, answer: RTPDescription)], _ groups: [ContentGroup]) -> ContentGroup? {
    guard let offered = groups.first(where: { $0.semantics == .bundle }) else { return nil }
    let members = answers.filter { offered.contents.contains($0.name) }
    let canBeTold = members.indices.allSatisfy { index in
      members[..<index].allSatisfy { $0.answer.canBeBundled(with: members[index].answer) }
    }
    // Of one content there is nothing to bundle, and those who add a second one on its own transport could not.
    return canBeTold && members.count > 1 ? offered.restricted(to: members.map(\.name)) : nil
  }

  // MARK: Both

  /// Both sides agree on the call's first contents.
  private func begin(_ call: ActiveCall, _ agreed: [Agreed]) {
    guard call.phase != .ended else { return }
    let names = agreed.map(\.content.name)
    call.contents.removeAll { !names.contains($0.name) }
    let used = Set(agreed.map(\.content.transport))
    call.phase = .connecting
    call.deadlines[.connect] = SystemClock.now + configuration.connectTimeout
    call.tell(.connecting)
    for index in call.transports.keys where !used.contains(index) { close(index, of: call) }
    guard join(call, agreed) else {
      return terminate(
        call, .failedApplication,
        CallError(.nothingInCommon, "\(call.peer) accepted no codec of ours, or gave no ICE credentials."))
    }
    for (name, transport) in call.earlyTransports { addRemote(transport, for: name, of: call) }
    call.earlyTransports = []
  }

  /// Lets contents join the media.
  ///
  /// - Returns: false when there is no codec of ours, or a transport to begin has no credentials.
  func join(_ call: ActiveCall, _ agreed: [Agreed]) -> Bool {
    let now = SystemClock.now
    let wallClock = RTPSession.WallClock(
      instant: now, time: NTPTime(sinceUnixEpoch: .seconds(Date.now.timeIntervalSince1970)))
    guard agreed.allSatisfy({ $0.path.map { $0.remote.credentials != nil } ?? true }),
      let agreement = MediaNegotiation.agreement(
        agreed.map(\.content), cname: call.streams.cname, as: call.party,
        isOneTransport: call.transports.count == 1, wallClock: wallClock, using: &random)
    else { return false }
    for content in agreed.map(\.content) {
      guard let index = call.contents.firstIndex(where: { $0.name == content.name }) else { continue }
      call.contents[index].senders = content.senders
      call.transports[content.transport]?.numbers.add(content.remote)
      call.contents[index].offered.map { call.transports[content.transport]?.numbers.add($0) }
    }
    for track in agreement.tracks {
      if let index = call.contents.firstIndex(where: { $0.name == track.content }) {
        call.contents[index].takesKeys = track.takesKeys
      }
      switch track.kind {
      case .audio: call.audioCodec = call.audioCodec ?? track.codec
      case .video: call.videoCodec = call.videoCodec ?? track.codec
      }
    }
    call.command.yield(.begin(agreement))
    var begun: Set<Int> = []
    for (index, path) in agreed.map({ ($0.content.transport, $0.path) }) {
      guard case (let remote, let role)? = path, begun.insert(index).inserted else { continue }
      connect(index, to: remote, as: role, of: call)
      if let owner = call.transports[index]?.owner { addRemote(remote, for: owner, of: call) }
    }
    updateFlow(of: call)
    return true
  }

  /// Lets ICE and DTLS begin on one of the call's transports.
  func connect(_ index: Int, to remote: ICETransport, as role: JingleCore.DTLSRole, of call: ActiveCall) {
    guard let credentials = remote.credentials else { return }
    call.transports[index]?.remoteUfrag = credentials.ufrag
    call.transports[index]?.role = role
    call.command.yield(.transport(index, .setRemote(credentials)))
    call.command.yield(
      .transport(
        index,
        .setDTLS(
          role: role == .client ? .client : .server,
          fingerprints: remote.fingerprints.map(CertificateFingerprint.init))))
  }

  /// How the peer is reached on one of the call's transports, and the fingerprint, if it gives one. Notes whose name the
  /// transport goes by: the first content on it with credentials.
  ///
  /// What it told before is filled in where it is missing: gateways to SIP send it as soon as they have it.
  func remoteTransport(
    _ index: Int, _ contents: [Jingle.Content], of call: ActiveCall
  ) -> (ICETransport, DTLSFingerprint?)? {
    let names = call.contents.filter { $0.transport == index }.map(\.name)
    let candidates = contents.filter { names.contains($0.name) }
    let ordered = candidates.filter { $0.transport?.iceUDP?.ufrag != nil } + candidates
    guard let owner = ordered.first(where: { $0.transport?.iceUDP != nil }), var transport = owner.transport?.iceUDP
    else { return nil }
    call.transports[index]?.owner = owner.name
    for (name, early) in call.earlyTransports where name == owner.name {
      if transport.fingerprints.isEmpty { transport.fingerprints = early.fingerprints }
      transport.ufrag = transport.ufrag ?? early.ufrag
      transport.pwd = transport.pwd ?? early.pwd
    }
    return (transport, transport.fingerprint)
  }

  /// This side's part of a transport, with the candidates known so far.
  func transport(_ index: Int, setup: DTLSSetup, of call: ActiveCall) -> ICETransport {
    guard let transport = call.transports[index], let local = transport.local else { return ICETransport() }
    call.transports[index]?.earlyCandidates = []
    return ICETransport(
      ufrag: local.credentials.ufrag, pwd: local.credentials.password,
      fingerprints: DTLSFingerprint(local.fingerprint, setup: setup).map { [$0] } ?? [],
      candidates: transport.earlyCandidates)
  }

  // MARK: Refusals

  func refuseWithoutMedia(_ call: ActiveCall) {
    terminate(
      call, .unsupportedApplications,
      CallError(.nothingInCommon, "\(call.peer) offers a session without audio or video."))
  }

  private func refuseUnencrypted(_ call: ActiveCall) {
    terminate(
      call, .securityError,
      CallError(
        .nothingInCommon,
        "\(call.peer) offers no DTLS fingerprint (XEP-0320): the call would not be encrypted, so there is none."),
      application: RTPError.cryptoRequired.element)
  }
}

extension [ContentGroup] {
  /// Whether one of them bundles the content.
  ///
  /// - Specification: XEP-0338 §2, RFC 9143 §9.3 (what is bundled multiplexes RTCP)
  fileprivate func bundle(_ name: String) -> Bool {
    contains { $0.semantics == .bundle && $0.contents.contains(name) }
  }
}
