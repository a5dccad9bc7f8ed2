import Testing

@testable import XMPPNetworking

@Suite struct CertificateNameTests {
  @Test(
    "A certificate's name stands for a host as RFC 9525 §6.3 says",
    arguments: [
      ("example.org", "example.org", true), ("EXAMPLE.org", "example.ORG", true), ("example.org.", "example.org", true),
      ("*.example.org", "chat.example.org", true), ("*.example.org", "example.org", false),
      ("*.example.org", "a.b.example.org", false), ("c*.example.org", "chat.example.org", false), ("*.org", "example.org", false),
      ("*", "org", false), ("example.net", "example.org", false), ("", "", false), ("*.example.org", ".example.org", false),
    ])
  func matching(presented: String, wanted: String, expected: Bool) {
    #expect(CertificateName.matches(CertificateName.labels(presented), CertificateName.labels(wanted)) == expected)
  }
}
