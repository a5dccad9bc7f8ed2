import Carillon

/// Follows a call from its proposal to its end: tells what happens, hangs up when its time is over, and sums up.
struct CallFollower: Sendable {
  let session: Session
  /// How long it may last, counted from connected.
  var limit: Duration?
  /// What is pressed on the telephone's pad once it is connected.
  var digits: DTMFDigits?
  var recordings: [RecordingFile] = []
  var added: AddedMedia?
  var direction = Direction.outgoing
  /// What the user decides the call's course with.
  var input: StandardInput.Mode?

  private var console: Console { session.console }

  init(
    _ session: Session, _ preparation: MediaPlan.Preparation? = nil, limit: Duration? = nil,
    digits: DTMFDigits? = nil, direction: Direction = .outgoing, input: StandardInput.Mode? = nil
  ) {
    self.session = session
    (self.limit, self.digits, self.direction, self.input) = (limit, digits, direction, input)
    (recordings, added) = (preparation?.recordings ?? [], preparation?.added)
  }

  enum Direction: String { case outgoing, incoming }

  /// - Throws: what made the call fail, after it was told.
  func follow(_ call: Call) async throws {
    await session.calls.add(call)
    let fields: JSONObject = [
      "direction": .string(direction.rawValue), "sid": .string(call.sid), "peer": .string("\(call.peer)"),
    ]
    let controller = CallController(call, console: console, fields: fields, added: added)
    await session.switchboard.add(controller)
    let end = await withTaskGroup(of: Void.self) { group in
      group.addTask { await controller.run() }
      var end: CallEnd?
      for await event in call.events {
        controller.note(event)
        tell(event, controller.snapshot, fields: fields)
        switch event {
        case .connected(let report):
          added?.began(with: report, telling: console)
          if let limit { group.addTask { await hangUp(call, after: limit) } }
          if let digits { controller.request(.dtmf(digits.text)) }
          if input == .keys { console.progress(KeyAction.callHelp) }
        case .ended(let ending):
          end = ending
          await session.switchboard.remove(controller)
          if let summary = CallSummary(
            peer: call.peer, state: controller.snapshot, end: ending, recordings: madeRecordings)
          {
            console.result(summary.text)
          }
        default: break
        }
      }
      group.cancelAll()
      return end
    }
    await session.switchboard.remove(controller)
    await session.calls.remove(call)
    if let error = end?.error { throw error }
  }

  /// Those for which something came.
  private var madeRecordings: [String] { recordings.filter { $0.isMade() }.map(\.path) }

  private func tell(_ event: CallEvent, _ state: CallState, fields: JSONObject) {
    if case .proposed = event, direction == .incoming { return }  // told when it came in
    if case .warning(let warning) = event { console.warning(code: warning.code.description, warning.message) }
    defer { showLiveLine(after: event, state) }
    if case .proceeding = event, direction == .incoming {
      console.progress("answering")
    } else if let line = event.line {
      console.progress(line)
    }
    if case .ended(let end) = event, let elsewhere = end.error?.elsewhere {
      console.event(elsewhere.name, fields)
      console.progress(elsewhere.line)
    }
    guard let object = event.object else { return }
    var details = object.fields
    if case .ended = event, !madeRecordings.isEmpty {
      details["recordings"] = .array(madeRecordings.map { .string($0) })
    }
    console.event(object.name, fields.merging(details))
  }

  /// Once a second, and when something is told that it shows.
  private func showLiveLine(after event: CallEvent, _ state: CallState) {
    if case .ended = event { return }
    guard let statistics = state.statistics else { return }
    console.live { statistics.liveLine(width: $0, state: state, keys: input == .keys) }
  }

  private func hangUp(_ call: Call, after limit: Duration) async {
    guard (try? await Task.sleep(for: limit)) != nil else { return }
    await call.hangUp()
  }
}
