import Foundation
import Testing
import XMPPCore

/// Secrets and results taken from `openssl s_client -keylogfile … -keymatexport EXPORTER-Channel-Binding`.
@Suite struct ChannelBindingTests {
  @Test(arguments: [
    (
      "103b47aff851ccca3d36c98cb0c6752252dbffa2e5ad359798fa1c06098c5560",
      "0082c388cc0e880e57c929731eef3d7a7180a1e416eb3737433f15063d5e3e49",
      "519d85bcc107501851b6252f084f22c8a2198662c372d414dae847e13524b10e"
    )
  ])
  func `the secret's first line is the client random, the second the secret`(
    random: String, secret: String, key: String
  ) throws {
    #expect(ChannelBinding.exporter(secret: bytes(secret))?.data == bytes(key))
    #expect(ChannelBinding.exporter(secret: bytes(random))?.data != bytes(key))
  }

  @Test func `a secret of SHA-384 length exports with SHA-384`() {
    let secret = bytes(
      "83a15c30f00515c181b797c44270eb103a0765406721abe9d75cbce1ad453341b9f814d3f13aa7546a3eb945a3271c8d")
    let key = bytes("a0fc3ddcbf4aeda8c12a0742d749eb2f785ead113ccf2792452cefc02229a626")
    #expect(ChannelBinding.exporter(secret: secret) == ChannelBinding(type: .tlsExporter, data: key))
    #expect(ChannelBinding.exporter(secret: secret.dropLast()) == nil)
    #expect(ChannelBinding.exporter(secret: []) == nil)
  }

  /// Signed with ecdsa-with-SHA384.
  static let certificate = Data(
    base64Encoded: """
      MIIBfTCCASOgAwIBAgIUHbp+9B/RePiS9cTV7mZ9VCGliOgwCgYIKoZIzj0EAwMwFDESMBAGA1UEAwwJbG9jYWxob3N0MB4XDTI2MTEyMTAx\
      MzEzMFoXDTM2MTExODAxMzEzMFowFDESMBAGA1UEAwwJbG9jYWxob3N0MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEguWUHk63F20UkDC3\
      gS0JAFdeAjnAccw2OaUzCSP7c/wLeWiMyb+HhW+05UqFcoI6/a7ZuGQZv7sKe4d+bF15x6NTMFEwHQYDVR0OBBYEFL15E/HDP0LQ8unT0rpg\
      TWetnU2AMB8GA1UdIwQYMBaAFL15E/HDP0LQ8unT0rpgTWetnU2AMA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwMDSAAwRQIgbYoG54AJ\
      oEjJOt36DwPB23LiULndsGUdmuA3UVvbFM4CIQDId2/QC7mYWWQOYBFBnoKpiJmRV5an8/9H8KitHSV90Q==
      """)

  @Test func `the end point's hash is the one of the certificate's signature`() throws {
    let certificate = [UInt8](try #require(Self.certificate))
    let hash = bytes(
      "e3724c07cde767df305c43742a9a0e0656d0fcdd03676fee7f3a32beee1cd855e2cee85fac264e7055b4865c270f3745")
    #expect(ChannelBinding.serverEndPoint(certificate: certificate)?.data == hash)
  }

  @Test func `a certificate cut anywhere before its signature binds nothing`() throws {
    let certificate = [UInt8](try #require(Self.certificate))
    for count in 0..<certificate.count {
      #expect(ChannelBinding.serverEndPoint(certificate: Array(certificate.prefix(count))) == nil)
    }
  }

  private func bytes(_ hex: String) -> [UInt8] {
    stride(from: 0, to: hex.utf8.count, by: 2).compactMap { UInt8(hex.dropFirst($0).prefix(2), radix: 16) }
  }
}
