import CSRTP

/// libsrtp2 refused a packet or a key.
struct SRTPError: Error {
  var status: srtp_err_status_t

  /// A packet whose authentication tag is wrong: forged, damaged, or under another key.
  var isAuthenticationFailure: Bool { status == srtp_err_status_auth_fail }
}

/// Both directions of SRTP and SRTCP of one transport. Lives on one media loop; not thread-safe.
///
/// - Specification: RFC 3711, RFC 7714
final class SRTPSession {
  /// What protection adds to a packet at most: a buffer needs that much room behind it.
  static let maximumTrailer = Int(SRTP_MAX_TRAILER_LEN) + 4

  private let outbound: srtp_t
  private let inbound: srtp_t

  init(_ material: SRTPKeyingMaterial) throws(SRTPError) {
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

  /// Encrypts an RTP packet in place.
  ///
  /// - Parameters:
  ///   - packet: at least `count + maximumTrailer` bytes, aligned to 4.
  ///   - count: the packet's length.
  /// - Returns: the protected packet's length.
  func protectRTP(_ packet: UnsafeMutableRawPointer, count: Int) throws(SRTPError) -> Int {
    try apply(srtp_protect, outbound, packet, count)
  }

  func protectRTCP(_ packet: UnsafeMutableRawPointer, count: Int) throws(SRTPError) -> Int {
    try apply(srtp_protect_rtcp, outbound, packet, count)
  }

  func unprotectRTP(_ packet: UnsafeMutableRawPointer, count: Int) throws(SRTPError) -> Int {
    try apply(srtp_unprotect, inbound, packet, count)
  }

  func unprotectRTCP(_ packet: UnsafeMutableRawPointer, count: Int) throws(SRTPError) -> Int {
    try apply(srtp_unprotect_rtcp, inbound, packet, count)
  }

  private func apply(
    _ operation: (srtp_t?, UnsafeMutableRawPointer?, UnsafeMutablePointer<Int32>?) -> srtp_err_status_t,
    _ session: srtp_t, _ packet: UnsafeMutableRawPointer, _ count: Int
  ) throws(SRTPError) -> Int {
    var length = Int32(count)
    let status = operation(session, packet, &length)
    guard status == srtp_err_status_ok else { throw SRTPError(status: status) }
    return Int(length)
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

  /// libsrtp2's own state, once for the process.
  private static let library: Void = {
    srtp_init()
    srtp_install_log_handler(nil, nil)
  }()
}
