import MediaTime
import Testing

@testable import RTPCore

@Suite("The jitter buffer plays evenly what comes unevenly")
struct JitterBufferTests {
  /// Packets of 20 ms that are given to a buffer at chosen times, and what is played until then.
  struct Bench {
    var buffer = JitterBuffer()
    var now = Instant(nanoseconds: 1_000_000_000)
    var units: [PlayoutUnit] = []
    var firstTimestamp: UInt32 = 0xFFFF_F000

    /// Plays until `milliseconds` after the start.
    mutating func play(until milliseconds: Double) {
      let end = Instant(nanoseconds: 1_000_000_000 + Int64(milliseconds * 1e6))
      while let deadline = buffer.nextDeadline, deadline <= end {
        #expect(deadline >= now || units.isEmpty)
        now = max(now, deadline)
        while let unit = buffer.next(at: now) { units.append(unit) }
      }
      now = max(now, end)
    }

    mutating func insert(
      _ number: Int, at milliseconds: Double, position: Int? = nil, duration: Int = 960, isSilence: Bool = false
    ) {
      play(until: milliseconds)
      buffer.insert(
        JitterBuffer.Packet(
          sequenceNumber: ExtendedSequenceNumber(rawValue: Int64(number)),
          timestamp: RTPTimestamp(rawValue: firstTimestamp) + (position ?? number * 960), codec: .opus,
          payload: [UInt8(truncatingIfNeeded: number)], duration: duration, isSilence: isSilence),
        at: now)
    }

    /// What was played, one letter each: F frame, s skipped, L loss, R loss with the next frame at hand, S silence, X
    /// stretch.
    var pattern: String {
      String(
        units.map { unit -> Character in
          switch unit {
          case .frame: "F"
          case .skipped: "s"
          case .concealment(let concealment):
            switch concealment.cause {
            case .loss: concealment.nextPayload == nil ? "L" : "R"
            case .silence: "S"
            case .stretch: "X"
            }
          }
        })
    }

    var frames: [UInt8] {
      units.compactMap { if case .frame(let frame) = $0 { frame.payload[0] } else { nil } }
    }

    var playedDuration: Int {
      units.reduce(0) {
        switch $1 {
        case .frame(let frame): $0 + frame.duration
        case .skipped: $0
        case .concealment(let concealment): $0 + concealment.duration
        }
      }
    }
  }

