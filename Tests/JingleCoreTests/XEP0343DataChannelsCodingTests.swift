import JingleCore
import Testing
import XMPPCore

@Suite struct XEP0343DataChannelsCodingTests {
  static let fingerprint = """
    <fingerprint xmlns='urn:xmpp:jingle:apps:dtls:0' hash='sha-256' setup='actpass'>
    02:1A:CC:54:27:AB:EB:9C:53:3F:3E:4B:65:2E:7D:46:3F:54:42:CD:54:F1:7A:03:A2:7D:F9:B0:7F:46:19:B2</fingerprint>
    """
  static let candidate = """
    <candidate component='1' foundation='1' generation='0' id='el0747fg11' ip='10.0.1.1' network='1' port='8998'
    priority='2130706431' protocol='udp' type='host'/>
    """
  static let map = """
    <sctpmap xmlns='urn:xmpp:jingle:transports:dtls-sctp:1' number='5000' protocol='webrtc-datachannel' streams='1024'/>
    """

  /// As in the specification's first example.
  static func published(_ map: String = map, namespace: String = "urn:xmpp:jingle:transports:ice-udp:1") -> String {
    """
    <transport xmlns='\(namespace)' pwd='asd88fgpdd777uzjYhagZg' ufrag='8hhy'>
    \(map)\(fingerprint)\(candidate)</transport>
    """
  }

  static func wrapped(_ attributes: String) -> String {
    """
    <transport xmlns='urn:xmpp:jingle:transports:webrtc-datachannel:1' \(attributes)>\(published(""))</transport>
    """
  }

  func read(_ text: String) throws -> Jingle.Transport { try Jingle.Transport(xml(text)) }

  func dataChannel(_ text: String) throws -> DataChannelTransport? {
    let transport = try read(text)
    return transport.dataChannel
  }

  /// What is written, read again.
  func again(_ transport: DataChannelTransport) throws -> DataChannelTransport? {
    try Jingle.Transport(Jingle.Transport(transport).element).dataChannel
  }

  func checkICE(_ ice: ICETransport) {
    #expect(ice.ufrag == "8hhy" && ice.pwd == "asd88fgpdd777uzjYhagZg")
    #expect(ice.candidates.map(\.ip) == ["10.0.1.1"] && ice.droppedCandidates == 0)
    #expect(ice.fingerprint?.setup == .actpass && ice.extensions.isEmpty)
  }

  @Test func `The specification's example is an ICE transport with a map in it`() throws {
    let transport = try read(Self.published())
    let channels = try #require(transport.dataChannel)
    checkICE(channels.ice)
    #expect(channels.form == .iceUDP && channels.port == 5000 && channels.streams == 1024)
    #expect(channels.sendLimit == 65_536)
    #expect(transport.iceUDP?.candidates.count == 1, "calls go over such a transport too")
    let written = Jingle.Transport(channels)
    #expect(try again(channels) == channels)
    #expect(written.element.first("sctpmap", DataChannelTransport.mapNamespace)?[attribute: "number"] == "5000")
  }

  @Test func `Conversations wraps the ICE transport`() throws {
    let transport = try read(Self.wrapped("sctp-port='5000' max-message-size='262144'"))
    let channels = try #require(transport.dataChannel)
    checkICE(channels.ice)
    #expect(channels.form == .wrapped && channels.port == 5000 && channels.maximumMessageSize == 262_144)
    #expect(transport.iceUDP == nil, "no call goes over it")
    let element = Jingle.Transport(channels).element
    #expect(element.namespace == "urn:xmpp:jingle:transports:webrtc-datachannel:1")
    #expect(element[attribute: "sctp-port"] == "5000" && element[attribute: "max-message-size"] == "262144")
    #expect(element[attribute: "ufrag"] == nil)
    #expect(element.first("transport", ICETransport.namespace)?[attribute: "ufrag"] == "8hhy")
    #expect(try again(channels) == channels)
  }

