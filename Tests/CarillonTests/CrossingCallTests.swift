import CarillonTesting
import Foundation
import JingleCore
import MediaEngine
import Synchronization
import Testing
import XMPPCore

@testable import Carillon

/// A link on which each stanza takes its time, in order, as a seed decides.
private struct SlowLink: StanzaLink {
  let link: any StanzaLink
  let delays: Delays

  var address: JID { link.address }

  func receive(_ deliver: @Sendable (XMLElement) async -> Void) async -> String {
    await link.receive { stanza in
      try? await Task.sleep(for: delays.next())
      await deliver(stanza)
    }
  }

  func send(_ stanza: XMLElement) { link.send(stanza) }
  func close() async { await link.close() }
}

/// Lets calls ring without an answer, and notes which.
private func ringing(noting log: Log<String>) -> OnCall {
  { incoming in
    log.append(incoming.sid)
    try await Task.sleep(for: .seconds(600))
  }
}

private final class Delays: Sendable {
  private let state: Mutex<UInt64>

  init(seed: UInt64) { state = Mutex(seed) }

  func next() -> Duration {
    state.withLock { state in
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return .milliseconds(Int(state >> 33) % 12)
    }
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

@Suite(.serialized, .timeLimit(.minutes(2)))
struct CrossingCallTests {
  private let server = InMemoryServer()

  private func client(_ address: String, seed: UInt64) -> Client {
    Client(
      configuration: configuration(address), loop: GLibLoop(name: "crossing"), localAddresses: ["127.0.0.1"]
    ) { [server] in SlowLink(link: server.connect(jid(address)), delays: Delays(seed: seed)) }
  }

  @Test(arguments: 0..<24 as Range<UInt64>)
  func `of two calls at once exactly one comes up, and the other's end tells which`(seed: UInt64) async throws {
    let connected = Log<(side: String, sid: String)>()
    let offset = Delays(seed: seed &+ 1000).next() * 2
    // People take their time, so that a call may come up while another one rings.
    let thought = Delays(seed: seed &+ 2000)
    @Sendable func follow(_ side: String, _ call: Call) async {
      for await event in call.events where event.isConnected { connected.append((side, call.sid)) }
    }
    @Sendable func answer(_ side: String) -> OnCall {
      { incoming in
        try? await Task.sleep(for: thought.next() * 2)
        do {
          try await incoming.answer(with: .tone(440)) { await follow(side, $0) }
        } catch is CallError {}
      }
    }
    let (a, b) = (client("alice@localhost/laptop", seed: seed), client("bob@localhost/desk", seed: seed &+ 7))
    try await withRunning(a, onCall: answer("alice")) { alice in
      try await withRunning(b, onCall: answer("bob")) { bob in
        try await until { await alice.knows(bob.configuration.account) }
        try await until { await bob.knows(alice.configuration.account) }
        let ends = Log<(CallError?, CallEnd?)>()
        let calling = Task {
          await withDiscardingTaskGroup { group in
            for (client, side, peer, wait) in [
              (alice, "alice", "bob@localhost", Duration.zero), (bob, "bob", "alice@localhost", offset),
            ] {
              group.addTask {
                let end = Log<CallEnd>()
                do {
                  try? await Task.sleep(for: wait)
                  try await client.withCall(to: jid(peer), offering: .tone(440)) { call in
                    for await event in call.events {
                      if event.isConnected { connected.append((side, call.sid)) }
                      if case .ended(let how) = event { end.append(how) }
                    }
                  }
                  ends.append((nil, end.entries.first))
                } catch {
                  ends.append((error as? CallError, end.entries.first))
                }
              }
            }
          }
        }
        // One of the two is over, the other is up on both sides.
        try await until {
          let settled = [await alice.settledCalls, await bob.settledCalls]
          return ends.entries.count == 1 && settled == [1, 1]
        }
        let standing = try #require(await alice.onlyCall)
        #expect(await bob.onlyCall == standing)
        try await until { connected.entries.count { $0.sid == standing } == 2 }
        let (error, end) = try #require(ends.entries.first)
        #expect(end?.migratedTo == standing || end == nil, "\(String(describing: error))")
        // It stays so.
        try await Task.sleep(for: .milliseconds(50))
        #expect(await alice.onlyCall == standing)
        calling.cancel()
        await calling.value
        try await until { await alice.isIdle }
        try await until { await bob.isIdle }
      }
    }
  }

  /// What a client has, in words.
  fileprivate struct Standing: CustomStringConvertible {
    var device: JID
    var calls: [String]
    var isSettled: Bool

    var description: String { "\(device): \(calls.joined(separator: ", "))" }
  }

  @Test(arguments: 0..<12 as Range<UInt64>)
  func `whatever crosses, is hung up, declined or times out, both ends agree on one call or none`(seed: UInt64)
    async
    throws
  {
    let chance = Delays(seed: seed &* 7919 &+ 5)
    @Sendable func one(in count: Int64) -> Bool { chance.next() / .milliseconds(1) < 12 / Double(count) }
    // The phones only ring: were both to answer at once, one would wait for its turn for long.
    let rings: OnCall = { _ in try await Task.sleep(for: .seconds(600)) }
    let decides: OnCall = { incoming in
      try? await Task.sleep(for: chance.next() * 4)
      if one(in: 5) { return await incoming.decline() }
      let staysFor: Duration? = one(in: 4) ? chance.next() * 2 : nil
      try await incoming.answer(with: .tone(440)) { call in
        if let staysFor { try? await Task.sleep(for: staysFor) } else { for await _ in call.events {} }
      }
    }
    let addresses = ["alice@localhost/laptop", "bob@localhost/desk", "alice@localhost/phone", "bob@localhost/phone"]
    let loop = GLibLoop(name: "crossing")
    let clients = addresses.enumerated().map { index, address in
      var settings = configuration(address)
      if one(in: 4) { settings.ringingTimeout = .milliseconds(40) }
      return Client(configuration: settings, loop: loop, localAddresses: ["127.0.0.1"]) { [server] in
        SlowLink(link: server.connect(jid(address)), delays: Delays(seed: seed &+ 31 &* UInt64(index)))
      }
    }
    try await withRunning(clients[0], onCall: decides) { _ in
      try await withRunning(clients[1], onCall: decides) { _ in
        try await withRunning(clients[2], onCall: rings) { _ in
          try await withRunning(clients[3], onCall: rings) { _ in
            for client in clients {
              for other in clients where other !== client {
                try await until { await client.knows(other.configuration.account) }
              }
            }
            let calling = Task {
              await withDiscardingTaskGroup { group in
                for (index, client) in clients.enumerated() {
                  let wait = chance.next() * 3
                  let staysFor: Duration? = one(in: 3) ? chance.next() * 6 : nil
                  group.addTask {
                    try? await Task.sleep(for: wait)
                    try? await client.withCall(
                      to: jid(index.isMultiple(of: 2) ? "bob@localhost" : "alice@localhost"), offering: .tone(440)
                    ) { call in
                      if let staysFor { try? await Task.sleep(for: staysFor) } else { for await _ in call.events {} }
                    }
                  }
                }
              }
            }
            var standings: [Standing] = []
            let begin = ContinuousClock.now
            var agreed = 0
            // It lasts while nothing is on its way any more.
            while agreed < 15, ContinuousClock.now - begin < .seconds(20) {
              standings = []
              for client in clients { standings.append(await client.standing) }
              let ends = standings.flatMap { standing in standing.calls.map { "\(standing.device) \($0)" } }
              let agree = standings.allSatisfy(\.isSettled) && ends.allSatisfy { ends.contains(Self.mirrored($0)) }
              agreed = agree ? agreed + 1 : 0
              try await Task.sleep(for: .milliseconds(10))
            }
            #expect(agreed == 15, "\(standings)")
            #expect(standings.flatMap(\.calls).count <= 2, "\(standings)")
            calling.cancel()
            await calling.value
            for client in clients { try await until { await client.isIdle } }
          }
        }
      }
    }
  }

  /// The same call as its other end sees it: `device peer sid`.
  private static func mirrored(_ end: String) -> String {
    let words = end.split(separator: " ")
    return words.count == 3 ? "\(words[1]) \(words[0]) \(words[2])" : "?"
  }

  @Test(arguments: [("0", false), ("zzz", true)])
  func `of two sessions that cross without a proposal the lower id stands`(id: String, wins: Bool) async throws {
    let rang = Log<String>()
    try await withScript(server, "bob@localhost/desk", features: ScriptedPeer.callable) { [server] bob in
      try await withClient(
        server, "alice@localhost/laptop", onCall: ringing(noting: rang)
      ) { alice in
        let own = alice.configuration.account
        try await until { await alice.knows(bob.address) }
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
  }

  @Test(arguments: [("0", false), ("zzz", true)])
  func `a session that crosses a proposal ties with it by the same rule`(id: String, wins: Bool) async throws {
    let rang = Log<String>()
    try await withScript(server, "bob@localhost/desk") { [server] bob in
      try await withClient(
        server, "alice@localhost/laptop", onCall: ringing(noting: rang)
      ) { alice in
        let own = alice.configuration.account
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
  }

  @Test(arguments: [("0", false), ("zzz", true)])
  func `a proposal that crosses a session ties with it by the same rule`(id: String, wins: Bool) async throws {
    try await withScript(server, "bob@localhost/desk", features: ScriptedPeer.callable) { [server] bob in
      try await withClient(
        server, "alice@localhost/laptop", onCall: { _ in try await Task.sleep(for: .seconds(600)) }
      ) { alice in
        let own = alice.configuration.account
        try await until { await alice.knows(bob.address) }
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
    try await withScript(server, "bob@localhost/desk") { [server] bob in
      try await withScript(server, "alice@localhost/phone") { phone in
        try await withClient(server, "alice@localhost/laptop", onCall: onCall) { alice in
          let own = alice.configuration.account
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
    try await withScript(server, "bob@localhost/desk") { [server] bob in
      try await withClient(server, "alice@localhost/laptop", onCall: onCall) { alice in
        let own = alice.configuration.account
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
  }

  @Test func `a ringing session that gives way to the call placed since tells so`() async throws {
    let ends = Log<CallEnd?>()
    let onCall: OnCall = { incoming in
      try? await Task.sleep(for: .seconds(600))
      ends.append(await incoming.end)
    }
    try await withScript(server, "bob@localhost/desk", features: ScriptedPeer.callable) { [server] bob in
      try await withClient(server, "alice@localhost/laptop", onCall: onCall) { alice in
        let own = alice.configuration.account
        try await until { await alice.knows(bob.address) }
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
  }

  @Test func `a call that came out of storage is named by the one that gives way to it`() async throws {
    let rang = Log<String>()
    let onCall: OnCall = {
      rang.append($0.sid)
      try await Task.sleep(for: .seconds(600))
    }
    try await withScript(server, "bob@localhost/desk") { [server] bob in
      try await withClient(
        server, "alice@localhost/laptop", configure: { $0.settlingTime = .milliseconds(100) }, onCall: onCall
      ) { alice in
        let own = alice.configuration.account
        let delay = Delay(stamp: .seconds(Date.now.timeIntervalSince1970), from: jid("localhost")).element
        async let result = alice.follow("bob@localhost", .tone(440))
        let (proposal, _) = try await bob.message("propose")
        await bob.send(.audioProposal, "0", to: own.bare, extra: [delay])
        await bob.send(.reject(.tieBreak, isTieBreak: true), proposal.id, to: own, extra: [delay])
        #expect(await result.events.end?.migratedTo == "0")
        try await until { rang.entries == ["0"] }
      }
    }
  }

  @Test func `a session refused for one that rang before it tells which stands`() async throws {
    try await withScript(server, "bob@localhost/desk", features: ScriptedPeer.callable, acknowledges: false) {
      [server] bob in
      try await withClient(
        server, "alice@localhost/laptop", onCall: { _ in try await Task.sleep(for: .seconds(600)) }
      ) { alice in
        let own = alice.configuration.account
        try await until { await alice.knows(bob.address) }
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
  }

  @Test(arguments: [("0", false), ("zzz", true)])
  func `a session ties with the one that this side still prepares`(id: String, wins: Bool) async throws {
    let rang = Log<String>()
    let loop = GLibLoop(name: "crossing")
    let alice = Client(
      configuration: configuration("alice@localhost/laptop"), loop: loop, localAddresses: ["127.0.0.1"]
    ) { [server] in server.connect(jid("alice@localhost/laptop")) }
    let onCall: OnCall = {
      rang.append($0.sid)
      try await Task.sleep(for: .seconds(600))
    }
    try await withScript(server, "bob@localhost/desk", features: ScriptedPeer.callable) { bob in
      try await withRunning(alice, onCall: onCall) { alice in
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
    try await withScript(server, "bob@localhost/desk", features: ScriptedPeer.callable) { [server] bob in
      try await withClient(
        server, "alice@localhost/laptop", configure: { $0.maximumCalls = 1 }, onCall: ringing(noting: rang)
      ) { alice in
        let own = alice.configuration.account
        try await until { await alice.knows(bob.address) }
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

extension Jingle.Reason {
  fileprivate static let tieBreak = Jingle.Reason(.expired, text: "Tie-Break")
}

extension Client {
  /// The calls that are connected; -1 while others are under way.
  fileprivate var settledCalls: Int {
    calls.values.allSatisfy { $0.phase == .connected } ? calls.count : -1
  }

  fileprivate var standing: CrossingCallTests.Standing {
    CrossingCallTests.Standing(
      device: configuration.account, calls: calls.values.map { "\($0.peer) \($0.sid)" },
      isSettled: calls.values.allSatisfy { $0.phase == .connected })
  }

  fileprivate var onlyCall: String? { calls.count == 1 ? calls.keys.first : nil }
}
