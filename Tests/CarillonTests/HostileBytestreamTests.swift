import CarillonTesting
import Foundation
import JingleCore
import Synchronization
import Testing
import XMPPCore

@testable import Carillon

/// SOCKS5 bytestreams with strangers at both of their ends, and peers that break off.
@Suite(.serialized, .timeLimit(.minutes(2)))
struct HostileBytestreamTests {
  // MARK: Who is connected to

  enum Answer: CaseIterable {
    case nonsense, hangsUp, silent, floods, wantsPassword, refuses

    func give(_ socket: RawSocket) {
      switch self {
      case .nonsense: socket.send(Array("HTTP/1.1 400 Bad Request\r\nServer: nobody\r\n\r\n".utf8))
      case .hangsUp: socket.close()
      case .silent: break
      case .floods: socket.send([UInt8](repeating: 5, count: 200_000))
      case .wantsPassword: socket.send([5, 2])
      case .refuses:
        socket.send([5, 0])
        _ = socket.receive(47)
        socket.send([5, 1, 0, 1, 0, 0, 0, 0, 0, 0])
      }
    }
  }

  /// A server where all candidates are somewhere else.
  private func server(candidatesAt port: UInt16) -> InMemoryServer {
    InMemoryServer(rewriting: { stanza in
      stanza.changing("candidate", SOCKS5Transport.namespace) {
        $0[attribute: "host"] = "127.0.0.1"
        $0[attribute: "port"] = "\(port)"
      }
    })
  }

