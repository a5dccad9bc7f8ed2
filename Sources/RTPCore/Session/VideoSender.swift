import MediaTime

/// The video that this side sends as one content: the frames' packets, what is sent again, key frames on request.
struct VideoSender: Sendable {
  /// A packet that waits to leave.
  struct Queued: Sendable {
    enum Kind: Sendable {
      /// Numbered when it leaves, so that the receiver misses nothing where frames are dropped.
      case media
      case retransmission
      /// A packet that has left before, to the last bit: its encryption must be the same.
      case repetition
    }

    var kind: Kind
    var bytes: [UInt8]
    var payloadSize: Int
  }

  let configuration: RTPSession.VideoStream
  var sends: Bool
  var stream: SendStream
  var retransmissionStream: SendStream?
  private(set) var responder = KeyFrameResponder()
  private(set) var targetBitrate: Int?

  private let wallClock: RTPSession.WallClock
  private var extensions: OutgoingExtensions
  private let rtx: RTXSender
  private var figures: RTPSession.VideoStatistics
  private var packetizer: any VideoPacketizer
  private var pacer: Pacer<Queued>
  private var buffer = RetransmissionBuffer()
  private var retransmissionBudget = RetransmissionBudget()
  private var queue: [(packet: Queued, size: Int)] = []

  init(_ video: RTPSession.VideoStream, session: RTPSession.Configuration, pictureID: PictureID) {
    configuration = video
    sends = video.sends
    wallClock = session.wallClock
    stream = SendStream(
      ssrc: video.localSSRC, initialSequenceNumber: video.initialSequenceNumber, clockRate: videoClockRate)
    retransmissionStream = video.retransmission.map {
      SendStream(ssrc: $0.localSSRC, initialSequenceNumber: $0.initialSequenceNumber, clockRate: videoClockRate)
    }
    rtx = RTXSender(
      payloadTypes: video.retransmission.map { [video.payloadType: $0.payloadType] } ?? [:])
    figures = RTPSession.VideoStatistics(outbound: .init(ssrc: video.localSSRC))
    extensions = OutgoingExtensions(
      session.headerExtensions, mid: video.mid, isAudio: false, usesTransportFeedback: video.feedback.transport)
    packetizer =
      switch video.format {
      case .vp8: VP8Packetizer(firstPictureID: pictureID)
      case .vp9: VP9Packetizer(firstPictureID: pictureID)
      }
    pacer = Pacer(bitsPerSecond: session.bandwidth.initialBitsPerSecond)
  }

  /// What waits to leave goes out as it is.
  mutating func use(_ agreed: RTPSession.HeaderExtensions) {
    extensions = OutgoingExtensions(
      agreed, mid: configuration.mid, isAudio: false, usesTransportFeedback: configuration.feedback.transport)
  }

  var statistics: RTPSession.VideoStatistics {
    var statistics = figures
    statistics.framesDropped = pacer.statistics.framesDropped
    statistics.targetBitrate = targetBitrate ?? 0
    statistics.outbound.pliCount = responder.pictureLossCount
    statistics.outbound.firCount = responder.fullIntraRequestCount
    return statistics
  }

  /// When a packet may leave or a key frame may be asked for.
  var nextDeadline: Instant? {
    guard sends else { return nil }
    guard let key = responder.nextDeadline else { return pacer.nextDeadline }
    return min(key, pacer.nextDeadline ?? key)
  }

  // MARK: Frames

