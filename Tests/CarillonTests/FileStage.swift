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
  func make(_ name: String, _ count: Int) throws -> String {
    let path = root + "/" + name
    let random = FileHandle(forReadingAtPath: "/dev/urandom")
    try (random?.read(upToCount: count) ?? Data()).write(to: URL(fileURLWithPath: path))
    return path
  }

  /// All that the receiver's folder holds, hidden files too.
  var names: [String] { (try? FileManager.default.contentsOfDirectory(atPath: inbox).sorted()) ?? [] }

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
    #expect(FileManager.default.contents(atPath: folders.inbox + "/" + receipt.name).map(Array.init) == bytes)
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
      results.append(.failure(error as? CallError ?? CallError(.failed, "\(error)")))
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
    var file = OutgoingFile(path: path)
    if !ways.isEmpty { file.ways = ways }
    do {
      let events = events
      let receipt = try await alice.send(file, to: FileStage.bobsAddress) { transfer in
        for await event in transfer.events { events.append(event) }
      }
      return .success(receipt)
    } catch {
      return .failure(error as? CallError ?? CallError(.failed, "\(error)"))
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

/// - Parameters:
///   - configure: changes Bob's settings.
///   - isEnough: at what Bob cancels the transfer.
func withFilePair(
  _ folders: FileFolders, _ server: InMemoryServer = InMemoryServer(),
  limits: @escaping @Sendable (inout JingleCore.FileTransfer.Limits) -> Void = { _ in },
  configure: (inout Client.Configuration) -> Void = { _ in },
  cancelling isEnough: @escaping @Sendable (FileTransferEvent) -> Bool = { _ in false },
  _ body: @escaping @Sendable (FilePair) async throws -> Void
) async throws {
  let received = Log<Result<FileReceipt, CallError>>()
  var handlers = Client.Handlers()
  handlers.onFile = { offer in
    do {
      let receipt = try await offer.receive(into: folders.inbox) { transfer in
        for await event in transfer.events where isEnough(event) { await transfer.cancel() }
      }
      received.append(.success(receipt))
    } catch {
      received.append(.failure(error as? CallError ?? CallError(.failed, "\(error)")))
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

extension Result where Failure == CallError {
  var error: CallError? { if case .failure(let error) = self { error } else { nil } }
}

extension [FileTransferEvent] {
  /// Which way was given up for which, and why.
  var fallBacks: [(from: FileTransferWay, to: FileTransferWay, why: String)] {
    compactMap { if case .fellBack(let from, let to, let why) = $0 { (from, to, why) } else { nil } }
  }
}

// MARK: What scripts say

extension ScriptedPeer {
  static let takingFiles = [
    Jingle.namespace, FileDescription.namespace, InBandTransport.namespace, InBandBytestream.namespace,
  ]

  /// Offers a file.
  ///
  /// - Parameter change: what becomes of the offer before it goes out.
  @discardableResult
  func offer(
    _ file: FileDescription, sid: String = "s1", _ transport: Jingle.Transport = .inBand(.init(sid: "b1")),
    to recipient: JID = FileStage.bobsAddress, changing change: (inout XMLElement) -> Void = { _ in }
  ) async throws -> IQ {
    let jingle = Jingle(
      .sessionInitiate, sid: sid, initiator: address,
      contents: [
        Jingle.Content(name: "file", senders: .initiator, description: .file(file), transport: transport)
      ])
    var element = jingle.element
    change(&element)
    return try await request(element, to: recipient)
  }

  /// Offers a file to be sent in band, and begins to.
  func openInBand(
    _ file: FileDescription, sid: String = "s1", stream: String = "b1", to recipient: JID = FileStage.bobsAddress
  ) async throws {
    let answer = try await offer(file, sid: sid, .inBand(.init(sid: stream, blockSize: 4096)), to: recipient)
    try #require(answer.content == .result(nil))
    _ = try await jingle(.sessionAccept)
    try #require(
      try await request(InBandBytestream.Open(sid: stream, blockSize: 4096).element, to: recipient).content
        == .result(nil))
  }

  @discardableResult
  func sendBlock(
    _ number: UInt16, _ bytes: some Collection<UInt8>, stream: String = "b1", to recipient: JID = FileStage.bobsAddress
  ) async throws -> IQ {
    try await request(
      InBandBytestream.Block(sid: stream, sequenceNumber: number, bytes: bytes).element, to: recipient)
  }

  /// Tells the hash.
  func sendChecksum(of bytes: [UInt8], sid: String = "s1", to recipient: JID = FileStage.bobsAddress) async throws {
    let info = FileInfo.checksum(
      .init(creator: .initiator, name: "file"), Hashes([HashValue(.sha256, of: bytes)]))
    try await request(Jingle(.sessionInfo, sid: sid, payloads: [info.element]), to: recipient)
  }

  /// Why the other side ended the session.
  func farewell() async throws -> Jingle.Reason {
    try #require(try await jingle(.sessionTerminate).0.reason)
  }

  /// Accepts the file that is offered.
  ///
  /// - Parameter change: what becomes of the answer before it goes out.
  @discardableResult
  func acceptFile(
    changing change: (inout Jingle.Content) -> Void = { _ in }
  ) async throws -> (sid: String, stream: String, from: JID) {
    let (offer, from) = try await jingle(.sessionInitiate)
    var content = try #require(offer.contents.first)
    let stream = try #require(content.transport?.inBand?.sid)
    change(&content)
    try await request(Jingle(.sessionAccept, sid: offer.sid, responder: address, contents: [content]), to: from)
    return (offer.sid, stream, from)
  }

  /// The next request of an in-band bytestream.
  func inBand(_ name: String) async throws -> IQ {
    try IQ(try await next { $0.first(name, InBandBytestream.namespace) != nil })
  }

  func answer(_ iq: IQ, _ error: StanzaError? = nil) {
    link.send(iq.reply(error.map { .error($0) } ?? .result(nil)).element)
  }
}

extension IQ {
  var condition: StanzaError.Condition? { if case .error(let error) = content { error.condition } else { nil } }
}

extension XMLElement {
  /// Changes each element of that name and namespace in it.
  mutating func change(_ name: String, _ namespace: String, _ change: (inout XMLElement) -> Void) {
    if self.is(name, namespace) { change(&self) }
    for index in nodes.indices {
      guard case .element(var child) = nodes[index] else { continue }
      child.change(name, namespace, change)
      nodes[index] = .element(child)
    }
  }

  func changing(_ name: String, _ namespace: String, _ change: (inout XMLElement) -> Void) -> XMLElement {
    var copy = self
    copy.change(name, namespace, change)
    return copy
  }
}
