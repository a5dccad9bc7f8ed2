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
    case .warning: nil
    case .ended(let end): ("call.ended", end.object)
    }
  }
}

extension ConnectionReport {
  var object: JSONObject {
    var object: JSONObject = [
      "setupTimeMs": .milliseconds(setupTime),
      "iceTimeMs": .milliseconds(iceTime),
      "dtlsTimeMs": .milliseconds(dtlsTime),
      "localCandidateType": .string(localCandidateType),
      "remoteCandidateType": .string(remoteCandidateType),
      "dtlsVersion": .string(dtlsVersion),
      "srtpProfile": .string(srtpProfile),
    ]
    object["audioCodec"] = audioCodec.map { .string($0) }
    object["ringingTimeMs"] = ringingTime.map { .milliseconds($0) }
    object["proceedTimeMs"] = proceedTime.map { .milliseconds($0) }
    return object
  }
}

extension CallStatistics {
  var object: JSONObject {
    var object: JSONObject = [
      "durationMs": .milliseconds(duration),
      "packetsSent": .integer(packetsSent),
      "packetsReceived": .integer(packetsReceived),
      "packetsLost": .integer(packetsLost),
      "remotePacketsLost": .integer(remotePacketsLost),
      "jitterMs": .milliseconds(jitter),
    ]
    object["remoteJitterMs"] = remoteJitter.map { .milliseconds($0) }
    object["roundTripTimeMs"] = roundTripTime.map { .milliseconds($0) }
    object["sentAudioLevelDBFS"] = sentAudioLevel.map { .number($0) }
    object["receivedAudioLevelDBFS"] = receivedAudioLevel.map { .number($0) }
    object["bytesSent"] = .integer(bytesSent)
    object["bytesReceived"] = .integer(bytesReceived)
    object["concealedMs"] = .number(Double(concealedSamples) / 48)
    object["packetsRejected"] = .integer(packetsRejected)
    return object
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
