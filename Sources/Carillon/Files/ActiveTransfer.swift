import Foundation
import JingleCore
import MediaEngine
import MediaTime
import NIOCore
import XMPPCore
import XMPPNetworking

/// One file's transfer, from the offer or request to its end. Lives in its client's isolation.
final class ActiveTransfer {
  /// The attempts to get a SOCKS5 bytestream.
  struct SOCKS5 {
    var negotiation: SOCKS5Negotiation
    var listener: SOCKS5Listener?
    var cids: [SOCKS5Listener.Endpoint: String] = [:]
    var connections: [SOCKS5Negotiation.Link: SOCKS5Connection] = [:]
    /// Attempts under way.
    var attempts: [SOCKS5Negotiation.Link: Task<Void, Never>] = [:]
  }

  struct DataChannel {
    let endpoint: DataChannelEndpoint
    /// This side's part in DTLS, where it has chosen it.
    var role: JingleCore.DTLSRole?
    /// Candidates that came before the peer was told of this end; nil since.
    var early: [JingleCore.ICECandidate]? = []
    var isGathered = false
  }

  /// What this side does as soon as each file of the peer's offer was decided about.
  enum Decision {
    /// Where to begin: see `FileTransfer.accept(from:at:)`.
    case receive(from: Int64?)
    case give(FileDescription)
  }

  let id = UUID()
  let session: ActiveFileSession
  /// Whether this side put it into the session, as an offer or a request.
  let isOutgoing: Bool
  let direction: JingleCore.FileTransfer.Direction
  /// The content's name.
  let content: String
  var machine: JingleCore.FileTransfer
  /// As far as it is known; what is asked for is known from the answer.
  var file: FileDescription
  var decision: Decision?
  /// What this side offers or answers, once it has its end of the transport.
  var proposal: Jingle.Content?

  /// Those that are left to try, best first, by who put the file into the session; those that are taken too, by the
  /// other.
  var ways: [FileTransferWay]
  var way: FileTransferWay
  var route = ""
  /// Why the ways that were tried came to nothing.
  var failures: [(way: FileTransferWay, why: String)] = []
  /// What was wrong with the file, here.
  var fileError: CallError?
  /// The peer's end of the transport, and this side's.
  var offered: Jingle.Transport?
  var local: Jingle.Transport?
  var socks5: SOCKS5?
  var inBand: InBandByteStream?
  var dataChannel: DataChannel?
  /// How the peer writes it.
  var dataChannelForm = DataChannelTransport.Form.wrapped
  /// How many candidates of ICE's were told.
  var candidateCount = 0
  var stream: (any Bytestream)?

  /// Where to put what was asked for.
  var directory: String?
  /// What the peer may ask for while it lasts.
  var thumbnail: BitsOfBinary?
  var source: (any FileSource)?
  var part: (any FileSink)?
  /// Who moves the bytes, or did last.
  var pump: PumpTurn?
  var meter = TransferMeter()
  var sha256: String?
  /// Whether all is there, and right, and is on the way to its place: what the peer does no longer matters.
  var isBeingPlaced = false
  var isAnswered = false
  /// Whether the peer was told of this side's end, so that transports can be replaced.
  var hasSpoken = false
  var result: Result<FileReceipt, CallError>?
  var waiters: [CheckedContinuation<Result<FileReceipt, CallError>, Never>] = []

  let events: AsyncStream<FileTransferEvent>
  private let event: AsyncStream<FileTransferEvent>.Continuation
  /// Tells when the peer withdraws what was not answered; finishes when it is answered.
  let withdrawal: AsyncStream<Void>
  let withdrawn: AsyncStream<Void>.Continuation

  /// This side offers the file, or asks for it.
  ///
  /// - Parameter ways: at least one.
  init(
    proposing file: FileDescription, _ direction: JingleCore.FileTransfer.Direction, in session: ActiveFileSession,
    limits: JingleCore.FileTransfer.Limits, ways: [FileTransferWay]
  ) {
    content = session.unusedName
    isOutgoing = true
    self.session = session
    self.direction = direction
    self.file = file
    machine = JingleCore.FileTransfer(
      proposing: file, direction, as: .init(creator: session.jingle.role, name: content),
      isAddition: session.jingle.phase != .fresh, limits: limits, at: SystemClock.now)
    self.ways = Array(ways.dropFirst())
    way = ways[0]
    (events, event) = Self.makeEvents()
    (withdrawal, withdrawn) = AsyncStream.makeStream()
    session.add(self)
  }

  /// The peer offers the file, or asks for it.
  init(
    answering content: Jingle.Content, _ file: FileDescription, in session: ActiveFileSession,
    limits: JingleCore.FileTransfer.Limits
  ) {
    isOutgoing = false
    self.session = session
    direction = content.senders.include(session.jingle.role.other) ? .receiving : .sending
    self.content = content.name
    self.file = file
    machine = JingleCore.FileTransfer(
      answering: file, direction, as: .init(creator: content.creator, name: content.name), limits: limits)
    offered = content.transport
    ways = FileTransferWay.allCases
    way = content.transport.flatMap(FileTransferWay.init) ?? .inBand
    (events, event) = Self.makeEvents()
    (withdrawal, withdrawn) = AsyncStream.makeStream()
    session.add(self)
  }

  /// Progress may be missed: the newest is worth most.
  private static func makeEvents() -> (AsyncStream<FileTransferEvent>, AsyncStream<FileTransferEvent>.Continuation) {
    AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(64))
  }

  var peer: JID { session.peer }
  var sid: String { session.sid }

  var summary: FileSummary {
    FileSummary(
      name: SafeFileName.reduced(file.name), size: file.size, mediaType: file.mediaType,
      texts: file.descriptions.map { FileText($0.text, language: $0.language) },
      thumbnail: file.thumbnails.first.map(FileSummary.Thumbnail.init))
  }

  /// As the session's contents say who sends.
  var senders: Jingle.Senders {
    Jingle.Senders(session.jingle.role, sends: direction == .sending, receives: direction == .receiving)
  }

  /// Opens the part that there is of the file, or begins one.
  func openPart(in directory: String) throws(CallError) -> PartialFile {
    let identity = PartialFile.Identity(
      peer: peer.bare.description, name: file.name ?? "", size: file.size, date: file.date.map { DateTime.format($0) },
      hash: file.hashes.strongest.map { "\($0.algorithm.rawValue):\($0.hexadecimal)" })
    // Without a date or a hash, another file of the same name and size could not be told apart.
    return try PartialFile(
      of: identity, in: directory, resumes: identity.date != nil || identity.hash != nil,
      on: FileThreads.shared.next())
  }

  func tell(_ event: FileTransferEvent) {
    self.event.yield(event)
    if case .ended = event { self.event.finish() }
  }

  var nextDeadline: Instant? {
    [machine.nextDeadline, socks5?.negotiation.nextDeadline].compactMap(\.self).min()
  }
}
