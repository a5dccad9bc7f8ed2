package import Logging
package import NIOCore
import NIOHTTP1
import NIOSSL
import Synchronization
package import XMPPCore

/// Puts files on web servers and fetches them: by TLS only, HTTP/1.1, one connection a request.
///
/// - Specification: RFC 9110, RFC 9112, XEP-0363 §7
package struct HTTPSClient: Sendable {
  package struct Configuration: Sendable {
    /// PEM file with the certificate authorities to trust instead of the system's.
    package var certificateAuthorities: String?
    /// How long the connection may take, and again TLS.
    package var connectTimeout = Duration.seconds(15)
    /// How long nothing of the request or the answer may move, be it the server's fault or of who takes or gives the
    /// bytes.
    package var idleTimeout = Duration.seconds(60)
    package var maximumRedirections = 5
    /// Where to find hosts instead of what DNS says.
    package var addresses: [String: String] = [:]
    package var logger: Logger

    package init(logger: Logger = Logger(label: "carillon.http")) { self.logger = logger }
  }

  private let configuration: Configuration
  private let authorities: [NIOSSLCertificate]?

  package init(_ configuration: Configuration) throws(HTTPSError) {
    self.configuration = configuration
    guard let path = configuration.certificateAuthorities else {
      authorities = nil
      return
    }
    guard let certificates = try? NIOSSLCertificate.fromPEMFile(path), !certificates.isEmpty else {
      throw HTTPSError(.configuration, "The file of certificate authorities \(path) holds no certificate in PEM.")
    }
    authorities = certificates
  }

  /// Puts `length` bytes at a URL, as `body` gives them.
  ///
  /// Returns when the server has said that it has them. A server that refuses early ends `send`, and with it this.
  ///
  /// - Parameters:
  ///   - headers: those of the slot, in order.
  ///   - body: gives the bytes, exactly as many as promised, piece by piece; what it throws ends the upload.
  package func upload(
    to url: HTTPSURL, headers: [HTTPUpload.Slot.Header] = [], contentType: String? = nil, length: UInt64,
    isolation: isolated (any Actor)? = #isolation, _ body: (HTTPSUpload) async throws -> Void
  ) async throws {
    var head = request(.PUT, url)
    head.headers.add(name: "Content-Length", value: String(length))
    if let contentType { head.headers.add(name: "Content-Type", value: contentType) }
    for header in headers { head.headers.add(name: header.name, value: header.value) }
    let channel = try await open(url)
    try await channel.executeThenClose { inbound, _ in
      // The answer may come at any time: who refuses need not read what it refuses.
      let upload = HTTPSUpload(channel.channel, length: length, host: url.host)
      async let answer: Void = {
        // Whoever waits to send need not wait any more.
        defer { drop(channel) }
        try await upload.awaitAnswer(inbound)
      }()
      do {
        try await withTaskCancellationHandler {
          try await upload.write(.head(head))
          try await body(upload)
          try await upload.finish()
        } onCancel: {
          drop(channel)
        }
      } catch {
        guard upload.isOver else {
          drop(channel)
          throw Self.readable(error, host: url.host)
        }
      }
      // What the server says counts for more than that the connection broke, which follows from it.
      let result: Result<Void, any Error>
      do { result = .success(try await answer) } catch { result = .failure(Self.readable(error, host: url.host)) }
      try result.get()
    }
  }

  /// Fetches what lies at a URL, from an offset on, and gives it to `body`.
  ///
  /// Up to `maximumRedirections` redirections are followed, as long as they stay with https.
  ///
  /// - Parameters:
  ///   - offset: where to begin. A server that knows no ranges begins at 0 all the same: see `HTTPSDownload.start`.
  ///   - limit: the most bytes that the whole may have.
  package func download<Result>(
    from url: HTTPSURL, offset: UInt64 = 0, limit: UInt64, isolation: isolated (any Actor)? = #isolation,
    _ body: (HTTPSDownload) async throws -> sending Result
  ) async throws -> Result {
    var url = url
    for _ in 0...configuration.maximumRedirections {
      var head = request(.GET, url)
      head.headers.add(name: "Accept", value: "*/*")
      // A packed file would not have the promised hash, nor its offsets.
      head.headers.add(name: "Accept-Encoding", value: "identity")
      if offset > 0 { head.headers.add(name: "Range", value: "bytes=\(offset)-") }
      let host = url.host
      let channel = try await open(url)
      let outcome: Outcome<Result> = try await channel.executeThenClose { inbound, outbound in
        defer { drop(channel) }
        do {
          do {
            try await outbound.write(contentsOf: [.head(head), .end(nil)])
          } catch let error where !(error is HTTPParserError) {
            // The connection is gone. What the server said before, or why this side gave it up, is read below.
          }
          let download = HTTPSDownload(inbound, url: url, offset: offset, limit: limit)
          if let next = try await download.readHead() { return .redirected(next) }
          return .finished(try await body(download))
        } catch {
          throw Self.readable(error, host: host)
        }
      }
      switch outcome {
      case .finished(let result): return result
      case .redirected(let next): url = next
      }
    }
    throw HTTPSError(
      .redirection, "\(url.host) sends us on, after \(configuration.maximumRedirections) others that did.")
  }

  private enum Outcome<Result> {
    case finished(Result)
    case redirected(HTTPSURL)
  }

  private func request(_ method: HTTPMethod, _ url: HTTPSURL) -> HTTPRequestHead {
    HTTPRequestHead(
      version: .http1_1, method: method, uri: url.target,
      headers: ["Host": url.authority, "Connection": "close"])
  }

  private func open(_ url: HTTPSURL) async throws -> HTTPSChannel {
    // Not the whole URL: whoever knows it may fetch what it leads to.
    configuration.logger.debug("connecting", metadata: ["http.host": "\(url.authority)"])
    return try await HTTPSConnection.open(
      url, at: configuration.addresses[url.host], authorities: authorities,
      connectTimeout: configuration.connectTimeout, idleTimeout: configuration.idleTimeout)
  }

  private func drop(_ channel: HTTPSChannel) {
    channel.channel.pipeline.fireUserInboundEventTriggered(HTTPSCommand.drop)
  }

  /// An error of the connection's as one of ours; whatever else `body` threw stays what it is.
  private static func readable(_ error: any Error, host: String) -> any Error {
    switch error {
    case is NIOSSLError, is ChannelError, is IOError, is NIOAsyncWriterError:
      HTTPSError(.connectionLost, "The connection to \(host) was lost: \(describe(error)).")
    case let error as HTTPParserError where error == .invalidEOFState:
      HTTPSError(.connectionLost, "The connection to \(host) was lost before all was there.")
    case is HTTPParserError:
      HTTPSError(.protocolViolation, "\(host) does not speak HTTP properly: \(describe(error)).")
    default: error
    }
  }
}

