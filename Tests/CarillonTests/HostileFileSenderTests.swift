import CarillonTesting
import Foundation
import JingleCore
import Testing
import XMPPCore

@testable import Carillon

/// Files from a sender that lies, breaks the rules, or falls silent.
@Suite(.timeLimit(.minutes(2)))
struct HostileFileSenderTests {
  /// What is sent, in blocks of 4096 bytes.
  private static let bytes = (0..<10_000).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
  private static let blocks = [bytes[..<4096], bytes[4096..<8192], bytes[8192...]]

  private static func file(_ name: String? = "photo.jpg", size: Int64? = 10_000) -> FileDescription {
    FileDescription(
      name: name, size: size, date: .seconds(1_700_000_000), hashes: Hashes(announced: [.sha256]), range: .init())
  }

  private func isSame(_ path: String) -> Bool {
    FileManager.default.contents(atPath: path).map(Array.init) == Self.bytes
  }

  // MARK: Names

  @Test(
    "Whatever a file is called, it is put into the folder, under a harmless name",
    arguments: [
      ("../../etc/passwd", "passwd"), ("..", "file"), (".", "file"), ("...", "file"), ("/", "file"), ("//a//", "a"),
      ("", "file"), (".bashrc", "bashrc"), ("-rf", "rf"), ("a\u{0}b.txt", "ab.txt"),
      ("a\nb\t\u{7F}\u{9B}.txt", "ab.txt"),
      ("photo\u{202E}gpj.exe", "photogpj.exe"), ("\u{2066}\u{200F}x\u{2069}", "x"), ("..\\..\\boot.ini", "boot.ini"),
      ("C:\\NUL", "_NUL"), ("~", "~"), ("a/../..", "a"), ("\u{FF0F}etc\u{2215}shadow", "shadow"),
      (String(repeating: "y", count: 296) + ".txt", String(repeating: "y", count: 196) + ".txt"),
      (String(repeating: "\u{1F600}", count: 300), String(repeating: "\u{1F600}", count: 50)),
    ])
  func names(offered: String, expected: String) async throws {
    try await withFileStage { stage in
      let answer = try await stage.peer.offer(Self.file(size: 0)) { offer in
        offer.change("name", FileDescription.namespace) { $0.nodes = [.text(offered)] }
      }
      try #require(answer.content == .result(nil))
      _ = try await stage.peer.jingle(.sessionAccept)
      try await stage.peer.request(
        InBandBytestream.Open(sid: "b1").element, to: FileStage.bobsAddress)
      try await stage.peer.sendChecksum(of: [])
      #expect(try await stage.result().get().path == stage.folders.inbox + "/" + expected)
      #expect(stage.folders.names == [expected])
      #expect(stage.offers.entries.map(\.name) == [expected])
      let outside = try FileManager.default.contentsOfDirectory(atPath: stage.folders.root)
      #expect(outside == ["in"])
    }
  }

  // MARK: Sizes, hashes and ranges

  @Test(
    "A size or range that is no number of bytes is refused at once",
    arguments: [
      ("size", "-1"), ("size", "1e3"), ("size", ""), ("size", "18446744073709551616"), ("size", "NaN"),
      ("offset", "-5"), ("length", "x"),
    ])
  func malformed(what: String, value: String) async throws {
    try await withFileStage { stage in
      let answer = try await stage.peer.offer(Self.file()) { offer in
        if what == "size" {
          offer.change("size", FileDescription.namespace) { $0.nodes = [.text(value)] }
        } else {
          offer.change("range", FileDescription.namespace) { $0[attribute: what] = value }
        }
      }
      #expect(answer.condition == .badRequest)
      guard case .error(let error) = answer.content else { return }
      #expect(error.text?.contains(what) == true, "\(error)")
      try await stage.peer.settle(FileStage.bobsAddress)
      #expect(stage.offers.entries.isEmpty && stage.folders.names.isEmpty)
    }
  }

  @Test("A range outside of the file is told to both ends")
  func rangeOutside() async throws {
    try await withFileStage { stage in
      var file = Self.file()
      file.range = .init(offset: 20_000, length: 1)
      try await stage.peer.offer(file)
      let error = try await stage.error()
      #expect(error.code == .protocolViolation && error.message.contains("part that photo.jpg has not"))
      let reason = try await stage.peer.farewell()
      #expect(reason.condition == .incompatibleParameters && reason.text?.contains("range") == true)
      try await stage.settle()
      #expect(stage.folders.names.isEmpty)
    }
  }

