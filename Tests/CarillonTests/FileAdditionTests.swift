import CarillonTesting
import Foundation
import JingleCore
import Testing
import XMPPCore

@testable import Carillon

/// Files that are put into a session that runs.
@Suite(.serialized, .timeLimit(.minutes(1)))
struct FileAdditionTests {
  private static let alice = jid("alice@localhost/laptop")
  private static let bob = FileStage.bobsAddress

  /// A stream that gives a byte, and the rest when the test lets it.
  private final class Held: Sendable {
    let chunks: AsyncStream<[UInt8]>
    private let feed: AsyncStream<[UInt8]>.Continuation

    init() {
      (chunks, feed) = AsyncStream.makeStream()
      feed.yield([1])
    }

    func release() {
      feed.yield([2, 3])
      feed.finish()
    }
  }

  private func file(_ path: String, _ ways: FileTransferWay...) -> OutgoingFile {
    OutgoingFile(path: path).going(ways.isEmpty ? FileTransferWay.direct : ways)
  }

  /// Sends a first file that stays under way until `body`, which adds others to its session, has returned.
  private func sending(
    _ alice: Client, to peer: JID, _ way: FileTransferWay = .inBand,
    _ body: @escaping @Sendable (Carillon.FileTransfer) async throws -> Void
  ) async throws -> FileReceipt {
    let (held, failures) = (Held(), Log<any Error>())
    var first = OutgoingFile(held.chunks, name: "first")
    first.ways = [way]
    let receipt = try await alice.send(first, to: peer) { transfer in
      for await event in transfer.events { if case .started = event { break } }
      do { try await body(transfer) } catch { failures.append(error) }
      held.release()
    }
    if let failure = failures.entries.first { throw failure }
    return receipt
  }

  // MARK: Between clients

