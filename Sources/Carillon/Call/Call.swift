import Foundation

/// A call in progress, as `Client.withCall` and `IncomingCall.answer` hand it to their bodies.
public final class Call: Sendable {
  /// The peer as it was called: an account, or the device that calls.
  public let peer: JID
  /// The session's id; the same in both ends' logs.
  public let sid: String
  /// What happens, from the proposal to `.ended`, which is always last. One consumer.
  public let events: AsyncStream<CallEvent>
  private let id: UUID
  private let client: Client

  init(_ call: ActiveCall, client: Client) {
    peer = call.peer
    sid = call.sid
    events = call.events
    id = call.id
    self.client = client
  }

  /// Ends the call: cancels it while it rings, hangs up once it runs. `.ended` follows. Does nothing when it is over.
  public func hangUp() async {
    await client.hangUp(id)
  }
}
