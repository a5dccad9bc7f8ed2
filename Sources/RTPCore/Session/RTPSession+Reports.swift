import MediaTime

/// Reports and feedback, in and out.
extension RTPSession {
  // MARK: In

  mutating func receiveRTCP(_ compound: Span<UInt8>, at now: Instant) {
    var reader = RTCPReader()
    do {
      while let packet = try reader.next(in: compound) {
        try receive(packet, at: now)
      }
    } catch {
      figures.packetsMalformed += 1
    }
  }

  private mutating func receive(_ packet: RTCPPacket, at now: Instant) throws(RTCPError) {
    switch packet {
    case .senderReport(let report):
      reports.noteSource(report.ssrc, at: now)
      if localSSRCs.contains(report.ssrc) { collide(report.ssrc, at: now) }
      receive(report, at: now)
      receive(report.reportBlocks, at: now)
    case .receiverReport(let report):
      reports.noteSource(report.ssrc, at: now)
      if localSSRCs.contains(report.ssrc) { collide(report.ssrc, at: now) }
      receive(report.reportBlocks, at: now)
    case .extendedReport(let report):
      if let roundTripTime = reports.received(report, localSSRC: primarySSRC, at: now) { note(roundTripTime) }
    case .goodbye(let goodbye):
      receive(goodbye, at: now)
    case .feedback(let feedback):
      if let message = try FeedbackMessage(parsing: feedback) { receive(message, at: now) }
    case .sourceDescription:
      break  // one peer per transport: SRTP's keys say who it is
    }
  }

  private mutating func receive(_ report: SenderReport, at now: Instant) {
    audioReceiver?.source.received(report, at: now)
    for index in videoReceivers.indices { videoReceivers[index]?.received(report, at: now) }
  }

  private mutating func receive(_ blocks: [ReportBlock], at now: Instant) {
    for block in blocks {
      if audioSender?.received(block, at: now) != nil {
        if let roundTripTime = audioSender?.stream.takeRoundTripTime() { note(roundTripTime) }
      }
      for index in videoSenders.indices {
        guard let loss = videoSenders[index]?.received(block, at: now) else { continue }
        congestion.received(lost: loss.lost, of: loss.expected, at: now)
        if let roundTripTime = videoSenders[index]?.takeRoundTripTime() { note(roundTripTime) }
      }
    }
  }

  /// Everything that waits for answers is to know how long they take.
  private mutating func note(_ roundTripTime: Duration) {
    figures.roundTripTime = roundTripTime
    congestion.note(roundTripTime: roundTripTime)
    for index in videoSenders.indices { videoSenders[index]?.note(roundTripTime: roundTripTime) }
    for index in videoReceivers.indices { videoReceivers[index]?.note(roundTripTime: roundTripTime) }
  }

  /// Ends the streams named; the end of all is told when no other goes on.
  private mutating func receive(_ goodbye: Goodbye, at now: Instant) {
    var isKnown = goodbye.ssrcs.contains { reports.isRemoteSource($0) }
    if let ssrc = audioReceiver?.source.ssrc, goodbye.ssrcs.contains(ssrc) {
      audioReceiver?.retire(at: now)
      isKnown = true
    }
    for index in videoReceivers.indices {
      guard let ssrc = videoReceivers[index]?.source.ssrc, goodbye.ssrcs.contains(ssrc) else { continue }
      videoReceivers[index]?.retire(at: now)
      isKnown = true
    }
    guard isKnown else { return }
    reports.noteGoodbye(of: goodbye.ssrcs, at: now)
    if !peerGoesOn { reports.awaitEnd(reason: goodbye.reason, at: now) }
  }

  /// Whether anything is left of the peer after a BYE: media that comes, a stream that was announced and has not said
  /// BYE, or reports under another name. Streams that are not wanted do not count, but while none is wanted (on hold)
  /// nobody can tell: senders that are put on hold say BYE, too.
  ///
  /// - Specification: RFC 3550 §6.6
  var peerGoesOn: Bool {
    func goesOn(_ source: RemoteStream?, announced: [UInt32]) -> Bool {
      source?.ssrc != nil || announced.contains { !reports.hasEnded($0) }
    }
    var isWanted = false
    if let audio = configuration.audio, audio.receives {
      isWanted = true
      if goesOn(audioReceiver?.source, announced: audio.remoteSSRCs) { return true }
    }
    for (index, video) in configuration.video.enumerated() where video.receives {
      isWanted = true
      if goesOn(videoReceivers[index]?.source, announced: video.remoteSSRCs) { return true }
    }
    return !isWanted || reports.hasRemoteSource
  }