/// An upload under way: takes the bytes.
package final class HTTPSUpload: Sendable {
  private struct State {
    var sent: UInt64 = 0
    /// The last piece, while the network has not taken it.
    var pending: EventLoopFuture<Void>?
    /// The server has answered, or the connection is gone: nothing more is taken.
    var isOver = false
  }

  private let channel: any Channel
  private let length: UInt64
  private let host: String
  private let state = Mutex(State())

  init(_ channel: any Channel, length: UInt64, host: String) {
    self.channel = channel
    self.length = length
    self.host = host
  }

  /// Bytes given so far, of which the network has taken all but the last piece.
  package var sent: UInt64 { state.withLock { $0.sent } }

  /// Sends the next bytes; waits while the network has not taken those before. Bound: one piece on its way, and one
  /// that waits here. Call it from one task.
  ///
  /// - Throws: when they are more than was promised, or when the server wants no more. Why is then thrown by `upload`.
  package func send(_ bytes: ByteBuffer) async throws {
    try state.withLock { state in
      guard UInt64(bytes.readableBytes) <= length - state.sent else {
        throw HTTPSError(.wrongLength, "There are more than the \(length) bytes that were promised to \(host).")
      }
      state.sent += UInt64(bytes.readableBytes)
    }
    if bytes.readableBytes > 0 { try await write(.body(.byteBuffer(bytes))) }
  }

  var isOver: Bool { state.withLock { $0.isOver } }

  func write(_ part: HTTPClientRequestPart) async throws {
    try await settle()
    begin(part)
  }

  private func begin(_ part: HTTPClientRequestPart) {
    let future = channel.writeAndFlush(part)
    state.withLock { $0.pending = future }
  }

  func finish() async throws {
    guard sent == length else {
      throw HTTPSError(.wrongLength, "There are \(sent) bytes instead of the \(length) that were promised to \(host).")
    }
    try await write(.end(nil))
    try await settle()
  }

  /// Waits until the network has taken everything.
  private func settle() async throws {
    let (pending, isOver) = state.withLock { ($0.pending, $0.isOver) }
    if isOver { throw HTTPSError(.connectionLost, "\(host) takes no more.") }
    do {
      try await pending?.get()
    } catch {
      // A header that may not be sent is our own mistake; anything else means that the connection is gone.
      if !(error is HTTPParserError) { state.withLock { $0.isOver = true } }
      throw error
    }
    try Task.checkCancellation()
  }

  /// Returns when the server has said that all is well.
  func awaitAnswer(_ inbound: NIOAsyncChannelInboundStream<HTTPClientResponsePart>) async throws {
    defer { state.withLock { $0.isOver = true } }
    for try await part in inbound {
      guard case .head(let head) = part else { continue }
      guard (200..<300).contains(head.status.code) else {
        throw HTTPSError.status(
          Int(head.status.code), reason: head.status.reasonPhrase, of: host, to: "upload")
      }
      guard sent == length else {
        throw HTTPSError(.protocolViolation, "\(host) takes the upload for complete before it is.")
      }
      return
    }
    try Task.checkCancellation()
    throw HTTPSError(.connectionLost, "\(host) closed the connection without an answer.")
  }
}

