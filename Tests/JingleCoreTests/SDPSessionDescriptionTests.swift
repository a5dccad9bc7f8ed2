import JingleCore
import Testing

@Suite struct SDPSessionDescriptionTests {
  @Test("A description is read by section and written as it was")
  func reading() throws {
    let description = try SessionDescription(parsing: chromiumsSDP)
    #expect(description.id == "4611731400430051336")
    #expect(description.version == "2")
    #expect(description.attributes.map(\.name) == ["group", "extmap-allow-mixed", "msid-semantic"])
    #expect(description.media.map(\.kind) == ["audio", "video"])
    #expect(description.media.first?.formats.count == 8)
    #expect(description.media.last?.bandwidths == [.init(type: "AS", value: "2000")])
    #expect(try description.text() == chromiumsSDP)
  }

  @Test("Bare line feeds, blank lines and a missing last line end are taken")
  func lineEnds() throws {
    let text = chromiumsSDP.replacing("\r\n", with: "\n").dropLast() + "\n\n"
    #expect(try SessionDescription(parsing: String(text)).text() == chromiumsSDP)
  }

  @Test("Lines that calls do not use are read over")
  func unused() throws {
    let text = sdpText(
      """
      v=0
      o=alice 1 2 IN IP6 2001:db8::1
      s=Seminar
      i=About
      u=http://example.test/
      e=a@example.test
      p=+1 617 555-6011
      c=IN IP4 192.0.2.1/127
      b=CT:128
      t=3034423619 3042462419
      r=7d 1h 0 25h
      z=2882844526 -1h
      k=clear:x
      a=tool:x
      m=audio 49170/2 RTP/AVP 0
      i=sound
      """)
    let description = try SessionDescription(parsing: text)
    #expect(description.media.first?.port == 49170)
    #expect(description.attributes.first?.value == "x")
  }

  @Test(
    "What is wrong is told with its line",
    arguments: [
      ("", 1, "v= is missing"), ("m=audio 9 RTP/AVP 0", 1, "begins with v=0"), ("v=1", 1, "begins with v=0"),
      ("v=0\ns=-\nt=0 0\nm=audio 9 RTP/AVP 0", 4, "o= is missing"), ("v=0\no=- 1 IN IP4 x", 2, "o="),
      ("v=0\no=- -1 2 IN IP4 x", 2, "o="), ("v=0\no=- 1 999999999999999999999 IN IP4 x", 2, "o="),
      ("v=0\no=- 1 2 IN IP4 x\ns=-", 3, "t= is missing"), ("v=0\nfoo", 2, "no line"), ("v=0\n=x", 2, "no line"),
      ("v=0\nx=1", 2, "x= is no line"), ("v=0\na=", 2, "no name"), ("v=0\na=:x", 2, "no name"),
      ("v=0\na=x\ry", 2, "no line"), ("v=0\na=x\u{0}y", 2, "no line"), ("v=0\nb=AS", 2, "b="),
      ("v=0\nb=AS:-1", 2, "b="),
      ("v=0\nm=audio 9 RTP/AVP", 2, "m="), ("v=0\nm=audio 65536 RTP/AVP 0", 2, "m="),
      ("v=0\nm=audio +9 RTP/AVP 0", 2, "m="), ("v=0\nm=audio / RTP/AVP 0", 2, "m="),
      ("v=0\na=" + String(repeating: "x", count: 20_000), 2, "too long"),
      ("v=0\n" + String(repeating: "a=x\n", count: 20_000), 16_385, "too many lines"),
      ("v=0\n" + String(repeating: "m=audio 9 RTP/AVP 0\n", count: 33), 34, "too many m-lines"),
    ])
  func malformed(text: String, line: Int, what: String) throws {
    let error = try #require(throws: SDPError.self) { try SessionDescription(parsing: text) }
    #expect("\(error)".hasPrefix("line \(line): ") && "\(error)".contains(what), "\(error)")
  }

  @Test("A megabyte is read, be it one line or many, and more is not")
  func sizes() {
    for filling in ["a", "\n", "\r\n", "a=x\n", "v=0\n"] {
      let text = String(repeating: filling, count: SessionDescription.maximumLength / filling.utf8.count)
      #expect(throws: SDPError.self) { try SessionDescription(parsing: text) }
      #expect(throws: SDPError.tooLong) { try SessionDescription(parsing: text + filling + filling) }
    }
  }

  @Test("A value with a line break is not written")
  func injection() throws {
    var description = try SessionDescription(parsing: chromiumsSDP)
    for value in ["x\r\na=candidate:1", "x\ny", "\r", "a\u{0}"] {
      description.media[0].attributes[0].value = value
      #expect(throws: SDPError.self) { try description.text() }
    }
  }
}
