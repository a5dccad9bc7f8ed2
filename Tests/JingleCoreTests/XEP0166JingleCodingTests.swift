import JingleCore
import Testing
import XMPPCore

@Suite struct XEP0166JingleCodingTests {
  @Test func `The example offer is read whole`() throws {
    let offer = try jingle(sessionInitiate)
    #expect(offer.action == .sessionInitiate)
    #expect(offer.sid == sid)
    #expect(offer.initiator == romeo)
    #expect(offer.responder == nil)
    let content = try #require(offer.contents.first)
    #expect(offer.contents.count == 1)
    #expect(content.creator == .initiator)
    #expect(content.name == "voice")
    #expect(content.senders == .both)
    #expect(content.disposition == "session")
    #expect(content.description?.rtp?.payloadTypes.map(\.id) == [96, 97, 18, 0, 103, 98])
    #expect(content.transport?.iceUDP?.candidates.count == 2)
  }

  @Test(arguments: [sessionInitiate, sessionAccept])
  func `What was read is written as it was`(text: String) throws {
    let read = try jingle(text)
    #expect(try Jingle(read.element) == read)
  }

  @Test(arguments: Jingle.Action.defined)
  func `Every action has a name of its own`(action: Jingle.Action) {
    #expect(Jingle.Action(action.description) == action)
    #expect(Jingle.Action.defined.count == 15)
  }

