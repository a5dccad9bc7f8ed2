import Foundation
import MediaTime
import XMPPCore

/// A file on its way to or from a web server, or one that goes by sessions and may come to another of them, or to that,
/// when the first leads nowhere. Lives in its client's isolation.
final class WebTransfer {
  /// Where a file lies that somebody shares, and what they say of it.
  struct Link {
    let url: HTTPSURL
    let file: FileMetadata
    /// The one to hold the file against.
    let hash: HashValue?
  }

  let id = UUID()
  let peer: JID
  let summary: FileSummary
  /// nil for a file that is sent.
  let link: Link?
  /// The id of the message that tells the peer of the file.
  let sid: String

  var isAnswered = false
  private(set) var isCancelled = false
  /// The session that tries the other ways before.
  var session: FileTransfer?
  /// The way that was tried last.
  var way = FileTransferWay.upload
  /// Why the message came back.
  var refusal: StanzaError?

  var offset: Int64 = 0
  var count: Int64 = 0
  var startedAt: Instant?
  private var toldAt: Instant?
  /// Bytes since then, for the rate.
  private var window: (start: Instant, count: Int64)?

  private let events: AsyncStream<FileTransferEvent>
  private let event: AsyncStream<FileTransferEvent>.Continuation
  /// What the one who follows the transfer is to follow: one, or none when it ends before it is known.
  let handles: AsyncStream<FileTransfer>
  private let handle: AsyncStream<FileTransfer>.Continuation
  /// Finishes when it is cancelled, or over.
  let running: AsyncStream<Never>
  private let stopRunning: AsyncStream<Never>.Continuation
  var waiter: CheckedContinuation<Result<FileReceipt, CallError>, Never>?

  init(sid: String, peer: JID, _ summary: FileSummary, link: Link? = nil) {
    self.sid = sid
    self.peer = peer
    self.summary = summary
    self.link = link
    // Progress may be missed: the newest is worth most.
    (events, event) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(64))
    (handles, handle) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(1))
    (running, stopRunning) = AsyncStream.makeStream()
  }

  func tell(_ event: FileTransferEvent) { self.event.yield(event) }

  /// Lets the transfer be followed, once.
  ///
  /// - Parameter session: where it goes by one.
  func show(_ session: FileTransfer? = nil, of client: Client) {
    handle.yield(
      FileTransfer(
        peer: session?.peer ?? peer, sid: session?.sid ?? sid, file: session?.file ?? summary, events: events, id: id,
        client: client))
    handle.finish()
  }

  func started(at offset: Int64, _ route: String) {
    (self.offset, count, startedAt) = (offset, 0, SystemClock.now)
    toldAt = nil
    window = nil
    tell(.started(.upload, path: route, offset: offset))
  }

  /// - Throws: `timedOut` when so little moves that it is as good as nothing.
  func moved(_ bytes: Int, of size: Int64?, _ limits: (bytesPerSecond: Int64, window: Duration)) throws(CallError) {
    let now = SystemClock.now
    count += Int64(bytes)
    if toldAt.map({ now - $0 >= .milliseconds(100) }) ?? true {
      toldAt = now
      let seconds = startedAt.map { (now - $0).inSeconds } ?? 0
      tell(
        .progress(
          FileProgress(
            bytes: offset + count, size: size, bytesPerSecond: seconds > 0 ? Double(count) / seconds : 0)))
    }
    var window = window ?? (now, 0)
    window.count += Int64(bytes)
    if now - window.start >= limits.window {
      guard Double(window.count) >= Double(limits.bytesPerSecond) * (now - window.start).inSeconds else {
        throw CallError(.timedOut, "\(summary.name) moved too slowly. Try again later.")
      }
      window = (now, 0)
    }
    self.window = window
  }

  func cancel() {
    isCancelled = true
    finish(.failure(cancelled))
  }

  var cancelled: CallError { CallError(.failed, "The transfer of \(summary.name) was cancelled.") }

  /// Notes what came of it; the first word counts.
  func finish(_ result: Result<FileReceipt, CallError>) {
    waiter?.resume(returning: result)
    waiter = nil
    stopRunning.finish()
  }

  /// Tells of the end, once everything is.
  func end(_ result: Result<FileReceipt, CallError>) {
    handle.finish()
    tell(.ended(result))
    event.finish()
  }
}

/// What a client knows of web servers and files there.
struct WebTransfers {
  var underWay: [UUID: WebTransfer] = [:]
  /// The messages that were heard of last, so that none is taken for two. Bound: `maximumSeen`, the oldest are forgotten.
  private var seen: [String] = []

  private static let maximumSeen = 256
  private static let maximumIDLength = 1024

  /// A message's id, unless it is longer than any that a client makes up.
  static func id(of message: Message) -> String? {
    message.id.flatMap { $0.utf8.count <= maximumIDLength ? $0 : nil }
  }

  /// Whether a message is heard of for the first time.
  mutating func isNew(_ message: Message) -> Bool {
    guard let id = Self.id(of: message), let from = message.from else { return true }
    let key = "\(from)\u{0}\(id)"
    guard !seen.contains(key) else { return false }
    if seen.count >= Self.maximumSeen { seen.removeFirst() }
    seen.append(key)
    return true
  }
}
