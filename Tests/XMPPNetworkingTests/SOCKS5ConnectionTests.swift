import Foundation
import NIOCore
import NIOPosix
import Synchronization
import Testing
import XMPPCore

@testable import XMPPNetworking

@Suite(.timeLimit(.minutes(2))) struct SOCKS5ConnectionTests {
  static let destination = SOCKS5Destination(
    sid: "s5b", requester: JID(localpart: "romeo", domainpart: "example.test", resourcepart: "orchard"),
    target: JID(localpart: "juliet", domainpart: "example.test", resourcepart: "balcony"))

  /// Both ends of a bytestream on loopback.
  struct Pair {
    let listener: SOCKS5Listener
    let near: SOCKS5Connection
    let far: SOCKS5Connection

    init(address: String = "127.0.0.1") async throws {
      listener = try await SOCKS5Listener(
        addresses: [address], awaiting: [destination], handshakeTimeout: .seconds(60))
      near = try await SOCKS5Connector.connect(
        host: address, port: listener.endpoints[0].port, destination: destination, timeout: .seconds(60))
      let incoming = try #require(await listener.incoming.first { _ in true })
      #expect(incoming.endpoint == listener.endpoints[0])
      #expect(incoming.destination == destination)
      far = incoming.connection
    }
  }

  // MARK: The bytestream

  @Test(arguments: ["127.0.0.1", "::1"])
  func `Bytes arrive in order, in both directions at once, and each direction ends for itself`(
    address: String
  ) async throws {
    let pair = try await Pair(address: address)
    let blocks = 200
    try await withThrowingTaskGroup(of: Void.self) { group in
      for (sender, receiver) in [(pair.near, pair.far), (pair.far, pair.near)] {
        group.addTask {
          for block in 0..<blocks { try await sender.send(pattern(10_007, from: block * 10_007)) }
          try await sender.finish()
        }
        group.addTask {
          var whole = ByteBuffer()
          for try await chunk in receiver.received { whole.writeImmutableBuffer(chunk) }
          #expect(whole == pattern(blocks * 10_007))
        }
      }
      try await group.waitForAll()
    }
  }

  @Test func `After its end, one side still receives`() async throws {
    let pair = try await Pair()
    try await pair.near.send(ArraySlice("the last byte".utf8))
    try await pair.near.finish()
    try await pair.near.finish()
    var question = ByteBuffer()
    for try await chunk in pair.far.received { question.writeImmutableBuffer(chunk) }
    #expect(String(buffer: question) == "the last byte")
    try await pair.far.send(ByteBuffer(string: "an answer"))
    try await pair.far.finish()
    var answer = ByteBuffer()
    for try await chunk in pair.near.received { answer.writeImmutableBuffer(chunk) }
    #expect(String(buffer: answer) == "an answer")
    // Nothing more comes, and that can be asked for again.
    let more = try await pair.near.received.makeAsyncIterator().next()
    #expect(more == nil)
  }

  @Test func `A bytestream may be empty`() async throws {
    let pair = try await Pair()
    try await pair.near.send(ByteBuffer())
    try await pair.near.finish()
    let first = try await pair.far.received.makeAsyncIterator().next()
    #expect(first == nil)
    try await pair.far.finish()
  }

  @Test func `A sender waits for a receiver that does not read, and loses nothing`() async throws {
    let pair = try await Pair()
    let sent = Mutex(0)
    let block = pattern(65_536)
    let sending = Task {
      for _ in 0..<2048 {
        try await pair.near.send(block)
        sent.withLock { $0 += 65_536 }
      }
      try await pair.near.finish()
    }
    // It stops somewhere between what the two sides and the kernel hold and the whole.
    var before = -1
    while sent.withLock({ $0 }) != before {
      before = sent.withLock { $0 }
      try await Task.sleep(for: .milliseconds(500))
    }
    #expect(before < 64 << 20)
    var count = 0
    for try await chunk in pair.far.received { count += chunk.readableBytes }
    #expect(count == 2048 * 65_536)
    try await sending.value
  }

  @Test func `Of a sender that was fast, and now waits, the last few bytes are read as well`() async throws {
    let pair = try await Pair()
    let total = 16 << 20 + 1000
    let sending = Task {
      for _ in 0..<16 { try await pair.near.send(pattern(1 << 20)) }
      try await Task.sleep(for: .milliseconds(50))
      try await pair.near.send(pattern(1000))
    }
    var count = 0
    while count < total, let chunk = try await pair.far.next() { count += chunk.readableBytes }
    #expect(count == total)
    try await sending.value
  }

  @Test func `A cancelled sender ends the bytestream, which the other side notices`() async throws {
    let pair = try await Pair()
    let sending = Task {
      let block = pattern(262_144)
      while true { try await pair.near.send(block) }
    }
    var chunks = 0
    let error = await #expect(throws: SOCKS5ConnectionError.self) {
      for try await _ in pair.far.received {
        chunks += 1
        if chunks == 10 { sending.cancel() }
      }
      // An end in order would not tell a whole file from a broken one, but sizes do.
      throw SOCKS5ConnectionError(.lost, "an orderly end")
    }
    #expect(error?.kind == .lost)
    let outcome = await sending.result
    #expect(throws: SOCKS5ConnectionError.self) { try outcome.get() }
  }

  @Test func `A cancelled receiver ends the bytestream`() async throws {
    let pair = try await Pair()
    let receiving = Task { for try await _ in pair.far.received {} }
    try await pair.near.send(ByteBuffer(string: "x"))
    receiving.cancel()
    let outcome = await receiving.result
    #expect(throws: SOCKS5ConnectionError.self) { try outcome.get() }
    await #expect(throws: SOCKS5ConnectionError.self) {
      while true { try await pair.near.send(pattern(262_144)) }
    }
  }

  @Test func `Who waits learns that this side has closed`() async throws {
    let pair = try await Pair()
    let receiving = Task { for try await _ in pair.near.received {} }
    let sending = Task { while true { try await pair.near.send(pattern(262_144)) } }
    try await Task.sleep(for: .milliseconds(100))
    pair.near.close()
    for outcome in [await receiving.result, await sending.result] {
      let error = #expect(throws: SOCKS5ConnectionError.self) { try outcome.get() }
      #expect(error?.kind == .closed)
    }
    let error = await #expect(throws: SOCKS5ConnectionError.self) { try await pair.near.finish() }
    #expect(error?.kind == .closed)
  }

  @Test func `A connection that is let go of is closed`() async throws {
    let listener = try await SOCKS5Listener(addresses: ["127.0.0.1"], awaiting: [Self.destination])
    let near = try await SOCKS5Connector.connect(
      host: "127.0.0.1", port: listener.endpoints[0].port, destination: Self.destination)
    do { _ = try #require(await listener.incoming.first { _ in true }) }
    var ended = false
    do {
      for try await _ in near.received {}
      ended = true
    } catch { ended = true }
    #expect(ended)
  }

  // MARK: The listener

  @Test func `The listener has a port at each address, and leaves out those that are not there`() async throws {
    let listener = try await SOCKS5Listener(
      addresses: ["192.0.2.1", "127.0.0.1", "nonsense of an address", "::1"], awaiting: [Self.destination])
    #expect(listener.endpoints.map(\.address) == ["127.0.0.1", "::1"])
    #expect(listener.endpoints.allSatisfy { $0.port > 0 })
    await #expect(throws: SOCKS5ConnectionError.self) {
      try await SOCKS5Listener(addresses: ["192.0.2.1"], awaiting: [])
    }
    await #expect(throws: SOCKS5ConnectionError.self) { try await SOCKS5Listener(addresses: [], awaiting: []) }
  }

  @Test func `A stranger with another hash is turned away, the friend is not`() async throws {
    let listener = try await SOCKS5Listener(addresses: ["127.0.0.1"], awaiting: [Self.destination])
    let port = listener.endpoints[0].port
    let other = try #require(SOCKS5Destination(String(repeating: "0", count: 40)))
    let error = await #expect(throws: SOCKS5ConnectionError.self) {
      try await SOCKS5Connector.connect(host: "127.0.0.1", port: port, destination: other)
    }
    #expect(error?.kind == .handshake(.refused(.notAllowed)))
    _ = try await SOCKS5Connector.connect(host: "127.0.0.1", port: port, destination: Self.destination)
    let incoming = await listener.incoming.first { _ in true }
    #expect(incoming?.destination == Self.destination)
  }

  static let nonsense: [[UInt8]] = [
    Array("GET / HTTP/1.1\r\n\r\n".utf8), [0x16, 3, 1, 0, 200], [4, 1, 0, 80, 127, 0, 0, 1, 0], [5, 0], [5, 1, 2],
    [5, 1, 0, 5, 2, 0, 1], [5, 1, 0, 5, 1, 0, 1, 127, 0, 0, 1, 0, 80], Array(repeating: 0xFF, count: 100_000),
  ]

  @Test(arguments: nonsense)
  func `A stranger who talks nonsense is disconnected`(bytes: [UInt8]) async throws {
    let listener = try await SOCKS5Listener(
      addresses: ["127.0.0.1"], awaiting: [Self.destination], handshakeTimeout: .seconds(600))
    let stranger = try await RawClient(port: listener.endpoints[0].port)
    stranger.send(bytes)
    await stranger.disconnected()
  }

  @Test func `A stranger who says nothing, or stops in the middle, is disconnected after a while`() async throws {
    let listener = try await SOCKS5Listener(
      addresses: ["127.0.0.1"], awaiting: [Self.destination], handshakeTimeout: .milliseconds(200))
    let silent = try await RawClient(port: listener.endpoints[0].port)
    let slow = try await RawClient(port: listener.endpoints[0].port)
    slow.send([5, 1, 0])
    await silent.disconnected()
    await slow.disconnected()
  }

  @Test func `A crowd of silent strangers does not keep the friend out`() async throws {
    let listener = try await SOCKS5Listener(
      addresses: ["127.0.0.1"], awaiting: [Self.destination], handshakeTimeout: .seconds(600))
    let port = listener.endpoints[0].port
    var crowd: [RawClient] = []
    for _ in 0..<SOCKS5Listener.maximumHandshakes + 8 { crowd.append(try await RawClient(port: port)) }
    _ = try await SOCKS5Connector.connect(host: "127.0.0.1", port: port, destination: Self.destination)
    // The first to come are the first to go.
    for stranger in crowd.prefix(8) { await stranger.disconnected() }
    listener.close()
    for stranger in crowd { await stranger.disconnected() }
  }

  @Test func `Connections that nobody takes are bounded, and closed with the listener`() async throws {
    let listener = try await SOCKS5Listener(addresses: ["127.0.0.1"], awaiting: [Self.destination])
    let port = listener.endpoints[0].port
    var connections: [SOCKS5Connection] = []
    for _ in 0..<SOCKS5Listener.maximumUnclaimed + 3 {
      connections.append(
        try await SOCKS5Connector.connect(host: "127.0.0.1", port: port, destination: Self.destination))
    }
    // The last ones found no room.
    for connection in connections.suffix(3) { try? await readToEnd(connection) }
    listener.close()
    var taken = 0
    for await _ in listener.incoming { taken += 1 }
    #expect(taken == SOCKS5Listener.maximumUnclaimed)
    for connection in connections { try? await readToEnd(connection) }
    await #expect(throws: SOCKS5ConnectionError.self) {
      try await SOCKS5Connector.connect(host: "127.0.0.1", port: port, destination: Self.destination)
    }
  }

  private func readToEnd(_ connection: SOCKS5Connection) async throws {
    for try await _ in connection.received {}
  }

  @Test func `Bytes that come right behind the handshake belong to the bytestream`() async throws {
    let listener = try await SOCKS5Listener(addresses: ["127.0.0.1"], awaiting: [Self.destination])
    let eager = try await RawClient(port: listener.endpoints[0].port)
    eager.send([5, 1, 0] + [5, 1, 0, 3, 40] + Array(Self.destination.text.utf8) + [0, 0] + Array("early".utf8))
    let incoming = try #require(await listener.incoming.first { _ in true })
    let chunk = try await incoming.connection.received.makeAsyncIterator().next()
    #expect(chunk.map { String(buffer: $0) } == "early")
  }

  @Test func `A peer that sends byte by byte is read as it comes, whenever it is read`() async throws {
    let listener = try await SOCKS5Listener(addresses: ["127.0.0.1"], awaiting: [Self.destination])
    let slow = try await RawClient(port: listener.endpoints[0].port)
    for byte in [5, 1, 0] + [5, 1, 0, 3, 40] + Array(Self.destination.text.utf8) + [0, 0] {
      slow.send([byte])
      try await Task.sleep(for: .milliseconds(1))
    }
    let connection = try #require(await listener.incoming.first { _ in true }).connection
    for number in 0..<2000 {
      slow.send([UInt8(truncatingIfNeeded: number)])
      // So that they come alone, as far as that can be had.
      if number % 20 == 0 { try await Task.sleep(for: .milliseconds(1)) }
    }
    slow.finish()
    var whole: [UInt8] = []
    for try await chunk in connection.received { whole += chunk.readableBytesView }
    #expect(whole == (0..<2000).map { UInt8(truncatingIfNeeded: $0) })
  }

  // MARK: The connector

  static let hostileServers: [(script: [[UInt8]], kind: SOCKS5ConnectionError.Kind)] = [
    ([[4, 0]], .handshake(.notSOCKS5)), ([Array("HTTP/1.1 400 Bad Request\r\n".utf8)], .handshake(.notSOCKS5)),
    ([[5, 0xFF]], .handshake(.noAcceptableMethod)), ([[5, 2]], .handshake(.noAcceptableMethod)),
    ([[5, 0], [5, 5, 0, 1, 0, 0, 0, 0, 0, 0]], .handshake(.refused(.init(rawValue: 5)))),
    ([[5, 0], [5, 0, 0, 9, 0, 0]], .handshake(.malformed)), ([[5, 0], []], .lost), ([[]], .lost),
    ([Array(repeating: 5, count: 1_000_000)], .handshake(.noAcceptableMethod)),
  ]

  @Test(arguments: hostileServers)
  func `A server that breaks the rules is left`(script: [[UInt8]], kind: SOCKS5ConnectionError.Kind) async throws {
    let server = try await ScriptedServer(script)
    let error = await #expect(throws: SOCKS5ConnectionError.self) {
      try await SOCKS5Connector.connect(
        host: "127.0.0.1", port: server.port, destination: Self.destination, timeout: .seconds(60))
    }
    #expect(error?.kind == kind)
    await server.stop()
  }

  @Test func `A server that says nothing, or goes on without end, is given up in time`() async throws {
    for script in [[nil], [[5, 0], nil], [[5, 0], [5, 0, 0, 3, 255, 1, 1], nil]] as [[[UInt8]?]] {
      let server = try await ScriptedServer(script)
      let error = await #expect(throws: SOCKS5ConnectionError.self) {
        try await SOCKS5Connector.connect(
          host: "127.0.0.1", port: server.port, destination: Self.destination, timeout: .milliseconds(300))
      }
      #expect(error?.kind == .timedOut)
      await server.stop()
    }
  }

  @Test func `Nobody there, and no such host, are told apart from refusals`() async throws {
    let server = try await ScriptedServer([])
    await server.stop()
    for host in ["127.0.0.1", "no-such-host.invalid"] {
      let error = await #expect(throws: SOCKS5ConnectionError.self) {
        try await SOCKS5Connector.connect(
          host: host, port: server.port, destination: Self.destination, timeout: .seconds(60))
      }
      #expect(error?.kind == .unreachable)
      #expect(error?.message.contains(host) == true)
    }
  }

  @Test func `A cancelled attempt ends, and the server sees the connection go`() async throws {
    let server = try await ScriptedServer([nil])
    let attempt = Task {
      try await SOCKS5Connector.connect(
        host: "127.0.0.1", port: server.port, destination: Self.destination, timeout: .seconds(600))
    }
    await server.connected()
    attempt.cancel()
    let outcome = await attempt.result
    let error = #expect(throws: SOCKS5ConnectionError.self) { try outcome.get() }
    #expect(error?.kind == .cancelled)
    await server.disconnected()
    await server.stop()
  }

  // MARK: Speed

  /// Prints how fast one direction is; slow machines do not fail.
  @Test(.enabled(if: ProcessInfo.processInfo.environment["CARILLON_MEASURE"] != nil))
  func `The speed on loopback is printed`() async throws {
    for size in [65_536, 262_144, 1 << 20] {
      let pair = try await Pair()
      let total = 4 << 30
      let block = pattern(size)
      let start = ContinuousClock.now
      async let sent: Void = {
        for _ in 0..<total / size { try await pair.near.send(block) }
        try await pair.near.finish()
      }()
      var (count, chunks) = (0, 0)
      for try await chunk in pair.far.received {
        count += chunk.readableBytes
        chunks += 1
      }
      try await sent
      let seconds = (ContinuousClock.now - start) / .seconds(1)
      #expect(count == total)
      print("SOCKS5, blocks of \(size): \(Int(Double(count) / seconds / 1e6)) MB/s, chunks of \(count / chunks)")
    }
  }
}

