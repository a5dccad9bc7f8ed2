import Carillon
import Synchronization

/// Decides what becomes of each incoming call of `answer`.
final class Desk: Sendable {
  private let command: AnswerCommand
  private let plan: MediaPlan
  private let session: Session
  private let ended: AsyncStream<CommandFailure?>.Continuation
  /// Calls that rang, and those of them that were answered.
  private let counts = Mutex((rung: 0, answered: 0))

  private var console: Console { session.console }

  init(
    command: AnswerCommand, plan: MediaPlan, session: Session, ended: AsyncStream<CommandFailure?>.Continuation
  ) {
    self.command = command
    self.plan = plan
    self.session = session
    self.ended = ended
  }

  func receive(_ incoming: consuming IncomingCall) async {
    let (peer, sid) = (incoming.peer, incoming.sid)
    let fields: JSONObject = ["direction": "incoming", "sid": .string(sid), "peer": .string("\(peer)")]
    let rings = command.ask || command.ring != nil
    // Whoever reads of the call may decide on it at once.
    let decisions = await session.switchboard.ring(sid)
    console.event("call.proposed", fields.merging(["media": incoming.media.list]))
    console.progress("call from \(peer.named)")

    guard answers(peer) else {
      await session.switchboard.stopRinging(sid)
      await incoming.decline()
      console.progress("declined: \(peer.bare) is not among those of --from")
      return tellEnd("decline", fields)
    }
    guard isFirst || !command.once else {
      await session.switchboard.stopRinging(sid)
      await incoming.declineBusy()
      console.progress("declined: busy")
      return tellEnd("busy", fields)
    }

    var decision: Switchboard.Decision? = .answer
    if rings {
      if command.input == .keys { console.progress(KeyAction.ringingHelp) }
      decision = await Switchboard.decision(decisions, patience: command.ring)
    }
    await session.switchboard.stopRinging(sid)
    switch decision {
    case .answer:
      let preparation: MediaPlan.Preparation
      do { preparation = try plan.prepare(call: nextNumber) } catch {
        await incoming.decline()
        tellEnd("decline", fields)
        return over(CommandFailure(error))
      }
      let wasAnswered = Mutex(false)
      do {
        let follower = CallFollower(
          session, preparation, limit: command.media.limit, digits: command.dtmf, direction: .incoming,
          input: command.input)
        try await incoming.answer(with: preparation.offer) { call in
          wasAnswered.withLock { $0 = true }
          try await follower.follow(call)
        }
        ended.yield(nil)
      } catch {
        // What happens to a call once it is answered, its follower tells.
        if let error = error as? CallError, !wasAnswered.withLock({ $0 }) {
          tellUndecided(error, ["reason": "cancel", "endedByPeer": false, "durationMs": 0], fields)
        } else {
          over(CommandFailure(error))
        }
      }
    case .decline:
      await incoming.decline()
      console.progress("declined")
      tellEnd("decline", fields)
      ended.yield(CommandFailure(code: "declined", message: "The call was declined.", status: .declined))
    case nil:
      let end = await incoming.end
      tellUndecided(
        end?.error ?? CallError(.failed, "The call ended before it was answered."), end?.object ?? [:], fields)
    }
  }

  private func answers(_ peer: JID) -> Bool {
    // The library knows the contacts, and lets nobody else ring.
    command.callers.isEmpty || command.callers.contains(.contacts) || command.callers.contains(.address(peer))
      || command.callers.contains(.address(peer.bare))
  }

  /// Whether this is the call that `--once` is about. Counts.
  private var isFirst: Bool {
    counts.withLock { counts in
      counts.rung += 1
      return counts.rung == 1
    }
  }

  /// Of the call that is answered now, for its recordings.
  private var nextNumber: Int {
    counts.withLock { counts in
      counts.answered += 1
      return counts.answered
    }
  }

  /// The call ended while it rang: the caller gave up, or another device decided.
  private func tellUndecided(_ error: CallError, _ end: JSONObject, _ fields: JSONObject) {
    if let elsewhere = error.elsewhere {
      console.event(elsewhere.name, fields)
      console.progress(elsewhere.line)
    }
    console.event("call.ended", fields.merging(end))
    // The call is taken, if not by this device.
    if error.code == .answeredElsewhere { ended.yield(nil) } else { over(CommandFailure(error)) }
  }

  private func over(_ failure: CommandFailure) {
    if !command.once { console.warning(code: failure.code, failure.message) }
    ended.yield(failure)
  }

  private func tellEnd(_ reason: String, _ fields: JSONObject) {
    console.event("call.ended", fields.merging(["reason": .string(reason), "endedByPeer": false, "durationMs": 0]))
  }
}
