import Testing
import XMPPCore

@Suite struct XEP0363HTTPFileUploadCodingTests {
  private static let slot = """
    <slot xmlns='urn:xmpp:http:upload:0'>
      <put url='https://upload.montague.tld/4a771ac1-f0b2-4a4a-9700-f2a26fa2bb67/tr%C3%A8s%20cool.jpg'>
        <header name='Authorization'>Basic Base64String==</header>
        <header name='Cookie'>foo=bar; user=romeo</header>
      </put>
      <get url='https://download.montague.tld/4a771ac1-f0b2-4a4a-9700-f2a26fa2bb67/tr%C3%A8s%20cool.jpg' />
    </slot>
    """

  private func slot(put: String, headers: String = "", get: String = "https://a/b") throws -> HTTPUpload.Slot {
    try HTTPUpload.Slot(
      stanza("<slot xmlns='urn:xmpp:http:upload:0'><put url='\(put)'>\(headers)</put><get url='\(get)'/></slot>"))
  }

  private func refusal(_ inner: String, type: String = "wait", _ condition: String) throws -> HTTPUpload.Refusal {
    HTTPUpload.Refusal(
      StanzaError(
        try stanza(
          """
          <error type='\(type)'><\(condition) xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>\
          <text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>t</text>\(inner)</error>
          """)))
  }

  @Test("The service of the examples tells its limit")
  func discovery() throws {
    let info = try DiscoInfo(
      stanza(
        """
        <query xmlns='http://jabber.org/protocol/disco#info'>
          <identity category='store' type='file' name='HTTP File Upload'/>
          <feature var='urn:xmpp:http:upload:0'/>
          <x type='result' xmlns='jabber:x:data'>
            <field var='FORM_TYPE' type='hidden'><value>urn:xmpp:http:upload:0</value></field>
            <field var='max-file-size'><value>5242880</value></field>
          </x>
        </query>
        """))
    let jid = try jid("upload.montague.tld")
    let service = try #require(HTTPUpload.Service(jid, info: info))
    #expect(service == HTTPUpload.Service(jid: jid, maximumFileSize: 5_242_880))
    #expect(service.takes(5_242_880))
    #expect(!service.takes(5_242_881))
  }

  @Test(
    "A limit that cannot be read is none",
    arguments: ["", "-1", "many", "99999999999999999999999", "0", "1.5"])
  func noLimit(value: String) throws {
    let form = DataForm(fields: [
      .init("FORM_TYPE", type: "hidden", values: [HTTPUpload.namespace]), .init("max-file-size", values: [value]),
    ])
    let info = DiscoInfo(identities: [], features: [HTTPUpload.namespace], forms: [form])
    let service = try #require(HTTPUpload.Service(jid("u"), info: info))
    #expect(service.maximumFileSize == nil)
    #expect(service.takes(.max))
  }

  @Test("A limit in another form does not count, and who lacks the feature is no service")
  func strangers() throws {
    let form = DataForm(fields: [
      .init("FORM_TYPE", type: "hidden", values: ["urn:example"]), .init("max-file-size", values: ["1"]),
    ])
    let info = DiscoInfo(identities: [], features: [HTTPUpload.namespace], forms: [form])
    #expect(HTTPUpload.Service(try jid("u"), info: info)?.maximumFileSize == nil)
    #expect(HTTPUpload.Service(try jid("u"), info: DiscoInfo(identities: [], features: [], forms: [form])) == nil)
  }

