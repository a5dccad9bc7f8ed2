import CarillonTesting
import Logging
import MediaTime
import Synchronization
import Testing
import XMPPCore

@testable import Carillon

func jid(_ string: String) -> JID {
  do { return try JID(string) } catch { preconditionFailure("\(string) is no address") }
}

/// Something that tests write from any side.
final class Log<Entry: Sendable>: Sendable {
  private let state = Mutex<[Entry]>([])

  var entries: [Entry] { state.withLock { $0 } }
  func append(_ entry: Entry) { state.withLock { $0.append(entry) } }
}

/// Waits until something is so; the test's time limit ends what never comes.
func until(_ condition: () async -> Bool) async throws {
  while await !condition() { try await Task.sleep(for: .milliseconds(5)) }
}

typealias OnCall = @Sendable (consuming IncomingCall) async throws -> Void

func configuration(_ address: String) -> Client.Configuration {
  var logger = Logger(label: "test")
  logger.logLevel = .critical
  return Client.Configuration(account: jid(address), password: "", logger: logger)
}

/// Runs a client of `server` around `body`, which begins when it is online.
func withClient<Result: Sendable>(
  _ server: InMemoryServer, _ address: String, configure: (inout Client.Configuration) -> Void = { _ in },
  handlers: Client.Handlers = .init(), allows: (@Sendable (JID) -> Bool)? = nil, onCall: OnCall? = nil,
  _ body: @escaping @Sendable (Client) async throws -> Result
) async throws -> Result {
  var settings = configuration(address)
  configure(&settings)
  return try await withRunning(
    server.makeClient(settings), handlers: handlers, allows: allows, onCall: onCall, body)
}

func withRunning<Result: Sendable>(
  _ client: Client, handlers: Client.Handlers = .init(), allows: (@Sendable (JID) -> Bool)? = nil,
  onCall: OnCall? = nil, _ body: @escaping @Sendable (Client) async throws -> Result
) async throws -> Result {
  var handlers = handlers
  handlers.onCall = onCall
  handlers.allowsCall = allows
  let (online, tell) = AsyncStream.makeStream(of: JID.self)
  handlers.onOnline = { tell.yield($0) }
  return try await withThrowingTaskGroup(of: Void.self) { [handlers] group in
    group.addTask {
      do { try await client.run(handlers) } catch is CancellationError {}
    }
    for await _ in online { break }
    let result = try await body(client)
    group.cancelAll()
    return result
  }
}

extension MediaOffer {
  static func tone(_ frequency: Double, to sink: (any AudioSink)? = nil) -> MediaOffer {
    MediaOffer(audio: Tone(frequency), audioSink: sink ?? Ear())
  }
}

/// Answers and stays until the caller hangs up.
func answering(_ offer: @escaping @Sendable () -> MediaOffer, log: Log<CallEvent>? = nil) -> OnCall {
  { incoming in
    try await incoming.answer(with: offer()) { call in
      for await event in call.events { log?.append(event) }
    }
  }
}

extension CallEvent {
  var name: String {
    switch self {
    case .proposed: "proposed"
    case .ringing: "ringing"
    case .proceeding: "proceeding"
    case .connecting: "connecting"
    case .connected: "connected"
    case .added: "added"
    case .refused: "refused"
    case .modified: "modified"
    case .removed: "removed"
    case .muted: "muted"
    case .unmuted: "unmuted"
    case .held: "held"
    case .unheld: "unheld"
    case .dtmf: "dtmf"
    case .restartingICE: "restartingICE"
    case .pathChanged: "pathChanged"
    case .mediaMissing: "mediaMissing"
    case .mediaFound: "mediaFound"
    case .signallingLost: "signallingLost"
    case .signallingRestored: "signallingRestored"
    case .statistics: "statistics"
    case .warning: "warning"
    case .ended: "ended"
    }
  }
}

extension [CallEvent] {
  /// Without what may come at any time.
  var names: [String] { map(\.name).filter { $0 != "statistics" && $0 != "warning" } }
  var report: ConnectionReport? { compactMap { if case .connected(let report) = $0 { report } else { nil } }.first }
  var warnings: [CallError] { compactMap { if case .warning(let warning) = $0 { warning } else { nil } } }
  var end: CallEnd? { if case .ended(let end)? = last { end } else { nil } }
}

extension Client {
  /// Calls, stays until the end, and tells what happened.
  ///
  /// - Parameter until: hangs up as soon as this is so, asked at each event.
  func follow(
    _ peer: String, _ offer: MediaOffer, until isEnough: @escaping @Sendable (CallEvent) -> Bool = { _ in false }
  ) async -> (events: [CallEvent], error: CallError?) {
    let log = Log<CallEvent>()
    do {
      try await withCall(to: jid(peer), offering: offer) { call in
        for await event in call.events {
          log.append(event)
          if isEnough(event) { await call.hangUp() }
        }
      }
      return (log.entries, nil)
    } catch {
      return (log.entries, error as? CallError)
    }
  }

  var callCount: Int { calls.count }
  /// Whether a device's presence has come.
  func knows(_ device: JID) -> Bool { presences[device] != nil }

  func proposalDeadline(_ sid: String) -> Instant? { calls[sid]?.incoming?.nextDeadline }

  var isIdle: Bool { calls.isEmpty && offered.isEmpty }

  /// Watches over the calls of the moment without keeping them.
  func watch() -> [CallWatch] { calls.values.map(CallWatch.init) }
}

/// Tells whether a call is still held by anybody.
final class CallWatch: @unchecked Sendable {
  // Proof of Sendable: the reference is only compared with nil, and reading a weak reference is atomic.
  private weak var call: ActiveCall?
  var isGone: Bool { call == nil }

  init(_ call: ActiveCall) { self.call = call }
}

extension CallEvent {
  var isConnected: Bool { if case .connected = self { true } else { false } }
  var isRinging: Bool { if case .ringing = self { true } else { false } }
  var isConnecting: Bool { if case .connecting = self { true } else { false } }
}