/// A download under way: gives the bytes, no faster than they are taken.
package final class HTTPSDownload: AsyncSequence {
  package typealias Element = ByteBuffer

  /// Where the bytes came from in the end.
  package let url: HTTPSURL
  /// The offset of the first byte to come: what was asked for, or 0 from a server that knows no ranges.
  package private(set) var start: UInt64 = 0
  /// How many bytes the whole has, where the server says it.
  package private(set) var length: UInt64?
  package private(set) var contentType: String?
  /// Bytes given so far.
  package private(set) var received: UInt64 = 0

  private let offset: UInt64
  private let limit: UInt64
  private var parts: NIOAsyncChannelInboundStream<HTTPClientResponsePart>.AsyncIterator
  private var isComplete = false

  init(
    _ inbound: NIOAsyncChannelInboundStream<HTTPClientResponsePart>, url: HTTPSURL, offset: UInt64, limit: UInt64
  ) {
    parts = inbound.makeAsyncIterator()
    self.url = url
    self.offset = offset
    self.limit = limit
  }

  package struct AsyncIterator: AsyncIteratorProtocol {
    fileprivate let download: HTTPSDownload

    package mutating func next() async throws -> ByteBuffer? { try await download.next() }

    package mutating func next(isolation: isolated (any Actor)?) async throws -> ByteBuffer? {
      try await download.next(isolation: isolation)
    }
  }

  package func makeAsyncIterator() -> AsyncIterator { AsyncIterator(download: self) }

  /// The next bytes; nil when all are there.
  package func next(isolation: isolated (any Actor)? = #isolation) async throws -> ByteBuffer? {
    while !isComplete {
      switch try await parts.next(isolation: isolation) {
      case .head: continue
      case .body(let bytes):
        received += UInt64(bytes.readableBytes)
        guard received <= limit, start <= limit - received else { throw tooLarge }
        if bytes.readableBytes > 0 { return bytes }
      case .end:
        isComplete = true
        guard let length, start + received != length else { continue }
        // A part may be smaller than the one that was asked for.
        throw start + received < length
          ? HTTPSError(.connectionLost, "\(url.host) ended the answer before all was there.")
          : HTTPSError(.protocolViolation, "\(url.host) sends more than the \(length) bytes that it tells of.")
      case nil:
        try Task.checkCancellation()
        throw HTTPSError(.connectionLost, "\(url.host) closed the connection before all was there.")
      }
    }
    return nil
  }

  /// - Returns: where to ask instead.
  func readHead(isolation: isolated (any Actor)? = #isolation) async throws -> HTTPSURL? {
    guard case .head(let head)? = try await parts.next(isolation: isolation) else {
      try Task.checkCancellation()
      throw HTTPSError(.connectionLost, "\(url.host) closed the connection without an answer.")
    }
    let declared = head.headers.first(name: "Content-Length").flatMap { UInt64($0) }
    let range = head.headers.first(name: "Content-Range").flatMap(ContentRange.init)
    switch head.status.code {
    case 200: length = declared
    case 206:
      guard let range, range.first == offset else {
        throw HTTPSError(.protocolViolation, "\(url.host) sends another part than the one that was asked for.")
      }
      start = offset
      length = range.total ?? declared.map { offset > .max - $0 ? .max : offset + $0 }
    case 301, 302, 303, 307, 308:
      guard let next = head.headers.first(name: "Location").flatMap(url.resolving) else {
        throw HTTPSError(.redirection, "\(url.host) sends us on to what is no https URL.")
      }
      return next
    case 416:
      throw HTTPSError(.rangeNotSatisfiable(total: range?.total), "\(url.host) has nothing from byte \(offset) on.")
    default:
      throw HTTPSError.status(Int(head.status.code), reason: head.status.reasonPhrase, of: url.host, to: "download")
    }
    let codings =
      head.headers[canonicalForm: "Content-Encoding"].filter { $0.lowercased() != "identity" }
      + head.headers[canonicalForm: "Transfer-Encoding"].filter { $0.lowercased() != "chunked" }
    if let coding = codings.first {
      throw HTTPSError(
        .protocolViolation, "\(url.host) packs the file (\(Printable.shortened(String(coding)))) unasked.")
    }
    contentType = head.headers.first(name: "Content-Type").map { Printable.shortened($0) }
    if let length, length > limit { throw tooLarge }
    return nil
  }

  private var tooLarge: HTTPSError {
    HTTPSError(.tooLarge(limit: limit), "What lies at \(url.host) is larger than \(limit) bytes.")
  }

  /// - Specification: RFC 9110 §14.4
  private struct ContentRange {
    /// nil when there is no such part.
    var first: UInt64?
    var total: UInt64?

    /// `bytes 0-99/100`, `bytes 0-99/*` or `bytes */100`.
    init?(_ text: String) {
      let words = text.split(separator: " ")
      guard words.count == 2, words[0].lowercased() == "bytes" else { return nil }
      let halves = words[1].split(separator: "/", omittingEmptySubsequences: false)
      guard halves.count == 2 else { return nil }
      total = UInt64(halves[1])
      first = halves[0].split(separator: "-").first.flatMap { UInt64($0) }
    }
  }
}
