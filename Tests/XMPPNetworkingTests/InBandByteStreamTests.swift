import NIOCore
import Synchronization
import Testing
import XMPPCore

@testable import XMPPNetworking

@Suite(.timeLimit(.minutes(1))) struct InBandByteStreamTests {
  /// Two streams that hand each other their stanzas, which may be watched and kept back.
  private final class Pair: Sendable {
    let ends: [InBandByteStream]
    private let ways: [AsyncStream<XMLElement>.Continuation]
    private let stanzas: [AsyncStream<XMLElement>]

    static let addresses = [
      JID(localpart: "romeo", domainpart: "montague.net", resourcepart: "orchard"),
      JID(localpart: "juliet", domainpart: "capulet.com", resourcepart: "balcony"),
    ]

    init(_ change: (inout InBandStream.Configuration) -> Void = { _ in }) {
      let open = InBandBytestream.Open(sid: "i781hf64")
      let (ways, configurations) = (
        (0..<2).map { _ in AsyncStream.makeStream(of: XMLElement.self) },
        (0..<2).map { end in
          var configuration = InBandStream.Configuration(
            peer: Self.addresses[1 - end], open: open, idPrefix: "id\(end)")
          change(&configuration)
          return configuration
        }
      )
      self.ways = ways.map(\.continuation)
      stanzas = ways.map(\.stream)
      let outputs = ways.map(\.continuation)
      ends = [
        InBandByteStream(opening: configurations[0]) { outputs[0].yield($0) },
        InBandByteStream(accepting: configurations[1]) { outputs[1].yield($0) },
      ]
    }

    /// Carries stanzas both ways while `body` runs.
    func run(_ body: () async throws -> Void) async rethrows {
      let carriers = (0..<2).map { end in
        Task { [ends, stanzas] in
          for await var stanza in stanzas[end] {
            stanza[attribute: "from"] = Self.addresses[end].description
            guard let iq = try? IQ(stanza), !ends[1 - end].receive(iq), var refusal = InBandBytestream.refusal(of: iq)
            else { continue }
            refusal.from = Self.addresses[1 - end]
            _ = ends[end].receive(refusal)
          }
        }
      }
      defer { for carrier in carriers { carrier.cancel() } }
      try await body()
    }
  }

  private static func bytes(_ count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
  }

  private static func all(_ stream: InBandByteStream) async throws -> [UInt8] {
    var all: [UInt8] = []
    for try await chunk in stream { all += Array(buffer: chunk) }
    return all
  }

  @Test("Bytes go both ways, and the end is seen after the last of them")
  func bothWays() async throws {
    let pair = Pair()
    try await pair.run {
      let (data, greeting) = (Self.bytes(3_000_000), Self.bytes(100_000))
      async let atJuliet = Self.all(pair.ends[1])
      async let atRomeo = Self.all(pair.ends[0])
      try await pair.ends[0].opened()
      try await pair.ends[1].send(ByteBuffer(bytes: greeting))
      for start in stride(from: 0, to: data.count, by: 100_000) {
        try await pair.ends[0].send(ByteBuffer(bytes: data[start..<start + 100_000]))
      }
      try await pair.ends[0].finish()
      #expect(try await atJuliet == data)
      #expect(try await atRomeo == greeting)
      #expect(pair.ends[1].end == .closedByPeer(undelivered: 0))
    }
  }

  @Test("Who sends waits for who receives")
  func backPressure() async throws {
    let pair = Pair {
      $0.sendBuffer = 65536
      $0.receiveBuffer = 65536
      $0.maximumBlocks = 8
    }
    try await pair.run {
      let sent = Mutex(0)
      let sender = Task {
        for _ in 0..<100 {
          try await pair.ends[0].send(ByteBuffer(repeating: 7, count: 65536))
          sent.withLock { $0 += 65536 }
        }
        try await pair.ends[0].finish()
      }
      try await pair.ends[0].opened()
      try await Task.sleep(for: .milliseconds(500))
      // What both ends hold, and what is under way.
      #expect(sent.withLock { $0 } <= 5 * 65536)
      #expect(try await Self.all(pair.ends[1]).count == 100 * 65536)
      try await sender.value
    }
  }

  @Test("A peer that never opens the stream, or closes it early, is told to all who wait")
  func failures() async throws {
    let silent = Pair { $0.handshakeTimeout = .milliseconds(300) }
    await #expect(throws: InBandByteStream.Interruption.self) { try await silent.ends[0].opened() }
    #expect(silent.ends[0].end == .failed(.timedOut))
    await #expect(throws: InBandByteStream.Interruption.self) { _ = try await silent.ends[0].receive() }
    await #expect(throws: InBandByteStream.Interruption.self) { try await silent.ends[0].send(ByteBuffer(bytes: [1])) }

    let pair = Pair()
    await pair.run {
      let sender = Task {
        while true { try await pair.ends[0].send(ByteBuffer(repeating: 7, count: 65536)) }
      }
      _ = try? await pair.ends[1].receive()
      pair.ends[1].close()
      let result = await sender.result
      #expect(throws: InBandByteStream.Interruption.self) { try result.get() }
    }
  }

  @Test("Waiting can be cancelled")
  func cancelled() async {
    let pair = Pair()
    let waiting = [
      Task { try await pair.ends[0].opened() }, Task { _ = try await pair.ends[0].receive() },
      Task { while true { try await pair.ends[0].send(ByteBuffer(repeating: 7, count: 65536)) } },
    ]
    try? await Task.sleep(for: .milliseconds(100))
    for task in waiting {
      task.cancel()
      let result = await task.result
      #expect(throws: CancellationError.self) { try result.get() }
    }
  }
}
