package import XMPPCore

/// Finds the session that a Jingle request belongs to, and decides about new ones.
///
/// Sessions are known by id *and* peer, so that nobody else can act in one, and two peers may choose the same id. The
/// sessions themselves live elsewhere, under handles.
///
/// - Specification: XEP-0166 §6.2, §7.2.16, §10
package struct JingleRouter<Handle: Sendable>: Sendable {
  /// Where a request goes.
  package enum Route: Sendable {
    /// To the session of this handle.
    case deliver(Jingle, to: Handle)
    /// It belongs to the session of this handle and cannot be understood: the session's `receive(_:from:id:)` refuses
    /// it, and tells if something waited for it.
    case violation(Jingle.Violation, of: Handle)
    /// To a new session (`JingleSession(answering:…)`), if it is wanted.
    ///
    /// The sessions in `overruling` are this side's own offers of the same moment, which the new one replaces: the peer
    /// refuses them.
    case offer(Jingle, overruling: [Handle])
    /// Back, with this error.
    case refuse(StanzaError)
  }

  private struct Key: Hashable {
    var sid: String
    var peer: JID
  }

  private struct Entry {
    var handle: Handle
    /// What this side offers and the peer has not answered: the namespaces of descriptions that can tie.
    var openOffer: Set<String> = []
  }

  /// This side's full address. It changes when a server binds a new stream to another.
  package var own: JID
  private let maximumSessions: Int
  private var entries: [Key: Entry] = [:]

  package init(own: JID, maximumSessions: Int = 32) {
    self.own = own
    self.maximumSessions = maximumSessions
  }

  package var count: Int { entries.count }

  /// Makes a session known.
  ///
  /// - Returns: false when there is no room for another.
  package mutating func add(_ handle: Handle, sid: String, peer: JID) -> Bool {
    let key = Key(sid: sid, peer: peer)
    guard entries.count < maximumSessions || entries[key] != nil else { return false }
    entries[key] = Entry(handle: handle)
    return true
  }

  /// This side offers a session: until `settled`, an equivalent offer of the peer ties with it.
  package mutating func offered(_ contents: [Jingle.Content], sid: String, peer: JID) {
    entries[Key(sid: sid, peer: peer)]?.openOffer = Self.applications(contents)
  }

  /// The peer answered this side's offer.
  package mutating func settled(sid: String, peer: JID) {
    entries[Key(sid: sid, peer: peer)]?.openOffer = []
  }

  package mutating func remove(sid: String, peer: JID) {
    entries[Key(sid: sid, peer: peer)] = nil
  }

  /// Decides about the payload of an IQ of type set.
  package func route(_ element: XMLElement, from: JID) -> Route {
    let jingle: Jingle
    do {
      jingle = try Jingle(element)
    } catch {
      guard let violation = Jingle.Violation(element, error: error), violation.action != .sessionInitiate,
        let entry = entries[Key(sid: violation.sid, peer: from)]
      else { return .refuse(error) }
      return .violation(violation, of: entry.handle)
    }
    if case .unknown(let name) = jingle.action, !jingle.action.isInformational {
      return .refuse(.badRequest("unknown action \(name)"))
    }
    let entry = entries[Key(sid: jingle.sid, peer: from)]
    if let entry, jingle.action != .sessionInitiate || entry.openOffer.isEmpty {
      return .deliver(jingle, to: entry.handle)
    }
    guard jingle.action == .sessionInitiate else { return .refuse(.unknownSession) }

    let rivals = entries.filter { key, entry in
      key.peer == from && !entry.openOffer.isDisjoint(with: Self.applications(jingle.contents))
    }
    let theirs = JingleTieBreak(sid: jingle.sid, sender: from)
    guard rivals.keys.allSatisfy({ theirs.overrules(JingleTieBreak(sid: $0.sid, sender: own)) }) else {
      return .refuse(.tieBreak)
    }
    guard entries.count - rivals.count < maximumSessions else {
      return .refuse(StanzaError(.resourceConstraint, text: "too many sessions"))
    }
    return .offer(jingle, overruling: rivals.values.map(\.handle))
  }

  /// Files are not among them: two that cross are two files.
  private static func applications(_ contents: [Jingle.Content]) -> Set<String> {
    Set(contents.compactMap(\.description).filter { $0.file == nil }.map(\.namespace))
  }
}
