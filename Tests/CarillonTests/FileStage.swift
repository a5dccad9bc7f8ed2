import CarillonTesting
import Foundation
import JingleCore
import Testing
import XMPPCore
import XMPPNetworking

@testable import Carillon

/// A folder with files to send and one for what comes, gone at the end.
final class FileFolders: Sendable {
  let root = NSTemporaryDirectory() + "carillon-stage-\(UUID().uuidString)"
  var inbox: String { root + "/in" }

  init() throws {
    try FileManager.default.createDirectory(atPath: root + "/in", withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: root) }

  /// A file to send, with random contents.
  @discardableResult
  func make(_ name: String, _ count: Int) throws -> String {
    let path = root + "/" + name
    let random = FileHandle(forReadingAtPath: "/dev/urandom")
    try (random?.read(upToCount: count) ?? Data()).write(to: URL(fileURLWithPath: path))
    return path
  }

  /// All that the receiver's folder holds, hidden files too.
  var names: [String] { (try? FileManager.default.contentsOfDirectory(atPath: inbox).sorted()) ?? [] }

  /// What the receiver's folder has under this name.
  func contents(_ name: String) -> Data? { FileManager.default.contents(atPath: inbox + "/" + name) }

  /// Whether what was made under these names is in the receiver's folder too.
  func hasArrived(_ names: String...) -> Bool {
    names.allSatisfy { FileManager.default.contentsEqual(atPath: root + "/" + $0, andPath: inbox + "/" + $0) }
  }

  /// What is kept of files that are not whole.
  var parts: [String] { names.filter { $0.hasSuffix(".part") } }

  /// Whether this process has a file of these folders open.
  var isOpen: Bool {
    let descriptors = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
    return descriptors.contains {
      (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\($0)"))?.hasPrefix(root) == true
    }
  }
}

/// Bob, who takes files, and a peer whose part the test plays.
struct FileStage: Sendable {
  let server: InMemoryServer
  let folders: FileFolders
  let bob: Client
  var peer: ScriptedPeer
  let offers: Log<FileSummary>
  let results: Log<Result<FileReceipt, CallError>>

  static let bobsAddress = jid("bob@localhost/desk")

  /// What `bob`'s transfer came to.
  func result() async throws -> Result<FileReceipt, CallError> {
    try await until { !results.entries.isEmpty }
    return results.entries[0]
  }

  func error() async throws -> CallError {
    switch try await result() {
    case .success(let receipt): throw CallError(.failed, "\(receipt) was received")
    case .failure(let error): return error
    }
  }

  /// Returns when nothing of the transfer is left but what is meant to be kept.
  func settle() async throws {
    try await until { await bob.hasNoTransfers }
    try await until { !folders.isOpen }
  }

  /// Offers a file again, in a session and a stream named `again`, sends in band what is asked for of it, and looks at
  /// what there is in the end.
  ///
  /// - Returns: where it was gone on from.
  func resume(_ file: FileDescription, _ bytes: [UInt8]) async throws -> Int {
    let (earlier, again) = (results.entries.count, "again")
    try await peer.offer(file, sid: again, .inBand(.init(sid: again, blockSize: 4096)))
    let accept = try await peer.jingle(.sessionAccept).0
    let offset = Int(accept.contents.first?.description?.file?.range?.offset ?? 0)
    try await peer.request(InBandBytestream.Open(sid: again, blockSize: 4096).element, to: Self.bobsAddress)
    for (number, start) in stride(from: offset, to: bytes.count, by: 4096).enumerated() {
      try await peer.sendBlock(UInt16(number), bytes[start..<min(start + 4096, bytes.count)], stream: again)
    }
    try await peer.sendChecksum(of: bytes, sid: again)
    try await peer.request(InBandBytestream.Close(sid: again).element, to: Self.bobsAddress)
    try await until { results.entries.count > earlier }
    let receipt = try results.entries[earlier].get()
    #expect(receipt.isConfirmed && receipt.bytes == bytes.count - offset)
    #expect(folders.contents(receipt.name).map(Array.init) == bytes)
    #expect(folders.names == [receipt.name])
    try await settle()
    return offset
  }
}

extension Client {
  var hasNoTransfers: Bool { transfers.isEmpty && fileSessions.isEmpty && web.underWay.isEmpty }

