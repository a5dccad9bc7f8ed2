import Carillon

// Calls as people read them.

extension CallEvent {
  /// A line for people; nil for what they see otherwise.
  var line: String? {
    switch self {
    case .proposed: nil
    case .ringing(let device): "ringing \(device.named)"
    case .proceeding(let device): "taken by \(device.named)"
    case .connecting: "connecting"
    case .connected(let report):
      "connected after \(report.setupTime.short): \(report.path.localCandidateType) to \(report.path.remoteCandidateType), "
        + ([report.dtlsVersion, report.srtpProfile] + report.codecs).joined(separator: ", ")
    case .ended(let end): end.line
    default: nil
    }
  }
}

extension CallEnd {
  var line: String {
    let actor = error != nil ? "failed" : endedByPeer ? "ended by the peer" : "ended"
    return "\(actor): \(reason)" + (duration > .zero ? " after \(duration.short)" : "")
  }
}

extension JID {
  /// `bob@example.test (phone)`.
  var named: String { "\(bare)" + (resourcepart.map { " (\($0))" } ?? "") }
}

extension ConnectionReport {
  /// The codecs, sound's first, and whether they share a path.
  fileprivate var codecs: [String] {
    let codecs = [audioCodec, videoCodec].compactMap { $0 }
    return codecs.count == 2 ? codecs + [isBundled ? "on one path" : "each on a path of its own"] : codecs
  }
}

extension CallStatistics {
  /// The line that a terminal shows while the call runs, cut to `width` columns.
  func liveLine(width: Int) -> String {
    var parts = ["connected \(duration.clock)"]
    let out = [outbound(.audio)?.audioLevel.map(levelBar), outbound(.video).flatMap(\.picture)].compactMap { $0 }
    if !out.isEmpty { parts.append("out " + out.joined(separator: " ")) }
    let `in` = [inbound(.audio)?.audioLevel.map(levelBar), inbound(.video).flatMap(\.picture)].compactMap { $0 }
    if !`in`.isEmpty { parts.append("in " + `in`.joined(separator: " ")) }
    let (lost, arrived) = inbound.reduce((0, 0)) { ($0.0 + $1.packetsLost, $0.1 + $1.packetsReceived) }
    parts.append("loss \(percentage(lost: lost, arrived: arrived))")
    if let jitter = inbound.map(\.jitter).max() { parts.append("jitter \(jitter.short)") }
    if let roundTripTime { parts.append("round trip \(roundTripTime.short)") }
    return String(parts.joined(separator: "  ").prefix(max(0, width)))
  }
}

extension OutboundStreamStatistics {
  /// `640x360 30 fps 1.2 Mbit/s`; nil before the first picture.
  fileprivate var picture: String? {
    guard let video, video.frameWidth > 0 else { return nil }
    return pictureText(video.frameWidth, video.frameHeight, video.framesPerSecond, bitrate)
  }
}

extension InboundStreamStatistics {
  fileprivate var picture: String? {
    guard let video, video.frameWidth > 0 else { return nil }
    return pictureText(video.frameWidth, video.frameHeight, video.framesPerSecond, bitrate)
  }
}

private func pictureText(_ width: Int, _ height: Int, _ framesPerSecond: Double, _ bitrate: Int?) -> String {
  "\(width)x\(height) \(decimal(framesPerSecond, places: 0)) fps"
    + (bitrate.map { " \(bitrateText(Double($0)))" } ?? "")
}

/// `32 kbit/s`, `1.2 Mbit/s`.
func bitrateText(_ bitsPerSecond: Double) -> String {
  bitsPerSecond < 999_500
    ? decimal(bitsPerSecond / 1e3, places: 0) + " kbit/s" : decimal(bitsPerSecond / 1e6, places: 1) + " Mbit/s"
}

/// Loudness from −60 to 0 dBFS in eight steps: `[###     ]`.
func levelBar(_ level: Double) -> String {
  let steps = level.isFinite ? Int(((min(max(level, -60), 0) + 60) / 60 * 8).rounded()) : 0
  return "[" + String(repeating: "#", count: steps) + String(repeating: " ", count: 8 - steps) + "]"
}
