import JingleCore
import XMPPCore

/// Stanzas that are nearly right.
struct HostileGrammar {
  var random: SplitMix64

  init(seed: UInt64) { random = SplitMix64(seed: seed &+ 1000) }

  private mutating func chance(_ one: Int) -> Bool { Int.random(in: 0..<one, using: &random) == 0 }

  private mutating func pick<Value>(_ values: [Value]) -> Value {
    values[Int.random(in: 0..<values.count, using: &random)]
  }

  mutating func sender() -> JID { chance(20) ? pick([julietsPhone, juliet.bare, romeo]) : juliet }

  private mutating func name() -> String {
    chance(15) ? pick(["", "é\u{301}", String(repeating: "n", count: 300)]) : pick(["voice", "video", "a", "b", "c"])
  }

  mutating func stanza() -> XMLElement {
    // The end would come too soon otherwise.
    var action = pick(Jingle.Action.defined).description
    if action == "session-terminate", !chance(8) { action = "session-info" }
    if action == "content-remove", !chance(3) { action = "content-add" }
    if chance(25) { action = pick(["", "x-info", "source-add", "session-initiate "]) }
    var element = XMLElement(
      "jingle", namespace: Jingle.namespace, attributes: ["action": action, "sid": sid])
    if chance(30) { element[attribute: "sid"] = pick(["quiet", "", "none"]) }
    if chance(60) { element[attribute: "action"] = nil }
    for _ in 0..<pick([0, 1, 1, 1, 1, 2, 3]) { element.append(content()) }
    if chance(4) {
      let groups = [ContentGroup(pick([.bundle, .lipSync]), [pick(["voice", "video"]), "a"])]
      element.nodes += Jingle(.sessionInfo, sid: sid, groups: groups).element.nodes
    }
    if chance(6) { element.append(Jingle.Reason(pick(Jingle.Reason.Condition.defined), text: "so").element) }
    if chance(6) {
      element.append(pick([RTPInfo.hold.element, RTPInfo.ringing.element, XMLElement("x", namespace: "urn:x")]))
    }
    if chance(20), !element.nodes.isEmpty { element.nodes.append(pick(element.nodes)) }
    return element
  }

  private mutating func content() -> XMLElement {
    var element = XMLElement(
      "content", namespace: Jingle.namespace,
      attributes: ["name": name(), "creator": pick(["initiator", "responder", "nobody"])])
    if !chance(3) { element[attribute: "senders"] = pick(["both", "initiator", "responder", "none"]) }
    if chance(20) { element[attribute: "senders"] = "all" }
    if chance(20) { element[attribute: "disposition"] = "early-session" }
    if !chance(4) {
      var description = RTPDescription(
        media: pick(["audio", "video"]), payloadTypes: [RTPCapability.opus().payloadType(id: 111)]
      ).element
      if chance(15) { description[attribute: "media"] = nil }
      if chance(15) { description.namespace = "urn:other" }
      element.append(description)
    }
    if !chance(4) {
      var transport = ICETransport(
        ufrag: "u\(Int.random(in: 0..<12, using: &random))", pwd: "p", candidates: [candidate(9), candidate(10)]
      ).element
      if chance(6) { transport[attribute: pick(["ufrag", "pwd"])] = nil }
      if chance(15) { transport[attribute: "ufrag"] = pick(["a b", String(repeating: "u", count: 300)]) }
      if chance(15) { transport.namespace = "urn:xmpp:jingle:transports:raw-udp:1" }
      if chance(15) { transport.append(XMLElement("fingerprint", namespace: DTLSFingerprint.namespace)) }
      element.append(transport)
    }
    return element
  }

  /// What the side above might do.
  mutating func react(_ session: inout JingleSession) {
    let name = pick(["voice", "video", "a", "b", "c"])
    let fresh = ICETransport(ufrag: "o\(Int.random(in: 0..<1000, using: &random))", pwd: "q")
    switch Int.random(in: 0..<16, using: &random) {
    case 0: session.add([JingleCoreTests.content(session.unusedName(like: name))])
    case 1, 2: session.acceptContents([JingleCoreTests.content(name)])
    case 3: session.rejectContents([name], Jingle.Reason(.decline))
    case 4: session.modify(name, senders: pick([.both, .initiator, .none]))
    case 5: session.replaceTransport(.iceUDP(fresh), for: name)
    case 6: session.acceptTransport(.iceUDP(fresh), for: name)
    case 7: session.rejectTransport(for: name)
    case 8: session.send(fresh, for: name)
    case 9: if session.agreedContents.count > 1 { session.remove([name], Jingle.Reason(.success)) }
    case 10: session.sendInfo(RTPInfo.hold)
    case 11: if session.role == .responder, session.phase == .pending { session.accept([voiceAnswer]) }
    default: break
    }
  }

  mutating func outcome() -> IQTracker.Outcome {
    pick([
      .result(nil), .result(nil), .result(nil), .error(.tieBreak), .error(.outOfOrder),
      .error(StanzaError(.featureNotImplemented)), .timedOut,
    ])
  }
}