  @Test("Files that are added go in the session of the first, each by itself", arguments: FileTransferWay.direct)
  func added(way: FileTransferWay) async throws {
    let folders = try FileFolders()
    let paths = try ["a", "b"].map { try folders.make($0, 100_001) }
    let (log, sids) = (Log<Jingle>(), Log<String>())
    try await withFileClients(InMemoryServer(noting: log), bob: .taking(into: folders.inbox)) { alice, _ in
      let first = try await sending(alice, to: Self.bob) { transfer in
        sids.append(transfer.sid)
        async let a = transfer.add(file(paths[0], way)) { sids.append($0.sid) }
        async let b = transfer.add(file(paths[1], way)) { sids.append($0.sid) }
        for receipt in try await [a, b] { #expect(receipt.way == way && receipt.isConfirmed) }
        // After one another too.
        var again = file(paths[0], way)
        again.name = "c"
        try await transfer.add(again) { sids.append($0.sid) }
      }
      #expect(first.size == 3)
    }
    #expect(folders.names == ["a", "b", "c", "first"])
    for (path, name) in [(paths[0], "a"), (paths[1], "b"), (paths[0], "c")] {
      #expect(FileManager.default.contentsEqual(atPath: path, andPath: folders.inbox + "/" + name))
    }
    #expect(Set(sids.entries).count == 1 && sids.entries.count == 4)
    let actions = log.entries.map(\.action)
    #expect(actions.count { $0 == .sessionInitiate } == 1)
    #expect(actions.count { $0 == .contentAdd } == 3 && actions.count { $0 == .contentAccept } == 3)
    #expect(log.entries.filter { $0.action == .sessionTerminate }.map(\.reason?.condition) == [.success])
  }

  @Test("A file that is added while the first is only offered waits for its acceptance, and then is offered")
  func addedEarly() async throws {
    let folders = try FileFolders()
    let paths = try ["a", "b"].map { try folders.make($0, 5_000) }
    let (log, offered, answers) = (Log<Jingle>(), Log<String>(), AsyncStream.makeStream(of: Void.self))
    var handlers = Client.Handlers()
    handlers.onFile = { [inbox = folders.inbox] offer in
      offered.append(offer.file.name)
      if offer.file.name == "a" { for await _ in answers.stream { break } }
      try await offer.receive(into: inbox)
    }
    let server = InMemoryServer(noting: log)
    try await withClient(server, "\(Self.bob)", handlers: handlers) { _ in
      try await withClient(server, "\(Self.alice)") { alice in
        let results = Log<FileReceipt>()
        try await alice.send(file(paths[0]), to: Self.bob) { transfer in
          try? await until { offered.entries == ["a"] }
          async let added = transfer.add(file(paths[1]))
          try? await until { await alice.hasTwoTransfers }
          answers.continuation.yield()
          if let receipt = try? await added { results.append(receipt) }
        }
        #expect(results.entries.map(\.isConfirmed) == [true])
      }
    }
    #expect(folders.names == ["a", "b"] && offered.entries == ["a", "b"])
    let actions = log.entries.map(\.action)
    #expect(actions.count { $0 == .sessionInitiate } == 1)
    // The file is added to what the peer has accepted, if not all of it has gone by then.
    let (accepted, added) = (actions.firstIndex(of: .sessionAccept), actions.firstIndex(of: .contentAdd))
    #expect(added.map { $0 > accepted ?? .max } ?? false)
  }

  @Test("An added file falls back by itself, in the session")
  func fallsBack() async throws {
    let folders = try FileFolders()
    let path = try folders.make("a", 50_000)
    let log = Log<Jingle>()
    let server = InMemoryServer(noting: log) { stanza in
      stanza.changing("candidate", SOCKS5Transport.namespace) { $0[attribute: "port"] = "1" }
    }
    try await withFileClients(server, bob: .taking(into: folders.inbox)) { alice, _ in
      _ = try await sending(alice, to: Self.bob) { transfer in
        let events = Log<FileTransferEvent>()
        let receipt = try await transfer.add(file(path, .socks5, .inBand)) {
          for await event in $0.events { events.append(event) }
        }
        #expect(receipt.way == .inBand && events.entries.fallBacks.map(\.to) == [.inBand])
      }
    }
    #expect(folders.names == ["a", "first"])
    #expect(log.entries.count { $0.action == .sessionInitiate } == 1)
  }

  @Test("What the peer declines is declined, and not offered again; the others go on")
  func declined() async throws {
    let folders = try FileFolders()
    let paths = try ["no-a", "b"].map { try folders.make($0, 50_000) }
    let log = Log<Jingle>()
    try await withFileClients(InMemoryServer(noting: log), bob: .taking(into: folders.inbox)) { alice, _ in
      _ = try await sending(alice, to: Self.bob) { transfer in
        #expect(await code { try await transfer.add(file(paths[0])) } == .declined)
        try await transfer.add(file(paths[1]))
      }
    }
    #expect(folders.names == ["b", "first"])
    #expect(log.entries.count { $0.action == .sessionInitiate } == 1)
  }

  @Test("An added file that is cancelled leaves the session to the first", arguments: [true, false])
  func cancelled(byTask: Bool) async throws {
    let folders = try FileFolders()
    let path = try folders.make("a", 30_000_000)
    try await withFileClients(InMemoryServer(), bob: .taking(into: folders.inbox)) { alice, _ in
      _ = try await sending(alice, to: Self.bob) { transfer in
        let started = Log<Void>()
        await withThrowingTaskGroup(of: Void.self) { group in
          group.addTask {
            try await transfer.add(file(path, .inBand)) { added in
              for await event in added.events {
                guard case .started = event else { continue }
                if byTask { started.append(()) } else { await added.cancel() }
              }
            }
          }
          if byTask {
            try? await until { started.entries.count == 1 }
            group.cancelAll()
          }
          #expect(await code { try await group.next() } == .failed)
        }
      }
    }
    #expect(folders.names.contains("first") && !folders.names.contains("a"))
  }

  @Test("When nothing is under way in the session any more, a file has one of its own")
  func late() async throws {
    let folders = try FileFolders()
    let paths = try ["a", "b"].map { try folders.make($0, 5_000) }
    let log = Log<Jingle>()
    let sids = Log<String>()
    try await withFileClients(InMemoryServer(noting: log), bob: .taking(into: folders.inbox)) { alice, _ in
      let kept = Log<Carillon.FileTransfer>()
      try await alice.send(file(paths[0]), to: Self.bob) { kept.append($0) }
      let receipt = try await kept.entries[0].add(file(paths[1])) { sids.append($0.sid) }
      #expect(receipt.isConfirmed && sids.entries != [kept.entries[0].sid])
    }
    #expect(folders.names == ["a", "b"])
    #expect(log.entries.count { $0.action == .sessionInitiate } == 2)
    #expect(!log.entries.contains { $0.action == .contentAdd })
  }

  @Test("Who is offered a file does not put others into that session, but offers them in one of its own")
  func byResponder() async throws {
    let folders = try FileFolders()
    let path = try folders.make("back", 5_000)
    let log = Log<Jingle>()
    let server = InMemoryServer(noting: log)
    let received = Log<FileReceipt>()
    var handlers = Client.Handlers()
    handlers.onFile = { [inbox = folders.inbox] offer in
      try await offer.receive(into: inbox) { transfer in
        if let receipt = try? await transfer.add(file(path)) { received.append(receipt) }
      }
    }
    var taking = Client.Handlers()
    taking.onFile = { [inbox = folders.inbox] offer in try await offer.receive(into: inbox) }
    try await withClient(server, "\(Self.bob)", handlers: handlers) { [taking] _ in
      try await withClient(server, "\(Self.alice)", handlers: taking) { alice in
        var first = OutgoingFile(AsyncStream<[UInt8]> { $0.yield([1]); $0.finish() }, name: "first")
        first.ways = [.inBand]
        try await alice.send(first, to: Self.bob)
        try await until { received.entries.count == 1 }
      }
    }
    #expect(folders.names == ["back", "first"])
    #expect(log.entries.count { $0.action == .sessionInitiate } == 2)
  }

  // MARK: Scripts

  /// Runs Alice, whose first file a script has accepted, and who then adds another.
  private func withAddition(
    _ play: @escaping @Sendable (_ peer: ScriptedPeer, _ sid: String, _ addition: Jingle.Content) async throws -> Void
  ) async throws -> (result: Result<FileReceipt, CallError>, log: [Jingle]) {
    let folders = try FileFolders()
    let path = try folders.make("second", 5)
    let (log, results) = (Log<Jingle>(), Log<Result<FileReceipt, CallError>>())
    let server = InMemoryServer(noting: log)
    try await withClient(server, "\(Self.alice)") { alice in
      try await withScript(server, "mallory@localhost/script", features: ScriptedPeer.takingFiles) { peer in
        async let played: Void = {
          let (sid, _, _) = try await peer.acceptFile()
          await peer.answer(try await peer.inBand("open"))
          let (addition, _) = try await peer.jingle(.contentAdd)
          try await play(peer, sid, try #require(addition.contents.first))
        }()
        let first = Task {
          try await sending(alice, to: peer.address) { transfer in
            do { results.append(.success(try await transfer.add(file(path, .inBand)))) } catch {
              results.append(.failure(CallError(of: error)))
            }
          }
        }
        try await played
        try await until { results.entries.count == 1 }
        first.cancel()
        _ = await first.result
        try await until { await alice.hasNoTransfers }
      }
    }
    return (results.entries[0], log.entries)
  }

  /// Takes all that comes in a bytestream, and says so.
  private static func take(
    _ peer: ScriptedPeer, _ sid: String, _ content: Jingle.Content, by action: Jingle.Action
  ) async throws {
    let stream = try #require(content.transport?.inBand?.sid)
    try await peer.request(Jingle(action, sid: sid, responder: peer.address, contents: [content]), to: alice)
    while true {
      let iq = try IQ(
        try await peer.next {
          ($0.first("open", InBandBytestream.namespace) ?? $0.first("data", InBandBytestream.namespace))?[
            attribute: "sid"] == stream
        })
      await peer.answer(iq)
      if iq.request?.name == "data" { break }
    }
    let news = FileInfo.received(.init(creator: .initiator, name: content.name))
    try await peer.request(Jingle(.sessionInfo, sid: sid, payloads: [news.element]), to: alice)
  }

  @Test("Answers about what was never added, twice and under wrong names change nothing")
  func hostile() async throws {
    let (result, log) = try await withAddition { peer, sid, addition in
      func answer(_ action: Jingle.Action, _ names: String...) async throws -> StanzaError.Condition? {
        let contents = names.map { name in
          var content = addition
          content.name = name
          return content
        }
        return try await peer.request(Jingle(action, sid: sid, contents: contents), to: Self.alice).condition
      }
      let name = addition.name
      #expect(try await answer(.contentAccept, "never") == .itemNotFound)
      #expect(try await answer(.contentAccept, "file") == .unexpectedRequest)
      #expect(try await answer(.contentAccept, name, "never") == .itemNotFound)
      #expect(try await answer(.contentReject, "never") == .itemNotFound)
      try await Self.take(peer, sid, addition, by: .contentAccept)
      // The file is not forgotten before the peer says that it has it.
      #expect(try await answer(.contentAccept, "never") == .unexpectedRequest)
    }
    #expect(try result.get().size == 5 && result.get().isConfirmed)
    #expect(log.count { $0.action == .sessionInitiate } == 1)
  }

  @Test(
    "A file that the session does not take has one of its own",
    arguments: ["nothing", "applications", "end", "nonsense"])
  func elsewhere(how: String) async throws {
    let (result, log) = try await withAddition { peer, sid, addition in
      switch how {
      case "nothing":
        try await peer.request(
          Jingle(.contentReject, sid: sid, contents: [Jingle.Content(name: addition.name)]), to: Self.alice)
      case "applications":
        try await peer.request(
          Jingle(
            .contentReject, sid: sid, contents: [Jingle.Content(name: addition.name)],
            reason: Jingle.Reason(.unsupportedApplications)), to: Self.alice)
      case "nonsense":
        let twice = Jingle(.contentAccept, sid: sid, contents: [addition, addition])
        #expect(try await peer.request(twice, to: Self.alice).condition == .badRequest)
        // The peer may take it for a part of the session.
        let (removal, _) = try await peer.jingle(.contentRemove)
        #expect(removal.contents.map(\.name) == [addition.name])
      default:
        // It had all that it knew of.
        try await peer.request(
          Jingle(.sessionTerminate, sid: sid, reason: Jingle.Reason(.success)), to: Self.alice)
      }
      let (offer, _) = try await peer.jingle(.sessionInitiate)
      let content = try #require(offer.contents.first)
      #expect(offer.sid != sid && content.description?.file?.name == "second")
      try await Self.take(peer, offer.sid, content, by: .sessionAccept)
    }
    #expect(try result.get().size == 5 && result.get().isConfirmed)
    #expect(log.count { $0.action == .sessionInitiate } == 2 && log.count { $0.action == .contentAdd } == 1)
  }

  @Test("A peer that knows no additions gets the file in a session of its own")
  func unknownToPeer() async throws {
    let folders = try FileFolders()
    let path = try folders.make("a", 5_000)
    let log = Log<Jingle>()
    // What the peer is asked is an action that it does not know.
    let server = InMemoryServer(noting: log) { stanza in
      stanza.changing("jingle", Jingle.namespace) {
        if $0[attribute: "action"] == "content-add" { $0[attribute: "action"] = "content-extend" }
      }
    }
    try await withFileClients(server, bob: .taking(into: folders.inbox)) { alice, _ in
      _ = try await sending(alice, to: Self.bob) { transfer in
        let sids = Log<String>()
        try await transfer.add(file(path)) { sids.append($0.sid) }
        #expect(sids.entries.count == 1 && sids.entries != [transfer.sid])
        // Of a stream, nothing was read for the session that did not take it.
        let bytes = AsyncStream<[UInt8]> { continuation in
          for byte in UInt8(0)..<100 { continuation.yield([byte]) }
          continuation.finish()
        }
        let receipt = try await transfer.add(OutgoingFile(bytes, name: "b"))
        #expect(receipt.size == 100 && receipt.isConfirmed)
      }
    }
    #expect(folders.names == ["a", "b", "first"])
    #expect(log.entries.count { $0.action == .sessionInitiate } == 3)
  }

  @Test(
    "What a peer declines by name is not offered again", arguments: [Jingle.Action.contentReject, .sessionTerminate])
  func declinedByScript(action: Jingle.Action) async throws {
    let (result, log) = try await withAddition { peer, sid, addition in
      let contents = action == .contentReject ? [Jingle.Content(name: addition.name)] : []
      try await peer.request(
        Jingle(action, sid: sid, contents: contents, reason: Jingle.Reason(.decline)), to: Self.alice)
    }
    #expect(result.error?.code == .declined)
    #expect(log.count { $0.action == .sessionInitiate } == 1)
  }
}

extension Client {
  fileprivate var hasTwoTransfers: Bool { transfers.count == 2 }
}
