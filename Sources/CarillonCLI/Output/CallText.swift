import Carillon
import FoundationEssentials

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
      "connected after \(report.setupTime.short): \(report.path.text), "
        + ([report.dtlsVersion, report.srtpProfile] + report.codecs).joined(separator: ", ")
    case .added(let content, byPeer: true): "the peer added \(content.text)"
    case .added(let content, byPeer: false): "added \(content.text)"
    case .refused(let content): "the peer wanted to add \(content.text); it was not taken"
    case .modified(let content, let byPeer): "\(byPeer ? "the peer changed" : "changed") \(content.text)"
    case .removed(let content, let byPeer): "\(byPeer ? "the peer removed" : "removed") \(content.name)"
    case .muted(.audio, let byPeer): byPeer ? "the peer is muted" : "muted"
    case .muted(.video, let byPeer): byPeer ? "the peer's camera is off" : "camera off"
    case .unmuted(.audio, let byPeer): byPeer ? "the peer can be heard again" : "no longer muted"
    case .unmuted(.video, let byPeer): byPeer ? "the peer's camera is on again" : "camera on"
    case .held(let byPeer): byPeer ? "the peer put the call on hold" : "on hold"
    case .unheld(let byPeer): byPeer ? "the peer is back from hold" : "back from hold"
    case .dtmf(let digit, _, let byPeer): byPeer ? "the peer pressed \(digit)" : "pressed \(digit)"
    case .restartingICE(let byPeer): byPeer ? "the peer looks for a new path" : "looking for a new path"
    case .pathChanged(let path): "media goes another way now: \(path.text)"
    case .mediaMissing(let kind, let cause): "no \(kind) has come for 5 s: \(cause.text)"
    case .mediaFound(let kind): "\(kind) comes again"
    case .signallingLost: "the connection to the server is down; the call goes on"
    case .signallingRestored: "the connection to the server is back, and the call with it"
    case .ended(let end): end.line
    // Shown as such; and in the live line.
    case .warning, .statistics: nil
    }
  }
}

extension CallContent {
  /// `video 'v2' (slides), sent and received`.
  var text: String {
    let words = categories.map(\.rawValue).sorted().joined(separator: ", ")
    let flow =
      switch (sends, receives) {
      case (true, true): "sent and received"
      case (true, false): "sent"
      case (false, true): "received"
      case (false, false): "not flowing"
      }
    return "\(kind) '\(name)'" + (words.isEmpty ? "" : " (\(words))") + ", \(flow)"
  }
}

extension MediaPath {
  /// `host to srflx`, `relay (TURN over TLS) to host`.
  var text: String {
    let relay = relayProtocol.map { " (TURN over \($0.uppercased()))" } ?? ""
    let transport = transport == "udp" ? "" : " over \(transport.uppercased())"
    return "\(localCandidateType)\(relay) to \(remoteCandidateType)\(transport)"
  }
}

extension MediaAbsence {
  fileprivate var text: String {
    switch self {
    case .onHold: "the call is on hold"
    case .muted: "the peer is muted"
    case .consentLost: "nothing at all comes from the peer any more; the path is lost"
    case .nothingDecrypts: "what comes cannot be decrypted"
    case .unknownPayloadType: "it comes in a form that was not agreed on"
    case .notSent: "the peer sends none"
    }
  }
}

extension Client.MissedCall {
  var line: String {
    "missed a call from \(peer.named) at \(Date(sinceEpoch: proposedAt).rfc3339)"
  }
}

extension Client.CallInvitation {
  var line: String {
    let ways = meetings.map { meeting in
      switch meeting {
      case .jingle(_, let device): device.named
      case .uri(let uri): uri
      case .room(let room): "\(room)"
      }
    }
    return "\(inviter.named) invites to a call" + (ways.isEmpty ? "" : ": \(ways.joined(separator: " or "))")
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
  ///
  /// - Parameters:
  ///   - state: what else is known of the call.
  ///   - keys: whether there are keys to ask about.
  func liveLine(width: Int, state: CallState = CallState(), keys: Bool = false) -> String {
    var parts = ["connected \(duration.clock)"]
    if keys { parts.insert("?=keys", at: 0) }
    if !state.flags.isEmpty { parts.append("[\(state.flags.joined(separator: ", "))]") }
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
