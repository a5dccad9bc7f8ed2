import Foundation
import JingleCore
import MediaEngine
import MediaTime
import XMPPCore
import XMPPNetworking

// SOCKS5 bytestreams: what their negotiation wants.
extension Client {
  /// Listens, and finds the proxies of this account's server.
  func openSOCKS5(of transfer: ActiveTransfer) async -> SOCKS5Transport? {
    guard let own = link?.address else {
      transportFailed("there is no connection to the server", of: transfer)
      return nil
    }
    var negotiation: SOCKS5Negotiation
    if let offered = transfer.offered?.socks5 {
      do {
        negotiation = try SOCKS5Negotiation(answering: offered, from: transfer.peer, to: own)
      } catch {
        transportFailed("\(error)", of: transfer)
        return nil
      }
    } else {
      negotiation = SOCKS5Negotiation(offering: StanzaID.random(using: &random), from: own, to: transfer.peer)
    }
    let addresses = configuration.relayOnly ? [] : localAddresses.isEmpty ? LocalAddress.usable : localAddresses
    let awaited = negotiation.awaitedDestinations
    async let listening = try? SOCKS5Listener(addresses: addresses, awaiting: awaited)
    let proxies = await bytestreamProxies()
    let listener = await listening
    guard transfer.result == nil else { return nil }
    // More of the offer may have come in the meantime.
    if let offered = transfer.offered?.socks5,
      let whole = try? SOCKS5Negotiation(answering: offered, from: transfer.peer, to: own)
    {
      negotiation = whole
    }
    var state = ActiveTransfer.SOCKS5(negotiation: negotiation, listener: listener)
    var candidates: [SOCKS5Candidate] = []
    for (index, endpoint) in (listener?.endpoints ?? []).enumerated() {
      let cid = "c\(index)"
      state.cids[endpoint] = cid
      candidates.append(
        SOCKS5Candidate(
          cid: cid, host: String(endpoint.address.prefix { $0 != "%" }), jid: own, port: endpoint.port,
          priority: SOCKS5Candidate.Kind.direct.priority(localPreference: UInt16(clamping: 65_535 - index))))
    }
    for (index, proxy) in proxies.enumerated() {
      candidates.append(
        SOCKS5Candidate(cid: "p\(index)", proxy: proxy, localPreference: UInt16(clamping: 65_535 - index)))
    }
    let transport = state.negotiation.offer(candidates)
    transfer.socks5 = state
    if let listener {
      let id = transfer.id
      spawn {
        for await incoming in listener.incoming { await self.came(incoming, id) }
      }
    }
    return transport
  }

  /// The peer tells of its end, or of how its attempts went.
  func receive(_ transport: SOCKS5Transport, of transfer: ActiveTransfer, at now: Instant) {
    guard transfer.socks5?.negotiation.sid != transport.sid else {
      transfer.socks5?.negotiation.receive(transport, at: now)
      return pumpSOCKS5(transfer)
    }
    // Before this side has its end, that is a part of the offer.
    guard var offered = transfer.offered?.socks5, offered.sid == transport.sid else { return }
    offered.add(transport)
    transfer.offered = .socks5(offered)
  }

  /// Whether a connection there gives nothing away that this side hides: who is not to learn this machine's address may
  /// well call itself a proxy, so only those of this account's server count.
  ///
  /// - Specification: XEP-0260 §6.1
  private func mayConnect(_ link: SOCKS5Negotiation.Link, to candidate: SOCKS5Candidate) -> Bool {
    guard configuration.relayOnly, case .toPeer = link else { return true }
    let host = candidate.host.lowercased()
    return proxies?.contains { $0.host.lowercased() == host && $0.port == candidate.port } == true
  }

  /// Somebody who knows the bytestream has connected.
  private func came(_ incoming: SOCKS5Listener.Incoming, _ id: UUID) {
    guard let transfer = transfer(id), let cid = transfer.socks5?.cids[incoming.endpoint] else {
      return incoming.connection.close()
    }
    let link = SOCKS5Negotiation.Link.fromPeer(cid: cid)
    transfer.socks5?.connections[link] = incoming.connection
    transfer.socks5?.negotiation.connected(link, at: SystemClock.now)
    pumpSOCKS5(transfer)
    rearm()
  }

