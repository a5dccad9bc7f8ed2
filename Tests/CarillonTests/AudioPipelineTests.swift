import MediaCodecs
import MediaTime
import Synchronization
import Testing

@testable import Carillon
@testable import RTPCore

@Suite(.timeLimit(.minutes(1))) struct AudioPipelineTests {
  private let start = Instant(nanoseconds: 5_000_000_000)

  private func pipeline(
    _ offer: MediaOffer, _ timeline: SharedTimeline = SharedTimeline(),
    warn: @escaping @Sendable (CallError) -> Void = { _ in }
  ) -> AudioPipeline {
    AudioPipeline(
      offer, AudioPipeline.Encoding(sends: true, receives: true, stereo: false, bitsPerSecond: 32_000),
      on: CodecThread(name: "test"), timeline: timeline, warn: warn)
  }

  private func unit(_ index: Int) -> PlayoutUnit {
    .frame(
      ReceivedAudioFrame(
        codec: .opus, payload: [0xF8, 0xFF, 0xFE], position: Int64(index) * 960 + 4_800, duration: 960,
        arrival: start + .milliseconds(20 * index)))
  }

  @Test func `packets are kept with the time that pictures share, and the sink is left open`() async {
    let (reel, ear, timeline) = (Reel(), Ear(), SharedTimeline())
    let began = SystemClock.now
    let pipeline = pipeline(MediaOffer(audioSink: ear, encodedSink: reel), timeline)
    for index in [0, 1, 2, 5] { pipeline.play(unit(index)) }
    await pipeline.finish()
    #expect(reel.entries.map(\.time) == [0, 20, 40, 100].map { .milliseconds($0) })
    #expect(reel.entries.allSatisfy { $0.bytes == [0xF8, 0xFF, 0xFE] && !$0.isVideo })
    #expect(reel.finishes == 0)
    #expect(ear.isFinished)
    // What is heard is known: a picture of a moment to come waits.
    #expect(timeline.playout(of: .seconds(60), now: began) > began)
  }

  @Test func `a sink for pictures only gets no sound`() async {
    let reel = Reel(kinds: [.video])
    let pipeline = pipeline(MediaOffer(encodedSink: reel))
    pipeline.play(unit(0))
    await pipeline.finish()
    #expect(reel.writes == 0)
  }

  @Test func `a sink that fails is told of once`() async {
    let reel = Reel(failsAfter: 1)
    let counter = Counter()
    let pipeline = pipeline(MediaOffer(encodedSink: reel)) { _ in counter.increment() }
    for index in 0..<4 { pipeline.play(unit(index)) }
    await pipeline.finish()
    #expect(reel.writes == 2)
    #expect(counter.value == 1)
  }

  @Test func `frames tell how loud they are`() async throws {
    let box = Box()
    let pipeline = pipeline(MediaOffer(audio: Tone(440)))
    try await pipeline.start { box.append($0.level) }
    while box.levels.count < 3 { try await Task.sleep(for: .milliseconds(2)) }
    await pipeline.finish()
    // A sine of 10 000: 20 log10(10000 / 32768 / √2) = −13.3.
    #expect(box.levels.allSatisfy { $0 == -13 })
  }
}

private final class Counter: Sendable {
  private let count = Atomic(0)
  var value: Int { count.load(ordering: .sequentiallyConsistent) }
  func increment() { count.add(1, ordering: .sequentiallyConsistent) }
}

private final class Box: Sendable {
  private let state = Mutex<[Int?]>([])
  var levels: [Int?] { state.withLock { $0 } }
  func append(_ level: Int?) { state.withLock { $0.append(level) } }
}
