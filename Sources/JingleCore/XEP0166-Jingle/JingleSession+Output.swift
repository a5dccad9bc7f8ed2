package import XMPPCore

extension JingleSession {
  /// Names a request of this side until it is answered.
  package typealias Token = Int

  /// What follows from what happened.
  package enum Output: Hashable, Sendable {
    /// Send this as an IQ of type set, and give what becomes of it to `receive(_:for:)`.
    case request(Jingle, to: JID, Token)
    /// Answer the request of this id with an empty result.
    case acknowledge(id: String, to: JID)
    /// Answer it with an error.
    case refuse(id: String, to: JID, StanzaError)
    case event(Event)
  }

  package enum Event: Hashable, Sendable {
    /// The peer offers a session (responder only, always first).
    case initiated(Jingle)
    /// The peer's client has the offer (initiator only).
    case acknowledged
    /// The peer accepts. The contents are among those offered, by name, and each has a description and a transport. The
    /// groups are parts of those offered, and have accepted contents only.
    case accepted(Jingle)
    /// Candidates, or an early fingerprint, of the peer's current ICE generation.
    case receivedTransport(ICETransport, content: String)
    /// News of a transport that is not ICE's.
    case receivedTransportInfo(Jingle.Transport, content: String)
    /// The peer began ICE anew with these credentials: answer with new ones of this side, by `send(_:for:)`.
    case restartedICE(ICETransport, content: String)
    /// The peer's new credentials after this side began ICE anew, in answer or because it did so at the same moment.
    /// Nothing is to be sent.
    case answeredRestart(ICETransport, content: String)
    /// One message of an understood namespace; for calls see `RTPInfo`.
    case receivedInfo(XMLElement)
    /// Advice about the peer's application parameters.
    case receivedDescription(Jingle.Description, content: String)
    /// The peer wants media to flow in other directions. Who dislikes it answers with a contrary `modify`, or sends and
    /// takes what it likes (XEP-0166 §7.2.3).
    case modified(content: String, Jingle.Senders)
    /// The peer does not take a change of directions: these hold.
    case notModified(content: String, Jingle.Senders, Refusal)
    /// The peer wants these contents too (`Decisions.contents`), in these groups with what is there: answer with
    /// `acceptContents` or `rejectContents`. Each has a description; an empty transport or none means its bundle's.
    case offeredContents([Jingle.Content], [ContentGroup])
    /// The peer accepts contents that this side added. Each has a description; for its transport see `offeredContents`.
    case acceptedContents([Jingle.Content], [ContentGroup])
    /// Contents that this side added are not in the session.
    case notAdded(contents: [String], Refusal)
    /// The peer took contents out of the session, or took back what it had offered.
    case removed(contents: [String], Jingle.Reason? = nil)
    /// The peer wants another transport for a content (`Decisions.transports`): answer with `acceptTransport` or
    /// `rejectTransport`.
    case offeredTransport(Jingle.Transport, content: String)
    /// The peer takes the transport that this side put in another's place, and this is its end.
    case acceptedTransport(Jingle.Transport, content: String)
    /// The old transport holds.
    case rejectedTransport(content: String, Refusal)
    /// The peer wanted these contents too, and was told that it cannot have them.
    case refused(contents: [Jingle.Content])
    /// The peer answered the offer with something that cannot be understood and was told so; it is to be terminated.
    case violated(StanzaError)
    /// A request that the session can live without was refused, or with nil not answered at all.
    case unanswered(Jingle.Action, StanzaError?)
    /// The peer has the session: it answered the question, `sendInfo(nil)`.
    case confirmed
    /// Nobody answered the question, or not the peer; it may be out of reach for a while. Where a server says so, it
    /// `isAbsent`.
    case unconfirmed(isAbsent: Bool)
    /// The end, by session-terminate.
    case terminated(Jingle.Reason?, byPeer: Bool)
    /// The end, for a request that was not granted.
    case failed(Failure)
  }

  /// Why a change of this side did not come about.
  package enum Refusal: Hashable, Sendable {
    /// The peer's decision.
    case rejected(Jingle.Reason?)
    /// The peer asked for the same at the same moment, and its request holds.
    case tieBreak
    /// A content of this name is or was in the session.
    case nameTaken
    /// The request was answered with an error.
    case refused(StanzaError)
    /// The request was not answered, or not before the stream ended.
    case unanswered

    /// nil when the request was granted.
    init?(_ outcome: IQTracker.Outcome) {
      switch outcome {
      case .result: return nil
      case .error(let error) where error.jingle == .tieBreak || error.jingle == nil && error.condition == .conflict:
        self = .tieBreak
      case .error(let error): self = .refused(error)
      case .timedOut, .disconnected: self = .unanswered
      }
    }
  }

  /// Why a session could not begin or go on.
  package enum Failure: Error, Hashable, Sendable {
    /// Nobody is there, or nobody who speaks Jingle, or not with strangers: which one, nobody tells.
    case unavailable(StanzaError)
    /// The peer has no room for another session.
    case overloaded
    /// The peer wants to be called at this address.
    case redirected(to: String?)
    /// The peer's own offer of the same moment has precedence.
    case tieBreak
    /// The peer does not know the session, or no longer.
    case unknownSession
    case refused(StanzaError)
    /// The request was not answered in time.
    case unanswered
    /// The stream ended before the answer.
    case disconnected

    /// - Specification: XEP-0166 §6.3.2, §10
    package init(_ error: StanzaError) {
      self =
        switch (error.jingle, error.condition) {
        case (.tieBreak, _), (nil, .conflict): .tieBreak
        case (.unknownSession, _): .unknownSession
        case (_, .redirect), (_, .gone): .redirected(to: error.alternative)
        case (_, .resourceConstraint): .overloaded
        case _ where error.meansAbsence: .unavailable(error)
        default: .refused(error)
        }
    }
  }
}

extension StanzaError {
  /// Whether this is what a server answers in place of a peer that is not there.
  var meansAbsence: Bool {
    switch condition {
    case .serviceUnavailable, .recipientUnavailable, .remoteServerNotFound, .remoteServerTimeout: true
    case .itemNotFound: jingle == nil
    default: false
    }
  }

  /// Whether only who has the session answers like this: it knows it, and not what it is asked.
  ///
  /// - Specification: XEP-0166 §6.8, §10
  var meansPresence: Bool {
    switch condition {
    case .badRequest, .featureNotImplemented, .notAcceptable, .unexpectedRequest: true
    default: false
    }
  }
}
