import JingleCore
import Testing
import XMPPCore

@Suite struct SDPMappingTests {
  // MARK: SDP to Jingle and back

  @Test("Chromium's offer becomes Jingle and is the same SDP again, line by line")
  func chromiumsOffer() throws {
    let description = try SessionDescription(parsing: chromiumsSDP)
    let read = try description.jingle(.sessionInitiate, sid: description.id, from: .initiator)
    #expect(read.omitted == [])
    #expect(read.rejected == [])
    let overTheWire = try Jingle(read.jingle.element)
    #expect(overTheWire == read.jingle)
    let written = try overTheWire.sessionDescription(from: .initiator)
    #expect(written.omitted == [])
    #expect(try written.description.text() == chromiumsSDP)
  }

  @Test("Chromium's offer in Jingle's words")
  func chromiumsOfferInJingle() throws {
    let jingle = try SessionDescription(parsing: chromiumsSDP).jingle(.sessionInitiate, sid: sid, from: .initiator)
      .jingle
    #expect(jingle.groups == [ContentGroup(.bundle, ["0", "1"])])
    #expect(jingle.contents.map(\.name) == ["0", "1"])
    #expect(jingle.contents.map(\.senders) == [.both, .initiator])
    let audio = try #require(jingle.contents.first?.description?.rtp)
    let video = try #require(jingle.contents.last?.description?.rtp)
    #expect(audio.media == "audio" && audio.rtcpMux && audio.allowsMixedHeaderExtensions)
    #expect(audio.payloadTypes.first?.parameter("useinbandfec") == "1")
    #expect(audio.payloadTypes.dropFirst().first?.parameters == [RTPParameter("", "111/111")])
    #expect(video.bandwidth?.bitsPerSecond == 2_000_000)
    #expect(video.payloadTypes.first?.feedback.messages == [.remb, .transportCC, .fir, .nack, .pli])
    #expect(video.headerExtensions.first { $0.id == 13 }?.senders == .initiator)
    #expect(video.retransmissionSSRC(of: 1_510_610_514) == 186_278_542)
    #expect(video.source(186_278_542)?.msid?.track == "1e405ae1-dc6d-4cb9-aedc-026100df83d3")
    let transport = try #require(jingle.contents.last?.transport?.iceUDP)
    #expect(transport.ufrag == "t3Nn" && transport.fingerprint?.setup == .actpass)
  }

  @Test("Chromium's answer is the same again beside its offer, and tells what it rejects")
  func chromiumsAnswerAndBack() throws {
    let offer = try SessionDescription(parsing: chromiumsSDP)
    let answer = try SessionDescription(parsing: chromiumsAnswerSDP)
    let read = try answer.jingle(.sessionAccept, sid: answer.id, from: .responder, answering: offer)
    #expect(read.omitted == [])
    #expect(read.rejected == ["1"])
    #expect(read.jingle.contents.map(\.name) == ["0"])
    #expect(read.jingle.contents.map(\.creator) == [.initiator])
    let candidates = try #require(read.jingle.contents.first?.transport?.iceUDP?.candidates)
    #expect(candidates.map(\.kind) == [.host, .srflx, .relay, .host, .host])
    #expect(candidates.map(\.network) == [1, 1, 1, 2, 1])
    #expect(candidates.last?.tcpType == "active")
    #expect(candidates[1].relatedAddress == "10.77.0.1" && candidates[1].relatedPort == 44825)
    #expect(Set(candidates.map(\.id)).count == 5)
    let overTheWire = try Jingle(read.jingle.element)
    let written = try overTheWire.sessionDescription(from: .responder, answering: offer)
    #expect(try written.description.text() == chromiumsAnswerSDP)
  }

