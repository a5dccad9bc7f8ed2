import Carillon
import Foundation

/// Answers every call and sends back what it hears.
///
///     CARILLON_ACCOUNT=echo@example.org CARILLON_PASSWORD=… swift run EchoCall
///
/// CARILLON_HOST names a server other than DNS does, CARILLON_CA_FILE certificate authorities other than the system's.
@main enum EchoCall {
  static func main() async throws {
    let environment = ProcessInfo.processInfo.environment
    guard let account = environment["CARILLON_ACCOUNT"], let password = environment["CARILLON_PASSWORD"] else {
      print("Set CARILLON_ACCOUNT and CARILLON_PASSWORD.")
      exit(78)
    }
    var configuration = Client.Configuration(account: try JID(account), password: password)
    configuration.server = environment["CARILLON_HOST"].map { Client.ServerAddress(host: $0) }
    configuration.certificateAuthorities = environment["CARILLON_CA_FILE"]

    var handlers = Client.Handlers()
    handlers.onOnline = { address in print("online as \(address)") }
    handlers.onCall = { call in
      let peer = call.peer
      let echo = Echo()
      // Each call has its own echo; several may run at once.
      try await call.answer(with: MediaOffer(audio: echo, audioSink: echo)) { call in
        for await event in call.events {
          switch event {
          case .connected(let report): print("\(peer): connected in \(report.setupTime), \(report.srtpProfile)")
          case .ended(let end): print("\(peer): ended, \(end.reason)")
          default: break
          }
        }
      }
    }
    do { try await Client(configuration: configuration).run(handlers) } catch {
      print(error)
      exit(1)
    }
  }
}
