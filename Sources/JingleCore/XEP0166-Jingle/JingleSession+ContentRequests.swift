import XMPPCore

// What the peer wants of contents, and how it answers.
extension JingleSession {
  /// Whether the peer decides about a content of this side.
  private func awaitsDecision(_ name: String) -> Bool {
    contents[name]?.isAdded == true && !isWaiting(.contentAdd, of: name)
  }

  // MARK: Adding

  mutating func processAdd(_ jingle: Jingle) throws(StanzaError) {
    let added = jingle.contents
    guard !added.isEmpty else { throw .badRequest("content-add without content") }
    try Self.checkNames(added)
    for content in added {
      guard content.description != nil else { throw .badRequest("content \(content.name) has no description") }
      try checkPrecedence(of: content)
    }
    let groups = try groups(jingle.groups, of: added)
    guard phase == .active, decisions.contains(.contents) else { return try rejectUnasked(added) }
    let undecided = contents.values.count { $0.standing == .offered }
    guard
      undecided + added.count <= Self.maximumOfferedContents,
      contents.count + added.count <= Jingle.maximumContents
    else { throw StanzaError(.resourceConstraint, text: "too many contents") }
    acknowledged()
    peerIsActive = true  // Else it would not add.
    for content in added {
      standBack(content.name)
      departed.removeAll { $0 == content.name }
      contents[content.name] = ContentState(content, .offered, remote: content.transport?.ice)
    }
    outputs.append(.event(.offeredContents(added, groups)))
    sendAllChanges()
  }

  /// The initiator's additions hold against those of the responder under the same name, or of the same moment for the
  /// same purpose. What was not sent yet stands back.
  ///
  /// - Specification: XEP-0166 §7.2.16
  private func checkPrecedence(of content: Jingle.Content) throws(StanzaError) {
    if let namesake = contents[content.name] {
      guard namesake.isAdded else { throw StanzaError(.conflict, text: "there is a content \(content.name)") }
      if role == .initiator, awaitsDecision(content.name) { throw .tieBreak }
    } else if isLeaving(content.name) {
      // This side's removal of the last one of this name is under way, and the peer would take it for the new one's.
      throw .outOfOrder
    }
    guard role == .initiator else { return }
    for (name, own) in contents where own.isAdded && isOutstanding(.contentAdd, of: name) {
      if own.competes(with: content) { throw .tieBreak }
    }
  }

  /// This side's content of the name stands back.
  private mutating func standBack(_ name: String) {
    guard contents[name]?.isAdded == true else { return }
    overrule(.contentAdd, of: name)
    // Its candidates would be taken for a restart of the peer's content.
    waitingTransports.removeAll { $0.content == name }
    outputs.append(.event(.notAdded(contents: [name], .tieBreak)))
  }

  private func isLeaving(_ name: String) -> Bool {
    let departures: [Jingle.Action] = [.contentReject, .contentRemove]
    return departures.contains { isWaiting($0, of: name) || isOutstanding($0, of: name) }
  }

  private mutating func rejectUnasked(_ added: [Jingle.Content]) throws(StanzaError) {
    guard rejectedContents + added.count <= Self.maximumRejectedContents else {
      throw StanzaError(.resourceConstraint, text: "too many contents")
    }
    acknowledged()
    rejectedContents += added.count
    for content in added {
      standBack(content.name)
      drop(content.name)
      request(
        Jingle(
          .contentReject, sid: sid, contents: [content.bare()], reason: Jingle.Reason(.unsupportedApplications)))
    }
    outputs.append(.event(.refused(contents: added)))
  }

  /// The groups that new contents bring: what is in the session, or comes with them, and has one of them.
  ///
  /// - Throws: `bad-request` when a content is in two bundles.
  private func groups(_ groups: [ContentGroup], of added: [Jingle.Content]) throws(StanzaError) -> [ContentGroup] {
    let names = added.map(\.name)
    let whole = Jingle(.contentAdd, sid: sid, contents: added, groups: groups)
    try whole.checkBundles()
    return groups.compactMap { group in
      guard !Set(group.contents).isDisjoint(with: names) else { return nil }
      return group.restricted(to: names + contents.keys)
    }
  }

  // MARK: Answers to additions

  mutating func processContentAccept(_ jingle: Jingle) throws(StanzaError) {
    try takeAccept(try addressed(jingle.contents), groups: jingle.groups)
  }

  /// Movim answers every change of a content with session-accept: what awaits a decision is accepted by it.
  mutating func processLateAccept(_ jingle: Jingle) throws(StanzaError) {
    guard hasChanged else { throw .outOfOrder }
    try Self.checkNames(jingle.contents)
    let accepted = jingle.contents.filter { awaitsDecision($0.name) }
    if !accepted.isEmpty { try takeAccept(accepted, groups: jingle.groups) }
  }

