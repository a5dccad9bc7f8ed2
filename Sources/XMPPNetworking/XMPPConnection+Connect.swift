import Foundation
import Logging
import NIOCore
import NIOPosix
import NIOSSL
import XMPPCore

extension XMPPConnection {
  /// How many times a server may send us on to another host.
  private static let maximumRedirections = 3

  /// Finds the account's server and negotiates a stream with it.
  ///
  /// The targets that DNS names are tried in order, each for at most twice `connectTimeout`, until one works or one
  /// refuses in a way that the others would repeat (as with a wrong password).
  ///
  /// - Parameter former: a stream to carry on, if the server still has it; else a new one is made.
  /// - Specification: RFC 6120 §3.2, XEP-0368, XEP-0198 §5
  package static func connect(
    _ configuration: Configuration, resuming former: Former? = nil
  ) async throws(XMPPConnectionError) -> XMPPConnection {
    let authorities = try loadAuthorities(configuration)
    let domain = try asciiDomain(configuration)
    // Where the server wants a stream to be resumed. Should it fail there, all goes as ever.
    if let former, former.resumption != nil, let location = former.management.grant.location {
      let target = ConnectionTarget(
        host: location.host, port: location.port ?? former.target.port, security: former.target.security)
      do {
        return try await connect(configuration, to: target, domain: domain, authorities: authorities, resuming: former)
      } catch {
        configuration.logger.debug(
          "not resumed at its location",
          metadata: ["xmpp.target": "\(target)", "error": "\(readable(error, at: target))"])
      }
    }
    var targets = try await findTargets(configuration, domain: domain)
    var errors: [XMPPConnectionError] = []
    var redirections = 0
    while !targets.isEmpty {
      let target = targets.removeFirst()
      if Task.isCancelled { throw XMPPConnectionError(.cancelled, "The connection to \(target) was cancelled.") }
      configuration.logger.debug("connecting", metadata: ["xmpp.target": "\(target)"])
      do {
        return try await connect(configuration, to: target, domain: domain, authorities: authorities, resuming: former)
      } catch {
        if case .streamError(let stream) = (error as? NegotiationFailure)?.failure, let other = stream.otherHost,
          redirections < maximumRedirections
        {
          redirections += 1
          let next = ConnectionTarget(host: other.host, port: other.port ?? 5222, security: target.security)
          targets.insert(next, at: 0)
          continue
        }
        let error = readable(error, at: target)
        configuration.logger.debug("not connected", metadata: ["xmpp.target": "\(target)", "error": "\(error)"])
        errors.append(error)
        guard error.isWorthAnotherTarget else { break }
      }
    }
    throw .summary(of: errors, domain: configuration.domain)
  }

  private static func connect(
    _ configuration: Configuration, to target: ConnectionTarget, domain: String, authorities: [NIOSSLCertificate]?,
    resuming former: Former?
  ) async throws -> XMPPConnection {
    let tls = try TLSClient(domain: domain, authorities: authorities, security: target.security)
    let negotiation = StreamNegotiation.Configuration(
      domain: configuration.domain, localpart: configuration.localpart, password: configuration.password,
      resource: configuration.resource, nonce: randomNonce(), resumption: former?.resumption)
    let (inbound, continuation) = AsyncStream.makeStream(of: Inbound.self)
    let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
    let bound = eventLoop.makePromise(of: StreamNegotiation.Bound.self)
    let connecting = ClientBootstrap(group: eventLoop)
      .connectTimeout(TimeAmount(configuration.connectTimeout))
      .channelOption(.tcpOption(.tcp_nodelay), value: 1)
      .connect(host: target.host, port: target.port)
      .flatMapThrowing { channel in
        let outbox = Outbox(channel: channel, limit: XMPPConnection.maximumBacklog)
        try channel.pipeline.syncOperations.addHandler(
          XMPPStreamHandler(
            configuration, negotiation: StreamNegotiation(negotiation), resuming: former?.management, target: target,
            tls: tls, outbox: outbox, inbound: continuation, bound: bound))
        return (channel, outbox)
      }
    // Without a channel there is no handler to keep the promise.
    connecting.whenFailure { bound.fail($0) }
    let (channel, outbox) = try await connecting.get()
    let result = try await withTaskCancellationHandler {
      try await bound.futureResult.get()
    } onCancel: {
      channel.pipeline.fireUserInboundEventTriggered(StreamCommand.close)
    }
    return XMPPConnection(
      result, after: former, at: target, inbound: inbound, channel: channel, outbox: outbox)
  }