  @Test func `Psi puts the map into the ICE transport of another specification`() throws {
    // It writes the channels in the map's namespace and 0 where there is no limit.
    let map = """
      <sctpmap xmlns='urn:xmpp:jingle:transports:dtls-sctp:1' protocol='webrtc-datachannel' number='5000'/>
      <channel xmlns='urn:xmpp:jingle:transports:dtls-sctp:1' id='1' maxPacketLifeTime='0' maxRetransmits='0'
       negotiated='true' ordered='1' protocol=''/>
      """
    let transport = try read(Self.published(map, namespace: "urn:xmpp:jingle:transports:ice:0"))
    let channels = try #require(transport.dataChannel)
    checkICE(channels.ice)
    #expect(channels.form == .ice && channels.port == 5000 && channels.streams == nil)
    #expect(channels.channels == [DataChannelTransport.Channel(id: 1, isNegotiated: true)])
    #expect(channels.channels.first?.isStream == true)
    let element = Jingle.Transport(channels).element
    #expect(element.namespace == "urn:xmpp:jingle:transports:ice:0")
    #expect(element.children.contains { $0.is("candidate", "urn:xmpp:jingle:transports:ice:0") })
    #expect(element.first("sctpmap", DataChannelTransport.mapNamespace)?[attribute: "number"] == "5000")
    #expect(element.first("fingerprint", DTLSFingerprint.namespace) != nil)
    #expect(try again(channels) == channels)
  }

  @Test(arguments: [
    ("id='3' negotiated='true'", DataChannelTransport.Channel(id: 3, isNegotiated: true)),
    ("ordered='false'", DataChannelTransport.Channel(isOrdered: false)),
    ("maxRetransmits='4' protocol='a'", DataChannelTransport.Channel(maximumRetransmissions: 4, subprotocol: "a")),
    ("maxPacketLifeTime='200'", DataChannelTransport.Channel(maximumLifetime: 200)),
    ("maxPacketLifeTime='200' maxRetransmits='4'", nil),
    ("id='65536'", nil),
    ("id='-1'", nil),
  ])
  func `A channel is read as it is described, or left out`(attributes: String, channel: DataChannelTransport.Channel?)
    throws
  {
    let explicit = "<channel xmlns='urn:xmpp:jingle:transports:webrtc-datachannel:0' \(attributes)/>"
    let channels = try #require(try dataChannel(Self.published(Self.map + explicit)))
    #expect(channels.channels == [channel].compactMap(\.self))
    #expect(try again(channels) == channels)
  }

  @Test func `Too many channels are left out`() throws {
    let one = "<channel xmlns='urn:xmpp:jingle:transports:webrtc-datachannel:0'/>"
    let many = Self.map + String(repeating: one, count: 1000)
    #expect(try dataChannel(Self.published(many))?.channels.count == DataChannelTransport.maximumChannels)
  }

  @Test(arguments: [
    ("", nil, 65_536), ("max-message-size='0'", UInt64(0), Int.max),
    ("max-message-size='18446744073709551615'", UInt64.max, Int.max), ("max-message-size='1'", 1, 1),
  ])
  func `The largest message is what the peer says`(attributes: String, size: UInt64?, limit: Int) throws {
    let channels = try #require(try dataChannel(Self.wrapped(attributes)))
    #expect(channels.maximumMessageSize == size && channels.sendLimit == limit && channels.port == nil)
  }

  @Test(arguments: [
    "sctp-port='0'", "sctp-port='65536'", "sctp-port='-5'", "sctp-port=''", "sctp-port='five'",
    "max-message-size='-1'", "max-message-size='1e9'", "max-message-size='18446744073709551616'",
  ])
  func `A malformed number around the ICE transport is a bad request`(attributes: String) {
    let error = #expect(throws: StanzaError.self) { try read(Self.wrapped(attributes)) }
    #expect(error?.condition == .badRequest)
  }

  @Test(arguments: ["number='0'", "number='70000'", "", "number='x'"])
  func `A map without a usable port makes no data channel`(number: String) throws {
    let map = "<sctpmap xmlns='urn:xmpp:jingle:transports:dtls-sctp:1' protocol='webrtc-datachannel' \(number)/>"
    #expect(try dataChannel(Self.published(map)) == nil)
    let error = #expect(throws: StanzaError.self) {
      try read(Self.published(map, namespace: "urn:xmpp:jingle:transports:ice:0"))
    }
    #expect(error?.condition == .badRequest)
  }

  @Test func `A map of another protocol, and an ICE transport without one, are for something else`() throws {
    let map = "<sctpmap xmlns='urn:xmpp:jingle:transports:dtls-sctp:1' protocol='bfcp' number='5000'/>"
    #expect(try dataChannel(Self.published(map)) == nil)
    #expect(try dataChannel(Self.published("")) == nil)
  }

  @Test(arguments: [
    "<transport xmlns='urn:xmpp:jingle:transports:webrtc-datachannel:1'/>",
    "<transport xmlns='urn:xmpp:jingle:transports:ice:0'/>",
  ])
  func `A transport whose candidates are to follow is taken`(text: String) throws {
    let transport = try read(text)
    let channels = try #require(transport.dataChannel)
    #expect(channels.ice == ICETransport() && channels.port == nil)
    #expect(try again(channels) == channels)
  }
}
