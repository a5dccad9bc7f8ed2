import JingleCore
import MediaTime
import Testing
import XMPPCore

private let data = Array("abcdefghij".utf8)
private let sha256 = HashValue(.sha256, of: data)
private let sha1 = HashValue(.sha1, of: data)
private let partHash = HashValue(.sha256, of: Array(data[4...]))
private let other = HashValue(.sha256, of: [1])
/// Ten bytes, with a hash, ranges understood.
private let file = FileDescription(name: "a.txt", size: 10, hashes: Hashes([sha256]), range: .init())
private let announcing = FileDescription(name: "a.txt", size: 10, hashes: Hashes(announced: [.sha256]), range: .init())
/// As Dino and Gajim have it.
private let bare = FileDescription(name: "a.txt", size: 10)
private let endless = FileDescription(name: "-", hashes: Hashes(announced: [.sha256]))

private let content = FileSide.content
private let receipt = FileInfo.received(content)
private func checksum(_ values: [HashValue], range: FileDescription.Range? = nil) -> FileFact {
  .info(.checksum(content, Hashes(values), range: range))
}

private let success = Jingle.Reason(.success)
private let cancel = Jingle.Reason(.cancel)

private func receiver(_ file: FileDescription, limits: FileTransfer.Limits = FileSide.limits) -> FileSide {
  FileSide(answering: file, .receiving, limits: limits).after([.accept(), .ready])
}

private func sender(_ file: FileDescription, limits: FileTransfer.Limits = FileSide.limits) -> FileSide {
  FileSide(proposing: file, .sending, limits: limits).after([.accepted(file), .ready])
}

