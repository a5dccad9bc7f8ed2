import RTPCore

/// DTLS and SRTP of one component: an association, and keys, of its own. Lives on one media loop; not thread-safe.
///
/// ICE stays with the endpoint: a path is in use, or is left after a restart, for all components at once.
///
/// - Specification: RFC 5764 §4, RFC 8842 §5.4
final class MediaComponent {
  enum Event {
    case connected
    case failed(DTLSError)
    /// The peer closed the DTLS association.
    case closed
  }

  /// 1 for RTP, and for RTCP where it shares RTP's port; 2 for RTCP on a port of its own.
  let number: Int
  /// There once the component is encrypted, and what by.
  private(set) var srtp: SRTPSession?
  private(set) var security: (profile: SRTPProfile, version: String)?
  /// Datagrams of DTLS.
  private(set) var dtlsReceived = 0

  private let paths: ICEPaths
  private let handle: (Event) -> Void
  private var dtls: DTLSTransport?
  /// DTLS that arrives before the peer's fingerprint does. Bound: 8 datagrams, later ones dropped (they are repeated).
  private var early: [[UInt8]] = []

  init(_ number: Int, of paths: ICEPaths, handle: @escaping (Event) -> Void) {
    self.number = number
    self.paths = paths
    self.handle = handle
  }

  // MARK: DTLS

  var isStarted: Bool { dtls != nil }

  /// Begins the handshake. The component has a path.
  func start(
    _ certificate: DTLSCertificate, _ role: DTLSRole, _ fingerprints: [CertificateFingerprint]
  ) throws(DTLSError) {
    let transport = try DTLSTransport(
      certificate: certificate, role: role, fingerprints: fingerprints,
      send: { [paths, number] in _ = paths.send($0, over: number) }, handle: { [weak self] in self?.receive($0) })
    dtls = transport
    transport.start()
    for datagram in early { datagram.withUnsafeBytes { transport.receive($0) } }
    early = []
  }

  /// Takes a datagram of DTLS.
  func receive(_ datagram: UnsafeRawBufferPointer) {
    dtlsReceived += 1
    if let dtls {
      dtls.receive(datagram)
    } else if early.count < 8 {
      early.append(Array(datagram))
    }
  }

  /// How long to wait before `timeout()`, at most; nil when nothing is to be retransmitted.
  var timeoutDelay: Duration? { dtls?.timeoutDelay }

  /// Does what is due.
  func timeout() {
    if let delay = dtls?.timeoutDelay, delay <= .zero { dtls?.timeout() }
  }

  /// Says goodbye (`close_notify`).
  func close() {
    dtls?.close()
  }

  private func receive(_ event: DTLSTransport.Event) {
    switch event {
    case .connected(let material, let version):
      do {
        srtp = try SRTPSession(material)
        security = (material.profile, version)
        handle(.connected)
      } catch {
        handle(.failed(.setUp("libsrtp2 status \(error.status.rawValue)")))
      }
    case .failed(let error): handle(.failed(error))
    case .closed: handle(.closed)
    }
  }

  // MARK: Media

  /// Encrypts a packet in place and sends it; dropped before there are keys.
  func send(_ packet: inout RTPSession.OutgoingPacket) throws(SRTPError) {
    guard let srtp else { return }
    switch packet.kind {
    case .rtp: try srtp.protectRTP(&packet.bytes)
    case .rtcp: try srtp.protectRTCP(&packet.bytes)
    }
    packet.bytes.withUnsafeBytes { _ = paths.send($0, over: number) }
  }
}
