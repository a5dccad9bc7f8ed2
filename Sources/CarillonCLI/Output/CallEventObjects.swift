import Carillon
import FoundationEssentials

// Call events as JSON: the names and keys are API.

extension CallEvent {
  /// The event's name and fields; nil for what programs are told otherwise.
  var object: (name: String, fields: JSONObject)? {
    switch self {
    case .proposed: ("call.proposed", [:])
    case .ringing(let device): ("call.ringing", ["device": .string("\(device)")])
    case .proceeding(let device): ("call.proceeding", ["device": .string("\(device)")])
    case .connecting: ("call.connecting", [:])
    case .connected(let report): ("call.connected", report.object)
    case .statistics(let statistics): ("call.statistics", statistics.object)
    case .added(let content, let byPeer): ("call.mediaAdded", content.object(byPeer: byPeer))
    case .refused(let content): ("call.mediaRefused", content.object(byPeer: true))
    case .modified(let content, let byPeer): ("call.mediaModified", content.object(byPeer: byPeer))
    case .removed(let content, let byPeer): ("call.mediaRemoved", content.object(byPeer: byPeer))
    case .muted(let kind, let byPeer): ("call.muted", ["media": .string(kind.rawValue), "byPeer": .boolean(byPeer)])
    case .unmuted(let kind, let byPeer):
      ("call.unmuted", ["media": .string(kind.rawValue), "byPeer": .boolean(byPeer)])
    case .held(let byPeer): ("call.held", ["byPeer": .boolean(byPeer)])
    case .unheld(let byPeer): ("call.unheld", ["byPeer": .boolean(byPeer)])
    case .dtmf(let digit, let duration, let byPeer):
      (
        "call.dtmf",
        ["digit": .string(String(digit)), "durationMs": .milliseconds(duration), "byPeer": .boolean(byPeer)]
      )
    case .restartingICE(let byPeer): ("call.iceRestarting", ["byPeer": .boolean(byPeer)])
    case .pathChanged(let path): ("call.pathChanged", path.object)
    case .mediaMissing(let kind, let cause):
      ("call.mediaMissing", ["media": .string(kind.rawValue), "cause": .string(cause.rawValue)])
    case .mediaFound(let kind): ("call.mediaFound", ["media": .string(kind.rawValue)])
    case .signallingLost: ("call.signallingLost", [:])
    case .signallingRestored: ("call.signallingRestored", [:])
    case .ended(let end): ("call.ended", end.object)
    // An `error`.
    case .warning: nil
    }
  }
}

extension CallContent {
  fileprivate func object(byPeer: Bool) -> JSONObject {
    [
      "content": .string(name), "media": .string(kind.rawValue),
      "categories": .array(categories.map(\.rawValue).sorted().map { .string($0) }), "sends": .boolean(sends),
      "receives": .boolean(receives), "byPeer": .boolean(byPeer),
    ]
  }
}

extension MediaPath {
  fileprivate var object: JSONObject {
    var object: JSONObject = [
      "localCandidateType": .string(localCandidateType), "remoteCandidateType": .string(remoteCandidateType),
      "transport": .string(transport),
    ]
    object["relayProtocol"] = relayProtocol.map { .string($0) }
    return object
  }
}

extension CallError {
  /// What is told when another device of this account decided on a call; nil when none did.
  var elsewhere: (name: String, line: String)? {
    switch code {
    case .answeredElsewhere: ("call.answeredElsewhere", "another device of this account took the call")
    case .declinedElsewhere: ("call.declinedElsewhere", "another device of this account declined the call")
    default: nil
    }
  }
}

extension Client.MissedCall {
  var object: JSONObject {
    [
      "peer": .string("\(peer)"), "sid": .string(sid), "media": media.list,
      "proposedAt": .string(Date(sinceEpoch: proposedAt).rfc3339),
    ]
  }
}

extension Client.CallInvitation {
  var object: JSONObject {
    [
      "peer": .string("\(inviter)"), "id": .string(id), "media": media.list,
      "meetings": .array(meetings.map { .object($0.object) }),
    ]
  }
}

extension Client.CallInvitation.Meeting {
  fileprivate var object: JSONObject {
    switch self {
    case .jingle(let sid, let device): ["type": "jingle", "sid": .string(sid), "device": .string("\(device)")]
    case .uri(let uri): ["type": "uri", "uri": .string(uri)]
    case .room(let room): ["type": "room", "room": .string("\(room)")]
    }
  }
}

extension Set<MediaKind> {
  /// As JSON, sound first.
  var list: JSONValue { .array(MediaKind.allCases.filter(contains).map { .string($0.rawValue) }) }
}

