import XMPPCore

// What a session remembers, and the steps that all its parts share.
extension JingleSession {
  /// A content and how far it is agreed on.
  struct ContentState: Sendable {
    enum Standing: Hashable, Sendable {
      /// It is part of the session, or of the session's own offer.
      case agreed
      /// This side wants it, in these groups, and the peer has not decided.
      case added([ContentGroup])
      /// The peer wants it, and this side has not decided.
      case offered
    }

    enum Replacement: Sendable {
      /// This side wants another transport, and the peer has not decided.
      case proposed(Jingle.Transport)
      /// The peer wants it, and this side has not decided.
      case offered(Jingle.Transport)
    }

    var creator: Jingle.Party
    var senders: Jingle.Senders
    /// What this side wants as soon as the peer has accepted.
    var wantedSenders: Jingle.Senders?
    let application: String?
    let media: String?
    var standing: Standing
    /// Transport information waits for this.
    var isKnownToPeer: Bool
    var ice = ICEGenerations()
    /// How the ICE transport of data channels is written.
    var form: DataChannelTransport.Form?
    /// The request that began this side's newest ICE generation, until it is answered.
    var restart: Token?
    var replacement: Replacement?

    init(
      _ content: Jingle.Content, _ standing: Standing, local: ICETransport? = nil, remote: ICETransport? = nil
    ) {
      creator = content.creator
      senders = content.senders
      application = content.description?.namespace
      media = content.description?.rtp?.media
      form = content.transport?.dataChannelForm
      self.standing = standing
      isKnownToPeer = if case .added = standing { false } else { true }
      if let local { ice.begin(local: local) }
      if let remote { ice.begin(remote: remote) }
    }

    /// News of the content's ICE connection, as its peers write them.
    func transport(_ ice: ICETransport) -> Jingle.Transport {
      form.map { Jingle.Transport(DataChannelTransport(form: $0, ice: ice)) } ?? .iceUDP(ice)
    }

    var isAdded: Bool { if case .added = standing { true } else { false } }

    /// Whether another content is for the same purpose: the same kind of media in the same direction. Each file is a
    /// purpose of its own.
    func competes(with other: Jingle.Content) -> Bool {
      application != FileDescription.namespace && application == other.description?.namespace
        && media == other.description?.rtp?.media && senders.intersection(other.senders) != .none
    }
  }

  /// This side's changes of one content: one is under way at a time, so that none overtakes another.
  struct Changes: Sendable {
    var outstanding: Token?
    var waiting: [Jingle] = []
  }

  /// A request that awaits its answer.
  struct Request: Sendable {
    var action: Jingle.Action
    /// The one content that it is about, if it is.
    var content: Jingle.Content?
    /// The initiator's request of the same kind crossed it, and holds.
    var isOverruled = false
    /// It only asks whether the peer has the session.
    var isQuestion = false
  }
}

extension JingleSession {
  @discardableResult
  mutating func request(_ jingle: Jingle) -> Token {
    lastToken += 1
    requests[lastToken] = Request(
      action: jingle.action, content: jingle.contents.count == 1 ? jingle.contents[0] : nil,
      isQuestion: jingle.action == .sessionInfo && jingle.payloads.isEmpty)
    outputs.append(.request(translated(jingle, by: role), to: peer, lastToken))
    return lastToken
  }

  /// What one side says, with the directions as the other side understands them.
  func translated(_ jingle: Jingle, by author: Jingle.Party) -> Jingle {
    guard peerTakesAuthorForInitiator, author == .responder else { return jingle }
    var translated = jingle
    for index in translated.contents.indices { translated.contents[index].senders.swapParties() }
    return translated
  }

  /// Makes a change of one content, as soon as the session is active and its last change was answered. One content a
  /// stanza: Dino refuses more.
  mutating func change(
    _ action: Jingle.Action, _ content: Jingle.Content, groups: [ContentGroup] = [], reason: Jingle.Reason? = nil
  ) {
    changes[content.name, default: Changes()].waiting
      .append(Jingle(action, sid: sid, contents: [content], reason: reason, groups: groups))
    sendChanges(of: content.name)
  }

