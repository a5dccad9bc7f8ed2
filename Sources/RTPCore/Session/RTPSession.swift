package import MediaTime

/// The RTP of one transport, after decryption: packets in, audio to play out and video to decode, and the other way round.
///
/// A flow machine: call `receive`, `send`, `requestKeyFrame` or `timeout`, then take what `nextOutput` gives until it is
/// nil, then arm one timer for `nextDeadline`.
///
/// - Specification: RFC 3550, RFC 3551, RFC 4585, RFC 4588, RFC 5104, RFC 5506, RFC 5761, RFC 9143
package struct RTPSession: Sendable {
  /// Room left behind each outgoing packet: an SRTP tag, an SRTCP index and an MKI fit.
  package static let trailerCapacity = 148

  package internal(set) var configuration: Configuration

  var outputs: [Output?] = []
  private var outputsTaken = 0
  var storage = StoragePool()
  /// Of the streams, only what removed ones have left.
  var figures = Statistics()
  private(set) var isFinished = false
  /// All SSRCs that this side sends with, or would.
  var localSSRCs: [UInt32] = []
  /// Draws the SSRCs that are taken in place of ones that collide.
  var generator: SeededGenerator
  private var lastCollision: Instant?
  /// Until the encoders have been told what they may send.
  var firstTargetDeadline: Instant?

  var streams = StreamTable()
  var audioReceiver: AudioReceiver?
  var audioSender: AudioSender?
  /// As in `Configuration.video`; nil for those that were removed.
  var videoReceivers: [VideoReceiver?] = []
  /// Likewise.
  var videoSenders: [VideoSender?] = []

  var congestion: CongestionControl
  var arrivals: ArrivalFeedback
  var reports: ReportState

  package init(configuration: Configuration, at now: Instant) {
    self.configuration = configuration
    generator = SeededGenerator(seed: ~configuration.seed)
    congestion = CongestionControl(configuration.bandwidth)
    arrivals = ArrivalFeedback()
    reports = ReportState(schedule: ReportSchedule(seed: configuration.seed, start: now))
    if let audio = configuration.audio { begin(audio) }
    for video in configuration.video { begin(video, at: now) }
    streamsChanged(at: now)
  }

  /// Lets audio flow or stop, each way, as hold and `senders` ask for.
  package mutating func setAudioDirection(sends: Bool, receives: Bool) {
    configuration.audio?.sends = sends
    configuration.audio?.receives = receives
    audioSender?.setSending(sends)
    audioReceiver?.setReceiving(receives)
  }

  /// Lets a video flow or stop, each way, as hold and `senders` ask for. A stream that is not there is nothing.
  ///
  /// What was sent before is of no use to the peer after a pause: the encoder is asked for a key frame, and nothing
  /// goes out before it. To be followed by arming the timer for `nextDeadline`.
  package mutating func setVideoDirection(_ stream: Int, sends: Bool, receives: Bool) {
    guard hasVideo(stream) else { return }
    configuration.video[stream].sends = sends
    configuration.video[stream].receives = receives
    videoSenders[stream]?.setSending(sends)
    videoReceivers[stream]?.setReceiving(receives)
  }

  /// Whether anything may flow, either way: a peer that is there then lets itself be heard, with reports at least.
  package var isFlowing: Bool {
    !isFinished
      && (configuration.audio.map { $0.sends || $0.receives } == true
        || configuration.video.contains { $0.sends || $0.receives })
  }

  // MARK: Facts

  /// Takes a packet that came from the peer, decrypted and authenticated: RTP or RTCP.
  package mutating func receive(_ packet: Span<UInt8>, at now: Instant) {
    guard !isFinished else { return }
    switch DatagramKind(packet) {
    case .rtp: receiveRTP(packet, at: now)
    case .rtcp: receiveRTCP(packet, at: now)
    default: figures.packetsMalformed += 1
    }
    act(at: now)
  }

  /// Sends a frame at once, unless nothing may be sent now.
  ///
  /// Frames come in the order of their positions. A gap before a frame is silence: the packet is then marked. While a
  /// key is sent, frames are dropped.
  package mutating func send(_ frame: EncodedAudioFrame, at now: Instant) {
    guard !isFinished, configuration.audio?.sends == true, let overhead = audioSender?.overhead else { return }
    guard audioSender?.isPressingKey(at: now) == false else { return }
    var packet = storage.take(capacity: overhead + frame.payload.count)
    audioSender?.write(frame, congestion: &congestion, to: &packet, at: now)
    outputs.append(.packet(OutgoingPacket(kind: .rtp, bytes: packet)))
  }

  /// Sends a key, after those that wait: 40 ms to 10 s long, with a pause behind it.
  ///
  /// - Returns: false when keys cannot be sent (now), or when 64 wait already.
  ///
  /// - Specification: RFC 4733 §2.5.1
  package mutating func send(_ event: TelephoneEvent, duration: Duration, at now: Instant) -> Bool {
    guard !isFinished, configuration.audio?.sends == true else { return false }
    guard audioSender?.append(event, duration: duration) == true else { return false }
    act(at: now)
    return true
  }

  /// Sends a picture, its packets spread over time, unless nothing may be sent now.
  ///
  /// - Parameter stream: the index in `Configuration.video`; a stream that is not there is nothing.
  package mutating func send(_ frame: EncodedVideoFrame, stream: Int, at now: Instant) {
    guard !isFinished, hasVideo(stream) else { return }
    videoSenders[stream]?.send(frame, storage: &storage, at: now)
    act(at: now)
  }

  /// The decoder cannot go on without a key frame.
  ///
  /// - Parameter stream: the index in `Configuration.video`; a stream that is not there is nothing.
  package mutating func requestKeyFrame(stream: Int, at now: Instant) {
    guard !isFinished, hasVideo(stream) else { return }
    videoReceivers[stream]?.needKeyFrame()
    act(at: now)
  }

  /// Does what is due: plays, gives up what is missing, asks, sends, reports.
  package mutating func timeout(at now: Instant) {
    guard !isFinished else { return }
    act(at: now)
    while let unit = audioReceiver?.nextUnit(at: now) { outputs.append(.audio(unit)) }
    if let reason = reports.takeGoodbye(at: now), !peerGoesOn {
      outputs.append(.event(.byeReceived(reason: reason)))
    }
    if reports.schedule.next <= now {
      if !localSSRCs.isEmpty { sendReport(at: now) }
      reports.schedule.reported(at: now)
    }
  }

  /// Says BYE, and hands out what waits to be played. What follows is ignored.
  ///
  /// - Specification: RFC 3550 §6.6
  package mutating func finish(reason: String? = nil, at now: Instant) {
    guard !isFinished else { return }
    isFinished = true
    for frame in audioReceiver?.takeAll() ?? [] { outputs.append(.audio(.skipped(frame))) }
    guard !localSSRCs.isEmpty else { return }
    sendReport(with: .goodbye(Goodbye(ssrcs: Array(localSSRCs.prefix(31)), reason: reason)), at: now)
  }

  // MARK: Consequences

  /// What is to be done next, or nil when there is nothing for now.
  package mutating func nextOutput() -> Output? {
    guard outputsTaken < outputs.count else {
      outputs.removeAll(keepingCapacity: true)
      outputsTaken = 0
      return nil
    }
    defer { outputsTaken += 1 }
    // Leaves nothing behind: the taker may change the packet in place without a copy.
    return outputs[outputsTaken].take()
  }

  /// When `timeout` is to be called at the latest; nil after `finish`.
  package var nextDeadline: Instant? {
    guard !isFinished else { return nil }
    var next = reports.nextDeadline
    func consider(_ deadline: Instant?) {
      if let deadline, deadline < next { next = deadline }
    }
    consider(firstTargetDeadline)
    consider(audioReceiver?.nextDeadline)
    consider(audioSender?.nextDeadline)
    for index in videoReceivers.indices { consider(videoReceivers[index]?.nextDeadline) }
    for index in videoSenders.indices { consider(videoSenders[index]?.nextDeadline) }
    consider(arrivals.nextDeadline)
    return next
  }

  /// Takes a sent packet's array back, so that a later packet need not allocate. Leaves the packet empty.
  package mutating func reuse(_ packet: inout OutgoingPacket) {
    var bytes: [UInt8] = []
    swap(&bytes, &packet.bytes)
    storage.give(consume bytes)
  }

  package var statistics: Statistics {
    var statistics = figures
    statistics.audio = audioStatistics ?? figures.audio
    for index in videoSenders.indices {
      if let video = videoStatistics(index) { statistics.video[index] = video }
    }
    statistics.availableOutgoingBitrate = congestion.availableBitsPerSecond
    return statistics
  }

  // MARK: RTP in

  /// Header, arrival, content; then the content's own way.
  private mutating func receiveRTP(_ packet: Span<UInt8>, at now: Instant) {
    guard let header = try? RTPHeader(parsing: packet) else {
      figures.packetsMalformed += 1
      return
    }
    figures.rtpPacketsReceived += 1
    guard !localSSRCs.contains(header.ssrc) else { return collide(header.ssrc, at: now) }
    let extensions = IncomingExtensions(header, in: packet, identifiers: configuration.headerExtensions)
    arrivals.received(extensions, size: packet.count, at: now)
    switch streams.content(of: header, midRange: extensions.midRange, in: packet, at: now) {
    case .audio: receiveAudio(header, in: packet, extensions, at: now)
    case .video(let index): receiveVideo(header, in: packet, index, at: now)
    case .removed: figures.packetsIgnored += 1
    case nil: figures.packetsOfUnknownPayloadType += 1
    }
  }

  private mutating func receiveAudio(
    _ header: RTPHeader, in packet: Span<UInt8>, _ extensions: IncomingExtensions, at now: Instant
  ) {
    let isKnown = audioReceiver?.accepts(header.payloadType) == true
    if !isKnown {
      figures.packetsOfUnknownPayloadType += 1
      audioReceiver?.unknownCount += 1
    }
    guard isKnown || audioReceiver?.source.ssrc == header.ssrc, audioReceiver != nil else { return }
    let result = audioReceiver?.receive(header, in: packet, extensions, at: now)
    if result?.isMalformed == true { figures.packetsMalformed += 1 }
    if let verdict = result?.verdict { note(verdict, of: header.ssrc, .audio) }
  }

  private mutating func receiveVideo(_ header: RTPHeader, in packet: Span<UInt8>, _ index: Int, at now: Instant) {
    if videoReceivers[index]?.isRetransmission(header.payloadType) == true {
      let isUsed = videoReceivers[index]?.receiveRetransmission(header, in: packet, at: now)
      if isUsed != true { figures.packetsIgnored += 1 }
      return
    }
    let isKnown = videoReceivers[index]?.accepts(header.payloadType) == true
    if !isKnown {
      figures.packetsOfUnknownPayloadType += 1
      videoReceivers[index]?.unknownCount += 1
    }
    guard isKnown || videoReceivers[index]?.source.ssrc == header.ssrc else { return }
    guard let verdict = videoReceivers[index]?.receive(header, in: packet, at: now) else { return }
    note(verdict, of: header.ssrc, .video(index))
  }

  private mutating func note(_ verdict: RemoteStream.Verdict, of ssrc: UInt32, _ content: StreamTable.Content) {
    switch verdict {
    case .first: outputs.append(.event(.firstMediaReceived(ssrc: ssrc)))
    case .changed(ssrc, _): break  // it has come back
    case .changed(let old, _): outputs.append(.event(.ssrcChanged(from: old, to: ssrc)))
    case .ignored: figures.packetsIgnored += 1
    case .next, .reordered, .restarted, .duplicate: return
    }
    guard verdict != .ignored else { return }
    streams.learn(ssrc, content)
    reports.streamBegan(ssrc)
  }

  // MARK: What follows

  /// Everything that is due, in the order of the way of the data: frames, feedback, the encoders' orders, packets.
  mutating func act(at now: Instant) {
    while let report = audioReceiver?.nextTelephoneEvent(at: now) {
      outputs.append(.event(.telephoneEvent(report.event.key, report.duration)))
    }
    while let overhead = audioSender?.overhead, audioSender?.hasTelephoneEvent(at: now) == true {
      var packet = storage.take(capacity: overhead + TelephoneEventPayload.size)
      audioSender?.writeTelephoneEvent(congestion: &congestion, to: &packet, at: now)
      outputs.append(.packet(OutgoingPacket(kind: .rtp, bytes: packet)))
    }
    for index in videoReceivers.indices {
      while let frame = videoReceivers[index]?.nextFrame(at: now) { outputs.append(.video(frame, stream: index)) }
      while let feedback = videoReceivers[index]?.nextFeedback(at: now) {
        send(feedback, from: videoSenders[index]?.stream.ssrc ?? primarySSRC, at: now)
      }
    }
    if let deadline = arrivals.nextDeadline, deadline <= now {
      let ssrcs = remoteSSRCs
      while let feedback = arrivals.nextFeedback(mediaSSRCs: ssrcs, at: now) {
        send(feedback, from: primarySSRC, at: now)
      }
    }
    guard hasVideos else { return }
    orderEncoders(at: now)
    for index in videoSenders.indices {
      while let packet = videoSenders[index]?.nextPacket(&congestion, at: now) {
        outputs.append(.packet(OutgoingPacket(kind: .rtp, bytes: packet)))
      }
    }
  }

  /// Tells the encoders what they may send, and when the peer needs a key frame.
  private mutating func orderEncoders(at now: Instant) {
    firstTargetDeadline = nil
    congestion.update()
    let count = max(videoSenders.indices.count { videoSenders[$0]?.sends == true }, 1)
    let rate = congestion.bitsPerSecond / count
    let target = congestion.videoTarget(count: count)
    for index in videoSenders.indices {
      if let target = videoSenders[index]?.setRate(rate, target: target) {
        outputs.append(.encoder(.bitsPerSecond(target), stream: index))
      }
      if videoSenders[index]?.takeKeyFrame(at: now) == true { outputs.append(.encoder(.keyFrame, stream: index)) }
    }
  }

  // MARK: Sources

  /// This side's name in reports. Without streams there are no reports.
  var primarySSRC: UInt32 {
    audioSender?.stream.ssrc ?? videoSenders.lazy.compactMap { $0?.stream.ssrc }.first ?? 0
  }

  var hasVideos: Bool { videoSenders.contains { $0 != nil } }

  func hasVideo(_ stream: Int) -> Bool { videoSenders.indices.contains(stream) && videoSenders[stream] != nil }

  /// The video streams that come; where there are none, the audio.
  private var remoteSSRCs: [UInt32] {
    let videos = videoReceivers.compactMap { $0?.source.ssrc }
    return videos.isEmpty ? audioReceiver?.source.ssrc.map { [$0] } ?? [] : videos
  }

  /// The peer has taken one of our SSRCs: it is left to the peer. Where our own packets come back to us, another one
  /// would help for a moment only.
  ///
  /// - Specification: RFC 3550 §8.2
  mutating func collide(_ old: UInt32, at now: Instant) {
    figures.packetsIgnored += 1
    if let lastCollision, now - lastCollision < .seconds(10) { return }
    lastCollision = now
    var ssrc: UInt32
    repeat { ssrc = .random(in: 1...UInt32.max, using: &generator) } while localSSRCs.contains(ssrc)
    sendReport(with: .goodbye(Goodbye(ssrcs: [old])), at: now)
    if audioSender?.stream.ssrc == old { audioSender?.change(to: ssrc) }
    for index in videoSenders.indices where videoSenders[index]?.ssrcs.contains(old) == true {
      videoSenders[index]?.change(old, to: ssrc)
    }
    for index in localSSRCs.indices where localSSRCs[index] == old { localSSRCs[index] = ssrc }
    outputs.append(.event(.ssrcCollision(from: old, to: ssrc)))
  }
}
