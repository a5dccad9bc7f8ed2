import COpenSSL
import COpenSSLShims
import Foundation

/// Why a DTLS handshake or association ended.
package enum DTLSError: Error, Sendable, CustomStringConvertible {
  case setUp(String)
  /// The peer's certificate is not the one whose fingerprint was signalled.
  case fingerprintMismatch
  /// Handshake or record failure, in OpenSSL's words.
  case failed(String)
  case noSRTPProfile

  package var description: String {
    switch self {
    case .setUp(let reason): "DTLS could not be set up: \(reason)"
    case .fingerprintMismatch: "the peer's certificate does not match the fingerprint that it signalled"
    case .failed(let reason): "the DTLS handshake failed: \(reason)"
    case .noSRTPProfile: "the peer supports no SRTP protection profile of ours"
    }
  }
}

/// Which end sends the ClientHello.
package enum DTLSRole: Sendable {
  case client, server
}

/// One DTLS association over an unreliable datagram path, for the keys of SRTP or for data of its own. Lives on one media
/// loop; not thread-safe.
///
/// - Specification: RFC 5764, RFC 6347, RFC 8261 §3, RFC 8842
final class DTLSTransport {
  enum Event {
    case connected(SRTPKeyingMaterial, version: String)
    case failed(DTLSError)
    /// The peer closed the association (`close_notify`).
    case closed
  }

  /// For an association that carries data itself, and then no SRTP beside it: told instead of `Event.connected`, and each
  /// record's data. The bytes are the caller's until `received` returns.
  struct Application {
    var opened: (_ version: String) -> Void
    var received: (UnsafeRawBufferPointer) -> Void
  }

  /// What a record adds to its data: 13 bytes of header, and 24 of AES-GCM's.
  static let overhead = 37

  private enum State { case handshaking, connected, over }

  /// What one IP packet holds on any path: IPv6's minimum MTU less IP and UDP headers, rounded down.
  static let mtu = 1200

  private let ssl: OpaquePointer
  private let expected: [CertificateFingerprint]
  private let role: DTLSRole
  private let send: (UnsafeRawBufferPointer) -> Void
  private let handle: (Event) -> Void
  private let application: Application?
  /// For one record's data.
  private let plain: UnsafeMutableRawBufferPointer
  private var state = State.handshaking
  private var mismatch = false
  /// The datagram being read, while OpenSSL is called with it.
  private var incoming: UnsafeRawBufferPointer?

