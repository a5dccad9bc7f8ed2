import JingleCore
import Testing
import XMPPCore

private let data = Array("abcdefghij".utf8)
private let sha256 = HashValue(.sha256, of: data)
private let content = FileSide.content
private let receipt = FileInfo.received(content)
private let success = Jingle.Reason(.success)
/// Ten bytes of which the hash is still to come, ranges understood.
private let announcing = FileDescription(name: "a.txt", size: 10, hashes: Hashes(announced: [.sha256]), range: .init())
private let empty = FileDescription(
  name: "a.txt", size: 0, hashes: Hashes(announced: [.sha256]), range: .init())

private func checksum(_ hashes: Hashes, range: FileDescription.Range? = nil) -> FileFact {
  .info(.checksum(content, hashes, range: range))
}

/// What the specification allows and few do.
@Suite(.timeLimit(.minutes(1))) struct XEP0234FileTransferEdgesBehaviorTests {
  // MARK: Checksums at any time

  @Test func `A checksum that comes before the offer is decided about is remembered`() {
    let side = FileSide(answering: announcing, .receiving)
    #expect(side(checksum(Hashes([sha256]))) == .wait)
    guard case .accept = side(.accept()) else {
      Issue.record("not accepted")
      return
    }
    side(.ready)
    #expect(side(.moved(10)) == .verify(sha256, of: nil))
  }

  @Test func `A checksum that overtakes the answer to a request is remembered`() {
    let side = FileSide(proposing: FileDescription(name: "a.txt", range: .init()), .receiving)
    #expect(side(checksum(Hashes([sha256]))) == .wait)
    #expect(side(.accepted(announcing)) == .connect)
    side(.ready)
    #expect(side(.moved(10)) == .verify(sha256, of: nil))
  }

  @Test func `Who sends the file is told no checksums of it`() {
    for side in [FileSide(proposing: announcing, .sending), FileSide(answering: announcing, .sending)] {
      #expect(side(checksum(Hashes([HashValue(.sha256, of: [1])]))) == .wait)
      side(.accepted(announcing))
      side(.give(announcing))
      #expect(side(.ready) == .transfer(.init(offset: 0, length: 10)))
      #expect(side(.moved(10)) == .wait)
      #expect(side(.sentAll(Hashes([sha256]))) == .send(.checksum(content, Hashes([sha256]))))
    }
  }

  @Test func `A checksum that only names functions, as it may, is no value yet`() {
    let side = FileSide(answering: announcing, .receiving).after([.accept(), .ready, .moved(10)])
    let deadline = side.nextDeadline
    #expect(side(checksum(Hashes(announced: [.sha512]))) == .wait)
    #expect(side.nextDeadline == deadline)
    let named = FileDescription.Range(offset: 0, length: 10, hashes: Hashes(announced: [.sha256]))
    #expect(side(checksum(Hashes(), range: named)) == .wait)
    #expect(side(checksum(Hashes([sha256]))) == .verify(sha256, of: nil))

    let disappointed = FileSide(answering: announcing, .receiving).after([.accept(), .ready, .moved(10)])
    disappointed(checksum(Hashes(announced: [.sha512])))
    #expect(disappointed(.wait(.seconds(30))) == .finish(.received(verifiedBy: nil), telling: receipt))
  }

  // MARK: Nothing to be sent

  @Test func `A receiver that lacks nothing may be done before the sender knows that bytes can flow`() {
    for end in [FileFact.info(receipt), .ended(success)] {
      let side = FileSide(proposing: empty, .sending).after([.accepted(empty)])
      #expect(side(end) == .finish(.sent(isConfirmed: true), telling: nil))
      var rest = announcing
      rest.range = .init(offset: 10)
      let resumed = FileSide(proposing: announcing, .sending).after([.accepted(rest)])
      #expect(resumed(end) == .finish(.sent(isConfirmed: true), telling: nil))
    }
    // What lacks something cannot have it.
    let early = FileSide(proposing: announcing, .sending).after([.accepted(announcing)])
    #expect(early(.info(receipt)) == .wait)
    #expect(early(.ended(success)) == .fail(.endedByPeer(success), telling: nil))
    let cancelled = FileSide(proposing: empty, .sending).after([.accepted(empty)])
    let cancel = Jingle.Reason(.cancel)
    #expect(cancelled(.ended(cancel)) == .fail(.endedByPeer(cancel), telling: nil))
  }

  @Test func `A sender of nothing may end the session before the receiver knows that bytes can flow`() {
    let nothing = HashValue(.sha256, of: [])
    var known = empty
    known.hashes = Hashes([nothing])
    let side = FileSide(answering: known, .receiving).after([.accept()])
    #expect(side(.ended(success)) == .verify(nothing, of: nil))
    #expect(side(.verified(true)) == .finish(.received(verifiedBy: .sha256), telling: nil))
    let unproven = FileSide(answering: empty, .receiving).after([.accept()])
    #expect(unproven(.ended(success)) == .finish(.received(verifiedBy: nil), telling: nil))
    let lacking = FileSide(answering: announcing, .receiving).after([.accept()])
    #expect(lacking(.ended(success)) == .fail(.endedByPeer(success), telling: nil))
    let endless = FileSide(answering: FileDescription(name: "-"), .receiving).after([.accept()])
    #expect(endless(.ended(success)) == .fail(.endedByPeer(success), telling: nil))
  }

  // MARK: Ranges

  @Test func `What has no ranges is given as a whole, without the promise of any`() {
    let pipe = FileDescription(name: "-", hashes: Hashes(announced: [.sha256]))
    for wanted in [nil, .init(), .init(offset: 0)] as [FileDescription.Range?] {
      let side = FileSide(answering: FileDescription(name: "-", range: wanted), .sending)
      #expect(side(.give(pipe)) == .accept(pipe))
      #expect(side(.ready) == .transfer(.init(offset: 0, length: nil)))
    }
    var sized = pipe
    sized.size = 10
    for range in [.init(offset: 4), .init(length: 4), .init(offset: 0, length: 3)] as [FileDescription.Range] {
      for file in [pipe, sized] {
        let side = FileSide(answering: FileDescription(name: "-", range: range), .sending)
        guard case .fail(.outsideFile, telling: let reason?) = side(.give(file)) else {
          Issue.record("\(range) of a pipe")
          continue
        }
        #expect(reason.condition == .incompatibleParameters)
      }
    }
  }

  @Test func `Who wants the whole file asks for its end, too, where a part in the middle is offered`() {
    let values = Hashes([HashValue(.sha256, of: Array(data[2..<5]))])
    for (offset, length, asked, start) in [
      (2, 3, 0, 0), (2, 3, 2, 2), (2, 3, 4, 4), (2, 3, 9, 9), (2, 3, 11, 0), (0, 3, 0, 0),
    ] as [(Int64, Int64, Int64, Int64)] {
      var part = announcing
      part.range = .init(offset: offset, length: length, hashes: values)
      let side = FileSide(answering: part, .receiving)
      var answer = announcing
      answer.range = .init(offset: start)
      #expect(side(.accept(from: asked)) == .accept(answer))
      #expect(side(.ready) == .transfer(.init(offset: start, length: 10 - start)))
      let sending = FileSide(proposing: part, .sending).after([.accepted(answer)])
      #expect(sending(.ready) == .transfer(.init(offset: start, length: 10 - start)))
      // What is offered is taken where nothing else is wanted.
      let content = FileSide(answering: part, .receiving)
      #expect(content(.accept()) == .accept(part))
      #expect(content(.ready) == .transfer(.init(offset: offset, length: length)))
    }
    // A part that ends with the file keeps its hash, and where no size is told its end is all that is known.
    var rest = announcing
    rest.range = .init(offset: 4, length: 6, hashes: values)
    #expect(FileSide(answering: rest, .receiving)(.accept(from: 4)) == .accept(rest))
    rest.size = nil
    let endless = FileSide(answering: rest, .receiving)
    rest.range = .init(offset: 0, length: 10)
    #expect(endless(.accept(from: 0)) == .accept(rest))
  }

  @Test func `No more is taken than was asked for`() {
    let wanted = FileDescription.Range(offset: 2, length: 3)
    let others: [FileDescription.Range] = [.init(offset: 2, length: 4), .init(offset: 2), .init(offset: 2, length: 8)]
    for answered in others {
      let side = FileSide(proposing: FileDescription(range: wanted), .receiving)
      var answer = announcing
      answer.range = answered
      guard case .fail(.outsideFile, telling: .some) = side(.accepted(answer)) else {
        Issue.record("\(answered)")
        continue
      }
    }
    for answered in [wanted, .init(offset: 2, length: 1), .init()] {
      let side = FileSide(proposing: FileDescription(range: wanted), .receiving)
      var answer = announcing
      answer.range = answered
      #expect(side(.accepted(answer)) == .connect)
      #expect(side(.ready) == .transfer(.init(offset: 2, length: answered.length ?? 3)))
    }
  }
}

