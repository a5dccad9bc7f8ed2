import CarillonTesting
import Foundation
import JingleCore
import Testing
import XMPPCore

@testable import Carillon

/// What a server notes on what it kept for so long.
private func stored(_ age: Double = 600, by server: String = "localhost") -> [XMLElement] {
  [Delay(stamp: .seconds(Date.now.timeIntervalSince1970 - age), from: jid(server)).element]
}

@Suite(.serialized, .timeLimit(.minutes(1)))
struct MissedCallTests {
  private let server = InMemoryServer()

  /// Runs a client that notes what it missed and what rang.
  ///
  /// - Parameter settling: in which the other devices' answers come as well.
  private func withMissing(
    settling: Duration = .milliseconds(100),
    _ body:
      @escaping @Sendable (JID, ScriptedPeer, _ missed: Log<Client.MissedCall>, _ rang: Log<String>) async throws ->
      Void
  ) async throws {
    let missed = Log<Client.MissedCall>()
    let rang = Log<String>()
    var handlers = Client.Handlers()
    handlers.onMissed = { missed.append($0) }
    try await withClient(
      server, "alice@localhost/laptop", configure: { $0.settlingTime = settling }, handlers: handlers,
      onCall: {
        rang.append($0.sid)
        try await Task.sleep(for: .seconds(600))
      }
    ) { [server] alice in
      let own = alice.configuration.account
      try await withScript(server, "bob@localhost/x") { try await body(own, $0, missed, rang) }
    }
  }

  @Test func `a proposal that was stored for long is told as missed, once`() async throws {
    try await withMissing { own, bob, missed, rang in
      for _ in 0..<3 { await bob.send(.audioProposal, "1", to: own.bare, extra: stored()) }
      await bob.send(.audioProposal, "1", to: own.bare)
      try await until { !missed.entries.isEmpty }
      try await Task.sleep(for: .milliseconds(300))
      #expect(missed.entries.map(\.sid) == ["1"])
      let call = try #require(missed.entries.first)
      #expect(call.peer == bob.address && call.media == [.audio])
      #expect(abs((call.proposedAt - .seconds(Date.now.timeIntervalSince1970 - 600)) / .seconds(1)) < 60)
      #expect(rang.entries.isEmpty)
      #expect(await !bob.has { $0.name == "message" })
    }
  }

  @Test(arguments: [.retract(Jingle.Reason(.cancel)), .finish(nil)] as [JingleMessage.Action])
  func `a young one that the caller gave up is missed, too`(end: JingleMessage.Action) async throws {
    try await withMissing { own, bob, missed, rang in
      await bob.send(.audioProposal, "1", to: own.bare, extra: stored(20))
      await bob.send(end, "1", to: own.bare, extra: stored(5))
      try await until { missed.entries.map(\.sid) == ["1"] }
      #expect(rang.entries.isEmpty)
    }
  }

  @Test func `a young one that still stands rings`() async throws {
    try await withMissing { own, bob, missed, rang in
      await bob.send(.audioProposal, "1", to: own.bare, extra: stored(20))
      _ = try await bob.message("ringing")
      try await until { rang.entries == ["1"] }
      await bob.send(.retract(nil), "1", to: own.bare)
      try await bob.settle(own)
      #expect(missed.entries.isEmpty)
    }
  }

  @Test(arguments: [.accept, .proceed, .reject(nil), .finish(nil)] as [JingleMessage.Action])
  func `one that another device of the account dealt with is not missed`(answer: JingleMessage.Action) async throws {
    try await withMissing(settling: .seconds(3)) { [server] own, bob, missed, rang in
      try await withScript(server, "alice@localhost/phone") { phone in
        await bob.send(.audioProposal, "1", to: own.bare, extra: stored())
        try await bob.settle(own)
        await phone.send(answer, "1", to: own.bare, extra: stored())
        try await phone.settle(own)
        await bob.send(.finish(nil), "1", to: own.bare, extra: stored())
        // One that came later, and whose time is up.
        await bob.send(.audioProposal, "2", to: own.bare, extra: stored())
        try await until { missed.entries.map(\.sid) == ["2"] }
        #expect(rang.entries.isEmpty)
      }
    }
  }

  @Test func `only the own server is believed to have stored it`() async throws {
    try await withMissing { own, bob, missed, rang in
      await bob.send(.audioProposal, "1", to: own.bare, extra: stored(by: "elsewhere.test"))
      try await until { rang.entries == ["1"] }
      #expect(missed.entries.isEmpty)
    }
  }

  @Test func `what strangers wanted is not told when only contacts may call`() async throws {
    let missed = Log<Client.MissedCall>()
    var handlers = Client.Handlers()
    handlers.onMissed = { missed.append($0) }
    server.setRoster([RosterItem(jid: jid("bob@localhost"), subscription: .from)], of: jid("alice@localhost"))
    try await withClient(
      server, "alice@localhost/laptop",
      configure: {
        $0.settlingTime = .milliseconds(50)
        $0.callers = .contacts
      }, handlers: handlers, onCall: { _ in }
    ) { [server] alice in
      let own = alice.configuration.account
      try await withScript(server, "mallory@localhost/x") { mallory in
        try await withScript(server, "bob@localhost/x") { bob in
          await mallory.send(.audioProposal, "1", to: own.bare, extra: stored())
          await bob.send(.audioProposal, "2", to: own.bare, extra: stored())
          try await until { missed.entries.count == 1 }
          #expect(missed.entries.map(\.sid) == ["2"])
        }
      }
    }
  }
}
