import XMPPCore
import XMPPNetworking

/// The link to a real server.
struct ServerLink: StanzaLink {
  let address: JID
  private let connection: XMPPConnection

  static func connect(_ configuration: Client.Configuration, resource: String) async throws(CallError) -> ServerLink {
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
    do throws(XMPPConnectionError) {
      let connection = try await XMPPConnection.connect(settings)
      guard let address = try? JID(connection.boundJID) else {
        throw XMPPConnectionError(.protocolViolation, "The server bound no usable address: \(connection.boundJID).")
      }
      return ServerLink(connection, address: address)
    } catch {
      throw CallError(error)
    }
  }

  private init(_ connection: XMPPConnection, address: JID) {
    self.connection = connection
    self.address = address
  }

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

  func close() async { await connection.close() }
}

extension CallError {
  /// A failed connection in the terms of the façade.
  init(_ error: XMPPConnectionError) {
    let code: Code =
      switch error.kind {
      case .configuration: .configuration
      case .noSuchService, .unreachable, .tlsUnavailable, .tlsUntrusted, .policy: .serverUnreachable
      case .authentication, .serverNotAuthenticated: .authentication
      case .streamError, .protocolViolation: .protocolViolation
      case .timedOut: .timedOut
      case .cancelled: .failed
      }
    self.init(code, error.message, cause: error)
  }
}
