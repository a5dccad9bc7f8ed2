public import Carillon
import MediaEngine
import Synchronization
package import XMPPCore

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
    var clients: [JID: AsyncStream<XMLElement>.Continuation] = [:]
    var presences: [JID: XMLElement] = [:]
  }

  public let domain: String
  private let state = Mutex(State())
  private let loop: GLibLoop
  private let rewrite: @Sendable (XMLElement) -> XMLElement

  /// - Parameter domain: what its accounts' addresses end in.
  public convenience init(domain: String = "localhost") {
    self.init(domain: domain) { $0 }
  }

  /// - Parameter rewrite: what becomes of each stanza on its way, for tests that need another client's habits.
  package init(domain: String = "localhost", rewriting rewrite: @escaping @Sendable (XMLElement) -> XMLElement) {
    self.domain = domain
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

  /// A bare link, for a test that plays a client itself. Replaces an earlier one of that address.
  package func connect(_ address: JID) -> any StanzaLink {
    let (stanzas, continuation) = AsyncStream.makeStream(of: XMLElement.self)
    let replaced = state.withLock { $0.clients.updateValue(continuation, forKey: address) }
    replaced?.finish()
    return InMemoryLink(address: address, stanzas: stanzas, server: self)
  }

  fileprivate func disconnect(_ address: JID) {
    let (link, wasAvailable) = state.withLock { state in
      (state.clients.removeValue(forKey: address), state.presences.removeValue(forKey: address) != nil)
    }
    if wasAvailable { broadcast(Presence(.unavailable, from: address).element, from: address) }
    link?.finish()
  }

  fileprivate func route(_ stanza: XMLElement, from sender: JID) {
    var stanza = rewrite(stanza)
    stanza[attribute: "from"] = sender.description
    guard let parsed = try? Stanza(stanza) else { return }
    switch parsed {
    case .presence(let presence) where presence.to == nil: receive(presence, stanza, from: sender)
    case .presence(let presence): deliver(stanza, to: presence.to ?? sender)
    case .message(let message):
      deliver(stanza, to: message.to ?? sender.bare)
      if message.type == .chat, message.to?.bare != sender.bare { copy(stanza, to: sender) }
    case .iq(let iq):
      if let recipient = iq.to, !recipient.isBare { return deliver(stanza, to: recipient) }
      answer(iq, for: sender)
    }
  }

  private func deliver(_ stanza: XMLElement, to recipient: JID) {
    let recipients = state.withLock { state in
      recipient.isBare
        ? state.clients.filter { $0.key.bare == recipient && state.presences[$0.key] != nil }.map(\.value)
        : state.clients[recipient].map { [$0] } ?? []
    }
    for client in recipients { client.yield(stanza) }
    if recipients.isEmpty, stanza.name != "presence",
      let reply = StanzaError(.serviceUnavailable).reply(to: stanza),
      let sender = try? JID(stanza[attribute: "from"] ?? "")
    {
      state.withLock { $0.clients[sender] }?.yield(reply)
    }
  }

  /// Tells a sender's other devices what it sent.
  private func copy(_ stanza: XMLElement, to sender: JID) {
    let forwarded = XMLElement("forwarded", namespace: "urn:xmpp:forward:0", children: [stanza])
    let carbon = XMLElement("sent", namespace: MessageCarbon.namespace, children: [forwarded])
    let others = state.withLock { state in
      state.clients.filter { $0.key.bare == sender.bare && $0.key != sender && state.presences[$0.key] != nil }
    }
    for (address, client) in others {
      client.yield(Message(type: .chat, from: sender.bare, to: address, payloads: [carbon]).element)
    }
  }

  private func receive(_ presence: Presence, _ stanza: XMLElement, from sender: JID) {
    let others = state.withLock { state -> [XMLElement] in
      let wasThere = state.presences.updateValue(stanza, forKey: sender) != nil
      if presence.type == .unavailable { state.presences[sender] = nil }
      return wasThere ? [] : state.presences.filter { $0.key != sender }.map(\.value)
    }
    let newcomer = state.withLock { $0.clients[sender] }
    for other in others { newcomer?.yield(other) }
    broadcast(stanza, from: sender)
  }

  private func broadcast(_ stanza: XMLElement, from sender: JID) {
    let clients = state.withLock { state in state.clients.filter { state.presences[$0.key] != nil } }
    for (address, client) in clients where address != sender { client.yield(stanza) }
  }

  /// What the server itself is asked: it has a roster and carbons to offer, and no services.
  private func answer(_ iq: IQ, for sender: JID) {
    guard let request = iq.request else { return }
    let content: IQ.Content =
      switch (request.name, request.namespace) {
      case ("query", Roster.namespace): .result(XMLElement("query", namespace: Roster.namespace))
      case ("enable", MessageCarbon.namespace): .result(nil)
      case ("ping", Ping.namespace): .result(nil)
      default: .error(StanzaError(.serviceUnavailable))
      }
    var reply = iq.reply(content)
    reply.from = iq.to
    state.withLock { $0.clients[sender] }?.yield(reply.element)
  }
}

private struct InMemoryLink: StanzaLink {
  let address: JID
  let stanzas: AsyncStream<XMLElement>
  let server: InMemoryServer

  func receive(_ deliver: @Sendable (XMLElement) async -> Void) async -> String {
    for await stanza in stanzas { await deliver(stanza) }
    return "The link was closed."
  }

  func send(_ stanza: XMLElement) { server.route(stanza, from: address) }

  func close() async { server.disconnect(address) }
}