  mutating func sendChanges(of name: String) {
    guard phase == .active, peerIsActive, var queue = changes[name], queue.outstanding == nil else { return }
    if queue.waiting.isEmpty {
      changes[name] = nil
      return
    }
    // News of the old transport would be taken for that of the new.
    let replaces = [.transportReplace, .transportAccept].contains(queue.waiting[0].action)
    if replaces, contents[name]?.restart != nil { return }
    hasChanged = true
    queue.outstanding = request(queue.waiting.removeFirst())
    changes[name] = queue
  }

  mutating func sendAllChanges() {
    for name in changes.keys.sorted() { sendChanges(of: name) }
  }

  /// Whether this change has not been sent yet.
  func isWaiting(_ action: Jingle.Action, of name: String) -> Bool {
    changes[name]?.waiting.contains { $0.action == action } ?? false
  }

  /// Whether this change was sent and not answered, and holds.
  func isOutstanding(_ action: Jingle.Action, of name: String) -> Bool {
    guard let token = changes[name]?.outstanding, let request = requests[token] else { return false }
    return request.action == action && !request.isOverruled
  }

  /// The initiator's change of the same kind holds, and not this side's.
  mutating func overrule(_ action: Jingle.Action, of name: String) {
    changes[name]?.waiting.removeAll { $0.action == action }
    if isOutstanding(action, of: name), let token = changes[name]?.outstanding { requests[token]?.isOverruled = true }
  }

  /// A content is no more in the session, nor waits to be.
  mutating func drop(_ name: String) {
    contents[name] = nil
    changes[name]?.waiting = []
    if changes[name]?.outstanding == nil { changes[name] = nil }
    waitingTransports.removeAll { $0.content == name }
    if departed.contains(name) { return }
    if departed.count == Self.rememberedNames { departed.removeFirst() }
    departed.append(name)
  }

  /// A session without contents is void.
  ///
  /// - Specification: XEP-0166 §7.2.4, §7.2.5
  mutating func terminateIfEmpty() {
    if contents.isEmpty { terminate(Jingle.Reason(.success, text: "no content is left")) }
  }

  mutating func acknowledged() {
    guard !peerHasOffer else { return }
    peerHasOffer = true
    outputs.append(.event(.acknowledged))
    sendWaitingTransports()
  }

  mutating func end(_ event: Event) {
    phase = .ended
    waitingTransports = []
    changes = [:]
    outputs.append(.event(event))
  }

  /// The contents that a request names, without those that left the session meanwhile.
  ///
  /// - Throws: `item-not-found` when there never was such a content.
  func known(_ named: [Jingle.Content]) throws(StanzaError) -> [Jingle.Content] {
    guard !named.isEmpty else { throw .badRequest("no content is named") }
    try Self.checkNames(named)
    for content in named where contents[content.name] == nil && !departed.contains(content.name) {
      throw StanzaError(.itemNotFound, text: "there is no content \(content.name)")
    }
    return named.filter { contents[$0.name] != nil }
  }

  /// Creators are no help in telling contents apart, since peers write them at random.
  static func checkNames(_ contents: [Jingle.Content]) throws(StanzaError) {
    guard Set(contents.map(\.name)).count == contents.count else { throw .badRequest("a content's name occurs twice") }
  }

  /// An offer or answer needs contents, each with a name of its own, a description and a transport.
  static func checkComplete(_ contents: [Jingle.Content]) throws(StanzaError) {
    guard !contents.isEmpty else { throw .badRequest("there is no content") }
    try checkNames(contents)
    for content in contents where content.description == nil || content.transport == nil {
      throw .badRequest("content \(content.name) has no description or no transport")
    }
  }
}
