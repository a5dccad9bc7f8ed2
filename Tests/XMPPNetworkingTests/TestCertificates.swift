import Foundation
import NIOSSL

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
    let directory = FileManager.default.temporaryDirectory.appending(path: "carillon-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }

    func file(_ name: String) -> String { directory.appending(path: name).path }
    func openssl(_ arguments: String...) throws {
      let process = Process()
      process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
      process.arguments = ["openssl"] + arguments
      process.standardError = FileHandle.nullDevice
      process.standardOutput = FileHandle.nullDevice
      try process.run()
      process.waitUntilExit()
      guard process.terminationStatus == 0 else { throw CocoaError(.executableLoad) }
    }
    func authority(_ name: String) throws {
      try openssl(
        "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
        "-subj", "/CN=\(name)", "-keyout", file("\(name).key"), "-out", file("\(name).pem"))
    }
    func identity(
      _ name: String, for domain: String, by authority: String, days: Int = 30, kind: String = "DNS"
    ) throws -> Identity {
      try openssl(
        "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=\(domain)",
        "-addext", "subjectAltName=\(kind):\(domain)", "-keyout", file("\(name).key"), "-out", file("\(name).csr"))
      try openssl(
        "x509", "-req", "-in", file("\(name).csr"), "-CA", file("\(authority).pem"), "-CAkey", file("\(authority).key"),
        "-copy_extensions", "copy", "-days", "\(days)", "-out", file("\(name).pem"))
      return Identity(
        certificate: [UInt8](try Data(contentsOf: URL(fileURLWithPath: file("\(name).pem")))),
        key: [UInt8](try Data(contentsOf: URL(fileURLWithPath: file("\(name).key")))))
    }

    try authority("trusted")
    try authority("unknown")
    self.authority = try Data(contentsOf: URL(fileURLWithPath: file("trusted.pem")))
    good = try identity("good", for: "example.test", by: "trusted")
    wrongName = try identity("wrong", for: "other.test", by: "trusted")
    expired = try identity("expired", for: "example.test", by: "trusted", days: -1)
    stranger = try identity("stranger", for: "example.test", by: "unknown")
    address = try identity("address", for: "127.0.0.1", by: "trusted", kind: "IP")
  }
}
