import Foundation

/// Somebody calls: to be answered exactly once.
///
/// Returning from the handler without an answer declines. When the caller gives up, or another device takes or declines
/// the call, the handler's task is cancelled, `end` tells why, and an answer that comes all the same throws.
///
/// One call of each account rings at a time: when the same account calls again meanwhile, the new call takes the place
/// of the one that rings.
public struct IncomingCall: ~Copyable, Sendable {
  /// The device that calls.
  public let peer: JID
  /// The session's id; the same in both ends' logs.
  public let sid: String
  /// What the caller proposes to exchange.
  public let media: Set<MediaKind>
  /// The `sid` of the running call whose place this one takes: the peer goes on from another device, or came back after
  /// its connection was lost. That call is over; a person who was in it will want this one without being asked.
  public let replaces: String?
  private let id: UUID
  private let client: Client

  init(peer: JID, sid: String, id: UUID, media: Set<MediaKind>, replaces: String?, client: Client) {
    self.peer = peer
    self.sid = sid
    self.id = id
    self.media = media
    self.replaces = replaces
    self.client = client
  }

  /// How the call ended; nil while it rings. `answeredElsewhere` and `declinedElsewhere` tell of the account's other devices.
  public var end: CallEnd? {
    get async { await client.end(ofOffered: id) }
  }

  /// Takes the call.
  ///
  /// - Parameters:
  ///   - offer: what this side sends and where what it receives goes.
  ///   - body: runs at once; `call.events` tells when media flows. The call ends when it returns.
  /// - Returns: what `body` returned.
  /// - Throws: what `body` threw, or the `CallError` of a call that failed or was over before it was answered.
  public consuming func answer<Result: Sendable>(
    with offer: MediaOffer, _ body: @Sendable (Call) async throws -> Result
  ) async throws -> Result {
    return try await client.answer(id, with: offer, body)
  }

  /// Declines the call on all of the account's devices.
  public consuming func decline() async {
    await client.reject(id, busy: false)
  }

  /// Declines because another call is running.
  public consuming func declineBusy() async {
    await client.reject(id, busy: true)
  }
}
