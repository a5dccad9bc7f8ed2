import MediaTime
import Testing

@testable import RTPCore

private let start = Instant(nanoseconds: 1_000_000_000)

/// A sender that does as the estimate says, over a path.
private struct EstimatedCall {
  struct Sample {
    var time: Instant
    var estimate: Int
  }

  var estimator: BandwidthEstimator
  var path: TestLink<(number: SequenceNumber, size: Int)>
  /// When each packet was sent, and its size.
  var departures: [(time: Instant, size: Int)] = []
  var samples: [Sample] = []
  private(set) var now = start

  private var back: TestLink<TransportFeedback>
  private var sequencer = TransportSequencer(initialSequenceNumber: SequenceNumber(rawValue: 65_000))
  private var log = TransportArrivalLog()
  private var pacer: Pacer<Int>
  private var generator: SeededGenerator
  private var nextFrame = start

  init(seed: UInt64, initial: Int) {
    estimator = BandwidthEstimator(configuration: .init(initialBitsPerSecond: initial))
    path = TestLink(seed: seed)
    back = TestLink(seed: seed + 1)
    pacer = Pacer(bitsPerSecond: initial)
    generator = SeededGenerator(seed: seed + 2)
  }

  mutating func run(for duration: Duration) {
    let end = now + duration
    while now < end {
      for packet in path.arrived(at: now) { log.received(packet.number, at: now) }
      if let deadline = log.nextDeadline, deadline <= now {
        for message in log.feedback() { back.send(message, size: 60, at: now) }
      }
      for message in back.arrived(at: now) { estimator.received(sequencer.results(of: message), at: now) }
      pacer.bitsPerSecond = estimator.bitsPerSecond
      if nextFrame <= now {
        sendFrame()
        samples.append(Sample(time: now, estimate: estimator.bitsPerSecond))
        nextFrame = nextFrame + .microseconds(33_333)
      }
      while let size = pacer.next(at: now) {
        path.send((sequencer.register(size: size, at: now), size), size: size, at: now)
        departures.append((now, size))
      }
      now = now + .milliseconds(1)
    }
  }

  private mutating func sendFrame() {
    let size = Double(estimator.bitsPerSecond) / 8 / 30 * Double.random(in: 0.7...1.3, using: &generator)
    let frame = FramePieces(of: Int(size), limit: 1200).map { (packet: $0.count, size: $0.count) }
    pacer.enqueue(frame: frame, isKeyFrame: pacer.needsKeyFrame)
  }

  func sentBitsPerSecond(since time: Instant) -> Double {
    Double(departures.filter { $0.time >= time }.reduce(0) { $0 + $1.size } * 8) / (now - time).inSeconds
  }
}

@Suite("The bandwidth is estimated")
struct BandwidthEstimatorTests {
  @Test(arguments: [(1, 300_000), (2, 1_000_000), (3, 2_500_000)] as [(UInt64, Int)])
  func `Before a bottleneck of 600 kbit/s it settles below that within 10 s, with little loss after`(
    seed: UInt64, initial: Int
  ) {
    var call = EstimatedCall(seed: seed, initial: initial)
    call.path.bitsPerSecond = 600_000
    call.path.jitter = .milliseconds(8)
    call.run(for: .seconds(10))
    let lost = call.path.lost
    let sent = call.path.sent
    let settled = call.now
    call.run(for: .seconds(20))
    let rate = call.sentBitsPerSecond(since: settled)
    #expect(rate < 600_000)
    #expect(rate > 300_000)
    #expect(Double(call.path.lost - lost) < 0.05 * Double(call.path.sent - sent))
    let late = call.samples.filter { $0.time >= settled }
    #expect(late.count { $0.estimate > 600_000 } < late.count / 4)
    #expect(late.allSatisfy { $0.estimate < 800_000 })
  }

  @Test func `Without a bottleneck it rises to the most that is wanted`() {
    var call = EstimatedCall(seed: 4, initial: 300_000)
    call.run(for: .seconds(40))
    #expect(call.estimator.bitsPerSecond == 2_500_000)
  }

  @Test func `It follows a path that becomes narrower and wider again`() {
    var call = EstimatedCall(seed: 5, initial: 1_000_000)
    call.path.bitsPerSecond = 2_000_000
    call.run(for: .seconds(15))
    #expect(call.estimator.bitsPerSecond > 900_000)
    call.path.bitsPerSecond = 500_000
    call.run(for: .seconds(15))
    #expect(call.estimator.bitsPerSecond < 600_000)
    let narrow = call.estimator.bitsPerSecond
    call.path.bitsPerSecond = 2_000_000
    call.run(for: .seconds(30))
    #expect(call.estimator.bitsPerSecond > narrow + 300_000)
  }

