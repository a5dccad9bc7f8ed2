import JingleCore
import MediaTime
import Testing
import XMPPCore

@Suite struct XEP0353MessageInitiationBehaviorTests {
  static let id = "ca3cf894-5325-482f-a412-a6e9f832298d"
  static let start = Instant(nanoseconds: 0)
  static let tablet = JID(localpart: "juliet", domainpart: "capulet.example", resourcepart: "tablet")
  static let busy = Jingle.Reason(.busy)

  func outgoing() -> OutgoingProposal {
    var proposal = OutgoingProposal(
      id: Self.id, own: romeo, peer: juliet.bare, media: ["audio"], patience: .seconds(30), at: Self.start)
    _ = drain(&proposal)
    return proposal
  }

  func drain(_ proposal: inout OutgoingProposal) -> [OutgoingProposal.Output] {
    var outputs: [OutgoingProposal.Output] = []
    while let output = proposal.nextOutput() { outputs.append(output) }
    return outputs
  }

  func drain(_ proposal: inout IncomingProposal) -> [IncomingProposal.Output] {
    var outputs: [IncomingProposal.Output] = []
    while let output = proposal.nextOutput() { outputs.append(output) }
    return outputs
  }

  func message(_ action: JingleMessage.Action, id: String = id) -> JingleMessage { JingleMessage(id: id, action) }

  // MARK: The caller

  @Test func `A call begins with a proposal to the account`() {
    var proposal = OutgoingProposal(
      id: Self.id, own: romeo, peer: juliet.bare, media: ["audio", "video"], patience: .seconds(30), at: Self.start)
    let descriptions = ["audio", "video"].map { Jingle.Description.rtp(RTPDescription(media: $0)) }
    #expect(drain(&proposal) == [.send(message(.propose(descriptions)), to: juliet.bare)])
    #expect(proposal.nextDeadline == Self.start + .seconds(30))
  }

  /// What happens to a proposal that nobody answered, and what comes of it.
  static let answers: [(JingleMessage.Action, [OutgoingProposal.Output])] = [
    (.ringing, [.event(.ringing(device: juliet))]),
    (.proceed, [.event(.proceeded(device: juliet))]),
    (.reject(busy), [.event(.rejected(busy, device: juliet))]),
    (.reject(nil), [.event(.rejected(nil, device: juliet))]),
    (
      .reject(Jingle.Reason(.expired), isTieBreak: true),
      [
        .send(
          JingleMessage(id: id, .retract(Jingle.Reason(.expired, text: "Tie-Break"), isTieBreak: true)),
          to: juliet.bare),
        .event(.lostTieBreak(to: nil)),
      ]
    ),
    (.finish(nil), []),
    (.retract(nil), []),
    (.accept, []),
  ]

  @Test(arguments: answers)
  func `An open proposal takes answers`(action: JingleMessage.Action, outputs: [OutgoingProposal.Output]) {
    var proposal = outgoing()
    proposal.receive(message(action), from: juliet)
    #expect(drain(&proposal) == outputs)
  }

  @Test(arguments: [juliet.bare, tybalt, romeo, romeo.bare])
  func `Nobody but a device of the peer can answer`(sender: JID) {
    for (action, _) in Self.answers {
      var proposal = outgoing()
      proposal.receive(message(action), from: sender)
      #expect(drain(&proposal).isEmpty)
    }
  }

  @Test func `An answer to another proposal changes nothing`() {
    for (action, _) in Self.answers {
      var proposal = outgoing()
      proposal.receive(message(action, id: "other"), from: juliet)
      #expect(drain(&proposal).isEmpty)
    }
  }

