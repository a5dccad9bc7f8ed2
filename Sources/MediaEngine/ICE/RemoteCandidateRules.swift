/// Which of a peer's candidates an agent takes: whatever it takes, it sends packets to.
///
/// - Specification: RFC 8445 §5.1.1.1 and §19.5.1, RFC 6544 §4.5
struct RemoteCandidateRules {
  /// How many are taken, at most, in one generation.
  static let bound = 128

  private let takesLoopback: Bool
  /// The interface of this side's link-local addresses, if it is just one.
  private let scope: String?
  /// The STUN and TURN servers' own addresses: a check would end up at the server itself.
  private let servers: Set<[String]>
  private let componentCount: Int
  private var taken: Set<ICECandidate> = []
  /// Those that were taken candidates of.
  private(set) var takenComponents: Set<Int> = []
  private(set) var refused = 0

  /// - Parameter localAddresses: those that the agent is bound to, as `LocalAddress.scoped` writes them.
  init(localAddresses: [String], servers: [ICEServer], componentCount: Int = 1) {
    self.componentCount = componentCount
    let local = localAddresses.compactMap { NumericAddress($0) }
    takesLoopback = !local.isEmpty && local.allSatisfy(\.isLoopback)
    let scopes = Set(local.filter { $0.isIPv6 && $0.isLinkLocal }.compactMap(\.scope))
    scope = scopes.count == 1 ? scopes.first : nil
    self.servers = Set(
      servers.compactMap { server in
        NumericAddress(server.address).map { RemoteCandidateRules.key($0, server.port) }
      })
  }

  private static func key(_ address: NumericAddress, _ port: UInt16) -> [String] {
    ["\(address.bytes)", "\(port)"]
  }

  /// - Returns: the candidate as the agent is to have it; nil when it is refused, or is there already.
  mutating func take(_ candidate: ICECandidate) -> ICECandidate? {
    // Dino and Gajim name such even when they multiplex; there is nothing wrong with them.
    if candidate.component == 2, componentCount == 1 { return nil }
    guard let accepted = accept(candidate) else {
      refused += 1
      return nil
    }
    guard !taken.contains(accepted) else { return nil }
    guard taken.count < RemoteCandidateRules.bound else {
      refused += 1
      return nil
    }
    taken.insert(accepted)
    takenComponents.insert(accepted.component)
    return accepted
  }

  private func accept(_ candidate: ICECandidate) -> ICECandidate? {
    guard 1...componentCount ~= candidate.component, candidate.kind != .prflx, let address = NumericAddress(candidate.address),
      address.isUnicast, !address.isLoopback || takesLoopback,
      !servers.contains(RemoteCandidateRules.key(address, candidate.port))
    else { return nil }
    var accepted = candidate
    switch candidate.transport {
    case .udp, .tcp("passive"):
      guard candidate.port != 0 else { return nil }
    case .tcp("active"):
      // Its port means nothing (RFC 6544 §4.5).
      accepted.port = 9
    case .tcp: return nil
    }
    // A scope of the peer's says nothing here; without one of this side's the address belongs to no link.
    if address.isIPv6, address.isLinkLocal {
      guard let scope else { return nil }
      accepted.address = "\(candidate.address.prefix { $0 != "%" })%\(scope)"
    } else if address.scope != nil {
      return nil
    }
    return accepted
  }
}
