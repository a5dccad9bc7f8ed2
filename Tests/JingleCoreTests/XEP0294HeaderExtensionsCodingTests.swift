import JingleCore
import Testing
import XMPPCore

@Suite struct XEP0294HeaderExtensionsCodingTests {
  static let toffset = "urn:ietf:params:rtp-hdrext:toffset"
  static let ntp64 = "urn:ietf:params:rtp-hdrext:ntp-64"
  static let ntp56 = "urn:ietf:params:rtp-hdrext:ntp-56"
  static let offer = """
    <rtp-hdrext xmlns='urn:xmpp:jingle:apps:rtp:rtp-hdrext:0' uri='\(toffset)' id='1'/>
    <rtp-hdrext xmlns='urn:xmpp:jingle:apps:rtp:rtp-hdrext:0' uri='\(ntp64)' id='4907'/>
    <rtp-hdrext xmlns='urn:xmpp:jingle:apps:rtp:rtp-hdrext:0' uri='\(ntp56)' id='4907'/>
    <payload-type id='96' name='THEORA' clockrate='90000'/>
    <extmap-allow-mixed xmlns='urn:xmpp:jingle:apps:rtp:rtp-hdrext:0'/>
    """

  @Test func `The example of an offer is read`() throws {
    let read = try description(Self.offer)
    #expect(read.headerExtensions.map(\.uri) == [Self.toffset, Self.ntp64, Self.ntp56])
    #expect(read.headerExtensions.map(\.isPlaceholder) == [false, true, true])
    #expect(read.allowsMixedHeaderExtensions)
    #expect(read.droppedDetails == 0)
    #expect(read.extensions.isEmpty)
    #expect(try RTPDescription(read.element) == read)
  }

  @Test func `Senders and parameters come through`() throws {
    let read = try description(
      """
      <rtp-hdrext xmlns='urn:xmpp:jingle:apps:rtp:rtp-hdrext:0' id='2' uri='URI-gps-string' senders='initiator'>
        <parameter name='vad' value='on'/><parameter name='brief'/>
      </rtp-hdrext>
      """)
    #expect(
      read.headerExtensions == [
        RTPHeaderExtension(
          id: 2, uri: "URI-gps-string", senders: .initiator,
          parameters: [RTPParameter("vad", "on"), RTPParameter("brief")])
      ])
    #expect(try RTPDescription(read.element) == read)
  }

  @Test(arguments: [
    "id='0' uri='b'", "id='256' uri='b'", "id='4095' uri='b'", "id='65536' uri='b'", "id='-1' uri='b'", "uri='b'",
    "id='2'", "id='2' uri=''", "id='2' uri='a b'", "id='2' uri='b' senders='nobody'", "id='1' uri='b'",
    "id='2' uri='\(String(repeating: "u", count: 257))'",
  ])
  func `A malformed extension or a number used twice is dropped alone, and counted`(attributes: String) throws {
    let read = try description(
      """
      <rtp-hdrext xmlns='urn:xmpp:jingle:apps:rtp:rtp-hdrext:0' id='1' uri='a'/>
      <rtp-hdrext xmlns='urn:xmpp:jingle:apps:rtp:rtp-hdrext:0' \(attributes)/>
      """)
    #expect(read.headerExtensions.map(\.uri) == ["a"])
    #expect(read.droppedDetails == 1)
  }

  @Test func `Extensions are bounded`() throws {
    let many = (1...255).map { "<rtp-hdrext xmlns='urn:xmpp:jingle:apps:rtp:rtp-hdrext:0' id='\($0)' uri='u\($0)'/>" }
    let read = try description(many.joined())
    #expect(read.headerExtensions.count == RTPHeaderExtension.maximumCount)
    #expect(read.droppedDetails == 255 - RTPHeaderExtension.maximumCount)
  }

  @Test(
    arguments: [
      (1, true, true), (14, true, true), (15, false, true), (16, false, true), (255, false, true),
      (4096, false, false),
    ] as [(UInt16, Bool, Bool)])
  func `Beyond 14 an id needs two-byte headers`(id: UInt16, alone: Bool, mixed: Bool) {
    let headerExtension = RTPHeaderExtension(id: id, uri: "a")
    #expect(headerExtension.isUsable(mixed: false) == alone)
    #expect(headerExtension.isUsable(mixed: true) == mixed)
  }
}

@Suite struct XEP0294HeaderExtensionsBehaviorTests {
  static let opus = RTPPayloadType(id: 111, name: "opus", clockrate: 48_000, channels: 2)

  func offer(_ extensions: [RTPHeaderExtension], mixed: Bool = false) -> RTPDescription {
    RTPDescription(
      media: "audio", payloadTypes: [Self.opus], headerExtensions: extensions, allowsMixedHeaderExtensions: mixed)
  }

