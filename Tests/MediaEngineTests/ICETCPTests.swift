import Foundation
import Glibc
import Testing

@testable import MediaEngine

@Suite("ICE over TCP", .timeLimit(.minutes(1)))
struct ICETCPTests {
  @Test("is offered beside UDP, and UDP is preferred", arguments: ["127.0.0.1", "::1"])
  func offered(address: String) async throws {
    let a = Party(controlling: true, localAddresses: [address])
    let b = Party(controlling: false, localAddresses: [address])
    let (ofA, ofB) = try await connect(a, b) { _ in true }
    let kinds = ofA.candidates.map(\.transport)
    #expect(Set(kinds) == [.udp, .tcp("active"), .tcp("passive")])
    #expect(ofA.candidates.filter { $0.transport == .tcp("active") }.allSatisfy { $0.port == 9 })
    let lowestOfUDP = ofA.candidates.filter { $0.transport == .udp }.map(\.priority).min() ?? 0
    #expect(ofA.candidates.filter { $0.transport != .udp }.allSatisfy { $0.priority < lowestOfUDP })
    _ = ofB
    for party in [a, b] {
      let connection = try #require(await party.connected())
      #expect(connection.local.transport == .udp)
      #expect(connection.local.address == address)
    }
    await a.endpoint.close()
    await b.endpoint.close()
  }

  @Test(
    "carries a call where UDP does not, packet by packet", arguments: ["127.0.0.1", "::1"], [true, false])
  func onlyTCP(address: String, aIsPassive: Bool) async throws {
    let a = Party(controlling: true, localAddresses: [address])
    let b = Party(controlling: false, localAddresses: [address])
    // Who has heard of no passive candidate cannot connect.
    _ = try await connect(a, b) { $0.transport == .tcp(aIsPassive ? "active" : "passive") }
    for party in [a, b] {
      let connection = try #require(await party.connected())
      guard case .tcp = connection.local.transport, case .tcp = connection.remote.transport else {
        Issue.record("connected over \(connection.local.transport)")
        continue
      }
    }
    await a.startMedia(ssrc: 1)
    await b.startMedia(ssrc: 2)
    async let there: Void = a.talk(to: b, frames: 50)
    async let back: Void = b.talk(to: a, frames: 50)
    for _ in 0..<10 {
      a.sendPicture(isKeyFrame: true, size: 2_000)
      try await Task.sleep(for: .milliseconds(50))
    }
    _ = try await (there, back)
    while b.pictures.count < 5 { try await Task.sleep(for: .milliseconds(5)) }
    #expect(b.pictures.allSatisfy { $0.payload.count == 2_000 })
    for party in [a, b] {
      let (session, transport) = await party.endpoint.statistics
      #expect(transport.unauthenticated + transport.refused + transport.unknown == 0)
      #expect(session?.packetsMalformed == 0)
      #expect(session?.audio?.inbound.packetsLost == 0)
    }
    await a.endpoint.close()
    #expect(await b.first { if case .closedByPeer = $0 { true } else { nil } } == true)
    await b.endpoint.close()
  }

  @Test("takes no connection of strangers, and of nobody once there is a path")
  func strangers() async throws {
    let (a, b) = (Party(controlling: true), Party(controlling: false))
    let ofA = try await a.endpoint.start()
    let port = try #require(ofA.candidates.first { $0.transport == .tcp("passive") }?.port)
    #expect(!isOpen(port))
    let ofB = try await b.endpoint.start()
    await introduce(a, b, ofA, ofB) { $0.transport == .udp }
    #expect(await a.connected() != nil)
    #expect(!isOpen(port))
    // The peer has named this address, but there is a path.
    await a.endpoint.addRemote(ofB.candidates)
    #expect(!isOpen(port))
    let c = Party(controlling: true)
    let ofC = try await c.endpoint.start()
    await c.endpoint.setRemote(ICECredentials(ufrag: ofB.credentials.ufrag, password: "0123456789abcdef01234567"))
    await c.endpoint.addRemote(ofB.candidates)
    #expect(isOpen(try #require(ofC.candidates.first { $0.transport == .tcp("passive") }?.port)))
    for party in [a, b, c] { await party.endpoint.close() }
  }

