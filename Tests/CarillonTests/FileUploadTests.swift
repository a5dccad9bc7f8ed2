import CarillonTesting
import Foundation
import JingleCore
import NIOCore
import Synchronization
import Testing
import XMPPCore

@testable import Carillon

/// Files by way of a web server: what is put there, what peers are told, and what is fetched.
@Suite(.serialized, .timeLimit(.minutes(1)))
struct FileUploadTests {
  /// Everything that a test needs, gone at its end.
  private final class World: Sendable {
    let root = NSTemporaryDirectory() + "carillon-upload-\(UUID().uuidString)"
    var inbox: String { root + "/in" }
    let web: WebServer
    /// Requests for places.
    let requested = Log<XMLElement>()
    /// Messages between clients.
    let messages = Log<XMLElement>()
    let received = Log<Result<FileReceipt, CallError>>()
    let links = Log<String>()
    let sids = Log<String>()

    init() async throws {
      web = try await WebServer()
      try FileManager.default.createDirectory(atPath: root + "/in", withIntermediateDirectories: true)
      let certificate = try ServerCertificate.shared.get()
      try certificate.authority.write(toFile: root + "/ca.pem", atomically: true, encoding: .utf8)
      try certificate.otherAuthority.write(toFile: root + "/other.pem", atomically: true, encoding: .utf8)
    }

    deinit { try? FileManager.default.removeItem(atPath: root) }

    func make(_ name: String, _ bytes: [UInt8]) throws -> String {
      try Data(bytes).write(to: URL(fileURLWithPath: root + "/" + name))
      return root + "/" + name
    }

    /// All that the receiver's folder holds, hidden files too.
    var names: [String] { (try? FileManager.default.contentsOfDirectory(atPath: inbox).sorted()) ?? [] }

    /// A server with a service for uploads.
    ///
    /// - Parameters:
    ///   - limit: what the service says of itself.
    ///   - slot: what it gives instead of a place on the web server.
    func server(
      limit: UInt64? = nil, slot: (@Sendable (String) -> IQ.Content)? = nil,
      rewriting rewrite: @escaping @Sendable (XMLElement) -> XMLElement = { $0 }
    ) -> InMemoryServer {
      InMemoryServer(
        rewriting: { [messages] stanza in
          if stanza.name == "message" { messages.append(stanza) }
          return rewrite(stanza)
        },
        services: { [self] iq in
          switch (iq.to?.description, iq.request?.name, iq.request?.namespace) {
          case ("localhost", "query", DiscoItems.namespace):
            .result(DiscoItems(items: [.init(jid: jid("upload.localhost"))]).element)
          case ("upload.localhost", "query", DiscoInfo.namespace):
            .result(
              DiscoInfo(
                identities: [], features: [HTTPUpload.namespace],
                forms: limit.map {
                  [
                    DataForm(fields: [
                      .init("FORM_TYPE", type: "hidden", values: [HTTPUpload.namespace]),
                      .init("max-file-size", values: ["\($0)"]),
                    ])
                  ]
                } ?? []
              ).element)
          case ("upload.localhost", "request", HTTPUpload.namespace):
            {
              if let request = iq.request { requested.append(request) }
              let url = web.url("/\(requested.entries.count)")
              return slot?(url) ?? .result(Self.slot(put: url, get: url))
            }()
          default: nil
          }
        })
    }

    static func slot(put: String, get: String, headers: [String: String] = ["Authorization": "Bearer x"]) -> XMLElement
    {
      let namespace = HTTPUpload.namespace
      return XMLElement(
        "slot", namespace: namespace,
        children: [
          XMLElement(
            "put", namespace: namespace, attributes: ["url": put],
            children: headers.map {
              XMLElement("header", namespace: namespace, attributes: ["name": $0], text: $1)
            }),
          XMLElement("get", namespace: namespace, attributes: ["url": get]),
        ])
    }

    /// Takes what is shared, and no files by Jingle.
    var handlers: Client.Handlers {
      var handlers = Client.Handlers()
      handlers.onSharedFile = { [self] offer in
        links.append("\(offer.file.name) at \(offer.host ?? "")")
        sids.append(offer.sid)
        do {
          received.append(.success(try await offer.receive(into: inbox)))
        } catch {
          received.append(.failure(error as? CallError ?? CallError(.failed, "\(error)")))
        }
      }
      return handlers
    }

    func configure(_ settings: inout Client.Configuration) { settings.certificateAuthorities = root + "/ca.pem" }
  }

  private func file(_ path: String, _ ways: FileTransferWay...) -> OutgoingFile {
    var file = OutgoingFile(path: path)
    if !ways.isEmpty { file.ways = ways }
    return file
  }

