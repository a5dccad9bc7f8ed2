import Glibc

/// How loud audio is.
package enum AudioLevel {
  /// The level of silence.
  package static let silence = -127

  /// The root mean square in dBov, −127 (silence) to 0 (a full-scale square wave).
  ///
  /// - Specification: RFC 6464 §3 (whose header extension carries the same number without its sign)
  package static func decibels(of samples: Span<Int16>) -> Int {
    var sum: Int64 = 0
    for index in samples.indices {
      let sample = Int64(samples[index])
      sum &+= sample &* sample
    }
    guard sum > 0 else { return silence }
    let meanSquare = Double(sum) / Double(samples.count) / (32_768 * 32_768)
    return min(0, max(silence, Int((10 * log10(meanSquare)).rounded())))
  }
}
