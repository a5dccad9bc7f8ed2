import JingleCore
import Testing
import XMPPCore

@Suite struct XEP0176ICEUDPCodingTests {
  static let host = """
    <candidate component='1' foundation='1' generation='0' id='el0747fg11' ip='10.0.1.1' network='1' port='8998'
               priority='2130706431' protocol='udp' type='host'/>
    """
  static let reflexive = """
    <candidate component='1' foundation='2' generation='1' id='y3s2b30v3r' ip='192.0.2.3' network='1' port='45664'
               priority='1694498815' protocol='udp' rel-addr='10.0.1.1' rel-port='8998' type='srflx'/>
    """

  func transport(_ inside: String, attributes: String = "pwd='asd88fgpdd777uzjYhagZg' ufrag='8hhy'") throws -> ICETransport {
    try ICETransport(xml("<transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' \(attributes)>\(inside)</transport>"))
  }

  @Test func `The example's candidates are read`() throws {
    let transport = try transport(Self.host + Self.reflexive)
    #expect(transport.ufrag == "8hhy")
    #expect(transport.pwd == "asd88fgpdd777uzjYhagZg")
    #expect(
      transport.candidates == [
        ICECandidate(
          foundation: "1", id: "el0747fg11", ip: "10.0.1.1", network: 1, port: 8998, priority: 2_130_706_431, kind: .host),
        ICECandidate(
          foundation: "2", generation: 1, id: "y3s2b30v3r", ip: "192.0.2.3", network: 1, port: 45664,
          priority: 1_694_498_815, relatedAddress: "10.0.1.1", relatedPort: 8998, kind: .srflx),
      ])
    #expect(try ICETransport(transport.element) == transport)
  }

  @Test func `The example of a selected candidate is read`() throws {
    let transport = try transport("<remote-candidate component='1' ip='10.0.1.2' port='9001'/>")
    #expect(transport.remoteCandidates == [ICETransport.RemoteCandidate(component: 1, ip: "10.0.1.2", port: 9001)])
    #expect(try ICETransport(transport.element) == transport)
  }

  @Test(arguments: [
    ("component='1'", ""), ("component='1'", "component='0'"), ("component='1'", "component='256'"),
    ("foundation='1'", ""), ("foundation='1'", "foundation=''"), ("foundation='1'", "foundation='1 2'"),
    ("ip='10.0.1.1'", ""), ("ip='10.0.1.1'", "ip=''"), ("ip='10.0.1.1'", "ip='10.0.1.1 typ host'"),
    ("port='8998'", ""), ("port='8998'", "port='0'"), ("port='8998'", "port='65536'"), ("port='8998'", "port='+8998'"),
    ("priority='2130706431'", ""), ("priority='2130706431'", "priority='0'"),
    // The specification's own example of a late candidate has this priority; ICE's end at 2³¹ − 1.
    ("priority='2130706431'", "priority='21149780477'"),
    ("protocol='udp'", ""), ("protocol='udp'", "protocol='sctp'"),
    ("type='host'", ""), ("type='host'", "type='guest'"),
  ])
  func `A malformed candidate is dropped alone and counted`(original: String, broken: String) throws {
    let before = Self.host.split(separator: original, maxSplits: 1)
    try #require(before.count == 2)
    let candidate = before.joined(separator: broken)
    let transport = try transport(candidate + Self.reflexive)
    #expect(transport.candidates.map(\.id) == ["y3s2b30v3r"])
    #expect(transport.droppedCandidates == 1)
  }

  @Test(arguments: ["generation='0'", "id='el0747fg11'", "network='1'"])
  func `A candidate without what no check needs is kept`(attribute: String) throws {
    let candidate = Self.host.split(separator: attribute, maxSplits: 1).joined()
    #expect(try transport(candidate).candidates.count == 1)
  }

  @Test func `Candidates for RTCP are kept and marked`() throws {
    let transport = try transport(Self.host.split(separator: "component='1'").joined(separator: "component='2'"))
    #expect(transport.candidates.map(\.isForRTCP) == [true])
  }

  @Test func `TCP candidates and names are kept`() throws {
    let transport = try transport(
      """
      <candidate component='1' foundation='3' generation='0' id='t' ip='0b3f.local' port='9' priority='1518283007'
                 protocol='TCP' tcptype='active' type='host'/>
      """)
    #expect(transport.candidates.first?.transportProtocol == .tcp)
    #expect(transport.candidates.first?.tcpType == "active")
    #expect(transport.candidates.first?.ip == "0b3f.local")
    #expect(try ICETransport(transport.element) == transport)
  }

  @Test func `A transport may be empty, lack its password, or end gathering`() throws {
    #expect(try transport("", attributes: "") == ICETransport())
    #expect(try transport("", attributes: "ufrag='8hhy'").pwd == nil)
    #expect(try transport("<gathering-complete/>").extensions.map(\.name) == ["gathering-complete"])
  }

  @Test(arguments: ["ufrag='8 hy'", "ufrag='8hhy&#10;a=x' pwd='x'", "ufrag='8hhy' pwd='p&#233;'"])
  func `Credentials that could not stand in SDP are a bad request`(attributes: String) {
    let error = #expect(throws: StanzaError.self) { try transport("", attributes: attributes) }
    #expect(error?.condition == .badRequest)
  }

  @Test func `What is more than the bound is dropped`() throws {
    let transport = try transport(String(repeating: Self.host, count: ICETransport.maximumCandidates + 10))
    #expect(transport.candidates.count == ICETransport.maximumCandidates)
    #expect(transport.droppedCandidates == 10)
  }

  @Test(arguments: [
    (ICETransport(ufrag: "g7qs", pwd: "bv71hdn38hgb39hf6xlk33"), true),
    (ICETransport(ufrag: "8hhy", pwd: "bv71hdn38hgb39hf6xlk33"), true),
    (ICETransport(ufrag: "g7qs"), true),
    (ICETransport(ufrag: "8hhy", pwd: "asd88fgpdd777uzjYhagZg"), false),
    (ICETransport(ufrag: "8hhy"), false),
    (ICETransport(), false),
  ])
  func `New credentials restart ICE`(next: ICETransport, restarts: Bool) {
    #expect(next.restarts(ICETransport(ufrag: "8hhy", pwd: "asd88fgpdd777uzjYhagZg")) == restarts)
  }
}
