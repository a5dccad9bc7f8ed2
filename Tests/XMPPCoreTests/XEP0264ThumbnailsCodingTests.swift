import Testing
import XMPPCore

@Suite struct XEP0264ThumbnailsCodingTests {
  static let example = """
    <thumbnail xmlns='urn:xmpp:thumbs:1'
               uri='cid:sha1+ffd7c8d28e9c5e82afea41f97108c6b4@bob.xmpp.org'
               media-type='image/png'
               width='128'
               height='96'/>
    """

  @Test func `The example is read, and written as it was`() throws {
    let element = try XMLElement(parsing: Self.example)
    let thumbnail = try #require(Thumbnail(element))
    #expect(thumbnail.mediaType == "image/png")
    #expect(thumbnail.width == 128)
    #expect(thumbnail.height == 96)
    #expect(thumbnail.contentID?.text == "sha1+ffd7c8d28e9c5e82afea41f97108c6b4@bob.xmpp.org")
    #expect(thumbnail.element == element)
  }

  @Test(
    "Only data of the peer's and the web's is a thumbnail",
    arguments: [
      ("https://example.org/a.png", true), ("HTTP://example.org/a.png", true), ("cid:a@example.org", true),
      ("file:///etc/passwd", false), ("javascript:alert(1)", false), ("a.png", false), ("cid:", false), ("", false),
      (":", false), ("cid:a b", false), ("https://example.org/\u{202E}gnp.a", false),
      ("cid:" + String(repeating: "x", count: 2045), false),
    ])
  func schemes(uri: String, isTaken: Bool) {
    #expect((Thumbnail(uri: uri) != nil) == isTaken)
  }

  @Test func `A malformed size or type is left out alone`() throws {
    for (name, value) in [
      ("width", "-1"), ("width", "65536"), ("width", ""), ("height", "1e9"), ("height", " 9"), ("media-type", "png"),
    ] {
      var element = try XMLElement(parsing: Self.example)
      element[attribute: name] = value
      let read = try #require(Thumbnail(element))
      var expected = element
      expected[attribute: name] = nil
      #expect(read.element == expected)
    }
    var element = try XMLElement(parsing: Self.example)
    element[attribute: "uri"] = nil
    #expect(Thumbnail(element) == nil)
  }
}
