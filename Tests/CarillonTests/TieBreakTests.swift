import CarillonTesting
import Foundation
import JingleCore
import MediaEngine
import Testing
import XMPPCore

@testable import Carillon

/// Lets calls ring without an answer, and notes which.
private func ringing(noting log: Log<String>) -> OnCall {
  { incoming in
    log.append(incoming.sid)
    try await Task.sleep(for: .seconds(600))
  }
}

/// Keeps a loop's thread busy.
private actor LoopBlocker {
  private let loop: GLibLoop
  private nonisolated let freed = DispatchSemaphore(value: 0)
  nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

  init(_ loop: GLibLoop) { self.loop = loop }

  func block() { freed.wait() }
  nonisolated func free() { freed.signal() }
}

/// Two calls at once, one of them with a peer whose part the test plays.
@Suite(.serialized, .timeLimit(.minutes(2)))
struct TieBreakTests {
  private let server = InMemoryServer()

  /// Bob, whose part the test plays, and Alice, with her address.
  ///
  /// - Parameters:
  ///   - isProposing: whether Bob's calls begin with a proposal, and so Alice's to him.
  ///   - onCall: what Alice does with a call; it rings.
  private func withBob(
    proposing isProposing: Bool = true, acknowledges: Bool = true,
    configure: @escaping @Sendable (inout Client.Configuration) -> Void = { _ in },
    onCall: @escaping OnCall = ringing(noting: Log()),
    _ body: @escaping @Sendable (_ bob: ScriptedPeer, _ alice: Client, _ own: JID) async throws -> Void
  ) async throws {
    let features = ScriptedPeer.callable + (isProposing ? [JingleMessage.namespace] : [])
    try await withScript(server, "bob@localhost/desk", features: features, acknowledges: acknowledges) {
      [server] bob in
      try await withClient(server, "alice@localhost/laptop", configure: configure, onCall: onCall) { alice in
        // Who proposes nothing is called as soon as it is known.
        if !isProposing { try await until { await alice.knows(bob.address) } }
        try await body(bob, alice, alice.configuration.account)
      }
    }
  }

  @Test(arguments: [("0", false), ("zzz", true)])
  func `of two sessions that cross without a proposal the lower id stands`(id: String, wins: Bool) async throws {
    let rang = Log<String>()
    try await withBob(proposing: false, onCall: ringing(noting: rang)) { bob, alice, own in
      async let result = alice.follow("bob@localhost", .tone(440))
      let (offer, _) = try await bob.jingle(.sessionInitiate)
      let answer = try await bob.request(Jingle(.sessionInitiate, sid: id, contents: [.audio()]), to: own)
      if wins {
        #expect(answer.content == .error(.tieBreak))
        try await bob.request(Jingle(.sessionTerminate, sid: offer.sid, reason: Jingle.Reason(.busy)), to: own)
        #expect(await result.error?.code == .busy)
        #expect(rang.entries.isEmpty)
      } else {
        #expect(answer.content == .result(nil))
        let (events, error) = await result
        #expect(error?.message.contains("its call goes first") == true)
        #expect(events.end?.migratedTo == id)
        try await until { rang.entries == [id] }
      }
    }
  }

  @Test(arguments: [("0", false), ("zzz", true)])
  func `a session that crosses a proposal ties with it by the same rule`(id: String, wins: Bool) async throws {
    let rang = Log<String>()
    try await withBob(onCall: ringing(noting: rang)) { bob, alice, own in
      async let result = alice.follow("bob@localhost", .tone(440))
      let (proposal, _) = try await bob.message("propose")
      let answer = try await bob.request(Jingle(.sessionInitiate, sid: id, contents: [.audio()]), to: own)
      if wins {
        #expect(answer.content == .error(.tieBreak))
        await bob.send(.reject(Jingle.Reason(.busy)), proposal.id, to: own)
        #expect(await result.error?.code == .busy)
      } else {
        #expect(answer.content == .result(nil))
        let (retract, _) = try await bob.message("retract")
        #expect(retract.action == .retract(Jingle.Reason(.expired, text: "Tie-Break"), isTieBreak: true))
        #expect(await result.events.end?.migratedTo == id)
        try await until { rang.entries == [id] }
      }
    }
  }

  @Test(arguments: [("0", false), ("zzz", true)])
  func `a proposal that crosses a session ties with it by the same rule`(id: String, wins: Bool) async throws {
    try await withBob(proposing: false) { bob, alice, own in
      async let result = alice.follow("bob@localhost", .tone(440))
      let (offer, _) = try await bob.jingle(.sessionInitiate)
      await bob.send(.audioProposal, id, to: own.bare)
      if wins {
        let (reject, _) = try await bob.message("reject")
        #expect(reject.id == id)
        try await bob.request(Jingle(.sessionTerminate, sid: offer.sid, reason: Jingle.Reason(.busy)), to: own)
        #expect(await result.error?.code == .busy)
      } else {
        _ = try await bob.message("ringing")
        let (_, from) = try await bob.jingle(.sessionTerminate)
        #expect(from == own)
        #expect(await result.events.end?.migratedTo == id)
      }
    }
  }

