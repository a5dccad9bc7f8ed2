import Testing
import XMPPCore

@Suite struct StreamNegotiationTests {
  /// The example of RFC 5802 §5, so that its proof and signature are known.
  static func configuration(password: String = "pencil", resource: String? = "phone") -> StreamNegotiation.Configuration
  {
    .init(
      domain: "example.org", localpart: "user", password: password, resource: resource,
      nonce: "fyko+d2lbbFgONRv9qkxdawL")
  }

  static let header = XMLStreamParser.Event.opened(
    XMLElement("stream", namespace: "http://etherx.jabber.org/streams", attributes: ["version": "1.0"]))
  static let startTLS = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls>"
  static let scram = mechanisms("SCRAM-SHA-1", "PLAIN")
  static let bind = "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>"
  static let challenge =
    "<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>cj1meWtvK2QybGJiRmdPTlJ2OXFreGRhd0wzcmZjTkhZSlkxWlZ2V1ZzN2oscz1RU1hDUitRNnNlazhiZjkyLGk9NDA5Ng==</challenge>"
  static let success =
    "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>dj1ybUY5cHFWOFM3c3VBb1pXamE0ZEpSa0ZzS1E9</success>"

  static func mechanisms(_ names: String...) -> String {
    "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>"
      + names.map { "<mechanism>\($0)</mechanism>" }.joined() + "</mechanisms>"
  }

  static func features(_ content: String) throws -> XMLStreamParser.Event {
    try element("<features xmlns='http://etherx.jabber.org/streams'>\(content)</features>")
  }

  static func element(_ xml: String) throws -> XMLStreamParser.Event {
    .element(try XMLElement(parsing: xml, inside: "jabber:client"))
  }

  /// A machine inside TLS, with the server's header received.
  static func secured(_ configuration: StreamNegotiation.Configuration) -> StreamNegotiation {
    var machine = StreamNegotiation(configuration)
    _ = machine.connected(channelBindings: [])
    _ = machine.received(header)
    return machine
  }

  /// A machine that has authenticated and received the header of the new stream.
  static func authenticated(resource: String? = "phone") throws -> StreamNegotiation {
    try authenticated(configuration(resource: resource))
  }

  static func authenticated(_ configuration: StreamNegotiation.Configuration) throws -> StreamNegotiation {
    var machine = secured(configuration)
    _ = machine.received(try features(scram))
    _ = machine.received(try element(challenge))
    _ = machine.received(try element(success))
    _ = machine.received(header)
    return machine
  }