/// News of files in `session-info`.
@Suite(.timeLimit(.minutes(1))) struct XEP0234FileNewsBehaviorTests {
  private func session() throws -> JingleSession {
    let file = FileDescription(name: "a", size: 1, hashes: Hashes(announced: [.sha256]), range: .init())
    let offer = Jingle.Content(
      name: "a", senders: .initiator, description: .file(file), transport: .inBand(InBandTransport(sid: "b")))
    var session = try JingleSession(
      answering: Jingle(.sessionInitiate, sid: sid, contents: [offer]), from: juliet, id: "0", own: romeo,
      understoodInfo: [FileInfo.namespace], deciding: [.contents])
    while session.nextOutput() != nil {}
    return session
  }

  static let namespace = FileDescription.namespace
  static let known = [
    "<received xmlns='\(namespace)' creator='initiator' name='a'/>", "<received xmlns='\(namespace)'/>",
    "<checksum xmlns='\(namespace)'><file/></checksum>",
    "<checksum xmlns='\(namespace)' name='b'><file><hash-used xmlns='urn:xmpp:hashes:2' algo='x'/></file></checksum>",
  ]
  static let unknown = [
    "<abort xmlns='\(namespace)'/>", "<checksum xmlns='\(namespace)'/>",
    "<checksum xmlns='\(namespace)'><file><size>-1</size></file></checksum>",
    "<received xmlns='\(namespace)' name=''/>", "<received xmlns='urn:xmpp:jingle:apps:file-transfer:4'/>",
  ]

  @Test(arguments: known)
  func `News that are understood are acknowledged and told`(text: String) throws {
    var session = try session()
    let news = try xml(text)
    session.receive(Jingle(.sessionInfo, sid: sid, payloads: [news]), from: juliet, id: "1")
    #expect(session.nextOutput() == .acknowledge(id: "1", to: juliet))
    #expect(session.nextOutput() == .event(.receivedInfo(news)))
    #expect(session.nextOutput() == nil)
  }

  @Test(arguments: unknown)
  func `News that are not understood are refused, as XEP-0166 has it`(text: String) throws {
    var session = try session()
    let news = try xml(text)
    for (id, payloads) in [("1", [news]), ("2", [try xml(Self.known[0]), news])] {
      session.receive(Jingle(.sessionInfo, sid: sid, payloads: payloads), from: juliet, id: id)
      #expect(session.nextOutput() == .refuse(id: id, to: juliet, .unsupportedInfo))
      #expect(session.nextOutput() == nil)
    }
    #expect(session.phase == .pending)
  }
}
