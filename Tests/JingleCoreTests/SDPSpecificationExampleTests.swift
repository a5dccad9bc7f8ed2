import JingleCore
import Testing
import XMPPCore

/// The SDP that the specifications show, with the Jingle that they show beside it.
@Suite struct SDPSpecificationExampleTests {
  struct Example: CustomTestStringConvertible, Sendable {
    var name: String
    /// From the first m-line on.
    var sdp: String
    /// The description's children, one string for each m-line. Clock rates of static payload types are filled in.
    var jingle: [String]
    var party = Jingle.Party.initiator
    /// Lines whose words come back in another form.
    var rewritten: [String: String] = [:]
    var testDescription: String { name }
  }

  private static let theora = """
    a=fmtp:98 sampling=YCbCr-4:2:2; width=800; height=600; delivery-method=inline; \
    configuration=somebase16string;
    """

  static let all: [Example] = [
    Example(
      name: "XEP-0167 §6: comfort noise, which is static", sdp: "m=audio 9 RTP/AVP 13",
      jingle: ["<payload-type id='13' name='CN' clockrate='8000'/>"]),
    Example(
      name: "XEP-0167 §6: Speex", sdp: "m=audio 9 RTP/AVP 96\na=rtpmap:96 speex/16000",
      jingle: ["<payload-type id='96' name='speex' clockrate='16000'/>"]),
    Example(
      name: "XEP-0167 §6: Speex with parameters",
      sdp: "m=audio 9 RTP/AVP 96\na=rtpmap:96 speex/16000\na=ptime:40\na=fmtp:96 vbr=on;cng=on",
      jingle: [
        """
        <payload-type id='96' name='speex' clockrate='16000' ptime='40'>\
        <parameter name='vbr' value='on'/><parameter name='cng' value='on'/></payload-type>
        """
      ]),
    Example(
      name: "XEP-0167 §6: Theora, its parameters parted by spaces",
      sdp: """
        m=video 9 RTP/AVP 98
        a=rtpmap:98 theora/90000
        \(theora)
        """,
      jingle: [
        """
        <payload-type id='98' name='theora' clockrate='90000'><parameter name='sampling' value='YCbCr-4:2:2'/>\
        <parameter name='width' value='800'/><parameter name='height' value='600'/>\
        <parameter name='delivery-method' value='inline'/><parameter name='configuration' value='somebase16string'/>\
        </payload-type>
        """
      ],
      rewritten: [
        theora: String(theora.dropLast()).replacing("; ", with: ";")
      ]),
    Example(
      name: "XEP-0167 §7.1: SDES keys",
      sdp: """
        m=audio 9 RTP/SAVP 0
        a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^20|1:32 \
        KDR=1 UNENCRYPTED_SRTCP
        a=rtpmap:0 PCMU/8000
        """,
      jingle: [
        """
        <payload-type id='0' name='PCMU' clockrate='8000'/><encryption required='1'>\
        <crypto crypto-suite='AES_CM_128_HMAC_SHA1_80' \
        key-params='inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^20|1:32' \
        session-params='KDR=1 UNENCRYPTED_SRTCP' tag='1'/></encryption>
        """
      ]),
    Example(
      name: "XEP-0262 §1: ZRTP's hash",
      sdp: """
        m=audio 9 RTP/AVP 0
        a=zrtp-hash:1.10 fe30efd02423cb054e50efd0248742ac7a52c8f91bc2df881ae642c371ba46df
        a=rtpmap:0 PCMU/8000
        """,
      jingle: [
        """
        <payload-type id='0' name='PCMU' clockrate='8000'/><encryption>\
        <zrtp-hash version='1.10' xmlns='urn:xmpp:jingle:apps:rtp:zrtp:1'>\
        fe30efd02423cb054e50efd0248742ac7a52c8f91bc2df881ae642c371ba46df</zrtp-hash></encryption>
        """
      ]),
    Example(
      name: "XEP-0293 §5: feedback of a whole content and of one payload type",
      sdp: """
        m=audio 9 RTP/AVP 0
        a=rtpmap:0 PCMU/8000
        m=video 9 RTP/AVPF 98 99
        a=rtpmap:98 H263-1998/90000
        a=rtpmap:99 H261/90000
        a=rtcp-fb:* nack
        a=rtcp-fb:98 nack rpsi
        a=rtcp-fb:98 trr-int 100
        """,
      jingle: [
        "<payload-type id='0' name='PCMU' clockrate='8000'/>",
        """
        <rtcp-fb xmlns='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' type='nack'/>\
        <payload-type id='98' name='H263-1998' clockrate='90000'>\
        <rtcp-fb xmlns='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' type='nack' subtype='rpsi'/>\
        <rtcp-fb-trr-int xmlns='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' value='100'/></payload-type>\
        <payload-type id='99' name='H261' clockrate='90000'/>
        """,
      ]),
    Example(
      // What is `recvonly` to the one who describes is sent by the initiator, as the XEP has it, in an answer.
      name: "XEP-0294 §5: header extensions of two-byte and one-byte form",
      sdp: """
        m=video 9 RTP/AVP 34
        a=sendrecv
        a=extmap:1 URI-toffset
        a=extmap:2/recvonly URI-gps-string
        a=extmap:3 URI-frametype
        a=extmap-allow-mixed
        a=rtpmap:34 H263/90000
        """,
      jingle: [
        """
        <payload-type id='34' name='H263' clockrate='90000'/>\
        <rtp-hdrext xmlns='urn:xmpp:jingle:apps:rtp:rtp-hdrext:0' id='1' uri='URI-toffset'/>\
        <rtp-hdrext xmlns='urn:xmpp:jingle:apps:rtp:rtp-hdrext:0' id='2' uri='URI-gps-string' senders='initiator'/>\
        <rtp-hdrext xmlns='urn:xmpp:jingle:apps:rtp:rtp-hdrext:0' id='3' uri='URI-frametype'/>\
        <extmap-allow-mixed xmlns='urn:xmpp:jingle:apps:rtp:rtp-hdrext:0'/>
        """
      ], party: .responder),
    Example(
      name: "XEP-0339 §2.1: a source and its stream",
      sdp: """
        m=audio 9 RTP/AVP 0
        a=rtpmap:0 PCMU/8000
        a=ssrc:1656081975 cname:Yv/wvbCdsDW2Prgd
        a=ssrc:1656081975 msid:MLTJKIHilGn71fNQoszkQ4jlPTuS5vJyKVIv MLTJKIHilGn71fNQoszkQ4jlPTuS5vJyKVIva0
        """,
      jingle: [
        """
        <payload-type id='0' name='PCMU' clockrate='8000'/>\
        <source ssrc='1656081975' xmlns='urn:xmpp:jingle:apps:rtp:ssma:0'>\
        <parameter name='cname' value='Yv/wvbCdsDW2Prgd'/><parameter name='msid' \
        value='MLTJKIHilGn71fNQoszkQ4jlPTuS5vJyKVIv MLTJKIHilGn71fNQoszkQ4jlPTuS5vJyKVIva0'/></source>
        """
      ]),
    Example(
      name: "XEP-0339 §3: two sources, each with its retransmissions",
      sdp: """
        m=video 9 RTP/SAVPF 100 34
        a=rtpmap:100 VP8/90000
        a=ssrc-group:FID 2301230316 386328120
        a=ssrc:2301230316 cname:T5qvrIZj42v//eYQ
        a=ssrc:386328120 cname:uEYgNtStZyTF74sM
        a=ssrc-group:FID 3139499595 2613715171
        a=ssrc:3139499595 cname:re8jhxkly9bxzuxr
        a=ssrc:2613715171 cname:f83avsiw6n1m7vi
        """,
      jingle: [
        """
        <payload-type id='100' name='VP8' clockrate='90000'/><payload-type id='34' name='H263' clockrate='90000'/>\
        <ssrc-group xmlns='urn:xmpp:jingle:apps:rtp:ssma:0' semantics='FID'><source ssrc='2301230316'/>\
        <source ssrc='386328120'/></ssrc-group>\
        <ssrc-group xmlns='urn:xmpp:jingle:apps:rtp:ssma:0' semantics='FID'><source ssrc='3139499595'/>\
        <source ssrc='2613715171'/></ssrc-group>\
        <source ssrc='2301230316' xmlns='urn:xmpp:jingle:apps:rtp:ssma:0'>\
        <parameter name='cname' value='T5qvrIZj42v//eYQ'/></source>\
        <source ssrc='386328120' xmlns='urn:xmpp:jingle:apps:rtp:ssma:0'>\
        <parameter name='cname' value='uEYgNtStZyTF74sM'/></source>\
        <source ssrc='3139499595' xmlns='urn:xmpp:jingle:apps:rtp:ssma:0'>\
        <parameter name='cname' value='re8jhxkly9bxzuxr'/></source>\
        <source ssrc='2613715171' xmlns='urn:xmpp:jingle:apps:rtp:ssma:0'>\
        <parameter name='cname' value='f83avsiw6n1m7vi'/></source>
        """
      ],
      // An element of SDES keys would be empty here, so the profile of the m-line is not kept.
      rewritten: ["m=video 9 RTP/SAVPF 100 34": "m=video 9 RTP/AVP 100 34"]),
    Example(
      name: "XEP-0507 §3: slides, the speaker and sign language",
      sdp: """
        m=video 9 RTP/AVP 31
        a=rtpmap:31 H261/9000
        a=content:slides,alt
        m=video 9 RTP/AVP 31
        a=rtpmap:31 H261/9000
        a=content:speaker
        m=video 9 RTP/AVP 31
        a=rtpmap:31 H261/9000
        a=content:sl
        """,
      jingle: [["slides", "alt"], ["speaker"], ["sl"]].map { names in
        names.map { "<category xmlns='urn:xmpp:jingle:apps:category:0' name='\($0)'/>" }.joined()
          + "<payload-type id='31' name='H261' clockrate='9000'/>"
      }),
  ]

