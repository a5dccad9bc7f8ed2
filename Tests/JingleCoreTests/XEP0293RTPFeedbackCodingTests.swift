import JingleCore
import Testing
import XMPPCore

/// A description with these children.
func description(_ children: String, media: String = "video") throws -> RTPDescription {
  try RTPDescription(xml("<description xmlns='urn:xmpp:jingle:apps:rtp:1' media='\(media)'>\(children)</description>"))
}

@Suite struct XEP0293RTPFeedbackCodingTests {
  static let sli = RTPFeedback.Message("nack", "sli")
  static let offer = """
    <rtcp-fb xmlns='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' type='nack' subtype='pli'/>
    <payload-type id='96' name='H264' clockrate='90000'>
      <rtcp-fb-trr-int xmlns='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' value='100'/>
      <rtcp-fb xmlns='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' type='nack' subtype='sli'/>
    </payload-type>
    <payload-type id='34' name='H263' clockrate='90000'/>
    """

  @Test func `The example of an offer is read, and what is for all is for each`() throws {
    let read = try description(Self.offer)
    #expect(read.feedback == RTPFeedback([.pli]))
    #expect(read.payloadTypes[0].feedback == RTPFeedback([Self.sli], minimumInterval: 100))
    #expect(read.feedback(for: read.payloadTypes[0]) == RTPFeedback([Self.sli, .pli], minimumInterval: 100))
    #expect(read.feedback(for: read.payloadTypes[1]) == RTPFeedback([.pli]))
    #expect(read.extensions.isEmpty)
    #expect(try RTPDescription(read.element) == read)
  }

  @Test func `Parameters come through, with a value and without`() throws {
    let read = try description(
      """
      <rtcp-fb xmlns='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' type='ccm' subtype='tmmbr'>
        <parameter name='smaxpr' value='120'/><parameter name='flag'/>
      </rtcp-fb>
      """)
    let parameters = [RTPParameter("smaxpr", "120"), RTPParameter("flag")]
    #expect(read.feedback.messages == [RTPFeedback.Message("ccm", "tmmbr", parameters: parameters)])
    #expect(try RTPDescription(read.element) == read)
  }

  @Test(arguments: [
    ("<rtcp-fb xmlns='N' type='nack' subtype='pli'/>", RTPFeedback([.pli])),
    ("<rtcp-fb xmlns='N' type='nack' subtype=''/>", RTPFeedback([.nack])),
    ("<rtcp-fb xmlns='N' type='nack'/><rtcp-fb xmlns='N' type='nack'/>", RTPFeedback([.nack])),
    ("<rtcp-fb xmlns='N' subtype='pli'/>", RTPFeedback()),
    ("<rtcp-fb xmlns='N' type=''/>", RTPFeedback()),
    ("<rtcp-fb xmlns='N' type='a b'/>", RTPFeedback()),
    // This is not the generic NACK.
    ("<rtcp-fb xmlns='N' type='nack' subtype='p li'/>", RTPFeedback()),
    ("<rtcp-fb-trr-int xmlns='N' value='0'/>", RTPFeedback(minimumInterval: 0)),
    ("<rtcp-fb-trr-int xmlns='N' value='4294967295'/>", RTPFeedback(minimumInterval: .max)),
    ("<rtcp-fb-trr-int xmlns='N' value='4294967296'/>", RTPFeedback()),
    ("<rtcp-fb-trr-int xmlns='N' value='-1'/>", RTPFeedback()), ("<rtcp-fb-trr-int xmlns='N'/>", RTPFeedback()),
  ])
  func `What is malformed is dropped alone`(text: String, feedback: RTPFeedback) throws {
    let text = text.replacing("'N'", with: "'urn:xmpp:jingle:apps:rtp:rtcp-fb:0'")
    let read = try description("\(text)<payload-type id='96' name='VP8'>\(text)</payload-type>")
    #expect(read.feedback == feedback)
    #expect(read.payloadTypes[0].feedback == feedback)
    #expect(read.extensions.isEmpty && read.payloadTypes[0].extensions.isEmpty)
  }

  @Test func `Messages and parameters are bounded`() throws {
    let messages = (0..<1000).map { "<rtcp-fb xmlns='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' type='t\($0)'/>" }
    let parameters = (0..<1000).map { "<parameter name='p\($0)' value='1'/>" }
    let read = try description(
      messages.joined() + "<payload-type id='96' name='VP8'>\(parameters.joined())</payload-type>")
    #expect(read.feedback.messages.count == RTPFeedback.maximumMessages)
    #expect(read.payloadTypes[0].parameters.count == RTPParameter.maximumCount)
  }
}

@Suite struct XEP0293RTPFeedbackBehaviorTests {
  func answer(_ capabilities: RTPCapability...) throws -> RTPDescription? {
    try description(XEP0293RTPFeedbackCodingTests.offer).answer(supporting: capabilities)
  }

  func capability(_ name: String, _ feedback: RTPFeedback.Message...) -> RTPCapability {
    RTPCapability(name: name, clockrate: 90_000, feedback: RTPFeedback(feedback))
  }

  @Test func `The example's responder takes what is for all and leaves out the rest`() throws {
    let answer = try #require(try answer(capability("H264", .pli, .fir), capability("H263", .pli)))
    #expect(answer.feedback == RTPFeedback([.pli]))
    #expect(answer.payloadTypes.map(\.feedback) == [RTPFeedback(), RTPFeedback()])
  }

  @Test func `What this side gives to one encoding only is said there`() throws {
    let answer = try #require(try answer(capability("H264", .pli), capability("H263")))
    #expect(answer.feedback == RTPFeedback())
    #expect(answer.payloadTypes.map(\.feedback) == [RTPFeedback([.pli]), RTPFeedback()])
  }

  @Test func `An interval is kept as it is, or left out`() throws {
    for (interval, kept) in [(100, 100), (50, nil), (nil, nil)] as [(UInt32?, UInt32?)] {
      var own = capability("H264")
      own.feedback.minimumInterval = interval
      #expect(try #require(try answer(own)).payloadTypes[0].feedback.minimumInterval == kept)
    }
  }

  @Test func `Agreed is what both say, wherever each says it`() throws {
    let offer = try description(XEP0293RTPFeedbackCodingTests.offer)
    var answer = try #require(try answer(capability("H264", .pli, .init("nack", "sli")), capability("H263")))
    #expect(
      answer.agreements(answering: offer).map(\.feedback) == [RTPFeedback([.init("nack", "sli"), .pli]), .init()])
    // An answer may not ask for more than was offered.
    answer.feedback.messages.append(.fir)
    #expect(
      try offer.agreements(answeredBy: answer).map(\.feedback.messages) == [[.init("nack", "sli"), .pli], []])
  }

  @Test(arguments: [
    (RTPFeedback.Message.nack, RTPFeedback.Message.nack, true), (.nack, .pli, false), (.nack, .init("NACK"), false),
    (.fir, .init("ccm", "fir", parameters: [RTPParameter("a")]), false),
  ])
  func `Messages are the same in all their parts or not at all`(
    a: RTPFeedback.Message, b: RTPFeedback.Message, same: Bool
  ) {
    #expect(RTPFeedback([a]).intersection(RTPFeedback([b])) == RTPFeedback(same ? [a] : []))
  }
}
