import Testing
import XMPPCore

@Suite struct XEP0066OutOfBandDataCodingTests {
  @Test("The examples are read, and written back")
  func examples() throws {
    let request = try stanza(
      """
      <query xmlns='jabber:iq:oob'><url>http://www.jabber.org/images/psa-license.jpg</url>\
      <desc>A license to Jabber!</desc></query>
      """)
    let data = try OutOfBandData(request)
    #expect(
      data
        == OutOfBandData(
          .request, url: "http://www.jabber.org/images/psa-license.jpg", description: "A license to Jabber!"))
    #expect(data.element == request)

    let note = try stanza("<x xmlns='jabber:x:oob'><url>http://www.jabber.org/images/psa-license.jpg</url></x>")
    #expect(try OutOfBandData(note) == OutOfBandData(url: "http://www.jabber.org/images/psa-license.jpg"))
    #expect(try OutOfBandData(note).element == note)
  }

  @Test("A request is answered with what became of it")
  func answers() throws {
    let request = IQ(id: "oob1", from: try jid("a@b/c"), .set(OutOfBandData(.request, url: "https://a/b").element))
    #expect(OutOfBandData.answer(to: request) == request.reply(.result(nil)))
    #expect(OutOfBandData.answer(to: request, .notAcceptable) == request.reply(.error(StanzaError(.notAcceptable))))
  }

  @Test(
    "What has no URL is refused",
    arguments: [
      "<x xmlns='jabber:x:oob'/>", "<x xmlns='jabber:x:oob'><url/></x>", "<x xmlns='jabber:iq:oob'><url>a</url></x>",
      "<query xmlns='jabber:x:oob'><url>a</url></query>", "<x xmlns='jabber:x:oob'><url xmlns='urn:x'>a</url></x>",
      "<x xmlns='jabber:x:oob'><url>\(String(repeating: "a", count: 8193))</url></x>",
    ])
  func refused(text: String) throws {
    let element = try stanza(text)
    #expect(throws: StanzaError.self) { try OutOfBandData(element) }
  }

  @Test("Every mutation is read or refused")
  func mutations() throws {
    let text = "<x xmlns='jabber:x:oob'><url>https://a/b</url><desc>c</desc></x>"
    for element in try stanza(text).mutations {
      guard let data = try? OutOfBandData(element) else { continue }
      #expect(try OutOfBandData(data.element) == data)
    }
  }
}
