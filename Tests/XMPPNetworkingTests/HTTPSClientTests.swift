import Foundation
import Logging
import NIOCore
import Synchronization
import Testing
import XMPPCore

@testable import XMPPNetworking

@Suite(.timeLimit(.minutes(1))) struct HTTPSClientTests {
  private let certificates: TestCertificates

  init() throws { certificates = try TestCertificates.shared.get() }

  /// A server with a script, a client that trusts its authority, and the URL of a path on it.
  private func with(
    _ reactions: [String: FakeWebServer.Reaction], identity: TestCertificates.Identity? = nil,
    host: String = "example.test", _ change: (inout HTTPSClient.Configuration) -> Void = { _ in },
    _ body: (FakeWebServer, HTTPSClient, (String) throws -> HTTPSURL) async throws -> Void
  ) async throws {
    let server = try await FakeWebServer(identity ?? certificates.good, reactions)
    let file = FileManager.default.temporaryDirectory.appending(path: "carillon-ca-\(UUID().uuidString).pem")
    try certificates.authority.write(to: file)
    defer { try? FileManager.default.removeItem(at: file) }
    var configuration = HTTPSClient.Configuration()
    configuration.certificateAuthorities = file.path
    configuration.addresses = ["example.test": "127.0.0.1"]
    change(&configuration)
    do {
      try await body(server, HTTPSClient(configuration)) {
        try #require(HTTPSURL("https://\(host):\(server.port)\($0)"))
      }
    } catch {
      await server.stop()
      throw error
    }
    await server.stop()
  }

  private func kind(_ work: () async throws -> Void) async -> HTTPSError.Kind? {
    do {
      try await work()
      return nil
    } catch let error as HTTPSError {
      #expect(!error.message.isEmpty)
      return error.kind
    } catch {
      Issue.record("\(error)")
      return nil
    }
  }

  private func expect(
    _ expected: HTTPSError.Kind, _ comment: String = "", at location: SourceLocation = #_sourceLocation,
    _ work: () async throws -> Void
  ) async {
    let found = await kind(work)
    #expect(found == expected, "\(comment)", sourceLocation: location)
  }

  private func bytes(_ count: Int) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) } }

  private func fetch(
    _ client: HTTPSClient, _ url: HTTPSURL, offset: UInt64 = 0, limit: UInt64 = 1 << 24
  ) async throws -> (start: UInt64, length: UInt64?, bytes: [UInt8]) {
    try await client.download(from: url, offset: offset, limit: limit) { download in
      var all: [UInt8] = []
      for try await piece in download { all += Array(buffer: piece) }
      return (download.start, download.length, all)
    }
  }

  // MARK: Upload

  @Test("An upload has its length, its type and the slot's headers in order, and no others")
  func upload() async throws {
    let data = bytes(3_000_000)
    try await with(["/a/b": .status(201)]) { server, client, url in
      let slot: [HTTPUpload.Slot.Header] = [
        .init("Authorization", "Basic x"), .init("Cookie", "1"), .init("Cookie", "2"),
      ]
      try await client.upload(
        to: url("/a/b?c=d"), headers: slot, contentType: "image/jpeg", length: UInt64(data.count)
      ) { upload in
        for start in stride(from: 0, to: data.count, by: 100_000) {
          try await upload.send(ByteBuffer(bytes: data[start..<start + 100_000]))
        }
        #expect(upload.sent == UInt64(data.count))
      }
      let request = try #require(server.requests.first)
      #expect(request.head.method == .PUT)
      #expect(request.head.uri == "/a/b?c=d")
      #expect(request.body == data)
      #expect(
        request.head.headers.map { "\($0.name): \($0.value)" } == [
          "Host: example.test:\(server.port)", "Connection: close", "Content-Length: 3000000",
          "Content-Type: image/jpeg",
          "Authorization: Basic x", "Cookie: 1", "Cookie: 2",
        ])
    }
  }

  @Test("An empty file can be put", arguments: [200, 201, 204])
  func emptyUpload(status: Int) async throws {
    try await with(["/a": .status(status)]) { server, client, url in
      try await client.upload(to: url("/a"), length: 0) { _ in }
      #expect(server.requests.first?.body == [])
    }
  }

  @Test(
    "A refusal after the whole upload is named by its status", arguments: [302, 400, 401, 403, 404, 413, 500, 503, 507])
  func refusedUpload(status: Int) async throws {
    try await with(["/a": .status(status, headers: ["Location": "https://example.test/b"])]) { server, client, url in
      let kind = await kind {
        try await client.upload(to: url("/a"), length: 1) { try await $0.send(ByteBuffer(bytes: [1])) }
      }
      #expect(kind == .status(status))
      #expect(server.requests.count == 1)
    }
  }

  @Test("A server that refuses at once is understood before all is sent", arguments: [true, false])
  func earlyRefusal(closes: Bool) async throws {
    try await with(["/a": .refuse(413, closes: closes)]) { _, client, url in
      let sent = Mutex(0)
      let kind = await kind {
        try await client.upload(to: url("/a"), length: 1 << 40) { upload in
          let piece = ByteBuffer(repeating: 1, count: 65536)
          for _ in 0..<(1 << 24) {
            try await upload.send(piece)
            sent.withLock { $0 += 65536 }
          }
        }
      }
      #expect(kind == .status(413))
      #expect(sent.withLock { $0 } < 1 << 30)
    }
  }

  @Test("A server that does not read holds the sender back, and is given up")
  func backPressure() async throws {
    try await with(["/a": .stopReading], { $0.idleTimeout = .seconds(2) }) { _, client, url in
      let sent = Mutex(0)
      let kind = await kind {
        try await client.upload(to: url("/a"), length: 1 << 40) { upload in
          let piece = ByteBuffer(repeating: 1, count: 65536)
          while true {
            try await upload.send(piece)
            sent.withLock { $0 += 65536 }
          }
        }
      }
      #expect(kind == .timedOut)
      // What the sockets hold, and no more.
      #expect(sent.withLock { $0 } < 64 << 20)
    }
  }

  @Test("More or fewer bytes than promised are no upload", arguments: [9, 11])
  func wrongLength(count: Int) async throws {
    try await with(["/a": .status(201)]) { server, client, url in
      let kind = await kind {
        try await client.upload(to: url("/a"), length: 10) { try await $0.send(ByteBuffer(repeating: 1, count: count)) }
      }
      #expect(kind == .wrongLength)
      #expect(server.requests.isEmpty)
    }
  }

  @Test("What goes wrong with the file ends the upload, and is told as it is")
  func fileError() async throws {
    struct Vanished: Error {}
    try await with(["/a": .status(201)]) { server, client, url in
      await #expect(throws: Vanished.self) {
        try await client.upload(to: url("/a"), length: 10) { upload in
          try await upload.send(ByteBuffer(bytes: [1]))
          throw Vanished()
        }
      }
      #expect(server.requests.isEmpty)
    }
  }

  @Test("An upload can be cancelled")
  func cancelled() async throws {
    try await with(["/a": .silence]) { _, client, url in
      let url = try url("/a")
      let task = Task {
        try await client.upload(to: url, length: 1) { try await $0.send(ByteBuffer(bytes: [1])) }
      }
      try await Task.sleep(for: .milliseconds(200))
      task.cancel()
      await #expect(throws: (any Error).self) { try await task.value }
    }
  }

  @Test("A header that would be two is not sent")
  func injection() async throws {
    try await with(["/a": .status(201)]) { server, client, url in
      await #expect(throws: (any Error).self) {
        try await client.upload(to: url("/a"), headers: [.init("Cookie", "a\r\nHost: evil")], length: 0) { _ in }
      }
      #expect(server.requests.isEmpty)
    }
  }

  // MARK: Download

  @Test("A file comes whole, and from an offset on", arguments: [0, 1, 500_000, 999_999])
  func download(offset: Int) async throws {
    let data = bytes(1_000_000)
    try await with(["/f": .file(data)]) { server, client, url in
      let got = try await fetch(client, url("/f"), offset: UInt64(offset), limit: 1_000_000)
      #expect(got.start == UInt64(offset))
      #expect(got.length == 1_000_000)
      #expect(got.bytes == Array(data[offset...]))
      let headers = try #require(server.requests.first?.head.headers)
      #expect(headers.first(name: "Range") == (offset == 0 ? nil : "bytes=\(offset)-"))
      #expect(headers.first(name: "Host") == "example.test:\(server.port)")
    }
  }

  @Test("A server that knows no ranges, nor the length, begins at the beginning")
  func chunked() async throws {
    let data = bytes(300_000)
    try await with(["/f": .chunked(data)]) { _, client, url in
      let got = try await fetch(client, url("/f"), offset: 1000)
      #expect(got.start == 0)
      #expect(got.length == nil)
      #expect(got.bytes == data)
    }
  }

  @Test("Nothing is left to be fetched from the end on")
  func rangeAtTheEnd() async throws {
    try await with(["/f": .file(bytes(100))]) { _, client, url in
      await expect(.rangeNotSatisfiable(total: 100)) { _ = try await fetch(client, url("/f"), offset: 100) }
    }
  }

  @Test("The limit holds, whether the server says the length or not")
  func limit() async throws {
    try await with(["/f": .file(bytes(1001)), "/c": .chunked(bytes(100_001)), "/e": .endless]) { _, client, url in
      await expect(.tooLarge(limit: 1000)) { _ = try await fetch(client, url("/f"), limit: 1000) }
      await expect(.tooLarge(limit: 1000)) { _ = try await fetch(client, url("/f"), offset: 1000, limit: 1000) }
      let fetched = try await fetch(client, url("/f"), limit: 1001)
      #expect(fetched.bytes.count == 1001)
      await expect(.tooLarge(limit: 100_000)) { _ = try await fetch(client, url("/c"), limit: 100_000) }
      await expect(.tooLarge(limit: 1 << 20)) { _ = try await fetch(client, url("/e"), limit: 1 << 20) }
    }
  }

  @Test("A file that breaks off is not taken for the whole", arguments: [1, 1000])
  func truncated(missing: Int) async throws {
    try await with(["/f": .truncated(bytes(1000), missing: missing)]) { _, client, url in
      await expect(.connectionLost) { _ = try await fetch(client, url("/f")) }
    }
  }

  @Test("Redirections are followed, by TLS and not for ever")
  func redirections() async throws {
    func to(_ location: String) -> FakeWebServer.Reaction {
      .status(302, headers: ["Location": location])
    }
    try await with([
      "/f": .file([1, 2, 3]), "/a/b": to("../c"), "/c": to("/f?x"), "/loop": to("/loop"),
      "/plain": to("http://example.test/f"),
      "/file": to("file:///etc/passwd"), "/none": .status(301), "/password": to("https://u:p@example.test/"),
    ]) { server, client, url in
      let got = try await client.download(from: url("/a/b"), limit: 10) { download in
        (download.url, try await download.next())
      }
      #expect(got.0.target == "/f?x")
      #expect(got.1 == ByteBuffer(bytes: [1, 2, 3]))
      for path in ["/loop", "/plain", "/file", "/none", "/password"] {
        await expect(.redirection, "\(path)") { _ = try await fetch(client, url(path)) }
      }
      #expect(server.requests.filter { $0.head.uri == "/loop" }.count == 6)
    }
  }

  @Test("What makes no sense is refused")
  func nonsense() async throws {
    let reactions: [String: FakeWebServer.Reaction] = [
      "/part": .raw(206, headers: [("Content-Range", "bytes 5-9/10"), ("Content-Length", "5")], body: "12345"),
      "/norange": .raw(206, headers: [("Content-Length", "5")], body: "12345"),
      "/packed": .raw(200, headers: [("Content-Encoding", "gzip"), ("Content-Length", "1")], body: "1"),
    ]
    try await with(reactions) { _, client, url in
      for path in reactions.keys.sorted() {
        await expect(.protocolViolation, "\(path)") { _ = try await fetch(client, url(path), offset: 3) }
      }
    }
  }

  @Test("Answers that are not proper HTTP, or of another coding than was asked for, are refused")
  func improper() async throws {
    let reactions: [String: FakeWebServer.Reaction] = [
      "/mail": .verbatim("220 mail.example.test ESMTP\r\n\r\n"),
      "/packed": .verbatim(
        "HTTP/1.1 200 OK\r\nContent-Encoding: identity\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\n1"),
      "/coded": .verbatim("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n1\r\n1\r\n0\r\n\r\n"),
      "/both": .verbatim(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n1\r\n1\r\n0\r\n\r\n"),
      "/twice": .verbatim("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n12"),
      "/negative": .verbatim("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n12"),
      "/headers": .verbatim("HTTP/1.1 200 OK\r\n" + String(repeating: "A: b\r\n", count: 300) + "\r\n"),
      "/header": .verbatim("HTTP/1.1 200 OK\r\nA: " + String(repeating: "b", count: 100_000)),
    ]
    try await with(reactions, { $0.idleTimeout = .seconds(5) }) { _, client, url in
      for path in reactions.keys.sorted() {
        await expect(.protocolViolation, "\(path)") { _ = try await fetch(client, url(path)) }
      }
    }
  }

  @Test("Preliminary answers are passed over")
  func preliminary() async throws {
    let answer = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    try await with([
      "/get": .verbatim(answer + "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1"),
      "/put": .verbatim(answer + "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"),
    ]) { _, client, url in
      let got = try await fetch(client, url("/get"))
      #expect(got.bytes == Array("1".utf8))
      try await client.upload(to: url("/put"), length: 1) { try await $0.send(ByteBuffer(bytes: [1])) }
    }
  }

  @Test(
    "What moves without getting on is given up",
    arguments: [
      ("HTTP/1.1 200 OK\r\n", "A"), ("", "HTTP/1.1 102 Processing\r\n\r\n"),
      ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", "a"),
    ])
  func drips(beginning: String, again: String) async throws {
    try await with(["/f": .verbatim(beginning, again: again)], { $0.idleTimeout = .seconds(1) }) { _, client, url in
      await expect(.timedOut) { _ = try await fetch(client, url("/f")) }
      guard !beginning.contains("200") else { return }
      await expect(.timedOut) { try await client.upload(to: url("/f"), length: 0) { _ in } }
    }
  }

  @Test("A part that is not all that was asked for is not taken for it", arguments: [0, 3])
  func shortPart(offset: Int) async throws {
    let part = ("Content-Range", "bytes \(offset)-\(offset + 1)/10")
    try await with(["/f": .raw(206, headers: [part, ("Content-Length", "2")], body: "12")]) { _, client, url in
      await expect(.connectionLost) { _ = try await fetch(client, url("/f"), offset: UInt64(offset)) }
    }
    let more = ("Content-Range", "bytes \(offset)-\(offset + 1)/1")
    try await with(["/f": .raw(206, headers: [more, ("Content-Length", "2")], body: "12")]) { _, client, url in
      await expect(.protocolViolation) { _ = try await fetch(client, url("/f"), offset: UInt64(offset)) }
    }
  }

  @Test("Refusals are named by their status", arguments: [204, 400, 403, 404, 410, 429, 500])
  func refusedDownload(status: Int) async throws {
    try await with(["/f": .status(status)]) { _, client, url in
      await expect(.status(status)) { _ = try await fetch(client, url("/f")) }
    }
  }

  @Test("A server that says nothing, or hangs up, is given up")
  func silence() async throws {
    try await with(["/s": .silence], { $0.idleTimeout = .seconds(2) }) { _, client, url in
      await expect(.timedOut) { _ = try await fetch(client, url("/s")) }
    }
    try await with(["/h": .hangUp]) { _, client, url in
      await expect(.connectionLost) { _ = try await fetch(client, url("/h")) }
    }
  }

  @Test("A connection that is given up before the request has gone out is no lost one", arguments: 1...40)
  func givenUpEarly(milliseconds: Int) async throws {
    try await with(["/s": .silence], { $0.idleTimeout = .milliseconds(milliseconds) }) { _, client, url in
      await expect(.timedOut) { _ = try await fetch(client, url("/s")) }
    }
  }

  @Test("A download that is left is over, and one that is taken slowly is held back")
  func slowReader() async throws {
    try await with(["/e": .endless]) { _, client, url in
      let first = try await client.download(from: url("/e"), limit: .max) { download in
        let first = try await download.next()
        try await Task.sleep(for: .milliseconds(200))
        return first?.readableBytes ?? 0
      }
      #expect(first > 0)
    }
  }

  // MARK: TLS

  @Test("Only a certificate for the very name counts, and nothing is sent to others")
  func certificates() async throws {
    for (identity, problem) in [
      (certificates.wrongName, XMPPConnectionError.TrustProblem.nameMismatch), (certificates.expired, .expired),
      (certificates.stranger, .unknownAuthority), (certificates.address, .nameMismatch),
    ] {
      try await with(["/a": .status(201)], identity: identity) { server, client, url in
        let kind = await kind {
          try await client.upload(to: url("/a"), headers: [.init("Authorization", "secret")], length: 0) { _ in }
        }
        #expect(kind == .tlsUntrusted(problem))
        #expect(server.requests.isEmpty)
      }
    }
  }

  @Test("A URL with an address needs a certificate for the address")
  func addresses() async throws {
    try await with(["/f": .file([1])], identity: certificates.address, host: "127.0.0.1") { _, client, url in
      let fetched = try await fetch(client, url("/f"))
      #expect(fetched.bytes == [1])
    }
    try await with(["/f": .file([1])], host: "127.0.0.1") { _, client, url in
      guard case .tlsUntrusted? = await kind({ _ = try await fetch(client, url("/f")) }) else {
        Issue.record("trusted")
        return
      }
    }
  }

  @Test("A server that is not there, or does not speak TLS, is told")
  func noServer() async throws {
    try await with([:]) { server, client, url in
      let url = try url("/f")
      await server.stop()
      await expect(.unreachable) { _ = try await fetch(client, url) }
    }
    var script = FakeServer.Script(certificates.good)
    script.reactions = [.opened: .silence]
    let plain = try await FakeServer(script)
    try await with([:], { $0.connectTimeout = .seconds(2) }) { _, client, _ in
      let url = try #require(HTTPSURL("https://example.test:\(plain.port)/"))
      let kind = await kind { _ = try await fetch(client, url) }
      #expect(kind == .timedOut || kind == .tlsUnavailable)
    }
    await plain.stop()
  }

  @Test("A file of authorities that cannot be used is told at once")
  func noAuthorities() {
    var configuration = HTTPSClient.Configuration()
    configuration.certificateAuthorities = "/nowhere/ca.pem"
    #expect(throws: HTTPSError.self) { try HTTPSClient(configuration) }
  }
}
