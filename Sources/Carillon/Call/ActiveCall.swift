import Foundation
import JingleCore
import MediaEngine
import MediaTime
import XMPPCore

/// One call's state, from the proposal to its end. Lives in its client's isolation.
final class ActiveCall {
  enum Deadline: Hashable {
    /// ICE and DTLS take too long.
    case connect
    /// The same of a transport that was added to a running call.
    case connectTransport(Int)
    /// The credentials for the relay in use are about to expire.
    case renewRelay
    /// The peer does not say whether it takes an added content.
    case addition(String)
    /// The media path was closed, and no word of it came through signalling.
    case goodbye
    /// The peer is to be asked again whether it still has the call.
    case seek
  }

  /// Whether the peer can be reached through the server.
  enum Signalling {
    case up
    /// There is no stream; the peer was last known to have the call, or not.
    case lost(isFound: Bool)
    /// There is a new stream, and the peer is asked whether it still has the call.
    case seeking(Backoff)
    /// There is a stream under another address than the peer knows.
    case cutOff
  }

  /// Where a call stands, for error messages and for what may still happen.
  enum Phase: Comparable {
    case ringing, negotiating, connecting, connected, ended
  }

  /// One medium of the call.
  struct Content {
    let name: String
    let creator: Jingle.Party
    let kind: MediaKind
    /// What this side sends in it, and where what comes goes.
    let media: MediaOffer
    let streams: ContentStreams
    var categories: Set<CallContent.Category> = []
    var senders: Jingle.Senders
    /// What this side offered; nil where the peer did.
    var offered: RTPDescription?
    /// The index of what carries it; those of a bundle share one.
    var transport: Int
    /// Whether the peer takes keys of a telephone's pad in it.
    var takesKeys = false
    /// What its media was last told.
    var flow: CallMedia.Flow?
    var watch = MediaWatch()
  }

  /// A content that one side wants in a running call.
  struct Addition {
    var content: Content
    /// What the peer offers; nil where this side does.
    var offer: Jingle.Content?
    /// Whether all is said from this side.
    var isSent = false
    var waiter: CheckedContinuation<CallContent, any Error>?
  }

  /// A transport that is to take another's place.
  struct Replacement {
    /// By which both are spoken of.
    var content: String
    var old: Int
    /// The peer's end; nil while it has not accepted ours.
    var remote: ICETransport?
    /// Whether all is said from this side.
    var isSent = false
  }

  /// What carries one content, or several in a bundle.
  struct Transport {
    /// The content under whose name it is spoken of.
    var owner: String?
    var local: MediaEndpoint.LocalDescription?
    /// Whether RTCP goes where RTP goes, as far as is known.
    var multiplexesRTCP: Bool
    var remoteUfrag: String?
    /// This side's part in DTLS, once it is agreed on.
    var role: JingleCore.DTLSRole?
    /// What its contents use.
    var numbers = MediaNegotiation.Numbers()
    /// Candidates that came before there was a session to send them in.
    var earlyCandidates: [JingleCore.ICECandidate] = []
    var gatheredRelay = false
    var connection: MediaConnection?
    /// The peer has said goodbye on it.
    var isClosedByPeer = false
    /// Candidates of a restart whose credentials have not been told yet.
    var restartCandidates: [MediaEngine.ICECandidate] = []
    /// Whether this side's next credentials are those of an ICE restart of its own.
    var restartsItself = false
    /// When this side began a restart for which the peer still owes its credentials.
    var restartedAt: Instant?
    /// Whether another restart is wanted once the peer has given them.
    var restartsAgain = false
  }

  /// Contents of a call, with those that are to join.
  static let maximumContents = 8
  /// How many contents the peer may want in the course of a call: each that joins leaves figures behind.
  static let maximumOffers = 64

  /// Names this call among all that there were: a peer may choose a `sid` again.
  let id = UUID()
  let sid: String
  /// Whom to talk to: the account at first, then the device that took the call or calls.
  var peer: JID
  let isOutgoing: Bool
  let startedAt: Instant
  var phase = Phase.ringing

  /// The peer's call that rang here when this one was placed, of which the peer had not heard then.
  var rival: ActiveCall?
  /// The `sid` of the call that this side placed to the same account while this one rang.
  var calledBack: String?
  var outgoing: OutgoingProposal?
  var incoming: IncomingProposal?
  var session: JingleSession?
  var deadlines = DeadlineTable<Deadline>()
  var signalling = Signalling.up