  @Test func `An unknown action is kept`() throws {
    #expect(
      try jingle("<jingle xmlns='urn:xmpp:jingle:1' action='source-add' sid='1'/>").action == .unknown("source-add"))
  }

  @Test(arguments: [
    ("<jingle xmlns='urn:xmpp:jingle:1' sid='1'/>", "action"),
    ("<jingle xmlns='urn:xmpp:jingle:1' action='session-info'/>", "sid"),
    ("<jingle xmlns='urn:xmpp:jingle:1' action='session-info' sid=''/>", "sid"),
    ("<jingle xmlns='urn:xmpp:jingle:0' action='session-info' sid='1'/>", "no jingle element"),
    ("<jingle xmlns='urn:xmpp:jingle:1' action='content-add' sid='1'><content creator='initiator'/></jingle>", "name"),
    (
      """
      <jingle xmlns='urn:xmpp:jingle:1' action='content-add' sid='1'>
        <content creator='initiator' name='a'/><content creator='initiator' name='a'/>
      </jingle>
      """, "twice"
    ),
    (
      "<jingle xmlns='urn:xmpp:jingle:1' action='content-modify' sid='1'><content name='a'/></jingle>",
      "senders"
    ),
    (
      "<jingle xmlns='urn:xmpp:jingle:1' action='content-add' sid='1'><content name='a' senders='me'/></jingle>",
      "senders"
    ),
    (
      """
      <jingle xmlns='urn:xmpp:jingle:1' action='content-add' sid='1'><content name='a'>
        <transport xmlns='urn:xmpp:jingle:transports:ice-udp:1'/>
        <transport xmlns='urn:xmpp:jingle:transports:raw-udp:1'/>
      </content></jingle>
      """, "two transports"
    ),
    (
      """
      <jingle xmlns='urn:xmpp:jingle:1' action='session-terminate' sid='1'>
        <reason><busy/></reason><reason><success/></reason>
      </jingle>
      """, "two reasons"
    ),
  ])
  func `What cannot be understood is a bad request that says why`(text: String, why: String) throws {
    let element = try xml(text)
    let error = #expect(throws: StanzaError.self) { try Jingle(element) }
    #expect(error?.condition == .badRequest)
    #expect(error?.text?.contains(why) == true)
  }

  @Test func `Contents of one name and different creators are told apart`() throws {
    let read = try jingle(
      """
      <jingle xmlns='urn:xmpp:jingle:1' action='content-add' sid='1'>
        <content creator='initiator' name='a'/><content creator='responder' name='a'/>
      </jingle>
      """)
    #expect(read.contents.map(\.creator) == [.initiator, .responder])
  }

  @Test(arguments: ["", "creator='caller'", "creator=''"])
  func `A creator that is missing or unknown is the initiator`(attribute: String) throws {
    let read = try jingle(
      "<jingle xmlns='urn:xmpp:jingle:1' action='content-add' sid='1'><content \(attribute) name='a'/></jingle>")
    #expect(read.contents.first?.creator == .initiator)
  }

  @Test(arguments: ["romeo@montague.example", "@", "", "a@b@c/d"])
  func `An initiator may be anything`(address: String) throws {
    let read = try jingle("<jingle xmlns='urn:xmpp:jingle:1' action='session-info' sid='1' initiator='\(address)'/>")
    #expect(read.initiator == (try? JID(address)))
  }

  @Test func `More contents than anybody needs are refused`() {
    func offer(_ count: Int) -> XMLElement {
      Jingle(.contentAdd, sid: "1", contents: (0..<count).map { Jingle.Content(name: "\($0)") }).element
    }
    #expect(throws: Never.self) { try Jingle(offer(Jingle.maximumContents)) }
    #expect(throws: StanzaError.self) { try Jingle(offer(Jingle.maximumContents + 1)) }
  }

  @Test func `Ids and names have a longest length`() {
    let longest = String(repeating: "x", count: Jingle.maximumNameLength)
    #expect(throws: Never.self) { try Jingle(Jingle(.sessionInfo, sid: longest).element) }
    #expect(throws: StanzaError.self) { try Jingle(Jingle(.sessionInfo, sid: longest + "x").element) }
  }

  @Test func `Senders are written where directions are agreed on, and an initiator where it was given`() {
    let content = Jingle.Content(name: "voice", senders: .initiator)
    let accept = Jingle(.sessionAccept, sid: sid, contents: [content]).element
    let info = Jingle(.transportInfo, sid: sid, contents: [content]).element
    #expect(accept.children[0][attribute: "senders"] == "initiator")
    #expect(info.children[0][attribute: "senders"] == nil)
    #expect(info[attribute: "initiator"] == nil)
  }

  @Test func `Unknown applications and transports, groups and security are kept as they are`() throws {
    let text = """
      <jingle xmlns='urn:xmpp:jingle:1' action='session-initiate' sid='1'>
        <group xmlns='urn:xmpp:jingle:apps:grouping:0' semantics='BUNDLE'><content name='a'/></group>
        <content creator='initiator' name='a'><description xmlns='urn:xmpp:jingle:apps:stub:0'/><transport
        xmlns='urn:xmpp:jingle:transports:stub:0'/><security xmlns='urn:xmpp:jingle:security:stub:0'/></content>
      </jingle>
      """
    let read = try jingle(text)
    #expect(read.groups == [ContentGroup(.bundle, ["a"])])
    #expect(read.contents[0].description?.namespace == "urn:xmpp:jingle:apps:stub:0")
    #expect(read.contents[0].description?.rtp == nil)
    #expect(read.contents[0].transport?.iceUDP == nil)
    #expect(read.contents[0].security?.namespace == "urn:xmpp:jingle:security:stub:0")
    #expect(try Jingle(read.element) == read)
  }

  @Test(arguments: Jingle.Reason.Condition.defined + [.alternativeSession(sid: "b84tkkwlmb48kgfb"), .unknown("bored")])
  func `Every reason comes through`(condition: Jingle.Reason.Condition) throws {
    let reason = Jingle.Reason(condition, text: "Sorry", application: RTPError.cryptoRequired.element)
    let sent = Jingle(.sessionTerminate, sid: sid, reason: reason)
    #expect(try Jingle(sent.element).reason == reason)
  }

  @Test func `A reason without a condition is a reason`() throws {
    let reason = try jingle(
      "<jingle xmlns='urn:xmpp:jingle:1' action='session-terminate' sid='1'><reason/></jingle>"
    ).reason
    #expect(reason == Jingle.Reason(.unknown("")))
  }

  @Test func `Of an endless reason only the beginning is kept`() throws {
    let element = Jingle.Reason(.busy, text: String(repeating: "n\u{301}", count: 100_000)).element
    #expect(Jingle.Reason(element).text?.unicodeScalars.count == Jingle.Reason.maximumTextLength)
  }

  @Test(arguments: [
    (StanzaError.outOfOrder, "wait", "unexpected-request", "out-of-order"),
    (.tieBreak, "cancel", "conflict", "tie-break"),
    (.unknownSession, "cancel", "item-not-found", "unknown-session"),
    (.unsupportedInfo, "modify", "feature-not-implemented", "unsupported-info"),
    (.securityRequired, "cancel", "not-acceptable", "security-required"),
  ])
  func `Jingle's errors stand beside the general ones`(
    error: StanzaError, type: String, condition: String, application: String
  ) {
    #expect(error.element[attribute: "type"] == type)
    #expect(error.element.first(condition, StanzaError.namespace) != nil)
    #expect(error.element.first(application, "urn:xmpp:jingle:errors:1") != nil)
    #expect(StanzaError(error.element).jingle == error.jingle)
    #expect(error.jingle?.rawValue == application)
  }

  @Test(arguments: [sessionInitiate, sessionAccept, dinosOffer])
  func `Whatever one change does to a stanza, it is refused or read to something that can be written`(text: String)
    throws
  {
    let twins = brokenTwins(of: try xml(text))
    #expect(twins.count > 300)
    var refused = 0
    for twin in twins {
      guard let read = try? Jingle(twin) else {
        refused += 1
        continue
      }
      let again = try Jingle(read.element)
      #expect(again.element == read.element)
    }
    #expect(refused > 0)
    #expect(refused < twins.count)
  }

  @Test(arguments: [
    (Jingle.Senders.both, true, true), (.initiator, true, false), (.responder, false, true), (.none, false, false),
  ])
  func `Senders are directions`(senders: Jingle.Senders, initiator: Bool, responder: Bool) {
    #expect(senders.include(.initiator) == initiator)
    #expect(senders.include(.responder) == responder)
    #expect(Jingle.Senders(.initiator, sends: initiator, receives: responder) == senders)
    #expect(Jingle.Senders(.responder, sends: responder, receives: initiator) == senders)
    #expect(senders.intersection(.both) == senders)
    #expect(senders.intersection(.none) == .none)
    #expect(senders.intersection(.initiator) == (initiator ? .initiator : .none))
  }
}
