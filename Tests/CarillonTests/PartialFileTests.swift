import Foundation
import NIOCore
import Testing

@testable import Carillon

/// Parts of files on the disk, without a transfer.
@Suite(.timeLimit(.minutes(1)))
struct PartialFileTests {
  private static let identity = PartialFile.Identity(
    peer: "mallory@localhost", name: "letter", size: 6_000, date: "2026-01-01T00:00:00Z")

  private func part(_ identity: PartialFile.Identity = Self.identity, in folders: FileFolders) throws -> PartialFile {
    try PartialFile(of: identity, in: folders.inbox, on: FileThreads.shared.next())
  }

  @Test("A part that has been put in its place already, under a name of its own, is not written to again")
  func alreadyPlaced() async throws {
    let folders = try FileFolders()
    let first = try part(in: folders)
    try await first.begin(at: 0, [])
    try await first.append(ByteBuffer(repeating: 1, count: 6_000))
    await first.keep()
    // As a process leaves it that is killed between the two names.
    let placed = folders.inbox + "/letter"
    try #require(link(folders.inbox + "/" + folders.parts[0], placed) == 0)

    let second = try part(in: folders)
    #expect(await second.count == 0)
    try await second.begin(at: 0, [])
    try await second.append(ByteBuffer(repeating: 2, count: 6_000))
    #expect(try await second.publish(as: ["letter", "letter (1)"]) == placed + " (1)")
    #expect(FileManager.default.contents(atPath: placed) == Data(repeating: 1, count: 6_000))
    #expect(FileManager.default.contents(atPath: placed + " (1)") == Data(repeating: 2, count: 6_000))
    #expect(folders.names == ["letter", "letter (1)"])
  }

  /// What takes a while to be hashed, without taking any room.
  private static let long: Int64 = 24 << 30

  @Test("Who lets go of a long part does not wait until it is hashed")
  func letGo() async throws {
    let folders = try FileFolders()
    var identity = Self.identity
    identity.size = Self.long
    let begun = try part(identity, in: folders)
    try await begun.begin(at: 0, [])
    try await begun.append(ByteBuffer(repeating: 1, count: 1_000))
    await begun.keep()
    try #require(truncate(folders.inbox + "/" + folders.parts[0], off_t(Self.long)) == 0)

    let part = try part(identity, in: folders)
    #expect(await part.count == Self.long)
    let hashing = Task { try await part.begin(at: Self.long, []) }
    try await Task.sleep(for: .milliseconds(50))
    await part.end(after: nil)
    await #expect(throws: CallError.self) { try await hashing.value }
    #expect(folders.parts.count == 1)
  }

  @Test("Who is cancelled while the beginning of a long file is hashed stops")
  func cancelled() async throws {
    let folders = try FileFolders()
    let path = try folders.make("film", 1_000)
    try #require(truncate(path, off_t(Self.long)) == 0)
    let source = try SourceFile(path, on: FileThreads.shared.next())
    let hashing = Task { try await source.begin(at: Self.long) }
    try await Task.sleep(for: .milliseconds(50))
    hashing.cancel()
    await #expect(throws: CancellationError.self) { try await hashing.value }
  }
}
