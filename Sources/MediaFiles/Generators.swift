import Glibc
import Synchronization

/// A sine wave, mono, without a break between blocks and without an end.
public final class ToneGenerator: Sendable {
  public let channelCount = 1
  private let cyclesPerSample: Double
  private let amplitude: Double
  private let position = Mutex<Int64>(0)

  /// - Parameters:
  ///   - frequency: in Hz, above 0 and up to 24 000 (half the sample rate).
  ///   - decibels: the peak below full scale, 0 or less.
  public init(frequency: Double = 440, decibels: Double = -12) {
    precondition(frequency > 0 && frequency <= 24_000, "48 kHz audio holds tones up to 24 kHz")
    precondition(decibels <= 0, "0 dBFS is the loudest there is")
    cyclesPerSample = frequency / 48_000
    amplitude = 32_767 * pow(10, decibels / 20)
  }

  /// Fills all of `samples` with 48 kHz Int16.
  ///
  /// - Returns: `samples.count`.
  public func read(into samples: inout MutableSpan<Int16>) -> Int {
    let start = position.withLock { position in
      defer { position &+= Int64(samples.count) }
      return position
    }
    // One turn of the pointer per sample; its start is computed anew for each block, so that no error adds up.
    let phase = 2 * .pi * (Double(start) * cyclesPerSample).truncatingRemainder(dividingBy: 1)
    let (stepX, stepY) = (cos(2 * .pi * cyclesPerSample), sin(2 * .pi * cyclesPerSample))
    var (x, y) = (cos(phase), sin(phase))
    for index in samples.indices {
      samples[index] = Int16((amplitude * y).rounded())
      (x, y) = (x * stepX - y * stepY, x * stepY + y * stepX)
    }
    return samples.count
  }
}

/// Silence without an end, mono.
public final class Silence: Sendable {
  public let channelCount = 1

  public init() {}

  /// Fills all of `samples` with zeros.
  ///
  /// - Returns: `samples.count`.
  public func read(into samples: inout MutableSpan<Int16>) -> Int {
    for index in samples.indices { samples[index] = 0 }
    return samples.count
  }
}
