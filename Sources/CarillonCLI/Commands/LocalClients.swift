import Carillon
import CarillonTesting

/// Two clients in this process whose stanzas pass through memory: real media, no server, no account.
struct LocalClients: Sendable {
  let caller: Client
  let callee: Client
  let calleeAddress: JID

  init() throws {
    let server = InMemoryServer()
    calleeAddress = try JID("bob@localhost/demo")
    caller = server.makeClient(Client.Configuration(account: try JID("alice@localhost/demo"), password: ""))
    callee = server.makeClient(Client.Configuration(account: calleeAddress, password: ""))
  }

  /// Runs both clients beside `work`, which begins when the called one is there to be called.
  func run(
    in session: Session, caller: Client.Handlers, callee: Client.Handlers, work: @escaping @Sendable () async throws -> Void
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
