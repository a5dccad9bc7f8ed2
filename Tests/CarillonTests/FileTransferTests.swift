import CarillonTesting
import Foundation
import JingleCore
import Testing
import XMPPCore

@testable import Carillon

/// Files between two clients: real bytes over loopback or inside of stanzas, seen at both ends.
@Suite(.serialized, .timeLimit(.minutes(1)))
struct FileTransferTests {
  private func isSame(_ a: String, _ b: String) -> Bool { FileManager.default.contentsEqual(atPath: a, andPath: b) }

  @Test("A file arrives whole by each way, and nothing else is left", arguments: FileTransferWay.direct)
  func whole(way: FileTransferWay) async throws {
    let folders = try FileFolders()
    let path = try folders.make("report.pdf", 300_001)
    try await withFilePair(folders) { pair in
      let receipt = try await pair.send(path, way).get()
      try await until { pair.received.entries.count == 1 }
      let theirs = try pair.received.entries[0].get()
      #expect(isSame(path, folders.inbox + "/report.pdf"))
      #expect(folders.names == ["report.pdf"])
      #expect(receipt.sha256 == theirs.sha256 && receipt.sha256.count == 64)
      #expect(receipt.isConfirmed && theirs.isConfirmed)
      #expect((receipt.size, receipt.bytes, receipt.way) == (300_001, 300_001, way))
      #expect(theirs.path == folders.inbox + "/report.pdf")
      try await until { await pair.alice.hasNoTransfers }
    }
  }

  @Test("Empty files and files of one byte arrive", arguments: [0, 1], FileTransferWay.direct)
  func small(count: Int, way: FileTransferWay) async throws {
    let folders = try FileFolders()
    let path = try folders.make("small", count)
    try await withFilePair(folders) { pair in
      let receipt = try await pair.send(path, way).get()
      #expect(receipt.size == count)
      try await until { pair.received.entries.count == 1 }
      #expect(try pair.received.entries[0].get().sha256 == receipt.sha256)
      #expect(isSame(path, folders.inbox + "/small"))
    }
  }

  @Test("Where there is no encryption and nobody reaches anybody by TCP, the file goes in band")
  func fallBack() async throws {
    let folders = try FileFolders()
    let path = try folders.make("letter.txt", 70_000)
    // Every candidate is one where nobody listens.
    let server = InMemoryServer(rewriting: { stanza in
      stanza.changing("candidate", SOCKS5Transport.namespace) { $0[attribute: "port"] = "1" }
        .changing("fingerprint", DTLSFingerprint.namespace) { fingerprint in
          // Of the one who answers, so that the other can offer another way.
          if stanza[attribute: "to"] == "alice@localhost/laptop" { fingerprint.name = "nothing" }
        }
    })
    try await withFilePair(folders, server) { pair in
      #expect(try await pair.send(path).get().way == .inBand)
      #expect(pair.events.entries.fallBacks.count == 2)
      try await until { pair.received.entries.count == 1 }
      #expect(try pair.received.entries[0].get().way == .inBand)
      #expect(isSame(path, folders.inbox + "/letter.txt"))
    }
  }

  @Test("Who is not to learn this side's addresses gets the file in band, where there is no relay and no proxy")
  func relayOnly() async throws {
    let folders = try FileFolders()
    let path = try folders.make("letter.txt", 70_000)
    let candidates = Log<XMLElement>()
    let server = InMemoryServer(rewriting: { stanza in
      stanza.changing("candidate", SOCKS5Transport.namespace) { candidates.append($0) }
        .changing("candidate", ICETransport.namespace) { candidates.append($0) }
    })
    try await withFilePair(folders, server, configure: { $0.relayOnly = true }) { pair in
      try await withClient(server, "carol@localhost/shy", configure: { $0.relayOnly = true }) { carol in
        let receipt = try await carol.send(OutgoingFile(path: path), to: FileStage.bobsAddress)
        #expect(receipt.way == .inBand)
      }
      try await until { pair.received.entries.count == 1 }
      #expect(isSame(path, folders.inbox + "/letter.txt"))
    }
    #expect(candidates.entries.isEmpty)
  }

  @Test("A data channel that would not be encrypted is refused, and nothing is kept")
  func unencrypted() async throws {
    let folders = try FileFolders()
    let path = try folders.make("letter.txt", 70_000)
    let server = InMemoryServer(rewriting: { stanza in
      stanza.changing("fingerprint", DTLSFingerprint.namespace) { $0.name = "nothing" }
    })
    try await withFilePair(folders, server) { pair in
      #expect(await pair.send(path, .dataChannel).error != nil)
      try await until { pair.received.entries.count == 1 }
      #expect(pair.received.entries[0].error?.code == .connectivity)
      try await until { folders.names.isEmpty }
    }
  }

  @Test("Where somebody is in between, the file goes no other way either")
  func manInTheMiddle() async throws {
    let folders = try FileFolders()
    let path = try folders.make("letter.txt", 70_000)
    let server = InMemoryServer(rewriting: { stanza in
      stanza.changing("fingerprint", DTLSFingerprint.namespace) { fingerprint in
        let octets = fingerprint.text.split(separator: ":").reversed()
        fingerprint.nodes = [.text(octets.joined(separator: ":"))]
      }
    })
    try await withFilePair(folders, server) { pair in
      #expect(await pair.send(path).error != nil)
      #expect(pair.events.entries.fallBacks.count == 0)
      try await until { pair.received.entries.count == 1 }
      try await until { folders.names.isEmpty }
    }
  }

