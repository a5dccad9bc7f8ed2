import Testing
import XMPPCore

@Suite struct XEP0215ExternalServicesCodingTests {
  /// XEP-0215, example 2.
  static let answer = """
    <services xmlns='urn:xmpp:extdisco:2'>\
    <service host='stun.shakespeare.lit' port='9998' transport='udp' type='stun'/>\
    <service host='relay.shakespeare.lit' password='jj929jkj5sadjfj93v3n' port='9999' transport='udp' type='turn' \
    username='nb78932lkjlskjfdb7g8'/>\
    <service host='192.0.2.1' port='8888' transport='udp' type='stun'/>\
    <service host='192.0.2.1' password='93jn3bakj9s832lrjbbz' port='8889' transport='udp' type='turn' \
    username='auu98sjl2wk3e9fjdsl7'/>\
    <service host='ftp.shakespeare.lit' name='Shakespearean File Server' password='guest' port='20' transport='tcp' \
    type='ftp' username='guest'/></services>
    """

  private func service(_ attributes: String) throws -> ExternalService? {
    try ExternalServices(stanza("<services xmlns='urn:xmpp:extdisco:2'><service \(attributes)/></services>")).services
      .first
  }

  @Test("The list of example 2 is read and written back unchanged, unknown types too")
  func list() throws {
    let element = try stanza(Self.answer)
    let list = try ExternalServices(element)
    #expect(list.element == element)
    #expect(list.services.map(\.kind) == [.stun, .turn, .stun, .turn, .other("ftp")])
    #expect(list.services.map(\.port) == [9998, 9999, 8888, 8889, 20])
    #expect(list.services.map(\.transport) == [.udp, .udp, .udp, .udp, .tcp])
    #expect(list.services[1].username == "nb78932lkjlskjfdb7g8")
    #expect(list.services[1].password == "jj929jkj5sadjfj93v3n")
  }

  @Test("The questions are those of examples 1, 3 and 6")
  func questions() throws {
    #expect(ExternalServices.request() == (try stanza("<services xmlns='urn:xmpp:extdisco:2'/>")))
    #expect(ExternalServices.request(.turn) == (try stanza("<services xmlns='urn:xmpp:extdisco:2' type='turn'/>")))
    #expect(
      ExternalServices.credentialsRequest(for: ExternalService(.turn, host: "turn.shakespeare.lit"))
        == (try stanza(
          """
          <credentials xmlns='urn:xmpp:extdisco:2'><service host='turn.shakespeare.lit' type='turn'/></credentials>
          """)))
  }

  private static func turn(_ edit: (inout ExternalService) -> Void = { _ in }) -> ExternalService {
    var service = ExternalService(.turn, host: "a")
    edit(&service)
    return service
  }

  static let readings: [(String, ExternalService)] = [
    ("type='turn' host='a'", turn()),
    ("type='turns' host='a'", turn { $0.kind = .turns }),
    ("type='STUN' host='a' transport='UDP'", ExternalService(.stun, host: "a", transport: .udp)),
    ("type='turn' host='2001:db8::1' port='65535'", ExternalService(.turn, host: "2001:db8::1", port: 65535)),
    ("type='turn' host='a' transport='sctp'", turn { $0.transport = .other("sctp") }),
    ("type='turn' host='a' restricted='1'", turn { $0.isRestricted = true }),
    ("type='turn' host='a' restricted='true'", turn { $0.isRestricted = true }),
    ("type='turn' host='a' restricted='0'", turn()),
    ("type='turn' host='a' restricted='yes'", turn()),
    ("type='turn' host='a' expires='1970-01-01T00:01:00Z'", turn { $0.expires = .seconds(60) }),
    ("type='turn' host='a' expires='soon'", turn()),
    ("type='turn' host='a' action='add'", turn()),
    ("type='turn' host='a' action='remove'", turn { $0.action = .delete }),
    ("type='turn' host='a' action='delete'", turn { $0.action = .delete }),
    ("type='turn' host='a' action='modify'", turn { $0.action = .modify }),
  ]

  @Test("Attributes are read leniently where nothing hangs on them", arguments: readings)
  func lenient(attributes: String, reading: ExternalService) throws {
    #expect(try service(attributes) == reading)
  }

  @Test(
    "A service without host or type, or with a port or host that cannot be, is left out",
    arguments: [
      "host='a'", "type='turn'", "type='turn' host=''", "type='' host='a'", "type='turn' host='a' port='0'",
      "type='turn' host='a' port='65536'", "type='turn' host='a' port='-1'", "type='turn' host='a' port='x'",
      "type='turn' host='a b'", "type='turn' host='a&#10;b'", "type='turn' host='a' action='explode'",
      "type='turn' host='\(String(repeating: "a", count: 513))'",
      "type='turn' host='a' username='\(String(repeating: "a", count: 513))'",
    ])
  func leftOut(attributes: String) throws {
    #expect(try service(attributes) == nil)
  }

  @Test("A list is cut at its bound, and what is no list is refused")
  func bounds() throws {
    let list = XMLElement(
      "services", namespace: ExternalServices.namespace,
      children: (1...100).map { ExternalService(.stun, host: "a", port: $0).element })
    #expect(try ExternalServices(list).services.count == 64)
    #expect(throws: StanzaError.self) { try ExternalServices(XMLElement("services", namespace: "urn:xmpp:extdisco:1")) }
  }

  @Test("No way of printing shows the credentials")
  func secrets() throws {
    let list = try ExternalServices(stanza(Self.answer))
    var dumped = ""
    dump(list, to: &dumped)
    for text in ["\(list)", String(reflecting: list), dumped, "\(list.services)", "\(list.services[1])"] {
      #expect(text.contains("relay.shakespeare.lit"))
      for secret in ["jj929jkj5sadjfj93v3n", "nb78932lkjlskjfdb7g8", "guest"] { #expect(!text.contains(secret)) }
    }
    #expect(list.services[1].description == "turn:relay.shakespeare.lit:9999?transport=udp")
    #expect(ExternalService(.stun, host: "::1", port: 3478).description == "stun:[::1]:3478")
  }
}
