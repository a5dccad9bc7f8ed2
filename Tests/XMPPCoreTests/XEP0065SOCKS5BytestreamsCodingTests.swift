import Testing
import XMPPCore

@Suite struct XEP0065SOCKS5BytestreamsCodingTests {
  /// XEP-0065, examples 5, 6, 9, 11, 12, 15 and 17; the values of mode and dstaddr are added.
  static let examples = [
    "<query xmlns='http://jabber.org/protocol/bytestreams'/>",
    """
    <query xmlns='http://jabber.org/protocol/bytestreams'>\
    <streamhost host='24.24.24.1' jid='streamer.example.com' port='7625'/></query>
    """,
    """
    <query xmlns='http://jabber.org/protocol/bytestreams' sid='vxf9n471bn46'>\
    <streamhost host='192.168.4.1' jid='requester@example.com/foo' port='5086'/></query>
    """,
    """
    <query xmlns='http://jabber.org/protocol/bytestreams' sid='vxf9n471bn46'>\
    <streamhost-used jid='requester@example.com/foo'/></query>
    """,
    """
    <query xmlns='http://jabber.org/protocol/bytestreams' sid='vxf9n471bn46'>\
    <activate>target@example.org/bar</activate></query>
    """,
    """
    <query xmlns='http://jabber.org/protocol/bytestreams' dstaddr='416781edf1ae50bad01cb8509ba35b43952bc345' \
    mode='udp' sid='yia72g3v49j7'><streamhost host='2001:db8::1' jid='streamer.example.com' port='7625'/></query>
    """,
  ]

  @Test("The examples are read and written back unchanged", arguments: examples)
  func wholeExamples(text: String) throws {
    let element = try stanza(text)
    #expect(try BytestreamQuery(element).element == element)
  }

  @Test("A proxy is asked for its address, and to let the bytestream flow")
  func requests() throws {
    #expect(BytestreamQuery.addressRequest == (try stanza(Self.examples[0])))
    #expect(
      BytestreamQuery.activation(sid: "vxf9n471bn46", target: try jid("target@example.org/bar"))
        == (try stanza(Self.examples[4])))
  }

  @Test(
    "The destination is the hash that proxies and real clients compute",
    arguments: [
      // XEP-0260, examples 1 and 3; Dino to Dino.
      (
        "vj3hs98y", "romeo@montague.lit/orchard", "juliet@capulet.lit/balcony",
        "972b7bf47291ca609517f67f86b5081086052dad"
      ),
      (
        "vj3hs98y", "juliet@capulet.lit/balcony", "romeo@montague.lit/orchard",
        "1a12fb7bc625e55f3ed5b29a53dbe0e4aa7d80ba"
      ),
      (
        "e4cfff16-7777-4ecd-9fc7-df6dece7eefe", "dinoa@example.test/dino-dinoa", "dinob@example.test/dino-dinob",
        "192fa4794a6db6d5cfd46848ea5a47c2daffd1dc"
      ),
      // Addresses count as they are prepared.
      (
        "vj3hs98y", "ROMEO@Montague.Lit/orchard", "juliet@capulet.lit/balcony",
        "972b7bf47291ca609517f67f86b5081086052dad"
      ),
    ])
  func destination(sid: String, requester: String, target: String, hash: String) throws {
    #expect(SOCKS5Destination(sid: sid, requester: try jid(requester), target: try jid(target)).text == hash)
  }

  @Test("A destination that somebody tells is a hash or nothing, and the same in capitals")
  func toldDestination() throws {
    let hash = "416781edf1ae50bad01cb8509ba35b43952bc345"
    #expect(SOCKS5Destination(hash)?.text == hash)
    #expect(SOCKS5Destination(hash) == SOCKS5Destination(hash.uppercased()))
    #expect(SOCKS5Destination(hash.uppercased())?.text == hash.uppercased())
    #expect(Set([SOCKS5Destination(hash), SOCKS5Destination(hash.uppercased())]).count == 1)
    for text in ["", String(hash.dropLast()), hash + "0", hash.dropLast() + "g", "example.com", hash.dropLast() + "é"] {
      #expect(SOCKS5Destination(text) == nil)
    }
  }

  @Test(
    "A stream host without what it must have is left out",
    arguments: [
      ("jid='a.example' host='b.example'", 1080), ("jid='a.example' host='b.example' port='1'", 1),
      ("jid='a.example' host='fe80::1%eth0' port='65535'", 65535),
      ("jid='a.example' host='b.example' port='0'", nil), ("jid='a.example' host='b.example' port='65536'", nil),
      ("jid='a.example' host='b.example' port='-1'", nil), ("jid='a.example' host='b.example' port=''", nil),
      ("host='b.example' port='1'", nil), ("jid='@' host='b.example' port='1'", nil), ("jid='a.example' port='1'", nil),
      ("jid='a.example' host='' port='1'", nil), ("jid='a.example' host='b c' port='1'", nil),
      ("jid='a.example' host='b/c' port='1'", nil), ("jid='a.example' host='b&#10;' port='1'", nil),
    ] as [(String, UInt16?)])
  func streamHosts(attributes: String, port: UInt16?) throws {
    let text = "<query xmlns='http://jabber.org/protocol/bytestreams'><streamhost \(attributes)/></query>"
    guard case .streamHosts(let hosts) = try BytestreamQuery(stanza(text)).content else {
      Issue.record("not a list")
      return
    }
    #expect(hosts.map(\.port) == (port.map { [$0] } ?? []))
  }

  @Test(
    "What is malformed as a whole is refused",
    arguments: [
      "<query xmlns='N' sid=''/>", "<query xmlns='N' mode='sctp'/>", "<query xmlns='urn:other'/>", "<iq xmlns='N'/>",
      "<query xmlns='N'><activate>a@b.example</activate></query>",
      "<query xmlns='N' sid='s'><activate>@</activate></query>", "<query xmlns='N' sid='s'><activate/></query>",
      "<query xmlns='N' sid='s'><streamhost-used/></query>",
      "<query xmlns='N' sid='s'><streamhost-used jid='a@/'/></query>",
      "<query xmlns='N' sid='\(String(repeating: "s", count: 1025))'/>",
    ])
  func malformed(text: String) throws {
    let element = try stanza(text.replacing("'N'", with: "'http://jabber.org/protocol/bytestreams'"))
    #expect(throws: StanzaError.self) { try BytestreamQuery(element) }
  }

  @Test("Of a list without end, the beginning is read")
  func bounds() throws {
    let host = "<streamhost jid='a.example' host='b.example'/>"
    let text =
      "<query xmlns='http://jabber.org/protocol/bytestreams'>\(String(repeating: host, count: 1000))</query>"
    guard case .streamHosts(let hosts) = try BytestreamQuery(stanza(text)).content else { return }
    #expect(hosts.count == BytestreamQuery.maximumStreamHosts)
  }

  @Test("Nothing that is nearly right does harm", arguments: examples)
  func mutations(text: String) throws {
    for element in try stanza(text).mutations {
      guard let read = try? BytestreamQuery(element) else { continue }
      #expect(try BytestreamQuery(read.element) == read)
    }
  }
}
