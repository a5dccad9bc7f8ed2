import Foundation
import Testing
import XMPPCore
import XMPPNetworking

@Suite(.timeLimit(.minutes(1))) final class XMPPConnectionTests: Sendable {
  let certificates: TestCertificates
  let authorityFile: URL

  init() throws {
    certificates = try TestCertificates.shared.get()
    authorityFile = FileManager.default.temporaryDirectory.appending(path: "carillon-ca-\(UUID().uuidString).pem")
    try certificates.authority.write(to: authorityFile)
  }

  deinit {
    try? FileManager.default.removeItem(at: authorityFile)
  }

  func configuration(
    for server: FakeServer, _ security: ConnectionTarget.Security = .startTLS
  ) -> XMPPConnection.Configuration {
    var configuration = XMPPConnection.Configuration(domain: "example.test", localpart: "juliet", password: "secret")
    configuration.resource = "balcony"
    configuration.server = ConnectionTarget(host: "127.0.0.1", port: server.port, security: security)
    configuration.certificateAuthorities = authorityFile.path
    return configuration
  }

  func script(_ reactions: [FakeServer.Trigger: FakeServer.Reaction] = [:]) -> FakeServer.Script {
    var script = FakeServer.Script(certificates.good)
    script.reactions = reactions
    return script
  }

  /// The error of a connection that must not come to be.
  func failure(_ configuration: XMPPConnection.Configuration) async -> XMPPConnectionError? {
    do {
      let connection = try await XMPPConnection.connect(configuration)
      Issue.record("connected as \(connection.boundJID)")
      return nil
    } catch {
      #expect(!error.message.contains("secret"))
      return error
    }
  }

  @Test(arguments: [ConnectionTarget.Security.startTLS, .directTLS])
  func `a stream is bound, carries stanzas in order, and ends in order`(security: ConnectionTarget.Security)
    async throws
  {
    var script = script()
    script.directTLS = security == .directTLS
    let server = try await FakeServer(script)
    let connection = try await XMPPConnection.connect(configuration(for: server, security))
    #expect(connection.boundJID == "juliet@example.test/balcony")
    #expect(connection.mechanism == .plain)
    #expect(connection.features.first("bind", "urn:ietf:params:xml:ns:xmpp-bind") != nil)
    for number in 0..<100 {
      connection.send(XMLElement("message", namespace: "jabber:client", attributes: ["id": "\(number)"]))
    }
    var iterator = connection.inbound.makeAsyncIterator()
    for number in 0..<100 {
      guard case .stanza(let stanza) = await iterator.next() else {
        Issue.record("the stream ended early")
        return
      }
      #expect(stanza[attribute: "id"] == "\(number)")
    }
    await connection.close()
    guard case .closed(let end) = await iterator.next() else {
      Issue.record("no end was told")
      return
    }
    #expect(end == .closedLocally)
    #expect(await iterator.next() == nil)
    connection.send(XMLElement("message", namespace: "jabber:client"))
    await server.stop()
  }

  @Test func `a server that never answers the end tag cannot hold the stream`() async throws {
    let server = try await FakeServer(script([.closed: .silence]))
    let connection = try await XMPPConnection.connect(configuration(for: server))
    await connection.close()
    await connection.close()
    await server.stop()
  }

  @Test func `no resource asked for leaves the choice to the server`() async throws {
    let server = try await FakeServer(script())
    var configuration = configuration(for: server)
    configuration.resource = nil
    let connection = try await XMPPConnection.connect(configuration)
    #expect(connection.boundJID == "juliet@example.test/made-here")
    await connection.close()
    await server.stop()
  }

  @Test(arguments: [
    ("wrongName", XMPPConnectionError.TrustProblem.nameMismatch, "is for other.test, not for example.test"),
    ("expired", .expired, "expired on"), ("stranger", .unknownAuthority, "not signed by a trusted authority"),
  ])
  func `a certificate that is not the domain's is named for what is wrong with it`(
    identity: String, problem: XMPPConnectionError.TrustProblem, words: String
  ) async throws {
    var script = script()
    script.identity =
      switch identity {
      case "wrongName": certificates.wrongName
      case "expired": certificates.expired
      default: certificates.stranger
      }
    for security in [ConnectionTarget.Security.startTLS, .directTLS] {
      script.directTLS = security == .directTLS
      let server = try await FakeServer(script)
      let error = await failure(configuration(for: server, security))
      #expect(error?.kind == .tlsUntrusted(problem))
      #expect(error?.message.contains(words) == true)
      await server.stop()
    }
  }

  @Test func `without the authority's file the test server is nobody`() async throws {
    let server = try await FakeServer(script())
    var configuration = configuration(for: server)
    configuration.certificateAuthorities = nil
    #expect(await failure(configuration)?.kind == .tlsUntrusted(.unknownAuthority))
    await server.stop()
  }

  @Test(arguments: [
    (
      FakeServer.Trigger.opened, FakeServer.Reaction.send(FakeServer.header + "<stream:features/>"),
      XMPPConnectionError.Kind.tlsUnavailable, "offers no TLS"
    ),
    (.opened, .send("<html>"), .protocolViolation, "instead of a stream"),
    (.opened, .send("HTTP/1.1 400 Bad Request\r\n\r\n"), .protocolViolation, "not well-formed"),
    (.opened, .sendAndDisconnect(""), .unreachable, "waiting for the server's stream header"),
    (.opened, .silence, .timedOut, "waiting for the server's stream header"),
    (.startTLS, .send("<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"), .tlsUnavailable, "refused to start"),
    (.startTLS, .silence, .timedOut, "waiting for the server to start TLS"),
    (
      .startTLS, .send("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"), .timedOut, "waiting for the TLS handshake"
    ),
    (
      .startTLS, .sendAndDisconnect("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"), .tlsUnavailable,
      "closed the connection"
    ),
    (.openedSecured, .send(FakeServer.header + "<!-- no -->"), .protocolViolation, "a comment"),
    (
      .openedSecured, .send(FakeServer.header + "<x a='" + String(repeating: "y", count: 600_000)), .policy,
      "more than 524288 bytes"
    ),
    (.openedSecured, .send(FakeServer.header + String(repeating: "<x>", count: 70)), .policy, "nested more than 64"),
    (
      .openedSecured,
      .send(
        FakeServer.header + "<stream:error><host-unknown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>"),
      .streamError(.hostUnknown), "host-unknown"
    ),
    (.auth, .silence, .timedOut, "waiting for the authentication's result"),
    (.auth, .sendAndDisconnect("<success"), .unreachable, "waiting for the authentication's result"),
    (
      .bind,
      .send(
        "<iq id='bind' type='error'><error type='cancel'><not-allowed xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"
      ), .protocolViolation, "not-allowed"
    ),
  ])
  func `what a server does wrong is told`(
    trigger: FakeServer.Trigger, reaction: FakeServer.Reaction, kind: XMPPConnectionError.Kind, words: String
  ) async throws {
    let server = try await FakeServer(script([trigger: reaction]))
    var configuration = configuration(for: server)
    if kind == .timedOut { configuration.connectTimeout = .seconds(3) }
    let error = await failure(configuration)
    #expect(error?.kind == kind)
    #expect(error?.message.contains(words) == true, "\(error?.message ?? "")")
    #expect(error?.message.contains("127.0.0.1:\(server.port)") == true)
    await server.stop()
  }

  @Test func `a wrong password is told from everything else`() async throws {
    let server = try await FakeServer(script())
    var configuration = configuration(for: server)
    configuration.password = "wrong-secret"
    let error = await failure(configuration)
    #expect(error?.kind == .authentication(.notAuthorized))
    await server.stop()
  }

  @Test func `a server that cannot sign as SCRAM demands is not believed`() async throws {
    var script = script([.auth: .send("<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>dj1BQUFB</success>")])
    script.mechanisms = ["SCRAM-SHA-256", "PLAIN"]
    let server = try await FakeServer(script)
    #expect(await failure(configuration(for: server))?.kind == .serverNotAuthenticated)
    await server.stop()
  }

  @Test(arguments: [
    (["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"], ["tls-exporter", "tls-server-end-point"]),
    (["SCRAM-SHA-256-PLUS"], ["tls-server-end-point"]), (["SCRAM-SHA-256"], []),
    (["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"], ["tls-unique"]),
  ])
  func `both ends agree on the proof, and so on the channel it is bound to`(
    mechanisms: [String], bindings: [String]
  ) async throws {
    for security in [ConnectionTarget.Security.startTLS, .directTLS] {
      var script = script()
      script.directTLS = security == .directTLS
      script.mechanisms = mechanisms
      script.bindings = bindings
      let server = try await FakeServer(script)
      #expect(await failure(configuration(for: server, security))?.kind == .authentication(.accountDisabled))
      var wrong = configuration(for: server, security)
      wrong.password = "another"
      #expect(await failure(wrong)?.kind == .authentication(.notAuthorized))
      await server.stop()
    }
  }

  @Test func `a domain beyond ASCII is asked for in ASCII`() async throws {
    let dot = ServiceRecord(priority: 0, weight: 0, port: 0, target: ".")
    let dns = try await FakeDNS(["_xmpp-client._tcp.xn--mller-kva.example": [dot]])
    var configuration = XMPPConnection.Configuration(domain: "müller.example", localpart: "juliet", password: "secret")
    configuration.resolver.servers = [dns.address]
    #expect(await failure(configuration)?.message.contains("offers no XMPP service") == true)
    await dns.stop()
  }

  @Test func `mechanisms that nobody here speaks are named`() async throws {
    var script = script()
    script.mechanisms = ["GSSAPI"]
    let server = try await FakeServer(script)
    let error = await failure(configuration(for: server))
    #expect(error?.kind == .authentication(nil))
    #expect(error?.message.contains("GSSAPI") == true)
    await server.stop()
  }

  @Test func `a file of authorities that cannot be read is the configuration's fault`() async throws {
    let server = try await FakeServer(script())
    var configuration = configuration(for: server)
    configuration.certificateAuthorities = authorityFile.path + ".missing"
    let missing = await failure(configuration)
    #expect(missing?.kind == .configuration)
    #expect(missing?.message.contains("No such file") == true)
    let garbage = authorityFile.path + ".garbage"
    try Data("no certificate".utf8).write(to: URL(fileURLWithPath: garbage))
    defer { try? FileManager.default.removeItem(atPath: garbage) }
    configuration.certificateAuthorities = garbage
    #expect(await failure(configuration)?.kind == .configuration)
    configuration.certificateAuthorities = nil
    configuration.domain = "not a domain"
    #expect(await failure(configuration)?.kind == .configuration)
    await server.stop()
  }

  @Test(arguments: [
    (FakeServer.Reaction.sendAndDisconnect(""), "connection to the server was lost"),
    (.send("</stream:stream>"), "closed the stream"), (.send("<a></b>"), "not well-formed"),
    (.send("<a b='" + String(repeating: "x", count: 600_000)), "more than 524288 bytes"),
    (
      .send(
        "<stream:error><system-shutdown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>"),
      "system-shutdown"
    ),
  ])
  func `however an established stream breaks, its end is told once`(reaction: FakeServer.Reaction, words: String)
    async throws
  {
    let server = try await FakeServer(script([.stanza("presence"): reaction]))
    let connection = try await XMPPConnection.connect(configuration(for: server))
    connection.send(XMLElement("presence", namespace: "jabber:client"))
    var ends: [XMPPConnection.StreamEnd] = []
    for await event in connection.inbound {
      if case .closed(let end) = event { ends.append(end) }
    }
    #expect(ends.count == 1)
    #expect(ends.first?.description.contains(words) == true, "\(ends)")
    await connection.close()
    await server.stop()
  }

  @Test func `a refused target gives way to the next`() async throws {
    let server = try await FakeServer(script())
    let closed = try await FakeServer(script())
    await closed.stop()
    let dns = try await FakeDNS([
      "_xmpps-client._tcp.example.test": [
        .init(priority: 1, weight: 0, port: UInt16(closed.port), target: "localhost")
      ],
      "_xmpp-client._tcp.example.test": [.init(priority: 2, weight: 0, port: UInt16(server.port), target: "localhost")],
    ])
    var configuration = configuration(for: server)
    configuration.server = nil
    configuration.resolver.servers = [dns.address]
    let connection = try await XMPPConnection.connect(configuration)
    #expect(connection.target.port == server.port)
    await connection.close()
    await server.stop()

    let error = await failure(configuration)
    #expect(error?.kind == .unreachable)
    #expect(error?.message.contains(":\(closed.port): Connection refused") == true, "\(error?.message ?? "")")
    #expect(error?.message.contains(":\(server.port): Connection refused") == true)
    await dns.stop()
  }

  @Test func `a domain that offers no service, and one that does not exist, are told apart from a dead server`()
    async throws
  {
    let dot = ServiceRecord(priority: 0, weight: 0, port: 0, target: ".")
    let dns = try await FakeDNS(["_xmpp-client._tcp.example.test": [dot], "_xmpps-client._tcp.example.test": [dot]])
    var configuration = XMPPConnection.Configuration(domain: "example.test", localpart: "juliet", password: "secret")
    configuration.resolver.servers = [dns.address]
    let none = await failure(configuration)
    #expect(none?.kind == .noSuchService)
    #expect(none?.message.contains("offers no XMPP service") == true)
    configuration.domain = "nowhere.invalid"
    let missing = await failure(configuration)
    #expect(missing?.kind == .noSuchService)
    #expect(missing?.message.contains("nowhere.invalid") == true)
    await dns.stop()
  }

  @Test func `a server may send us on to another`() async throws {
    let server = try await FakeServer(script())
    let other = "<see-other-host xmlns='urn:ietf:params:xml:ns:xmpp-streams'>127.0.0.1:\(server.port)</see-other-host>"
    let first = try await FakeServer(
      script([.openedSecured: .send("\(FakeServer.header)<stream:error>\(other)</stream:error></stream:stream>")]))
    let connection = try await XMPPConnection.connect(configuration(for: first))
    #expect(connection.target.port == server.port)
    await connection.close()
    await first.stop()
    await server.stop()
  }

  @Test func `servers that send us round in circles are left`() async throws {
    let dead = try await FakeServer(script())
    await dead.stop()
    let other = "<see-other-host xmlns='urn:ietf:params:xml:ns:xmpp-streams'>127.0.0.1:\(dead.port)</see-other-host>"
    let server = try await FakeServer(
      script([.openedSecured: .send("\(FakeServer.header)<stream:error>\(other)</stream:error></stream:stream>")]))
    #expect(await failure(configuration(for: server))?.kind == .unreachable)
    await server.stop()
  }

  @Test func `cancelling ends the attempt`() async throws {
    let server = try await FakeServer(script([.openedSecured: .silence]))
    let configuration = configuration(for: server)
    let attempt = Task { await self.failure(configuration) }
    try await Task.sleep(for: .milliseconds(100))
    attempt.cancel()
    #expect(await attempt.value?.kind == .cancelled)
    await server.stop()
  }

  @Test func `a server that stops reading ends the stream instead of filling the memory`() async throws {
    let server = try await FakeServer(script([.stanza("presence"): .stopReading]))
    let connection = try await XMPPConnection.connect(configuration(for: server))
    // More than the backlog and all the sockets' buffers hold.
    let large = XMLElement("presence", namespace: "jabber:client", text: String(repeating: "x", count: 400_000))
    for _ in 0..<100 { connection.send(large) }
    var last: XMPPConnection.StreamEnd?
    for await event in connection.inbound {
      if case .closed(let end) = event { last = end }
    }
    #expect(last == .backlog)
    await server.stop()
  }
}
