import RTPCore
import Testing

@testable import MediaEngine

@Suite("RTCP on a port of its own", .timeLimit(.minutes(1)))
struct RTCPComponentTests {
  @Test("has a component, an association and keys of its own")
  func apart() async throws {
    let (media, control) = try (UDPRelay(), UDPRelay())
    defer { stop(media, control) }
    let pair = try await Pair(relay: media, control: control)
    for description in pair.descriptions {
      for candidate in description.candidates where candidate.kind == .host {
        #expect(candidate.priority & 0xFF == 256 - UInt32(candidate.component), "RFC 8445 §5.1.2.1")
      }
      #expect(Set(description.candidates.map(\.component)) == [1, 2])
    }
    #expect(try await pair.connected().map(\.remote.port) == [media.port(towards: .a), media.port(towards: .b)])
    try await pair.a.talk(to: pair.b, frames: 10)
    try await pair.b.talk(to: pair.a, frames: 10)
    try await pair.exchangeReports()
    #expect(Set(kinds(media)) == [.stun, .dtls, .rtp])
    #expect(Set(kinds(control)) == [.stun, .dtls, .rtcp])

    control.send([0x80, 111] + [UInt8](repeating: 0, count: 40), to: .b)
    try await until { await pair.b.endpoint.statistics.1.unknown == 1 }
    for party in [pair.a, pair.b] {
      let figures = await party.endpoint.statistics.1
      #expect(figures.unauthenticated + figures.refused == 0 && figures.carriesRTCP)
    }
    await pair.a.endpoint.close()
    #expect(await pair.b.first { if case .rtp(.byeReceived) = $0 { true } else { nil } } == true)
    #expect(pair.b.events.contains { if case .closedByPeer = $0 { true } else { false } })
    await pair.b.endpoint.close()
  }

  @Test("moves with RTP in an ICE restart")
  func restart() async throws {
    let (media, control) = try (UDPRelay(), UDPRelay())
    defer { stop(media, control) }
    let pair = try await Pair(relay: media, control: control)
    _ = try await pair.connected()
    let offer = try #require(try await pair.a.endpoint.restartICE())
    let answer = try #require(try await pair.b.endpoint.restartICE())
    for (party, peer) in [(pair.a, answer), (pair.b, offer)] {
      #expect(Set(peer.candidates.map(\.component)) == [1, 2])
      await party.endpoint.setRemote(peer.credentials)
      await party.endpoint.addRemote(peer.candidates)
    }
    for party in [pair.a, pair.b] {
      #expect(await party.first { if case .pathChanged = $0 { true } else { nil } } == true)
    }
    for relay in [media, control] { relay.setLine { _, _ in [] } }
    try await pair.a.talk(to: pair.b, frames: 5)
    try await pair.b.talk(to: pair.a, frames: 5)
    // A report that answers one of before the restart would do as well, so what is asked for is asked for now.
    while pair.b.pictures.isEmpty {
      pair.a.sendPicture(isKeyFrame: true)
      try await Task.sleep(for: .milliseconds(20))
    }
    pair.b.endpoint.requestKeyFrame(stream: 0)
    try await until { pair.a.requests.contains(.keyFrame) }
    #expect(await pair.a.endpoint.connectivity.dtlsDatagramsReceived < 40, "no new handshake")
    await pair.close()
  }

  @Test("ends the call when it cannot be encrypted")
  func unencrypted() async throws {
    // A fatal alert, handshake_failure, in answer to the ClientHello (RFC 6347 §4.1).
    let alert: [UInt8] = [21, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 40]
    let media = try UDPRelay()
    let control = try UDPRelay { datagram, receiver in
      DatagramKind(datagram.span) == .dtls && receiver == .a ? [alert] : [datagram]
    }
    defer { stop(media, control) }
    let pair = try await Pair(relay: media, control: control)
    guard case .dtls(.failed) = await pair.a.failure() else {
      Issue.record("connected or failed otherwise")
      return
    }
    await pair.close()
    await pair.a.drainEvents()
    #expect(!pair.a.events.contains { if case .connected = $0 { true } else { false } })
  }

  @Test("is waited for once the peer has named an end of it")
  func late() async throws {
    let (media, control) = try (UDPRelay(), UDPRelay { _, _ in [] })
    defer { stop(media, control) }
    let pair = try await Pair(relay: media, control: control)
    // RTP's own component is ready.
    while !kinds(media).contains(.stun) { try await Task.sleep(for: .milliseconds(5)) }
    try await Task.sleep(for: .milliseconds(300))
    #expect(await !pair.a.endpoint.connectivity.dtlsStarted)
    control.setLine { datagram, _ in [datagram] }
    _ = try await pair.connected()
    try await pair.exchangeReports()
    await pair.close()
  }

