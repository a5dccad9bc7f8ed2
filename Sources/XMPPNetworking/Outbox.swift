import NIOCore
import Synchronization

/// Gathers what is sent from any thread, and writes it once per turn of the event loop.
///
/// Bounded by `limit` bytes not yet taken by the network; at the limit the stream is abandoned.
final class Outbox: Sendable {
  private struct State {
    var pending = ByteBuffer()
    var isScheduled = false
    var isAbandoned = false
    /// Bytes queued here or in the channel.
    var backlog = 0
  }

  private enum Step {
    case nothing, schedule, abandon
  }

  private let channel: any Channel
  private let limit: Int
  private let state = Mutex(State())

  init(channel: any Channel, limit: Int) {
    self.channel = channel
    self.limit = limit
  }

  func send(_ text: String) {
    let step = state.withLock { state -> Step in
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
    let pending = state.withLock { state -> ByteBuffer in
      defer { state.pending = ByteBuffer() }
      state.isScheduled = false
      return state.pending
    }
    guard pending.readableBytes > 0 else { return }
    // Whether written or failed, it waits no more.
    channel.writeAndFlush(pending).whenComplete { _ in
      self.state.withLock { $0.backlog -= pending.readableBytes }
    }
  }
}
