/// Finds the proxies that a server knows of: asks it for its items, each item what it is, and each proxy where.
///
/// What cannot be read, and who answers with an error or not at all, is no proxy.
///
/// - Specification: XEP-0065 §4
package struct BytestreamProxies: Sendable {
  /// A question to be asked, whose answer is awaited.
  package enum Question: Hashable, Sendable {
    case items(JID)
    case identity(JID)
    case address(JID)

    package var recipient: JID {
      switch self {
      case .items(let jid), .identity(let jid), .address(let jid): jid
      }
    }

    /// The payload for an iq of type get.
    package var payload: XMLElement {
      switch self {
      case .items: DiscoItems.request()
      case .identity: DiscoInfo.request()
      case .address: BytestreamQuery.addressRequest
      }
    }
  }

  /// Of a server with more items, the first are asked.
  package static let maximumItems = 64
  /// How many questions are under way at once, so that a server with many items is not flooded.
  static let maximumQuestions = 8
  /// What proxies are there beyond is not told.
  package static let maximumProxies = 8

  private var waiting: [Question]
  private var asked: Set<Question> = []
  private var found: [(index: Int, hosts: [StreamHost])] = []
  private var items: [JID] = []

  /// - Parameter server: the account's own, as a rule.
  package init(of server: JID) {
    waiting = [.items(server)]
  }

  /// The proxies found so far, in the order of the server's items.
  package var proxies: [StreamHost] {
    Array(found.sorted { $0.index < $1.index }.flatMap(\.hosts).prefix(Self.maximumProxies))
  }

  /// Whether nothing is awaited any more.
  package var isFinished: Bool { waiting.isEmpty && asked.isEmpty }

  /// The next question to ask, until nil; to be polled again after each answer.
  package mutating func nextQuestion() -> Question? {
    guard asked.count < Self.maximumQuestions, !waiting.isEmpty else { return nil }
    let question = waiting.removeFirst()
    asked.insert(question)
    return question
  }

  /// Takes what became of a question.
  package mutating func received(_ outcome: IQTracker.Outcome, to question: Question) {
    guard asked.remove(question) != nil, case .result(let payload?) = outcome else { return }
    switch question {
    case .items:
      guard let answer = try? DiscoItems(payload) else { return }
      var seen: Set<JID> = []
      // A proxy is an entity of its own, not a node of one.
      items = answer.items.filter { $0.node == nil && seen.insert($0.jid).inserted }.map(\.jid)
      items = Array(items.prefix(Self.maximumItems))
      waiting += items.map { .identity($0) }
    case .identity(let jid):
      guard let info = try? DiscoInfo(payload), info.isBytestreamProxy else { return }
      // Whom we know to be a proxy is asked before others are asked whether they are.
      waiting.insert(.address(jid), at: 0)
    case .address(let jid):
      guard let answer = try? BytestreamQuery(payload), case .streamHosts(let hosts) = answer.content,
        let index = items.firstIndex(of: jid), !hosts.isEmpty
      else { return }
      found.append((index, hosts))
    }
  }
}

extension DiscoInfo {
  var isBytestreamProxy: Bool {
    identities.contains { $0.category == "proxy" && $0.type == "bytestreams" }
  }
}