  /// Set once this side has decided what it sends and receives.
  var media: MediaOffer?
  /// The id of the message that carried the proposal: an undelivered one comes back under it.
  var proposalStanzaID: String?
  /// What both sides have agreed on, or this side has offered to begin with.
  var contents: [Content] = []
  /// What is to join. Bound: `maximumContents` with what is there.
  var additions: [Addition] = []
  /// How many contents the peer has wanted so far.
  var offeredByPeer = 0
  var transports: [Int: Transport] = [:]
  /// Which of them the first content of the peer's offer is to have, if it has one of its own.
  var firstTransport = 0
  /// How many there have been: no index is used again.
  private var transportCount = 0
  /// The streams that this side may send.
  var streams: LocalStreams
  /// Whether the peer takes contents on one transport (XEP-0338).
  var bundles = false
  var isHeld = false
  var isHeldByPeer = false
  var muted: Set<MediaKind> = []
  /// The names of contents.
  var mutedByPeer: Set<String> = []
  /// The peer's offer while it waits for an answer.
  var remoteOffer: Jingle?
  /// Transports that are to take another's place, by their indices.
  var replacements: [Int: Replacement] = [:]
  /// When the peer began ICE anew, in the last minute.
  var restartsByPeer: [Instant] = []
  /// What came of the peer's transports before both sides had agreed on one. Bound: 64, later ones dropped.
  var earlyTransports: [(content: String, transport: ICETransport)] = []
  var candidateCount = 0
  var turnServers: [ICEServer] = []
  var audioCodec: String?
  var videoCodec: String?

  let commands: AsyncStream<CallMedia.Command>
  let command: AsyncStream<CallMedia.Command>.Continuation
  var mediaIsRunning = false

  /// Whether this side has decided about a call that came in.
  var isAnswered = false
  /// Finishes when a call that came in rings no more.
  let ringing: AsyncStream<Never>
  let stopRinging: AsyncStream<Never>.Continuation

  let events: AsyncStream<CallEvent>
  private let event: AsyncStream<CallEvent>.Continuation
  var ringingAt: Instant?
  var proceedAt: Instant?
  var connectedAt: Instant?
  var statistics: CallStatistics?
  var connectivity: ConnectivityReport?
  var end: CallEnd?
  /// The end has been told, and the client has forgotten the call.
  var isOver = false
  /// Called once, when everything has stopped.
  var whenOver: [CheckedContinuation<CallEnd, Never>] = []

  init(sid: String, peer: JID, isOutgoing: Bool, streams: LocalStreams, at now: Instant) {
    self.sid = sid
    self.streams = streams
    self.peer = peer
    self.isOutgoing = isOutgoing
    startedAt = now
    (commands, command) = AsyncStream.makeStream()
    (ringing, stopRinging) = AsyncStream.makeStream()
    (events, event) = AsyncStream.makeStream()
  }

  /// Whether the call is not over, as far as is known: another device of this account may have taken it.
  var mayGoOn: Bool { end == nil || end?.error?.code == .answeredElsewhere }

  func tell(_ event: CallEvent) {
    self.event.yield(event)
    if case .ended = event { self.event.finish() }
  }

  func transportIndex(ownedBy content: String) -> Int? {
    transports.first { $0.value.owner == content }?.key
  }

  /// Whether sound and pictures share a transport.
  var isBundled: Bool { contents.count > 1 && Set(contents.map(\.transport)).count < contents.count }

  /// Whether the peer takes RTCP where RTP goes, as far as is known.
  var multiplexesRTCP: Bool { transports.values.allSatisfy(\.multiplexesRTCP) }

  var party: Jingle.Party { isOutgoing ? .initiator : .responder }

  var nextDeadline: Instant? {
    [outgoing?.nextDeadline, incoming?.nextDeadline, deadlines.next].compactMap(\.self).min()
  }

  /// An index that no transport of this call has had.
  var nextTransport: Int { transportCount }

  /// - Returns: false when there is or was one of this index.
  func addTransport(_ index: Int, multiplexesRTCP: Bool) -> Bool {
    guard transports[index] == nil else { return false }
    transports[index] = Transport(multiplexesRTCP: multiplexesRTCP)
    transportCount = max(transportCount, index + 1)
    return true
  }

  /// What of a content flows, as things stand.
  func flow(of content: Content) -> CallMedia.Flow {
    CallMedia.Flow(
      sends: content.senders.include(party) && content.media.sends(content.kind) && !isHeld && !isHeldByPeer,
      receives: content.senders.include(party.other) && content.media.receives(content.kind) && !isHeld,
      isMuted: muted.contains(content.kind))
  }

  /// A content as embedders see it. Holding and muting do not count: they pass.
  func view(of content: Content) -> CallContent {
    CallContent(
      name: content.name, kind: content.kind, categories: content.categories,
      sends: content.senders.include(party) && content.media.sends(content.kind),
      receives: content.senders.include(party.other) && content.media.receives(content.kind))
  }

  func nextCandidateID() -> String {
    candidateCount += 1
    return "c\(candidateCount)"
  }
}
