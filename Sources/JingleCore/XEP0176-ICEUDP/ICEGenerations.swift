/// The credentials of a content's ICE connection as they change: which transport information belongs to the present,
/// which to the past, and who owes whom new credentials.
///
/// - Specification: XEP-0176 §5.9, RFC 8445 §9
struct ICEGenerations: Hashable, Sendable {
  /// What the peer's transport information is.
  enum News: Hashable, Sendable {
    /// It belongs to the generation that there is.
    case current
    /// It is late.
    case past
    /// The peer begins anew, and is owed new credentials.
    case restart
    /// The peer gives the new credentials that it owed, or began anew at the same moment as this side.
    case answer
  }

  /// How many of the peer's generations are remembered, so that a late candidate of an old one is no restart.
  static let rememberedGenerations = 16

  private(set) var local: ICETransport?
  private(set) var remote: ICETransport?
  /// How many candidates of the peer's present generation were taken.
  private var remoteCandidates = 0
  private var pastUfrags: [String] = []
  /// How often this side began anew without being asked, less the new credentials that came for it. The peer counts the
  /// same as what it owes, or else answers would be answered without end.
  private var awaitedAnswers = 0
  private var owedAnswers = 0

  /// Takes what this side offered or answered.
  mutating func begin(local transport: ICETransport) {
    local = transport.bare
  }

  /// Takes what the peer offered or answered.
  mutating func begin(remote transport: ICETransport) {
    if advance(transport) != .past { remoteCandidates = transport.candidates.count }
  }

  /// Another connection takes this one's place.
  mutating func replace(local: ICETransport?, remote: ICETransport?) {
    if let old = self.remote?.ufrag, old != remote?.ufrag { remember(old) }
    self.local = local?.bare
    self.remote = remote?.bare
    remoteCandidates = remote?.candidates.count ?? 0
    awaitedAnswers = 0
    owedAnswers = 0
  }

  /// Whether this side's transport information would begin a generation.
  func isNew(local transport: ICETransport) -> Bool {
    local.map(transport.restarts) ?? false
  }

  /// What this side sends, with the credentials that go without saying.
  func completed(local transport: ICETransport) -> ICETransport {
    guard let local, !isNew(local: transport) else { return transport }
    var whole = transport
    whole.ufrag = transport.ufrag ?? local.ufrag
    whole.pwd = transport.pwd ?? local.pwd
    return whole
  }

  /// Takes what this side sends.
  mutating func send(_ transport: ICETransport) {
    if isNew(local: transport) {
      if owedAnswers > 0 { owedAnswers -= 1 } else { awaitedAnswers += 1 }
    }
    local = ICETransport(ufrag: transport.ufrag ?? local?.ufrag, pwd: transport.pwd ?? local?.pwd)
  }

  /// Takes what the peer sends, and takes from it the candidates that are too many for one generation.
  mutating func receive(_ transport: inout ICETransport) -> News {
    let news = advance(transport)
    if news == .past { return news }
    let room = ICETransport.maximumCandidates - remoteCandidates
    if transport.candidates.count > room { transport.candidates.removeLast(transport.candidates.count - room) }
    remoteCandidates += transport.candidates.count
    guard news == .restart else { return news }
    if awaitedAnswers > 0 {
      awaitedAnswers -= 1
      return .answer
    }
    owedAnswers += 1
    return .restart
  }

  private mutating func advance(_ transport: ICETransport) -> News {
    guard let previous = remote else {
      remote = transport.bare
      return .current
    }
    if let ufrag = transport.ufrag, ufrag != previous.ufrag, pastUfrags.contains(ufrag) { return .past }
    let restarts = transport.restarts(previous)
    if restarts { remoteCandidates = 0 }
    if restarts, let old = previous.ufrag, old != transport.ufrag { remember(old) }
    remote = ICETransport(
      ufrag: transport.ufrag ?? previous.ufrag, pwd: transport.pwd ?? (restarts ? nil : previous.pwd))
    return restarts ? .restart : .current
  }

  private mutating func remember(_ ufrag: String) {
    if pastUfrags.count == Self.rememberedGenerations { pastUfrags.removeFirst() }
    pastUfrags.append(ufrag)
  }
}

extension ICETransport {
  /// The credentials alone.
  fileprivate var bare: ICETransport { ICETransport(ufrag: ufrag, pwd: pwd) }
}
