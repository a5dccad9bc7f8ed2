import Foundation
import JingleCore
import MediaTime
import XMPPCore

// The stream: staying connected, what is said at its beginning, and who gets what arrives.
extension Client {
  /// A stream that lasted so long did not come by chance: the next one is waited for as briefly as ever.
  private static let stableAfter = Duration.seconds(30)

  func stayConnected() async throws {
    var wasOnline = false
    backoff.reset()
    while !Task.isCancelled {
      do {
        let link = try await connect()
        guard !Task.isCancelled else { return await link.close() }
        wasOnline = true
        let begin = SystemClock.now
        let reason = await serve(link)
        guard !Task.isCancelled else { return }
        if SystemClock.now - begin >= Self.stableAfter { backoff.reset() }
        logger.info("stream down", metadata: ["reason": "\(reason)"])
      } catch {
        guard !Task.isCancelled else { return }
        let failure = error as? CallError ?? CallError(.serverUnreachable, "\(error)", cause: error)
        let isHopeless = [.authentication, .configuration].contains(failure.code)
        if isHopeless || !wasOnline { throw failure }
        logger.info("cannot reconnect", metadata: ["error": "\(failure)"])
      }
      await pause(for: backoff.pause(using: &random))
    }
  }

  /// Waits, until the network changes at the longest. Not at all if it has changed since the last wait began.
  private func pause(for duration: Duration) async {
    defer { isHurried = false }
    guard !isHurried else { return }
    let (hurries, hurry) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    self.hurry = hurry
    await withTaskGroup(of: Void.self) { group in
      group.addTask { try? await Task.sleep(for: duration) }
      group.addTask { for await _ in hurries { break } }
      await group.next()
      group.cancelAll()
    }
    self.hurry = nil
  }

  /// Tells that the machine's addresses or routes have changed: a stream that is up is tried at once, and one that is
  /// down is made anew without waiting any longer.
  public func networkChanged() {
    backoff.reset()
    if link != nil { return pingServer(within: min(configuration.keepalive.answer, .seconds(5))) }
    isHurried = true
    hurry?.yield()
  }

  /// Runs one stream from its beginning to its end.
  ///
  /// - Returns: why it ended.
  private func serve(_ link: any StanzaLink) async -> String {
    begin(link)
    let reason = await link.receive { await self.receive($0) }
    if !Task.isCancelled { lostStream() }
    return reason
  }

  private func begin(_ link: any StanzaLink) {
    self.link = link
    isHurried = false
    silenceDeadline = SystemClock.now + configuration.keepalive.silence
    // A stream that is carried on has its presences and its roster, and this side's presence stands: XEP-0198 §5.
    if link.isResumed { carryOn() } else { beginAnew(link) }
    address = link.address
    logger.info("online", metadata: ["jid": "\(link.address)", "resumed": "\(link.isResumed)"])
    if let onOnline = handlers.onOnline { spawn { await onOnline(link.address) } }
    resumeOnlineWaiters()
    rearm()
  }

  private func beginAnew(_ link: any StanzaLink) {
    for (id, request) in answers where !request.outlivesStream {
      iqs.forget(id)
      answers.removeValue(forKey: id)?.then(.disconnected)
    }
    iqs.rebind(to: link.address)
    presences.disconnected()
    capabilities.disconnected()
    roster = Roster(account: link.address)
    proxies = nil
    entities = nil
    // What was under way between the two servers is lost.
    for transfer in transfers.values { transfer.inBand?.close() }
    if calls.isEmpty, fileSessions.isEmpty {
      router = JingleRouter(
        own: link.address, maximumSessions: configuration.maximumCalls + Self.maximumTransfers)
    } else {
      router.own = link.address
    }
    request(.get(Roster.request)) { outcome in
      if case .result(let payload) = outcome { try? self.roster.receiveResult(payload) }
    }
    hasCarbons = false
    request(.set(MessageCarbon.enable)) { outcome in
      if case .result = outcome { self.hasCarbons = true }
    }
    fetchServices()
    link.send(Presence(payloads: [responder.capabilities.element]).element)
    findCalls(link.address, link.undelivered, isMoved: address.map { $0 != link.address } ?? false)
  }