  /// Queues a frame's packets.
  mutating func send(_ frame: borrowing EncodedVideoFrame, storage: inout StoragePool, at now: Instant) {
    guard sends, !frame.payload.isEmpty else { return }
    let data = frame.payload.span
    let timestamp = timestamp(of: frame.capturedAt)
    let retransmissionOverhead = configuration.retransmission == nil ? 0 : 2
    let limit = configuration.maximumPacketSize - 12 - extensions.maximumSize - retransmissionOverhead
    let pieces = packetizer.pieces(of: data, limit: limit)
    for (index, range) in pieces.enumerated() {
      var packet = storage.take(capacity: configuration.maximumPacketSize)
      RTPHeader(
        marker: index == pieces.count - 1, payloadType: configuration.payloadType,
        sequenceNumber: SequenceNumber(rawValue: 0), timestamp: timestamp, ssrc: stream.ssrc
      ).write(to: &packet)
      extensions.write(tellsMID: !stream.isKnownToPeer, to: &packet)
      let headerSize = packet.count
      packetizer.writePayload(range, of: data, to: &packet)
      let size = packet.count
      queue.append((Queued(kind: .media, bytes: packet, payloadSize: size - headerSize), size))
    }
    packetizer.nextFrame()
    let isAccepted = pacer.enqueue(frame: queue, isKeyFrame: frame.isKeyFrame)
    queue.removeAll(keepingCapacity: true)
    guard isAccepted else { return }
    figures.framesSent += 1
    if frame.isKeyFrame {
      figures.keyFramesSent += 1
      responder.noteKeyFrame(at: now)
    }
  }

  /// The next packet that is due, stamped as of now.
  mutating func nextPacket(_ congestion: inout CongestionControl, at now: Instant) -> [UInt8]? {
    guard sends, var packet = pacer.next(at: now) else { return nil }
    figures.outbound.packetsSent += 1
    figures.outbound.bytesSent += packet.payloadSize
    switch packet.kind {
    case .media:
      let number = stream.takeSequenceNumber()
      packet.bytes.write(uint16: number.rawValue, at: 2)
      packet.bytes.write(uint32: stream.ssrc, at: 8)
      congestion.depart(&packet.bytes, extensions, at: now)
      if configuration.feedback.nack { buffer.store(packet.bytes.span, number: number, at: now) }
      stream.noteSent(payloadSize: packet.payloadSize)
      return packet.bytes
    case .retransmission:
      congestion.depart(&packet.bytes, extensions, at: now)
      retransmissionStream?.noteSent(payloadSize: packet.payloadSize)
    case .repetition:
      stream.noteSent(payloadSize: packet.payloadSize)
    }
    figures.outbound.retransmittedPacketsSent += 1
    figures.outbound.retransmittedBytesSent += packet.payloadSize
    return packet.bytes
  }

  /// The RTP timestamp tells the capture on the wall clock's scale, so that the peer can tell what belongs together.
  private func timestamp(of moment: Instant) -> RTPTimestamp {
    let elapsed = moment - wallClock.instant
    return configuration.initialTimestamp
      + Int(Instant(nanoseconds: elapsed.nanoseconds).ticks(clockRate: videoClockRate))
  }

  // MARK: What the peer asks for

  /// Sends packets again that the peer misses.
  ///
  /// - Specification: RFC 4585 §6.2.1, RFC 4588 §4
  mutating func received(_ nack: NACK, storage: inout StoragePool, at now: Instant) {
    figures.outbound.nackCount += 1
    guard sends, configuration.feedback.nack else { return }
    for number in nack.sequenceNumbers {
      guard retransmissionBudget.hasRoom(bitsPerSecond: pacer.bitsPerSecond, at: now) else { return }
      guard let original = buffer.answer(number, at: now), let header = try? RTPHeader(parsing: original.span) else {
        continue
      }
      var packet = storage.take(capacity: configuration.maximumPacketSize)
      var kind = Queued.Kind.repetition
      var payloadSize = header.payloadRange.count
      if let ssrc = retransmissionStream?.ssrc, let number = retransmissionStream?.takeSequenceNumber(),
        let wrapper = rtx.header(inPlaceOf: header, ssrc: ssrc, number: number)
      {
        wrapper.write(to: &packet)
        extensions.write(tellsMID: retransmissionStream?.isKnownToPeer == false, to: &packet)
        rtx.writePayload(of: original.span, header: header, to: &packet)
        kind = .retransmission
        payloadSize += 2
      } else {
        packet.append(original.span)
      }
      let size = packet.count
      retransmissionBudget.take(size)
      pacer.enqueue(retransmission: Queued(kind: kind, bytes: packet, payloadSize: payloadSize), size: size)
    }
  }

  mutating func receivedPictureLoss() {
    responder.receivedPictureLoss()
  }

