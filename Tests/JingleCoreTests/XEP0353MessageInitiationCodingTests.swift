import JingleCore
import Testing
import XMPPCore

@Suite struct XEP0353MessageInitiationCodingTests {
  static let id = "ca3cf894-5325-482f-a412-a6e9f832298d"

  func message(_ inside: String, type: String = "chat") throws -> Message {
    try Message(
      xml(
        """
        <message xmlns='jabber:client' from='romeo@montague.example/orchard' to='juliet@capulet.example' type='\(type)'>
          \(inside)
          <store xmlns='urn:xmpp:hints'/>
        </message>
        """))
  }

  static let examples: [(text: String, action: JingleMessage.Action)] = [
    (
      """
      <propose xmlns='urn:xmpp:jingle-message:0' id='\(id)'>
        <description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'/>
      </propose>
      """, .propose([.rtp(RTPDescription(media: "audio"))])
    ),
    ("<ringing xmlns='urn:xmpp:jingle-message:0' id='\(id)'/>", .ringing),
    ("<proceed xmlns='urn:xmpp:jingle-message:0' id='\(id)'/>", .proceed),
    ("<accept xmlns='urn:xmpp:jingle-message:0' id='\(id)'/>", .accept),
    (
      """
      <retract xmlns='urn:xmpp:jingle-message:0' id='\(id)'>
        <reason xmlns='urn:xmpp:jingle:1'><cancel/><text>Retracted</text></reason>
      </retract>
      """, .retract(Jingle.Reason(.cancel, text: "Retracted"))
    ),
    (
      """
      <reject xmlns='urn:xmpp:jingle-message:0' id='\(id)'>
        <reason xmlns='urn:xmpp:jingle:1'><expired/><text>Tie-Break</text></reason><tie-break/>
      </reject>
      """, .reject(Jingle.Reason(.expired, text: "Tie-Break"), isTieBreak: true)
    ),
    ("<reject xmlns='urn:xmpp:jingle-message:0' id='\(id)'/>", .reject(nil)),
    (
      """
      <finish xmlns='urn:xmpp:jingle-message:0' id='\(id)'>
        <reason xmlns='urn:xmpp:jingle:1'><expired/><text>Session migrated</text></reason>
        <migrated to='989a46a6-f202-4910-a7c3-83c6ba3f3947'/>
      </finish>
      """,
      .finish(Jingle.Reason(.expired, text: "Session migrated"), migratedTo: "989a46a6-f202-4910-a7c3-83c6ba3f3947")
    ),
  ]

  @Test(arguments: examples)
  func `The examples are read and written`(text: String, action: JingleMessage.Action) throws {
    let read = try #require(JingleMessage(in: try message(text)))
    #expect(read == JingleMessage(id: Self.id, action))
    #expect(JingleMessage(read.element) == read)
  }

  @Test(arguments: examples)
  func `In an error, without an id or under another namespace they are none`(text: String, action: JingleMessage.Action) throws {
    #expect(JingleMessage(in: try message(text, type: "error")) == nil)
    var element = try xml(text)
    element[attribute: "id"] = nil
    #expect(JingleMessage(element) == nil)
    element[attribute: "id"] = ""
    #expect(JingleMessage(element) == nil)
    element[attribute: "id"] = Self.id
    element.name = "shout"
    #expect(JingleMessage(element) == nil)
    element.namespace = "urn:xmpp:jingle-message:1"
    #expect(JingleMessage(element) == nil)
  }

  @Test func `A stanza is of type chat and asks to be stored`() {
    let stanza = JingleMessage(id: Self.id, .proceed).stanza(to: romeo, stanzaID: "1")
    #expect(stanza.type == .chat)
    #expect(stanza.id == "1")
    #expect(stanza.to == romeo)
    #expect(stanza.hints == [.store])
    #expect(JingleMessage(in: stanza) == JingleMessage(id: Self.id, .proceed))
  }

  @Test func `Dino's device for OMEMO is kept`() throws {
    let text = """
      <proceed xmlns='urn:xmpp:jingle-message:0' id='1'>
        <device xmlns='http://gultsch.de/xmpp/drafts/omemo/dlts-srtp-verification' id='1734533928'/>
      </proceed>
      """
    let read = try #require(JingleMessage(try xml(text)))
    #expect(read.extensions.first?[attribute: "id"] == "1734533928")
    #expect(JingleMessage(read.element) == read)
  }

  @Test func `What is proposed beside calls is kept, and a description that is none is dropped`() throws {
    let text = """
      <propose xmlns='urn:xmpp:jingle-message:0' id='1'>
        <description xmlns='urn:xmpp:jingle:apps:rtp:1'/>
        <description xmlns='urn:xmpp:jingle:apps:rtp:1' media='video'/>
        <description xmlns='urn:xmpp:jingle:apps:file-transfer:5'/>
      </propose>
      """
    let read = try #require(JingleMessage(try xml(text)))
    guard case .propose(let descriptions) = read.action else { throw CancellationError() }
    #expect(descriptions.count == 2)
    #expect(read.media == ["video"])
  }

  @Test func `A proposal of endless kinds is none`() {
    func proposal(_ count: Int) -> XMLElement {
      let descriptions = Array(repeating: Jingle.Description.rtp(RTPDescription(media: "audio")), count: count)
      return JingleMessage(id: "1", .propose(descriptions)).element
    }
    #expect(JingleMessage(proposal(JingleMessage.maximumDescriptions)) != nil)
    #expect(JingleMessage(proposal(JingleMessage.maximumDescriptions + 1)) == nil)
  }

  @Test(arguments: examples)
  func `Whatever one change does to a message, it is none or can be written`(text: String, action: JingleMessage.Action) throws {
    for twin in brokenTwins(of: try xml(text)) {
      guard let read = JingleMessage(twin) else { continue }
      let again = try #require(JingleMessage(read.element))
      #expect(again.element == read.element)
    }
  }
}
