import Carillon
import Glibc

/// Mono sound at 16 kHz: all that speech needs, and a third of the work.
struct Sound: Equatable {
  static let rate = 16_000
  var samples: [Float]

  var duration: Duration { .milliseconds(samples.count * 1000 / Self.rate) }

  init(samples: [Float]) { self.samples = samples }

  /// Reads a 48 kHz source to its end, or as much as `limit`.
  init(reading source: (any AudioSource)?, limit: Duration = .seconds(3600)) throws {
    samples = []
    guard let source else { return }
    let channels = source.channelCount
    let chunk = 960
    let most = Int(limit.milliseconds) * Self.rate / 1000
    var buffer = [Int16](repeating: 0, count: chunk * channels)
    while samples.count < most {
      var span = buffer.mutableSpan
      let count = try source.read(into: &span)
      // Three frames of all channels become one sample, their mean.
      for start in stride(from: 0, to: count - 2, by: 3) {
        let sum = buffer[(start * channels)..<((start + 3) * channels)].reduce(0) { $0 + Int($1) }
        samples.append(Float(sum) / Float(3 * channels * 32_768))
      }
      if count < chunk { break }
    }
  }
}

/// How much of a source is in a recording.
struct Likeness: Equatable {
  /// The peak of the normalised cross-correlation: 1 for the same sound.
  var correlation: Double
  /// How much later the recording is; negative when its beginning is missing.
  var delay: Duration
  /// The longest silence in the recording where the source sounds.
  var longestGap: Duration

  /// - Returns: nil when either is empty or silent.
  init?(source: Sound, recording: Sound) {
    let (played, heard) = (source.samples, recording.samples)
    guard played.contains(where: { $0 != 0 }), heard.contains(where: { $0 != 0 }) else { return nil }

    // Only delays at which at least half of the shorter one overlaps mean something.
    let least = max(1, min(played.count, heard.count) / 2)
    let products = crossCorrelation(played, heard)
    let (energyPlayed, energyHeard) = (runningEnergy(played), runningEnergy(heard))
    let lags = (least - played.count)...(heard.count - least)
    let values = lags.map { lag in
      let (start, end) = (max(0, -lag), min(played.count, heard.count - lag))
      let energy =
        (energyPlayed[end] - energyPlayed[start]) * (energyHeard[end + lag] - energyHeard[start + lag])
      return energy > 1e-12 ? products[lag + played.count - 1] / energy.squareRoot() : 0
    }
    let best = values.max() ?? 0
    // A tone is like itself after every period: of peaks as high as the highest, the one with the least delay is meant.
    let peaks = values.indices.filter { index in
      values[index] >= 0.999 * best && values[index] >= values[max(0, index - 1)]
        && values[index] >= values[min(values.count - 1, index + 1)]
    }
    let lag = peaks.map { lags.lowerBound + $0 }.min { abs($0) < abs($1) } ?? 0
    correlation = min(1, best)
    delay = .microseconds(lag * 1_000_000 / Sound.rate)
    longestGap = Self.longestGap(played: energyPlayed, heard: energyHeard, lag: lag)
  }

  /// Compares 10 ms at a time: a gap is where the recording is 50 dB below its loudest and the source less than 30 dB
  /// below its own. Pauses in the source neither count nor end a gap.
  private static func longestGap(played: [Double], heard: [Double], lag: Int) -> Duration {
    let step = Sound.rate / 100
    func levels(_ energy: [Double], from start: Int, count: Int) -> [Double] {
      (0..<count).map { energy[start + ($0 + 1) * step] - energy[start + $0 * step] }
    }
    let start = max(0, -lag)
    let count = max(0, min(played.count - 1, heard.count - 1 - lag) - start) / step
    let source = levels(played, from: start, count: count)
    let recording = levels(heard, from: start + lag, count: count)
    let audible = (source.max() ?? 0) * 1e-3
    let silent = (recording.max() ?? 0) * 1e-5
    var (longest, current) = (0, 0)
    for (source, recording) in zip(source, recording) {
      if recording > silent { current = 0 } else if source > audible { current += 1 }
      longest = max(longest, current)
    }
    return .milliseconds(longest * 10)
  }