  private mutating func takeAccept(_ accepted: [Jingle.Content], groups: [ContentGroup]) throws(StanzaError) {
    for content in accepted where content.description == nil {
      let error = StanzaError.badRequest("content \(content.name) has no description")
      answerViolated(to: [content.name], error, isAccept: true)
      throw error
    }
    guard !accepted.isEmpty else { return }
    let agreed = try self.groups(groups, of: accepted).filter { group in
      // A group that was not offered leaves its contents apart.
      accepted.contains { content in
        guard case .added(let offered) = contents[content.name]?.standing else { return false }
        return offered.contains { $0.semantics == group.semantics && Set($0.contents).isSuperset(of: group.contents) }
      }
    }
    for content in accepted {
      guard var state = contents[content.name] else { continue }
      state.standing = .agreed
      state.isKnownToPeer = true
      state.senders = content.senders
      if let transport = content.transport?.ice { state.ice.begin(remote: transport) }
      let wanted = state.wantedSenders
      contents[content.name] = state
      if let wanted { modify(content.name, senders: wanted) }
    }
    outputs.append(.event(.acceptedContents(accepted, agreed)))
    sendWaitingTransports()
  }

  /// The peer decided about contents of this side in a way that cannot be understood: they are not in the session. What
  /// it accepted it takes for agreed on.
  mutating func answerViolated(to names: [String], _ error: StanzaError, isAccept: Bool) {
    for name in names where awaitsDecision(name) {
      drop(name)
      if isAccept {
        change(.contentRemove, Jingle.Content(creator: role, name: name), reason: Jingle.Reason(.failedApplication))
      }
      outputs.append(.event(.notAdded(contents: [name], .refused(error))))
    }
    terminateIfEmpty()
  }

  mutating func processReject(_ jingle: Jingle) throws(StanzaError) {
    // Before the session is accepted, what can be rejected is a part of the offer.
    let isOfOffer = role == .initiator && phase == .pending
    if isOfOffer, jingle.contents.contains(where: { contents[$0.name] != nil }) { return try processRemove(jingle) }
    let rejected = try addressed(jingle.contents).map(\.name)
    guard !rejected.isEmpty else { return }
    for name in rejected { drop(name) }
    outputs.append(.event(.notAdded(contents: rejected, .rejected(jingle.reason))))
    terminateIfEmpty()
  }

  /// The contents of this side that an answer of the peer decides about, without those that left meanwhile.
  ///
  /// - Throws: `out-of-order` when nothing is to be decided, or not about one of these.
  private func addressed(_ named: [Jingle.Content]) throws(StanzaError) -> [Jingle.Content] {
    let isAwaited = contents.keys.contains(where: awaitsDecision)
    if !isAwaited, named.contains(where: { !departed.contains($0.name) }) { throw .outOfOrder }
    let known = try known(named)
    guard known.allSatisfy({ awaitsDecision($0.name) }) else { throw .outOfOrder }
    return known
  }

  // MARK: Changing and removing

  mutating func processModify(_ named: [Jingle.Content]) throws(StanzaError) {
    let modified = try known(named)
    for content in modified {
      if contents[content.name]?.isAdded == true, !awaitsDecision(content.name) { throw .outOfOrder }
      if role == .initiator, isOutstanding(.contentModify, of: content.name) { throw .tieBreak }
    }
    acknowledged()
    for content in modified {
      // Dino says so before it accepts a content. The directions that hold are those of its acceptance.
      if contents[content.name]?.isAdded == true { continue }
      if isOutstanding(.contentModify, of: content.name) {
        overrule(.contentModify, of: content.name)
        outputs.append(.event(.notModified(content: content.name, content.senders, .tieBreak)))
      }
      contents[content.name]?.senders = content.senders
      outputs.append(.event(.modified(content: content.name, content.senders)))
    }
  }

  mutating func processRemove(_ jingle: Jingle) throws(StanzaError) {
    let names = try known(jingle.contents).map(\.name)
    acknowledged()
    let notAdded = names.filter { contents[$0]?.isAdded == true }
    let removed = names.filter { contents[$0]?.isAdded == false }
    for name in names { drop(name) }
    if !notAdded.isEmpty { outputs.append(.event(.notAdded(contents: notAdded, .rejected(jingle.reason)))) }
    if !removed.isEmpty { outputs.append(.event(.removed(contents: removed, jingle.reason))) }
    terminateIfEmpty()
  }
}
