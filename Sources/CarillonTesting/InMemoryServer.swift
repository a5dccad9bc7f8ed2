public import Carillon
import MediaEngine
import Synchronization
public import XMPPCore

/// Stands in for an XMPP server inside the process: routes stanzas between its clients, with presence, carbons and the
/// errors of a real one, and without accounts, sockets or TLS. Everybody sees everybody's presence.
///
/// For embedders' tests and for demonstrations; media between its clients is real (ICE, DTLS, codecs) and stays on loopback.
///
/// ```swift
/// let server = InMemoryServer()
/// let bob = server.makeClient(.init(account: try JID("bob@localhost/desk"), password: ""))
/// let alice = server.makeClient(.init(account: try JID("alice@localhost/laptop"), password: ""))
/// try await withThrowingTaskGroup(of: Void.self) { group in
///   group.addTask { try await bob.run(handlers) }  // whose onCall answers
///   group.addTask { try await alice.run(Client.Handlers()) }
///   try await alice.withCall(to: JID("bob@localhost"), offering: MediaOffer(audio: tone)) { call in … }
///   group.cancelAll()
/// }
/// ```
///
/// A call to a client that is not online yet fails as one to an account that does not exist: let `onOnline` tell first.
public final class InMemoryServer: Sendable {
  private struct State {
    /// The clients by their full addresses, and what they last said of themselves.
    var clients: [JID: Session] = [:]
    var presences: [JID: XMLElement] = [:]
    /// Whose devices want to be told what the account's other devices send and receive.
    var copied: Set<JID> = []
    var rosters: [JID: [RosterItem]] = [:]
    var linkCount = 0
  }

  /// A client as the server sees it.
  private struct Session {
    /// Which link it is on: what comes of an earlier one is nothing to it.
    var link: Int
    /// Takes what is for the client; nil while its link is cut and its session kept.
    var client: AsyncStream<XMLElement>.Continuation?
    /// What came for the client, and from it, while the link was cut. Bound: `maximumKept` each, later ones dropped.
    var kept: [XMLElement] = []
    var keptOfClient: [XMLElement] = []

    static let maximumKept = 1000

    mutating func yield(_ stanza: XMLElement) {
      if let client { client.yield(stanza) } else if kept.count < Self.maximumKept { kept.append(stanza) }
    }
  }

  public let domain: String
  private let state = Mutex(State())
  private let loop: GLibLoop
  private let rewrite: @Sendable (XMLElement) -> XMLElement
  private let hasCarbons: Bool
  private let services: @Sendable (IQ) -> IQ.Content?

  /// - Parameter domain: what its accounts' addresses end in.
  public convenience init(domain: String = "localhost") {
    self.init(domain: domain, carbons: true)
  }

  /// - Parameters:
  ///   - carbons: whether it copies messages to an account's other devices (XEP-0280).
  ///   - rewrite: what becomes of each stanza on its way, for tests that need another client's habits.
  ///   - services: answers what is asked of the server itself and of bare addresses, for tests that need more of it.
  package init(
    domain: String = "localhost", carbons: Bool = true,
    rewriting rewrite: @escaping @Sendable (XMLElement) -> XMLElement = { $0 },
    services: @escaping @Sendable (IQ) -> IQ.Content? = { _ in nil }
  ) {
    self.domain = domain
    hasCarbons = carbons
    self.services = services
    self.rewrite = rewrite
    loop = GLibLoop(name: "carillon-memory")
  }

  /// A client of this server. Its `run` puts it online, and the end of `run` takes it offline; all clients share one media
  /// loop. Several clients of one account are its devices: all of them ring.
  ///
  /// - Parameter configuration: `account` must have a resource; password and server are not used.
  public func makeClient(_ configuration: Client.Configuration) -> Client {
    precondition(!configuration.account.isBare, "an in-memory client needs a resource")
    return Client(configuration: configuration, loop: loop, localAddresses: ["127.0.0.1"]) {
      self.connect(configuration.account)
    }
  }

  /// What an account's roster holds when its devices come online.
  package func setRoster(_ items: [RosterItem], of account: JID) {
    state.withLock { $0.rosters[account.bare] = items }
  }

  /// Cuts a client's link, as a network does that fails. The client connects again by itself.
  ///
  /// - Parameters:
  ///   - address: the client's full address; nothing happens when it is not online.
  ///   - keepsSession: whether the client can carry on with its next link as if nothing had been, as with XEP-0198.
  ///     Else the others see it go, and what it sends or is sent meanwhile is lost.
  public func cut(_ address: JID, keepsSession: Bool = false) {
    guard keepsSession else { return disconnect(address) }
    let client = state.withLock { state in
      defer { state.clients[address]?.client = nil }
      return state.clients[address]?.client
    }
    client?.finish()
  }

  /// A bare link, for a test that plays a client itself. Replaces an earlier one of that address, or carries it on if
  /// it was cut and its session kept.
  package func connect(_ address: JID) -> any StanzaLink {
    let (stanzas, client) = AsyncStream.makeStream(of: XMLElement.self)
    let (link, replaced, keptOfClient) = state.withLock { state in
      state.linkCount += 1
      let earlier = state.clients[address]
      state.clients[address] = Session(link: state.linkCount, client: client)
      guard let earlier, earlier.client == nil else { return (state.linkCount, earlier, [XMLElement]?.none) }
      for stanza in earlier.kept { client.yield(stanza) }
      return (state.linkCount, nil, earlier.keptOfClient)
    }
    replaced?.client?.finish()
    for stanza in keptOfClient ?? [] { route(stanza, from: address, link) }
    return InMemoryLink(
      address: address, isResumed: keptOfClient != nil, number: link, stanzas: stanzas, server: self)
  }

