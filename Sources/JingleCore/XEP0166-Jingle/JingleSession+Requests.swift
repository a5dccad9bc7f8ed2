package import XMPPCore

// What the peer asks.
extension JingleSession {
  /// Takes a request of the peer. The same request under the same id is answered as before and changes nothing.
  package mutating func receive(_ jingle: Jingle, from: JID, id: String) {
    guard from == peer, jingle.sid == sid else {
      outputs.append(.refuse(id: id, to: from, .unknownSession))
      return
    }
    answer(id, Self.digest(jingle, id)) { (session) throws(StanzaError) in
      do throws(StanzaError) {
        try session.process(session.translated(jingle, by: session.role.other))
      } catch {
        if jingle.action == .sessionAccept { session.answerViolated(error) }
        throw error
      }
    }
  }

  /// Takes a request of the peer that cannot be understood: it is refused, and what waited for it waits no longer.
  package mutating func receive(_ violation: Jingle.Violation, from: JID, id: String) {
    guard from == peer, violation.sid == sid else {
      outputs.append(.refuse(id: id, to: from, .unknownSession))
      return
    }
    answer(id, Self.digest(violation, id)) { (session) throws(StanzaError) in
      try session.process(violation)
      throw violation.error
    }
  }

  private mutating func process(_ violation: Jingle.Violation) throws(StanzaError) {
    if phase == .fresh || phase == .ended { throw .unknownSession }
    switch violation.action {
    case .sessionAccept where phase == .pending:
      answerViolated(violation.error)
    case .sessionAccept where !hasChanged:
      break
    case .sessionAccept, .contentAccept:
      answerViolated(to: violation.contents, violation.error, isAccept: true)
    case .contentReject:
      answerViolated(to: violation.contents, violation.error, isAccept: false)
    case .transportAccept, .transportReject:
      for name in violation.contents where !isWaiting(.transportReplace, of: name) {
        endProposal(of: name, .refused(violation.error))
      }
      sendWaitingTransports()
    case .sessionTerminate:
      // However it is written, the peer has left.
      end(.terminated(nil, byPeer: true))
    default:
      break
    }
  }

  /// The offer was answered with what cannot be taken.
  private mutating func answerViolated(_ error: StanzaError) {
    if phase == .pending, role == .initiator { outputs.append(.event(.violated(error))) }
  }

  /// Names a request by its id and all that it says.
  static func digest(_ request: some Hashable, _ id: String) -> Int {
    var hasher = Hasher()
    hasher.combine(id)
    hasher.combine(request)
    return hasher.finalize()
  }

  /// Answers a request: as before, if it came before, and else by what `process` makes of it.
  private mutating func answer(
    _ id: String, _ digest: Int, by process: (inout JingleSession) throws(StanzaError) -> Void
  ) {
    if let earlier = answered.first(where: { $0.digest == digest }) {
      outputs.append(answer(id, earlier.error))
      return
    }
    // The answer goes out before what follows from the request.
    let place = outputs.count
    var refusal: StanzaError?
    do throws(StanzaError) {
      try process(&self)
    } catch {
      refusal = error
    }
    outputs.insert(answer(id, refusal), at: place)
    if answered.count == Self.rememberedRequests { answered.removeFirst() }
    answered.append((digest, refusal))
  }

  private func answer(_ id: String, _ error: StanzaError?) -> Output {
    if let error { .refuse(id: id, to: peer, error) } else { .acknowledge(id: id, to: peer) }
  }

  private mutating func process(_ jingle: Jingle) throws(StanzaError) {
    switch phase {
    case .ended: throw .unknownSession
    case .fresh: throw .unknownSession  // The peer cannot know of the session.
    case .pending, .active: break
    }
    switch jingle.action {
    case .contentAdd, .transportReplace:
      // Each is answered by a request, which a peer may leave unanswered.
      guard requests.count < Self.maximumRequests else {
        throw StanzaError(.resourceConstraint, text: "too many requests wait for their answers")
      }
    default: break
    }
    switch jingle.action {
    case .sessionInitiate: throw .outOfOrder
    case .sessionTerminate: end(.terminated(jingle.reason, byPeer: true))
    case .sessionAccept where phase == .active: try processLateAccept(jingle)
    case .sessionAccept: try processAccept(jingle)
    case .sessionInfo: try processInfo(jingle.payloads)
    case .descriptionInfo: try processDescription(jingle.contents)
    case .contentAdd: try processAdd(jingle)
    case .contentAccept: try processContentAccept(jingle)
    case .contentReject: try processReject(jingle)
    case .contentModify: try processModify(jingle.contents)
    case .contentRemove: try processRemove(jingle)
    case .transportInfo: try processTransportInfo(jingle.contents)
    case .transportReplace: try processReplace(jingle.contents)
    case .transportAccept: try processTransportAccept(jingle.contents)
    case .transportReject: try processTransportReject(jingle)
    case .securityInfo: throw .unsupportedInfo
    case .unknown where jingle.action.isInformational: break  // Conversations ends a call at any error.
    case .unknown(let name): throw .badRequest("unknown action \(name)")
    }
  }

  private mutating func processAccept(_ jingle: Jingle) throws(StanzaError) {
    guard role == .initiator else { throw .outOfOrder }
    try Self.checkComplete(jingle.contents)
    var answer = jingle
    answer.contents = try known(jingle.contents)
    answer.groups = try answer.groups(answering: offeredGroups)
    acknowledged()
    phase = .active
    peerIsActive = true
    // Contents of the offer that are not in the answer are declined; those that this side took back come to nothing.
    let accepted = Set(answer.contents.map(\.name))
    for (name, content) in contents where !content.isAdded && !accepted.contains(name) { drop(name) }
    for content in answer.contents {
      contents[content.name]?.senders = content.senders
      if let transport = content.transport?.ice { contents[content.name]?.ice.begin(remote: transport) }
    }
    if !answer.contents.isEmpty { outputs.append(.event(.accepted(answer))) }
    terminateIfEmpty()
    sendAllChanges()
  }

  private mutating func processInfo(_ payloads: [XMLElement]) throws(StanzaError) {
    guard payloads.allSatisfy(isUnderstood) else { throw .unsupportedInfo }
    acknowledged()
    outputs += payloads.map { .event(.receivedInfo($0)) }
  }

  /// Whether news can be taken: of files, only those that are known and well-formed; of calls all that have the
  /// namespace, because Conversations ends a call at any error.
  ///
  /// - Specification: XEP-0166 §6.8
  private func isUnderstood(_ payload: XMLElement) -> Bool {
    guard understoodInfo.contains(payload.namespace) else { return false }
    return payload.namespace != FileInfo.namespace || FileInfo(payload) != nil
  }

  private mutating func processDescription(_ described: [Jingle.Content]) throws(StanzaError) {
    // Advice about nothing is no error: it may come for a content that left.
    let advice = described.filter { contents[$0.name] != nil }
    for content in advice where content.description?.namespace != contents[content.name]?.application {
      throw .unsupportedInfo
    }
    acknowledged()
    for content in advice {
      guard let description = content.description else { continue }
      outputs.append(.event(.receivedDescription(description, content: content.name)))
    }
  }
}

extension Jingle.Action {
  /// Whether the peer only tells something, by the name's look: such an action can be ignored when it is not known.
  ///
  /// - Specification: XEP-0166 §6.8
  var isInformational: Bool { description.hasSuffix("-info") }
}
