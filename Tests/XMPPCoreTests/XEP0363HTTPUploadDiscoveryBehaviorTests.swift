import Testing

@testable import XMPPCore

@Suite struct XEP0363HTTPUploadDiscoveryBehaviorTests {
  private let server: JID
  private let first: JID
  private let second: JID

  init() throws {
    server = try JID("example.org")
    first = try JID("a.example.org")
    second = try JID("b.example.org")
  }

  private func info(_ limit: String?) -> IQTracker.Outcome {
    .result(
      DiscoInfo(
        identities: [], features: [HTTPUpload.namespace],
        forms: limit.map {
          [
            DataForm(fields: [
              .init("FORM_TYPE", type: "hidden", values: [HTTPUpload.namespace]), .init("max-file-size", values: [$0]),
            ])
          ]
        } ?? []
      ).element)
  }

  @Test("The server and its items are asked, and those that are services found with their limits, in order")
  func services() {
    var discovery = HTTPUploadDiscovery(of: server)
    #expect(discovery.nextQuestion() == .info(server))
    #expect(discovery.nextQuestion() == .items(server))
    #expect(discovery.nextQuestion() == nil && !discovery.isFinished)
    let items = [first, second, first, server].map { DiscoItems.Item(jid: $0) } + [.init(jid: second, node: "node")]
    discovery.received(.result(DiscoItems(items: items).element), to: .items(server))
    #expect(discovery.nextQuestion() == .info(first))
    #expect(discovery.nextQuestion() == .info(second))
    #expect(discovery.nextQuestion() == nil)
    discovery.received(info("1000"), to: .info(second))
    discovery.received(.result(DiscoInfo(identities: [], features: []).element), to: .info(first))
    #expect(!discovery.isFinished)
    discovery.received(info(nil), to: .info(server))
    #expect(discovery.isFinished)
    #expect(discovery.services == [.init(jid: server), .init(jid: second, maximumFileSize: 1000)])
  }

  @Test("Errors, silence, nonsense and answers to nobody's question are no service")
  func nothing() {
    var discovery = HTTPUploadDiscovery(of: server)
    discovery.received(info("1"), to: .info(first))
    _ = (discovery.nextQuestion(), discovery.nextQuestion())
    discovery.received(.timedOut, to: .info(server))
    discovery.received(.result(XMLElement("nonsense", namespace: "urn:x")), to: .items(server))
    #expect(discovery.isFinished && discovery.services.isEmpty)
  }

  @Test("A server with many items is not flooded, and the last of them not asked")
  func many() throws {
    var discovery = HTTPUploadDiscovery(of: server)
    _ = (discovery.nextQuestion(), discovery.nextQuestion())
    let items = try (0..<200).map { DiscoItems.Item(jid: try JID("\($0).example.org")) }
    discovery.received(.result(DiscoItems(items: items).element), to: .items(server))
    var count = 0
    while !discovery.isFinished {
      var asked = [HTTPUploadDiscovery.Question.info(server)].filter { _ in count == 0 }
      while let question = discovery.nextQuestion() { asked.append(question) }
      #expect(asked.count <= HTTPUploadDiscovery.maximumQuestions)
      count += asked.count
      for question in asked { discovery.received(.timedOut, to: question) }
    }
    #expect(count == HTTPUploadDiscovery.maximumItems + 1)
  }
}
