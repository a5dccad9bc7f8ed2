import Carillon
import CarillonTesting

/// Two clients in this process whose stanzas pass through memory: real media, no server, no account.
struct LocalClients: Sendable {
  let caller: Client
  let callee: Client
  let calleeAddress: JID

  init() throws {
    let link = StanzaLink()
    calleeAddress = try JID("bob@demo.invalid")
    caller = link.client(Client.Configuration(account: try JID("alice@demo.invalid"), password: ""))
    callee = link.client(Client.Configuration(account: calleeAddress, password: ""))
  }
}
