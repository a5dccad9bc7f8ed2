import Foundation
import NIOCore
import NIOPosix
import NIOSSL
import Synchronization
import XMPPCore

/// An XMPP server on loopback that knows one account (`juliet`, password `secret`) and answers as it should, except
/// where its script says otherwise.
///
/// It cannot finish a SCRAM exchange, but checks the client's half: a correct proof is answered with
/// `account-disabled`.
final class FakeServer: Sendable {
  enum Trigger: Hashable, Sendable {
    /// The client's stream header: outside of TLS, inside, and after authentication.
    case opened, openedSecured, openedAuthenticated
    case startTLS, auth, response, bind
    /// Of stream management (XEP-0198), which is offered where the script reacts to either.
    case enable, resume
    /// Any element after binding, by its name.
    case stanza(String)
    /// The client's end tag.
    case closed
  }

  enum Reaction: Sendable {
    case send(String)
    case sendAndDisconnect(String)
    case silence
    case stopReading
  }

  struct Script: Sendable {
    var identity: TestCertificates.Identity
    var directTLS = false
    var mechanisms = ["PLAIN"]
    /// The channel binding types to announce.
    var bindings: [String] = []
    var reactions: [Trigger: Reaction] = [:]

    init(_ identity: TestCertificates.Identity) { self.identity = identity }
  }

  static let header =
    "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'"
    + " from='example.test' id='1' version='1.0'>"

  let port: Int
  /// What came inside TLS, of all connections.
  let received = Received()
  private let channel: any Channel

  final class Received: Sendable {
    private let state = Mutex<[XMLElement]>([])
    var elements: [XMLElement] { state.withLock { $0 } }
    fileprivate func append(_ element: XMLElement) { state.withLock { $0.append(element) } }
  }

  init(_ script: Script) async throws {
    let received = received
    let secret = ExporterSecret()
    let context = try script.identity.serverContext { line in
      let words = String(buffer: line).split(whereSeparator: \.isWhitespace)
      if words.first == "EXPORTER_SECRET", words.count == 3 { secret.digits.withLock { $0 = String(words[2]) } }
    }
    channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          if script.directTLS { try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: context)) }
          try channel.pipeline.syncOperations.addHandler(Handler(script, context, secret, received))
        }
      }
      .bind(host: "127.0.0.1", port: 0).get()
    port = channel.localAddress?.port ?? 0
  }

  func stop() async { try? await channel.close() }

  private final class ExporterSecret: Sendable {
    let digits = Mutex("")
  }

  private final class Handler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    let script: Script
    let context: NIOSSLContext
    let secret: ExporterSecret
    let parser = XMLStreamParser()
    var isSecured: Bool
    var isAuthenticated = false
    var isBound = false
    var proof: String?
    let received: Received

    init(_ script: Script, _ context: NIOSSLContext, _ secret: ExporterSecret, _ received: Received) {
      self.received = received
      self.script = script
      self.secret = secret
      self.context = context
      isSecured = script.directTLS
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      for event in unwrapInboundIn(data).withUnsafeReadableBytes({ parser.parse($0) }) {
        switch event {
        case .opened: opened(context)
        case .element(let element): received(element, context)
        case .closed: react(to: .closed, context) { send("</stream:stream>", context) }
        case .failed: break
        }
      }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    private func opened(_ context: ChannelHandlerContext) {
      let trigger: Trigger = isAuthenticated ? .openedAuthenticated : isSecured ? .openedSecured : .opened
      react(to: trigger, context) {
        var features = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls>"
        if isSecured {
          let names = script.mechanisms.map { "<mechanism>\($0)</mechanism>" }.joined()
          features = "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>\(names)</mechanisms>"
        }
        if isSecured, !script.bindings.isEmpty {
          let types = script.bindings.map { "<channel-binding type='\($0)'/>" }.joined()
          features += "<sasl-channel-binding xmlns='urn:xmpp:sasl-cb:0'>\(types)</sasl-channel-binding>"
        }
        if isAuthenticated { features = "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>" }
        if isAuthenticated, script.reactions[.enable] != nil || script.reactions[.resume] != nil {
          features += "<sm xmlns='urn:xmpp:sm:3'/>"
        }
        send("\(FakeServer.header)<stream:features>\(features)</stream:features>", context)
      }
    }

    private func received(_ element: XMLElement, _ context: ChannelHandlerContext) {
      if isSecured { received.append(element) }
      switch element.name {
      case "enable": react(to: .enable, context) {}
      case "resume": react(to: .resume, context) {}
      case "starttls":
        react(to: .startTLS, context) {
          send("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>", context)
          parser.reset()
          isSecured = true
          try? context.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: self.context), position: .first)
        }
      case "auth":
        react(to: .auth, context) {
          if element[attribute: "mechanism"] != "PLAIN" { return challenge(element, context) }
          guard element.text == Data("\0juliet\0secret".utf8).base64EncodedString() else {
            return send("<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><not-authorized/></failure>", context)
          }
          send("<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>", context)
          parser.reset()
          isAuthenticated = true
        }
      case "response":
        react(to: .response, context) {
          let condition = element.text == proof ? "account-disabled" : "not-authorized"
          send("<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><\(condition)/></failure>", context)
        }
      case "iq" where !isBound:
        react(to: .bind, context) {
          isBound = true
          let namespace = "urn:ietf:params:xml:ns:xmpp-bind"
          let resource = element.first("bind", namespace)?.first("resource", namespace)?.text ?? "made-here"
          let jid = "<jid>juliet@example.test/\(resource)</jid>"
          send("<iq id='bind' type='result'><bind xmlns='\(namespace)'>\(jid)</bind></iq>", context)
        }
      default:
        // Echoed.
        react(to: .stanza(element.name), context) { send(element.serialized(inside: "jabber:client"), context) }
      }
    }

    /// Answers the client's first SCRAM message, and works out what a client with the right password must prove.
    private func challenge(_ auth: XMLElement, _ context: ChannelHandlerContext) {
      let first = Data(base64Encoded: auth.text).map { String(decoding: $0, as: UTF8.self) } ?? ""
      let nonce = first.split(separator: "r=").last.map(String.init) ?? ""
      let binding: SCRAM.Binding =
        if first.hasPrefix("p=tls-exporter"), let exporter = ChannelBinding.exporter(secret: exporterSecret) {
          .bound(exporter)
        } else if first.hasPrefix("p=tls-server-end-point"),
          let pem = try? NIOSSLCertificate(bytes: script.identity.certificate, format: .pem).toDERBytes(),
          let endPoint = ChannelBinding.serverEndPoint(certificate: pem)
        {
          .bound(endPoint)
        } else {
          first.hasPrefix("y") ? .notOffered : .unsupported
        }
      var scram = SCRAM(.sha256, username: "juliet", password: "secret", nonce: nonce, binding: binding)
      let challenge = "r=\(nonce)server,s=QSXCR+Q6sek8bf92,i=4096"
      proof = (try? scram?.clientFinal(answering: challenge)).map { Data($0.utf8).base64EncodedString() }
      let base64 = Data(challenge.utf8).base64EncodedString()
      send("<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>\(base64)</challenge>", context)
    }

    private var exporterSecret: [UInt8] {
      let digits = secret.digits.withLock { $0 }.compactMap(\.hexDigitValue)
      return stride(from: 0, to: digits.count - 1, by: 2).map { UInt8(digits[$0] * 16 + digits[$0 + 1]) }
    }

    private func react(to trigger: Trigger, _ context: ChannelHandlerContext, otherwise: () -> Void) {
      switch script.reactions[trigger] {
      case .send(let text): send(text, context)
      case .sendAndDisconnect(let text):
        send(text, context)
        context.close(promise: nil)
      case .silence: break
      case .stopReading: _ = context.channel.setOption(.autoRead, value: false)
      case nil: otherwise()
      }
    }

    private func send(_ text: String, _ context: ChannelHandlerContext) {
      context.writeAndFlush(NIOAny(ByteBuffer(string: text)), promise: nil)
    }
  }
}