  func answer(
    _ offered: [RTPHeaderExtension], _ own: [RTPHeaderExtension], mixed: Bool = false
  ) throws -> RTPDescription {
    try #require(
      offer(offered, mixed: mixed).answer(
        supporting: [.opus()], headerExtensions: own, allowingMixedHeaderExtensions: true))
  }

  static let own = [RTPHeaderExtension(id: 1, uri: "a"), RTPHeaderExtension(id: 2, uri: "b", senders: .initiator)]

  @Test(arguments: [
    // The offer's number counts.
    (RTPHeaderExtension(id: 9, uri: "a"), RTPHeaderExtension(id: 9, uri: "a")),
    (RTPHeaderExtension(id: 9, uri: "unknown"), nil), (RTPHeaderExtension(id: 9, uri: "A"), nil),
    // Who sends is narrowed, never widened.
    (RTPHeaderExtension(id: 9, uri: "b"), RTPHeaderExtension(id: 9, uri: "b", senders: .initiator)),
    (
      RTPHeaderExtension(id: 9, uri: "a", senders: .responder),
      RTPHeaderExtension(id: 9, uri: "a", senders: .responder)
    ),
    (RTPHeaderExtension(id: 9, uri: "b", senders: .responder), nil),
    (RTPHeaderExtension(id: 9, uri: "a", senders: .none), nil),
    // What the offer says of it is repeated.
    (
      RTPHeaderExtension(id: 9, uri: "a", parameters: [RTPParameter("vad", "on")]),
      RTPHeaderExtension(id: 9, uri: "a", parameters: [RTPParameter("vad", "on")])
    ),
    (RTPHeaderExtension(id: 15, uri: "a"), nil), (RTPHeaderExtension(id: 200, uri: "a"), nil),
    // A placeholder gets a number.
    (RTPHeaderExtension(id: 4096, uri: "a"), RTPHeaderExtension(id: 1, uri: "a")),
  ])
  func `An answer has what both sides know`(offered: RTPHeaderExtension, answered: RTPHeaderExtension?) throws {
    let answer = try answer([offered], Self.own)
    #expect(answer.headerExtensions == [answered].compactMap(\.self))
    #expect(offer([offered]).headerExtensions(answeredBy: answer) == answer.headerExtensions)
  }

  @Test func `Two-byte numbers are taken where both mix, and never otherwise`() throws {
    let offered = [RTPHeaderExtension(id: 15, uri: "a"), RTPHeaderExtension(id: 255, uri: "b")]
    let answer = try answer(offered, Self.own, mixed: true)
    #expect(answer.allowsMixedHeaderExtensions)
    #expect(answer.headerExtensions.map(\.id) == [15, 255])
    var agreed = offer(offered, mixed: true).headerExtensions(answeredBy: answer)
    #expect(agreed == answer.headerExtensions)
    agreed = offer(offered).headerExtensions(answeredBy: answer)
    #expect(agreed.isEmpty)
    let unable = try #require(offer(offered, mixed: true).answer(supporting: [.opus()], headerExtensions: Self.own))
    #expect(!unable.allowsMixedHeaderExtensions)
    #expect(unable.headerExtensions.isEmpty)
  }

  @Test
  func `Of several extensions with one placeholder the answer takes one, under a free number, as the example has it`()
    throws
  {
    typealias Example = XEP0294HeaderExtensionsCodingTests
    let offered = try description(Example.offer)
    let own = [Example.ntp64, Example.ntp56, Example.toffset].map { RTPHeaderExtension(id: 7, uri: $0) }
    let theora = RTPCapability(name: "theora", clockrate: 90_000)
    let answer = try #require(offered.answer(supporting: [theora], headerExtensions: own))
    #expect(answer.headerExtensions.map(\.id) == [1, 2])
    #expect(answer.headerExtensions.map(\.uri) == [Example.toffset, Example.ntp64])
    #expect(offered.headerExtensions(answeredBy: answer) == answer.headerExtensions)
    // The specification's own answer.
    let theirs = try description(
      """
      <rtp-hdrext xmlns='urn:xmpp:jingle:apps:rtp:rtp-hdrext:0' uri='\(Example.toffset)' id='1'/>
      <rtp-hdrext xmlns='urn:xmpp:jingle:apps:rtp:rtp-hdrext:0' uri='\(Example.ntp56)' id='2'/>
      """)
    #expect(offered.headerExtensions(answeredBy: theirs) == theirs.headerExtensions)
  }

  @Test func `An extension offered twice is taken once`() throws {
    let answer = try answer([RTPHeaderExtension(id: 3, uri: "a"), RTPHeaderExtension(id: 4, uri: "a")], Self.own)
    #expect(answer.headerExtensions.map(\.id) == [3])
  }

  @Test(arguments: [
    RTPHeaderExtension(id: 3, uri: "b"), RTPHeaderExtension(id: 4, uri: "a"), RTPHeaderExtension(id: 4096, uri: "a"),
    RTPHeaderExtension(id: 3, uri: "a", senders: .none),
  ])
  func `What an answer takes without its having been offered is not agreed on`(answered: RTPHeaderExtension) {
    #expect(offer([RTPHeaderExtension(id: 3, uri: "a")]).headerExtensions(answeredBy: offer([answered])).isEmpty)
  }

  @Test func `An answer cannot let send whom the offer did not`() {
    let offered = offer([RTPHeaderExtension(id: 3, uri: "a", senders: .initiator)])
    let agreed = offered.headerExtensions(answeredBy: offer([RTPHeaderExtension(id: 3, uri: "a")]))
    #expect(agreed.map(\.senders) == [.initiator])
  }
}
