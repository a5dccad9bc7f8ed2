import Carillon

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
    case .signallingLost: ("call.signallingLost", [:])
    case .signallingRestored: ("call.signallingRestored", [:])
    case .ended(let end): ("call.ended", end.object)
    default: nil
    }
  }
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
      "type": "outbound-rtp", "kind": .string(kind.rawValue), "ssrc": .integer(Int(ssrc)), "codec": .string(codec),
      "packetsSent": .integer(packetsSent), "bytesSent": .integer(bytesSent),
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
    var object: JSONObject = ["type": "inbound-rtp", "kind": .string(kind.rawValue)]
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
