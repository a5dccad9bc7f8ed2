import MediaCodecs
import MediaTime

/// Counts what the pipeline does.
struct VideoMeter {
  var figures = VideoPipeline.Figures()
  private var sent = FrameRate()

  mutating func encoded(_ packet: VPXEncoder.Packet?, took duration: Duration, at now: Instant) {
    figures.sent.totalEncodeTime += duration
    guard let packet else {
      figures.sent.framesDropped += 1
      return
    }
    figures.sent.framesEncoded += 1
    if packet.isKeyFrame { figures.sent.keyFramesEncoded += 1 }
    figures.sent.frameWidth = packet.size.width
    figures.sent.frameHeight = packet.size.height
    sent.count(at: now)
  }

  mutating func decoded(_ picture: VideoFrame?, isKeyFrame: Bool, took duration: Duration) {
    figures.received.totalDecodeTime += duration
    figures.received.framesDecoded += 1
    if isKeyFrame { figures.received.keyFramesDecoded += 1 }
    guard let picture else { return }
    figures.received.frameWidth = picture.width
    figures.received.frameHeight = picture.height
  }

  func figures(at now: Instant) -> VideoPipeline.Figures {
    var figures = figures
    figures.sent.framesPerSecond = sent.perSecond(at: now)
    return figures
  }
}

/// The frames of the last second.
private struct FrameRate {
  /// More than 120 a second are not counted.
  private var recent: [Instant] = []

  mutating func count(at now: Instant) {
    recent.removeAll { now - $0 >= .seconds(1) }
    if recent.count < 120 { recent.append(now) }
  }

  func perSecond(at now: Instant) -> Double { Double(recent.count { now - $0 < .seconds(1) }) }
}
