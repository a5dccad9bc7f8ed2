import CarillonTesting
import Foundation
import JingleCore
import Testing
import XMPPCore

@testable import Carillon

/// What XEP-0234 has beside one file that is offered: several in a session, files that are asked for, thumbnails.
@Suite(.serialized, .timeLimit(.minutes(1)))
struct FileSessionTests {
  /// A folder for each side, gone at the end.
  private final class Folders: Sendable {
    let root = NSTemporaryDirectory() + "carillon-sessions-\(UUID().uuidString)"
    var inbox: String { root + "/in" }

    init() throws { try FileManager.default.createDirectory(atPath: inbox, withIntermediateDirectories: true) }
    deinit { try? FileManager.default.removeItem(atPath: root) }

    @discardableResult
    func make(_ name: String, _ count: Int) throws -> String {
      let random = FileHandle(forReadingAtPath: "/dev/urandom")
      let path = root + "/" + name
      try (random?.read(upToCount: count) ?? Data()).write(to: URL(fileURLWithPath: path))
      return path
    }

    /// All that the receiver's folder holds, hidden files too.
    var names: [String] { (try? FileManager.default.contentsOfDirectory(atPath: inbox).sorted()) ?? [] }

    func hasArrived(_ names: String...) -> Bool {
      names.allSatisfy { FileManager.default.contentsEqual(atPath: root + "/" + $0, andPath: inbox + "/" + $0) }
    }
  }

  private static let alice = jid("alice@localhost/laptop")
  private static let bob = jid("bob@localhost/desk")
  private static let features = [
    Jingle.namespace, FileDescription.namespace, InBandTransport.namespace, InBandBytestream.namespace,
  ]

  private func files(_ paths: [String], _ way: FileTransferWay? = nil) -> [OutgoingFile] {
    paths.map { path in
      var file = OutgoingFile(path: path)
      if let way { file.ways = [way] }
      return file
    }
  }

  /// A server that notes the Jingle requests that go over it.
  private func server(noting log: Log<Jingle>) -> InMemoryServer {
    InMemoryServer(rewriting: { stanza in
      if stanza[attribute: "type"] == "set", let element = stanza.first("jingle", Jingle.namespace),
        let jingle = try? Jingle(element)
      {
        log.append(jingle)
      }
      return stanza
    })
  }

  /// Takes what is offered, but for files whose names begin with `no`.
  private func taking(into inbox: String, offered: Log<FileSummary> = Log()) -> Client.Handlers {
    var handlers = Client.Handlers()
    handlers.onFile = { offer in
      offered.append(offer.file)
      if offer.file.name.hasPrefix("no") { await offer.decline() } else { try await offer.receive(into: inbox) }
    }
    return handlers
  }

  /// Gives the files of a folder by their names.
  private func giving(
    from folder: String, asked: Log<FileSelector> = Log(), _ way: FileTransferWay? = nil
  ) -> Client.Handlers {
    var handlers = Client.Handlers()
    handlers.onFileRequest = { request in
      asked.append(request.wanted)
      guard let name = request.wanted.name, name.hasPrefix("open") else { return }
      var file = OutgoingFile(path: folder + "/" + name)
      if let way { file.ways = [way] }
      try await request.send(file)
    }
    return handlers
  }

  private func withPair(
    _ server: InMemoryServer = InMemoryServer(), bob handlers: Client.Handlers,
    _ body: @escaping @Sendable (_ alice: Client, _ bob: Client) async throws -> Void
  ) async throws {
    try await withClient(server, "\(Self.bob)", handlers: handlers) { bob in
      try await withClient(server, "\(Self.alice)") { alice in
        try await body(alice, bob)
        try await until { await alice.hasNoFiles }
        try await until { await bob.hasNoFiles }
      }
    }
  }

  // MARK: Several in one session

