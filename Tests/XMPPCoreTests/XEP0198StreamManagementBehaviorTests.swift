import MediaTime
import Testing

@testable import XMPPCore

@Suite struct XEP0198StreamManagementBehaviorTests {
  private let now = Instant(nanoseconds: 0)
  private let grant = StreamManagement.Grant(id: "some-long-sm-id")

  private func message(_ number: Int) -> XMLElement {
    XMLElement("message", namespace: "jabber:client", attributes: ["id": "\(number)"])
  }

  private func acknowledgement(_ h: String?) -> XMLElement {
    XMLElement("a", namespace: StreamManagement.namespace, attributes: h.map { ["h": $0] } ?? [:])
  }

  private func answer(_ h: UInt32) -> StreamManagement.Action { .answer(acknowledgement("\(h)")) }

  /// After so many stanzas, `0`, `1`, ….
  private func sending(_ count: Int, from first: UInt32 = 0) -> StreamManagement {
    var machine = StreamManagement(grant, sent: first, handled: 0)
    for number in 0..<count { _ = machine.send(message(number), at: now) }
    return machine
  }

  private func ids(_ machine: StreamManagement) -> [String] {
    machine.unacknowledged.map { $0.stanza[attribute: "id"] ?? "" }
  }

  private func expectIgnored(
    _ element: XMLElement, by machine: inout StreamManagement, _ location: SourceLocation = #_sourceLocation
  ) {
    let action = machine.receive(element)
    #expect(action == .ignore, sourceLocation: location)
  }

  // MARK: What arrives

  @Test("Stanzas are counted, and nothing else, and each request is answered with the count")
  func counting() throws {
    var machine = StreamManagement(grant)
    let request = XMLElement("r", namespace: StreamManagement.namespace)
    func count() -> StreamManagement.Action { machine.receive(request) }
    #expect(count() == answer(0))
    for (name, namespace, counts) in [
      ("message", "jabber:client", true), ("iq", "jabber:client", true), ("presence", "jabber:client", true),
      ("message", "jabber:server", false), ("other", "jabber:client", false),
      ("features", "http://etherx.jabber.org/streams", false),
    ] {
      let before = machine.handled
      let action = machine.receive(XMLElement(name, namespace: namespace))
      #expect(action == .deliver)
      #expect(machine.handled == before + (counts ? 1 : 0), "\(name) of \(namespace)")
    }
    #expect(count() == answer(3))
    #expect(count() == answer(3))
    #expect(machine.answer == acknowledgement("3"))
    #expect(machine.resumption(of: "me@here/x") == .init(id: "some-long-sm-id", handled: 3, jid: "me@here/x"))
  }

  @Test("The count goes from 2³² − 1 to 0")
  func countWraps() {
    var machine = StreamManagement(grant, sent: 0, handled: .max)
    _ = machine.receive(message(0))
    #expect(machine.answer == acknowledgement("0"))
  }

  // MARK: What is sent

  @Test(
    "An acknowledgement takes what it covers out of the queue; a smaller one takes nothing back, a greater one is an error",
    arguments: [0, 1, 127, 32767, 32768, .max - 2, .max - 1, .max] as [UInt32])
  func acknowledgements(first: UInt32) {
    var machine = sending(4, from: first)
    func say(_ count: UInt32) -> StreamManagement.Action { machine.receive(acknowledgement("\(first &+ count)")) }
    #expect(say(0) == .ignore)
    #expect(ids(machine) == ["0", "1", "2", "3"])
    #expect(say(2) == .ignore)
    #expect(ids(machine) == ["2", "3"])
    #expect(say(1) == .ignore)
    #expect(ids(machine) == ["2", "3"])
    #expect(say(5) == .fail(.handledTooMany(first &+ 5, sent: first &+ 4)))
    #expect(ids(machine) == ["2", "3"])
    #expect(say(4) == .ignore)
    #expect(ids(machine) == [])
  }

  @Test(
    "What is no count changes nothing", arguments: [nil, "", "-1", "4294967296", "1.0", "one"] as [String?])
  func noCount(h: String?) {
    var machine = sending(2)
    expectIgnored(acknowledgement(h), by: &machine)
    #expect(ids(machine) == ["0", "1"])
  }

