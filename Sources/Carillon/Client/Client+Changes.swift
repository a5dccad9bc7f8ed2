import Foundation
import JingleCore
import MediaEngine
import MediaTime
import XMPPCore

// Contents that join and leave a running call.
extension Client {
  /// How long the peer may take to say whether it takes a content: somebody may have to be asked.
  private static let patience = Duration.seconds(45)

  func activeCall(_ id: UUID) throws -> ActiveCall {
    guard let call = calls.values.first(where: { $0.id == id }), call.phase != .ended else {
      throw CallError(.failed, "The call is over.")
    }
    return call
  }

  /// - Throws: `CallError(.failed)` when the call is not connected.
  func connectedCall(_ id: UUID) throws -> ActiveCall {
    let call = try activeCall(id)
    guard call.phase == .connected else { throw CallError(.failed, "The call is not connected yet.") }
    return call
  }

  func end(ofOffered id: UUID) -> CallEnd? { offered[id]?.end }

  func contents(of id: UUID) -> [CallContent] {
    guard let call = try? activeCall(id) else { return [] }
    return call.contents.map(call.view)
  }

  func statistics(of id: UUID) -> CallStatistics? { calls.values.first { $0.id == id }?.statistics }

  // MARK: This side adds

  func add(_ media: MediaOffer, _ category: CallContent.Category?, to id: UUID) async throws -> [CallContent] {
    let call = try connectedCall(id)
    guard !media.kinds.isEmpty else {
      throw CallError(.configuration, "There is nothing to send and nowhere to put what is received.")
    }
    var added: [CallContent] = []
    for kind in media.kinds.sorted(by: { $0.rawValue < $1.rawValue }) {
      do {
        added.append(try await add(kind, media, category, to: call))
      } catch {
        if added.isEmpty { throw error }
      }
    }
    return added
  }