  @Test("Of a file that is offered from its middle, and of which nothing is here, all is asked for")
  func restOfNothing() async throws {
    try await withFileStage { stage in
      var file = Self.file()
      file.range = .init(offset: 4096)
      let start = try await stage.resume(file, Self.bytes)
      #expect(start == 0)
    }
  }

  @Test("More than there is room for is told before anything is sent")
  func noRoom() async throws {
    try await withFileStage { stage in
      try await stage.peer.offer(Self.file(size: .max))
      let error = try await stage.error()
      #expect(error.code == .output && error.message.contains("has room for"), "\(error)")
      #expect(try await stage.peer.farewell().fileTransfer == .fileTooLarge)
      try await stage.settle()
      #expect(stage.folders.names.isEmpty)
    }
  }

  @Test("A file whose size is not told ends where the stream does, and its hash decides", arguments: [true, false])
  func sizeMissing(isRight: Bool) async throws {
    try await withFileStage { stage in
      try await stage.peer.openInBand(Self.file(size: nil))
      for (number, block) in Self.blocks.enumerated() { try await stage.peer.sendBlock(UInt16(number), block) }
      try await stage.peer.sendChecksum(of: isRight ? Self.bytes : [1])
      try await stage.peer.request(InBandBytestream.Close(sid: "b1").element, to: FileStage.bobsAddress)
      if isRight {
        let receipt = try await stage.result().get()
        #expect(receipt.isConfirmed && receipt.size == 10_000)
        #expect(isSame(stage.folders.inbox + "/photo.jpg"))
      } else {
        #expect(try await stage.error().code == .corrupt)
        #expect(try await stage.peer.farewell().condition == .mediaError)
      }
      try await stage.settle()
      #expect(stage.folders.names == (isRight ? ["photo.jpg"] : []))
    }
  }

  @Test("A file whose size and hash are both never told is not taken for whole")
  func nothingTold() async throws {
    try await withFileStage(limits: { $0.checksum = .milliseconds(300) }) { stage in
      try await stage.peer.openInBand(Self.file(size: nil))
      try await stage.peer.sendBlock(0, Self.blocks[0])
      try await stage.peer.request(InBandBytestream.Close(sid: "b1").element, to: FileStage.bobsAddress)
      let error = try await stage.error()
      #expect(error.code == .corrupt && error.message.contains("checksum"))
      #expect(try await stage.peer.farewell().text == "the checksum never came")
      try await stage.settle()
      #expect(stage.folders.names.isEmpty)
    }
  }

  @Test("The hash of another file is told to both ends, and nothing is kept")
  func otherHash() async throws {
    try await withFileStage { stage in
      try await stage.peer.openInBand(Self.file())
      for (number, block) in Self.blocks.enumerated() { try await stage.peer.sendBlock(UInt16(number), block) }
      try await stage.peer.sendChecksum(of: [1, 2, 3])
      let error = try await stage.error()
      #expect(error.code == .corrupt && error.message.contains("another hash"))
      let reason = try await stage.peer.farewell()
      #expect(reason.condition == .mediaError && reason.text?.contains("hash") == true)
      try await stage.settle()
      #expect(stage.folders.names.isEmpty)
    }
  }

  // MARK: Bytes

  /// What is done in place of what should be, after the first of three blocks; and what comes of it.
  enum Offence: CaseIterable {
    case moreBytes, oneBlockMore, fewerBytes, outOfSequence, twice, oversized, notBase64, ended, silence, dribble

    var code: CallError.Code {
      switch self {
      case .moreBytes, .oneBlockMore: .protocolViolation
      case .silence, .dribble: .timedOut
      case .ended: .failed
      default: .connectivity
      }
    }

    /// What the message says was wrong.
    var words: String {
      switch self {
      case .moreBytes, .oneBlockMore: "sends more than photo.jpg"
      case .fewerBytes: "stopped before all of photo.jpg"
      case .outOfSequence: "number 2 came instead of 1"
      case .twice: "number 0 came instead of 1"
      case .oversized: "larger than 4096 bytes"
      case .notBase64: "not base64"
      case .ended: "ended the transfer of photo.jpg: no more of it"
      case .silence: "Nothing more of photo.jpg"
      case .dribble: "photo.jpg moved too slowly"
      }
    }