extension ConnectionReport {
  var object: JSONObject {
    var object: JSONObject = [
      "setupTimeMs": .milliseconds(setupTime),
      "iceTimeMs": .milliseconds(iceTime),
      "dtlsTimeMs": .milliseconds(dtlsTime),
      "localCandidateType": .string(path.localCandidateType),
      "remoteCandidateType": .string(path.remoteCandidateType),
      "dtlsVersion": .string(dtlsVersion),
      "srtpProfile": .string(srtpProfile),
    ]
    object["transport"] = .string(path.transport)
    object["relayProtocol"] = path.relayProtocol.map { .string($0) }
    object["audioCodec"] = audioCodec.map { .string($0) }
    object["videoCodec"] = videoCodec.map { .string($0) }
    object["bundled"] = .boolean(isBundled)
    object["ringingTimeMs"] = ringingTime.map { .milliseconds($0) }
    object["proceedTimeMs"] = proceedTime.map { .milliseconds($0) }
    return object
  }
}

// Names are those of the W3C's Identifiers for WebRTC's Statistics API, with units where they have some.

extension CallStatistics {
  var object: JSONObject {
    var object: JSONObject = ["durationMs": .milliseconds(duration)]
    object["roundTripTimeMs"] = roundTripTime.map { .milliseconds($0) }
    object["availableOutgoingBitrate"] = availableOutgoingBitrate.map { .integer($0) }
    object["audioVideoOffsetMs"] = audioVideoOffset.map { .milliseconds($0) }
    object["packetsRejected"] = .integer(packetsRejected)
    object["streams"] = .array((outbound.map(\.object) + inbound.map(\.object)).map { .object($0) })
    return object
  }
}

extension OutboundStreamStatistics {
  var object: JSONObject {
    var object: JSONObject = [
      "type": "outbound-rtp", "kind": .string(kind.rawValue), "mid": .string(mid), "ssrc": .integer(Int(ssrc)),
      "codec": .string(codec), "packetsSent": .integer(packetsSent), "bytesSent": .integer(bytesSent),
    ]
    object["bitrate"] = bitrate.map { .integer($0) }
    object["targetBitrate"] = targetBitrate.map { .integer($0) }
    object["remotePacketsLost"] = remotePacketsLost.map { .integer($0) }
    object["remoteJitterMs"] = remoteJitter.map { .milliseconds($0) }
    object["retransmittedPacketsSent"] = .integer(retransmittedPacketsSent)
    object["retransmittedBytesSent"] = .integer(retransmittedBytesSent)
    object["nackCount"] = .integer(nackCount)
    object["audioLevelDBFS"] = audioLevel.map { .number($0) }
    guard let video else { return object }
    return object.merging([
      "pliCount": .integer(pliCount), "firCount": .integer(firCount),
      "framesEncoded": .integer(video.framesEncoded), "keyFramesEncoded": .integer(video.keyFramesEncoded),
      "framesSent": .integer(video.framesSent), "framesDropped": .integer(video.framesDropped),
      "frameWidth": .integer(video.frameWidth), "frameHeight": .integer(video.frameHeight),
      "framesPerSecond": .number(video.framesPerSecond), "totalEncodeTimeMs": .milliseconds(video.totalEncodeTime),
    ])
  }
}

extension InboundStreamStatistics {
  var object: JSONObject {
    var object: JSONObject = ["type": "inbound-rtp", "kind": .string(kind.rawValue), "mid": .string(mid)]
    object["ssrc"] = ssrc.map { .integer(Int($0)) }
    object["codec"] = .string(codec)
    object["packetsReceived"] = .integer(packetsReceived)
    object["packetsLost"] = .integer(packetsLost)
    object["bytesReceived"] = .integer(bytesReceived)
    object["bitrate"] = bitrate.map { .integer($0) }
    object["jitterMs"] = .milliseconds(jitter)
    object["jitterBufferDelayMs"] = .milliseconds(jitterBufferDelay)
    object["packetsRecovered"] = .integer(packetsRecovered)
    object["retransmittedPacketsReceived"] = .integer(retransmittedPacketsReceived)
    object["nackCount"] = .integer(nackCount)
    object["audioLevelDBFS"] = audioLevel.map { .number($0) }
    guard let video else {
      object["concealedSamples"] = .integer(concealedSamples)
      return object
    }
    return object.merging([
      "pliCount": .integer(pliCount), "firCount": .integer(firCount),
      "framesReceived": .integer(video.framesReceived), "framesDecoded": .integer(video.framesDecoded),
      "keyFramesDecoded": .integer(video.keyFramesDecoded), "framesDropped": .integer(video.framesDropped),
      "freezeCount": .integer(video.freezeCount),
      "totalFreezesDurationMs": .milliseconds(video.totalFreezesDuration),
      "frameWidth": .integer(video.frameWidth), "frameHeight": .integer(video.frameHeight),
      "framesPerSecond": .number(video.framesPerSecond), "totalDecodeTimeMs": .milliseconds(video.totalDecodeTime),
    ])
  }
}

extension CallEnd {
  var object: JSONObject {
    let head: JSONObject = ["reason": .string(reason), "endedByPeer": .boolean(endedByPeer)]
    var object = head.merging(statistics?.object ?? [:])
    object["durationMs"] = .milliseconds(duration)
    return object
  }
}
