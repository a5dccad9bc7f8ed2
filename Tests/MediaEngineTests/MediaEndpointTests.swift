import Foundation
import RTPCore
import Testing

@testable import MediaEngine

@Suite("Two endpoints", .timeLimit(.minutes(1)))
struct MediaEndpointTests {
  @Test("connect, talk both ways and part", arguments: [1, 2])
  func call(loops: Int) async throws {
    let loop = GLibLoop()
    let pair = try await Pair(on: (loop, loops == 1 ? loop : GLibLoop()))
    for connection in try await pair.connected() {
      #expect(connection.local.kind == .host)
      // The peer's first check may come before its candidates do; then its address is learnt from the check.
      #expect([.host, .prflx].contains(connection.remote.kind))
      #expect(connection.local.address == "127.0.0.1")
      #expect(connection.local.transport == .udp)
      #expect(connection.dtlsVersion == "DTLS 1.2")
      #expect(connection.srtpProfile == .aeadAES128GCM)
      #expect(connection.iceTime >= .zero)
      #expect(connection.dtlsTime >= .zero)
    }
    async let there: Void = pair.a.talk(to: pair.b, frames: 25)
    async let back: Void = pair.b.talk(to: pair.a, frames: 25)
    _ = try await (there, back)
    for (party, other) in [(pair.a, pair.b), (pair.b, pair.a)] {
      let frames = party.frames
      #expect(zip(frames, frames.dropFirst()).allSatisfy { $0 < $1 }, "in order, each once")
      let (session, transport) = await party.endpoint.statistics
      let sent = await other.endpoint.statistics.0
      #expect(session?.audio?.inbound.packetsReceived ?? 0 >= frames.count)
      #expect(session?.audio?.inbound.packetsReceived ?? 0 <= sent?.audio?.outbound.packetsSent ?? 0)
      #expect(session?.packetsMalformed == 0)
      #expect(session?.audio?.inbound.packetsLost == 0)
      #expect(transport.unauthenticated + transport.refused + transport.unknown == 0)
      let report = await party.endpoint.connectivity
      #expect(report.dtlsStarted)
      #expect(report.dtlsDatagramsReceived >= 2)
    }

    // close_notify is told at once, BYE a second later: another SSRC might have gone on.
    await pair.a.endpoint.close()
    #expect(await pair.b.first { if case .closedByPeer = $0 { true } else { nil } } == true)
    #expect(await pair.b.first { if case .rtp(.byeReceived) = $0 { true } else { nil } } == true)
    await pair.b.endpoint.close()
    await pair.b.drainEvents()
    await pair.a.drainEvents()
    #expect(pair.a.events.contains { if case .ice(.connected) = $0 { true } else { false } })
  }

  @Test("say nothing that a listener could read")
  func encrypted() async throws {
    let relay = try UDPRelay()
    defer { relay.stop() }
    let pair = try await Pair(relay: relay)
    _ = try await pair.connected()
    try await pair.a.talk(to: pair.b, frames: 5)
    await pair.close()
    let packets = relay.traffic.map(\.datagram).filter { DatagramKind($0.span) == .rtp }
    #expect(packets.count >= 5)
    #expect(packets.allSatisfy { !$0.contains([0x08, 0, 0, 0]) })
  }

  @Test("close twice, and do nothing afterwards")
  func closedTwice() async throws {
    let pair = try await Pair()
    _ = try await pair.connected()
    let party = pair.a
    await party.endpoint.close()
    await party.endpoint.close()
    party.sendFrame()
    await party.endpoint.setRemote(pair.descriptions[1].credentials)
    await party.endpoint.addRemote(pair.descriptions[1].candidates)
    await party.endpoint.remoteGatheringDone()
    await party.startMedia(ssrc: 3)
    #expect(try await party.endpoint.restartICE() == nil)
    #expect(await party.endpoint.connectivity.ice == .new)
    await party.drainEvents()
    await pair.b.endpoint.close()
  }

  @Test("close before they start, and then do not start")
  func closedBeforeStart() async throws {
    let party = Party(controlling: true)
    await party.endpoint.close()
    await #expect(throws: CancellationError.self) { try await party.endpoint.start() }
    await party.drainEvents()
  }

  @Test("close while they gather", arguments: [true, false])
  func closedWhileGathering(byDropping: Bool) async throws {
    // A server that never answers.
    let silent = try UDPRelay()
    let turn = ICEServer.Kind.turn(overTCP: false, username: "u", password: "p")
    let servers = [ICEServer.Kind.stun, turn].map {
      ICEServer(kind: $0, address: "127.0.0.1", port: silent.port(towards: .a), name: "silent")
    }
    let name = "gather-\(byDropping)"
    do {
      let party = Party(on: GLibLoop(name: name), controlling: true, servers: servers)
      let description = try await party.endpoint.start()
      #expect(Set(description.candidates.map(\.kind)) == [.host])
      #expect(await party.endpoint.connectivity.ice == .gathering)
      if !byDropping { await party.endpoint.close() }
    }
    while threads(named: name) > 0 { try await Task.sleep(for: .milliseconds(5)) }
  }

