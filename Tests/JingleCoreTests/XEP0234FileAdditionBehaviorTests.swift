import JingleCore
import Testing
import XMPPCore

private let file = FileDescription(name: "b.txt", size: 10, range: .init())

/// Files that are put into a session that runs.
@Suite(.timeLimit(.minutes(1))) struct XEP0234FileAdditionBehaviorTests {
  private func addition() -> FileSide { FileSide(proposing: file, .sending, isAddition: true) }

  // MARK: The file

  /// Why the peer does not let it in, and whether the file is meant.
  static let reasons: [(Jingle.Reason?, Bool)] = [
    (nil, false),
    (Jingle.Reason(.success), false),
    (Jingle.Reason(.unsupportedApplications), false),
    (Jingle.Reason(.unsupportedTransports), false),
    (Jingle.Reason(.failedApplication), false),
    (Jingle.Reason(.generalError), false),
    (Jingle.Reason(.connectivityError), false),
    (Jingle.Reason(.timeout), false),
    (Jingle.Reason(.unknown("")), false),
    (Jingle.Reason(.decline), true),
    (Jingle.Reason(.busy), true),
    (Jingle.Reason(.cancel), true),
    (Jingle.Reason(.securityError), true),
    (.fileTooLarge, true),
    (.fileNotAvailable, true),
  ]

  @Test(arguments: reasons)
  func `What is not let in for its own sake is declined, and what the session does not take can have another`(
    reason: Jingle.Reason?, isAboutFile: Bool
  ) {
    let side = addition()
    #expect(side.isUndecidedAddition)
    let action = side(.ended(reason))
    if isAboutFile {
      #expect(action == FileSide(proposing: file, .sending)(.ended(reason)))
    } else {
      #expect(action == .fail(.notAdded, telling: nil))
    }
    #expect(side(.ended(reason)) == .wait && !side.isUndecidedAddition)
  }

  @Test func `Only an addition can be put elsewhere`() {
    let side = FileSide(proposing: file, .sending)
    #expect(!side.isUndecidedAddition)
    #expect(side(.ended(nil)) == .fail(.declined(nil), telling: nil))
  }

  @Test func `Once it is in, it ends like any other`() {
    let side = addition()
    #expect(side(.accepted(file)) == .connect)
    #expect(!side.isUndecidedAddition)
    #expect(side(.accepted(file)) == .wait)
    #expect(side(.ended(Jingle.Reason(.success))) == .fail(.endedByPeer(Jingle.Reason(.success)), telling: nil))
  }

  @Test func `Without an answer it is taken back`() {
    let side = addition()
    #expect(side(.wait(.seconds(300))) == .fail(.unanswered, telling: Jingle.Reason(.timeout)))
  }

  // MARK: The session

  private func content(_ name: String) -> Jingle.Content {
    Jingle.Content(
      creator: .initiator, name: name, senders: .initiator, description: .file(file),
      transport: .inBand(.init(sid: "stream-\(name)")))
  }

  /// A session of files into which two more are put.
  private func adding() throws -> (session: JingleSession, tokens: [JingleSession.Token]) {
    var session = JingleSession(initiating: sid, own: romeo, peer: juliet, deciding: [.contents, .transports])
    session.initiate([content("file")])
    session.receive(.result(nil), for: 1)
    session.receive(Jingle(.sessionAccept, sid: sid, contents: [content("file")]), from: juliet, id: "accept")
    _ = drain(&session)
    session.add([content("file-2"), content("file-3")])
    let outputs = drain(&session)
    #expect(outputs.requests.map(\.action) == [.contentAdd, .contentAdd])
    let tokens = outputs.compactMap { if case .request(_, _, let token) = $0 { token } else { nil } }
    try #require(tokens.count == 2)
    return (session, tokens)
  }

  @Test func `Each addition is decided about once, whatever else the peer claims`() throws {
    var (session, tokens) = try adding()
    _ = session.take(.result(nil), for: tokens[0])
    _ = session.take(.result(nil), for: tokens[1])
    #expect(session.take(.contentAccept, [content("file-4")], id: "1").condition == .itemNotFound)
    #expect(session.take(.contentAccept, [content("file")], id: "2").condition == .unexpectedRequest)
    #expect(session.take(.contentAccept, [content("file-2"), content("file-2")], id: "3").condition == .badRequest)
    #expect(session.take(.contentAccept, [content("file-2"), content("file-4")], id: "4").condition == .itemNotFound)
    let accepted = session.take(.contentAccept, [content("file-2")], id: "5")
    #expect(accepted.events == [.acceptedContents([content("file-2")], [])])
    #expect(session.take(.contentAccept, [content("file-2")], id: "6").condition == .unexpectedRequest)
    #expect(session.take(.contentReject, [Jingle.Content(name: "file-2")], id: "7").condition == .unexpectedRequest)
    let rejected = session.take(.contentReject, [Jingle.Content(name: "file-3")], id: "8")
    #expect(rejected.events == [.notAdded(contents: ["file-3"], .rejected(nil))])
    // What was rejected is not let in later; the answer may have crossed.
    #expect(session.take(.contentAccept, [content("file-3")], id: "9").events.isEmpty)
    #expect(Set(session.agreedContents.keys) == ["file", "file-2"])
  }

  @Test(arguments: [StanzaError.Condition.featureNotImplemented, .badRequest, .unexpectedRequest, .serviceUnavailable])
  func `A peer that knows no additions refuses each, and the session goes on`(condition: StanzaError.Condition) throws {
    var (session, tokens) = try adding()
    let error = StanzaError(condition)
    #expect(session.take(.error(error), for: tokens[0]).events == [.notAdded(contents: ["file-2"], .refused(error))])
    #expect(session.take(.error(error), for: tokens[1]).events == [.notAdded(contents: ["file-3"], .refused(error))])
    #expect(session.phase == .active && Array(session.agreedContents.keys) == ["file"])
    // It is not known any more.
    #expect(session.take(.contentAccept, [content("file-2")]).events.isEmpty)
  }

  @Test func `What was not answered is taken back, for the peer may have it`() throws {
    var (session, tokens) = try adding()
    let outputs = session.take(.timedOut, for: tokens[0])
    #expect(outputs.requests.map(\.action) == [.contentRemove])
    #expect(outputs.events == [.notAdded(contents: ["file-2"], .unanswered)])
  }
}
