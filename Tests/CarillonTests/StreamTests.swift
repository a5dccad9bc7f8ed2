import CarillonTesting
import JingleCore
import MediaEngine
import Synchronization
import Testing
import XMPPCore

@testable import Carillon

/// A link to an in-memory server that a test can break, and that notes what is sent.
private final class FragileLink: StanzaLink {
  let base: any StanzaLink
  let sent = Log<XMLElement>()
  private let isDeaf: Bool
  private let breaks: AsyncStream<Never>
  private let breakOff: AsyncStream<Never>.Continuation

  /// - Parameter isDeaf: lets nothing through, either way.
  init(_ base: any StanzaLink, isDeaf: Bool = false) {
    self.base = base
    self.isDeaf = isDeaf
    (breaks, breakOff) = AsyncStream.makeStream()
  }

  var address: JID { base.address }

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

  func hasSent(_ action: Jingle.Action) -> Bool {
    sent.entries.contains { $0.first("jingle", Jingle.namespace)?[attribute: "action"] == action.description }
  }
}

/// The links that a client made.
private final class Links: Sendable {
  let made = Log<FragileLink>()
  private let server: InMemoryServer
  private let address: JID
  private let make: @Sendable (Int, any StanzaLink) throws -> FragileLink

  init(
    _ server: InMemoryServer, _ address: String,
    _ make: @escaping @Sendable (Int, any StanzaLink) throws -> FragileLink = { FragileLink($1) }
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
      let link = try self.make(attempt, self.server.connect(self.address))
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

  @Test func `a call that is being set up fails with its stream`() async throws {
    let links = Links(server, "alice@localhost/laptop")
    try await withScript(server, "bob@localhost/desk", acknowledges: false) { bob in
      try await withRunning(links.client()) { alice in
        async let result = alice.follow("bob@localhost", .tone(440))
        _ = try await bob.takeCall()
        links.made.entries[0].snap()
        #expect(await result.error?.code == .serverUnreachable)
        #expect(await alice.isIdle)
      }
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

extension Client {
  fileprivate var isOnline: Bool { link != nil }
  fileprivate var isWaitedFor: Bool { !onlineWaiters.isEmpty }
  fileprivate var isAsking: Bool { iqs.count > 0 }
}
