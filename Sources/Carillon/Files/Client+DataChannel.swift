import Foundation
import JingleCore
import MediaEngine
import MediaTime
import NIOCore
import XMPPCore

// Data channels: SCTP over DTLS over ICE.
extension Client {
  /// Opens this side's end; candidates that are not known at once follow.
  func openDataChannel(of transfer: ActiveTransfer) async -> DataChannelTransport? {
    let offered = transfer.offered?.dataChannel
    var setup = DTLSSetup.actpass
    var role: JingleCore.DTLSRole?
    let channel = offered?.channels.first(where: \.isUsable)
    if let offered {
      guard offered.channels.isEmpty || channel != nil else {
        transportFailed("the peer's channel is no stream", of: transfer)
        return nil
      }
      guard let fingerprint = offered.ice.fingerprint,
        let answer = try? JingleCore.DTLSRole.answering(fingerprint.setup)
      else {
        transportFailed("the peer offers a data channel without a fingerprint", of: transfer)
        return nil
      }
      (role, setup) = answer
    }
    let servers = await ICEServers.resolve(await currentServices(), configuration)
    var settings = DataChannelEndpoint.Configuration(
      .init(
        controlling: transfer.session.jingle.role == .initiator, servers: servers.list,
        relayOnly: configuration.relayOnly, localAddresses: localAddresses),
      label: transfer.content)
    let named = channel.flatMap { $0.isNegotiated ? $0 : nil }
    settings.negotiated = named?.id
    let endpoint = DataChannelEndpoint(settings)
    do {
      let local = try await endpoint.start()
      guard transfer.result == nil else {
        await endpoint.close()
        await servers.close()
        return nil
      }
      transfer.dataChannel = .init(endpoint: endpoint, role: role)
      let (id, attempt) = (transfer.id, transfer.failures.count)
      spawn {
        for await event in endpoint.events { await self.receive(event, id, attempt) }
        await servers.close()
      }
      // Relays take a moment, and are all that there is then.
      for _ in 0..<20 where configuration.relayOnly && transfer.dataChannel?.needsTime == true {
        try await Task.sleep(for: .milliseconds(100))
      }
      guard let early = transfer.dataChannel?.early else { return nil }
      transfer.dataChannel?.early = nil
      guard !configuration.relayOnly || !(local.candidates.isEmpty && early.isEmpty) else {
        transportFailed("no TURN server gave a relayed address", of: transfer)
        return nil
      }
      let ice = ICETransport(
        ufrag: local.credentials.ufrag, pwd: local.credentials.password,
        fingerprints: DTLSFingerprint(local.fingerprint, setup: setup).map { [$0] } ?? [],
        candidates: local.candidates.map { transfer.candidate($0, hidesBase: configuration.relayOnly) } + early)
      return DataChannelTransport(
        form: offered?.form ?? transfer.dataChannelForm, ice: ice, port: DataChannelEndpoint.localPort,
        maximumMessageSize: DataChannelEndpoint.maximumMessageSize, channels: named.map { [$0] } ?? [])
    } catch {
      await endpoint.close()
      await servers.close()
      transportFailed("no socket could be opened: \(error)", of: transfer)
      return nil
    }
  }

  func connectDataChannel(_ transfer: ActiveTransfer) {
    guard let remote = transfer.offered?.dataChannel, let state = transfer.dataChannel else {
      return transportFailed("the peer answered with another transport", of: transfer)
    }
    guard let credentials = remote.ice.credentials, let fingerprint = remote.ice.fingerprint,
      let role = state.role ?? (try? JingleCore.DTLSRole(offered: .actpass, answered: fingerprint.setup))
    else { return transportFailed("the peer's data channel would not be encrypted", of: transfer) }
    let end = DataChannelEndpoint.Remote(
      role: role == .client ? .client : .server, fingerprints: remote.ice.fingerprints.map(CertificateFingerprint.init),
      port: remote.port ?? DataChannelTransport.defaultPort, sendLimit: remote.sendLimit)
    let candidates = remote.ice.candidates.compactMap(MediaEngine.ICECandidate.init)
    let endpoint = state.endpoint
    spawn {
      await endpoint.setRemote(credentials)
      await endpoint.addRemote(candidates)
      await endpoint.connect(end)
    }
  }