  @Test("Its SDP becomes its Jingle", arguments: all)
  func intoJingle(example: Example) throws {
    let read = try SessionDescription(parsing: sdp(example.sdp))
      .jingle(example.action, sid: sid, from: example.party)
    #expect(read.omitted == [])
    #expect(read.jingle.contents.count == example.jingle.count)
    for (content, expected) in zip(read.jingle.contents, example.jingle) {
      let media = try #require(content.description?.rtp?.media)
      #expect(content.description?.rtp == (try description(expected, media: media)))
    }
  }

  @Test("Its Jingle becomes its SDP", arguments: all)
  func intoSDP(example: Example) throws {
    let lines = example.sdp.split(separator: "\n").map(String.init)
    let media = lines.filter { $0.hasPrefix("m=") }.map { String($0.dropFirst(2).prefix { $0 != " " }) }
    var stanza = Jingle(example.action, sid: "1")
    for (index, children) in example.jingle.enumerated() {
      stanza.contents.append(
        .init(name: "x\(index)", description: .rtp(try description(children, media: media[index]))))
    }
    let written = try stanza.sessionDescription(from: example.party)
    #expect(written.omitted == [])
    let expected = lines.map { example.rewritten[$0] ?? $0 }
    let text = try written.description.text()
    let session = try #require(text.split(separator: "\r\nm=").first).split(separator: "\r\n").map(String.init)
    for (own, section) in zip(sections(expected.joined(separator: "\r\n")), sections(text)) {
      // Above the first m-line stands what counts for all.
      let missing = own.subtracting(section).subtracting(session)
      #expect(missing == [])
      // What ICE and names need, and what the direction and the static payload types are without being told.
      let besides = section.subtracting(own).filter { line in
        !["c=", "a=mid:", "a=sendrecv", "a=msid:"].contains { line.hasPrefix($0) }
          && !(line.hasPrefix("a=rtpmap:") && (line.hasSuffix(" CN/8000") || line.hasSuffix(" H263/90000")))
      }
      #expect(besides == [])
    }
  }

