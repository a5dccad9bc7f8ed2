/// A client's stream from its first byte to its last: TLS, authentication, resource binding or the resumption of a
/// former stream, stream management, then stanzas.
///
/// Give it facts (`connected`, `tlsEstablished`, `received`) and do what it answers. It never authenticates outside of
/// TLS, and after `.fail` it ignores everything.
///
/// - Specification: RFC 6120 §4–§7, XEP-0198 §3, §5
package enum StreamNegotiation: ~Copyable {
  /// What the account's owner and the machinery supply.
  package struct Configuration: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var domain: String
    package var localpart: String
    package var password: String
    /// The resource to ask for; nil leaves the choice to the server.
    package var resource: String?
    /// Fresh for every connection: printable, unguessable, without commas.
    package var nonce: String
    /// The former stream that is to be carried on if the server still has it.
    package var resumption: StreamManagement.Resumption?

    package init(
      domain: String, localpart: String, password: String, resource: String?, nonce: String,
      resumption: StreamManagement.Resumption? = nil
    ) {
      self.domain = domain
      self.localpart = localpart
      self.password = password
      self.resource = resource
      self.nonce = nonce
      self.resumption = resumption
    }

    /// Without the password, wherever it may be printed.
    package var description: String { "\(localpart)@\(domain)" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: [:]) }
  }

  /// The stream, ready for stanzas.
  package struct Bound: Hashable, Sendable {
    /// The full JID, in the server's words.
    package var jid: String
    /// The `<stream:features/>` that the server offered after authentication.
    package var features: XMLElement
    package var mechanism: SASLMechanism
    /// What the server granted of stream management on a new stream; nil when it knows none.
    package var grant: StreamManagement.Grant?
    /// What became of the former stream; nil when there was none, or the server resumes none.
    package var continuation: StreamManagement.Continuation?
  }

  case idle(Configuration)
  case awaitingHeader(Progress)
  case awaitingFeatures(Progress)
  case awaitingProceed(Progress)
  case awaitingTLS(Progress)
  case authenticating(Progress, SASLExchange)
  case resuming(Progress, StreamManagement.Resumption, features: XMLElement)
  case binding(Progress, features: XMLElement, resource: String?)
  case startingSession(Bound)
  case enablingManagement(Bound)
  case bound
  case ended

  /// What one stage hands to the next.
  package struct Progress: Sendable {
    let configuration: Configuration
    /// The TLS connection's bindings, or nil as long as there is no TLS.
    var channelBindings: [ChannelBinding]?
    /// How we authenticated, once we have.
    var mechanism: SASLMechanism?
    /// What became of the former stream, once it is known.
    var continuation: StreamManagement.Continuation?

    /// - Specification: RFC 6120 §4.7
    var header: String {
      var stream = XMLElement("stream:stream", namespace: StreamNamespace.client)
      stream.attributes = ["to": configuration.domain, "version": "1.0", "xml:lang": "en"]
      // The account's name is shown only to a server that is known to be the right one.
      if channelBindings != nil { stream[attribute: "from"] = "\(configuration.localpart)@\(configuration.domain)" }
      let tag = stream.serialized().dropLast("/>".count)
      return "<?xml version='1.0'?>\(tag) xmlns:stream='\(StreamNamespace.stream)'>"
    }
  }

  package enum Action: Hashable, Sendable {
    /// Wait for the next fact.
    case wait
    case send(String)
    /// Begin the TLS handshake on this connection; whatever came with or after `<proceed/>` is not to be parsed.
    case startTLS
    /// Reset the parser, dropping what it has, then send.
    case restart(String)
    /// Negotiation is over.
    case bound(Bound)
    /// A stanza, or another top-level element that is not the stream's own.
    case deliver(XMLElement)
    /// Send the failure's `farewell` and close.
    case fail(StreamFailure)
  }

  package init(_ configuration: Configuration) {
    self = .idle(configuration)
  }

  /// The connection is there: with TLS from its first byte if `channelBindings` (which may be empty) are given.
  package mutating func connected(channelBindings: [ChannelBinding]? = nil) -> Action {
    guard case .idle(let configuration) = consume self else { preconditionFailure("a stream is opened once") }
    let progress = Progress(configuration: configuration, channelBindings: channelBindings)
    self = .awaitingHeader(progress)
    return .send(progress.header)
  }

  /// The handshake that `.startTLS` asked for succeeded, and the certificate is the domain's.
  package mutating func tlsEstablished(channelBindings: [ChannelBinding]) -> Action {
    guard case .awaitingTLS(var progress) = consume self else {
      preconditionFailure("TLS is established when the machine asked for it")
    }
    progress.channelBindings = channelBindings
    self = .awaitingHeader(progress)
    return .restart(progress.header)
  }

  package mutating func received(_ event: XMLStreamParser.Event) -> Action {
    if hasEnded { return .wait }
    // Ended, unless the event leads on to another state.
    let state = consume self
    self = .ended
    switch event {
    case .opened(let header): return receivedHeader(header, in: state)
    case .closed: return .fail(.closedByServer)
    case .failed(let error): return .fail(.malformed(error))
    case .element(let element):
      if let error = StreamError(element) { return .fail(.streamError(error)) }
      return receivedElement(element, in: state)
    }
  }

  /// What the stream waits for, to complete "timed out while waiting for …".
  package var waitsFor: String {
    switch self {
    case .idle: "the connection"
    case .awaitingHeader: "the server's stream header"
    case .awaitingFeatures: "the server's features"
    case .awaitingProceed: "the server to start TLS"
    case .awaitingTLS: "the TLS handshake"
    case .authenticating: "the authentication's result"
    case .resuming: "the former stream to be resumed"
    case .binding: "the resource to be bound"
    case .startingSession: "the session"
    case .enablingManagement: "stream management"
    case .bound: "stanzas"
    case .ended: "nothing"
    }
  }

  private var hasEnded: Bool {
    switch self {
    case .ended: true
    default: false
    }
  }

  private mutating func receivedHeader(_ header: XMLElement, in state: consuming StreamNegotiation) -> Action {
    guard case .awaitingHeader(let progress) = consume state else {
      return .fail(.protocolViolation("a stream header where none may come"))
    }
    guard header.is("stream", StreamNamespace.stream) else {
      return .fail(.protocolViolation("<\(Printable.shortened(header.name))/> instead of a stream"))
    }
    // Without a version there are no features, hence neither TLS nor SASL: RFC 6120 §4.7.5.
    let major = header[attribute: "version"]?.split(separator: ".").first.flatMap { Int($0) }
    guard let major, major >= 1 else { return .fail(.protocolViolation("a stream older than XMPP 1.0")) }
    self = .awaitingFeatures(progress)
    return .wait
  }

  private mutating func receivedElement(_ element: XMLElement, in state: consuming StreamNegotiation) -> Action {
    switch consume state {
    case .awaitingFeatures(let progress):
      guard element.is("features", StreamNamespace.stream) else { return .unexpected(element, insteadOf: "features") }
      if progress.channelBindings == nil { return startTLS(progress, features: element) }
      if progress.mechanism == nil { return authenticate(progress, features: element) }
      return resumeOrBind(progress, features: element)

    case .awaitingProceed(let progress):
      guard element.is("proceed", StreamNamespace.tls) else { return .fail(.tlsRefused) }
      self = .awaitingTLS(progress)
      return .startTLS

    case .authenticating(let progress, let exchange):
      return continueAuthentication(progress, exchange, with: element)

    case .resuming(let progress, let resumption, let features):
      return receivedResumption(progress, resumption, features: features, reply: element)

    case .binding(let progress, let features, let resource):
      return receivedBinding(progress, features: features, resource: resource, reply: element)

    case .startingSession(let bound):
      guard element.is("iq", StreamNamespace.client), element[attribute: "id"] == "session" else {
        self = .startingSession(bound)
        return .deliver(element)
      }
      // Whatever the answer: RFC 6121 has no session any more, so a refusal takes nothing away.
      return enableManagement(bound)

    case .enablingManagement(var bound):
      guard element.namespace == StreamManagement.namespace else {
        self = .enablingManagement(bound)
        return .deliver(element)
      }
      // A refusal, whatever its reason, leaves a stream as good as those of old (§6).
      bound.grant = StreamManagement.Grant(element)
      self = .bound
      return .bound(bound)

    case .bound:
      self = .bound
      return .deliver(element)

    case .idle: return .unexpected(element, insteadOf: "silence")
    case .awaitingHeader: return .unexpected(element, insteadOf: "a stream header")
    case .awaitingTLS: return .unexpected(element, insteadOf: "the TLS handshake")
    case .ended: return .wait
    }
  }
}

