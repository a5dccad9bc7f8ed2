import CarillonTesting
import Foundation
import JingleCore
import Synchronization
import Testing
import XMPPCore

@testable import Carillon

/// What happens on the disk beside a transfer: files that change, and folders where something is in the way.
@Suite(.timeLimit(.minutes(2)))
struct FileSurroundingsTests {
  // MARK: At the sender

  enum Change: CaseIterable {
    case truncated, emptied, grown, rewritten, deleted

    func make(_ path: String) {
      switch self {
      case .truncated: truncate(path, 4_000_000)
      case .emptied: truncate(path, 0)
      case .grown, .rewritten:
        let file = FileHandle(forUpdatingAtPath: path)
        if self == .grown { _ = try? file?.seekToEnd() }
        try? file?.write(contentsOf: Data("something else".utf8))
      case .deleted: unlink(path)
      }
    }
  }

  /// Does something once, when the so-manyth in-band block passes.
  private func server(atBlock number: Int, _ action: @escaping @Sendable () -> Void) -> InMemoryServer {
    let count = Mutex(0)
    return InMemoryServer(rewriting: { stanza in
      if stanza.first("data", InBandBytestream.namespace) != nil {
        let isNow = count.withLock { count in
          count += 1
          return count == number
        }
        if isNow { action() }
      }
      return stanza
    })
  }

  @Test("A file that changes while it is sent is told to both ends, and can be sent again", arguments: Change.allCases)
  func changing(_ change: Change) async throws {
    let folders = try FileFolders()
    let path = try folders.make("log.txt", 8_000_000)
    let copy = try #require(FileManager.default.contents(atPath: path))
    try await withFilePair(folders, server(atBlock: 10) { change.make(path) }) { pair in
      let sent = await pair.send(path, .inBand)
      try await pair.settle()
      let received = pair.received.entries[0]
      if change == .deleted {
        // Who has it open has it still.
        #expect(sent.error == nil && received.error == nil)
        #expect(FileManager.default.contents(atPath: folders.inbox + "/log.txt") == copy)
        return
      }
      #expect(sent.error?.code == .input, "\(sent)")
      let words = change == .truncated || change == .emptied ? "ends before its time" : "was changed while"
      #expect(sent.error?.message.contains(words) == true, "\(sent)")
      #expect(sent.error?.message.contains(path) == true)
      #expect(received.error?.code == .failed, "\(received)")
      #expect(received.error?.message.contains("the file cannot be read or written") == true, "\(received)")
      #expect(!folders.names.contains("log.txt"))

      let again = await pair.send(path, .inBand)
      #expect(again.error == nil, "\(again)")
      try await pair.settle(2)
      #expect(FileManager.default.contentsEqual(atPath: path, andPath: folders.inbox + "/log.txt"))
    }
  }

  // MARK: At the receiver

  @Test("Links, FIFOs and folders of the file's name stay what they are")
  func inTheWay() async throws {
    let folders = try FileFolders()
    let path = try folders.make("x.bin", 5_000)
    let (inbox, victim) = (folders.inbox, try folders.make("victim", 10))
    let before = FileManager.default.contents(atPath: victim)
    symlink(victim, inbox + "/x.bin")
    mkfifo(inbox + "/x (1).bin", 0o600)
    mkdir(inbox + "/x (2).bin", 0o700)
    symlink(folders.root + "/nothing", inbox + "/x (3).bin")
    try await withFilePair(folders) { pair in
      let sent = await pair.send(path, .inBand)
      #expect(sent.error == nil)
      try await pair.settle()
      #expect(try pair.received.entries[0].get().path == inbox + "/x (4).bin")
    }
    #expect(FileManager.default.contentsEqual(atPath: path, andPath: inbox + "/x (4).bin"))
    #expect(folders.names == ["x (1).bin", "x (2).bin", "x (3).bin", "x (4).bin", "x.bin"])
    #expect(FileManager.default.contents(atPath: victim) == before)
    #expect(try FileManager.default.destinationOfSymbolicLink(atPath: inbox + "/x.bin") == victim)
    #expect(!FileManager.default.fileExists(atPath: folders.root + "/nothing"))
    var status = stat()
    #expect(stat(inbox + "/x.bin", &status) == 0 && status.st_size == 10)
    #expect(stat(inbox + "/x (1).bin", &status) == 0 && status.st_mode & S_IFMT == S_IFIFO)
  }

  enum Obstacle: CaseIterable { case link, fifo, folder }

  private static let bytes = (0..<6_000).map { UInt8(truncatingIfNeeded: $0) }
  private static let file = FileDescription(
    name: "letter", size: 6_000, date: .seconds(1_700_000_000), hashes: Hashes(announced: [.sha256]), range: .init())