  /// The lines of each m-line.
  private func sections(_ text: String) -> [Set<String>] {
    var sections: [Set<String>] = []
    for line in text.split(separator: "\r\n").map(String.init) {
      if line.hasPrefix("m=") { sections.append([]) }
      if !sections.isEmpty { sections[sections.count - 1].insert(line) }
    }
    return sections
  }

  @Test("XEP-0320 §2: a fingerprint and the role that goes with it")
  func fingerprint() throws {
    let value = """
      02:1A:CC:54:27:AB:EB:9C:53:3F:3E:4B:65:2E:7D:46:\
      3F:54:42:CD:54:F1:7A:03:A2:7D:F9:B0:7F:46:19:B2
      """
    let line = "a=fingerprint:sha-256 \(value)"
    let text = sdp("m=audio 9 UDP/TLS/RTP/SAVP 0\n\(line)\na=setup:actpass")
    let read = try SessionDescription(parsing: text).jingle(.sessionInitiate, sid: sid, from: .initiator)
    let expected = try xml(
      """
      <fingerprint xmlns='urn:xmpp:jingle:apps:dtls:0' hash='sha-256' setup='actpass'>\(value)</fingerprint>
      """)
    let transport = try #require(read.jingle.contents.first?.transport?.iceUDP)
    #expect(transport.element.children == [expected])
    let written = try Jingle(read.jingle.element).sessionDescription(from: .initiator).description.text()
    #expect(written.contains("\(line)\r\na=setup:actpass\r\n"))
  }

  @Test("XEP-0338 §2: lip sync of voice and webcam")
  func group() throws {
    let text = sdpText(
      """
      v=0
      o=- 1 2 IN IP4 127.0.0.1
      s=-
      t=0 0
      a=group:LS voice webcam
      m=audio 9 RTP/AVP 0
      a=mid:voice
      m=video 9 RTP/AVP 34
      a=mid:webcam
      """)
    let read = try SessionDescription(parsing: text).jingle(.sessionInitiate, sid: sid, from: .initiator)
    let expected = try xml(
      """
      <group xmlns='urn:xmpp:jingle:apps:grouping:0' semantics='LS'><content name='voice'/>\
      <content name='webcam'/></group>
      """)
    #expect(read.jingle.element.children.contains(expected))
    let written = try Jingle(read.jingle.element).sessionDescription(from: .initiator).description.text()
    #expect(written.contains("a=group:LS voice webcam\r\n"))
  }
}

extension SDPSpecificationExampleTests.Example {
  fileprivate var action: Jingle.Action { party == .initiator ? .sessionInitiate : .sessionAccept }
}
