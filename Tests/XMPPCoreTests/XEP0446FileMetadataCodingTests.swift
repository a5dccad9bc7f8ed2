import Testing
import XMPPCore

@Suite struct XEP0446FileMetadataCodingTests {
  private static let example = """
    <file xmlns='urn:xmpp:file:metadata:0'>
      <media-type>text/plain</media-type>
      <name>test.txt</name>
      <date>2015-07-26T21:46:00+01:00</date>
      <size>6144</size>
      <hash xmlns='urn:xmpp:hashes:2' algo='sha-1'>w0mcJylzCn+AfvuGdqkty2+KP48=</hash>
    </file>
    """

  private func metadata(_ inner: String) throws -> FileMetadata {
    try FileMetadata(stanza("<file xmlns='urn:xmpp:file:metadata:0'>\(inner)</file>"))
  }

  @Test("The example is read, and written back")
  func example() throws {
    let file = try FileMetadata(stanza(Self.example))
    let hash = XMLElement(
      "hash", namespace: "urn:xmpp:hashes:2", attributes: ["algo": "sha-1"], text: "w0mcJylzCn+AfvuGdqkty2+KP48=")
    #expect(
      file
        == FileMetadata(
          name: "test.txt", mediaType: "text/plain", size: 6144, date: .seconds(1_437_943_560), hashes: [hash]))
    #expect(try FileMetadata(file.element) == file)
  }

  @Test("Everything that can be said is read back")
  func roundTrip() throws {
    let file = FileMetadata(
      name: "a/b", mediaType: "video/webm", size: .max, date: .seconds(1),
      descriptions: [.init("x"), .init("y", language: "fr")],
      width: 4096, height: 2160, length: .milliseconds(63_001),
      hashes: [XMLElement("hash", namespace: "urn:xmpp:hashes:2", text: "a")],
      thumbnails: [XMLElement("thumbnail", namespace: "urn:xmpp:thumbs:1", attributes: ["uri": "cid:x"])])
    #expect(try FileMetadata(file.element) == file)
    #expect(try FileMetadata(FileMetadata().element) == FileMetadata())
  }

  @Test(
    "What is malformed counts as not said",
    arguments: [
      "<size>-1</size>", "<size/>", "<size>99999999999999999999</size>", "<size>1 KB</size>", "<date>yesterday</date>",
      "<width>4294967296</width>", "<height>x</height>", "<length>-5</length>", "<name/>", "<desc/>", "<media-type/>",
      "<name xmlns='urn:x'>a</name>", "<name>\(String(repeating: "a", count: 4097))</name>",
    ])
  func malformed(inner: String) throws {
    #expect(try metadata(inner) == FileMetadata())
  }

  @Test("The first of several counts, and lists are bounded")
  func bounds() throws {
    #expect(try metadata("<size>1</size><size>2</size>").size == 1)
    #expect(try metadata(String(repeating: "<desc>a</desc>", count: 20)).descriptions.count == 16)
    #expect(try metadata(String(repeating: "<hash xmlns='urn:xmpp:hashes:2'/>", count: 20)).hashes.count == 16)
  }

  @Test("Every mutation is read or refused")
  func mutations() throws {
    for element in try stanza(Self.example).mutations {
      guard let file = try? FileMetadata(element) else { continue }
      #expect(try FileMetadata(file.element) == file)
    }
  }
}
