import CSCTP
import Foundation
import MediaTime
import Testing

@testable import MediaEngine

@Suite(.serialized, .timeLimit(.minutes(2))) struct DataChannelTests {
  /// Both sides send, and both receive what was sent.
  func exchange(_ link: MemoryLink, _ bytes: [[UInt8]]) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      for side in 0..<2 {
        group.addTask {
          for start in stride(from: 0, to: bytes[side].count, by: 100_000) {
            try await link.send(side, Array(bytes[side][start...].prefix(100_000)))
          }
          try await link.finish(side)
        }
        group.addTask {
          let received = try await link.all(1 - side)
          #expect(received == bytes[side], "\(received.count) of \(bytes[side].count) bytes")
        }
      }
      try await group.waitForAll()
    }
  }

  @Test(arguments: [1, 2, 3] as [UInt64])
  func `Bytes arrive whole and in order over a path that loses and reorders`(seed: UInt64) async throws {
    let link = MemoryLink(.init(delay: .milliseconds(2), losses: 20, reordered: 50, seed: seed))
    await link.open()
    try await exchange(link, [noise(1 << 20, seed: seed), noise(300_000, seed: seed + 9)])
    await link.close()
  }

  @Test(arguments: [(0, 1), (1, 7), (5000, 5000), (65_536, 65_537)])
  func `Small and empty streams arrive`(first: Int, second: Int) async throws {
    let link = MemoryLink()
    await link.open(sendLimit: 5000)
    try await exchange(link, [noise(first), noise(second)])
    await link.close()
  }

  @Test func `A peer that takes only small messages gets no larger ones`() async throws {
    let link = MemoryLink()
    await link.open(sendLimit: 100)
    try await link.send(0, noise(20_000))
    try await link.finish(0)
    var sizes: Set<Int> = []
    while let message = try await link.next(1) { sizes.insert(message.count) }
    #expect(sizes == [100])
    await link.close()
  }

  @Test func `A sender waits for a receiver that does not read`() async throws {
    let link = MemoryLink()
    await link.open()
    let total = 24 << 20
    let sent = Tally()
    let bytes = noise(1 << 18)
    let sender = Task {
      for _ in 0..<total / bytes.count {
        try await link.send(0, bytes)
        sent.add(bytes.count)
      }
      try await link.finish(0)
    }
    // Until nothing moves any more.
    var before = -1
    while sent.value != before || before == 0 {
      before = sent.value
      try await Task.sleep(for: .milliseconds(300))
    }
    #expect(before < 8 << 20, "\(before) bytes were taken though nobody reads")
    var received = 0
    while let chunk = try await link.next(1) {
      #expect(chunk.elementsEqual((0..<chunk.count).lazy.map { bytes[(received + $0) % bytes.count] }))
      received += chunk.count
    }
    #expect(received == total)
    try await sender.value
    await link.close()
  }

  @Test func `What was sent is received, though the sender goes as soon as it may`() async throws {
    let link = MemoryLink()
    await link.open()
    let bytes = noise(1_500_000)
    try await link.send(0, bytes)
    try await link.finish(0)
    await link.close(0)
    try await Task.sleep(for: .milliseconds(50))
    #expect(try await link.all(1) == bytes)
    await link.close()
  }

  @Test func `A peer that gives up is told apart from one that has finished`() async throws {
    let link = MemoryLink()
    await link.open()
    let bytes = noise(10_000)
    try await link.send(0, bytes)
    #expect(try await link.next(1) != nil)
    await link.close(0)
    await #expect(throws: DataChannelFailure.closedByPeer) { while try await link.next(1) != nil {} }
    await #expect(throws: DataChannelFailure.closedByPeer) { try await link.send(1, bytes) }
    await link.close()
  }

  @Test func `A peer that vanishes is given up`() async throws {
    let link = MemoryLink()
    await link.open(maximumRetransmissions: 3)
    try await link.send(0, noise(1000))
    _ = try await link.next(1)
    await link.cut()
    await #expect(throws: DataChannelFailure.sctp(.lost)) {
      while true { try await link.send(0, noise(100_000)) }
    }
    await link.close()
  }

  @Test func `A peer that was never there is given up`() async throws {
    let link = MemoryLink()
    await link.cut()
    await link.open(maximumRetransmissions: 1)
    await #expect(throws: DataChannelFailure.sctp(.lost)) { try await link.send(0, [1]) }
    await #expect(throws: DataChannelFailure.sctp(.lost)) { try await link.finish(1) }
    await link.close()
  }

  @Test func `A message of a megabyte is received in parts`() async throws {
    let link = MemoryLink()
    try await link.openToStranger()
    let bytes = noise(1 << 20)
    #expect(await link.say(DataChannelMessageTests.open, stream: 0, ppid: 50))
    #expect(await link.say(bytes, stream: 0, ppid: 53))
    #expect(await link.say([0], stream: 0, ppid: 57), "stands for nothing")
    #expect(await link.say([42], stream: 0, ppid: 51))
    await link.endStranger(0)
    #expect(try await link.all(1) == bytes + [42])
    await link.close()
  }

  static let unsuitable: [[(message: [UInt8], stream: UInt16, ppid: UInt32)]] = [
    // A channel that loses, one that mixes up, no message at all, one without end.
    [([0x03, 0x01, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0], 0, 50)],
    [([0x03, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], 0, 50)],
    [([0x17], 0, 50)],
    [([UInt8](repeating: 0x03, count: 500_000), 0, 50)],
    // Data of a kind that nobody knows; on two channels.
    [([1, 2, 3], 0, 99)],
    [([1, 2, 3], 0, 53), ([4, 5, 6], 2, 53)],
    // A channel opened twice, and one on the stream that this side has opened.
    [(DataChannelMessageTests.open, 0, 50), (DataChannelMessageTests.open, 0, 50)],
    [(DataChannelMessageTests.open, 1, 50)],
  ]

  @Test(arguments: unsuitable.indices)
  func `A peer that does not send a stream is refused`(index: Int) async throws {
    let link = MemoryLink()
    try await link.openToStranger()
    for (message, stream, ppid) in Self.unsuitable[index] {
      #expect(await link.say(message, stream: stream, ppid: ppid))
    }
    await #expect(throws: DataChannelFailure.unsuitable) { while try await link.next(1) != nil {} }
    await link.close()
  }

  @Test func `A channel may be opened again where one was closed`() async throws {
    let link = MemoryLink()
    try await link.openToStranger()
    #expect(await link.say(DataChannelMessageTests.open, stream: 2, ppid: 50))
    #expect(await link.say(DataChannelMessageTests.open, stream: 0, ppid: 50))
    #expect(await link.say([1, 2, 3], stream: 0, ppid: 53))
    await link.endStranger(2)
    #expect(try await link.next(1) == [1, 2, 3])
    await link.endStranger(0)
    #expect(try await link.next(1) == nil)
    await link.close()
  }

  @Test func `Whoever waits can be cancelled`() async throws {
    let link = MemoryLink()
    await link.open()
    let receiver = Task { try await link.next(0) }
    let sender = Task { while true { try await link.send(0, noise(1 << 20)) } }
    try await Task.sleep(for: .milliseconds(200))
    receiver.cancel()
    sender.cancel()
    await #expect(throws: CancellationError.self) { _ = try await receiver.value }
    await #expect(throws: CancellationError.self) { try await sender.value }
    await link.close()
  }

  /// Damaged packets have a right checksum, so that they are looked at.
  @Test(arguments: [11, 12, 13] as [UInt64])
  func `Hostile packets end an association at worst`(seed: UInt64) async throws {
    var random = Generator(seed: seed)
    for round in 0..<6 {
      let link = MemoryLink(.init(seed: seed))
      await link.open(maximumRetransmissions: 3)
      let sender = Task { try await link.send(0, noise(3_000_000)) }
      let receiver = Task { while try await link.next(1) != nil {} }
      for _ in 0..<600 {
        let recent = await link.recent
        var packet = recent.randomElement(using: &random) ?? noise(Int.random(in: 0...200, using: &random))
        switch Int.random(in: 0..<(round == 0 ? 1 : 4), using: &random) {
        case 0: packet = noise(Int.random(in: 0...1300, using: &random), seed: random.next())
        case 1: packet = Array(packet.prefix(Int.random(in: 0...packet.count, using: &random)))
        case 2: packet += noise(Int.random(in: 1...64, using: &random), seed: random.next())
        default: break
        }
        if packet.count > 12 {
          for _ in 0..<Int.random(in: 0...4, using: &random) {
            // The ports and the tag stay, or nothing would be looked at.
            let last = Bool.random(using: &random) ? min(packet.count, 40) : packet.count
            packet[Int.random(in: 12..<last, using: &random)] = UInt8.random(in: 0...255, using: &random)
          }
          if Bool.random(using: &random) { packet[12] = UInt8.random(in: 0...20, using: &random) }
          packet.replaceSubrange(8..<12, with: [0, 0, 0, 0])
          let sum = packet.withUnsafeMutableBytes { usrsctp_crc32c($0.baseAddress, $0.count) }
          withUnsafeBytes(of: sum) { packet.replaceSubrange(8..<12, with: $0) }
        }
        await link.inject(packet, to: 1)
      }
      sender.cancel()
      receiver.cancel()
      _ = await sender.result
      _ = await receiver.result
      await link.close()
    }
    // The stack lives on.
    let link = MemoryLink()
    await link.open()
    try await exchange(link, [noise(100_000), noise(1)])
    await link.close()
  }

  @Test(arguments: [(Duration.zero, 64), (.milliseconds(40), 16)])
  func `Throughput in memory, printed`(delay: Duration, megabytes: Int) async throws {
    let link = MemoryLink(.init(delay: delay))
    await link.open()
    let bytes = noise(1 << 20)
    let sender = Task {
      for _ in 0..<megabytes { try await link.send(0, bytes) }
      try await link.finish(0)
    }
    let start = SystemClock.now
    var count = 0
    while let chunk = try await link.next(1) { count += chunk.count }
    try await sender.value
    let seconds = (SystemClock.now - start) / .seconds(1)
    #expect(count == megabytes << 20)
    print("data channel in memory, one-way delay \(delay): \(Double(count) / 1e6 / seconds) MB/s")
    await link.close()
  }
}

private final class Tally: Sendable {
  private let box = Box()
  private final class Box: @unchecked Sendable {
    // Proof of Sendable: guarded by the lock.
    let lock = NSLock()
    var value = 0
  }
  func add(_ count: Int) { box.lock.withLock { box.value += count } }
  var value: Int { box.lock.withLock { box.value } }
}
