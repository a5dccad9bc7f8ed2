package import MediaTime

/// Streams that come and go while the session runs.
extension RTPSession {
  /// Takes the audio in, where there is none (or the last one was removed). Positions of received audio begin anew.
  ///
  /// - Parameter extensions: what is agreed on for the whole transport now. Ids in use stay, new ones are added, for
  ///   the streams that are there as well.
  package mutating func add(_ audio: AudioStream, _ extensions: HeaderExtensions, at now: Instant) {
    precondition(configuration.audio == nil, "a session has one audio")
    guard !isFinished else { return }
    agree(on: extensions)
    configuration.audio = audio
    figures.audio = nil
    begin(audio)
    streamsChanged(at: now)
  }

  /// Takes a video in. Its target comes at once.
  ///
  /// - Parameters:
  ///   - extensions: as above.
  ///   - bandwidth: where the estimate begins when this is the only video, and between which bounds it stays from now
  ///     on; nil leaves them as they are.
  /// - Returns: its index, which names it from then on. Indices are never used again: whoever lets a peer add videos
  ///   limits how often.
  package mutating func add(
    _ video: VideoStream, _ extensions: HeaderExtensions, bandwidth: BandwidthEstimator.Configuration?,
    at now: Instant
  ) -> Int {
    let index = configuration.video.count
    configuration.video.append(video)
    guard !isFinished else {
      configuration.video[index].remove()
      videoSenders.append(nil)
      videoReceivers.append(nil)
      figures.video.append(VideoStatistics(outbound: OutboundStatistics(ssrc: video.localSSRC)))
      return index
    }
    agree(on: extensions)
    if let bandwidth { configuration.bandwidth = bandwidth }
    if hasVideos {
      congestion.setBounds(configuration.bandwidth)
    } else {
      congestion.restart(configuration.bandwidth)
    }
    begin(video, at: now)
    streamsChanged(at: now)
    act(at: now)
    return index
  }

  /// Ends the audio, if there is one: its SSRC says BYE, what waits is handed out unplayed, what still comes for it is
  /// counted as ignored. Its statistics stay as they are until another audio is added.
  ///
  /// - Specification: RFC 3550 §6.6
  package mutating func removeAudio(at now: Instant) {
    guard !isFinished, let sender = audioSender else { return }
    for frame in audioReceiver?.takeAll() ?? [] { outputs.append(.audio(.skipped(frame))) }
    figures.audio = audioStatistics
    sayGoodbye(of: [sender.stream.ssrc], at: now)
    streams.remove(.audio, sources: [audioReceiver?.source.ssrc].compactMap { $0 }, at: now)
    configuration.audio = nil
    audioSender = nil
    audioReceiver = nil
    streamsChanged(at: now)
    act(at: now)
  }

  /// Ends a video: its SSRCs say BYE, what waits is dropped, what still comes for it is counted as ignored. Its
  /// statistics stay as they are, with a target of 0. A stream that is not there is nothing.
  ///
  /// - Specification: RFC 3550 §6.6
  package mutating func removeVideo(_ index: Int, at now: Instant) {
    guard !isFinished, hasVideo(index), let sender = videoSenders[index] else { return }
    if let statistics = videoStatistics(index) { figures.video[index] = statistics }
    figures.video[index].targetBitrate = 0
    sayGoodbye(of: sender.ssrcs, at: now)
    streams.remove(.video(index), sources: videoReceivers[index]?.ssrcs ?? [], at: now)
    configuration.video[index].remove()
    videoSenders[index] = nil
    videoReceivers[index] = nil
    streamsChanged(at: now)
    act(at: now)
  }

  // MARK: Parts of it

  mutating func begin(_ audio: AudioStream) {
    audioReceiver = AudioReceiver(audio)
    audioSender = AudioSender(audio, extensions: configuration.headerExtensions)
    localSSRCs.insert(audio.localSSRC, at: 0)
    congestion.setAudio(sends: audio.sends)
  }

  mutating func begin(_ video: VideoStream, at now: Instant) {
    let pictureID = PictureID(.random(in: 0...0x7FFF, using: &generator))
    var sender = VideoSender(video, session: configuration, pictureID: pictureID)
    var receiver = VideoReceiver(video)
    if let roundTripTime = figures.roundTripTime {
      sender.note(roundTripTime: roundTripTime)
      receiver.note(roundTripTime: roundTripTime)
    }
    localSSRCs += sender.ssrcs
    figures.video.append(sender.statistics)
    videoSenders.append(sender)
    videoReceivers.append(receiver)
    firstTargetDeadline = now
  }

  /// What looks at all streams together looks again.
  mutating func streamsChanged(at now: Instant) {
    let videos = configuration.video.indices.filter(hasVideo).map { ($0, configuration.video[$0]) }
    streams.update(audio: configuration.audio, videos: videos)
    arrivals.update(configuration)
    if audioSender == nil { congestion.setAudio(sends: false) }
    if videos.isEmpty { firstTargetDeadline = nil }
  }

  /// One id means one thing for as long as the transport lasts.
  ///
  /// - Specification: RFC 9143 §12 (one mapping in a bundle), RFC 8285 §5
  private mutating func agree(on extensions: HeaderExtensions) {
    configuration.headerExtensions.add(extensions)
    audioSender?.use(configuration.headerExtensions)
    for index in videoSenders.indices { videoSenders[index]?.use(configuration.headerExtensions) }
  }

  private mutating func sayGoodbye(of ssrcs: [UInt32], at now: Instant) {
    sendReport(with: .goodbye(Goodbye(ssrcs: ssrcs)), at: now)
    localSSRCs.removeAll { ssrcs.contains($0) }
  }

  var audioStatistics: AudioStatistics? {
    guard let audioSender else { return nil }
    var statistics: AudioStatistics? = AudioStatistics(outbound: audioSender.figures)
    statistics?.telephoneEventsSent = audioSender.telephoneEventCount
    audioReceiver?.addStatistics(to: &statistics)
    return statistics
  }

  func videoStatistics(_ index: Int) -> VideoStatistics? {
    guard var statistics = videoSenders[index]?.statistics else { return nil }
    videoReceivers[index]?.addStatistics(to: &statistics)
    return statistics
  }
}

extension RTPSession.HeaderExtensions {
  /// Takes what is new. An id that means something already keeps its meaning.
  fileprivate mutating func add(_ other: Self) {
    func merge(_ own: UInt8?, _ other: UInt8?) -> UInt8? { own ?? (uses(other) ? nil : other) }
    self = Self(
      audioLevel: merge(audioLevel, other.audioLevel),
      absoluteSendTime: merge(absoluteSendTime, other.absoluteSendTime),
      transportSequenceNumber: merge(transportSequenceNumber, other.transportSequenceNumber),
      mid: merge(mid, other.mid))
  }

  private func uses(_ identifier: UInt8?) -> Bool {
    identifier != nil && [audioLevel, absoluteSendTime, transportSequenceNumber, mid].contains(identifier)
  }
}

extension RTPSession.VideoStream {
  fileprivate mutating func remove() {
    isRemoved = true
    sends = false
    receives = false
  }
}
