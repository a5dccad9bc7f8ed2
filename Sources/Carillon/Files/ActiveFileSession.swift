import Foundation
import JingleCore
import MediaTime
import XMPPCore

/// A session with a peer, and the files in it: each is a content, offered or asked for by either side. Lives in its
/// client's isolation.
final class ActiveFileSession {
  /// Names it among this client's sessions: two peers may choose the same `sid`.
  let handle = UUID().uuidString
  let sid: String
  let peer: JID
  var jingle: JingleSession
  var ending = FileSession([])
  /// Those under way, in the order in which they came.
  private(set) var transfers: [ActiveTransfer] = []
  /// Thumbnails that the peer sent along. Bound: `Thumbnail.maximumCount`, later ones dropped.
  private(set) var bits: [BitsOfBinary] = []
  /// How many files there ever were.
  private var count = 0

  init(_ jingle: JingleSession) {
    sid = jingle.sid
    peer = jingle.peer
    self.jingle = jingle
  }

  subscript(content: String) -> ActiveTransfer? { transfers.first { $0.content == content } }

  /// Whom news of a file are about. Where there is one file only, its name may be left out, or be another.
  func transfer(_ content: FileInfo.Content) -> ActiveTransfer? {
    count == 1 ? transfers.first : content.name.flatMap { self[$0] }
  }

  /// Keeps the data that stands in a stanza of the peer's.
  ///
  /// - Specification: XEP-0231 §3
  func keepBits(of jingle: Jingle) {
    for payload in jingle.payloads where bits.count < Thumbnail.maximumCount {
      if let data = try? BitsOfBinary(payload), data.isGenuine == true { bits.append(data) }
    }
  }

  /// A name for a content of this side.
  var unusedName: String { count == 0 ? "file" : "file-\(count + 1)" }

  func add(_ transfer: ActiveTransfer) {
    count += 1
    transfers.append(transfer)
    ending.add(transfer.content)
  }

  func remove(_ transfer: ActiveTransfer) { transfers.removeAll { $0 === transfer } }

  /// Whether each file in it has its end of a transport.
  var isProposed: Bool { !transfers.isEmpty && transfers.allSatisfy { $0.proposal != nil } }

  var nextDeadline: Instant? { ending.nextDeadline }
}
