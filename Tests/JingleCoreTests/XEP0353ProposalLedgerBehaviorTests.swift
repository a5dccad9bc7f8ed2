import JingleCore
import MediaTime
import Testing
import XMPPCore

@Suite struct XEP0353ProposalLedgerBehaviorTests {
  static let start = Instant(nanoseconds: 0)
  static let today = Duration.seconds(1_790_000_000)

  private func proposal(_ id: String, from caller: JID = romeo, age: Duration = .seconds(600))
    -> ProposalLedger.Proposal
  {
    ProposalLedger.Proposal(
      JingleMessage(id: id, .propose([.rtp(RTPDescription(media: "audio"))])), from: caller, stamp: Self.today - age)
  }

  private func outputs(_ ledger: inout ProposalLedger, at now: Instant) -> [ProposalLedger.Output] {
    ledger.timeout(at: now)
    var outputs: [ProposalLedger.Output] = []
    while let output = ledger.nextOutput() { outputs.append(output) }
    return outputs
  }

  @Test func `A call is new once for each caller, on whatever way and from whichever device it comes`() {
    var ledger = ProposalLedger()
    func isNew(_ id: String, from caller: JID) -> Bool { ledger.isNew(id, from: caller) }
    #expect(isNew("1", from: romeo))
    #expect(!isNew("1", from: romeo))
    #expect(!isNew("1", from: romeo.bare))
    #expect(isNew("1", from: tybalt))
    #expect(isNew("2", from: romeo))
    #expect(ledger.remembers("1", from: romeo) && ledger.remembers("2", from: romeo.bare))
    #expect(!ledger.remembers("3", from: romeo) && !ledger.remembers("2", from: tybalt))
  }

  @Test func `The oldest calls are forgotten, and memory has its bound`() {
    var ledger = ProposalLedger()
    func isNew(_ id: String, from caller: JID) -> Bool { ledger.isNew(id, from: caller) }
    for number in 0..<1024 { #expect(isNew("\(number)", from: romeo)) }
    #expect(!isNew("0", from: romeo))
    for number in 1024..<3000 { #expect(isNew("\(number)", from: romeo)) }
    #expect(!isNew("2999", from: romeo))
    #expect(!isNew("1976", from: romeo))
    #expect(isNew("1975", from: romeo))
  }

  /// How old a stored proposal is, and whether it still rings.
  static let ages: [(Duration, Bool)] = [
    (.seconds(-3600), true), (.zero, true), (.seconds(60), true), (.milliseconds(60_001), false),
    (.seconds(86_400), false),
  ]

  @Test(arguments: ages)
  func `A stored proposal waits, then rings if it is young`(age: Duration, rings: Bool) {
    var ledger = ProposalLedger(settling: .seconds(2))
    let proposal = proposal("1", age: age)
    ledger.wait(proposal, wallTime: Self.today, at: Self.start)
    #expect(ledger.nextDeadline == Self.start + .seconds(2))
    #expect(outputs(&ledger, at: Self.start + .milliseconds(1999)).isEmpty)
    #expect(outputs(&ledger, at: Self.start + .seconds(2)) == [rings ? .ring(proposal) : .missed(proposal)])
    #expect(ledger.nextDeadline == nil)
    #expect(outputs(&ledger, at: Self.start + .seconds(9)).isEmpty)
  }

  /// What was stored after a young proposal, and whether that rings, is missed, or is forgotten.
  static let sequels: [(JID, JingleMessage.Action, String)] = [
    (romeo, .retract(nil), "missed"), (romeo, .finish(nil), "missed"), (romeo.bare, .retract(nil), "missed"),
    (romeo, .accept, "rings"), (romeo, .proceed, "rings"), (romeo, .reject(nil), "rings"), (romeo, .ringing, "rings"),
    (julietsPhone, .accept, "nothing"), (julietsPhone, .proceed, "nothing"), (julietsPhone, .reject(nil), "nothing"),
    (julietsPhone, .finish(nil), "nothing"), (julietsPhone, .retract(nil), "rings"), (julietsPhone, .ringing, "rings"),
    (juliet, .accept, "nothing"), (tybalt, .retract(nil), "rings"), (tybalt, .accept, "rings"),
    (romeo, .retract(nil, isTieBreak: true), "nothing"), (julietsPhone, .retract(nil, isTieBreak: true), "rings"),
    (tybalt, .retract(nil, isTieBreak: true), "rings"),
  ]

  @Test(arguments: sequels)
  func `What was stored after it counts`(sender: JID, action: JingleMessage.Action, outcome: String) {
    var ledger = ProposalLedger()
    let proposal = proposal("1", age: .seconds(5))
    ledger.wait(proposal, wallTime: Self.today, at: Self.start)
    #expect(ledger.youngest(from: romeo.bare) == "1" && ledger.youngest(from: tybalt) == nil)
    ledger.receive(JingleMessage(id: "other", action), from: sender, own: juliet)
    ledger.receive(JingleMessage(id: "1", action), from: sender, own: juliet)
    let expected: [ProposalLedger.Output] =
      switch outcome {
      case "rings": [.ring(proposal)]
      case "missed": [.missed(proposal)]
      default: []
      }
    #expect(ledger.youngest(from: romeo) == (outcome == "rings" ? "1" : nil))
    #expect(outputs(&ledger, at: Self.start + .seconds(10)) == expected)
  }

  @Test func `Endless stored proposals come to an end`() {
    var ledger = ProposalLedger()
    for number in 0..<1000 { ledger.wait(proposal("\(number)"), wallTime: Self.today, at: Self.start) }
    #expect(outputs(&ledger, at: Self.start + .seconds(10)).count == 64)
  }

  @Test func `So many calls ring within a minute, from one account and from all strangers`() {
    var limit = RingLimit(perCaller: 2, strangers: 3)
    func admit(_ caller: JID, _ seconds: Int, isStranger: Bool = true) -> Bool {
      limit.admit(caller, isStranger: isStranger, at: Self.start + .seconds(seconds))
    }
    #expect(admit(romeo, 0))
    #expect(admit(romeo.bare, 1))
    #expect(!admit(romeo, 2))
    #expect(admit(tybalt, 3))
    #expect(!admit(tybalt, 4))
    #expect(admit(juliet, 5, isStranger: false))
    #expect(!admit(romeo, 59))
    #expect(admit(romeo, 60))
    #expect(!admit(romeo, 60))
    #expect(admit(romeo, 61))
  }

  @Test func `Who is answered may call as often again`() {
    var limit = RingLimit(perCaller: 2, strangers: 30)
    for _ in 0..<100 {
      let isAdmitted = limit.admit(romeo, isStranger: true, at: Self.start)
      #expect(isAdmitted)
      limit.forgive(romeo)
    }
  }
}
