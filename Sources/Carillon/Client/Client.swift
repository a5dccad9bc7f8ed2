import Foundation
import JingleCore
import Logging
package import MediaEngine
import MediaTime
public import XMPPCore
import XMPPNetworking

/// One account on one device: connects, stays connected, places calls and takes them.
///
/// `run(_:)` owns all work and must be running for anything to happen. Isolated: every call's signalling is
/// handled one event at a time.
public actor Client {
  typealias Job = @Sendable () async -> Void

  public nonisolated let configuration: Configuration

  let connect: @Sendable () async throws -> any StanzaLink
  let loop: GLibLoop
  let responder: EntityResponder
  /// Where media may bind; empty for every interface. Tests and demonstrations stay on loopback.
  let localAddresses: [String]
  var logger: Logger { configuration.logger }

  var handlers = Handlers()
  private var isRunning = false
  /// Ran and does so no more.
  private var hasStopped = false
  private(set) var jobs: AsyncStream<Job>.Continuation?
  /// When the server is asked whether it is still there, unless something comes from it before.
  var silenceDeadline: Instant?
  private var sleeper: (deadline: Instant, task: Task<Void, Never>)?
  private(set) var onlineWaiters: [UUID: CheckedContinuation<Void, any Error>] = [:]

  /// How long to wait for the next stream.
  var backoff = Backoff.connecting
  /// Ends that wait.
  var hurry: AsyncStream<Void>.Continuation?
  /// The network has changed while there was no stream: the next attempt is not to wait.
  var isHurried = false

  // What belongs to the stream of the moment, or to the last one until there is another.
  var link: (any StanzaLink)? {
    didSet { outlet.link = link }
  }
  /// The same, for those who send without waiting for this client.
  let outlet = StanzaOutlet()
  /// The address under which this client is, or was last, known.
  var address: JID?
  var iqs: IQTracker
  /// By the requests' ids.
  var answers: [String: Outstanding] = [:]
  var requestCount = 0
  var roster: Roster
  var presences = PresenceTable()
  var capabilities = CapabilitiesCache()
  /// What could not be sent while there was no stream, without the requests. Bounded, later ones dropped: see `send`.
  var unsent: [XMLElement] = []

  var services: (list: [ExternalService], fetchedAt: Instant)?

  /// By `sid`, until everything of a call has stopped.
  var calls: [String: ActiveCall] = [:]
  /// Sessions of files, by their handles, and the files under way in them.
  var fileSessions: [String: ActiveFileSession] = [:]
  var transfers: [UUID: ActiveTransfer] = [:]
  /// Files that go by way of web servers.
  var web = WebTransfers()
  /// How long files are waited for.
  var fileLimits = JingleCore.FileTransfer.Limits()
  /// What the account's server is and has; nil before it was asked.
  var entities: [(jid: JID, info: DiscoInfo)]?
  /// Those of the account's server that carry bytestreams; nil before they were asked for.
  var proxies: [StreamHost]?
  /// Calls that came in, over ones too, while their handlers run.
  var offered: [UUID: ActiveCall] = [:]
  var router: JingleRouter<String>
  /// What was heard of proposals, across streams.
  var ledger: ProposalLedger
  var ringLimit = RingLimit()
  /// Whether the server copies messages to the account's other devices.
  var hasCarbons = false
  /// Invitations that may still be taken back. Bound: `maximumInvitations`, the oldest are forgotten.
  var invitations: [CallInvitation] = []
  var random = SystemRandomNumberGenerator()

  /// - Parameter configuration: checked when `run` connects.
  public init(configuration: Configuration) {
    // The same resource each time, so that the peers of running calls find this device again.
    let resource = configuration.account.resourcepart ?? "carillon.\(UUID().uuidString.prefix(8).lowercased())"
    let connector = ServerConnector(configuration, resource: resource)
    self.init(configuration: configuration, loop: GLibLoop()) {
      try await connector.connect()
    }
  }

  /// - Parameters:
  ///   - loop: where the client's media runs; a service spreads its clients over several.
  ///   - localAddresses: where media may bind; empty for every interface.
  ///   - connect: makes the link to run on; called again after each that went down.
  package init(
    configuration: Configuration, loop: GLibLoop, localAddresses: [String] = [],
    connect: @escaping @Sendable () async throws -> any StanzaLink
  ) {
    self.configuration = configuration
    self.loop = loop
    self.localAddresses = localAddresses
    self.connect = connect
    iqs = IQTracker(account: configuration.account)
    roster = Roster(account: configuration.account)
    ledger = ProposalLedger(settling: configuration.settlingTime)
    router = JingleRouter(
      own: configuration.account, maximumSessions: configuration.maximumCalls + Self.maximumTransfers)
    responder = EntityResponder(
      info: DiscoInfo(
        identities: [.init(category: "client", type: "console", name: "Carillon")],
        features: [
          Jingle.namespace, RTPDescription.namespace, RTPDescription.feature("audio"), RTPDescription.feature("video"),
          ICETransport.namespace, DTLSFingerprint.namespace, JingleMessage.namespace, RTPInfo.namespace,
          RTPFeedback.namespace, RTPHeaderExtension.namespace, ContentGroup.feature, RTPSource.feature,
          Capabilities.namespace, InBandBytestream.namespace, BitsOfBinary.namespace, Thumbnail.namespace,
          OutOfBandData.noteNamespace,
        ] + FileTransferWay.allCases.flatMap(\.features) + FileDescription.features + HashAlgorithm.features),
      node: "urn:carillon")
  }

  /// Connects, stays connected and serves until it is cancelled. Never runs twice at a time.
  ///
  /// When the stream goes down it is made anew, or carried on where the server can (XEP-0198): after 1 s at first and
  /// 60 s at most. Calls in progress go on meanwhile, and are found again.
  ///
  /// - Throws: `CallError` when the first connection cannot be made, or a later one never will: the password is
  ///   refused, the configuration is wrong.
  public func run(_ handlers: Handlers) async throws {
    precondition(!isRunning, "a client runs once at a time")
    isRunning = true
    hasStopped = false
    self.handlers = handlers
    let (jobs, continuation) = AsyncStream.makeStream(of: Job.self)
    self.jobs = continuation
    let (changes, change) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    let monitor = localAddresses.isEmpty ? NetworkMonitor(on: loop) { change.yield() } : nil
    defer {
      monitor?.stop()
      change.finish()
      self.jobs = nil
      isRunning = false
      hasStopped = true
      sleeper?.task.cancel()
      sleeper = nil
      failOnlineWaiters(CallError(.serverUnreachable, "The client has stopped."))
    }
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask {
        await withDiscardingTaskGroup { children in
          for await job in jobs { children.addTask { await job() } }
        }
      }
      group.addTask { for await _ in changes { await self.addressesChanged() } }
      group.addTask { try await self.stayConnected() }
      do {
        try await group.next()
      } catch {
        failOnlineWaiters(error)
        await stopEverything()
        group.cancelAll()
        throw error
      }
      // Cancelled: say goodbye to every peer, then to the server.
      await stopEverything()
      group.cancelAll()
    }
    try Task.checkCancellation()
  }

  /// Calls a peer.
  ///
  /// - Parameters:
  ///   - peer: an account, all of whose devices ring, or one device.
  ///   - offer: what this side sends and where what it receives goes.
  ///   - body: runs from the proposal on; `call.events` tells what becomes of it. The call ends when it returns.
  /// - Returns: what `body` returned.
  /// - Throws: what `body` threw, or the `CallError` of a call that failed: `declined`, `busy`, `noAnswer`, …
  public func withCall<Result: Sendable>(
    to peer: JID, offering offer: MediaOffer, _ body: @Sendable (Call) async throws -> Result
  ) async throws -> Result {
    guard !offer.kinds.isEmpty else {
      throw CallError(.configuration, "There is nothing to send and nowhere to put what is received.")
    }
    try await waitUntilOnline()
    return try await inScope(try await place(callTo: peer, offer), body)
  }

  func answer<Result: Sendable>(
    _ id: UUID, with offer: MediaOffer, _ body: @Sendable (Call) async throws -> Result
  ) async throws -> Result {
    guard let call = offered[id], call.phase == .ringing else {
      throw offered[id]?.end?.error ?? CallError(.failed, "The call is over.")
    }
    guard !offer.kinds.isEmpty else {
      throw CallError(.configuration, "There is nothing to send and nowhere to put what is received.")
    }
    accept(call, with: offer)
    return try await inScope(call, body)
  }

  /// Runs `body`, then makes sure that the call is over and tells how it failed, if it did.
  private func inScope<Result: Sendable>(
    _ call: ActiveCall, _ body: @Sendable (Call) async throws -> Result
  ) async throws -> Result {
    let handle = Call(call, client: self)
    let result: Result
    do {
      result = try await body(handle)
    } catch {
      hangUp(call)
      _ = await end(of: call)
      throw error
    }
    hangUp(call)
    let end = await end(of: call)
    if let error = end.error { throw error }
    return result
  }

  private func end(of call: ActiveCall) async -> CallEnd {
    if call.isOver, let end = call.end { return end }
    return await withCheckedContinuation { call.whenOver.append($0) }
  }

  // MARK: Work

  /// Runs a job as a child of `run`.
  ///
  /// - Returns: false when the client stops or has stopped: the job is dropped.
  @discardableResult
  func spawn(_ job: @escaping Job) -> Bool {
    if case .enqueued? = jobs?.yield(job) { true } else { false }
  }

  func waitUntilOnline() async throws {
    if link != nil { return }
    if hasStopped { throw CallError(.serverUnreachable, "The client has stopped.") }
    let id = UUID()
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
        if Task.isCancelled { return continuation.resume(throwing: CancellationError()) }
        onlineWaiters[id] = continuation
      }
    } onCancel: {
      Task { await self.giveUpWaiting(id) }
    }
  }

  private func giveUpWaiting(_ id: UUID) {
    onlineWaiters.removeValue(forKey: id)?.resume(throwing: CancellationError())
  }

  func resumeOnlineWaiters() {
    for waiter in onlineWaiters.values { waiter.resume() }
    onlineWaiters = [:]
  }

  private func failOnlineWaiters(_ error: any Error) {
    for waiter in onlineWaiters.values { waiter.resume(throwing: error) }
    onlineWaiters = [:]
  }

  private func stopEverything() async {
    for call in Array(calls.values) { hangUp(call) }
    for id in Array(web.underWay.keys) + transfers.values.map(\.id) { cancelTransfer(id) }
    let link = link
    link?.send(Presence(.unavailable).element)
    // From here on nobody calls and nobody is called, and no answer is waited for.
    ended()
    unsent = []
    for call in Array(calls.values) { _ = await end(of: call) }
    await link?.close()
    jobs?.finish()
  }

  // MARK: Time

  /// Arms the one timer for whatever comes next.
  func rearm() {
    let own = [iqs.nextDeadline, silenceDeadline, ledger.nextDeadline]
    let files = fileSessions.values.map(\.nextDeadline) + transfers.values.map(\.nextDeadline)
    let next = (own + calls.values.map(\.nextDeadline) + files).compactMap(\.self).min()
    guard next != sleeper?.deadline else { return }
    sleeper?.task.cancel()
    sleeper = next.map { deadline in
      (
        deadline,
        Task {
          try? await Task.sleep(for: max(.zero, deadline - SystemClock.now))
          if !Task.isCancelled { self.timersFired() }
        }
      )
    }
  }

  private func timersFired() {
    sleeper = nil
    let now = SystemClock.now
    if let silenceDeadline, silenceDeadline <= now { pingServer(within: configuration.keepalive.answer) }
    for id in iqs.timeout(at: now) { answers.removeValue(forKey: id)?.then(.timedOut) }
    settleStoredProposals(at: now)
    for call in Array(calls.values) { timeout(call, at: now) }
    for transfer in Array(transfers.values) { timeout(transfer, at: now) }
    for session in Array(fileSessions.values) { timeout(session, at: now) }
    rearm()
  }
}
