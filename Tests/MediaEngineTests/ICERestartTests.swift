import Foundation
import Testing

@testable import MediaEngine

@Suite("An ICE restart", .timeLimit(.minutes(1)))
struct ICERestartTests {
  @Test("moves media to new sockets and loses none of it", arguments: [true, false])
  func move(oneLoop: Bool) async throws {
    let loop = GLibLoop()
    let pair = try await Pair(on: (loop, oneLoop ? loop : GLibLoop()))
    let before = try await pair.connected()
    async let there: Void = pair.a.talk(to: pair.b, frames: 60)
    async let back: Void = pair.b.talk(to: pair.a, frames: 60)
    let offer = try #require(try await pair.a.endpoint.restartICE())
    let answer = try #require(try await pair.b.endpoint.restartICE())
    #expect(offer.credentials != pair.descriptions[0].credentials)
    #expect(answer.credentials != pair.descriptions[1].credentials)
    #expect(offer.fingerprint == pair.descriptions[0].fingerprint, "the DTLS association lives on")
    #expect(offer.candidates.allSatisfy { $0.ufrag == offer.credentials.ufrag })
    await pair.signal(offer, answer)
    for (party, before, description) in [(pair.a, before[0], offer), (pair.b, before[1], answer)] {
      let path = try #require(await party.pathChange())
      #expect(path.local.port != before.local.port)
      #expect(path.remote.port != before.remote.port)
      #expect(description.candidates.map(\.port).contains(path.local.port))
      #expect(path.relay == nil)
    }
    _ = try await (there, back)
    try await expectNoLoss(pair)
    for party in [pair.a, pair.b] {
      #expect(await party.endpoint.connectivity.dtlsDatagramsReceived < 20, "no new handshake")
      #expect(party.connections == 1)
    }
    await end(pair)
  }