  @Test func `Each device rings once, and one takes the call`() {
    var proposal = outgoing()
    for device in [juliet, julietsPhone, juliet] { proposal.receive(message(.ringing), from: device) }
    #expect(drain(&proposal) == [.event(.ringing(device: juliet)), .event(.ringing(device: julietsPhone))])
    proposal.receive(message(.proceed), from: julietsPhone)
    proposal.receive(message(.proceed), from: juliet)
    proposal.receive(message(.reject(Self.busy)), from: juliet)
    proposal.receive(message(.ringing), from: Self.tablet)
    #expect(drain(&proposal) == [.event(.proceeded(device: julietsPhone))])
    #expect(proposal.nextDeadline == nil)
  }

  @Test func `Endless devices do not ring endlessly`() {
    var proposal = outgoing()
    for number in 0..<1000 {
      proposal.receive(
        message(.ringing), from: JID(localpart: "juliet", domainpart: "capulet.example", resourcepart: "\(number)"))
    }
    #expect(drain(&proposal).count == 32)
  }

  @Test func `The device that took the call can call it off before the session`() {
    var proposal = outgoing()
    proposal.receive(message(.proceed), from: juliet)
    _ = drain(&proposal)
    proposal.receive(message(.reject(Self.busy)), from: juliet)
    #expect(drain(&proposal) == [.event(.rejected(Self.busy, device: juliet))])
  }

