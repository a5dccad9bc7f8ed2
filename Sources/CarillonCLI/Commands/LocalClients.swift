import Carillon
import CarillonTesting
import MediaEngine

/// Two clients in this process whose stanzas pass through memory: real media, no server, no account.
struct LocalClients: Sendable {
  /// As `top -H` shows the threads of media loops that are not shared.
  static let callerLoopName = "caller-media"
  static let calleeLoopName = "callee-media"

  let caller: Client
  let callee: Client
  let calleeAddress: JID

  /// - Parameters:
  ///   - maximumCalls: how many calls the two may have with each other at once.
  ///   - sharesLoop: whether both ends' media runs on one loop, as that of a service's calls does.
  init(maximumCalls: Int = 1, sharesLoop: Bool = true) throws {
    let server = InMemoryServer()
    calleeAddress = try JID("bob@localhost/demo")
    func client(_ account: JID, loopName: String) -> Client {
      var configuration = Client.Configuration(account: account, password: "")
      configuration.maximumCalls = maximumCalls
      configuration.migratesCalls = false
      if sharesLoop { return server.makeClient(configuration) }
      return Client(configuration: configuration, loop: GLibLoop(name: loopName), localAddresses: ["127.0.0.1"]) {
        server.connect(account)
      }
    }
    caller = client(try JID("alice@localhost/demo"), loopName: Self.callerLoopName)
    callee = client(calleeAddress, loopName: Self.calleeLoopName)
  }

  /// Runs both clients beside `work`, which begins when the called one is there to be called.
  func run(
    in session: Session, caller: Client.Handlers, callee: Client.Handlers,
    work: @escaping @Sendable () async throws -> Void
  ) async throws {
    let (online, cameOnline) = AsyncStream.makeStream(of: Void.self)
    var announced = callee
    announced.onOnline = { address in
      await callee.onOnline?(address)
      cameOnline.yield()
    }
    try await session.run([
      { try await self.caller.run(caller) },
      { [announced] in try await self.callee.run(announced) },
    ]) {
      for await _ in online { break }
      try await work()
    }
  }
}
