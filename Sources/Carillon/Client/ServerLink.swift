import Synchronization
import XMPPCore
import XMPPNetworking

/// Connects to a real server, again and again, and carries each stream on with the next where the server lets it.
final class ServerConnector: Sendable {
  private let configuration: Client.Configuration
  private let resource: String
  /// The last stream, until the next one has taken over what is left of it.
  private let last = Mutex(Last.none)

  private enum Last {
    case none
    case connection(XMPPConnection)
    /// Its connection is gone.
    case former(XMPPConnection.Former)
  }

  init(_ configuration: Client.Configuration, resource: String) {
    self.configuration = configuration
    self.resource = resource
  }

  func connect() async throws(CallError) -> ServerLink {
    let settings = try settings()
    var former: XMPPConnection.Former? = last.withLock { last in
      switch last {
      case .none: nil
      case .connection(let connection): connection.former
      case .former(let former): former
      }
    }
    do throws(XMPPConnectionError) {
      let connection = try await XMPPConnection.connect(settings, resuming: former)
      guard let address = try? JID(connection.boundJID) else {
        throw XMPPConnectionError(.protocolViolation, "The server bound no usable address: \(connection.boundJID).")
      }
      last.withLock { $0 = .connection(connection) }
      return ServerLink(connection, address: address) { self.last.withLock { $0 = .none } }
    } catch {
      // A server that cannot live with the resumption is not asked for it again.
      switch error.kind {
      case .streamError, .protocolViolation, .policy: former?.isResumable = false
      default: break
      }
      last.withLock { $0 = former.map { .former($0) } ?? .none }
      throw CallError(error)
    }
  }

  private func settings() throws(CallError) -> XMPPConnection.Configuration {
    guard let localpart = configuration.account.localpart else {
      throw CallError(
        .configuration,
        "The account \(configuration.account) has no name before the @: give one like alice@example.org.")
    }
    var settings = XMPPConnection.Configuration(
      domain: configuration.account.domainpart, localpart: localpart, password: configuration.password,
      logger: configuration.logger)
    settings.resource = resource
    settings.certificateAuthorities = configuration.certificateAuthorities
    settings.server = configuration.server.map { server in
      let port = server.port ?? 5222
      return ConnectionTarget(
        host: server.host, port: port, security: [5223, 443].contains(port) ? .directTLS : .startTLS)
    }
    return settings
  }
}

/// The link to a real server.
struct ServerLink: StanzaLink {
  let address: JID
  private let connection: XMPPConnection
  private let closed: @Sendable () -> Void

  /// - Parameter closed: called when the stream is ended in order, so that nothing is left of it.
  fileprivate init(_ connection: XMPPConnection, address: JID, closed: @escaping @Sendable () -> Void) {
    self.connection = connection
    self.address = address
    self.closed = closed
  }

  var isResumed: Bool { connection.isResumed }
  var undelivered: [Undelivered] { connection.undelivered }

  func receive(_ deliver: @Sendable (XMLElement) async -> Void) async -> String {
    for await event in connection.inbound {
      switch event {
      case .stanza(let stanza): await deliver(stanza)
      case .closed(let end): return "\(end)"
      }
    }
    return "The stream was closed."
  }

  func send(_ stanza: XMLElement) { connection.send(stanza) }

  func close() async {
    closed()
    await connection.close()
  }

  func abandon() async { connection.abandon() }
}

extension CallError {
  /// A failed connection in the terms of the façade.
  init(_ error: XMPPConnectionError) {
    let code: Code =
      switch error.kind {
      case .configuration: .configuration
      case .noSuchService, .unreachable, .tlsUnavailable, .tlsUntrusted, .policy: .serverUnreachable
      // The password may be right all the same: a running client tries again.
      case .authentication(.temporaryAuthFailure): .serverUnreachable
      case .authentication, .serverNotAuthenticated: .authentication
      case .streamError, .protocolViolation: .protocolViolation
      case .timedOut: .timedOut
      case .cancelled: .failed
      }
    self.init(code, error.message, cause: error)
  }
}
