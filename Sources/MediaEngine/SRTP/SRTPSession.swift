import CSRTP

/// libsrtp2 refused a packet or a key.
package struct SRTPError: Error {
  var status: srtp_err_status_t

  /// A packet whose authentication tag is wrong: forged, damaged, or under another key.
  ///
  /// With GCM the cipher itself checks the tag, and libsrtp2 says only that it failed.
  var isAuthenticationFailure: Bool { status == srtp_err_status_auth_fail || status == srtp_err_status_cipher_fail }
}

/// Both directions of SRTP and SRTCP of one transport. Lives on one media loop; not thread-safe.
///
/// - Specification: RFC 3711, RFC 7714
package final class SRTPSession {
  /// What protection adds to a packet at most.
  static let maximumTrailer = Int(SRTP_MAX_TRAILER_LEN) + MemoryLayout<UInt32>.size

  private let outbound: srtp_t
  private let inbound: srtp_t
  /// The peer's SSRCs, as they stand in memory, the last used one last. Bound: 32, the longest unused one forgotten, as
  /// libsrtp2 keeps the state of every SSRC that ever authenticated.
  private var sources: [UInt32] = []

  package init(_ material: SRTPKeyingMaterial) throws(SRTPError) {
    _ = SRTPSession.library
    outbound = try SRTPSession.make(material.profile, key: material.local, direction: ssrc_any_outbound)
    do {
      inbound = try SRTPSession.make(material.profile, key: material.remote, direction: ssrc_any_inbound)
    } catch {
      srtp_dealloc(outbound)
      throw error
    }
  }

  deinit {
    srtp_dealloc(outbound)
    srtp_dealloc(inbound)
  }

  /// Encrypts an RTP packet in place; without an allocation where the array has room for `maximumTrailer` more bytes.
  package func protectRTP(_ packet: inout [UInt8]) throws(SRTPError) {
    try protect(&packet, srtp_protect)
  }

  package func protectRTCP(_ packet: inout [UInt8]) throws(SRTPError) {
    try protect(&packet, srtp_protect_rtcp)
  }

  /// Decrypts an RTP packet in place.
  ///
  /// - Returns: the plain packet, the beginning of the protected one.
  package func unprotectRTP(_ packet: UnsafeMutableRawBufferPointer) throws(SRTPError) -> UnsafeRawBufferPointer {
    try unprotect(packet, ssrcOffset: 8, srtp_unprotect)
  }

  package func unprotectRTCP(_ packet: UnsafeMutableRawBufferPointer) throws(SRTPError) -> UnsafeRawBufferPointer {
    try unprotect(packet, ssrcOffset: 4, srtp_unprotect_rtcp)
  }

  private typealias Operation =
    (srtp_t?, UnsafeMutableRawPointer?, UnsafeMutablePointer<Int32>?) -> srtp_err_status_t

  private func protect(_ packet: inout [UInt8], _ operation: Operation) throws(SRTPError) {
    var length = Int32(packet.count)
    packet.append(contentsOf: repeatElement(0, count: SRTPSession.maximumTrailer))
    let status = packet.withUnsafeMutableBytes { operation(outbound, $0.baseAddress, &length) }
    guard status == srtp_err_status_ok else { throw SRTPError(status: status) }
    packet.removeLast(packet.count - Int(length))
  }

  private func unprotect(
    _ packet: UnsafeMutableRawBufferPointer, ssrcOffset: Int, _ operation: Operation
  ) throws(SRTPError) -> UnsafeRawBufferPointer {
    guard var length = Int32(exactly: packet.count), packet.count >= ssrcOffset + 4 else {
      throw SRTPError(status: srtp_err_status_bad_param)
    }
    let status = operation(inbound, packet.baseAddress, &length)
    guard status == srtp_err_status_ok else { throw SRTPError(status: status) }
    note(packet.loadUnaligned(fromByteOffset: ssrcOffset, as: UInt32.self))
    return UnsafeRawBufferPointer(rebasing: packet[..<Int(length)])
  }

  private func note(_ source: UInt32) {
    guard source != sources.last else { return }
    if let index = sources.firstIndex(of: source) {
      sources.remove(at: index)
    } else if sources.count == 32 {
      srtp_remove_stream(inbound, sources.removeFirst())
    }
    sources.append(source)
  }

  private static func make(
    _ profile: SRTPProfile, key: [UInt8], direction: srtp_ssrc_type_t
  ) throws(SRTPError) -> srtp_t {
    var policy = srtp_policy_t()
    let number = srtp_profile_t(rawValue: UInt32(profile.rawValue))
    var status = srtp_crypto_policy_set_from_profile_for_rtp(&policy.rtp, number)
    if status == srtp_err_status_ok { status = srtp_crypto_policy_set_from_profile_for_rtcp(&policy.rtcp, number) }
    guard status == srtp_err_status_ok else { throw SRTPError(status: status) }
    policy.ssrc.type = direction
    policy.window_size = 1024
    policy.allow_repeat_tx = 1
    var key = key
    var session: srtp_t?
    status = key.withUnsafeMutableBufferPointer { buffer in
      policy.key = buffer.baseAddress
      return srtp_create(&session, &policy)
    }
    guard status == srtp_err_status_ok, let session else { throw SRTPError(status: status) }
    return session
  }

  /// libsrtp2's own state, once for the process. The first session also starts NSS under it, which takes about 20 ms: call
  /// `prepare` while there is time.
  private static let library: Void = {
    srtp_init()
    srtp_install_log_handler(nil, nil)
    for profile in SRTPProfile.offered {
      let key = [UInt8](repeating: 0, count: profile.keyLength + profile.saltLength)
      if let session = try? make(profile, key: key, direction: ssrc_any_outbound) { srtp_dealloc(session) }
    }
  }()

  static func prepare() { _ = library }
}
