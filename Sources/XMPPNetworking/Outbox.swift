import MediaTime
import NIOCore
import Synchronization
import XMPPCore

/// Gathers what is sent from any thread, and writes it once per turn of the event loop. Knows what of it has arrived,
/// where the server tells.
///
/// Bounded by `limit` bytes not yet taken by the network; at the limit the stream is abandoned.
final class Outbox: Sendable {
  private struct State {
    var pending = ByteBuffer()
    var isScheduled = false
    var isAbandoned = false
    /// Bytes queued here or in the channel.
    var backlog = 0
    /// Told of each stanza in the order in which they leave, which is why it lives under this lock.
    var management: StreamManagement?
    /// When the event loop looks whether to ask for an acknowledgement.
    var alarm: Instant?
  }

  private enum Step {
    case nothing, schedule, abandon
  }

  private static let acknowledgementRequest = "<r xmlns='\(StreamManagement.namespace)'/>"

  private let channel: any Channel
  private let limit: Int
  private let state = Mutex(State())

  init(channel: any Channel, limit: Int) {
    self.channel = channel
    self.limit = limit
  }

  /// What is known of the stanzas that were sent; nil while the server does not tell.
  var management: StreamManagement? { state.withLock { $0.management } }

  func send(_ stanza: XMLElement) {
    let text = stanza.serialized(inside: Stanza.namespace)
    let step = state.withLock { state -> Step in
      let asks = state.management?.send(stanza, at: SystemClock.now) ?? false
      return Self.write(asks ? text + Self.acknowledgementRequest : text, limit: limit, into: &state)
    }
    perform(step)
  }

  /// Stream management begins, before anything else is sent. What is to be sent again goes first.
  func begin(_ management: StreamManagement, repeating stanzas: [XMLElement]) {
    let step = state.withLock { state -> Step in
      state.management = management
      guard !stanzas.isEmpty else { return .nothing }
      let text = stanzas.map { $0.serialized(inside: Stanza.namespace) }.joined() + Self.acknowledgementRequest
      return Self.write(text, limit: limit, into: &state)
    }
    perform(step)
  }

  /// Something arrived.
  ///
  /// - Returns: what else is to be done; answers are sent here.
  func receive(_ element: XMLElement) -> StreamManagement.Action {
    let (action, step) = state.withLock { state -> (StreamManagement.Action, Step) in
      guard let action = state.management?.receive(element) else { return (.deliver, .nothing) }
      guard case .answer(let answer) = action else { return (action, .nothing) }
      return (action, Self.write(answer.serialized(inside: Stanza.namespace), limit: limit, into: &state))
    }
    perform(step)
    return action
  }

  private static func write(_ text: String, limit: Int, into state: inout State) -> Step {
    guard !state.isAbandoned else { return .nothing }
    state.backlog += text.utf8.count
    guard state.backlog <= limit else {
      state.isAbandoned = true
      state.pending.clear()
      return .abandon
    }
    state.pending.writeString(text)
    defer { state.isScheduled = true }
    return state.isScheduled ? .nothing : .schedule
  }

  private func perform(_ step: Step) {
    switch step {
    case .nothing: break
    case .schedule: channel.eventLoop.execute { self.flush() }
    case .abandon:
      channel.eventLoop.execute { [channel] in
        channel.pipeline.fireUserInboundEventTriggered(StreamCommand.abandon(.backlog))
      }
    }
  }

  private func flush() {
    let (pending, alarm) = state.withLock { state -> (ByteBuffer, Instant?) in
      defer { state.pending = ByteBuffer() }
      state.isScheduled = false
      guard state.alarm == nil, let deadline = state.management?.nextDeadline else { return (state.pending, nil) }
      state.alarm = deadline
      return (state.pending, deadline)
    }
    if let alarm {
      let pause = max(.zero, alarm - SystemClock.now)
      channel.eventLoop.scheduleTask(in: TimeAmount(pause)) { self.alarmed() }
    }
    guard pending.readableBytes > 0 else { return }
    // Whether written or failed, it waits no more.
    channel.writeAndFlush(pending).whenComplete { _ in
      self.state.withLock { $0.backlog -= pending.readableBytes }
    }
  }

  /// The time has come to ask for an acknowledgement, unless it was asked for meanwhile.
  private func alarmed() {
    guard channel.isActive else { return }
    let step = state.withLock { state -> Step in
      state.alarm = nil
      if state.management?.timeout(at: SystemClock.now) == true {
        return Self.write(Self.acknowledgementRequest, limit: limit, into: &state)
      }
      // A later deadline is armed for with the next turn.
      return .schedule
    }
    perform(step)
  }
}
