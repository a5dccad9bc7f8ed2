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
  /// What the peer takes, where this side began.
  let info: DiscoInfo?
  var jingle: JingleSession
  var ending = FileSession([])
  /// Those under way, in the order in which they came.
  private(set) var transfers: [ActiveTransfer] = []
  /// Thumbnails that the peer sent along. Bound: `Thumbnail.maximumCount`, later ones dropped.
  private(set) var bits: [BitsOfBinary] = []
  /// How many files there ever were.
  private var count = 0

  init(_ jingle: JingleSession, with info: DiscoInfo? = nil) {
    self.info = info
    sid = jingle.sid
    peer = jingle.peer
    self.jingle = jingle
  }

  subscript(content: String) -> ActiveTransfer? { transfers.first { $0.content == content } }

  /// Whom news of a file are about. Where there is one file only, its name may be left out, or be another.
  func transfer(_ content: FileInfo.Content) -> ActiveTransfer? {
    count == 1 ? transfers.first : content.name.flatMap { self[$0] }
  }

  /// Keeps the thumbnails that stand in the stanza that announces them.
  ///
  /// - Specification: XEP-0231 §3
  func keepBits(of jingle: Jingle) {
    let announced = jingle.contents.compactMap(\.description?.file).flatMap(\.thumbnails).compactMap(\.contentID)
    for payload in jingle.payloads where bits.count < Thumbnail.maximumCount {
      guard let data = try? BitsOfBinary(payload), announced.contains(data.cid), data.isGenuine == true else {
        continue
      }
      bits.append(data)
    }
  }

  /// A name for a content of this side.
  var unusedName: String { jingle.unusedName(like: count == 0 ? "file" : "file-\(count + 1)") }

  func add(_ transfer: ActiveTransfer) {
    count += 1
    transfers.append(transfer)
    ending.add(transfer.content)
  }

  func remove(_ transfer: ActiveTransfer) { transfers.removeAll { $0 === transfer } }

  /// Whether one more file can be put into it: this side began it, still has the address under which it did, and files are
  /// under way. Who has all of them ends it.
  func takesMore(from own: JID?) -> Bool {
    jingle.role == .initiator && jingle.phase != .ended && jingle.own == own && !transfers.isEmpty
      && transfers.count < JingleSession.maximumOfferedContents
  }

  /// Whether each file in it has its end of a transport.
  var isProposed: Bool { !transfers.isEmpty && transfers.allSatisfy { $0.proposal != nil } }

  var nextDeadline: Instant? { ending.nextDeadline }
}