  var text: String {
    table([
      ["correlation", decimal(correlation, places: 3)],
      ["delay", decimal(delay.milliseconds, places: 1) + " ms"],
      ["longest gap", decimal(longestGap.milliseconds, places: 0) + " ms"],
    ])
  }

  var object: JSONObject {
    ["correlation": .number(correlation), "delayMs": .milliseconds(delay), "longestGapMs": .milliseconds(longestGap)]
  }
}

/// `sums[i]` is the energy of the samples before `i`.
private func runningEnergy(_ samples: [Float]) -> [Double] {
  var sums = [0.0]
  sums.reserveCapacity(samples.count + 1)
  var sum = 0.0
  for sample in samples {
    sum += Double(sample) * Double(sample)
    sums.append(sum)
  }
  return sums
}

/// The sums of `a[n] · b[n + lag]` for every lag from `1 − a.count` to `b.count − 1`, by way of the frequency domain.
func crossCorrelation(_ a: [Float], _ b: [Float]) -> [Double] {
  let count = a.count + b.count - 1
  let size = max(2, count.nextPowerOfTwo)
  var (aReal, aImaginary) = ([Double](repeating: 0, count: size), [Double](repeating: 0, count: size))
  var (bReal, bImaginary) = (aReal, aImaginary)
  // Reversed, `a`'s convolution with `b` is their correlation.
  for (index, sample) in a.reversed().enumerated() { aReal[index] = Double(sample) }
  for (index, sample) in b.enumerated() { bReal[index] = Double(sample) }
  transform(&aReal, &aImaginary)
  transform(&bReal, &bImaginary)
  for index in 0..<size {
    let real = aReal[index] * bReal[index] - aImaginary[index] * bImaginary[index]
    let imaginary = aReal[index] * bImaginary[index] + aImaginary[index] * bReal[index]
    (aReal[index], aImaginary[index]) = (real, imaginary)
  }
  // With real and imaginary parts exchanged, the forward transform is the inverse one.
  transform(&aImaginary, &aReal)
  return aReal.prefix(count).map { $0 / Double(size) }
}

/// The discrete Fourier transform in place (Cooley and Tukey, radix 2); the count is a power of two.
private func transform(_ real: inout [Double], _ imaginary: inout [Double]) {
  let count = real.count
  precondition(count == imaginary.count && count.nextPowerOfTwo == count, "the count is a power of two")
  var reversed = 0
  for index in 1..<count {
    var bit = count >> 1
    while reversed & bit != 0 {
      reversed ^= bit
      bit >>= 1
    }
    reversed |= bit
    if index < reversed {
      real.swapAt(index, reversed)
      imaginary.swapAt(index, reversed)
    }
  }
  let roots = (0..<count / 2).map { index in
    let angle = -2 * Double.pi * Double(index) / Double(count)
    return (cosine: cos(angle), sine: sin(angle))
  }
  var half = 1
  while half < count {
    let stride = count / (2 * half)
    for start in Swift.stride(from: 0, to: count, by: 2 * half) {
      for offset in 0..<half {
        let (even, odd) = (start + offset, start + offset + half)
        let root = roots[offset * stride]
        let oddReal = real[odd] * root.cosine - imaginary[odd] * root.sine
        let oddImaginary = real[odd] * root.sine + imaginary[odd] * root.cosine
        (real[odd], imaginary[odd]) = (real[even] - oddReal, imaginary[even] - oddImaginary)
        real[even] += oddReal
        imaginary[even] += oddImaginary
      }
    }
    half *= 2
  }
}

extension Int {
  fileprivate var nextPowerOfTwo: Int { self <= 1 ? 1 : 1 << (Int.bitWidth - (self - 1).leadingZeroBitCount) }
}
