import JingleCore
import Testing
import XMPPCore

@Suite struct XEP0339SourceAttributesCodingTests {
  @Test func `The example of sources and groups is read`() throws {
    let read = try description(
      """
      <payload-type id='100' name='VP8' clockrate='90000'/>
      <ssrc-group xmlns='urn:xmpp:jingle:apps:rtp:ssma:0' semantics='FID'>
        <source ssrc='2301230316'/><source ssrc='386328120'/>
      </ssrc-group>
      <ssrc-group xmlns='urn:xmpp:jingle:apps:rtp:ssma:0' semantics='FID'>
        <source ssrc='3139499595'/><source ssrc='2613715171'/>
      </ssrc-group>
      <source ssrc='2301230316' xmlns='urn:xmpp:jingle:apps:rtp:ssma:0'>
        <parameter name='cname' value='T5qvrIZj42v//eYQ'/>
      </source>
      <source ssrc='386328120' xmlns='urn:xmpp:jingle:apps:rtp:ssma:0'>
        <parameter name='cname' value='uEYgNtStZyTF74sM'/>
      </source>
      <source ssrc='3139499595' xmlns='urn:xmpp:jingle:apps:rtp:ssma:0'>
        <parameter name='cname' value='re8jhxkly9bxzuxr'/>
      </source>
      <source ssrc='2613715171' xmlns='urn:xmpp:jingle:apps:rtp:ssma:0'>
        <parameter name='cname' value='f83avsiw6n1m7vi'/>
      </source>
      """)
    #expect(read.sources.map(\.ssrc) == [2_301_230_316, 386_328_120, 3_139_499_595, 2_613_715_171])
    #expect(read.source(386_328_120)?.cname == "uEYgNtStZyTF74sM")
    #expect(read.source(1) == nil)
    #expect(read.sourceGroups.map(\.semantics) == [.flowIdentification, .flowIdentification])
    #expect(read.retransmissionSSRC(of: 2_301_230_316) == 386_328_120)
    #expect(read.retransmissionSSRC(of: 3_139_499_595) == 2_613_715_171)
    #expect(read.retransmissionSSRC(of: 386_328_120) == nil)
    #expect(read.extensions.isEmpty)
    #expect(read.droppedDetails == 0)
    #expect(try RTPDescription(read.element) == read)
  }

  @Test func `A parameter without a value is written without one`() throws {
    let text = """
      <source ssrc='1656081975' xmlns='urn:xmpp:jingle:apps:rtp:ssma:0'>
        <parameter name='attribute'/><parameter name='attribute' value='value'/>
      </source>
      """
    let read = try description(text)
    #expect(read.sources[0].parameters == [RTPParameter("attribute"), RTPParameter("attribute", "value")])
    let written = read.element.children[0].children
    #expect(written.map { $0[attribute: "value"] } == [nil, "value"])
  }

  @Test(
    arguments: [
      ([RTPParameter("msid", "s t")], "s", "t"), ([RTPParameter("msid", "s")], "s", nil),
      ([RTPParameter("mslabel", "s"), RTPParameter("label", "t")], "s", "t"),
      ([RTPParameter("mslabel", "s"), RTPParameter("msid", "u v")], "u", "v"), ([RTPParameter("label", "t")], nil, nil),
      ([RTPParameter("msid", "")], nil, nil), ([], nil, nil),
    ] as [([RTPParameter], String?, String?)])
  func `The stream and track are told in the new way or the old`(
    parameters: [RTPParameter], stream: String?, track: String?
  ) {
    let msid = RTPSource(ssrc: 1, parameters: parameters).msid
    #expect(msid?.stream == stream)
    #expect(msid?.track == track)
  }

  @Test func `A source of this side's has a cname and a stream`() {
    let source = RTPSource(ssrc: 7, cname: "c", stream: "s", track: "t")
    #expect(source.cname == "c")
    #expect(source.msid?.stream == "s")
    #expect(source.msid?.track == "t")
  }

