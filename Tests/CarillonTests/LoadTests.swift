import CarillonTesting
import Testing

@testable import Carillon

@Suite(.serialized, .timeLimit(.minutes(1)))
struct LoadTests {
  private let server = InMemoryServer()

  @Test func `thirty calls one after the other leave nothing behind`() async throws {
    try await withClient(server, "bob@localhost/desk", onCall: answering { .tone(880) }) { bob in
      try await withClient(server, "alice@localhost/laptop") { alice in
        let watches = Log<CallWatch>()
        for round in 0..<30 {
          // Some are over before they begin.
          let last = ["connected", "connecting", "proposed"][round % 3]
          try await alice.withCall(to: jid("bob@localhost"), offering: .tone(440)) { call in
            for watch in await alice.watch() + bob.watch() { watches.append(watch) }
            for await event in call.events where event.name == last { break }
          }
        }
        try await until { await alice.isIdle }
        try await until { await bob.isIdle }
        #expect(watches.entries.count >= 30)
        try await until { watches.entries.allSatisfy(\.isGone) }
        #expect(await alice.isQuiet)
        #expect(await bob.isQuiet)
      }
    }
  }

  @Test func `ten calls at once connect and leave nothing behind`() async throws {
    try await withClient(server, "bob@localhost/desk", onCall: answering { .tone(880) }) { bob in
      try await withThrowingTaskGroup(of: Void.self) { group in
        for number in 0..<10 {
          group.addTask { [server] in
            try await withClient(server, "caller\(number)@localhost/x") { client in
              let (events, error) = await client.follow("bob@localhost", .tone(440)) { event in
                if case .statistics = event { true } else { false }
              }
              #expect(error == nil && events.report != nil)
              #expect(await client.isIdle)
            }
          }
        }
        try await group.waitForAll()
      }
      try await until { await bob.isIdle }
      #expect(await bob.isQuiet)
    }
  }

  @Test func `there is room for so many calls and no more`() async throws {
    try await withScript(server, "bob@localhost/desk") { [server] bob in
      try await withClient(server, "alice@localhost/laptop") { alice in
        try await withThrowingTaskGroup(of: Void.self) { group in
          for _ in 0..<alice.configuration.maximumCalls {
            group.addTask { _ = await alice.follow("bob@localhost", .tone(440)) }
          }
          try await until { await alice.callCount == alice.configuration.maximumCalls }
          let (events, error) = await alice.follow("bob@localhost", .tone(440))
          #expect(error?.code == .failed && events.isEmpty)
          group.cancelAll()
        }
        #expect(await alice.isIdle)
      }
    }
  }
}

extension Client {
  /// Nothing is remembered of calls that are over.
  fileprivate var isQuiet: Bool { router.count == 0 && unsent.isEmpty }
}
