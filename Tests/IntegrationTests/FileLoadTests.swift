import Carillon
import Foundation
import Logging
import Synchronization
import Testing

extension IntegrationTests {
  /// Many files between two accounts of a real server.
  @Suite(.serialized) struct FileLoadTests {
    private static let ways: [FileTransferWay] = [.dataChannel, .socks5, .inBand]
    private static let sizes = [0, 1, 4095, 4096, 70_000, 300_001, 1_000_000, 3_000_000, 8_000_000, 20_000_000]

    private func client(_ account: String, _ server: XMPPServer) throws -> Client {
      var logger = Logger(label: "test")
      logger.logLevel = .critical
      var configuration = Client.Configuration(
        account: try JID(account), password: Rig.current.password, logger: logger)
      let parts = try Rig.current.host(of: server).split(separator: ":")
      configuration.server = .init(host: String(parts[0]), port: Int(parts[1]))
      configuration.certificateAuthorities = Rig.current.certificateAuthority
      return Client(configuration: configuration)
    }

    /// What came in, by name.
    private final class Inbox: Sendable {
      let path: String
      private let receipts = Mutex<[String: FileReceipt]>([:])
      var all: [String: FileReceipt] { receipts.withLock { $0 } }

      init() throws {
        path = Rig.current.file("inbox")
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
      }

      func handlers(_ online: AsyncStream<Void>.Continuation) -> Client.Handlers {
        var handlers = Client.Handlers()
        handlers.onOnline = { _ in online.yield() }
        handlers.onFile = { [self] offer in
          let receipt = try await offer.receive(into: path)
          receipts.withLock { $0[receipt.name] = receipt }
        }
        return handlers
      }
    }

    @Test(
      "Twenty files at once, ten each way, of all sizes and by all ways, arrive with equal hashes",
      .timeLimit(.minutes(3)), arguments: XMPPServer.allCases)
    func twenty(server: XMPPServer) async throws {
      let names = [Rig.current.account() + "/a", Rig.current.account() + "/b"]
      let clients = try names.map { try client($0, server) }
      let inboxes = [try Inbox(), try Inbox()]
      let random = try #require(FileHandle(forReadingAtPath: "/dev/urandom"))
      // The largest do not go through the servers, which takes its time.
      let files = try Self.sizes.enumerated().map { index, size in
        let path = Rig.current.file("bin")
        try (random.read(upToCount: size) ?? Data()).write(to: URL(filePath: path))
        let ways: [FileTransferWay] = size > 1_000_000 ? [.dataChannel, .socks5] : Self.ways
        return (path: path, way: ways[index % ways.count])
      }
      let (online, tell) = AsyncStream.makeStream(of: Void.self)
      try await withThrowingTaskGroup(of: Void.self) { group in
        for (client, inbox) in zip(clients, inboxes) {
          group.addTask { try await client.run(inbox.handlers(tell)) }
        }
        var count = 0
        for await _ in online {
          count += 1
          if count == 2 { break }
        }
        let receipts = try await withThrowingTaskGroup(of: (Int, String, FileReceipt).self) { sending in
          for direction in 0..<2 {
            for file in files {
              sending.addTask {
                var outgoing = OutgoingFile(path: file.path)
                outgoing.ways = [file.way]
                let receipt = try await clients[direction].send(outgoing, to: try JID(names[1 - direction]))
                return (direction, file.path, receipt)
              }
            }
          }
          var receipts: [(direction: Int, path: String, receipt: FileReceipt)] = []
          for try await receipt in sending { receipts.append(receipt) }
          return receipts
        }
        #expect(receipts.count == 20)
        for (direction, path, receipt) in receipts {
          let name = URL(filePath: path).lastPathComponent
          let inbox = inboxes[1 - direction]
          while inbox.all[name] == nil { try await Task.sleep(for: .milliseconds(10)) }
          #expect(receipt.isConfirmed && inbox.all[name]?.isConfirmed == true)
          #expect(receipt.sha256.count == 64 && inbox.all[name]?.sha256 == receipt.sha256)
          #expect(FileManager.default.contentsEqual(atPath: path, andPath: inbox.path + "/" + name))
        }
        #expect(Set(receipts.map(\.receipt.way)) == Set(Self.ways))
        for inbox in inboxes { #expect(try FileManager.default.contentsOfDirectory(atPath: inbox.path).count == 10) }
        group.cancelAll()
        // They end by being cancelled.
        while let result = await group.nextResult() {
          if case .failure(let error) = result, !(error is CancellationError) { throw error }
        }
      }
    }
  }
}
