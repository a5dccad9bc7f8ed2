import CarillonTesting
import Foundation
import JingleCore
import Testing
import XMPPCore

@testable import Carillon

/// Ways that are closed one after the other.
@Suite(.serialized, .timeLimit(.minutes(2)))
struct FileFallBackTests {
  /// A server through which some ways lead nowhere.
  private func server(
    without closed: Set<FileTransferWay>, noting actions: Log<Jingle.Action> = Log()
  ) -> InMemoryServer {
    InMemoryServer(rewriting: { stanza in
      var stanza = stanza
      if stanza[attribute: "type"] == "set", let element = stanza.first("jingle", Jingle.namespace),
        let jingle = try? Jingle(element)
      {
        actions.append(jingle.action)
      }
      // Whoever has no fingerprint offers no data channel; of the one who answers, so that the other can offer another.
      if closed.contains(.dataChannel), stanza[attribute: "to"] == "alice@localhost/laptop" {
        stanza.change("fingerprint", DTLSFingerprint.namespace) { $0.name = "nothing" }
      }
      if closed.contains(.socks5) {
        stanza.change("candidate", SOCKS5Transport.namespace) { $0[attribute: "port"] = "1" }
      }
      if closed.contains(.inBand) {
        stanza.change("open", InBandBytestream.namespace) { $0[attribute: "sid"] = "another" }
      }
      return stanza
    })
  }

