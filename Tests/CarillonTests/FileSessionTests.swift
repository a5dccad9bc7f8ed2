import CarillonTesting
import Foundation
import JingleCore
import Testing
import XMPPCore

@testable import Carillon

/// Several files in one session, and what is told of them.
@Suite(.serialized, .timeLimit(.minutes(1)))
struct FileSessionTests {
  private static let bob = FileStage.bobsAddress

  // MARK: Several in one session

  @Test("Files that are offered together arrive in one session, each by itself", arguments: FileTransferWay.direct)
  func together(way: FileTransferWay) async throws {
    let folders = try FileFolders()
    let paths = try ["a", "b", "c"].map { try folders.make($0, 50_000) }
    let log = Log<Jingle>()
    let offered = Log<FileSummary>()
    let server = InMemoryServer(noting: log)
    try await withFileClients(server, bob: .taking(into: folders.inbox, offered: offered)) { alice, _ in
      let results = try await alice.send(OutgoingFile.each(paths, way), to: Self.bob, together: true)
      #expect(results.compactMap { try? $0.get().name } == ["a", "b", "c"])
      #expect(results.allSatisfy { (try? $0.get().way) == way })
    }
    #expect(folders.hasArrived("a", "b", "c"))
    #expect(offered.entries.map(\.name).sorted() == ["a", "b", "c"])
    #expect(log.entries.filter { $0.action == .sessionInitiate }.map(\.contents.count) == [3])
    #expect(log.entries.filter { $0.action == .sessionAccept }.map(\.contents.count) == [3])
    let received = log.entries.flatMap(\.payloads).filter { $0.name == "received" }.compactMap { $0[attribute: "name"] }
    #expect(received.sorted() == ["file", "file-2", "file-3"])
    #expect(log.entries.filter { $0.action == .sessionTerminate }.map(\.reason?.condition) == [.success])
  }

  @Test("Without a word about it, each file has a session, one after the other")
  func apart() async throws {
    let folders = try FileFolders()
    let paths = try ["a", "no-b", "c"].map { try folders.make($0, 5_000) }
    let log = Log<Jingle>()
    try await withFileClients(InMemoryServer(noting: log), bob: .taking(into: folders.inbox)) { alice, _ in
      let results = try await alice.send(OutgoingFile.each(paths), to: Self.bob)
      #expect(results.map(\.code) == [nil, .declined, nil])
    }
    #expect(folders.names == ["a", "c"])
    #expect(log.entries.filter { $0.action == .sessionInitiate }.map(\.contents.count) == [1, 1, 1])
  }

  @Test("A file that is declined leaves those that are offered with it")
  func declinedAmongOthers() async throws {
    let folders = try FileFolders()
    let paths = try ["a", "no-b", "c"].map { try folders.make($0, 5_000) }
    let log = Log<Jingle>()
    try await withFileClients(InMemoryServer(noting: log), bob: .taking(into: folders.inbox)) { alice, _ in
      let results = try await alice.send(OutgoingFile.each(paths), to: Self.bob, together: true)
      #expect(results.map(\.code) == [nil, .declined, nil])
    }
    #expect(folders.names == ["a", "c"])
    let rejections = log.entries.filter { $0.action == .contentReject }
    #expect(rejections.map { $0.contents.map(\.name) } == [["file-2"]])
    #expect(rejections.first?.reason?.condition == .decline)
    #expect(log.entries.first { $0.action == .sessionAccept }?.contents.map(\.name) == ["file", "file-3"])
  }

  @Test("When all are declined, the session ends")
  func allDeclined() async throws {
    let folders = try FileFolders()
    let paths = try ["no-a", "no-b"].map { try folders.make($0, 5_000) }
    try await withFileClients(bob: .taking(into: folders.inbox)) { alice, _ in
      let results = try await alice.send(OutgoingFile.each(paths), to: Self.bob, together: true)
      #expect(results.map(\.code) == [.declined, .declined])
    }
    #expect(folders.names.isEmpty)
  }

  @Test("One file cancelled, by either side, leaves the others", arguments: [true, false])
  func cancelledAmongOthers(bySender: Bool) async throws {
    let folders = try FileFolders()
    let paths = try [("a", 300_000), ("b", 30_000_000), ("c", 300_000)].map { try folders.make($0.0, $0.1) }
    let ended = Log<String>()
    @Sendable func follow(_ transfer: Carillon.FileTransfer, _ cancels: Bool) async {
      for await event in transfer.events {
        if case .started = event, cancels, transfer.file.name == "b" { await transfer.cancel() }
      }
    }
    var handlers = Client.Handlers()
    let inbox = folders.inbox
    handlers.onFile = { offer in
      let name = offer.file.name
      do {
        try await offer.receive(into: inbox) { await follow($0, !bySender) }
        ended.append(name)
      } catch {
        ended.append("no " + name)
      }
    }
    try await withFileClients(bob: handlers) { alice, _ in
      let results = try await alice.send(OutgoingFile.each(paths, .inBand), to: Self.bob, together: true) {
        await follow($0, bySender)
      }
      #expect(results.map(\.code) == [nil, .failed, nil])
    }
    #expect(folders.hasArrived("a", "c"))
    #expect(ended.entries.sorted() == ["a", "c", "no b"])
  }

