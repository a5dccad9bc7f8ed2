import Testing
import XMPPCore

@Suite struct XEP0231BitsOfBinaryCodingTests {
  /// The specification's example, whose name is not that of its data.
  static let example = """
    <data xmlns='urn:xmpp:bob'
          cid='sha1+8f35fef110ffc5df08d579a50083ff9308fb6242@bob.xmpp.org'
          max-age='86400'
          type='image/png'>
      iVBORw0KGgoAAAANSUhEUgAAAAoAAAAKCAYAAACNMs+9AAAABGdBTUEAALGP
      C/xhBQAAAAlwSFlzAAALEwAACxMBAJqcGAAAAAd0SU1FB9YGARc5KB0XV+IA
      AAAddEVYdENvbW1lbnQAQ3JlYXRlZCB3aXRoIFRoZSBHSU1Q72QlbgAAAF1J
      REFUGNO9zL0NglAAxPEfdLTs4BZM4DIO4C7OwQg2JoQ9LE1exdlYvBBeZ7jq
      ch9//q1uH4TLzw4d6+ErXMMcXuHWxId3KOETnnXXV6MJpcq2MLaI97CER3N0
      vr4MkhoXe0rZigAAAABJRU5ErkJggg==
    </data>
    """

  private func read(_ text: String) throws -> BitsOfBinary { try BitsOfBinary(XMLElement(parsing: text)) }

