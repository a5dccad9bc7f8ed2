import JingleCore
import Testing
import XMPPCore

@Suite struct XEP0167RTPSessionsCodingTests {
  @Test func `The example of many encodings is read`() throws {
    let description = try RTPDescription(
      xml(
        """
        <description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio' ssrc='1656081975'>
          <payload-type id='96' name='speex' clockrate='16000' ptime='40' maxptime='120'>
            <parameter name='vbr' value='on'/><parameter name='cng' value='on'/>
          </payload-type>
          <payload-type id='18' name='G729'/>
          <payload-type id='103' name='L16' clockrate='16000' channels='2'/>
          <bandwidth type='AS'>128</bandwidth>
          <encryption required='1'>
            <crypto crypto-suite='AES_CM_128_HMAC_SHA1_80' session-params='KDR=1 UNENCRYPTED_SRTCP' tag='1'
                    key-params='inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^20|1:32'/>
          </encryption>
          <rtcp-mux/>
        </description>
        """))
    #expect(description.media == "audio")
    #expect(description.ssrc == 1_656_081_975)
    #expect(description.payloadTypes.map(\.id) == [96, 18, 103])
    let speex = description.payloadTypes[0]
    #expect(speex.name == "speex")
    #expect(speex.clockrate == 16_000)
    #expect(speex.channels == nil)
    #expect(speex.ptime == 40)
    #expect(speex.maxptime == 120)
    #expect(speex.parameter("vbr") == "on")
    #expect(speex.parameter("VBR") == nil)
    #expect(description.payloadTypes[2].channels == 2)
    #expect(description.bandwidth == RTPDescription.Bandwidth(type: "AS", value: "128"))
    #expect(description.encryption?.isRequired == true)
    #expect(description.encryption?.cryptos.count == 1)
    #expect(description.rtcpMux)
    #expect(description.droppedPayloadTypes == 0)
    #expect(try RTPDescription(description.element) == description)
  }

  @Test(arguments: ["", "media=''", "media='a b'"])
  func `A description must tell its media`(attribute: String) throws {
    let element = try xml("<description xmlns='urn:xmpp:jingle:apps:rtp:1' \(attribute)/>")
    let error = #expect(throws: StanzaError.self) { try RTPDescription(element) }
    #expect(error?.condition == .badRequest)
  }

  @Test(arguments: [
    "name='opus'", "id='128' name='opus'", "id='-1' name='opus'", "id='1e1' name='opus'", "id='96' clockrate='fast'",
    "id='96' channels='300'", "id='96' clockrate='4294967296'", "id='111' name='twice'",
  ])
  func `A malformed or repeated payload type is left out alone`(attributes: String) throws {
    let description = try RTPDescription(
      xml(
        """
        <description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'>
          <payload-type id='111' name='opus' clockrate='48000' channels='2'/><payload-type \(attributes)/>
        </description>
        """))
    #expect(description.payloadTypes.map(\.name) == ["opus"])
    #expect(description.droppedPayloadTypes == 1)
  }

  @Test(arguments: [0, 127] as [UInt8])
  func `The outermost payload types are payload types`(id: UInt8) throws {
    let description = RTPDescription(media: "audio", payloadTypes: [RTPPayloadType(id: id, name: "opus")])
    #expect(try RTPDescription(description.element) == description)
  }

  @Test func `A parameter may have no name`() throws {
    let description = try RTPDescription(
      xml(
        """
        <description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'>
          <payload-type id='63' name='red'><parameter name='' value='111/111'/></payload-type>
        </description>
        """))
    #expect(description.payloadTypes[0].parameters == [RTPPayloadType.Parameter("", "111/111")])
  }

  @Test func `Other specifications' elements are kept untouched`() throws {
    let description = try RTPDescription(
      xml(
        """
        <description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'>
          <payload-type id='111' name='opus'>
            <note xmlns='urn:example:stub:0'/>
          </payload-type>
          <rtcp-reduced-size/>
          <news xmlns='urn:xmpp:jingle:apps:rtp:ssma:0'/>
          <rtp-hdrext xmlns='urn:xmpp:jingle:apps:rtp:rtp-hdrext:7' id='4'/>
        </description>
        """))
    #expect(description.payloadTypes[0].extensions.map(\.name) == ["note"])
    #expect(description.extensions.map(\.name) == ["rtcp-reduced-size", "news", "rtp-hdrext"])
    #expect(try RTPDescription(description.element) == description)
  }

  @Test(arguments: [
    RTPInfo.active, .hold, .unhold, .ringing, .mute(creator: nil, name: nil), .mute(creator: .responder, name: "voice"),
    .unmute(creator: .responder, name: "voice"),
  ])
  func `Every informational message comes through`(info: RTPInfo) {
    #expect(RTPInfo(info.element) == info)
  }

  @Test func `The example of mute is read`() throws {
    let element = try xml("<mute xmlns='urn:xmpp:jingle:apps:rtp:info:1' creator='responder' name='voice'/>")
    #expect(RTPInfo(element) == .mute(creator: .responder, name: "voice"))
  }

  @Test(arguments: ["<mute xmlns='urn:xmpp:jingle:apps:rtp:1'/>", "<shout xmlns='urn:xmpp:jingle:apps:rtp:info:1'/>"])
  func `What is no informational message is none`(text: String) throws {
    #expect(RTPInfo(try xml(text)) == nil)
  }