  @Test(
    "Elements of stream management that have no place here change nothing",
    arguments: ["enabled", "resumed", "failed", "x"])
  func strays(name: String) {
    var machine = sending(2)
    expectIgnored(XMLElement(name, namespace: StreamManagement.namespace, attributes: ["h": "1"]), by: &machine)
    #expect(machine.handled == 0 && ids(machine) == ["0", "1"])
  }

  @Test("An acknowledgement is asked for at each tenth stanza, and some seconds after the first that was not asked for")
  func requests() {
    var machine = StreamManagement(grant)
    #expect(machine.nextDeadline == nil)
    var asked: [Int] = []
    for number in 0..<25 where machine.send(message(number), at: now) { asked.append(number) }
    #expect(asked == [9, 19])
    #expect(machine.nextDeadline == now + .seconds(3))
    _ = machine.send(message(25), at: now + .seconds(2))
    #expect(machine.nextDeadline == now + .seconds(3))
    let asks = [2999, 3000, 60_000].map { machine.timeout(at: now + .milliseconds($0)) }
    #expect(asks == [false, true, false])
    #expect(machine.nextDeadline == nil)
  }

  @Test("A server that never acknowledges costs a bounded memory, and its stream is not resumed with a hole in it")
  func bound() {
    var machine = sending(StreamManagement.maximumUnacknowledged)
    #expect(machine.resumption(of: "") != nil)
    _ = machine.send(message(1000), at: now)
    #expect(machine.unacknowledged.count == StreamManagement.maximumUnacknowledged)
    #expect(ids(machine).first == "1" && machine.resumption(of: "") == nil)
    // What is acknowledged is still told apart.
    expectIgnored(acknowledgement("1000"), by: &machine)
    #expect(ids(machine) == ["1000"])
  }

  // MARK: The next connection

  @Test("A resumed stream sends again what the server has not handled, and goes on counting")
  func resumed() throws {
    var machine = sending(4)
    _ = machine.receive(message(0))
    let again = try machine.resume(handled: 3)
    #expect(again.map { $0[attribute: "id"] } == ["3"])
    #expect(machine.sent == 4 && machine.handled == 1 && machine.nextDeadline == nil)
    _ = machine.send(message(4), at: now)
    expectIgnored(acknowledgement("4"), by: &machine)
    #expect(ids(machine) == ["4"])
  }

  @Test("A server that claims at resumption to have handled more than was sent is told so")
  func resumedTooHigh() {
    var machine = sending(4)
    #expect(throws: StreamFailure.handledTooMany(5, sent: 4)) { try machine.resume(handled: 5) }
  }

  @Test(
    "When a stream is over, what may not have arrived is told",
    arguments: [(nil, ["0", "1", "2"]), (0, ["0", "1", "2"]), (2, ["2"]), (3, []), (4, ["0", "1", "2"])]
      as [(UInt32?, [String])])
  func over(handled: UInt32?, left: [String]) {
    var machine = sending(3)
    let lost = machine.end(handled: handled)
    #expect(lost.map { $0.stanza[attribute: "id"] } == left)
  }

  @Test("A stream that the server would not resume is not offered to it")
  func notGranted() {
    #expect(StreamManagement(.init()).resumption(of: "me@here/x") == nil)
  }

  // MARK: Negotiation

  private static let sm = "<sm xmlns='urn:xmpp:sm:3'/>"
  private static let bound =
    "<iq type='result' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>user@example.org/phone</jid></bind></iq>"
  private static let resume = "<resume xmlns='urn:xmpp:sm:3' h='7' previd='old'/>"

  private func negotiation(resuming: Bool) throws -> StreamNegotiation {
    var configuration = StreamNegotiationTests.configuration()
    if resuming { configuration.resumption = .init(id: "old", handled: 7, jid: "user@example.org/former") }
    return try StreamNegotiationTests.authenticated(configuration)
  }

  private func receive(_ xml: String, _ machine: inout StreamNegotiation) throws -> StreamNegotiation.Action {
    machine.received(try StreamNegotiationTests.element(xml))
  }

