import JingleCore
import Testing
import XMPPCore

@Suite struct XEP0260SOCKS5TransportCodingTests {
  /// XEP-0260, example 1, with an address that can be in place of one that cannot.
  static let offer = """
    <transport xmlns='urn:xmpp:jingle:transports:s5b:1' dstaddr='972b7bf47291ca609517f67f86b5081086052dad' mode='tcp' \
    sid='vj3hs98y'>\
    <candidate cid='hft54dqy' host='192.168.4.1' jid='romeo@montague.lit/orchard' port='5086' priority='8257636' \
    type='direct'/>\
    <candidate cid='hutr46fe' host='24.24.24.1' jid='romeo@montague.lit/orchard' port='5087' priority='8258636' \
    type='direct'/>\
    <candidate cid='xmdh4b7i' host='streamer.shakespeare.lit' jid='streamer.shakespeare.lit' port='7625' \
    priority='7878787' type='proxy'/></transport>
    """

  /// XEP-0260, example 3.
  static let answer = """
    <transport xmlns='urn:xmpp:jingle:transports:s5b:1' dstaddr='1a12fb7bc625e55f3ed5b29a53dbe0e4aa7d80ba' \
    sid='vj3hs98y'>\
    <candidate cid='ht567dq' host='192.169.1.10' jid='juliet@capulet.lit/balcony' port='6539' priority='8257636' \
    type='direct'/>\
    <candidate cid='grt654q2' host='2001:638:708:30c9:219:d1ff:fea4:a17d' jid='juliet@capulet.lit/balcony' \
    port='6539' priority='8257606' type='direct'/>\
    <candidate cid='hr65dqyd' host='134.102.201.180' jid='juliet@capulet.lit/balcony' port='16453' \
    priority='7929856' type='assisted'/></transport>
    """

  static func info(_ child: String) -> String {
    "<transport xmlns='urn:xmpp:jingle:transports:s5b:1' sid='vj3hs98y'>\(child)</transport>"
  }

  static let infos: [(String, SOCKS5Transport.Info)] = [
    ("<candidate-used cid='hr65dqyd'/>", .candidateUsed(cid: "hr65dqyd")), ("<candidate-error/>", .candidateError),
    ("<activated cid='xmdh4b7i'/>", .activated(cid: "xmdh4b7i")), ("<proxy-error/>", .proxyError),
  ]

  private func transport(_ text: String) throws -> SOCKS5Transport {
    let transport = try Jingle.Transport(xml(text))
    return try #require(transport.socks5)
  }

  @Test(arguments: [offer, answer] + infos.map { info($0.0) })
  func `The examples are read and written back unchanged`(text: String) throws {
    let read = try transport(text)
    #expect(read.element == (try xml(text)))
    #expect(read.droppedCandidates == 0)
    #expect(try SOCKS5Transport(read.element) == read)
  }

  @Test func `The example of an offer is understood`() throws {
    let read = try transport(Self.offer)
    #expect(read.sid == "vj3hs98y")
    #expect(read.mode == .tcp)
    #expect(read.destination?.text == "972b7bf47291ca609517f67f86b5081086052dad")
    #expect(read.candidates.map(\.kind) == [.direct, .direct, .proxy])
    #expect(read.candidates.map(\.port) == [5086, 5087, 7625])
    #expect(read.candidates.map(\.priority) == [8_257_636, 8_258_636, 7_878_787])
    #expect(read.candidates[2].jid == JID(localpart: nil, domainpart: "streamer.shakespeare.lit", resourcepart: nil))
    #expect(read.info == nil)
  }

  @Test(arguments: infos)
  func `News about candidates are understood`(child: String, info: SOCKS5Transport.Info) throws {
    #expect(try transport(Self.info(child)).info == info)
  }

  /// What Dino 0.4 sent.
  @Test func `Dino's candidates are read, with scopes too`() throws {
    let read = try transport(
      """
      <transport xmlns="urn:xmpp:jingle:transports:s5b:1" mode="tcp" \
      dstaddr="192fa4794a6db6d5cfd46848ea5a47c2daffd1dc" sid="e4cfff16-7777-4ecd-9fc7-df6dece7eefe">
        <candidate type="direct" priority="8290304" cid="9e9266f9-cba4-40e9-af74-67d9f546c507" host="10.77.0.1" \
      port="38339" jid="dinoa@example.test/dino-dinoa"/>
        <candidate type="direct" priority="8290301" cid="be508d7f-9833-4ba6-913e-b48c847d3fbe" \
      host="fe80::40e3:eeff:fec8:b2a7%rig0p" port="38389" jid="dinoa@example.test/dino-dinoa"/>
        <candidate type="proxy" priority="688128" cid="1ce36e5d-1448-4f13-84fa-f7378b1e3cbd" host="10.77.0.1" \
      port="5000" jid="proxy.example.test"/>
      </transport>
      """)
    #expect(read.droppedCandidates == 0)
    #expect(read.candidates.map(\.kind) == [.direct, .direct, .proxy])
    #expect(try SOCKS5Transport(read.element) == read)
  }

