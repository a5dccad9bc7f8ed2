/// A transport address at which one side may be reached.
///
/// - Specification: RFC 8445 §5.1, XEP-0176 §5.2
package struct ICECandidate: Hashable, Sendable {
  package enum Kind: String, Sendable {
    case host, srflx, prflx, relay
  }

  package enum Transport: Hashable, Sendable {
    case udp
    /// RFC 6544: `active`, `passive` or `so`.
    case tcp(String)
  }

  package var kind: Kind
  package var transport: Transport
  /// 1 for RTP, and for RTCP where it shares RTP's port; 2 for RTCP on a port of its own.
  package var component: Int
  package var foundation: String
  package var priority: UInt32
  /// A numeric IPv4 or IPv6 address.
  package var address: String
  package var port: UInt16
  /// The base that a reflexive or relayed candidate was learned from.
  package var relatedAddress: String?
  package var relatedPort: UInt16?
  /// Of the credentials that the candidate belongs to, where that is known: it tells apart what comes from before and
  /// after a restart.
  package var ufrag: String?

  package init(
    kind: Kind, transport: Transport = .udp, component: Int, foundation: String, priority: UInt32, address: String,
    port: UInt16, relatedAddress: String? = nil, relatedPort: UInt16? = nil, ufrag: String? = nil
  ) {
    self.kind = kind
    self.transport = transport
    self.component = component
    self.foundation = foundation
    self.priority = priority
    self.address = address
    self.port = port
    self.relatedAddress = relatedAddress
    self.relatedPort = relatedPort
    self.ufrag = ufrag
  }
}

/// The username fragment and password of one side's ICE.
package struct ICECredentials: Hashable, Sendable {
  package var ufrag: String
  package var password: String

  package init(ufrag: String, password: String) {
    self.ufrag = ufrag
    self.password = password
  }
}

/// A STUN or TURN server by numeric address.
package struct ICEServer: Hashable, Sendable, CustomStringConvertible {
  package enum Kind: Hashable, Sendable {
    case stun
    /// Allocations over UDP or TCP towards the server; TLS is a tunnel in front of TCP.
    case turn(overTCP: Bool, username: String, password: String)
  }

  package var kind: Kind
  package var address: String
  package var port: UInt16
  /// What to call the server in messages: the host that signalling named, its port and its transport.
  package var name: String

  package init(kind: Kind, address: String, port: UInt16, name: String) {
    self.kind = kind
    self.address = address
    self.port = port
    self.name = name
  }

  package var description: String { name }
}

/// How one end's ICE is done.
package struct ICEConfiguration: Sendable {
  /// Whether this side nominates: the initiator does (XEP-0176 §5.1).
  package var controlling: Bool
  package var servers: [ICEServer]
  package var relayOnly: Bool
  /// Numeric addresses to bind to; empty for every interface's.
  package var localAddresses: [String]
  /// Whether TCP candidates are offered and taken beside UDP's (RFC 6544); never with `relayOnly`.
  package var usesTCP = true
  /// How long a restart may wait for the peer's credentials, and then for a path.
  package var restartTimeout = Duration.seconds(30)
  /// 2 where RTCP has a port of its own.
  var componentCount = 1

  package init(
    controlling: Bool, servers: [ICEServer] = [], relayOnly: Bool = false, localAddresses: [String] = []
  ) {
    self.controlling = controlling
    self.servers = servers
    self.relayOnly = relayOnly
    self.localAddresses = localAddresses
  }
}

/// How far ICE has come.
package enum ICEState: String, Comparable, Sendable {
  case new, gathering, connecting, connected, ready, failed

  package static func < (left: ICEState, right: ICEState) -> Bool { left.rank < right.rank }

  private var rank: Int {
    switch self {
    case .new: 0
    case .gathering: 1
    case .connecting: 2
    case .connected: 3
    case .ready: 4
    case .failed: 5
    }
  }
}
