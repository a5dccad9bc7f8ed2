import Glibc
import Synchronization

/// A recorded human voice, mono, in a loop without an end: the words that Debian's alsa-utils carries for testing
/// loudspeakers ("front left", "front center", …).
public final class Speech: Sendable {
  /// Where alsa-utils puts its recordings.
  public static let folder = "/usr/share/sounds/alsa"

  public let channelCount = 1
  /// One round of the loop at 48 kHz.
  public let samples: [Int16]
  private let position = Mutex(0)

  /// - Throws: `noSuchFile`, with the package to install, when the folder has none of the recordings.
  public init(folder: String = Speech.folder) throws(MediaFileError) {
    var samples: [Int16] = []
    for word in Self.words {
      let path = "\(folder)/\(word).wav"
      guard access(path, R_OK) == 0 else { continue }
      samples += Self.faded(try Self.load(path))
    }
    guard !samples.isEmpty else {
      throw MediaFileError(
        code: .noSuchFile, path: folder, reason: "the recorded voice is in the Debian package alsa-utils; install it")
    }
    self.samples = samples
  }

  /// Fills all of `samples` with 48 kHz Int16.
  ///
  /// - Returns: `samples.count`.
  public func read(into output: inout MutableSpan<Int16>) -> Int {
    var next = position.withLock { position in
      defer { position = (position + output.count) % samples.count }
      return position
    }
    for index in output.indices {
      output[index] = samples[next]
      next = next + 1 == samples.count ? 0 : next + 1
    }
    return output.count
  }

  private static let words = [
    "Front_Left", "Front_Center", "Front_Right", "Side_Left", "Side_Right", "Rear_Left", "Rear_Center", "Rear_Right",
  ]

  /// The file's first (and in alsa-utils only) channel, at most 10 s of it.
  private static func load(_ path: String) throws(MediaFileError) -> [Int16] {
    let reader = try AudioFileReader(path: path)
    let channels = reader.channelCount
    var samples = [Int16](repeating: 0, count: 480_000 * channels)
    var span = samples.mutableSpan
    let count = try reader.read(into: &span)
    return (0..<count).map { samples[$0 * channels] }
  }

  /// 5 ms of fading at both ends, so that joined words do not click.
  private static func faded(_ samples: [Int16]) -> [Int16] {
    var result = samples
    let length = min(240, samples.count / 2)
    for step in 0..<length {
      let gain = Double(step) / Double(length)
      result[step] = Int16(Double(samples[step]) * gain)
      result[result.count - 1 - step] = Int16(Double(samples[samples.count - 1 - step]) * gain)
    }
    return result
  }
}
