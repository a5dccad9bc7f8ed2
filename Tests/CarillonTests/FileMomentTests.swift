import CarillonTesting
import Foundation
import JingleCore
import Testing
import XMPPCore

@testable import Carillon

/// Moments in which two things of a transfer meet.
@Suite(.timeLimit(.minutes(1)))
struct FileMomentTests {
  private static let bytes = (0..<6_000).map { UInt8(truncatingIfNeeded: $0) }
  private static let file = FileDescription(
    name: "letter", size: 6_000, date: .seconds(1_700_000_000), hashes: Hashes(announced: [.sha256]), range: .init())

  /// What of the receiver's news says that it has a file.
  private func receipts(in log: Log<XMLElement>) -> Int {
    log.entries.count { $0.first("jingle", Jingle.namespace)?.first("received", FileDescription.namespace) != nil }
  }

  @Test("Who offers files together sends all but those that cannot be read any more")
  func unreadable() async throws {
    let folders = try FileFolders()
    let paths = try (0..<4).map { try folders.make("file \($0)", 1_000) }
    unlink(paths[1])
    try await withFilePair(folders) { pair in
      var files = paths.map { OutgoingFile(path: $0) }
      files[2].thumbnail = FileThumbnail([], mediaType: "image/png")
      for index in files.indices { files[index].ways = [.inBand] }
      let results = try await pair.alice.send(files, to: FileStage.bobsAddress, together: true)
      #expect(results.map(\.error?.code) == [nil, .input, .input, nil])
      #expect(results[1].error?.message.contains(paths[1]) == true)
      try await pair.settle(2)
      #expect(folders.names == ["file 0", "file 3"])

      let none = try await pair.alice.send([files[1]], to: FileStage.bobsAddress, together: true)
      #expect(none.map(\.error?.code) == [.input])
    }
  }

  @Test("A receiver says that it has a file when the file is in its place, and not before")
  func notPlaced() async throws {
    let log = Log<XMLElement>()
    let server = InMemoryServer(rewriting: { stanza in
      log.append(stanza)
      return stanza
    })
    try await withFileStage(server) { stage in
      try await stage.peer.openInBand(Self.file)
      try await stage.peer.sendBlock(0, Self.bytes[..<4096])
      try FileManager.default.removeItem(atPath: stage.folders.inbox)
      try await stage.peer.sendBlock(1, Self.bytes[4096...])
      try await stage.peer.sendChecksum(of: Self.bytes)
      #expect(try await stage.error().code == .output)
      #expect(try await stage.peer.farewell().condition == .failedApplication)
      #expect(receipts(in: log) == 0)
      try await stage.settle()

      try FileManager.default.createDirectory(atPath: stage.folders.inbox, withIntermediateDirectories: true)
      #expect(try await stage.resume(Self.file, Self.bytes) == 0)
      #expect(receipts(in: log) == 1)
    }
  }

  @Test("A file of which all was there but for its proof is told with its whole size")
  func allThere() async throws {
    try await withFileStage { stage in
      try await stage.peer.openInBand(Self.file)
      try await stage.peer.sendBlock(0, Self.bytes[..<4096])
      try await stage.peer.sendBlock(1, Self.bytes[4096...])
      try await stage.peer.request(
        Jingle(.sessionTerminate, sid: "s1", reason: Jingle.Reason(.cancel)), to: FileStage.bobsAddress)
      _ = try await stage.error()
      try await stage.settle()
      #expect(try await stage.resume(Self.file, Self.bytes) == 6_000)
      let receipt = try stage.results.entries[1].get()
      #expect((receipt.size, receipt.bytes) == (6_000, 0))
    }
  }

  @Test("A transport that takes the place of an open one is not torn down with it", arguments: 0..<10)
  func replaced(_: Int) async throws {
    try await withFileStage { stage in
      try await stage.peer.openInBand(Self.file)
      var content = Jingle.Content(name: "file", senders: .initiator)
      content.transport = .inBand(.init(sid: "b2", blockSize: 4096))
      try await stage.peer.request(Jingle(.transportReplace, sid: "s1", contents: [content]), to: FileStage.bobsAddress)
      _ = try await stage.peer.jingle(.transportAccept)
      try await stage.peer.request(
        InBandBytestream.Open(sid: "b2", blockSize: 4096).element, to: FileStage.bobsAddress)
      try await stage.peer.sendBlock(0, Self.bytes[..<4096], stream: "b2")
      try await stage.peer.sendBlock(1, Self.bytes[4096...], stream: "b2")
      try await stage.peer.sendChecksum(of: Self.bytes)
      #expect(try await stage.result().get().isConfirmed)
    }
  }