  /// What becomes of a call that rings while this side calls its caller, who then says that its own goes first.
  enum Fate: CaseIterable {
    case rings, answered, answeredElsewhere, declined
  }

  @Test(arguments: Fate.allCases)
  func `who calls back while it rings is told which of the two stands`(fate: Fate) async throws {
    let (words, word) = AsyncStream.makeStream(of: Void.self)
    let onCall: OnCall = { incoming in
      for await _ in words { break }
      guard !Task.isCancelled else { return }
      if fate == .answered {
        try await incoming.answer(with: .tone(880)) { for await _ in $0.events {} }
      } else {
        await incoming.decline()
      }
    }
    try await withBob(onCall: onCall) { [server] bob, alice, own in
      try await withScript(server, "alice@localhost/phone") { phone in
        await bob.send(.audioProposal, "0", to: own.bare)
        _ = try await bob.message("ringing")
        async let result = alice.follow("bob@localhost", .tone(440))
        let (proposal, _) = try await bob.message("propose")
        switch fate {
        case .rings: break
        case .answered:
          word.yield()
          _ = try await bob.message("proceed")
        case .answeredElsewhere:
          await phone.send(.accept, "0", to: own.bare)
          try await until { await alice.callCount == 1 }
        case .declined:
          word.yield()
          _ = try await bob.message("reject")
        }
        await bob.send(.reject(.tieBreak, isTieBreak: true), proposal.id, to: own)
        let (events, error) = await result
        #expect(error?.message.contains("at the same moment") == true)
        #expect(events.end?.reason == "expired" && events.end?.endedByPeer == true)
        #expect(events.end?.migratedTo == (fate == .declined ? nil : "0"))
        // For the peer's other devices, which ring.
        let (retract, _) = try await bob.message("retract")
        #expect(retract.id == proposal.id && retract.action == .retract(.tieBreak, isTieBreak: true))
        #expect(await alice.callCount == (fate == .rings || fate == .answered ? 1 : 0))
        word.finish()
        await bob.send(.retract(nil), "0", to: own.bare)
        try await until { await alice.isIdle }
      }
    }
  }

  @Test(arguments: [false, true])
  func `a ringing call that gives way to the one placed since tells so`(answered: Bool) async throws {
    let ends = Log<CallEnd?>()
    let (words, word) = AsyncStream.makeStream(of: Void.self)
    let onCall: OnCall = { incoming in
      for await _ in words { break }
      guard answered else { return ends.append(await incoming.end) }
      try? await incoming.answer(with: .tone(880)) { call in
        for await event in call.events { if case .ended(let end) = event { ends.append(end) } }
      }
    }
    try await withBob(onCall: onCall) { bob, alice, own in
      await bob.send(.audioProposal, "zzz", to: own.bare)
      _ = try await bob.message("ringing")
      async let result = alice.follow("bob@localhost", .tone(440))
      let (proposal, _) = try await bob.message("propose")
      if answered {
        word.yield()
        _ = try await bob.message("proceed")
      }
      await bob.send(.retract(.tieBreak, isTieBreak: true), "zzz", to: own.bare)
      try await until { ends.entries.count == 1 }
      let end = try #require(ends.entries[0])
      #expect(end.migratedTo == proposal.id)
      #expect(end.error?.code == .failed && end.error?.message.contains("its own call goes first") == true)
      await bob.send(.reject(Jingle.Reason(.busy)), proposal.id, to: own)
      #expect(await result.error?.code == .busy)
      try await until { await alice.isIdle }
    }
  }

  @Test func `a ringing session that gives way to the call placed since tells so`() async throws {
    let ends = Log<CallEnd?>()
    let onCall: OnCall = { incoming in
      try? await Task.sleep(for: .seconds(600))
      ends.append(await incoming.end)
    }
    try await withBob(proposing: false, onCall: onCall) { bob, alice, own in
      try await bob.request(Jingle(.sessionInitiate, sid: "zzz", contents: [.audio()]), to: own)
      async let result = alice.follow("bob@localhost", .tone(440))
      let (offer, _) = try await bob.jingle(.sessionInitiate)
      try await bob.request(Jingle(.sessionTerminate, sid: "zzz", reason: .tieBreak), to: own)
      try await until { ends.entries.count == 1 }
      #expect(ends.entries[0]?.migratedTo == offer.sid)
      #expect(ends.entries[0]?.error?.message.contains("its own call goes first") == true)
      try await bob.request(Jingle(.sessionTerminate, sid: offer.sid, reason: Jingle.Reason(.busy)), to: own)
      #expect(await result.error?.code == .busy)
    }
  }