  @Test("A request is written as in example 5")
  func request() {
    let request = HTTPUpload.Request(fileName: "très cool.jpg", size: 23456, contentType: "image/jpeg")
    #expect(
      request.element.serialized()
        == "<request xmlns='urn:xmpp:http:upload:0' content-type='image/jpeg' filename='très cool.jpg' size='23456'/>")
  }

  @Test("The slot of example 6 is read with its headers in order, and written back")
  func example() throws {
    let slot = try HTTPUpload.Slot(stanza(Self.slot))
    #expect(slot.put.host == "upload.montague.tld")
    #expect(slot.put.target == "/4a771ac1-f0b2-4a4a-9700-f2a26fa2bb67/tr%C3%A8s%20cool.jpg")
    #expect(slot.get.host == "download.montague.tld")
    #expect(slot.get.fileName == "très cool.jpg")
    #expect(
      slot.headers == [.init("Authorization", "Basic Base64String=="), .init("Cookie", "foo=bar; user=romeo")])
    #expect(try HTTPUpload.Slot(slot.element) == slot)
  }

  @Test("Only the allowed headers are taken, in whatever case, several times and in order")
  func headers() throws {
    let slot = try slot(
      put: "https://a/b",
      headers: """
        <header name='cOOKIE'>1</header><header name='Host'>evil</header><header name='EXPIRES'>never</header>\
        <header name='Cookie'>2</header><header>nameless</header><header name='Transfer-Encoding'>chunked</header>\
        <header name='' >x</header><header xmlns='urn:x' name='Cookie'>3</header>
        """)
    #expect(slot.headers == [.init("Cookie", "1"), .init("Expires", "never"), .init("Cookie", "2")])
  }

  @Test("A header stays one line")
  func injection() throws {
    let slot = try slot(
      put: "https://a/b",
      headers: "<header name='Coo&#10;kie'> a&#13;&#10;Host: evil&#9;b </header><header name='Authorization&#13;'/>")
    #expect(slot.headers == [.init("Cookie", "aHost: evilb"), .init("Authorization", "")])
  }

  @Test("Slots without two https addresses are refused")
  func noAddress() throws {
    for put in ["http://a/b", "ftp://a/b", "", "a/b", "https://", "https:///b", "https://u:p@a/b"] {
      #expect(throws: StanzaError.self, "\(put)") { try slot(put: put) }
      #expect(throws: StanzaError.self, "\(put)") { try slot(put: "https://a/b", get: put) }
    }
    for text in ["<slot xmlns='urn:xmpp:http:upload:0'/>", "<slot/>", "<x xmlns='urn:xmpp:http:upload:0'/>"] {
      let element = try stanza(text)
      #expect(throws: StanzaError.self) { try HTTPUpload.Slot(element) }
    }
  }

  @Test("Headers are bounded in number and length")
  func bounds() throws {
    let header = "<header name='Cookie'>1</header>"
    #expect(try slot(put: "https://a/b", headers: String(repeating: header, count: 32)).headers.count == 32)
    #expect(throws: StanzaError.self) { try slot(put: "https://a/b", headers: String(repeating: header, count: 33)) }
    let long = "<header name='Cookie'>\(String(repeating: "1", count: 8193))</header>"
    #expect(throws: StanzaError.self) { try slot(put: "https://a/b", headers: long) }
  }

  @Test("The reasons of the examples for giving no slot are told apart")
  func refusals() throws {
    let tooLarge =
      "<file-too-large xmlns='urn:xmpp:http:upload:0'><max-file-size>20000</max-file-size></file-too-large>"
    #expect(try refusal(tooLarge, type: "modify", "not-acceptable") == .fileTooLarge(maximum: 20000))
    #expect(
      try refusal("<file-too-large xmlns='urn:xmpp:http:upload:0'/>", "not-acceptable") == .fileTooLarge(maximum: nil))
    let retry = "<retry xmlns='urn:xmpp:http:upload:0' stamp='2017-12-03T23:42:05Z'/>"
    #expect(try refusal(retry, "resource-constraint") == .quotaReached(retry: .seconds(1_512_344_525)))
    #expect(
      try refusal("<retry xmlns='urn:xmpp:http:upload:0' stamp='soon'/>", "resource-constraint")
        == .quotaReached(retry: nil))
    #expect(try refusal("", "resource-constraint") == .quotaReached(retry: nil))
    #expect(try refusal("", type: "auth", "forbidden") == .notAllowed)
    #expect(try refusal("", type: "cancel", "service-unavailable") == .other)
  }

  @Test("Every mutation of a slot is read or refused")
  func mutations() throws {
    for element in try stanza(Self.slot).mutations {
      guard let slot = try? HTTPUpload.Slot(element) else { continue }
      #expect(try HTTPUpload.Slot(slot.element) == slot)
    }
  }
}

