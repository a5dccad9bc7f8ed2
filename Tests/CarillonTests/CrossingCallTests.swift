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

/// Two calls at once between real clients.
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
}

extension Client {
  /// The calls that are connected; -1 while others are under way.
  var settledCalls: Int {
    calls.values.allSatisfy { $0.phase == .connected } ? calls.count : -1
  }

  fileprivate var standing: CrossingCallTests.Standing {
    CrossingCallTests.Standing(
      device: configuration.account, calls: calls.values.map { "\($0.peer) \($0.sid)" },
      isSettled: calls.values.allSatisfy { $0.phase == .connected })
  }

  var onlyCall: String? { calls.count == 1 ? calls.keys.first : nil }
}
