import Carillon
import Foundation
import Synchronization

/// A sine, for ever.
final class Tone: AudioSource {
  let channelCount: Int
  private let frequency: Double
  private let position = Mutex(0)

  init(_ frequency: Double, channelCount: Int = 1) {
    self.frequency = frequency
    self.channelCount = channelCount
  }

  func read(into samples: inout MutableSpan<Int16>) -> Int {
    position.withLock { position in
      let frames = samples.count / channelCount
      for frame in 0..<frames {
        let value = Int16(10_000 * sin(2 * .pi * frequency * Double(position + frame) / 48_000))
        for channel in 0..<channelCount { samples[frame * channelCount + channel] = value }
      }
      position += frames
      return frames
    }
  }
}

/// Keeps what it hears, all channels of it.
final class Ear: AudioSink {
  private struct State {
    var samples: [Int16] = []
    var channelCount = 1
    var isFinished = false
  }

  private let state = Mutex(State())

  func write(_ samples: Span<Int16>, channelCount: Int) {
    state.withLock { state in
      state.channelCount = channelCount
      for index in samples.indices { state.samples.append(samples[index]) }
    }
  }

  func finish() { state.withLock { $0.isFinished = true } }

  var count: Int { state.withLock { $0.samples.count } }
  var isFinished: Bool { state.withLock { $0.isFinished } }

  func last(_ count: Int) -> [Int16] { state.withLock { Array($0.samples.suffix(count)) } }

  /// Which of these frequencies the last half second holds most of.
  func strongest(of frequencies: [Double]) -> Double? {
    let (samples, channels) = state.withLock { ($0.samples, $0.channelCount) }
    let mono = stride(from: 0, to: samples.count, by: channels).map { Double(samples[$0]) }.suffix(24_000)
    guard !mono.isEmpty, mono.contains(where: { abs($0) > 1000 }) else { return nil }
    return frequencies.max { power(of: $0, in: mono) < power(of: $1, in: mono) }
  }

  /// Goertzel's algorithm.
  private func power(of frequency: Double, in samples: ArraySlice<Double>) -> Double {
    let coefficient = 2 * cos(2 * .pi * frequency / 48_000)
    var (previous, beforePrevious) = (0.0, 0.0)
    for sample in samples { (previous, beforePrevious) = (sample + coefficient * previous - beforePrevious, previous) }
    return previous * previous + beforePrevious * beforePrevious - coefficient * previous * beforePrevious
  }
}

/// Keeps packets as they come.
final class PacketShelf: EncodedMediaSink {
  private struct State {
    var tracks: EncodedTracks?
    var packets: [(time: Duration, size: Int)] = []
    var frames: [(time: Duration, size: Int)] = []
    var isFinished = false
  }

  let kinds: Set<MediaKind>
  private let state = Mutex(State())

  init(_ kinds: Set<MediaKind> = [.audio]) { self.kinds = kinds }

  func begin(_ tracks: EncodedTracks) { state.withLock { $0.tracks = tracks } }

  func write(opus packet: Span<UInt8>, at time: Duration) {
    let size = packet.count
    state.withLock { $0.packets.append((time, size)) }
  }

  func write(video frame: Span<UInt8>, at time: Duration) {
    let size = frame.count
    state.withLock { $0.frames.append((time, size)) }
  }

  func finish() { state.withLock { $0.isFinished = true } }

  var tracks: EncodedTracks? { state.withLock { $0.tracks } }
  var packets: [(time: Duration, size: Int)] { state.withLock { $0.packets } }
  var frames: [(time: Duration, size: Int)] { state.withLock { $0.frames } }
  var isFinished: Bool { state.withLock { $0.isFinished } }
}

struct Broken: Error {}

/// A source that does what it should not.
final class HostileSource: AudioSource {
  enum Manner: CaseIterable { case throwing, writesTooMany, negative, changesChannels, threeChannels, noChannels }

  private let manner: Manner
  private let asked = Mutex(0)

  init(_ manner: Manner) { self.manner = manner }

  var channelCount: Int {
    switch manner {
    case .threeChannels: 3
    case .noChannels: 0
    case .changesChannels: asked.withLock { $0 } > 3 ? 2 : 1
    case .throwing, .writesTooMany, .negative: 1
    }
  }

  func read(into samples: inout MutableSpan<Int16>) throws -> Int {
    let count = asked.withLock { asked in
      asked += 1
      return asked
    }
    return switch manner {
    case .throwing: throw Broken()
    case .writesTooMany: .max
    case .negative: -5
    case .changesChannels: count > 6 ? 300 : 960
    case .threeChannels, .noChannels: 960
    }
  }
}

final class HostileSink: AudioSink, EncodedMediaSink {
  let kinds: Set<MediaKind> = [.audio]
  private let finishes = Mutex(0)

  func begin(_ tracks: EncodedTracks) {}
  func write(_ samples: Span<Int16>, channelCount: Int) throws { throw Broken() }
  func write(opus packet: Span<UInt8>, at time: Duration) throws { throw Broken() }
  func finish() { finishes.withLock { $0 += 1 } }

  var finishCount: Int { finishes.withLock { $0 } }
}