  func setFileLimits(_ change: @Sendable (inout JingleCore.FileTransfer.Limits) -> Void) { change(&fileLimits) }
}

func withFileStage(
  _ server: InMemoryServer = InMemoryServer(),
  limits: @escaping @Sendable (inout JingleCore.FileTransfer.Limits) -> Void = { _ in },
  _ body: @escaping @Sendable (FileStage) async throws -> Void
) async throws {
  let folders = try FileFolders()
  let client = server.makeClient(configuration("bob@localhost/desk"))
  let (offers, results) = (Log<FileSummary>(), Log<Result<FileReceipt, CallError>>())
  var handlers = Client.Handlers()
  handlers.onFile = { offer in
    offers.append(offer.file)
    do {
      results.append(.success(try await offer.receive(into: folders.inbox)))
    } catch {
      results.append(.failure(CallError(of: error)))
    }
  }
  await client.setFileLimits(limits)
  try await withRunning(client, handlers: handlers) { bob in
    try await withScript(server, "mallory@localhost/script", features: ScriptedPeer.takingFiles) { peer in
      try await body(
        FileStage(server: server, folders: folders, bob: bob, peer: peer, offers: offers, results: results))
    }
  }
}

/// Alice, who sends files, and Bob, who takes them.
struct FilePair: Sendable {
  let server: InMemoryServer
  let folders: FileFolders
  let alice: Client
  let bob: Client
  /// What Bob's transfers came to.
  let received: Log<Result<FileReceipt, CallError>>
  /// What Alice is told.
  let events = Log<FileTransferEvent>()

  /// Sends a file to Bob.
  func send(_ path: String, _ ways: FileTransferWay...) async -> Result<FileReceipt, CallError> {
    await send(OutgoingFile(path: path).going(ways))
  }

  func send(_ file: OutgoingFile) async -> Result<FileReceipt, CallError> {
    do {
      let events = events
      let receipt = try await alice.send(file, to: FileStage.bobsAddress) { transfer in
        for await event in transfer.events { events.append(event) }
      }
      return .success(receipt)
    } catch {
      return .failure(CallError(of: error))
    }
  }