  @Test("waits for no peer that does not read, and keeps the bounds of what it sends", .timeLimit(.minutes(1)))
  func fullSocket() async throws {
    let (a, b) = (End(controlling: true), End(controlling: false))
    let (ofA, ofB) = try (#require(await a.begin()), #require(await b.begin()))
    await a.meet(ofB.credentials, ofB.candidates.filter { $0.transport != .udp })
    await b.meet(ofA.credentials, ofA.candidates.filter { $0.transport != .udp })
    while await a.path == nil { try await Task.sleep(for: .milliseconds(5)) }
    while await b.path == nil { try await Task.sleep(for: .milliseconds(5)) }
    // Far more than sockets hold, while nobody reads.
    let standstill = Task { await b.holdUp(for: 1) }
    let sent = await a.send(20_000)
    #expect(sent < 20_000, "the rest was dropped")
    await standstill.value
    while await b.received.count < sent { try await Task.sleep(for: .milliseconds(5)) }
    // And there is room again.
    while await a.send(1) == 0 { try await Task.sleep(for: .milliseconds(5)) }
    while await b.received.count < sent + 1 { try await Task.sleep(for: .milliseconds(5)) }
    let received = await b.received
    #expect(received.count == sent + 1)
    #expect(received.allSatisfy { $0 == 1_200 }, "each as it was")
    await a.close()
    await b.close()
  }

  // MARK: Helpers

  private func connect(
    _ a: Party, _ b: Party, telling isTold: (ICECandidate) -> Bool
  ) async throws -> (MediaEndpoint.LocalDescription, MediaEndpoint.LocalDescription) {
    let (ofA, ofB) = try await (a.endpoint.start(), b.endpoint.start())
    await introduce(a, b, ofA, ofB, telling: isTold)
    return (ofA, ofB)
  }

  /// - Parameter isTold: what `a` hears of `b`; what `b` hears of `a` is the counterpart.
  private func introduce(
    _ a: Party, _ b: Party, _ ofA: MediaEndpoint.LocalDescription, _ ofB: MediaEndpoint.LocalDescription,
    telling isTold: (ICECandidate) -> Bool
  ) async {
    await a.endpoint.setDTLS(role: .client, fingerprints: [ofB.fingerprint])
    await b.endpoint.setDTLS(role: .server, fingerprints: [ofA.fingerprint])
    await a.endpoint.setRemote(ofB.credentials)
    await b.endpoint.setRemote(ofA.credentials)
    let heardByA = ofB.candidates.filter(isTold)
    let heardByB = ofA.candidates.filter { candidate in
      heardByA.contains { $0.transport == candidate.transport.counterpart }
    }
    await b.endpoint.addRemote(heardByB)
    await a.endpoint.addRemote(heardByA)
  }

  private func isOpen(_ port: UInt16) -> Bool {
    let connection = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
    defer { close(connection) }
    var address = UDPRelay.loopback(port: port)
    _ = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Glibc.connect(connection, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    var polled = pollfd(fd: connection, events: Int16(POLLOUT), revents: 0)
    return poll(&polled, 1, 200) > 0 && polled.revents & Int16(POLLERR | POLLHUP) == 0
  }
}

extension ICECandidate.Transport {
  fileprivate var counterpart: ICECandidate.Transport {
    switch self {
    case .udp: .udp
    case .tcp("active"): .tcp("passive")
    case .tcp: .tcp("active")
    }
  }
}

/// One side's ICE alone.
private actor End {
  nonisolated let loop = GLibLoop()
  nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }
  private var paths: ICEPaths?
  private let controlling: Bool
  private(set) var path: MediaPath?
  private(set) var received: [Int] = []

  init(controlling: Bool) {
    self.controlling = controlling
  }

  func begin() -> (credentials: ICECredentials, candidates: [ICECandidate])? {
    let settings = ICEConfiguration(controlling: controlling, localAddresses: ["127.0.0.1"])
    let paths = ICEPaths(on: loop, settings) { [weak self] event in
      self?.assumeIsolated { this in
        switch event {
        case .path(let path): this.path = path
        case .datagram(let datagram, _): this.received.append(datagram.count)
        default: break
        }
      }
    }
    self.paths = paths
    return paths.begin()
  }

  func meet(_ credentials: ICECredentials, _ candidates: [ICECandidate]) {
    _ = paths?.setRemote(credentials)
    paths?.addRemote(candidates)
  }

  /// - Returns: how many datagrams went out.
  func send(_ count: Int) -> Int {
    let datagram = [UInt8](repeating: 0x80, count: 1_200)
    return (0..<count).count { _ in datagram.withUnsafeBytes { paths?.send($0, over: 1) == true } }
  }

  /// Keeps the loop from reading.
  func holdUp(for seconds: Double) {
    Thread.sleep(forTimeInterval: seconds)
  }

  func close() {
    paths?.close()
    paths = nil
  }
}
