import Foundation
import JingleCore
import MediaTime
import Testing
import XMPPCore
import XMPPNetworking

/// The negotiation of a SOCKS5 bytestream on real sockets, with signalling in memory.
@Suite(.timeLimit(.minutes(5))) struct SOCKS5BytestreamTests {
  static let romeo = JID(localpart: "romeo", domainpart: "example.test", resourcepart: "orchard")
  static let juliet = JID(localpart: "juliet", domainpart: "example.test", resourcepart: "balcony")

  /// A slow machine makes nothing time out.
  static let patient = {
    var timing = SOCKS5Negotiation.Timing()
    timing.attempt = .seconds(200)
    timing.connecting = .seconds(200)
    timing.report = .seconds(200)
    timing.completing = .seconds(200)
    timing.lateCandidates = .milliseconds(50)
    return timing
  }()

  /// One side: its machine, where it listens, and what it can do.
  struct Party: Sendable {
    var machine: SOCKS5Negotiation
    var listener: SOCKS5Listener?
    /// Asks a proxy to let the bytestream flow.
    var activate: @Sendable (SOCKS5Candidate) async -> Bool = { _ in false }

    /// The candidates of the listener, best first; a candidate is named after its address.
    func candidates(of jid: JID) -> [SOCKS5Candidate] {
      (listener?.endpoints ?? []).enumerated().map { index, endpoint in
        SOCKS5Candidate(
          cid: endpoint.address, host: endpoint.address, jid: jid, port: endpoint.port,
          priority: SOCKS5Candidate.Kind.direct.priority(localPreference: UInt16(100 - index)))
      }
    }

    private enum Event: Sendable {
      case news(SOCKS5Transport)
      case connected(SOCKS5Negotiation.Link, SOCKS5Connection)
      case failed(SOCKS5Negotiation.Link)
      case activated
      case tick
    }

    /// Carries out what the machine says until it has a bytestream, or none.
    func negotiate(
      answer: SOCKS5Transport? = nil, news: AsyncStream<SOCKS5Transport>,
      send: @escaping @Sendable (SOCKS5Transport) -> Void
    ) async -> (connection: SOCKS5Connection, candidate: SOCKS5Candidate)? {
      var machine = machine
      machine.begin(answer, at: SystemClock.now)
      let (events, post) = AsyncStream.makeStream(of: Event.self)
      defer { listener?.close() }
      return await withTaskGroup(of: Void.self) { group in
        group.addTask { for await news in news { post.yield(.news(news)) } }
        group.addTask {
          while !Task.isCancelled {
            try? await Task.sleep(for: .milliseconds(10))
            post.yield(.tick)
          }
        }
        if let listener {
          group.addTask {
            for await incoming in listener.incoming {
              post.yield(.connected(.fromPeer(cid: incoming.endpoint.address), incoming.connection))
            }
          }
        }
        defer { group.cancelAll() }
        var connections: [SOCKS5Negotiation.Link: SOCKS5Connection] = [:]
        post.yield(.tick)
        for await event in events {
          let now = SystemClock.now
          switch event {
          case .news(let news): machine.receive(news, at: now)
          case .connected(let link, let connection):
            connections[link] = connection
            machine.connected(link, at: now)
          case .failed(let link): machine.failed(link, at: now)
          case .activated: machine.activated(at: now)
          case .tick: machine.timeout(at: now)
          }
          while let action = machine.nextAction() {
            switch action {
            case .connect(let link, let candidate, let destination):
              group.addTask {
                let connection = try? await SOCKS5Connector.connect(
                  host: candidate.host, port: candidate.port, destination: destination, timeout: .seconds(200))
                post.yield(connection.map { .connected(link, $0) } ?? .failed(link))
              }
            case .close(let link): connections[link] = nil
            case .send(let transport): send(transport)
            case .activate(let proxy, _):
              group.addTask {
                post.yield(
                  await activate(proxy) ? .activated : .failed(.toOwnProxy(cid: proxy.cid)))
              }
            case .use(let link, let candidate):
              guard let connection = connections[link] else { return nil }
              return (connection, candidate)
            case .fail: return nil
            }
          }
        }
        return nil
      }
    }
  }

  /// Romeo's offer, Juliet's answer, and what becomes of them.
  private func negotiate(
    _ romeos: inout Party, _ julietsListener: SOCKS5Listener?, sid: String, proxy: StreamHost? = nil,
    proxyIsRomeos: Bool = true, activate: @escaping @Sendable (SOCKS5Candidate) async -> Bool = { _ in false },
    romeo: JID = romeo, juliet: JID = juliet
  ) async throws -> [(connection: SOCKS5Connection, candidate: SOCKS5Candidate)] {
    let proxies = proxy.map { [SOCKS5Candidate(cid: "proxy", proxy: $0)] } ?? []
    romeos.activate = activate
    let offer = romeos.machine.offer(romeos.candidates(of: romeo) + (proxyIsRomeos ? proxies : []))
    var juliets = Party(
      machine: try SOCKS5Negotiation(
        answering: SOCKS5Transport(offer.element), from: romeo, to: juliet, timing: Self.patient),
      listener: julietsListener,
      activate: activate)
    let answer = juliets.machine.offer(juliets.candidates(of: juliet) + (proxyIsRomeos ? [] : proxies))
    let (toRomeo, postToRomeo) = AsyncStream.makeStream(of: SOCKS5Transport.self)
    let (toJuliet, postToJuliet) = AsyncStream.makeStream(of: SOCKS5Transport.self)
    let (romeosParty, julietsParty) = (romeos, juliets)
    async let julietsEnd = julietsParty.negotiate(news: toJuliet) { postToRomeo.yield($0) }
    async let romeosEnd = romeosParty.negotiate(answer: answer, news: toRomeo) { postToJuliet.yield($0) }
    return [await romeosEnd, await julietsEnd].compactMap(\.self)
  }

  private func party(_ sid: String, listens: Bool = true) async throws -> Party {
    let machine = SOCKS5Negotiation(offering: sid, from: Self.romeo, to: Self.juliet, timing: Self.patient)
    let addresses = ["127.0.0.1", "::1"]
    let listener =
      listens
      ? try await SOCKS5Listener(
        addresses: addresses, awaiting: machine.awaitedDestinations, handshakeTimeout: .seconds(200)) : nil
    return Party(machine: machine, listener: listener)
  }

  private func julietsListener(_ sid: String) async throws -> SOCKS5Listener {
    try await SOCKS5Listener(
      addresses: ["127.0.0.1", "::1"],
      awaiting: [SOCKS5Destination(sid: sid, requester: Self.juliet, target: Self.romeo)],
      handshakeTimeout: .seconds(200))
  }

  /// Sends from one to the other, and back.
  private func exchange(_ ends: [(connection: SOCKS5Connection, candidate: SOCKS5Candidate)]) async throws {
    let block = [UInt8](repeating: 7, count: 100_000)
    for (sender, receiver) in [(ends[0].connection, ends[1].connection), (ends[1].connection, ends[0].connection)] {
      async let sent: Void = {
        for _ in 0..<100 { try await sender.send(block[...]) }
        try await sender.finish()
      }()
      var count = 0
      for try await chunk in receiver.received { count += chunk.readableBytes }
      try await sent
      #expect(count == 100 * block.count)
    }
  }

  @Test func `Both listen: the initiator's choice among the best is the bytestream`() async throws {
    var romeos = try await party("both")
    let ends = try await negotiate(&romeos, julietsListener("both"), sid: "both")
    try #require(ends.count == 2)
    #expect(ends[0].candidate == ends[1].candidate)
    #expect(ends[0].candidate.jid == Self.juliet)
    try await exchange(ends)
  }

  @Test(arguments: [true, false])
  func `One side listens, which is enough`(romeoListens: Bool) async throws {
    var romeos = try await party("one", listens: romeoListens)
    let ends = try await negotiate(&romeos, romeoListens ? nil : julietsListener("one"), sid: "one")
    try #require(ends.count == 2)
    #expect(ends[0].candidate == ends[1].candidate)
    #expect(ends[0].candidate.jid == (romeoListens ? Self.romeo : Self.juliet))
    try await exchange(ends)
  }

  @Test func `Nobody is reachable: both sides give up`() async throws {
    var romeos = try await party("none")
    romeos.listener?.close()
    let juliets = try await julietsListener("none")
    juliets.close()
    let ends = try await negotiate(&romeos, juliets, sid: "none")
    #expect(ends.isEmpty)
  }

  @Test(arguments: [true, false], [true, false])
  func `A proxy stands between, if it activates`(isRomeos: Bool, works: Bool) async throws {
    let requester = isRomeos ? Self.romeo : Self.juliet
    let target = isRomeos ? Self.juliet : Self.romeo
    let proxy = try await Proxy(SOCKS5Destination(sid: "proxy", requester: requester, target: target))
    var romeos = try await party("proxy", listens: false)
    let ends = try await negotiate(
      &romeos, nil, sid: "proxy", proxy: proxy.host, proxyIsRomeos: isRomeos
    ) { _ in works ? await proxy.activate() : false }
    guard works else {
      #expect(ends.isEmpty)
      return
    }
    try #require(ends.count == 2)
    #expect(ends.map(\.candidate.kind) == [.proxy, .proxy])
    try await exchange(ends)
  }

  /// A proxy for one bytestream.
  private final class Proxy: Sendable {
    let host: StreamHost
    private let listener: SOCKS5Listener

    init(_ destination: SOCKS5Destination) async throws {
      listener = try await SOCKS5Listener(
        addresses: ["127.0.0.1"], awaiting: [destination], handshakeTimeout: .seconds(200))
      host = StreamHost(
        jid: JID(localpart: nil, domainpart: "proxy.example.test", resourcepart: nil), host: "127.0.0.1",
        port: listener.endpoints[0].port)
    }

    /// Connects the two who have come.
    func activate() async -> Bool {
      var iterator = listener.incoming.makeAsyncIterator()
      guard let a = await iterator.next()?.connection, let b = await iterator.next()?.connection else { return false }
      for (from, to) in [(a, b), (b, a)] {
        Task {
          for try await chunk in from.received { try await to.send(chunk) }
          try await to.finish()
        }
      }
      return true
    }
  }
}