  /// - Parameter link: only if the client is still on this one.
  fileprivate func disconnect(_ address: JID, from link: Int? = nil) {
    let (session, wasAvailable) = state.withLock { state -> (Session?, Bool) in
      guard link == nil || state.clients[address]?.link == link else { return (nil, false) }
      state.copied.remove(address)
      return (state.clients.removeValue(forKey: address), state.presences.removeValue(forKey: address) != nil)
    }
    if wasAvailable { broadcast(Presence(.unavailable, from: address).element, from: address) }
    session?.client?.finish()
  }

  fileprivate func route(_ stanza: XMLElement, from sender: JID, _ link: Int) {
    let isConnected = state.withLock { state in
      guard let session = state.clients[sender], session.link == link else { return false }
      if session.client != nil { return true }
      if session.keptOfClient.count < Session.maximumKept { state.clients[sender]?.keptOfClient.append(stanza) }
      return false
    }
    if isConnected { route(stanza, from: sender) }
  }

  private func route(_ stanza: XMLElement, from sender: JID) {
    var stanza = rewrite(stanza)
    stanza[attribute: "from"] = sender.description
    guard let parsed = try? Stanza(stanza) else { return }
    switch parsed {
    case .presence(let presence) where presence.to == nil: receive(presence, stanza, from: sender)
    case .presence(let presence): deliver(stanza, to: presence.to ?? sender)
    case .message(let message):
      let recipient = message.to ?? sender.bare
      let reached = deliver(stanza, to: recipient)
      guard message.type == .chat else { return }
      copy(stanza, as: "received", to: recipient.bare, without: reached.union([sender]))
      if recipient.bare != sender.bare { copy(stanza, as: "sent", to: sender.bare, without: [sender]) }
    case .iq(let iq):
      if let recipient = iq.to, !recipient.isBare {
        deliver(stanza, to: recipient)
      } else {
        answer(iq, for: sender)
      }
    }
  }

  /// - Returns: the devices that it reached.
  @discardableResult
  private func deliver(_ stanza: XMLElement, to recipient: JID) -> Set<JID> {
    let reached = state.withLock { state in
      let recipients =
        recipient.isBare
        ? state.clients.keys.filter { $0.bare == recipient && state.presences[$0] != nil }
        : state.clients[recipient] == nil ? [] : [recipient]
      for address in recipients { state.clients[address]?.yield(stanza) }
      return Set(recipients)
    }
    if reached.isEmpty, stanza.name != "presence",
      let reply = StanzaError(.serviceUnavailable).reply(to: stanza),
      let sender = try? JID(stanza[attribute: "from"] ?? "")
    {
      state.withLock { $0.clients[sender]?.yield(reply) }
    }
    return reached
  }

  /// Tells an account's other devices what one of them `sent` or `received`.
  private func copy(_ stanza: XMLElement, as kind: String, to account: JID, without excluded: Set<JID>) {
    let forwarded = XMLElement("forwarded", namespace: "urn:xmpp:forward:0", children: [stanza])
    let carbon = XMLElement(kind, namespace: MessageCarbon.namespace, children: [forwarded])
    state.withLock { state in
      let others = state.clients.keys.filter {
        $0.bare == account && !excluded.contains($0) && state.copied.contains($0)
      }
      for address in others {
        state.clients[address]?
          .yield(Message(type: .chat, from: account, to: address, payloads: [carbon]).element)
      }
    }
  }

  private func receive(_ presence: Presence, _ stanza: XMLElement, from sender: JID) {
    state.withLock { state in
      let wasThere = state.presences.updateValue(stanza, forKey: sender) != nil
      if presence.type == .unavailable { state.presences[sender] = nil }
      if wasThere { return }
      for (address, other) in state.presences where address != sender { state.clients[sender]?.yield(other) }
    }
    broadcast(stanza, from: sender)
  }

  private func broadcast(_ stanza: XMLElement, from sender: JID) {
    state.withLock { state in
      for address in state.clients.keys where address != sender && state.presences[address] != nil {
        state.clients[address]?.yield(stanza)
      }
    }
  }

  /// What the server itself is asked: it has a roster and carbons to offer, and no services.
  private func answer(_ iq: IQ, for sender: JID) {
    guard let request = iq.request else { return }
    let own: IQ.Content =
      switch (request.name, request.namespace) {
      case ("query", Roster.namespace):
        .result(
          XMLElement(
            "query", namespace: Roster.namespace,
            children: state.withLock { $0.rosters[sender.bare] ?? [] }.map(\.element)))
      case ("enable", MessageCarbon.namespace) where hasCarbons: .result(nil)
      case ("ping", Ping.namespace): .result(nil)
      default: .error(StanzaError(.serviceUnavailable))
      }
    if hasCarbons, request == MessageCarbon.enable { state.withLock { _ = $0.copied.insert(sender) } }
    var reply = iq.reply(services(iq) ?? own)
    reply.from = iq.to
    state.withLock { $0.clients[sender]?.yield(reply.element) }
  }
}

private struct InMemoryLink: StanzaLink {
  let address: JID
  let isResumed: Bool
  let number: Int
  let stanzas: AsyncStream<XMLElement>
  let server: InMemoryServer

  func receive(_ deliver: @Sendable (XMLElement) async -> Void) async -> String {
    for await stanza in stanzas { await deliver(stanza) }
    return "The link was closed."
  }

  func send(_ stanza: XMLElement) { server.route(stanza, from: address, number) }

  func close() async { server.disconnect(address, from: number) }
}
