import Testing
import XMPPCore

@Suite struct SCRAMTests {
  /// The example of RFC 5802 §5.
  static func sha1(password: String = "pencil") throws -> SCRAM {
    try #require(
      SCRAM(.sha1, username: "user", password: password, nonce: "fyko+d2lbbFgONRv9qkxdawL", binding: .unsupported))
  }
  static let challenge = "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096"

  @Test func `the exchange of RFC 5802 comes out`() throws {
    var scram = try Self.sha1()
    #expect(scram.clientFirst == "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL")
    #expect(
      try scram.clientFinal(answering: Self.challenge)
        == "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=")
    try scram.verify("v=rmF9pqV8S7suAoZWja4dJRkFsKQ=")
  }

  @Test func `the exchange of RFC 7677 comes out`() throws {
    var scram = try #require(
      SCRAM(.sha256, username: "user", password: "pencil", nonce: "rOprNGfwEbeRWgbNEkqO", binding: .unsupported))
    #expect(
      try scram.clientFinal(
        answering: "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096")
        == "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
    try scram.verify("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")
  }

  @Test(arguments: [
    ("v=rmF9pqV8S7suAoZWja4dJRkFsKQ", SCRAM.Failure.malformed("signature")),
    ("v=rmF9pqV8S7suAoZWja4dJRkFsKU=", .wrongServerSignature),
    ("v=", .wrongServerSignature),
    ("e=invalid-proof", .refused("invalid-proof")),
    ("", .malformed("signature")),
  ])
  func `a server that cannot prove itself is not believed`(message: String, failure: SCRAM.Failure) throws {
    var scram = try Self.sha1()
    _ = try scram.clientFinal(answering: Self.challenge)
    #expect(throws: failure) { try scram.verify(message) }
  }

  @Test(arguments: [
    ("", SCRAM.Failure.malformed("nonce")),
    ("m=ext,r=fyko+d2lbbFgONRv9qkxdawL3,s=QSXC,i=1", .malformed("nonce")),
    ("r=fyko+d2lbbFgONRv9qkxdawL,s=QSXC,i=1", .nonceMismatch),
    ("r=other,s=QSXC,i=1", .nonceMismatch),
    ("r=fyko+d2lbbFgONRv9qkxdawL3,s=,i=1", .malformed("salt")),
    ("r=fyko+d2lbbFgONRv9qkxdawL3,s=?,i=1", .malformed("salt")),
    ("r=fyko+d2lbbFgONRv9qkxdawL3,s=QSXC,i=0", .malformed("iteration count")),
    ("r=fyko+d2lbbFgONRv9qkxdawL3,s=QSXC,i=-4", .malformed("iteration count")),
    ("r=fyko+d2lbbFgONRv9qkxdawL3,s=QSXC,i=99999999999999999999", .malformed("iteration count")),
    ("r=fyko+d2lbbFgONRv9qkxdawL3,s=QSXC,i=1000001", .tooManyIterations(1_000_001)),
    ("r=fyko+d2lbbFgONRv9qkxdawL3,s=QSXC", .malformed("nonce")),
  ])
  func `a challenge that is not one is refused`(challenge: String, failure: SCRAM.Failure) throws {
    var scram = try Self.sha1()
    #expect(throws: failure) { try scram.clientFinal(answering: challenge) }
  }

  @Test func `names are escaped, and the binding stands in the header`() throws {
    let binding = ChannelBinding(type: .tlsExporter, data: [1, 2, 3])
    var scram = try #require(SCRAM(.sha1, username: "a=b,c", password: "p", nonce: "n", binding: .bound(binding)))
    #expect(scram.clientFirst == "p=tls-exporter,,n=a=3Db=2Cc,r=n")
    let final = try scram.clientFinal(answering: "r=nm,s=QSXC,i=1")
    #expect(final.hasPrefix("c=cD10bHMtZXhwb3J0ZXIsLAECAw==,r=nm,p="))
    #expect(SCRAM(.sha1, username: "a", password: "p", nonce: "n", binding: .notOffered)?.clientFirst == "y,,n=a,r=n")
  }

  @Test func `names and passwords with control characters are refused`() {
    #expect(SCRAM(.sha1, username: "a", password: "p\u{7}", nonce: "n", binding: .unsupported) == nil)
    #expect(SCRAM(.sha1, username: "a\n", password: "p", nonce: "n", binding: .unsupported) == nil)
  }

  @Test(arguments: [
    ("I\u{AD}X", "IX"), ("user", "user"), ("USER", "USER"), ("\u{AA}", "a"), ("\u{2168}", "IX"),
    ("a\u{A0}b", "a b"), ("\u{7}", nil), ("a\u{200E}", nil), ("a\u{E000}", nil), ("a\u{85}", nil),
  ])
  func `SASLprep maps, normalises and prohibits`(input: String, output: String?) {
    #expect(saslPrepared(input) == output)
  }
}

@Suite struct SASLChoiceTests {
  static let exporter = ChannelBinding(type: .tlsExporter, data: [1])
  static let endPoint = ChannelBinding(type: .tlsServerEndPoint, data: [2])
  static let all = Set(SASLMechanism.allCases.map(\.rawValue))

  @Test(arguments: [
    (all, ["tls-exporter", "tls-server-end-point"], [exporter, endPoint], SASLMechanism.scramSHA256Plus, SCRAM.Binding.bound(exporter)),
    (all, ["tls-server-end-point"], [exporter, endPoint], .scramSHA256Plus, .bound(endPoint)),
    (all, ["tls-unique"], [endPoint], .scramSHA256, .unsupported),
    (all, [], [endPoint], .scramSHA256, .unsupported),
    (all, ["tls-exporter"], [], .scramSHA256, .unsupported),
    (["SCRAM-SHA-256", "PLAIN"], [], [endPoint], .scramSHA256, .notOffered),
    (["SCRAM-SHA-1", "PLAIN", "X"], [], [], .scramSHA1, .unsupported),
    (["SCRAM-SHA-1-PLUS", "SCRAM-SHA-1"], ["tls-exporter"], [exporter], .scramSHA1Plus, .bound(exporter)),
    (["PLAIN", "DIGEST-MD5"], [], [], .plain, .unsupported),
  ] as [(Set<String>, Set<String>, [ChannelBinding], SASLMechanism, SCRAM.Binding)])
  func `the best mechanism that both know is chosen`(
    offered: Set<String>, announced: Set<String>, available: [ChannelBinding], mechanism: SASLMechanism,
    binding: SCRAM.Binding
  ) throws {
    let choice = try #require(SASLChoice(offered: offered, announced: announced, available: available))
    #expect(choice.mechanism == mechanism)
    if mechanism != .plain { #expect(choice.binding == binding) }
  }

  @Test func `nothing in common is nothing chosen`() {
    #expect(SASLChoice(offered: ["GSSAPI", "EXTERNAL"], announced: [], available: []) == nil)
  }

  @Test(arguments: SASLFailure.Condition.allCases)
  func `every failure is read`(condition: SASLFailure.Condition) throws {
    let text = "<text xml:lang='en'>no</text>"
    let xml = "<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><\(condition.rawValue)/>\(text)</failure>"
    #expect(SASLFailure(try XMLElement(parsing: xml)) == SASLFailure(condition, text: "no"))
  }
}