  @Test(arguments: [RTPError.cryptoRequired, .invalidCrypto])
  func `The errors of encryption come through`(error: RTPError) throws {
    #expect(RTPError(error.element) == error)
    #expect(RTPError(try xml("<\(error.rawValue) xmlns='urn:xmpp:jingle:1'/>")) == nil)
  }
}

@Suite struct XEP0167RTPSessionsBehaviorTests {
  static let opus = RTPCapability.opus([RTPPayloadType.Parameter("useinbandfec", "1")])
  static let pcmu = RTPCapability(name: "PCMU", clockrate: 8000)

  func offer(_ payloadTypes: RTPPayloadType...) -> RTPDescription {
    RTPDescription(media: "audio", payloadTypes: payloadTypes, rtcpMux: true)
  }

  @Test func `The answer keeps the offer's numbers and has this side's order`() throws {
    let offer = offer(
      RTPPayloadType(id: 0, name: "PCMU", clockrate: 8000), RTPPayloadType(id: 9, name: "G722", clockrate: 8000),
      RTPPayloadType(id: 101, name: "OPUS", clockrate: 48_000, channels: 2))
    let answer = try #require(offer.answer(supporting: [Self.opus, Self.pcmu]))
    #expect(answer.payloadTypes.map(\.id) == [101, 0])
    #expect(answer.payloadTypes[0].channels == 2)
    #expect(answer.payloadTypes[0].parameter("useinbandfec") == "1")
    #expect(answer.rtcpMux)
    #expect(answer.media == "audio")
  }

  @Test(arguments: [
    (RTPPayloadType(id: 111, name: "opus", clockrate: 48_000, channels: 2), true),
    (RTPPayloadType(id: 111, name: "Opus", clockrate: 48_000), true),
    (RTPPayloadType(id: 111, name: "opus", clockrate: 48_000, channels: 1), false),
    (RTPPayloadType(id: 111, name: "opus", clockrate: 16_000, channels: 2), false),
    (RTPPayloadType(id: 111, name: "opus"), false),
    (RTPPayloadType(id: 111, name: nil, clockrate: 48_000, channels: 2), false),
    (RTPPayloadType(id: 111, name: "opus2", clockrate: 48_000, channels: 2), false),
  ])
  func `Opus is Opus at 48 kHz with two channels, said or unsaid`(offered: RTPPayloadType, fits: Bool) {
    #expect((offer(offered).answer(supporting: [Self.opus]) != nil) == fits)
  }

  @Test func `Multiplexing is answered only when it was offered`() throws {
    var offer = offer(RTPPayloadType(id: 111, name: "opus", clockrate: 48_000, channels: 2))
    offer.rtcpMux = false
    #expect(try #require(offer.answer(supporting: [Self.opus])).rtcpMux == false)
  }

  @Test func `Both sides agree on the same`() throws {
    let offer = offer(
      RTPPayloadType(id: 111, name: "opus", clockrate: 48_000, channels: 2),
      RTPPayloadType(id: 0, name: "PCMU", clockrate: 8000))
    let answer = try #require(offer.answer(supporting: [Self.pcmu, Self.opus]))
    let ours = answer.agreements(answering: offer)
    let theirs = try offer.agreements(answeredBy: answer)
    #expect(ours.map(\.sending.id) == [0, 111])
    #expect(theirs.map(\.sending) == ours.map(\.receiving))
    #expect(theirs.map(\.receiving) == ours.map(\.sending))
  }

  @Test func `A renumbered encoding is received under the offer's number and sent under the answer's`() throws {
    let offer = offer(RTPPayloadType(id: 111, name: "opus", clockrate: 48_000, channels: 2))
    var answer = offer
    answer.payloadTypes[0].id = 96
    let agreements = try offer.agreements(answeredBy: answer)
    #expect(agreements.map(\.receiving.id) == [111])
    #expect(agreements.map(\.sending.id) == [96])
  }

  @Test func `A static payload type needs no name`() throws {
    let offer = offer(RTPPayloadType(id: 0, name: "PCMU", clockrate: 8000))
    let answer = RTPDescription(media: "audio", payloadTypes: [RTPPayloadType(id: 0, name: nil)])
    #expect(try offer.agreements(answeredBy: answer).count == 1)
  }

  @Test(arguments: [
    RTPDescription(media: "audio"),
    RTPDescription(
      media: "video", payloadTypes: [RTPPayloadType(id: 111, name: "opus", clockrate: 48_000, channels: 2)]),
    RTPDescription(media: "audio", payloadTypes: [RTPPayloadType(id: 0, name: "PCMU", clockrate: 8000)]),
    RTPDescription(
      media: "audio", payloadTypes: [RTPPayloadType(id: 111, name: "speex", clockrate: 48_000, channels: 2)]),
    RTPDescription(
      media: "audio", payloadTypes: [RTPPayloadType(id: 111, name: "opus", clockrate: 48_000, channels: 6)]),
    RTPDescription(
      media: "audio",
      payloadTypes: [
        RTPPayloadType(id: 111, name: "opus", clockrate: 48_000, channels: 2),
        RTPPayloadType(id: 13, name: "CN", clockrate: 8000),
      ]),
  ])
  func `An answer that takes what was not offered, or nothing, is the peer's mistake`(answer: RTPDescription) {
    let offer = offer(RTPPayloadType(id: 111, name: "opus", clockrate: 48_000, channels: 2))
    let error = #expect(throws: StanzaError.self) { try offer.agreements(answeredBy: answer) }
    #expect(error?.condition == .notAcceptable)
  }
}
