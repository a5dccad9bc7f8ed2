import Testing
import XMPPCore

@Suite struct XEP0115EntityCapabilitiesCodingTests {
  /// XEP-0115 §5.2.
  static let simple = DiscoInfo(
    identities: [.init(category: "client", type: "pc", name: "Exodus 0.9.1")],
    features: [
      "http://jabber.org/protocol/disco#info", "http://jabber.org/protocol/disco#items",
      "http://jabber.org/protocol/muc", "http://jabber.org/protocol/caps",
    ])

  /// XEP-0115 §5.3.
  static let complex = """
    <query xmlns='http://jabber.org/protocol/disco#info' node='http://psi-im.org#q07IKJEyjvHSyhy//CH0CxmKi8w='>\
    <identity xml:lang='en' category='client' name='Psi 0.11' type='pc'/>\
    <identity xml:lang='el' category='client' name='\u{3A8} 0.11' type='pc'/>\
    <feature var='http://jabber.org/protocol/caps'/><feature var='http://jabber.org/protocol/disco#info'/>\
    <feature var='http://jabber.org/protocol/disco#items'/><feature var='http://jabber.org/protocol/muc'/>\
    <x xmlns='jabber:x:data' type='result'>\
    <field var='FORM_TYPE' type='hidden'><value>urn:xmpp:dataforms:softwareinfo</value></field>\
    <field var='ip_version' type='text-multi'><value>ipv4</value><value>ipv6</value></field>\
    <field var='os'><value>Mac</value></field><field var='os_version'><value>10.5.1</value></field>\
    <field var='software'><value>Psi</value></field><field var='software_version'><value>0.11</value></field>\
    </x></query>
    """

  private let psi = Verification(algorithm: "sha-1", value: "q07IKJEyjvHSyhy//CH0CxmKi8w=")

  @Test("The simple example has its verification string, in whatever order it comes")
  func simpleExample() {
    #expect(Verification(of: Self.simple, hash: .sha1).value == "QgayPKawpkPSDYmwT/WM94uAlu0=")
    var shuffled = Self.simple
    shuffled.features.reverse()
    #expect(Verification(of: shuffled, hash: .sha1).value == "QgayPKawpkPSDYmwT/WM94uAlu0=")
  }

  @Test("The complex example has its verification string, in whatever order it comes")
  func complexExample() throws {
    var info = try DiscoInfo(stanza(Self.complex))
    #expect(Verification(of: info, hash: .sha1) == psi)
    #expect(psi.verifies(info))
    info.identities.reverse()
    info.features.reverse()
    info.forms[0].fields.reverse()
    info.forms[0].fields[4].values.reverse()
    #expect(psi.verifies(info))
  }

  @Test(
    "The strings that Dino, Gajim and QXmpp advertise are those of what they answer", arguments: RealClients.answers)
  func realClients(text: String) throws {
    let info = try DiscoInfo(stanza(text))
    let value = try #require(info.node?.split(separator: "#").last)
    #expect(Verification(algorithm: "sha-1", value: String(value)).verifies(info))
  }

  @Test(
    "Each hash makes its own string",
    arguments: [
      (.sha1, 28), (.sha256, 44), (.sha384, 64), (.sha512, 88),
    ] as [(Verification.Hash, Int)])
  func hashes(hash: Verification.Hash, length: Int) {
    let verification = Verification(of: Self.simple, hash: hash)
    #expect(verification.value.count == length)
    #expect(verification.verifies(Self.simple))
    #expect(Verification(algorithm: "sha-3", value: verification.value).verifies(Self.simple) == false)
  }

  @Test("Whatever is changed, the string does not fit any more")
  func changed() throws {
    let info = try DiscoInfo(stanza(Self.complex))
    let changes: [(inout DiscoInfo) -> Void] = [
      { $0.features.append("urn:xmpp:jingle:1") }, { $0.features.removeLast() }, { $0.identities[0].name = "Psi" },
      { $0.identities[0].language = nil }, { $0.identities[0].category = "bot" }, { $0.identities[0].type = "web" },
      { $0.forms = [] }, { $0.forms[0].fields[1].values.removeLast() }, { $0.forms[0].fields[2].name = "so" },
      { $0.forms[0].fields[0].values = ["urn:other"] },
    ]
    for change in changes {
      var other = info
      change(&other)
      #expect(!psi.verifies(other))
    }
  }

