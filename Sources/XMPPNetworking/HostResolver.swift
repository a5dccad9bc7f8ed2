import NIOCore
import NIOPosix

/// Host names to numeric addresses, for STUN and TURN servers that signalling names.
package enum HostResolver {
  /// - Parameter host: a name, or a numeric address, which is given back as it is.
  /// - Returns: the first address that the system's resolver gives; nil when there is none.
  package static func address(of host: String) async -> String? {
    if let numeric = try? SocketAddress(ipAddress: host, port: 0) { return numeric.ipAddress }
    return try? await NIOThreadPool.singleton.runIfActive {
      try SocketAddress.makeAddressResolvingHost(host, port: 0).ipAddress
    }
  }
}