@Suite struct XEP0363HTTPSURLCodingTests {
  @Test(
    "URLs are taken apart",
    arguments: [
      ("https://example.org", "example.org", 443, "/"),
      ("HTTPS://Example.ORG:8443/A/b?c=d#e", "example.org", 8443, "/A/b?c=d"),
      ("https://[2001:DB8::1]:5281/x", "2001:db8::1", 5281, "/x"), ("https://192.0.2.1/", "192.0.2.1", 443, "/"),
      ("https://a:/b", "a", 443, "/b"), ("https://a?b/c", "a", 443, "/?b/c"),
      ("https://a/x/../../y/./z", "a", 443, "/y/z"),
      ("https://a/x/..", "a", 443, "/"), ("https://a/b//c/", "a", 443, "/b//c/"),
      ("https://a/\u{E9}", "a", 443, "/%C3%A9"),
      ("https://a/%2e%2E/b", "a", 443, "/%2e%2E/b"), ("https://a#b", "a", 443, "/"),
    ])
  func parts(text: String, host: String, port: Int, target: String) throws {
    let url = try #require(HTTPSURL(text))
    #expect(url.host == host)
    #expect(url.port == port)
    #expect(url.target == target)
    #expect(HTTPSURL(url.description) == url)
  }

  @Test(
    "Anything else is no URL to follow",
    arguments: [
      "", "https", "https:", "https:/a", "https://", "https:///a", "http://a/", "file:///etc/passwd", "//a/b", "/a",
      "aesgcm://a/b",
      "https://a b/", "https://a/b c", "https://a/b\nc", "https://a/\u{0}", "https://a\\b/", "https://a/b\\c",
      "https://user@a/",
      "https://u:p@a/", "https://a:0/", "https://a:65536/", "https://a:-1/", "https://a:1:2/", "https://a:x/",
      "https://[::1/",
      "https://[]/", "https://[a]/", "https://[::1]x/", "https://[fe80::1%25eth0]/", "https://a..b/", "https://.a/",
      "https://\u{E9}.org/", "https://a%00b/", " https://a/", "https ://a/", "javascript:https://a/",
    ])
  func refused(text: String) { #expect(HTTPSURL(text) == nil) }

  @Test("Length is bounded")
  func bound() {
    let short = "https://a/" + String(repeating: "b", count: 8182)
    #expect(HTTPSURL(short) != nil)
    #expect(HTTPSURL(short + "b") == nil)
    #expect(HTTPSURL("https://\(String(repeating: "a", count: 254))/") == nil)
  }

  @Test(
    "References are resolved, and never away from https",
    arguments: [
      ("https://b/c", "https://b/c"), ("//b/c", "https://b/c"), ("/c?d", "https://a:8443/c?d"),
      ("c", "https://a:8443/x/c"),
      ("../c", "https://a:8443/c"), ("../../../c", "https://a:8443/c"), ("?q", "https://a:8443/x/y?q"),
      ("#f", "https://a:8443/x/y?z"),
      ("", "https://a:8443/x/y?z"), ("./", "https://a:8443/x/"), ("http://a/c", nil), ("file:///c", nil), ("//", nil),
      ("javascript:x", nil), ("a b", nil),
    ] as [(String, String?)])
  func references(text: String, expected: String?) throws {
    #expect(try #require(HTTPSURL("https://a:8443/x/y?z")).resolving(text)?.description == expected)
  }

  @Test(
    "The path tells a file's name",
    arguments: [
      ("https://a/b/c.txt?d/e", "c.txt"), ("https://a/tr%C3%A8s", "très"), ("https://a/", nil), ("https://a/%FF", nil),
      ("https://a/%2", "%2"), ("https://a/..%2F..%2Fetc%2Fpasswd", "../../etc/passwd"), ("https://a/%zz", "%zz"),
      ("https://a/%+a", "%+a"), ("https://a/100%-b", "100%-b"),
    ] as [(String, String?)])
  func names(text: String, expected: String?) throws {
    #expect(try #require(HTTPSURL(text)).fileName == expected)
  }
}
