import XMPPCore

// The ways by which contents go: candidates, ICE restarts, and transports in another's place.
extension JingleSession {
  /// Sends candidates for one content, or the credentials of an ICE restart; both credentials must be in it.
  ///
  /// What is given before the peer has the content is sent as one stanza for each content as soon as it has. A restart
  /// waits for the last one to be acknowledged, and for whatever else is being changed of the content. Does nothing
  /// when the session or the content is gone.
  ///
  /// A restart that `restartedICE` does not ask for is this side's own; the peer's part comes as `answeredRestart`.
  ///
  /// - Specification: XEP-0176 §5.4, §5.9
  package mutating func send(_ transport: ICETransport, for content: String) {
    guard phase != .ended else { return }
    if let index = waitingTransports.lastIndex(where: { $0.content == content }),
      let merged = waitingTransports[index].transport.merging(transport)
    {
      waitingTransports[index].transport = merged
    } else {
      waitingTransports.append((content, transport))
      let waiting = waitingTransports.indices.filter { waitingTransports[$0].content == content }
      if waiting.count > Self.maximumWaitingTransports { waitingTransports.remove(at: waiting[0]) }
    }
    sendWaitingTransports()
  }

  /// Sends news of a content's transport that is not ICE's. Does nothing when the session or the content is gone.
  package mutating func send(_ transport: Jingle.Transport, for name: String) {
    guard phase != .ended, peerHasOffer, let content = contents[name] else { return }
    let update = Jingle.Content(creator: content.creator, name: name, transport: transport)
    request(Jingle(.transportInfo, sid: sid, contents: [update]))
  }

  mutating func sendWaitingTransports() {
    guard peerHasOffer else { return }
    var held: [(content: String, transport: ICETransport)] = []
    for (name, transport) in waitingTransports {
      guard var content = contents[name] else { continue }
      let restarts = content.ice.isNew(local: transport)
      let isBusy = content.restart != nil || content.replacement != nil || changes[name] != nil
      if !content.isKnownToPeer || held.contains(where: { $0.content == name })
        || restarts && (isBusy || phase == .active && !peerIsActive)
      {
        held.append((name, transport))
        continue
      }
      // One content a stanza: Dino refuses more. Both credentials in each: Monal refuses others.
      let whole = content.ice.completed(local: transport)
      let update = Jingle.Content(creator: content.creator, name: name, transport: content.transport(whole))
      let token = request(Jingle(.transportInfo, sid: sid, contents: [update]))
      content.ice.send(transport)
      if restarts { content.restart = token }
      contents[name] = content
    }
    waitingTransports = held
  }

  mutating func processTransportInfo(_ updates: [Jingle.Content]) throws(StanzaError) {
    guard !updates.isEmpty else { throw .badRequest("transport-info without content") }
    for content in updates where content.transport == nil {
      throw .badRequest("content \(content.name) has no transport")
    }
    let known = try known(updates)
    acknowledged()
    for content in known {
      guard var transport = content.transport?.ice else {
        guard let other = content.transport, !other.isUnknown else { continue }  // It was not negotiated.
        outputs.append(.event(.receivedTransportInfo(other, content: content.name)))
        continue
      }
      switch contents[content.name]?.ice.receive(&transport) {
      case .current: outputs.append(.event(.receivedTransport(transport, content: content.name)))
      case .restart: outputs.append(.event(.restartedICE(transport, content: content.name)))
      case .answer: outputs.append(.event(.answeredRestart(transport, content: content.name)))
      case .past, nil: break
      }
    }
  }

  // MARK: Another transport

  /// Wants another transport for a content. What becomes of it is told by `acceptedTransport` or `rejectedTransport`.
  ///
  /// - Specification: XEP-0166 §7.2.15
  package mutating func replaceTransport(_ transport: Jingle.Transport, for name: String) {
    guard phase != .ended, let content = contents[name], content.standing == .agreed else { return }
    guard content.replacement == nil else {
      // The last one is to be decided first.
      outputs.append(.event(.rejectedTransport(content: name, .tieBreak)))
      return
    }
    contents[name]?.replacement = .proposed(transport)
    change(.transportReplace, Jingle.Content(creator: content.creator, name: name, transport: transport))
  }

