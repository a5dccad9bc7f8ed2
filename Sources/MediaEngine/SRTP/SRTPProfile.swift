/// The SRTP protection profiles that we negotiate, by IANA number.
///
/// - Specification: RFC 5764 §4.1.2, RFC 7714 §14.2
package enum SRTPProfile: UInt16, Sendable {
  case aes128CMSHA1_80 = 0x0001
  case aeadAES128GCM = 0x0007

  /// In order of preference: GCM costs a quarter of AES-CM with HMAC-SHA1.
  static let offered: [SRTPProfile] = [.aeadAES128GCM, .aes128CMSHA1_80]

  var openSSLName: String {
    switch self {
    case .aeadAES128GCM: "SRTP_AEAD_AES_128_GCM"
    case .aes128CMSHA1_80: "SRTP_AES128_CM_SHA1_80"
    }
  }

  /// IANA's name in the DTLS-SRTP Protection Profiles registry.
  package var name: String {
    switch self {
    case .aeadAES128GCM: "SRTP_AEAD_AES_128_GCM"
    case .aes128CMSHA1_80: "SRTP_AES128_CM_HMAC_SHA1_80"
    }
  }

  var keyLength: Int { 16 }

  var saltLength: Int {
    switch self {
    case .aeadAES128GCM: 12
    case .aes128CMSHA1_80: 14
    }
  }
}

/// The master keys and salts of both directions, as the DTLS exporter gave them.
///
/// - Specification: RFC 5764 §4.2
package struct SRTPKeyingMaterial {
  var profile: SRTPProfile
  /// Key followed by salt, as libsrtp2 takes them.
  var local: [UInt8]
  var remote: [UInt8]

  package init(profile: SRTPProfile, exported: [UInt8], role: DTLSRole) {
    let (key, salt) = (profile.keyLength, profile.saltLength)
    let client = exported[0..<key] + exported[2 * key..<2 * key + salt]
    let server = exported[key..<2 * key] + exported[2 * key + salt..<2 * (key + salt)]
    self.profile = profile
    local = Array(role == .client ? client : server)
    remote = Array(role == .client ? server : client)
  }
}
