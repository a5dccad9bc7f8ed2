import JingleCore
import Testing
import XMPPCore

@Suite struct XEP0320DTLSSRTPCodingTests {
  static let value =
    "02:1A:CC:54:27:AB:EB:9C:53:3F:3E:4B:65:2E:7D:46:3F:54:42:CD:54:F1:7A:03:A2:7D:F9:B0:7F:46:19:B2"

  func fingerprint(_ attributes: String, _ value: String = value) throws -> DTLSFingerprint? {
    try DTLSFingerprint(xml("<fingerprint xmlns='urn:xmpp:jingle:apps:dtls:0' \(attributes)>\(value)</fingerprint>"))
  }

  @Test(arguments: [value, "\n    \(value)\n  ", value.lowercased()])
  func `The example's fingerprint is read`(text: String) throws {
    let fingerprint = try #require(try fingerprint("hash='sha-256' setup='actpass'", text))
    #expect(fingerprint.hash == .sha256)
    #expect(fingerprint.setup == .actpass)
    #expect(fingerprint.bytes.prefix(3) == [0x02, 0x1A, 0xCC])
    #expect(fingerprint.bytes.count == 32)
    #expect(fingerprint.value == Self.value)
    #expect(try DTLSFingerprint(fingerprint.element) == fingerprint)
  }

  @Test(arguments: DTLSSetup.allCases)
  func `Every setup is read`(setup: DTLSSetup) throws {
    #expect(try fingerprint("hash='SHA-256' setup='\(setup.rawValue)' required='true'")?.setup == setup)
  }

  static let malformed: [(attributes: String, value: String)] = {
    let cut = String(value.dropLast(2))
    let sha256 = "hash='sha-256' setup='active'"
    return [
      ("setup='active'", value),
      ("hash='sha-256' setup='sideways'", value),
      ("hash='sha-384' setup='active'", value),
      (sha256, ""),
      (sha256, cut),
      (sha256, cut + "B2:"),
      (sha256, cut + "B2:00"),
      (sha256, cut + "G2"),
      (sha256, cut + "+2"),
      (sha256, value.split(separator: ":").joined()),
      (sha256, String(repeating: "00:", count: 10_000)),
    ]
  }()

  @Test(arguments: malformed)
  func `A malformed fingerprint is a bad request`(attributes: String, value: String) {
    let error = #expect(throws: StanzaError.self) { try fingerprint(attributes, value) }
    #expect(error?.condition == .badRequest)
  }

  @Test(arguments: ["md5", "sha-1", "sha-224", "whirlpool"])
  func `A hash that nobody should trust is as good as none`(hash: String) throws {
    #expect(try fingerprint("hash='\(hash)' setup='active'", "00:01") == nil)
  }

  @Test func `The strongest fingerprint counts`() throws {
    let weak = DTLSFingerprint(hash: .sha256, setup: .actpass, bytes: Array(repeating: 1, count: 32))
    let strong = DTLSFingerprint(hash: .sha512, setup: .actpass, bytes: Array(repeating: 2, count: 64))
    let transport = ICETransport(ufrag: "a", pwd: "b", fingerprints: [weak, strong, weak])
    #expect(transport.fingerprint == strong)
    #expect(try ICETransport(transport.element) == transport)
    #expect(ICETransport().fingerprint == nil)
  }

  @Test func `A transport has few fingerprints`() {
    let one = DTLSFingerprint(hash: .sha256, setup: .actpass, bytes: Array(repeating: 1, count: 32))
    func transport(_ count: Int) -> XMLElement { ICETransport(fingerprints: Array(repeating: one, count: count)).element }
    #expect(throws: Never.self) { try ICETransport(transport(DTLSFingerprint.maximumCount)) }
    #expect(throws: StanzaError.self) { try ICETransport(transport(DTLSFingerprint.maximumCount + 1)) }
  }

  @Test func `The example's early fingerprint stands in transport-info`() throws {
    let early = try jingle(
      """
      <jingle xmlns='urn:xmpp:jingle:1' action='transport-info' sid='a73sjjvkla37jfea'>
        <content creator='initiator' name='voice'>
          <transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' pwd='YH75Fviy6338Vbrhrlp8Yh' ufrag='9uB6'>
            <fingerprint xmlns='urn:xmpp:jingle:apps:dtls:0' hash='sha-256' setup='active'>
              BD:E8:2C:D3:BD:B6:98:50:45:7D:5B:36:89:53:31:15:52:25:88:82:06:95:88:A3:3D:A5:43:8D:5C:21:21:66
            </fingerprint>
          </transport>
        </content>
      </jingle>
      """)
    #expect(early.contents.first?.transport?.iceUDP?.fingerprint?.setup == .active)
  }
}

@Suite struct XEP0320DTLSSRTPBehaviorTests {
  static let agreements: [(offered: DTLSSetup, answered: DTLSSetup?, role: DTLSRole)] = [
    (.actpass, .active, .server),
    (.actpass, .passive, .client),
    (.active, .passive, .client),
    (.passive, .active, .server),
    (.actpass, nil, .server),
  ]

  @Test(arguments: agreements)
  func `The answer decides the offerer's part`(offered: DTLSSetup, answered: DTLSSetup?, role: DTLSRole) throws {
    #expect(try DTLSRole(offered: offered, answered: answered) == role)
  }

  static let contradictions: [(offered: DTLSSetup, answered: DTLSSetup?, error: DTLSSetupError)] = [
    (.active, .active, .bothActive),
    (.active, nil, .bothActive),
    (.passive, .passive, .bothPassive),
    (.actpass, .actpass, .actpassInAnswer),
    (.active, .actpass, .actpassInAnswer),
    (.actpass, .holdconn, .holdconn),
    (.holdconn, .active, .holdconn),
  ]

  @Test(arguments: contradictions)
  func `A contradiction is an error`(offered: DTLSSetup, answered: DTLSSetup?, error: DTLSSetupError) {
    #expect(throws: error) { try DTLSRole(offered: offered, answered: answered) }
  }

  @Test(arguments: [.actpass, .active, .passive, nil] as [DTLSSetup?])
  func `Offerer and answerer play different parts`(offered: DTLSSetup?) throws {
    let (role, setup) = try DTLSRole.answering(offered)
    #expect(try DTLSRole(offered: offered ?? .actpass, answered: setup) == role.other)
    if offered != .active { #expect(setup == .active) }
  }

  @Test func `Nobody can answer holdconn`() {
    #expect(throws: DTLSSetupError.holdconn) { try DTLSRole.answering(.holdconn) }
  }
}
