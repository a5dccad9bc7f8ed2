import Carillon

/// Brings what keys and commands ask for to the calls that run or ring.
actor Switchboard {
  enum Decision: Sendable { case answer, decline }

  private let console: Console
  /// In the order in which they began.
  private var running: [CallController] = []
  /// In the order in which they began to ring.
  private var ringing: [(sid: String, decide: AsyncStream<Decision>.Continuation)] = []

  init(console: Console) { self.console = console }

  /// Carries requests over until the input ends or this is cancelled.
  func run(_ input: StandardInput) async {
    for await item in input.items {
      receive(item)
      input.consumed()
    }
  }

  func receive(_ item: StandardInput.Item) {
    switch item {
    case .line(let line):
      // An empty line, as people type them, asks for nothing.
      if line.allSatisfy({ $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") || $0 == UInt8(ascii: "\r") }) { return }
      do throws(RequestFailure) { try take(CallRequest(line: line)) } catch { console.refused(error) }
    case .lineTooLong:
      console.refused(RequestFailure("The line is longer than \(CallRequest.maximumLineLength / 1024) KiB."))
    case .key(let key):
      switch KeyAction(key: key, isRinging: !ringing.isEmpty) {
      case .help:
        if !ringing.isEmpty { console.progress(KeyAction.ringingHelp) }
        console.progress(KeyAction.callHelp)
      case .request(let action):
        // Of several calls, keys mean the one that rang first and the one that began last.
        let sid = action == .answer || action == .decline ? ringing.first?.sid : running.last?.sid
        do throws(RequestFailure) { try take(CallRequest(action, sid: sid)) } catch { console.refused(error) }
      case nil: break
      }
    }
  }

  private func take(_ request: CallRequest) throws(RequestFailure) {
    let command = request.action.command
    switch request.action {
    case .answer, .decline:
      let index = try index(of: request, among: ringing.map(\.sid), verb: "rings")
      ringing.remove(at: index).decide.yield(request.action == .answer ? .answer : .decline)
    case .hangUp where running.isEmpty || request.sid.map { sid in ringing.contains { $0.sid == sid } } ?? false:
      guard !ringing.isEmpty else { throw RequestFailure(code: "noCall", "No call runs.", command: command) }
      let index = try index(of: request, among: ringing.map(\.sid), verb: "rings")
      ringing.remove(at: index).decide.yield(.decline)
    default:
      running[try index(of: request, among: running.map(\.sid), verb: "runs")].request(request.action)
    }
  }

  private func index(
    of request: CallRequest, among sids: [String], verb: String
  ) throws(RequestFailure) -> Int {
    let command = request.action.command
    if let sid = request.sid {
      guard let index = sids.firstIndex(of: sid) else {
        throw RequestFailure(code: "noCall", "No call with the sid '\(sid.prefix(64))' \(verb).", command: command)
      }
      return index
    }
    switch sids.count {
    case 0: throw RequestFailure(code: "noCall", "No call \(verb).", command: command)
    case 1: return 0
    default:
      throw RequestFailure(
        code: "ambiguous", "There are \(sids.count) calls; name one with \"sid\".", command: command)
    }
  }

  // MARK: Calls

  func add(_ call: CallController) { running.append(call) }
  func remove(_ call: CallController) { running.removeAll { $0 === call } }

  /// Lets a call ring until somebody decides. To be called before anybody is told of it.
  func ring(_ sid: String) -> AsyncStream<Decision> {
    let (decisions, decide) = AsyncStream.makeStream(of: Decision.self, bufferingPolicy: .bufferingOldest(1))
    ringing.append((sid, decide))
    return decisions
  }

  func stopRinging(_ sid: String) { ringing.removeAll { $0.sid == sid } }

  /// What comes first: a decision, the end of patience (which answers), or the end of the call, which is cancellation.
  ///
  /// - Parameter patience: nil waits for as long as it rings.
  /// - Returns: nil when the call ended undecided.
  static func decision(
    _ decisions: AsyncStream<Decision>, patience: Duration?
  ) async -> Decision? {
    await withTaskGroup(of: Decision?.self) { group in
      group.addTask {
        for await decision in decisions { return decision }
        return nil
      }
      if let patience {
        group.addTask { (try? await Task.sleep(for: patience)).map { .answer } }
      }
      defer { group.cancelAll() }
      return await group.next() ?? nil
    }
  }
}