  /// The client stops: nobody answers any more.
  func ended() {
    link = nil
    address = nil
    silenceDeadline = nil
    presences.disconnected()
    capabilities.disconnected()
    let requests = answers.sorted { $0.value.number < $1.value.number }
    answers = [:]
    _ = iqs.disconnected()
    for (_, request) in requests { request.then(.disconnected) }
    rearm()
  }

  // MARK: Out

  /// A request that awaits its answer.
  struct Outstanding {
    /// In the order in which they were made.
    let number: Int
    let stanza: XMLElement
    let timeout: Duration
    /// Whether it waits for the next stream when its own is gone; else it has failed then.
    let outlivesStream: Bool
    /// Whether it is sent again on a new stream, which may be under a new address.
    let repeats: (_ isMoved: Bool) -> Bool
    let then: (IQTracker.Outcome) -> Void
    /// On any stream.
    var isSent = false
  }

  /// How many stanzas may wait for a stream, and how many requests for their answers. More are not sent.
  private static let maximumWaiting = 1000

  /// Sends a stanza, with the next stream when there is none now.
  func send(_ stanza: XMLElement) {
    if let link {
      link.send(stanza)
    } else if address != nil, unsent.count < Self.maximumWaiting {
      unsent.append(stanza)
    }
  }

  /// Sends a request and hands its outcome to `then`, in this client's isolation.
  ///
  /// - Parameter repeats: for a request that is to outlive the stream, whether it is worth repeating when it was sent
  ///   on one stream and not answered before the next, which may be under another address. Without it, a request that
  ///   finds no stream, or whose stream is not carried on, is `.disconnected`.
  func request(
    _ content: IQ.Content, to recipient: JID? = nil, timeout: Duration = .seconds(30),
    repeats: ((_ isMoved: Bool) -> Bool)? = nil, then: @escaping (IQTracker.Outcome) -> Void
  ) {
    guard link != nil || repeats != nil && address != nil, answers.count < Self.maximumWaiting else {
      return then(.disconnected)
    }
    let iq = iqs.request(content, to: recipient, at: SystemClock.now, timeout: timeout, using: &random)
    requestCount += 1
    answers[iq.id] = Outstanding(
      number: requestCount, stanza: iq.element, timeout: timeout, outlivesStream: repeats != nil,
      repeats: repeats ?? { _ in false }, then: then, isSent: link != nil)
    if let link { link.send(iq.element) } else { iqs.suspend(iq.id) }
    rearm()
  }

  /// Sends a request and waits for its outcome.
  func ask(_ content: IQ.Content, of recipient: JID?, timeout: Duration) async -> IQTracker.Outcome {
    await withCheckedContinuation { continuation in
      request(content, to: recipient, timeout: timeout) { continuation.resume(returning: $0) }
    }
  }

  /// - Returns: the id of the message that carries it.
  @discardableResult
  func send(_ message: JingleMessage, to recipient: JID) -> String {
    let id = StanzaID.random(using: &random)
    send(message.stanza(to: recipient, stanzaID: id).element)
    return id
  }

  // MARK: In

  private func receive(_ element: XMLElement) {
    if link != nil { silenceDeadline = SystemClock.now + configuration.keepalive.silence }
    let stanza: Stanza
    do {
      stanza = try Stanza(element)
    } catch {
      if let reply = error.reply(to: element) { send(reply) }
      return
    }
    switch stanza {
    case .iq(let iq): receive(iq)
    case .message(let message): receive(message)
    case .presence(let presence): receive(presence)
    }
  }

