import CarillonTesting
import Foundation
import JingleCore
import Testing
import XMPPCore

@testable import Carillon

/// Files that are asked for.
@Suite(.serialized, .timeLimit(.minutes(1)))
struct FileRequestTests {
  private static let bob = FileStage.bobsAddress

  @Test("A file that is asked for arrives by each way", arguments: FileTransferWay.direct)
  func asked(way: FileTransferWay) async throws {
    let folders = try FileFolders()
    try folders.make("open.pdf", 200_001)
    let asked = Log<FileSelector>()
    try await withFileClients(bob: .giving(from: folders.root, asked: asked, way)) { alice, _ in
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
    let folders = try FileFolders()
    try folders.make("secret", 10)
    let asked = Log<FileSelector>()
    let log = Log<Jingle>()
    try await withFileClients(InMemoryServer(noting: log), bob: .giving(from: folders.root, asked: asked)) { alice, _ in
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
    let folders = try FileFolders()
    let path = try folders.make("open", 10)
    try await withFileClients(bob: .taking(into: folders.inbox)) { alice, _ in
      let error = await #expect(throws: CallError.self) {
        try await alice.request(FileSelector(name: "open"), from: Self.bob, into: folders.inbox)
      }
      #expect(error?.code == .declined)
    }
    try await withFileClients(bob: .giving(from: folders.root)) { alice, _ in
      let error = await #expect(throws: CallError.self) { try await alice.send(OutgoingFile(path: path), to: Self.bob) }
      #expect(error?.code == .declined)
    }
    #expect(folders.names.isEmpty)
  }

  @Test("Only the file of the hash that was asked for is kept")
  func askedByHash() async throws {
    let folders = try FileFolders()
    let right = try folders.make("open", 1_000)
    let digest = try HashValue(.sha512, of: [UInt8](Data(contentsOf: URL(fileURLWithPath: right))))
    var handlers = Client.Handlers()
    let log = Log<FileSelector>()
    handlers.onFileRequest = { request in
      log.append(request.wanted)
      try await request.send(OutgoingFile(path: right))
    }
    try await withFileClients(bob: handlers) { alice, _ in
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
    let folders = try FileFolders()
    let path = try folders.make("open", 4_000_000)
    try await withFileClients(bob: .giving(from: folders.root, .inBand)) { alice, _ in
      let error = await #expect(throws: CallError.self) {
        try await alice.request(FileSelector(name: "open"), from: Self.bob, into: folders.inbox, ways: [.inBand]) {
          transfer in
          for await event in transfer.events { if case .progress = event { await transfer.cancel() } }
        }
      }
      #expect(error?.code == .failed)
      try await until { folders.names.count == 2 }
      try await until { await alice.hasNoTransfers }
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
    let folders = try FileFolders()
    let path = try folders.make("open", 1_000)
    let bytes = try [UInt8](Data(contentsOf: URL(fileURLWithPath: path)))
    try await withFileScript(bob: .giving(from: folders.root)) { alice, bob in
      var file = FileDescription(name: "open", range: .init(offset: 100, length: 20))
      let request = Jingle.Content.file("c", file, senders: .responder, carrier: .message)
      try await alice.request(Jingle(.sessionInitiate, sid: "s", contents: [request]), to: Self.bob)
      let (accept, _) = try await alice.jingle(.sessionAccept)
      let answer = try #require(accept.contents.first)
      #expect(answer.senders == .responder)
      #expect(answer.description?.file?.size == 1_000)
      #expect((answer.description?.file?.range?.offset, answer.description?.file?.range?.length) == (100, 20))
      let open = InBandBytestream.Open(sid: "ibb-c", carrier: .message)
      try await alice.request(open.element, to: Self.bob)
      let data = try await alice.nextBlock()
      #expect(try data.bytes(upTo: 20) == Array(bytes[100..<120]))
      try await alice.request(
        Jingle(.sessionTerminate, sid: "s", reason: Jingle.Reason(.success)), to: Self.bob)

      file.range = .init(offset: 990, length: 20)
      let outside = Jingle.Content.file("d", file, senders: .responder)
      try await alice.request(Jingle(.sessionInitiate, sid: "t", contents: [outside]), to: Self.bob)
      #expect(try await alice.jingle(.sessionTerminate).0.reason?.condition == .incompatibleParameters)
      try await until { await bob.hasNoTransfers }
    }
  }
}
