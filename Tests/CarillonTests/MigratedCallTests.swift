import CarillonTesting
import JingleCore
import Testing
import XMPPCore

@testable import Carillon

/// A call that takes the place of another one with the same peer.
@Suite(.serialized, .timeLimit(.minutes(2)))
struct MigratedCallTests {
  private let server = InMemoryServer()

  @Test func `a caller that goes on from another device takes the call along`() async throws {
    let ends = Log<CallEnd>()
    let replaced = Log<String?>()
    let taking: OnCall = { incoming in
      replaced.append(incoming.replaces)
      try await incoming.answer(with: .tone(880)) { call in
        for await event in call.events { if case .ended(let end) = event { ends.append(end) } }
      }
    }
    try await withClient(server, "bob@localhost/desk", onCall: taking) { [server] bob in
      try await withClient(server, "alice@localhost/phone") { phone in
        try await withClient(server, "alice@localhost/laptop") { laptop in
          let firstEnd = Log<CallEnd>()
          let first = Task {
            try? await phone.withCall(to: jid("bob@localhost"), offering: .tone(440)) { call in
              for await event in call.events { if case .ended(let end) = event { firstEnd.append(end) } }
            }
          }
          try await until { [await bob.settledCalls, await phone.settledCalls] == [1, 1] }
          let old = try #require(await bob.onlyCall)
          let (events, error) = await laptop.follow("bob@localhost", .tone(440)) { $0.isConnected }
          #expect(error == nil && events.report != nil)
          try await until { ends.entries.count == 2 && firstEnd.entries.count == 1 }
          await first.value
          let new = try #require(replaced.entries.count == 2 ? ends.entries.first?.migratedTo : nil)
          #expect(replaced.entries == [nil, old])
          #expect(new != old && ends.entries.first?.error == nil)
          #expect(firstEnd.entries.first?.migratedTo == new)
        }
      }
    }
  }

  @Test(arguments: [1, 32])
  func `the word for a migrated call goes out before the one that takes the next`(room: Int) async throws {
    try await withScript(server, "alice@localhost/phone") { [server] alice in
      try await withClient(
        server, "bob@localhost/desk", configure: { $0.maximumCalls = room }, onCall: answering { .tone(880) }
      ) { bob in
        let own = bob.configuration.account
        await alice.send(.audioProposal, "old", to: own.bare)
        _ = try await alice.message("proceed")
        await alice.send(.audioProposal, "new", to: own.bare)
        let (word, _) = try await alice.message("finish")
        #expect(word.id == "old")
        #expect(word.action == .finish(Jingle.Reason(.expired, text: "Session migrated"), migratedTo: "new"))
        #expect(await !alice.has { $0.first("reject", JingleMessage.namespace) != nil })
        let (proceed, _) = try await alice.message("proceed")
        #expect(proceed.id == "new")
        await alice.send(.retract(nil), "new", to: own.bare)
        try await until { await bob.isIdle }
      }
    }
  }
}
