import Foundation
import JingleCore
import MediaTime
import XMPPCore

// Calls that outlive their stream.
//
// When the stream goes down, each call is told (`signallingLost`), and what it wants to say waits. What happens next
// depends on the server:
//
// - It resumes the stream (XEP-0198): nobody noticed. Requests stay outstanding, what waited is sent.
// - It does not: there is a new stream under the same address. Requests of calls that got no answer are sent again
//   under the same id, by which a peer that has answered them knows them again. Whether the peer still has a session is
//   asked by an empty session-info (XEP-0166 §6.8), again and again while it may itself be without a stream: as long as
//   media flows. The peer's own requests in the session tell it too. Only `unknown-session` ends the call. Calls
//   without a session go on from where they are: they ring within their deadlines. What the other side said meanwhile
//   comes from the server's store, or never; messages of this side that the old stream lost are sent again where the
//   server tells what it has (XEP-0198). Otherwise such a call ends by its time-out.
// - It binds another address: peers know this device under the old one, and would refuse what comes from the new. Calls
//   that are being set up fail; in running ones media goes on until either side hangs up, of which the other learns
//   through the media path. The session-terminate is sent all the same, for peers that look at the account alone.
extension Client {
  /// The stream is down, and another will follow.
  func lostStream() {
    link = nil
    silenceDeadline = nil
    // Nobody can answer now. The time that requests of calls have for it begins anew with the next stream.
    for (id, request) in answers where request.outlivesStream { iqs.suspend(id) }
    for transfer in transfers.values { transfer.inBand?.suspend() }
    for call in calls.values where call.phase != .ended {
      call.deadlines[.seek] = nil
      switch call.signalling {
      case .up:
        call.signalling = .lost(isFound: true)
        call.tell(.signallingLost)
      case .lost: break
      case .seeking, .cutOff: call.signalling = .lost(isFound: false)
      }
    }
    rearm()
  }

  /// The stream before goes on over this link.
  func carryOn() {
    let now = SystemClock.now
    for (id, request) in outliving() {
      iqs.resume(id, until: now + request.timeout)
      if !request.isSent { send(request.stanza, underID: id) }
    }
    sendWaiting()
    for transfer in transfers.values { transfer.inBand?.resume() }
    for call in calls.values where call.phase != .ended {
      switch call.signalling {
      case .lost(isFound: true): restored(call)
      case .lost(isFound: false): beginSeeking(call)
      case .up, .seeking, .cutOff: break
      }
    }
  }

  /// A new stream: what calls have to say, and whether their peers still know them.
  func findCalls(_ own: JID, _ undelivered: [StanzaLink.Undelivered], isMoved: Bool) {
    for stanza in undelivered.compactMap({ again($0, from: own) }) { link?.send(stanza) }
    let now = SystemClock.now
    for (id, request) in outliving() {
      guard !request.isSent || request.repeats(isMoved) else {
        iqs.forget(id)
        answers.removeValue(forKey: id)?.then(.disconnected)
        continue
      }
      iqs.resume(id, until: now + request.timeout)
      send(request.stanza, underID: id)
    }
    sendWaiting()
    for call in Array(calls.values) where call.phase != .ended {
      if case .up = call.signalling { continue }
      let known = call.session?.own ?? call.outgoing?.own ?? call.incoming?.own
      if let known, known != own {
        cutOff(call, from: known, to: own)
      } else if call.phase >= .connecting {
        beginSeeking(call)
      } else {
        restored(call)
      }
    }
  }

  /// A stanza that was sent on the last stream and did not arrive, if it is to be sent again.
  ///
  /// - Specification: XEP-0198 §4, XEP-0203 §2
  private func again(_ lost: StanzaLink.Undelivered, from own: JID) -> XMLElement? {
    switch try? Stanza(lost.stanza) {
    case .message(var message):
      if !message.payloads.contains(where: { $0.is("delay", Delay.namespace) }) {
        let sentAt = Duration.seconds(Date.now.timeIntervalSince1970) - (SystemClock.now - lost.sentAt)
        message.payloads.append(Delay(stamp: .seconds(sentAt.components.seconds), from: own).element)
      }
      return message.element
    // Requests of calls are outstanding, others were told as failed.
    case .iq(let iq): return iq.request == nil ? lost.stanza : nil
    // Said anew.
    case .presence, nil: return nil
    }
  }

  private func outliving() -> [(id: String, request: Outstanding)] {
    answers.filter(\.value.outlivesStream).sorted { $0.value.number < $1.value.number }.map { ($0.key, $0.value) }
  }

  private func send(_ stanza: XMLElement, underID id: String) {
    answers[id]?.isSent = true
    link?.send(stanza)
  }

  private func sendWaiting() {
    for stanza in unsent { link?.send(stanza) }
    unsent = []
  }

  // MARK: Whether the peer still has a call

  private func beginSeeking(_ call: ActiveCall) {
    call.signalling = .seeking(.seeking)
    seek(call)
  }

  /// Asks the peer whether it has the session.
  func seek(_ call: ActiveCall) {
    guard link != nil, case .seeking = call.signalling else { return }
    call.deadlines[.seek] = nil
    call.session?.sendInfo(nil)
    pump(call)
  }

  /// The peer did not say.
  func notFound(_ call: ActiveCall) {
    guard case .seeking(var backoff) = call.signalling else { return }
    call.deadlines[.seek] = SystemClock.now + backoff.pause(using: &random)
    call.signalling = .seeking(backoff)
    rearm()
  }

  /// The peer acts in the session, or says that it has it.
  func found(_ call: ActiveCall) {
    guard case .seeking = call.signalling else { return }
    restored(call)
  }

  /// The peer's device is back on its server.
  func appeared(_ device: JID) {
    for call in calls.values where call.peer == device && call.deadlines[.seek] != nil { seek(call) }
  }

  private func restored(_ call: ActiveCall) {
    call.deadlines[.seek] = nil
    call.signalling = .up
    call.tell(.signallingRestored)
  }

  private func cutOff(_ call: ActiveCall, from old: JID, to new: JID) {
    call.signalling = .cutOff
    let error = CallError(
      .serverUnreachable,
      "The server took this device back under another address (\(new)): \(call.peer) knows it as \(old).")
    guard call.phase == .connected else { return terminate(call, .gone, error) }
    call.tell(
      .warning(
        CallError(error.code, error.message + " The call goes on, but nothing can be changed in it. Hang up to end it.")
      ))
  }
}