  @Test func `STARTTLS, SCRAM and binding follow one another`() throws {
    var machine = StreamNegotiation(Self.configuration())
    let plainHeader =
      "<?xml version='1.0'?><stream:stream xmlns='jabber:client' to='example.org' version='1.0' xml:lang='en' xmlns:stream='http://etherx.jabber.org/streams'>"
    let header = plainHeader.replacing("to='example.org'", with: "from='user@example.org' to='example.org'")
    #expect(machine.connected() == .send(plainHeader))
    #expect(machine.received(Self.header) == .wait)
    #expect(
      machine.received(try Self.features(Self.startTLS)) == .send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
    )
    #expect(machine.received(try Self.element("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")) == .startTLS)
    #expect(machine.tlsEstablished(channelBindings: []) == .restart(header))
    #expect(machine.received(Self.header) == .wait)
    #expect(
      machine.received(try Self.features(Self.scram))
        == .send(
          "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-1'>biwsbj11c2VyLHI9ZnlrbytkMmxiYkZnT05Sdjlxa3hkYXdM</auth>"
        ))
    #expect(
      machine.received(try Self.element(Self.challenge))
        == .send(
          "<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>Yz1iaXdzLHI9ZnlrbytkMmxiYkZnT05Sdjlxa3hkYXdMM3JmY05IWUpZMVpWdldWczdqLHA9djBYOHYzQnoyVDBDSkdiSlF5RjBYK0hJNFRzPQ==</response>"
        ))
    #expect(machine.received(try Self.element(Self.success)) == .restart(header))
    #expect(machine.received(Self.header) == .wait)
    #expect(
      machine.received(try Self.features(Self.bind))
        == .send(
          "<iq id='bind' type='set'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>phone</resource></bind></iq>"
        ))
    let bound = machine.received(
      try Self.element(
        "<iq id='bind' type='result'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>user@example.org/phone</jid></bind></iq>"
      ))
    guard case .bound(let bound) = bound else {
      Issue.record("\(bound)")
      return
    }
    #expect(bound.jid == "user@example.org/phone")
    #expect(bound.mechanism == .scramSHA1)
    #expect(bound.features.first("bind", "urn:ietf:params:xml:ns:xmpp-bind") != nil)
    let message = try XMLElement(parsing: "<message/>", inside: "jabber:client")
    #expect(machine.received(.element(message)) == .deliver(message))
    #expect(machine.received(.closed) == .fail(.closedByServer))
    #expect(machine.received(.element(message)) == .wait)
  }

  @Test(arguments: ["", scram, "<starttls xmlns='urn:other'/>"])
  func `nothing is said outside of TLS`(features: String) throws {
    var machine = StreamNegotiation(Self.configuration())
    _ = machine.connected()
    _ = machine.received(Self.header)
    #expect(machine.received(try Self.features(features)) == .fail(.tlsNotOffered))
  }

  @Test func `a server that refuses TLS is left`() throws {
    var machine = StreamNegotiation(Self.configuration())
    _ = machine.connected()
    _ = machine.received(Self.header)
    _ = machine.received(try Self.features(Self.startTLS))
    #expect(
      machine.received(try Self.element("<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")) == .fail(.tlsRefused))
  }

  @Test func `stanzas slipped in before the TLS handshake end the stream`() throws {
    var machine = StreamNegotiation(Self.configuration())
    _ = machine.connected()
    _ = machine.received(Self.header)
    _ = machine.received(try Self.features(Self.startTLS))
    _ = machine.received(try Self.element("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"))
    guard case .fail(.protocolViolation) = machine.received(try Self.features(Self.scram)) else {
      Issue.record("injected features were believed")
      return
    }
  }

  @Test func `the password is refused, with the server's condition and words`() throws {
    var machine = Self.secured(Self.configuration())
    _ = machine.received(try Self.features(Self.scram))
    _ = machine.received(try Self.element(Self.challenge))
    let failure = "<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><not-authorized/><text>wrong</text></failure>"
    #expect(
      machine.received(try Self.element(failure)) == .fail(.authentication(SASLFailure(.notAuthorized, text: "wrong"))))
  }

  @Test(arguments: [
    ("<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>", SCRAM.Failure.malformed("signature")),
    ("<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>!</success>", .malformed("base64")),
    ("<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>dj1BQUFB</success>", .wrongServerSignature),
    ("<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>dj1BQUFB</challenge>", .wrongServerSignature),
  ])
  func `success without the server's signature is no success`(answer: String, failure: SCRAM.Failure) throws {
    var machine = Self.secured(Self.configuration())
    _ = machine.received(try Self.features(Self.scram))
    _ = machine.received(try Self.element(Self.challenge))
    #expect(machine.received(try Self.element(answer)) == .fail(.serverNotAuthenticated(failure)))
  }

  @Test func `success before the challenge is no success`() throws {
    var machine = Self.secured(Self.configuration())
    _ = machine.received(try Self.features(Self.scram))
    #expect(machine.received(try Self.element(Self.success)) == .fail(.serverNotAuthenticated(.malformed("order"))))
  }

  @Test func `the server's signature may come in a challenge of its own`() throws {
    var machine = Self.secured(Self.configuration())
    _ = machine.received(try Self.features(Self.scram))
    _ = machine.received(try Self.element(Self.challenge))
    let signature = Self.success.replacing("success", with: "challenge")
    #expect(
      machine.received(try Self.element(signature)) == .send("<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>"))
    guard case .restart = machine.received(try Self.element("<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>"))
    else {
      Issue.record("success was not accepted")
      return
    }
  }

  @Test func `PLAIN is the last resort`() throws {
    var machine = Self.secured(Self.configuration())
    #expect(
      machine.received(try Self.features(Self.mechanisms("DIGEST-MD5", "PLAIN")))
        == .send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AHVzZXIAcGVuY2ls</auth>"))
    var other = Self.secured(Self.configuration())
    #expect(
      other.received(try Self.features(Self.mechanisms("DIGEST-MD5")))
        == .fail(.noSharedMechanism(offered: ["DIGEST-MD5"])))
    var broken = Self.secured(Self.configuration(password: "a\u{1}"))
    #expect(broken.received(try Self.features(Self.scram)) == .fail(.unusableCredentials))
  }

  @Test func `the channel is bound when both sides can`() throws {
    var machine = StreamNegotiation(Self.configuration())
    _ = machine.connected(channelBindings: [ChannelBinding(type: .tlsExporter, data: [1])])
    _ = machine.received(Self.header)
    let features = try Self.features(
      Self.mechanisms("SCRAM-SHA-1-PLUS", "SCRAM-SHA-1")
        + "<sasl-channel-binding xmlns='urn:xmpp:sasl-cb:0'><channel-binding type='tls-exporter'/></sasl-channel-binding>"
    )
    guard case .send(let auth) = machine.received(features) else {
      Issue.record("no authentication")
      return
    }
    #expect(auth.contains("mechanism='SCRAM-SHA-1-PLUS'>cD10bHMtZXhwb3J0ZXIs"))
  }

  @Test(arguments: ["conflict", "bad-request"])
  func `a resource that is taken is left to the server, once`(condition: String) throws {
    var machine = try Self.authenticated()
    _ = machine.received(try Self.features(Self.bind))
    let error = try Self.element(
      "<iq id='bind' type='error'><error type='cancel'><\(condition) xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"
    )
    #expect(
      machine.received(error)
        == .send("<iq id='bind' type='set'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>"))
    #expect(machine.received(error) == .fail(.bindingRefused(condition: condition)))
  }

  @Test(arguments: [
    "<iq id='bind' type='result'/>", "<iq id='other' type='result'/>", "<message/>",
    "<iq id='bind' type='result'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>no-resource</jid></bind></iq>",
  ])
  func `a binding that binds nothing breaks the protocol`(reply: String) throws {
    var machine = try Self.authenticated()
    _ = machine.received(try Self.features(Self.bind))
    guard case .fail(.protocolViolation) = machine.received(try Self.element(reply)) else {
      Issue.record("accepted")
      return
    }
  }

  @Test(arguments: ["<session xmlns='urn:ietf:params:xml:ns:xmpp-session'/>"])
  func `an old server gets its session, and what it delivers meanwhile is not lost`(session: String) throws {
    var machine = try Self.authenticated(resource: nil)
    _ = machine.received(try Self.features(Self.bind + session))
    let result = try Self.element(
      "<iq id='bind' type='result'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>user@example.org/x</jid></bind></iq>"
    )
    #expect(
      machine.received(result)
        == .send("<iq id='session' type='set'><session xmlns='urn:ietf:params:xml:ns:xmpp-session'/></iq>"))
    let message = try XMLElement(parsing: "<message/>", inside: "jabber:client")
    #expect(machine.received(.element(message)) == .deliver(message))
    guard case .bound = machine.received(try Self.element("<iq id='session' type='result'/>")) else {
      Issue.record("not bound")
      return
    }
  }

  @Test func `an optional session is not asked for`() throws {
    var machine = try Self.authenticated()
    _ = machine.received(
      try Self.features(Self.bind + "<session xmlns='urn:ietf:params:xml:ns:xmpp-session'><optional/></session>"))
    let result = try Self.element(
      "<iq id='bind' type='result'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>user@example.org/x</jid></bind></iq>"
    )
    guard case .bound = machine.received(result) else {
      Issue.record("not bound")
      return
    }
  }

  @Test(arguments: StreamError.Condition.allCases)
  func `every stream error is read at every stage`(condition: StreamError.Condition) throws {
    let xml =
      "<error xmlns='http://etherx.jabber.org/streams'><\(condition.rawValue) xmlns='urn:ietf:params:xml:ns:xmpp-streams'/><text xmlns='urn:ietf:params:xml:ns:xmpp-streams'>why</text></error>"
    var early = StreamNegotiation(Self.configuration())
    _ = early.connected()
    _ = early.received(Self.header)
    #expect(early.received(try Self.element(xml)) == .fail(.streamError(StreamError(condition, text: "why"))))
    var late = try Self.authenticated()
    #expect(late.received(try Self.element(xml)) == .fail(.streamError(StreamError(condition, text: "why"))))
  }

  @Test(arguments: [
    ("other.example.org", StreamError.OtherHost(host: "other.example.org", port: nil)),
    ("other.example.org:9222", .init(host: "other.example.org", port: 9222)),
    ("[2001:db8::1]:9222", .init(host: "2001:db8::1", port: 9222)),
    ("2001:db8::1", .init(host: "2001:db8::1", port: nil)),
    ("[2001:db8::1]", .init(host: "2001:db8::1", port: nil)), ("host:0", nil), ("host:x", nil), ("[::1]x", nil),
    ("", nil),
  ])
  func `another host is read with and without port`(text: String, host: StreamError.OtherHost?) {
    #expect(StreamError.OtherHost(text) == host)
  }

  @Test(arguments: [
    (XMLElement("stream", namespace: "jabber:client"), "instead of a stream"),
    (XMLElement("stream", namespace: "http://etherx.jabber.org/streams"), "older than XMPP 1.0"),
    (
      XMLElement("stream", namespace: "http://etherx.jabber.org/streams", attributes: ["version": "0.9"]),
      "older than XMPP 1.0"
    ),
  ])
  func `a header that is not XMPP's is refused`(header: XMLElement, reason: String) {
    var machine = StreamNegotiation(Self.configuration())
    _ = machine.connected()
    guard case .fail(let failure) = machine.received(.opened(header)) else {
      Issue.record("accepted")
      return
    }
    #expect(failure.description.contains(reason))
    #expect(failure.farewell.contains("<undefined-condition xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>"))
  }

  @Test func `forbidden XML is answered with its stream error`() {
    var machine = Self.secured(Self.configuration())
    let failure = StreamFailure.malformed(.restricted(.comment))
    #expect(machine.received(.failed(.restricted(.comment))) == .fail(failure))
    #expect(
      failure.farewell
        == "<stream:error><restricted-xml xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>")
  }

  @Test func `the password stands in no message`() throws {
    let configuration = Self.configuration(password: "pencil")
    #expect(!"\(StreamFailure.unusableCredentials) \(configuration.domain)".contains("pencil"))
    #expect(!String(describing: configuration).contains("pencil"))
    #expect(!String(reflecting: configuration).contains("pencil"))
  }
}