  @Test func `Priorities are those of the formula`() {
    #expect(SOCKS5Candidate.Kind.direct.priority(localPreference: 0) == 8_257_536)
    #expect(SOCKS5Candidate.Kind.direct.priority(localPreference: .max) == 8_323_071)
    #expect(SOCKS5Candidate.Kind.assisted.priority(localPreference: 65) == 7_864_385)
    #expect(SOCKS5Candidate.Kind.tunnel.priority(localPreference: 0) == 7_208_960)
    #expect(SOCKS5Candidate.Kind.proxy.priority(localPreference: 32_768) == 688_128)
  }

  static let candidates: [(String, Bool)] = [
    ("cid='c' host='10.0.0.1' jid='a@b.example/c' port='1' priority='1' type='direct'", true),
    ("cid='c' host='10.0.0.1' jid='a@b.example/c' priority='4294967295'", true),
    ("cid='c' host='relay.example' jid='relay.example' port='65535' priority='1' type='proxy'", true),
    ("cid='c' host='::1' jid='b.example' priority='1' type='tunnel'", true),
    ("cid='c' host='10.0.0.1' jid='b.example' priority='4294967296'", false),
    ("cid='c' host='10.0.0.1' jid='b.example' priority='0'", false),
    ("cid='c' host='10.0.0.1' jid='b.example' priority='-1'", false),
    ("cid='c' host='10.0.0.1' jid='b.example'", false), ("cid='c' host='10.0.0.1' priority='1'", false),
    ("cid='c' host='10.0.0.1' jid='@' priority='1'", false), ("cid='c' jid='b.example' priority='1'", false),
    ("host='10.0.0.1' jid='b.example' priority='1'", false), ("cid='' host='a' jid='b.example' priority='1'", false),
    ("cid='\(String(repeating: "c", count: 257))' host='a' jid='b.example' priority='1'", false),
    ("cid='c' host='a' jid='b.example' priority='1' port='0'", false),
    ("cid='c' host='a' jid='b.example' priority='1' port='65536'", false),
    ("cid='c' host='a' jid='b.example' priority='1' port=''", false),
    ("cid='c' host='a' jid='b.example' priority='1' type='relay'", false),
    ("cid='c' host='' jid='b.example' priority='1'", false), ("cid='c' host='a b' jid='b.example' priority='1'", false),
    ("cid='c' host='\(String(repeating: "h", count: 254))' jid='b.example' priority='1'", false),
    // Addresses of none or many, and what only looks like one.
    ("cid='c' host='0.0.0.0' jid='b.example' priority='1'", false),
    ("cid='c' host='255.255.255.255' jid='b.example' priority='1'", false),
    ("cid='c' host='224.0.0.1' jid='b.example' priority='1'", false),
    ("cid='c' host='ff02::1' jid='b.example' priority='1'", false),
    ("cid='c' host='::' jid='b.example' priority='1'", false),
    ("cid='c' host='123.456.7.8' jid='b.example' priority='1'", false),
  ]

  @Test(arguments: candidates)
  func `A malformed candidate is dropped alone`(attributes: String, isRead: Bool) throws {
    let read = try transport(
      Self.info(
        "<candidate \(attributes)/><candidate cid='d' host='10.0.0.2' jid='a@b.example/c' priority='2'/>"))
    #expect(read.candidates.count == (isRead ? 2 : 1))
    #expect(read.droppedCandidates == (isRead ? 0 : 1))
    #expect(read.candidates.last?.port == 1080)
  }

  @Test func `Candidates are bounded, and each has its own cid`() throws {
    let one = (0..<500).map { "<candidate cid='c\($0 % 100)' host='10.0.0.1' jid='b.example' priority='1'/>" }
    let read = try transport(Self.info(one.joined()))
    #expect(read.candidates.count == SOCKS5Transport.maximumCandidates)
    #expect(read.droppedCandidates == 500 - SOCKS5Transport.maximumCandidates)
    #expect(Set(read.candidates.map(\.cid)).count == read.candidates.count)
  }

  @Test(arguments: [
    "<transport xmlns='N'/>", "<transport xmlns='N' sid=''/>",
    "<transport xmlns='N' sid='\(String(repeating: "s", count: 257))'/>", "<transport xmlns='N' sid='s' mode='sctp'/>",
    "<transport xmlns='N' sid='s'><candidate-used/></transport>",
    "<transport xmlns='N' sid='s'><candidate-used cid=''/></transport>",
    "<transport xmlns='N' sid='s'><activated/></transport>",
  ])
  func `What concerns the whole bytestream must be right`(text: String) throws {
    let element = try xml(text.replacing("'N'", with: "'urn:xmpp:jingle:transports:s5b:1'"))
    #expect(throws: StanzaError.self) { try Jingle.Transport(element) }
  }

  @Test func `A hash that is none, and words from elsewhere, are overlooked`() throws {
    let read = try transport(
      """
      <transport xmlns='urn:xmpp:jingle:transports:s5b:1' sid='s' dstaddr='example.com' mode='udp'>
        <x xmlns='urn:x'/><future/><candidate-error/><proxy-error/><candidate xmlns='urn:x' cid='c'/>
      </transport>
      """)
    #expect(read == SOCKS5Transport(sid: "s", mode: .udp, info: .candidateError))
  }
}
