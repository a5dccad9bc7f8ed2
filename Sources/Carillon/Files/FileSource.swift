import JingleCore
import NIOCore
import XMPPCore

/// What is sent as a file, on the thread of its own that disks and hashes take. Read by one task at a time.
protocol FileSource: Actor {
  /// In bytes, if known.
  nonisolated var length: Int64? { get }
  /// When it was last changed, since 1970-01-01 00:00 UTC, if known.
  nonisolated var date: Duration? { get }
  /// Whether it can be read from anywhere, and again: else no range of it is given.
  nonisolated var isSeekable: Bool { get }
  /// Begins to read at `offset`, for the first time or anew.
  func begin(at offset: Int64) async throws
  /// - Returns: what comes next, `count` bytes at most; nil at the end.
  /// - Throws: `CallError(.input)` when there is less or more than was said, or it cannot be read.
  func next(_ count: Int) async throws -> ByteBuffer?
  /// - Parameter isWhole: whether it was read to its end.
  /// - Returns: the hashes of the whole; of a part, none.
  /// - Throws: `CallError(.input)` when it is not what was offered.
  func finish(isWhole: Bool) async throws -> [HashValue]
}

/// What receives a file, on a thread like a source's. Written by one task at a time.
protocol FileSink: Actor {
  /// Whether what has come before a transfer broke off is of use to a later one.
  nonisolated var isResumable: Bool { get }
  /// How many bytes of the file are there, those that came earlier included.
  var count: Int64 { get }
  /// Of the whole file, in hexadecimal digits, once it has been put in its place.
  var sha256: String? { get }
  /// Begins to receive from `offset` on, for the first time or anew.
  ///
  /// - Parameter algorithms: those that the sender's word will be in; empty when it gave no word.
  func begin(at offset: Int64, _ algorithms: [HashAlgorithm]) async throws
  /// Adds what comes next, and waits while there is no room for it.
  func append(_ bytes: ByteBuffer) async throws
  /// The hash of the whole file, or of a range of it; nil when it cannot be told any more.
  func digest(_ algorithm: HashAlgorithm, _ range: JingleCore.FileTransfer.Part?) async throws -> HashValue?
  /// All is there, and right: puts it in its place.
  ///
  /// - Parameter names: the name and those to take instead, in this order.
  /// - Returns: the path, if it has one.
  func place(as names: some Sequence<String> & Sendable) async throws(CallError) -> String?
  /// The transfer is over.
  ///
  /// - Parameter error: why it failed.
  func end(after error: CallError?) async
}

extension SourceFile: FileSource {
  nonisolated var length: Int64? { size }
  nonisolated var date: Duration? { modified }
  nonisolated var isSeekable: Bool { true }
}

extension PartialFile: FileSink {
  func place(as names: some Sequence<String> & Sendable) async throws(CallError) -> String? {
    try await publish(as: names)
  }

  /// Of another file than the sender's there is nothing to go on with, nor of one that cannot be told again from others.
  func end(after error: CallError?) {
    if error?.code == .corrupt || !isResumable { discard() } else { keep() }
  }
}

extension OutgoingFile {
  func open() throws(CallError) -> any FileSource {
    switch content {
    case .path(let path): try SourceFile(path, on: FileThreads.shared.next())
    case .stream(let stream): StreamSource(size: stream.size, on: FileThreads.shared.next())
    }
  }

  /// Lets a stream be read for as long as it runs; of a file does nothing.
  func feed(_ source: any FileSource) async {
    if case .stream(let stream) = content, let source = source as? StreamSource { await stream.feed(source.pipe) }
  }
}