extension StreamNegotiation.Action {
  static func unexpected(_ element: XMLElement, insteadOf expected: String) -> Self {
    .fail(.protocolViolation("<\(Printable.shortened(element.name))/> instead of \(expected)"))
  }
}

/// The steps. Each finds the machine ended, and sets the state that it leads to.
extension StreamNegotiation {
  /// - Specification: RFC 6120 §5.4.2
  private mutating func startTLS(_ progress: Progress, features: XMLElement) -> Action {
    guard features.first("starttls", StreamNamespace.tls) != nil else { return .fail(.tlsNotOffered) }
    self = .awaitingProceed(progress)
    return .send(XMLElement("starttls", namespace: StreamNamespace.tls).serialized())
  }

  /// - Specification: RFC 6120 §6.4.1–6.4.2
  private mutating func authenticate(_ progress: Progress, features: XMLElement) -> Action {
    let offered = features.first("mechanisms", StreamNamespace.sasl)?.all("mechanism", StreamNamespace.sasl).map(\.text)
    let announced = features.first("sasl-channel-binding", StreamNamespace.saslChannelBinding)?
      .all("channel-binding", StreamNamespace.saslChannelBinding).compactMap { $0[attribute: "type"] }
    let choice = SASLChoice(
      offered: Set(offered ?? []), announced: Set(announced ?? []), available: progress.channelBindings ?? [])
    guard let choice else { return .fail(.noSharedMechanism(offered: offered ?? [])) }
    let configuration = progress.configuration
    let exchange = SASLExchange(
      choice, username: configuration.localpart, password: configuration.password, nonce: configuration.nonce)
    guard let exchange else { return .fail(.unusableCredentials) }
    self = .authenticating(progress, exchange)
    return .send(
      XMLElement(
        "auth", namespace: StreamNamespace.sasl, attributes: ["mechanism": exchange.mechanism.rawValue],
        text: exchange.initialResponse
      ).serialized())
  }

