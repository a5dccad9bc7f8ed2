import Testing
import XMPPCore

@Suite struct XEP0447StatelessFileSharingCodingTests {
  private static let url = "https://download.montague.lit/4a771ac1-f0b2-4a4a-9700-f2a26fa2bb67/summit.jpg"
  /// XEP-0447, example 1, with a fallback as in example 2.
  private static let example = """
    <message to='juliet@shakespeare.lit' from='romeo@montague.lit/resource' id='sharing-a-file'>
      <file-sharing xmlns='urn:xmpp:sfs:0' disposition='inline'>
        <file xmlns='urn:xmpp:file:metadata:0'>
          <media-type>image/jpeg</media-type>
          <name>summit.jpg</name>
          <size>3032449</size>
          <width>4096</width>
          <height>2160</height>
          <hash xmlns='urn:xmpp:hashes:2' algo='sha3-256'>2XarmwTlNxDAMkvymloX3S5+VbylNrJt/l5QyPa+YoU=</hash>
          <hash xmlns='urn:xmpp:hashes:2' algo='id-blake2b256'>2AfMGH8O7UNPTvUVAM9aK13mpCY=</hash>
          <desc>Photo from the summit.</desc>
          <thumbnail xmlns='urn:xmpp:thumbs:1' uri='cid:sha1+ffd7c8d28e9c5e82afea41f97108c6b4@bob.xmpp.org'
            media-type='image/png' width='128' height='96'/>
        </file>
        <sources>
          <url-data xmlns='http://jabber.org/protocol/url-data' target='\(url)'/>
          <jinglepub xmlns='urn:xmpp:jinglepub:1' from='romeo@montague.lit/resource'
            id='9559976B-3FBF-4E7E-B457-2DAA225972BB'>
            <description xmlns='urn:xmpp:jingle:apps:file-transfer:5'/>
          </jinglepub>
        </sources>
      </file-sharing>
      <fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:sfs:0'><body/></fallback>
      <body>\(url)</body>
      <x xmlns='jabber:x:oob'><url>\(url)</url></x>
    </message>
    """

  private func files(_ inner: String, type: String = "chat") throws -> [FileSharing] {
    try Message(stanza("<message type='\(type)'>\(inner)</message>")).sharedFiles
  }

  @Test("The example is read")
  func example() throws {
    let files = try Message(stanza(Self.example)).sharedFiles
    let file = try #require(files.first)
    #expect(files.count == 1)
    #expect(file.disposition == .inline)
    #expect(file.id == nil)
    #expect(file.file.name == "summit.jpg")
    #expect(file.file.size == 3_032_449)
    #expect(file.file.hashes.count == 2)
    #expect(file.file.thumbnails.count == 1)
    #expect(file.sources.urls == [Self.url])
    #expect(file.sources.httpsURLs.map(\.fileName) == ["summit.jpg"])
    #expect(file.sources.others.map(\.name) == ["jinglepub"])
    #expect(try FileSharing(file.element) == file)
  }

  @Test("A shared file is written for all kinds of clients")
  func payloads() throws {
    let file = FileSharing(
      file: FileMetadata(name: "summit.jpg", size: 3_032_449), sources: FileSources(urls: [Self.url]),
      disposition: .attachment, id: "1")
    let message = Message(type: .chat, payloads: file.payloads)
    #expect(message.sharedFiles == [file])
    #expect(message.body == Self.url)
    #expect(message.first("x", "jabber:x:oob").map { try? OutOfBandData($0) } == OutOfBandData(url: Self.url))
    #expect(message.first("fallback", "urn:xmpp:fallback:0")?[attribute: "for"] == "urn:xmpp:sfs:0")
    // Without a source there is nothing to fall back to, and no body for which the message would be kept.
    let pending = Message(payloads: FileSharing(file: FileMetadata(name: "a")).payloads)
    #expect(pending.body == nil)
    #expect(pending.hints == [.store])
    #expect(pending.sharedFiles.first?.sources.isEmpty == true)
  }

  @Test("Out-of-band data alone is a file too, of which nothing is known")
  func outOfBand() throws {
    #expect(
      try files("<x xmlns='jabber:x:oob'><url>https://a/b</url></x>")
        == [FileSharing(file: FileMetadata(), sources: FileSources(urls: ["https://a/b"]))])
    #expect(try files("<x xmlns='jabber:x:oob'/>").isEmpty)
    #expect(try files("<body>https://a/b</body>").isEmpty)
    #expect(try files("<x xmlns='jabber:x:oob'><url>https://a/b</url></x>", type: "error").isEmpty)
  }

  @Test("Sources that come later find their message and file")
  func attached() throws {
    let message = try Message(
      stanza(
        """
        <message to='juliet@shakespeare.lit' from='romeo@montague.lit/resource'>
          <attach-to id='sharing-files' xmlns='urn:xmpp:message-attaching:1'/>
          <sources xmlns='urn:xmpp:sfs:0' id='photo1.jpg'>
            <url-data xmlns='http://jabber.org/protocol/url-data' target='https://a/photo1.jpg'/>
          </sources>
          <fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:sfs:0'><body/></fallback>
          <body>https://a/photo1.jpg</body>
          <x xmlns='jabber:x:oob'><url>https://a/photo1.jpg</url></x>
        </message>
        """))
    let attached = try #require(message.attachedSources)
    #expect(attached.message == "sharing-files")
    #expect(attached.file == "photo1.jpg")
    #expect(attached.sources.urls == ["https://a/photo1.jpg"])
    // It is no file by itself, though those who know nothing of all this see one.
    #expect(message.sharedFiles.isEmpty)
    let again = try #require(
      Message(payloads: [message.payloads[0], attached.sources.element(id: "photo1.jpg")]).attachedSources)
    #expect(again.sources == attached.sources)
  }

  @Test("Files and sources are bounded, and what has no file is none")
  func bounds() throws {
    let file = "<file-sharing xmlns='urn:xmpp:sfs:0'><file xmlns='urn:xmpp:file:metadata:0'/></file-sharing>"
    #expect(try files(String(repeating: file, count: 40)).count == 32)
    #expect(try files("<file-sharing xmlns='urn:xmpp:sfs:0'/>").isEmpty)
    let source = "<url-data xmlns='http://jabber.org/protocol/url-data' target='https://a/b'/>"
    let many = try files(
      """
      <file-sharing xmlns='urn:xmpp:sfs:0' disposition='huge'><file xmlns='urn:xmpp:file:metadata:0'/>\
      <sources>\(String(repeating: source, count: 20))</sources></file-sharing>
      """)
    #expect(many.first?.sources.urls.count == 16)
    #expect(many.first?.disposition == nil)
  }

  @Test("Sources without TLS are kept for those who have a hash, and told apart")
  func insecure() throws {
    #expect(
      FileSources(urls: ["http://a/b", "https://a/c", "ftp://a"]).httpsURLs.map(\.description) == ["https://a/c"])
  }

  @Test("Every mutation is read or refused")
  func mutations() throws {
    for element in try stanza(Self.example).mutations {
      guard let message = try? Message(element) else { continue }
      for file in message.sharedFiles { #expect(try FileSharing(file.element) == file) }
      _ = message.attachedSources
    }
  }
}
