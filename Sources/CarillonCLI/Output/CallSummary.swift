import Carillon

/// What is told about a call when it is over.
struct CallSummary: Equatable {
  /// A row without a name goes on with the one above.
  private var rows: [(name: String, value: String)] = []

  /// - Parameter state: what became of the call on its way.
  /// - Returns: nil when the call never connected, for then there is nothing but the failure to tell.
  init?(peer: JID, state: CallState, end: CallEnd, recordings: [String]) {
    guard let report = state.report else { return nil }
    let ended = end.endedByPeer ? "ended by the peer" : "ended here"
    add("call", "\(peer), \(end.duration.short), \(ended) (\(end.reason))")
    let steps = [
      report.ringingTime.map { "ringing \($0.short)" }, report.proceedTime.map { "proceed \($0.short)" },
      "ICE \(report.iceTime.short)", "DTLS \(report.dtlsTime.short)",
    ]
    add("set-up", "\(report.setupTime.short): \(steps.compactMap { $0 }.joined(separator: ", "))")
    addPath(report, state)
    if let statistics = end.statistics { add(statistics, over: end.duration) }
    for recording in recordings { add("recording", recording) }
  }

  /// What there is to tell of a call that runs.
  init(contents: [CallContent], _ state: CallState, _ statistics: CallStatistics) {
    for content in contents { add("content", content.text) }
    if let report = state.report { addPath(report, state) }
    add(statistics, over: statistics.duration)
  }

  /// The way that media went last, how it was protected, and what happened to it.
  private mutating func addPath(_ report: ConnectionReport, _ state: CallState) {
    let isShared = report.audioCodec != nil && report.videoCodec != nil && report.isBundled
    let path = [(state.path ?? report.path).text, report.dtlsVersion, report.srtpProfile]
    let changes = [(state.restartCount, "ICE restart"), (state.holdCount, "hold")].filter { $0.0 > 0 }
      .map { "\($0.0) \($0.1)\($0.0 == 1 ? "" : "s")" }
    add("path", [list(path + (isShared ? ["bundled"] : [])), list(changes)].filter { !$0.isEmpty })
  }

  private mutating func add(_ statistics: CallStatistics, over duration: Duration) {
    for kind in MediaKind.allCases {
      // Each stream of a kind: there may be a camera and a screen.
      for stream in statistics.outbound where stream.kind == kind { add("sent \(kind)", stream.summary(of: duration)) }
      for stream in statistics.inbound where stream.kind == kind {
        add("received \(kind)", stream.summary(of: duration))
      }
    }
    if let offset = statistics.audioVideoOffset {
      add("audio to video", "pictures \(offset.magnitude.short) \(offset < .zero ? "after" : "before") their sound")
    }
    if statistics.packetsRejected > 0 {
      add("rejected", "\(statistics.packetsRejected) packets that did not authenticate")
    }
    add("round trip", statistics.roundTripTime?.short ?? "not measured")
  }

  private mutating func add(_ name: String, _ lines: String...) { add(name, lines) }

  private mutating func add(_ name: String, _ lines: [String]) {
    for (index, line) in lines.enumerated() { rows.append((index == 0 ? name : "", line)) }
  }

  var text: String { table(rows.map { [$0.name, printable($0.value)] }) }

  static func == (left: CallSummary, right: CallSummary) -> Bool { left.text == right.text }
}

extension OutboundStreamStatistics {
  /// What it was, what became of its packets, what of its pictures.
  fileprivate func summary(of duration: Duration) -> [String] {
    var head = [codec]
    if let video, video.frameWidth > 0 { head.append("\(video.frameWidth)x\(video.frameHeight)") }
    head.append(meanBitrate(bytes: bytesSent, duration))
    var packets = ["\(packetsSent) packets"]
    if let lost = remotePacketsLost {
      packets.append("\(lost) lost (\(percentage(lost: lost, arrived: packetsSent - lost)))")
    }
    if retransmittedPacketsSent > 0 { packets.append("\(retransmittedPacketsSent) sent again") }
    if let remoteJitter { packets.append("jitter \(remoteJitter.short)") }
    guard let video else { return [list(head + packets)] }
    let frames = [
      "\(video.framesEncoded) frames encoded", "\(video.keyFramesEncoded) of them key frames",
      "\(video.framesDropped) left out",
    ]
    return [list(head), list(packets), list(frames), feedback("asked by", nackCount, pliCount, firCount)]
      .filter { !$0.isEmpty }
  }
}

extension InboundStreamStatistics {
  fileprivate func summary(of duration: Duration) -> [String] {
    var head = [codec]
    if let video, video.frameWidth > 0 { head.append("\(video.frameWidth)x\(video.frameHeight)") }
    head.append(meanBitrate(bytes: bytesReceived, duration))
    var packets = [
      "\(packetsReceived) packets", "\(packetsLost) lost (\(percentage(lost: packetsLost, arrived: packetsReceived)))",
    ]
    if packetsRecovered > 0 { packets.append("\(packetsRecovered) recovered") }
    packets.append("jitter \(jitter.short)")
    if jitterBufferDelay > .zero { packets.append("buffered \(jitterBufferDelay.short)") }
    guard let video else {
      if concealedSamples > 0 { packets.append("\(Duration.milliseconds(concealedSamples / 48).short) concealed") }
      return [list(head + packets)]
    }
    var frames = ["\(video.framesReceived) frames", "\(video.framesDecoded) decoded", "\(video.framesDropped) missing"]
    if video.freezeCount > 0 {
      frames.append(
        (video.freezeCount == 1 ? "1 freeze of " : "\(video.freezeCount) freezes of together ")
          + video.totalFreezesDuration.short)
    }
    return [list(head), list(packets), list(frames), feedback("asked with", nackCount, pliCount, firCount)]
      .filter { !$0.isEmpty }
  }
}

private func list(_ parts: [String]) -> String { parts.joined(separator: ", ") }

/// `asked by 3 NACK, 1 PLI`; empty when there was nothing.
private func feedback(_ verb: String, _ nacks: Int, _ plis: Int, _ firs: Int) -> String {
  let parts = [(nacks, "NACK"), (plis, "PLI"), (firs, "FIR")].filter { $0.0 > 0 }.map { "\($0.0) \($0.1)" }
  return parts.isEmpty ? "" : "\(verb) \(list(parts))"
}

private func meanBitrate(bytes: Int, _ duration: Duration) -> String {
  bitrateText(duration > .zero ? Double(bytes) * 8 / (duration / .seconds(1)) : 0)
}

extension Duration {
  fileprivate var magnitude: Duration { self < .zero ? .zero - self : self }
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
