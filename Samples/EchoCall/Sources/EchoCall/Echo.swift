import Carillon
import Synchronization

/// Plays what was written to it: a sink and a source around one ring buffer, mono at 48 kHz.
///
/// Bound: 200 ms. What comes in beyond that pushes the oldest out, so the echo never falls further behind; when nothing
/// has come in, silence goes out.
final class Echo: AudioSource, AudioSink {
  private struct Ring {
    var samples = [Int16](repeating: 0, count: 9_600)
    var start = 0
    var count = 0

    mutating func append(_ sample: Int16) {
      samples[(start + count) % samples.count] = sample
      if count < samples.count { count += 1 } else { start = (start + 1) % samples.count }
    }

    mutating func removeFirst() -> Int16? {
      guard count > 0 else { return nil }
      defer {
        start = (start + 1) % samples.count
        count -= 1
      }
      return samples[start]
    }
  }

  private let ring = Mutex(Ring())

  let channelCount = 1

  func write(_ samples: Span<Int16>, channelCount: Int) {
    // A mutex's body cannot capture a span, so the mean of the channels is copied out first.
    var mono: [Int16] = []
    mono.reserveCapacity(samples.count / channelCount)
    for frame in 0..<samples.count / channelCount {
      var sum = 0
      for channel in 0..<channelCount { sum += Int(samples[frame * channelCount + channel]) }
      mono.append(Int16(sum / channelCount))
    }
    ring.withLock { ring in for sample in mono { ring.append(sample) } }
  }

  func read(into samples: inout MutableSpan<Int16>) -> Int {
    let count = samples.count
    let heard = ring.withLock { ring in (0..<count).map { _ in ring.removeFirst() ?? 0 } }
    for index in 0..<count { samples[index] = heard[index] }
    return count
  }

  func finish() {}
}