  private func receive(_ iq: IQ) {
    if let (id, outcome) = iqs.receive(iq) {
      answers.removeValue(forKey: id)?.then(outcome)
      return rearm()
    }
    if receiveInBand(iq) { return }
    guard let payload = iq.request else { return }
    if case .set = iq.content, payload.is("jingle", Jingle.namespace) { return receiveJingle(payload, in: iq) }
    if let answer = roster.receivePush(iq) { return send(answer.element) }
    if var known = services.map({ ExternalServices($0.list) }), let account = link?.address,
      let answer = known.receivePush(iq, account: account)
    {
      services?.list = known.services
      return send(answer.element)
    }
    guard mayKnowOfUs(iq.from) else { return send(iq.reply(.error(StanzaError(.serviceUnavailable))).element) }
    if let answer = InBandBytestream.refusal(of: iq) ?? answerBitsOfBinary(iq) ?? responder.answer(to: iq) {
      send(answer.element)
    }
  }

  private func receive(_ message: Message) {
    guard let own = link?.address else { return }
    do {
      switch try MessageCarbon.unwrap(message, account: own) {
      // Told to all devices of the account, as the server chose one of them.
      case .received(let copy) where copy.to?.isBare == true && receiveSharedFiles(copy): break
      case .received(let copy), .sent(let copy): receiveInitiation(copy, own: own, isCopy: true)
      case nil where receiveInBand(message) || receiveSharedFiles(message): break
      case nil: receiveInitiation(message, own: own, isCopy: false)
      }
    } catch {
      logger.info("carbon refused", metadata: ["reason": "\(error)"])
    }
  }

  private func receive(_ presence: Presence) {
    switch presences.receive(presence) {
    case .available(let device):
      if let fingerprint = device.capabilities { capabilities.receive(fingerprint, from: device.jid) }
      appeared(device.jid)
    case .unavailable(let devices):
      for device in devices {
        capabilities.forget(device)
        left(device)
      }
    case nil: break
    }
  }

  /// Nothing came for long: a server that is still there answers, and a connection that is dead is given up, to be made
  /// anew.
  ///
  /// - Specification: XEP-0199 §4.2
  func pingServer(within patience: Duration) {
    silenceDeadline = nil
    request(.get(Ping.request), timeout: patience) { outcome in
      guard outcome == .timedOut, self.silenceDeadline == nil, let link = self.link else { return }
      self.logger.info("server is silent")
      self.spawn { await link.abandon() }
    }
  }

  // MARK: What others can do

  /// Asks a device what it can do, or remembers.
  ///
  /// - Returns: nil when it does not answer.
  func features(of device: JID) async -> DiscoInfo? {
    if let known = capabilities.info(of: device) { return known }
    let fingerprint = presences[device]?.capabilities
    let outcome = await ask(
      .get(DiscoInfo.request(node: fingerprint?.queryNode)), of: device, timeout: .seconds(5))
    guard case .result(let payload?) = outcome, let info = try? DiscoInfo(payload) else { return nil }
    if let fingerprint {
      capabilities.forget(device)
      capabilities.receive(fingerprint, from: device)
      while let query = capabilities.nextQuery() {
        capabilities.receive(query.recipient == device ? info : nil, answering: query)
      }
    }
    return info
  }

  // MARK: STUN and TURN

  /// - Specification: XEP-0215 §3.1
  private func fetchServices() {
    request(
      .get(ExternalServices.request()), to: (link?.address ?? configuration.account).domain, timeout: .seconds(10)
    ) {
      outcome in
      guard case .result(let payload?) = outcome, let found = try? ExternalServices(payload) else {
        self.services = ([], SystemClock.now)
        return
      }
      self.services = (found.services, SystemClock.now)
    }
  }

  /// The server's STUN and TURN services with credentials that are good for a while.
  func currentServices() async -> [ExternalService] {
    let age = services.map { SystemClock.now - $0.fetchedAt } ?? .seconds(3600)
    let wallTime = Duration.seconds(Int64(Date.now.timeIntervalSince1970))
    let expiring = services?.list.contains { $0.isExpired(at: wallTime + .seconds(600)) } ?? true
    if age > .seconds(300) || expiring, link != nil {
      let outcome = await ask(
        .get(ExternalServices.request()), of: (link?.address ?? configuration.account).domain, timeout: .seconds(5))
      if case .result(let payload?) = outcome, let found = try? ExternalServices(payload) {
        services = (found.services, SystemClock.now)
      }
    }
    return services?.list ?? []
  }
}