  mutating func receivedFullIntraRequest(sequenceNumber: UInt8) {
    responder.receivedFullIntraRequest(sequenceNumber: sequenceNumber)
  }

  /// Takes a report on the stream or on what is sent again.
  ///
  /// - Returns: how many packets were lost, of how many; nil when the report is on another stream.
  mutating func received(_ block: ReportBlock, at now: Instant) -> (lost: Int, expected: Int)? {
    if block.ssrc == stream.ssrc { return stream.received(block, into: &figures.outbound, at: now) }
    guard block.ssrc == retransmissionStream?.ssrc else { return nil }
    var ignored = RTPSession.OutboundStatistics(ssrc: block.ssrc)
    _ = retransmissionStream?.received(block, into: &ignored, at: now)
    return (0, 0)
  }

  mutating func note(roundTripTime: Duration) {
    buffer.roundTripTime = roundTripTime
  }

  // MARK: The encoder

  /// Whether the encoder is to make a key frame.
  mutating func takeKeyFrame(at now: Instant) -> Bool {
    guard sends else { return false }
    if pacer.needsKeyFrame { responder.need() }
    return responder.takeKeyFrame(at: now)
  }

  /// Sets what the pacer may send, and the encoder's target.
  ///
  /// - Returns: the target if the encoder is to be told: at first, and then of a twentieth's change.
  mutating func setRate(_ bitsPerSecond: Int, target: Int) -> Int? {
    pacer.bitsPerSecond = max(bitsPerSecond, 1)
    if let targetBitrate, abs(target - targetBitrate) * 20 < targetBitrate { return nil }
    targetBitrate = target
    return target
  }

  mutating func setSending(_ sends: Bool) {
    guard sends != self.sends else { return }
    self.sends = sends
    if sends { responder.need() } else { pacer.removeAll() }
  }

  // MARK: Reports

  var ssrcs: [UInt32] { [stream.ssrc] + (retransmissionStream.map { [$0.ssrc] } ?? []) }

  /// A report on the stream; nil when nothing was sent since the last one.
  mutating func makeReport(time: NTPTime, blocks: [ReportBlock], at now: Instant) -> SenderReport? {
    guard stream.hasNews else { return nil }
    return stream.makeReport(time: time, timestamp: timestamp(of: now), blocks: blocks, at: now)
  }

  /// A report on what was sent again, likewise.
  mutating func makeRetransmissionReport(time: NTPTime, blocks: [ReportBlock], at now: Instant) -> SenderReport? {
    guard retransmissionStream?.hasNews == true else { return nil }
    let timestamp = timestamp(of: now)
    return retransmissionStream?.makeReport(time: time, timestamp: timestamp, blocks: blocks, at: now)
  }

  mutating func takeRoundTripTime() -> Duration? {
    stream.takeRoundTripTime() ?? retransmissionStream?.takeRoundTripTime()
  }

  /// Goes on as another source; what waits does, too.
  mutating func change(_ old: UInt32, to ssrc: UInt32) {
    if old == stream.ssrc {
      stream.change(to: ssrc)
      figures.outbound.ssrc = ssrc
      buffer.removeAll()
      responder.need()
    } else {
      retransmissionStream?.change(to: ssrc)
    }
    pacer.removeRetransmissions()
  }
}

/// Keeps what is sent again to half the bitrate: more would fill the queue that has lost the packets, again and again.
struct RetransmissionBudget: Sendable {
  private static let share = 0.5
  /// What can be sent at once after a pause, as time at the full share.
  private static let burst = 0.5

  /// In bytes; negative after more than was there.
  private var left = Double.infinity
  private var lastUpdate: Instant?

  mutating func hasRoom(bitsPerSecond: Int, at now: Instant) -> Bool {
    let bytesPerSecond = Double(bitsPerSecond) / 8 * Self.share
    left = min(left + (now - (lastUpdate ?? now)).inSeconds * bytesPerSecond, bytesPerSecond * Self.burst)
    lastUpdate = now
    return left > 0
  }

  mutating func take(_ size: Int) {
    left -= Double(size)
  }
}
