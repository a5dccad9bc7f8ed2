import MediaTime

/// The video that the peer sends as one content: packets in, frames out, and what has to be asked for.
struct VideoReceiver: Sendable {
  /// A frame's place is found by its arrival when its timestamp is farther than this from the one before.
  private static let longestPause = Duration.seconds(30)
  /// A sender that has been silent for this long is asked for nothing.
  private static let silence = Duration.seconds(5)

  let configuration: RTPSession.VideoStream
  private(set) var source = RemoteStream(clockRate: videoClockRate, maximumMisorder: 1_000)
  private(set) var retransmissions: ReceiveStream?
  var unknownCount = 0

  private let rtx: RTXReceiver
  private var receives: Bool
  private var nack = NACKGenerator()
  private var assembler: FrameAssembler
  private var requester: KeyFrameRequester?
  private var figures = RTPSession.InboundStatistics()
  private var frameSize: PictureSize?
  private var lastFrame: (timestamp: RTPTimestamp, position: Int64, arrival: Instant)?
  private var isTimestampContinuous = false
  private var lastArrival: Instant?
  private var isDormant = true

  init(_ video: RTPSession.VideoStream) {
    configuration = video
    receives = video.receives
    rtx = RTXReceiver(associatedPayloadTypes: video.acceptedRetransmissions)
    let codecs = Set(video.acceptedPayloadTypes.values)
    assembler = FrameAssembler(
      codec: codecs.contains(video.format) ? video.format : codecs.first ?? video.format,
      configuration: video.assembler)
    if video.feedback.pictureLoss {
      requester = KeyFrameRequester(kind: .pictureLoss)
    } else if video.feedback.fullIntraRequest {
      requester = KeyFrameRequester(kind: .fullIntraRequest)
    }
    note(roundTripTime: nil)
  }

  /// - Parameter statistics: of the other direction.
  func addStatistics(to statistics: inout RTPSession.VideoStatistics) {
    statistics.inbound = source.statistics
    statistics.inbound.packetsOfUnknownPayloadType = unknownCount
    statistics.inbound.retransmittedPacketsReceived = figures.retransmittedPacketsReceived
    statistics.inbound.retransmittedBytesReceived = figures.retransmittedBytesReceived
    statistics.inbound.nackCount = figures.nackCount
    statistics.inbound.pliCount = figures.pliCount
    statistics.inbound.firCount = figures.firCount
    statistics.inbound.packetsRecovered = nack.statistics.recoveredPackets
    statistics.assembler = assembler.statistics
    statistics.inbound.packetsLate = assembler.statistics.packetsLate
    statistics.frameSize = frameSize
  }

  /// Of what comes.
  var ssrcs: [UInt32] { [source.ssrc, retransmissions?.ssrc].compactMap { $0 } }

  // MARK: Packets

  func isRetransmission(_ payloadType: UInt8) -> Bool { rtx.repeats(payloadType) }

  func accepts(_ payloadType: UInt8) -> Bool { configuration.acceptedPayloadTypes[payloadType] != nil }

  /// Takes a packet of the media's own stream, or of one that wants to be.
  mutating func receive(_ header: RTPHeader, in packet: Span<UInt8>, at now: Instant) -> RemoteStream.Verdict {
    let verdict = source.receive(header, at: now)
    switch verdict {
    case .next(let number), .reordered(let number):
      insert(header, number, in: packet, at: now)
    case .first(let number), .restarted(let number), .changed(_, let number):
      restart()
      insert(header, number, in: packet, at: now)
    case .duplicate, .ignored:
      break
    }
    return verdict
  }

  /// Takes a packet that was sent again as a stream of its own.
  ///
  /// - Returns: false when it repeats nothing that is known.
  ///
  /// - Specification: RFC 4588 §4
  mutating func receiveRetransmission(_ header: RTPHeader, in packet: Span<UInt8>, at now: Instant) -> Bool {
    guard let current = source.current, repeated(by: header.ssrc) == current.ssrc else { return false }
    if retransmissions?.ssrc == header.ssrc {
      let arrival = retransmissions?.received(header.sequenceNumber)
      if arrival == .duplicate || arrival == .suspect { return true }
    } else {
      retransmissions = ReceiveStream(ssrc: header.ssrc, first: header.sequenceNumber, clockRate: videoClockRate)
    }
    figures.retransmittedPacketsReceived += 1
    figures.retransmittedBytesReceived += header.payloadRange.count
    guard case .packet(let original) = rtx.unwrap(packet, header: header, mediaSSRC: current.ssrc) else { return true }
    let number = current.highest.nearest(original.sequenceNumber)
    guard number - current.highest < ReceiveStream.maximumDropout else { return false }
    // What was handed on already is sent again where somebody probes the path.
    if let firstWanted = assembler.firstWanted, number < firstWanted { return true }
    insert(original, number, in: packet, at: now)
    return true
  }

  /// The media stream that a retransmission stream belongs to: the one it was announced with, else the current one.
  private func repeated(by ssrc: UInt32) -> UInt32? {
    configuration.remoteRetransmissionSSRCs.first { $0.value == ssrc }?.key ?? source.ssrc
  }

