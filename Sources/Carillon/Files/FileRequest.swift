import Foundation
import JingleCore
public import XMPPCore

/// What is known of a file that somebody wants, enough to find it by. What is not known is nil.
///
/// - Specification: XEP-0234 §6.2
public struct FileSelector: Sendable, Hashable {
  /// In a peer's request this is whatever the peer wrote: look for it among names that are known, and never open it as
  /// a path.
  public var name: String?
  /// In bytes.
  public var size: Int64?
  /// When the file was last changed, in seconds since 1970-01-01 00:00 UTC.
  public var modified: Duration?
  /// `type/subtype`.
  public var mediaType: String?
  /// Of the whole file, in hexadecimal digits, by their functions' names: `sha-256`, `sha-512`, `sha3-256`, `sha3-512`,
  /// `blake2b-256`, `blake2b-512`; of others nothing can be told.
  public var hashes: [String: String] = [:]

  public init(name: String? = nil) { self.name = name }
}

/// Somebody asks for a file: to be answered exactly once.
///
/// Returning from the handler without an answer declines, and so does `decline`: the peer then learns no more than that
/// it gets no such file. Nothing is ever given but what the handler names.
public struct FileRequest: ~Copyable, Sendable {
  public let peer: JID
  public let sid: String
  public let wanted: FileSelector
  private let id: UUID
  private let client: Client

  init(peer: JID, sid: String, wanted: FileSelector, id: UUID, client: Client) {
    self.peer = peer
    self.sid = sid
    self.wanted = wanted
    self.id = id
    self.client = client
  }

  /// Gives a file, or what the peer wants of it: the rest of one that broke off, a range.
  ///
  /// - Parameters:
  ///   - file: of its `ways`, the one that the peer chose is used.
  ///   - body: told what happens.
  /// - Throws: `CallError`: `input` when the file cannot be read, of which the peer learns nothing; `connectivity`, …
  @discardableResult
  public consuming func send(
    _ file: OutgoingFile, _ body: @escaping @Sendable (FileTransfer) async -> Void = { _ in }
  ) async throws -> FileReceipt {
    try await client.giveFile(id, file, body)
  }

  public consuming func decline() async { await client.cancelTransfer(id) }
}

extension FileSelector {
  init(_ file: FileDescription) {
    name = file.name
    size = file.size
    modified = file.date
    mediaType = file.mediaType
    for hash in file.hashes.values { hashes[hash.algorithm.rawValue] = hash.hexadecimal }
  }

  /// - Throws: `CallError(.input)` when it names nothing, or a hash is none.
  func description() throws(CallError) -> FileDescription {
    guard name != nil || !hashes.isEmpty else {
      throw CallError(.input, "A file is asked for by its name, its hash or both.")
    }
    var values: [HashValue] = []
    for (name, digits) in hashes {
      guard let algorithm = HashAlgorithm(named: name), let value = HashValue(algorithm, hexadecimal: digits) else {
        throw CallError(.input, "\(digits) is no hash by \(name), or not by a function that is known here.")
      }
      values.append(value)
    }
    return FileDescription(
      name: name, size: size, date: modified, mediaType: mediaType, hashes: Hashes(values), range: .init())
  }
}
