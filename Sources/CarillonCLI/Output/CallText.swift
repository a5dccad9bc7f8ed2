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
      "connected after \(report.setupTime.short): \(report.localCandidateType) to \(report.remoteCandidateType), "
        + "\(report.dtlsVersion), \(report.srtpProfile)" + (report.audioCodec.map { ", \($0)" } ?? "")
    case .statistics, .warning: nil
    case .ended(let end): end.line
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

extension CallStatistics {
  /// The line that a terminal shows while the call runs, cut to `width` columns.
  func liveLine(width: Int) -> String {
    var parts = ["connected \(duration.clock)"]
    if let sentAudioLevel { parts.append("out \(levelBar(sentAudioLevel))") }
    if let receivedAudioLevel { parts.append("in \(levelBar(receivedAudioLevel))") }
    parts.append("loss \(percentage(lost: packetsLost, arrived: packetsReceived))")
    parts.append("jitter \(jitter.short)")
    if let roundTripTime { parts.append("round trip \(roundTripTime.short)") }
    return String(parts.joined(separator: "  ").prefix(max(0, width)))
  }
}

/// Loudness from −60 to 0 dBFS in eight steps: `[###     ]`.
func levelBar(_ level: Double) -> String {
  let steps = level.isFinite ? Int(((min(max(level, -60), 0) + 60) / 60 * 8).rounded()) : 0
  return "[" + String(repeating: "#", count: steps) + String(repeating: " ", count: 8 - steps) + "]"
}

/// What is told about a call when it is over.
struct CallSummary: Equatable {
  private var rows: [(name: String, value: String)] = []

  /// - Returns: nil when the call never connected, for then there is nothing but the failure to tell.
  init?(peer: JID, report: ConnectionReport?, end: CallEnd, recording: String?) {
    guard let report else { return nil }
    rows.append(
      (
        "call",
        "\(peer), \(end.duration.short), \(end.endedByPeer ? "ended by the peer" : "ended here") (\(end.reason))"
      ))
    let steps = [
      report.ringingTime.map { "ringing \($0.short)" }, report.proceedTime.map { "proceed \($0.short)" },
      "ICE \(report.iceTime.short)", "DTLS \(report.dtlsTime.short)",
    ]
    rows.append(("set-up", "\(report.setupTime.short): \(steps.compactMap { $0 }.joined(separator: ", "))"))
    rows.append(
      (
        "path",
        "\(report.localCandidateType) to \(report.remoteCandidateType), \(report.dtlsVersion), \(report.srtpProfile)"
      ))
    rows.append(("audio", report.audioCodec ?? "none"))
    if let statistics = end.statistics {
      let sent = statistics.packetsSent - statistics.remotePacketsLost
      rows.append(
        (
          "sent",
          Self.direction(
            packets: statistics.packetsSent, lost: statistics.remotePacketsLost, arrived: sent,
            jitter: statistics.remoteJitter)
        ))
      var received = Self.direction(
        packets: statistics.packetsReceived, lost: statistics.packetsLost, arrived: statistics.packetsReceived,
        jitter: statistics.jitter)
      if statistics.concealedSamples > 0 {
        received += ", \(Duration.milliseconds(statistics.concealedSamples / 48).short) concealed"
      }
      if statistics.packetsRejected > 0 { received += ", \(statistics.packetsRejected) rejected" }
      rows.append(("received", received))
      rows.append(("round trip", statistics.roundTripTime?.short ?? "not measured"))
    }
    if let recording { rows.append(("recording", recording)) }
  }

  private static func direction(packets: Int, lost: Int, arrived: Int, jitter: Duration?) -> String {
    "\(packets) packets, \(lost) lost (\(percentage(lost: lost, arrived: arrived)))"
      + (jitter.map { ", jitter \($0.short)" } ?? "")
  }

  var text: String { table(rows.map { [$0.name, printable($0.value)] }) }

  static func == (left: CallSummary, right: CallSummary) -> Bool { left.text == right.text }
}

/// Rows in columns, each as wide as its widest cell; the last is not padded.
func table(_ rows: [[String]]) -> String {
  let columns = rows.map(\.count).max() ?? 0
  let widths = (0..<columns).map { column in rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0 }
  return rows.map { row in
    row.enumerated().map { index, cell in
      index == row.count - 1 ? cell : cell + String(repeating: " ", count: widths[index] - cell.count)
    }.joined(separator: "  ")
  }.joined(separator: "\n")
}
