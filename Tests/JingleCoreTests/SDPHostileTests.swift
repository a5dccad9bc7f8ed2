import JingleCore
import Testing
import XMPPCore

@Suite struct SDPHostileTests {
  /// Both ways, as far as they go; what matters is that they come back.
  ///
  /// - Returns: whether the text is read.
  private func translate(_ text: String) throws -> Bool {
    let read: JingleFromSDP
    do {
      read = try SessionDescription(parsing: text).jingle(.sessionInitiate, sid: "1", from: .initiator)
    } catch { return false }
    #expect(read.omitted.count <= JingleFromSDP.maximumOmissions)
    let overTheWire = try Jingle(read.jingle.element)
    do {
      let written = try overTheWire.sessionDescription(from: .initiator).description.text()
      _ = try SessionDescription(parsing: written).jingle(.sessionInitiate, sid: "1", from: .initiator)
    } catch {
      // Whatever is written can be read.
      if case .malformed = error { Issue.record(error) }
    }
    return true
  }

  @Test(
    "A description cut after any line is read or refused", arguments: [chromiumsSDP, chromiumsAnswerSDP, firefoxsSDP])
  func truncated(text: String) throws {
    let lines = text.split(separator: "\r\n")
    for count in 0...lines.count {
      let isRead = try translate(lines.prefix(count).map { $0 + "\r\n" }.joined())
      #expect(isRead == (count >= 4), "\(count) lines")
    }
  }

  @Test(
    "A description with any line missing, doubled or cut is read or refused", arguments: [chromiumsSDP, firefoxsSDP])
  func damaged(text: String) throws {
    let lines = text.split(separator: "\r\n").map(String.init)
    for (index, line) in lines.enumerated() {
      for variant in [[], [line, line], [String(line.prefix(line.count / 2))]] {
        _ = try translate((lines[..<index] + variant + lines[(index + 1)...]).map { $0 + "\r\n" }.joined())
      }
    }
  }

  @Test("A line of any kind filled with nonsense is read or refused", arguments: [chromiumsAnswerSDP, firefoxsSDP])
  func nonsense(text: String) throws {
    let nonsense = [
      "", " ", ":", "/", "=", ";", "*", "0", "-1", "+1", "128", "65536", "4294967296", "99999999999999999999",
      "é\u{301}",
      "\t", "* *", "1 1 1 1 1 1 1 1 1", String(repeating: "x", count: 5000), String(repeating: "1 ", count: 5000),
      "<&>'\"",
    ]
    var heads: Set<Substring> = []
    for line in text.split(separator: "\r\n").dropFirst() where heads.insert(line.prefix { $0 != ":" }).inserted {
      let first = line.prefix { $0 != " " }
      for word in nonsense {
        for variant in ["\(line.prefix { $0 != ":" }):\(word)", "\(first) \(word)", "\(line)\(word)"] {
          _ = try translate("v=0\n\(variant)\no=- 1 2 IN IP4 x\ns=-\nt=0 0\nm=audio 9 RTP/AVP 111 96\n\(variant)\n")
        }
      }
    }
  }

