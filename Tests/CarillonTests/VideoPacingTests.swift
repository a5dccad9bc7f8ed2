import MediaTime
import Testing

@testable import Carillon

@Suite struct VideoPacingTests {
  private let start = Instant(nanoseconds: 1_000_000_000)

  private func pacing(_ framesPerSecond: Int = 25, limit: Int? = nil) -> VideoPacing {
    VideoPacing(start: start, framesPerSecond: framesPerSecond, limit: limit)
  }

  private func at(_ milliseconds: Int) -> Instant { start + .milliseconds(milliseconds) }

  @Test func `a picture that is early is held until its time`() {
    var pacing = pacing()
    #expect(pacing.judge(.milliseconds(40), at: at(10), readingSince: at(10)) == .early(due: at(40)))
    #expect(pacing.judge(.milliseconds(40), at: at(40), readingSince: at(40)) == .due(at(40)))
  }

  @Test func `the next picture is due by the last interval`() {
    var pacing = pacing()
    #expect(pacing.judge(.zero, at: at(0), readingSince: at(0)) == .due(at(0)))
    #expect(pacing.nextDue == at(40))
    #expect(pacing.judge(.milliseconds(100), at: at(110), readingSince: at(110)) == .due(at(100)))
    #expect(pacing.nextDue == at(200))
  }

  @Test func `after a hold-up, what is late is left out until the present`() {
    var pacing = pacing()
    _ = pacing.judge(.zero, at: at(0), readingSince: at(0))
    let verdicts = (1...10).map { pacing.judge(.milliseconds($0 * 40), at: at(400), readingSince: at(400)) }
    #expect(verdicts == Array(repeating: .late, count: 8) + [.due(at(360)), .due(at(400))])
  }

  @Test func `a source that cannot keep up is seen all the same`() {
    var pacing = pacing()
    _ = pacing.judge(.zero, at: at(0), readingSince: at(0))
    // Each picture takes 100 ms to read.
    let verdicts = (1...3).map { index in
      pacing.judge(.milliseconds(index * 40), at: at(1_000 + index * 100), readingSince: at(1_000))
    }
    #expect(verdicts == [.late, .late, .due(at(120))])
  }

  @Test func `time that does not go forward is waited out`() {
    var pacing = pacing()
    #expect(pacing.judge(.milliseconds(-1), at: at(5), readingSince: at(5)) == .surplus(next: at(45)))
    #expect(pacing.judge(.zero, at: at(50), readingSince: at(50)) == .late)
    #expect(pacing.judge(.zero, at: at(50), readingSince: at(50)) == .surplus(next: at(90)))
  }

  @Test func `a picture of the end of time is safe`() {
    var pacing = pacing()
    let end = Duration.seconds(Int64.max)
    #expect(pacing.judge(end, at: at(0), readingSince: at(0)) == .early(due: start + VideoPacing.horizon))
  }

  @Test(arguments: [(60, 30, 30), (50, 30, 30), (25, 30, 25), (30, 7, 7), (120, 1, 1), (30, 0, 1)])
  func `the peer gets no more pictures a second than it takes, evenly`(rate: Int, limit: Int, expected: Int) {
    var pacing = pacing(rate, limit: limit)
    var sent: [Instant] = []
    for index in 0..<rate * 10 {
      let timestamp = Duration.seconds(1) * index / rate
      if case .due(let due) = pacing.judge(timestamp, at: start + timestamp, readingSince: start) { sent.append(due) }
    }
    #expect(abs(sent.count - expected * 10) <= 1)
    let gaps = zip(sent, sent.dropFirst()).map { ($1 - $0).inSeconds }
    #expect((gaps.max() ?? 0) - (gaps.min() ?? 0) < 1 / Double(rate) + 0.001)
  }

  @Test func `a gap is not made up for`() {
    var pacing = pacing(100, limit: 20)
    let times = [0, 500, 510, 520, 530, 540, 550].filter { time in
      pacing.judge(.milliseconds(time), at: at(time), readingSince: at(time)) == .due(at(time))
    }
    #expect(times == [0, 500, 530])
  }
}
