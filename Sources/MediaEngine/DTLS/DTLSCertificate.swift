import COpenSSL
import COpenSSLShims
import Foundation

/// A certificate's hash as signalling carries it.
///
/// - Specification: RFC 8122 §5, XEP-0320 §2
package struct CertificateFingerprint: Hashable, Sendable {
  /// The hash function's textual name: `sha-256`, `sha-384`, `sha-512`.
  package var hash: String
  package var bytes: [UInt8]

  package init(hash: String, bytes: [UInt8]) {
    self.hash = hash
    self.bytes = bytes
  }

  /// What `certificate` hashes to under `hash`; nil for a hash function that is not accepted.
  init?(of certificate: OpaquePointer, hash: String) {
    let digest: OpaquePointer?
    switch hash.lowercased() {
    case "sha-256": digest = EVP_sha256()
    case "sha-384": digest = EVP_sha384()
    case "sha-512": digest = EVP_sha512()
    default: return nil
    }
    var bytes = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
    var count: UInt32 = 0
    guard X509_digest(certificate, digest, &bytes, &count) == 1 else { return nil }
    self.init(hash: hash.lowercased(), bytes: Array(bytes.prefix(Int(count))))
  }
}

/// The self-signed certificate of one call: a fresh P-256 key, so that calls cannot be linked by it.
///
/// - Specification: RFC 8827 §6.5
final class DTLSCertificate {
  let certificate: OpaquePointer
  let key: OpaquePointer
  let fingerprint: CertificateFingerprint

  init() throws(DTLSError) {
    guard let key = carillon_p256_key(), let certificate = X509_new() else { throw .setUp(openSSLErrors()) }
    self.key = key
    self.certificate = certificate
    var serial = [UInt8](repeating: 0, count: 16)
    RAND_bytes(&serial, 16)
    serial[0] &= 0x7F
    let number = BN_bin2bn(serial, 16, nil)
    BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate))
    BN_free(number)
    let name = X509_get_subject_name(certificate)
    // A day back for clocks that differ; 30 days on, longer than any call.
    guard X509_set_version(certificate, 2) == 1,
      X509_gmtime_adj(X509_getm_notBefore(certificate), -86_400) != nil,
      X509_gmtime_adj(X509_getm_notAfter(certificate), 30 * 86_400) != nil,
      X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, "Carillon", -1, -1, 0) == 1,
      X509_set_issuer_name(certificate, name) == 1,
      X509_set_pubkey(certificate, key) == 1,
      X509_sign(certificate, key, EVP_sha256()) > 0,
      let fingerprint = CertificateFingerprint(of: certificate, hash: "sha-256")
    else {
      X509_free(certificate)
      EVP_PKEY_free(key)
      throw .setUp(openSSLErrors())
    }
    self.fingerprint = fingerprint
  }

  deinit {
    X509_free(certificate)
    EVP_PKEY_free(key)
  }
}

/// Empties OpenSSL's error queue of this thread into one line.
func openSSLErrors() -> String {
  var lines: [String] = []
  while case let code = ERR_get_error(), code != 0 {
    lines.append(ERR_reason_error_string(code).map { String(cString: $0) } ?? "error \(code)")
  }
  return lines.isEmpty ? "no reason given" : lines.joined(separator: ", ")
}
