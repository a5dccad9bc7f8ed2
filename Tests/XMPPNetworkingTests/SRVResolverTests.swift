import Testing
import XMPPCore
import XMPPNetworking

@Suite(.timeLimit(.minutes(1))) struct SRVResolverTests {
  @Test func `both questions are answered`() async throws {
    let direct = ServiceRecord(priority: 1, weight: 2, port: 443, target: "tls.example.test")
    let start = [
      ServiceRecord(priority: 5, weight: 0, port: 5222, target: "a.example.test"),
      ServiceRecord(priority: 6, weight: 9, port: 5222, target: "b.example.test"),
    ]
    let dns = try await FakeDNS(["_xmpps-client._tcp.example.test": [direct], "_xmpp-client._tcp.example.test": start])
    let answers = await SRVResolver(servers: [dns.address]).answers(for: "example.test")
    #expect(answers.directTLS == .records([direct]))
    guard case .records(let records) = answers.startTLS else {
      Issue.record("\(answers.startTLS)")
      return
    }
    #expect(Set(records) == Set(start))
    await dns.stop()
  }

  @Test func `names that do not exist, and names without SRV records, have no service`() async throws {
    let dns = try await FakeDNS(["_xmpp-client._tcp.example.test": []])
    let answers = await SRVResolver(servers: [dns.address]).answers(for: "example.test")
    #expect(answers.directTLS == .none)
    #expect(answers.startTLS == .none)
    await dns.stop()
  }

  @Test func `the dot is kept, so that it can be told from no record`() async throws {
    let dot = ServiceRecord(priority: 0, weight: 0, port: 0, target: ".")
    let dns = try await FakeDNS(["_xmpp-client._tcp.example.test": [dot]])
    let answers = await SRVResolver(servers: [dns.address]).answers(for: "example.test")
    guard case .records(let records) = answers.startTLS else {
      Issue.record("\(answers.startTLS)")
      return
    }
    #expect(records.map { $0.target == "" || $0.target == "." } == [true])
    await dns.stop()
  }

  @Test func `a silent or missing server is a failure after the time set`() async throws {
    let dns = try await FakeDNS(nil)
    let silent = await SRVResolver(servers: [dns.address], timeout: .milliseconds(200)).answers(for: "example.test")
    guard case .failed = silent.directTLS, case .failed = silent.startTLS else {
      Issue.record("\(silent)")
      return
    }
    await dns.stop()
    let missing = await SRVResolver(servers: [dns.address], timeout: .milliseconds(200)).answers(for: "example.test")
    guard case .failed = missing.startTLS else {
      Issue.record("\(missing)")
      return
    }
    let nonsense = await SRVResolver(servers: ["not an address"]).answers(for: "example.test")
    guard case .failed = nonsense.startTLS else {
      Issue.record("\(nonsense)")
      return
    }
  }
}
