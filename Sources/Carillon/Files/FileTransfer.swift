import Foundation
public import XMPPCore

/// A file to send: one of the file system's, or a stream.
public struct OutgoingFile: Sendable {
  enum Content: Sendable {
    case path(String)
    case stream(OutgoingStream)
  }

  let content: Content
  /// Where it is; nil of a stream.
  public var path: String? { if case .path(let path) = content { path } else { nil } }
  /// What the peer is to call it; the path's last part if nil.
  public var name: String?
  /// `type/subtype`, if known.
  public var mediaType: String?
  /// Words about it, for people: at most one text a language, of which peers may keep 1024 characters.
  public var texts: [FileText] = []
  /// The words without a language.
  public var text: String? {
    get { texts.first { $0.language == nil }?.text }
    set { texts = texts.filter { $0.language != nil } + (newValue.map { [FileText($0)] } ?? []) }
  }
  /// A small picture of it, which the peer may ask for while the file is offered and sent.
  public var thumbnail: FileThumbnail?
  /// How it may go, best first; `upload` comes after all others in any case.
  public var ways = FileTransferWay.allCases

  public init(path: String) { content = .path(path) }

  /// A stream, sent once, from its beginning.
  ///
  /// It is read when bytes can flow, no faster than they do, as a child of `Client.send`, and cancelled when the transfer
  /// ends before it does. A transfer that breaks off cannot be gone on with. Peers give up when nothing comes for long, as this
  /// side does: after 30 s.
  ///
  /// - Parameters:
  ///   - chunks: `[UInt8]`, `Data` or any other bytes, in chunks of any size; some 10 to 500 KiB are the fastest.
  ///   - name: what the peer is to call it.
  ///   - size: in bytes, if it is known. A stream of fewer or of more is not sent whole: `CallError(.input)`. Without it
  ///     the peer cannot tell before whether it has room, and the stream cannot be uploaded.
  public init<Chunks: AsyncSequence & Sendable>(_ chunks: Chunks, name: String, size: Int64? = nil)
  where Chunks.Element: RandomAccessCollection<UInt8> {
    precondition(size ?? 0 >= 0, "a stream has no fewer bytes than none")
    content = .stream(OutgoingStream(chunks, size: size))
    self.name = name
  }

  var offeredName: String? { name ?? path.map { URL(fileURLWithPath: $0).lastPathComponent } }
}

/// How the bytes of a file go from one side to the other.
public enum FileTransferWay: String, Sendable, Hashable, CaseIterable {
  /// Over SCTP, DTLS and ICE (XEP-0343): encrypted from end to end, and through NATs and TURN relays like a call.
  case dataChannel = "datachannel"
  /// Straight, or over a proxy, by TCP (XEP-0260). The bytes themselves are not encrypted.
  case socks5 = "s5b"
  /// Through both sides' servers, inside of stanzas (XEP-0261). The servers can read them.
  case inBand = "ibb"
  /// To a web server of the account's own server, where the peer fetches it (XEP-0363): for who is not online, takes no
  /// files by Jingle, or cannot be reached. The server, and whoever learns the address, can read it.
  case upload

  /// Those that need the peer online.
  static let direct: [FileTransferWay] = [.dataChannel, .socks5, .inBand]

  /// Whether nobody between the two ends can read the bytes.
  public var isEncrypted: Bool { self == .dataChannel }
}

/// What a transfer is about.
public struct FileSummary: Sendable, Hashable {
  /// Safe as the name of a file: the last part of what the peer wrote, without what could mislead.
  public var name: String
  /// In bytes; nil when the sender does not know it yet.
  public var size: Int64?
  public var mediaType: String?
  /// Words about it, for people, at most one text a language. Each is as the peer wrote it, up to 1024 characters.
  public var texts: [FileText] = []
  /// A small picture of it, if there is one.
  public var thumbnail: Thumbnail?

  /// The words about it without a language, or the first.
  public var text: String? { text(in: []) }

  /// The words about it to show to who reads these languages.
  ///
  /// - Parameter languages: language tags such as `de-AT`, best first. In `de-AT` means in `de` too, if there is nothing
  ///   closer. Where nothing is in any of them, it is the words without a language, or the first.
  public func text(in languages: [String]) -> String? { texts.preferred(in: languages) }
}

/// What happens in a transfer, in this order; progress comes again and again.
public enum FileTransferEvent: Sendable {
  /// The peer accepted, or was accepted.
  case accepted
  /// Bytes flow.
  ///
  /// - Parameters:
  ///   - path: how, in words: `direct`, `proxy proxy.example.org`, `in band`.
  ///   - offset: how many bytes are there already.
  case started(FileTransferWay, path: String, offset: Int64)
  /// A way came to nothing, and the next one is tried.
  case fellBack(from: FileTransferWay, to: FileTransferWay, why: String)
  case progress(FileProgress)
  /// The last one: how it ended.
  case ended(Result<FileReceipt, CallError>)
}

/// How far a transfer has come.
public struct FileProgress: Sendable, Hashable {
  /// Of the whole file, those there before included.
  public var bytes: Int64
  public var size: Int64?
  public var bytesPerSecond: Double
}

