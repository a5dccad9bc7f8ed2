import MediaCodecs
import MediaEngine
import MediaTime
import RTPCore

/// Runs one call's media: the endpoint on its media loop and the audio on its codec thread. Signalling sends commands in;
/// facts come out. The only place where both are held together.
actor CallMedia {
  /// What signalling has learnt or decided. Few per call, carried out in order.
  enum Command: Sendable {
    case setRemote(ICECredentials)
    case addRemote([MediaEngine.ICECandidate])
    case remoteGatheringDone
    case setDTLS(role: MediaEngine.DTLSRole, fingerprints: [CertificateFingerprint])
    case begin(RTPSession.Configuration, AudioPipeline.Encoding)
    /// The peer restarts ICE under these credentials.
    case restart(ICECredentials)
  }

  /// What signalling needs to know. Few per call.
  enum Fact: Sendable {
    case local(MediaEndpoint.LocalDescription)
    /// New credentials after a restart, and the candidates to signal again.
    case restarted(ICECredentials, [MediaEngine.ICECandidate])
    case event(MediaEvent)
    case statistics(CallStatistics)
    case warning(CallError)
    /// What was tried; precedes the end of a call that did not connect.
    case connectivity(ConnectivityReport)
    case failedToStart(CallError)
  }

  private let endpoint: MediaEndpoint
  private let offer: MediaOffer
  private let report: @Sendable (Fact) async -> Void
  private let warnings: AsyncStream<CallError>
  private let warn: AsyncStream<CallError>.Continuation
  private var pipeline: AudioPipeline?
  private var connectedAt: Instant?

  init(
    on loop: GLibLoop, _ configuration: MediaEndpoint.Configuration, offer: MediaOffer,
    report: @escaping @Sendable (Fact) async -> Void
  ) {
    endpoint = MediaEndpoint(on: loop, configuration)
    self.offer = offer
    self.report = report
    (warnings, warn) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(16))
  }

  /// Starts, carries out commands until they end, and stops: BYE and close_notify are sent, sinks are finished.
  func run(_ commands: AsyncStream<Command>) async {
    do {
      await report(.local(try await endpoint.start()))
    } catch {
      await report(.failedToStart(CallError(.connectivity, "No media socket could be opened: \(error).", cause: error)))
      return await endpoint.close()
    }
    await withTaskGroup { group in
      group.addTask { await self.relayEvents() }
      group.addTask {
        for await warning in self.warnings { await self.report(.warning(warning)) }
      }
      group.addTask { await self.relayStatistics() }
      for await command in commands { await perform(command) }
      await finish()
      group.cancelAll()
    }
  }

  private func perform(_ command: Command) async {
    switch command {
    case .setRemote(let credentials): await endpoint.setRemote(credentials)
    case .addRemote(let candidates): await endpoint.addRemote(candidates)
    case .remoteGatheringDone: await endpoint.remoteGatheringDone()
    case .setDTLS(let role, let fingerprints): await endpoint.setDTLS(role: role, fingerprints: fingerprints)
    case .restart(let credentials):
      if let (local, candidates) = await endpoint.restartICE() { await report(.restarted(local, candidates)) }
      await endpoint.setRemote(credentials)
    case .begin(let configuration, let encoding):
      let pipeline = AudioPipeline(offer, encoding, on: CodecThreads.shared.next()) { [warn] in warn.yield($0) }
      self.pipeline = pipeline
      await endpoint.startMedia(RTPSession(configuration: configuration, at: SystemClock.now)) { pipeline.play($0) }
      if connectedAt != nil { await startSending() }
    }
  }

  private func relayEvents() async {
    for await event in endpoint.events {
      if case .connected = event {
        connectedAt = SystemClock.now
        await startSending()
      }
      if case .failed = event { await report(.connectivity(await endpoint.connectivity)) }
      await report(.event(event))
    }
  }

  private func startSending() async {
    let endpoint = endpoint
    do {
      try await pipeline?.start { endpoint.send($0) }
    } catch {
      warn.yield(CallError(.media, "Audio cannot be encoded: \(error). Nothing is sent.", cause: error))
    }
  }

  private func relayStatistics() async {
    while (try? await Task.sleep(for: .seconds(1))) != nil {
      guard let statistics = await statistics() else { continue }
      await report(.statistics(statistics))
    }
  }

  private func finish() async {
    if let last = await statistics() {
      await report(.statistics(last))
    } else {
      await report(.connectivity(await endpoint.connectivity))
    }
    await endpoint.close()
    await pipeline?.finish()
    warn.finish()
  }

  private func statistics() async -> CallStatistics? {
    guard let connectedAt else { return nil }
    let (session, transport) = await endpoint.statistics
    guard let session else { return nil }
    if let loss = session.remoteFractionLost { await pipeline?.setExpectedLoss(loss) }
    let levels = pipeline?.levels
    return CallStatistics(
      duration: SystemClock.now - connectedAt, sentAudioLevel: levels?.sent, receivedAudioLevel: levels?.received,
      packetsSent: session.packetsSent, packetsReceived: session.packetsReceived, packetsLost: session.packetsLost,
      remotePacketsLost: max(0, session.remoteCumulativeLost ?? 0), jitter: session.jitter,
      remoteJitter: session.remoteJitter, roundTripTime: session.roundTripTime, bytesSent: session.bytesSent,
      bytesReceived: session.bytesReceived, concealedSamples: session.jitterBuffer.concealedSamples,
      packetsRejected: transport.unauthenticated + transport.refused)
  }
}