  /// - Specification: RFC 6120 §6.4.3–6.4.6
  private mutating func continueAuthentication(
    _ progress: Progress, _ exchange: SASLExchange, with element: XMLElement
  ) -> Action {
    if let failure = SASLFailure(element) { return .fail(.authentication(failure)) }
    var exchange = exchange
    var progress = progress
    do {
      if element.is("challenge", StreamNamespace.sasl) {
        let response = try exchange.response(to: element.text)
        self = .authenticating(progress, exchange)
        return .send(
          XMLElement("response", namespace: StreamNamespace.sasl, text: response.isEmpty ? nil : response).serialized())
      }
      guard element.is("success", StreamNamespace.sasl) else {
        return .unexpected(element, insteadOf: "the authentication's result")
      }
      try exchange.succeed(with: element.text)
    } catch {
      return .fail(.serverNotAuthenticated(error))
    }
    progress.mechanism = exchange.mechanism
    self = .awaitingHeader(progress)
    return .restart(progress.header)
  }

  /// - Specification: XEP-0198 §5
  private mutating func resumeOrBind(_ progress: Progress, features: XMLElement) -> Action {
    guard let resumption = progress.configuration.resumption, Self.offersManagement(features) else {
      return bind(progress, features: features)
    }
    self = .resuming(progress, resumption, features: features)
    return .send(resumption.element.serialized())
  }