  @Test("What the peer makes of the session while a file is put in its place changes nothing", arguments: [false, true])
  func whilePlaced(isOver: Bool) async throws {
    let server = InMemoryServer()
    let (results, (gate, opening)) = (Log<Result<FileReceipt, CallError>>(), AsyncStream.makeStream(of: Void.self))
    var handlers = Client.Handlers()
    handlers.onFile = { offer in
      do {
        let receipt = try await offer.receive { _, chunks in
          for await _ in gate {}
          for try await _ in chunks {}
        }
        results.append(.success(receipt))
      } catch {
        results.append(.failure(error as? CallError ?? CallError(.failed, "\(error)")))
      }
    }
    try await withRunning(server.makeClient(configuration("bob@localhost/desk")), handlers: handlers) { bob in
      let features = ScriptedPeer.takingFiles
      try await withScript(server, "mallory@localhost/script", features: features, acknowledges: false) { peer in
        try await peer.offer(Self.file)
        let accept = try IQ(
          try await peer.next { $0.first("jingle", Jingle.namespace)?[attribute: "action"] == "session-accept" })
        try await peer.request(InBandBytestream.Open(sid: "b1").element, to: FileStage.bobsAddress)
        try await peer.sendBlock(0, Self.bytes[..<4096])
        try await peer.sendBlock(1, Self.bytes[4096...])
        try await peer.sendChecksum(of: Self.bytes)
        try await peer.request(InBandBytestream.Close(sid: "b1").element, to: FileStage.bobsAddress)
        try await until { await bob.isPlacing }
        if isOver {
          let end = Jingle(.sessionTerminate, sid: "s1", reason: Jingle.Reason(.cancel))
          try await peer.request(end, to: FileStage.bobsAddress)
        } else {
          await peer.answer(accept, .unknownSession)
          try await peer.settle(FileStage.bobsAddress)
        }
        #expect(results.entries.isEmpty)
        opening.finish()
        try await until { !results.entries.isEmpty }
        #expect(try results.entries[0].get().size == 6_000)
        try await until { await bob.hasNoTransfers }
      }
    }
  }

  /// Bob, who gives one file.
  private func withGiver(_ path: String, _ body: @escaping @Sendable (ScriptedPeer) async throws -> Void) async throws {
    let server = InMemoryServer()
    var handlers = Client.Handlers()
    handlers.onFileRequest = { request in try await request.send(OutgoingFile(path: path)) }
    try await withRunning(server.makeClient(configuration("bob@localhost/desk")), handlers: handlers) { _ in
      try await withScript(server, "mallory@localhost/script", features: ScriptedPeer.takingFiles, body)
    }
  }

  @Test("Who asks for a range that ends beyond all numbers is refused", arguments: [Int64(0), 1, .max])
  func endlessRange(offset: Int64) async throws {
    let folders = try FileFolders()
    let path = try folders.make("open", 1_000)
    try await withGiver(path) { peer in
      var wanted = FileDescription(name: "open")
      wanted.range = .init(offset: offset, length: .max)
      let content = Jingle.Content(
        name: "file", senders: .responder, description: .file(wanted), transport: .inBand(.init(sid: "b1")))
      try await peer.request(
        Jingle(.sessionInitiate, sid: "s1", initiator: peer.address, contents: [content]), to: FileStage.bobsAddress)
      #expect(try await peer.farewell().condition == .incompatibleParameters)
    }
  }

  @Test("What lies in the folder under a record's name and is none keeps nobody from asking for a file")
  func strangeRecords() async throws {
    let folders = try FileFolders()
    let path = try folders.make("open", 1_000)
    mkfifo(folders.inbox + "/.carillon-1.part.json", 0o600)
    mkdir(folders.inbox + "/.carillon-2.part.json", 0o700)
    symlink("/dev/null", folders.inbox + "/.carillon-3.part.json")
    let server = InMemoryServer()
    var handlers = Client.Handlers()
    handlers.onFileRequest = { request in try await request.send(OutgoingFile(path: path)) }
    try await withRunning(server.makeClient(configuration("bob@localhost/desk")), handlers: handlers) { _ in
      try await withClient(server, "alice@localhost/laptop") { alice in
        let receipt = try await alice.request(
          FileSelector(name: "open"), from: FileStage.bobsAddress, into: folders.inbox, ways: [.inBand])
        #expect(receipt.size == 1_000)
      }
    }
    #expect(FileManager.default.contentsEqual(atPath: path, andPath: folders.inbox + "/open"))
  }
}

extension Client {
  fileprivate var isPlacing: Bool { transfers.values.contains(where: \.isBeingPlaced) }
}