@Suite(.timeLimit(.minutes(1))) struct XEP0234FileTransferBehaviorTests {
  // MARK: From offer and request to the end

  @Test func `An offer is taken, received, held against its hash, and acknowledged`() {
    let side = FileSide(answering: file, .receiving)
    #expect(side.nextDeadline == nil)
    #expect(side(.accept()) == .accept(file))
    #expect(side(.ready) == .transfer(.init(offset: 0, length: 10)))
    #expect(side(.moved(9)) == .wait)
    #expect(side(.moved(1)) == .verify(sha256, of: nil))
    #expect(side.nextDeadline == nil)
    #expect(side(.verified(true)) == .finish(.received(verifiedBy: .sha256), telling: receipt))
    #expect(side(.ended(success)) == .wait)
  }

  @Test func `An offer is accepted, sent, and done when the receiver says so`() {
    for end in [FileFact.info(receipt), .ended(success)] {
      let side = FileSide(proposing: file, .sending)
      #expect(side(.accepted(file)) == .connect)
      #expect(side(.ready) == .transfer(.init(offset: 0, length: 10)))
      #expect(side(.moved(10)) == .wait)
      #expect(side(.sentAll(Hashes([sha256]))) == .wait)
      #expect(side(end) == .finish(.sent(isConfirmed: true), telling: nil))
      #expect(side(.wait(.seconds(1000))) == .wait)
    }
  }

  @Test func `A request is granted with all that is known of the file, and sent`() {
    let side = FileSide(answering: FileDescription(hashes: Hashes([sha256])), .sending)
    #expect(side(.give(file)) == .accept(file))
    #expect(side(.ready) == .transfer(.init(offset: 0, length: 10)))
    #expect(side(.moved(10)) == .wait)
    #expect(side(.sentAll(Hashes([sha256]))) == .wait)
    #expect(side(.info(receipt)) == .finish(.sent(isConfirmed: true), telling: nil))
  }

  @Test func `A request for a file by its hash learns its size, and holds the file against that hash`() {
    let side = FileSide(proposing: FileDescription(hashes: Hashes([sha256])), .receiving)
    var answer = file
    answer.hashes = Hashes([other, sha1])
    #expect(side(.accepted(answer)) == .connect)
    #expect(side(.ready) == .transfer(.init(offset: 0, length: 10)))
    #expect(side(.moved(10)) == .verify(sha256, of: nil))
  }

  @Test func `A request is refused with the specification's conditions`() {
    let side = FileSide(answering: file, .sending)
    #expect(side(.end(.notAvailable)) == .fail(.local(.notAvailable), telling: .fileNotAvailable))
    let asking = FileSide(proposing: file, .receiving)
    #expect(asking(.ended(.fileNotAvailable)) == .fail(.notAvailable, telling: nil))
  }

  @Test func `An offer is declined, or is too large`() {
    let side = FileSide(answering: file, .receiving)
    #expect(side(.end(.cancelled)) == .fail(.local(.cancelled), telling: Jingle.Reason(.decline)))
    #expect(side(.accept()) == .wait)
    let full = FileSide(answering: file, .receiving)
    #expect(full(.end(.tooLarge)) == .fail(.local(.tooLarge), telling: .fileTooLarge))
    let decline = Jingle.Reason(.decline)
    #expect(FileSide(proposing: file, .sending)(.ended(decline)) == .fail(.declined(decline), telling: nil))
    #expect(
      FileSide(proposing: file, .sending)(.ended(.fileTooLarge)) == .fail(.declined(.fileTooLarge), telling: nil))
  }

  // MARK: Checksums

  @Test func `A checksum that was promised is told when all was sent`() {
    let side = sender(announcing)
    side(.moved(10))
    #expect(side(.sentAll(Hashes([sha256]))) == .send(.checksum(content, Hashes([sha256]))))
    #expect(side(.info(receipt)) == .finish(.sent(isConfirmed: true), telling: nil))
  }

  @Test func `A promised checksum is waited for, whether it comes before the last byte or after`() {
    let early = receiver(announcing)
    #expect(early(checksum([sha256])) == .wait)
    #expect(early(.moved(10)) == .verify(sha256, of: nil))

    let late = receiver(announcing)
    #expect(late(.moved(10)) == .wait)
    #expect(late.nextDeadline == late.now + .seconds(30))
    #expect(late(checksum([sha256])) == .verify(sha256, of: nil))

    let before = FileSide(answering: announcing, .receiving).after([.accept(), checksum([sha256]), .ready])
    #expect(before(.moved(10)) == .verify(sha256, of: nil))
  }

  @Test func `A promise that is not kept ends the wait, and the file is there without proof`() {
    let side = receiver(announcing)
    side(.moved(10))
    #expect(side(.wait(.seconds(29))) == .wait)
    #expect(side(.wait(.seconds(1))) == .finish(.received(verifiedBy: nil), telling: receipt))

    let over = receiver(announcing)
    over(.moved(10))
    #expect(over(.ended(success)) == .finish(.received(verifiedBy: nil), telling: nil))
  }

  @Test func `SHA-1 alone is checked, yet a better hash that was promised is waited for`() {
    var weak = file
    weak.hashes = Hashes([sha1])
    #expect(receiver(weak)(.moved(10)) == .verify(sha1, of: nil))

    weak.hashes = Hashes([sha1], announced: [.sha256])
    let patient = receiver(weak)
    #expect(patient(.moved(10)) == .wait)
    #expect(patient(checksum([sha256])) == .verify(sha256, of: nil))
    let disappointed = receiver(weak)
    #expect(disappointed(.moved(10)) == .wait)
    #expect(disappointed(.wait(.seconds(30))) == .verify(sha1, of: nil))
    #expect(disappointed(.verified(true)) == .finish(.received(verifiedBy: .sha1), telling: receipt))
  }

  @Test func `A checksum of functions that nobody knows ends the wait`() {
    let side = receiver(announcing)
    side(.moved(10))
    #expect(side(checksum([])) == .finish(.received(verifiedBy: nil), telling: receipt))
  }

  @Test func `Conversations' checksum, which it does not announce, is waited for if wanted`() {
    var limits = FileSide.limits
    limits.unannouncedChecksum = .seconds(1)
    let side = receiver(bare, limits: limits)
    #expect(side(.moved(10)) == .wait)
    #expect(side(checksum([sha1, sha256])) == .verify(sha256, of: nil))
    #expect(side(.verified(true)) == .finish(.received(verifiedBy: .sha256), telling: receipt))
    let dino = receiver(bare, limits: limits)
    #expect(dino(.moved(10)) == .wait)
    #expect(dino(.wait(.seconds(1))) == .finish(.received(verifiedBy: nil), telling: receipt))
  }

  @Test func `A hash that was offered holds against another in the checksum, and against a stronger one`() {
    let side = receiver(file)
    side(checksum([other, HashValue(.sha512, of: data)]))
    #expect(side(.moved(10)) == .verify(sha256, of: nil))
  }

  @Test func `A file with another hash is refused, and both sides know why`() throws {
    let receiving = receiver(file)
    receiving(.moved(10))
    guard case .fail(.corrupt, let reason?) = receiving(.verified(false)) else {
      Issue.record("not refused")
      return
    }
    let sending = sender(file).after([.moved(10), .sentAll(Hashes([sha256]))])
    #expect(sending(.ended(try Jingle.Reason(xml(reason.element.serialized())))) == .fail(.corrupt, telling: nil))
  }

  @Test func `A file that changes while it is sent is not told to be whole`() {
    let side = sender(file)
    side(.moved(10))
    #expect(isLocalFailure(side(.sentAll(Hashes([other])))))
    let shorter = sender(file)
    shorter(.moved(9))
    #expect(isLocalFailure(shorter(.sentAll(Hashes([sha256])))))
    #expect(isLocalFailure(sender(file)(.moved(11))))
  }

  private func isLocalFailure(_ action: FileTransfer.Action) -> Bool {
    if case .fail(.local(.fileFailed), telling: let reason?) = action {
      reason.condition == .failedApplication
    } else {
      false
    }
  }

  // MARK: Ranges

  @Test func `A file whose beginning is there is asked for from there on, and checked as a whole`() {
    let side = FileSide(answering: file, .receiving)
    var answer = file
    answer.range = .init(offset: 4)
    #expect(side(.accept(from: 4)) == .accept(answer))
    #expect(side(.ready) == .transfer(.init(offset: 4, length: 6)))
    #expect(side(.moved(6)) == .verify(sha256, of: nil))

    let sending = FileSide(proposing: file, .sending)
    #expect(sending(.accepted(answer)) == .connect)
    #expect(sending(.ready) == .transfer(.init(offset: 4, length: 6)))
    #expect(sending(.moved(6)) == .wait)
    #expect(sending(.sentAll(Hashes([sha256]))) == .wait)
  }

  @Test func `A part that is all there but for its proof is proven without a byte`() {
    let side = FileSide(answering: file, .receiving)
    side(.accept(from: 10))
    #expect(side(.ready) == .verify(sha256, of: nil))
  }

  @Test func `Whoever offers without a range begins at the beginning`() {
    let side = FileSide(answering: bare, .receiving)
    #expect(side(.accept(from: 4)) == .accept(bare))
    #expect(side(.ready) == .transfer(.init(offset: 0, length: 10)))
  }

  @Test func `The sender offers the rest, and the receiver takes it, or all, or what it lacks`() {
    var rest = file
    rest.range = .init(offset: 4)
    for (offset, start) in [(nil, 4), (4, 4), (0, 0), (2, 2), (11, 0)] as [(Int64?, Int64)] {
      let side = FileSide(answering: rest, .receiving)
      var answer = rest
      answer.range = .init(offset: start)
      #expect(side(.accept(from: offset)) == .accept(answer))
      #expect(side(.ready) == .transfer(.init(offset: start, length: 10 - start)))
      let sending = FileSide(proposing: rest, .sending)
      #expect(sending(.accepted(answer)) == .connect)
      #expect(sending(.ready) == .transfer(.init(offset: start, length: 10 - start)))
    }
    // A receiver that ignores ranges takes what is offered.
    let sending = FileSide(proposing: rest, .sending)
    #expect(sending(.accepted(bare)) == .connect)
    #expect(sending(.ready) == .transfer(.init(offset: 4, length: 6)))
  }

  @Test func `A part in the middle is checked by its own hash`() {
    let range = FileDescription.Range(offset: 4, length: 3)
    let side = FileSide(proposing: FileDescription(range: range), .receiving)
    var answer = announcing
    answer.range = range
    #expect(side(.accepted(answer)) == .connect)
    #expect(side(.ready) == .transfer(.init(offset: 4, length: 3)))
    #expect(side(.moved(3)) == .wait)
    let told = FileDescription.Range(offset: 4, length: 3, hashes: Hashes([partHash]))
    #expect(
      side(checksum([sha256], range: told)) == .verify(partHash, of: .init(offset: 4, length: 3)))

    let sending = FileSide(answering: FileDescription(range: range), .sending)
    #expect(sending(.give(announcing)) == .accept(answer))
    #expect(sending(.ready) == .transfer(.init(offset: 4, length: 3)))
    #expect(sending(.moved(3)) == .wait)
    #expect(
      sending(.sentAll(Hashes(), part: Hashes([partHash]))) == .send(.checksum(content, Hashes(), range: told)))
  }

  @Test func `The hash of the rest is as good, where that of the whole is not told, and not that of another part`() {
    let side = FileSide(answering: announcing, .receiving).after([.accept(from: 4), .ready])
    side(checksum([], range: .init(offset: 4, hashes: Hashes([partHash]))))
    #expect(side(.moved(6)) == .verify(partHash, of: .init(offset: 4, length: 6)))

    let misled = FileSide(answering: announcing, .receiving).after([.accept(from: 4), .ready])
    misled(checksum([], range: .init(offset: 5, hashes: Hashes([partHash]))))
    #expect(misled(.moved(6)) == .wait)
  }

  @Test func `A sender that answers a request for a part without a range begins at the beginning`() {
    let wanted = FileDescription(range: .init(offset: 4))
    for (range, start) in [(nil, 0), (.init(), 4), (.init(offset: 4), 4)] as [(FileDescription.Range?, Int64)] {
      let side = FileSide(proposing: wanted, .receiving)
      var answer = file
      answer.range = range
      #expect(side(.accepted(answer)) == .connect)
      #expect(side(.ready) == .transfer(.init(offset: start, length: 10 - start)))
    }
  }

  static let outside: [FileDescription.Range] = [
    .init(offset: 11), .init(offset: 4, length: 7), .init(length: 11), .init(offset: .max, length: .max),
    .init(offset: 1, length: .max),
  ]

  @Test("A range outside of the file is refused, whoever writes it", arguments: outside)
  func rangeOutside(range: FileDescription.Range) {
    var broken = file
    broken.range = range
    let sides = [
      (FileSide(answering: broken, .receiving), FileFact.accept()),
      (FileSide(proposing: file, .sending), .accepted(broken)),
      (FileSide(answering: FileDescription(range: range), .sending), .give(file)),
      (FileSide(proposing: FileDescription(range: range), .receiving), .accepted(broken)),
    ]
    for (side, fact) in sides {
      guard case .fail(.outsideFile, telling: let reason?) = side(fact) else {
        Issue.record("\(fact)")
        continue
      }
      #expect(reason.condition == .incompatibleParameters)
      #expect(side(.ready) == .wait)
    }
  }

  @Test func `A sender does not begin elsewhere than it was asked to, and a pipe has no parts`() {
    var answer = file
    answer.range = .init(offset: 5)
    for wanted in [FileDescription(), FileDescription(range: .init(offset: 4))] {
      let side = FileSide(proposing: wanted, .receiving)
      guard case .fail(.outsideFile, _) = side(.accepted(answer)) else {
        Issue.record("\(wanted)")
        continue
      }
    }
    let pipe = FileSide(proposing: endless, .sending)
    guard case .fail(.outsideFile, _) = pipe(.accepted(FileDescription(range: .init(offset: 4)))) else {
      Issue.record("a pipe was wound back")
      return
    }
  }

  // MARK: Sizes

  @Test func `An empty file is there as soon as the transport is`() {
    let empty = FileDescription(size: 0, hashes: Hashes([sha256]))
    let side = FileSide(answering: empty, .receiving)
    side(.accept())
    #expect(side(.ready) == .verify(sha256, of: nil))
    let sending = FileSide(proposing: empty, .sending).after([.accepted(empty)])
    #expect(sending(.ready) == .transfer(.init(offset: 0, length: 0)))
    #expect(sending(.sentAll(Hashes([sha256]))) == .wait)
  }

  @Test func `A file of any size is counted to its last byte`() {
    let large = FileDescription(size: 5 << 40, hashes: Hashes([sha256]))
    let side = receiver(large)
    for _ in 0..<5119 { #expect(side(.moved(1 << 30)) == .wait) }
    #expect(side(.moved((1 << 30) - 1)) == .wait)
    #expect(side(.moved(1)) == .verify(sha256, of: nil))
  }

  @Test func `More bytes than were offered are refused, in one piece or after the last`() {
    #expect(receiver(file)(.moved(11)) == .fail(.tooManyBytes, telling: .fileTooLarge))
    #expect(receiver(file).after([.moved(10)])(.moved(1)) == .fail(.tooManyBytes, telling: .fileTooLarge))
    #expect(receiver(announcing).after([.moved(10)])(.moved(1)) == .fail(.tooManyBytes, telling: .fileTooLarge))
    #expect(sender(file).after([.moved(3)])(.ended(.fileTooLarge)) == .fail(.tooLarge, telling: nil))
  }

  /// As long as the sender has not closed.
  private static let open = FileTransfer.Limits()

  @Test func `More bytes are looked out for until the sender closes, or for a moment`() {
    let side = receiver(file, limits: Self.open)
    #expect(side(.moved(10)) == .verify(sha256, of: nil))
    #expect(side(.verified(true)) == .wait)
    #expect(side.nextDeadline == side.now + .milliseconds(250))
    #expect(side(.moved(0)) == .wait)
    #expect(side(.moved(1)) == .fail(.tooManyBytes, telling: .fileTooLarge))

    let done = FileTransfer.Action.finish(.received(verifiedBy: .sha256), telling: receipt)
    for end in [FileFact.closed, .failed(.nobody), .wait(.milliseconds(250))] {
      let late = receiver(file, limits: Self.open).after([.moved(10), .verified(true)])
      #expect(late(end) == done)
      #expect(late(.moved(1)) == .wait)
      if case .wait = end { continue }
      #expect(receiver(file, limits: Self.open).after([.moved(10), end])(.verified(true)) == done)
      let promised = receiver(announcing, limits: Self.open).after([.moved(10), end])
      #expect(promised(checksum([sha256])) == .verify(sha256, of: nil))
      #expect(promised(.verified(true)) == done)
    }
    // Nothing was to come, so nothing is looked out for.
    let whole = FileSide(answering: file, .receiving, limits: Self.open).after([.accept(from: 10), .ready])
    #expect(whole(.verified(true)) == done)
    // What is another file is told at once.
    guard case .fail(.corrupt, _) = receiver(file, limits: Self.open).after([.moved(10)])(.verified(false)) else {
      Issue.record("waited")
      return
    }
  }

  @Test func `Bytes that end too soon are told, unless the sender gives a reason of its own`() {
    let side = receiver(file)
    side(.moved(9))
    #expect(side(.closed) == .wait)
    guard case .fail(.tooFewBytes, telling: let reason?) = side(.wait(.seconds(2))) else {
      Issue.record("not told")
      return
    }
    #expect(reason.condition == .failedTransport)
    let cancelled = receiver(file).after([.moved(9), .closed])
    #expect(cancelled(.ended(cancel)) == .fail(.endedByPeer(cancel), telling: nil))
  }

  @Test func `Without a size the bytes end where the transport does, and only a checksum proves them whole`() {
    let side = receiver(endless)
    side(.moved(10))
    #expect(side(.closed) == .wait)
    #expect(side(checksum([sha256])) == .verify(sha256, of: nil))

    let unproven = receiver(endless).after([.moved(10), .closed])
    guard case .fail(.checksumMissing, telling: .some) = unproven(.wait(.seconds(30))) else {
      Issue.record("taken for whole")
      return
    }
    #expect(
      receiver(FileDescription(name: "-")).after([.moved(10)])(.closed)
        == .finish(.received(verifiedBy: nil), telling: receipt))
  }

  @Test func `More than is wanted is not received, whether its size was told or not`() {
    var limits = FileSide.limits
    limits.maximumLength = 9
    #expect(
      FileSide(answering: file, .receiving, limits: limits)(.accept()) == .fail(.tooLarge, telling: .fileTooLarge))
    #expect(
      FileSide(proposing: FileDescription(), .receiving, limits: limits)(.accepted(file))
        == .fail(.tooLarge, telling: .fileTooLarge))
    let side = receiver(endless, limits: limits)
    #expect(side(.moved(9)) == .wait)
    #expect(side(.moved(1)) == .fail(.tooLarge, telling: .fileTooLarge))
  }

  // MARK: Transports

  @Test func `A transport that cannot be set up is replaced, by whoever's turn it is`() {
    let side = FileSide(proposing: file, .sending).after([.accepted(file)])
    #expect(side(.failed(.thisSide)) == .replaceTransport)
    #expect(side(.replaced) == .wait)
    #expect(side(.failed(.peer)) == .wait)
    #expect(side.canReplaceTransport)
    #expect(side(.ready) == .transfer(.init(offset: 0, length: 10)))
    #expect(side.canReplaceTransport)
    #expect(side(.failed(.thisSide)) == .replaceTransport)
    #expect(side(.ready) == .transfer(.init(offset: 0, length: 10)))
    side(.moved(1))
    #expect(!side.canReplaceTransport)
    #expect(side(.replaced) == .wait)
  }

  @Test func `When there is no other transport, or too many came, the transfer fails`() {
    let failure = FileTransfer.Action.fail(.unconnected, telling: Jingle.Reason(.failedTransport))
    let side = FileSide(answering: file, .receiving).after([.accept()])
    #expect(side(.failed(.nobody)) == failure)
    let endless = FileSide(answering: file, .receiving).after([.accept()])
    for _ in 0..<8 { #expect(endless(.replaced) == .wait) }
    #expect(endless(.replaced) == failure)
    let late = FileSide(answering: file, .receiving).after([.accept()])
    #expect(late(.wait(.seconds(89))) == .wait)
    #expect(late(.failed(.peer)) == .wait)
    #expect(late(.wait(.seconds(89))) == .wait)
    #expect(late(.wait(.seconds(1))) == failure)
  }

  @Test(arguments: FileTransfer.Direction.allCases)
  func `A transport that breaks with bytes on it ends the transfer, which can be resumed`(
    direction: FileTransfer.Direction
  ) {
    let side = direction == .sending ? sender(file) : receiver(file)
    side(.moved(5))
    #expect(side(.failed(.thisSide)) == .wait)
    #expect(side(.moved(1)) == .wait)
    #expect(side(.wait(.seconds(2))) == .fail(.interrupted, telling: Jingle.Reason(.failedTransport)))
  }

  @Test func `A receiver that closes half-way is heard for its reason`() {
    let side = sender(file).after([.moved(5)])
    #expect(side(.closed) == .wait)
    #expect(side(.ended(.fileTooLarge)) == .fail(.tooLarge, telling: nil))
  }

  // MARK: Peers' ways to end

  @Test func `Dino's way: no hash, and the receiver's end is the end`() {
    let receiving = receiver(bare)
    #expect(receiving(.moved(10)) == .finish(.received(verifiedBy: nil), telling: receipt))
    let sending = sender(bare).after([.moved(10), .sentAll(Hashes([sha256]))])
    #expect(sending(.closed) == .wait)
    #expect(sending(.ended(success)) == .finish(.sent(isConfirmed: true), telling: nil))
  }

  @Test func `A receiver that took all and closed without a word has it, as far as one knows`() {
    let side = sender(file).after([.moved(10), .sentAll(Hashes([sha256])), .closed])
    #expect(side(.wait(.seconds(119))) == .wait)
    #expect(side(.wait(.seconds(1))) == .finish(.sent(isConfirmed: false), telling: nil))
    let silent = sender(file).after([.moved(10), .sentAll(Hashes([sha256]))])
    #expect(silent(.wait(.seconds(120))) == .fail(.unconfirmed, telling: Jingle.Reason(.timeout)))
  }

  @Test func `The receiver's word may come before this side is done with its own`() {
    for end in [FileFact.info(receipt), .ended(success)] {
      let side = sender(file).after([.moved(10)])
      #expect(side(end) == .wait)
      #expect(side(.sentAll(Hashes([sha256]))) == .finish(.sent(isConfirmed: true), telling: nil))
    }
  }

  @Test func `A receiver that closes at the last byte is heard on`() {
    let side = sender(announcing).after([.moved(10)])
    #expect(side(.closed) == .wait)
    #expect(side(.sentAll(Hashes([sha256]))) == .send(.checksum(content, Hashes([sha256]))))
    #expect(side(.wait(.seconds(120))) == .finish(.sent(isConfirmed: false), telling: nil))
    let broken = sender(announcing).after([.moved(10)])
    #expect(broken(.failed(.nobody)) == .wait)
    #expect(broken(.ended(success)) == .wait)
    #expect(broken(.sentAll(Hashes([sha256]))) == .finish(.sent(isConfirmed: true), telling: nil))
  }

  @Test func `A receiver cannot have what was not sent`() {
    #expect(sender(file).after([.moved(9)])(.info(receipt)) == .wait)
    let side = sender(file).after([.moved(9)])
    #expect(side(.ended(success)) == .wait)
    #expect(side(.failed(.thisSide)) == .fail(.endedByPeer(success), telling: nil))
    let untouched = sender(file).after([.ended(success)])
    #expect(untouched(.failed(.thisSide)) == .fail(.endedByPeer(success), telling: nil))
    #expect(
      sender(file).after([.moved(5), .ended(success)])(.wait(.seconds(60)))
        == .fail(.endedByPeer(success), telling: nil))
    // Gajim says so of half a file.
    #expect(sender(file).after([.moved(5), .ended(success)])(.closed) == .fail(.endedByPeer(success), telling: nil))
  }

  @Test func `The receiver may have the last bytes before this side hears that they went out`() {
    let side = sender(announcing).after([.moved(9), .ended(success)])
    #expect(side(.moved(1)) == .wait)
    #expect(side(.sentAll(Hashes([sha256]))) == .finish(.sent(isConfirmed: true), telling: nil))
    let unending = sender(endless).after([.moved(9), .ended(success)])
    #expect(unending(.moved(1)) == .wait)
    #expect(unending(.sentAll(Hashes([sha256]))) == .finish(.sent(isConfirmed: true), telling: nil))
  }

  @Test func `A sender may end the session while its last bytes are under way`() {
    let side = receiver(file).after([.moved(5)])
    #expect(side(.ended(success)) == .wait)
    #expect(side(.moved(5)) == .verify(sha256, of: nil))
    #expect(side(.verified(true)) == .finish(.received(verifiedBy: .sha256), telling: nil))

    let cheated = receiver(file).after([.moved(5), .ended(success)])
    #expect(cheated(.closed) == .fail(.tooFewBytes, telling: nil))
    // No checksum comes any more.
    let unproven = receiver(announcing).after([.moved(5), .ended(success)])
    #expect(unproven(.moved(5)) == .finish(.received(verifiedBy: nil), telling: nil))
    let verifying = receiver(file).after([.moved(10)])
    #expect(verifying(.ended(cancel)) == .wait)
    #expect(verifying(.verified(true)) == .finish(.received(verifiedBy: .sha256), telling: nil))
  }

  // MARK: Time

  @Test func `Nobody answers`() {
    let side = FileSide(proposing: file, .sending)
    #expect(side.nextDeadline == side.now + .seconds(300))
    #expect(side(.wait(.seconds(299))) == .wait)
    #expect(side(.wait(.seconds(1))) == .fail(.unanswered, telling: Jingle.Reason(.timeout)))
  }

  @Test(arguments: FileTransfer.Direction.allCases)
  func `A peer that moves nothing stalls`(direction: FileTransfer.Direction) {
    let side = direction == .sending ? sender(file) : receiver(file)
    #expect(side(.wait(.seconds(29))) == .wait)
    #expect(side(.moved(1)) == .wait)
    #expect(side(.wait(.seconds(29))) == .wait)
    #expect(side(.moved(0)) == .wait)
    #expect(side(.wait(.seconds(1))) == .fail(.stalled, telling: Jingle.Reason(.timeout)))
  }

  @Test func `One byte a second is too slow, and a slow line is not`() {
    let large = FileDescription(size: 1 << 30)
    let drip = receiver(large)
    for second in 1...60 {
      #expect(drip(.moved(1)) == .wait)
      let action = drip(.wait(.seconds(1)))
      #expect(action == (second < 60 ? .wait : .fail(.tooSlow, telling: Jingle.Reason(.timeout))))
    }
    let slow = receiver(large)
    for _ in 1...600 {
      #expect(slow(.moved(256)) == .wait)
      #expect(slow(.wait(.seconds(1))) == .wait)
    }
  }

  // MARK: A peer that is gone

  @Test(arguments: FileTransfer.Direction.allCases)
  func `A peer that is silent is asked whether it is there, again and again`(direction: FileTransfer.Direction) {
    var limits = FileTransfer.Limits()
    limits.stall = .seconds(100)
    let side = direction == .sending ? sender(file, limits: limits) : receiver(file, limits: limits)
    for _ in 0..<2 {
      #expect(side(.wait(.seconds(14))) == .wait)
      #expect(side(.wait(.seconds(1))) == .askPeer)
    }
    // Whose bytes come is there, whatever is said.
    side(.moved(1))
    #expect(side(.gone) == .wait)
    #expect(side(.wait(.seconds(14))) == .wait)
    #expect(side(.wait(.seconds(1))) == .askPeer)
    #expect(side(.gone) == .fail(.gone, telling: Jingle.Reason(.connectivityError, text: "nobody is there")))
  }

  @Test(arguments: [true, false])
  func `A receiver that is gone before it said that it has all is not waited for`(isClosed: Bool) {
    let side = sender(file, limits: .init()).after([.moved(10), .sentAll(Hashes([sha256]))])
    if isClosed { side(.closed) }
    #expect(side.nextDeadline == side.now + .seconds(15))
    #expect(side(.wait(.seconds(15))) == .askPeer)
    #expect(side(.gone) == .fail(.gone, telling: Jingle.Reason(.connectivityError, text: "nobody is there")))
    let there = sender(file, limits: .init()).after([.moved(10), .sentAll(Hashes([sha256])), .wait(.seconds(15))])
    #expect(there(.info(receipt)) == .finish(.sent(isConfirmed: true), telling: nil))
  }

  @Test func `A peer that went offline is asked after a while, whatever is waited for`() {
    for (name, make) in Self.states where !["brokenOff", "verifying", "awaitingEnd"].contains(name) {
      let side = make()
      #expect(side(.gone) == .wait, "\(name)")
      side(.left)
      #expect(side(.wait(.seconds(4))) == .wait, "\(name)")
      // Its going again is no reason to wait longer.
      side(.left)
      #expect(side(.gone) == .wait, "\(name)")
      #expect(side(.wait(.seconds(1))) == .askPeer, "\(name)")
      guard case .fail(let failure, telling: .some) = side(.gone) else {
        Issue.record("\(name)")
        continue
      }
      #expect(failure == (name == "proposed" ? .unanswered : .gone), "\(name)")
    }
    let moving = receiver(file).after([.moved(1), .left, .moved(1)])
    #expect(moving(.wait(.seconds(29))) == .wait)
  }

  // MARK: All states

  /// How each state is reached, for a receiver and a sender.
  static let states: [(name: String, make: @Sendable () -> FileSide)] = [
    ("proposed", { FileSide(proposing: announcing, .sending) }),
    ("offered", { FileSide(answering: announcing, .receiving) }),
    ("asked", { FileSide(answering: announcing, .sending) }),
    ("connecting", { FileSide(answering: announcing, .receiving).after([.accept()]) }),
    ("receiving", { receiver(announcing).after([.moved(5)]) }),
    ("sending", { sender(announcing).after([.moved(5)]) }),
    ("brokenOff", { receiver(announcing).after([.moved(5), .closed]) }),
    ("awaitingChecksum", { receiver(announcing).after([.moved(10)]) }),
    ("verifying", { receiver(file).after([.moved(10)]) }),
    ("awaitingEnd", { receiver(file, limits: .init()).after([.moved(10), .verified(true)]) }),
    ("awaitingReceipt", { sender(file).after([.moved(10), .sentAll(Hashes([sha256]))]) }),
  ]

  static let causes: [(FileTransfer.Cause, Jingle.Reason.Condition)] = [
    (.cancelled, .cancel), (.tooLarge, .mediaError), (.fileFailed, .failedApplication),
    (.notAvailable, .failedApplication),
  ]

  @Test("Whatever the state, this side can end it, once", arguments: causes)
  func endedHere(cause: FileTransfer.Cause, condition: Jingle.Reason.Condition) {
    for (name, make) in Self.states {
      let side = make()
      guard case .fail(.local(cause), telling: let reason?) = side(.end(cause)) else {
        Issue.record("\(name)")
        continue
      }
      let declines = cause == .cancelled && ["offered", "asked"].contains(name)
      #expect(reason.condition == (declines ? .decline : condition), "\(name)")
      #expect(side(.end(cause)) == .wait)
      #expect(side.nextDeadline == nil)
    }
  }

  @Test func `Whatever the state, the peer's cancelling ends it, unless all is there`() {
    for (name, make) in Self.states {
      let action = make()(.ended(cancel))
      switch name {
      case "proposed": #expect(action == .fail(.declined(cancel), telling: nil))
      case "verifying": #expect(action == .wait)
      case "awaitingEnd": #expect(action == .finish(.received(verifiedBy: .sha256), telling: nil))
      default: #expect(action == .fail(.endedByPeer(cancel), telling: nil), "\(name)")
      }
    }
  }

  /// A random fact, mostly one that may come.
  private func fact(_ random: inout SplitMix64) -> FileFact {
    let ranges: [FileDescription.Range?] = [nil, .init(), .init(offset: 4), .init(offset: 12), .init(length: 3)]
    let values = [[sha256], [sha1], [], [other]].randomElement(using: &random) ?? []
    var answer = [file, announcing, bare, endless].randomElement(using: &random) ?? file
    answer.range = ranges.randomElement(using: &random) ?? nil
    let reasons: [Jingle.Reason?] = [nil, success, cancel, .fileTooLarge, Jingle.Reason(.mediaError)]
    switch Int.random(in: 0..<22, using: &random) {
    case 20: return .left
    case 21: return .gone
    case 0, 1: return .accept(from: [nil, 0, 4, 11].randomElement(using: &random) ?? nil)
    case 2: return .give(answer)
    case 3, 4: return .accepted(answer)
    case 5, 6, 7: return .ready
    case 8: return .failed([.thisSide, .peer, .nobody].randomElement(using: &random) ?? .nobody)
    case 9: return .replaced
    case 10, 11, 12: return .moved(Int.random(in: 0...6, using: &random))
    case 13: return .sentAll(Hashes(values), part: Hashes([partHash]))
    case 14: return .closed
    case 15:
      return [checksum(values, range: answer.range), .info(receipt)].randomElement(using: &random) ?? .closed
    case 16: return .verified(Bool.random(using: &random))
    case 17: return .ended(reasons.randomElement(using: &random) ?? nil)
    case 18: return .end(FileTransfer.Cause.allCases.randomElement(using: &random) ?? .cancelled)
    default: return .wait(.seconds(Int.random(in: 0...40, using: &random)))
    }
  }

  @Test func `Whatever happens in whatever order, a transfer ends once, and nothing follows`() {
    var random = SplitMix64(seed: 234)
    var ends = 0
    for round in 0..<5_000 {
      let side = Self.states[round % Self.states.count].make()
      var hasEnded = false
      for _ in 0..<40 {
        let action = side(fact(&random))
        if hasEnded {
          #expect(action == .wait)
          #expect(side.nextDeadline == nil)
        }
        switch action {
        case .finish, .fail:
          hasEnded = true
          ends += 1
        case .transfer(let part): #expect(part.offset >= 0 && part.offset + (part.length ?? 0) <= 10)
        default: break
        }
      }
    }
    #expect(ends > 4_000)
  }

  @Test func `Left alone, a transfer that waits for the peer ends by itself`() {
    for (name, make) in Self.states where !["offered", "asked", "verifying"].contains(name) {
      let side = make()
      var action = FileTransfer.Action.wait
      for _ in 0..<10 where action == .wait || action == .askPeer {
        guard let deadline = side.nextDeadline else { break }
        action = side(.wait(deadline - side.now))
      }
      #expect(action != .wait && action != .askPeer, "\(name)")
      #expect(side.nextDeadline == nil, "\(name)")
    }
  }
}
