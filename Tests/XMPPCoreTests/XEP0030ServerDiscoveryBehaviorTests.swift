import Testing

@testable import XMPPCore

@Suite struct XEP0030ServerDiscoveryBehaviorTests {
  private let server: JID
  private let first: JID
  private let second: JID

  init() throws {
    server = try JID("example.org")
    first = try JID("a.example.org")
    second = try JID("b.example.org")
  }

  private func info(_ feature: String) -> IQTracker.Outcome {
    .result(DiscoInfo(identities: [], features: [feature]).element)
  }

  @Test("The server and its items are asked, and told in their order, whoever answers first")
  func services() {
    var discovery = ServerDiscovery(of: server)
    #expect(discovery.nextQuestion() == .info(server))
    #expect(discovery.nextQuestion() == .items(server))
    #expect(discovery.nextQuestion() == nil && !discovery.isFinished)
    let items = [first, second, first, server].map { DiscoItems.Item(jid: $0) } + [.init(jid: second, node: "node")]
    discovery.received(.result(DiscoItems(items: items).element), to: .items(server))
    #expect(discovery.nextQuestion() == .info(first))
    #expect(discovery.nextQuestion() == .info(second))
    #expect(discovery.nextQuestion() == nil)
    discovery.received(info("urn:b"), to: .info(second))
    discovery.received(.error(StanzaError(.forbidden)), to: .info(first))
    #expect(!discovery.isFinished)
    discovery.received(info("urn:server"), to: .info(server))
    #expect(discovery.isFinished)
    #expect(discovery.entities.map(\.jid) == [server, second])
    #expect(discovery.entities.map(\.info.features) == [["urn:server"], ["urn:b"]])
  }

  @Test("Silence, nonsense and answers to nobody's question are of nobody")
  func nothing() {
    var discovery = ServerDiscovery(of: server)
    discovery.received(info("1"), to: .info(first))
    _ = (discovery.nextQuestion(), discovery.nextQuestion())
    discovery.received(.timedOut, to: .info(server))
    discovery.received(.result(XMLElement("nonsense", namespace: "urn:x")), to: .items(server))
    #expect(discovery.isFinished && discovery.entities.isEmpty)
  }

  @Test("A server with many items is not flooded, and the last of them not asked")
  func many() throws {
    var discovery = ServerDiscovery(of: server)
    _ = (discovery.nextQuestion(), discovery.nextQuestion())
    let items = try (0..<200).map { DiscoItems.Item(jid: try JID("\($0).example.org")) }
    discovery.received(.result(DiscoItems(items: items).element), to: .items(server))
    var count = 0
    while !discovery.isFinished {
      var asked = [ServerDiscovery.Question.info(server)].filter { _ in count == 0 }
      while let question = discovery.nextQuestion() { asked.append(question) }
      #expect(asked.count <= ServerDiscovery.maximumQuestions)
      count += asked.count
      for question in asked { discovery.received(.timedOut, to: question) }
    }
    #expect(count == ServerDiscovery.maximumItems + 1)
  }
}
