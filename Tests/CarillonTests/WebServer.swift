import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Synchronization
import TestSupport

/// A web server on loopback, by TLS: keeps what is put there, and does with some paths what it is told.
final class WebServer: Sendable {
  enum Reaction: Sendable {
    /// Answers a request with this status once all of it is there.
    case status(Int, headers: [String: String] = [:])
    /// Closes as soon as this much of the request's body has come.
    case hangUp(after: Int)
    /// Reads nothing more and never answers.
    case silence
    /// What there is to fetch, with its length, from any offset.
    case file([UInt8])
    /// A part of what there is to fetch, whatever is asked for.
    case part([UInt8], Range<Int>)
    /// Promises as many bytes and closes when these are missing.
    case truncated([UInt8], missing: Int)
    /// Bytes without end, one piece a pause.
    case endless(piece: Int, pause: TimeAmount)
  }

  struct Request: Sendable {
    var head: HTTPRequestHead
    var body: [UInt8] = []
  }

  struct State {
    var reactions: [String: [Reaction]] = [:]
    var requests: [Request] = []
    var files: [String: [UInt8]] = [:]
  }

  final class Shared: Sendable {
    let state = Mutex(State())
  }

  let port: Int
  private let channel: any Channel
  private let shared = Shared()

  /// All that began, whether they were finished or not.
  var requests: [Request] { shared.state.withLock { $0.requests } }
  var paths: [String] { requests.map { "\($0.head.method.rawValue) \($0.head.uri)" } }
  func url(_ path: String) -> String { "https://127.0.0.1:\(port)\(path)" }

  /// What becomes of the next requests for a path; the last stays.
  func react(to path: String, _ reactions: Reaction...) {
    shared.state.withLock { $0.reactions[path] = reactions }
  }

  init() async throws {
    let certificate = try ServerCertificate.shared.get()
    let context = try NIOSSLContext(
      configuration: .makeServerConfiguration(
        certificateChain: [.certificate(try NIOSSLCertificate(bytes: certificate.certificate, format: .pem))],
        privateKey: .privateKey(try NIOSSLPrivateKey(bytes: certificate.key, format: .pem))))
    channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelInitializer { [shared] channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: context))
          try channel.pipeline.syncOperations.configureHTTPServerPipeline(withPipeliningAssistance: false)
          try channel.pipeline.syncOperations.addHandler(Handler(shared))
        }
      }
      .bind(host: "127.0.0.1", port: 0).get()
    port = channel.localAddress?.port ?? 0
  }

  func stop() async { try? await channel.close() }

  private final class Handler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    let shared: Shared
    var request: Request?
    var reaction: Reaction?
    var number = 0

    init(_ shared: Shared) { self.shared = shared }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      switch unwrapInboundIn(data) {
      case .head(let head):
        let request = Request(head: head)
        self.request = request
        shared.state.withLock { state in
          number = state.requests.count
          state.requests.append(request)
          var left = state.reactions[head.uri] ?? []
          reaction = left.first
          if left.count > 1 { left.removeFirst() }
          state.reactions[head.uri] = left
        }
        hangUp(context)
        if case .silence = reaction { _ = context.channel.setOption(.autoRead, value: false) }
      case .body(let bytes):
        request?.body += Array(buffer: bytes)
        hangUp(context)
      case .end: answer(context)
      }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    private func hangUp(_ context: ChannelHandlerContext) {
      if case .hangUp(let count) = reaction, request?.body.count ?? 0 >= count { context.close(promise: nil) }
    }

    private func answer(_ context: ChannelHandlerContext) {
      guard let request else { return }
      shared.state.withLock { $0.requests[number] = request }
      switch reaction {
      case .status(let status, let headers):
        send(context, status, headers.map { ($0, $1) } + [("Content-Length", "0")], [])
      case .file(let bytes): give(bytes, context)
      case .part(let bytes, let range):
        let part = "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(bytes.count)"
        send(context, 206, [("Content-Range", part), ("Content-Length", "\(range.count)")], Array(bytes[range]))
      case .truncated(let bytes, let missing):
        send(context, 200, [("Content-Length", "\(bytes.count)")], Array(bytes.dropLast(missing)), isWhole: false)
        context.close(promise: nil)
      case .endless(let piece, let pause):
        send(context, 200, [("Transfer-Encoding", "chunked")], [], isWhole: false)
        sendEndlessly(NIOLoopBound(context, eventLoop: context.eventLoop), piece, pause)
      case .hangUp, .silence: break
      case nil where request.head.method == .PUT:
        shared.state.withLock { $0.files[request.head.uri] = request.body }
        send(context, 201, [("Content-Length", "0")], [])
      case nil:
        guard let bytes = shared.state.withLock({ $0.files[request.head.uri] }) else {
          return send(context, 404, [("Content-Length", "0")], [])
        }
        give(bytes, context)
      }
    }

    private func give(_ bytes: [UInt8], _ context: ChannelHandlerContext) {
      let range = request?.head.headers.first(name: "Range")?.dropFirst("bytes=".count).dropLast()
      guard let start = range.flatMap({ Int($0) }), start < bytes.count else {
        return send(context, 200, [("Content-Length", "\(bytes.count)")], bytes)
      }
      let part = "bytes \(start)-\(bytes.count - 1)/\(bytes.count)"
      send(
        context, 206, [("Content-Range", part), ("Content-Length", "\(bytes.count - start)")], Array(bytes[start...]))
    }

    private func sendEndlessly(_ context: NIOLoopBound<ChannelHandlerContext>, _ count: Int, _ pause: TimeAmount) {
      guard context.value.channel.isActive else { return }
      let piece = ByteBuffer(repeating: 7, count: count)
      context.value.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(piece))))
        .assumeIsolated().whenSuccess {
          context.value.eventLoop.assumeIsolated().scheduleTask(in: pause) {
            self.sendEndlessly(context, count, pause)
          }
        }
    }

    private func send(
      _ context: ChannelHandlerContext, _ status: Int, _ headers: [(String, String)], _ body: [UInt8],
      isWhole: Bool = true
    ) {
      let head = HTTPResponseHead(
        version: .http1_1, status: HTTPResponseStatus(statusCode: status), headers: HTTPHeaders(headers))
      context.write(wrapOutboundOut(.head(head)), promise: nil)
      if !body.isEmpty { context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: body)))), promise: nil) }
      if isWhole { context.write(wrapOutboundOut(.end(nil)), promise: nil) }
      context.flush()
    }
  }
}

/// A certificate for 127.0.0.1, made once per test run with the `openssl` command.
struct ServerCertificate: Sendable {
  /// Of the authority that signed it, and of another.
  let authority: String
  let otherAuthority: String
  let certificate: [UInt8]
  let key: [UInt8]

  static let shared = Result { try ServerCertificate() }

  private init() throws {
    let folder = try CertificateFolder()
    authority = String(decoding: try folder.authority("ca"), as: UTF8.self)
    otherAuthority = String(decoding: try folder.authority("other"), as: UTF8.self)
    (certificate, key) = try folder.identity("web", for: "127.0.0.1", by: "ca", kind: "IP")
  }
}
