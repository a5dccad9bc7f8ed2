import NIOCore
import NIOPosix
import Synchronization
package import XMPPCore

/// Connects to those who offer a bytestream: the peer, or a proxy.
package enum SOCKS5Connector {
  /// - Parameters:
  ///   - host: a numeric address, or a name, whose addresses are tried as RFC 8305 has it.
  ///   - timeout: for everything: the name, the connection and the handshake.
  /// - Throws: also when the task is cancelled, which ends the attempt.
  package static func connect(
    host: String, port: UInt16, destination: SOCKS5Destination, timeout: Duration = .seconds(10)
  ) async throws(SOCKS5ConnectionError) -> SOCKS5Connection {
    let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
    let attempt = ConnectionAttempt(eventLoop.makePromise())
    let deadline = eventLoop.scheduleTask(in: TimeAmount(timeout)) {
      attempt.end(SOCKS5ConnectionError(.timedOut, "\(host):\(port) did not answer in time."))
    }
    ClientBootstrap(group: eventLoop)
      .connectTimeout(TimeAmount(timeout))
      .channelOption(.tcpOption(.tcp_nodelay), value: 1)
      .channelOption(.allowRemoteHalfClosure, value: true)
      .channelOption(.recvAllocator, value: SOCKS5Connection.receiveAllocator)
      .channelOption(.maxMessagesPerRead, value: SOCKS5Connection.maximumReadsPerTurn)
      .channelInitializer { channel in
        attempt.add(channel)
        return channel.eventLoop.makeSucceededVoidFuture()
      }
      .connect(host: host, port: Int(port))
      .flatMapThrowing { channel in
        try SOCKS5Connection.begin(
          .client(SOCKS5ClientHandshake(destination: destination)), on: channel, timeout: timeout
        ) { result in
          switch result {
          case .success(let (connection, _)): attempt.succeed(connection)
          case .failure(let error): attempt.end(error)
          }
        }
      }
      .whenFailure { error in
        let reason = (error as? NIOConnectionError)?.connectionErrors.first?.error ?? error
        let why = error is NIOConnectionError && reason is NIOConnectionError ? "no such host" : describe(reason)
        attempt.end(SOCKS5ConnectionError(.unreachable, "\(host):\(port) cannot be reached: \(why)."))
      }
    defer { deadline.cancel() }
    do {
      return try await withTaskCancellationHandler {
        try await attempt.outcome.get()
      } onCancel: {
        attempt.end(SOCKS5ConnectionError(.cancelled, "The attempt to reach \(host):\(port) was cancelled."))
      }
    } catch {
      throw .lost(error)
    }
  }
}

/// One attempt, which ends once; whatever it opened and did not lead to success is closed then.
private final class ConnectionAttempt: Sendable {
  private struct State {
    var channels: [any Channel] = []
    var isOver = false
  }

  private let state = Mutex(State())
  private let promise: EventLoopPromise<SOCKS5Connection>

  init(_ promise: EventLoopPromise<SOCKS5Connection>) { self.promise = promise }

  var outcome: EventLoopFuture<SOCKS5Connection> { promise.futureResult }

  func add(_ channel: any Channel) {
    let isOver = state.withLock { state in
      if !state.isOver { state.channels.append(channel) }
      return state.isOver
    }
    if isOver { channel.close(promise: nil) }
  }

  func succeed(_ connection: SOCKS5Connection) {
    let isFirst = state.withLock { state in
      defer { state.isOver = true }
      state.channels = []
      return !state.isOver
    }
    // Otherwise it is let go of, and closes.
    if isFirst { promise.succeed(connection) }
  }

  func end(_ error: SOCKS5ConnectionError) {
    let channels = state.withLock { state -> [any Channel]? in
      guard !state.isOver else { return nil }
      state.isOver = true
      defer { state.channels = [] }
      return state.channels
    }
    guard let channels else { return }
    for channel in channels { channel.close(promise: nil) }
    promise.fail(error)
  }
}
