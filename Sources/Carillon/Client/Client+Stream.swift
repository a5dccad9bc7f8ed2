import Foundation
import JingleCore
import MediaTime
import XMPPCore

// The stream: staying connected, what is said at its beginning, and who gets what arrives.
extension Client {
  func stayConnected() async throws {
    var wasOnline = false
    var pause = Duration.seconds(1)
    while !Task.isCancelled {
      do {
        let link = try await connect()
        guard !Task.isCancelled else { return await link.close() }
        wasOnline = true
        pause = .seconds(1)
        let reason = await serve(link)
        guard !Task.isCancelled else { return }
        logger.info("stream down", metadata: ["reason": "\(reason)"])
      } catch {
        guard !Task.isCancelled else { return }
        let failure = error as? CallError ?? CallError(.serverUnreachable, "\(error)", cause: error)
        let isHopeless = [.authentication, .configuration].contains(failure.code)
        if isHopeless || !wasOnline { throw failure }
        logger.info("cannot reconnect", metadata: ["error": "\(failure)"])
      }
      try? await Task.sleep(for: pause)
      pause = min(pause * 2, .seconds(60))
    }
  }

  /// Runs one stream from its beginning to its end.
  ///
  /// - Returns: why it ended.
  private func serve(_ link: any StanzaLink) async -> String {
    begin(link)
    let reason = await link.receive { await self.receive($0) }
    if !Task.isCancelled { ended() }
    return reason
  }

  private func begin(_ link: any StanzaLink) {
    self.link = link
    silenceDeadline = SystemClock.now + configuration.keepalive.silence
    iqs = IQTracker(account: link.address)
    roster = Roster(account: link.address)
    if calls.isEmpty { router = JingleRouter(own: link.address, maximumSessions: configuration.maximumCalls) }
    request(.get(Roster.request)) { outcome in
      if case .result(let payload) = outcome { try? self.roster.receiveResult(payload) }
    }
    hasCarbons = false
    request(.set(MessageCarbon.enable)) { outcome in
      if case .result = outcome { self.hasCarbons = true }
    }
    fetchServices()
    link.send(Presence(payloads: [responder.capabilities.element]).element)
    for stanza in unsent { link.send(stanza) }
    unsent = []
    logger.info("online", metadata: ["jid": "\(link.address)"])
    if let onOnline = handlers.onOnline { spawn { await onOnline(link.address) } }
    resumeOnlineWaiters()
  }

  /// The stream is gone.
  func ended() {
    link = nil
    silenceDeadline = nil
    presences.disconnected()
    capabilities.disconnected()
    for id in iqs.disconnected() { answers.removeValue(forKey: id)?(.disconnected) }
    rearm()
  }

  // MARK: Out

  /// - Parameter endsCall: whether the stanza is kept for the next stream when there is none now.
  func send(_ stanza: XMLElement, endsCall: Bool = false) {
    if let link {
      link.send(stanza)
    } else if endsCall, unsent.count < 64 {
      unsent.append(stanza)
    }
  }

  /// Sends a request and hands its outcome to `then`, in this client's isolation.
  func request(
    _ content: IQ.Content, to recipient: JID? = nil, timeout: Duration = .seconds(30), endsCall: Bool = false,
    then: @escaping (IQTracker.Outcome) -> Void
  ) {
    guard link != nil else {
      if endsCall { send(IQ(id: StanzaID.random(using: &random), to: recipient, content).element, endsCall: true) }
      return then(.disconnected)
    }
    let iq = iqs.request(content, to: recipient, at: SystemClock.now, timeout: timeout, using: &random)
    answers[iq.id] = then
    send(iq.element)
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
    let ends =
      switch message.action {
      case .finish, .reject, .retract: true
      case .propose, .ringing, .proceed, .accept: false
      }
    let id = StanzaID.random(using: &random)
    send(message.stanza(to: recipient, stanzaID: id).element, endsCall: ends)
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
      answers.removeValue(forKey: id)?(outcome)
      return rearm()
    }
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
    if let answer = responder.answer(to: iq) { send(answer.element) }
  }

  private func receive(_ message: Message) {
    guard let own = link?.address else { return }
    do {
      switch try MessageCarbon.unwrap(message, account: own) {
      case .received(let copy), .sent(let copy): receiveInitiation(copy, own: own, isCopy: true)
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
    case .unavailable(let devices):
      for device in devices { capabilities.forget(device) }
    case nil: break
    }
  }

  /// Nothing came for long: a server that is still there answers, and a connection that is dead is closed, to be made anew.
  ///
  /// - Specification: XEP-0199 §4.2
  func pingServer() {
    silenceDeadline = nil
    request(.get(Ping.request), timeout: configuration.keepalive.answer) { outcome in
      guard outcome == .timedOut, self.silenceDeadline == nil, let link = self.link else { return }
      self.logger.info("server is silent")
      self.spawn { await link.close() }
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