  private func offer(_ features: String, _ machine: inout StreamNegotiation) throws -> StreamNegotiation.Action {
    machine.received(try StreamNegotiationTests.features(features))
  }

  @Test(
    "Management is enabled after binding, and a refusal leaves a plain stream",
    arguments: [
      ("<enabled xmlns='urn:xmpp:sm:3' id='new' resume='true'/>", StreamManagement.Grant(id: "new")),
      ("<enabled xmlns='urn:xmpp:sm:3'/>", .init()),
      ("<failed xmlns='urn:xmpp:sm:3'><unexpected-request xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>", nil),
    ] as [(String, StreamManagement.Grant?)])
  func enabling(reply: String, grant: StreamManagement.Grant?) throws {
    var machine = try negotiation(resuming: false)
    _ = try offer(StreamNegotiationTests.bind + Self.sm, &machine)
    #expect(try receive(Self.bound, &machine) == .send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>"))
    // What comes before the answer is not counted.
    guard case .deliver = try receive("<message/>", &machine) else {
      Issue.record("a stanza was not delivered")
      return
    }
    guard case .bound(let bound) = try receive(reply, &machine) else {
      Issue.record("not bound")
      return
    }
    #expect(bound.jid == "user@example.org/phone" && bound.grant == grant && bound.continuation == nil)
  }

  @Test("A server without the feature is asked for nothing of it", arguments: [false, true])
  func withoutFeature(resuming: Bool) throws {
    var machine = try negotiation(resuming: resuming)
    guard case .send(let request) = try offer(StreamNegotiationTests.bind, &machine) else {
      Issue.record("nothing was sent")
      return
    }
    #expect(request.contains("<bind"))
    guard case .bound(let bound) = try receive(Self.bound, &machine) else {
      Issue.record("not bound")
      return
    }
    #expect(bound.grant == nil && bound.continuation == nil)
  }

  @Test("A former stream is resumed in place of binding, under its old address")
  func resuming() throws {
    var machine = try negotiation(resuming: true)
    #expect(try offer(StreamNegotiationTests.bind + Self.sm, &machine) == .send(Self.resume))
    guard case .bound(let bound) = try receive("<resumed xmlns='urn:xmpp:sm:3' h='9' previd='old'/>", &machine) else {
      Issue.record("not bound")
      return
    }
    #expect(bound.jid == "user@example.org/former" && bound.continuation == .resumed(handled: 9) && bound.grant == nil)
  }

  @Test(
    "When it cannot be resumed, a resource is bound on the same stream",
    arguments: [("", nil), (" h='5'", 5), (" h='no'", nil)] as [(String, UInt32?)])
  func notResumed(attribute: String, handled: UInt32?) throws {
    var machine = try negotiation(resuming: true)
    _ = try offer(StreamNegotiationTests.bind + Self.sm, &machine)
    let failed =
      "<failed xmlns='urn:xmpp:sm:3'\(attribute)><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>"
    guard case .send(let request) = try receive(failed, &machine) else {
      Issue.record("nothing was sent")
      return
    }
    #expect(request.contains("<bind"))
    #expect(try receive(Self.bound, &machine) == .send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>"))
    guard case .bound(let bound) = try receive("<enabled xmlns='urn:xmpp:sm:3'/>", &machine) else {
      Issue.record("not bound")
      return
    }
    #expect(bound.jid == "user@example.org/phone" && bound.continuation == .failed(handled: handled))
  }

  @Test(
    "Another answer to a resumption ends the stream",
    arguments: [
      "<resumed xmlns='urn:xmpp:sm:3' h='9' previd='other'/>", "<resumed xmlns='urn:xmpp:sm:3' h='9'/>",
      "<resumed xmlns='urn:xmpp:sm:3' previd='old'/>", "<resumed xmlns='urn:xmpp:sm:3' h='-1' previd='old'/>",
      "<message/>", "<enabled xmlns='urn:xmpp:sm:3'/>",
    ])
  func badAnswers(reply: String) throws {
    var machine = try negotiation(resuming: true)
    _ = try offer(StreamNegotiationTests.bind + Self.sm, &machine)
    guard case .fail(.protocolViolation) = try receive(reply, &machine) else {
      Issue.record("the stream goes on")
      return
    }
  }
}