  @Test func `The example is read, and found to be other data than its name says`() throws {
    let data = try read(Self.example)
    #expect(data.type == "image/png")
    #expect(data.maxAge == .seconds(86400))
    #expect(data.bytes.count == 247)
    #expect(data.bytes.prefix(4) == [0x89, 0x50, 0x4E, 0x47])
    #expect(data.cid.hash?.algorithm == .sha1)
    #expect(data.isGenuine == false)
    #expect(throws: StanzaError.self) {
      try BitsOfBinary(XMLElement(parsing: Self.example), answering: data.cid)
    }
    let honest = Self.example.replacing(
      "8f35fef110ffc5df08d579a50083ff9308fb6242", with: "4b97ce7f0f06a0e05999f3c719cd5b4f3da992a7")
    #expect(try read(honest).isGenuine == true)
  }

  @Test func `The question is the specification's, and is understood`() throws {
    let text = """
      <data xmlns='urn:xmpp:bob' cid='sha1+8f35fef110ffc5df08d579a50083ff9308fb6242@bob.xmpp.org'/>
      """
    let cid = try #require(BitsOfBinary.ContentID("sha1+8f35fef110ffc5df08d579a50083ff9308fb6242@bob.xmpp.org"))
    #expect(try BitsOfBinary.request(cid) == XMLElement(parsing: text))
    #expect(BitsOfBinary.requested(by: try XMLElement(parsing: text)) == cid)
    #expect(BitsOfBinary.requested(by: XMLElement("data", namespace: BitsOfBinary.namespace)) == nil)
    #expect(BitsOfBinary.requested(by: XMLElement("data", namespace: "urn:x", attributes: ["cid": "a"])) == nil)
  }

  @Test(arguments: HashAlgorithm.allCases)
  func `Data that is offered is read as it was, and genuine`(algorithm: HashAlgorithm) throws {
    let data = BitsOfBinary(Array("a spot".utf8), type: "image/png", maxAge: .zero, algorithm: algorithm)
    #expect(try BitsOfBinary(data.element, answering: data.cid) == data)
    #expect(data.element[attribute: "max-age"] == "0")
    #expect(data.element.text.allSatisfy { !$0.isWhitespace })
    #expect(BitsOfBinary.ContentID(uri: data.cid.uri) == data.cid)
    #expect(data.cid.text.hasPrefix("sha1+") == (algorithm == .sha1))
  }

  @Test func `Other data, under another name, or none, is no answer`() throws {
    let data = BitsOfBinary([1, 2, 3], type: "image/png")
    let other = BitsOfBinary([1, 2, 4], type: "image/png")
    var forged = data.element
    forged.nodes = other.element.nodes
    for answer in [forged, other.element, BitsOfBinary.request(data.cid), nil] {
      #expect(throws: StanzaError.self) { try BitsOfBinary(answer, answering: data.cid) }
    }
  }

  @Test(
    "A name without a hash that can be checked is a name all the same",
    arguments: [
      "sha1+ffd7c8d28e9c5e82afea41f97108c6b4@bob.xmpp.org", "part1@example.org", "md5+00@bob.xmpp.org",
      "sha1+zf35fef110ffc5df08d579a50083ff9308fb6242@bob.xmpp.org",
      "sha1+8f35fef110ffc5df08d579a50083ff9308fb6242@example.org", "sha1@bob.xmpp.org",
      "sha1+8f35fef110ffc5df08d579a50083ff9308fb6242+1@bob.xmpp.org",
    ])
  func nameWithoutHash(text: String) throws {
    let cid = try #require(BitsOfBinary.ContentID(text))
    #expect(cid.hash == nil)
    var element = BitsOfBinary([1], type: "image/png").element
    element[attribute: "cid"] = text
    #expect(try BitsOfBinary(element, answering: cid).isGenuine == nil)
  }

  @Test(arguments: ["", " ", "a b", "é@example.org", "a\u{0}", String(repeating: "x", count: 513)])
  func `What is no name is refused`(text: String) {
    #expect(BitsOfBinary.ContentID(text) == nil)
    #expect(BitsOfBinary.ContentID(uri: "cid:\(text)") == nil)
    #expect(BitsOfBinary.ContentID(uri: text) == nil)
  }

  @Test func `A URI may write any sign of a name in hexadecimal digits`() throws {
    let name = "sha1+8f35fef110ffc5df08d579a50083ff9308fb6242@bob.xmpp.org"
    let cid = try #require(BitsOfBinary.ContentID(name))
    let uri = "cid:" + name.replacing("+", with: "%2B").replacing("@", with: "%40")
    #expect(BitsOfBinary.ContentID(uri: uri) == cid)
    #expect(BitsOfBinary.ContentID(uri: uri)?.hash != nil)
    let odd = try #require(BitsOfBinary.ContentID("a%2Bb@example.org"))
    #expect(BitsOfBinary.ContentID(uri: odd.uri) == odd)
    for broken in ["cid:a%", "cid:a%2", "cid:a%2x", "cid:a%+1b", "cid:a%20b", "cid:a%00", "cid:%C3%A9", "cid:%"] {
      #expect(BitsOfBinary.ContentID(uri: broken) == nil, "\(broken)")
    }
  }

  @Test func `Malformed data is refused, and a malformed age is none`() throws {
    let whole = BitsOfBinary([1, 2, 3], type: "image/png").element
    for (name, value) in [("cid", nil), ("cid", "a b"), ("type", nil), ("type", "png"), ("type", "image/png/x")] {
      var element = whole
      element[attribute: name] = value
      #expect(throws: StanzaError.self) { try BitsOfBinary(element) }
    }
    for text in ["AQID!", "AQI", "AQID=", String(repeating: "AQID", count: 30_000)] {
      var element = whole
      element.nodes = [.text(text)]
      #expect(throws: StanzaError.self) { try BitsOfBinary(element) }
    }
    for age in ["-1", "", "1.5", "99999999999999999999", "٣"] {
      var element = whole
      element[attribute: "max-age"] = age
      #expect(try BitsOfBinary(element).maxAge == nil)
    }
  }

  @Test func `Data up to the bound is taken`() throws {
    let data = BitsOfBinary([UInt8](repeating: 7, count: BitsOfBinary.maximumLength), type: "image/png")
    #expect(try BitsOfBinary(data.element) == data)
    var element = data.element
    element.nodes = [.text(data.element.text.dropLast(4) + "BwcHBwcH")]
    #expect(throws: StanzaError.self) { try BitsOfBinary(element) }
  }
}
