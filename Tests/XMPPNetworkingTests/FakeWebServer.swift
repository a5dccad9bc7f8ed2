import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Synchronization

@testable import XMPPNetworking

/// A web server on loopback, by TLS, that does with each path what its script says.
final class FakeWebServer: Sendable {
  enum Reaction: Sendable {
    /// Reads the request to its end and answers with this status.
    case status(Int, headers: [String: String] = [:])
    /// Answers at once with this status, and reads no more; closes afterwards or does not.
    case refuse(Int, closes: Bool)
    /// The bytes, with `Content-Length`, by ranges.
    case file([UInt8])
    /// The bytes without ranges, of no known length.
    case chunked([UInt8])
    /// As many bytes as are promised less these.
    case truncated([UInt8], missing: Int)
    /// Bytes without end.
    case endless
    /// This head, and this body.
    case raw(Int, headers: [(String, String)], body: String)
    case silence
    /// Reads nothing more.
    case stopReading
    /// These bytes as they stand, and then again and again the others, with a pause before each; HTTP or not.
    case verbatim(String, again: String = "")
    case hangUp
  }

  struct Request: Sendable {
    var head: HTTPRequestHead
    var body: [UInt8] = []
  }

  let port: Int
  private let channel: any Channel
  private let record: Record

  final class Record: Sendable {
    let requests = Mutex<[Request]>([])
  }

  var requests: [Request] { record.requests.withLock { $0 } }

  init(_ identity: TestCertificates.Identity, _ reactions: [String: Reaction]) async throws {
    let context = try identity.serverContext { _ in }
    let record = Record()
    self.record = record
    channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: context))
          try channel.pipeline.syncOperations.configureHTTPServerPipeline(withPipeliningAssistance: false)
          try channel.pipeline.syncOperations.addHandler(Handler(reactions, record))
        }
      }
      .bind(host: "127.0.0.1", port: 0).get()
    port = channel.localAddress?.port ?? 0
  }

  func stop() async { try? await channel.close() }

  private final class Handler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    let reactions: [String: Reaction]
    let record: Record
    var request: Request?

    init(_ reactions: [String: Reaction], _ record: Record) {
      self.reactions = reactions
      self.record = record
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      switch unwrapInboundIn(data) {
      case .head(let head):
        request = Request(head: head)
        switch reaction(head) {
        case .refuse(let status, let closes):
          answer(context, status, [("Content-Length", "0")], [])
          if closes { context.close(promise: nil) } else { stopReading(context) }
        case .stopReading: stopReading(context)
        case .hangUp: context.close(promise: nil)
        default: break
        }
      case .body(let bytes): request?.body += Array(buffer: bytes)
      case .end:
        guard let request else { return }
        record.requests.withLock { $0.append(request) }
        finish(context, request.head)
      }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    private func reaction(_ head: HTTPRequestHead) -> Reaction {
      reactions[String(head.uri.prefix { $0 != "?" })] ?? .status(404)
    }

    private func stopReading(_ context: ChannelHandlerContext) {
      _ = context.channel.setOption(.autoRead, value: false)
    }

    private func finish(_ context: ChannelHandlerContext, _ head: HTTPRequestHead) {
      switch reaction(head) {
      case .status(let status, let headers):
        answer(context, status, headers.map { ($0, $1) } + [("Content-Length", "0")], [])
      case .file(let bytes):
        let range = head.headers.first(name: "Range")?.dropFirst("bytes=".count).dropLast()
        guard let start = range.flatMap({ Int($0) }) else {
          return answer(context, 200, [("Content-Length", "\(bytes.count)"), ("Content-Type", "image/png")], bytes)
        }
        guard start < bytes.count else {
          return answer(context, 416, [("Content-Range", "bytes */\(bytes.count)"), ("Content-Length", "0")], [])
        }
        let part = "bytes \(start)-\(bytes.count - 1)/\(bytes.count)"
        answer(
          context, 206, [("Content-Range", part), ("Content-Length", "\(bytes.count - start)")], Array(bytes[start...]))
      case .chunked(let bytes): answer(context, 200, [("Transfer-Encoding", "chunked")], bytes)
      case .truncated(let bytes, let missing):
        send(context, 200, [("Content-Length", "\(bytes.count)")], Array(bytes.dropLast(missing)))
        context.flush()
        context.close(promise: nil)
      case .endless:
        send(context, 200, [], [])
        sendEndlessly(context)
      case .raw(let status, let headers, let body): answer(context, status, headers, Array(body.utf8))
      case .verbatim(let text, let again):
        guard let encoder = try? context.pipeline.syncOperations.context(handlerType: HTTPResponseEncoder.self) else {
          return
        }
        encoder.writeAndFlush(NIOAny(ByteBuffer(string: text)), promise: nil)
        if !again.isEmpty { drip(again, NIOLoopBound(encoder, eventLoop: context.eventLoop)) }
      case .silence, .stopReading, .refuse, .hangUp: break
      }
    }

    private func sendEndlessly(_ context: ChannelHandlerContext) {
      guard context.channel.isActive else { return }
      let piece = ByteBuffer(repeating: 7, count: 65536)
      let context = NIOLoopBound(context, eventLoop: context.eventLoop)
      context.value.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(piece))))
        .assumeIsolated().whenSuccess { self.sendEndlessly(context.value) }
    }

    private func drip(_ text: String, _ context: NIOLoopBound<ChannelHandlerContext>) {
      context.value.eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(50)) {
        guard context.value.channel.isActive else { return }
        context.value.writeAndFlush(NIOAny(ByteBuffer(string: text)), promise: nil)
        self.drip(text, context)
      }
    }

    private func send(_ context: ChannelHandlerContext, _ status: Int, _ headers: [(String, String)], _ body: [UInt8]) {
      let head = HTTPResponseHead(
        version: .http1_1, status: HTTPResponseStatus(statusCode: status), headers: HTTPHeaders(headers))
      context.write(wrapOutboundOut(.head(head)), promise: nil)
      if !body.isEmpty { context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: body)))), promise: nil) }
    }

    private func answer(_ context: ChannelHandlerContext, _ status: Int, _ headers: [(String, String)], _ body: [UInt8])
    {
      send(context, status, headers, body)
      context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }
  }
}
