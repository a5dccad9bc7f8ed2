package import MediaTime
extension RTPSession {
  package mutating func add(_ audio: AudioStream, _ extensions: HeaderExtensions, at now: Instant) {}
  package mutating func add(_ video: VideoStream, _ extensions: HeaderExtensions, bandwidth: BandwidthEstimator.Configuration?, at now: Instant) -> Int { 0 }
  package mutating func removeAudio(at now: Instant) {}
  package mutating func removeVideo(_ index: Int, at now: Instant) {}
}