  /// Returns when Bob has seen so many transfers end, and nothing of them is left but what is meant to be kept.
  func settle(_ count: Int = 1) async throws {
    try await until { received.entries.count == count }
    try await until { await bob.hasNoTransfers }
    try await until { await alice.hasNoTransfers }
    try await until { !folders.isOpen }
  }
}

/// What Bob does with a file that he is offered.
typealias TakeFile = @Sendable (consuming IncomingFile) async throws -> FileReceipt

/// - Parameters:
///   - configure: changes Bob's settings.
///   - isEnough: at what Bob cancels the transfer.
///   - take: what Bob does instead of receiving the file into the folder.
func withFilePair(
  _ folders: FileFolders? = nil, _ server: InMemoryServer = InMemoryServer(),
  limits: @escaping @Sendable (inout JingleCore.FileTransfer.Limits) -> Void = { _ in },
  configure: (inout Client.Configuration) -> Void = { _ in },
  cancelling isEnough: @escaping @Sendable (FileTransferEvent) -> Bool = { _ in false }, taking take: TakeFile? = nil,
  _ body: @escaping @Sendable (FilePair) async throws -> Void
) async throws {
  let folders = try folders ?? FileFolders()
  let received = Log<Result<FileReceipt, CallError>>()
  let take =
    take ?? { offer in
      try await offer.receive(into: folders.inbox) { transfer in
        for await event in transfer.events where isEnough(event) { await transfer.cancel() }
      }
    }
  var handlers = Client.Handlers()
  handlers.onFile = { offer in
    do {
      received.append(.success(try await take(offer)))
    } catch {
      received.append(.failure(CallError(of: error)))
    }
  }
  var settings = configuration("bob@localhost/desk")
  configure(&settings)
  let clients = [configuration("alice@localhost/laptop"), settings].map { server.makeClient($0) }
  for client in clients { await client.setFileLimits(limits) }
  try await withRunning(clients[1], handlers: handlers) { bob in
    try await withRunning(clients[0]) { alice in
      try await body(FilePair(server: server, folders: folders, alice: alice, bob: bob, received: received))
    }
  }
}

/// Alice, and Bob, whose part `handlers` play; returns when neither has anything left to do.
func withFileClients(
  _ server: InMemoryServer = InMemoryServer(), bob handlers: Client.Handlers,
  _ body: @escaping @Sendable (_ alice: Client, _ bob: Client) async throws -> Void
) async throws {
  try await withClient(server, "\(FileStage.bobsAddress)", handlers: handlers) { bob in
    try await withClient(server, "alice@localhost/laptop") { alice in
      try await body(alice, bob)
      for client in [alice, bob] { try await until { await client.hasNoTransfers } }
    }
  }
}

/// Bob, whose part `handlers` play, and a device of Alice's whose part the test plays.
func withFileScript(
  _ server: InMemoryServer = InMemoryServer(), bob handlers: Client.Handlers,
  _ body: @escaping @Sendable (_ alice: ScriptedPeer, _ bob: Client) async throws -> Void
) async throws {
  try await withClient(server, "\(FileStage.bobsAddress)", handlers: handlers) { bob in
    try await withScript(server, "alice@localhost/old", features: ScriptedPeer.takingFiles) { alice in
      try await body(alice, bob)
    }
  }
}

extension Client.Handlers {
  /// Takes what is offered, but for files whose names begin with `no`.
  static func taking(into inbox: String, offered: Log<FileSummary> = Log()) -> Self {
    var handlers = Client.Handlers()
    handlers.onFile = { offer in
      offered.append(offer.file)
      if offer.file.name.hasPrefix("no") { await offer.decline() } else { try await offer.receive(into: inbox) }
    }
    return handlers
  }

  /// Gives the files of a folder by their names, if these begin with `open`.
  static func giving(from folder: String, asked: Log<FileSelector> = Log(), _ ways: FileTransferWay...) -> Self {
    var handlers = Client.Handlers()
    handlers.onFileRequest = { request in
      asked.append(request.wanted)
      guard let name = request.wanted.name, name.hasPrefix("open") else { return }
      try await request.send(OutgoingFile(path: folder + "/" + name).going(ways))
    }
    return handlers
  }
}

extension InMemoryServer {
  /// One that notes the Jingle requests that go over it.
  convenience init(
    noting log: Log<Jingle>, rewriting rewrite: @escaping @Sendable (XMLElement) -> XMLElement = { $0 }
  ) {
    self.init(rewriting: { stanza in
      if stanza[attribute: "type"] == "set", let element = stanza.first("jingle", Jingle.namespace),
        let jingle = try? Jingle(element)
      {
        log.append(jingle)
      }
      return rewrite(stanza)
    })
  }
}

extension OutgoingFile {
  static func each(_ paths: [String], _ ways: FileTransferWay...) -> [OutgoingFile] {
    paths.map { OutgoingFile(path: $0).going(ways) }
  }

  /// By these ways only, if there are any.
  func going(_ ways: [FileTransferWay]) -> Self {
    var file = self
    if !ways.isEmpty { file.ways = ways }
    return file
  }
}

extension CallError {
  /// What was thrown; if that is no `CallError`, one of a code that no transfer ends with.
  init(of error: any Error) { self = error as? CallError ?? CallError(.media, "\(error)") }
}

/// The code of what is thrown, if something is.
func code(_ body: () async throws -> some Any) async -> CallError.Code? {
  do {
    _ = try await body()
    return nil
  } catch {
    return (error as? CallError)?.code
  }
}

extension Result where Failure == CallError {
  var error: CallError? { if case .failure(let error) = self { error } else { nil } }
  var code: CallError.Code? { error?.code }
}

extension [FileTransferEvent] {
  /// Which way was given up for which, and why.
  var fallBacks: [(from: FileTransferWay, to: FileTransferWay, why: String)] {
    compactMap { if case .fellBack(let from, let to, let why) = $0 { (from, to, why) } else { nil } }
  }
}