    /// What the peer is told in the end; nil where it knows.
    var condition: Jingle.Reason.Condition? {
      switch self {
      case .moreBytes, .oneBlockMore: .mediaError
      case .silence, .dribble: .timeout
      case .ended: nil
      default: .failedTransport
      }
    }

    /// Where it is gone on with.
    var kept: ClosedRange<Int> {
      switch self {
      case .moreBytes, .oneBlockMore: 10_000...10_000
      case .dribble: 4096...8192
      default: 4096...4096
      }
    }

    var refusal: StanzaError.Condition? {
      switch self {
      case .outOfSequence, .twice: .unexpectedRequest
      case .oversized, .notBase64: .badRequest
      default: nil
      }
    }

    func commit(_ peer: ScriptedPeer, _ blocks: [ArraySlice<UInt8>]) async throws -> IQ? {
      switch self {
      case .moreBytes:
        try await peer.sendBlock(1, blocks[1])
        return try await peer.sendBlock(2, blocks[2] + [UInt8](repeating: 0, count: 4096 - blocks[2].count))
      case .oneBlockMore:
        for number in 1...2 { try await peer.sendBlock(UInt16(number), blocks[number]) }
        return try await peer.sendBlock(3, [0])
      case .fewerBytes:
        return try await peer.request(InBandBytestream.Close(sid: "b1").element, to: FileStage.bobsAddress)
      case .outOfSequence: return try await peer.sendBlock(2, blocks[1])
      case .twice: return try await peer.sendBlock(0, blocks[0])
      case .oversized: return try await peer.sendBlock(1, [UInt8](repeating: 0, count: 4097))
      case .notBase64:
        var block = InBandBytestream.Block(sid: "b1", sequenceNumber: 1, bytes: [1]).element
        block.nodes = [.text("%%%=")]
        return try await peer.request(block, to: FileStage.bobsAddress)
      case .ended:
        return try await peer.request(
          Jingle(.sessionTerminate, sid: "s1", reason: Jingle.Reason(.cancel, text: "no more of it")),
          to: FileStage.bobsAddress)
      case .silence: return nil
      case .dribble:
        for (number, byte) in blocks[1].enumerated() {
          guard case .result = try await peer.sendBlock(UInt16(number + 1), [byte]).content else { break }
          try await Task.sleep(for: .milliseconds(20))
        }
        return nil
      }
    }
  }

