import MediaTime
import RTPCore

/// Adds to statistics what only two of them in a row can tell: bitrates and frame rates.
struct StatisticsMeter {
  private struct Counters {
    var duration = Duration.zero
    var bytesSent: [MediaKind: Int] = [:]
    var bytesReceived: [MediaKind: Int] = [:]
    var framesEncoded = 0
    var framesDecoded = 0
  }

  private var last = Counters()

  mutating func measure(_ statistics: inout CallStatistics) {
    var now = Counters()
    now.duration = statistics.duration
    let seconds = (now.duration - last.duration).inSeconds
    func rate(_ count: Int, since earlier: Int) -> Double { seconds > 0 ? Double(max(0, count - earlier)) / seconds : 0 }
    for index in statistics.outbound.indices {
      let stream = statistics.outbound[index]
      let bytes = stream.bytesSent + stream.retransmittedBytesSent
      now.bytesSent[stream.kind] = bytes
      statistics.outbound[index].bitrate = Int(8 * rate(bytes, since: last.bytesSent[stream.kind] ?? 0))
      if let frames = stream.video?.framesEncoded {
        now.framesEncoded = frames
        statistics.outbound[index].video?.framesPerSecond = rate(frames, since: last.framesEncoded)
      }
    }
    for index in statistics.inbound.indices {
      let stream = statistics.inbound[index]
      now.bytesReceived[stream.kind] = stream.bytesReceived
      statistics.inbound[index].bitrate = Int(
        8 * rate(stream.bytesReceived, since: last.bytesReceived[stream.kind] ?? 0))
      if let frames = stream.video?.framesReceived {
        now.framesDecoded = frames
        statistics.inbound[index].video?.framesPerSecond = rate(frames, since: last.framesDecoded)
      }
    }
    last = now
  }
}

extension CallStatistics {
  mutating func add(
    _ figures: RTPSession.AudioStatistics, _ track: MediaNegotiation.Track<AudioPipeline.Encoding>,
    _ levels: AudioPipeline.Levels?
  ) {
    if track.encoding.sends {
      var stream = OutboundStreamStatistics(kind: .audio, codec: track.codec, figures.outbound)
      stream.audioLevel = levels?.sent
      stream.targetBitrate = track.encoding.bitsPerSecond
      outbound.append(stream)
    }
    if track.encoding.receives {
      var stream = InboundStreamStatistics(kind: .audio, codec: track.codec, figures.inbound)
      stream.jitterBufferDelay = figures.jitterBuffer.delay
      stream.concealedSamples = figures.jitterBuffer.concealedSamples
      stream.audioLevel = levels?.received ?? figures.remoteAudioLevel.map(Double.init)
      inbound.append(stream)
    }
  }

  mutating func add(
    _ figures: RTPSession.VideoStatistics, _ track: MediaNegotiation.Track<VideoPipeline.Encoding>,
    _ pipeline: VideoPipeline.Figures?
  ) {
    if track.encoding.sends {
      var stream = OutboundStreamStatistics(kind: .video, codec: track.codec, figures.outbound)
      stream.targetBitrate = figures.targetBitrate
      var video = pipeline?.outbound ?? OutboundVideoStatistics()
      video.framesSent = figures.framesSent
      video.framesDropped += figures.framesDropped
      stream.video = video
      outbound.append(stream)
    }
    if track.encoding.receives {
      var stream = InboundStreamStatistics(kind: .video, codec: track.codec, figures.inbound)
      let assembler = figures.assembler
      stream.jitterBufferDelay =
        assembler.framesReceived > 0 ? assembler.totalAssemblyDelay / assembler.framesReceived : .zero
      var video = pipeline?.inbound ?? InboundVideoStatistics()
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
  fileprivate init(kind: MediaKind, codec: String, _ figures: RTPSession.OutboundStatistics) {
    self.init(kind: kind, codec: codec, ssrc: figures.ssrc)
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
  fileprivate init(kind: MediaKind, codec: String, _ figures: RTPSession.InboundStatistics) {
    self.init(kind: kind, codec: codec)
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
