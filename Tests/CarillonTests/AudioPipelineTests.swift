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

  private func pipeline(_ codec: AudioCodec, packets duration: Duration, _ offer: MediaOffer) -> AudioPipeline {
    let encoding = AudioPipeline.Encoding(
      codec: codec, sends: true, receives: true, stereo: false, bitsPerSecond: 64_000, packetDuration: duration)
    return AudioPipeline(
      offer, encoding, on: CodecThread(name: "test"), timeline: SharedTimeline(), warn: { _ in })
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

  @Test(arguments: [AudioCodec.pcmu, .pcma, .g722], [10, 20, 30, 40, 60])
  func `the telephone's codecs go in packets of the length that the peer wants`(
    codec: AudioCodec, milliseconds: Int
  ) async throws {
    let sent = Log<EncodedAudioFrame>()
    // A stereo source is mixed down.
    let offer = MediaOffer(audio: Tone(440, channelCount: 2))
    let pipeline = pipeline(codec, packets: .milliseconds(milliseconds), offer)
    try await pipeline.start { sent.append($0) }
    try await until { sent.entries.count >= 6 }
    await pipeline.finish()
    let size = milliseconds * 8
    #expect(sent.entries.allSatisfy { $0.payload.count == size && $0.duration == size && $0.level == -13 })
    // A tick that came too late leaves out what was not captured.
    let steps = zip(sent.entries, sent.entries.dropFirst()).map { $1.position - $0.position }
    #expect(steps.allSatisfy { $0 >= size && ($0 - Int64(size)) % 160 == 0 } && steps.contains(Int64(size)))
  }

  @Test func `the codec may change with any packet, and what is missing is filled in`() async throws {
    let ear = Ear()
    let pipeline = pipeline(.pcmu, packets: .milliseconds(20), MediaOffer(audio: Tone(440), audioSink: ear))
    let sent = Log<EncodedAudioFrame>()
    try await pipeline.start { sent.append($0) }
    try await until { sent.entries.count >= 20 }
    let gap = PlayoutUnit.concealment(.init(duration: 960, cause: .loss, nextPayload: [0xF8, 0xFF, 0xFE]))
    pipeline.play(gap)
    for (index, frame) in sent.entries.prefix(20).enumerated() {
      if index == 10 { pipeline.play(unit(index)) }
      pipeline.play(
        .frame(
          ReceivedAudioFrame(
            codec: .pcmu, payload: frame.payload, position: Int64(index) * 960, duration: 960, arrival: start)))
    }
    pipeline.play(gap)
    await pipeline.finish()
    #expect(ear.count == 23 * 960)
    #expect(ear.strongest(of: [220, 440, 880]) == 440)
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