  @Test("More files than one session takes go in several")
  func moreThanASession() async throws {
    let folders = try FileFolders()
    let paths = try (0..<18).map { try folders.make("f\($0)", 100 + $0) }
    let log = Log<Jingle>()
    try await withFileClients(InMemoryServer(noting: log), bob: .taking(into: folders.inbox)) { alice, _ in
      let results = try await alice.send(OutgoingFile.each(paths, .socks5), to: Self.bob, together: true)
      #expect(results.allSatisfy { $0.code == nil })
    }
    #expect(folders.names.count == 18)
    #expect(log.entries.filter { $0.action == .sessionInitiate }.map(\.contents.count) == [16, 2])
  }

  @Test("Each file of a session, offered or asked for, falls back by itself", arguments: [true, false])
  func fallBack(isOffered: Bool) async throws {
    let folders = try FileFolders()
    let paths = try ["open-a", "open-b"].map { try folders.make($0, 50_000) }
    // Every candidate is one where nobody listens.
    let server = InMemoryServer(rewriting: { stanza in
      stanza.changing("candidate", SOCKS5Transport.namespace) { $0[attribute: "port"] = "1" }
    })
    let inbox = folders.inbox
    var handlers = Client.Handlers.giving(from: folders.root)
    handlers.onFile = { try await $0.receive(into: inbox) }
    let ways: [FileTransferWay] = [.socks5, .inBand]
    try await withFileClients(server, bob: handlers) { alice, _ in
      let receipts: [FileReceipt]
      if isOffered {
        let offers = paths.map { OutgoingFile(path: $0).going(ways) }
        receipts = try await alice.send(offers, to: Self.bob, together: true).map { try $0.get() }
      } else {
        async let a = alice.request(FileSelector(name: "open-a"), from: Self.bob, into: inbox, ways: ways)
        async let b = alice.request(FileSelector(name: "open-b"), from: Self.bob, into: inbox, ways: ways)
        receipts = [try await a, try await b]
      }
      #expect(receipts.map(\.way) == [.inBand, .inBand])
    }
    #expect(folders.hasArrived("open-a", "open-b"))
  }

  @Test("A sender whose peer is gone, or that is stopped, has no session left")
  func stopped() async throws {
    let folders = try FileFolders()
    let paths = try ["a", "b"].map { try folders.make($0, 5_000) }
    var handlers = Client.Handlers()
    let offered = Log<String>()
    let cancelled = Log<String>()
    handlers.onFile = { offer in
      offered.append(offer.file.name)
      do { try await Task.sleep(for: .seconds(600)) } catch { cancelled.append(offer.file.name) }
    }
    try await withFileClients(bob: handlers) { alice, _ in
      let sending = Task { try await alice.send(OutgoingFile.each(paths), to: Self.bob, together: true) }
      try await until { offered.entries.count == 2 }
      sending.cancel()
      let results = try await sending.value
      #expect(results.map(\.code) == [.failed, .failed])
      // Who has not answered is told that there is nothing to answer any more.
      try await until { cancelled.entries.count == 2 }
    }
  }

  // MARK: Scripts

  @Test("A file that the peer adds to the running session is one more, and the session ends with the last")
  func added() async throws {
    let folders = try FileFolders()
    let server = InMemoryServer()
    let (a, b) = ([UInt8]("first".utf8), [UInt8]("second".utf8))
    try await withFileScript(server, bob: .taking(into: folders.inbox)) { alice, bob in
      let first = Jingle.Content.file("one", .text("a", a))
      try await alice.request(Jingle(.sessionInitiate, sid: "s", contents: [first]), to: Self.bob)
      _ = try await alice.jingle(.sessionAccept)

      let second = Jingle(.contentAdd, sid: "s", contents: [.file("two", .text("b", b))])
      // Nobody else has a word in it.
      try await withScript(server, "mallory@localhost/x", features: ScriptedPeer.takingFiles) { mallory in
        let answer = try await mallory.request(second, to: Self.bob)
        #expect(answer.condition == .itemNotFound)
      }
      let twice = Jingle(.contentAdd, sid: "s", contents: [.file("one", .text("b", b))])
      #expect(try await alice.request(twice, to: Self.bob).condition == .conflict)
      try await alice.request(second, to: Self.bob)
      let (accept, _) = try await alice.jingle(.contentAccept)
      #expect(accept.contents.map(\.name) == ["two"])

      try await alice.sendInBand(b, stream: "ibb-two")
      let (news, _) = try await alice.jingle(.sessionInfo)
      #expect(news.payloads.first?[attribute: "name"] == "two")
      try await alice.sendInBand(a, stream: "ibb-one")
      _ = try await alice.jingle(.sessionInfo)
      let (end, _) = try await alice.jingle(.sessionTerminate)
      #expect(end.reason?.condition == .success)
      try await until { await bob.hasNoTransfers }
    }
    #expect(folders.names == ["a", "b"])
    #expect(folders.contents("b").map { [UInt8]($0) } == b)
  }

