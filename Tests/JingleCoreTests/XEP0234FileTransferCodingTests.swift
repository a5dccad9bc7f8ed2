import JingleCore
import Testing
import XMPPCore

@Suite struct XEP0234FileTransferCodingTests {
  /// A file inside a description.
  static func file(_ inside: String) throws -> FileDescription {
    try FileDescription(
      xml("<description xmlns='\(FileDescription.namespace)'><file>\(inside)</file></description>"))
  }

  // MARK: The specification's examples

  @Test func `The example of the format is read, and written by the schema`() throws {
    let read = try Self.file(
      """
      <media-type>text/plain</media-type>
      <name>test.txt</name>
      <date>2015-07-26T21:46:00+01:00</date>
      <size>6144</size>
      <hash xmlns='urn:xmpp:hashes:2' algo='sha-1'>w0mcJylzCn+AfvuGdqkty2+KP48=</hash>
      """)
    #expect(read.mediaType == "text/plain")
    #expect(read.name == "test.txt")
    #expect(read.date == .seconds(1_437_943_560))
    #expect(read.size == 6144)
    #expect(read.hashes.values.map(\.algorithm) == [.sha1])
    #expect(read.range == nil)
    #expect(
      try read.element
        == xml(
          """
          <description xmlns='urn:xmpp:jingle:apps:file-transfer:5'><file><date>2015-07-26T20:46:00Z</date>\
          <media-type>text/plain</media-type><name>test.txt</name><size>6144</size>\
          <hash xmlns='urn:xmpp:hashes:2' algo='sha-1'>w0mcJylzCn+AfvuGdqkty2+KP48=</hash></file></description>
          """))
  }

  /// The offer of example 1, with the hash or announcement that the examples differ in.
  static func offer(_ hash: String) -> String {
    """
    <jingle xmlns='urn:xmpp:jingle:1' action='session-initiate'
            initiator='romeo@montague.example/dr4hcr0st3lup4c' sid='851ba2'>
      <content creator='initiator' name='a-file-offer' senders='initiator'>
        <description xmlns='urn:xmpp:jingle:apps:file-transfer:5'>
          <file>
            <date>1969-07-21T02:56:15Z</date>
            <desc>This is a test. If this were a real file...</desc>
            <media-type>text/plain</media-type>
            <name>test.txt</name>
            <range/>
            <size>6144</size>
            \(hash)
          </file>
        </description>
        <transport xmlns='urn:xmpp:jingle:transports:s5b:1' mode='tcp' sid='vj3hs98y'>
          <candidate cid='hft54dqy' host='192.168.4.1' jid='romeo@montague.example/dr4hcr0st3lup4c' port='5086'
                     priority='8257636' type='direct'/>
        </transport>
      </content>
    </jingle>
    """
  }

  @Test func `The example of an offer is read without loss`() throws {
    let read = try jingle(
      Self.offer("<hash xmlns='urn:xmpp:hashes:2' algo='sha-1'>w0mcJylzCn+AfvuGdqkty2+KP48=</hash>"))
    let content = try #require(read.contents.first)
    #expect(content.senders == .initiator)
    #expect(content.description?.namespace == FileDescription.namespace)
    let file = try #require(content.description?.file)
    #expect(file.date == .seconds(-14_159_025))
    #expect(file.descriptions == [.init("This is a test. If this were a real file...")])
    #expect(file.range == .init())
    #expect(file.range?.isExplicit == false)
    #expect(file.hashes.strongest?.algorithm == .sha1)
    #expect(try Jingle(read.element) == read)
  }

  @Test func `The example that announces a function is read, with hash-used or an empty hash`() throws {
    for hash in [
      "<hash-used xmlns='urn:xmpp:hashes:2' algo='sha-1'/>", "<hash xmlns='urn:xmpp:hashes:2' algo='sha-1'/>",
    ] {
      let file = try jingle(Self.offer(hash)).contents.first?.description?.file
      #expect(file?.hashes == Hashes(announced: [.sha1]))
    }
  }

  @Test func `The examples of a request, an additional file and a restart are read`() throws {
    let request = try Self.file(
      "<hash xmlns='urn:xmpp:hashes:2' algo='sha-1'>w0mcJylzCn+AfvuGdqkty2+KP48=</hash>")
    #expect(request == FileDescription(hashes: request.hashes))
    #expect(request.hashes.values.count == 1)

    let additional = try Self.file(
      """
      <name>second-file.txt</name><media-type>text/plain</media-type><size>6144</size>
      <hash xmlns='urn:xmpp:hashes:2' algo='sha-1'>w0mcJylzCn+AfvuGdqkty2+KP48=</hash>
      """)
    #expect(
      additional
        == FileDescription(
          name: "second-file.txt", size: 6144, mediaType: "text/plain", hashes: request.hashes))

    let restart = try Self.file(
      "<range offset='270336'/><hash xmlns='urn:xmpp:hashes:2' algo='sha-1'>w0mcJylzCn+AfvuGdqkty2+KP48=</hash>")
    #expect(restart.range == .init(offset: 270336))
    #expect(restart.range?.isExplicit == true)
    #expect(try FileDescription(restart.element) == restart)
  }

  @Test func `The examples of a checksum are read, and written as they were`() throws {
    let whole = """
      <checksum xmlns='urn:xmpp:jingle:apps:file-transfer:5' creator='initiator' name='a-file-offer'><file>\
      <hash xmlns='urn:xmpp:hashes:2' algo='sha-1'>w0mcJylzCn+AfvuGdqkty2+KP48=</hash></file></checksum>
      """
    let read = try #require(FileInfo(xml(whole)))
    guard case .checksum(let content, let hashes, nil) = read else {
      Issue.record("\(read)")
      return
    }
    #expect(content == .init(creator: .initiator, name: "a-file-offer"))
    #expect(hashes.values.map(\.algorithm) == [.sha1])
    #expect(try read.element == xml(whole))

    let part = """
      <checksum xmlns='urn:xmpp:jingle:apps:file-transfer:5' creator='initiator' name='a-file-offer'><file>\
      <range offset='2048' length='1024'><hash xmlns='urn:xmpp:hashes:2' algo='sha-1'>kHp5RSzW/h7Gm1etSf90Mr5PC/k=\
      </hash></range></file></checksum>
      """
    guard let read = try FileInfo(xml(part)), case .checksum(_, let hashes, let range?) = read else {
      Issue.record("no checksum")
      return
    }
    #expect(hashes.isEmpty)
    #expect(range.offset == 2048 && range.length == 1024)
    #expect(range.hashes.values.map(\.algorithm) == [.sha1])
    #expect(try read.element == xml(part))
  }

  @Test func `The example of a receipt is read, and written as it was`() throws {
    let text = "<received xmlns='urn:xmpp:jingle:apps:file-transfer:5' creator='initiator' name='a-file-offer'/>"
    let read = try #require(FileInfo(xml(text)))
    #expect(read == .received(.init(creator: .initiator, name: "a-file-offer")))
    #expect(try read.element == xml(text))
  }

  @Test func `The examples of errors are read, and written as they were`() throws {
    let missing = """
      <reason xmlns='urn:xmpp:jingle:1'><failed-application/>\
      <file-not-available xmlns='urn:xmpp:jingle:apps:file-transfer:errors:0'/></reason>
      """
    #expect(try Jingle.Reason(xml(missing)) == .fileNotAvailable)
    #expect(try Jingle.Reason.fileNotAvailable.element == xml(missing))
    #expect(try Jingle.Reason(xml(missing)).fileTransfer == .fileNotAvailable)
    let large = """
      <reason xmlns='urn:xmpp:jingle:1'><media-error/>\
      <file-too-large xmlns='urn:xmpp:jingle:apps:file-transfer:errors:0'/></reason>
      """
    #expect(try Jingle.Reason(xml(large)) == .fileTooLarge)
    #expect(try Jingle.Reason.fileTooLarge.element == xml(large))
    #expect(Jingle.Reason(.mediaError, application: RTPError.cryptoRequired.element).fileTransfer == nil)
  }

  @Test func `XEP-0264's thumbnail is read inside a file, and written there`() throws {
    let thumbnail = "<thumbnail xmlns='urn:xmpp:thumbs:1' uri='cid:a@bob.xmpp.org' media-type='image/png' width='128'/>"
    let read = try Self.file("<name>image.jpg</name>\(thumbnail)<thumbnail xmlns='urn:xmpp:thumbs:1' uri='file:/x'/>")
    #expect(read.thumbnails.map(\.uri) == ["cid:a@bob.xmpp.org"])
    #expect(try FileDescription(read.element) == read)
    let many = try Self.file(String(repeating: thumbnail, count: 100))
    #expect(many.thumbnails.count == Thumbnail.maximumCount)
  }

  // MARK: Peers

  @Test func `Conversations' mediaType is read, and media-type written`() throws {
    let read = try Self.file("<mediaType>image/jpeg</mediaType><name>a.jpg</name><size>1</size>")
    #expect(read.mediaType == "image/jpeg")
    #expect(read.element.children[0].children[0].name == "media-type")
    #expect(try Self.file("<mediaType>a/b</mediaType><media-type>c/d</media-type>").mediaType == "c/d")
    #expect(try Self.file("<mediaType>a/b</mediaType><media-type>d</media-type>").mediaType == "a/b")
  }

  @Test func `Gajim's date and its empty description are read`() throws {
    let read = try Self.file(
      "<name>ft.bin</name><date>2026-11-20T23:04:25.090732+00:00Z</date><size>3000000</size><desc/>")
    #expect(read.date == .milliseconds(1_795_215_865_090))
    #expect(read.descriptions.isEmpty)
    #expect(try FileDescription(read.element) == read)
  }

  @Test(arguments: [dinosFile, dinosFileAccepted, gajimsFile, gajimsFileAccepted])
  func `What Dino and Gajim sent is read without loss`(text: String) throws {
    let read = try jingle(text)
    let file = try #require(read.contents.first?.description?.file)
    #expect(file.name == "ft.bin")
    #expect(file.size == 3_000_000)
    #expect(file.hashes.isEmpty)
    #expect(file.range == nil)
    #expect(try Jingle(read.element) == read)
  }

  @Test func `Gajim's checksum is read, and names no content`() throws {
    let payload = try #require(try jingle(gajimsChecksum).payloads.first)
    guard case .checksum(let content, let hashes, nil) = FileInfo(payload) else {
      Issue.record("no checksum")
      return
    }
    #expect(content == FileInfo.Content())
    #expect(hashes.strongest?.algorithm == .blake2b512)
    #expect(hashes.strongest?.bytes.count == 64)
  }

  @Test func `Descriptions in several languages are kept, one each`() throws {
    let read = try Self.file(
      "<desc>a</desc><desc xml:lang='de'>b</desc><desc>c</desc>"
        + (0..<20).map { "<desc xml:lang='x\($0)'>d</desc>" }.joined())
    #expect(read.descriptions.prefix(2) == [.init("a"), .init("b", language: "de")])
    #expect(read.descriptions.count == 8)
    #expect(try FileDescription(read.element) == read)
  }

  @Test func `Of several descriptions in one language the first is written`() throws {
    let file = FileDescription(
      descriptions: [.init("a"), .init("b", language: "de"), .init("c"), .init("d", language: "DE"), .init("")])
    #expect(try FileDescription(file.element).descriptions == [.init("a"), .init("b", language: "de")])
    #expect(file.element.children[0].children.count == 2)
    let read = try Self.file("<desc xml:lang='de'>a</desc><desc xml:lang='DE'>b</desc>")
    #expect(read.descriptions == [.init("a", language: "de")])
  }

  // MARK: Bad input

  @Test func `A file that nobody is to send is refused, and one that both might is an offer`() throws {
    let offer = Self.offer("")
    #expect(throws: StanzaError.self) {
      try jingle(offer.replacing("senders='initiator'", with: "senders='none'"))
    }
    let added = offer.replacing("session-initiate", with: "content-add")
    #expect(throws: StanzaError.self) {
      try jingle(added.replacing("senders='initiator'", with: "senders='none'"))
    }
    // Gajim answers so, and others leave it out.
    for senders in ["senders='both'", ""] {
      #expect(try jingle(offer.replacing("senders='initiator'", with: senders)).contents[0].senders == .both)
    }
    let removal = """
      <jingle xmlns='urn:xmpp:jingle:1' action='content-remove' sid='1'><content name='a' senders='none'/></jingle>
      """
    #expect(try jingle(removal).contents.count == 1)
  }

  @Test func `Numbers have digits only, whatever the schema's types allow besides`() throws {
    for text in ["+1", "-0", "１", "1\u{301}", "1_000", "18446744073709551616", "00000000000000000001"] {
      #expect(throws: StanzaError.self, "\(text)") { try Self.file("<size>\(text)</size>") }
      #expect(throws: StanzaError.self, "\(text)") { try Self.file("<range offset='\(text)'/>") }
      #expect(throws: StanzaError.self, "\(text)") { try Self.file("<range length='\(text)'/>") }
    }
    #expect(try Self.file("<size>\n 007\t</size>").size == 7)
  }

  @Test(arguments: [
    "<size>-1</size>", "<size/>", "<size>1e9</size>", "<size>1.5</size>",
    "<size>1 000</size>", "<size>0x10</size>", "<size>٣</size>",
    "<size>9223372036854775808</size>", "<size>99999999999999999999999</size>", "<size>1</size><size>2</size>",
    "<range offset='-1'/>", "<range offset=''/>", "<range length='-1'/>", "<range length='x'/>",
    "<range offset='9223372036854775808'/>", "<range/><range/>",
  ])
  func `Sizes and ranges that are no numbers of bytes are refused`(text: String) {
    #expect(throws: StanzaError.self) { try Self.file(text) }
  }

  @Test func `A description of no file, or two, is refused`() throws {
    let namespace = FileDescription.namespace
    for inside in ["", "<file/><file/>", "<file xmlns='urn:x'/>", "<offer><file/></offer>"] {
      let description = try xml("<description xmlns='\(namespace)'>\(inside)</description>")
      #expect(throws: StanzaError.self) { try FileDescription(description) }
    }
    let two = try xml("<description xmlns='\(namespace)'><file/><file/></description>")
    #expect(throws: StanzaError.self) { try Jingle.Description(two) }
  }

  @Test func `A description of no file at all only names the application, as in a proposal`() throws {
    let element = XMLElement("description", namespace: FileDescription.namespace)
    #expect(try Jingle.Description(element) == .unknown(element))
  }

  @Test func `The largest size there is, and none at all, are taken`() throws {
    #expect(try Self.file("<size> 9223372036854775807 </size>").size == .max)
    #expect(try Self.file("<size>0</size>").size == 0)
    #expect(try Self.file("") == FileDescription())
  }

  @Test func `Dates and types that are none are left out, and texts cut`() throws {
    let long = String(repeating: "é", count: 5000)
    let read = try Self.file(
      """
      <date>yesterday</date><media-type>\(long)</media-type><name>\(long)</name><desc>\(long)</desc>
      <hash xmlns='urn:xmpp:hashes:2' algo='sha-1'>AAAA</hash><x xmlns='urn:x'/><foo/>
      """)
    #expect(read.date == nil && read.mediaType == nil)
    #expect(read.name?.unicodeScalars.count == FileDescription.maximumTextLength)
    #expect(read.descriptions.first?.text.unicodeScalars.count == FileDescription.maximumTextLength)
    #expect(read.hashes.isEmpty)
  }

  @Test func `News that are malformed, or of another kind, are none`() throws {
    let namespace = FileDescription.namespace
    let long = String(repeating: "n", count: 257)
    for text in [
      "<received xmlns='urn:x' name='a'/>", "<checksum xmlns='\(namespace)' name='a'/>",
      "<checksum xmlns='\(namespace)' name='a'><file><size>-1</size></file></checksum>",
      "<received xmlns='\(namespace)' name=''/>", "<received xmlns='\(namespace)' name='\(long)'/>",
      "<abort xmlns='\(namespace)' name='a'/>",
    ] {
      #expect(try FileInfo(xml(text)) == nil)
    }
    #expect(try FileInfo(xml("<received xmlns='\(namespace)'/>")) == .received(.init()))
  }

  @Test func `Whatever is spoilt in an offer, it is read as it is written, or refused`() throws {
    let offer = try xml(
      Self.offer("<hash xmlns='urn:xmpp:hashes:2' algo='sha-1'>w0mcJylzCn+AfvuGdqkty2+KP48=</hash>"))
    var refused = 0
    for twin in brokenTwins(of: offer) {
      guard let read = try? Jingle(twin) else {
        refused += 1
        continue
      }
      // What was left out is not counted again.
      let again = try Jingle(read.element)
      #expect(again.element == read.element)
    }
    #expect(refused > 0)
  }

  @Test func `Names of contents, sizes and the rest cannot break out of their elements`() throws {
    let file = FileDescription(name: "</name><size>1</size>&amp;\"'", size: 2, descriptions: [.init("]]><x/>")])
    let text = file.element.serialized()
    #expect(try FileDescription(xml(text)) == file)
  }
}