  @Test func `Jitsi's names and notes are kept`() throws {
    let read = try description(
      """
      <source xmlns='urn:xmpp:jingle:apps:rtp:ssma:0' ssrc='1' name='ac3b-v0' videoType='camera'>
        <parameter name='msid' value='ac3b-video-0-1 1'/>
        <ssrc-info xmlns='http://jitsi.org/jitmeet' owner='room@conference.example.test/ac3b'/>
      </source>
      """)
    #expect(read.sources[0].name == "ac3b-v0")
    #expect(read.sources[0].extensions.map(\.name) == ["ssrc-info"])
    #expect(try RTPDescription(read.element) == read)
  }

  @Test(arguments: [
    "<source xmlns='N'/>", "<source xmlns='N' ssrc=''/>", "<source xmlns='N' ssrc='-1'/>",
    "<source xmlns='N' ssrc='4294967296'/>", "<source xmlns='N' ssrc='1'/>",
    "<ssrc-group xmlns='N' semantics='FID'/>", "<ssrc-group xmlns='N'><source ssrc='1'/></ssrc-group>",
    "<ssrc-group xmlns='N' semantics='FID'><source ssrc='1'/><source ssrc='x'/></ssrc-group>",
    "<ssrc-group xmlns='N' semantics='FID'><source ssrc='1'/><source ssrc='1'/></ssrc-group>",
    "<ssrc-group xmlns='N' semantics='FID'><source ssrc='1'/><source/></ssrc-group>",
    "<ssrc-group xmlns='N' semantics='FID'><source ssrc='1'/><source ssrc='2'/></ssrc-group>",
  ])
  func `What is malformed or repeated is dropped alone, and counted`(text: String) throws {
    let good = """
      <source xmlns='N' ssrc='1'/>
      <ssrc-group xmlns='N' semantics='FID'><source ssrc='1'/><source ssrc='2'/></ssrc-group>
      """
    let read = try description((good + text).replacing("'N'", with: "'urn:xmpp:jingle:apps:rtp:ssma:0'"))
    #expect(read.sources.map(\.ssrc) == [1])
    #expect(read.sourceGroups == [RTPSourceGroup(.flowIdentification, [1, 2])])
    #expect(read.droppedDetails == 1)
  }

  @Test func `Sources, groups and their members are bounded`() throws {
    var sent = RTPDescription(media: "video")
    sent.sources = (0..<1000).map { RTPSource(ssrc: $0) }
    sent.sourceGroups = (0..<1000).map { RTPSourceGroup(.simulcast, [$0, $0 + 1, $0 + 2]) }
    let read = try RTPDescription(sent.element)
    #expect(read.sources.count == RTPSource.maximumCount)
    #expect(read.sourceGroups.count == RTPSourceGroup.maximumCount)
    sent.sourceGroups = [RTPSourceGroup(.simulcast, (0...UInt32(RTPSource.maximumCount)).map { $0 })]
    #expect(try RTPDescription(sent.element).sourceGroups.isEmpty)
  }

  @Test(
    arguments: [
      (RTPSourceGroup(.flowIdentification, [1, 2]), 2), (RTPSourceGroup(.flowIdentification, [2, 1]), nil),
      (RTPSourceGroup(.flowIdentification, [1]), nil), (RTPSourceGroup(.flowIdentification, [1, 2, 3]), nil),
      (RTPSourceGroup(.simulcast, [1, 2]), nil), (RTPSourceGroup(.forwardErrorCorrection, [1, 2]), nil),
      (RTPSourceGroup(.forwardErrorCorrectionFraming, [1, 2]), nil),
    ] as [(RTPSourceGroup, UInt32?)])
  func `Retransmissions are found in a pair of their kind`(group: RTPSourceGroup, ssrc: UInt32?) {
    #expect(RTPDescription(media: "video", sourceGroups: [group]).retransmissionSSRC(of: 1) == ssrc)
  }
}
