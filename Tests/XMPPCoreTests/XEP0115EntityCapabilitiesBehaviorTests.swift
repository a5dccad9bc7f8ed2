import Testing
import XMPPCore

@Suite struct XEP0115EntityCapabilitiesBehaviorTests {
  private let info = DiscoInfo(identities: [.init(category: "client", type: "pc")], features: ["urn:xmpp:jingle:1"])
  private var capabilities: Capabilities { Capabilities(node: "https://x.example", of: info) }

  private func device(_ number: Int) throws -> JID { try jid("user\(number)@a.example/pc") }

  private func next(_ cache: inout CapabilitiesCache) throws -> CapabilitiesCache.Query {
    let query = cache.nextQuery()
    return try #require(query)
  }

  @Test("One of those who advertise a string is asked, and the answer holds for all")
  func shared() throws {
    var cache = CapabilitiesCache()
    for number in 0..<5 { cache.receive(capabilities, from: try device(number)) }
    let query = try next(&cache)
    #expect(query.recipient == (try device(0)))
    #expect(query.element == DiscoInfo.request(node: capabilities.queryNode))
    #expect(cache.nextQuery() == nil)
    #expect(cache.info(of: try device(3)) == nil)
    cache.receive(info, answering: query)
    for number in 0..<5 { #expect(cache.info(of: try device(number)) == info) }
    #expect(cache.nextQuery() == nil)
    cache.receive(capabilities, from: try device(9))
    #expect(cache.info(of: try device(9)) == info)
    #expect(cache.nextQuery() == nil)
  }

  @Test("An answer that does not fit its string is believed only of who gave it, and the next one is asked")
  func poisoning() throws {
    var cache = CapabilitiesCache()
    let poison = DiscoInfo(identities: info.identities, features: ["urn:example:poison"])
    cache.receive(capabilities, from: try device(0))
    cache.receive(capabilities, from: try device(1))
    cache.receive(poison, answering: try next(&cache))
    #expect(cache.info(of: try device(0)) == poison)
    #expect(cache.info(of: try device(1)) == nil)
    let second = try next(&cache)
    #expect(second.recipient == (try device(1)))
    cache.receive(info, answering: second)
    #expect(cache.info(of: try device(1)) == info)
    #expect(cache.info(of: try device(0)) == info, "the verified answer is the better one")
  }

  @Test("An ill-formed answer, one of another node, an error and silence are not cached")
  func unusable() throws {
    var cache = CapabilitiesCache()
    var repeated = info
    repeated.features += repeated.features
    var elsewhere = info
    elsewhere.node = "https://y.example#1"
    let answers = [repeated, elsewhere, nil]
    for number in 0...answers.count { cache.receive(capabilities, from: try device(number)) }
    for (number, answer) in answers.enumerated() {
      let query = try next(&cache)
      #expect(query.recipient == (try device(number)))
      cache.receive(answer, answering: query)
      #expect(cache.info(of: try device(3)) == nil)
    }
  }

  @Test("With a hash that cannot be computed, each entity is asked for itself", arguments: ["", "md5", "sha-3"])
  func unknownHash(algorithm: String) throws {
    var cache = CapabilitiesCache()
    let capabilities = Capabilities(node: "https://x.example", verification: .init(algorithm: algorithm, value: "1.0"))
    cache.receive(capabilities, from: try device(0))
    cache.receive(capabilities, from: try device(1))
    let queries = [try next(&cache), try next(&cache)]
    cache.receive(info, answering: queries[0])
    #expect(cache.info(of: try device(0)) == info)
    #expect(cache.info(of: try device(1)) == nil)
    cache.receive(info, answering: queries[1])
    #expect(cache.info(of: try device(1)) == info)
  }

  @Test("New capabilities replace the old ones, also while a question is under way")
  func update() throws {
    var cache = CapabilitiesCache()
    let other = DiscoInfo(identities: info.identities, features: ["urn:example:new"])
    cache.receive(capabilities, from: try device(0))
    let query = try next(&cache)
    cache.receive(Capabilities(node: "https://x.example", of: other), from: try device(0))
    #expect(cache.nextQuery() == nil, "one question at a time")
    cache.receive(info, answering: query)
    #expect(cache.info(of: try device(0)) == nil)
    cache.receive(other, answering: try next(&cache))
    #expect(cache.info(of: try device(0)) == other)
    cache.receive(capabilities, from: try device(0))
    #expect(cache.info(of: try device(0)) == info)
  }

  @Test("Who went away is not asked, and an answer counts only for a question")
  func gone() throws {
    var cache = CapabilitiesCache()
    let other = Capabilities(node: "https://x.example", of: DiscoInfo(identities: [], features: []))
    cache.receive(capabilities, from: try device(0))
    cache.forget(try device(0))
    #expect(cache.nextQuery() == nil)
    cache.receive(capabilities, from: try device(0))
    #expect(cache.info(of: try device(0)) == nil)
    let query = try next(&cache)
    cache.receive(info, answering: query)
    cache.receive(DiscoInfo(identities: [], features: []), answering: query)
    #expect(cache.info(of: try device(0)) == info)
    cache.receive(other, from: try device(1))
    let late = try next(&cache)
    cache.disconnected()
    cache.receive(DiscoInfo(identities: [], features: []), answering: late)
    #expect(cache.nextQuery() == nil)
    cache.receive(other, from: try device(1))
    #expect(cache.info(of: try device(1)) == nil)
    cache.receive(capabilities, from: try device(0))
    #expect(cache.info(of: try device(0)) == info, "what was verified stays")
  }

  @Test("Questions, entities and answers are bounded")
  func bounds() throws {
    var cache = CapabilitiesCache(maximumInfos: 2, maximumEntities: 4, maximumQueries: 2)
    let infos = (0..<6).map { DiscoInfo(identities: [], features: ["urn:example:\($0)"]) }
    for (number, info) in infos.enumerated() {
      cache.receive(Capabilities(node: "n", of: info), from: try device(number))
    }
    var queries: [CapabilitiesCache.Query] = []
    while let query = cache.nextQuery() { queries.append(query) }
    #expect(queries.count == 2)
    for number in 0..<4 {
      cache.receive(infos[number], answering: queries[number])
      if let query = cache.nextQuery() { queries.append(query) }
    }
    #expect(queries.count == 4)
    #expect(try (0..<6).map { cache.info(of: try device($0)) } == [nil, nil, infos[2], infos[3], nil, nil])
  }
}
