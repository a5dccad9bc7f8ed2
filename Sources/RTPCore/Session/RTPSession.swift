package import MediaTime

/// The RTP of one transport, after decryption: packets in, audio to play out, and the other way round.
///
/// A flow machine: call `receive`, `send` or `timeout`, then take what `nextOutput` gives until it is nil, then arm one
/// timer for `nextDeadline`.
///
/// The peer's audio is one stream at a time. The first SSRC with an agreed payload type is it, at once, since SRTP has
/// vouched for the packet; another takes its place when two of its packets come in a row while the first is silent, or
/// after the first's BYE.
///
/// - Specification: RFC 3550, RFC 3551, RFC 5506, RFC 5761
package struct RTPSession: Sendable {
  /// Room left behind each outgoing packet: an SRTP tag, an SRTCP index and an MKI fit.
  package static let trailerCapacity = 148

  package private(set) var configuration: Configuration

  private var outputs: [Output?] = []
  private var outputsTaken = 0
  private var spareStorage: [[UInt8]] = []
  private var figures: Statistics
  private var isFinished = false
  private var hasCollided = false

  private var sender: Sender
  private var stream: ReceiveStream?
  /// A second stream that may take the first one's place.
  private var candidate: (ssrc: UInt32, expected: SequenceNumber)?
  /// A stream that has ended or was replaced: its late packets do not bring it back before this time.
  private var retired: (ssrc: UInt32, until: Instant)?
  /// What earlier streams add to the figures.
  private var pastReceived = 0
  private var pastLost = 0
  private var jitterBuffer: JitterBuffer

  private var schedule: ReportSchedule
  private var remoteRTCPSource: UInt32?

  package init(configuration: Configuration, at now: Instant) {
    self.configuration = configuration
    figures = Statistics(localSSRC: configuration.localSSRC)
    sender = Sender(configuration: configuration)
    jitterBuffer = JitterBuffer(
      clockRate: configuration.audio?.clockRate ?? 48_000, configuration: configuration.audio?.jitterBuffer ?? .init())
    schedule = ReportSchedule(seed: configuration.seed, start: now)
  }

  /// Lets audio flow or stop, each way, as hold and `senders` ask for.
  package mutating func setDirection(sends: Bool, receives: Bool) {
    configuration.audio?.sends = sends
    configuration.audio?.receives = receives
    if !receives { jitterBuffer.drain() }
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
  }

  /// Sends a frame, unless nothing may be sent now.
  ///
  /// Frames come in the order of their positions. A gap before a frame is silence: the packet is then marked.
  package mutating func send(_ frame: EncodedAudioFrame, at now: Instant) {
    guard !isFinished, let audio = configuration.audio, audio.sends else { return }
    var packet = takeStorage(capacity: 12 + frame.payload.count)
    sender.write(frame, payloadType: audio.payloadType, to: &packet, at: now)
    outputs.append(.packet(OutgoingPacket(kind: .rtp, bytes: packet)))
  }

  /// Sends feedback at once, alone where reduced size was agreed on, else behind a report.
  ///
  /// - Specification: RFC 4585 §3.1, RFC 5506 §4.1
  package mutating func send(_ feedback: RTCPFeedback, at now: Instant) {
    guard !isFinished else { return }
    var packet = takeStorage(capacity: 128)
    if !configuration.usesReducedSizeRTCP { writeReport(to: &packet, at: now) }
    RTCPPacket.feedback(feedback).write(to: &packet)
    outputs.append(.packet(OutgoingPacket(kind: .rtcp, bytes: packet)))
  }

  /// Does what is due: plays, reports.
  package mutating func timeout(at now: Instant) {
    guard !isFinished else { return }
    while let unit = jitterBuffer.next(at: now) {
      outputs.append(.audio(unit))
    }
    if schedule.next <= now {
      var packet = takeStorage(capacity: 128)
      writeReport(to: &packet, at: now)
      outputs.append(.packet(OutgoingPacket(kind: .rtcp, bytes: packet)))
      schedule.reported(at: now)
    }
  }

  /// Says BYE. What follows is ignored.
  ///
  /// - Specification: RFC 3550 §6.6
  package mutating func finish(reason: String? = nil, at now: Instant) {
    guard !isFinished else { return }
    isFinished = true
    var packet = takeStorage(capacity: 128)
    writeReport(to: &packet, at: now)
    RTCPPacket.goodbye(Goodbye(ssrcs: [configuration.localSSRC], reason: reason)).write(to: &packet)
    outputs.append(.packet(OutgoingPacket(kind: .rtcp, bytes: packet)))
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
    guard let playout = jitterBuffer.nextDeadline else { return schedule.next }
    return min(playout, schedule.next)
  }

  /// Takes a sent packet's array back, so that a later packet need not allocate.
  package mutating func reuse(_ storage: consuming [UInt8]) {
    guard spareStorage.count < 8 else { return }
    storage.removeAll(keepingCapacity: true)
    spareStorage.append(storage)
  }

  package var statistics: Statistics {
    var statistics = figures
    statistics.packetsSent = sender.packetCount
    statistics.bytesSent = sender.octetCount
    statistics.remoteSSRC = stream?.ssrc ?? remoteRTCPSource
    statistics.packetsReceived = pastReceived + (stream?.receivedCount ?? 0)
    statistics.cumulativeLost = pastLost + (stream?.cumulativeLost ?? 0)
    // Of a stream that has ended, the last jitter stays told.
    if let stream { statistics.jitter = duration(ofTicks: stream.jitter) }
    statistics.jitterBuffer = jitterBuffer.statistics
    statistics.packetsLate = statistics.jitterBuffer.latePackets
    return statistics
  }

  // MARK: RTP in

  /// RFC 3550's order: header, source, number, payload type, payload; then to the jitter buffer.
  private mutating func receiveRTP(_ packet: Span<UInt8>, at now: Instant) {
    guard let header = try? RTPHeader(parsing: packet) else {
      figures.packetsMalformed += 1
      return
    }
    guard header.ssrc != configuration.localSSRC else {
      noteCollision()
      return
    }
    let codec = configuration.audio?.acceptedPayloadTypes[header.payloadType]
    guard let number = sequenceNumber(of: header, isKnown: codec != nil, at: now) else { return }
    figures.bytesReceived += header.payloadRange.count
    guard let codec else {
      figures.packetsOfUnknownPayloadType += 1
      return
    }
    stream?.noteArrival(of: header.timestamp, at: now)

    // Packets without payload probe the path or keep it open.
    guard !header.payloadRange.isEmpty, configuration.audio?.receives == true else { return }
    guard let opus = try? OpusPacket(parsing: packet.extracting(header.payloadRange)) else {
      figures.packetsMalformed += 1
      return
    }
    jitterBuffer.insert(
      JitterBuffer.Packet(
        sequenceNumber: number, timestamp: header.timestamp, codec: codec,
        payload: packet.bytes(in: header.payloadRange), duration: opus.duration, isSilence: opus.isSilence),
      at: now)
  }

  /// Finds the packet's place in its stream; nil when it is to be dropped, which is counted.
  private mutating func sequenceNumber(
    of header: RTPHeader, isKnown: Bool, at now: Instant
  ) -> ExtendedSequenceNumber? {
    guard stream?.ssrc == header.ssrc else {
      return isKnown ? begin(header, at: now) : dropUnknown()
    }
    candidate = nil
    switch stream?.received(header.sequenceNumber) {
    case .newest(let number):
      return number
    case .reordered(let number):
      figures.packetsReordered += 1
      return number
    case .restarted(let number):
      jitterBuffer.restart()
      return number
    case .duplicate:
      figures.packetsDuplicated += 1
    case .suspect, nil:
      figures.packetsIgnored += 1
    }
    return nil
  }

  private mutating func dropUnknown() -> ExtendedSequenceNumber? {
    figures.packetsOfUnknownPayloadType += 1
    return nil
  }

  /// A packet of another stream than the one that is played.
  ///
  /// - Specification: RFC 3550 A.1, `probation`
  private mutating func begin(_ header: RTPHeader, at now: Instant) -> ExtendedSequenceNumber? {
    if let retired, retired.ssrc == header.ssrc, now < retired.until {
      figures.packetsIgnored += 1
      return nil
    }
    if let stream {
      guard let candidate, candidate.ssrc == header.ssrc, candidate.expected == header.sequenceNumber else {
        candidate = (header.ssrc, header.sequenceNumber + 1)
        figures.packetsIgnored += 1
        return nil
      }
      outputs.append(.event(.ssrcChanged(from: stream.ssrc, to: header.ssrc)))
      retireStream(at: now)
      jitterBuffer.restart()
    } else if retired == nil {
      outputs.append(.event(.firstMediaReceived(ssrc: header.ssrc)))
    } else if let retired {
      outputs.append(.event(.ssrcChanged(from: retired.ssrc, to: header.ssrc)))
      jitterBuffer.restart()
    }
    let begun = ReceiveStream(
      ssrc: header.ssrc, first: header.sequenceNumber, clockRate: configuration.audio?.clockRate ?? 48_000)
    stream = begun
    return begun.highest
  }

  /// Keeps a stream's figures and lets another one begin.
  private mutating func retireStream(at now: Instant) {
    guard let stream else { return }
    pastReceived += stream.receivedCount
    pastLost += stream.cumulativeLost
    figures.jitter = duration(ofTicks: stream.jitter)
    retired = (stream.ssrc, now + .seconds(5))
    candidate = nil
    self.stream = nil
  }

  private mutating func noteCollision() {
    if !hasCollided { outputs.append(.event(.ssrcCollision)) }
    hasCollided = true
    figures.packetsIgnored += 1
  }

  // MARK: RTCP in

  private mutating func receiveRTCP(_ compound: Span<UInt8>, at now: Instant) {
    var reader = RTCPReader()
    do {
      while let packet = try reader.next(in: compound) {
        receive(packet, at: now)
      }
    } catch {
      figures.packetsMalformed += 1
    }
  }

  private mutating func receive(_ packet: RTCPPacket, at now: Instant) {
    switch packet {
    case .senderReport(let report):
      remoteRTCPSource = report.ssrc
      if report.ssrc == stream?.ssrc { stream?.noteSenderReport(report.ntpTime, at: now) }
      receive(report.reportBlocks, at: now)
    case .receiverReport(let report):
      remoteRTCPSource = report.ssrc
      receive(report.reportBlocks, at: now)
    case .goodbye(let goodbye):
      receive(goodbye, at: now)
    case .feedback(let feedback):
      outputs.append(.event(.feedbackReceived(feedback)))
    case .sourceDescription:
      break  // one peer per transport: SRTP's keys say who it is
    }
  }

  private mutating func receive(_ blocks: [ReportBlock], at now: Instant) {
    guard let block = blocks.first(where: { $0.ssrc == configuration.localSSRC }) else { return }
    figures.remoteCumulativeLost = block.cumulativeLost
    figures.remoteFractionLost = Double(block.fractionLost) / 256
    figures.remoteJitter = duration(ofTicks: block.jitter)
    if let roundTripTime = sender.roundTripTime(reportedIn: block, at: now) {
      figures.roundTripTime = roundTripTime
    }
  }

  private mutating func receive(_ goodbye: Goodbye, at now: Instant) {
    let known = [stream?.ssrc, remoteRTCPSource]
    guard goodbye.ssrcs.contains(where: { known.contains($0) }) else { return }
    if let stream, goodbye.ssrcs.contains(stream.ssrc) {
      retireStream(at: now)
      jitterBuffer.drain()
    }
    remoteRTCPSource = nil  // said once
    outputs.append(.event(.byeReceived(reason: goodbye.reason)))
  }

  // MARK: RTCP out

  /// A report and this side's name.
  ///
  /// - Specification: RFC 3550 §6.1, §6.4
  private mutating func writeReport(to packet: inout [UInt8], at now: Instant) {
    let blocks = reportBlocks(at: now)
    if let report = sender.makeReport(blocks: blocks, at: now) {
      RTCPPacket.senderReport(report).write(to: &packet)
    } else {
      RTCPPacket.receiverReport(ReceiverReport(ssrc: configuration.localSSRC, reportBlocks: blocks)).write(to: &packet)
    }
    RTCPPacket.sourceDescription([SourceDescription(ssrc: configuration.localSSRC, cname: configuration.cname)])
      .write(to: &packet)
  }

  private mutating func reportBlocks(at now: Instant) -> [ReportBlock] {
    guard let block = stream?.makeReportBlock(at: now) else { return [] }
    return [block]
  }

  // MARK: Helpers

  private mutating func takeStorage(capacity: Int) -> [UInt8] {
    var storage = spareStorage.popLast() ?? []
    storage.reserveCapacity(capacity + Self.trailerCapacity)
    return storage
  }

  private func duration(ofTicks ticks: UInt32) -> Duration {
    .nanoseconds(Int64(ticks) * 1_000_000_000 / Int64(configuration.audio?.clockRate ?? 48_000))
  }
}