  @Test("may be begun by both sides at once, and again and again")
  func repeated() async throws {
    let pair = try await Pair()
    _ = try await pair.connected()
    async let there: Void = pair.a.talk(to: pair.b, frames: 100)
    async let back: Void = pair.b.talk(to: pair.a, frames: 100)
    for _ in 0..<5 {
      async let first = pair.a.endpoint.restartICE()
      async let second = pair.b.endpoint.restartICE()
      let (offer, answer) = try (#require(await first), #require(await second))
      await pair.signal(offer, answer)
      #expect(await pair.a.pathChange() != nil)
      #expect(await pair.b.pathChange() != nil)
    }
    _ = try await (there, back)
    try await expectNoLoss(pair)
    await end(pair)
  }

  @Test("replaces one that is still under way")
  func replaced() async throws {
    let pair = try await Pair()
    _ = try await pair.connected()
    let first = try #require(try await pair.a.endpoint.restartICE())
    let second = try #require(try await pair.a.endpoint.restartICE())
    #expect(first.credentials != second.credentials)
    await pair.signal(second, try #require(try await pair.b.endpoint.restartICE()))
    #expect(await pair.a.pathChange() != nil)
    #expect(await pair.b.pathChange() != nil)
    try await pair.a.talk(to: pair.b, frames: 5)
    await end(pair)
  }

  @Test("that gets no answer is given up, and media goes on as before")
  func unanswered() async throws {
    let pair = try await Pair(restartTimeout: .milliseconds(300))
    _ = try await pair.connected()
    async let talk: Void = pair.b.talk(to: pair.a, frames: 30)
    _ = try await pair.a.endpoint.restartICE()
    #expect(await pair.a.connectivityOfICE() != .ready)
    #expect(await pair.a.restartFailure())
    try await talk
    // The answer comes after all: it must not spoil the path in use.
    await pair.a.endpoint.setRemote(ICECredentials(ufrag: "late", password: "0123456789abcdef01234567"))
    await pair.a.endpoint.addRemote(pair.descriptions[1].candidates.map { $0.at(port: 9) })
    #expect(await [.connected, .ready].contains(pair.a.connectivityOfICE()))
    try await pair.a.talk(to: pair.b, frames: 5)
    try await expectNoLoss(pair)
    // Another one succeeds.
    let offer = try #require(try await pair.a.endpoint.restartICE())
    await pair.signal(offer, try #require(try await pair.b.endpoint.restartICE()))
    #expect(await pair.a.pathChange() != nil)
    #expect(await pair.b.pathChange() != nil)
    try await pair.a.talk(to: pair.b, frames: 5)
    await end(pair, allowingFailedRestart: true)
  }

  @Test("saves a call whose path has died, which does not fail before the restart does", arguments: [true, false])
  func deadPath(restartSucceeds: Bool) async throws {
    let relay = try UDPRelay()
    defer { relay.stop() }
    let pair = try await Pair(relay: relay, consentTimeout: .seconds(1), restartTimeout: .seconds(4))
    _ = try await pair.connected()
    try await pair.a.talk(to: pair.b, frames: 3)
    relay.setLine { _, _ in [] }
    let offer = try #require(try await pair.a.endpoint.restartICE())
    let answer = try #require(try await pair.b.endpoint.restartICE())
    // Long enough for both to notice the silence.
    try await Task.sleep(for: .seconds(2))
    if restartSucceeds {
      await pair.signal(offer, answer)
      #expect(await pair.a.pathChange() != nil)
      #expect(await pair.b.pathChange() != nil)
      try await pair.a.talk(to: pair.b, frames: 5)
      try await pair.b.talk(to: pair.a, frames: 5)
      await end(pair)
    } else {
      for party in [pair.a, pair.b] {
        guard case .consentLost = await party.failure() else {
          Issue.record("failed otherwise")
          return
        }
        #expect(party.events.contains { if case .restartFailed = $0 { true } else { false } }, "told before")
      }
      await pair.close()
    }
  }

  @Test("before anything has connected connects the call")
  func early() async throws {
    let loop = GLibLoop()
    let (a, b) = (Party(on: loop, controlling: true), Party(on: loop, controlling: false))
    let (ofA, ofB) = try await (a.endpoint.start(), b.endpoint.start())
    await a.endpoint.setDTLS(role: .client, fingerprints: [ofB.fingerprint])
    await b.endpoint.setDTLS(role: .server, fingerprints: [ofA.fingerprint])
    let offer = try #require(try await a.endpoint.restartICE())
    let answer = try #require(try await b.endpoint.restartICE())
    for (party, peer) in [(a, answer), (b, offer)] {
      await party.endpoint.setRemote(peer.credentials)
      await party.endpoint.addRemote(peer.candidates)
    }
    let connection = try #require(await a.connected())
    #expect(offer.candidates.map(\.port).contains(connection.local.port))
    #expect(await b.connected() != nil)
    await a.endpoint.close()
    await b.endpoint.close()
  }

  @Test("leaves no socket and no agent behind")
  func leaks() async throws {
    let pair = try await Pair()
    _ = try await pair.connected()
    var ports: Set<UInt16> = []
    func restart(_ party: Party) async throws -> MediaEndpoint.LocalDescription {
      let local = try #require(try await party.endpoint.restartICE())
      ports.formUnion(local.candidates.filter { $0.transport == .udp }.map(\.port))
      return local
    }
    for _ in 0..<40 {
      _ = try await restart(pair.a)
      _ = try await restart(pair.b)
    }
    for _ in 0..<10 {
      let offer = try await restart(pair.a)
      await pair.signal(offer, try await restart(pair.b))
      #expect(await pair.a.pathChange() != nil)
      #expect(await pair.b.pathChange() != nil)
    }
    try await pair.a.talk(to: pair.b, frames: 5)
    // The system may give a port out again once it is free.
    #expect(ports.count >= 80)
    // The last two are in use, those before them for a moment more, and other tests may have taken some up again.
    while try ports.intersection(boundPorts()).count > 20 { try await Task.sleep(for: .milliseconds(5)) }
    await end(pair)
  }

  // MARK: Helpers

  /// What came was all that was sent, each frame once and in order.
  private func expectNoLoss(_ pair: Pair) async throws {
    for party in [pair.a, pair.b] {
      let frames = party.frames
      #expect(zip(frames, frames.dropFirst()).allSatisfy { $0 < $1 }, "in order, each once")
      let (session, transport) = await party.endpoint.statistics
      #expect(session?.audio?.inbound.packetsLost == 0)
      #expect(transport.unauthenticated + transport.refused + transport.unknown == 0)
    }
  }

  private func end(_ pair: Pair, allowingFailedRestart: Bool = false) async {
    await pair.close()
    for party in [pair.a, pair.b] {
      await party.drainEvents()
      for event in party.events {
        switch event {
        case .failed: Issue.record("a call that works has failed")
        case .restartFailed: #expect(allowingFailedRestart)
        default: break
        }
      }
    }
  }

  /// Of all UDP sockets of this machine.
  private func boundPorts() throws -> Set<UInt16> {
    var ports: Set<UInt16> = []
    for table in ["/proc/self/net/udp", "/proc/self/net/udp6"] {
      for line in try String(contentsOfFile: table, encoding: .utf8).split(separator: "\n").dropFirst() {
        let address = line.split(separator: " ").dropFirst().first ?? ""
        if let port = address.split(separator: ":").last.flatMap({ UInt16($0, radix: 16) }) { ports.insert(port) }
      }
    }
    return ports
  }
}

extension Pair {
  /// Tells each side of the other's restart.
  fileprivate func signal(_ ofA: MediaEndpoint.LocalDescription, _ ofB: MediaEndpoint.LocalDescription) async {
    for (party, peer) in [(a, ofB), (b, ofA)] {
      await party.endpoint.setRemote(peer.credentials)
      await party.endpoint.addRemote(peer.candidates)
      await party.endpoint.remoteGatheringDone()
    }
  }
}

extension Party {
  fileprivate func pathChange() async -> MediaPath? {
    await first { if case .pathChanged(let path) = $0 { path } else { nil } }
  }

  fileprivate func restartFailure() async -> Bool {
    await first { if case .restartFailed = $0 { true } else { nil } } == true
  }

  fileprivate func connectivityOfICE() async -> ICEState { await endpoint.connectivity.ice }

  fileprivate var connections: Int { events.count { if case .connected = $0 { true } else { false } } }
}
