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

  /// The media of the call as they are now.
  public var contents: [CallContent] {
    get async { await client.contents(of: id) }
  }

  /// The latest figures; nil before the call is connected.
  public var statistics: CallStatistics? {
    get async { await client.statistics(of: id) }
  }

  /// Adds media to the running call: pictures to one with sound alone, a shared screen beside a camera. `.added` follows.
  ///
  /// - Parameters:
  ///   - media: what is sent, and where what comes back goes. Each kind in it becomes a content.
  ///   - category: what it is, for the peer to know how to show it.
  /// - Returns: the contents that the peer accepted.
  /// - Throws: `CallError`: `declined` when the peer wants none of it, `nothingInCommon`, `timedOut`, or `failed` when the
  ///   call is not connected.
  @discardableResult
  public func add(_ media: MediaOffer, category: CallContent.Category? = nil) async throws -> [CallContent] {
    try await client.add(media, category, to: id)
  }

  /// Takes a medium out of the call. The last one ends it. `.removed` follows.
  ///
  /// - Parameter name: a content's.
  /// - Throws: `CallError(.failed)` when there is no such content.
  public func remove(_ name: String) async throws { try await client.remove(name, from: id) }

  /// Sends silence, or no pictures, from now on, and tells the peer so. `.muted` follows.
  public func mute(_ kind: MediaKind) async throws { try await client.setMuted(true, kind, id) }
  public func unmute(_ kind: MediaKind) async throws { try await client.setMuted(false, kind, id) }

  /// Stops all media, both ways, and tells the peer so. `.held` follows.
  public func hold() async throws { try await client.setHeld(true, id) }
  /// Lets media flow again, as far as the peer does not hold the call. `.unheld` follows.
  public func unhold() async throws { try await client.setHeld(false, id) }

  /// Presses keys of the telephone's pad, one after the other, 100 ms each (RFC 4733). `.dtmf` follows for each.
  ///
  /// - Parameter digits: of `0`…`9`, `*`, `#`, `A`…`D`, and `,` for a pause of a second; at most 64.
  /// - Throws: `CallError`: `configuration` for other characters, `nothingInCommon` when the peer takes no telephone events.
  public func sendDTMF(_ digits: String) async throws { try await client.sendDTMF(digits, id) }

  /// Looks for a new path with new addresses, while the old one carries on. `.restartingICE` follows, then `.pathChanged`.
  public func restartICE() async throws { try await client.restartICE(id) }

  /// Puts a new transport, with keys of its own, in the place of each of the call's. Media goes over the old ones until the
  /// new ones stand; `.pathChanged` follows. For peers that do not restart ICE, but take transport-replace (XEP-0166).
  public func replaceTransports() async throws { try await client.replaceTransports(id) }

  /// Ends the call: cancels it while it rings, hangs up once it runs. `.ended` follows. Does nothing when it is over.
  public func hangUp() async {
    await client.hangUp(id)
  }
}