  func pumpSOCKS5(_ transfer: ActiveTransfer) {
    let id = transfer.id
    while let action = transfer.socks5?.negotiation.nextAction() {
      switch action {
      case .connect(let link, let candidate, let destination):
        guard mayConnect(link, to: candidate) else {
          transfer.socks5?.negotiation.failed(link, at: SystemClock.now)
          continue
        }
        transfer.socks5?.attempts[link] = Task {
          let connection = try? await SOCKS5Connector.connect(
            host: candidate.host, port: candidate.port, destination: destination)
          // Another attempt may have its place by now.
          guard !Task.isCancelled else { return connection?.close() ?? () }
          self.attempted(link, connection, id)
        }
      case .close(let link):
        transfer.socks5?.attempts.removeValue(forKey: link)?.cancel()
        transfer.socks5?.connections.removeValue(forKey: link)?.close()
      case .send(let transport):
        transfer.session.jingle.send(.socks5(transport), for: transfer.content)
        pump(transfer.session)
      case .activate(let proxy, let target):
        guard let negotiation = transfer.socks5?.negotiation else { continue }
        request(.set(BytestreamQuery.activation(sid: negotiation.sid, target: target)), to: proxy.jid) { outcome in
          // Another bytestream may have its place by now.
          guard transfer.socks5?.negotiation.sid == negotiation.sid else { return }
          let now = SystemClock.now
          if case .result = outcome {
            transfer.socks5?.negotiation.activated(at: now)
          } else {
            transfer.socks5?.negotiation.failed(.toOwnProxy(cid: proxy.cid), at: now)
          }
          self.pumpSOCKS5(transfer)
          self.rearm()
        }
      case .use(let link, let candidate):
        guard let connection = transfer.socks5?.connections.removeValue(forKey: link) else {
          transportFailed("the connection is gone", of: transfer)
          continue
        }
        stopSOCKS5(transfer)
        transportReady(
          connection, candidate.kind == .proxy ? "proxy \(candidate.jid)" : "direct", of: transfer)
      case .fail(let failure):
        stopSOCKS5(transfer)
        transportFailed(failure.words, of: transfer)
      }
    }
  }

  private func attempted(_ link: SOCKS5Negotiation.Link, _ connection: SOCKS5Connection?, _ id: UUID) {
    guard let transfer = transfer(id), transfer.socks5?.attempts.removeValue(forKey: link) != nil else {
      connection?.close()
      return
    }
    if let connection {
      transfer.socks5?.connections[link] = connection
      transfer.socks5?.negotiation.connected(link, at: SystemClock.now)
    } else {
      transfer.socks5?.negotiation.failed(link, at: SystemClock.now)
    }
    pumpSOCKS5(transfer)
    rearm()
  }

  /// Lets go of all but the connection in use.
  func stopSOCKS5(_ transfer: ActiveTransfer) {
    guard let state = transfer.socks5 else { return }
    state.listener?.close()
    for attempt in state.attempts.values { attempt.cancel() }
    for connection in state.connections.values { connection.close() }
    transfer.socks5?.listener = nil
    transfer.socks5?.attempts = [:]
    transfer.socks5?.connections = [:]
  }

  // MARK: Proxies

  /// What proxies are there beyond is not told.
  private static let maximumProxies = 8

  /// The proxies that this account's server names, asked for once a stream.
  ///
  /// - Specification: XEP-0065 §4
  private func bytestreamProxies() async -> [StreamHost] {
    if let proxies { return proxies }
    let services = await serverEntities().filter { $0.info.isBytestreamProxy }.map(\.jid).prefix(Self.maximumProxies)
    let answers = await withTaskGroup(of: (JID, IQTracker.Outcome).self) { group in
      for service in services {
        group.addTask {
          (service, await self.ask(.get(BytestreamQuery.addressRequest), of: service, timeout: .seconds(5)))
        }
      }
      var answers: [JID: IQTracker.Outcome] = [:]
      for await (service, outcome) in group { answers[service] = outcome }
      return answers
    }
    let hosts = services.flatMap { service -> [StreamHost] in
      guard case .result(let payload?) = answers[service], let answer = try? BytestreamQuery(payload),
        case .streamHosts(let hosts) = answer.content
      else { return [] }
      return hosts
    }
    proxies = Array(hosts.prefix(Self.maximumProxies))
    return proxies ?? []
  }

  /// What this account's server is and has, asked for once a stream.
  func serverEntities() async -> [(jid: JID, info: DiscoInfo)] {
    if let entities { return entities }
    guard let domain = link?.address.domain else { return [] }
    var discovery = ServerDiscovery(of: domain)
    await withTaskGroup(of: (ServerDiscovery.Question, IQTracker.Outcome).self) { group in
      repeat {
        while let question = discovery.nextQuestion() {
          group.addTask {
            (question, await self.ask(.get(question.payload), of: question.recipient, timeout: .seconds(5)))
          }
        }
        if let (question, outcome) = await group.next() { discovery.received(outcome, to: question) }
      } while !discovery.isFinished
    }
    // None may have been silence only.
    if !discovery.entities.isEmpty { entities = discovery.entities }
    return discovery.entities
  }
}

extension SOCKS5Negotiation.Failure {
  fileprivate var words: String {
    switch self {
    case .noConnection: "neither side reaches the other, nor a proxy of the other's"
    case .proxy(let foundHere): foundHere ? "the proxy cannot be used" : "the peer cannot use the proxy"
    case .lost: "the connection is gone"
    case .timedOut: "the peer did not do its part in time"
    case .protocolViolation: "the peer speaks of what it was not offered"
    }
  }
}
