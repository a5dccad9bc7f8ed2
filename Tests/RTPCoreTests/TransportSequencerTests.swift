import MediaTime
import Testing

@testable import RTPCore

private let start = Instant(nanoseconds: 1_000_000_000)

private func at(_ milliseconds: Int) -> Instant { start + .milliseconds(milliseconds) }

@Suite("Transport-wide numbers and arrivals")
struct TransportSequencerTests {
  /// Through the bytes.
  static func results(
    _ sequencer: inout TransportSequencer, _ log: inout TransportArrivalLog
  ) throws -> [PacketResult] {
    try log.feedback().flatMap { message in
      sequencer.results(of: try TransportFeedback(parsing: message.information.span))
    }
  }

  @Test(arguments: SequenceNumberTests.starts)
  func `Arrivals and losses come back to the sender, across wraps and messages`(first: UInt16) throws {
    var generator = SeededGenerator(seed: UInt64(first))
    var sequencer = TransportSequencer(initialSequenceNumber: SequenceNumber(rawValue: first))
    var log = TransportArrivalLog()
    // Just before the reference time's 24 bits wrap.
    let clockOffset = Duration.milliseconds(64 << 24) - .seconds(5)
    var expected: [PacketResult] = []
    var results: [PacketResult] = []
    for index in 0..<2000 {
      let sentAt = at(index * 5)
      let number = sequencer.register(size: index, at: sentAt)
      if let deadline = log.nextDeadline, deadline <= sentAt + clockOffset {
        results += try Self.results(&sequencer, &log)
      }
      let isLost = index > 0 && index < 1999 && Int.random(in: 0..<10, using: &generator) == 0
      let arrival = sentAt + clockOffset + .milliseconds(40)
      if !isLost { log.received(number, at: arrival) }
      expected.append(
        PacketResult(sentAt: sentAt, size: index, arrival: isLost ? nil : .nanoseconds(arrival.nanoseconds)))
    }
    results += try Self.results(&sequencer, &log)
    #expect(results.map(\.size) == expected.map(\.size))
    #expect(results.map { $0.arrival == nil } == expected.map { $0.arrival == nil })
    // The receiver's zero is unknown; the distances are right.
    let zero = try #require(results.first?.arrival)
    let trueZero = try #require(expected.first?.arrival)
    #expect(results.map { $0.arrival.map { $0 - zero } } == expected.map { $0.arrival.map { $0 - trueZero } })
  }

  @Test func `A late packet is told after it was told as lost; a duplicate is not`() throws {
    var sequencer = TransportSequencer()
    var log = TransportArrivalLog()
    let numbers = (0..<4).map { sequencer.register(size: $0, at: at($0)) }
    for index in [0, 2, 2] { log.received(numbers[index], at: at(50 + index)) }
    let first = try Self.results(&sequencer, &log)
    #expect(first.map(\.size) == [0, 1, 2])
    #expect(first.map { $0.arrival == nil } == [false, true, false])
    for index in [3, 1, 2] { log.received(numbers[index], at: at(60 + index)) }
    let second = try Self.results(&sequencer, &log)
    #expect(second.map(\.size) == [1, 3])
    #expect(second.allSatisfy { $0.arrival != nil })
  }

  @Test func `A packet is stamped where its header extension has room`() throws {
    var sequencer = TransportSequencer(initialSequenceNumber: SequenceNumber(rawValue: 0xFFFF))
    let header = RTPHeader(
      marker: false, payloadType: 96, sequenceNumber: SequenceNumber(rawValue: 1),
      timestamp: RTPTimestamp(rawValue: 2), ssrc: 3)
    var packet: [UInt8] = []
    header.write(
      extensionElements: [.init(identifier: 4, value: [9, 9, 9]), .init(identifier: 5, value: [0, 0])], to: &packet)
    let plain = packet
    for expected in [[0xFF, 0xFF], [0, 0], [0, 1]] as [[UInt8]] {
      #expect(sequencer.stamp(&packet, identifier: 5, at: start) == true)
      #expect(packet.count == plain.count)
      #expect(Array(packet[21..<23]) == expected)
    }
    var other = plain
    #expect(sequencer.stamp(&other, identifier: 4, at: start) == false)
    #expect(sequencer.stamp(&other, identifier: 6, at: start) == false)
    #expect(other == plain)
  }

  @Test func `Numbers that leap, repeat and go back neither stop the log nor make it grow`() throws {
    var generator = SeededGenerator(seed: 5)
    var log = TransportArrivalLog()
    for step in 0..<50_000 {
      log.received(SequenceNumber(rawValue: .random(in: 0...65_535, using: &generator)), at: at(step * 100))
      guard step % 10_000 == 0 else { continue }
      for message in log.feedback() {
        #expect(message.deltas.count <= 400)
        #expect(try TransportFeedback(parsing: message.information.span) == message)
      }
    }
    #expect(log.feedback().count <= 4096)
  }

  @Test(arguments: SequenceNumberTests.starts)
  func `Reports may be 4096 packets behind, and no more`(first: UInt16) {
    var sequencer = TransportSequencer(initialSequenceNumber: SequenceNumber(rawValue: first))
    for index in 0..<4097 { _ = sequencer.register(size: index, at: at(index)) }
    let feedback = TransportFeedback(
      baseSequenceNumber: SequenceNumber(rawValue: first), referenceTime: 0, feedbackPacketCount: 0,
      deltas: Array(repeating: 1, count: 4097))
    #expect(sequencer.results(of: feedback).map(\.size) == Array(1...4096))
  }

  @Test func `Reports on packets never sent tell nothing`() {
    var sequencer = TransportSequencer()
    _ = sequencer.register(size: 1, at: start)
    let feedback = TransportFeedback(
      baseSequenceNumber: SequenceNumber(rawValue: 30_000), referenceTime: 0, feedbackPacketCount: 0,
      deltas: Array(repeating: 1, count: 8192))
    #expect(sequencer.results(of: feedback) == [])
  }
}