/// A client that sends what it is told.
private final class RawClient: Sendable {
  private let channel: any Channel

  init(port: UInt16) async throws {
    channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .channelOption(.tcpOption(.tcp_nodelay), value: 1)
      .connect(host: "127.0.0.1", port: Int(port)).get()
  }

  deinit { channel.close(promise: nil) }

  func send(_ bytes: [UInt8]) { channel.writeAndFlush(ByteBuffer(bytes: bytes), promise: nil) }

  func finish() { channel.close(mode: .output, promise: nil) }

  func disconnected() async { try? await channel.closeFuture.get() }
}

/// A server that answers whatever comes with the next line of its script: nothing for nil, disconnecting for an empty
/// one and at the end.
private final class ScriptedServer: Sendable {
  let port: UInt16
  private let channel: any Channel
  private let arrived: EventLoopPromise<any Channel>

  init(_ script: [[UInt8]?]) async throws {
    let arrived = MultiThreadedEventLoopGroup.singleton.next().makePromise(of: (any Channel).self)
    self.arrived = arrived
    channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          arrived.succeed(channel)
          try channel.pipeline.syncOperations.addHandler(Handler(script))
        }
      }
      .bind(host: "127.0.0.1", port: 0).get()
    port = UInt16(channel.localAddress?.port ?? 0)
  }

  func connected() async { _ = try? await arrived.futureResult.get() }

  func disconnected() async { try? await arrived.futureResult.flatMap(\.closeFuture).get() }

  func stop() async {
    try? await channel.close()
    arrived.fail(ChannelError.eof)
  }

  private final class Handler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private var script: [[UInt8]?]

    init(_ script: [[UInt8]?]) { self.script = script }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      guard !script.isEmpty else { return context.close(promise: nil) }
      guard let line = script.removeFirst() else { return }
      if line.isEmpty { return context.close(promise: nil) }
      context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: line)), promise: nil)
    }
  }
}

/// Bytes that tell where they stand.
/// What comes again and again; made once, since that takes other tests' time.
private let period = (0..<1 << 16).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }

private func pattern(_ count: Int, from start: Int = 0) -> ByteBuffer {
  var buffer = ByteBuffer()
  while buffer.readableBytes < count {
    let index = (start + buffer.readableBytes) % period.count
    buffer.writeBytes(period[index..<min(period.count, index + count - buffer.readableBytes)])
  }
  return buffer
}
