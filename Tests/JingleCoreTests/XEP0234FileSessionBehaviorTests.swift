import JingleCore
import MediaTime
import Testing

@Suite struct XEP0234FileSessionBehaviorTests {
  private let now = Instant(nanoseconds: 0)
  private let success = Jingle.Reason(.success)
  private let cancel = Jingle.Reason(.cancel)
  private let received = FileTransfer.Outcome.received(verifiedBy: .sha256)
  private let sent = FileTransfer.Outcome.sent(isConfirmed: true)

  @Test func `The session goes on until the last file is received, and then ends`() {
    var session = FileSession(["a", "b"])
    #expect(session.finished("a", received, at: now) == .nothing)
    #expect(session.open == ["b"])
    session.add("c")
    #expect(session.finished("b", received, at: now) == .nothing)
    #expect(session.finished("c", received, at: now) == .terminate(success))
    #expect(session.finished("c", received, at: now) == .nothing)
  }

  @Test func `The peer ends the session that it received the last file of, or is helped to`() {
    var session = FileSession(["a"])
    #expect(session.finished("a", sent, at: now) == .nothing)
    #expect(session.nextDeadline == now + .seconds(10))
    #expect(session.timeout(at: now + .seconds(9)) == .nothing)
    #expect(session.timeout(at: now + .seconds(10)) == .terminate(success))
    #expect(session.timeout(at: now + .seconds(20)) == .nothing)
  }

  @Test func `One file after another goes through one session`() {
    var session = FileSession(["a"])
    #expect(session.finished("a", sent, at: now) == .nothing)
    session.add("b")
    #expect(session.nextDeadline == nil)
    #expect(session.timeout(at: now + .seconds(60)) == .nothing)
    #expect(session.finished("b", .sent(isConfirmed: false), at: now) == .terminate(success))
  }

  @Test func `A file that fails among others is taken out, and the last one takes the session with it`() {
    var session = FileSession(["a", "b", "c"])
    #expect(session.failed("a", telling: cancel) == .remove(content: "a", cancel))
    #expect(session.failed("b", telling: nil) == .nothing)
    #expect(session.failed("c", telling: .fileTooLarge) == .terminate(.fileTooLarge))
    #expect(session.failed("c", telling: .fileTooLarge) == .nothing)
  }

  @Test func `When the peer takes out the last file, the session has no more to do`() {
    var session = FileSession(["a"])
    #expect(session.failed("a", telling: nil) == .terminate(cancel))
    session = FileSession(["a", "b"])
    #expect(session.finished("b", received, at: now) == .nothing)
    #expect(session.failed("a", telling: nil) == .terminate(success))
  }
}
