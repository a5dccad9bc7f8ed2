import CarillonTesting
import Foundation
import JingleCore
import MediaEngine
import MediaTime
import Synchronization
import Testing
import XMPPCore
import XMPPNetworking

@testable import Carillon

/// A link to an in-memory server that a test can break, and that notes what is sent.
private final class FragileLink: StanzaLink {
  let base: any StanzaLink
  let sent = Log<XMLElement>()
  let undelivered: [Undelivered]
  private let isDeaf: Bool
  private let breaks: AsyncStream<Never>
  private let breakOff: AsyncStream<Never>.Continuation

  /// - Parameter isDeaf: lets nothing through, either way.
  init(_ base: any StanzaLink, isDeaf: Bool = false, undelivered: [XMLElement] = []) {
    self.base = base
    self.undelivered = undelivered.map { Undelivered(stanza: $0, sentAt: SystemClock.now - .seconds(90)) }
    self.isDeaf = isDeaf
    (breaks, breakOff) = AsyncStream.makeStream()
  }

  var address: JID { base.address }
  var isResumed: Bool { base.isResumed }

  func receive(_ deliver: @Sendable (XMLElement) async -> Void) async -> String {
    await withTaskGroup(of: Void.self) { group in
      group.addTask { for await _ in self.breaks {} }
      let (stanzas, pass) = AsyncStream.makeStream(of: XMLElement.self)
      group.addTask {
        if !self.isDeaf { _ = await self.base.receive { pass.yield($0) } } else { for await _ in self.breaks {} }
        pass.finish()
      }
      group.addTask {
        for await _ in self.breaks {}
        pass.finish()
      }
      for await stanza in stanzas { await deliver(stanza) }
      group.cancelAll()
    }
    return "It broke."
  }

  func send(_ stanza: XMLElement) {
    sent.append(stanza)
    if !isDeaf { base.send(stanza) }
  }

  func close() async {
    snap()
    if !isDeaf { await base.close() }
  }

  /// The network is gone.
  func snap() { breakOff.finish() }

  /// How often the peer was asked whether it has a session.
  var questions: Int { sent.entries.count(where: \.isQuestion) }

  func hasSent(_ action: Jingle.Action) -> Bool {
    sent.entries.contains { $0.first("jingle", Jingle.namespace)?[attribute: "action"] == action.description }
  }
}

/// The links that a client made.
private final class Links: Sendable {
  let made = Log<FragileLink>()
  private let server: InMemoryServer
  private let address: JID
  private let make: @Sendable (Int, any StanzaLink) async throws -> FragileLink

  init(
    _ server: InMemoryServer, _ address: String,
    _ make: @escaping @Sendable (Int, any StanzaLink) async throws -> FragileLink = { FragileLink($1) }
  ) {
    self.server = server
    self.address = jid(address)
    self.make = make
  }

  func client(configure: (inout Client.Configuration) -> Void = { _ in }) -> Client {
    var settings = configuration(address.description)
    configure(&settings)
    let attempts = Mutex(0)
    return Client(configuration: settings, loop: GLibLoop(name: "test"), localAddresses: ["127.0.0.1"]) {
      let attempt = attempts.withLock { attempts in
        attempts += 1
        return attempts
      }
      let link = try await self.make(attempt, self.server.connect(self.address))
      self.made.append(link)
      return link
    }
  }
}

@Suite(.serialized, .timeLimit(.minutes(1)))
struct StreamTests {
  private let server = InMemoryServer()

  @Test func `a call outlives its stream, and its end is told on the next one`() async throws {
    let links = Links(server, "alice@localhost/laptop") { attempt, base in
      if attempt == 2 { throw CallError(.serverUnreachable, "Not yet.") }
      return FragileLink(base)
    }
    let ear = Ear()
    let bob = Log<CallEvent>()
    try await withClient(server, "bob@localhost/desk", onCall: answering({ .tone(880) }, log: bob)) { _ in
      try await withRunning(links.client()) { alice in
        try await alice.withCall(to: jid("bob@localhost"), offering: .tone(440, to: ear)) { call in
          for await event in call.events where event.isConnected { break }
          links.made.entries[0].snap()
          try await until { await !alice.isOnline }
          let before = ear.count
          try await until { ear.count > before + 4_800 }
          #expect(await !alice.isOnline)
          await call.hangUp()
        }
        try await until { links.made.entries.count == 2 }
        try await until { links.made.entries[1].hasSent(.sessionTerminate) }
        try await until { bob.entries.end != nil }
        #expect(bob.entries.end?.reason == "success" && bob.entries.end?.endedByPeer == true)
      }
    }
  }