  /// Takes the transport that the peer wants, and tells this side's end of it.
  ///
  /// - Specification: XEP-0166 §7.2.12
  package mutating func acceptTransport(_ transport: Jingle.Transport, for name: String) {
    guard phase != .ended, var content = contents[name], case .offered(let theirs) = content.replacement else { return }
    content.replacement = nil
    content.ice.replace(local: transport.ice, remote: theirs.ice)
    content.form = transport.dataChannelForm
    contents[name] = content
    // What waits for the old transport is void.
    waitingTransports.removeAll { $0.content == name && content.ice.isNew(local: $0.transport) }
    change(.transportAccept, Jingle.Content(creator: content.creator, name: name, transport: transport))
  }

  /// Keeps the transport that there is.
  ///
  /// - Specification: XEP-0166 §7.2.14
  package mutating func rejectTransport(for name: String, _ reason: Jingle.Reason? = nil) {
    guard phase != .ended, let content = contents[name], case .offered(let theirs) = content.replacement else { return }
    contents[name]?.replacement = nil
    let rejected = Jingle.Content(creator: content.creator, name: name, transport: theirs)
    change(.transportReject, rejected, reason: reason)
    sendWaitingTransports()
  }

  mutating func processReplace(_ named: [Jingle.Content]) throws(StanzaError) {
    let replaced = try known(named)
    for content in replaced {
      guard content.transport != nil else { throw .badRequest("content \(content.name) has no transport") }
      switch contents[content.name]?.replacement {
      case .offered: throw .outOfOrder
      case .proposed where role == .initiator && !isWaiting(.transportReplace, of: content.name): throw .tieBreak
      case .proposed, nil: break
      }
    }
    acknowledged()
    for content in replaced {
      guard let transport = content.transport, let state = contents[content.name] else { continue }
      guard decisions.contains(.transports), state.standing == .agreed else {
        request(Jingle(.transportReject, sid: sid, contents: [content.bare(transport: transport)]))
        continue
      }
      if case .proposed = state.replacement {
        overrule(.transportReplace, of: content.name)
        endProposal(of: content.name, .tieBreak)
      }
      contents[content.name]?.replacement = .offered(transport)
      outputs.append(.event(.offeredTransport(transport, content: content.name)))
    }
  }

  mutating func processTransportAccept(_ named: [Jingle.Content]) throws(StanzaError) {
    let accepted = try proposed(named)
    for content in accepted where content.transport == nil {
      throw .badRequest("content \(content.name) has no transport")
    }
    for content in accepted {
      guard var state = contents[content.name], case .proposed(let ours) = state.replacement,
        let transport = content.transport
      else { continue }
      state.replacement = nil
      state.ice.replace(local: ours.ice, remote: transport.ice)
      state.form = transport.dataChannelForm
      contents[content.name] = state
      waitingTransports.removeAll { $0.content == content.name && state.ice.isNew(local: $0.transport) }
      outputs.append(.event(.acceptedTransport(transport, content: content.name)))
    }
    sendWaitingTransports()
  }

  mutating func processTransportReject(_ jingle: Jingle) throws(StanzaError) {
    for content in try proposed(jingle.contents) { endProposal(of: content.name, .rejected(jingle.reason)) }
    sendWaitingTransports()
  }

  /// The transport that this side wanted comes to nothing, and what waited to be sent for it too.
  mutating func endProposal(of name: String, _ refusal: Refusal) {
    guard case .proposed(let transport) = contents[name]?.replacement else { return }
    contents[name]?.replacement = nil
    if let proposed = transport.ice {
      waitingTransports.removeAll { $0.content == name && !$0.transport.restarts(proposed) }
    }
    outputs.append(.event(.rejectedTransport(content: name, refusal)))
  }

  /// The contents whose new transport an answer of the peer decides about.
  private func proposed(_ named: [Jingle.Content]) throws(StanzaError) -> [Jingle.Content] {
    let known = try known(named)
    for content in known {
      guard case .proposed = contents[content.name]?.replacement, !isWaiting(.transportReplace, of: content.name) else {
        throw .outOfOrder
      }
    }
    return known
  }
}
