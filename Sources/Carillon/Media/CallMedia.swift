import MediaCodecs
import MediaEngine
import MediaTime
import RTPCore

/// Runs one call's media: its transports on their media loop, sound and pictures each on a codec thread. Signalling sends
/// commands in; facts come out. The only place where all are held together.
actor CallMedia {
  /// What signalling has learnt or decided. Few per call, carried out in order.
  enum Command: Sendable {
    /// Opens a transport's sockets and begins to gather.
    case open(Int)
    /// Lets a transport go that is not needed, since its content goes over another one or not at all.
    case close(Int)
    case transport(Int, TransportCommand)
    case begin(MediaNegotiation.Agreement)
  }

  enum TransportCommand: Sendable {
    case setRemote(ICECredentials)
    case addRemote([MediaEngine.ICECandidate])
    case setDTLS(role: MediaEngine.DTLSRole, fingerprints: [CertificateFingerprint])
    /// The peer restarts ICE under these credentials.
    case restart(ICECredentials)
  }

  /// What signalling needs to know. Few per call.
  enum Fact: Sendable {
    case transport(Int, TransportFact)
    case statistics(CallStatistics)
    case warning(CallError)
    case failedToStart(CallError)
  }

  enum TransportFact: Sendable {
    case local(MediaEndpoint.LocalDescription)
    /// New credentials after a restart, and the candidates to signal again.
    case restarted(ICECredentials, [MediaEngine.ICECandidate])
    case event(MediaEvent)
    /// What was tried; precedes the end of a call that did not connect.
    case connectivity(ConnectivityReport)
  }

  /// One transport's endpoint.
  private struct Transport {
    let endpoint: MediaEndpoint
    var isConnected = false
  }

  private let offer: MediaOffer
  private let report: @Sendable (Fact) async -> Void
  private let makeEndpoint: @Sendable () -> MediaEndpoint
  private let warnings: AsyncStream<CallError>
  private let warn: AsyncStream<CallError>.Continuation

  private var transports: [Int: Transport] = [:]
  private var agreement: MediaNegotiation.Agreement?
  private var audio: AudioPipeline?
  private var video: VideoPipeline?
  private let timeline = SharedTimeline()
  private var connectedAt: Instant?
  private var meter = StatisticsMeter()

  init(
    on loop: GLibLoop, _ configuration: MediaEndpoint.Configuration, offer: MediaOffer,
    report: @escaping @Sendable (Fact) async -> Void
  ) {
    makeEndpoint = { MediaEndpoint(on: loop, configuration) }
    self.offer = offer
    self.report = report
    (warnings, warn) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(16))
  }

  /// Carries out commands until they end, and stops: BYE and close_notify are sent, sinks are finished.
  func run(_ commands: AsyncStream<Command>) async {
    await withTaskGroup { group in
      group.addTask {
        for await warning in self.warnings { await self.report(.warning(warning)) }
      }
      group.addTask { await self.relayStatistics() }
      for await command in commands {
        if case .open(let index) = command, let endpoint = await open(index) {
          group.addTask { await self.relayEvents(of: endpoint, index) }
        } else {
          await perform(command)
        }
      }
      await finish()
      group.cancelAll()
    }
  }

  private func open(_ index: Int) async -> MediaEndpoint? {
    guard transports[index] == nil else { return nil }
    let endpoint = makeEndpoint()
    transports[index] = Transport(endpoint: endpoint)
    do {
      await report(.transport(index, .local(try await endpoint.start())))
      return endpoint
    } catch {
      await report(.failedToStart(CallError(.connectivity, "No media socket could be opened: \(error).", cause: error)))
      return nil
    }
  }

  private func perform(_ command: Command) async {
    switch command {
    case .open: break
    case .close(let index): await transports.removeValue(forKey: index)?.endpoint.close()
    case .transport(let index, let command):
      guard let endpoint = transports[index]?.endpoint else { return }
      switch command {
      case .setRemote(let credentials): await endpoint.setRemote(credentials)
      case .addRemote(let candidates): await endpoint.addRemote(candidates)
      case .setDTLS(let role, let fingerprints): await endpoint.setDTLS(role: role, fingerprints: fingerprints)
      case .restart(let credentials):
        if let (local, candidates) = await endpoint.restartICE() {
          await report(.transport(index, .restarted(local, candidates)))
        }
        await endpoint.setRemote(credentials)
      }
    case .begin(let agreement): await begin(agreement)
    }
  }

  // MARK: Media

  private func begin(_ agreement: MediaNegotiation.Agreement) async {
    self.agreement = agreement
    beginEncodedSink(agreement)
    if let track = agreement.audio {
      audio = AudioPipeline(offer, track.encoding, on: CodecThreads.shared.next(), timeline: timeline) { [warn] in
        warn.yield($0)
      }
    }
    if let track = agreement.video, let endpoint = transports[track.transport]?.endpoint {
      video = VideoPipeline(
        offer, track.encoding, on: CodecThreads.shared.next(), timeline: timeline,
        requestKeyFrame: { endpoint.requestKeyFrame(stream: 0) }, warn: { [warn] in warn.yield($0) })
    }
    let (audio, video) = (audio, video)
    let outlets = MediaEndpoint.Outlets(
      playAudio: { audio?.play($0) }, playVideo: { frame, _ in video?.play(frame) },
      requestOfEncoder: { request, _ in video?.request(request) })
    for (index, configuration) in agreement.sessions {
      await transports[index]?.endpoint.startMedia(
        RTPSession(configuration: configuration, at: SystemClock.now), outlets)
    }
    for index in agreement.sessions.keys where transports[index]?.isConnected == true { await startSending(on: index) }
  }

  private func beginEncodedSink(_ agreement: MediaNegotiation.Agreement) {
    guard let sink = offer.encodedSink else { return }
    let receivesVideo = agreement.video?.encoding.receives == true && sink.kinds.contains(.video)
    let video = receivesVideo ? agreement.video?.encoding.codec : nil
    // Where Opus was agreed on, it is what is sent too.
    let audio =
      agreement.audio?.encoding.receives == true && agreement.audio?.encoding.codec == .opus
      && sink.kinds.contains(.audio)
    do {
      try sink.begin(EncodedTracks(audio: audio, video: video))
    } catch {
      warn.yield(CallError(.media, "Received media cannot be written: \(error).", cause: error))
    }
  }

  private func relayEvents(of endpoint: MediaEndpoint, _ index: Int) async {
    for await event in endpoint.events {
      if case .connected = event {
        transports[index]?.isConnected = true
        connectedAt = connectedAt ?? SystemClock.now
        await startSending(on: index)
      }
      if case .failed = event { await report(.transport(index, .connectivity(await endpoint.connectivity))) }
      await report(.transport(index, .event(event)))
    }
  }

  private func startSending(on index: Int) async {
    guard let agreement, let endpoint = transports[index]?.endpoint else { return }
    do {
      if agreement.audio?.transport == index { try await audio?.start { endpoint.send($0) } }
      if agreement.video?.transport == index { try await video?.start { endpoint.send($0, stream: 0) } }
    } catch {
      warn.yield(CallError(.media, "Media cannot be encoded: \(error). Some of it is not sent.", cause: error))
    }
  }

  private func finish() async {
    if let last = await statistics() {
      await report(.statistics(last))
    } else {
      for (index, transport) in transports {
        await report(.transport(index, .connectivity(await transport.endpoint.connectivity)))
      }
    }
    for transport in transports.values { await transport.endpoint.close() }
    await audio?.finish()
    await video?.finish()
    if agreement != nil { offer.encodedSink?.finish() }
    warn.finish()
  }

  // MARK: Statistics

  private func relayStatistics() async {
    while (try? await Task.sleep(for: .seconds(1))) != nil {
      guard let statistics = await statistics() else { continue }
      await report(.statistics(statistics))
    }
  }

  private func statistics() async -> CallStatistics? {
    guard let connectedAt, let agreement else { return nil }
    var statistics = CallStatistics(duration: SystemClock.now - connectedAt)
    for (index, transport) in transports.sorted(by: { $0.key < $1.key }) {
      let (session, transport) = await transport.endpoint.statistics
      statistics.packetsRejected += transport.unauthenticated + transport.refused
      guard let session else { continue }
      statistics.roundTripTime = statistics.roundTripTime ?? session.roundTripTime
      if let track = agreement.audio, track.transport == index, let figures = session.audio {
        if let loss = figures.outbound.remoteFractionLost { await audio?.setExpectedLoss(loss) }
        statistics.add(figures, track, audio?.levels)
      }
      if let track = agreement.video, track.transport == index, let figures = session.video.first {
        statistics.availableOutgoingBitrate = session.availableOutgoingBitrate
        statistics.add(figures, track, video?.figures)
      }
      statistics.availableOutgoingBitrate = statistics.availableOutgoingBitrate ?? session.availableOutgoingBitrate
    }
    if agreement.audio?.encoding.receives == true, agreement.video?.encoding.receives == true {
      statistics.audioVideoOffset = timeline.audioVideoOffset
    }
    meter.measure(&statistics)
    return statistics
  }
}