  @Test("that are dropped without a word say goodbye all the same")
  func dropped() async throws {
    let loop = GLibLoop()
    var pair: Pair? = try await Pair(on: (loop, loop))
    _ = try await pair?.connected()
    let b = try #require(pair?.b)
    pair = nil
    #expect(await b.first { if case .closedByPeer = $0 { true } else { nil } } == true)
    await b.endpoint.close()
  }

  @Test("leave no socket and no thread behind")
  func leaks() async throws {
    let before = try descriptors()
    do {
      let loop = GLibLoop(name: "loop-leaks")
      for round in 0..<50 {
        let party = Party(on: loop, controlling: true)
        _ = try await party.endpoint.start()
        if round % 2 == 0 { await party.endpoint.close() }
      }
      for _ in 0..<5 {
        let pair = try await Pair(on: (loop, loop))
        _ = try await pair.connected()
        await pair.close()
      }
    }
    while threads(named: "loop-leaks") > 0 { try await Task.sleep(for: .milliseconds(5)) }
    // Other tests run meanwhile: their sockets come and go, a leak would stay.
    while try descriptors() > before + 25 { try await Task.sleep(for: .milliseconds(5)) }
  }

  @Test("do not connect when the ICE password is wrong")
  func wrongPassword() async throws {
    let pair = try await Pair(lie: .password)
    guard case .noPath = await pair.a.failure() else {
      Issue.record("connected or failed otherwise")
      return
    }
    #expect(await !pair.a.endpoint.connectivity.dtlsStarted)
    await pair.close()
    await pair.b.drainEvents()
    #expect(!pair.b.events.contains { if case .connected = $0 { true } else { false } })
  }

  @Test("show pictures, and ask for a key frame when they have to")
  func pictures() async throws {
    let pair = try await Pair()
    _ = try await pair.connected()
    let (a, b) = (pair.a, pair.b)
    // The other side takes what comes once it is connected too.
    while b.pictures.isEmpty {
      a.sendPicture(isKeyFrame: true)
      try await Task.sleep(for: .milliseconds(20))
    }
    #expect(b.pictures.first?.isKeyFrame == true)
    #expect(b.pictures.first?.payload.count == 3_000)
    #expect(b.pictures.first?.size == PictureSize(width: 64, height: 48))
    while b.pictures.count < 20 {
      a.sendPicture(isKeyFrame: false)
      try await Task.sleep(for: .milliseconds(20))
    }
    #expect(a.requests.contains { if case .bitsPerSecond(let target) = $0 { target > 0 } else { false } })

    b.endpoint.requestKeyFrame(stream: 0)
    try await until { a.requests.contains(.keyFrame) }
    let statistics = await b.endpoint.statistics.0
    #expect(statistics?.video.first?.inbound.pliCount ?? 0 >= 1)
    await pair.close()
  }

  @Test("drop pictures that come faster than they can be taken, up to a key frame that is asked for")
  func flood() async throws {
    let pair = try await Pair()
    _ = try await pair.connected()
    await pair.a.endpoint.run { for _ in 0..<30 { pair.a.sendPicture(isKeyFrame: false) } }
    try await until { pair.a.requests.contains(.keyFrame) }
    await pair.close()
  }

  @Test("do not talk when the fingerprint is wrong")
  func wrongFingerprint() async throws {
    let pair = try await Pair(lie: .fingerprint)
    guard case .dtls(.fingerprintMismatch) = await pair.a.failure() else {
      Issue.record("connected or failed otherwise")
      return
    }
    guard case .dtls(.failed) = await pair.b.failure() else {
      Issue.record("connected or failed otherwise")
      return
    }
    for _ in 0..<10 {
      pair.a.sendFrame()
      pair.b.sendFrame()
      try await Task.sleep(for: .milliseconds(2))
    }
    for party in [pair.a, pair.b] {
      let (session, transport) = await party.endpoint.statistics
      #expect(session?.audio?.outbound.packetsSent == 0)
      #expect(transport.early == 0)
      #expect(party.units.isEmpty)
    }
    await pair.close()
  }

  @Test("end when the peer falls silent")
  func consentLost() async throws {
    let relay = try UDPRelay()
    defer { relay.stop() }
    let pair = try await Pair(relay: relay, consentTimeout: .seconds(3))
    _ = try await pair.connected()
    relay.setLine { _, _ in [] }
    guard case .consentLost = await pair.a.failure() else {
      Issue.record("failed otherwise")
      return
    }
    await pair.close()
  }

  private func descriptors() throws -> Int {
    try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count
  }
}

private func until(_ condition: () -> Bool) async throws {
  while !condition() { try await Task.sleep(for: .milliseconds(5)) }
}

extension MediaEndpoint {
  /// Keeps the loop busy while `body` runs.
  fileprivate func run(_ body: @Sendable () -> Void) { body() }
}
