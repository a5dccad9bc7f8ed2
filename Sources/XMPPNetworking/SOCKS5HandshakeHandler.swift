import NIOCore
import XMPPCore

/// Does a SOCKS5 handshake on a channel, then steps aside. A handshake that fails, or takes too long, ends the channel.
///
/// - Specification: RFC 1928, XEP-0065 §5.3.2
final class SOCKS5HandshakeHandler: ChannelInboundHandler, RemovableChannelHandler {
  typealias InboundIn = ByteBuffer
  typealias InboundOut = ByteBuffer
  typealias OutboundOut = ByteBuffer

  enum Side: Sendable {
    case client(SOCKS5ClientHandshake)
    case server(SOCKS5ServerHandshake, isAwaited: @Sendable (SOCKS5Destination) -> Bool)
  }

  private var side: Side
  private let timeout: TimeAmount
  private var hasBegun = false
  private var hasSucceeded = false
  private var deadline: Scheduled<Void>?
  /// nil when it is all over.
  private var completed: ((Result<SOCKS5Destination, SOCKS5ConnectionError>) -> Void)?

  init(
    _ side: Side, timeout: TimeAmount, completed: @escaping (Result<SOCKS5Destination, SOCKS5ConnectionError>) -> Void
  ) {
    self.side = side
    self.timeout = timeout
    self.completed = completed
  }

  func handlerAdded(context: ChannelHandlerContext) {
    deadline = context.eventLoop.assumeIsolated().scheduleTask(in: timeout) {
      self.fail(SOCKS5ConnectionError(.timedOut, "The SOCKS5 handshake took too long."), context: context)
    }
    if context.channel.isActive { begin(context: context) }
  }

  func channelActive(context: ChannelHandlerContext) {
    begin(context: context)
    context.fireChannelActive()
  }

  private func begin(context: ChannelHandlerContext) {
    // Both the handler and the event may come first.
    guard !hasBegun else { return }
    hasBegun = true
    if case .client = side { write(SOCKS5ClientHandshake.greeting, context: context) }
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard completed != nil else { return context.fireChannelRead(data) }
    var input = ArraySlice(unwrapInboundIn(data).readableBytesView)
    while completed != nil, step(&input, context: context) {}
    guard hasSucceeded else { return }
    if !input.isEmpty { context.fireChannelRead(wrapInboundOut(ByteBuffer(bytes: input))) }
    context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
  }

  /// - Returns: whether there may be more to do.
  private func step(_ input: inout ArraySlice<UInt8>, context: ChannelHandlerContext) -> Bool {
    switch side {
    case .client(var handshake):
      defer { side = .client(handshake) }
      do {
        switch try handshake.receive(&input) {
        case .send(let bytes): write(bytes, context: context)
        case .connected: succeed(handshake.destination)
        case nil: return false
        }
      } catch {
        fail(SOCKS5ConnectionError(.handshake(error), "\(error)"), context: context)
      }
    case .server(var handshake, let isAwaited):
      defer { side = .server(handshake, isAwaited: isAwaited) }
      switch handshake.receive(&input, isAwaited: isAwaited) {
      case .send(let bytes): write(bytes, context: context)
      case .accept(let destination, let bytes):
        write(bytes, context: context)
        succeed(destination)
      case .refuse(let error, let bytes):
        if !bytes.isEmpty { write(bytes, context: context) }
        fail(SOCKS5ConnectionError(.handshake(error), "\(error)"), context: context)
      case nil: return false
      }
    }
    return true
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if case ChannelEvent.inputClosed = event { ended(context: context) }
    context.fireUserInboundEventTriggered(event)
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    fail(.lost(error), context: context)
    context.fireErrorCaught(error)
  }

  func channelInactive(context: ChannelHandlerContext) {
    ended(context: context)
    context.fireChannelInactive()
  }

  private func ended(context: ChannelHandlerContext) {
    fail(SOCKS5ConnectionError(.lost, "The other side closed the connection in the handshake."), context: context)
  }

  private func succeed(_ destination: SOCKS5Destination) {
    deadline?.cancel()
    hasSucceeded = true
    completed.take()?(.success(destination))
  }

  private func fail(_ error: SOCKS5ConnectionError, context: ChannelHandlerContext) {
    guard let completed = completed.take() else { return }
    deadline?.cancel()
    completed(.failure(error))
    context.close(promise: nil)
  }

  private func write(_ bytes: [UInt8], context: ChannelHandlerContext) {
    context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: bytes)), promise: nil)
  }
}