  /// Lets a file come half, so that its part is there, and puts something in the place of that, or of its record.
  private func obstruct(_ stage: FileStage, _ ending: String, _ obstacle: Obstacle, _ victim: String) async throws
    -> String
  {
    try await stage.peer.openInBand(Self.file)
    try await stage.peer.sendBlock(0, Self.bytes[..<4096])
    try await stage.peer.request(InBandBytestream.Close(sid: "b1").element, to: FileStage.bobsAddress)
    _ = try await stage.error()
    try await stage.settle()
    let path = stage.folders.inbox + "/" + (try #require(stage.folders.names.first { $0.hasSuffix(ending) }))
    unlink(path)
    switch obstacle {
    case .link: symlink(victim, path)
    case .fifo: mkfifo(path, 0o600)
    case .folder: mkdir(path, 0o700)
    }
    return path
  }

  @Test(
    "A link, FIFO or folder where the part was is not written to, and said to be in the way",
    arguments: Obstacle.allCases)
  func obstructedPart(_ obstacle: Obstacle) async throws {
    try await withFileStage { stage in
      let victim = try stage.folders.make("victim", 10)
      let before = FileManager.default.contents(atPath: victim)
      let path = try await obstruct(stage, ".part", obstacle, victim)
      try await stage.peer.offer(Self.file, sid: "s2", .inBand(.init(sid: "b2")))
      try await until { stage.results.entries.count == 2 }
      let error = try #require(stage.results.entries[1].error)
      #expect(error.code == .output && error.message.contains(path), "\(error)")
      let reason = try await stage.peer.next {
        $0.first("jingle", Jingle.namespace).map {
          $0[attribute: "action"] == "session-terminate" && $0[attribute: "sid"] == "s2"
        } ?? false
      }
      #expect(try Jingle(try #require(try IQ(reason).request)).reason?.condition == .failedApplication)
      try await stage.settle()
      #expect(FileManager.default.contents(atPath: victim) == before)
      #expect(stage.folders.names.count == 2, "\(stage.folders.names)")
    }
  }

  @Test("A link, FIFO or folder where the part's record was leads nowhere", arguments: Obstacle.allCases)
  func obstructedRecord(_ obstacle: Obstacle) async throws {
    try await withFileStage { stage in
      let victim = try stage.folders.make("victim", 10)
      let before = FileManager.default.contents(atPath: victim)
      let path = try await obstruct(stage, ".json", obstacle, victim)
      try await stage.peer.offer(Self.file, sid: "s2", .inBand(.init(sid: "b2")))
      if obstacle == .folder {
        try await until { stage.results.entries.count == 2 }
        let error = try #require(stage.results.entries[1].error)
        #expect(error.code == .output && error.message.contains(path), "\(error)")
      } else {
        // What cannot be trusted is not gone on with.
        let accept = try await stage.peer.jingle(.sessionAccept).0
        #expect(accept.contents.first?.description?.file?.range?.offset == nil)
        try await stage.peer.request(InBandBytestream.Open(sid: "b2").element, to: FileStage.bobsAddress)
        try await stage.peer.sendBlock(0, Self.bytes[..<4096], stream: "b2")
        try await stage.peer.sendBlock(1, Self.bytes[4096...], stream: "b2")
        try await stage.peer.sendChecksum(of: Self.bytes, sid: "s2")
        try await until { stage.results.entries.count == 2 }
        #expect(stage.results.entries[1].error == nil)
        #expect(stage.folders.names == ["letter"])
      }
      try await stage.settle()
      #expect(FileManager.default.contents(atPath: victim) == before)
    }
  }

  @Test("A record that was cut off with the power, or is another file's, is not gone on with", arguments: [0, 10, nil])
  func brokenRecord(length: Int?) async throws {
    try await withFileStage { stage in
      let path = try await obstruct(stage, ".json", .link, "/dev/null")
      unlink(path)
      let record = #"{"peer":"eve@localhost","name":"letter","size":6000}"#
      try Data(record.utf8.prefix(length ?? .max)).write(to: URL(fileURLWithPath: path))
      try await stage.peer.offer(Self.file, sid: "s2", .inBand(.init(sid: "b2")))
      let accept = try await stage.peer.jingle(.sessionAccept).0
      #expect(accept.contents.first?.description?.file?.range?.offset == nil)
    }
  }

  @Test("A folder that is gone when the file is whole is told to both ends")
  func folderGone() async throws {
    try await withFileStage { stage in
      try await stage.peer.openInBand(Self.file)
      try await stage.peer.sendBlock(0, Self.bytes[..<4096])
      try FileManager.default.removeItem(atPath: stage.folders.inbox)
      try await stage.peer.sendBlock(1, Self.bytes[4096...])
      try await stage.peer.sendChecksum(of: Self.bytes)
      let error = try await stage.error()
      #expect(error.code == .output && error.message.contains(stage.folders.inbox), "\(error)")
      let reason = try await stage.peer.farewell()
      #expect(reason.condition == .failedApplication && reason.text?.contains("place") == true)
      try await stage.settle()
      #expect(!FileManager.default.fileExists(atPath: stage.folders.inbox))
    }
  }

  @Test("A folder that is not there when the file is taken is told to both ends")
  func folderMissing() async throws {
    try await withFileStage { stage in
      try FileManager.default.removeItem(atPath: stage.folders.inbox)
      try await stage.peer.offer(Self.file)
      let error = try await stage.error()
      #expect(error.code == .output && error.message.contains(stage.folders.inbox), "\(error)")
      #expect(try await stage.peer.farewell().condition == .failedApplication)
      try await stage.settle()
    }
  }

  @Test("While a file comes, nobody else may read it")
  func privatePart() async throws {
    try await withFileStage { stage in
      try await stage.peer.openInBand(Self.file)
      try await stage.peer.sendBlock(0, Self.bytes[..<4096])
      for name in stage.folders.names {
        var status = stat()
        #expect(stat(stage.folders.inbox + "/" + name, &status) == 0 && status.st_mode & 0o777 == 0o600, "\(name)")
      }
      #expect(stage.folders.names.count == 2 && stage.folders.names.allSatisfy { $0.hasPrefix(".") })
    }
  }
}
