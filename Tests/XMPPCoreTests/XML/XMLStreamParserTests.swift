import Testing
import XMPPCore

@Suite struct XMLStreamParserTests {
  static let header =
    "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>"
  static let opened = XMLElement(
    "stream", namespace: "http://etherx.jabber.org/streams", attributes: ["version": "1.0"])

  @Test func `a stream is its header, its elements and its end`() {
    let parser = XMLStreamParser()
    let events = parser.parse(Self.header + "<a>x<b/>y</a>\n <presence/></stream:stream>")
    var a = XMLElement("a", namespace: "jabber:client", text: "x")
    a.append(XMLElement("b", namespace: "jabber:client"))
    a.nodes.append(.text("y"))
    #expect(
      events == [
        .opened(Self.opened), .element(a), .element(XMLElement("presence", namespace: "jabber:client")), .closed,
      ])
  }

  @Test func `bytes may come one at a time, and nothing waits for the byte after the last`() {
    let text = Self.header + "<message to='a@b'><body>grüße\r\n&amp;<![CDATA[<x>]]>&#x41;</body></message>"
    let parser = XMLStreamParser()
    var events: [XMLStreamParser.Event] = []
    for byte in text.utf8 { events += withUnsafeBytes(of: byte) { parser.parse($0) } }
    let body = XMLElement("body", namespace: "jabber:client", text: "grüße\n&<x>A")
    let message = XMLElement("message", namespace: "jabber:client", attributes: ["to": "a@b"], children: [body])
    #expect(events == [.opened(Self.opened), .element(message)])
  }

  @Test func `attributes in a namespace are keyed by it, and xml lang by its usual name`() throws {
    let element = try XMLElement(parsing: "<a xmlns='n' xmlns:p='urn:p' p:k='1' k='2' xml:lang='de'/>")
    #expect(element == XMLElement("a", namespace: "n", attributes: ["urn:p|k": "1", "k": "2", "xml:lang": "de"]))
  }

  @Test(arguments: [
    ("<!DOCTYPE x><a/>", XMLStreamError.restricted(.doctype)),
    ("<!DOCTYPE x [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;'>]><x>&b;</x>", .restricted(.doctype)),
  ])
  func `no document type comes through, and so no entity bomb`(text: String, error: XMLStreamError) {
    #expect(XMLStreamParser().parse(text) == [.failed(error)])
  }

  @Test(arguments: [
    ("<a><!-- b --></a>", XMLStreamError.restricted(.comment)),
    ("<?php x?>", .restricted(.processingInstruction)),
    ("<a>&nbsp;</a>", .restricted(.entity)),
    ("stray", .strayText),
    ("<a></b>", .notWellFormed("mismatched tag")),
    ("<p:a/>", .notWellFormed("unbound prefix")),
    ("<a xmlns='a|b'/>", .notWellFormed("syntax error")),
    ("<a b='1' b='2'/>", .notWellFormed("duplicate attribute")),
    ("<a>\u{1}</a>", .notWellFormed("not well-formed (invalid token)")),
  ])
  func `what XMPP forbids ends the stream and all that follows`(text: String, error: XMLStreamError) {
    let parser = XMLStreamParser()
    #expect(parser.parse(Self.header + "<ok/>" + text + "<more/>").suffix(2) == [
      .element(XMLElement("ok", namespace: "jabber:client")), .failed(error),
    ])
    #expect(parser.parse("<more/>") == [])
    parser.reset()
    #expect(parser.parse(Self.header) == [.opened(Self.opened)])
  }

  @Test func `bytes that are not UTF-8 are not well-formed`() {
    let parser = XMLStreamParser()
    _ = parser.parse(Self.header)
    let events = [UInt8]([0x3C, 0x61, 0x3E, 0xC3, 0x28, 0x3C]).withUnsafeBytes { parser.parse($0) }
    #expect(events == [.failed(.notWellFormed("not well-formed (invalid token)"))])
  }

  static let small = XMLStreamParser.Limits(elementBytes: 100, depth: 3, attributes: 2)

  static func many(_ text: String, _ count: Int) -> String { String(repeating: text, count: count) }
  static let bounded: [(String, XMLStreamError?)] = [
    ("<a>" + many("x", 93) + "</a>", nil),
    ("<a>" + many("x", 98) + "</a>", XMLStreamError.tooLarge(limit: 100)),
    ("<a k='" + many("x", 120), .tooLarge(limit: 100)),
    (many("<a/>", 100), nil),
    (many(" \n", 100) + "<a/>", nil),
    ("<a>" + many("<b/>", 50) + "</a>", .tooLarge(limit: 100)),
    ("<a><b><c/></b></a>", nil),
    ("<a><b><c><d/></c></b></a>", .tooDeep(limit: 3)),
    ("<a b='' c=''/>", nil),
    ("<a b='' c='' d=''/>", .tooManyAttributes(limit: 2)),
  ]

  @Test(arguments: bounded)
  func `size, depth and attributes are bounded`(text: String, error: XMLStreamError?) {
    let whole = XMLStreamParser(limits: Self.small)
    _ = whole.parse("<s>")
    let piecemeal = XMLStreamParser(limits: Self.small)
    _ = piecemeal.parse("<s>")
    let expected = error.map { XMLStreamParser.Event.failed($0) }
    #expect(whole.parse(text).last { if case .failed = $0 { true } else { false } } == expected)
    #expect(text.flatMap { piecemeal.parse(String($0)) }.last { if case .failed = $0 { true } else { false } } == expected)
  }

  @Test func `a header without end is too large as well`() {
    let parser = XMLStreamParser(limits: Self.small)
    #expect(parser.parse("<s a='" + String(repeating: "x", count: 200)) == [.failed(.tooLarge(limit: 100))])
  }

  @Test func `a thousand lines of text are one node`() throws {
    let element = try XMLElement(parsing: "<a>" + String(repeating: "line\n", count: 1000) + "</a>")
    #expect(element.nodes.count == 1)
    #expect(element.text.utf8.count == 5000)
  }

  @Test func `an element is read from text, written and read again`() throws {
    let text = "<iq id='1'><q xmlns='urn:q'>a &lt; b</q></iq>"
    let element = try XMLElement(parsing: text, inside: "jabber:client")
    #expect(element.namespace == "jabber:client")
    #expect(element.serialized(inside: "jabber:client") == text)
    #expect(throws: XMLStreamError.self) { try XMLElement(parsing: "<a/><b/>") }
    #expect(throws: XMLStreamError.self) { try XMLElement(parsing: "") }
    #expect(throws: XMLStreamError.self) { try XMLElement(parsing: "<a>") }
    #expect(throws: XMLStreamError.self) { try XMLElement(parsing: "<a/></root><root>") }
  }

  @Test func `each refusal has its stream error`() {
    #expect(XMLStreamError.restricted(.comment).condition == .restrictedXML)
    #expect(XMLStreamError.notWellFormed("").condition == .notWellFormed)
    #expect(XMLStreamError.tooDeep(limit: 1).condition == .policyViolation)
  }
}