  /// - Parameters:
  ///   - fingerprints: what the peer signalled; the certificate must match every one whose hash function is known, and at
  ///     least one (RFC 8122 §5.1).
  ///   - profiles: in order of preference; the server's order decides.
  ///   - application: for data instead of SRTP.
  ///   - send: carries one datagram to the peer.
  init(
    certificate: DTLSCertificate, role: DTLSRole, fingerprints: [CertificateFingerprint],
    profiles: [SRTPProfile] = SRTPProfile.offered, application: Application? = nil, send: @escaping (UnsafeRawBufferPointer) -> Void,
    handle: @escaping (Event) -> Void
  ) throws(DTLSError) {
    guard let context = SSL_CTX_new(DTLS_method()) else { throw .setUp(openSSLErrors()) }
    defer { SSL_CTX_free(context) }
    guard carillon_ssl_ctx_min_version(context, 0xFEFD) == 1,
      SSL_CTX_use_certificate(context, certificate.certificate) == 1,
      SSL_CTX_use_PrivateKey(context, certificate.key) == 1,
      SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AES128") == 1,
      application != nil
        || SSL_CTX_set_tlsext_use_srtp(context, profiles.map(\.openSSLName).joined(separator: ":")) == 0
    else { throw .setUp(openSSLErrors()) }
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nil)
    SSL_CTX_set_cert_verify_callback(context, DTLSTransport.verify, nil)
    guard let ssl = SSL_new(context), let bio = BIO_new(DTLSTransport.method) else { throw .setUp(openSSLErrors()) }
    self.ssl = ssl
    self.role = role
    self.send = send
    self.handle = handle
    self.application = application
    plain = .allocate(byteCount: application == nil ? 64 : 1 << 14, alignment: 16)
    expected = fingerprints
    BIO_set_data(bio, Unmanaged.passUnretained(self).toOpaque())
    BIO_set_init(bio, 1)
    SSL_set_bio(ssl, bio, bio)
    carillon_ssl_set_app_data(ssl, Unmanaged.passUnretained(self).toOpaque())
    _ = carillon_ssl_set_options(ssl, carillon_op_no_query_mtu() | carillon_op_no_renegotiation() | carillon_op_no_ticket())
    _ = carillon_ssl_set_mtu(ssl, DTLSTransport.mtu)
    _ = carillon_dtls_set_link_mtu(ssl, DTLSTransport.mtu + 28)
    // 100 ms doubling to 2 s: OpenSSL's 1, 2, 4 s would turn three losses into seven seconds.
    DTLS_set_timer_cb(ssl) { _, previous in previous == 0 ? 100_000 : min(previous * 2, 2_000_000) }
    switch role {
    case .client: SSL_set_connect_state(ssl)
    case .server: SSL_set_accept_state(ssl)
    }
  }

  deinit {
    SSL_free(ssl)
    plain.deallocate()
  }

  /// Begins the handshake: the client sends its ClientHello.
  func start() {
    if role == .client { advance() }
  }

  func receive(_ datagram: UnsafeRawBufferPointer) {
    // To OpenSSL, nothing read is the end of the stream.
    guard state != .over, !datagram.isEmpty else { return }
    incoming = datagram
    defer { incoming = nil }
    advance()
  }

  /// Sends data as one record. Nothing is told from within, whatever happens.
  ///
  /// - Returns: false when it is dropped.
  func send(_ data: UnsafeRawBufferPointer) -> Bool {
    guard state == .connected, application != nil else { return false }
    ERR_clear_error()
    return SSL_write(ssl, data.baseAddress, Int32(data.count)) > 0
  }

  /// How long to wait before `timeout()`, at most 2 s; nil when nothing is to be retransmitted.
  var timeoutDelay: Duration? {
    var left = timeval()
    guard state == .handshaking, carillon_dtls_get_timeout(ssl, &left) == 1 else { return nil }
    // OpenSSL counts by the wall clock, which may be set back meanwhile.
    return min(.seconds(2), .seconds(Int64(left.tv_sec)) + .microseconds(Int64(left.tv_usec)))
  }

  /// Retransmits the last flight when its time has come.
  func timeout() {
    guard state == .handshaking else { return }
    ERR_clear_error()
    if carillon_dtls_handle_timeout(ssl) < 0 { fail(.failed("no answer: " + openSSLErrors())) }
  }

  /// Says goodbye (`close_notify`).
  func close() {
    guard state == .connected else { return }
    state = .over
    ERR_clear_error()
    SSL_shutdown(ssl)
  }

  private func advance() {
    ERR_clear_error()
    if state == .handshaking {
      let result = SSL_do_handshake(ssl)
      guard result == 1 else { return examine(result) }
      finishHandshake()
    }
    // Beside SRTP, only alerts and retransmitted handshake records come here; data is discarded.
    while state == .connected {
      ERR_clear_error()
      let result = SSL_read(ssl, plain.baseAddress, Int32(plain.count))
      guard result > 0 else { return examine(result) }
      application?.received(UnsafeRawBufferPointer(rebasing: plain[..<Int(result)]))
    }
  }

  private func examine(_ result: Int32) {
    switch SSL_get_error(ssl, result) {
    case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: break
    case SSL_ERROR_ZERO_RETURN:
      state = .over
      handle(.closed)
    default:
      if mismatch { return fail(.fingerprintMismatch) }
      let reason = openSSLErrors()
      // A forged or damaged record after the handshake must not end the call: DTLS drops it (RFC 6347 §4.1.2.7).
      if state == .connected, SSL_get_shutdown(ssl) & SSL_RECEIVED_SHUTDOWN == 0 { return }
      fail(.failed(reason))
    }
  }

  private func finishHandshake() {
    if let application {
      state = .connected
      return application.opened(version)
    }
    guard let selected = SSL_get_selected_srtp_profile(ssl),
      let profile = SRTPProfile(rawValue: UInt16(truncatingIfNeeded: selected.pointee.id))
    else { return fail(.noSRTPProfile) }
    let count = 2 * (profile.keyLength + profile.saltLength)
    var material = [UInt8](repeating: 0, count: count)
    let label = "EXTRACTOR-dtls_srtp"
    guard SSL_export_keying_material(ssl, &material, count, label, label.utf8.count, nil, 0, 0) == 1
    else { return fail(.failed(openSSLErrors())) }
    state = .connected
    handle(.connected(SRTPKeyingMaterial(profile: profile, exported: material, role: role), version: version))
    OPENSSL_cleanse(&material, count)
  }

  private var version: String {
    (SSL_get_version(ssl).map { String(cString: $0) } ?? "DTLS").replacing("DTLSv", with: "DTLS ")
  }

  private func fail(_ error: DTLSError) {
    state = .over
    handle(.failed(error))
  }

  /// Compares the peer's certificate with the signalled fingerprints; authority and validity do not matter here.
  private func accepts(_ certificate: OpaquePointer) -> Bool {
    let known = expected.compactMap { signalled in
      CertificateFingerprint(of: certificate, hash: signalled.hash).map { ($0, signalled) }
    }
    let accepted = !known.isEmpty && known.allSatisfy { $0.bytes == $1.bytes }
    mismatch = !accepted
    return accepted
  }

  private static let verify: @convention(c) (OpaquePointer?, UnsafeMutableRawPointer?) -> Int32 = { store, _ in
    guard let store, let certificate = X509_STORE_CTX_get0_cert(store),
      let ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()),
      let owner = carillon_ssl_get_app_data(OpaquePointer(ssl)),
      Unmanaged<DTLSTransport>.fromOpaque(owner).takeUnretainedValue().accepts(certificate)
    else {
      if let store { X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED) }
      return 0
    }
    return 1
  }

  /// A BIO in which one write is one datagram; a memory BIO would join them. One for the process, never changed.
  nonisolated(unsafe) private static let method: OpaquePointer? = {
    let method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "datagrams")
    BIO_meth_set_write(method) { bio, bytes, count in
      guard let owner = BIO_get_data(bio), let bytes, count > 0 else { return 0 }
      Unmanaged<DTLSTransport>.fromOpaque(owner).takeUnretainedValue()
        .send(UnsafeRawBufferPointer(start: bytes, count: Int(count)))
      return count
    }
    BIO_meth_set_read(method) { bio, buffer, capacity in
      guard let owner = BIO_get_data(bio), let buffer else { return -1 }
      carillon_bio_clear_retry(bio)
      let transport = Unmanaged<DTLSTransport>.fromOpaque(owner).takeUnretainedValue()
      guard let datagram = transport.incoming, let start = datagram.baseAddress else {
        carillon_bio_set_retry_read(bio)
        return -1
      }
      transport.incoming = nil
      let count = min(datagram.count, Int(capacity))
      memcpy(buffer, start, count)
      return Int32(count)
    }
    BIO_meth_set_ctrl(method) { _, command, _, _ in
      switch command {
      case BIO_CTRL_FLUSH: 1
      case BIO_CTRL_DGRAM_QUERY_MTU, BIO_CTRL_DGRAM_GET_FALLBACK_MTU: DTLSTransport.mtu
      case BIO_CTRL_DGRAM_GET_MTU_OVERHEAD: 28
      default: 0
      }
    }
    return method
  }()
}
