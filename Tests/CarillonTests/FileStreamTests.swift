import CarillonTesting
import Foundation
import JingleCore
import NIOCore
import Synchronization
import Testing
import XMPPCore

@testable import Carillon

/// Files that are streams at one end or both.
@Suite(.serialized, .timeLimit(.minutes(1)))
struct FileStreamTests {
  private final class Counter: Sendable {
    private let count = Atomic(0)

    var value: Int { count.load(ordering: .relaxed) }
    func add(_ number: Int) { count.add(number, ordering: .relaxed) }
  }

  private func bytes(_ count: Int) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 3) } }

  private func stream(_ bytes: [UInt8], chunks size: Int) -> AsyncStream<ArraySlice<UInt8>> {
    AsyncStream { continuation in
      for start in stride(from: 0, to: bytes.count, by: size) {
        continuation.yield(bytes[start..<min(bytes.count, start + size)])
      }
      continuation.finish()
    }
  }

  private func outgoing(
    _ bytes: [UInt8], chunks: Int = 10_000, size: Int64? = nil, _ ways: FileTransferWay...
  ) -> OutgoingFile {
    OutgoingFile(stream(bytes, chunks: chunks), name: "stream.bin", size: size).going(ways)
  }

  @Test(
    "A stream arrives whole by each way, its size known or not", arguments: FileTransferWay.direct, [true, false])
  func whole(way: FileTransferWay, isKnown: Bool) async throws {
    let (folders, sent) = (try FileFolders(), bytes(300_001))
    try await withFilePair(folders) { pair in
      let receipt = try await pair.send(outgoing(sent, size: isKnown ? 300_001 : nil, way)).get()
      try await until { pair.received.entries.count == 1 }
      let theirs = try pair.received.entries[0].get()
      #expect(folders.names == ["stream.bin"] && folders.contents("stream.bin") == Data(sent))
      #expect(theirs.isConfirmed && receipt.isConfirmed)
      #expect(receipt.sha256 == theirs.sha256 && theirs.sha256 == HashValue(.sha256, of: sent).hexadecimal)
      #expect(receipt.size == 300_001 && receipt.path == nil)
    }
  }

  @Test(
    "Empty streams arrive, and streams of a byte a chunk", arguments: [(0, 1), (1, 1), (20_000, 1)],
    [nil, FileTransferWay.inBand])
  func small(_ size: (count: Int, chunks: Int), way: FileTransferWay?) async throws {
    let (folders, sent) = (try FileFolders(), bytes(size.count))
    try await withFilePair(folders) { pair in
      for size in [nil, Int64(size.count)] {
        var file = outgoing(sent, chunks: 1, size: size)
        if let way { file.ways = [way] }
        _ = try await pair.send(file).get()
      }
      try await until { pair.received.entries.count == 2 }
      #expect(folders.names == ["stream (1).bin", "stream.bin"])
      for name in folders.names { #expect(folders.contents(name) == Data(sent)) }
    }
  }

  @Test("A stream that is shorter or longer than was said fails at both ends, and nothing is kept", arguments: [-1, 1])
  func wrongSize(difference: Int64) async throws {
    let folders = try FileFolders()
    try await withFilePair(folders) { pair in
      for count in [0, 5_000, 50_000] where count + Int(difference) >= 0 {
        let file = outgoing(bytes(count), size: Int64(count) + difference, .socks5)
        #expect(await pair.send(file).code == .input)
      }
      try await until { pair.received.entries.count >= 2 }
      #expect(pair.received.entries.allSatisfy { (try? $0.get()) == nil })
      try await until { folders.names.isEmpty }
    }
  }

  @Test("A stream that fails is told as what it failed with, and is nowhere kept")
  func failing() async throws {
    struct Broken: Error {}
    let folders = try FileFolders()
    try await withFilePair(folders) { pair in
      let chunks = AsyncThrowingStream<[UInt8], any Error> { continuation in
        continuation.yield(bytes(100_000))
        continuation.finish(throwing: Broken())
      }
      do {
        _ = try await pair.send(OutgoingFile(chunks, name: "half")).get()
        Issue.record("it was sent")
      } catch let error as CallError {
        #expect(error.code == .input && error.cause is Broken)
      }
      try await until { pair.received.entries.count == 1 }
      try await until { folders.names.isEmpty }
    }
  }

  @Test("A stream is not read before bytes can flow, nor after the transfer has ended")
  func demand() async throws {
    let read = Counter()
    let decline: TakeFile = { offer in
      await offer.decline()
      throw CallError(.declined, "No.")
    }
    try await withFilePair(taking: decline) { pair in
      let chunks = AsyncStream<[UInt8]> {
        read.add(1)
        return nil
      }
      #expect(await pair.send(OutgoingFile(chunks, name: "x")).code == .declined)
    }
    #expect(read.value == 0)
  }

  @Test("The end of a transfer ends the wait for a stream in which nothing comes")
  func silence() async throws {
    let (folders, (chunks, more)) = (try FileFolders(), AsyncStream.makeStream(of: [UInt8].self))
    more.yield([1, 2, 3])
    let cancel: TakeFile = { [path = folders.inbox] offer in
      try await offer.receive(into: path) { transfer in
        for await event in transfer.events { if case .progress = event { await transfer.cancel() } }
      }
    }
    try await withFilePair(taking: cancel) { pair in
      #expect(await pair.send(OutgoingFile(chunks, name: "x")).code == .failed)
      try await until { folders.names.isEmpty }
    }
    more.finish()
  }

  @Test("Where no way but the last is passable, a stream goes there from its beginning")
  func fallBack() async throws {
    let (folders, sent) = (try FileFolders(), bytes(70_000))
    let server = InMemoryServer(rewriting: { stanza in
      stanza.changing("candidate", SOCKS5Transport.namespace) { $0[attribute: "port"] = "1" }
    })
    try await withFilePair(folders, server) { pair in
      let receipt = try await pair.send(outgoing(sent, .socks5, .inBand)).get()
      #expect(receipt.way == .inBand && receipt.isConfirmed)
      try await until { pair.received.entries.count == 1 }
      #expect(folders.contents("stream.bin") == Data(sent))
    }
  }

  @Test("What was read of a stream and has not arrived is read again; what is gone is not made up")
  func rewinding() async throws {
    let source = StreamSource(size: nil, on: FileThreads.shared.next())
    let sent = bytes(6 << 20)
    async let fed: Void = OutgoingStream(stream(sent, chunks: 100_000), size: nil).feed(source.pipe)
    func read(_ count: Int) async throws -> [UInt8] {
      var read: [UInt8] = []
      while read.count < count, let chunk = try await source.next(count - read.count) {
        read += chunk.readableBytesView
      }
      return read
    }
    for count in [0, 10, 1 << 20, 3 << 20] {
      try await source.begin(at: 0)
      #expect(try await read(count) == Array(sent.prefix(count)))
    }
    try await source.begin(at: 0)
    #expect(try await read(sent.count + 1) == sent)
    #expect(try await source.finish(isWhole: true) == [HashValue(.sha256, of: sent)])
    #expect(await code { try await source.begin(at: 0) } == .input)
    await fed
    #expect(await code { try await source.begin(at: 5) } == .input)
  }

  @Test("Who waits for a stream that is begun anew is told so, and takes nothing from who reads it now")
  func interrupted() async throws {
    let source = StreamSource(size: nil, on: FileThreads.shared.next())
    try await source.begin(at: 0)
    let old = Task { try await source.next(10) }
    while !source.pipe.isWaiting { await Task.yield() }
    try await source.begin(at: 0)
    await #expect(throws: ChunkPipe.Interrupted.self) { _ = try await old.value }
    try await source.pipe.write(ByteBuffer(bytes: [1, 2, 3]))
    #expect(try await source.next(10) == ByteBuffer(bytes: [1, 2, 3]))
  }

  @Test("A peer that wants a part of a stream gets nothing")
  func ranged() async throws {
    let folders = try FileFolders()
    let server = InMemoryServer(rewriting: { stanza in
      guard stanza[attribute: "to"] == "alice@localhost/laptop" else { return stanza }
      return stanza.changing("file", FileDescription.namespace) { file in
        file.append(XMLElement("range", namespace: FileDescription.namespace, attributes: ["offset": "5"]))
      }
    })
    try await withFilePair(folders, server) { pair in
      #expect(await pair.send(outgoing(bytes(100), size: 100)).code == .protocolViolation)
      try await until { pair.received.entries.count == 1 }
      try await until { folders.names.isEmpty }
    }
  }

  @Test("Of a file whose size nobody knows no more is taken than is wanted")
  func tooLarge() async throws {
    let folders = try FileFolders()
    try await withFilePair(folders, configure: { $0.maximumFileSize = 100_000 }) { pair in
      #expect(await pair.send(outgoing(bytes(3_000_000), .inBand)).code == .output)
      try await until { pair.received.entries.count == 1 }
      #expect(pair.received.entries[0].code == .output)
      try await until { folders.names.isEmpty }
      _ = try await pair.send(outgoing(bytes(100_000), .inBand)).get()
      try await until { pair.received.entries.count == 2 }
      #expect(folders.names == ["stream.bin"])
    }
  }

  // MARK: Received as a stream

  /// Takes chunks, and notes them.
  private func collecting(_ all: Log<[UInt8]>) -> TakeFile {
    { offer in
      try await offer.receive { _, chunks in
        for try await chunk in chunks { all.append(chunk) }
      }
    }
  }

  @Test("A file is received as a stream by each way", arguments: FileTransferWay.direct)
  func received(way: FileTransferWay) async throws {
    let (sent, all) = (bytes(3_000_001), Log<[UInt8]>())
    try await withFilePair(taking: collecting(all)) { pair in
      for size in [nil, Int64(sent.count)] {
        let receipt = try await pair.send(outgoing(sent, chunks: 200_000, size: size, way)).get()
        #expect(receipt.isConfirmed)
      }
      try await until { pair.received.entries.count == 2 }
      #expect(all.entries.flatMap(\.self) == sent + sent)
      let receipt = try pair.received.entries[1].get()
      #expect(receipt.isConfirmed && receipt.path == nil && receipt.size == sent.count)
      #expect(receipt.sha256 == HashValue(.sha256, of: sent).hexadecimal)
    }
  }

  @Test("Of an empty file nothing is received, and that is right")
  func receivedEmpty() async throws {
    let all = Log<[UInt8]>()
    try await withFilePair(taking: collecting(all)) { pair in
      for size in [nil, Int64(0)] {
        let receipt = try await pair.send(outgoing([], size: size)).get()
        #expect(receipt.isConfirmed)
      }
      try await until { pair.received.entries.count == 2 }
      #expect(pair.received.entries.allSatisfy { (try? $0.get())?.isConfirmed == true } && all.entries.isEmpty)
    }
  }

  @Test("A stream with another hash than the sender's ends with an error, after its last byte")
  func receivedCorrupt() async throws {
    let (sent, all) = (bytes(50_000), Log<[UInt8]>())
    let server = InMemoryServer(rewriting: { stanza in
      stanza.changing("hash", Hashes.namespace) { $0 = Hashes([HashValue(.sha256, of: [1, 2, 3])]).elements[0] }
    })
    try await withFilePair(nil, server, taking: collecting(all)) { pair in
      #expect(await pair.send(outgoing(sent)).code == .corrupt)
      try await until { pair.received.entries.count == 1 }
      #expect(pair.received.entries[0].code == .corrupt)
      #expect(all.entries.flatMap(\.self) == sent)
    }
  }

  @Test("Who takes nothing from a stream holds its sender up")
  func backPressure() async throws {
    let size = 20 << 20
    let written = Counter()
    let (gate, open) = AsyncStream.makeStream(of: Never.self)
    let wait: TakeFile = { offer in
      try await offer.receive { _, chunks in
        for await _ in gate {}
        var count = 0
        for try await chunk in chunks { count += chunk.count }
        #expect(count == size)
      }
    }
    try await withFilePair(taking: wait) { pair in
      let chunks = AsyncStream<[UInt8]> {
        guard written.value < size else { return nil }
        written.add(1 << 18)
        return [UInt8](repeating: 7, count: 1 << 18)
      }
      var file = OutgoingFile(chunks, name: "endless")
      file.ways = [.inBand]
      try await pair.alice.send(file, to: FileStage.bobsAddress) { transfer in
        var last = -1
        // Until nothing moves any more.
        while last != written.value || last == 0 {
          last = written.value
          try? await Task.sleep(for: .milliseconds(300))
        }
        #expect(last < size)
        open.finish()
      }
      try await until { pair.received.entries.count == 1 }
    }
  }

  @Test(
    "Who leaves a stream before its end gives the file up, and what was thrown comes out", arguments: [true, false])
  func leaving(isThrowing: Bool) async throws {
    struct Enough: Error {}
    let thrown = Log<Bool>()
    let leave: TakeFile = { offer in
      do {
        return try await offer.receive { _, chunks in
          for try await _ in chunks { if isThrowing { throw Enough() } else { break } }
        }
      } catch {
        thrown.append(error is Enough)
        throw error
      }
    }
    try await withFilePair(taking: leave) { pair in
      #expect(await pair.send(outgoing(bytes(9_000_000), .inBand)).code == .failed)
      try await until { pair.received.entries.count == 1 }
      #expect(thrown.entries == [isThrowing])
    }
  }

  @Test("Whoever consumes a stream is told when the sender gives it up")
  func givenUp() async throws {
    let all = Log<[UInt8]>()
    let (chunks, more) = AsyncStream.makeStream(of: [UInt8].self)
    more.yield([1, 2, 3])
    try await withFilePair(taking: collecting(all)) { pair in
      let sent = await code {
        try await pair.alice.send(OutgoingFile(chunks, name: "x"), to: FileStage.bobsAddress) { transfer in
          try? await until { !all.entries.isEmpty }
          await transfer.cancel()
        }
      }
      #expect(sent == .failed)
      try await until { pair.received.entries.count == 1 }
      #expect(all.entries == [[1, 2, 3]])
      #expect(pair.received.entries[0].code == .failed)
    }
    more.finish()
  }

  // MARK: What is left

  @Test("Old parts are removed, and nothing that is none, is another's business, or is being written")
  func staleParts() async throws {
    let folders = try FileFolders()
    let old = Date(timeIntervalSinceNow: -8 * 86_400)
    func make(_ name: String, _ date: Date? = old) throws {
      try Data([1]).write(to: URL(fileURLWithPath: folders.inbox + "/" + name))
      if let date { try touch(name, date) }
    }
    func touch(_ name: String, _ date: Date) throws {
      try FileManager.default.setAttributes([.modificationDate: date], ofItemAtPath: folders.inbox + "/" + name)
    }
    let stale = [".carillon-1f.part", ".carillon-1f.part.json", ".carillon-ab-1.part", ".carillon-77.part.json"]
    for name in stale { try make(name) }
    let others = [
      "film.part", ".carillon-.part", ".carillon-XY.part", ".carillon-1f-0.part", ".carillon-1f.partition",
      "x.carillon-1f.part", ".carillon-11112222333344445.part",
    ]
    for name in others { try make(name) }
    try make(".carillon-2.part", nil)
    try make(".carillon-2.part.json")
    // A link leads to what is nobody's part.
    try FileManager.default.createSymbolicLink(
      atPath: folders.inbox + "/.carillon-3.part", withDestinationPath: folders.inbox + "/film.part")
    try FileManager.default.createDirectory(
      atPath: folders.inbox + "/.carillon-4.part", withIntermediateDirectories: true)
    try touch(".carillon-4.part", old)
    let part = try PartialFile(
      of: .init(peer: "a@b", name: "x", size: 10, date: "then"), in: folders.inbox, on: FileThreads.shared.next())
    try await part.begin(at: 0, [.sha256])
    try await part.append(ByteBuffer(bytes: [1]))
    let inUse = Set(folders.names).subtracting(
      stale + others + [".carillon-2.part", ".carillon-2.part.json", ".carillon-3.part", ".carillon-4.part"])
    #expect(inUse.count == 2)
    for name in inUse { try touch(name, old) }

    let before = Set(folders.names)
    #expect(try await IncomingFile.removeParts(in: folders.inbox) == 2)
    #expect(before.subtracting(folders.names) == Set(stale))
    await part.keep()
    for name in inUse { try touch(name, old) }
    #expect(try await IncomingFile.removeParts(in: folders.inbox, olderThan: .seconds(9 * 86_400)) == 0)
    #expect(try await IncomingFile.removeParts(in: folders.inbox) == 1)
    await #expect(throws: CallError.self) { try await IncomingFile.removeParts(in: folders.inbox + "/absent") }
  }

  @Test(
    "A stream, which comes by once, is hashed by whatever function can still be told",
    arguments: [
      (Hashes(), HashAlgorithm.sha3512), (Hashes([HashValue(.sha1, of: [1, 2])]), .sha512),
      (Hashes([HashValue(.sha1, of: [1, 2])], announced: [.blake2b256]), .blake2b256),
      (Hashes([HashValue(.sha512, of: [1, 2])]), .sha512),
    ])
  func laterChecksum(told: Hashes, algorithm: HashAlgorithm) async throws {
    let sink = StreamSink(on: FileThreads.shared.next())
    try await sink.begin(at: 0, told.algorithms)
    try await sink.append(ByteBuffer(bytes: [1, 2]))
    #expect(await sink.digest(algorithm, nil) == HashValue(algorithm, of: [1, 2]))
    await sink.end(after: nil)
  }
}