  @Test("Files that are offered together arrive in one session, each by itself", arguments: FileTransferWay.direct)
  func together(way: FileTransferWay) async throws {
    let folders = try Folders()
    let paths = try ["a", "b", "c"].map { try folders.make($0, 50_000) }
    let log = Log<Jingle>()
    let offered = Log<FileSummary>()
    try await withPair(server(noting: log), bob: taking(into: folders.inbox, offered: offered)) { alice, _ in
      let results = try await alice.send(files(paths, way), to: Self.bob, together: true)
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
    let folders = try Folders()
    let paths = try ["a", "no-b", "c"].map { try folders.make($0, 5_000) }
    let log = Log<Jingle>()
    try await withPair(server(noting: log), bob: taking(into: folders.inbox)) { alice, _ in
      let results = try await alice.send(files(paths), to: Self.bob)
      #expect(results.map(\.code) == [nil, .declined, nil])
    }
    #expect(folders.names == ["a", "c"])
    #expect(log.entries.filter { $0.action == .sessionInitiate }.map(\.contents.count) == [1, 1, 1])
  }

  @Test("A file that is declined leaves those that are offered with it")
  func declinedAmongOthers() async throws {
    let folders = try Folders()
    let paths = try ["a", "no-b", "c"].map { try folders.make($0, 5_000) }
    let log = Log<Jingle>()
    try await withPair(server(noting: log), bob: taking(into: folders.inbox)) { alice, _ in
      let results = try await alice.send(files(paths), to: Self.bob, together: true)
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
    let folders = try Folders()
    let paths = try ["no-a", "no-b"].map { try folders.make($0, 5_000) }
    try await withPair(bob: taking(into: folders.inbox)) { alice, _ in
      let results = try await alice.send(files(paths), to: Self.bob, together: true)
      #expect(results.map(\.code) == [.declined, .declined])
    }
    #expect(folders.names.isEmpty)
  }

  @Test("One file cancelled, by either side, leaves the others", arguments: [true, false])
  func cancelledAmongOthers(bySender: Bool) async throws {
    let folders = try Folders()
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
    try await withPair(bob: handlers) { alice, _ in
      let results = try await alice.send(files(paths, .inBand), to: Self.bob, together: true) {
        await follow($0, bySender)
      }
      #expect(results.map(\.code) == [nil, .failed, nil])
    }
    #expect(folders.hasArrived("a", "c"))
    #expect(ended.entries.sorted() == ["a", "c", "no b"])
  }

  @Test("More files than one session takes go in several")
  func moreThanASession() async throws {
    let folders = try Folders()
    let paths = try (0..<18).map { try folders.make("f\($0)", 100 + $0) }
    let log = Log<Jingle>()
    try await withPair(server(noting: log), bob: taking(into: folders.inbox)) { alice, _ in
      let results = try await alice.send(files(paths, .socks5), to: Self.bob, together: true)
      #expect(results.allSatisfy { $0.code == nil })
    }
    #expect(folders.names.count == 18)
    #expect(log.entries.filter { $0.action == .sessionInitiate }.map(\.contents.count) == [16, 2])
  }

  @Test("Each file of a session, offered or asked for, falls back by itself", arguments: [true, false])
  func fallBack(isOffered: Bool) async throws {
    let folders = try Folders()
    let paths = try ["open-a", "open-b"].map { try folders.make($0, 50_000) }
    // Every candidate is one where nobody listens.
    let server = InMemoryServer(rewriting: { stanza in
      stanza.changing("candidate") { $0[attribute: "port"] = "1" }
    })
    let inbox = folders.inbox
    var handlers = giving(from: folders.root)
    handlers.onFile = { try await $0.receive(into: inbox) }
    let ways: [FileTransferWay] = [.socks5, .inBand]
    try await withPair(server, bob: handlers) { alice, _ in
      let receipts: [FileReceipt]
      if isOffered {
        let offers = paths.map { path in
          var file = OutgoingFile(path: path)
          file.ways = ways
          return file
        }
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
    let folders = try Folders()
    let paths = try ["a", "b"].map { try folders.make($0, 5_000) }
    var handlers = Client.Handlers()
    let offered = Log<String>()
    let cancelled = Log<String>()
    handlers.onFile = { offer in
      offered.append(offer.file.name)
      do { try await Task.sleep(for: .seconds(600)) } catch { cancelled.append(offer.file.name) }
    }
    try await withPair(bob: handlers) { alice, _ in
      let sending = Task { try await alice.send(files(paths), to: Self.bob, together: true) }
      try await until { offered.entries.count == 2 }
      sending.cancel()
      let results = try await sending.value
      #expect(results.map(\.code) == [.failed, .failed])
      // Who has not answered is told that there is nothing to answer any more.
      try await until { cancelled.entries.count == 2 }
    }
  }

  // MARK: Scripts

  private func content(
    _ name: String, _ file: FileDescription, senders: Jingle.Senders = .initiator, ibb sid: String? = nil,
    carrier: InBandBytestream.Carrier = .iq
  ) -> Jingle.Content {
    Jingle.Content(
      name: name, senders: senders, description: .file(file),
      transport: .inBand(InBandTransport(sid: sid ?? "ibb-\(name)", carrier: carrier)))
  }

  private func text(_ name: String, _ bytes: [UInt8]) -> FileDescription {
    FileDescription(name: name, size: Int64(bytes.count), hashes: Hashes([HashValue(.sha256, of: bytes)]))
  }

  /// Sends bytes in band as who opened the bytestream.
  private func send(_ bytes: [UInt8], _ sid: String, as peer: ScriptedPeer) async throws {
    let open = InBandBytestream.Open(sid: sid)
    let opened = try await peer.request(open.element, to: Self.bob)
    #expect(opened.content == .result(nil))
    try await peer.request(
      InBandBytestream.Block(sid: sid, sequenceNumber: 0, bytes: bytes).element, to: Self.bob)
  }

  /// The next block that comes in band, which is answered. Whoever sends it would rather not use messages.
  private func block(for peer: ScriptedPeer) async throws -> InBandBytestream.Block {
    let isBlock = { (stanza: XMLElement) in stanza.first("data", InBandBytestream.namespace) != nil }
    let iq = try IQ(try await peer.next { $0.name == "iq" && isBlock($0) })
    await peer.answer(iq)
    return try InBandBytestream.Block(#require(iq.request))
  }

  private func condition(_ answer: IQ) -> StanzaError.Condition? {
    if case .error(let error) = answer.content { error.condition } else { nil }
  }

  @Test("A file that the peer adds to the running session is one more, and the session ends with the last")
  func added() async throws {
    let folders = try Folders()
    let server = InMemoryServer()
    let (a, b) = ([UInt8]("first".utf8), [UInt8]("second".utf8))
    try await withClient(server, "\(Self.bob)", handlers: taking(into: folders.inbox)) { bob in
      try await withScript(server, "alice@localhost/old", features: Self.features) { alice in
        let first = content("one", text("a", a))
        try await alice.request(Jingle(.sessionInitiate, sid: "s", contents: [first]), to: Self.bob)
        _ = try await alice.jingle(.sessionAccept)

        let second = Jingle(.contentAdd, sid: "s", contents: [content("two", text("b", b))])
        // Nobody else has a word in it.
        try await withScript(server, "mallory@localhost/x", features: Self.features) { mallory in
          let answer = try await mallory.request(second, to: Self.bob)
          #expect(condition(answer) == .itemNotFound)
        }
        let twice = Jingle(.contentAdd, sid: "s", contents: [content("one", text("b", b))])
        #expect(condition(try await alice.request(twice, to: Self.bob)) == .conflict)
        try await alice.request(second, to: Self.bob)
        let (accept, _) = try await alice.jingle(.contentAccept)
        #expect(accept.contents.map(\.name) == ["two"])

        try await send(b, "ibb-two", as: alice)
        let (news, _) = try await alice.jingle(.sessionInfo)
        #expect(news.payloads.first?[attribute: "name"] == "two")
        try await send(a, "ibb-one", as: alice)
        _ = try await alice.jingle(.sessionInfo)
        let (end, _) = try await alice.jingle(.sessionTerminate)
        #expect(end.reason?.condition == .success)
        try await until { await bob.hasNoFiles }
      }
    }
    #expect(folders.names == ["a", "b"])
    #expect(FileManager.default.contents(atPath: folders.inbox + "/b").map { [UInt8]($0) } == b)
  }

  @Test("What is no file, or by no way that is known, is rejected among files that are taken")
  func mixed() async throws {
    let folders = try Folders()
    let server = InMemoryServer()
    let bytes = [UInt8]("good".utf8)
    try await withClient(server, "\(Self.bob)", handlers: taking(into: folders.inbox)) { bob in
      try await withScript(server, "alice@localhost/old", features: Self.features) { alice in
        var strange = content("strange", text("s", bytes))
        strange.transport = .unknown(XMLElement("transport", namespace: "urn:pigeon"))
        let both = content("both", text("d", bytes), ibb: "ibb-good")
        let offer = Jingle(
          .sessionInitiate, sid: "s",
          contents: [.audio(), content("good", text("g", bytes)), strange, content("no", text("no", bytes))])
        try await alice.request(offer, to: Self.bob)
        var rejected: Set<String> = []
        for _ in 0..<3 { rejected.formUnion(try await alice.jingle(.contentReject).0.contents.map(\.name)) }
        #expect(rejected == ["audio", "strange", "no"])
        let (accept, _) = try await alice.jingle(.sessionAccept)
        #expect(accept.contents.map(\.name) == ["good"])
        // One bytestream cannot be two.
        try await alice.request(Jingle(.contentAdd, sid: "s", contents: [both]), to: Self.bob)
        #expect(try await alice.jingle(.contentReject).0.contents.map(\.name) == ["both"])
        try await send(bytes, "ibb-good", as: alice)
        _ = try await alice.jingle(.sessionTerminate)
        try await until { await bob.hasNoFiles }
      }
    }
    #expect(folders.names == ["g"])
  }

  @Test("Malformed and surplus offers are refused: names twice, a session's id twice, more than 64 files")
  func refused() async throws {
    let folders = try Folders()
    let server = InMemoryServer()
    var handlers = Client.Handlers()
    handlers.onFile = { offer in
      try await Task.sleep(for: .seconds(600))
      try await offer.receive(into: folders.inbox)
    }
    try await withClient(server, "\(Self.bob)", handlers: handlers) { bob in
      try await withScript(server, "alice@localhost/old", features: Self.features) { alice in
        @Sendable func offer(_ sid: String, _ names: [String]) -> Jingle {
          Jingle(.sessionInitiate, sid: sid, contents: names.map { content($0, text($0, [1])) })
        }
        #expect(condition(try await alice.request(offer("s", ["a", "a"]), to: Self.bob)) == .badRequest)
        #expect(condition(try await alice.request(offer("s", ["a"]), to: Self.bob)) == nil)
        #expect(condition(try await alice.request(offer("s", ["b"]), to: Self.bob)) == .unexpectedRequest)
        // The id is another peer's own affair.
        try await withScript(server, "carol@localhost/x", features: Self.features) { carol in
          let answer = try await carol.request(offer("s", ["a"]), to: Self.bob)
          #expect(condition(answer) == nil)
        }
        let many = (0..<31).map { "f\($0)" }
        #expect(condition(try await alice.request(offer("t", many), to: Self.bob)) == nil)
        #expect(condition(try await alice.request(offer("u", many), to: Self.bob)) == nil)
        #expect(condition(try await alice.request(offer("v", ["a"]), to: Self.bob)) == .resourceConstraint)
        for sid in ["t", "u"] {
          try await alice.request(Jingle(.sessionTerminate, sid: sid, reason: Jingle.Reason(.cancel)), to: Self.bob)
        }
        #expect(condition(try await alice.request(offer("v", ["a"]), to: Self.bob)) == nil)
        #expect(await bob.fileCount == 3)
      }
    }
    #expect(folders.names.isEmpty)
  }

  // MARK: What is told of a file

  @Test("What Conversations and others write of a file is understood, and hashes come before or after the bytes")
  func described() async throws {
    let folders = try Folders()
    let server = InMemoryServer()
    let offered = Log<FileSummary>()
    let bytes = [UInt8]("words".utf8)
    try await withClient(server, "\(Self.bob)", handlers: taking(into: folders.inbox, offered: offered)) { bob in
      try await withScript(server, "alice@localhost/old", features: Self.features) { alice in
        var file = text("photo.jpg", bytes)
        file.descriptions = [.init("Ein Bild", language: "de"), .init("A picture", language: "en")]
        file.hashes = Hashes([HashAlgorithm.sha1, .sha512, .sha256].map { HashValue($0, of: bytes) })
        var element = Jingle(.sessionInitiate, sid: "s", contents: [content("c", file)]).element
        element = element.changing("file") {
          $0.append(XMLElement("mediaType", namespace: FileDescription.namespace, text: "image/jpeg"))
        }
        try await alice.request(element, to: Self.bob)
        _ = try await alice.jingle(.sessionAccept)
        try await send(bytes, "ibb-c", as: alice)
        _ = try await alice.jingle(.sessionTerminate)

        // Only announced; and what is sent is something else.
        file.hashes = Hashes(announced: [.sha256])
        file.name = "other"
        try await alice.request(Jingle(.sessionInitiate, sid: "t", contents: [content("d", file)]), to: Self.bob)
        _ = try await alice.jingle(.sessionAccept)
        try await send(bytes, "ibb-d", as: alice)
        let wrong = FileInfo.checksum(
          .init(creator: .initiator, name: "d"), Hashes([HashValue(.sha256, of: [0])]))
        try await alice.request(Jingle(.sessionInfo, sid: "t", payloads: [wrong.element]), to: Self.bob)
        let (end, _) = try await alice.jingle(.sessionTerminate)
        #expect(end.reason?.condition == .mediaError)
        try await until { await bob.hasNoFiles }
      }
    }
    #expect(offered.entries.map(\.mediaType) == ["image/jpeg", nil])
    #expect(offered.entries.first?.text == "Ein Bild")
    try await until { folders.names == ["photo.jpg"] }
  }

  @Test("What is sent is described, its hash is announced, and follows at the end")
  func describes() async throws {
    let folders = try Folders()
    var file = OutgoingFile(path: try folders.make("letter", 40_000))
    (file.mediaType, file.text) = ("text/plain", "Read this")
    let log = Log<Jingle>()
    try await withPair(server(noting: log), bob: taking(into: folders.inbox)) { [file] alice, _ in
      let receipt = try await alice.send(file, to: Self.bob)
      let offer = try #require(log.entries.first { $0.action == .sessionInitiate }?.contents.first?.description?.file)
      #expect((offer.mediaType, offer.descriptions.map(\.text)) == ("text/plain", ["Read this"]))
      #expect(offer.hashes.announced == [.sha256] && offer.hashes.values.isEmpty)
      let news = log.entries.flatMap(\.payloads).compactMap(FileInfo.init)
      let hashes = news.compactMap { if case .checksum(_, let hashes, _) = $0 { hashes[.sha256] } else { nil } }
      #expect(hashes.map(\.hexadecimal) == [receipt.sha256])
    }
  }

  // MARK: Requests

  @Test("A file that is asked for arrives by each way", arguments: FileTransferWay.direct)
  func asked(way: FileTransferWay) async throws {
    let folders = try Folders()
    try folders.make("open.pdf", 200_001)
    let asked = Log<FileSelector>()
    try await withPair(bob: giving(from: folders.root, asked: asked, way)) { alice, _ in
      let receipt = try await alice.request(
        FileSelector(name: "open.pdf"), from: Self.bob, into: folders.inbox, ways: [way])
      #expect((receipt.way, receipt.size, receipt.isConfirmed) == (way, 200_001, true))
      #expect(receipt.path == folders.inbox + "/open.pdf")
    }
    #expect(folders.hasArrived("open.pdf"))
    #expect(folders.names == ["open.pdf"])
    #expect(asked.entries == [FileSelector(name: "open.pdf")])
  }

  @Test("What the handler does not give is not given, whatever is asked for, and nothing is learnt of it")
  func notGiven() async throws {
    let folders = try Folders()
    try folders.make("secret", 10)
    let asked = Log<FileSelector>()
    let log = Log<Jingle>()
    try await withPair(server(noting: log), bob: giving(from: folders.root, asked: asked)) { alice, _ in
      for name in ["secret", "../secret", folders.root + "/secret", "open-but-absent"] {
        do {
          try await alice.request(FileSelector(name: name), from: Self.bob, into: folders.inbox)
          Issue.record("\(name) was given")
        } catch let error as CallError {
          #expect(error.code == .declined)
        }
      }
    }
    let reasons = log.entries.filter { $0.action == .sessionTerminate }.map(\.reason?.fileTransfer)
    #expect(reasons == Array(repeating: .fileNotAvailable, count: 4))
    #expect(asked.entries.count == 4)
    #expect(folders.names.isEmpty)
  }

  @Test("Who gives no files on request says so, and who takes none declines what is offered")
  func halfDeaf() async throws {
    let folders = try Folders()
    let path = try folders.make("open", 10)
    try await withPair(bob: taking(into: folders.inbox)) { alice, _ in
      let error = await #expect(throws: CallError.self) {
        try await alice.request(FileSelector(name: "open"), from: Self.bob, into: folders.inbox)
      }
      #expect(error?.code == .declined)
    }
    try await withPair(bob: giving(from: folders.root)) { alice, _ in
      let error = await #expect(throws: CallError.self) { try await alice.send(OutgoingFile(path: path), to: Self.bob) }
      #expect(error?.code == .declined)
    }
    #expect(folders.names.isEmpty)
  }

  @Test("Only the file of the hash that was asked for is kept")
  func askedByHash() async throws {
    let folders = try Folders()
    let right = try folders.make("open", 1_000)
    let digest = try HashValue(.sha512, of: [UInt8](Data(contentsOf: URL(fileURLWithPath: right))))
    var handlers = Client.Handlers()
    let log = Log<FileSelector>()
    handlers.onFileRequest = { request in
      log.append(request.wanted)
      try await request.send(OutgoingFile(path: right))
    }
    try await withPair(bob: handlers) { alice, _ in
      var wanted = FileSelector()
      wanted.hashes = ["sha-512": digest.hexadecimal]
      let receipt = try await alice.request(wanted, from: Self.bob, into: folders.inbox)
      #expect(receipt.isConfirmed)
      #expect(log.entries == [wanted])
      wanted.hashes = ["sha-512": HashValue(.sha512, of: [1]).hexadecimal]
      let error = await #expect(throws: CallError.self) {
        try await alice.request(wanted, from: Self.bob, into: folders.inbox)
      }
      #expect(error?.code == .corrupt)
      wanted.hashes = ["sha-512": "abc"]
      for nonsense in [FileSelector(), wanted] {
        let error = await #expect(throws: CallError.self) {
          try await alice.request(nonsense, from: Self.bob, into: folders.inbox)
        }
        #expect(error?.code == .input)
      }
    }
    try await until { folders.names == ["open"] }
  }

  @Test(
    "What is asked for again goes on where it stopped, unless the file is another by then", arguments: [false, true])
  func askedAgain(changes: Bool) async throws {
    let folders = try Folders()
    let path = try folders.make("open", 4_000_000)
    try await withPair(bob: giving(from: folders.root, .inBand)) { alice, _ in
      let error = await #expect(throws: CallError.self) {
        try await alice.request(FileSelector(name: "open"), from: Self.bob, into: folders.inbox, ways: [.inBand]) {
          transfer in
          for await event in transfer.events { if case .progress = event { await transfer.cancel() } }
        }
      }
      #expect(error?.code == .failed)
      try await until { folders.names.count == 2 }
      try await until { await alice.hasNoFiles }
      if changes {
        // Shorter than what there is of it.
        try Data("new".utf8).write(to: URL(fileURLWithPath: path))
      }
      let receipt = try await alice.request(
        FileSelector(name: "open"), from: Self.bob, into: folders.inbox, ways: [.inBand])
      #expect(changes ? receipt.bytes == 3 : receipt.bytes < receipt.size && receipt.bytes > 0)
    }
    #expect(folders.hasArrived("open"))
    #expect(folders.names == ["open"])
  }

  @Test("A range that is asked for is what is sent, and one outside the file is not")
  func range() async throws {
    let folders = try Folders()
    let path = try folders.make("open", 1_000)
    let bytes = try [UInt8](Data(contentsOf: URL(fileURLWithPath: path)))
    let server = InMemoryServer()
    try await withClient(server, "\(Self.bob)", handlers: giving(from: folders.root)) { bob in
      try await withScript(server, "alice@localhost/old", features: Self.features) { alice in
        var file = FileDescription(name: "open", range: .init(offset: 100, length: 20))
        let request = content("c", file, senders: .responder, carrier: .message)
        try await alice.request(Jingle(.sessionInitiate, sid: "s", contents: [request]), to: Self.bob)
        let (accept, _) = try await alice.jingle(.sessionAccept)
        let answer = try #require(accept.contents.first)
        #expect(answer.senders == .responder)
        #expect(answer.description?.file?.size == 1_000)
        #expect((answer.description?.file?.range?.offset, answer.description?.file?.range?.length) == (100, 20))
        let open = InBandBytestream.Open(sid: "ibb-c", carrier: .message)
        try await alice.request(open.element, to: Self.bob)
        let data = try await block(for: alice)
        #expect(try data.bytes(upTo: 20) == Array(bytes[100..<120]))
        try await alice.request(
          Jingle(.sessionTerminate, sid: "s", reason: Jingle.Reason(.success)), to: Self.bob)

        file.range = .init(offset: 990, length: 20)
        let outside = content("d", file, senders: .responder)
        try await alice.request(Jingle(.sessionInitiate, sid: "t", contents: [outside]), to: Self.bob)
        #expect(try await alice.jingle(.sessionTerminate).0.reason?.condition == .incompatibleParameters)
        try await until { await bob.hasNoFiles }
      }
    }
  }

  @Test("In one session, one file is offered and another asked for")
  func bothDirections() async throws {
    let folders = try Folders()
    let bytes = [UInt8]("mine".utf8)
    try Data("yours".utf8).write(to: URL(fileURLWithPath: folders.root + "/open"))
    var handlers = giving(from: folders.root)
    handlers.onFile = taking(into: folders.inbox).onFile
    let server = InMemoryServer()
    try await withClient(server, "\(Self.bob)", handlers: handlers) { bob in
      try await withScript(server, "alice@localhost/old", features: Self.features) { alice in
        let contents = [
          content("out", text("mine", bytes)),
          content("in", FileDescription(name: "open"), senders: .responder, carrier: .message),
          content("absent", FileDescription(name: "absent"), senders: .responder),
        ]
        try await alice.request(Jingle(.sessionInitiate, sid: "s", contents: contents), to: Self.bob)
        let (rejection, _) = try await alice.jingle(.contentReject)
        #expect(rejection.contents.map(\.name) == ["absent"] && rejection.reason?.fileTransfer == .fileNotAvailable)
        #expect(try await alice.jingle(.sessionAccept).0.contents.map(\.name) == ["out", "in"])
        try await send(bytes, "ibb-out", as: alice)
        try await alice.request(InBandBytestream.Open(sid: "ibb-in", carrier: .message).element, to: Self.bob)
        let data = try await block(for: alice)
        #expect(try data.bytes(upTo: 20) == [UInt8]("yours".utf8))
        let receipt = FileInfo.received(.init(creator: .initiator, name: "in"))
        try await alice.request(Jingle(.sessionInfo, sid: "s", payloads: [receipt.element]), to: Self.bob)
        try await until { folders.names == ["mine"] }
        try await alice.request(Jingle(.sessionTerminate, sid: "s", reason: Jingle.Reason(.success)), to: Self.bob)
        try await until { await bob.hasNoFiles }
      }
    }
  }

  // MARK: Thumbnails

  private static let picture = FileThumbnail([UInt8](0..<200), mediaType: "image/png", width: 8, height: 6)

  @Test("A thumbnail is announced, and given to whom the file is offered, as long as it is")
  func thumbnail() async throws {
    let folders = try Folders()
    var file = OutgoingFile(path: try folders.make("photo", 1_000))
    file.thumbnail = Self.picture
    let seen = Log<FileThumbnail>()
    let told = Log<FileSummary.Thumbnail>()
    let stolen = Log<IQ>()
    let server = InMemoryServer()
    let inbox = folders.inbox
    var handlers = Client.Handlers()
    handlers.onFile = { offer in
      if let thumbnail = offer.file.thumbnail { told.append(thumbnail) }
      if let thumbnail = try await offer.thumbnail() { seen.append(thumbnail) }
      // Somebody else knows the name too.
      try await withScript(server, "mallory@localhost/x") { mallory in
        let cid = try #require(BitsOfBinary.ContentID(uri: told.entries.first?.uri ?? ""))
        mallory.link.send(IQ(id: "steal", to: Self.alice, .get(BitsOfBinary.request(cid))).element)
        stolen.append(try IQ(try await mallory.next { $0[attribute: "id"] == "steal" }))
      }
      try await offer.receive(into: inbox)
    }
    try await withPair(server, bob: handlers) { [file] alice, bob in
      try await alice.send(file, to: Self.bob)
      try await until { await alice.hasNoFiles }
      let cid = try #require(BitsOfBinary.ContentID(uri: told.entries.first?.uri ?? ""))
      let late = await bob.ask(.get(BitsOfBinary.request(cid)), of: Self.alice, timeout: .seconds(10))
      if case .result = late { Issue.record("it is still there") }
    }
    #expect(seen.entries == [Self.picture])
    #expect(told.entries.map(\.mediaType) == ["image/png"] && told.entries.map(\.width) == [8])
    #expect(stolen.entries.count == 1 && stolen.entries.allSatisfy { condition($0) != nil })
  }

  @Test("A thumbnail that is another than its name says is refused, in an answer as in the offer")
  func forgedThumbnail() async throws {
    let folders = try Folders()
    var file = OutgoingFile(path: try folders.make("photo", 1_000))
    file.thumbnail = Self.picture
    let errors = Log<CallError>()
    var handlers = Client.Handlers()
    handlers.onFile = { offer in
      do { _ = try await offer.thumbnail() } catch let error as CallError { errors.append(error) }
      await offer.decline()
    }
    let server = InMemoryServer(rewriting: { stanza in
      stanza.changing("data") { if !$0.text.isEmpty { $0.nodes = [.text("AAAA")] } }
        .changing("jingle") { jingle in
          guard jingle[attribute: "action"] == "session-initiate" else { return }
          var forged = BitsOfBinary(Self.picture.bytes, type: "image/png").element
          forged.nodes = [.text("BBBB")]
          jingle.append(forged)
        }
    })
    try await withPair(server, bob: handlers) { [file] alice, _ in
      await #expect(throws: CallError.self) { try await alice.send(file, to: Self.bob) }
    }
    #expect(errors.entries.map(\.code) == [.protocolViolation])
  }

  @Test("A thumbnail that is sent along is not asked for")
  func inlineThumbnail() async throws {
    let data = BitsOfBinary([1, 2, 3], type: "image/png")
    let outcomes = Log<FileThumbnail?>()
    var handlers = Client.Handlers()
    handlers.onFile = { offer in
      do { outcomes.append(try await offer.thumbnail()) } catch { outcomes.append(nil) }
      await offer.decline()
    }
    let server = InMemoryServer()
    try await withClient(server, "\(Self.bob)", handlers: handlers) { bob in
      try await withScript(server, "alice@localhost/old", features: Self.features) { alice in
        var file = text("photo", [1])
        file.thumbnails = [Thumbnail(uri: data.cid.uri)].compactMap(\.self)
        var offer = Jingle(.sessionInitiate, sid: "s", contents: [content("c", file)])
        offer.payloads = [data.element]
        try await alice.request(offer, to: Self.bob)
        _ = try await alice.jingle(.sessionTerminate)
        #expect(outcomes.entries == [FileThumbnail([1, 2, 3], mediaType: "image/png")])
        let isAsked = await alice.has { $0.first("data", BitsOfBinary.namespace) != nil }
        #expect(!isAsked)
        try await until { await bob.hasNoFiles }
      }
    }
  }

  @Test("A thumbnail that is too large, or of no type, is not offered")
  func badThumbnail() async throws {
    let folders = try Folders()
    let path = try folders.make("photo", 10)
    try await withPair(bob: taking(into: folders.inbox)) { alice, _ in
      for (count, type) in [(65_537, "image/png"), (0, "image/png"), (1, "picture")] {
        let file = {
          var file = OutgoingFile(path: path)
          file.thumbnail = FileThumbnail([UInt8](repeating: 0, count: count), mediaType: type)
          return file
        }()
        let error = await #expect(throws: CallError.self) { try await alice.send(file, to: Self.bob) }
        #expect(error?.code == .input)
      }
    }
    #expect(folders.names.isEmpty)
  }
}

extension Client {
  fileprivate var hasNoFiles: Bool { transfers.isEmpty && fileSessions.isEmpty }
  fileprivate var fileCount: Int { transfers.count }
}

extension Result where Failure == CallError {
  fileprivate var code: CallError.Code? { if case .failure(let error) = self { error.code } else { nil } }
}

extension XMLElement {
  /// With each element of that name in it changed.
  fileprivate func changing(_ name: String, _ change: (inout XMLElement) -> Void) -> XMLElement {
    var copy = self
    if copy.name == name { change(&copy) }
    copy.nodes = copy.nodes.map { node in
      if case .element(let child) = node { .element(child.changing(name, change)) } else { node }
    }
    return copy
  }
}
