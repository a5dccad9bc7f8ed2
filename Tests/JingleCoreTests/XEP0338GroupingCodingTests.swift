import JingleCore
import Testing
import XMPPCore

/// A stanza with these groups and contents of these names.
private func jingle(
  _ action: Jingle.Action, _ groups: [ContentGroup], _ contents: [String]
) -> Jingle {
  let description = Jingle.Description.rtp(
    RTPDescription(media: "audio", payloadTypes: [RTPPayloadType(id: 0, name: "PCMU", clockrate: 8000)]))
  let contents = contents.map {
    Jingle.Content(name: $0, description: description, transport: .iceUDP(ICETransport(ufrag: "u", pwd: "p")))
  }
  return Jingle(action, sid: sid, contents: contents, groups: groups)
}

@Suite struct XEP0338GroupingCodingTests {
  @Test func `The example is read`() throws {
    let read = try JingleCoreTests.jingle(
      """
      <jingle xmlns='urn:xmpp:jingle:1' action='session-initiate' sid='a73sjjvkla37jfea'>
        <group xmlns='urn:xmpp:jingle:apps:grouping:0' semantics='BUNDLE'>
          <content name='voice'/><content name='webcam'/>
        </group>
        <group xmlns='urn:xmpp:jingle:apps:grouping:0' semantics='LS'>
          <content name='voice'/><content name='webcam'/>
        </group>
        <content creator='initiator' name='voice'/><content creator='initiator' name='webcam'/>
      </jingle>
      """)
    #expect(
      read.groups == [ContentGroup(.bundle, ["voice", "webcam"]), ContentGroup(.lipSync, ["voice", "webcam"])])
    #expect(read.payloads.isEmpty)
    #expect(read.contents.map(\.name) == ["voice", "webcam"])
    #expect(throws: Never.self) { try read.checkGroups() }
    #expect(try Jingle(read.element) == read)
  }

  @Test(arguments: [
    ("<group xmlns='N' semantics='BUNDLE'><content name='a'/><content name='a'/></group>", ["a"]),
    ("<group xmlns='N' semantics='BUNDLE'/>", nil), ("<group xmlns='N'><content name='a'/></group>", nil),
    ("<group xmlns='N' semantics=''><content name='a'/></group>", nil),
    ("<group xmlns='N' semantics='BUNDLE'><content/></group>", nil),
    ("<group xmlns='N' semantics='BUNDLE'><content name=''/></group>", nil),
    ("<group xmlns='N' semantics='BUNDLE'><content xmlns='urn:xmpp:jingle:1' name='a'/></group>", nil),
  ])
  func `A malformed group is dropped`(text: String, contents: [String]?) throws {
    let group = text.replacing("'N'", with: "'urn:xmpp:jingle:apps:grouping:0'")
    let read = try JingleCoreTests.jingle(
      """
      <jingle xmlns='urn:xmpp:jingle:1' action='session-initiate' sid='1'>\(group)<content name='a'/></jingle>
      """)
    #expect(read.groups.map(\.contents) == [contents].compactMap(\.self))
  }

  @Test func `Groups and their contents are bounded, and the same group counts once`() throws {
    let bundle = ContentGroup(.bundle, ["a"])
    var sent = jingle(.sessionInitiate, [bundle, bundle], ["a"])
    #expect(try Jingle(sent.element).groups == [bundle])
    sent.groups = (0..<1000).map { ContentGroup(.init(rawValue: "X\($0)"), ["a"]) }
    #expect(try Jingle(sent.element).groups.count == ContentGroup.maximumCount)
    sent.groups = [ContentGroup(.bundle, (0...Jingle.maximumContents).map { "\($0)" })]
    #expect(try Jingle(sent.element).groups.isEmpty)
  }
}

