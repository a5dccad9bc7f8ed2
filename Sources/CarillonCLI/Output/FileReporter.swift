import Carillon
import Foundation

/// Tells of one file's transfer: a bar on a terminal, events for programs, and at the end what came of it.
struct FileReporter: Sendable {
  enum Direction: String, Sendable { case incoming, outgoing }

  private let console: Console
  private let direction: Direction
  private let languages: [String]

  /// - Parameter languages: those that the user reads, best first.
  init(_ console: Console, _ direction: Direction, languages: [String] = UserLanguages.current) {
    self.console = console
    self.direction = direction
    self.languages = languages
  }

  /// - Parameter host: the web server where it lies, if that is so.
  func offered(_ file: FileSummary, by peer: JID, sid: String, at host: String? = nil) {
    var more = description(of: file)
    more["host"] = host.map { .string($0) }
    console.event("file.offered", fields(file, peer, sid).merging(more))
    let size = file.size.map { ", \(byteCount($0))" } ?? ""
    let text = file.text(in: languages).map { " (\($0))" } ?? ""
    console.progress("\(peer) offers \(file.name)\(size)\(host.map { ", at \(printable($0))" } ?? "")\(text)")
  }

  /// The small picture of a file that is offered is there.
  func received(_ thumbnail: FileThumbnail, at path: String, of file: FileSummary, by peer: JID, sid: String) {
    let more: JSONObject = ["path": .string(path), "bytes": .integer(thumbnail.bytes.count)]
    console.event("file.thumbnail", fields(file, peer, sid).merging(more))
    console.progress("what \(file.name) looks like: \(path)")
  }

  /// A file that was shared as a link is not fetched.
  func ignored(_ file: FileSummary, by peer: JID, sid: String, at host: String, _ why: String) {
    console.event("file.ignored", fields(file, peer, sid).merging(["host": .string(host), "reason": .string(why)]))
    console.progress("\(file.name) is not fetched from \(printable(host)) (\(why))")
  }

  func follow(_ transfer: FileTransfer) async {
    let fields = fields(transfer.file, transfer.peer, transfer.sid)
    if direction == .outgoing {
      console.event("file.offered", fields.merging(description(of: transfer.file)))
      console.progress("offering \(transfer.file.name) to \(transfer.peer)")
    }
    for await event in transfer.events {
      switch event {
      case .accepted: console.event("file.accepted", fields)
      case .started(let way, let path, let offset):
        var more: JSONObject = ["transport": .string(way.rawValue), "path": .string(path)]
        if offset > 0 { more["offset"] = .integer(Int(offset)) }
        console.event("file.started", fields.merging(more))
        let from = offset > 0 ? ", from \(byteCount(offset)) on" : ""
        console.progress("\(transfer.file.name): \(way.rawValue) (\(path))\(from)\(Self.warning(way, path))")
      case .fellBack(let from, let to, let why):
        console.event(
          "file.fellBack",
          fields.merging(["from": .string(from.rawValue), "to": .string(to.rawValue), "reason": .string(why)]))
        console.progress("\(transfer.file.name): no \(from.rawValue) (\(why)); trying \(to.rawValue)")
      case .progress(let progress):
        var more: JSONObject = [
          "bytes": .integer(Int(progress.bytes)), "megabytesPerSecond": .number(progress.bytesPerSecond / 1e6),
        ]
        more["size"] = progress.size.map { .integer(Int($0)) }
        console.event("file.progress", fields.merging(more))
        console.live { Self.bar(transfer.file.name, progress, width: $0) }
      case .ended: break
      }
    }
  }

  func tell(_ receipt: FileReceipt, of peer: JID) {
    let rate = receipt.seconds > 0 ? Double(receipt.bytes) / receipt.seconds / 1e6 : 0
    var fields: JSONObject = [
      "peer": .string("\(peer)"), "name": .string(receipt.name), "transport": .string(receipt.way.rawValue),
      "route": .string(receipt.route), "bytes": .integer(Int(receipt.bytes)), "size": .integer(Int(receipt.size)),
      "seconds": .number(receipt.seconds), "megabytesPerSecond": .number(rate), "sha256": .string(receipt.sha256),
      "isConfirmed": .boolean(receipt.isConfirmed),
    ]
    fields["path"] = receipt.path.map { .string($0) }
    console.event(direction == .incoming ? "file.received" : "file.sent", fields)
    let proof =
      switch (direction, receipt.isConfirmed) {
      case (.outgoing, false) where receipt.way == .upload: "the receiver was told where it lies"
      case (.incoming, true): "hash verified"
      case (.incoming, false): "the sender gave no hash"
      case (.outgoing, true): "the receiver has it"
      case (.outgoing, false): "the receiver took all and said nothing"
      }
    console.result(
      """
      file            \(printable(receipt.path ?? receipt.name)), \(byteCount(receipt.size)), \(proof)
      moved           \(byteCount(receipt.bytes)) in \(Duration.seconds(receipt.seconds).short), \(byteCount(Int64(rate * 1e6)))/s
      path            \(receipt.way.rawValue) (\(printable(receipt.route)))\(Self.warning(receipt.way, receipt.route))
      sha-256         \(receipt.sha256)
      """)
  }

  private static func warning(_ way: FileTransferWay, _ route: String) -> String {
    if way.isEncrypted { return "" }
    let readers = way == .upload ? ": \(printable(route)) and whoever learns the address can read it" : ""
    return ", not encrypted from end to end\(readers)"
  }

  /// What is said of the file, in the user's language where that is possible.
  private func description(of file: FileSummary) -> JSONObject {
    var fields = JSONObject()
    fields["description"] = file.text(in: languages).map { .string($0) }
    return fields
  }

  private func fields(_ file: FileSummary, _ peer: JID, _ sid: String) -> JSONObject {
    var fields: JSONObject = [
      "direction": .string(direction.rawValue), "sid": .string(sid), "peer": .string("\(peer)"),
      "name": .string(file.name),
    ]
    fields["size"] = file.size.map { .integer(Int($0)) }
    fields["mediaType"] = file.mediaType.map { .string($0) }
    if let thumbnail = file.thumbnail {
      var described: JSONObject = ["uri": .string(thumbnail.uri)]
      described["mediaType"] = thumbnail.mediaType.map { .string($0) }
      described["width"] = thumbnail.width.map { .integer($0) }
      described["height"] = thumbnail.height.map { .integer($0) }
      fields["thumbnail"] = .object(described)
    }
    return fields
  }

  /// The name, a bar, how much, how fast, and how long it still takes.
  static func bar(_ name: String, _ progress: FileProgress, width: Int) -> String {
    let rate = "\(byteCount(Int64(progress.bytesPerSecond)))/s"
    guard let size = progress.size, size > 0 else { return "\(name)  \(byteCount(progress.bytes))  \(rate)" }
    let share = min(1, Double(progress.bytes) / Double(size))
    // Whatever the peer says of the size, and however slow it is.
    let left = progress.bytesPerSecond > 0 ? min(Double(size - progress.bytes) / progress.bytesPerSecond, 359_999) : 0
    let figures =
      "  \(Int(share * 100)) %  \(byteCount(progress.bytes)) of \(byteCount(size))  \(rate)  "
      + "\(Duration.seconds(left).clock) left"
    let shown = String(name.prefix(max(8, width / 4)))
    let room = width - shown.count - figures.count - 4
    guard room >= 6 else { return String((shown + figures).prefix(width)) }
    let done = Int(share * Double(room))
    return "\(shown)  [\(String(repeating: "#", count: done))\(String(repeating: ".", count: room - done))]\(figures)"
  }
}