  @Test("Firefox's offer means the same after both ways, and what Jingle lacks is told")
  func firefoxsOffer() throws {
    let read = try SessionDescription(parsing: firefoxsSDP).jingle(.sessionInitiate, sid: "1", from: .initiator)
    #expect(read.omitted == ["line 45: a=simulcast", "line 46: m=application over UDP/DTLS/SCTP"])
    let jingle = read.jingle
    #expect(jingle.groups == [ContentGroup(.bundle, ["0", "1"])])
    #expect(jingle.contents.map(\.senders) == [.both, .responder])
    #expect(jingle.contents.first?.fingerprint?.setup == .actpass)
    #expect(jingle.contents.first?.description?.rtp?.headerExtensions.map(\.senders) == [.both, .responder, .both])
    // The stream is told at its source too, where Jingle has it.
    #expect(
      jingle.contents.first?.description?.rtp?.sources.first?.msid?.stream == "{7d5d38a2-4ae2-4a3f-9e18-df1c9d8f3c37}")
    let text = try jingle.sessionDescription(from: .initiator).description.text()
    let again = try SessionDescription(parsing: text).jingle(.sessionInitiate, sid: "1", from: .initiator)
    #expect(again.omitted == [])
    #expect(normal(again.jingle) == normal(jingle))
    #expect(text.contains("m=video 0 UDP/TLS/RTP/SAVPF 120 124\r\n"))
    #expect(text.contains("a=bundle-only\r\na=mid:1\r\n"))
    // The events that are understood have a name in Jingle and none in SDP.
    #expect(
      jingle.contents.first?.description?.rtp?.payloadTypes.last?.parameters == [RTPParameter("events", "0-15")])
    #expect(text.contains("a=fmtp:101 0-15\r\n"))
  }

  @Test("A track in several streams stays in all of them")
  func severalStreams() throws {
    let lines = ["a=msid:stream-1 track", "a=msid:stream-2 track"]
    let text = sdp(
      """
      m=audio 9 RTP/AVP 0
      \(lines.joined(separator: "\n"))
      a=ssrc:1 cname:x
      a=ssrc:1 msid:stream-1 track
      a=ssrc:2 cname:x
      a=ssrc:2 msid:stream-1 track
      """)
    let read = try SessionDescription(parsing: text).jingle(.sessionInitiate, sid: sid, from: .initiator)
    #expect(read.omitted == [])
    #expect(read.jingle.contents.first?.description?.rtp?.sources.map(\.msid?.stream) == ["stream-1", "stream-1"])
    let written = try Jingle(read.jingle.element).sessionDescription(from: .initiator).description.text()
    #expect(written.split(separator: "\r\n").filter { $0.hasPrefix("a=msid:") }.map(String.init) == lines)
    #expect(written.contains("a=msid-semantic: WMS stream-1 stream-2\r\n"))
  }

  @Test("A candidate says whose generation it is of where libwebrtc looks for it")
  func generationOfCandidates() throws {
    let stanza = """
      <jingle xmlns='urn:xmpp:jingle:1' action='transport-info' sid='1'><content creator='initiator' name='0'>\
      <transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' ufrag='new' pwd='p'>\
      <candidate component='1' foundation='f' generation='1' id='i' ip='192.0.2.1' port='9' priority='7' protocol='udp' \
      type='host'/></transport></content></jingle>
      """
    #expect(
      try jingle(stanza).trickledCandidates
        == [
          TrickledCandidate(
            mid: "0", candidate: "candidate:f 1 udp 7 192.0.2.1 9 typ host generation 1 ufrag new", ufrag: "new")
        ])
  }

  // MARK: Jingle to SDP and back

  static let recorded: [(name: String, stanza: String, party: Jingle.Party)] = [
    ("Dino's offer", dinosOffer, .initiator), ("Chromium's answer", chromiumsAnswer, .responder),
    ("Dino's video", dinosVideo, .responder), ("Chromium's video offer", chromiumsVideoOffer, .initiator),
    ("Dino's video answer", dinosVideoAnswer, .responder),
    ("XEP-0166's offer", sessionInitiate, .initiator), ("XEP-0166's answer", sessionAccept, .responder),
  ]

  @Test("What peers sent becomes SDP and is the same Jingle again", arguments: recorded)
  func recordedStanzas(name: String, stanza: String, party: Jingle.Party) throws {
    let original = try jingle(stanza)
    let text = try original.sessionDescription(from: party).description.text()
    let again = try SessionDescription(parsing: text).jingle(original.action, sid: original.sid, from: party)
    #expect(again.omitted == [])
    #expect(normal(again.jingle) == normal(original))
  }

  @Test("An answer's m-lines follow its offer's, and what is not accepted has port 0")
  func answerInOrder() throws {
    let offer = try SessionDescription(parsing: chromiumsSDP)
    var answer = try offer.jingle(.sessionInitiate, sid: sid, from: .initiator).jingle
    answer.action = .sessionAccept
    answer.contents.removeFirst()
    let text = try answer.sessionDescription(from: .responder, answering: offer).description.text()
    let media = text.split(separator: "\r\n").filter { $0.hasPrefix("m=") }
    #expect(media.map { $0.prefix(12) } == ["m=audio 0 UDP", "m=video 9 UDP"].map { $0.prefix(12) })
    #expect(text.contains("a=group:BUNDLE 1\r\n"))
    #expect(text.contains("a=recvonly\r\n"))

    answer.contents[0].name = "stranger"
    #expect(throws: SDPError.noAnswer("the content stranger was not offered")) {
      try answer.sessionDescription(from: .responder, answering: offer)
    }
  }

  @Test("Without mids, contents are named by kind, and the answer has none either")
  func withoutMIDs() throws {
    let plain = sdp("m=audio 9 RTP/AVP 0\nm=video 9 RTP/AVP 34\nm=video 9 RTP/AVP 31")
    let offer = try SessionDescription(parsing: plain)
    let jingle = try offer.jingle(.sessionInitiate, sid: sid, from: .initiator).jingle
    #expect(jingle.contents.map(\.name) == ["audio", "video", "video-2"])
    var accept = jingle
    accept.action = .sessionAccept
    let answer = try accept.sessionDescription(from: .responder, answering: offer).description
    #expect(try !answer.text().contains("a=mid"))
    let read = try answer.jingle(.sessionAccept, sid: sid, from: .responder, answering: offer)
    #expect(read.jingle.contents.map(\.name) == ["audio", "video", "video-2"])
  }

  @Test("An answer with other m-lines than its offer is none")
  func strangeAnswer() throws {
    let offer = try SessionDescription(parsing: chromiumsSDP)
    for media in ["m=audio 9 RTP/AVP 0", "m=audio 9 RTP/AVP 0\na=mid:1\nm=video 9 RTP/AVP 96\na=mid:0"] {
      let answer = try SessionDescription(parsing: sdp(media))
      #expect(throws: SDPError.self) {
        try answer.jingle(.sessionAccept, sid: sid, from: .responder, answering: offer)
      }
    }
  }

  @Test(
    "Directions are the describing side's",
    arguments: [
      ("sendrecv", .both, .both), ("sendonly", .initiator, .responder), ("recvonly", .responder, .initiator),
      ("inactive", .none, .none),
    ] as [(String, Jingle.Senders, Jingle.Senders)])
  func directions(word: String, byInitiator: Jingle.Senders, byResponder: Jingle.Senders) throws {
    for (party, senders) in [(Jingle.Party.initiator, byInitiator), (.responder, byResponder)] {
      for text in ["m=audio 9 RTP/AVP 0\na=\(word)", "a=\(word)\nm=audio 9 RTP/AVP 0"] {
        let jingle = try SessionDescription(parsing: sdp(text)).jingle(.contentAdd, sid: sid, from: party).jingle
        #expect(jingle.contents.first?.senders == senders)
        #expect(jingle.contents.first?.creator == party)
        #expect(try jingle.sessionDescription(from: party).description.text().contains("a=\(word)\r\n"))
      }
    }
  }

  // MARK: The specifications' examples

  /// Descriptions, and what they are between the m-line and the end. `a=sendrecv` and what is not said is left out.
  static let examples: [(xml: String, sdp: String)] = [
    // XEP-0167 §6
    ("<payload-type id='96' name='speex' clockrate='16000'/>", "RTP/AVP 96|a=rtpmap:96 speex/16000"),
    (
      """
      <payload-type id='96' name='speex' clockrate='16000' ptime='40'><parameter name='vbr' value='on'/>\
      <parameter name='cng' value='on'/></payload-type>
      """, "RTP/AVP 96|a=rtpmap:96 speex/16000|a=fmtp:96 vbr=on;cng=on|a=ptime:40"
    ),
    (
      """
      <payload-type id='98' name='theora' clockrate='90000'><parameter name='sampling' value='YCbCr-4:2:2'/>\
      <parameter name='width' value='800'/><parameter name='delivery-method' value='inline'/></payload-type>
      """, "RTP/AVP 98|a=rtpmap:98 theora/90000|a=fmtp:98 sampling=YCbCr-4:2:2;width=800;delivery-method=inline"
    ),
    // XEP-0167 §7.1
    (
      """
      <payload-type id='0' name='PCMU' clockrate='8000'/><encryption required='1'>\
      <crypto crypto-suite='AES_CM_128_HMAC_SHA1_80' \
      key-params='inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^20|1:32' \
      session-params='KDR=1 UNENCRYPTED_SRTCP' tag='1'/></encryption>
      """,
      """
      RTP/SAVP 0|a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz¦2^20¦1:32 \
      KDR=1 UNENCRYPTED_SRTCP|a=rtpmap:0 PCMU/8000
      """
    ),
    // XEP-0293 §5
    (
      """
      <rtcp-fb xmlns='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' type='nack'/>\
      <payload-type id='98' name='H263-1998' clockrate='90000'>\
      <rtcp-fb xmlns='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' type='nack' subtype='rpsi'/>\
      <rtcp-fb-trr-int xmlns='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' value='100'/></payload-type>\
      <payload-type id='99' name='H261' clockrate='90000'/>
      """,
      """
      RTP/AVPF 98 99|a=rtcp-fb:* nack|a=rtpmap:98 H263-1998/90000|a=rtcp-fb:98 nack rpsi|a=rtcp-fb:98 trr-int 100|\
      a=rtpmap:99 H261/90000
      """
    ),
    // XEP-0294 §5, with placeholders (RFC 8285 §7)
    (
      """
      <payload-type id='0' name='PCMU' clockrate='8000'/>\
      <rtp-hdrext xmlns='urn:xmpp:jingle:apps:rtp:rtp-hdrext:0' id='1' uri='URI-toffset'/>\
      <rtp-hdrext xmlns='urn:xmpp:jingle:apps:rtp:rtp-hdrext:0' id='2' uri='URI-gps-string' senders='responder'/>\
      <rtp-hdrext xmlns='urn:xmpp:jingle:apps:rtp:rtp-hdrext:0' id='4906' uri='URI-a'/>\
      <rtp-hdrext xmlns='urn:xmpp:jingle:apps:rtp:rtp-hdrext:0' id='4906' uri='URI-b'>\
      <parameter xmlns='urn:xmpp:jingle:apps:rtp:rtp-hdrext:0' name='vad' value='on'/></rtp-hdrext>
      """,
      """
      RTP/AVP 0|a=extmap:1 URI-toffset|a=extmap:2/recvonly URI-gps-string|a=extmap:4906 URI-a|\
      a=extmap:4906 URI-b vad=on|a=rtpmap:0 PCMU/8000
      """
    ),
    // XEP-0339 §3
    (
      """
      <payload-type id='100' name='VP8' clockrate='90000'/>\
      <ssrc-group xmlns='urn:xmpp:jingle:apps:rtp:ssma:0' semantics='FID'><source ssrc='2301230316'/>\
      <source ssrc='386328120'/></ssrc-group>\
      <source xmlns='urn:xmpp:jingle:apps:rtp:ssma:0' ssrc='2301230316'>\
      <parameter name='cname' value='T5qvrIZj42v//eYQ'/>\
      <parameter name='fancy'/></source>\
      <source xmlns='urn:xmpp:jingle:apps:rtp:ssma:0' ssrc='386328120'>\
      <parameter name='cname' value='uEYgNtStZyTF74sM'/>\
      </source>
      """,
      """
      RTP/AVP 100|a=rtpmap:100 VP8/90000|a=ssrc-group:FID 2301230316 386328120|\
      a=ssrc:2301230316 cname:T5qvrIZj42v//eYQ|a=ssrc:2301230316 fancy|a=ssrc:386328120 cname:uEYgNtStZyTF74sM
      """
    ),
    // XEP-0507 §3
    (
      """
      <category xmlns='urn:xmpp:jingle:apps:category:0' name='slides'/>\
      <category xmlns='urn:xmpp:jingle:apps:category:0' name='alt'/>\
      <payload-type id='31' name='H261' clockrate='9000'/>
      """, "RTP/AVP 31|a=content:slides,alt|a=rtpmap:31 H261/9000"
    ),
    (
      """
      <category xmlns='urn:xmpp:jingle:apps:category:0' name='speaker'/>\
      <payload-type id='31' name='H261' clockrate='9000'/>
      """, "RTP/AVP 31|a=content:speaker|a=rtpmap:31 H261/9000"
    ),
    (
      """
      <category xmlns='urn:xmpp:jingle:apps:category:0' name='sl'/><payload-type id='31' name='H261' clockrate='9000'/>
      """, "RTP/AVP 31|a=content:sl|a=rtpmap:31 H261/9000"
    ),
    // Bandwidth, in bits a second, and rtcp-mux
    (
      "<payload-type id='0' name='PCMU' clockrate='8000'/><bandwidth type='TIAS'>64000</bandwidth><rtcp-mux/>",
      "RTP/AVP 0|b=TIAS:64000|a=rtcp-mux|a=rtpmap:0 PCMU/8000"
    ),
  ]

  @Test("The specifications' examples, both ways", arguments: examples)
  func specificationExamples(xml: String, expected: String) throws {
    let stanza = """
      <jingle xmlns='urn:xmpp:jingle:1' action='session-initiate' sid='1'><content creator='initiator' name='x'>\
      <description xmlns='urn:xmpp:jingle:apps:rtp:1' media='video'>\(xml)</description></content></jingle>
      """
    let original = try jingle(stanza)
    let text = try original.sessionDescription(from: .initiator).description.text()
    let skeleton = ["v=0", "o=- 1 2 IN IP4 127.0.0.1", "s=-", "t=0 0", "a=msid-semantic: WMS", "c=IN IP4 0.0.0.0"]
    let lines = text.split(separator: "\r\n").filter { !skeleton.contains(String($0)) }
      .filter { $0 != "a=mid:x" && $0 != "a=sendrecv" }
    #expect(lines.joined(separator: "|").replacing("m=video 9 ", with: "") == expected.replacing("¦", with: "|"))
    let again = try SessionDescription(parsing: text).jingle(.sessionInitiate, sid: "1", from: .initiator)
    #expect(again.omitted == [])
    #expect(normal(again.jingle) == normal(original))
  }

  @Test("A static payload type needs no rtpmap, either way (XEP-0167 §6)")
  func staticPayloadTypes() throws {
    let description = RTPDescription(media: "audio", payloadTypes: [RTPPayloadType(id: 13, name: "CN")])
    let original = Jingle(.sessionInitiate, sid: "1", contents: [.init(name: "a", description: .rtp(description))])
    let text = try original.sessionDescription(from: .initiator).description.text()
    #expect(text.contains("m=audio 9 RTP/AVP 13\r\n") && !text.contains("rtpmap"))
    let again = try SessionDescription(parsing: text).jingle(.sessionInitiate, sid: "1", from: .initiator).jingle
    #expect(
      again.contents.first?.description?.rtp?.payloadTypes == [RTPPayloadType(id: 13, name: "CN", clockrate: 8000)])
  }

  // MARK: Candidates on their way

  @Test("Candidates become a transport-info and candidates again")
  func trickle() throws {
    let stanza = try jingle(chromiumsCandidates)
    let trickled = stanza.trickledCandidates
    #expect(
      trickled.first
        == TrickledCandidate(
          mid: "audio",
          candidate: "candidate:125635254 1 udp 2122260223 127.0.0.1 44825 typ host generation 0 ufrag zn2Z network 0",
          ufrag: "zn2Z"))
    let again = try Jingle(trickling: trickled + [.init(mid: "audio", candidate: "", ufrag: "zn2Z")], sid: stanza.sid) {
      mid, ufrag in mid == "audio" && ufrag == "zn2Z" ? "TKOm6LU8DXT5EWGqJ9B29BHD" : nil
    }
    #expect(again.trickledCandidates.last?.candidate == "")
    var transport = try #require(again.contents.first?.transport?.iceUDP)
    #expect(transport.extensions.map(\.name) == ["gathering-complete"])
    transport.extensions = []
    var complete = again
    complete.contents[0].transport = .iceUDP(transport)
    #expect(normal(complete) == normal(stanza))
  }

  @Test("Chromium's own candidate is understood: its ufrag and its network's number")
  func chromiumsCandidate() throws {
    let line = """
      candidate:842163049 1 UDP 1677729535 203.0.113.5 46154 typ srflx raddr 0.0.0.0 rport 0 generation 0 ufrag t3Nn \
      network-id 3 network-cost 999
      """
    let transport = try #require(
      try Jingle(trickling: [.init(mid: "0", candidate: line)], sid: sid).contents.first?.transport?.iceUDP)
    #expect(transport.ufrag == "t3Nn")
    #expect(transport.candidates.first?.network == 3)
    #expect(transport.candidates.first?.relatedAddress == "0.0.0.0")
    #expect(
      transport.candidates.first?.sdp
        == "842163049 1 udp 1677729535 203.0.113.5 46154 typ srflx raddr 0.0.0.0 rport 0 generation 0 network 3")
  }

  @Test(
    "Candidates that are none are refused with their number",
    arguments: [
      "candidate", "candidate:", "candidate:1 1 udp 1 10.0.0.1 9 typ", "candidate:1 0 udp 1 10.0.0.1 9 typ host",
      "candidate:1 1 udp 0 10.0.0.1 9 typ host", "candidate:1 1 udp 1 10.0.0.1 0 typ host",
      "candidate:1 1 udp 1 10.0.0.1 65536 typ host", "candidate:1 256 udp 1 10.0.0.1 9 typ host",
      "candidate:1 1 udp 4294967296 10.0.0.1 9 typ host", "candidate:1 1 udp 1 10.0.0.1 9 xyz host",
      "candidate:\(String(repeating: "1", count: 33)) 1 udp 1 10.0.0.1 9 typ host",
      "candidate:1 1 udp 1 \(String(repeating: "a", count: 254)) 9 typ host",
    ])
  func badCandidates(line: String) {
    let good = TrickledCandidate(mid: "0", candidate: "candidate:1 1 udp 1 10.0.0.1 9 typ host")
    #expect {
      try Jingle(trickling: [good, .init(mid: "0", candidate: line)], sid: sid)
    } throws: { "\($0)".hasPrefix("line 2: ") }
  }

  @Test("Candidates of a transport or type that Jingle lacks are left out, and no more than its limit is kept")
  func strangeCandidates() throws {
    for line in ["candidate:1 1 ssltcp 1 10.0.0.1 9 typ host", "candidate:1 1 udp 1 10.0.0.1 9 typ moon"] {
      let jingle = try Jingle(trickling: [.init(mid: "0", candidate: line)], sid: sid)
      #expect(jingle.trickledCandidates == [])
    }
    let many = Array(repeating: "a=candidate:1 1 udp 1 10.0.0.1 9 typ host", count: 10_000).joined(separator: "\n")
    let read = try SessionDescription(parsing: sdp("m=audio 9 RTP/AVP 0\n\(many)"))
      .jingle(.sessionInitiate, sid: sid, from: .initiator)
    #expect(read.jingle.contents.first?.transport?.iceUDP?.candidates.count == ICETransport.maximumCandidates)
    #expect(read.omitted.count == 64)
    #expect(throws: SDPError.self) {
      try Jingle(
        trickling: Array(
          repeating: .init(mid: "0", candidate: "candidate:1 1 udp 1 10.0.0.1 9 typ host"), count: 10_000), sid: sid)
    }
  }

  @Test("A transport-info has the connections, a description-info the media")
  func partialActions() throws {
    let offer = try SessionDescription(parsing: chromiumsSDP)
    let restart = try offer.jingle(.transportInfo, sid: sid, from: .initiator).jingle
    #expect(restart.contents.map { $0.transport?.iceUDP?.ufrag } == ["t3Nn", "t3Nn"])
    #expect(restart.contents.allSatisfy { $0.description == nil && $0.fingerprint == nil })
    let gathered = try SessionDescription(parsing: chromiumsAnswerSDP).jingle(
      .transportInfo, sid: sid, from: .responder)
    #expect(gathered.jingle.contents.count == 1)
    #expect(gathered.jingle.trickledCandidates.count == 6)
    let media = try offer.jingle(.descriptionInfo, sid: sid, from: .initiator).jingle
    #expect(media.contents.allSatisfy { $0.description != nil && $0.transport == nil })
    #expect(media.groups == [])
    #expect(throws: SDPError.self) { try restart.sessionDescription(from: .initiator) }
  }
}

/// What SDP cannot say, made the same: candidates' ids, addresses, creators, one channel said or not.
func normal(_ jingle: Jingle) -> Jingle {
  var jingle = jingle
  jingle.initiator = nil
  jingle.responder = nil
  for index in jingle.contents.indices {
    jingle.contents[index].creator = .initiator
    if case .iceUDP(var transport) = jingle.contents[index].transport {
      for candidate in transport.candidates.indices { transport.candidates[candidate].id = "" }
      jingle.contents[index].transport = .iceUDP(transport)
    }
    if case .rtp(var description) = jingle.contents[index].description {
      let ptime = description.payloadTypes.lazy.compactMap(\.ptime).first
      for payloadType in description.payloadTypes.indices {
        if description.payloadTypes[payloadType].channels == 1 { description.payloadTypes[payloadType].channels = nil }
        description.payloadTypes[payloadType].ptime = ptime
        if description.payloadTypes[payloadType].clockrate == nil {
          description.payloadTypes[payloadType].clockrate = 8000
        }
      }
      jingle.contents[index].description = .rtp(description)
    }
  }
  return jingle
}
