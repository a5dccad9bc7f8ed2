/// Finds what services a server has: asks it what it is and for its items, and each of these what it is.
///
/// What cannot be read, and who answers with an error or not at all, is not there.
///
/// - Specification: XEP-0030 §3, §4
package struct ServerDiscovery: Sendable {
  /// A question to be asked, whose answer is awaited.
  package enum Question: Hashable, Sendable {
    case items(JID)
    case info(JID)

    package var recipient: JID {
      switch self {
      case .items(let jid), .info(let jid): jid
      }
    }

    /// The payload for an iq of type get.
    package var payload: XMLElement {
      switch self {
      case .items: DiscoItems.request()
      case .info: DiscoInfo.request()
      }
    }
  }

  /// Of a server with more items, the first are asked.
  package static let maximumItems = 64
  /// How many questions are under way at once, so that a server with many items is not flooded.
  static let maximumQuestions = 8

  private let server: JID
  private var waiting: [Question]
  private var asked: Set<Question> = []
  private var found: [JID: DiscoInfo] = [:]
  private var items: [JID] = []

  /// - Parameter server: the account's own.
  package init(of server: JID) {
    self.server = server
    // Some servers are what is looked for themselves.
    waiting = [.info(server), .items(server)]
  }

  /// Who answered so far: the server itself, then its items in their order.
  package var entities: [(jid: JID, info: DiscoInfo)] {
    ([server] + items).compactMap { jid in found[jid].map { (jid, $0) } }
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
      var seen: Set<JID> = [server]
      // A service is an entity of its own, not a node of one.
      let others = answer.items.filter { $0.node == nil && seen.insert($0.jid).inserted }.map(\.jid)
      items = Array(others.prefix(Self.maximumItems))
      waiting += items.map { .info($0) }
    case .info(let jid):
      found[jid] = try? DiscoInfo(payload)
    }
  }
}
