import Logging
import NIOCore
import NIOSSL
import NIOTLS
import XMPPCore

/// Carries out, on the event loop, what `StreamNegotiation` answers to what the connection brings.
final class XMPPStreamHandler: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private enum Phase {
    case negotiating(EventLoopPromise<StreamNegotiation.Bound>)
    case established
    /// The last words are on their way; nothing but the connection's end is awaited.
    case ended
  }

  /// How long the server may take to answer our end tag.
  private static let farewellTimeout = TimeAmount.seconds(2)
  /// `TCP_QUICKACK`, for which NIO has no name.
  private static let quickAcknowledgement = NIOBSDSocket.Option(rawValue: 12)

  private let target: ConnectionTarget
  private let tls: TLSClient
  private let outbox: Outbox
  /// The stream that is to be resumed.
  private let former: StreamManagement?
  private let negotiationTimeout: TimeAmount
  private let inbound: AsyncStream<XMPPConnection.Inbound>.Continuation
  private let logger: Logger
  private let parser: XMLStreamParser
  private var negotiation: StreamNegotiation
  private var phase: Phase
  private var tlsHandler: NIOSSLClientHandler?
  private var isSecured = false
  private var isClosing = false
  /// Counts the parser's resets: events parsed before one are void after it.
  private var generation = 0
  private var lastError: (any Error)?
  private var deadline: Scheduled<Void>?

  init(
    _ configuration: XMPPConnection.Configuration, negotiation: consuming StreamNegotiation,
    resuming former: StreamManagement?, target: ConnectionTarget, tls: TLSClient, outbox: Outbox,
    inbound: AsyncStream<XMPPConnection.Inbound>.Continuation, bound: EventLoopPromise<StreamNegotiation.Bound>
  ) {
    self.target = target
    self.tls = tls
    self.outbox = outbox
    self.former = former
    negotiationTimeout = TimeAmount(configuration.connectTimeout)
    self.inbound = inbound
    logger = configuration.logger
    parser = XMLStreamParser(limits: configuration.limits)
    self.negotiation = negotiation
    phase = .negotiating(bound)
  }

  /// Called once the connection is there.
  func handlerAdded(context: ChannelHandlerContext) {
    guard context.channel.isActive else {
      return fail(XMPPConnectionError(.unreachable, "\(target): The connection was lost at once."), context: context)
    }
    deadline = context.eventLoop.assumeIsolated().scheduleTask(in: negotiationTimeout) {
      self.negotiationTimedOut(context: context)
    }
    switch target.security {
    case .directTLS: startTLS(context: context)
    case .startTLS: perform(negotiation.connected(), context: context)
    }
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let events = unwrapInboundIn(data).withUnsafeReadableBytes { parser.parse($0) }
    let generation = generation
    for event in events {
      // After `<proceed/>` or `<success/>` whatever came along belongs to no stream.
      guard generation == self.generation else { return }
      if case .ended = phase { return }
      perform(negotiation.received(event), context: context)
    }
  }

  /// Acknowledges at once what was read, which Linux forgets to do again after every answer.
  ///
  /// A server that leaves Nagle's algorithm on, as Prosody does, holds the next stanza back until the last one is
  /// acknowledged; and where nothing is to be answered, that takes 40 ms.
  func channelReadComplete(context: ChannelHandlerContext) {
    try? context.channel.syncOptions?.setOption(.tcpOption(Self.quickAcknowledgement), value: 1)
    context.fireChannelReadComplete()
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    switch event {
    case TLSUserEvent.handshakeCompleted: tlsEstablished(context: context)
    case StreamCommand.close: close(context: context)
    case StreamCommand.abandon(let end): finish(end, context: context)
    default: context.fireUserInboundEventTriggered(event)
    }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    if case .negotiating = phase, let tlsHandler, !isSecured {
      fail(tls.failure(error, certificate: tlsHandler.peerCertificate, at: target), context: context)
    }
    // A server that drops TCP without TLS' farewell is common; that the connection ends is told by `channelInactive`.
    if error as? NIOSSLError != .uncleanShutdown { lastError = lastError ?? error }
    context.close(promise: nil)
  }

  func channelInactive(context: ChannelHandlerContext) {
    let reason = lastError.map(describe) ?? "the server closed the connection"
    switch phase {
    case .negotiating:
      let message = "\(target): The connection was lost while waiting for \(negotiation.waitsFor): \(reason)."
      fail(XMPPConnectionError(.unreachable, message), context: context)
    case .established: finish(isClosing ? .closedLocally : .connectionLost(reason), context: context)
    case .ended: break
    }
    deadline?.cancel()
    context.fireChannelInactive()
  }

  private func perform(_ action: StreamNegotiation.Action, context: ChannelHandlerContext) {
    switch action {
    case .wait: break
    case .send(let text): write(text, context: context)
    case .startTLS:
      restart()
      startTLS(context: context)
    case .restart(let text):
      restart()
      write(text, context: context)
    case .bound(let bound): begin(bound, context: context)
    case .deliver(let element):
      switch outbox.receive(element) {
      case .deliver: inbound.yield(.stanza(element))
      case .answer, .ignore: break
      case .fail(let failure): finish(.failed(failure), context: context)
      }
    case .fail(.closedByServer) where isClosing: finish(.closedLocally, context: context)
    case .fail(let failure): finish(.failed(failure), context: context)
    }
  }

  /// Stanzas may be sent, on a new stream or on a former one.
  private func begin(_ bound: StreamNegotiation.Bound, context: ChannelHandlerContext) {
    guard case .negotiating(let promise) = phase else { return }
    if case .resumed(let handled) = bound.continuation, var management = former {
      do throws(StreamFailure) {
        let missing = try management.resume(handled: handled)
        outbox.begin(management, repeating: missing)
      } catch {
        return finish(.failed(error), context: context)
      }
    } else if let grant = bound.grant {
      outbox.begin(StreamManagement(grant), repeating: [])
    }
    deadline?.cancel()
    phase = .established
    logger.debug(
      "stream ready",
      metadata: [
        "xmpp.target": "\(target)", "sasl.mechanism": "\(bound.mechanism.rawValue)",
        "sm.resumes": "\(bound.grant?.id != nil)", "sm.maximum": "\(bound.grant?.maximum?.components.seconds ?? 0) s",
        "sm.continuation": "\(bound.continuation.map { "\($0)" } ?? "none")",
      ])
    promise.succeed(bound)
  }

  private func restart() {
    parser.reset()
    generation += 1
  }

  private func startTLS(context: ChannelHandlerContext) {
    do {
      let handler = try tls.makeHandler()
      tlsHandler = handler
      // First in the pipeline; it starts its handshake at once, the connection being there.
      try context.pipeline.syncOperations.addHandler(handler, position: .first)
    } catch {
      fail(
        XMPPConnectionError(.configuration, "TLS cannot be started with \(target): \(describe(error))."),
        context: context)
    }
  }

  private func tlsEstablished(context: ChannelHandlerContext) {
    guard case .negotiating = phase, let tlsHandler, !isSecured else { return }
    isSecured = true
    if let refusal = tls.refusal(of: tlsHandler.peerCertificate, at: target) { return fail(refusal, context: context) }
    logger.debug("TLS established", metadata: ["tls.version": "\(tlsHandler.tlsVersion.map { "\($0)" } ?? "?")"])
    let bindings = tls.channelBindings(of: tlsHandler)
    switch target.security {
    case .directTLS: perform(negotiation.connected(channelBindings: bindings), context: context)
    case .startTLS: perform(negotiation.tlsEstablished(channelBindings: bindings), context: context)
    }
  }

  private func negotiationTimedOut(context: ChannelHandlerContext) {
    let stage = tlsHandler != nil && !isSecured ? "the TLS handshake" : negotiation.waitsFor
    fail(XMPPConnectionError(.timedOut, "\(target): Timed out while waiting for \(stage)."), context: context)
  }

  /// Ends the stream in order; the server's end tag, or the time-out, ends the connection.
  private func close(context: ChannelHandlerContext) {
    switch phase {
    case .negotiating:
      fail(XMPPConnectionError(.cancelled, "The connection to \(target) was cancelled."), context: context)
    case .established where !isClosing:
      isClosing = true
      // Lest the server send again, or bounce, what has arrived: XEP-0198 §4.
      let acknowledgement = outbox.management?.answer.serialized() ?? ""
      write(acknowledgement + "</stream:stream>", context: context)
      deadline = context.eventLoop.assumeIsolated().scheduleTask(in: Self.farewellTimeout) {
        self.finish(.closedLocally, context: context)
      }
    case .established, .ended: break
    }
  }

  /// Tells the end, says the last word if it is still to be said, and disconnects.
  private func finish(_ end: XMPPConnection.StreamEnd, context: ChannelHandlerContext) {
    switch phase {
    case .negotiating:
      if case .failed(let failure) = end {
        sayFarewell(failure, context: context)
        fail(NegotiationFailure(failure: failure, target: target), context: context)
      } else {
        fail(XMPPConnectionError(.unreachable, "\(target): \(end)"), context: context)
      }
    case .established:
      phase = .ended
      deadline?.cancel()
      logger.debug("stream ended", metadata: ["xmpp.end": "\(end)"])
      inbound.yield(.closed(end))
      inbound.finish()
      if case .failed(let failure) = end, !isClosing { sayFarewell(failure, context: context) }
      context.close(promise: nil)
    case .ended: break
    }
  }

  private func fail(_ error: any Error, context: ChannelHandlerContext) {
    guard case .negotiating(let promise) = phase else { return }
    phase = .ended
    deadline?.cancel()
    inbound.finish()
    promise.fail(error)
    context.close(promise: nil)
  }

  private func sayFarewell(_ failure: StreamFailure, context: ChannelHandlerContext) {
    // In the middle of a handshake there is no stream to say it on.
    if context.channel.isActive, tlsHandler == nil || isSecured { write(failure.farewell, context: context) }
  }

  private func write(_ text: String, context: ChannelHandlerContext) {
    context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: text)), promise: nil)
  }
}

/// Carries the machine's failure to `connect`, which may follow it to another host.
struct NegotiationFailure: Error {
  var failure: StreamFailure
  var target: ConnectionTarget
}
