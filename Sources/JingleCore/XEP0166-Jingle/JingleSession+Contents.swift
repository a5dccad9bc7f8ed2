import XMPPCore

// Contents come, change and go. Each request of this side names one content, since Dino refuses more.
//
// When both sides ask for the same at the same time, the initiator's request holds and the responder's is refused.
// A removal crosses nothing: it always holds, and what still comes for the content is let go.
extension JingleSession {
  /// The contents that are agreed on, and who sends in them.
  package var agreedContents: [String: Jingle.Senders] {
    contents.filter { $0.value.standing == .agreed }.mapValues(\.senders)
  }

  /// A name for a content of this side that was not used in the session.
  package func unusedName(like name: String) -> String {
    func isFree(_ name: String) -> Bool { contents[name] == nil && !departed.contains(name) }
    if isFree(name) { return name }
    var number = 2
    while !isFree("\(name)-\(number)") { number += 1 }
    return "\(name)-\(number)"
  }

  /// Wants more contents, each under a name that was not used in the session and with a description. An empty transport
  /// or none means that of the content's bundle. What becomes of each is told by `acceptedContents` or `notAdded`.
  ///
  /// - Parameter groups: those of the whole session as it is to be, the new contents in them.
  /// - Specification: XEP-0166 §7.2.2
  package mutating func add(_ added: [Jingle.Content], groups: [ContentGroup] = []) {
    if phase == .ended { return }
    precondition(phase != .fresh, "there is no session yet")
    for var content in added {
      precondition(content.description != nil, "a content has a description")
      guard contents[content.name] == nil, !departed.contains(content.name) else {
        outputs.append(.event(.notAdded(contents: [content.name], .nameTaken)))
        continue
      }
      content.creator = role
      contents[content.name] = ContentState(content, .added(groups), local: content.transport?.ice)
      change(.contentAdd, content, groups: groups)
    }
  }

  /// Lets contents of the peer in, with this side's descriptions and transports. One that the peer took back meanwhile
  /// is passed over.
  ///
  /// - Specification: XEP-0166 §7.2.1
  package mutating func acceptContents(_ accepted: [Jingle.Content], groups: [ContentGroup] = []) {
    if phase == .ended { return }
    for var content in accepted {
      guard let state = contents[content.name], state.standing == .offered else { continue }
      content.creator = state.creator
      contents[content.name]?.standing = .agreed
      contents[content.name]?.senders = content.senders
      if let transport = content.transport?.ice { contents[content.name]?.ice.begin(local: transport) }
      change(.contentAccept, content, groups: groups)
    }
  }

  /// Does not let contents of the peer in: those that it added, and until the session is accepted those of its offer.
  /// One that the peer took back meanwhile is passed over.
  ///
  /// - Specification: XEP-0166 §7.2.4, XEP-0234 §9.1
  package mutating func rejectContents(_ names: [String], _ reason: Jingle.Reason) {
    if phase == .ended { return }
    for name in names {
      guard let state = contents[name], state.standing == .offered || isUndecided else { continue }
      drop(name)
      let content = Jingle.Content(creator: state.creator, name: name)
      if isUndecided {
        // It is to come before the answer, in which its absence gives no reason.
        request(Jingle(.contentReject, sid: sid, contents: [content], reason: reason))
      } else {
        change(.contentReject, content, reason: reason)
      }
    }
    terminateIfEmpty()
  }

  /// Whether this side has not answered the peer's offer.
  private var isUndecided: Bool { role == .responder && phase == .pending }

  /// A content has served its purpose, as both sides know: nothing more of it is told or heard.
  package mutating func forget(_ name: String) {
    if phase != .ended, contents[name] != nil { drop(name) }
  }

  /// Wants media to flow in other directions. That it will not is told by `notModified`.
  ///
  /// - Specification: XEP-0166 §7.2.3
  package mutating func modify(_ name: String, senders: Jingle.Senders) {
    guard phase != .ended, let content = contents[name], content.standing != .offered else { return }
    if content.isAdded {
      contents[name]?.wantedSenders = senders  // Until it is accepted, there is nothing to change.
      return
    }
    changes[name]?.waiting.removeAll { $0.action == .contentModify }
    if content.senders == senders, changes[name]?.outstanding == nil { return }
    change(.contentModify, Jingle.Content(creator: content.creator, name: name, senders: senders))
  }

  /// Takes contents out of the session, or takes back those that the peer has not accepted. Without contents a session
  /// is void: the last ones end it for the same reason.
  ///
  /// - Specification: XEP-0166 §7.2.5
  package mutating func remove(_ names: [String], _ reason: Jingle.Reason) {
    let leaving = names.filter { contents[$0] != nil }
    guard phase != .ended, !leaving.isEmpty else { return }
    if Set(contents.keys).isSubset(of: leaving) { return terminate(reason) }
    for name in leaving {
      guard let state = contents[name] else { continue }  // Named twice.
      let isUnsent = isWaiting(.contentAdd, of: name)
      drop(name)
      if isUnsent { continue }
      let action: Jingle.Action = state.standing == .offered ? .contentReject : .contentRemove
      change(action, Jingle.Content(creator: state.creator, name: name), reason: reason)
    }
  }
}