  @Test(
    "A malformed attribute is refused with its line",
    arguments: [
      "a=rtpmap:0", "a=rtpmap:x PCMU/8000", "a=rtpmap:128 PCMU/8000", "a=rtpmap:0 PCMU", "a=rtpmap:0 /8000",
      "a=rtpmap:0 PCMU/8000/256", "a=rtpmap:0 PCMU/4294967296", "a=fmtp:0", "a=ptime:x", "a=maxptime", "a=rtcp-fb:0",
      "a=rtcp-fb:x nack", "a=rtcp-fb:0 trr-int", "a=extmap:0 urn:x", "a=extmap:256 urn:x", "a=extmap:1/up urn:x",
      "a=extmap:1", "a=extmap:1/sendonly/x urn:x", "a=ssrc:1", "a=ssrc:x cname:y", "a=ssrc:4294967296 cname:y",
      "a=ssrc:1 :y", "a=ssrc-group:FID", "a=ssrc-group:FID x", "a=ssrc-group:FID 1 1", "a=crypto:1 x",
      "a=zrtp-hash:x", "a=zrtp-hash:1 2 3", "a=rtcp-xr:é", "a=rtcp-xr:\(String(repeating: "x", count: 257))",
      "a=content", "a=content:", "a=content:alt,", "a=content:a b",
      "a=content:\(String(repeating: "x", count: 65))", "a=ice-ufrag",
      "a=ice-ufrag:", "a=ice-pwd:a b", "a=ice-pwd:\(String(repeating: "x", count: 257))", "a=fingerprint:sha-256",
      "a=fingerprint:sha-256 00:11", "a=fingerprint:sha-256 zz", "a=setup:up", "a=candidate:x",
      "a=remote-candidates:1 x",
      "a=remote-candidates:0 10.0.0.1 9", "a=mid", "a=mid:a b", "a=mid:",
    ])
  func malformed(line: String) throws {
    let description = try SessionDescription(parsing: sdp("m=audio 9 RTP/AVP 0\n\(line)\na=unknown:x"))
    #expect {
      try description.jingle(.sessionInitiate, sid: "1", from: .initiator)
    } throws: { "\($0)".hasPrefix("line 6: ") }
  }

  @Test(
    "What may be absent or strange is read over",
    arguments: [
      "a=rtpmap:5 x/1", "a=fmtp:5 x", "a=rtcp-fb:5 nack", "a=fingerprint:sha-1 00:11", "a=ice-options:rtp+ecn", "a=foo",
      "a=msid:a b", "a=rid:h send", "b=AS:1\nb=TIAS:1000", "a=tls-id:x", "a=ice-options:9x",
      "a=extmap:1 urn:x\na=extmap:1 urn:y", "a=content:unheard-of", "a=rtcp-xr", "a=rtcp-xr:\na=rtcp-xr:x",
      "a=content:main,main\na=content:main",
    ])
  func tolerated(line: String) throws {
    let description = try SessionDescription(parsing: sdp("m=audio 9 RTP/AVP 0\n\(line)"))
    let jingle = try description.jingle(.sessionInitiate, sid: "1", from: .initiator).jingle
    _ = try Jingle(try xml(jingle.element.serialized()))
  }

  @Test(
    "Multitudes are bounded",
    arguments: [
      "rtpmap", "fmtp", "rtcp-fb", "extmap", "ssrc", "ssrc-group", "crypto", "zrtp-hash", "content", "rtcp-xr", "msid",
      "x",
    ])
  func multitudes(attribute: String) throws {
    let lines = (1...10_000).map { number in
      switch attribute {
      case "rtpmap": "a=rtpmap:0 PCMU/8000"
      case "fmtp": "a=fmtp:0 a\(number)=1"
      case "rtcp-fb": "a=rtcp-fb:0 a\(number)"
      case "extmap": "a=extmap:\(4096 + number) urn:x:\(number)"
      case "ssrc": "a=ssrc:\(number) cname:x"
      case "ssrc-group": "a=ssrc-group:FID \(number)"
      case "zrtp-hash": "a=zrtp-hash:\(number) a"
      case "rtcp-xr": "a=rtcp-xr:\(number)"
      case "msid": number == 1 ? "a=ssrc:1 cname:x" : "a=msid:\(number) a"
      case "content": "a=content:a\(number),b\(number)"
      case "crypto": "a=crypto:\(number) a b"
      default: "a=x\(number)"
      }
    }
    let description = try SessionDescription(parsing: sdp("m=audio 9 RTP/AVP 0\n" + lines.joined(separator: "\n")))
    let read = try description.jingle(.sessionInitiate, sid: "1", from: .initiator)
    #expect(read.omitted.count <= 64)
    #expect(try Jingle(read.jingle.element) == read.jingle)
  }

  @Test(
    "Jingle with which a peer would write lines of its own is refused",
    arguments: [
      "name='a&#10;b'", "name='a/b'", "name='a b'", "name=''", "name='x&#13;'",
    ])
  func injectionByPayloadType(attribute: String) throws {
    let stanza = """
      <jingle xmlns='urn:xmpp:jingle:1' action='session-initiate' sid='1'><content creator='initiator' name='x'>\
      <description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'>\
      <payload-type id='96' clockrate='8000' \(attribute)/>\
      </description></content></jingle>
      """
    let jingle = try jingle(stanza)
    #expect(throws: SDPError.self) { try jingle.sessionDescription(from: .initiator).description.text() }
  }

  @Test(
    "So are parameters, sources, keys and names that do",
    arguments: [
      "<payload-type id='0'><parameter name='a&#10;b' value='1'/></payload-type>",
      "<payload-type id='0'><parameter name='a' value='1;b=2'/></payload-type>",
      "<payload-type id='0'><parameter name='a' value='1&#13;&#10;a=x'/></payload-type>",
      """
      <payload-type id='0'/><source xmlns='urn:xmpp:jingle:apps:rtp:ssma:0' ssrc='1'>\
      <parameter name='cname' value='x&#10;a=candidate:1'/></source>
      """,
      """
      <payload-type id='0'/><source xmlns='urn:xmpp:jingle:apps:rtp:ssma:0' ssrc='1'>\
      <parameter name='cname:x' value='y'/></source>
      """,
      "<payload-type id='0'/><encryption><zrtp-hash xmlns='urn:xmpp:jingle:apps:rtp:zrtp:1'>x</zrtp-hash></encryption>",
      "<payload-type id='0'/><rtcp-xr xmlns='urn:ietf:rfc:3611'>x&#10;a=candidate:1</rtcp-xr>",
      "<payload-type id='0'/><encryption><crypto tag='1' crypto-suite='a&#10;b' key-params='c'/></encryption>",
    ])
  func injectionByDescription(xml: String) throws {
    let stanza = """
      <jingle xmlns='urn:xmpp:jingle:1' action='session-initiate' sid='1'><content creator='initiator' name='x'>\
      <description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'>\(xml)</description></content></jingle>
      """
    let jingle = try jingle(stanza)
    #expect(throws: SDPError.self) { try jingle.sessionDescription(from: .initiator).description.text() }
  }

  @Test("A content that SDP cannot name, or twice the same, is refused")
  func contentNames() throws {
    let description = RTPDescription(media: "audio", payloadTypes: [RTPPayloadType(id: 0, name: "PCMU")])
    for names in [["a b"], ["é"], ["a\r\nb"], ["a", "a"]] {
      let jingle = Jingle(
        .sessionInitiate, sid: "1", contents: names.map { .init(name: $0, description: .rtp(description)) })
      #expect(throws: SDPError.self) { try jingle.sessionDescription(from: .initiator) }
    }
  }

  @Test("A peer's stanza, broken in every way, becomes SDP or is refused")
  func brokenStanzas() throws {
    for twin in brokenTwins(of: try xml(chromiumsAnswer)) {
      guard let jingle = try? Jingle(twin) else { continue }
      _ = try? jingle.sessionDescription(from: .responder).description.text()
    }
  }
}
