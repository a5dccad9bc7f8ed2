import MediaTime
import RTPCore

/// Adds to statistics what only two of them in a row can tell: bitrates.
struct StatisticsMeter {
  private var duration = Duration.zero
  private var bytesSent: [MediaKind: Int] = [:]
  private var bytesReceived: [MediaKind: Int] = [:]

  mutating func measure(_ statistics: inout CallStatistics) {
    let seconds = (statistics.duration - duration).inSeconds
    duration = statistics.duration
    func bitrate(_ bytes: Int, after earlier: Int?) -> Int? {
      seconds > 0 ? Int(Double(8 * max(0, bytes - (earlier ?? 0))) / seconds) : nil
    }
    for (index, stream) in statistics.outbound.enumerated() {
      let earlier = bytesSent.updateValue(stream.bytesSent, forKey: stream.kind)
      statistics.outbound[index].bitrate = bitrate(stream.bytesSent, after: earlier)
    }
    for (index, stream) in statistics.inbound.enumerated() {
      let earlier = bytesReceived.updateValue(stream.bytesReceived, forKey: stream.kind)
      statistics.inbound[index].bitrate = bitrate(stream.bytesReceived, after: earlier)
    }
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
      var video = pipeline?.sent ?? OutboundVideoStatistics()
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
