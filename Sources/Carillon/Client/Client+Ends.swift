import JingleCore
import MediaEngine
import MediaTime
import XMPPCore

// How calls end, and what people are told about it.
extension Client {
  /// Ends a call from this side, whatever state it is in.
  func terminate(
    _ call: ActiveCall, _ condition: Jingle.Reason.Condition, _ error: CallError?, byPeer: Bool = false,
    application: XMLElement? = nil, migratedTo: String? = nil
  ) {
    guard call.phase != .ended else { return }
    let reason = Jingle.Reason(condition, application: application)
    if call.session == nil || call.phase == .ringing {
      call.outgoing?.retract(reason)
      call.incoming?.reject(reason)
    }
    call.session?.terminate(reason)
    // Noted before the machines are asked: the session's own word for the end carries no error.
    finish(call, condition, byPeer: byPeer, error, migratedTo: migratedTo)
  }

  /// Notes a call's end, once, and lets its media stop. `.ended` is told when it has.
  func finish(
    _ call: ActiveCall, _ condition: Jingle.Reason.Condition, byPeer: Bool, _ error: CallError? = nil,
    migratedTo: String? = nil
  ) {
    guard call.phase != .ended else { return }
    call.phase = .ended
    call.deadlines = DeadlineTable()
    for addition in call.additions {
      addition.waiter?.resume(throwing: error ?? CallError(.failed, "The call ended before the peer had decided."))
    }
    call.additions = []
    call.end = CallEnd(
      reason: condition.description, endedByPeer: byPeer,
      duration: call.connectedAt.map { SystemClock.now - $0 } ?? .zero, statistics: nil, error: error,
      migratedTo: migratedTo)
    router.remove(sid: call.sid, peer: call.peer)
    if call.session != nil {
      let reason = Jingle.Reason(condition)
      call.outgoing?.finish(reason)
      call.incoming?.finish(reason)
    }
    pump(call)
    call.stopRinging.finish()
    call.command.finish()
    if !call.mediaIsRunning { close(call) }
    rearm()
  }

  /// Everything has stopped: tells the end and forgets the call.
  func close(_ call: ActiveCall) {
    guard !call.isOver, var end = call.end else { return }
    call.isOver = true
    calls[call.sid] = nil
    end.statistics = call.statistics
    if var error = end.error, error.code == .connectivity, call.connectedAt == nil, let report = call.connectivity {
      error = CallError(error.code, error.message + " " + report.summary, cause: error.cause)
      end.error = error
    }
    call.end = end
    call.tell(.ended(end))
    for waiter in call.whenOver { waiter.resume(returning: end) }
    call.whenOver = []
    rearm()
  }

  /// What the peer's reason for the end means to this side; nil when the end is an ordinary one.
  func failure(_ reason: Jingle.Reason?, of call: ActiveCall) -> CallError? {
    let peer = call.peer
    let words = reason?.text.map { " It says: \($0)" } ?? ""
    let condition = reason?.condition ?? .success
    switch condition {
    case .success, .gone:
      return call.connectedAt != nil ? nil : CallError(.failed, "\(peer) ended the call before it connected.\(words)")
    case .decline: return CallError(.declined, "\(peer.bare) declined the call.\(words)")
    case .busy: return CallError(.busy, "\(peer.bare) is busy. Try again later.\(words)")
    case .cancel, .expired, .timeout:
      return call.connectedAt != nil
        ? nil
        : call.isOutgoing
          ? CallError(.noAnswer, "\(peer.bare) did not answer in time.\(words)")
          : CallError(.failed, "\(peer.bare) hung up.\(words)")
    case .unsupportedApplications, .unsupportedTransports, .failedApplication, .incompatibleParameters:
      return CallError(
        .nothingInCommon,
        "\(peer) shares no codec, transport or encryption with this side (\(condition)).\(words)")
    case .connectivityError, .failedTransport:
      return CallError(.connectivity, "\(peer) found no path for the media (\(condition)).\(words)")
    case .securityError:
      return CallError(
        .connectivity, "\(peer) could not verify this side's encryption, or demands another one.\(words)")
    default:
      return CallError(.failed, "\(peer) ended the call: \(condition).\(words)")
    }
  }

  func error(of failure: JingleSession.Failure, _ call: ActiveCall) -> CallError {
    let peer = call.peer
    return switch failure {
    case .unavailable: CallError(.noAnswer, "\(peer) is not there, or does not speak Jingle.", cause: failure)
    case .overloaded: CallError(.busy, "\(peer) has no room for another call.", cause: failure)
    case .redirected(let address):
      CallError(.failed, "\(peer) is to be called at \(address ?? "another address").", cause: failure)
    case .tieBreak:
      CallError(.failed, "\(peer) was calling at the same moment, and its call goes first.", cause: failure)
    case .unknownSession: CallError(.failed, "\(peer) no longer knows the call.", cause: failure)
    case .refused(let error): CallError(.protocolViolation, "\(peer) refused the session: \(error).", cause: failure)
    case .unanswered: CallError(.timedOut, "\(peer) did not answer a request in time.", cause: failure)
    case .disconnected:
      CallError(.serverUnreachable, "The connection to the server went down while the call was set up.", cause: failure)
    }
  }
}

extension ConnectivityReport {
  /// What was tried, in sentences for people.
  var summary: String {
    func list(_ candidates: [MediaEngine.ICECandidate]) -> String {
      candidates.isEmpty
        ? "none" : candidates.prefix(8).map { "\($0.kind.rawValue) \($0.address):\($0.port)" }.joined(separator: ", ")
    }
    var sentences = [
      "ICE is \(ice.rawValue) after \(localCandidates.count) × \(remoteCandidates.count) candidate pairs.",
      "Ours: \(list(localCandidates)).", "Theirs: \(list(remoteCandidates)).",
      servers.isEmpty
        ? "No STUN or TURN server was asked: the account's server names none (XEP-0215)."
        : "Servers asked: \(servers.map(\.name).joined(separator: ", ")).",
    ]
    if dtlsStarted {
      sentences.append(
        dtlsDatagramsReceived == 0
          ? "DTLS was started, and the peer never answered it."
          : "DTLS was started and did not finish (\(dtlsDatagramsReceived) datagrams came).")
    } else if remoteCandidates.isEmpty {
      sentences.append("The peer told no address to reach it at.")
    } else if !localCandidates.contains(where: { $0.kind == .relay }) {
      sentences.append(
        servers.contains { $0.kind != .stun }
          ? "No TURN server gave a relayed address: they cannot be reached from here, or refused the credentials."
          : "A TURN server would help where a firewall stands between the two.")
    }
    return sentences.joined(separator: " ")
  }
}
