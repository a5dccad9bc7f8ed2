import NIOCore
import NIOPosix
import Synchronization
package import XMPPCore

/// Takes the connections of those who know the name of a bytestream, and turns all others away.
///
/// Who says nothing is disconnected after a while. Bounds: 32 connections in their handshake, of which the oldest makes
/// room for a new one, so that strangers do not keep the peer out; 8 whose handshake is done and that nobody has taken
/// from `incoming`, beyond which new ones are closed.
package final class SOCKS5Listener: Sendable {
  /// An address that is listened at.
  package struct Endpoint: Hashable, Sendable {
    /// As it was given.
    package let address: String
    package let port: UInt16
  }

  package struct Incoming: Sendable {
    package let connection: SOCKS5Connection
    package let endpoint: Endpoint
    package let destination: SOCKS5Destination
  }

  package static let maximumHandshakes = 32
  package static let maximumUnclaimed = 8

  /// In the order of the addresses, without those that cannot be bound.
  package let endpoints: [Endpoint]
  /// The connections that were let in, for one reader; ends when listening ends.
  package let incoming: AsyncStream<Incoming>

  private let channels: [any Channel]
  private let handshakes: Handshakes
  private let continuation: AsyncStream<Incoming>.Continuation

  /// Listens at free ports of these addresses, until closed or let go of.
  ///
  /// - Parameters:
  ///   - addresses: numeric, those of a link with their scope.
  ///   - awaited: the bytestreams that somebody may come for.
  ///   - handshakeTimeout: how long a connection may take to name one.
  /// - Throws: when none of the addresses can be bound.
  package init(
    addresses: [String], awaiting awaited: Set<SOCKS5Destination>, handshakeTimeout: Duration = .seconds(10)
  ) async throws(SOCKS5ConnectionError) {
    let (incoming, continuation) = AsyncStream.makeStream(
      of: Incoming.self, bufferingPolicy: .bufferingOldest(Self.maximumUnclaimed))
    let handshakes = Handshakes()
    var channels: [any Channel] = []
    var endpoints: [Endpoint] = []
    var failures: [String] = []
    for address in addresses {
      do {
        let channel = try await Self.bind(address, awaited, handshakeTimeout, handshakes, continuation)
        channels.append(channel)
        endpoints.append(Endpoint(address: address, port: UInt16(clamping: channel.localAddress?.port ?? 0)))
      } catch {
        failures.append("\(address): \(describe(error))")
      }
    }
    self.channels = channels
    self.endpoints = endpoints
    self.incoming = incoming
    self.continuation = continuation
    self.handshakes = handshakes
    guard !channels.isEmpty else {
      continuation.finish()
      throw SOCKS5ConnectionError(
        .unreachable, "No address can be listened at. \(failures.prefix(8).joined(separator: ", "))")
    }
  }

  deinit { close() }

  /// Ends listening, and the handshakes that are not done. The connections that were let in go on, but for those that
  /// nobody takes.
  package func close() {
    for channel in channels { channel.close(promise: nil) }
    handshakes.end()
    continuation.finish()
  }

  private static func bind(
    _ address: String, _ awaited: Set<SOCKS5Destination>, _ timeout: Duration, _ handshakes: Handshakes,
    _ continuation: AsyncStream<Incoming>.Continuation
  ) async throws -> any Channel {
    let socketAddress = try await resolve(address)
    return try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .serverChannelOption(.backlog, value: 32)
      .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
      .childChannelOption(.allowRemoteHalfClosure, value: true)
      .childChannelOption(.recvAllocator, value: SOCKS5Connection.receiveAllocator)
      .childChannelOption(.maxMessagesPerRead, value: SOCKS5Connection.maximumReadsPerTurn)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          let endpoint = Endpoint(address: address, port: UInt16(clamping: channel.localAddress?.port ?? 0))
          handshakes.begin(channel)
          let side = SOCKS5HandshakeHandler.Side.server(SOCKS5ServerHandshake()) { awaited.contains($0) }
          try SOCKS5Connection.begin(side, on: channel, timeout: timeout) { result in
            handshakes.finish(channel)
            guard case .success(let (connection, destination)) = result else { return }
            // What finds no room is let go of, and closes.
            continuation.yield(Incoming(connection: connection, endpoint: endpoint, destination: destination))
          }
        }
      }
      .bind(to: socketAddress).get()
  }

  private static func resolve(_ address: String) async throws -> SocketAddress {
    if let numeric = try? SocketAddress(ipAddress: address, port: 0) { return numeric }
    // Only the resolver knows the numbers of scopes.
    return try await NIOThreadPool.singleton.runIfActive {
      try SocketAddress.makeAddressResolvingHost(address, port: 0)
    }
  }
}

/// The connections that have not named their bytestream yet.
private final class Handshakes: Sendable {
  private struct State {
    /// Oldest first.
    var channels: [any Channel] = []
    var isOver = false
  }

  private let state = Mutex(State())

  func begin(_ channel: any Channel) {
    let surplus = state.withLock { state -> (any Channel)? in
      if state.isOver { return channel }
      state.channels.append(channel)
      return state.channels.count > SOCKS5Listener.maximumHandshakes ? state.channels.removeFirst() : nil
    }
    surplus?.close(promise: nil)
  }

  func finish(_ channel: any Channel) {
    state.withLock { $0.channels.removeAll { $0 === channel } }
  }

  func end() {
    let channels = state.withLock { state in
      state.isOver = true
      defer { state.channels = [] }
      return state.channels
    }
    for channel in channels { channel.close(promise: nil) }
  }
}