  @Test("What is no file, or by no way that is known, is rejected among files that are taken")
  func mixed() async throws {
    let folders = try FileFolders()
    let bytes = [UInt8]("good".utf8)
    try await withFileScript(bob: .taking(into: folders.inbox)) { alice, bob in
      var strange = Jingle.Content.file("strange", .text("s", bytes))
      strange.transport = .unknown(XMLElement("transport", namespace: "urn:pigeon"))
      let both = Jingle.Content.file("both", .text("d", bytes), stream: "ibb-good")
      let offer = Jingle(
        .sessionInitiate, sid: "s",
        contents: [.audio(), .file("good", .text("g", bytes)), strange, .file("no", .text("no", bytes))])
      try await alice.request(offer, to: Self.bob)
      var rejected: Set<String> = []
      for _ in 0..<3 { rejected.formUnion(try await alice.jingle(.contentReject).0.contents.map(\.name)) }
      #expect(rejected == ["audio", "strange", "no"])
      let (accept, _) = try await alice.jingle(.sessionAccept)
      #expect(accept.contents.map(\.name) == ["good"])
      // One bytestream cannot be two.
      try await alice.request(Jingle(.contentAdd, sid: "s", contents: [both]), to: Self.bob)
      #expect(try await alice.jingle(.contentReject).0.contents.map(\.name) == ["both"])
      try await alice.sendInBand(bytes, stream: "ibb-good")
      _ = try await alice.jingle(.sessionTerminate)
      try await until { await bob.hasNoTransfers }
    }
    #expect(folders.names == ["g"])
  }

  @Test("Malformed and surplus offers are refused: names twice, a session's id twice, more than 64 files")
  func refused() async throws {
    let folders = try FileFolders()
    let server = InMemoryServer()
    var handlers = Client.Handlers()
    handlers.onFile = { offer in
      try await Task.sleep(for: .seconds(600))
      try await offer.receive(into: folders.inbox)
    }
    try await withFileScript(server, bob: handlers) { alice, bob in
      @Sendable func offer(_ sid: String, _ names: [String]) -> Jingle {
        Jingle(.sessionInitiate, sid: sid, contents: names.map { .file($0, .text($0, [1])) })
      }
      #expect(try await alice.request(offer("s", ["a", "a"]), to: Self.bob).condition == .badRequest)
      #expect(try await alice.request(offer("s", ["a"]), to: Self.bob).condition == nil)
      #expect(try await alice.request(offer("s", ["b"]), to: Self.bob).condition == .unexpectedRequest)
      // The id is another peer's own affair.
      try await withScript(server, "carol@localhost/x", features: ScriptedPeer.takingFiles) { carol in
        let answer = try await carol.request(offer("s", ["a"]), to: Self.bob)
        #expect(answer.condition == nil)
      }
      let many = (0..<31).map { "f\($0)" }
      #expect(try await alice.request(offer("t", many), to: Self.bob).condition == nil)
      #expect(try await alice.request(offer("u", many), to: Self.bob).condition == nil)
      #expect(try await alice.request(offer("v", ["a"]), to: Self.bob).condition == .resourceConstraint)
      for sid in ["t", "u"] {
        try await alice.request(Jingle(.sessionTerminate, sid: sid, reason: Jingle.Reason(.cancel)), to: Self.bob)
      }
      #expect(try await alice.request(offer("v", ["a"]), to: Self.bob).condition == nil)
      #expect(await bob.fileCount == 3)
    }
    #expect(folders.names.isEmpty)
  }

