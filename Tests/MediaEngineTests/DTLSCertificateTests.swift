import COpenSSL
import Foundation
import Testing

@testable import MediaEngine

@Suite("A call's certificate", .timeLimit(.minutes(1)))
struct DTLSCertificateTests {
  @Test("has the fingerprint that the openssl command computes", arguments: ["sha-256", "sha-384", "sha-512"])
  func fingerprint(hash: String) throws {
    let certificate = try DTLSCertificate()
    let file = FileManager.default.temporaryDirectory.appending(path: "\(UUID().uuidString).der")
    defer { try? FileManager.default.removeItem(at: file) }
    try Data(der(of: certificate)).write(to: file)
    let command = Process()
    command.executableURL = URL(filePath: "/usr/bin/env")
    command.arguments = [
      "openssl", "x509", "-inform", "DER", "-in", file.path, "-noout", "-fingerprint", "-\(hash.replacing("-", with: ""))",
    ]
    let output = Pipe()
    command.standardOutput = output
    try command.run()
    let line = String(decoding: try output.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
    command.waitUntilExit()
    let expected = line.split(separator: "=").last?.split(whereSeparator: \.isWhitespace).first
    let actual = CertificateFingerprint(of: certificate.certificate, hash: hash)
    #expect(actual?.bytes.map { String(format: "%02X", $0) }.joined(separator: ":") == expected.map(String.init))
    if hash == "sha-256" { #expect(actual == certificate.fingerprint) }
  }

  @Test("is another one in every call, key and serial number included")
  func distinct() throws {
    let certificates = try (0..<20).map { _ in try DTLSCertificate() }
    #expect(Set(certificates.map(\.fingerprint)).count == 20)
    for (a, b) in zip(certificates, certificates.dropFirst()) {
      #expect(ASN1_INTEGER_cmp(X509_get0_serialNumber(a.certificate), X509_get0_serialNumber(b.certificate)) != 0)
      #expect(EVP_PKEY_eq(a.key, b.key) == 0)
    }
  }

  @Test("has no fingerprint under a hash function that is not accepted", arguments: ["sha-1", "md5", "sha256", ""])
  func unknownHash(hash: String) throws {
    #expect(CertificateFingerprint(of: try DTLSCertificate().certificate, hash: hash) == nil)
  }

  @Test("is signed by its own key and valid from before now")
  func selfSigned() throws {
    let certificate = try DTLSCertificate()
    #expect(X509_verify(certificate.certificate, certificate.key) == 1)
    #expect(X509_cmp_current_time(X509_get0_notBefore(certificate.certificate)) == -1)
    #expect(X509_cmp_current_time(X509_get0_notAfter(certificate.certificate)) == 1)
  }

  private func der(of certificate: DTLSCertificate) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: Int(i2d_X509(certificate.certificate, nil)))
    bytes.withUnsafeMutableBufferPointer { buffer in
      var start = buffer.baseAddress
      i2d_X509(certificate.certificate, &start)
    }
    return bytes
  }
}
