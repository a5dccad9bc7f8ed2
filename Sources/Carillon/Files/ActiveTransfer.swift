import Foundation
import JingleCore
import MediaEngine
import MediaTime
import NIOCore
import XMPPCore
import XMPPNetworking

/// One file's transfer, from the offer to its end, with the session it has for itself. Lives in its client's isolation.
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

  let id = UUID()
  let sid: String
  let peer: JID
  let isOutgoing: Bool
  let summary: FileSummary
  /// The content's name.
  let content: String
  var session: JingleSession
  var machine: JingleCore.FileTransfer
  var ending: FileSession
  let file: FileDescription

  /// Those that are left to try, best first; the initiator's.
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

  var source: (any FileSource)?
  var part: (any FileSink)?
  /// How many bytes were there before.
  var offset: Int64 = 0
  var count: Int64 = 0
  var startedAt: Instant?
  var toldAt: Instant?
  var sha256: String?
  var isAnswered = false
  /// Whether this side has offered or accepted the session, so that transports can be replaced.
  var hasSpoken = false
  var result: Result<FileReceipt, CallError>?
  var waiters: [CheckedContinuation<Result<FileReceipt, CallError>, Never>] = []

  let events: AsyncStream<FileTransferEvent>
  private let event: AsyncStream<FileTransferEvent>.Continuation
  /// Finishes when the offer is withdrawn, or answered.
  let pending: AsyncStream<Never>
  let stopPending: AsyncStream<Never>.Continuation

  init(
    sid: String, peer: JID, isOutgoing: Bool, content: String, _ file: FileDescription, session: JingleSession,
    machine: consuming JingleCore.FileTransfer, ways: [FileTransferWay]
  ) {
    self.sid = sid
    self.peer = peer
    self.isOutgoing = isOutgoing
    self.content = content
    self.file = file
    self.session = session
    self.machine = machine
    ending = FileSession([content])
    self.ways = Array(ways.dropFirst())
    way = ways.first ?? .inBand
    summary = FileSummary(
      name: SafeFileName.reduced(file.name), size: file.size, mediaType: file.mediaType,
      text: file.descriptions.first?.text)
    // Progress may be missed: the newest is worth most.
    (events, event) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(64))
    (pending, stopPending) = AsyncStream.makeStream()
  }

  func tell(_ event: FileTransferEvent) {
    self.event.yield(event)
    if case .ended = event { self.event.finish() }
  }

  var nextDeadline: Instant? {
    [machine.nextDeadline, ending.nextDeadline, socks5?.negotiation.nextDeadline].compactMap(\.self).min()
  }
}