  @Test("A form without a hidden type is ignored")
  func untypedForm() throws {
    var info = try DiscoInfo(stanza(Self.complex))
    info.forms.append(DataForm(fields: [.init("FORM_TYPE", values: ["visible"]), .init("a", values: ["b"])]))
    #expect(psi.verifies(info))
    info.forms.append(DataForm(fields: [.init("a", values: ["b"])]))
    #expect(psi.verifies(info))
  }

  @Test("What is repeated, or holds the separator, is ill-formed even if its string fits")
  func illFormed() throws {
    let info = try DiscoInfo(stanza(Self.complex))
    let changes: [(inout DiscoInfo) -> Void] = [
      { $0.features.append($0.features[0]) }, { $0.identities.append($0.identities[0]) },
      { $0.forms.append($0.forms[0]) }, { $0.forms[0].fields[0].values.append("urn:other") },
      { $0.forms[0].fields.append(.init("FORM_TYPE", type: "hidden", values: ["urn:other"])) },
      { $0.features = [$0.features.sorted().joined(separator: "<")] }, { $0.identities[0].name = "<" },
      { $0.forms[0].fields[2].values = ["a<b"] }, { $0.forms[0].fields[2].name = "a<b" },
    ]
    for change in changes {
      var other = info
      change(&other)
      #expect(!Verification(of: other, hash: .sha1).verifies(other))
    }
  }

  @Test("FORM_TYPE may repeat the same value")
  func repeatedType() throws {
    var info = try DiscoInfo(stanza(Self.complex))
    info.forms[0].fields[0].values.append("urn:xmpp:dataforms:softwareinfo")
    #expect(psi.verifies(info))
  }

  @Test("Sorting is by bytes: an upper-case letter comes before a lower-case one, U+FF5E before U+1F525")
  func collation() {
    let one = DiscoInfo(identities: [], features: ["\u{1F525}", "a", "\u{FF5E}", "B"])
    let other = DiscoInfo(identities: [], features: ["B", "a", "\u{FF5E}", "\u{1F525}"])
    #expect(Verification(of: one, hash: .sha1) == Verification(of: other, hash: .sha1))
  }

  @Test("Capabilities in presence are read and written back unchanged")
  func element() throws {
    let presence = try Presence(
      stanza(
        """
        <presence from='romeo@montague.lit/orchard'><c hash='sha-1' node='http://code.google.com/p/exodus' \
        ver='QgayPKawpkPSDYmwT/WM94uAlu0=' xmlns='http://jabber.org/protocol/caps'/></presence>
        """))
    let capabilities = try #require(presence.capabilities)
    #expect(capabilities == Capabilities(node: "http://code.google.com/p/exodus", of: Self.simple))
    #expect(capabilities.queryNode == "http://code.google.com/p/exodus#QgayPKawpkPSDYmwT/WM94uAlu0=")
    #expect(capabilities.element == presence.payloads[0])
  }

  @Test("The legacy format names no hash")
  func legacy() throws {
    let element = try stanza("<c xmlns='http://jabber.org/protocol/caps' node='http://x.example' ver='1.0' ext='a b'/>")
    #expect(try Capabilities(element).verification.hash == nil)
  }

  @Test(
    "Capabilities without node or ver, or of excessive length, are not there",
    arguments: [
      "<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' ver='a'/>",
      "<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='a'/>",
      "<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='' ver=''/>",
      "<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='a' ver='\(String(repeating: "a", count: 513))'/>",
      "<c hash='sha-1' node='a' ver='a'/>",
    ])
  func malformed(text: String) throws {
    #expect(try Presence(stanza("<presence>\(text)</presence>")).capabilities == nil)
  }
}
