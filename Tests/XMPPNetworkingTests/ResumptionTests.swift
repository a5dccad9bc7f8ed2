import Foundation
import Testing
import XMPPCore
import XMPPNetworking

/// Streams that are managed (XEP-0198), against a server that does as its script says.
@Suite(.timeLimit(.minutes(1))) struct ResumptionTests {
  let certificates: TestCertificates
  private let sm = "urn:xmpp:sm:3"

  init() throws { certificates = try TestCertificates.shared.get() }

  private func script(_ reactions: [FakeServer.Trigger: FakeServer.Reaction]) -> FakeServer.Script {
    var script = FakeServer.Script(certificates.good)
    script.reactions = reactions
    return script
  }

  private func connect(
    to port: Int, resuming former: XMPPConnection.Former? = nil
  ) async throws -> XMPPConnection {
    let authority = FileManager.default.temporaryDirectory.appending(path: "carillon-ca-\(UUID().uuidString).pem")
    try certificates.authority.write(to: authority)
    defer { try? FileManager.default.removeItem(at: authority) }
    var configuration = XMPPConnection.Configuration(domain: "example.test", localpart: "juliet", password: "secret")
    configuration.resource = "balcony"
    configuration.server = ConnectionTarget(host: "127.0.0.1", port: port, security: .startTLS)
    configuration.certificateAuthorities = authority.path
    return try await XMPPConnection.connect(configuration, resuming: former)
  }

  private func message(_ id: String) -> XMLElement {
    XMLElement("message", namespace: "jabber:client", attributes: ["id": id])
  }

  /// The ids of the stanzas that come until the end, and the end.
  private func rest(of connection: XMPPConnection) async -> (ids: [String], end: XMPPConnection.StreamEnd?) {
    var ids: [String] = []
    for await event in connection.inbound {
      switch event {
      case .stanza(let stanza): ids.append(stanza[attribute: "id"] ?? stanza.name)
      case .closed(let end): return (ids, end)
      }
    }
    return (ids, nil)
  }

  private func next(_ connection: XMPPConnection, _ count: Int) async -> [String] {
    var iterator = connection.inbound.makeAsyncIterator()
    var ids: [String] = []
    while ids.count < count, case .stanza(let stanza) = await iterator.next() {
      ids.append(stanza[attribute: "id"] ?? stanza.name)
    }
    return ids
  }

  private static let enabled = FakeServer.Reaction.send(
    "<enabled xmlns='urn:xmpp:sm:3' id='old' resume='true' max='600'/>")

  /// A stream whose connection was lost: `one` was acknowledged, `two` and the presence were not, and two stanzas came.
  private func lostStream() async throws -> XMPPConnection.Former {
    let server = try await FakeServer(
      script([.enable: Self.enabled, .stanza("presence"): .sendAndDisconnect("<a xmlns='urn:xmpp:sm:3' h='1'/>")]))
    let connection = try await connect(to: server.port)
    #expect(!connection.isResumed && connection.undelivered.isEmpty)
    for id in ["one", "two"] { connection.send(message(id)) }
    connection.send(XMLElement("presence", namespace: "jabber:client", attributes: ["id": "here"]))
    let (ids, end) = await rest(of: connection)
    #expect(ids == ["one", "two"])
    guard case .connectionLost? = end else {
      Issue.record("ended with \(String(describing: end))")
      throw CancellationError()
    }
    // Said too late for this connection, and not lost.
    connection.send(message("late"))
    await server.stop()
    return try #require(connection.former)
  }

  @Test func `a lost stream is resumed, and what the server has not handled is sent again, before anything else`()
    async throws
  {
    let former = try await lostStream()
    let server = try await FakeServer(script([.resume: .send("<resumed xmlns='urn:xmpp:sm:3' previd='old' h='2'/>")]))
    let connection = try await connect(to: server.port, resuming: former)
    #expect(connection.isResumed && connection.undelivered.isEmpty)
    #expect(connection.boundJID == "juliet@example.test/balcony")
    connection.send(message("new"))
    #expect(await next(connection, 3) == ["here", "late", "new"])
    #expect(server.received.elements.contains { $0.is("r", sm) })
    let resume = server.received.elements.first { $0.is("resume", sm) }
    #expect(resume?.attributes == ["h": "2", "previd": "old"])
    #expect(!server.received.elements.contains { $0.first("bind", "urn:ietf:params:xml:ns:xmpp-bind") != nil })
    // The counts go on: of two stanzas before, and of three now; what is none is not counted.
    await connection.close()
    #expect(server.received.elements.last?.attributes == ["h": "5"])
    await server.stop()
  }

  @Test(arguments: [(" h='2'", ["here", "late"]), ("", ["two", "here", "late"])])
  func `a stream that is over gives way to a new one, and what may be lost is told`(h: String, lost: [String])
    async throws
  {
    let former = try await lostStream()
    let failed =
      "<failed xmlns='urn:xmpp:sm:3'\(h)><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>"
    let server = try await FakeServer(script([.resume: .send(failed), .enable: Self.enabled]))
    let connection = try await connect(to: server.port, resuming: former)
    #expect(!connection.isResumed)
    #expect(connection.undelivered.map { $0.stanza[attribute: "id"] } == lost)
    await connection.close()
    // A new stream counts from 0.
    #expect(server.received.elements.last?.attributes == ["h": "0"])
    await server.stop()
  }

  @Test func `a server that knows no management gets a new stream, and all that may be lost is told`() async throws {
    let former = try await lostStream()
    let server = try await FakeServer(script([:]))
    let connection = try await connect(to: server.port, resuming: former)
    #expect(!connection.isResumed && connection.former == nil)
    #expect(connection.undelivered.map { $0.stanza[attribute: "id"] } == ["two", "here", "late"])
    await connection.close()
    await server.stop()
  }

  @Test func `a server that resumes more than it was sent is told so`() async throws {
    let former = try await lostStream()
    let server = try await FakeServer(script([.resume: .send("<resumed xmlns='urn:xmpp:sm:3' previd='old' h='9'/>")]))
    let error = await #expect(throws: XMPPConnectionError.self) {
      try await connect(to: server.port, resuming: former)
    }
    #expect(error?.kind == .protocolViolation)
    try await until { server.received.elements.last?.first("handled-count-too-high", sm) != nil }
    #expect(
      server.received.elements.last?.first("handled-count-too-high", sm)?.attributes == ["h": "9", "send-count": "4"])
    await server.stop()
  }

  @Test func `a server that acknowledges more than it was sent ends the stream`() async throws {
    let server = try await FakeServer(
      script([.enable: Self.enabled, .stanza("message"): .send("<a xmlns='urn:xmpp:sm:3' h='2'/>")]))
    let connection = try await connect(to: server.port)
    connection.send(message("one"))
    #expect(await rest(of: connection).end == .failed(.handledTooMany(2, sent: 1)))
    try await until { server.received.elements.last?.first("handled-count-too-high", sm) != nil }
    await server.stop()
  }

  @Test func `requests are answered, acknowledgements are asked for, and neither is told`() async throws {
    let server = try await FakeServer(
      script([
        .enable: Self.enabled, .stanza("iq"): .send("<message id='x'/><r xmlns='urn:xmpp:sm:3'/>"),
        .stanza("r"): .silence,
      ]))
    let connection = try await connect(to: server.port)
    connection.send(XMLElement("iq", namespace: "jabber:client", attributes: ["id": "i"]))
    for number in 0..<9 { connection.send(message("\(number)")) }
    connection.send(message("last"))
    #expect(await next(connection, 11) == ["x"] + (0..<9).map { "\($0)" } + ["last"])
    try await until { server.received.elements.contains { $0.is("a", sm) && $0[attribute: "h"] == "1" } }
    let names = server.received.elements.map(\.name)
    #expect(names.count { $0 == "r" } == 1)
    // The tenth stanza asks at once, the eleventh some seconds later.
    try await until { server.received.elements.count { $0.is("r", sm) } == 2 }
    await connection.close()
    await server.stop()
  }

  @Test func `a stream is resumed where the server wants it, and elsewhere when nobody is there`() async throws {
    for isThere in [true, false] {
      let resumed = script([.resume: .send("<resumed xmlns='urn:xmpp:sm:3' previd='old' h='0'/>")])
      let place = try await FakeServer(resumed)
      let other = try await FakeServer(resumed)
      let enabled = "<enabled xmlns='urn:xmpp:sm:3' id='old' resume='true' location='127.0.0.1:\(place.port)'/>"
      if !isThere { await place.stop() }
      let first = try await FakeServer(script([.enable: .send(enabled), .stanza("presence"): .sendAndDisconnect("")]))
      let lost = try await connect(to: first.port)
      lost.send(XMLElement("presence", namespace: "jabber:client"))
      _ = await rest(of: lost)
      let connection = try await connect(to: other.port, resuming: lost.former)
      #expect(connection.isResumed && connection.target.port == (isThere ? place : other).port)
      await connection.close()
      for server in [place, other, first] { await server.stop() }
    }
  }

  @Test func `a connection that is given up says no farewell`() async throws {
    let server = try await FakeServer(script([.enable: Self.enabled]))
    let connection = try await connect(to: server.port)
    connection.send(message("one"))
    #expect(await next(connection, 1) == ["one"])
    connection.abandon()
    guard case .connectionLost? = await rest(of: connection).end else {
      Issue.record("not lost")
      return
    }
    #expect(connection.former != nil)
    #expect(!server.received.elements.contains { $0.is("a", sm) })
    await server.stop()
  }

  private func until(_ condition: () -> Bool) async throws {
    while !condition() { try await Task.sleep(for: .milliseconds(5)) }
  }
}
