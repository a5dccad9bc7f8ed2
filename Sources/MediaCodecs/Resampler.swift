import CSpeexDSP

/// Brings mono Int16 audio from one sampling rate to another.
///
/// Belongs to one codec thread. It remembers the last samples, so that blocks join without a seam, and delays the audio by a
/// few milliseconds.
final class Resampler {
  private let state: OpaquePointer

  init(from source: Int, to target: Int) {
    var status: Int32 = 0
    let quality = Int32(SPEEX_RESAMPLER_QUALITY_DESKTOP)
    guard let state = speex_resampler_init(1, UInt32(source), UInt32(target), quality, &status) else {
      fatalError("speexdsp has no memory for a resampler")
    }
    self.state = state
  }

  deinit { speex_resampler_destroy(state) }

  /// Takes all of `input`; `output` must have room for as long a time.
  ///
  /// - Returns: how many samples were written: exactly as long a time, where that is a whole number of samples.
  func process(_ input: UnsafeBufferPointer<Int16>, into output: inout MutableSpan<Int16>) -> Int {
    output.withUnsafeMutableBufferPointer { output in
      guard let source = input.baseAddress, let target = output.baseAddress else { return 0 }
      var (taken, made) = (UInt32(clamping: input.count), UInt32(clamping: output.count))
      speex_resampler_process_int(state, 0, source, &taken, target, &made)
      return Int(made)
    }
  }
}
