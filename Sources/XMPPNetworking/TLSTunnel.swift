package import Logging
import NIOCore
import NIOPosix
import NIOSSL
import NIOTLS

/// A loopback port behind which a TLS server answers in the clear: how libnice, which speaks TURN over TCP only, reaches a
/// `turns:` server.
///
/// The server's certificate is verified against the host name that signalling gave. Bound: 8 connections at once.
///
/// - Specification: RFC 8656 §2.1, RFC 7065 (`turns`)
package final class TLSTunnel: Sendable {
  /// The local TCP port to connect to instead, on 127.0.0.1.
  package let port: Int
  private let listener: any Channel

  /// - Throws: when the certificate authorities cannot be read or no port can be bound. The server itself is only reached
  ///   for when somebody connects; what fails then ends that connection and is logged.
  package init(toHost host: String, port: Int, certificateAuthorities: String?, logger: Logger) async throws {
    var configuration = TLSConfiguration.makeClientConfiguration()
    configuration.minimumTLSVersion = .tlsv12
    if let certificateAuthorities { configuration.trustRoots = .file(certificateAuthorities) }
    let tls = try NIOSSLContext(configuration: configuration)
    let isNumeric = (try? SocketAddress(ipAddress: host, port: 0)) != nil
    listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .serverChannelOption(.backlog, value: 8)
      .childChannelOption(.autoRead, value: true)
      .childChannelInitializer { local in
        let (near, far) = TunnelEnd.pair { isNumeric || $0.isFor(host: host) }
        return local.pipeline.addHandler(near).flatMap {
          ClientBootstrap(group: local.eventLoop)
            .connectTimeout(.seconds(5))
            .channelInitializer { remote in
              remote.eventLoop.makeCompletedFuture {
                let handler = try NIOSSLClientHandler(context: tls, serverHostname: isNumeric ? nil : host)
                try remote.pipeline.syncOperations.addHandlers(handler, far)
              }
            }
            .connect(host: host, port: port)
            .map { _ in }
            .flatMapErrorThrowing { error in
              logger.info("TURN over TLS: cannot connect", metadata: ["host": "\(host)", "error": "\(error)"])
              throw error
            }
        }
      }
      .bind(host: "127.0.0.1", port: 0).get()
    self.port = listener.localAddress?.port ?? 0
  }

  package func close() async {
    try? await listener.close()
  }
}

/// One end of a pair of channels on the same event loop: what arrives here is written there, no faster than it drains.
private final class TunnelEnd: ChannelDuplexHandler, @unchecked Sendable {
  // Proof of Sendable: both ends are used on the one event loop that their channels share.
  typealias InboundIn = ByteBuffer
  typealias OutboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private var partner: TunnelEnd?
  private var context: ChannelHandlerContext?
  private var wantsRead = false
  /// Checks the server's name once TLS is up; nil on the side without TLS.
  private var verify: ((NIOSSLCertificate) -> Bool)?
  /// What arrived before the other end was there. Bound: one read's worth, since reading pauses until then.
  private var early: ByteBuffer?

  /// - Parameter verify: whether the certificate is the far server's.
  static func pair(verify: @escaping (NIOSSLCertificate) -> Bool) -> (near: TunnelEnd, far: TunnelEnd) {
    let (near, far) = (TunnelEnd(), TunnelEnd())
    near.partner = far
    far.partner = near
    far.verify = verify
    return (near, far)
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if let verify, case TLSUserEvent.handshakeCompleted = event {
      let handler = try? context.pipeline.syncOperations.handler(type: NIOSSLClientHandler.self)
      guard let certificate = handler?.peerCertificate, verify(certificate) else { return context.close(promise: nil) }
    }
    context.fireUserInboundEventTriggered(event)
  }

  func handlerAdded(context: ChannelHandlerContext) {
    self.context = context
    if context.channel.isActive { becameReady() }
  }

  func channelActive(context: ChannelHandlerContext) {
    becameReady()
    context.fireChannelActive()
  }

  func handlerRemoved(context: ChannelHandlerContext) {
    self.context = nil
    partner = nil
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    var buffer = unwrapInboundIn(data)
    if let partner, let there = partner.context, there.channel.isActive {
      there.writeAndFlush(wrapOutboundOut(buffer), promise: nil)
    } else if early == nil {
      early = buffer
    } else {
      early?.writeBuffer(&buffer)
    }
  }

  func read(context: ChannelHandlerContext) {
    if let there = partner?.context, there.channel.isActive, there.channel.isWritable {
      context.read()
    } else {
      wantsRead = true
    }
  }

  func channelWritabilityChanged(context: ChannelHandlerContext) {
    if context.channel.isWritable { partner?.resumeReading() }
    context.fireChannelWritabilityChanged()
  }

  func channelInactive(context: ChannelHandlerContext) {
    partner?.context?.close(promise: nil)
    context.fireChannelInactive()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    context.close(promise: nil)
  }

  private func becameReady() {
    guard let partner, let context else { return }
    if let waiting = partner.early {
      partner.early = nil
      context.writeAndFlush(wrapOutboundOut(waiting), promise: nil)
    }
    partner.resumeReading()
  }

  private func resumeReading() {
    guard wantsRead, let context else { return }
    wantsRead = false
    context.read()
  }
}