  private mutating func receivedResumption(
    _ progress: Progress, _ resumption: StreamManagement.Resumption, features: XMLElement, reply: XMLElement
  ) -> Action {
    if reply.is("failed", StreamManagement.namespace) {
      var progress = progress
      progress.continuation = .failed(handled: StreamManagement.handled(reply))
      return bind(progress, features: features)
    }
    guard reply.is("resumed", StreamManagement.namespace) else {
      return .unexpected(reply, insteadOf: "the resumed stream")
    }
    guard reply[attribute: "previd"] == resumption.id, let handled = StreamManagement.handled(reply),
      let mechanism = progress.mechanism
    else { return .fail(.protocolViolation("another stream resumed than asked for")) }
    self = .bound
    return .bound(
      Bound(jid: resumption.jid, features: features, mechanism: mechanism, continuation: .resumed(handled: handled)))
  }

  private static func offersManagement(_ features: XMLElement) -> Bool {
    features.first("sm", StreamManagement.namespace) != nil
  }

  /// - Specification: XEP-0198 §3
  private mutating func enableManagement(_ bound: Bound) -> Action {
    guard Self.offersManagement(bound.features) else {
      self = .bound
      return .bound(bound)
    }
    self = .enablingManagement(bound)
    return .send(StreamManagement.enable.serialized())
  }

  /// - Specification: RFC 6120 §7.6–7.7
  private mutating func bind(_ progress: Progress, features: XMLElement) -> Action {
    guard features.first("bind", StreamNamespace.bind) != nil else {
      return .fail(.protocolViolation("no resource binding among its features"))
    }
    return requestBinding(progress, features: features, resource: progress.configuration.resource)
  }

  private mutating func requestBinding(_ progress: Progress, features: XMLElement, resource: String?) -> Action {
    var bind = XMLElement("bind", namespace: StreamNamespace.bind)
    if let resource { bind.append(XMLElement("resource", namespace: StreamNamespace.bind, text: resource)) }
    self = .binding(progress, features: features, resource: resource)
    return .send(request("bind", bind))
  }

  private mutating func receivedBinding(
    _ progress: Progress, features: XMLElement, resource: String?, reply: XMLElement
  ) -> Action {
    guard reply.is("iq", StreamNamespace.client), reply[attribute: "id"] == "bind" else {
      return .unexpected(reply, insteadOf: "the bound resource")
    }
    guard reply[attribute: "type"] == "result" else {
      let error = reply.first("error", StreamNamespace.client)
      let condition = error?.children.first { $0.namespace == StreamNamespace.stanzaErrors }?.name
      // Taken or not to its liking: the server may choose one itself (§7.7.2.1, §7.7.2.2). Asked once.
      if resource != nil, condition == "conflict" || condition == "bad-request" {
        return requestBinding(progress, features: features, resource: nil)
      }
      return .fail(.bindingRefused(condition: condition ?? "no reason given"))
    }
    let jid = reply.first("bind", StreamNamespace.bind)?.first("jid", StreamNamespace.bind)?.text ?? ""
    guard jid.contains("/"), jid.utf8.count <= 3071, let mechanism = progress.mechanism else {
      return .fail(.protocolViolation("a bound resource without its address"))
    }
    let bound = Bound(jid: jid, features: features, mechanism: mechanism, continuation: progress.continuation)
    // Only servers older than RFC 6120 need a session; newer ones say that it is optional.
    if let session = features.first("session", StreamNamespace.session),
      session.first("optional", StreamNamespace.session) == nil
    {
      self = .startingSession(bound)
      return .send(request("session", XMLElement("session", namespace: StreamNamespace.session)))
    }
    return enableManagement(bound)
  }

  private func request(_ id: String, _ payload: XMLElement) -> String {
    XMLElement(
      "iq", namespace: StreamNamespace.client, attributes: ["id": id, "type": "set"], children: [payload]
    ).serialized(inside: StreamNamespace.client)
  }
}
