import Foundation
import MediaCodecs

@testable import MediaFiles

/// A folder of its own for one test, gone with it.
final class TemporaryFolder {
  let url: URL

  init() throws {
    url = FileManager.default.temporaryDirectory.appending(path: "carillon-files-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: url) }

  func path(_ name: String) -> String { url.appending(path: name).path }

  func write(_ bytes: some Sequence<UInt8>, to name: String) throws -> String {
    try Data(bytes).write(to: url.appending(path: name))
    return path(name)
  }

  /// The file as it would be left if the process were killed now.
  func snapshot(of name: String) throws -> String {
    let copy = path("snapshot-" + name)
    try? FileManager.default.removeItem(atPath: copy)
    try FileManager.default.copyItem(atPath: path(name), toPath: copy)
    return copy
  }
}

extension AudioFileReader {
  /// All of the file, in blocks of 20 ms.
  func readAll() throws -> [Int16] {
    var result: [Int16] = []
    var block = [Int16](repeating: 0, count: 960 * channelCount)
    while true {
      var span = block.mutableSpan
      let count = try read(into: &span)
      result += block[..<(count * channelCount)]
      if count < 960 { return result }
    }
  }
}

extension WAVWriter {
  func write(_ samples: [Int16], channelCount: Int = 1) throws {
    for start in stride(from: 0, to: samples.count, by: 960 * channelCount) {
      let end = min(samples.count, start + 960 * channelCount)
      try write(samples.span.extracting(start..<end), channelCount: channelCount)
    }
  }
}

/// 20 ms Opus packets of mono or stereo samples.
func opusPackets(_ samples: [Int16], channels: Int = 1) throws -> [[UInt8]] {
  var configuration = OpusEncoder.Configuration()
  configuration.channelCount = channels
  let encoder = try OpusEncoder(configuration)
  var buffer = [UInt8](repeating: 0, count: OpusEncoder.maximumPacketSize)
  return try stride(from: 0, to: samples.count, by: 960 * channels).map { start in
    var packet = buffer.mutableSpan
    let frame = samples.span.extracting(start..<start + 960 * channels)
    guard case .packet(let count) = try encoder.encode(frame, into: &packet) else { return [] }
    return Array(buffer[..<count])
  }
}

/// The time of a sample at 48 kHz.
func time(of position: Int64) -> Duration {
  .seconds(position / 48_000) + .nanoseconds(position % 48_000 * 62_500 / 3)
}
