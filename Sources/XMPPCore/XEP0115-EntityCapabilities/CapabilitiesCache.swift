/// What the entities one hears of can do, learnt with as few questions as possible: one for each verification string,
/// to one of those who advertise it.
///
/// Feed it the capabilities of each presence, send what `nextQuery()` returns until it is nil, and feed it each answer.
///
/// - Specification: XEP-0115 §5.4, §6.2, §8.2
package struct CapabilitiesCache: Sendable {
  /// A disco#info question that is to be sent.
  package struct Query: Hashable, Sendable {
    package var recipient: JID
    package var capabilities: Capabilities

    package var element: XMLElement { DiscoInfo.request(node: capabilities.queryNode) }
  }

  private struct Entity {
    var capabilities: Capabilities
    /// What this entity said of itself, where that could not be verified and so holds for it alone.
    var info: DiscoInfo?
  }

  private let maximumInfos: Int
  private let maximumEntities: Int
  private let maximumQueries: Int
  private var verified: [Verification: DiscoInfo] = [:]
  /// The keys of `verified` in the order in which they came: when full, the oldest goes.
  private var ages: [Verification] = []
  private var entities: [JID: Entity] = [:]
  /// Entities yet to be asked, unless somebody else's answer comes first.
  private var waiting: [JID] = []
  private var asked: [JID: Capabilities] = [:]

  /// - Parameters:
  ///   - maximumInfos: how many verified answers are kept.
  ///   - maximumEntities: of how many entities the capabilities are kept; those who come later are not noted.
  ///   - maximumQueries: how many questions are under way at a time.
  package init(maximumInfos: Int = 256, maximumEntities: Int = 2048, maximumQueries: Int = 8) {
    self.maximumInfos = maximumInfos
    self.maximumEntities = maximumEntities
    self.maximumQueries = maximumQueries
  }

  /// What is known of an entity, or nil when it has not said yet.
  package func info(of entity: JID) -> DiscoInfo? {
    guard let entity = entities[entity] else { return nil }
    return verified[entity.capabilities.verification] ?? entity.info
  }

  /// An entity advertises capabilities.
  package mutating func receive(_ capabilities: Capabilities, from entity: JID) {
    if let known = entities[entity] {
      if known.capabilities == capabilities { return }
    } else if entities.count >= maximumEntities {
      return
    }
    entities[entity] = Entity(capabilities: capabilities)
    waiting.removeAll { $0 == entity }
    if verified[capabilities.verification] == nil { waiting.append(entity) }
  }

  /// An entity went away.
  package mutating func forget(_ entity: JID) {
    entities[entity] = nil
    waiting.removeAll { $0 == entity }
  }

  /// The stream is gone: nobody is available any more and no answer will come. What was verified stays.
  package mutating func disconnected() {
    entities = [:]
    waiting = []
    asked = [:]
  }

  /// The next question to send, or nil when there is none for now.
  package mutating func nextQuery() -> Query? {
    var index = 0
    while index < waiting.count, asked.count < maximumQueries {
      let recipient = waiting[index]
      guard let capabilities = entities[recipient]?.capabilities, verified[capabilities.verification] == nil else {
        waiting.remove(at: index)
        continue
      }
      let isBeingAsked = asked[recipient] != nil || asked.values.contains { $0.answersFor(capabilities) }
      if isBeingAsked {
        index += 1
        continue
      }
      waiting.remove(at: index)
      asked[recipient] = capabilities
      return Query(recipient: recipient, capabilities: capabilities)
    }
    return nil
  }

  /// Somebody who was asked has answered; nil stands for an error, an answer that cannot be read, or none in time.
  ///
  /// An answer that its verification string does not fit is believed only of the entity that gave it, and the next
  /// entity that advertises the string is asked.
  package mutating func receive(_ info: DiscoInfo?, answering query: Query) {
    guard asked[query.recipient] == query.capabilities else { return }
    asked[query.recipient] = nil
    guard let info, info.node == nil || info.node == query.capabilities.queryNode else { return }
    if query.capabilities.verification.verifies(info) {
      keep(info, for: query.capabilities.verification)
    } else if entities[query.recipient]?.capabilities == query.capabilities {
      entities[query.recipient]?.info = info
    }
  }

  private mutating func keep(_ info: DiscoInfo, for verification: Verification) {
    guard verified.updateValue(info, forKey: verification) == nil else { return }
    ages.append(verification)
    if ages.count > maximumInfos { verified[ages.removeFirst()] = nil }
  }
}

extension Capabilities {
  /// Whether an answer for these capabilities may serve for the others too.
  fileprivate func answersFor(_ other: Capabilities) -> Bool {
    verification.hash != nil && verification == other.verification
  }
}
