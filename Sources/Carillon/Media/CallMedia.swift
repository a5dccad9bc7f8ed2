import MediaCodecs
import MediaEngine
import MediaTime
import RTPCore
import XMPPNetworking

/// Runs one call's media: its transports on their media loop, sound and pictures each on a codec thread. Signalling sends
/// commands in; facts come out. The only place where all are held together.
actor CallMedia {
  /// What signalling has learnt or decided. Few per call, carried out in order.
  enum Command: Sendable {
    /// Opens a transport's sockets and begins to gather.
    case open(Int, multiplexesRTCP: Bool)
    /// Lets a transport go that is not needed, since its content goes over another one or not at all.
    case close(Int)
    case transport(Int, TransportCommand)
    /// Contents join.
    case begin(MediaNegotiation.Agreement)
    /// A content leaves.
    case end(content: String)
    case flow(content: String, Flow)
    case press(TelephoneEvent, Duration, content: String)
    /// The peer wants no more than this of a content.
    case limit(content: String, bitsPerSecond: Int)
    /// Media goes over another transport from now on.
    case move(from: Int, to: Int)
  }

  enum TransportCommand: Sendable {
    case setRemote(ICECredentials)
    case addRemote([MediaEngine.ICECandidate])
    /// No more of the peer's candidates follow.
    case remoteGatheringDone
    case setDTLS(role: MediaEngine.DTLSRole, fingerprints: [CertificateFingerprint])
    /// The peer takes no RTCP over the transport's one component.
    case withholdRTCP
    /// Looks for a new path, under these credentials when it is the peer that began.
    case restart(ICECredentials?)
  }

  /// Which way a content's media flows.
  struct Flow: Hashable, Sendable {
    var sends: Bool
    var receives: Bool
    /// Silence is sent, or no pictures.
    var isMuted = false
  }

  /// What signalling needs to know. Few per call.
  enum Fact: Sendable {
    case transport(Int, TransportFact)
    case statistics(CallStatistics, [String: MediaObservation])
    case warning(CallError)
    case failedToStart(Int, CallError)
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
    var routing: MediaRouting
    var isConnected = false
    var hasSession = false
    /// How many videos its session has had: the next one's index.
    var videoCount = 0
  }

  private struct Track {
    enum Pipeline {
      case audio(AudioPipeline, AudioPipeline.Encoding)
      /// In the transport's session under this index.
      case video(VideoPipeline, VideoPipeline.Encoding, stream: Int)
    }

    let agreed: MediaNegotiation.Track
    var transport: Int
    var pipeline: Pipeline
    var hasStarted = false
  }

  private let report: @Sendable (Fact) async -> Void
  private let resolve: @Sendable () async -> ICEServers
  /// Those asked so far, with their tunnels.
  private var servers: [ICEServers] = []
  private let makeEndpoint: @Sendable ([ICEServer], _ multiplexesRTCP: Bool) -> MediaEndpoint
  /// Candidates whose addresses are names, and whose. Bound: `maximumNames` in a call, later ones dropped.
  private let names: AsyncStream<(MediaEngine.ICECandidate, MediaEndpoint)>
  private let name: AsyncStream<(MediaEngine.ICECandidate, MediaEndpoint)>.Continuation
  private var nameCount = 0
  private static let maximumNames = 32
  private let warnings: AsyncStream<CallError>
  private let warn: AsyncStream<CallError>.Continuation

  private var transports: [Int: Transport] = [:]
  /// In the order in which they joined.
  private var tracks: [Track] = []
  /// Of encoded media, those that were begun.
  private var encodedSinks: [any EncodedMediaSink] = []
  private let timeline = SharedTimeline()
  private var hadVideo = false
  private var connectedAt: Instant?
  private var meter = StatisticsMeter()
  /// How often key frames are sent where nobody can ask for one, as RTCP has no way there.
  private static let refreshInterval = Duration.seconds(3)
  private var refreshedAt: Instant?

  /// - Parameters:
  ///   - configuration: but for the servers, and whether RTCP is multiplexed.
  ///   - resolve: gives the STUN and TURN servers of the moment.
  init(
    on loop: GLibLoop, _ configuration: MediaEndpoint.Configuration,
    resolve: @escaping @Sendable () async -> ICEServers,
    report: @escaping @Sendable (Fact) async -> Void
  ) {
    makeEndpoint = { servers, multiplexesRTCP in
      var configuration = configuration
      configuration.multiplexesRTCP = multiplexesRTCP
      configuration.ice.servers = servers
      return MediaEndpoint(on: loop, configuration)
    }
    self.resolve = resolve
    self.report = report
    (names, name) = AsyncStream.makeStream()
    (warnings, warn) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(16))
  }

  /// Carries out commands until they end, and stops: BYE and close_notify are sent, sinks are finished.
  func run(_ commands: AsyncStream<Command>) async {
    servers = [await resolve()]
    await withTaskGroup { group in
      group.addTask {
        for await warning in self.warnings { await self.report(.warning(warning)) }
      }
      group.addTask { await self.relayStatistics() }
      group.addTask { await self.resolveNames() }
      for await command in commands {
        if case .open(let index, let multiplexesRTCP) = command {
          guard let endpoint = await open(index, multiplexesRTCP) else { continue }
          group.addTask { await self.relayEvents(of: endpoint, index) }
        } else {
          await perform(command)
        }
      }
      await finish()
      group.cancelAll()
    }
  }

  private func open(_ index: Int, _ multiplexesRTCP: Bool) async -> MediaEndpoint? {
    guard transports[index] == nil else { return nil }
    let endpoint = makeEndpoint(servers.last?.list ?? [], multiplexesRTCP)
    transports[index] = Transport(endpoint: endpoint, routing: MediaRouting(endpoint))
    do {
      await report(.transport(index, .local(try await endpoint.start())))
      return endpoint
    } catch {
      await report(
        .failedToStart(index, CallError(.connectivity, "No media socket could be opened: \(error).", cause: error)))
      return nil
    }
  }

  private func perform(_ command: Command) async {
    switch command {
    case .open: break
    case .close(let index): await transports.removeValue(forKey: index)?.endpoint.close()
    case .transport(let index, let command):
      guard let endpoint = transports[index]?.endpoint else { return }
      await perform(command, endpoint, index)
    case .begin(let agreement): await begin(agreement)
    case .end(let content): await end(content)
    case .flow(let content, let flow): await setFlow(flow, of: content)
    case .press(let key, let duration, let content):
      guard let track = tracks.first(where: { $0.agreed.content == content }) else { return }
      await transports[track.transport]?.endpoint.change { _ = $0.send(key, duration: duration, at: $1) }
    case .limit(let content, let bitsPerSecond):
      switch tracks.first(where: { $0.agreed.content == content })?.pipeline {
      case .audio(let pipeline, _): await pipeline.limit(to: bitsPerSecond)
      case .video(let pipeline, _, _): await pipeline.limit(to: bitsPerSecond)
      case nil: break
      }
    case .move(let old, let new): await move(from: old, to: new)
    }
  }

  private func perform(_ command: TransportCommand, _ endpoint: MediaEndpoint, _ index: Int) async {
    switch command {
    case .setRemote(let credentials): await endpoint.setRemote(credentials)
    case .addRemote(let candidates): await addRemote(candidates, to: endpoint)
    case .remoteGatheringDone: await endpoint.remoteGatheringDone()
    case .setDTLS(let role, let fingerprints): await endpoint.setDTLS(role: role, fingerprints: fingerprints)
    case .withholdRTCP: await endpoint.withholdRTCP()
    case .restart(let credentials):
      await restart(endpoint, index)
      if let credentials { await endpoint.setRemote(credentials) }
    }
  }

  /// Browsers hide addresses behind names that only hosts of the same link know; what they stand for is added when it is
  /// known.
  ///
  /// - Specification: draft-ietf-mmusic-mdns-ice-candidates §3.2
  private func addRemote(_ candidates: [MediaEngine.ICECandidate], to endpoint: MediaEndpoint) async {
    let named = candidates.filter { $0.address.lowercased().hasSuffix(".local") }
    await endpoint.addRemote(candidates.filter { !named.contains($0) })
    for candidate in named.prefix(max(0, Self.maximumNames - nameCount)) {
      nameCount += 1
      name.yield((candidate, endpoint))
    }
  }

  /// A name after another, so that a peer cannot have many asked for at once.
  private func resolveNames() async {
    for await (candidate, endpoint) in names {
      let addresses = await MulticastNameResolver.resolve(candidate.address)
      await endpoint.addRemote(
        addresses.prefix(4).map { address in
          var candidate = candidate
          candidate.address = address
          return candidate
        })
    }
  }

  /// With fresh credentials for the TURN servers: those of the call's beginning may have expired.
  private func restart(_ endpoint: MediaEndpoint, _ index: Int) async {
    let fresh = await resolve()
    servers.append(fresh)
    do {
      guard let local = try await endpoint.restartICE(servers: fresh.list) else { return }
      await report(.transport(index, .restarted(local.credentials, local.candidates)))
    } catch {
      warn.yield(CallError(.connectivity, "No new media socket could be opened: \(error).", cause: error))
    }
  }

  // MARK: Contents

  private func begin(_ agreement: MediaNegotiation.Agreement) async {
    beginEncodedSinks(agreement.tracks)
    let joining = agreement.tracks.filter { transports[$0.transport] != nil }
    for agreed in joining {
      guard let transport = transports[agreed.transport] else { continue }
      let pipeline = makePipeline(agreed, transport)
      switch pipeline {
      case .audio(let pipeline, _): transport.routing.audio = pipeline
      case .video(let pipeline, _, let stream):
        transport.routing[stream] = pipeline
        transports[agreed.transport]?.videoCount += 1
      }
      tracks.append(Track(agreed: agreed, transport: agreed.transport, pipeline: pipeline))
    }
    for index in Set(joining.map(\.transport)) {
      guard let transport = transports[index] else { continue }
      let streams = joining.filter { $0.transport == index }
      if transport.hasSession {
        for agreed in streams { await add(agreed, to: transport.endpoint) }
      } else if var configuration = agreement.sessions[index] {
        for agreed in streams { configuration.add(agreed) }
        transports[index]?.hasSession = true
        await transport.endpoint.startMedia(
          RTPSession(configuration: configuration, at: SystemClock.now), transport.routing.outlets)
      }
      if transport.isConnected { await startSending(on: index) }
    }
  }

  private func makePipeline(_ agreed: MediaNegotiation.Track, _ transport: Transport) -> Track.Pipeline {
    let thread = CodecThreads.shared.next()
    switch agreed.stream {
    case .audio(_, let encoding):
      return .audio(
        AudioPipeline(agreed.media, encoding, on: thread, timeline: timeline) { [warn] in warn.yield($0) }, encoding)
    case .video(_, let encoding, _):
      // Only the first pictures are played in sync with the sound.
      defer { hadVideo = true }
      let (routing, stream) = (transport.routing, transport.videoCount)
      let pipeline = VideoPipeline(
        agreed.media, encoding, on: thread, timeline: hadVideo ? SharedTimeline() : timeline,
        requestKeyFrame: { routing.endpoint.requestKeyFrame(stream: stream) }, warn: { [warn] in warn.yield($0) })
      return .video(pipeline, encoding, stream: stream)
    }
  }

  private func add(_ agreed: MediaNegotiation.Track, to endpoint: MediaEndpoint) async {
    await endpoint.change { session, now in
      let extensions = session.configuration.headerExtensions.merging(agreed.headerExtensions)
      switch agreed.stream {
      case .audio(let stream, _): session.add(stream, extensions, at: now)
      case .video(let stream, _, let bandwidth):
        _ = session.add(stream, extensions, bandwidth: bandwidth, at: now)
      }
    }
  }

  private func end(_ content: String) async {
    guard let index = tracks.firstIndex(where: { $0.agreed.content == content }) else { return }
    let track = tracks.remove(at: index)
    let transport = transports[track.transport]
    switch track.pipeline {
    case .audio(let pipeline, _):
      await transport?.endpoint.change { $0.removeAudio(at: $1) }
      transport?.routing.audio = nil
      await pipeline.finish()
    case .video(let pipeline, _, let stream):
      await transport?.endpoint.change { $0.removeVideo(stream, at: $1) }
      transport?.routing[stream] = nil
      await pipeline.finish()
    }
  }

  private func setFlow(_ flow: Flow, of content: String) async {
    guard let index = tracks.firstIndex(where: { $0.agreed.content == content }) else { return }
    let endpoint = transports[tracks[index].transport]?.endpoint
    switch tracks[index].pipeline {
    case .audio(let pipeline, var encoding):
      (encoding.sends, encoding.receives) = (flow.sends, flow.receives)
      tracks[index].pipeline = .audio(pipeline, encoding)
      await endpoint?.change { session, _ in session.setAudioDirection(sends: flow.sends, receives: flow.receives) }
      await pipeline.setFlow(sends: flow.sends, receives: flow.receives, muted: flow.isMuted)
    case .video(let pipeline, var encoding, let stream):
      let sends = flow.sends && !flow.isMuted
      (encoding.sends, encoding.receives) = (flow.sends, flow.receives)
      tracks[index].pipeline = .video(pipeline, encoding, stream: stream)
      await endpoint?.change { session, _ in session.setVideoDirection(stream, sends: sends, receives: flow.receives) }
      await pipeline.setFlow(sends: sends, receives: flow.receives)
    }
  }

  private func move(from old: Int, to new: Int) async {
    guard let from = transports[old], let to = transports[new], !to.hasSession,
      let session = await from.endpoint.takeMedia()
    else { return }
    transports[new]?.routing = from.routing
    transports[new]?.hasSession = true
    transports[new]?.videoCount = from.videoCount
    transports[old]?.hasSession = false
    from.routing.endpoint = to.endpoint
    for index in tracks.indices where tracks[index].transport == old { tracks[index].transport = new }
    await to.endpoint.startMedia(session, from.routing.outlets)
  }

  private func beginEncodedSinks(_ joining: [MediaNegotiation.Track]) {
    for track in joining {
      guard let sink = track.media.encodedSink, !encodedSinks.contains(where: { $0 === sink }) else { continue }
      var tracks = EncodedTracks(audio: false)
      for other in joining where other.media.encodedSink === sink && sink.kinds.contains(other.kind) {
        switch other.stream {
        case .audio(_, let encoding): tracks.audio = encoding.receives && encoding.codec == .opus
        case .video(_, let encoding, _): tracks.video = encoding.receives ? encoding.codec : nil
        }
      }
      guard tracks.audio || tracks.video != nil else { continue }
      encodedSinks.append(sink)
      do {
        try sink.begin(tracks)
      } catch {
        warn.yield(CallError(.media, "Received media cannot be written: \(error).", cause: error))
      }
    }
  }

  // MARK: Transports

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
    guard let routing = transports[index]?.routing else { return }
    for position in tracks.indices where tracks[position].transport == index && !tracks[position].hasStarted {
      tracks[position].hasStarted = true
      do {
        switch tracks[position].pipeline {
        case .audio(let pipeline, _): try await pipeline.start { routing.endpoint.send($0) }
        case .video(let pipeline, _, let stream): try await pipeline.start { routing.endpoint.send($0, stream: stream) }
        }
      } catch {
        warn.yield(CallError(.media, "Media cannot be encoded: \(error). Some of it is not sent.", cause: error))
      }
    }
  }

  private func finish() async {
    if let (last, observations) = await statistics() {
      await report(.statistics(last, observations))
    } else {
      for (index, transport) in transports {
        await report(.transport(index, .connectivity(await transport.endpoint.connectivity)))
      }
    }
    for transport in transports.values { await transport.endpoint.close() }
    for track in tracks {
      switch track.pipeline {
      case .audio(let pipeline, _): await pipeline.finish()
      case .video(let pipeline, _, _): await pipeline.finish()
      }
    }
    for sink in encodedSinks { sink.finish() }
    for servers in servers { await servers.close() }
    warn.finish()
    name.finish()
  }

  // MARK: Statistics

  private func relayStatistics() async {
    while (try? await Task.sleep(for: .seconds(1))) != nil {
      guard let (statistics, observations) = await statistics() else { continue }
      await report(.statistics(statistics, observations))
    }
  }

  private func statistics() async -> (CallStatistics, [String: MediaObservation])? {
    guard let connectedAt, !tracks.isEmpty else { return nil }
    let now = SystemClock.now
    var statistics = CallStatistics(duration: now - connectedAt)
    var observations: [String: MediaObservation] = [:]
    let refreshes = now - (refreshedAt ?? connectedAt) >= Self.refreshInterval
    if refreshes { refreshedAt = now }
    for (index, transport) in transports.sorted(by: { $0.key < $1.key }) {
      let (session, figures) = await transport.endpoint.statistics
      statistics.packetsRejected += figures.unauthenticated + figures.refused
      guard let session else { continue }
      statistics.roundTripTime = statistics.roundTripTime ?? session.roundTripTime
      statistics.availableOutgoingBitrate = statistics.availableOutgoingBitrate ?? session.availableOutgoingBitrate
      for track in tracks where track.transport == index {
        var observation = MediaObservation(
          unauthenticated: figures.unauthenticated, unknownPayloadTypes: session.packetsOfUnknownPayloadType,
          silence: figures.heardAt.map { now - $0 }, hasReports: figures.carriesRTCP)
        switch track.pipeline {
        case .audio(let pipeline, let encoding):
          guard let audio = session.audio else { continue }
          if let loss = audio.outbound.remoteFractionLost { await pipeline.setExpectedLoss(loss) }
          statistics.add(audio, track.agreed, encoding, pipeline.levels)
          observation.packets = audio.inbound.packetsReceived
        case .video(let pipeline, let encoding, let stream):
          guard session.video.indices.contains(stream) else { continue }
          let video = session.video[stream]
          if refreshes, !figures.carriesRTCP { pipeline.request(.keyFrame) }
          statistics.availableOutgoingBitrate = session.availableOutgoingBitrate
          statistics.add(video, track.agreed, encoding, pipeline.figures)
          observation.packets = video.inbound.packetsReceived
        }
        if transport.isConnected { observations[track.agreed.content] = observation }
      }
    }
    if statistics.inbound(.audio) != nil, statistics.inbound(.video) != nil {
      statistics.audioVideoOffset = timeline.audioVideoOffset
    }
    statistics.outbound.sort { ($0.kind.rawValue, $0.mid) < ($1.kind.rawValue, $1.mid) }
    statistics.inbound.sort { ($0.kind.rawValue, $0.mid) < ($1.kind.rawValue, $1.mid) }
    meter.measure(&statistics)
    return (statistics, observations)
  }
}

extension MediaRouting {
  /// Where a session's media goes.
  fileprivate var outlets: MediaEndpoint.Outlets {
    MediaEndpoint.Outlets(
      playAudio: { self.audio?.play($0) }, playVideo: { self[$1]?.play($0) },
      requestOfEncoder: { self[$1]?.request($0) })
  }
}

extension RTPSession.Configuration {
  fileprivate mutating func add(_ track: MediaNegotiation.Track) {
    headerExtensions = headerExtensions.merging(track.headerExtensions)
    switch track.stream {
    case .audio(let stream, _): audio = stream
    case .video(let stream, _, let bandwidth):
      video.append(stream)
      self.bandwidth = bandwidth
    }
  }
}
