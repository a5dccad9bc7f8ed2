import JingleCore
import Testing
import XMPPCore

@Suite struct XEP0507ContentCategoryCodingTests {
  @Test func `The example is read: slides and their alternative, the speaker, sign language`() throws {
    let read = try jingle(
      """
      <jingle xmlns='urn:xmpp:jingle:1' action='session-initiate' initiator='stuart@studio.org/main'
              sid='a73sjjvkla37jfea'>
        <content creator='initiator' name='video0'>
          <transport xmlns='urn:xmpp:jingle:transports:ice-udp:1'/>
          <description xmlns='urn:xmpp:jingle:apps:rtp:1' media='video'>
            <category xmlns='urn:xmpp:jingle:apps:category:0' name='slides'/>
            <category xmlns='urn:xmpp:jingle:apps:category:0' name='alt'/>
            <payload-type id='31' name='H261' clockrate='9000'/>
          </description>
        </content>
        <content creator='initiator' name='video1'>
          <transport xmlns='urn:xmpp:jingle:transports:ice-udp:1'/>
          <description xmlns='urn:xmpp:jingle:apps:rtp:1' media='video'>
            <category xmlns='urn:xmpp:jingle:apps:category:0' name='speaker'/>
            <payload-type id='31' name='H261' clockrate='9000'/>
          </description>
        </content>
        <content creator='initiator' name='video2'>
          <transport xmlns='urn:xmpp:jingle:transports:ice-udp:1'/>
          <description xmlns='urn:xmpp:jingle:apps:rtp:1' media='video'>
            <category xmlns='urn:xmpp:jingle:apps:category:0' name='sl'/>
            <payload-type id='31' name='H261' clockrate='9000'/>
          </description>
        </content>
      </jingle>
      """)
    let categories = read.contents.map { $0.description?.rtp?.categories }
    #expect(categories == [[.slides, .alternative], [.speaker], [.signLanguage]])
    #expect(read.contents.allSatisfy { $0.description?.rtp?.extensions.isEmpty == true })
    #expect(try Jingle(read.element) == read)
  }

  @Test func `What is written is the specification's element`() throws {
    let written = RTPDescription(media: "video", categories: [.main, .slides]).element
    let expected = try ["main", "slides"].map {
      try xml("<category xmlns='urn:xmpp:jingle:apps:category:0' name='\($0)'/>")
    }
    #expect(written.children == expected)
  }

  @Test func `A category that is not listed is kept as it is`() throws {
    let read = try description("<category xmlns='urn:xmpp:jingle:apps:category:0' name='x-whiteboard'/>")
    #expect(read.categories.map(\.rawValue) == ["x-whiteboard"])
    #expect(read.droppedDetails == 0)
    #expect(try RTPDescription(read.element) == read)
  }

  @Test(arguments: [
    "", "name=''", "name='a b'", "name='a,b'", "name='a&#10;a=candidate:1'", "name='é'", "name='a:b'",
    "name='\(String(repeating: "x", count: 65))'", "name='main'",
  ])
  func `A malformed or repeated category is dropped alone, and counted`(attribute: String) throws {
    let read = try description(
      """
      <category xmlns='urn:xmpp:jingle:apps:category:0' name='main'/>
      <category xmlns='urn:xmpp:jingle:apps:category:0' \(attribute)/>
      <category xmlns='urn:xmpp:jingle:apps:category:0' name='alt'/>
      """)
    #expect(read.categories == [.main, .alternative])
    #expect(read.droppedDetails == 1)
  }

  @Test func `Another namespace's category is none`() throws {
    let read = try description("<category name='main'/>")
    #expect(read.categories == [])
  }

  @Test func `Categories are bounded`() throws {
    let many = (1...1000).map { "<category xmlns='urn:xmpp:jingle:apps:category:0' name='c\($0)'/>" }
    let read = try description(many.joined())
    #expect(read.categories.count == ContentCategory.maximumCount)
    #expect(read.droppedDetails == 1000 - ContentCategory.maximumCount)
  }
}