  private mutating func receive(_ message: FeedbackMessage, at now: Instant) {
    switch message {
    case .nack(let nack):
      guard let index = videoSender(of: nack.mediaSSRC) else { return }
      videoSenders[index]?.received(nack, storage: &storage, at: now)
    case .pictureLoss(let mediaSSRC):
      guard let index = videoSender(of: mediaSSRC) else { return }
      videoSenders[index]?.receivedPictureLoss()
    case .fullIntraRequest(let requests):
      for request in requests {
        guard let index = videoSender(of: request.ssrc) else { continue }
        videoSenders[index]?.receivedFullIntraRequest(sequenceNumber: request.sequenceNumber)
      }
    case .bitrateLimit(let limit):
      congestion.received(limit)
    case .transport(_, let feedback):
      congestion.received(feedback, at: now)
    }
  }

  private func videoSender(of ssrc: UInt32) -> Int? {
    videoSenders.indices.first { videoSenders[$0]?.stream.ssrc == ssrc }
  }

  // MARK: Out

  /// Sends feedback at once, alone where reduced size was agreed on, else behind an empty report.
  ///
  /// - Specification: RFC 4585 §3.1, RFC 5506 §4.1
  mutating func send(_ message: FeedbackMessage, from ssrc: UInt32, at now: Instant) {
    var packet = storage.take(capacity: 256)
    if !configuration.usesReducedSizeRTCP {
      RTCPPacket.receiverReport(ReceiverReport(ssrc: ssrc)).write(to: &packet)
      RTCPPacket.sourceDescription([SourceDescription(ssrc: ssrc, cname: configuration.cname)]).write(to: &packet)
    }
    message.write(from: ssrc, to: &packet)
    finishRTCP(&packet)
  }

  /// Sends a report on each stream that was sent, else a receiver's, with this side's name.
  ///
  /// - Specification: RFC 3550 §6.1, §6.4; RFC 3611 §4.4, §4.5
  mutating func sendReport(with last: RTCPPacket? = nil, at now: Instant) {
    var packet = storage.take(capacity: 512)
    let time = configuration.wallClock.time(at: now)
    var blocks = reportBlocks(at: now)
    var sources: [UInt32] = []
    func write(_ report: SenderReport) {
      RTCPPacket.senderReport(report).write(to: &packet)
      sources.append(report.ssrc)
      blocks = []
    }
    if let report = audioSender?.makeReport(time: time, blocks: blocks, at: now) { write(report) }
    for index in videoSenders.indices {
      if let report = videoSenders[index]?.makeReport(time: time, blocks: blocks, at: now) { write(report) }
      if let report = videoSenders[index]?.makeRetransmissionReport(time: time, blocks: blocks, at: now) {
        write(report)
      }
    }
    let sendsNothing = sources.isEmpty
    if sendsNothing {
      RTCPPacket.receiverReport(ReceiverReport(ssrc: primarySSRC, reportBlocks: blocks)).write(to: &packet)
      sources.append(primarySSRC)
    }
    RTCPPacket.sourceDescription(
      sources.prefix(31).map { SourceDescription(ssrc: $0, cname: configuration.cname) }
    ).write(to: &packet)
    let extended = reports.makeExtendedReport(
      ssrc: primarySSRC, referenceTime: sendsNothing ? time : nil, at: now)
    if let extended { RTCPPacket.extendedReport(extended).write(to: &packet) }
    last?.write(to: &packet)
    finishRTCP(&packet)
  }

  private mutating func reportBlocks(at now: Instant) -> [ReportBlock] {
    var blocks: [ReportBlock] = []
    if let block = audioReceiver?.source.makeReportBlock(at: now) { blocks.append(block) }
    for index in videoReceivers.indices { videoReceivers[index]?.addReportBlocks(to: &blocks, at: now) }
    return Array(blocks.prefix(31))
  }

  private mutating func finishRTCP(_ packet: inout [UInt8]) {
    packet.reserveCapacity(packet.count + Self.trailerCapacity)
    outputs.append(.packet(OutgoingPacket(kind: .rtcp, bytes: packet)))
  }
}
