import RTPCore
import Synchronization
import Testing

@testable import MediaEngine

@Suite("A hostile path", .timeLimit(.minutes(1)))
struct HostilePathTests {
  @Test("harms no call by datagrams of any kind and length")
  func garbage() async throws {
    let relay = try UDPRelay()
    defer { relay.stop() }
    let pair = try await Pair(relay: relay)
    _ = try await pair.connected()
    var generator = Generator(seed: 11)
    for first in UInt8.min...UInt8.max {
      for count in [0, 1, 2, 4, 8, 12, 13, 28, 60, 1400] {
        var datagram = (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
        if !datagram.isEmpty { datagram[0] = first }
        relay.send(datagram, to: first % 2 == 0 ? .a : .b)
      }
      if first % 8 == 0 { try await Task.sleep(for: .milliseconds(2)) }
    }
    try await pair.a.talk(to: pair.b, frames: 10)
    try await pair.b.talk(to: pair.a, frames: 10)
    for party in [pair.a, pair.b] {
      let (session, transport) = await party.endpoint.statistics
      #expect(transport.unknown > 0)
      #expect(transport.unauthenticated + transport.refused > 0)
      #expect(session?.packetsMalformed == 0, "nothing of it passed SRTP")
    }
    #expect(await pair.a.endpoint.connectivity.dtlsDatagramsReceived > 100)
    await pair.close()
    await pair.a.drainEvents()
    #expect(!pair.a.events.contains { if case .failed = $0 { true } else { false } })
  }

  @Test("plays no forged or repeated packet, and both are counted")
  func forged() async throws {
    let relay = try UDPRelay { datagram, _ in
      guard DatagramKind(datagram.span) == .rtp else { return [datagram] }
      var forged = datagram
      forged[datagram.count - 20] ^= 1
      return [forged, datagram, datagram]
    }
    defer { relay.stop() }
    let pair = try await Pair(relay: relay)
    _ = try await pair.connected()
    try await pair.a.talk(to: pair.b, frames: 20)
    let frames = pair.b.frames
    #expect(zip(frames, frames.dropFirst()).allSatisfy { $0 < $1 })
    let (session, transport) = await pair.b.endpoint.statistics
    #expect(transport.unauthenticated >= 20)
    #expect(transport.refused >= 19)
    #expect(session?.audio?.inbound.packetsDuplicated == 0)
    await pair.close()
  }

  @Test("cannot bring in media before there are keys")
  func early() async throws {
    let relay = try UDPRelay { datagram, _ in DatagramKind(datagram.span) == .dtls ? [] : [datagram] }
    defer { relay.stop() }
    let pair = try await Pair(relay: relay)
    _ = await pair.b.first { if case .ice(.connected) = $0 { true } else { nil } }
    while await pair.b.endpoint.statistics.1.early < 3 {
      relay.send([0x80, 111] + [UInt8](repeating: 0, count: 40), to: .b)
      try await Task.sleep(for: .milliseconds(5))
    }
    #expect(pair.b.units.isEmpty)
    relay.setLine { datagram, _ in [datagram] }
    _ = try await pair.connected()
    try await pair.a.talk(to: pair.b, frames: 3)
    await pair.close()
  }

  @Test("delays the handshake by losses, and does not end it")
  func lostHandshake() async throws {
    let left = Counter(3)
    let relay = try UDPRelay { datagram, _ in
      DatagramKind(datagram.span) == .dtls && left.takeOne() ? [] : [datagram]
    }
    defer { relay.stop() }
    let pair = try await Pair(relay: relay)
    _ = try await pair.connected()
    await pair.close()
  }

  @Test("lets DTLS wait for the fingerprint, a few datagrams of it")
  func earlyDTLS() async throws {
    let a = Party(controlling: true)
    let b = Party(controlling: false)
    let ofA = try await a.endpoint.start()
    let ofB = try await b.endpoint.start()
    for (party, peer) in [(a, ofB), (b, ofA)] {
      await party.endpoint.setRemote(peer.credentials)
      await party.endpoint.addRemote(peer.candidates)
    }
    await a.endpoint.setDTLS(role: .client, fingerprints: [ofB.fingerprint])
    while await b.endpoint.connectivity.dtlsDatagramsReceived < 2 { try await Task.sleep(for: .milliseconds(5)) }
    #expect(await !b.endpoint.connectivity.dtlsStarted)
    await b.endpoint.setDTLS(role: .server, fingerprints: [ofA.fingerprint])
    #expect(await a.connected() != nil)
    #expect(await b.connected() != nil)
    await a.endpoint.close()
    await b.endpoint.close()
  }

  static let addresses = [
    "0.0.0.0", "255.255.255.255", "224.0.0.1", "127.0.0.1", "::", "::1", "ff02::1", "fe80::1", "::ffff:127.0.0.1",
    "example.org", "", "127.0.0.1%lo", "999.1.1.1", String(repeating: "1", count: 10_000),
  ]

  @Test("is no way out for candidates that make no sense", arguments: addresses)
  func candidates(address: String) async throws {
    let pair = try await Pair()
    var hostile: [ICECandidate] = []
    for port: UInt16 in [0, 1, 65_535] {
      for kind in [ICECandidate.Kind.host, .srflx, .prflx, .relay] {
        for component in [-1, 0, 1, 2, .max] {
          hostile.append(
            ICECandidate(
              kind: kind, transport: component == 2 ? .tcp("active") : .udp, component: component,
              foundation: String(repeating: "é", count: 40), priority: .max, address: address, port: port))
        }
      }
    }
    await pair.a.endpoint.addRemote(hostile)
    await pair.b.endpoint.addRemote(hostile)
    _ = try await pair.connected()
    await pair.close()
  }
}

private final class Counter: Sendable {
  private let left: Mutex<Int>

  init(_ count: Int) {
    left = Mutex(count)
  }

  func takeOne() -> Bool {
    left.withLock {
      $0 -= 1
      return $0 >= 0
    }
  }
}