  @Test("What breaks off a file is told to both ends, and what came of it is kept", arguments: Offence.allCases)
  func offences(_ offence: Offence) async throws {
    try await withFileStage(limits: { limits in
      if offence == .oneBlockMore { limits.ending = .seconds(60) }
      if offence == .silence { limits.stall = .milliseconds(500) }
      if offence == .dribble {
        limits.minimumBytesPerSecond = 1000
        limits.rateWindow = .seconds(1)
      }
    }) { stage in
      try await stage.peer.openInBand(Self.file())
      // All of it is needed for the first window of a slow sender not to be the one that counts.
      try await stage.peer.sendBlock(0, Self.blocks[0])
      let answer = try await offence.commit(stage.peer, Self.blocks)
      if let refusal = offence.refusal { #expect(answer?.condition == refusal) }
      let error = try await stage.error()
      #expect(error.code == offence.code, "\(error)")
      #expect(error.message.contains(offence.words), "\(error)")
      if let condition = offence.condition { #expect(try await stage.peer.farewell().condition == condition) }
      try await stage.settle()
      #expect(stage.folders.parts.count == 1 && stage.folders.names.count == 2, "\(stage.folders.names)")

      // The rest is asked for when it is offered again.
      let offset = try await stage.resume(Self.file(), Self.bytes)
      #expect(offence.kept.contains(offset), "\(offset)")
    }
  }

  @Test("A sender that goes offline half-way is not waited for, and what came of it is gone on with")
  func leaves() async throws {
    try await withFileStage(limits: { $0.absence = .milliseconds(200) }) { stage in
      try await withScript(stage.server, "mallory@localhost/gone", features: ScriptedPeer.takingFiles) { peer in
        try await peer.openInBand(Self.file())
        try await peer.sendBlock(0, Self.blocks[0])
      }
      let error = try await stage.error()
      #expect(error.code == .connectivity, "\(error)")
      #expect(error.message.contains("left before all of photo.jpg") && error.message.contains("goes on from there"))
      try await stage.settle()
      #expect(stage.folders.parts.count == 1)
      #expect(try await stage.resume(Self.file(), Self.bytes) == 4096)
    }
  }

  @Test("A sender that says nothing is asked whether it is there; who is, is waited for, and who is not, is not")
  func asked() async throws {
    let questions = Log<String>()
    let server = InMemoryServer(rewriting: { stanza in
      if stanza[attribute: "type"] == "set", let jingle = stanza.first("jingle", Jingle.namespace),
        jingle[attribute: "action"] == "session-info", jingle.nodes.isEmpty
      {
        questions.append(stanza[attribute: "to"] ?? "")
      }
      return stanza
    })
    try await withFileStage(
      server,
      limits: {
        $0.silence = .milliseconds(200)
        $0.absence = .seconds(600)
      }
    ) { stage in
      try await stage.peer.openInBand(Self.file())
      try await stage.peer.sendBlock(0, Self.blocks[0])
      try await until { questions.entries.count >= 2 }
      #expect(stage.results.entries.isEmpty)
      await stage.peer.link.close()
      #expect(try await stage.error().code == .connectivity)
      try await stage.settle()
      #expect(stage.folders.parts.count == 1)
    }
  }

  @Test(
    "A sender that has sent all is waited for until it closes, and no longer than a moment", arguments: [true, false])
  func notClosed(closes: Bool) async throws {
    try await withFileStage(limits: { if closes { $0.ending = .seconds(600) } }) { stage in
      try await stage.peer.openInBand(Self.file())
      for (number, block) in Self.blocks.enumerated() { try await stage.peer.sendBlock(UInt16(number), block) }
      try await stage.peer.sendChecksum(of: Self.bytes)
      if closes {
        try await stage.peer.settle(FileStage.bobsAddress)
        #expect(stage.results.entries.isEmpty)
        let close = InBandBytestream.Close(sid: "b1").element
        #expect(try await stage.peer.request(close, to: FileStage.bobsAddress).content == .result(nil))
      }
      #expect(try await stage.result().get().isConfirmed)
      #expect(try await stage.peer.farewell().condition == .success)
      try await stage.settle()
      #expect(stage.folders.names == ["photo.jpg"])
    }
  }

  @Test("A part that is not the file's beginning is found out when the rest has come, and nothing of it is kept")
  func otherBeginning() async throws {
    try await withFileStage { stage in
      try await stage.peer.openInBand(Self.file())
      try await stage.peer.sendBlock(0, [UInt8](repeating: 7, count: 4096))
      try await stage.peer.request(InBandBytestream.Close(sid: "b1").element, to: FileStage.bobsAddress)
      #expect(try await stage.error().code == .connectivity)
      try await stage.settle()
      try await stage.peer.openInBand(Self.file(), sid: "s2", stream: "b2")
      try await stage.peer.sendBlock(0, Self.blocks[1], stream: "b2")
      try await stage.peer.sendBlock(1, Self.blocks[2], stream: "b2")
      try await stage.peer.sendChecksum(of: Self.bytes, sid: "s2")
      try await until { stage.results.entries.count == 2 }
      #expect(throws: CallError.self) { try stage.results.entries[1].get() }
      try await stage.settle()
      #expect(stage.folders.names.isEmpty)
    }
  }

  @Test("Who was accepted and never opens the stream is not waited for for ever, and nothing is kept")
  func neverOpens() async throws {
    try await withFileStage(limits: { $0.connection = .milliseconds(500) }) { stage in
      try await stage.peer.offer(Self.file())
      _ = try await stage.peer.jingle(.sessionAccept)
      let error = try await stage.error()
      #expect(error.code == .connectivity && error.message.contains("photo.jpg"))
      #expect(try await stage.peer.farewell().condition == .failedTransport)
      try await stage.settle()
      #expect(stage.folders.names.isEmpty)
    }
  }

  @Test("Blocks of a stream that nobody knows, and a second opening, are refused and disturb nothing")
  func unknownStreams() async throws {
    try await withFileStage { stage in
      let (peer, bob) = (stage.peer, FileStage.bobsAddress)
      #expect(try await peer.sendBlock(0, [1], stream: "b1").condition == .itemNotFound)
      try await peer.openInBand(Self.file())
      try await peer.sendBlock(0, Self.blocks[0])
      #expect(try await peer.sendBlock(1, [1], stream: "b2").condition == .itemNotFound)
      #expect(
        try await peer.request(InBandBytestream.Close(sid: "b2").element, to: bob).condition == .itemNotFound)
      #expect(
        try await peer.request(InBandBytestream.Open(sid: "b1").element, to: bob).condition == .notAcceptable)
      #expect(
        try await peer.request(InBandBytestream.Open(sid: "b2").element, to: bob).condition == .notAcceptable)
      // Nor may somebody else say anything in it.
      let strangers = try await withScript(
        stage.server, "trudy@localhost/script", features: ScriptedPeer.takingFiles
      ) { trudy in
        [
          try await trudy.sendBlock(1, [1]).condition,
          try await trudy.request(InBandBytestream.Close(sid: "b1").element, to: bob).condition,
        ]
      }
      #expect(strangers == [.itemNotFound, .itemNotFound])
      try await peer.sendBlock(1, Self.blocks[1])
      try await peer.sendBlock(2, Self.blocks[2])
      try await peer.sendChecksum(of: Self.bytes)
      #expect(try await stage.result().get().isConfirmed)
      #expect(isSame(stage.folders.inbox + "/photo.jpg"))
    }
  }

  @Test("A second transfer with the session's id is refused, and one of somebody else's with it disturbs nothing")
  func sameSession() async throws {
    try await withFileStage { stage in
      let peer = stage.peer
      try await peer.openInBand(Self.file())
      try await peer.sendBlock(0, Self.blocks[0])
      #expect(try await peer.offer(Self.file("other.jpg"), .inBand(.init(sid: "b2"))).condition != nil)
      // Another's session may be called so; ending it ends no other.
      try await withScript(stage.server, "trudy@localhost/script", features: ScriptedPeer.takingFiles) { trudy in
        try await trudy.offer(Self.file("third.jpg"))
        let end = Jingle(.sessionTerminate, sid: "s1", reason: Jingle.Reason(.cancel))
        try await trudy.request(end, to: FileStage.bobsAddress)
      }
      try await peer.sendBlock(1, Self.blocks[1])
      try await peer.sendBlock(2, Self.blocks[2])
      try await peer.sendChecksum(of: Self.bytes)
      try await until { stage.results.entries.contains { (try? $0.get().isConfirmed) == true } }
      try await stage.settle()
      #expect(!stage.offers.entries.contains { $0.name == "other.jpg" })
      #expect(stage.folders.names == ["photo.jpg"])
      #expect(isSame(stage.folders.inbox + "/photo.jpg"))
    }
  }

  @Test("Two files at once in streams of one name come to an end, and what is put in place is right")
  func sameStream() async throws {
    try await withFileStage(limits: { $0.connection = .seconds(1) }) { stage in
      let peer = stage.peer
      try await peer.openInBand(Self.file("one.jpg"))
      try await peer.offer(Self.file("two.jpg"), sid: "s2", .inBand(.init(sid: "b1")))
      for (number, block) in Self.blocks.enumerated() { try await peer.sendBlock(UInt16(number), block) }
      try await peer.sendChecksum(of: Self.bytes)
      try await until { stage.results.entries.count == 2 }
      try await stage.settle()
      #expect(stage.folders.names == ["one.jpg"])
      #expect(isSame(stage.folders.inbox + "/one.jpg"))
    }
  }

  @Test("The same file offered twice at once arrives twice")
  func sameFile() async throws {
    try await withFileStage { stage in
      let peer = stage.peer
      try await peer.openInBand(Self.file())
      try await peer.sendBlock(0, Self.blocks[0])
      try await peer.openInBand(Self.file(), sid: "s2", stream: "b2")
      try await peer.sendBlock(1, Self.blocks[1])
      for (number, block) in Self.blocks.enumerated() {
        try await peer.sendBlock(UInt16(number), block, stream: "b2")
      }
      try await peer.sendBlock(2, Self.blocks[2])
      try await peer.sendChecksum(of: Self.bytes)
      try await peer.sendChecksum(of: Self.bytes, sid: "s2")
      try await until { stage.results.entries.count == 2 }
      try await stage.settle()
      #expect(stage.folders.names == ["photo (1).jpg", "photo.jpg"])
      for name in stage.folders.names { #expect(isSame(stage.folders.inbox + "/" + name)) }
    }
  }
}
