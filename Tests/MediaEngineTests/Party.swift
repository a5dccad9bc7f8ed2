import Foundation
import MediaTime
import RTPCore
import Synchronization
import Testing

@testable import MediaEngine

/// One side of a call over loopback: an endpoint, what it was told and what it has to play.
final class Party: Sendable {
  private struct Log {
    var events: [MediaEvent] = []
    var units: [PlayoutUnit] = []
    var pictures: [ReceivedVideoFrame] = []
    var requests: [MediaEndpoint.EncoderRequest] = []
    var nextPosition: Int64 = 0
  }

  let endpoint: MediaEndpoint
  private let log = Box()

  init(
    on loop: GLibLoop = GLibLoop(), controlling: Bool, servers: [ICEServer] = [], relayOnly: Bool = false,
    localAddresses: [String] = ["127.0.0.1"], multiplexesRTCP: Bool = true, consentTimeout: Duration = .seconds(30),
    restartTimeout: Duration = .seconds(30)
  ) {
    var configuration = MediaEndpoint.Configuration(
      .init(controlling: controlling, servers: servers, relayOnly: relayOnly, localAddresses: localAddresses))
    configuration.multiplexesRTCP = multiplexesRTCP
    configuration.consentTimeout = consentTimeout
    configuration.ice.restartTimeout = restartTimeout
    endpoint = MediaEndpoint(on: loop, configuration)
  }

  var events: [MediaEvent] { log.value.withLock { $0.events } }
  var units: [PlayoutUnit] { log.value.withLock { $0.units } }
  var pictures: [ReceivedVideoFrame] { log.value.withLock { $0.pictures } }
  var requests: [MediaEndpoint.EncoderRequest] { log.value.withLock { $0.requests } }
  /// The numbers of the frames that came, in the order of playout.
  var frames: [UInt32] {
    units.compactMap { unit in
      switch unit {
      case .frame(let frame), .skipped(let frame): frame.payload.dropFirst().reduce(0) { $0 << 8 | UInt32($1) }
      case .concealment: nil
      }
    }
  }

  /// The first event from now on of which `match` makes something; nil when the events have ended.
  func first<T: Sendable>(_ match: (MediaEvent) -> T?) async -> T? {
    for await event in endpoint.events {
      log.value.withLock { $0.events.append(event) }
      if let found = match(event) { return found }
    }
    return nil
  }

  func connected() async -> MediaConnection? {
    await first { if case .connected(let connection) = $0 { connection } else { nil } }
  }

  func failure() async -> MediaFailure? {
    await first { if case .failed(let failure) = $0 { failure } else { nil } }
  }

  /// Reads events until the endpoint is closed.
  func drainEvents() async {
    await first { _ in nil as Never? }
  }

  func startMedia(ssrc: UInt32) async {
    let configuration = RTPSession.Configuration(
      cname: "party-\(ssrc)",
      audio: .init(
        localSSRC: ssrc, payloadType: 111, acceptedPayloadTypes: [111: .opus],
        initialSequenceNumber: SequenceNumber(rawValue: 65_530), initialTimestamp: RTPTimestamp(rawValue: 1)),
      video: [
        .init(
          localSSRC: ssrc + 100, payloadType: 96, format: .vp8, acceptedPayloadTypes: [96: .vp8],
          feedback: .init(nack: true, pictureLoss: true, transport: true),
          initialSequenceNumber: SequenceNumber(rawValue: 65_530), initialTimestamp: RTPTimestamp(rawValue: 1))
      ],
      headerExtensions: .init(transportSequenceNumber: 3),
      wallClock: .init(instant: SystemClock.now, time: NTPTime(sinceUnixEpoch: .seconds(1_700_000_000))),
      seed: UInt64(ssrc))
    let session = RTPSession(configuration: configuration, at: SystemClock.now)
    await endpoint.startMedia(
      session,
      .init(
        playAudio: { [log] unit in log.value.withLock { $0.units.append(unit) } },
        playVideo: { [log] frame, _ in log.value.withLock { $0.pictures.append(frame) } },
        requestOfEncoder: { [log] request, _ in log.value.withLock { $0.requests.append(request) } }))
  }