  @Test(
    "What is closed is passed over, and said",
    arguments: [
      ([], [.dataChannel, .socks5, .inBand], .dataChannel),
      ([.dataChannel], [.dataChannel, .socks5, .inBand], .socks5),
      ([.socks5], [.socks5, .dataChannel], .dataChannel),
      ([.inBand], [.inBand, .socks5], .socks5),
      ([.dataChannel], [.dataChannel, .inBand], .inBand),
      ([.dataChannel, .socks5], [.dataChannel, .socks5, .inBand], .inBand),
      ([.inBand, .socks5], [.inBand, .socks5, .dataChannel], .dataChannel),
      ([.dataChannel, .socks5, .inBand], [.dataChannel, .socks5, .inBand], nil),
    ] as [(Set<FileTransferWay>, [FileTransferWay], FileTransferWay?)])
  func closed(_ closed: Set<FileTransferWay>, ways: [FileTransferWay], expected: FileTransferWay?) async throws {
    let folders = try FileFolders()
    let path = try folders.make("letter.txt", 100_001)
    try await withFilePair(folders, server(without: closed), limits: { $0.connection = .seconds(20) }) { pair in
      var file = OutgoingFile(path: path)
      file.ways = ways
      let events = pair.events
      let tried = Array(ways.prefix { closed.contains($0) })
      do {
        let receipt = try await pair.alice.send(file, to: FileStage.bobsAddress) { transfer in
          for await event in transfer.events { events.append(event) }
        }
        #expect(receipt.way == expected)
        try await pair.settle()
        #expect(try pair.received.entries[0].get().way == expected)
        #expect(FileManager.default.contentsEqual(atPath: path, andPath: folders.inbox + "/letter.txt"))
        #expect(events.entries.fallBacks.map(\.from) == tried)
      } catch let error as CallError {
        #expect(expected == nil && error.code == .connectivity, "\(error)")
        for way in ways { #expect(error.message.contains("\(way.rawValue): "), "\(error)") }
        try await pair.settle()
        #expect(pair.received.entries[0].error?.code == .connectivity, "\(pair.received.entries)")
        #expect(folders.names.isEmpty)
        #expect(events.entries.fallBacks.map(\.from) == Array(ways.dropLast()))
      }
      #expect(events.entries.fallBacks.allSatisfy { !$0.why.isEmpty })
    }
  }

  @Test(
    "Who asks for a file passes over what is closed as who offers one does",
    arguments: [
      ([], [.dataChannel, .socks5, .inBand], .dataChannel),
      ([.socks5], [.socks5, .inBand], .inBand),
      ([.dataChannel], [.dataChannel, .socks5, .inBand], .socks5),
      ([.dataChannel, .socks5], [.dataChannel, .socks5, .inBand], .inBand),
      ([.inBand, .socks5], [.inBand, .socks5, .dataChannel], .dataChannel),
      ([.dataChannel, .socks5, .inBand], [.dataChannel, .socks5, .inBand], nil),
    ] as [(Set<FileTransferWay>, [FileTransferWay], FileTransferWay?)])
  func asked(_ closed: Set<FileTransferWay>, ways: [FileTransferWay], expected: FileTransferWay?) async throws {
    let folders = try FileFolders()
    let path = try folders.make("letter.txt", 100_001)
    let events = Log<FileTransferEvent>()
    let given = Log<Result<FileReceipt, CallError>>()
    let actions = Log<Jingle.Action>()
    try await withGiver(path, server(without: closed, noting: actions), given) { alice, bob in
      let tried = Array(ways.prefix { closed.contains($0) })
      do {
        let receipt = try await alice.request(
          FileSelector(name: "letter.txt"), from: FileStage.bobsAddress, into: folders.inbox, ways: ways
        ) { transfer in
          for await event in transfer.events { events.append(event) }
        }
        #expect(receipt.way == expected && receipt.isConfirmed)
        #expect(FileManager.default.contentsEqual(atPath: path, andPath: folders.inbox + "/letter.txt"))
        #expect(events.entries.fallBacks.map(\.from) == tried)
        try await until { given.entries.count == 1 }
        let theirs = try given.entries[0].get()
        #expect((theirs.way, theirs.bytes, theirs.sha256) == (receipt.way, 100_001, receipt.sha256))
      } catch let error as CallError {
        #expect(expected == nil && error.code == .connectivity, "\(error)")
        for way in ways { #expect(error.message.contains("\(way.rawValue): "), "\(error)") }
        #expect(events.entries.fallBacks.map(\.from) == Array(ways.dropLast()))
        try await until { given.entries.count == 1 }
        #expect(given.entries[0].error?.code == .connectivity, "\(given.entries)")
        #expect(folders.names.isEmpty)
      }
      for client in [alice, bob] { try await until { await client.hasNoTransfers } }
      // In one session, and each way but the first in the place of the one before.
      let changes = events.entries.fallBacks.count
      #expect(actions.entries.count { $0 == .sessionInitiate } == 1)
      #expect(actions.entries.count { $0 == .transportReplace } == changes)
    }
  }

  @Test("A request for the rest of a file asks for that rest by each way that it tries")
  func askedRest() async throws {
    let folders = try FileFolders()
    let path = try folders.make("letter.txt", 3_000_000)
    let given = Log<Result<FileReceipt, CallError>>()
    let selector = FileSelector(name: "letter.txt")
    try await withGiver(path, InMemoryServer(), given) { alice, bob in
      let broken = await #expect(throws: CallError.self) {
        try await alice.request(
          selector, from: FileStage.bobsAddress, into: folders.inbox, ways: [.inBand]
        ) { transfer in
          for await event in transfer.events {
            if case .progress(let progress) = event, progress.bytes > 100_000 { await transfer.cancel() }
          }
        }
      }
      #expect(broken?.code == .failed && folders.parts.count == 1)
    }
    let events = Log<FileTransferEvent>()
    try await withGiver(path, server(without: [.dataChannel, .socks5]), given) { alice, _ in
      let receipt = try await alice.request(
        selector, from: FileStage.bobsAddress, into: folders.inbox, ways: [.dataChannel, .socks5, .inBand]
      ) { transfer in
        for await event in transfer.events { events.append(event) }
      }
      #expect(receipt.way == .inBand && receipt.size == 3_000_000 && receipt.bytes < 3_000_000)
      #expect(events.entries.fallBacks.map(\.to) == [.socks5, .inBand])
      #expect(FileManager.default.contentsEqual(atPath: path, andPath: folders.inbox + "/letter.txt"))
    }
  }

  @Test("A data channel that finds no path is passed over, whether a file is offered or asked for")
  func noPath() async throws {
    let folders = try FileFolders()
    let paths = try ["offered", "asked"].map { try folders.make($0, 100_001) }
    let server = InMemoryServer(rewriting: { stanza in
      var stanza = stanza
      for namespace in [ICETransport.namespace, DataChannelTransport.namespace, SOCKS5Transport.namespace] {
        stanza.change("candidate", namespace) { $0[attribute: "port"] = "1" }
      }
      return stanza
    })
    try await withGiver(paths[1], server, Log(), into: folders.inbox) { alice, bob in
      async let offered = alice.send(OutgoingFile(path: paths[0]), to: FileStage.bobsAddress)
      async let asked = alice.request(
        FileSelector(name: "asked"), from: FileStage.bobsAddress, into: folders.inbox)
      #expect(try await [offered.way, asked.way] == [.inBand, .inBand])
      for client in [alice, bob] { try await until { await client.hasNoTransfers } }
      for path in paths {
        let name = URL(fileURLWithPath: path).lastPathComponent
        #expect(FileManager.default.contentsEqual(atPath: path, andPath: folders.inbox + "/" + name))
      }
    }
  }

  /// Alice, and Bob, who gives one file to whoever asks for any.
  private func withGiver(
    _ path: String, _ server: InMemoryServer, _ given: Log<Result<FileReceipt, CallError>>, into inbox: String? = nil,
    _ body: @escaping @Sendable (_ alice: Client, _ bob: Client) async throws -> Void
  ) async throws {
    var handlers = Client.Handlers()
    handlers.onFileRequest = { request in
      do {
        given.append(.success(try await request.send(OutgoingFile(path: path))))
      } catch {
        given.append(.failure(error as? CallError ?? CallError(.failed, "\(error)")))
      }
    }
    if let inbox { handlers.onFile = { try await $0.receive(into: inbox) } }
    let clients = ["alice@localhost/laptop", "bob@localhost/desk"].map { server.makeClient(configuration($0)) }
    for client in clients { await client.setFileLimits { $0.connection = .seconds(20) } }
    try await withRunning(clients[1], handlers: handlers) { bob in
      try await withRunning(clients[0]) { alice in try await body(alice, bob) }
    }
  }
}
