import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import NIOTLS
import XMPPCore

typealias HTTPSChannel = NIOAsyncChannel<HTTPClientResponsePart, HTTPClientRequestPart>

/// Connects to a web server by TLS, for one request.
enum HTTPSConnection {
  /// - Parameter address: where to connect instead of what DNS says of the URL's host, whose certificate is expected
  ///   all the same.
  static func open(
    _ url: HTTPSURL, at address: String?, authorities: [NIOSSLCertificate]?, connectTimeout: Duration,
    idleTimeout: Duration
  ) async throws -> HTTPSChannel {
    // Of the two kinds, the one that asks for no protocol in TLS: that leaves HTTP/1.1.
    let target = ConnectionTarget(host: url.host, port: url.port, security: .startTLS)
    let tls = try TLSClient(domain: url.host, authorities: authorities, security: target.security)
    let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
    let ready = eventLoop.makePromise(of: HTTPSChannel.self)
    let connecting = ClientBootstrap(group: eventLoop)
      .connectTimeout(TimeAmount(connectTimeout))
      .channelOption(.tcpOption(.tcp_nodelay), value: 1)
      .connect(host: address ?? url.host, port: url.port)
      .flatMapThrowing { channel in
        let handler = HTTPSHandshake(
          tls, target, timeout: TimeAmount(connectTimeout), idleTimeout: TimeAmount(idleTimeout), ready: ready)
        try channel.pipeline.syncOperations.addHandler(handler)
        try handler.start()
        return channel
      }
    connecting.whenFailure { ready.fail($0) }
    do {
      let channel = try await connecting.get()
      return try await withTaskCancellationHandler {
        try await ready.futureResult.get()
      } onCancel: {
        channel.pipeline.fireUserInboundEventTriggered(HTTPSCommand.drop)
      }
    } catch let error as HTTPSError {
      throw error
    } catch {
      throw HTTPSError(XMPPConnection.readable(error, at: target))
    }
  }
}

/// What the request asks of its connection.
enum HTTPSCommand: Sendable {
  /// Ends it without a word: either all is there, or nothing of it is wanted any more.
  case drop
}

/// Lets HTTP begin only when the server has shown a certificate for the host that was meant: a request may carry a
/// password.
private final class HTTPSHandshake: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer

  private let tls: TLSClient
  private let target: ConnectionTarget
  private let timeout: TimeAmount
  private let idleTimeout: TimeAmount
  private var ready: EventLoopPromise<HTTPSChannel>?
  private var tlsHandler: NIOSSLClientHandler?
  private var context: ChannelHandlerContext?
  private var deadline: Scheduled<Void>?

  init(
    _ tls: TLSClient, _ target: ConnectionTarget, timeout: TimeAmount, idleTimeout: TimeAmount,
    ready: EventLoopPromise<HTTPSChannel>
  ) {
    self.tls = tls
    self.target = target
    self.timeout = timeout
    self.idleTimeout = idleTimeout
    self.ready = ready
  }

  func handlerAdded(context: ChannelHandlerContext) { self.context = context }

  func handlerRemoved(context: ChannelHandlerContext) {
    self.context = nil
    fail(HTTPSError(.connectionLost, "\(target): The connection was lost."))
  }

  /// Begins TLS, the connection being there.
  func start() throws {
    guard let context else { return }
    deadline = context.eventLoop.assumeIsolated().scheduleTask(in: timeout) {
      self.fail(HTTPSError(.timedOut, "\(self.target): Timed out during the TLS handshake."))
      self.drop()
    }
    let handler = try tls.makeHandler()
    tlsHandler = handler
    try context.pipeline.syncOperations.addHandler(handler, position: .before(self))
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    switch event {
    case TLSUserEvent.handshakeCompleted: established(context)
    case HTTPSCommand.drop:
      fail(HTTPSError(.cancelled, "The connection to \(target) was cancelled."))
      drop()
    default: context.fireUserInboundEventTriggered(event)
    }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    if ready != nil {
      fail(HTTPSError(tls.failure(error, certificate: tlsHandler?.peerCertificate, at: target)))
    } else {
      context.fireErrorCaught(error)
    }
    drop()
  }

  func channelInactive(context: ChannelHandlerContext) {
    fail(HTTPSError(.tlsUnavailable, "\(target): The server closed the connection during the TLS handshake."))
    context.fireChannelInactive()
  }

  private func established(_ context: ChannelHandlerContext) {
    guard let ready else { return }
    if let refusal = tls.refusal(of: tlsHandler?.peerCertificate, at: target) {
      fail(HTTPSError(refusal))
      return drop()
    }
    deadline?.cancel()
    do {
      try context.pipeline.syncOperations.addHTTPClientHandlers()
      // Behind these, since of a head that never ends, or of preliminary answers, bytes may come for ever.
      try context.pipeline.syncOperations.addHandlers(
        IdleStateHandler(allTimeout: idleTimeout), HTTPSPatience(target))
      let channel = try HTTPSChannel(wrappingChannelSynchronously: context.channel)
      self.ready = nil
      ready.succeed(channel)
    } catch {
      fail(error)
      drop()
    }
  }

  private func fail(_ error: any Error) {
    deadline?.cancel()
    ready?.fail(error)
    ready = nil
  }

  /// Past TLS, whose farewell a dead server would be waited for.
  private func drop() {
    guard let context, let tlsHandler else { return }
    let below = try? context.pipeline.syncOperations.context(handler: tlsHandler)
    (below ?? context).close(promise: nil)
  }
}

/// Ends a connection on which neither the request nor the answer gets on.
private final class HTTPSPatience: ChannelInboundHandler {
  typealias InboundIn = HTTPClientResponsePart

  private let target: ConnectionTarget

  init(_ target: ConnectionTarget) { self.target = target }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    guard event is IdleStateHandler.IdleStateEvent else { return context.fireUserInboundEventTriggered(event) }
    context.fireErrorCaught(HTTPSError(.timedOut, "\(target): Nothing was sent or received for too long."))
    context.pipeline.fireUserInboundEventTriggered(HTTPSCommand.drop)
  }
}