  @Test func `Small loss is no congestion, heavy loss is`() {
    var light = EstimatedCall(seed: 6, initial: 300_000)
    light.path.loss = 0.01
    light.run(for: .seconds(20))
    #expect(light.estimator.bitsPerSecond > 600_000)
    var heavy = EstimatedCall(seed: 7, initial: 1_000_000)
    heavy.path.loss = 0.3
    heavy.run(for: .seconds(20))
    #expect(heavy.estimator.bitsPerSecond < 300_000)
  }

  @Test func `The peer's limit holds, and the least and the most`() {
    var estimator = BandwidthEstimator()
    estimator.remoteLimit = 100_000
    #expect(estimator.bitsPerSecond == 100_000)
    estimator.remoteLimit = 1
    #expect(estimator.bitsPerSecond == 30_000)
    estimator.remoteLimit = .max
    #expect(estimator.bitsPerSecond == 300_000)
  }

  @Test func `Arrivals that make no sense move the estimate within its range only`() {
    var generator = SeededGenerator(seed: 8)
    var estimator = BandwidthEstimator()
    for step in 0..<5000 {
      let now = start + .milliseconds(step * 50)
      let results = (0..<20).map { index in
        let age = Duration.milliseconds(Int64.random(in: 0...1000, using: &generator))
        let arrival = Duration.milliseconds(Int64.random(in: -1_000_000...1_000_000_000, using: &generator))
        return PacketResult(sentAt: now - age, size: 1200, arrival: index % 3 == 0 ? nil : arrival)
      }
      estimator.received(results, at: now)
      #expect(30_000...2_500_000 ~= estimator.bitsPerSecond)
    }
  }
}

@Suite("Packets are paced")
struct PacerTests {
  static func frame(_ number: Int, packets: Int = 4) -> [(packet: Int, size: Int)] {
    (0..<packets).map { (number * 100 + $0, 1000) }
  }

  @Test func `A frame leaves at a multiple of the target, retransmissions first`() {
    // 1000 bytes each 4 ms.
    var pacer = Pacer<Int>(bitsPerSecond: 800_000, configuration: .init(burst: .zero))
    #expect(pacer.nextDeadline == nil)
    pacer.enqueue(frame: Self.frame(1), isKeyFrame: true)
    var left: [[Int]] = []
    for time in 0..<30 {
      if time == 5 { pacer.enqueue(retransmission: 7, size: 1000) }
      while let packet = pacer.next(at: start + .milliseconds(time)) { left.append([time, packet]) }
    }
    #expect(left == [[0, 100], [4, 101], [8, 7], [12, 102], [16, 103]])
    #expect(pacer.queuedSize == 0)
  }

  @Test func `Overflow drops whole frames up to the next key frame, but ends the one that is begun`() {
    var pacer = Pacer<Int>(bitsPerSecond: 80_000, configuration: .init(factor: 1))
    pacer.enqueue(frame: Self.frame(1), isKeyFrame: true)
    #expect(pacer.next(at: start) == 100)
    for number in 2...3 { #expect(pacer.enqueue(frame: Self.frame(number), isKeyFrame: false) == true) }
    #expect(pacer.queueTime == .milliseconds(1100))
    #expect(pacer.enqueue(frame: Self.frame(4), isKeyFrame: false) == false)
    #expect(pacer.needsKeyFrame)
    #expect(pacer.enqueue(frame: Self.frame(5), isKeyFrame: false) == false)
    #expect(pacer.enqueue(frame: Self.frame(6), isKeyFrame: true) == true)
    #expect(!pacer.needsKeyFrame)
    var left: [Int] = []
    for time in 0..<2000 {
      while let packet = pacer.next(at: start + .milliseconds(time)) { left.append(packet) }
    }
    #expect(left == [101, 102, 103, 600, 601, 602, 603])
    #expect(pacer.statistics.framesDropped == 4)
    #expect(pacer.queuedSize == 0)
  }

  @Test func `However much is given, what waits is bounded`() {
    var pacer = Pacer<Int>(bitsPerSecond: 80_000)
    for number in 0..<10_000 {
      pacer.enqueue(frame: Self.frame(number), isKeyFrame: number % 100 == 0)
      pacer.enqueue(retransmission: number, size: 1000)
      #expect(pacer.queuedSize < 300_000)
    }
    #expect(pacer.statistics.retransmissionsDropped == 10_000 - 256)
  }
}