  private func bytes(_ count: Int) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) } }

  private let bob = jid("bob@localhost/desk")

  /// Runs one who takes what is shared, and one who sends.
  private func withPair(
    _ world: World, _ server: InMemoryServer, handlers: Client.Handlers? = nil,
    configure: @escaping @Sendable (inout Client.Configuration) -> Void = { _ in },
    _ body: @escaping @Sendable (Client) async throws -> Void
  ) async throws {
    let configure: @Sendable (inout Client.Configuration) -> Void = {
      world.configure(&$0)
      configure(&$0)
    }
    try await withClient(
      server, "bob@localhost/desk", configure: configure, handlers: handlers ?? world.handlers
    ) { _ in
      try await withClient(server, "alice@localhost/laptop", configure: configure) { try await body($0) }
    }
    await world.web.stop()
  }

  private func error(_ work: () async throws -> Void) async -> CallError? {
    do {
      try await work()
      return nil
    } catch {
      return error as? CallError
    }
  }

  // MARK: Sending

  @Test("A file goes by way of the web server, and who is told of it has it", arguments: [0, 1, 300_001, 5_000_000])
  func whole(count: Int) async throws {
    let world = try await World()
    let data = bytes(count)
    let path = try world.make("report.pdf", data)
    try await withPair(world, world.server(limit: 5_000_000)) { [bob] alice in
      let events = Log<FileTransferEvent>()
      var outgoing = file(path, .upload)
      outgoing.mediaType = "application/pdf"
      let receipt = try await alice.send(outgoing, to: bob) { transfer in
        for await event in transfer.events { events.append(event) }
      }
      #expect((receipt.way, receipt.route, receipt.isConfirmed) == (.upload, "127.0.0.1", false))
      #expect((receipt.size, receipt.bytes) == (Int64(count), Int64(count)))
      #expect(receipt.sha256 == HashValue(.sha256, of: data).hexadecimal)
      try await until { world.received.entries.count == 1 }
      let theirs = try world.received.entries[0].get()
      #expect((theirs.way, theirs.isConfirmed, theirs.sha256) == (.upload, true, receipt.sha256))
      #expect(world.names == ["report.pdf"])
      #expect(FileManager.default.contentsEqual(atPath: path, andPath: world.inbox + "/report.pdf"))
      let put = try #require(world.web.requests.first?.head)
      #expect(put.headers.first(name: "Content-Length") == "\(count)")
      #expect(put.headers.first(name: "Content-Type") == "application/pdf")
      #expect(put.headers.first(name: "Authorization") == "Bearer x")
      guard case .ended(.success)? = events.entries.last else {
        Issue.record("\(events.entries)")
        return
      }
      let request = try #require(world.requested.entries.first)
      #expect(request[attribute: "filename"] == "report.pdf" && request[attribute: "size"] == "\(count)")
    }
    let message = try Message(#require(world.messages.entries.first))
    #expect(message.type == .chat && message.body == world.web.url("/1"))
    #expect(message.hints == [.store])
    #expect(message.first("fallback", "urn:xmpp:fallback:0") != nil)
    #expect(message.first("x", OutOfBandData.noteNamespace) != nil)
    #expect(message.sharedFiles.first?.file.name == "report.pdf")
  }

  @Test("To who takes no files by Jingle it goes so by itself, which is told")
  func fallBack() async throws {
    let world = try await World()
    let path = try world.make("letter.txt", bytes(70_000))
    try await withPair(world, world.server()) { [bob] alice in
      let events = Log<FileTransferEvent>()
      let receipt = try await alice.send(file(path), to: bob) { transfer in
        for await event in transfer.events { events.append(event) }
      }
      #expect(receipt.way == .upload)
      let last = events.entries.compactMap { event in
        if case .fellBack(let from, let to, let why) = event { (from, to, why) } else { nil }
      }.last
      #expect(last?.0 == .dataChannel && last?.1 == .upload && last?.2.isEmpty == false)
      #expect(events.entries.count { if case .ended = $0 { true } else { false } } == 1)
      try await until { world.received.entries.count == 1 }
      #expect(FileManager.default.contentsEqual(atPath: path, andPath: world.inbox + "/letter.txt"))
    }
  }

  // MARK: Streams

  /// A stream of bytes, in chunks.
  ///
  /// - Parameter isOpen: whether it never ends.
  private func stream(
    _ bytes: [UInt8], size: Int64?, isOpen: Bool = false, reads: Log<Int> = Log(), _ ways: FileTransferWay...
  ) -> OutgoingFile {
    let chunks = Log<ArraySlice<UInt8>>()
    for start in stride(from: 0, to: bytes.count, by: 100_000) {
      chunks.append(bytes[start..<min(start + 100_000, bytes.count)])
    }
    let sequence = AsyncStream<ArraySlice<UInt8>> {
      let index = reads.entries.count
      reads.append(index)
      if index < chunks.entries.count { return chunks.entries[index] }
      while isOpen, !Task.isCancelled { try? await Task.sleep(for: .milliseconds(20)) }
      return nil
    }
    var file = OutgoingFile(sequence, name: "stream.bin", size: size)
    if !ways.isEmpty { file.ways = ways }
    return file
  }

  @Test("A stream whose size is known is uploaded as it comes", arguments: [0, 1, 300_001, 5_000_000])
  func streamed(count: Int) async throws {
    let world = try await World()
    let data = bytes(count)
    try await withPair(world, world.server(limit: 5_000_000)) { [bob] alice in
      for ways in [[.upload], FileTransferWay.allCases] {
        var outgoing = stream(data, size: Int64(count))
        outgoing.ways = ways
        let receipt = try await alice.send(outgoing, to: bob)
        #expect((receipt.way, receipt.size, receipt.bytes) == (.upload, Int64(count), Int64(count)))
        #expect(receipt.name == "stream.bin" && receipt.sha256 == HashValue(.sha256, of: data).hexadecimal)
      }
      try await until { world.received.entries.count == 2 }
      #expect(try world.received.entries.map { try $0.get().sha256 } == Array(
        repeating: HashValue(.sha256, of: data).hexadecimal, count: 2))
    }
    #expect(world.web.requests.first?.head.headers.first(name: "Content-Length") == "\(count)")
  }

  @Test("A stream for which no other way is passable is uploaded from its beginning")
  func streamFallsBack() async throws {
    let world = try await World()
    let data = bytes(700_000)
    let server = world.server(rewriting: { stanza in
      stanza.altered(of: SOCKS5Transport.namespace, "candidate") { $0[attribute: "port"] = "1" }
    })
    var handlers = world.handlers
    handlers.onFile = { [world] offer in _ = try await offer.receive(into: world.inbox) }
    try await withPair(world, server, handlers: handlers) { [bob] alice in
      let receipt = try await alice.send(stream(data, size: 700_000, .socks5, .upload), to: bob)
      #expect(receipt.way == .upload && receipt.sha256 == HashValue(.sha256, of: data).hexadecimal)
      try await until { world.received.entries.count == 1 }
    }
    #expect(world.names == ["stream.bin"])
  }

  @Test("A stream of unknown size is not uploaded, nor read, and what to do is said")
  func unknownSize() async throws {
    let world = try await World()
    let reads = Log<Int>()
    try await withPair(world, world.server()) { [bob] alice in
      let insisting = await error { try await alice.send(stream([1], size: nil, reads: reads, .upload), to: bob) }
      #expect(insisting?.code == .input && insisting?.message.contains("size") == true)
      let automatic = await error { try await alice.send(stream([1], size: nil, reads: reads), to: bob) }
      #expect(automatic?.code == .noAnswer && automatic?.message.contains("size") == true)
    }
    #expect(reads.entries.isEmpty && world.requested.entries.isEmpty && world.web.requests.isEmpty)
  }

  @Test("A stream with fewer or more bytes than was said is not uploaded whole, and nobody is told", arguments: [-1, 1])
  func wrongSize(surplus: Int) async throws {
    let world = try await World()
    try await withPair(world, world.server()) { [bob] alice in
      let failure = await error {
        try await alice.send(stream(bytes(300_000 + surplus), size: 300_000, .upload), to: bob)
      }
      #expect(failure?.code == .input, "\(failure as Any)")
    }
    #expect(world.messages.entries.isEmpty)
  }

  @Test("What is too large of a stream is told before it is read")
  func streamTooLarge() async throws {
    let world = try await World()
    let reads = Log<Int>()
    try await withPair(world, world.server(limit: 10)) { [bob] alice in
      let failure = await error { try await alice.send(stream([1], size: 11, reads: reads, .upload), to: bob) }
      #expect(failure?.code == .output)
    }
    #expect(reads.entries.isEmpty && world.requested.entries.isEmpty)
  }

  @Test("An upload of a stream that breaks off is begun anew as long as its beginning is known")
  func streamBreaks() async throws {
    let world = try await World()
    let data = bytes(3_000_000)
    world.web.react(to: "/1", .hangUp(after: 1_000_000))
    world.web.react(to: "/3", .hangUp(after: 8_000_000))
    try await withPair(world, world.server()) { [bob] alice in
      let receipt = try await alice.send(stream(data, size: 3_000_000, .upload), to: bob)
      #expect(receipt.bytes == 3_000_000 && receipt.sha256 == HashValue(.sha256, of: data).hexadecimal)
      let failure = await error {
        try await alice.send(stream(bytes(12_000_000), size: 12_000_000, .upload), to: bob)
      }
      #expect(failure?.code == .connectivity, "\(failure as Any)")
      try await until { world.received.entries.count == 1 }
    }
    #expect(world.messages.entries.count == 1)
  }

  @Test("A stream in which nothing more comes holds the upload up for a while only")
  func streamStalls() async throws {
    let world = try await World()
    try await withPair(world, world.server()) { [bob] alice in
      await alice.setFileLimits { $0.stall = .seconds(1) }
      let failure = await error {
        try await alice.send(stream(bytes(1000), size: 2000, isOpen: true, .upload), to: bob)
      }
      #expect(failure?.code == .timedOut, "\(failure as Any)")
      // And who does not wait for it is not held up.
      await alice.setFileLimits { $0.stall = .seconds(600) }
      let cancelled = await error {
        try await alice.send(stream(bytes(1000), size: 2000, isOpen: true, .upload), to: bob) { transfer in
          for await event in transfer.events { if case .progress = event { await transfer.cancel() } }
        }
      }
      #expect(cancelled?.code == .failed, "\(cancelled as Any)")
    }
    #expect(world.messages.entries.isEmpty)
  }

  @Test("Where each way fails for want of a path, the last is this one")
  func everyWay() async throws {
    let world = try await World()
    let path = try world.make("letter.txt", bytes(70_000))
    let server = world.server(rewriting: { stanza in
      stanza.altered(of: SOCKS5Transport.namespace, "candidate") { $0[attribute: "port"] = "1" }
    })
    var handlers = world.handlers
    handlers.onFile = { [world] offer in _ = try await offer.receive(into: world.inbox) }
    try await withPair(world, server, handlers: handlers) { [bob] alice in
      let receipt = try await alice.send(file(path, .socks5, .upload), to: bob)
      #expect(receipt.way == .upload)
      try await until { world.received.entries.count == 1 }
      #expect(try world.received.entries[0].get().sha256 == receipt.sha256)
    }
  }

  @Test("Who insists on another way, is declined, or has somebody in between uploads nothing")
  func notUploaded() async throws {
    let world = try await World()
    let path = try world.make("letter.txt", bytes(70_000))
    try await withPair(world, world.server()) { [bob] alice in
      let insisting = await error { try await alice.send(file(path, .dataChannel), to: bob) }
      #expect(insisting?.code == .noAnswer)
    }
    var handlers = world.handlers
    handlers.onFile = { offer in await offer.decline() }
    try await withPair(world, world.server(), handlers: handlers) { [bob] alice in
      let declined = await error { try await alice.send(file(path), to: bob) }
      #expect(declined?.code == .declined)
    }
    let between = world.server(rewriting: { stanza in
      stanza.altered(of: DTLSFingerprint.namespace, "fingerprint") { fingerprint in
        fingerprint.nodes = [.text(fingerprint.text.split(separator: ":").reversed().joined(separator: ":"))]
      }
    })
    handlers.onFile = { [world] offer in _ = try await offer.receive(into: world.inbox) }
    try await withPair(world, between, handlers: handlers) { [bob] alice in
      let failure = await error { try await alice.send(file(path), to: bob) }
      #expect(failure?.code == .connectivity || failure?.code == .failed)
    }
    #expect(world.requested.entries.isEmpty && world.web.requests.isEmpty)
  }

  @Test("Where there is no service, the first reason is told, and that too")
  func noService() async throws {
    let world = try await World()
    let path = try world.make("letter.txt", [1])
    try await withPair(world, InMemoryServer()) { [bob] alice in
      let automatic = await error { try await alice.send(file(path), to: bob) }
      #expect(automatic?.code == .noAnswer && automatic?.message.contains("HTTP upload") == true)
      let insisting = await error { try await alice.send(file(path, .upload), to: bob) }
      #expect(insisting?.code == .nothingInCommon)
    }
  }

  @Test("A message that comes back is told")
  func refusedMessage() async throws {
    let world = try await World()
    let path = try world.make("letter.txt", [1])
    try await withPair(world, world.server()) { alice in
      let refused = await error { try await alice.send(file(path, .upload), to: jid("nobody@localhost")) }
      #expect(refused?.code == .noAnswer)
      #expect(refused?.message.contains("nobody@localhost") == true)
    }
  }

  @Test("What is too large is told with both sizes, before anything is asked for, put or said")
  func tooLarge() async throws {
    let world = try await World()
    let path = try world.make("film.mkv", bytes(10_001))
    try await withPair(world, world.server(limit: 10_000)) { [bob] alice in
      let failure = await error { try await alice.send(file(path, .upload), to: bob) }
      #expect(failure?.code == .output)
      #expect(failure?.message.contains("10001") == true && failure?.message.contains("10000") == true)
    }
    #expect(world.requested.entries.isEmpty && world.web.requests.isEmpty && world.messages.entries.isEmpty)
  }

  @Test("Each refusal of a place is told for what it is")
  func refusedSlots() async throws {
    func application(_ name: String, _ attributes: [String: String] = [:], _ children: [XMLElement] = []) -> XMLElement
    {
      XMLElement(name, namespace: HTTPUpload.namespace, attributes: attributes, children: children)
    }
    let limit = XMLElement("max-file-size", namespace: HTTPUpload.namespace, text: "20")
    let plain = "http://127.0.0.1/a"
    let answers: [(IQ.Content, CallError.Code, String)] = [
      (.error(StanzaError(.notAcceptable, application: application("file-too-large", [:], [limit]))), .output, "20"),
      (
        .error(
          StanzaError(.resourceConstraint, application: application("retry", ["stamp": "2030-01-02T03:04:05Z"]))),
        .failed, "2030-01-02"
      ),
      (.error(StanzaError(.forbidden)), .failed, "from this account"),
      (.error(StanzaError(.internalServerError, text: "on fire")), .failed, "on fire"),
      (.result(World.slot(put: plain, get: plain)), .protocolViolation, "https"),
      (.result(World.slot(put: "https://127.0.0.1/a", get: plain)), .protocolViolation, "https"),
      (.result(XMLElement("slot", namespace: HTTPUpload.namespace)), .protocolViolation, "addresses"),
      (.result(nil), .protocolViolation, "no place"),
    ]
    for (answer, code, words) in answers {
      let world = try await World()
      let path = try world.make("a", bytes(21))
      try await withPair(world, world.server(slot: { _ in answer })) { [bob] alice in
        let failure = await error { try await alice.send(file(path, .upload), to: bob) }
        #expect(failure?.code == code && failure?.message.contains(words) == true, "\(words): \(failure as Any)")
      }
      #expect(world.web.requests.isEmpty && world.messages.entries.isEmpty)
    }
  }

  @Test("Only the headers that a service may set go into the request, each in one line")
  func headers() async throws {
    let world = try await World()
    let path = try world.make("a", [1])
    let server = world.server(slot: { url in
      .result(
        World.slot(
          put: url, get: url,
          headers: ["cookie": "a\r\nX-Evil: 1", "Host": "evil.example", "X-Other": "1", "Expires": "now"]))
    })
    try await withPair(world, server) { [bob] alice in try await alice.send(file(path, .upload), to: bob) }
    let headers = try #require(world.web.requests.first?.head.headers)
    #expect(headers.first(name: "Cookie") == "aX-Evil: 1" && headers.first(name: "Expires") == "now")
    #expect(headers.first(name: "X-Other") == nil && headers.first(name: "X-Evil") == nil)
    #expect(headers["Host"] == ["127.0.0.1:\(world.web.port)"])
  }

  @Test("A web server's refusal is told by its status, and nobody is told of the file", arguments: [403, 413, 500])
  func refused(status: Int) async throws {
    let world = try await World()
    let path = try world.make("a", bytes(1000))
    world.web.react(to: "/1", .status(status))
    try await withPair(world, world.server()) { [bob] alice in
      let failure = await error { try await alice.send(file(path, .upload), to: bob) }
      #expect(failure?.code == (status == 413 ? .output : .failed))
      #expect(failure?.message.contains("\(status)") == true)
    }
    #expect(world.web.requests.count == 1 && world.messages.entries.isEmpty)
  }

  @Test("A media type that is none does not become a header")
  func mediaType() async throws {
    let world = try await World()
    let path = try world.make("a", [1])
    try await withPair(world, world.server()) { [bob] alice in
      for type in ["text/plain\r\nX-Evil: 1", "", "text", "text/plain; charset=utf-8"] {
        var file = file(path, .upload)
        file.mediaType = type
        _ = try await alice.send(file, to: bob)
      }
    }
    let types = world.web.requests.filter { $0.head.method == .PUT }.map { $0.head.headers["Content-Type"] }
    #expect(types == Array(repeating: ["application/octet-stream"], count: 3) + [["text/plain; charset=utf-8"]])
    #expect(world.requested.entries.map { $0[attribute: "content-type"] } == types.map(\.first))
  }

  @Test("A server that takes it with 200 has it")
  func ok() async throws {
    let world = try await World()
    let path = try world.make("a", bytes(1000))
    world.web.react(to: "/1", .status(200))
    try await withPair(world, world.server()) { [bob] alice in
      let receipt = try await alice.send(file(path, .upload), to: bob)
      #expect(receipt.size == 1000)
    }
  }

  @Test("An upload that breaks off is begun anew in another place, once")
  func brokenOff() async throws {
    let world = try await World()
    let data = bytes(3_000_000)
    let path = try world.make("a", data)
    world.web.react(to: "/1", .hangUp(after: 1_000_000))
    try await withPair(world, world.server()) { [bob] alice in
      let receipt = try await alice.send(file(path, .upload), to: bob)
      #expect(receipt.bytes == 3_000_000)
      world.web.react(to: "/3", .hangUp(after: 1_000_000))
      world.web.react(to: "/4", .hangUp(after: 0))
      let failure = await error { try await alice.send(file(path, .upload), to: bob) }
      #expect(failure?.code == .connectivity)
      try await until { world.received.entries.count == 1 }
    }
    #expect(world.requested.entries.count == 4)
    #expect(world.names == ["a"])
  }

  @Test("A server that says nothing is given up")
  func silent() async throws {
    let world = try await World()
    let path = try world.make("a", bytes(1000))
    world.web.react(to: "/1", .silence)
    try await withPair(world, world.server(), configure: { $0.webIdleTimeout = .seconds(1) }) { [bob] alice in
      let failure = await error { try await alice.send(file(path, .upload), to: bob) }
      #expect(failure?.code == .timedOut)
    }
    #expect(world.messages.entries.isEmpty)
  }

  @Test("Nothing is put on a server whose certificate is by nobody known")
  func untrusted() async throws {
    let world = try await World()
    let path = try world.make("a", bytes(1000))
    try await withPair(
      world, world.server(), configure: { $0.certificateAuthorities = world.root + "/other.pem" }
    ) { [bob] alice in
      let failure = await error { try await alice.send(file(path, .upload), to: bob) }
      #expect(failure?.code == .serverUnreachable)
    }
    #expect(world.web.requests.isEmpty && world.messages.entries.isEmpty)
  }

  @Test("An upload can be cancelled, and so can one that began as another way", arguments: [true, false])
  func cancelled(isUpload: Bool) async throws {
    let world = try await World()
    let path = try world.make("a", bytes(1000))
    world.web.react(to: "/1", .silence)
    world.web.react(to: "/2", .silence)
    try await withPair(world, world.server()) { [bob] alice in
      let failure = await error {
        try await alice.send(isUpload ? file(path, .upload) : file(path), to: bob) { transfer in
          for await event in transfer.events {
            if case .started(.upload, _, _) = event { await transfer.cancel() }
          }
        }
      }
      #expect(failure?.code == .failed && failure?.message.contains("cancelled") == true)
      let task = Task { [bob] in try await alice.send(file(path, .upload), to: bob) }
      try await until { world.web.paths.contains("PUT /2") }
      task.cancel()
      _ = await task.result
      try await until { await alice.isIdleOnTheWeb }
    }
    #expect(world.messages.entries.isEmpty)
  }

  @Test("A client that stops leaves no upload behind, and tells who waits for it")
  func stopped() async throws {
    let world = try await World()
    let path = try world.make("a", bytes(1000))
    world.web.react(to: "/1", .silence)
    let server = world.server()
    let bob = bob
    let sending = try await withClient(server, "alice@localhost/laptop", configure: { world.configure(&$0) }) { alice in
      let task = Task { try await alice.send(self.file(path, .upload), to: bob) }
      try await until { world.web.paths.contains("PUT /1") }
      return task
    }
    guard case .failure = await sending.result else {
      Issue.record("it was sent")
      return
    }
    await world.web.stop()
    #expect(world.messages.entries.isEmpty)
  }

  // MARK: Receiving

  private func shared(
    _ url: String, name: String? = "photo.jpg", size: UInt64? = nil, hash: HashValue? = nil, id: String? = "s1",
    date: Duration? = nil
  ) -> Message {
    let file = FileMetadata(name: name, size: size, date: date, hashes: Hashes(hash.map { [$0] } ?? []).elements)
    return Message(
      type: .chat, id: id, to: jid("bob@localhost"),
      payloads: FileSharing(file: file, sources: FileSources(urls: [url])).payloads)
  }

  /// Has a message sent to who takes what is shared, and waits for what comes of it.
  private func receive(
    _ world: World, configure: @escaping @Sendable (inout Client.Configuration) -> Void = { _ in },
    _ messages: Message...
  ) async throws -> [Result<FileReceipt, CallError>] {
    let server = world.server()
    try await withPair(world, server, configure: configure) { _ in
      let mallory = server.connect(jid("mallory@localhost/x"))
      for (index, message) in messages.enumerated() {
        mallory.send(message.element)
        try await until { world.received.entries.count > index }
      }
    }
    return world.received.entries
  }

  @Test("What lies there is not what was said: nothing is kept, and it is told")
  func notWhatWasSaid() async throws {
    let data = bytes(1000)
    let right = HashValue(.sha256, of: data)
    let cases: [(UInt64?, HashValue?, CallError.Code)] = [
      (1000, HashValue(.sha256, of: [1]), .corrupt), (nil, HashValue(.sha512, of: [1]), .corrupt),
      (999, right, .corrupt), (1001, right, .corrupt), (.max, nil, .output),
    ]
    for (size, hash, code) in cases {
      let world = try await World()
      world.web.react(to: "/f", .file(data))
      let result = try await receive(world, shared(world.web.url("/f"), size: size, hash: hash))
      #expect(result[0].failure?.code == code, "\(size as Any): \(result[0])")
      #expect(world.names.isEmpty)
    }
  }

  @Test("A server that misbehaves is given up, and leaves nothing behind")
  func misbehaving() async throws {
    let reactions: [(WebServer.Reaction, CallError.Code)] = [
      (.status(302, headers: ["Location": "/f"]), .protocolViolation),
      (.status(302, headers: ["Location": "http://127.0.0.1/"]), .protocolViolation),
      (.status(302, headers: ["Location": "file:///etc/passwd"]), .protocolViolation),
      (.status(404), .failed), (.status(500), .failed), (.hangUp(after: 0), .connectivity),
      (.endless(piece: 65_536, pause: .zero), .output), (.silence, .timedOut),
    ]
    for (reaction, code) in reactions {
      let world = try await World()
      world.web.react(to: "/f", reaction)
      let result = try await receive(
        world,
        configure: {
          $0.maximumFileSize = 1_000_000
          $0.webIdleTimeout = .seconds(1)
        }, shared(world.web.url("/f")))
      #expect(result[0].failure?.code == code, "\(reaction): \(result[0])")
      #expect(world.names.isEmpty)
    }
  }

  @Test("Of a file whose length nobody tells only so much is taken, and nothing is kept")
  func unannounced() async throws {
    let world = try await World()
    world.web.react(to: "/f", .endless(piece: 65_536, pause: .zero))
    let result = try await receive(
      world, configure: { $0.webUnannounced = 1_000_000 }, shared(world.web.url("/f")))
    #expect(result[0].failure?.code == .output)
    #expect(result[0].failure?.message.contains("sends without end, and never said how much") == true, "\(result[0])")
    #expect(world.names.isEmpty)
  }

  @Test("Copies of what this account's other devices share and are sent are not taken for files, nor made-up ones")
  func carbons() async throws {
    let world = try await World()
    world.web.react(to: "/f", .file([1]))
    let server = world.server()
    @Sendable func message(_ name: String, to recipient: String) -> Message {
      var message = shared(world.web.url("/f"), name: name, id: name)
      message.to = jid(recipient)
      return message
    }
    try await withPair(world, server) { alice in
      let (phone, mallory) = (server.connect(jid("bob@localhost/phone")), server.connect(jid("mallory@localhost/x")))
      phone.send(message("sent", to: "alice@localhost/laptop").element)
      mallory.send(message("elsewhere", to: "bob@localhost/phone").element)
      for kind in ["sent", "received"] {
        let copy = XMLElement(
          "forwarded", namespace: "urn:xmpp:forward:0", children: [message("made-up", to: "bob@localhost").element])
        let carbon = XMLElement(kind, namespace: MessageCarbon.namespace, children: [copy])
        mallory.send(Message(type: .chat, to: jid("bob@localhost/desk"), payloads: [carbon]).element)
      }
      // Each goes the same way behind the others.
      phone.send(message("own", to: "bob@localhost/desk").element)
      mallory.send(message("last", to: "bob@localhost").element)
      try await until { world.received.entries.count >= 2 }
    }
    #expect(world.links.entries == ["own at 127.0.0.1", "last at 127.0.0.1"])
    #expect(world.names == ["last", "own"])
  }

  @Test("A server that gives drop by drop is given up")
  func drops() async throws {
    let world = try await World()
    world.web.react(to: "/f", .endless(piece: 1, pause: .milliseconds(20)))
    let result = try await receive(
      world, configure: { $0.webRate = (1000, .milliseconds(500)) }, shared(world.web.url("/f")))
    #expect(result[0].failure?.code == .timedOut)
    #expect(world.names.isEmpty)
  }

  @Test("What broke off goes on where it stopped when it is shared again, and may lie elsewhere by then")
  func resumed() async throws {
    let world = try await World()
    let data = bytes(1_000_000)
    world.web.react(to: "/f", .truncated(data, missing: 400_000))
    world.web.react(to: "/g", .status(302, headers: ["Location": "/h"]))
    world.web.react(to: "/h", .file(data))
    let hash = HashValue(.sha256, of: data)
    let result = try await receive(
      world, shared(world.web.url("/f"), size: 1_000_000, hash: hash),
      shared(world.web.url("/g"), size: 1_000_000, hash: hash, id: "s2"))
    #expect(result[0].failure?.code == .connectivity)
    let receipt = try result[1].get()
    #expect(receipt.bytes == 400_000 && receipt.size == 1_000_000 && receipt.isConfirmed)
    #expect(world.web.requests.last?.head.headers.first(name: "Range") == "bytes=600000-")
    #expect(world.names == ["photo.jpg"])
    #expect(FileManager.default.contents(atPath: world.inbox + "/photo.jpg") == Data(data))
  }

  @Test(
    "A file that changed between two parts is fetched anew, and not put together of both", arguments: [true, false])
  func changed(isHashed: Bool) async throws {
    let world = try await World()
    let (old, new) = (bytes(1_000_000), bytes(1_000_000).map { ~$0 })
    world.web.react(to: "/f", .truncated(old, missing: 400_000), .file(new))
    let hash = isHashed ? HashValue(.sha256, of: new) : nil
    let result = try await receive(
      world, shared(world.web.url("/f"), size: 1_000_000, hash: hash, date: .seconds(1_700_000_000)),
      shared(world.web.url("/f"), size: 1_000_000, hash: hash, id: "s2", date: .seconds(1_700_000_000)))
    #expect(result[0].failure?.code == .connectivity)
    #expect(try result[1].get().isConfirmed == isHashed)
    #expect(world.names == ["photo.jpg"])
    #expect(FileManager.default.contents(atPath: world.inbox + "/photo.jpg") == Data(new))
    #expect(world.web.requests.map { $0.head.headers.first(name: "Range") }
      == (isHashed ? [nil, "bytes=600000-", nil] : [nil, nil]))
  }

  @Test(
    "Where a server has no rest of a file, or another one, it is fetched from its beginning, once",
    arguments: [416, 206])
  func noRest(status: Int) async throws {
    let world = try await World()
    let data = bytes(1_000_000)
    let hash = HashValue(.sha256, of: data)
    let range = "bytes \(status == 416 ? "*" : "5-9")/10"
    let refusal = WebServer.Reaction.status(status, headers: ["Content-Range": range])
    world.web.react(to: "/f", .truncated(data, missing: 400_000), refusal, .file(data))
    world.web.react(to: "/g", .truncated(data, missing: 400_000), refusal)
    let (first, again) = (
      shared(world.web.url("/f"), size: 1_000_000, hash: hash),
      shared(world.web.url("/f"), size: 1_000_000, hash: hash, id: "s2")
    )
    let bad = shared(world.web.url("/g"), name: "g", size: 1_000_000, hash: hash, id: "s3")
    let result = try await receive(
      world, first, again, bad, shared(world.web.url("/g"), name: "g", size: 1_000_000, hash: hash, id: "s4"))
    #expect(try result[1].get().size == 1_000_000)
    #expect(result[3].failure != nil && world.web.paths.count == 6)
    #expect(FileManager.default.contents(atPath: world.inbox + "/photo.jpg") == Data(data))
  }

  @Test("A server that gives the rest piece by piece is asked for the next")
  func smallParts() async throws {
    let world = try await World()
    let data = bytes(1000)
    world.web.react(to: "/f", .truncated(data, missing: 900), .part(data, 100..<300), .part(data, 300..<1000))
    let hash = HashValue(.sha256, of: data)
    let result = try await receive(
      world, shared(world.web.url("/f"), size: 1000, hash: hash),
      shared(world.web.url("/f"), size: 1000, hash: hash, id: "s2"),
      shared(world.web.url("/f"), size: 1000, hash: hash, id: "s3"))
    #expect(result[1].failure?.code == .connectivity)
    #expect(try result[2].get().bytes == 700)
    #expect(FileManager.default.contents(atPath: world.inbox + "/photo.jpg") == Data(data))
  }

  @Test("What cannot be gone on with is not kept")
  func notResumable() async throws {
    let world = try await World()
    world.web.react(to: "/f", .truncated(bytes(1000), missing: 1))
    let result = try await receive(world, shared(world.web.url("/f"), size: 1000))
    #expect(result[0].failure?.code == .connectivity)
    #expect(world.names.isEmpty)
  }

  @Test("A message's id does not grow without bound in what is told and remembered of it")
  func longIDs() async throws {
    let world = try await World()
    world.web.react(to: "/f", .file([1]))
    let id = String(repeating: "x", count: 10_000)
    _ = try await receive(world, shared(world.web.url("/f"), id: id), shared(world.web.url("/f"), id: id))
    #expect(world.sids.entries.allSatisfy { $0.utf8.count < 1000 } && world.sids.entries.count == 2)
  }

  @Test("A bare link is fetched, under a safe name that nothing else has, and not called verified")
  func bareLinks() async throws {
    let world = try await World()
    world.web.react(to: "/a/..%2F..%2Fetc%2Fpasswd", .file([1, 2, 3]))
    let url = world.web.url("/a/..%2F..%2Fetc%2Fpasswd")
    @Sendable func message(_ id: String, _ body: String?) -> Message {
      Message(
        type: .chat, id: id, to: jid("bob@localhost"),
        payloads: (body.map { [XMLElement("body", namespace: Stanza.namespace, text: $0)] } ?? [])
          + [OutOfBandData(url: url).element])
    }
    // The second is the first once more, and the third is about something else.
    let server = world.server()
    try await withPair(world, server) { _ in
      let mallory = server.connect(jid("mallory@localhost/x"))
      for message in [message("1", url), message("1", url), message("2", "look at this"), message("3", nil)] {
        mallory.send(message.element)
      }
      try await until { world.received.entries.count == 2 }
    }
    #expect(world.names == ["passwd", "passwd (1)"])
    let receipt = try world.received.entries[0].get()
    #expect(receipt.size == 3 && !receipt.isConfirmed && receipt.sha256.count == 64)
  }

  @Test("Nothing is fetched for strangers, without a handler, or by who hides this machine's address")
  func notFetched() async throws {
    let world = try await World()
    world.web.react(to: "/f", .file([1]))
    let result = try await receive(world, configure: { $0.relayOnly = true }, shared(world.web.url("/f")))
    #expect(result[0].failure?.code == .configuration)
    var picky = world.handlers
    picky.allowsFile = { $0.bare != jid("mallory@localhost") }
    for handlers in [picky, Client.Handlers()] {
      let server = world.server()
      try await withPair(world, server, handlers: handlers) { alice in
        let mallory = server.connect(jid("mallory@localhost/x"))
        mallory.send(shared(world.web.url("/f")).element)
        mallory.send(shared("http://127.0.0.1:\(world.web.port)/f").element)
        // Goes the same way behind it.
        _ = await alice.ask(.get(Ping.request), of: jid("bob@localhost/desk"), timeout: .seconds(5))
      }
    }
    #expect(world.links.entries.count == 1 && world.web.requests.isEmpty && world.names.isEmpty)
  }

  @Test("What only offers what is not reached by TLS is not offered")
  func plain() async throws {
    let world = try await World()
    world.web.react(to: "/f", .file([1]))
    let result = try await receive(
      world, shared(world.web.url("/f")))
    #expect(try result[0].get().size == 1)
    let server = world.server()
    try await withPair(world, server) { _ in
      let mallory = server.connect(jid("mallory@localhost/x"))
      for url in ["http://127.0.0.1/f", "file:///etc/passwd", "aesgcm://127.0.0.1/f"] {
        mallory.send(shared(url, id: url).element)
      }
      mallory.send(shared("https://127.0.0.1:1/f", id: "last").element)
      try await until { world.received.entries.count == 2 }
    }
    #expect(world.links.entries.count == 2)
    #expect(world.received.entries[1].failure?.code == .serverUnreachable)
  }
}

extension Client {
  fileprivate var isIdleOnTheWeb: Bool { web.underWay.isEmpty }
}

extension Result where Failure == CallError {
  fileprivate var failure: CallError? { if case .failure(let error) = self { error } else { nil } }
}

extension XMLElement {
  /// With each element of that name and namespace in it changed.
  fileprivate func altered(of namespace: String, _ name: String, _ change: (inout XMLElement) -> Void) -> XMLElement {
    var copy = self
    if copy.is(name, namespace) { change(&copy) }
    copy.nodes = copy.nodes.map { node in
      if case .element(let child) = node { .element(child.altered(of: namespace, name, change)) } else { node }
    }
    return copy
  }
}
