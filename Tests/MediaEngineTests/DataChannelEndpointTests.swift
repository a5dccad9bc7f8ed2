import COpenSSL
import CSCTP
import Foundation
import MediaTime
import Testing

@testable import MediaEngine

/// Two endpoints over loopback: directly, or through a relay that delays.
private struct EndpointPair {
  let a: DataChannelEndpoint
  let b: DataChannelEndpoint
  private let relay: DelayRelay?

  init(
    delay: Duration? = nil, wrongFingerprint: Bool = false, negotiated: UInt16? = nil, timeout: Duration = .seconds(30)
  ) async throws {
    func endpoint(_ controlling: Bool) -> DataChannelEndpoint {
      var configuration = DataChannelEndpoint.Configuration(
        .init(controlling: controlling, localAddresses: ["127.0.0.1"]), label: "a-file")
      configuration.ice.usesTCP = false
      configuration.negotiated = negotiated
      configuration.timeout = timeout
      return DataChannelEndpoint(configuration)
    }
    (a, b) = (endpoint(true), endpoint(false))
    let (ours, theirs) = (try await a.start(), try await b.start())
    var (toA, toB) = (ours.candidates, theirs.candidates)
    if let delay {
      let relay = DelayRelay(delay: delay)
      self.relay = relay
      // What comes on socket 0 is from a, and for b.
      let host = { (candidates: [ICECandidate]) in candidates.first { $0.kind == .host && $0.component == 1 } }
      var (first, second) = (try #require(host(toA)), try #require(host(toB)))
      relay.run(to: [first.port, second.port])
      (first.port, second.port) = (relay.ports[1], relay.ports[0])
      (toA, toB) = ([first], [second])
    } else {
      relay = nil
    }
    var fingerprint = ours.fingerprint
    if wrongFingerprint { fingerprint.bytes[0] ^= 1 }
    await a.connect(.init(role: .server, fingerprints: [theirs.fingerprint]))
    await b.connect(.init(role: .client, fingerprints: [fingerprint]))
    await a.setRemote(theirs.credentials)
    await b.setRemote(ours.credentials)
    await a.addRemote(toB)
    await b.addRemote(toA)
  }

  func close() async {
    await a.close()
    await b.close()
    relay?.stop()
  }
}

/// SHA-256, as it goes.
private final class Digest {
  private let context = EVP_MD_CTX_new()

  init() { EVP_DigestInit_ex(context, EVP_sha256(), nil) }
  deinit { EVP_MD_CTX_free(context) }

  func update(_ bytes: [UInt8]) { EVP_DigestUpdate(context, bytes, bytes.count) }

  func value() -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: 32)
    EVP_DigestFinal_ex(context, &bytes, nil)
    return bytes
  }
}

@Suite("Two data channel endpoints", .serialized, .timeLimit(.minutes(2))) struct DataChannelEndpointTests {
  /// - Returns: MB/s, from the first byte that arrives to the last.
  private func transfer(_ pair: EndpointPair, megabytes: Int) async throws -> Double {
    let sender = Task {
      let digest = Digest()
      var bytes = noise(1 << 20)
      for round in 0..<megabytes {
        bytes[round] ^= 0xFF  // Each block is another.
        digest.update(bytes)
        try await pair.a.send(bytes)
      }
      try await pair.a.finish()
      return digest.value()
    }
    let digest = Digest()
    var start: Instant?
    var count = 0
    for try await chunk in pair.b.received {
      start = start ?? SystemClock.now
      digest.update(chunk)
      count += chunk.count
    }
    let seconds = (SystemClock.now - (start ?? SystemClock.now)) / .seconds(1)
    #expect(count == megabytes << 20)
    #expect(try await sender.value == digest.value())
    var statistics = sctpstat()
    usrsctp_get_stat(&statistics)
    print(
      "SCTP since the start: \(statistics.sctps_senddata) chunks sent, \(statistics.sctps_sendretransdata) again,",
      "\(statistics.sctps_timodata) timeouts")
    return Double(count) / 1e6 / seconds
  }

  @Test func `move 64 MiB from one to the other`() async throws {
    let pair = try await EndpointPair()
    let rate = try await transfer(pair, megabytes: 64)
    print("data channel over loopback: \(rate) MB/s")
    await pair.close()
    var last: DataChannelEvent?
    for await event in pair.b.events { if case .connected = event { last = event } }
    guard case .connected(let path, "DTLS 1.2") = last else {
      Issue.record("connected was not told")
      return
    }
    #expect(path.local.address == "127.0.0.1")
  }

  @Test func `move 16 MiB at 80 ms round trip`() async throws {
    let pair = try await EndpointPair(delay: .milliseconds(40))
    let rate = try await transfer(pair, megabytes: 16)
    print("data channel at 80 ms round trip: \(rate) MB/s")
    await pair.close()
  }

  @Test func `send both ways at once over a channel that signalling named`() async throws {
    let pair = try await EndpointPair(negotiated: 3)
    let bytes = noise(2_000_000)
    try await withThrowingTaskGroup(of: Void.self) { group in
      for (from, to) in [(pair.a, pair.b), (pair.b, pair.a)] {
        group.addTask {
          try await from.send(bytes)
          try await from.finish()
        }
        group.addTask {
          var received: [UInt8] = []
          for try await chunk in to.received { received += chunk }
          #expect(received == bytes)
        }
      }
      try await group.waitForAll()
    }
    await pair.close()
  }

  @Test func `end an empty stream on a channel that signalling named`() async throws {
    let pair = try await EndpointPair(negotiated: 3)
    try await pair.a.finish()
    for try await chunk in pair.b.received { Issue.record("\(chunk.count) bytes came") }
    try await pair.b.finish()
    for try await chunk in pair.a.received { Issue.record("\(chunk.count) bytes came") }
    await pair.close()
  }

  @Test func `do not connect when a certificate is not the signalled one`() async throws {
    let pair = try await EndpointPair(wrongFingerprint: true)
    await #expect(throws: DataChannelFailure.fingerprintMismatch) { try await pair.b.send([1]) }
    await #expect(throws: DataChannelFailure.self) { try await pair.a.send([1]) }
    await pair.close()
  }

  @Test func `give up in time when the peer is not there`() async throws {
    let pair = try await EndpointPair(timeout: .milliseconds(300))
    await pair.b.close()
    await #expect(throws: DataChannelFailure.self) { try await pair.a.finish() }
    await #expect(throws: DataChannelFailure.closed) { try await pair.b.send([1]) }
    await pair.close()
  }

  @Test func `tell when the other one leaves half-way`() async throws {
    let pair = try await EndpointPair()
    try await pair.a.send(noise(100_000))
    var received = 0
    await #expect(throws: DataChannelFailure.closedByPeer) {
      for try await chunk in pair.b.received {
        received += chunk.count
        if received == 100_000 { await pair.a.close() }
      }
    }
    #expect(received == 100_000)
    await #expect(throws: DataChannelFailure.closedByPeer) { try await pair.b.send([1]) }
    await pair.close()
  }

  @Test func `end who waits for a connection when its task is cancelled`() async throws {
    let endpoint = DataChannelEndpoint(.init(.init(controlling: true, localAddresses: ["127.0.0.1"])))
    _ = try await endpoint.start()
    let sender = Task { try await endpoint.send([1]) }
    try await Task.sleep(for: .milliseconds(50))
    sender.cancel()
    await #expect(throws: CancellationError.self) { try await sender.value }
    await endpoint.close()
  }
}