  private static func loadAuthorities(
    _ configuration: Configuration
  ) throws(XMPPConnectionError) -> [NIOSSLCertificate]? {
    guard let path = configuration.certificateAuthorities else { return nil }
    let useless = "The file of certificate authorities \(path) cannot be used:"
    guard access(path, R_OK) == 0 else {
      throw XMPPConnectionError(.configuration, "\(useless) \(String(cString: strerror(errno))).")
    }
    guard let certificates = try? NIOSSLCertificate.fromPEMFile(path), !certificates.isEmpty else {
      throw XMPPConnectionError(.configuration, "\(useless) it holds no certificate in PEM.")
    }
    return certificates
  }

  /// The domain as DNS and certificates write it.
  ///
  /// - Specification: RFC 5891 §4
  private static func asciiDomain(_ configuration: Configuration) throws(XMPPConnectionError) -> String {
    let domain = configuration.domain
    if isIPAddress(domain) {
      // Its certificate is verified against the address connected to, which must then be this one.
      guard let server = configuration.server, server.host != domain else { return domain }
      throw XMPPConnectionError(
        .configuration, "An account at the address \(domain) cannot be reached through another host (\(server.host)).")
    }
    var components = URLComponents()
    components.host = domain
    guard let ascii = components.encodedHost, !ascii.isEmpty, ascii.utf8.count <= 253,
      ascii.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "%") })
    else {
      throw XMPPConnectionError(.configuration, "\(Printable.shortened(domain)) is not a domain name.")
    }
    return ascii
  }

  private static func findTargets(
    _ configuration: Configuration, domain: String
  ) async throws(XMPPConnectionError) -> [ConnectionTarget] {
    if let server = configuration.server { return [server] }
    if isIPAddress(domain) { return [ConnectionTarget(host: domain, port: 5222, security: .startTLS)] }
    let answers = await configuration.resolver.answers(for: domain)
    configuration.logger.debug(
      "services looked up",
      metadata: ["dns.xmpps-client": "\(answers.directTLS)", "dns.xmpp-client": "\(answers.startTLS)"])
    let targets = ConnectionTarget.ordered(
      domain: domain, directTLS: answers.directTLS, startTLS: answers.startTLS
    ) { Int.random(in: $0) }
    if targets.isEmpty {
      throw XMPPConnectionError(.noSuchService, "\(configuration.domain) says in DNS that it offers no XMPP service.")
    }
    return targets
  }

  private static func randomNonce() -> String {
    var generator = SystemRandomNumberGenerator()
    return (0..<3).map { _ in String(generator.next(), radix: 36) }.joined()
  }

  static func readable(_ error: any Error, at target: ConnectionTarget) -> XMPPConnectionError {
    switch error {
    case let error as XMPPConnectionError: return error
    case let error as NegotiationFailure: return XMPPConnectionError(error.failure, at: error.target)
    case let error as NIOConnectionError where error.connectionErrors.isEmpty:
      return XMPPConnectionError(.noSuchService, "\(target.host) has no address in DNS.")
    case let error as NIOConnectionError:
      let addresses = error.connectionErrors.prefix(8).map { failure in
        let address = failure.target.ipAddress.map { $0.contains(":") ? "[\($0)]" : $0 } ?? target.host
        return "\(address):\(target.port): \(describe(failure.error))"
      }
      let name = isIPAddress(target.host) ? "" : "\(target.host): "
      return XMPPConnectionError(.unreachable, "\(name)\(addresses.joined(separator: ", ")).")
    default:
      return XMPPConnectionError(.unreachable, "\(target): \(describe(error)).")
    }
  }
}

/// A system's or NIO's error in a few words.
func describe(_ error: any Error) -> String {
  switch error {
  case let error as IOError: return String(cString: strerror(error.errnoCode))
  case ChannelError.connectTimeout: return "no answer in time"
  case ChannelError.eof: return "the server closed the connection"
  default: return Printable.shortened(String(describing: error))
  }
}
