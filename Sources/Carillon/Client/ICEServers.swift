import Logging
import MediaEngine
import XMPPCore
import XMPPNetworking

/// STUN and TURN services, resolved to numeric addresses, with a tunnel in front of each that wants TLS.
struct ICEServers: Sendable {
  var list: [ICEServer] = []
  private var tunnels: [TLSTunnel] = []

  /// At most one STUN server, which is all libnice asks, and four TURN services, each of which costs an allocation.
  static func resolve(_ services: [ExternalService], _ configuration: Client.Configuration) async -> ICEServers {
    var servers = ICEServers()
    var turns = 0
    for service in services {
      let name = "\(service)"
      switch (service.kind, service.transport ?? (service.kind == .turns ? .tcp : .udp)) {
      case (.stun, .udp):
        guard !servers.list.contains(where: { $0.kind == .stun }),
          let address = await HostResolver.address(of: service.host)
        else { continue }
        servers.list.append(ICEServer(kind: .stun, address: address, port: service.port ?? 3478, name: name))
      case (.turn, let transport) where transport == .udp || transport == .tcp:
        guard turns < 4, let username = service.username, let password = service.password,
          let address = await HostResolver.address(of: service.host)
        else { continue }
        turns += 1
        servers.list.append(
          ICEServer(
            kind: .turn(overTCP: transport == .tcp, username: username, password: password), address: address,
            port: service.port ?? 3478, name: name))
      case (.turns, .tcp):
        guard turns < 4, let username = service.username, let password = service.password,
          let tunnel = try? await TLSTunnel(
            toHost: service.host, port: Int(service.port ?? 5349),
            certificateAuthorities: configuration.certificateAuthorities, logger: configuration.logger)
        else { continue }
        turns += 1
        servers.tunnels.append(tunnel)
        servers.list.append(
          ICEServer(
            kind: .turn(overTCP: true, username: username, password: password), address: "127.0.0.1",
            port: UInt16(clamping: tunnel.port), name: name))
      default: continue
      }
    }
    return servers
  }

  func close() async {
    for tunnel in tunnels { await tunnel.close() }
  }
}
