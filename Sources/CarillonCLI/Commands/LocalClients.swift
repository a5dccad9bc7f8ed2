import Carillon
import CarillonTesting

/// Two clients in this process whose stanzas pass through memory: real media, no server, no account.
struct LocalClients: Sendable {
  let caller: Client
  let callee: Client
  let calleeAddress: JID

  /// - Parameter maximumCalls: how many calls the two may have with each other at once.
  init(maximumCalls: Int = 1) throws {
    let server = InMemoryServer()
    calleeAddress = try JID("bob@localhost/demo")
    func client(_ account: JID) -> Client {
      var configuration = Client.Configuration(account: account, password: "")
      configuration.maximumCalls = maximumCalls
      return server.makeClient(configuration)
    }
    caller = client(try JID("alice@localhost/demo"))
    callee = client(calleeAddress)
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