  @Test func `a call goes on over the stream that follows`() async throws {
    let links = Links(server, "alice@localhost/laptop")
    let bob = Log<CallEvent>()
    let onCall: OnCall = { incoming in
      try await incoming.answer(with: .tone(880)) { call in
        for await event in call.events {
          bob.append(event)
          if links.made.entries.count == 2 { await call.hangUp() }
        }
      }
    }
    try await withClient(server, "bob@localhost/desk", onCall: onCall) { _ in
      try await withRunning(links.client()) { alice in
        let (events, error) = await alice.follow("bob@localhost", .tone(440)) { event in
          if event.isConnected { links.made.entries[0].snap() }
          return false
        }
        #expect(error == nil && events.end?.reason == "success" && events.end?.endedByPeer == true)
      }
    }
  }

  // MARK: Calls that outlive their stream

  /// Who loses the stream.
  enum Cut: CaseIterable {
    case caller, callee, both
  }

  @Test(arguments: Cut.allCases, [true, false])
  func `a running call loses its stream, goes on, is found again and can be hung up`(
    cut: Cut, keepsSession: Bool
  ) async throws {
    let (alice, bob) = (jid("alice@localhost/laptop"), jid("bob@localhost/desk"))
    let losers = cut == .both ? [alice, bob] : cut == .caller ? [alice] : [bob]
    let (aliceLog, bobLog, ears) = (Log<CallEvent>(), Log<CallEvent>(), [Ear(), Ear()])
    try await withClient(server, "bob@localhost/desk", onCall: answering({ .tone(880, to: ears[1]) }, log: bobLog)) {
      _ in
      try await withClient(server, "alice@localhost/laptop") { [server] client in
        try await client.withCall(to: bob.bare, offering: .tone(440, to: ears[0])) { call in
          for await event in call.events {
            aliceLog.append(event)
            switch event {
            case .connected:
              try await until { bobLog.entries.contains { $0.isConnected } }
              for loser in losers { server.cut(loser, keepsSession: keepsSession) }
            case .statistics:
              let isOver = [(alice, aliceLog), (bob, bobLog)]
                .allSatisfy { !losers.contains($0) || $1.entries.names.last == "signallingRestored" }
              guard isOver else { break }
              let heard = ears.map(\.count)
              try await until { zip(ears, heard).allSatisfy { $0.count > $1 + 9_600 } }
              await call.hangUp()
            default: break
            }
          }
        }
        try await until { bobLog.entries.end != nil }
      }
    }
    for (own, log) in [(alice, aliceLog), (bob, bobLog)] {
      let told = log.entries.names.filter { $0.hasPrefix("signalling") }
      #expect(told == (losers.contains(own) ? ["signallingLost", "signallingRestored"] : []), "\(own): \(told)")
      #expect(log.entries.end?.reason == "success" && log.entries.end?.error == nil)
    }
    #expect(bobLog.entries.end?.endedByPeer == true)
    for (ear, tone) in zip(ears, [880.0, 440]) { #expect(ear.strongest(of: [440, 880]) == tone) }
  }

  @Test func `a stream that is carried on begins nothing anew`() async throws {
    let links = Links(server, "alice@localhost/laptop")
    try await withRunning(links.client()) { [server] alice in
      let own = await alice.link?.address
      server.cut(jid("alice@localhost/laptop"), keepsSession: true)
      try await until { links.made.entries.count == 2 }
      try await until { await alice.isOnline }
      #expect(await alice.link?.address == own)
      #expect(links.made.entries[1].sent.entries.isEmpty)
    }
  }

  @Test func `what a stream lost is sent again on the next, messages with the time of their first sending`()
    async throws
  {
    let reply = IQ(id: "asked", to: jid("bob@localhost/desk"), .result(nil)).element
    let lost = [
      Message(type: .chat, id: "m", to: jid("bob@localhost"), payloads: [XMLElement("x", namespace: "urn:x")]).element,
      reply, IQ(id: "old", .get(Roster.request)).element, Presence(.unavailable).element,
    ]
    let links = Links(server, "alice@localhost/laptop") { attempt, base in
      FragileLink(base, undelivered: attempt == 1 ? [] : lost)
    }
    try await withRunning(links.client()) { _ in
      links.made.entries[0].snap()
      try await until { links.made.entries.count == 2 && links.made.entries[1].sent.entries.contains(reply) }
      let sent = links.made.entries[1].sent.entries
      #expect(!sent.contains { $0[attribute: "id"] == "old" || $0[attribute: "type"] == "unavailable" })
      let message = try #require(sent.first { $0.name == "message" })
      let delay = try Delay(try #require(message.first("delay", Delay.namespace)))
      #expect(message.first("x", "urn:x") != nil && delay.from == jid("alice@localhost/laptop"))
      let age = Date.now.timeIntervalSince1970 - delay.stamp.inSeconds
      #expect(age >= 89 && age < 3600)
    }
  }

  @Test func `a peer that comes back later than this side is asked until it is there`() async throws {
    let mayReturn = Mutex(false)
    let links = Links(server, "bob@localhost/desk") { attempt, base in
      if attempt > 1, !mayReturn.withLock({ $0 }) {
        await base.close()
        throw CallError(.serverUnreachable, "Not yet.")
      }
      return FragileLink(base)
    }
    let (aliceLog, bobLog, refused) = (Log<CallEvent>(), Log<CallEvent>(), Log<Bool>())
    try await withRunning(links.client(), onCall: answering({ .tone(880) }, log: bobLog)) { [server] _ in
      let mine = Links(server, "alice@localhost/laptop")
      try await withRunning(mine.client()) { alice in
        let (_, error) = await alice.follow("bob@localhost", .tone(440)) { event in
          aliceLog.append(event)
          if event.isConnected {
            server.cut(jid("bob@localhost/desk"))
            server.cut(jid("alice@localhost/laptop"))
          }
          if mine.made.entries.count == 2, mine.made.entries[1].questions > 1 {
            refused.append(true)
            mayReturn.withLock { $0 = true }
          }
          return aliceLog.entries.names.last == "signallingRestored"
            && bobLog.entries.names.last == "signallingRestored"
        }
        #expect(error == nil && !refused.entries.isEmpty)
        try await until { bobLog.entries.end != nil }
      }
    }
  }

  @Test func `a call that the peer no longer knows ends`() async throws {
    let log = Log<CallEvent>()
    try await withScript(server, "bob@localhost/desk", acknowledges: false) { [server] bob in
      try await withClient(server, "alice@localhost/laptop") { alice in
        async let result = alice.follow("bob@localhost", .tone(440)) { event in
          log.append(event)
          return false
        }
        let (offer, caller) = try await bob.takeCall()
        let accept = Jingle(.sessionAccept, sid: offer.sid, contents: [.audio(.opus, .some(.some(.active)))])
        try await bob.request(accept, to: caller)
        try await until { log.entries.names.last == "connecting" }
        server.cut(caller)
        let question = try await bob.next { $0.isQuestion }
        bob.link.send(try IQ(question).reply(.error(.unknownSession)).element)
        let (events, error) = await result
        #expect(events.names.suffix(3) == ["connecting", "signallingLost", "ended"])
        #expect(error?.message.contains("no longer knows the call") == true)
        #expect(await alice.isIdle)
      }
    }
  }

  @Test func `an offer that a dying stream may have lost is made again on the next, and the call comes about`()
    async throws
  {
    let links = Links(server, "alice@localhost/laptop")
    let log = Log<CallEvent>()
    try await withScript(server, "bob@localhost/desk", acknowledges: false) { bob in
      try await withRunning(links.client()) { alice in
        async let result = alice.follow("bob@localhost", .tone(440)) { event in
          log.append(event)
          return false
        }
        let (offer, _) = try await bob.takeCall()
        links.made.entries[0].snap()
        let again = try await bob.next { $0.first("jingle", Jingle.namespace) != nil }
        let first = links.made.entries[0].sent.entries.first { $0.first("jingle", Jingle.namespace) != nil }
        #expect(first?[attribute: "id"] == again[attribute: "id"] && first?.children == again.children)
        bob.link.send(try IQ(again).reply(.result(nil)).element)
        let accept = Jingle(.sessionAccept, sid: offer.sid, contents: [.audio(.opus, .some(.some(.active)))])
        try await bob.request(accept, to: jid("alice@localhost/laptop"))
        try await until { log.entries.names.contains("connecting") }
        try await bob.request(
          Jingle(.sessionTerminate, sid: offer.sid, reason: Jingle.Reason(.decline)), to: jid("alice@localhost/laptop"))
        let (events, error) = await result
        #expect(error?.code == .declined)
        #expect(
          events.names == [
            "proposed", "proceeding", "signallingLost", "signallingRestored", "connecting", "ended",
          ])
      }
    }
  }

  @Test func `a call that is answered while there is no stream is answered on the next`() async throws {
    let links = Links(server, "alice@localhost/laptop")
    let client = links.client()
    let onCall: OnCall = { incoming in
      links.made.entries[0].snap()
      try await until { await !client.isOnline }
      try await incoming.answer(with: .tone(880)) { call in for await _ in call.events {} }
    }
    try await withScript(server, "bob@localhost/desk") { bob in
      try await withRunning(client, onCall: onCall) { _ in
        await bob.send(.audioProposal, "call", to: jid("alice@localhost"))
        let (proceed, from) = try await bob.message("proceed")
        #expect(proceed.id == "call" && from == jid("alice@localhost/laptop") && links.made.entries.count == 2)
        await bob.send(.retract(nil), "call", to: from.bare)
        try await until { await client.isIdle }
      }
    }
  }

  @Test func `a server that takes the device back under another address cuts a call off, and media goes on`()
    async throws
  {
    let links = Links(server, "alice@localhost/laptop") { [server] attempt, base in
      if attempt == 1 { return FragileLink(base) }
      await base.close()
      return FragileLink(server.connect(jid("alice@localhost/other")))
    }
    let (bobLog, ear) = (Log<CallEvent>(), Ear())
    try await withClient(server, "bob@localhost/desk", onCall: answering({ .tone(880) }, log: bobLog)) { [server] _ in
      try await withRunning(links.client()) { alice in
        let (events, error) = await alice.follow("bob@localhost", .tone(440, to: ear)) { event in
          if event.isConnected { server.cut(jid("alice@localhost/laptop")) }
          guard case .warning = event else { return false }
          return true
        }
        #expect(events.names.suffix(2) == ["signallingLost", "ended"])
        #expect(events.warnings.map(\.code) == [.serverUnreachable] && error == nil)
        try await until { bobLog.entries.end != nil }
        #expect(bobLog.entries.end?.endedByPeer == true)
        #expect(await alice.router.own == jid("alice@localhost/other"))
      }
    }
  }

  // MARK: Connecting again

  @Test func `pauses double up to a limit, each between half and all of it, and begin anew after a reset`() {
    var random = SystemRandomNumberGenerator()
    var backoff = Backoff.connecting
    for seconds in [1, 2, 4, 8, 16, 32, 60, 60, 60] {
      let pause = backoff.pause(using: &random)
      #expect(pause >= .seconds(seconds) / 2 && pause <= .seconds(seconds))
    }
    backoff.reset()
    #expect(backoff == .connecting)
    #expect(Set((0..<10).map { _ in backoff.pause(using: &random) }).count > 5)
  }

  @Test func `a changed network ends the wait for the next attempt`() async throws {
    // Without a word of it, so many attempts would take more than the test's minute.
    let links = Links(server, "alice@localhost/laptop") { attempt, base in
      if (2..<9).contains(attempt) { throw CallError(.serverUnreachable, "Not yet.") }
      return FragileLink(base)
    }
    try await withRunning(links.client()) { client in
      links.made.entries[0].snap()
      try await until {
        await client.networkChanged()
        return links.made.entries.count == 2
      }
    }
  }

  @Test func `a changed network has the server asked at once whether it is still there`() async throws {
    let links = Links(server, "alice@localhost/laptop")
    try await withRunning(links.client()) { client in
      await client.networkChanged()
      try await until { links.made.entries[0].sent.entries.contains { $0.first("ping", Ping.namespace) != nil } }
      #expect(links.made.entries.count == 1)
    }
  }

  @Test func `a client that is stopped says goodbye to its peers, then to its server`() async throws {
    let links = Links(server, "alice@localhost/laptop")
    let bob = Log<CallEvent>()
    let (connected, tell) = AsyncStream.makeStream(of: Void.self)
    try await withClient(server, "bob@localhost/desk", onCall: answering({ .tone(880) }, log: bob)) { _ in
      try await withThrowingTaskGroup(of: Void.self) { group in
        let client = links.client()
        group.addTask {
          try await withRunning(client) { _ in for await _ in connected { break } }
        }
        group.addTask {
          _ = await client.follow("bob@localhost", .tone(440)) { event in
            if event.isConnected { tell.yield() }
            return false
          }
        }
        try await group.waitForAll()
        #expect(await client.isIdle)
      }
      let link = try #require(links.made.entries.first)
      #expect(link.hasSent(.sessionTerminate))
      #expect(link.sent.entries.last?.name == "presence")
      #expect(link.sent.entries.last?[attribute: "type"] == "unavailable")
      try await until { bob.entries.end != nil }
      #expect(bob.entries.end?.endedByPeer == true)
    }
  }

  @Test func `a client that is stopped while it asks what the peer can do gives up the call`() async throws {
    let mute = server.connect(jid("carol@localhost/mute"))
    mute.send(Presence().element)
    let client = server.makeClient(configuration("alice@localhost/laptop"))
    let result = Log<CallError?>()
    async let called: Void = {
      try await until { await client.knows(mute.address) }
      result.append(await client.follow("carol@localhost", .tone(440)).error)
    }()
    try await withRunning(client) { client in
      try await until { await client.knows(mute.address) }
      try await until { await client.isAsking }
    }
    try await called
    #expect(result.entries.first??.code == .serverUnreachable)
  }

  @Test func `a first connection that fails ends run and every call that waits for it`() async throws {
    let links = Links(server, "alice@localhost/laptop") { _, _ in
      throw CallError(.serverUnreachable, "Nobody is there.")
    }
    let client = links.client()
    async let result = client.follow("bob@localhost", .tone(440))
    try await until { await client.isWaitedFor }
    let error = await #expect(throws: CallError.self) { try await client.run(Client.Handlers()) }
    #expect(error?.code == .serverUnreachable)
    #expect(await result.error?.message == "Nobody is there.")
  }

  @Test func `a password that is refused later on ends run too`() async throws {
    let links = Links(server, "alice@localhost/laptop") { attempt, base in
      if attempt > 1 { throw CallError(.authentication, "The password was changed.") }
      return FragileLink(base)
    }
    let client = links.client()
    async let broken: Void = until { links.made.entries.first.map { $0.snap() } != nil }
    let error = await #expect(throws: CallError.self) { try await client.run(Client.Handlers()) }
    try await broken
    #expect(error?.code == .authentication)
  }

  @Test(
    arguments: [
      (.authentication(.notAuthorized), .authentication), (.authentication(nil), .authentication),
      (.authentication(.temporaryAuthFailure), .serverUnreachable), (.streamError(.systemShutdown), .protocolViolation),
      (.unreachable, .serverUnreachable),
    ] as [(XMPPConnectionError.Kind, CallError.Code)])
  func `only a password that is refused for good is not tried again`(
    kind: XMPPConnectionError.Kind, code: CallError.Code
  ) {
    #expect(CallError(XMPPConnectionError(kind, "")).code == code)
  }

  @Test func `a server that is silent is pinged, and while it answers the stream stays`() async throws {
    let links = Links(server, "alice@localhost/laptop")
    let client = links.client { $0.keepalive = (.milliseconds(20), .seconds(20)) }
    try await withRunning(client) { _ in
      let link = links.made.entries[0]
      try await until { link.sent.entries.count { $0.first("ping", Ping.namespace) != nil } > 5 }
      #expect(links.made.entries.count == 1)
    }
  }

  @Test func `a connection that is dead is made anew`() async throws {
    let links = Links(server, "alice@localhost/laptop") { attempt, base in FragileLink(base, isDeaf: attempt == 1) }
    let client = links.client { $0.keepalive = (.milliseconds(50), .milliseconds(50)) }
    try await withRunning(client) { _ in
      try await until { links.made.entries.count == 2 }
      try await until { await client.isOnline }
    }
  }
}

extension XMLElement {
  /// Whether this asks if a session is still there.
  fileprivate var isQuestion: Bool {
    guard let jingle = first("jingle", Jingle.namespace) else { return false }
    return jingle[attribute: "action"] == "session-info" && jingle.children.isEmpty
  }
}

extension Client {
  fileprivate var isOnline: Bool { link != nil }
  fileprivate var isWaitedFor: Bool { !onlineWaiters.isEmpty }
  fileprivate var isAsking: Bool { iqs.count > 0 }
}
