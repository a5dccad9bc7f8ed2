import JingleCore
import MediaTime
import Testing
import XMPPCore

/// A sender and a receiver with a file, a stream of bytes that breaks, and stanzas that take their time, in virtual time.
private final class FilePair {
  let data: [UInt8]
  /// What the receiver has on its disk, from all sessions.
  var kept: [UInt8] = []
  var sent: FileTransfer.Outcome?
  var received: FileTransfer.Outcome?
  private var random: SplitMix64

  init(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    data = (0..<Int.random(in: 0...300, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
    self.random = random
  }

  private var hashes: Hashes { Hashes([HashValue(.sha256, of: data)]) }

  /// One session from its offer to both sides' ends; the stream breaks once that many bytes went through.
  func run(breakingAfter breaking: Int, told: Bool, hasSize: Bool) {
    var offer = FileDescription(name: "a", size: hasSize ? Int64(data.count) : nil)
    offer.hashes = told ? hashes : Hashes(announced: [.sha256])
    if hasSize { offer.range = .init() } else { kept = [] }
    let sender = FileSide(proposing: offer, .sending, limits: .init())
    let receiver = FileSide(answering: offer, .receiving, limits: .init())
    guard case .accept(let answer) = receiver(.accept(from: hasSize ? Int64(kept.count) : nil)) else { return }
    guard case .connect = sender(.accepted(answer)) else { return }

    // What is under way: stanzas to either side, and bytes.
    var toReceiver: [FileFact] = []
    var toSender: [FileFact] = []
    var stream: [UInt8] = []
    var rest: ArraySlice<UInt8> = []
    var hasSentAll = false
    var isClosed = false
    var count = 0
    var ended = (sender: false, receiver: false)

    func senderDoes(_ action: FileTransfer.Action) {
      switch action {
      case .transfer(let part): rest = data[Int(part.offset)...].prefix(part.length.map { Int($0) } ?? .max)
      case .send(let info): toReceiver.append(.info(info))
      case .finish(let outcome, _):
        sent = outcome
        ended.sender = true
      case .fail(_, let reason):
        if let reason { toReceiver.append(.ended(reason)) }
        ended.sender = true
      default: break
      }
    }
    func receiverDoes(_ action: FileTransfer.Action) {
      switch action {
      case .transfer(let part): kept.removeSubrange(Int(part.offset)...)
      case .verify(let hash, nil): receiverDoes(receiver(.verified(HashValue(hash.algorithm, of: kept) == hash)))
      case .finish(let outcome, let info):
        received = outcome
        if let info { toSender.append(.info(info)) }
        toSender.append(.ended(Jingle.Reason(.success)))
        ended.receiver = true
      case .fail(_, let reason):
        if let reason { toSender.append(.ended(reason)) }
        ended.receiver = true
      default: break
      }
    }

    senderDoes(sender(.ready))
    receiverDoes(receiver(.ready))
    for _ in 0..<10_000 where !(ended.sender && ended.receiver) {
      switch Int.random(in: 0..<6, using: &random) {
      case 0 where !hasSentAll && !ended.sender:
        let chunk = rest.prefix(Int.random(in: 1...40, using: &random))
        stream += chunk
        rest = rest.dropFirst(chunk.count)
        if !chunk.isEmpty { senderDoes(sender(.moved(chunk.count))) }
        if rest.isEmpty {
          hasSentAll = true
          senderDoes(sender(.sentAll(hashes)))
        }
      case 1 where !stream.isEmpty && !isClosed:
        let chunk = Array(stream.prefix(Int.random(in: 1...40, using: &random)))
        stream.removeFirst(chunk.count)
        count += chunk.count
        kept += chunk
        receiverDoes(receiver(.moved(chunk.count)))
        if count >= breaking {
          isClosed = true
          receiverDoes(receiver(.failed(.nobody)))
          senderDoes(sender(.failed(.nobody)))
        }
      case 2 where hasSentAll && stream.isEmpty && !isClosed:
        isClosed = true
        receiverDoes(receiver(.closed))
        senderDoes(sender(.closed))
      case 3 where !toReceiver.isEmpty: receiverDoes(receiver(toReceiver.removeFirst()))
      case 4 where !toSender.isEmpty: senderDoes(sender(toSender.removeFirst()))
      case 5 where isClosed:
        senderDoes(sender(.wait(.milliseconds(500))))
        receiverDoes(receiver(.wait(.milliseconds(500))))
      default: break
      }
    }
    #expect(ended.sender && ended.receiver)
  }
}

@Suite(.timeLimit(.minutes(1))) struct XEP0234FileTransferPairBehaviorTests {
  @Test(arguments: [true, false])
  func `A transfer that breaks again and again goes on where it stopped, until both know that it is whole`(
    told: Bool
  ) {
    for seed in 0..<200 as Range<UInt64> {
      let pair = FilePair(seed: seed)
      var random = SplitMix64(seed: seed)
      var sessions = 0
      while pair.received == nil, sessions < 1000 {
        sessions += 1
        pair.run(breakingAfter: Int.random(in: 20...400, using: &random), told: told, hasSize: true)
      }
      #expect(pair.kept == pair.data, "seed \(seed)")
      #expect(pair.received == .received(verifiedBy: .sha256), "seed \(seed)")
    }
  }

  @Test(arguments: [true, false])
  func `Without a break both sides end well, whatever overtakes what, and with or without a size`(hasSize: Bool) {
    for seed in 0..<200 as Range<UInt64> {
      let pair = FilePair(seed: seed)
      pair.run(breakingAfter: .max, told: false, hasSize: hasSize)
      #expect(pair.kept == pair.data, "seed \(seed)")
      #expect(pair.received == .received(verifiedBy: .sha256), "seed \(seed)")
      #expect(pair.sent == .sent(isConfirmed: true), "seed \(seed)")
    }
  }
}

/// Files in a session of Jingle's, by their stanzas.
@Suite struct XEP0234FilesInSessionsBehaviorTests {
  private func content(_ name: String, _ file: FileDescription) -> Jingle.Content {
    Jingle.Content(
      name: name, senders: .initiator, description: .file(file),
      transport: .inBand(InBandTransport(sid: "bytes")))
  }

  @Test func `Two files are offered, their news understood, one taken out, and the session ended`() throws {
    let file = FileDescription(name: "a", size: 1, hashes: Hashes(announced: [.sha256]), range: .init())
    var initiator = JingleSession(
      initiating: sid, own: romeo, peer: juliet, understoodInfo: [FileInfo.namespace], deciding: [.contents])
    initiator.initiate([content("a", file), content("b", file)])
    func request(_ session: inout JingleSession) throws -> Jingle {
      while let output = session.nextOutput() {
        if case .request(let jingle, _, _) = output { return try jingle.reread() }
      }
      throw StanzaError(.itemNotFound)
    }
    var responder = try JingleSession(
      answering: request(&initiator), from: romeo, id: "1", own: juliet, understoodInfo: [FileInfo.namespace],
      deciding: [.contents])
    initiator.receive(.result(nil), for: 1)
    responder.accept([content("a", file), content("b", file)])
    initiator.receive(try request(&responder), from: juliet, id: "2")
    responder.receive(.result(nil), for: 1)
    while initiator.nextOutput() != nil {}

    let checksum = FileInfo.checksum(.init(creator: .initiator, name: "a"), Hashes([HashValue(.sha256, of: [1])]))
    initiator.sendInfo(checksum.element)
    responder.receive(try request(&initiator), from: romeo, id: "3")
    var infos: [FileInfo] = []
    while let output = responder.nextOutput() {
      if case .event(.receivedInfo(let element)) = output, let info = FileInfo(element) { infos.append(info) }
      if case .refuse = output { Issue.record("refused") }
    }
    #expect(infos == [checksum])

    initiator.remove(["b"], Jingle.Reason(.cancel))
    responder.receive(try request(&initiator), from: romeo, id: "4")
    var removed: [String] = []
    while let output = responder.nextOutput() {
      if case .event(.removed(let names, let reason)) = output {
        removed += names
        #expect(reason?.condition == .cancel)
      }
    }
    #expect(removed == ["b"])
    responder.terminate(Jingle.Reason(.success))
    initiator.receive(try request(&responder), from: juliet, id: "5")
    #expect(initiator.phase == .ended)
  }
}

extension Jingle {
  /// Through its text.
  fileprivate func reread() throws -> Jingle { try jingle(element.serialized()) }
}
