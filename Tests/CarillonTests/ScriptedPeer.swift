import CarillonTesting
import JingleCore
import MediaTime
import Testing
import XMPPCore

@testable import Carillon

/// A device whose part the test plays by hand. It acknowledges what it is asked, and answers disco with `features`.
actor ScriptedPeer {
  nonisolated let address: JID
  nonisolated let link: any StanzaLink
  private let responder: EntityResponder
  private let acknowledges: Bool
  /// What came and was not looked for yet.
  private var inbox: [XMLElement] = []
  private var lastID = 0

  static let callable = [Jingle.namespace, RTPDescription.namespace, ICETransport.namespace, DTLSFingerprint.namespace]

  fileprivate init(_ link: any StanzaLink, features: [String], acknowledges: Bool) {
    self.link = link
    address = link.address
    self.acknowledges = acknowledges
    responder = EntityResponder(
      info: DiscoInfo(identities: [.init(category: "client", type: "pc", name: "Script")], features: features),
      node: "urn:script")
    link.send(Presence(payloads: [responder.capabilities.element]).element)
  }

  fileprivate func run() async {
    _ = await link.receive { await self.take($0) }
    await link.close()
  }

  private func take(_ stanza: XMLElement) {
    inbox.append(stanza)
    guard let iq = try? IQ(stanza), let request = iq.request else { return }
    if request.is("jingle", Jingle.namespace) {
      if acknowledges { link.send(iq.reply(.result(nil)).element) }
    } else if request.namespace == InBandBytestream.namespace {
      // The script answers.
    } else if let answer = responder.answer(to: iq) {
      link.send(answer.element)
    }
  }

  // MARK: Out

  func prefer(_ priority: Int8) {
    var presence = Presence(payloads: [responder.capabilities.element])
    presence.priority = priority
    link.send(presence.element)
  }

  /// Asks for copies of what the account's other devices send and receive.
  func enableCarbons() async throws {
    link.send(IQ(id: "carbons", .set(MessageCarbon.enable)).element)
    _ = try await next { $0[attribute: "id"] == "carbons" }
  }

  func send(_ action: JingleMessage.Action, _ id: String, to recipient: JID, extra: [XMLElement] = []) {
    lastID += 1
    var message = JingleMessage(id: id, action).stanza(to: recipient, stanzaID: "m\(lastID)")
    message.payloads += extra
    link.send(message.element)
  }

  /// Asks, and waits for the answer.
  @discardableResult
  func request(_ payload: XMLElement, to recipient: JID) async throws -> IQ {
    lastID += 1
    let id = "q\(lastID)"
    link.send(IQ(id: id, to: recipient, .set(payload)).element)
    let answer = try await next { $0.name == "iq" && $0[attribute: "id"] == id && $0[attribute: "type"] != "set" }
    return try IQ(answer)
  }

  @discardableResult
  func request(_ jingle: Jingle, to recipient: JID) async throws -> IQ {
    try await request(jingle.element, to: recipient)
  }

  // MARK: In

  /// Takes the first stanza of this kind out of the inbox, or waits for it.
  func next(_ isWanted: (XMLElement) -> Bool) async throws -> XMLElement {
    while true {
      if let index = inbox.firstIndex(where: isWanted) { return inbox.remove(at: index) }
      try await Task.sleep(for: .milliseconds(2))
    }
  }

  func jingle(_ action: Jingle.Action) async throws -> (Jingle, from: JID) {
    let stanza = try await next {
      $0.first("jingle", Jingle.namespace)?[attribute: "action"] == action.description
    }
    let iq = try IQ(stanza)
    return (try Jingle(try #require(iq.request)), try #require(iq.from))
  }

  func message(_ name: String) async throws -> (JingleMessage, from: JID) {
    let stanza = try await next { $0.first(name, JingleMessage.namespace) != nil }
    let message = try Message(stanza)
    return (try #require(JingleMessage(in: message)), try #require(message.from))
  }

  func has(_ isWanted: (XMLElement) -> Bool) -> Bool { inbox.contains(where: isWanted) }

  /// Returns when everything that was sent to `recipient` has been handled there.
  func settle(_ recipient: JID) async throws {
    try await request(XMLElement("nothing", namespace: "urn:nothing"), to: recipient)
  }

  /// Takes a call up to the offer.
  func takeCall() async throws -> (offer: Jingle, from: JID) {
    let (proposal, caller) = try await message("propose")
    send(.proceed, proposal.id, to: caller)
    return try await jingle(.sessionInitiate)
  }
}

func withScript<Result: Sendable>(
  _ server: InMemoryServer, _ address: String, features: [String] = ScriptedPeer.callable + [JingleMessage.namespace],
  acknowledges: Bool = true, _ body: @escaping @Sendable (ScriptedPeer) async throws -> Result
) async throws -> Result {
  let peer = ScriptedPeer(server.connect(jid(address)), features: features, acknowledges: acknowledges)
  return try await withThrowingTaskGroup(of: Void.self) { group in
    group.addTask { await peer.run() }
    let result = try await body(peer)
    group.cancelAll()
    return result
  }
}

// MARK: What scripts say

extension JingleMessage.Action {
  static let audioProposal = JingleMessage.Action.propose([.rtp(RTPDescription(media: "audio"))])
}

extension RTPDescription {
  static let opus = RTPDescription(
    media: "audio", payloadTypes: [RTPCapability.opus().payloadType(id: 111)], rtcpMux: true)
}

extension DTLSFingerprint {
  static func some(_ setup: DTLSSetup = .actpass) -> DTLSFingerprint {
    DTLSFingerprint(hash: .sha256, setup: setup, bytes: Array(repeating: 0xAB, count: 32))
  }
}

extension ICETransport {
  /// At an address where nobody is.
  static func some(_ fingerprint: DTLSFingerprint? = .some()) -> ICETransport {
    ICETransport(
      ufrag: "8hhy", pwd: "asd88fgpdd777uzjYhagZg", fingerprints: fingerprint.map { [$0] } ?? [],
      candidates: [
        ICECandidate(foundation: "1", id: "x1", ip: "127.0.0.1", port: 9, priority: 2_130_706_431, kind: .host)
      ])
  }
}

extension Jingle.Content {
  static func audio(
    _ description: RTPDescription = .opus, _ transport: ICETransport = .some(), name: String = "audio"
  ) -> Jingle.Content {
    Jingle.Content(name: name, description: .rtp(description), transport: .iceUDP(transport))
  }
}
