import Foundation

/// A sine at 48 kHz, and the Goertzel filter that finds it again.
package enum Signal {
  package static func tone(_ frequency: Double, amplitude: Double = 8_000, frames: Int, channels: Int = 1) -> [Int16] {
    (0..<frames).flatMap { frame in
      let sample = Int16(amplitude * sin(2 * .pi * frequency * Double(frame) / 48_000))
      return repeatElement(sample, count: channels)
    }
  }

  /// The amplitude of `frequency` in mono samples at 48 kHz.
  package static func amplitude(of frequency: Double, in samples: some Collection<Int16>) -> Double {
    let coefficient = 2 * cos(2 * .pi * frequency / 48_000)
    var (s1, s2) = (0.0, 0.0)
    for sample in samples { (s1, s2) = (Double(sample) + coefficient * s1 - s2, s1) }
    return (s1 * s1 + s2 * s2 - coefficient * s1 * s2).squareRoot() * 2 / Double(samples.count)
  }

  /// The strongest of the frequencies.
  package static func dominant(among frequencies: [Double], in samples: some Collection<Int16>) -> Double? {
    frequencies.max { amplitude(of: $0, in: samples) < amplitude(of: $1, in: samples) }
  }
}