  private mutating func insert(
    _ header: RTPHeader, _ number: ExtendedSequenceNumber, in packet: Span<UInt8>, at now: Instant
  ) {
    guard receives else { return }
    lastArrival = now
    isDormant = false
    if configuration.feedback.nack { nack.received(number, at: now) }
    // What is of no use fills its place, so that it is not waited for.
    var range = header.payloadRange
    if let codec = configuration.acceptedPayloadTypes[header.payloadType] {
      if codec != assembler.codec, !range.isEmpty { assembler.restart(codec: codec) }
    } else {
      range = range.lowerBound..<range.lowerBound
    }
    assembler.insert(
      packet.extracting(range), number: number, timestamp: header.timestamp, marker: header.marker, at: now)
  }

  private mutating func restart() {
    assembler.restart()
    nack.restart()
    isTimestampContinuous = false
  }

  mutating func received(_ report: SenderReport, at now: Instant) {
    source.received(report, at: now)
    if report.ssrc == retransmissions?.ssrc { retransmissions?.noteSenderReport(report.ntpTime, at: now) }
  }

  /// What came of the stream and of what was sent again.
  mutating func addReportBlocks(to blocks: inout [ReportBlock], at now: Instant) {
    if let block = source.makeReportBlock(at: now) { blocks.append(block) }
    if let block = retransmissions?.makeReportBlock(at: now) { blocks.append(block) }
  }

  /// The stream has ended.
  mutating func retire(at now: Instant) {
    source.retire(at: now)
    nack.restart()
    assembler.pause()
  }

  mutating func setReceiving(_ receives: Bool) {
    guard receives != self.receives else { return }
    self.receives = receives
    restart()
    assembler.pause()
  }

  mutating func note(roundTripTime: Duration?) {
    let patience = configuration.assembler.patience
    guard configuration.feedback.nack else {
      // What is missing will not come.
      assembler.patience = min(patience, .milliseconds(100))
      return
    }
    guard let roundTripTime else { return }
    nack.roundTripTime = roundTripTime
    requester?.roundTripTime = roundTripTime
    assembler.patience = min(max(patience, roundTripTime * 4), max(patience, .seconds(1)))
  }

  // MARK: Frames

  mutating func nextFrame(at now: Instant) -> ReceivedVideoFrame? {
    guard receives, var frame = assembler.nextFrame(at: now) else { return nil }
    if let firstWanted = assembler.firstWanted { nack.forget(before: firstWanted) }
    if frame.isKeyFrame {
      requester?.receivedKeyFrame()
      frameSize = frame.size ?? frameSize
    }
    frame.position = place(frame)
    frame.captureTime = source.captureTime(of: frame.timestamp)
    return frame
  }

  private mutating func place(_ frame: ReceivedVideoFrame) -> Int64 {
    var position: Int64 = 0
    if let lastFrame {
      let ticks = frame.timestamp - lastFrame.timestamp
      let elapsed = frame.firstArrival - lastFrame.arrival
      let isClose =
        abs((.ofTicks(Int64(ticks), clockRate: videoClockRate) - elapsed).inSeconds)
        < Self.longestPause.inSeconds
      let passed = max(1, Instant(nanoseconds: elapsed.nanoseconds).ticks(clockRate: videoClockRate))
      position = lastFrame.position + (isTimestampContinuous && isClose ? Int64(ticks) : passed)
    }
    lastFrame = (frame.timestamp, position, frame.firstArrival)
    isTimestampContinuous = true
    return position
  }

  // MARK: Feedback

  /// The decoder cannot go on.
  mutating func needKeyFrame() {
    if receives { requester?.need() }
  }

  /// What is to be asked of the peer now; to be called until it returns nil.
  mutating func nextFeedback(at now: Instant) -> FeedbackMessage? {
    guard receives, let ssrc = source.ssrc else { return nil }
    if let deadline = nack.nextDeadline, deadline <= now {
      let numbers = nack.requests(at: now)
      if !numbers.isEmpty {
        figures.nackCount += 1
        return .nack(NACK(mediaSSRC: ssrc, sequenceNumbers: numbers))
      }
    }
    isDormant = lastArrival.map { now - $0 >= Self.silence } ?? true
    // Who comes back after a pause may begin with a key frame by itself.
    guard !isDormant else { return nil }
    let isWaiting = assembler.needsKeyFrame && !assembler.isKeyFrameUnderWay
    if nack.takeGivenUp() || isWaiting { requester?.need() }
    guard let request = requester?.request(mediaSSRC: ssrc, at: now) else { return nil }
    if case .pictureLoss = request { figures.pliCount += 1 } else { figures.firCount += 1 }
    return request
  }

  /// When frames or feedback are due.
  var nextDeadline: Instant? {
    guard receives, source.ssrc != nil else { return nil }
    var next = nack.nextDeadline
    if let deadline = assembler.nextDeadline { next = min(next ?? deadline, deadline) }
    if !isDormant, let deadline = requester?.nextDeadline { next = min(next ?? deadline, deadline) }
    return next
  }
}