  @Test("In one session, one file is offered and another asked for")
  func bothDirections() async throws {
    let folders = try FileFolders()
    let bytes = [UInt8]("mine".utf8)
    try Data("yours".utf8).write(to: URL(fileURLWithPath: folders.root + "/open"))
    var handlers = Client.Handlers.giving(from: folders.root)
    handlers.onFile = Client.Handlers.taking(into: folders.inbox).onFile
    try await withFileScript(bob: handlers) { alice, bob in
      let contents: [Jingle.Content] = [
        .file("out", .text("mine", bytes)),
        .file("in", FileDescription(name: "open"), senders: .responder, carrier: .message),
        .file("absent", FileDescription(name: "absent"), senders: .responder),
      ]
      try await alice.request(Jingle(.sessionInitiate, sid: "s", contents: contents), to: Self.bob)
      let (rejection, _) = try await alice.jingle(.contentReject)
      #expect(rejection.contents.map(\.name) == ["absent"] && rejection.reason?.fileTransfer == .fileNotAvailable)
      #expect(try await alice.jingle(.sessionAccept).0.contents.map(\.name) == ["out", "in"])
      try await alice.sendInBand(bytes, stream: "ibb-out")
      try await alice.request(InBandBytestream.Open(sid: "ibb-in", carrier: .message).element, to: Self.bob)
      let data = try await alice.nextBlock()
      #expect(try data.bytes(upTo: 20) == [UInt8]("yours".utf8))
      let receipt = FileInfo.received(.init(creator: .initiator, name: "in"))
      try await alice.request(Jingle(.sessionInfo, sid: "s", payloads: [receipt.element]), to: Self.bob)
      try await until { folders.names == ["mine"] }
      try await alice.request(Jingle(.sessionTerminate, sid: "s", reason: Jingle.Reason(.success)), to: Self.bob)
      try await until { await bob.hasNoTransfers }
    }
  }

  // MARK: What is told of a file

  @Test("What Conversations and others write of a file is understood, and hashes come before or after the bytes")
  func described() async throws {
    let folders = try FileFolders()
    let offered = Log<FileSummary>()
    let bytes = [UInt8]("words".utf8)
    try await withFileScript(bob: .taking(into: folders.inbox, offered: offered)) { alice, bob in
      var file = FileDescription.text("photo.jpg", bytes)
      file.descriptions = [.init("Ein Bild", language: "de"), .init("A picture", language: "en")]
      file.hashes = Hashes([HashAlgorithm.sha1, .sha512, .sha256].map { HashValue($0, of: bytes) })
      var element = Jingle(.sessionInitiate, sid: "s", contents: [.file("c", file)]).element
      element = element.changing("file", FileDescription.namespace) {
        $0.append(XMLElement("mediaType", namespace: FileDescription.namespace, text: "image/jpeg"))
      }
      try await alice.request(element, to: Self.bob)
      _ = try await alice.jingle(.sessionAccept)
      try await alice.sendInBand(bytes, stream: "ibb-c")
      _ = try await alice.jingle(.sessionTerminate)

      // Only announced; and what is sent is something else.
      file.hashes = Hashes(announced: [.sha256])
      file.name = "other"
      try await alice.request(Jingle(.sessionInitiate, sid: "t", contents: [.file("d", file)]), to: Self.bob)
      _ = try await alice.jingle(.sessionAccept)
      try await alice.sendInBand(bytes, stream: "ibb-d")
      let wrong = FileInfo.checksum(
        .init(creator: .initiator, name: "d"), Hashes([HashValue(.sha256, of: [0])]))
      try await alice.request(Jingle(.sessionInfo, sid: "t", payloads: [wrong.element]), to: Self.bob)
      let (end, _) = try await alice.jingle(.sessionTerminate)
      #expect(end.reason?.condition == .mediaError)
      try await until { await bob.hasNoTransfers }
    }
    #expect(offered.entries.map(\.mediaType) == ["image/jpeg", nil])
    #expect(offered.entries.first?.text == "Ein Bild")
    try await until { folders.names == ["photo.jpg"] }
  }

  @Test("What is sent is described, its hash is announced, and follows at the end")
  func describes() async throws {
    let folders = try FileFolders()
    var file = OutgoingFile(path: try folders.make("letter", 40_000))
    (file.mediaType, file.text) = ("text/plain", "Read this")
    let log = Log<Jingle>()
    try await withFileClients(InMemoryServer(noting: log), bob: .taking(into: folders.inbox)) { [file] alice, _ in
      let receipt = try await alice.send(file, to: Self.bob)
      let offer = try #require(log.entries.first { $0.action == .sessionInitiate }?.contents.first?.description?.file)
      #expect((offer.mediaType, offer.descriptions.map(\.text)) == ("text/plain", ["Read this"]))
      #expect(offer.hashes.announced == [.sha256] && offer.hashes.values.isEmpty)
      let news = log.entries.flatMap(\.payloads).compactMap(FileInfo.init)
      let hashes = news.compactMap { if case .checksum(_, let hashes, _) = $0 { hashes[.sha256] } else { nil } }
      #expect(hashes.map(\.hexadecimal) == [receipt.sha256])
    }
  }
}

extension Client {
  fileprivate var fileCount: Int { transfers.count }
}
