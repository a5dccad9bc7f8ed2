import MediaTime

/// What an endpoint of either kind stands on: ICE, and DTLS over it, under one certificate. Lives on one loop; not
/// thread-safe.
///
/// ICE is one for all components: a path is in use, or is left after a restart, for all at once. Each component has a
/// DTLS association of its own. The endpoint hands over what is DTLS; media and everything else passes by here.
///
/// - Specification: RFC 5764 §4, RFC 8842 §5.4
final class SecureTransport {
  let paths: ICEPaths
  /// By component; there once the handshake has begun.
  private(set) var associations: [DTLSTransport?]
  /// Datagrams of DTLS.
  private(set) var datagramsReceived = 0

  private let certificate: DTLSCertificate
  private let application: DTLSTransport.Application?
  private let handle: (DTLSTransport.Event, _ component: Int) -> Void
  private var peer: (role: DTLSRole, fingerprints: [CertificateFingerprint])?
  /// DTLS that arrives before the handshake can begin. Bound: 8 datagrams of each component, later ones dropped (they are
  /// repeated).
  private var early: [[[UInt8]]]

  /// - Parameters:
  ///   - application: for associations that carry data instead of SRTP's keys.
  ///   - handleICE: is told what ICE says; calls `startDTLSIfPossible` when there may be a path.
  ///   - handleDTLS: is told of each component's association.
  init(
    on loop: GLibLoop, _ configuration: ICEConfiguration, application: DTLSTransport.Application? = nil,
    handleICE: @escaping (ICEPaths.Event) -> Void,
    handleDTLS: @escaping (DTLSTransport.Event, _ component: Int) -> Void
  ) throws(DTLSError) {
    certificate = try DTLSCertificate()
    paths = ICEPaths(on: loop, configuration, handle: handleICE)
    self.application = application
    handle = handleDTLS
    associations = Array(repeating: nil, count: configuration.componentCount)
    early = Array(repeating: [], count: configuration.componentCount)
  }

  /// Opens sockets and begins to gather: at first, and anew for a restart beside the path in use.
  ///
  /// - Parameter servers: nil for the same as before.
  /// - Returns: what to signal; nil when there are no sockets to be had. Then nothing has changed.
  func begin(servers: [ICEServer]? = nil) -> MediaEndpoint.LocalDescription? {
    paths.begin(servers: servers).map { credentials, candidates in
      MediaEndpoint.LocalDescription(
        credentials: credentials, fingerprint: certificate.fingerprint, candidates: candidates)
    }
  }

  // MARK: DTLS

  /// The peer's fingerprints and who begins; taken once. DTLS starts as soon as ICE has a path.
  func setDTLS(role: DTLSRole, fingerprints: [CertificateFingerprint]) {
    guard peer == nil else { return }
    peer = (role, fingerprints)
    startDTLSIfPossible()
  }

  /// Begins the handshake over the components that have got a path.
  func startDTLSIfPossible() {
    guard let peer, paths.path != nil else { return }
    for index in associations.indices where associations[index] == nil && paths.isConnected(index + 1) {
      do {
        let association = try DTLSTransport(
          certificate: certificate, role: peer.role, fingerprints: peer.fingerprints, application: application,
          send: { [paths] in _ = paths.send($0, over: index + 1) }, handle: { [handle] in handle($0, index + 1) })
        associations[index] = association
        association.start()
        for datagram in early[index] { datagram.withUnsafeBytes { association.receive($0) } }
        early[index] = []
      } catch {
        handle(.failed(error), index + 1)
      }
    }
  }

  /// Takes a datagram of DTLS.
  func receive(_ datagram: UnsafeRawBufferPointer, over component: Int) {
    guard associations.indices.contains(component - 1) else { return }
    datagramsReceived += 1
    if let association = associations[component - 1] {
      association.receive(datagram)
    } else if early[component - 1].count < 8 {
      early[component - 1].append(Array(datagram))
    }
  }

  // MARK: Time

  /// When something is to be retransmitted or given up.
  func nextDeadline(at now: Instant) -> Instant? {
    var next = paths.nextDeadline
    for association in associations {
      if let delay = association?.timeoutDelay { next = min(next ?? now + delay, now + delay) }
    }
    return next
  }

  /// Does what is due.
  func timeout(at now: Instant) {
    for case let association? in associations {
      if let delay = association.timeoutDelay, delay <= .zero { association.timeout() }
    }
    paths.timeout(at: now)
  }

  /// Says goodbye (`close_notify`) and lets everything go.
  func close() {
    for association in associations { association?.close() }
    paths.close()
  }
}
