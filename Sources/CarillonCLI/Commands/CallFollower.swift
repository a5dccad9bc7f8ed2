import Carillon

/// Follows a call from its proposal to its end: tells what happens, hangs up when its time is over, and sums up.
struct CallFollower: Sendable {
  let console: Console
  let calls: ActiveCalls
  /// How long it may last, counted from connected.
  var limit: Duration?
  var recordings: [RecordingFile] = []
  var direction = Direction.outgoing

  enum Direction: String { case outgoing, incoming }

  /// - Throws: what made the call fail, after it was told.
  func follow(_ call: Call) async throws {
    await calls.add(call)
    let end = await withTaskGroup(of: Void.self) { group in
      let fields: JSONObject = [
        "direction": .string(direction.rawValue), "sid": .string(call.sid), "peer": .string("\(call.peer)"),
      ]
      var report: ConnectionReport?
      var end: CallEnd?
      for await event in call.events {
        tell(event, fields: fields)
        switch event {
        case .connected(let connection):
          report = connection
          if let limit { group.addTask { await hangUp(call, after: limit) } }
        case .ended(let ending):
          end = ending
          if let summary = CallSummary(peer: call.peer, report: report, end: ending, recordings: madeRecordings) {
            console.result(summary.text)
          }
        default: break
        }
      }
      group.cancelAll()
      return end
    }
    await calls.remove(call)
    if let error = end?.error { throw error }
  }

  /// Those for which something came.
  private var madeRecordings: [String] { recordings.filter { $0.isMade() }.map(\.path) }

  private func tell(_ event: CallEvent, fields: JSONObject) {
    if case .proposed = event, direction == .incoming { return }  // told when it came in
    if case .warning(let warning) = event { console.warning(code: warning.code.description, warning.message) }
    if case .statistics(let statistics) = event { console.live { statistics.liveLine(width: $0) } }
    if case .proceeding = event, direction == .incoming {
      console.progress("answering")
    } else if let line = event.line {
      console.progress(line)
    }
    guard let object = event.object else { return }
    var details = object.fields
    if case .ended = event, !madeRecordings.isEmpty {
      details["recordings"] = .array(madeRecordings.map { .string($0) })
    }
    console.event(object.name, fields.merging(details))
  }

  private func hangUp(_ call: Call, after limit: Duration) async {
    guard (try? await Task.sleep(for: limit)) != nil else { return }
    await call.hangUp()
  }
}
