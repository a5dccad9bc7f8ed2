package import XMPPCore

// What the peer answers to this side's requests.
extension JingleSession {
  /// Takes what became of a request.
  package mutating func receive(_ outcome: IQTracker.Outcome, for token: Token) {
    guard let request = requests.removeValue(forKey: token), phase != .ended else { return }
    if case .error(let error) = outcome, error.jingle == .unknownSession, request.action != .sessionInitiate,
      request.action != .sessionAccept
    {
      return end(.failed(.unknownSession))
    }
    switch request.action {
    case .sessionInitiate:
      initiateAnswered(outcome)
    case .sessionAccept:
      acceptAnswered(outcome)
    case .contentAdd, .contentAccept, .contentModify, .contentReject, .contentRemove, .transportAccept,
      .transportReject, .transportReplace:
      changeAnswered(request, outcome)
      // Two things may have been sent without the queue: rejections that nobody was asked about.
      if let name = request.content?.name, changes[name]?.outstanding == token {
        changes[name]?.outstanding = nil
        sendChanges(of: name)
        sendWaitingTransports()
      }
    case .transportInfo:
      notGranted(request, outcome)
      if let name = request.content?.name, contents[name]?.restart == token {
        contents[name]?.restart = nil
        sendChanges(of: name)
        sendWaitingTransports()
      }
    case .sessionInfo where request.isQuestion:
      questionAnswered(outcome)
    case .descriptionInfo, .securityInfo, .sessionInfo, .sessionTerminate, .unknown:
      notGranted(request, outcome)
    }
  }

  /// Whether a request that was not answered before its stream ended is to be sent again on a new one, under the same
  /// id.
  ///
  /// - Parameter fromNewAddress: that stream is bound to another address. The peer refuses what comes from there,
  ///   unless it looks at the account alone; only the end is worth the attempt.
  package func isWorthRepeating(_ token: Token, fromNewAddress: Bool) -> Bool {
    guard let request = requests[token] else { return false }
    switch request.action {
    case .sessionTerminate: return true
    case _ where phase == .ended || fromNewAddress || request.isQuestion: return false
    // Who acts in the session has it; some take a second offer for a mistake, and end it.
    case .sessionInitiate: return !peerHasOffer
    default: return true
    }
  }

  /// - Specification: XEP-0166 §6.8
  private mutating func questionAnswered(_ outcome: IQTracker.Outcome) {
    switch outcome {
    case .result: outputs.append(.event(.confirmed))
    case .error(let error):
      outputs.append(.event(error.meansPresence ? .confirmed : .unconfirmed(isAbsent: error.meansAbsence)))
    case .timedOut, .disconnected: outputs.append(.event(.unconfirmed(isAbsent: false)))
    }
  }

  private mutating func initiateAnswered(_ outcome: IQTracker.Outcome) {
    switch outcome {
    case .result:
      acknowledged()
    case .timedOut where peerHasOffer, .disconnected where peerHasOffer:
      // The acknowledgement was lost, but the peer acts in the session.
      outputs.append(.event(.unanswered(.sessionInitiate, nil)))
    case .timedOut:
      withdraw(Jingle.Reason(.timeout), .unanswered)
    case .disconnected:
      end(.failed(.disconnected))
    case .error(let error) where phase == .active:
      // It was accepted, so the error is that of a repeated request.
      outputs.append(.event(.unanswered(.sessionInitiate, error)))
    case .error(let error):
      end(.failed(Failure(error)))
    }
  }

  private mutating func acceptAnswered(_ outcome: IQTracker.Outcome) {
    switch outcome {
    case .result:
      peerIsActive = true
      sendAllChanges()
      sendWaitingTransports()
    case .timedOut:
      withdraw(Jingle.Reason(.timeout), .unanswered)
    case .disconnected:
      end(.failed(.disconnected))
    case .error(let error) where error.jingle == .unknownSession:
      end(.failed(.unknownSession))
    case .error(let error):
      // Who cannot take the answer still has the session.
      withdraw(Jingle.Reason(.generalError), Failure(error))
    }
  }

  /// Ends what the peer may have all the same.
  private mutating func withdraw(_ reason: Jingle.Reason, _ failure: Failure) {
    request(Jingle(.sessionTerminate, sid: sid, reason: reason))
    end(.failed(failure))
  }

  private mutating func changeAnswered(_ request: Request, _ outcome: IQTracker.Outcome) {
    guard let content = request.content else { return }
    let name = content.name
    switch request.action {
    case .contentAdd:
      addAnswered(content, outcome, isOverruled: request.isOverruled)
    case .contentModify:
      modifyAnswered(content, outcome, isOverruled: request.isOverruled)
    case .contentAccept:
      guard case .error(let error) = outcome else { return notGranted(request, outcome) }
      // The peer no longer wants it, or cannot have it this way.
      guard contents[name] != nil else { return }
      outputs.append(.event(.unanswered(.contentAccept, error)))
      drop(name)
      outputs.append(.event(.removed(contents: [name])))
      terminateIfEmpty()
    case .transportReplace:
      if !request.isOverruled, let refusal = Refusal(outcome) { endProposal(of: name, refusal) }
    default:
      notGranted(request, outcome)
    }
  }

  private mutating func addAnswered(
    _ content: Jingle.Content, _ outcome: IQTracker.Outcome, isOverruled: Bool
  ) {
    let name = content.name
    switch Refusal(outcome) {
    case nil where isOverruled:
      // The peer let in what the initiator's own content replaced, and has since left: out with it.
      if contents[name] == nil { change(.contentRemove, content.bare()) }
    case nil:
      contents[name]?.isKnownToPeer = true
      sendWaitingTransports()
    case let refusal?:
      guard !isOverruled, contents[name]?.isAdded == true else { return }
      drop(name)
      // The peer may have it all the same.
      if refusal == .unanswered { change(.contentRemove, content.bare(), reason: Jingle.Reason(.timeout)) }
      outputs.append(.event(.notAdded(contents: [name], refusal)))
      terminateIfEmpty()
    }
  }

  private mutating func modifyAnswered(
    _ content: Jingle.Content, _ outcome: IQTracker.Outcome, isOverruled: Bool
  ) {
    guard let senders = contents[content.name]?.senders else { return }
    switch Refusal(outcome) {
    case nil where isOverruled:
      // A peer that breaks no ties took both, in whichever order: what holds is said again.
      var contrary = content
      contrary.senders = senders
      change(.contentModify, contrary)
    case nil:
      contents[content.name]?.senders = content.senders
    case let refusal?:
      if !isOverruled { outputs.append(.event(.notModified(content: content.name, senders, refusal))) }
    }
  }

  /// Tells of a request that the session can live without.
  private mutating func notGranted(_ request: Request, _ outcome: IQTracker.Outcome) {
    switch outcome {
    case .result: break
    case .error(let error) where phase == .pending && error.meansAbsence: end(.failed(Failure(error)))
    case .error(let error): outputs.append(.event(.unanswered(request.action, error)))
    case .timedOut, .disconnected: outputs.append(.event(.unanswered(request.action, nil)))
    }
  }
}

extension Jingle.Content {
  /// What names a content to the peer.
  func bare(transport: Jingle.Transport? = nil) -> Jingle.Content {
    Jingle.Content(creator: creator, name: name, transport: transport)
  }
}