  /// Sends the next numbered frame of 20 ms.
  func sendFrame() {
    let position = log.value.withLock { log in
      defer { log.nextPosition += 960 }
      return log.nextPosition
    }
    // SILK, 20 ms, mono; then the frame's number.
    let number = UInt32(position / 960)
    let payload = [0x08] + (0..<4).map { UInt8(truncatingIfNeeded: number >> (24 - 8 * $0)) }
    endpoint.send(EncodedAudioFrame(payload: payload, position: position, duration: 960))
  }

  /// Sends a picture of that many bytes; VP8 knows key frames by the first bit (RFC 6386 §9.1).
  func sendPicture(isKeyFrame: Bool, size: Int = 3_000) {
    var payload = [UInt8](repeating: 7, count: size)
    payload.replaceSubrange(0..<10, with: [isKeyFrame ? 0x10 : 0x11, 0, 0, 0x9D, 0x01, 0x2A, 64, 0, 48, 0])
    endpoint.send(
      EncodedVideoFrame(payload: payload, isKeyFrame: isKeyFrame, capturedAt: SystemClock.now), stream: 0)
  }

  /// Talks to `other` until it has heard so many more frames.
  func talk(to other: Party, frames count: Int) async throws {
    let wanted = other.frames.count + count
    while other.frames.count < wanted {
      sendFrame()
      try await Task.sleep(for: .milliseconds(20))
    }
  }

  private final class Box: Sendable {
    let value = Mutex(Log())
  }
}

/// Two parties and what signalling would carry between them.
struct Pair {
  /// What signalling tells wrongly.
  enum Lie {
    case password, fingerprint
  }

  let a: Party
  let b: Party
  let descriptions: [MediaEndpoint.LocalDescription]

  /// Starts both and tells each about the other; ICE and DTLS are then under way.
  ///
  /// - Parameters:
  ///   - relay: what stands between them; nil for none.
  ///   - control: the same between their components for RTCP, which they have if there is one.
  ///   - lie: what `a` is told about `b` that is not so.
  init(
    on loops: (GLibLoop, GLibLoop)? = nil, relay: UDPRelay? = nil, control: UDPRelay? = nil, lie: Lie? = nil,
    consentTimeout: Duration = .seconds(30), restartTimeout: Duration = .seconds(30)
  ) async throws {
    let loop = GLibLoop()
    a = Party(
      on: loops?.0 ?? loop, controlling: true, multiplexesRTCP: control == nil, consentTimeout: consentTimeout,
      restartTimeout: restartTimeout)
    b = Party(
      on: loops?.1 ?? loop, controlling: false, multiplexesRTCP: control == nil, consentTimeout: consentTimeout,
      restartTimeout: restartTimeout)
    var ofA = try await a.endpoint.start()
    var ofB = try await b.endpoint.start()
    descriptions = [ofA, ofB]
    if relay != nil || control != nil {
      let (candidatesOfA, candidatesOfB) = (ofA.candidates, ofB.candidates)
      (ofA.candidates, ofB.candidates) = ([], [])
      for (component, relay) in [(1, relay), (2, control)] {
        guard let relay else { continue }
        let one = try #require(candidatesOfA.first { $0.component == component && $0.transport == .udp })
        let other = try #require(candidatesOfB.first { $0.component == component && $0.transport == .udp })
        relay.run(between: one.port, other.port)
        ofA.candidates.append(one.at(port: relay.port(towards: .b)))
        ofB.candidates.append(other.at(port: relay.port(towards: .a)))
      }
    }
    switch lie {
    case .password: ofB.credentials.password = String(ofB.credentials.password.reversed())
    case .fingerprint: ofB.fingerprint = ofA.fingerprint
    case nil: break
    }
    await a.startMedia(ssrc: 1)
    await b.startMedia(ssrc: 2)
    await a.endpoint.setDTLS(role: .client, fingerprints: [ofB.fingerprint])
    await b.endpoint.setDTLS(role: .server, fingerprints: [ofA.fingerprint])
    for (party, peer) in [(a, ofB), (b, ofA)] {
      await party.endpoint.setRemote(peer.credentials)
      await party.endpoint.addRemote(peer.candidates)
      await party.endpoint.remoteGatheringDone()
    }
  }

  func connected() async throws -> [MediaConnection] {
    async let first = a.connected()
    async let second = b.connected()
    return try [#require(await first), #require(await second)]
  }

  func close() async {
    await a.endpoint.close()
    await b.endpoint.close()
  }
}

extension ICECandidate {
  func at(port: UInt16) -> ICECandidate {
    var candidate = self
    candidate.port = port
    return candidate
  }
}