  @Test("Whatever stands where the peer should be, the file goes another way", arguments: Answer.allCases)
  func hostileServer(_ answer: Answer) async throws {
    let folders = try FileFolders()
    let path = try folders.make("letter.txt", 50_000)
    let listener = try RawListener { answer.give($0) }
    try await withFilePair(folders, server(candidatesAt: listener.port)) { pair in
      let sent = await pair.send(path, .socks5, .inBand)
      #expect(try sent.get().way == .inBand)
      #expect(
        pair.events.entries.fallBacks.map(\.why) == ["neither side reaches the other, nor a proxy of the other's"])
      try await pair.settle()
      #expect(listener.count > 0)
      #expect(FileManager.default.contentsEqual(atPath: path, andPath: folders.inbox + "/letter.txt"))
      #expect(folders.names == ["letter.txt"])
    }
    listener.close()
  }

  @Test("Where no other way may be taken, both ends are told why there is none")
  func noOtherWay() async throws {
    let folders = try FileFolders()
    let path = try folders.make("letter.txt", 50_000)
    let listener = try RawListener { Answer.nonsense.give($0) }
    try await withFilePair(folders, server(candidatesAt: listener.port)) { pair in
      let error = await pair.send(path, .socks5).error
      #expect(error?.code == .connectivity)
      #expect(error?.message.contains("s5b: neither side reaches the other") == true, "\(error as Any)")
      try await pair.settle()
      #expect(pair.received.entries[0].error?.code == .connectivity)
      #expect(folders.names.isEmpty)
    }
    listener.close()
  }

  @Sendable private static func impatience(_ limits: inout JingleCore.FileTransfer.Limits) {
    limits.stall = .seconds(1)
    limits.connection = .seconds(3)
    limits.receipt = .seconds(3)
  }

  @Test("Who takes the connection in the peer's name and swallows the bytes gets no file put in place")
  func impostor() async throws {
    let folders = try FileFolders()
    let path = try folders.make("letter.txt", 50_000)
    let listener = try RawListener { socket in
      _ = socket.receive(3)
      socket.send([5, 0])
      _ = socket.receive(47)
      // With another name than it was asked for.
      socket.send([5, 0, 0, 3, 40] + [UInt8](repeating: UInt8(ascii: "0"), count: 40) + [0, 0])
    }
    try await withFilePair(folders, server(candidatesAt: listener.port), limits: Self.impatience) { pair in
      let error = await pair.send(path, .socks5).error
      #expect(error?.message.contains("letter.txt") == true, "\(error as Any)")
      try await pair.settle()
      let received = try #require(pair.received.entries[0].error)
      #expect(received.code == .timedOut || received.code == .connectivity, "\(received)")
      #expect(folders.names.isEmpty)
    }
    listener.close()
  }

  // MARK: Who connects

  @Test("Strangers on the port that is listened at are turned away, and keep nobody out")
  func strangers() async throws {
    let folders = try FileFolders()
    let path = try folders.make("letter.txt", 500_000)
    let visits = Log<(port: UInt16, sockets: [RawSocket])>()
    let server = InMemoryServer(rewriting: { stanza in
      stanza.changing("candidate", SOCKS5Transport.namespace) { candidate in
        guard let port = candidate[attribute: "port"].flatMap(UInt16.init),
          !visits.entries.contains(where: { $0.port == port })
        else { return }
        // Before the peer even hears of it.
        var sockets: [RawSocket] = []
        for index in 0..<40 {
          guard let socket = RawSocket(connectingTo: port) else { continue }
          switch index % 4 {
          case 0: socket.send(Array("GET / HTTP/1.0\r\n\r\n".utf8))
          case 1: socket.send([5, 1, 0] + RawSocket.request(String(repeating: "a", count: 40)))
          case 2: socket.send([4, 1, 0, 80, 127, 0, 0, 1, 0])
          default: break
          }
          sockets.append(socket)
        }
        visits.append((port, sockets))
      }
    })
    try await withFilePair(folders, server) { pair in
      let sent = await pair.send(path, .socks5)
      #expect(try sent.get().route == "direct")
      try await pair.settle()
      #expect(FileManager.default.contentsEqual(atPath: path, andPath: folders.inbox + "/letter.txt"))
      #expect(!visits.entries.isEmpty)
      for (port, sockets) in visits.entries {
        #expect(sockets.count == 40)
        // Nobody is let in, and in the end nobody listens.
        for socket in sockets {
          let answer = socket.receive(100)
          #expect(answer.count < 4 || answer[3] != 0, "\(answer)")
        }
        #expect(RawSocket(connectingTo: port) == nil)
      }
    }
  }

  // MARK: Who sends

  private static let bytes = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 9) }
  private static let file = FileDescription(
    name: "film.mkv", size: 300_000, date: .seconds(1_700_000_000), hashes: Hashes(announced: [.sha256]), range: .init()
  )

  enum Offence: CaseIterable {
    case finishes, resets, silence, dribble, moreBytes, oneByteMore, otherBytes

    var code: CallError.Code {
      switch self {
      case .finishes, .resets: .connectivity
      case .silence, .dribble: .timedOut
      case .moreBytes, .oneByteMore: .protocolViolation
      case .otherBytes: .corrupt
      }
    }

    var words: String {
      switch self {
      case .finishes: "stopped before all of film.mkv"
      case .resets: "film.mkv broke off"
      case .silence: "Nothing more of film.mkv"
      case .dribble: "film.mkv moved too slowly"
      case .moreBytes, .oneByteMore: "sends more than film.mkv"
      case .otherBytes: "another hash"
      }
    }

    /// What the peer is told in the end.
    var condition: Jingle.Reason.Condition {
      switch self {
      case .finishes, .resets: .failedTransport
      case .silence, .dribble: .timeout
      case .moreBytes, .oneByteMore, .otherBytes: .mediaError
      }
    }

    /// Where it is gone on with; nil where nothing is kept.
    var kept: ClosedRange<Int>? {
      switch self {
      case .finishes, .resets, .silence: 100_000...100_000
      case .dribble: 100_001...200_000
      case .moreBytes, .oneByteMore: 300_000...300_000
      case .otherBytes: nil
      }
    }

    func commit(_ socket: RawSocket, _ stage: FileStage, _ bytes: [UInt8]) async throws {
      switch self {
      case .finishes: socket.close()
      case .resets: socket.reset()
      case .silence: break
      case .dribble:
        for byte in bytes[100_000...] where stage.results.entries.isEmpty && socket.send([byte]) {
          try await Task.sleep(for: .milliseconds(20))
        }
      case .moreBytes: socket.send(bytes[100_000...] + [UInt8](repeating: 0, count: 200_000))
      case .oneByteMore:
        // Whatever is there and known to be right by then.
        socket.send(bytes[100_000...])
        try await stage.peer.sendChecksum(of: bytes)
        try await until { (try? stage.folders.partLength) == 300_000 }
        socket.send([0])
      case .otherBytes:
        socket.send([UInt8](repeating: 0, count: 200_000))
        try await stage.peer.sendChecksum(of: bytes)
      }
    }
  }

  /// Offers the file over TCP.
  ///
  /// - Returns: where to connect to, once it was accepted.
  private func offer(_ stage: FileStage) async throws -> SOCKS5Candidate {
    let dead = SOCKS5Candidate(cid: "dead", host: "127.0.0.1", jid: stage.peer.address, port: 1, priority: 1)
    let answer = try await stage.peer.offer(Self.file, .socks5(.init(sid: "tcp", mode: .tcp, candidates: [dead])))
    try #require(answer.content == .result(nil))
    let accept = try await stage.peer.jingle(.sessionAccept).0
    return try #require(accept.contents.first?.transport?.socks5?.candidates.first)
  }

  /// Offers the file over TCP, and sets the bytestream up.
  private func connect(_ stage: FileStage) async throws -> RawSocket {
    let (peer, candidate) = (stage.peer, try await offer(stage))
    let socket = try #require(RawSocket(connectingTo: candidate.port))
    let destination = SOCKS5Destination(sid: "tcp", requester: FileStage.bobsAddress, target: peer.address)
    socket.send([5, 1, 0])
    try #require(socket.receive(2) == [5, 0])
    socket.send(RawSocket.request(destination.text))
    try #require(socket.receive(47).prefix(2) == [5, 0])
    let used = SOCKS5Transport(sid: "tcp", info: .candidateUsed(cid: candidate.cid))
    try await peer.request(
      Jingle(
        .transportInfo, sid: "s1",
        contents: [Jingle.Content(name: "file", senders: .initiator, transport: .socks5(used))]),
      to: FileStage.bobsAddress)
    return socket
  }

  @Test(
    "A sender that breaks off, stalls or lies over TCP is told so, and what came is gone on with",
    arguments: Offence.allCases)
  func senders(_ offence: Offence) async throws {
    try await withFileStage(limits: { limits in
      if offence == .silence { limits.stall = .milliseconds(500) }
      if offence == .dribble {
        limits.minimumBytesPerSecond = 200_000
        limits.rateWindow = .seconds(1)
      }
      // However late it comes.
      if offence == .moreBytes || offence == .oneByteMore { limits.ending = .seconds(600) }
    }) { stage in
      let socket = try await connect(stage)
      socket.send(Self.bytes[..<100_000])
      // So that it has come when it breaks.
      try await until { (try? stage.folders.partLength) == 100_000 }
      try await offence.commit(socket, stage, Self.bytes)
      let error = try await stage.error()
      #expect(error.code == offence.code, "\(error)")
      #expect(error.message.contains(offence.words), "\(error)")
      let reason = try await stage.peer.farewell()
      #expect(reason.condition == offence.condition)
      #expect((reason.fileTransfer == .fileTooLarge) == (offence.code == .protocolViolation))
      try await stage.settle()
      socket.close()
      guard let kept = offence.kept else {
        #expect(stage.folders.names.isEmpty)
        return
      }
      #expect(stage.folders.parts.count == 1 && stage.folders.names.count == 2, "\(stage.folders.names)")
      let offset = try await stage.resume(Self.file, Self.bytes)
      #expect(kept.contains(offset), "\(offset)")
    }
  }

  @Test(
    "A sender that has sent all is waited for until it closes, and no longer than a moment", arguments: [true, false])
  func notClosed(closes: Bool) async throws {
    try await withFileStage(limits: { if closes { $0.ending = .seconds(600) } }) { stage in
      let socket = try await connect(stage)
      socket.send(Self.bytes)
      try await stage.peer.sendChecksum(of: Self.bytes)
      if closes {
        try await until { (try? stage.folders.partLength) == 300_000 }
        try await stage.peer.settle(FileStage.bobsAddress)
        #expect(stage.results.entries.isEmpty)
        socket.finish()
      }
      #expect(try await stage.result().get().isConfirmed)
      #expect(try await stage.peer.farewell().condition == .success)
      try await stage.settle()
      #expect(stage.folders.names == ["film.mkv"])
      socket.close()
    }
  }

  @Test("Who was accepted over TCP and never connects is not waited for for ever, and nothing is kept")
  func neverConnects() async throws {
    try await withFileStage(limits: { $0.connection = .milliseconds(500) }) { stage in
      let port = try await offer(stage).port
      let error = try await stage.error()
      #expect(error.code == .connectivity && error.message.contains("film.mkv"), "\(error)")
      #expect(try await stage.peer.farewell().condition == .failedTransport)
      try await stage.settle()
      #expect(stage.folders.names.isEmpty)
      // Nor does anybody listen for it any more.
      try await until { RawSocket(connectingTo: port) == nil }
    }
  }
}