/// A file that is whole on the other side, or here.
public struct FileReceipt: Sendable, Hashable {
  public var name: String
  /// Where it was put; nil for who sent it, or took it as a stream.
  public var path: String?
  /// Of the whole file.
  public var size: Int64
  /// That were moved this time.
  public var bytes: Int64
  /// From the first byte to the last.
  public var seconds: Double
  public var way: FileTransferWay
  /// As in `FileTransferEvent.started`.
  public var route: String
  /// In hexadecimal digits.
  public var sha256: String
  /// For a receiver, whether that was held against the sender's hash; for a sender, whether the receiver said that it
  /// has all.
  public var isConfirmed: Bool
}

/// A transfer in progress, as `Client.withTransfer` and `IncomingFile.receive` hand it to their bodies.
public final class FileTransfer: Sendable {
  public let peer: JID
  /// The session's id; the same in both ends' logs.
  public let sid: String
  public let file: FileSummary
  /// What happens, up to `.ended`, which is always last. One consumer; of progress, the newest counts.
  public let events: AsyncStream<FileTransferEvent>
  private let id: UUID
  private let client: Client

  init(
    peer: JID, sid: String, file: FileSummary, events: AsyncStream<FileTransferEvent>, id: UUID, client: Client
  ) {
    self.peer = peer
    self.sid = sid
    self.file = file
    self.events = events
    self.id = id
    self.client = client
  }

  init(_ transfer: ActiveTransfer, client: Client) {
    peer = transfer.peer
    sid = transfer.sid
    file = transfer.summary
    events = transfer.events
    id = transfer.id
    self.client = client
  }

  /// Sends another file to the same device: in this transfer's session, beside what is under way there, where this side
  /// began the session and files are still under way in it. Else, and where the peer takes no more files in a session, the
  /// file goes as by `Client.send`, in a session of its own. What the peer declines there is declined.
  ///
  /// - Parameter body: told what happens, from when it is known in which session the file goes: when the peer has
  ///   accepted it in this one, or when it is offered in one of its own.
  /// - Throws: `CallError`, as `Client.send`.
  /// - Specification: XEP-0234 §6.3
  @discardableResult
  public func add(
    _ file: OutgoingFile, _ body: @escaping @Sendable (FileTransfer) async -> Void = { _ in }
  ) async throws -> FileReceipt {
    try await client.waitUntilOnline()
    return try await client.deliver(file, to: peer, joining: sid, body)
  }

  /// Ends the transfer; `.ended` follows. What has come of the file is kept, to go on with it when it is offered again.
  public func cancel() async { await client.cancelTransfer(id) }
}

/// Somebody offers a file: to be answered exactly once.
///
/// Returning from the handler without an answer declines. Files that are offered together, in one session, are answered
/// together: none begins before each of them was answered.
public struct IncomingFile: ~Copyable, Sendable {
  public let peer: JID
  public let sid: String
  public let file: FileSummary
  /// The web server where the file lies, if it was shared as a link (see `Client.Handlers.onSharedFile`).
  public let host: String?
  private let id: UUID
  private let client: Client

  init(peer: JID, sid: String, file: FileSummary, host: String? = nil, id: UUID, client: Client) {
    self.peer = peer
    self.sid = sid
    self.file = file
    self.host = host
    self.id = id
    self.client = client
  }

  /// Fetches the small picture of the file that `file.thumbnail` tells of, from the peer, within 15 seconds. What
  /// arrives is at most 64 KiB and has the hash that was announced; decode it with care all the same.
  ///
  /// - Returns: nil when there is none, or none that the peer itself has.
  /// - Throws: `CallError` when it cannot be had, or is another.
  public func thumbnail() async throws -> FileThumbnail? { try await client.thumbnail(id) }

  /// Takes the file. What came of it before, from this account into this folder, is gone on with.
  ///
  /// - Parameters:
  ///   - directory: where the file is put when it is whole, under its name; if there is one of that name, with a number.
  ///     Until then it is there hidden, for this user only.
  ///   - body: told what happens.
  /// - Returns: what is known of the whole file.
  /// - Throws: `CallError`: `output`, `corrupt`, `connectivity`, …
  @discardableResult
  public consuming func receive(
    into directory: String, _ body: @escaping @Sendable (FileTransfer) async -> Void = { _ in }
  ) async throws -> FileReceipt {
    try await client.receiveFile(id, into: directory, body)
  }

  /// Takes the file as a stream, of which nothing is kept: what broke off begins anew.
  ///
  /// - Parameter body: consumes the chunks, and may follow the transfer's events beside. Returning or throwing before the
  ///   chunks have ended gives the file up. What is not consumed within 30 s counts as not received.
  /// - Returns: what is known of the whole file, once all of it was consumed.
  /// - Throws: what `body` threw, or `CallError`: `corrupt`, `connectivity`, …
  @discardableResult
  public consuming func receive(
    _ body: @escaping @Sendable (FileTransfer, FileChunks) async throws -> Void
  ) async throws -> FileReceipt {
    try await client.receiveFile(id, body)
  }

  public consuming func decline() async { await client.cancelTransfer(id) }
}