  @Test func `Nothing is due before the first packet, and the first is played after the initial delay`() {
    var bench = Bench()
    #expect(bench.buffer.nextDeadline == nil)
    #expect(bench.buffer.next(at: bench.now) == nil)
    bench.insert(0, at: 0)
    #expect(bench.buffer.nextDeadline == bench.now + .milliseconds(60))
    bench.play(until: 59.9)
    #expect(bench.units.isEmpty)
    bench.play(until: 60)
    #expect(
      bench.units == [
        .frame(
          ReceivedAudioFrame(
            codec: .opus, payload: [0], position: 0, duration: 960, arrival: Instant(nanoseconds: 1_000_000_000)))
      ])
  }

  @Test func `Ticks stay on their grid however late they are served`() {
    var bench = Bench()
    for number in 0..<20 { bench.insert(number, at: Double(number) * 20) }
    let deadline = bench.buffer.nextDeadline!
    _ = bench.buffer.next(at: deadline + .milliseconds(13))
    #expect(bench.buffer.nextDeadline == deadline + .milliseconds(20))
  }

  @Test func `Packets in any order are played in order, across a wrap of the timestamp`() {
    var bench = Bench()
    for number in [0, 2, 1, 4, 3, 5, 7, 6] { bench.insert(number, at: Double(number / 2) * 40) }
    bench.play(until: 60 + 7 * 20)
    #expect(bench.frames == Array(0...7))
    #expect(bench.pattern == "FFFFFFFF")
  }

  @Test func `A lost frame is concealed from the one behind it`() {
    var bench = Bench()
    for number in [0, 1, 3, 4, 7, 8] { bench.insert(number, at: Double(number) * 20) }
    bench.play(until: 60 + 8 * 20)
    #expect(bench.pattern == "FFRFFLRFF")
    #expect(
      bench.units[2] == .concealment(Concealment(duration: 960, cause: .loss, nextPayload: [3])))
    #expect(bench.buffer.statistics.concealedSamples == 3 * 960)
  }

  @Test func `A packet that comes after its concealment is late when others have overtaken it`() {
    var bench = Bench()
    for number in [0, 1, 2, 4, 5, 6] { bench.insert(number, at: Double(number) * 20) }
    bench.insert(3, at: 130)
    bench.insert(3, at: 130)
    bench.play(until: 60 + 6 * 20)
    #expect(bench.pattern == "FFFRFFF")
    #expect(bench.buffer.statistics.latePackets == 2)
  }

  @Test func `A packet that comes twice is played once`() {
    var bench = Bench()
    for number in [0, 1, 1, 2, 0, 2] { bench.insert(number, at: 0) }
    bench.play(until: 100)
    #expect(bench.frames == [0, 1, 2])
  }

  @Test func `A stream that falls behind is played later, and comes nearer again`() {
    var bench = Bench()
    for number in 0..<50 { bench.insert(number, at: Double(number) * 20) }
    for number in 50..<60 { bench.insert(number, at: 1199) }
    for number in 60..<1500 { bench.insert(number, at: Double(number) * 20) }
    #expect(bench.pattern.count { $0 == "L" } == 7, "the ticks from 1060, when frame 50 was due, to 1180")
    #expect(bench.buffer.statistics.insertedSamples == 7 * 960)
    #expect(bench.frames.count + bench.pattern.count { $0 == "s" } >= 1490, "none was lost")
    #expect(bench.buffer.statistics.latePackets == 0)
    #expect(bench.buffer.statistics.delay <= .milliseconds(80), "the delay came down again")
  }

  @Test func `A burst far beyond the longest delay is cut`() {
    var bench = Bench()
    for number in 0..<50 { bench.insert(number, at: Double(number) * 20) }
    for number in 50..<95 { bench.insert(number, at: 1900) }
    for number in 95..<200 { bench.insert(number, at: Double(number) * 20) }
    #expect(bench.buffer.statistics.delay <= .milliseconds(500))
    #expect(bench.frames.last ?? 0 > 160)
  }

  @Test func `Frames of every duration fill the time exactly`() {
    for duration in [120, 240, 480, 960, 1920, 2880, 3840, 5760] {
      var bench = Bench()
      for number in 0...(900 * 48 / duration) {
        bench.insert(number, at: Double(number * duration) / 48, position: number * duration, duration: duration)
      }
      bench.play(until: 940)
      #expect(bench.pattern.allSatisfy { $0 == "F" }, "\(duration): \(bench.pattern)")
      #expect(bench.playedDuration - 45 * 960 < duration, "\(duration): \(bench.playedDuration)")
      #expect(bench.playedDuration >= 45 * 960)
    }
  }

  @Test func `What the sender leaves out is silence, not loss`() {
    var bench = Bench()
    for number in 0..<10 { bench.insert(number, at: Double(number) * 20) }
    bench.insert(10, at: 200, isSilence: true)
    for number in 11..<20 { bench.insert(number, at: Double(number) * 20 + 400, position: number * 960 + 20 * 960) }
    bench.play(until: 60 + 39 * 20)
    let runs = bench.pattern.split(separator: "S")
    #expect(runs.map(\.count) == [11, 9])
    #expect(bench.buffer.statistics.concealedSamples == 0)
    #expect(abs(bench.buffer.statistics.silentSamples - 20 * 960) <= 2 * 960)
  }

  @Test func `A pause without a word counts as silence when it is over`() {
    var bench = Bench()
    for number in 0..<10 { bench.insert(number, at: Double(number) * 20) }
    bench.play(until: 500)
    #expect(bench.buffer.statistics.concealedSamples > 0)
    bench.insert(10, at: 600, position: 30 * 960)
    bench.play(until: 660)
    #expect(bench.buffer.statistics.concealedSamples == 0)
    #expect(bench.frames.last == 10)
  }

  @Test func `Timestamps that jump start playout anew after the target delay`() {
    for jump in [5_000_000, -5_000_000] {
      var bench = Bench()
      for number in 0..<50 { bench.insert(number, at: Double(number) * 20) }
      for number in 50..<100 { bench.insert(number, at: Double(number) * 20, position: number * 960 + jump) }
      bench.play(until: 60 + 99 * 20)
      #expect(bench.buffer.statistics.resynchronizations == 1)
      #expect(bench.frames.suffix(45) == ArraySlice((55..<100).map { UInt8($0) }))
      let positions = bench.units.compactMap { if case .frame(let frame) = $0 { frame.position } else { nil } }
      #expect(positions == positions.sorted(), "positions go on")
      #expect(positions.last! < 110 * 960)
    }
  }

  @Test func `A stream that is drained stops, and a new one starts the clock again`() {
    var bench = Bench()
    for number in 0..<10 { bench.insert(number, at: Double(number) * 20) }
    bench.buffer.drain()
    bench.play(until: 1000)
    #expect(bench.pattern == "FFFFFFFFFF")
    #expect(bench.buffer.nextDeadline == nil)
    bench.buffer.restart()
    bench.insert(5000, at: 2000)
    bench.play(until: 2079)
    #expect(bench.frames.last == UInt8(truncatingIfNeeded: 5000))
    guard case .frame(let frame) = bench.units.last else {
      Issue.record("the new stream's frame is played")
      return
    }
    #expect(97...104 ~= frame.position / 960, "the time between is counted")
  }

  @Test func `A buffer that was held up drops what is over`() {
    var bench = Bench()
    for number in 0..<10 { bench.insert(number, at: Double(number) * 20) }
    bench.now = bench.now + .seconds(3600)
    while let unit = bench.buffer.next(at: bench.now) { bench.units.append(unit) }
    #expect(bench.units.count < 40)
    #expect(bench.buffer.nextDeadline! > bench.now)
  }

  @Test func `At most the capacity waits`() {
    var bench = Bench()
    for number in 0..<300 { bench.insert(number, at: 0, position: number * 120, duration: 120) }
    #expect(bench.buffer.statistics.discardedPackets == 300 - 256)
  }

  @Test(arguments: [1, 2, 3, 4] as [UInt64])
  func `No packets whatever trap it or make it play more than the time that passes`(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    var bench = Bench()
    var number = 0
    var position = 0
    var time = 0.0
    for _ in 0..<5_000 {
      number += Int.random(in: -3...6, using: &generator)
      position +=
        Int.random(in: 0..<50, using: &generator) == 0
        ? Int.random(in: -3_000_000_000...3_000_000_000, using: &generator)
        : Int.random(in: -1000...3000, using: &generator)
      time += Double.random(in: 0...40, using: &generator)
      bench.insert(
        number, at: time, position: position, duration: 120 * Int.random(in: 1...48, using: &generator),
        isSilence: Bool.random(using: &generator))
      if Int.random(in: 0..<500, using: &generator) == 0 { bench.buffer.restart() }
      if Int.random(in: 0..<500, using: &generator) == 0 { bench.buffer.drain() }
    }
    #expect(bench.playedDuration <= Int(time * 48) + 5760)
    #expect(bench.buffer.statistics.concealedSamples >= 0)
    #expect(bench.buffer.statistics.delay <= .seconds(2))
  }
}
