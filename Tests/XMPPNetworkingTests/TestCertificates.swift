import Foundation
import NIOSSL
import TestSupport

/// Certificates made once per test run with the `openssl` command, and kept in memory.
struct TestCertificates: Sendable {
  struct Identity: Sendable {
    var certificate: [UInt8]
    var key: [UInt8]

    func serverContext(keyLog: @escaping NIOSSLKeyLogCallback) throws -> NIOSSLContext {
      var configuration = TLSConfiguration.makeServerConfiguration(
        certificateChain: [.certificate(try NIOSSLCertificate(bytes: certificate, format: .pem))],
        privateKey: .privateKey(try NIOSSLPrivateKey(bytes: key, format: .pem)))
      configuration.keyLogCallback = keyLog
      return try NIOSSLContext(configuration: configuration)
    }
  }

  /// The PEM of the authority that signed all but `stranger`.
  var authority: Data
  /// For example.test.
  var good: Identity
  /// For other.test.
  var wrongName: Identity
  var expired: Identity
  /// For example.test, but by an authority of its own.
  var stranger: Identity
  /// For the address 127.0.0.1 and no name.
  var address: Identity

  static let shared = Result { try TestCertificates() }

  private init() throws {
    let folder = try CertificateFolder()
    func identity(
      _ name: String, for subject: String, by authority: String = "trusted", days: Int = 30, kind: String = "DNS"
    ) throws -> Identity {
      let made = try folder.identity(name, for: subject, by: authority, days: days, kind: kind)
      return Identity(certificate: made.certificate, key: made.key)
    }
    authority = try folder.authority("trusted")
    _ = try folder.authority("unknown")
    good = try identity("good", for: "example.test")
    wrongName = try identity("wrong", for: "other.test")
    expired = try identity("expired", for: "example.test", days: -1)
    stranger = try identity("stranger", for: "example.test", by: "unknown")
    address = try identity("address", for: "127.0.0.1", kind: "IP")
  }
}
