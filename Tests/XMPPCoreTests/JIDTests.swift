import Testing
import XMPPCore

@Suite struct JIDTests {
  @Test(
    "The valid addresses of RFC 7622 §3.5 are split and prepared",
    arguments: [
      ("juliet@example.com", "juliet", "example.com", nil),
      ("juliet@example.com/foo", "juliet", "example.com", "foo"),
      ("juliet@example.com/foo bar", "juliet", "example.com", "foo bar"),
      ("juliet@example.com/foo@bar", "juliet", "example.com", "foo@bar"),
      ("foo\\20bar@example.com", "foo\\20bar", "example.com", nil),
      ("fussball@example.com", "fussball", "example.com", nil),
      ("fu\u{DF}ball@example.com", "fu\u{DF}ball", "example.com", nil),
      ("\u{3C0}@example.com", "\u{3C0}", "example.com", nil),
      ("\u{3A3}@example.com/foo", "\u{3C3}", "example.com", "foo"),
      ("\u{3C3}@example.com/foo", "\u{3C3}", "example.com", "foo"),
      ("\u{3C2}@example.com/foo", "\u{3C2}", "example.com", "foo"),
      ("king@example.com/\u{265A}", "king", "example.com", "\u{265A}"),
      ("example.com", nil, "example.com", nil),
      ("example.com/foobar", nil, "example.com", "foobar"),
      ("a.example.com/b@example.net", nil, "a.example.com", "b@example.net"),
    ] as [(String, String?, String, String?)])
  func valid(text: String, local: String?, domain: String, resource: String?) throws {
    let jid = try JID(text)
    #expect(jid.localpart == local)
    #expect(jid.domainpart == domain)
    #expect(jid.resourcepart == resource)
    #expect(try JID(jid.description) == jid)
  }

  @Test(
    "The invalid addresses of RFC 7622 §3.5 are refused, and the error names part and reason",
    arguments: [
      ("\"juliet\"@example.com", .localpart, .forbidden("\"")),
      ("foo bar@example.com", .localpart, .forbidden(" ")),
      ("juliet@example.com/ foo", .resourcepart, .leadingSpace),
      ("@example.com/", .localpart, .empty),
      ("henry\u{2163}@example.com", .localpart, .forbidden("\u{2163}")),
      ("\u{265A}@example.com", .localpart, .forbidden("\u{265A}")),
      ("juliet@", .domainpart, .empty),
      ("/foobar", .domainpart, .empty),
    ] as [(String, JIDError.Part, JIDError.Reason)])
  func invalid(text: String, part: JIDError.Part, reason: JIDError.Reason) {
    #expect(throws: JIDError(part, reason)) { try JID(text) }
  }

  @Test(
    "Different spellings are one address",
    arguments: [
      ("Juliet@Example.COM", "juliet@example.com"),
      ("juliet@example.com.", "juliet@example.com"),
      ("\u{FF2A}uliet@example\u{3002}com", "juliet@example.com"),
      ("\u{FF21}@\u{FF45}xample.com", "a@example.com"),
      ("ju\u{308}rgen@example.com", "j\u{FC}rgen@example.com"),
      ("\u{C4}RGER@B\u{DC}CHER.example", "\u{E4}rger@b\u{FC}cher.example"),
      ("\u{30AB}@example.com", "\u{FF76}@example.com"),
      ("a@example.com/x\u{A0}y\u{3000}z", "a@example.com/x y z"),
      ("a@[2001:DB8::1]", "a@[2001:db8::1]"),
    ])
  func equal(one: String, other: String) throws {
    #expect(try JID(one) == JID(other))
    // Bytes, since strings compare equal in whatever normalization form they are.
    #expect(try Array(JID(one).description.utf8) == Array(JID(other).description.utf8))
  }

  @Test("A resource keeps its case, and differs by it")
  func resourceCase() throws {
    #expect(try JID("a@b/Phone") != JID("a@b/phone"))
    #expect(try JID("a@b/Phone").bare == JID("a@b"))
    #expect(try JID("a@b").with(resource: "Phone") == JID("a@b/Phone"))
  }