  @Test("is done without where the peer has no end of it, and shares RTP's where the peer lets it")
  func peerWithout() async throws {
    let a = Party(controlling: true, multiplexesRTCP: false)
    let b = Party(controlling: false)
    let (ofA, ofB) = try await (a.endpoint.start(), b.endpoint.start())
    await a.startMedia(ssrc: 1)
    await b.startMedia(ssrc: 2)
    for (party, peer, role) in [(a, ofB, DTLSRole.client), (b, ofA, .server)] {
      await party.endpoint.setDTLS(role: role, fingerprints: [peer.fingerprint])
      await party.endpoint.setRemote(peer.credentials)
      await party.endpoint.addRemote(peer.candidates)
      await party.endpoint.remoteGatheringDone()
    }
    #expect(await a.connected() != nil)
    #expect(await b.connected() != nil)
    try await a.talk(to: b, frames: 5)
    try await b.talk(to: a, frames: 5)
    try await until { await a.endpoint.statistics.1.carriesRTCP }
    #expect(await b.endpoint.connectivity.refusedCandidates == 0)
    await a.endpoint.close()
    #expect(await b.first { if case .rtp(.byeReceived) = $0 { true } else { nil } } == true)
    await b.endpoint.close()
  }

  @Test("that there is none for is not sent, and the peer's silence is then no loss of consent")
  func withheld() async throws {
    let relay = try UDPRelay { _, _ in [] }
    defer { relay.stop() }
    let pair = try await Pair(relay: relay, consentTimeout: .milliseconds(500))
    for party in [pair.a, pair.b] { await party.endpoint.withholdRTCP() }
    relay.setLine { datagram, _ in [datagram] }
    _ = try await pair.connected()
    // Only one side speaks, for longer than would be taken for consent lost.
    try await pair.a.talk(to: pair.b, frames: 75)
    #expect(await !pair.a.endpoint.statistics.1.carriesRTCP)
    await pair.close()
    #expect(Set(kinds(relay)) == [.stun, .dtls, .rtp])
    for party in [pair.a, pair.b] {
      await party.drainEvents()
      #expect(!party.events.contains { if case .failed = $0 { true } else { false } })
    }
  }

  @Test("makes no call alone, nor do components that there are not")
  func alone() async throws {
    let loop = GLibLoop()
    let a = Party(on: loop, controlling: true, multiplexesRTCP: false)
    let b = Party(on: loop, controlling: false, multiplexesRTCP: false)
    let (ofA, ofB) = try await (a.endpoint.start(), b.endpoint.start())
    for (party, peer, role) in [(a, ofB, DTLSRole.client), (b, ofA, .server)] {
      await party.endpoint.setDTLS(role: role, fingerprints: [peer.fingerprint])
      await party.endpoint.setRemote(peer.credentials)
      let others = peer.candidates.flatMap { candidate in
        [0, -1, 3, .max].map { component in
          var candidate = candidate
          candidate.component = component
          return candidate
        }
      }
      await party.endpoint.addRemote(others + peer.candidates.filter { $0.component == 2 })
      #expect(await party.endpoint.connectivity.refusedCandidates == others.count)
    }
    try await Task.sleep(for: .milliseconds(300))
    #expect(await ![.connected, .ready].contains(a.endpoint.connectivity.ice))
    #expect(await !a.endpoint.connectivity.dtlsStarted)
    for (party, peer) in [(a, ofB), (b, ofA)] { await party.endpoint.addRemote(peer.candidates) }
    #expect(await a.connected() != nil)
    #expect(await b.connected() != nil)
    await a.endpoint.close()
    await b.endpoint.close()
  }

  // MARK: Helpers

  private func kinds(_ relay: UDPRelay) -> [DatagramKind] { relay.traffic.map { DatagramKind($0.datagram.span) } }

  private func stop(_ relays: UDPRelay...) {
    for relay in relays { relay.stop() }
  }
}

private func until(_ condition: () async -> Bool) async throws {
  while await !condition() { try await Task.sleep(for: .milliseconds(5)) }
}

extension Pair {
  /// Both have heard what the other makes of their reports.
  fileprivate func exchangeReports() async throws {
    for party in [a, b] {
      while await party.endpoint.statistics.0?.roundTripTime == nil {
        for party in [a, b] { party.sendFrame() }
        try await Task.sleep(for: .milliseconds(20))
      }
    }
  }
}
