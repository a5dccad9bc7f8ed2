import MediaTime
import Testing

@testable import RTPCore

@Suite("A received stream counts its packets")
struct ReceiveStreamTests {
  static let starts: [UInt16] = SequenceNumberTests.starts

  private func stream(from start: UInt16) -> ReceiveStream {
    ReceiveStream(ssrc: 1, first: SequenceNumber(rawValue: start), clockRate: 48_000)
  }

  @Test(arguments: starts)
  func `Losses, duplicates and reordering are told apart across wraps`(start: UInt16) {
    var stream = stream(from: start)
    let first = stream.highest
    let number = SequenceNumber(rawValue: start)
    #expect(stream.received(number) == .duplicate)
    #expect(stream.received(number + 1) == .newest(first + 1))
    #expect(stream.received(number + 4) == .newest(first + 4))
    #expect(stream.received(number + 3) == .reordered(first + 3))
    #expect(stream.received(number + 3) == .duplicate)
    #expect(stream.received(number + 4) == .duplicate)
    #expect(stream.expectedCount == 5)
    #expect(stream.receivedCount == 7)
    #expect(stream.cumulativeLost == -2)
    #expect(stream.received(number + 200) == .newest(first + 200))
    #expect(stream.received(number + 100) == .reordered(first + 100))
    #expect(stream.received(number + 100) == .duplicate)
    #expect(stream.received(number + 99) == .suspect)
  }

  @Test(arguments: starts)
  func `A jump is believed when a second packet follows it`(start: UInt16) {
    var stream = stream(from: start)
    let number = SequenceNumber(rawValue: start)
    #expect(stream.received(number + 3000) == .suspect)
    #expect(stream.received(number + 1) == .newest(stream.highest))
    #expect(stream.received(number + 3001) == .suspect)
    #expect(stream.received(number + 20_000) == .suspect)
    #expect(stream.received(number + 20_001) == .restarted(ExtendedSequenceNumber(number + 20_001)))
    #expect(stream.received(number + 20_002) == .newest(ExtendedSequenceNumber(number + 20_001) + 1))
    #expect(stream.cumulativeLost == 0)
  }

  @Test func `A report tells the share lost since the last one`() {
    var stream = stream(from: 65_530)
    let now = Instant(nanoseconds: 5_000_000_000)
    for step in 1..<100 where step % 4 != 3 { _ = stream.received(SequenceNumber(rawValue: 65_530) + step) }
    stream.noteSenderReport(NTPTime(rawValue: 0x0000_1234_5678_0000), at: now - .milliseconds(500))
    var block = stream.makeReportBlock(at: now)
    #expect(block.cumulativeLost == 24)
    #expect(block.fractionLost == UInt8(24 * 256 / 99))
    #expect(block.extendedHighestSequenceNumber == 65_530 + 98)
    #expect(block.lastSenderReport == 0x1234_5678)
    #expect(block.delaySinceLastSenderReport == 32_768)
    for step in 99..<120 { _ = stream.received(SequenceNumber(rawValue: 65_530) + step) }
    block = stream.makeReportBlock(at: now)
    #expect(block.fractionLost == 0)
    #expect(block.cumulativeLost == 24)
    #expect(stream.makeReportBlock(at: now).fractionLost == 0)
  }

  @Test func `Jitter settles at the mean difference of transits`() {
    var stream = stream(from: 0)
    for step in 0..<2_000 {
      let late = Duration.milliseconds(step % 2 == 0 ? 0 : 10)
      stream.noteArrival(
        of: RTPTimestamp(rawValue: 0xFFFF_0000) + step * 960,
        at: Instant(nanoseconds: 0) + .milliseconds(20 * step) + late)
    }
    #expect(470...490 ~= stream.jitter)
  }

  @Test func `Even arrivals have no jitter, whatever the timestamps start at`() {
    var stream = stream(from: 0)
    for step in 0..<500 {
      stream.noteArrival(
        of: RTPTimestamp(rawValue: 0xFFFF_FF00) + step * 960,
        at: Instant(nanoseconds: 0) + .milliseconds(20 * step))
    }
    #expect(stream.jitter == 0)
  }

  @Test(arguments: starts)
  func `Where packets are sent again under their own numbers, they may come late`(start: UInt16) {
    var stream = ReceiveStream(
      ssrc: 1, first: SequenceNumber(rawValue: start), clockRate: videoClockRate, maximumMisorder: 1000)
    let (first, number) = (stream.highest, SequenceNumber(rawValue: start))
    #expect(stream.received(number + 1500) == .newest(first + 1500))
    for distance in [500, 501, 502, 1400, 1372, 1373] {
      #expect(stream.received(number + distance) == .reordered(first + distance))
    }
    #expect(stream.received(number + 1373) == .duplicate)
    #expect(stream.received(number + 499) == .suspect)
  }
}
