import MediaCodecs
import MediaTime
import Testing

@testable import Carillon

@Suite struct VideoPlayoutQueueTests {
  private let now = Instant(nanoseconds: 1_000_000_000)

  private func picture(_ index: Int, _ size: VideoSize = VideoSize(width: 16, height: 16)) -> VideoFrame {
    Slides.slide(index, size: size, timestamp: .seconds(index))
  }

  private func shown(_ queue: inout VideoPlayoutQueue, at now: Instant) -> [Duration] {
    var times: [Duration] = []
    while let picture = queue.next(at: now) { times.append(picture.timestamp) }
    return times
  }

  @Test func `pictures come when they are due, and never before the one in front`() {
    var queue = VideoPlayoutQueue()
    #expect(queue.nextDeadline == nil)
    queue.append(picture(0), due: now + .milliseconds(20))
    queue.append(picture(1), due: now + .milliseconds(10))
    queue.append(picture(2), due: now + .milliseconds(30))
    #expect(queue.nextDeadline == now + .milliseconds(20))
    #expect(shown(&queue, at: now + .milliseconds(19)) == [])
    #expect(shown(&queue, at: now + .milliseconds(20)) == [.seconds(0), .seconds(1)])
    #expect(shown(&queue, at: now + .milliseconds(30)) == [.seconds(2)])
  }

  @Test func `where there are too many, the oldest is shown at once`() {
    var queue = VideoPlayoutQueue()
    for index in 0..<VideoPlayoutQueue.limit + 3 { queue.append(picture(index), due: now + .seconds(1)) }
    #expect(shown(&queue, at: now) == [.seconds(0), .seconds(1), .seconds(2)])
    #expect(shown(&queue, at: now + .seconds(1)).count == VideoPlayoutQueue.limit)
  }

  @Test func `large pictures are fewer`() {
    var queue = VideoPlayoutQueue()
    // A third of the bound each.
    let size = VideoSize(width: 4_096, height: VideoPlayoutQueue.pixelLimit / 3 / 4_096)
    for index in 0..<4 { queue.append(picture(index, size), due: now + .seconds(1)) }
    #expect(shown(&queue, at: now) == [.seconds(0)])
  }
}