/// A DNS server on loopback that answers SRV questions from a table.
final class FakeDNS: Sendable {
  let address: String
  private let channel: any Channel

  /// - Parameter zone: records by name; a name that is missing does not exist. Nil never answers.
  init(_ zone: [String: [ServiceRecord]]?) async throws {
    channel = try await DatagramBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(Handler(zone)) }
      }
      .bind(host: "127.0.0.1", port: 0).get()
    address = "127.0.0.1:\(channel.localAddress?.port ?? 0)"
  }

  func stop() async { try? await channel.close() }

  private final class Handler: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>

    let zone: [String: [ServiceRecord]]?

    init(_ zone: [String: [ServiceRecord]]?) { self.zone = zone }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      guard let zone else { return }
      let envelope = unwrapInboundIn(data)
      let question = Array(envelope.data.readableBytesView)
      var labels: [String] = []
      var index = 12
      while index < question.count, question[index] != 0 {
        let end = index + 1 + Int(question[index])
        labels.append(String(decoding: question[(index + 1)..<end], as: UTF8.self))
        index = end
      }
      let records = zone[labels.joined(separator: ".")]
      var reply = Array(question[0..<2]) + [0x81, records == nil ? 0x83 : 0x80]
      reply += [0, 1, 0, UInt8(records?.count ?? 0), 0, 0, 0, 0] + question[12..<(index + 5)]
      for record in records ?? [] {
        let name =
          record.target == "." ? [] : record.target.split(separator: ".").flatMap { [UInt8($0.utf8.count)] + $0.utf8 }
        let numbers = [record.priority, record.weight, record.port].flatMap { [UInt8($0 >> 8), UInt8($0 & 0xFF)] }
        reply += [0xC0, 12, 0, 33, 0, 1, 0, 0, 0, 60, 0, UInt8(6 + name.count + 1)] + numbers + name + [0]
      }
      let buffer = ByteBuffer(bytes: reply)
      context.writeAndFlush(
        NIOAny(AddressedEnvelope(remoteAddress: envelope.remoteAddress, data: buffer)), promise: nil)
    }
  }
}