  @Test(
    "Host names, IPv4 and IPv6 literals are domains",
    arguments: [
      "localhost", "_service.example.test", "192.0.2.1", "[::]", "[::1]", "[1::]", "[2001:db8::1]",
      "[1:2:3:4:5:6:7:8]", "[::ffff:192.0.2.1]", "[64:ff9b::192.0.2.33]", "m\u{FC}nchen.example",
      "xn--mnchen-3ya.example", "\u{4F8B}\u{3048}.\u{30C6}\u{30B9}\u{30C8}",
    ])
  func domains(text: String) throws {
    #expect(try JID("a@" + text).domainpart == text)
  }

  @Test(
    "What no domain can be is refused",
    arguments: [
      "a..b", ".a", "a..", ".", "-a.b", "a-.b", "a b", "a_b!", "[::1", "[:1]", "[1:2:3:4:5:6:7]", "[1:2:3:4:5:6:7:8:9]",
      "[1::2::3]", "[:::]", "[12345::]", "[g::]", "[::1.2.3]", "[::1.2.3.256]", "[1.2.3.4]", "[]", "a@b",
      "a.\u{301}b\u{0}", "a\u{200D}b", "\u{265A}", "\u{2163}", "a:5222", String(repeating: "a", count: 64),
    ])
  func malformedDomains(text: String) {
    let error = #expect(throws: JIDError.self) { try JID("x@" + text) }
    #expect(error?.part == .domainpart)
  }

  @Test(
    "No forbidden character passes in a localpart",
    arguments: "\"&'<> \u{0}\u{7F}\u{A0}\u{2028}\u{202E}\u{AD}\u{1F525}\u{E000}".unicodeScalars.map { $0 })
  func forbiddenInLocalpart(scalar: Unicode.Scalar) {
    #expect(throws: JIDError(.localpart, .forbidden(scalar))) { try JID("a\(scalar)b@example.com") }
  }

  @Test(
    "No control or invisible character passes in a resourcepart",
    arguments: "\u{0}\n\r\u{7F}\u{85}\u{2028}\u{202E}\u{200B}\u{FEFF}\u{FFFE}".unicodeScalars.map { $0 })
  func forbiddenInResourcepart(scalar: Unicode.Scalar) {
    #expect(throws: JIDError(.resourcepart, .forbidden(scalar))) { try JID("a@b/x" + String(scalar) + "y") }
  }

  @Test("A combining mark does not hide a separator")
  func combiningSeparators() throws {
    let jid = try JID("a@b/\u{301}c")
    #expect(jid.domainpart == "b")
    #expect(jid.resourcepart?.unicodeScalars.first == "\u{301}")
    #expect(try JID(jid.description) == jid)
    #expect(try JID("a@\u{65}\u{301}.example") == JID("a@\u{E9}.example"))
  }

  @Test("Emoji with their joiners may be nicknames")
  func emoji() throws {
    let nick = "\u{1F468}\u{200D}\u{1F469}\u{200D}\u{1F467} \u{2764}\u{FE0F}"
    #expect(try JID("room@muc.example/" + nick).resourcepart == nick)
  }

  @Test("Each part has 1 to 1023 octets", arguments: [1, 1022, 1023, 1024, 1025, 3069, 3070, 100_000])
  func lengths(count: Int) throws {
    let text = String(repeating: "a", count: count)
    if count <= 1023 {
      #expect(try JID(text + "@b/" + text).resourcepart == text)
    } else {
      #expect(throws: JIDError(.localpart, .tooLong)) { try JID(text + "@b") }
      let domain = String(repeating: "a.", count: count / 2) + "aa"
      #expect(throws: JIDError(.domainpart, .tooLong)) { try JID("a@" + domain) }
      #expect(throws: JIDError(.resourcepart, .tooLong)) { try JID("a@b/" + text) }
    }
  }

  @Test(
    "The message says which part is wrong and why, in characters that can be printed",
    arguments: [
      ("a b@c", "the account's name (before the @) must not contain U+0020"),
      ("a<b@c", "the account's name (before the @) must not contain '<' (U+003C)"),
      ("a@b..c", "the domain has an empty label (two dots in a row, or one at the start)"),
      ("a@-b", "the domain has a label that no domain can have: \"-b\""),
      ("a@[b]", "the domain is no IPv6 address"),
      ("a@b/", "the resource (after the /) is empty"),
      ("a@b/\u{202E}", "the resource (after the /) must not contain U+202E"),
      ("", "the domain is empty"),
    ])
  func messages(text: String, message: String) {
    let error = #expect(throws: JIDError.self) { try JID(text) }
    #expect(error?.description == message)
  }
}
