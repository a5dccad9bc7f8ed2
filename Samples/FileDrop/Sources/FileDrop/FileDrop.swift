import Carillon
import Dispatch
import Foundation

/// Stores what its owners send it.
///
///     CARILLON_ACCOUNT=drop@example.org CARILLON_PASSWORD=… DROP_OWNERS=alice@example.org DROP_FOLDER=/srv/drop \
///       swift run FileDrop
///
/// CARILLON_HOST and CARILLON_PORT name a server other than DNS does, CARILLON_CA_FILE certificate authorities other than the
/// system's.
@main enum FileDrop {
  static func main() async {
    do { try await serve() } catch {
      tell("\(error)")
      exit(1)
    }
  }

  private static func serve() async throws {
    let environment = ProcessInfo.processInfo.environment
    guard let account = environment["CARILLON_ACCOUNT"], let password = environment["CARILLON_PASSWORD"],
      let owners = try environment["DROP_OWNERS"]?.split(separator: ",").map({ try JID(String($0)) }), !owners.isEmpty,
      let folder = environment["DROP_FOLDER"]
    else {
      tell("Set CARILLON_ACCOUNT, CARILLON_PASSWORD, DROP_OWNERS and DROP_FOLDER.")
      exit(78)
    }
    var configuration = Client.Configuration(account: try JID(account), password: password)
    configuration.server = environment["CARILLON_HOST"].map {
      Client.ServerAddress(host: $0, port: environment["CARILLON_PORT"].flatMap(Int.init))
    }
    configuration.certificateAuthorities = environment["CARILLON_CA_FILE"]
    configuration.maximumFileSize = 50_000_000_000

    let folders = Dictionary(uniqueKeysWithValues: Set(owners.map(\.bare)).map { ($0, folder + "/" + $0.description) })
    for folder in folders.values {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      try await IncomingFile.removeParts(in: folder)
    }

    var handlers = Client.Handlers()
    handlers.onOnline = { address in tell("online as \(address)") }
    // To everybody else it is as if nobody were here.
    handlers.allowsFile = { peer in folders[peer.bare] != nil }
    handlers.onFile = { file in
      let (peer, name) = (file.peer, file.file.name)
      guard let folder = folders[peer.bare] else { return await file.decline() }
      do {
        let receipt = try await file.receive(into: folder)
        tell("\(peer): \(receipt.path ?? name), \(receipt.size) bytes by \(receipt.way.rawValue), \(receipt.sha256)")
      } catch {
        tell("\(peer): \(name): \(error)")
      }
    }
    try await run(Client(configuration: configuration), handlers)
  }

  /// To be seen at once, in a service's journal too.
  private static func tell(_ line: String) {
    print(line)
    fflush(nil)
  }

  /// Runs the client until a signal comes. Cancelled, it ends its transfers, keeps their parts and says goodbye.
  private static func run(_ client: Client, _ handlers: Client.Handlers) async throws {
    let (signals, signalled) = AsyncStream.makeStream(of: Void.self)
    let sources = [SIGINT, SIGTERM].map { number in
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number)
      source.setEventHandler { signalled.yield() }
      source.resume()
      return source
    }
    defer { for source in sources { source.cancel() } }
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask {
        do { try await client.run(handlers) } catch is CancellationError {}
      }
      group.addTask { for await _ in signals { return } }
      try await group.next()
      group.cancelAll()
      try await group.waitForAll()
    }
  }
}