extension FileFolders {
  /// Of the one part that there is.
  fileprivate var partLength: Int? {
    get throws {
      guard let name = parts.first else { return nil }
      return try FileManager.default.attributesOfItem(atPath: inbox + "/" + name)[.size] as? Int
    }
  }
}

/// A TCP connection without any manners. Blocks; for loopback only.
final class RawSocket: Sendable {
  private let descriptor: Mutex<Int32>

  init(_ descriptor: Int32) {
    self.descriptor = Mutex(descriptor)
    var limit = timeval(tv_sec: 20, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
  }

  convenience init?(connectingTo port: UInt16) {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_in.loopback(port)
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard result == 0 else {
      Glibc.close(descriptor)
      return nil
    }
    self.init(descriptor)
  }

  deinit { close() }

  /// CONNECT to a name.
  static func request(_ name: String) -> [UInt8] { [5, 1, 0, 3, UInt8(name.utf8.count)] + Array(name.utf8) + [0, 0] }

  /// - Returns: whether all of it was taken.
  @discardableResult
  func send(_ bytes: some Collection<UInt8>) -> Bool {
    let bytes = Array(bytes)
    return descriptor.withLock { descriptor in
      var sent = 0
      while sent < bytes.count {
        let count = bytes[sent...].withUnsafeBytes {
          Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
        }
        guard count > 0 else { return false }
        sent += count
      }
      return true
    }
  }

  /// Waits for so many bytes, the end, or the time limit.
  func receive(_ count: Int) -> [UInt8] {
    descriptor.withLock { descriptor in
      var bytes = [UInt8](repeating: 0, count: count)
      let received = bytes.withUnsafeMutableBytes { recv(descriptor, $0.baseAddress, count, Int32(MSG_WAITALL)) }
      return Array(bytes.prefix(max(0, received)))
    }
  }

  func close() {
    descriptor.withLock { descriptor in
      if descriptor >= 0 { Glibc.close(descriptor) }
      descriptor = -1
    }
  }

  /// Says that no more comes.
  func finish() { descriptor.withLock { _ = shutdown($0, Int32(SHUT_WR)) } }

  /// Closes it with RST.
  func reset() {
    descriptor.withLock { descriptor in
      var option = linger(l_onoff: 1, l_linger: 0)
      setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
    }
    close()
  }
}

/// Listens on loopback, and keeps who comes until it is closed.
final class RawListener: Sendable {
  let port: UInt16
  private let descriptor: Int32
  private let sockets = Log<RawSocket>()
  /// How many came.
  var count: Int { sockets.entries.count }

  init(_ answer: @escaping @Sendable (RawSocket) -> Void) throws {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_in.loopback(0)
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        _ = bind(descriptor, $0, size)
        _ = listen(descriptor, 16)
        _ = getsockname(descriptor, $0, &size)
      }
    }
    port = UInt16(bigEndian: address.sin_port)
    try #require(port > 0)
    self.descriptor = descriptor
    Thread.detachNewThread { [sockets] in
      while true {
        let incoming = accept(descriptor, nil, nil)
        guard incoming >= 0 else { return }
        let socket = RawSocket(incoming)
        sockets.append(socket)
        Thread.detachNewThread { answer(socket) }
      }
    }
  }

  func close() {
    // Closing alone would not wake who accepts.
    shutdown(descriptor, Int32(SHUT_RDWR))
    Glibc.close(descriptor)
    for socket in sockets.entries { socket.close() }
  }
}

extension sockaddr_in {
  fileprivate static func loopback(_ port: UInt16) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    return address
  }
}