  @Test func `a call that came out of storage is named by the one that gives way to it`() async throws {
    let rang = Log<String>()
    try await withBob(configure: { $0.settlingTime = .milliseconds(100) }, onCall: ringing(noting: rang)) {
      bob, alice, own in
      let delay = Delay(stamp: .seconds(Date.now.timeIntervalSince1970), from: jid("localhost")).element
      async let result = alice.follow("bob@localhost", .tone(440))
      let (proposal, _) = try await bob.message("propose")
      await bob.send(.audioProposal, "0", to: own.bare, extra: [delay])
      await bob.send(.reject(.tieBreak, isTieBreak: true), proposal.id, to: own, extra: [delay])
      #expect(await result.events.end?.migratedTo == "0")
      try await until { rang.entries == ["0"] }
    }
  }

  @Test func `a session refused for one that rang before it tells which stands`() async throws {
    try await withBob(proposing: false, acknowledges: false) { bob, alice, own in
      let answer = try await bob.request(Jingle(.sessionInitiate, sid: "0", contents: [.audio()]), to: own)
      #expect(answer.content == .result(nil))
      async let result = alice.follow("bob@localhost", .tone(440))
      let offer = try await bob.next {
        $0.first("jingle", Jingle.namespace)?[attribute: "action"] == "session-initiate"
      }
      bob.link.send(try IQ(offer).reply(.error(.tieBreak)).element)
      let (events, error) = await result
      #expect(error?.message.contains("its call goes first") == true)
      #expect(events.end?.migratedTo == "0" && events.end?.reason == "expired")
      #expect(await alice.callCount == 1)
    }
  }

  @Test(arguments: [("0", false), ("zzz", true)])
  func `a session ties with the one that this side still prepares`(id: String, wins: Bool) async throws {
    let rang = Log<String>()
    let loop = GLibLoop(name: "crossing")
    let alice = Client(
      configuration: configuration("alice@localhost/laptop"), loop: loop, localAddresses: ["127.0.0.1"]
    ) { [server] in server.connect(jid("alice@localhost/laptop")) }
    try await withScript(server, "bob@localhost/desk", features: ScriptedPeer.callable) { bob in
      try await withRunning(alice, onCall: ringing(noting: rang)) { alice in
        let own = alice.configuration.account
        try await until { await alice.knows(bob.address) }
        // Nothing is offered while the media's thread is busy.
        let blocker = LoopBlocker(loop)
        async let blocked: Void = blocker.block()
        async let result = alice.follow("bob@localhost", .tone(440))
        try await until { await alice.callCount == 1 }
        let answer = try await bob.request(Jingle(.sessionInitiate, sid: id, contents: [.audio()]), to: own)
        blocker.free()
        await blocked
        if wins {
          #expect(answer.content == .error(.tieBreak))
          let (offer, _) = try await bob.jingle(.sessionInitiate)
          try await bob.request(Jingle(.sessionTerminate, sid: offer.sid, reason: Jingle.Reason(.busy)), to: own)
          #expect(await result.error?.code == .busy)
          #expect(rang.entries.isEmpty)
        } else {
          #expect(answer.content == .result(nil))
          #expect(await result.events.end?.migratedTo == id)
          try await until { rang.entries == [id] }
          #expect(await !bob.has { $0.first("jingle", Jingle.namespace)?[attribute: "action"] == "session-initiate" })
        }
      }
    }
  }

  @Test(arguments: [true, false])
  func `the call that goes first has the other's room`(isProposed: Bool) async throws {
    let rang = Log<String>()
    try await withBob(proposing: false, configure: { $0.maximumCalls = 1 }, onCall: ringing(noting: rang)) {
      bob, alice, own in
      async let result = alice.follow("bob@localhost", .tone(440))
      _ = try await bob.jingle(.sessionInitiate)
      if isProposed {
        await bob.send(.audioProposal, "0", to: own.bare)
      } else {
        try await bob.request(Jingle(.sessionInitiate, sid: "0", contents: [.audio()]), to: own)
      }
      #expect(await result.events.end?.migratedTo == "0")
      try await bob.settle(own)
      try await until { rang.entries.count == 1 }
    }
  }

  @Test func `the session of a call that was hung up meanwhile does not ring`() async throws {
    let rang = Log<String>()
    let onCall: OnCall = { incoming in
      rang.append(incoming.sid)
      try await incoming.answer(with: .tone(880)) { _ in }
    }
    try await withScript(server, "alice@localhost/x") { [server] alice in
      try await withClient(server, "bob@localhost/desk", onCall: onCall) { bob in
        let own = bob.configuration.account
        await alice.send(.audioProposal, "1", to: own.bare)
        _ = try await alice.message("proceed")
        _ = try await alice.message("reject")
        try await until { await bob.isIdle }
        // It was on its way.
        let answer = try await alice.request(Jingle(.sessionInitiate, sid: "1", contents: [.audio()]), to: own)
        #expect(answer.content == .error(.unknownSession))
        #expect(rang.entries == ["1"])
        #expect(await bob.isIdle)
      }
    }
  }
}

extension Jingle.Reason {
  fileprivate static let tieBreak = Jingle.Reason(.expired, text: "Tie-Break")
}