  /// The peer's candidates that came later.
  func addRemote(_ transport: ICETransport, of transfer: ActiveTransfer) {
    guard let endpoint = transfer.dataChannel?.endpoint else {
      // Before this side has its end, they are a part of the offer.
      guard var offered = transfer.offered?.dataChannel else { return }
      offered.ice.ufrag = offered.ice.ufrag ?? transport.ufrag
      offered.ice.pwd = offered.ice.pwd ?? transport.pwd
      offered.ice.candidates += transport.candidates
      transfer.offered = Jingle.Transport(offered)
      return
    }
    let candidates = transport.candidates.compactMap(MediaEngine.ICECandidate.init)
    spawn { await endpoint.addRemote(candidates) }
  }

  private func receive(_ event: DataChannelEvent, _ id: UUID, _ attempt: Int) {
    // What an earlier one tells is of no interest any more.
    guard let transfer = transfer(id), transfer.result == nil, transfer.failures.count == attempt,
      let endpoint = transfer.dataChannel?.endpoint
    else { return }
    switch event {
    case .candidate(let candidate):
      let candidate = transfer.candidate(candidate, hidesBase: configuration.relayOnly)
      guard transfer.dataChannel?.early?.append(candidate) == nil else { return }
      transfer.session.jingle.send(ICETransport(candidates: [candidate]), for: transfer.content)
      pump(transfer.session)
    case .connected(let path, let version):
      let (local, remote) = (path.local.kind.rawValue, path.remote.kind.rawValue)
      transportReady(DataChannelStream(endpoint: endpoint), "\(local) to \(remote), \(version)", of: transfer)
    case .failed(let failure) where failure.isSuspicious && transfer.stream == nil:
      // What somebody in between could bring about is no reason to go another way, which is not encrypted.
      fail(
        transfer,
        CallError(
          .connectivity,
          "The data channel to \(transfer.peer) could not be encrypted: \(failure.words). Somebody may be in between."),
        telling: Jingle.Reason(.securityError))
    case .failed(let failure):
      if transfer.stream == nil { transportFailed(failure.words, of: transfer) }
    case .gatheringDone: transfer.dataChannel?.isGathered = true
    case .ice, .pathChanged, .restartFailed: break
    }
    rearm()
  }
}

extension DataChannelFailure {
  /// Whether there was a path, and what failed is the proof of who is at its other end.
  fileprivate var isSuspicious: Bool {
    switch self {
    case .dtls, .fingerprintMismatch, .closedByPeer: true
    default: false
    }
  }

  fileprivate var words: String {
    switch self {
    case .noSockets: "no socket could be opened"
    case .noPath: "ICE found no path"
    case .consentLost: "the peer is not heard any more"
    case .dtls(let words): "DTLS failed: \(words)"
    case .fingerprintMismatch: "the certificate is another's"
    case .sctp(let failure): "SCTP failed: \(failure)"
    case .closedByPeer: "the peer closed it"
    case .unsuitable: "the peer's channel is no stream"
    case .timedOut: "it was not connected in time"
    case .closed: "it was closed"
    }
  }
}

extension DataChannelTransport.Channel {
  /// Whether a file can go by it: in the specification's words, a streaming transport; and if it is not opened in band, it
  /// has a number.
  ///
  /// - Specification: XEP-0343 §1
  fileprivate var isUsable: Bool {
    isStream && (!isNegotiated || id.map { $0 < DataChannelEndpoint.maximumStreams } == true)
  }
}

extension ActiveTransfer.DataChannel {
  /// Whether there is nothing to tell the peer yet, and may be later.
  fileprivate var needsTime: Bool { early?.isEmpty == true && !isGathered }
}

/// A data channel as a way for a file.
private struct DataChannelStream: Bytestream {
  let endpoint: DataChannelEndpoint
  let chunkSize = 256 << 10

  func send(_ bytes: ByteBuffer) async throws { try await endpoint.send(Array(bytes.readableBytesView)) }
  func finish() async throws { try await endpoint.finish() }
  func next() async throws -> ByteBuffer? {
    var received = endpoint.received.makeAsyncIterator()
    return try await received.next().map { ByteBuffer(bytes: $0) }
  }
  func close() async { await endpoint.close() }
}

extension ActiveTransfer {
  fileprivate func candidate(_ candidate: MediaEngine.ICECandidate, hidesBase: Bool) -> JingleCore.ICECandidate {
    candidateCount += 1
    return JingleCore.ICECandidate(candidate, id: "i\(candidateCount)", hidesBase: hidesBase)
  }
}
