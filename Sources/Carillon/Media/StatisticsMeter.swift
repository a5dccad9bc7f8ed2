import MediaTime
import RTPCore

/// Adds to statistics what only two of them in a row can tell: bitrates, and how many pictures come in a second.
struct StatisticsMeter {
  private enum Counter: Hashable {
    case sent(String)
    case received(String)
    case frames(String)
  }

  private var measuredAt = Duration.zero
  private var counts: [Counter: Int] = [:]
  /// A second.
  private var rates: [Counter: Double] = [:]

  mutating func measure(_ statistics: inout CallStatistics) {
    var now: [Counter: Int] = [:]
    for stream in statistics.outbound { now[.sent(stream.mid)] = stream.bytesSent }
    for stream in statistics.inbound {
      now[.received(stream.mid)] = stream.bytesReceived
      now[.frames(stream.mid)] = stream.video?.framesReceived
    }
    // Over less time a rate says nothing; the last one stands.
    let seconds = (statistics.duration - measuredAt).inSeconds
    if seconds >= 0.5 {
      for (counter, count) in now { rates[counter] = Double(max(0, count - (counts[counter] ?? 0))) / seconds }
      counts = now
      measuredAt = statistics.duration
    }
    for index in statistics.outbound.indices {
      statistics.outbound[index].bitrate = rates[.sent(statistics.outbound[index].mid)].map { Int(8 * $0) }
    }
    for index in statistics.inbound.indices {
      let mid = statistics.inbound[index].mid
      statistics.inbound[index].bitrate = rates[.received(mid)].map { Int(8 * $0) }
      statistics.inbound[index].video?.framesPerSecond = rates[.frames(mid)] ?? 0
    }
  }
}

extension CallStatistics {
  mutating func add(
    _ figures: RTPSession.AudioStatistics, _ track: MediaNegotiation.Track, _ encoding: AudioPipeline.Encoding,
    _ levels: AudioPipeline.Levels?
  ) {
    if encoding.sends {
      var stream = OutboundStreamStatistics(.audio, track, figures.outbound)
      stream.audioLevel = levels?.sent
      stream.targetBitrate = encoding.bitsPerSecond
      outbound.append(stream)
    }
    if encoding.receives {
      var stream = InboundStreamStatistics(.audio, track, figures.inbound)
      stream.jitterBufferDelay = figures.jitterBuffer.delay
      stream.concealedSamples = figures.jitterBuffer.concealedSamples
      stream.audioLevel = levels?.received ?? figures.remoteAudioLevel.map(Double.init)
      inbound.append(stream)
    }
  }

  mutating func add(
    _ figures: RTPSession.VideoStatistics, _ track: MediaNegotiation.Track, _ encoding: VideoPipeline.Encoding,
    _ pipeline: VideoPipeline.Figures?
  ) {
    if encoding.sends {
      var stream = OutboundStreamStatistics(.video, track, figures.outbound)
      stream.targetBitrate = figures.targetBitrate
      var video = pipeline?.sent ?? OutboundVideoStatistics()
      video.framesSent = figures.framesSent
      video.framesDropped += figures.framesDropped
      stream.video = video
      outbound.append(stream)
    }
    if encoding.receives {
      var stream = InboundStreamStatistics(.video, track, figures.inbound)
      let assembler = figures.assembler
      stream.jitterBufferDelay =
        assembler.framesReceived > 0 ? assembler.totalAssemblyDelay / assembler.framesReceived : .zero
      var video = pipeline?.received ?? InboundVideoStatistics()
      video.framesReceived = assembler.framesReceived
      video.framesDropped += assembler.framesDropped
      video.freezeCount = assembler.freezeCount
      video.totalFreezesDuration = assembler.totalFreezesDuration
      if video.frameWidth == 0, let size = figures.frameSize {
        (video.frameWidth, video.frameHeight) = (size.width, size.height)
      }
      stream.video = video
      inbound.append(stream)
    }
  }
}

extension OutboundStreamStatistics {
  fileprivate init(
    _ kind: MediaKind, _ track: MediaNegotiation.Track, _ figures: RTPSession.OutboundStatistics
  ) {
    self.init(kind: kind, codec: track.codec, ssrc: figures.ssrc)
    mid = track.content
    packetsSent = figures.packetsSent
    bytesSent = figures.bytesSent
    retransmittedPacketsSent = figures.retransmittedPacketsSent
    retransmittedBytesSent = figures.retransmittedBytesSent
    nackCount = figures.nackCount
    pliCount = figures.pliCount
    firCount = figures.firCount
    remotePacketsLost = figures.remotePacketsLost.map { max(0, $0) }
    remoteJitter = figures.remoteJitter
  }
}

extension InboundStreamStatistics {
  fileprivate init(
    _ kind: MediaKind, _ track: MediaNegotiation.Track, _ figures: RTPSession.InboundStatistics
  ) {
    self.init(kind: kind, codec: track.codec)
    mid = track.content
    ssrc = figures.ssrc
    packetsReceived = figures.packetsReceived
    packetsLost = figures.packetsLost
    bytesReceived = figures.bytesReceived
    jitter = figures.jitter
    packetsRecovered = figures.packetsRecovered
    retransmittedPacketsReceived = figures.retransmittedPacketsReceived
    nackCount = figures.nackCount
    pliCount = figures.pliCount
    firCount = figures.firCount
  }
}
