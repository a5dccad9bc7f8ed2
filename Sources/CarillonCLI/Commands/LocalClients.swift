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
}