  private func add(
    _ kind: MediaKind, _ media: MediaOffer, _ category: CallContent.Category?, to call: ActiveCall
  ) async throws -> CallContent {
    try checkRoom(for: kind, in: call)
    guard let session = call.session, call.phase == .connected else { throw CallError(.failed, "The call is over.") }
    let name = freeName(like: kind.rawValue, session, of: call)
    let hasSuch = call.contents.contains { $0.kind == kind }
    var content = ActiveCall.Content(
      name: name, creator: call.party, kind: kind, media: media,
      streams: call.streams.make(isApart: hasSuch, using: &random),
      senders: MediaNegotiation.senders(media, kind, as: call.party), transport: transportToAdd(to: call))
    if let category { content.categories = [category] }
    let addition = ActiveCall.Addition(content: content)
    let id = call.id
    return try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        if Task.isCancelled { return continuation.resume(throwing: CancellationError()) }
        var addition = addition
        addition.waiter = continuation
        call.additions.append(addition)
        open(content.transport, of: call, multiplexesRTCP: call.multiplexesRTCP)
        call.deadlines[.addition(name)] = SystemClock.now + Client.patience
        advanceAdditions(of: call)
        rearm()
      }
    } onCancel: {
      Task { await self.withdraw(name, CancellationError(), from: id) }
    }
  }

  /// A name that no content has or had, nor one that is to join.
  private func freeName(like wanted: String, _ session: JingleSession, of call: ActiveCall) -> String {
    var name = session.unusedName(like: wanted)
    var number = 2
    while call.additions.contains(where: { $0.content.name == name }) {
      name = session.unusedName(like: "\(wanted)-\(number)")
      number += 1
    }
    return name
  }

  private func checkRoom(for kind: MediaKind, in call: ActiveCall) throws(CallError) {
    let there = call.contents.map(\.kind) + call.additions.map(\.content.kind)
    if kind == .audio, there.contains(.audio) { throw CallError(.configuration, "The call has sound already.") }
    if there.count >= ActiveCall.maximumContents { throw CallError(.failed, "The call has too many contents already.") }
  }

  /// The bundle's, or one to be opened: what does not multiplex cannot be in a bundle (RFC 9143 §9.3).
  private func transportToAdd(to call: ActiveCall) -> Int {
    call.bundles && call.multiplexesRTCP ? call.contents.first?.transport ?? call.nextTransport : call.nextTransport
  }

  private func withdraw(_ name: String, _ error: any Error, from id: UUID) {
    guard let call = try? activeCall(id), call.additions.contains(where: { $0.content.name == name }) else { return }
    leave(name, of: call, Jingle.Reason(.cancel), error)
    pump(call)
    rearm()
  }

  /// The peer has not said whether it takes a content.
  func additionTimedOut(_ name: String, of call: ActiveCall) {
    leave(
      name, of: call, Jingle.Reason(.timeout),
      CallError(.timedOut, "\(call.peer) does not say whether it takes \(name)."))
    pump(call)
  }

  /// Offers, and answers, what waited for a transport of its own.
  func advanceAdditions(of call: ActiveCall) {
    for addition in call.additions where !addition.isSent {
      let content = addition.content
      guard call.transports[content.transport]?.local != nil else { continue }
      if let index = call.additions.firstIndex(where: { $0.content.name == content.name }) {
        call.additions[index].isSent = true
      }
      if let offer = addition.offer { accept(content, offer, of: call) } else { offer(content, of: call) }
    }
    pump(call)
  }

  private func isShared(_ index: Int, of call: ActiveCall) -> Bool { call.transports[index]?.role != nil }

  private func offer(_ content: ActiveCall.Content, of call: ActiveCall) {
    let isShared = isShared(content.transport, of: call)
    // It joins the bundle, or founds one if the peer likes; its own transport is there for peers that do not.
    let bundle = isShared ? content.transport : call.contents.first?.transport ?? content.transport
    var description = MediaNegotiation.offer(
      content.kind, content.streams, sends: content.media.sends(content.kind),
      beside: call.transports[bundle]?.numbers ?? .init())
    let multiplexes = call.transports[content.transport]?.multiplexesRTCP == true
    description.rtcpMux = multiplexes
    description.categories = content.categories.map(\.rawValue).sorted().compactMap(ContentCategory.init)
    if !isShared { call.transports[content.transport]?.owner = content.name }
    if let index = call.additions.firstIndex(where: { $0.content.name == content.name }) {
      call.additions[index].content.offered = description
    }
    let group = ContentGroup(
      .bundle, call.contents.filter { $0.transport == bundle }.map(\.name) + [content.name])
    call.session?.add(
      [
        Jingle.Content(
          creator: content.creator, name: content.name, senders: content.senders, description: .rtp(description),
          transport: .iceUDP(transport(content.transport, setup: .actpass, of: call)))
      ], groups: group.contents.count > 1 && multiplexes ? [group] : [])
  }

  /// The peer takes a content of ours.
  func addedByPeersLeave(_ answer: Jingle.Content, _ groups: [ContentGroup], of call: ActiveCall) {
    guard let index = call.additions.firstIndex(where: { $0.content.name == answer.name }),
      let description = answer.description?.rtp, let offered = call.additions[index].content.offered
    else { return }
    let bundled = groups.first { $0.semantics == .bundle && $0.contents.contains(answer.name) }?.contents ?? []
    if let shared = call.contents.first(where: { bundled.contains($0.name) })?.transport {
      let own = call.additions[index].content.transport
      call.additions[index].content.transport = shared
      call.bundles = true
      if own != shared { close(own, of: call) }
    }
    let ours = call.additions[index].content
    do throws(any Error) {
      let agreements = try offered.agreements(answeredBy: description)
      var path: (ICETransport, JingleCore.DTLSRole)?
      if !isShared(ours.transport, of: call) {
        guard let remote = answer.transport?.iceUDP, let fingerprint = remote.fingerprint, remote.credentials != nil
        else { throw CallError(.protocolViolation, "its transport has no credentials or no fingerprint") }
        path = (remote, try JingleCore.DTLSRole(offered: .actpass, answered: fingerprint.setup))
        if !offered.multiplexesRTCP(answeredBy: description, bundled: !bundled.isEmpty) {
          withholdRTCP(ours.transport, of: call)
        }
      }
      let content = MediaNegotiation.Content(
        name: ours.name, kind: ours.kind, agreements: agreements,
        headerExtensions: offered.headerExtensions(answeredBy: description),
        senders: ours.senders.intersection(answer.senders), remote: description, transport: ours.transport,
        media: ours.media, streams: ours.streams)
      try settle(Agreed(content: content, path: path), byPeer: false, of: call)
    } catch {
      leave(
        answer.name, of: call, Jingle.Reason(.failedApplication),
        CallError(.protocolViolation, "\(call.peer) took \(answer.name) and answered with what fits not: \(error)."))
    }
  }

  /// The peer does not take a content of ours.
  func notAdded(_ name: String, _ refusal: JingleSession.Refusal, of call: ActiveCall) {
    let peer = call.peer
    let error =
      switch refusal {
      case .rejected(let reason):
        CallError(
          reason?.condition == .failedApplication ? .nothingInCommon : .declined,
          "\(peer) does not take \(name)\(reason?.text.map { ": \($0)" } ?? "").")
      case .tieBreak: CallError(.declined, "\(peer) added the same at the same moment, and its wish goes first.")
      case .nameTaken: CallError(.failed, "There was a content \(name) already.")
      case .refused(let error): CallError(.declined, "\(peer) cannot add \(name) to the call: \(error).", cause: error)
      case .unanswered: CallError(.timedOut, "\(peer) did not answer.")
      }
    drop(name, of: call, error)
  }

  // MARK: The peer adds

  /// The peer wants a content more: embedders decide, or what the call's own sinks have room for.
  func consider(_ content: Jingle.Content, _ groups: [ContentGroup], of call: ActiveCall) {
    guard let media = call.media, let description = content.description?.rtp, let kind = description.kind else {
      return reject(content.name, .unsupportedApplications, of: call)
    }
    call.offeredByPeer += 1
    guard (try? checkRoom(for: kind, in: call)) != nil, call.phase >= .connecting,
      call.offeredByPeer <= ActiveCall.maximumOffers
    else { return reject(content.name, .unsupportedApplications, of: call) }
    let bundled = groups.first { $0.semantics == .bundle && $0.contents.contains(content.name) }?.contents ?? []
    let shared = call.contents.first { bundled.contains($0.name) }?.transport
    guard shared != nil || content.transport?.iceUDP?.ufrag != nil else {
      return reject(content.name, .unsupportedTransports, of: call)
    }
    let addition = ActiveCall.Addition(
      content: .init(
        name: content.name, creator: content.creator, kind: kind, media: media,
        streams: call.streams.make(isApart: call.contents.contains { $0.kind == kind }, using: &random),
        categories: description.contentCategories, senders: content.senders,
        transport: shared ?? call.nextTransport),
      offer: content)
    let view = CallContent(
      name: content.name, kind: kind, categories: description.contentCategories,
      sends: content.senders.include(call.party), receives: content.senders.include(call.party.other))
    guard let onAdded = media.onAdded else { return take(addition, with: ownMedia(for: kind, of: call), of: call) }
    let id = call.id
    let isUnderWay = spawn {
      let brought = await onAdded(view)
      await self.decided(addition, with: brought, id)
    }
    if !isUnderWay { reject(content.name, .decline, of: call) }
  }

  /// What the call's own offer has room for: a kind that the call does not have.
  private func ownMedia(for kind: MediaKind, of call: ActiveCall) -> MediaOffer? {
    guard var media = call.media, !call.contents.contains(where: { $0.kind == kind }) else { return nil }
    // What writes encoded media has begun with what there was.
    media.encodedSink = nil
    return media.receives(kind) ? media : nil
  }

  private func decided(_ addition: ActiveCall.Addition, with media: MediaOffer?, _ id: UUID) {
    guard let call = try? activeCall(id) else { return }
    take(addition, with: media, of: call)
    rearm()
  }

  private func take(_ addition: ActiveCall.Addition, with media: MediaOffer?, of call: ActiveCall) {
    guard let media, media.kinds.contains(addition.content.kind) else {
      call.tell(.refused(call.view(of: addition.content)))
      return reject(addition.content.name, .decline, of: call)
    }
    // Two that were asked about at once.
    guard (try? checkRoom(for: addition.content.kind, in: call)) != nil else {
      return reject(addition.content.name, .decline, of: call)
    }
    let old = addition.content
    var addition = addition
    let ours = MediaNegotiation.senders(media, old.kind, as: call.party)
    addition.content = .init(
      name: old.name, creator: old.creator, kind: old.kind, media: media, streams: old.streams,
      categories: old.categories, senders: old.senders.intersection(ours),
      transport: call.transports[old.transport] != nil && !isShared(old.transport, of: call)
        ? call.nextTransport : old.transport)
    call.additions.append(addition)
    open(
      addition.content.transport, of: call, multiplexesRTCP: addition.offer?.description?.rtp?.rtcpMux ?? true)
    advanceAdditions(of: call)
  }

  private func accept(_ ours: ActiveCall.Content, _ offer: Jingle.Content, of call: ActiveCall) {
    guard let theirs = offer.description?.rtp,
      var description = MediaNegotiation.answer(theirs, ours.kind, ours.streams, sends: ours.media.sends(ours.kind))
    else { return reject(ours.name, .failedApplication, of: call) }
    var path: (ICETransport, JingleCore.DTLSRole)?
    var local: ICETransport
    if let role = call.transports[ours.transport]?.role {
      call.bundles = true
      local = transport(ours.transport, setup: role == .client ? .active : .passive, of: call)
      local.candidates = []
    } else {
      description.dropTransportFeedback()
      guard let remote = offer.transport?.iceUDP, let fingerprint = remote.fingerprint else {
        return reject(ours.name, .securityError, of: call)
      }
      guard let (role, setup) = try? JingleCore.DTLSRole.answering(fingerprint.setup) else {
        return reject(ours.name, .failedTransport, of: call)
      }
      path = (remote, role)
      call.transports[ours.transport]?.owner = ours.name
      local = transport(ours.transport, setup: setup, of: call)
    }
    let group = ContentGroup(
      .bundle, call.contents.filter { $0.transport == ours.transport }.map(\.name) + [ours.name])
    call.session?.acceptContents(
      [
        Jingle.Content(
          creator: ours.creator, name: ours.name, senders: ours.senders, description: .rtp(description),
          transport: .iceUDP(local))
      ], groups: path == nil ? [group] : [])
    let content = MediaNegotiation.Content(
      name: ours.name, kind: ours.kind, agreements: description.agreements(answering: theirs),
      headerExtensions: description.headerExtensions, senders: ours.senders, remote: theirs,
      transport: ours.transport, media: ours.media, streams: ours.streams)
    do {
      try settle(Agreed(content: content, path: path), byPeer: true, of: call)
    } catch {
      leave(ours.name, of: call, Jingle.Reason(.failedApplication), error)
    }
  }

  private func reject(_ name: String, _ condition: Jingle.Reason.Condition, of call: ActiveCall) {
    drop(name, of: call, nil)
    call.session?.rejectContents([name], Jingle.Reason(condition))
    pump(call)
  }

  // MARK: Both

  /// A content is agreed on: it joins the media.
  private func settle(_ agreed: Agreed, byPeer: Bool, of call: ActiveCall) throws {
    let name = agreed.content.name
    guard let index = call.additions.firstIndex(where: { $0.content.name == name }) else { return }
    let addition = call.additions.remove(at: index)
    call.deadlines[.addition(name)] = nil
    var content = addition.content
    content.senders = agreed.content.senders
    call.contents.append(content)
    guard join(call, [agreed]) else {
      call.contents.removeAll { $0.name == name }
      call.additions.append(addition)
      throw CallError(.nothingInCommon, "\(call.peer) agreed on no codec of ours for \(name).")
    }
    if agreed.path != nil {
      call.deadlines[.connectTransport(content.transport)] = SystemClock.now + configuration.connectTimeout
    }
    call.tell(.added(call.view(of: content), byPeer: byPeer))
    addition.waiter?.resume(returning: call.view(of: content))
    let early = call.earlyTransports.filter { $0.content == name }
    call.earlyTransports.removeAll { $0.content == name }
    for (name, transport) in early { addRemote(transport, for: name, of: call) }
  }

  // MARK: Leaving

  func remove(_ name: String, from id: UUID) throws {
    let call = try activeCall(id)
    guard call.contents.contains(where: { $0.name == name }) else {
      let names = call.contents.map(\.name).joined(separator: ", ")
      throw CallError(.failed, "There is no content \(name) in the call; there are \(names).")
    }
    leave(name, of: call, Jingle.Reason(.success), nil)
    pump(call)
    rearm()
  }

  /// This side takes a content out, or takes back its wish for one.
  func leave(_ name: String, of call: ActiveCall, _ reason: Jingle.Reason, _ error: (any Error)?) {
    call.session?.remove([name], reason)
    if let content = drop(name, of: call, error) { call.tell(.removed(call.view(of: content), byPeer: false)) }
  }

  func removedByPeer(_ name: String, _ reason: Jingle.Reason?, of call: ActiveCall) {
    let error = CallError(.declined, "\(call.peer) took \(name) back.")
    if let content = drop(name, of: call, error) { call.tell(.removed(call.view(of: content), byPeer: true)) }
  }

  /// Forgets a content, or one that was to join.
  ///
  /// - Returns: the one that was in the call.
  @discardableResult
  private func drop(_ name: String, of call: ActiveCall, _ error: (any Error)?) -> ActiveCall.Content? {
    if let index = call.additions.firstIndex(where: { $0.content.name == name }) {
      let addition = call.additions.remove(at: index)
      call.deadlines[.addition(name)] = nil
      addition.waiter?.resume(throwing: error ?? CallError(.failed, "\(name) is not in the call."))
      closeIfUnused(addition.content.transport, of: call)
    }
    guard let index = call.contents.firstIndex(where: { $0.name == name }) else { return nil }
    let content = call.contents.remove(at: index)
    call.command.yield(.end(content: name))
    call.mutedByPeer.remove(name)
    closeIfUnused(content.transport, of: call)
    return content
  }

  private func closeIfUnused(_ index: Int, of call: ActiveCall) {
    let users = (call.contents + call.additions.map(\.content)).filter { $0.transport == index }
    guard let heir = users.first else { return close(index, of: call) }
    let owner = call.transports[index]?.owner
    if !users.contains(where: { $0.name == owner }) { call.transports[index]?.owner = heir.name }
  }

  /// The peer wants media to flow in other directions, or does not want what this side wanted.
  func modified(_ name: String, _ senders: Jingle.Senders, of call: ActiveCall) {
    guard let index = call.contents.firstIndex(where: { $0.name == name }) else { return }
    let before = call.view(of: call.contents[index])
    call.contents[index].senders = senders
    updateFlow(of: call)
    let now = call.view(of: call.contents[index])
    if now != before { call.tell(.modified(now, byPeer: true)) }
  }
}

extension RTPDescription {
  /// Those that have names.
  var contentCategories: Set<CallContent.Category> {
    Set(categories.compactMap { CallContent.Category(rawValue: $0.rawValue) })
  }
}