  @Test("A file that arrives with another hash is kept nowhere, and both ends are told")
  func corrupt() async throws {
    let folders = try FileFolders()
    let path = try folders.make("photo.jpg", 50_000)
    let server = InMemoryServer(rewriting: { stanza in
      stanza.changing("hash", Hashes.namespace) {
        $0 = Hashes([HashValue(.sha256, of: [1, 2, 3])]).elements[0]
      }
    })
    try await withFilePair(folders, server) { pair in
      #expect(await pair.send(path).error?.code == .corrupt)
      try await until { pair.received.entries.count == 1 }
      #expect(pair.received.entries[0].error?.code == .corrupt)
      try await until { folders.names.isEmpty }
    }
  }

  @Test("A name of the peer's never leads out of the folder, nor over another file")
  func names() async throws {
    let folders = try FileFolders()
    let path = try folders.make("innocent", 1_000)
    try await withFilePair(folders) { pair in
      for name in ["../../etc/passwd", "passwd", "", "..", "\u{202E}gpj.exe", String(repeating: "x", count: 300)] {
        var file = OutgoingFile(path: path)
        file.name = name
        try await pair.alice.send(file, to: FileStage.bobsAddress)
      }
      try await until { pair.received.entries.count == 6 }
      #expect(
        folders.names == [
          "file", "file (1)", "gpj.exe", "passwd", "passwd (1)", String(repeating: "x", count: 200),
        ])
      #expect(FileManager.default.contentsEqual(atPath: folders.inbox + "/passwd", andPath: path))
    }
  }

  @Test("What was broken off goes on where it stopped", arguments: FileTransferWay.direct)
  func resume(way: FileTransferWay) async throws {
    let folders = try FileFolders()
    let path = try folders.make("film.mkv", way == .socks5 ? 60_000_000 : 3_000_000)
    try await withFilePair(folders,
      cancelling: { event in
        // The first time only.
        if case .progress(let progress) = event { progress.bytes < 2_000_000 || way == .socks5 } else { false }
      }
    ) { pair in
      #expect(await pair.send(path, way).error != nil)
      try await until { pair.received.entries.count == 1 }
      #expect(pair.received.entries[0].error != nil)
      try await until { folders.names.count == 2 }
    }
    try await withFilePair(folders) { pair in
      let receipt = try await pair.send(path, way).get()
      #expect(receipt.bytes < receipt.size && receipt.bytes > 0)
      try await until { pair.received.entries.count == 1 }
      #expect(isSame(path, folders.inbox + "/film.mkv"))
      #expect(folders.names == ["film.mkv"])
      #expect(try pair.received.entries[0].get().sha256 == receipt.sha256)
    }
  }

  @Test("Who takes no files, or not from this account, does not say that it is there")
  func strangers() async throws {
    let folders = try FileFolders()
    let path = try folders.make("advertisement", 100)
    let server = InMemoryServer()
    try await withClient(server, "bob@localhost/desk") { _ in
      try await withClient(server, "alice@localhost/laptop") { alice in
        do {
          try await alice.send(OutgoingFile(path: path), to: FileStage.bobsAddress)
          Issue.record("it was taken")
        } catch let error as CallError {
          #expect(error.code == .noAnswer)
        }
      }
    }
  }

  @Test("A file that is too large is declined, with the reason")
  func tooLarge() async throws {
    let folders = try FileFolders()
    let path = try folders.make("huge", 10_001)
    try await withFilePair(folders, configure: { $0.maximumFileSize = 10_000 }) { pair in
      let error = try #require(await pair.send(path).error)
      #expect(error.code == .declined && error.message.contains("takes none as large as huge"), "\(error)")
      try await until { pair.received.entries.count == 1 }
      let theirs = try #require(pair.received.entries[0].error)
      #expect(theirs.code == .output && theirs.message.contains("larger than the 10000 bytes"), "\(theirs)")
      #expect(folders.names.isEmpty)
    }
  }

  @Test("Twenty files at once, ten each way, all arrive")
  func many() async throws {
    let folders = try FileFolders()
    let server = InMemoryServer()
    let inbox = folders.inbox
    var handlers = Client.Handlers()
    handlers.onFile = { offer in try await offer.receive(into: inbox) }
    let paths = try (0..<20).map { try folders.make("file-\($0)", 1 << ($0 % 10 + 8)) }
    try await withClient(server, "bob@localhost/desk", handlers: handlers) { [handlers] bob in
      try await withClient(server, "alice@localhost/laptop", handlers: handlers) { alice in
        try await withThrowingTaskGroup(of: FileReceipt.self) { group in
          for (index, path) in paths.enumerated() {
            var file = OutgoingFile(path: path)
            file.ways = [index % 3 == 0 ? .inBand : .socks5]
            let (sender, peer) =
              index % 2 == 0 ? (alice, jid("bob@localhost/desk")) : (bob, jid("alice@localhost/laptop"))
            group.addTask { try await sender.send(file, to: peer) }
          }
          for try await receipt in group { #expect(receipt.isConfirmed) }
        }
        try await until { await bob.hasNoTransfers }
        try await until { await alice.hasNoTransfers }
      }
    }
    for (index, path) in paths.enumerated() { #expect(isSame(path, inbox + "/file-\(index)")) }
  }

  @Test("A folder, a FIFO and what is not there are no files to send")
  func noFiles() async throws {
    let folders = try FileFolders()
    mkfifo(folders.root + "/fifo", 0o600)
    try await withFilePair(folders) { pair in
      for name in ["in", "fifo", "absent"] {
        #expect(await pair.send(folders.root + "/" + name).error?.code == .input, "\(name)")
      }
    }
  }
}