@Suite struct XEP0338GroupingBehaviorTests {
  @Test(arguments: [
    ([ContentGroup(.bundle, ["a", "b"])], true), ([], true), ([ContentGroup(.bundle, ["b"])], true),
    ([ContentGroup(.bundle, ["a"]), ContentGroup(.lipSync, ["a", "b"])], true),
    ([ContentGroup(.lipSync, ["a"]), ContentGroup(.lipSync, ["b", "a"])], true),
    ([ContentGroup(.bundle, ["a", "c"])], false), ([ContentGroup(.lipSync, ["c"])], false),
    ([ContentGroup(.bundle, ["a"]), ContentGroup(.bundle, ["b", "a"])], false),
  ])
  func `An offer groups what it offers, and bundles nothing twice`(groups: [ContentGroup], isGood: Bool) throws {
    let offer = jingle(.sessionInitiate, groups, ["a", "b"])
    if isGood {
      _ = try JingleSession(answering: offer, from: romeo, id: "1", own: juliet)
    } else {
      let error = #expect(throws: StanzaError.self) {
        try JingleSession(answering: offer, from: romeo, id: "1", own: juliet)
      }
      #expect(error?.condition == .badRequest)
    }
  }

  @Test(
    arguments: [
      // All, a part, another order, nothing.
      ([ContentGroup(.bundle, ["a", "b"])], [["a", "b"]]), ([ContentGroup(.bundle, ["b"])], [["b"]]),
      ([ContentGroup(.bundle, ["b", "a"])], [["b", "a"]]), ([], []),
      // c was offered but is not accepted.
      ([ContentGroup(.bundle, ["a", "c"])], [["a"]]), ([ContentGroup(.bundle, ["c"])], []),
      ([ContentGroup(.bundle, ["a"]), ContentGroup(.bundle, ["b"])], [["a"], ["b"]]),
      // Another kind; more than was offered; the same twice.
      ([ContentGroup(.lipSync, ["a"])], nil), ([ContentGroup(.bundle, ["a", "d"])], nil),
      ([ContentGroup(.bundle, ["a", "b"]), ContentGroup(.bundle, ["b"])], nil),
    ] as [([ContentGroup], [[String]]?)])
  func `An answer groups a part of what the offer grouped`(groups: [ContentGroup], agreed: [[String]]?) {
    var session = JingleSession(initiating: sid, own: romeo, peer: juliet)
    let offer = jingle(.sessionInitiate, [ContentGroup(.bundle, ["a", "b", "c"])], ["a", "b", "c", "d"])
    session.initiate(offer.contents, groups: offer.groups)
    guard case .request(let sent, _, _) = session.nextOutput() else { return #expect(Bool(false)) }
    #expect(sent.groups == offer.groups)
    session.receive(jingle(.sessionAccept, groups, ["a", "b", "d"]), from: juliet, id: "1")
    let outputs = drain(&session)
    if let agreed {
      guard case .event(.accepted(let answer)) = outputs.last else { return #expect(Bool(false)) }
      #expect(answer.groups.map(\.contents) == agreed)
    } else {
      guard case .event(.violated) = outputs.last else { return #expect(Bool(false)) }
      #expect(session.phase == .pending)
    }
  }

  @Test func `An answer's group has the accepted contents in the offer's order`() {
    let offered = ContentGroup(.bundle, ["a", "b", "c"])
    #expect(offered.restricted(to: ["c", "a", "x"]) == ContentGroup(.bundle, ["a", "c"]))
    #expect(offered.restricted(to: ["x"]) == nil)
  }

  @Test func `This side's answer carries its groups`() throws {
    let offer = jingle(.sessionInitiate, [ContentGroup(.bundle, ["a", "b"])], ["a", "b"])
    var session = try JingleSession(answering: offer, from: romeo, id: "1", own: juliet)
    session.accept(offer.contents, groups: offer.groups)
    guard case .request(let accept, _, _) = drain(&session).last else { return #expect(Bool(false)) }
    #expect(accept.groups == offer.groups)
  }

  static let video = RTPDescription(
    offering: "video", [.vp8(retransmits: true)],
    headerExtensions: [RTPHeaderExtension(id: 4, uri: RTPHeaderExtension.URI.mid)])

  @Test(arguments: [
    (RTPDescription(offering: "audio", [.opus()], from: 111), true),
    // The same number for something else, and for the same.
    (RTPDescription(offering: "audio", [.opus()], from: 96), false),
    (RTPDescription(offering: "audio", [.opus()], from: 97), false),
    (RTPDescription(offering: "video", [.vp8(retransmits: true)]), true),
    (RTPDescription(offering: "video", [.vp9(), .vp9()]), false),
    (headers(RTPHeaderExtension(id: 4, uri: RTPHeaderExtension.URI.mid)), true),
    (headers(RTPHeaderExtension(id: 4, uri: "other")), false),
    (headers(RTPHeaderExtension(id: 5, uri: RTPHeaderExtension.URI.mid)), false),
    (headers(RTPHeaderExtension(id: 4096, uri: RTPHeaderExtension.URI.mid)), true),
    (RTPDescription(media: "audio", sources: [RTPSource(ssrc: 2)]), true),
    (RTPDescription(media: "audio", sources: [RTPSource(ssrc: 2), RTPSource(ssrc: 1)]), false),
  ])
  func `A bundle's numbers mean one thing each, and its sources are of one content each`(
    other: RTPDescription, fits: Bool
  ) {
    var video = Self.video
    video.sources = [RTPSource(ssrc: 1)]
    #expect(video.canBeBundled(with: other) == fits)
    #expect(other.canBeBundled(with: video) == fits)
  }

  static func headers(_ extensions: RTPHeaderExtension...) -> RTPDescription {
    RTPDescription(media: "audio", headerExtensions: extensions)
  }
}