  @Test func `Silence ends the proposal in time, and not before`() {
    var proposal = outgoing()
    proposal.timeout(at: Self.start + .seconds(29))
    #expect(drain(&proposal).isEmpty)
    proposal.timeout(at: Self.start + .seconds(30))
    #expect(
      drain(&proposal) == [.send(message(.retract(Jingle.Reason(.timeout))), to: juliet.bare), .event(.timedOut)])
    #expect(proposal.nextDeadline == nil)
    proposal.receive(message(.proceed), from: juliet)
    #expect(drain(&proposal).isEmpty)
  }

  @Test func `A proposal can be taken back, once, even after it was answered`() {
    for answered in [false, true] {
      var proposal = outgoing()
      if answered { proposal.receive(message(.proceed), from: juliet) }
      _ = drain(&proposal)
      proposal.retract()
      proposal.retract()
      #expect(drain(&proposal) == [.send(message(.retract(Jingle.Reason(.cancel))), to: juliet.bare)])
    }
  }

  @Test func `A proposal that comes back failed`() {
    var proposal = outgoing()
    proposal.receiveError(StanzaError(.serviceUnavailable))
    proposal.receiveError(StanzaError(.serviceUnavailable))
    #expect(drain(&proposal) == [.event(.failed(StanzaError(.serviceUnavailable)))])
  }

  @Test func `Both sides tell that the call is over, in either order`() {
    for peerFirst in [true, false] {
      var proposal = outgoing()
      proposal.receive(message(.proceed), from: juliet)
      _ = drain(&proposal)
      if peerFirst {
        proposal.receive(message(.finish(Jingle.Reason(.success))), from: juliet)
        #expect(drain(&proposal) == [.event(.finished(Jingle.Reason(.success), migratedTo: nil))])
      }
      proposal.finish(Jingle.Reason(.success))
      proposal.finish(Jingle.Reason(.success))
      #expect(drain(&proposal) == [.send(message(.finish(Jingle.Reason(.success))), to: juliet)])
    }
  }

  @Test func `A call that never began has no finish`() {
    var proposal = outgoing()
    proposal.finish(Jingle.Reason(.success))
    #expect(drain(&proposal).isEmpty)
  }

  @Test func `Of two crossing proposals the lower id stands, as in the example`() {
    let higher = "fecbea35-08d3-404f-9ec7-2b57c566fa74"
    let audio = JingleMessage.Action.propose([.rtp(RTPDescription(media: "audio"))])
    let tieBreak = Jingle.Reason(.expired, text: "Tie-Break")

    var lower = outgoing()
    lower.receive(message(audio, id: higher), from: julietsPhone)
    #expect(drain(&lower) == [.send(message(.reject(tieBreak, isTieBreak: true), id: higher), to: julietsPhone)])
    lower.receive(message(.retract(tieBreak, isTieBreak: true), id: higher), from: julietsPhone)
    lower.receive(message(.proceed), from: julietsPhone)
    #expect(drain(&lower) == [.event(.proceeded(device: julietsPhone))])

    var upper = OutgoingProposal(
      id: higher, own: julietsPhone, peer: romeo.bare, media: ["audio"], patience: .seconds(30), at: Self.start)
    _ = drain(&upper)
    upper.receive(message(audio), from: romeo)
    upper.receive(message(.reject(tieBreak, isTieBreak: true), id: higher), from: romeo)
    #expect(
      drain(&upper) == [
        .send(message(.retract(tieBreak, isTieBreak: true), id: higher), to: romeo.bare),
        .event(.lostTieBreak(to: Self.id)),
      ])
  }

  @Test func `With equal ids the lower address stands, and ids are compared byte by byte`() {
    func tie(_ sid: String, _ sender: JID) -> JingleTieBreak { JingleTieBreak(sid: sid, sender: sender) }
    #expect(tie("a", juliet).overrules(tie("a", romeo)))
    #expect(!tie("a", romeo).overrules(tie("a", juliet)))
    #expect(tie("Z", romeo).overrules(tie("a", juliet)))
    #expect(tie("a", romeo).overrules(tie("aa", juliet)))
    #expect(!tie("a", romeo).overrules(tie("a", romeo)))
  }

  // MARK: The callee

  func incoming(
    _ action: JingleMessage.Action = .propose([.rtp(RTPDescription(media: "audio"))]), from caller: JID = romeo,
    hasCarbons: Bool = true
  ) -> IncomingProposal? {
    IncomingProposal(
      message(action), from: caller, own: juliet, hasCarbons: hasCarbons, patience: .seconds(60), at: Self.start)
  }

  @Test func `A proposal tells who calls, and about what`() throws {
    let proposal = try #require(incoming())
    #expect(proposal.id == Self.id)
    #expect(proposal.caller == romeo)
    #expect(proposal.media == ["audio"])
    #expect(proposal.nextDeadline == Self.start + .seconds(60))
  }

  @Test func `What proposes no call, or is this account's own, is none`() {
    #expect(incoming(.ringing) == nil)
    #expect(incoming(.propose([])) == nil)
    #expect(
      incoming(.propose([.unknown(XMLElement("description", namespace: "urn:xmpp:jingle:apps:file-transfer:5"))]))
        == nil)
    #expect(incoming(from: julietsPhone) == nil)
  }

  @Test func `A device rings once and then takes the call`() throws {
    var proposal = try #require(incoming())
    proposal.ring()
    proposal.ring()
    #expect(drain(&proposal) == [.send(message(.ringing), to: romeo)])
    proposal.accept(patience: .seconds(10), at: Self.start + .seconds(5))
    proposal.accept(patience: .seconds(10), at: Self.start + .seconds(5))
    proposal.ring()
    #expect(drain(&proposal) == [.send(message(.accept), to: juliet.bare), .send(message(.proceed), to: romeo)])
    #expect(proposal.nextDeadline == Self.start + .seconds(15))
    proposal.sessionBegan()
    #expect(proposal.nextDeadline == nil)
    proposal.finish(Jingle.Reason(.success))
    #expect(drain(&proposal) == [.send(message(.finish(Jingle.Reason(.success))), to: romeo)])
  }

  @Test(arguments: [busy, Jingle.Reason(.decline), nil] as [Jingle.Reason?])
  func `A call can be declined, once`(reason: Jingle.Reason?) throws {
    var proposal = try #require(incoming())
    proposal.reject(reason)
    proposal.reject(reason)
    proposal.accept(patience: .seconds(10), at: Self.start)
    #expect(drain(&proposal) == [.send(message(.reject(reason)), to: romeo)])
  }

  /// What others say while it rings.
  static let news: [(JID, JingleMessage.Action, [IncomingProposal.Output])] = [
    (romeo, .retract(busy), [.event(.retracted(busy, isTieBreak: false))]),
    (romeo, .finish(busy), [.event(.finished(busy, migratedTo: nil))]),
    (romeo, .proceed, []),
    (romeo, .reject(busy), []),
    (romeo, .accept, []),
    (julietsPhone, .accept, [.event(.answeredElsewhere(device: julietsPhone))]),
    (julietsPhone, .proceed, [.event(.answeredElsewhere(device: julietsPhone))]),
    (julietsPhone, .reject(busy), [.event(.rejectedElsewhere(busy, isTieBreak: false, device: julietsPhone))]),
    (julietsPhone, .ringing, []),
    (julietsPhone, .retract(nil), []),
    (juliet, .accept, []),
    (juliet, .reject(nil), []),
    (juliet.bare, .accept, []),
    (tybalt, .retract(nil), []),
    (tybalt, .accept, []),
  ]

  @Test(arguments: news)
  func `While it rings, the caller and the account's other devices are heard`(
    sender: JID, action: JingleMessage.Action, outputs: [IncomingProposal.Output]
  ) throws {
    var proposal = try #require(incoming())
    proposal.receive(message(action), from: sender, at: Self.start)
    #expect(drain(&proposal) == outputs)
    #expect((proposal.nextDeadline == nil) == !outputs.isEmpty)
    proposal.receive(message(action, id: "other"), from: sender, at: Self.start)
    #expect(drain(&proposal).isEmpty)
  }

  @Test func `Once this device took the call, other devices are not heard, and the caller is`() throws {
    for (sender, action, _) in Self.news where sender != romeo {
      var proposal = try #require(incoming())
      proposal.accept(patience: .seconds(10), at: Self.start)
      _ = drain(&proposal)
      proposal.receive(message(action), from: sender, at: Self.start)
      #expect(drain(&proposal).isEmpty)
    }
    var proposal = try #require(incoming())
    proposal.accept(patience: .seconds(10), at: Self.start)
    _ = drain(&proposal)
    proposal.receive(message(.retract(nil)), from: romeo, at: Self.start)
    #expect(drain(&proposal) == [.event(.retracted(nil, isTieBreak: false))])
  }

  @Test func `The peer's finish can be answered`() throws {
    var proposal = try #require(incoming())
    proposal.accept(patience: .seconds(10), at: Self.start)
    _ = drain(&proposal)
    proposal.receive(message(.finish(nil, migratedTo: "new")), from: romeo, at: Self.start)
    #expect(drain(&proposal) == [.event(.finished(nil, migratedTo: "new"))])
    proposal.finish(Jingle.Reason(.success))
    #expect(drain(&proposal) == [.send(message(.finish(Jingle.Reason(.success))), to: romeo)])
  }

  @Test func `Nobody at home says nothing, and a caller who sends no session is told`() throws {
    var proposal = try #require(incoming())
    proposal.timeout(at: Self.start + .seconds(59))
    #expect(drain(&proposal).isEmpty)
    proposal.timeout(at: Self.start + .seconds(60))
    #expect(drain(&proposal) == [.event(.timedOut)])

    proposal = try #require(incoming())
    proposal.accept(patience: .seconds(10), at: Self.start)
    _ = drain(&proposal)
    proposal.timeout(at: Self.start + .seconds(10))
    #expect(drain(&proposal) == [.send(message(.finish(Jingle.Reason(.timeout))), to: romeo), .event(.timedOut)])
  }

  @Test func `Where the server makes no copies, the account's other devices are told of a refusal directly`() throws {
    var proposal = try #require(incoming(hasCarbons: false))
    proposal.reject(Self.busy)
    #expect(
      drain(&proposal) == [
        .send(message(.reject(Self.busy)), to: romeo), .send(message(.reject(Self.busy)), to: juliet.bare),
      ])
  }

  @Test func `A tie that another device of the account wins is told as such`() throws {
    let tieBreak = Jingle.Reason(.expired, text: "Tie-Break")
    var proposal = try #require(incoming())
    proposal.receive(message(.retract(tieBreak, isTieBreak: true)), from: romeo, at: Self.start)
    #expect(drain(&proposal) == [.event(.retracted(tieBreak, isTieBreak: true))])
    proposal = try #require(incoming())
    proposal.receive(message(.reject(tieBreak, isTieBreak: true)), from: julietsPhone, at: Self.start)
    #expect(
      drain(&proposal) == [.event(.rejectedElsewhere(tieBreak, isTieBreak: true, device: julietsPhone))])
  }

  /// What another device says when this one took the call, too, and what is told if the session does not come here.
  static let races: [(JingleMessage.Action, IncomingProposal.Event)] = [
    (.accept, .answeredElsewhere(device: julietsPhone)), (.proceed, .answeredElsewhere(device: julietsPhone)),
    (.reject(busy), .rejectedElsewhere(busy, isTieBreak: false, device: julietsPhone)),
  ]

  @Test(arguments: races)
  func `Of two devices that answer at once the one without the session steps back in silence`(
    action: JingleMessage.Action, event: IncomingProposal.Event
  ) throws {
    for ending in ["silence", "hang-up", "finish"] {
      var proposal = try #require(incoming())
      proposal.accept(patience: .seconds(30), at: Self.start)
      _ = drain(&proposal)
      proposal.receive(message(action), from: julietsPhone, at: Self.start + .seconds(1))
      proposal.receive(message(action), from: julietsPhone, at: Self.start + .seconds(5))
      #expect(drain(&proposal).isEmpty)
      #expect(proposal.nextDeadline == Self.start + .seconds(11))
      switch ending {
      case "silence":
        proposal.timeout(at: Self.start + .seconds(11))
        #expect(drain(&proposal) == [.event(event)])
      case "finish":
        proposal.receive(message(.finish(nil)), from: julietsPhone, at: Self.start + .seconds(2))
        #expect(drain(&proposal) == [.event(event)])
      default:
        proposal.reject()
        #expect(drain(&proposal).isEmpty)
      }
      #expect(proposal.nextDeadline == nil)
    }
  }

  @Test(arguments: races)
  func `Of two devices that answer at once the one with the session keeps it`(
    action: JingleMessage.Action, event: IncomingProposal.Event
  ) throws {
    for sessionFirst in [true, false] {
      var proposal = try #require(incoming())
      proposal.accept(patience: .seconds(30), at: Self.start)
      _ = drain(&proposal)
      if sessionFirst { proposal.sessionBegan() }
      proposal.receive(message(action), from: julietsPhone, at: Self.start)
      if !sessionFirst { proposal.sessionBegan() }
      proposal.receive(message(.finish(nil)), from: julietsPhone, at: Self.start)
      proposal.timeout(at: Self.start + .seconds(100))
      #expect(drain(&proposal).isEmpty)
      proposal.finish(nil)
      #expect(drain(&proposal) == [.send(message(.finish(nil)), to: romeo)])
    }
  }

  @Test func `What the caller says to another device is not this one's business once it took the call`() throws {
    for action in [.retract(nil), .finish(nil)] as [JingleMessage.Action] {
      var proposal = try #require(incoming())
      proposal.accept(patience: .seconds(30), at: Self.start)
      _ = drain(&proposal)
      proposal.receive(message(action), from: romeo, to: julietsPhone, at: Self.start)
      #expect(drain(&proposal).isEmpty)
      for recipient in [juliet, juliet.bare] {
        var twin = proposal
        twin.receive(message(action), from: romeo, to: recipient, at: Self.start)
        #expect(drain(&twin).count == 1)
      }
    }
  }

  @Test func `An error of one device does not end what rings on another`() {
    var proposal = outgoing()
    proposal.receive(message(.ringing), from: juliet)
    _ = drain(&proposal)
    proposal.receiveError(StanzaError(.serviceUnavailable))
    #expect(drain(&proposal).isEmpty)
    proposal.receive(message(.proceed), from: juliet)
    #expect(drain(&proposal) == [.event(.proceeded(device: juliet))])
  }
}
