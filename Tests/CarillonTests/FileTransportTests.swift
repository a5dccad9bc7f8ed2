import CarillonTesting
import Foundation
import Glibc
import JingleCore
import Testing
import XMPPCore

@testable import Carillon

/// What the two sides of a file say to each other about the way that it goes.
@Suite(.serialized, .timeLimit(.minutes(2)))
struct FileTransportTests {
  private static let file = FileDescription(name: "letter.txt", size: 10_000)

  // MARK: News that come early

  @Test(
    "Where the peer is to be reached counts, though it is told before the file is taken",
    arguments: [FileTransferWay.dataChannel, .socks5])
  func early(way: FileTransferWay) async throws {
    let folders = try FileFolders()
    let (server, told) = (InMemoryServer(), Log<Bool>())
    var handlers = Client.Handlers()
    handlers.onFile = { offer in
      try await until { !told.entries.isEmpty }
      _ = try? await offer.receive(into: folders.inbox)
    }
    let (listener, port) = (try RawListener { _ in }, try DatagramPort())
    var (before, after) = (ICETransport.some(), ICETransport.some())
    before.candidates = []
    after.candidates[0].port = port.number
    let isDataChannel = way == .dataChannel
    let (offer, late): (Jingle.Transport, Jingle.Transport) =
      isDataChannel
      ? (
        .init(DataChannelTransport(form: .wrapped, ice: before, port: 5000)),
        .init(DataChannelTransport(form: .wrapped, ice: after))
      )
      : (
        .socks5(SOCKS5Transport(sid: "b1")),
        .socks5(
          SOCKS5Transport(
            sid: "b1",
            candidates: [
              SOCKS5Candidate(
                cid: "c1", host: "127.0.0.1", jid: jid("mallory@localhost/script"), port: listener.port,
                priority: 8_257_636)
            ]))
      )
    try await withRunning(server.makeClient(configuration("bob@localhost/desk")), handlers: handlers) { bob in
      try await withScript(server, "mallory@localhost/script", features: ScriptedPeer.takingFiles) { peer in
        try await peer.offer(Self.file, offer)
        let info = Jingle(.transportInfo, sid: "s1", contents: [Jingle.Content(name: "file", transport: late)])
        #expect(try await peer.request(info, to: FileStage.bobsAddress).content == .result(nil))
        told.append(true)
        _ = try await peer.jingle(.sessionAccept)
        try await until { isDataChannel ? port.isReached : listener.count > 0 }
        let end = Jingle(.sessionTerminate, sid: "s1", reason: Jingle.Reason(.cancel))
        try await peer.request(end, to: FileStage.bobsAddress)
        try await until { await bob.hasNoTransfers }
      }
    }
    listener.close()
  }

  // MARK: One way in another's place (XEP-0260 §3)

  private func replace(_ transport: Jingle.Transport, _ sid: String = "s1") -> Jingle {
    Jingle(.transportReplace, sid: sid, contents: [Jingle.Content(name: "file", transport: transport)])
  }

  @Test("Who offers decides about the next way; when the peer takes none, that ends the session")
  func rejected() async throws {
    let folders = try FileFolders()
    let path = try folders.make("letter.txt", 10_000)
    let server = InMemoryServer()
    let features = ScriptedPeer.takingFiles + [SOCKS5Transport.namespace]
    try await withScript(server, "bob@localhost/desk", features: features) { peer in
      try await withRunning(server.makeClient(configuration("alice@localhost/laptop"))) { alice in
        async let sent = {
          var file = OutgoingFile(path: path)
          file.ways = [.socks5, .inBand]
          return await #expect(throws: CallError.self) { try await alice.send(file, to: FileStage.bobsAddress) }
        }()
        let (offer, from) = try await peer.jingle(.sessionInitiate)
        var content = try #require(offer.contents.first)
        let stream = try #require(content.transport?.socks5?.sid)
        content.transport = .socks5(SOCKS5Transport(sid: stream))
        func tell(_ action: Jingle.Action, _ transport: Jingle.Transport?) async throws {
          let named = Jingle.Content(name: content.name, transport: transport)
          try await peer.request(Jingle(action, sid: offer.sid, contents: [named]), to: from)
        }
        try await peer.request(Jingle(.sessionAccept, sid: offer.sid, contents: [content]), to: from)
        try await tell(.transportReplace, .inBand(.init(sid: "mine")))
        #expect(try await peer.jingle(.transportReject).0.contents.first?.transport?.inBand?.sid == "mine")
        // What there is goes on.
        #expect(
          try await peer.jingle(.transportInfo).0.contents.first?.transport?.socks5?.info == .candidateError)
        try await tell(.transportInfo, .socks5(SOCKS5Transport(sid: stream, info: .candidateError)))
        let next = try await peer.jingle(.transportReplace).0.contents.first?.transport
        #expect(next?.inBand != nil)
        try await tell(.transportReject, next)
        #expect(try await peer.farewell().condition == .failedTransport)
        #expect(await sent?.code == .connectivity)
      }
    }
  }

  @Test("The way that the peer wants instead is taken with its blocks, unless it is none that is known")
  func replaced() async throws {
    let bytes = (0..<10_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    try await withFileStage { stage in
      try await stage.peer.offer(Self.file, .socks5(SOCKS5Transport(sid: "b1")))
      _ = try await stage.peer.jingle(.sessionAccept)
      let unknown = XMLElement("transport", namespace: "urn:example:pigeons")
      try await stage.peer.request(replace(.unknown(unknown)), to: FileStage.bobsAddress)
      #expect(try await stage.peer.jingle(.transportReject).0.reason?.condition == .unsupportedTransports)
      try await stage.peer.request(replace(.inBand(.init(sid: "b2", blockSize: 1000))), to: FileStage.bobsAddress)
      let accept = try await stage.peer.jingle(.transportAccept).0
      #expect(accept.contents.first?.transport?.inBand == InBandTransport(sid: "b2", blockSize: 1000))
      let open = InBandBytestream.Open(sid: "b2", blockSize: 1000)
      #expect(try await stage.peer.request(open.element, to: FileStage.bobsAddress).content == .result(nil))
      for number in 0..<10 {
        let block = bytes[number * 1000..<(number + 1) * 1000]
        try await stage.peer.sendBlock(UInt16(number), block, stream: "b2")
      }
      try await stage.peer.request(InBandBytestream.Close(sid: "b2").element, to: FileStage.bobsAddress)
      #expect(try await stage.result().get().way == .inBand)
      #expect(FileManager.default.contents(atPath: stage.folders.inbox + "/letter.txt").map(Array.init) == bytes)
      try await stage.settle()
    }
  }

  // MARK: Who learns this side's address

  @Test("To hide its address, this side connects to no proxy but its own server's", arguments: [false, true])
  func proxies(isOwn: Bool) async throws {
    let folders = try FileFolders()
    let path = try folders.make("letter.txt", 50_000)
    let listener = try RawListener { $0.send(Array("nobody".utf8)) }
    let server = InMemoryServer(rewriting: { stanza in
      stanza.changing("candidate", SOCKS5Transport.namespace) {
        $0[attribute: "host"] = "127.0.0.1"
        $0[attribute: "port"] = "\(listener.port)"
        $0[attribute: "type"] = "proxy"
      }
    })
    try await withFilePair(folders, server, configure: { $0.relayOnly = true }) { pair in
      if isOwn { await pair.bob.setProxy("127.0.0.1", listener.port) }
      #expect(try await pair.send(path, .socks5, .inBand).get().way == .inBand)
      try await pair.settle()
      #expect((listener.count > 0) == isOwn)
    }
    listener.close()
  }

  // MARK: In band

  @Test("A file that is asked for in messages goes in iq, whose answers hold it to what the network takes")
  func messages() async throws {
    let folders = try FileFolders()
    let path = try folders.make("letter.txt", 200_001)
    let messages = Log<XMLElement>()
    let server = InMemoryServer(rewriting: { stanza in
      if stanza.name == "message" { messages.append(stanza) }
      let carrier = stanza[attribute: "to"] == "bob@localhost/desk" ? "message" : nil
      return stanza.changing("transport", InBandTransport.namespace) { $0[attribute: "stanza"] = carrier }
        .changing("open", InBandBytestream.namespace) { $0[attribute: "stanza"] = carrier }
    })
    var handlers = Client.Handlers()
    handlers.onFileRequest = { _ = try await $0.send(OutgoingFile(path: path)) }
    let clients = ["alice@localhost/laptop", "bob@localhost/desk"].map { server.makeClient(configuration($0)) }
    for client in clients { await client.setFileLimits { $0.stall = .seconds(5) } }
    try await withRunning(clients[1], handlers: handlers) { bob in
      try await withRunning(clients[0]) { alice in
        let receipt = try await alice.request(
          FileSelector(name: "letter.txt"), from: FileStage.bobsAddress, into: folders.inbox, ways: [.inBand])
        #expect(receipt.size == 200_001)
        #expect(FileManager.default.contentsEqual(atPath: path, andPath: folders.inbox + "/letter.txt"))
        for client in [alice, bob] { try await until { await client.hasNoTransfers } }
      }
    }
    #expect(messages.entries.isEmpty)
  }

  // MARK: Data channels that are named beforehand (XEP-0343 §4.1)

  private func offer(_ channels: DataChannelTransport.Channel...) -> Jingle.Transport {
    .init(DataChannelTransport(form: .iceUDP, ice: .some(), port: 5000, channels: channels))
  }

  @Test("A channel that the offer names is the one that is used")
  func named() async throws {
    let channel = DataChannelTransport.Channel(id: 3, isNegotiated: true)
    try await withFileStage { [offer = offer(.init(isOrdered: false), channel)] stage in
      try await stage.peer.offer(Self.file, offer)
      let answer = try await stage.peer.jingle(.sessionAccept).0
      #expect(answer.contents.first?.transport?.dataChannel?.channels == [channel])
      let end = Jingle(.sessionTerminate, sid: "s1", reason: Jingle.Reason(.cancel))
      try await stage.peer.request(end, to: FileStage.bobsAddress)
      try await stage.settle()
    }
  }

  @Test(
    "Channels that lose or mix up, or have no number that can be, carry no file",
    arguments: [
      DataChannelTransport.Channel(id: 1, isNegotiated: true, isOrdered: false),
      DataChannelTransport.Channel(id: 1, isNegotiated: true, maximumLifetime: 100),
      DataChannelTransport.Channel(maximumRetransmissions: 3),
      DataChannelTransport.Channel(id: 65_535, isNegotiated: true), DataChannelTransport.Channel(isNegotiated: true),
    ])
  func unsuitable(channel: DataChannelTransport.Channel) async throws {
    try await withFileStage { [offer = offer(channel)] stage in
      try await stage.peer.offer(Self.file, offer)
      _ = try await stage.peer.farewell()
      #expect(try await stage.error().code == .connectivity)
      try await stage.settle()
    }
  }
}

extension Client {
  /// In the place of what its server would name.
  fileprivate func setProxy(_ host: String, _ port: UInt16) {
    proxies = [StreamHost(jid: jid("proxy.localhost"), host: host, port: port)]
  }
}

/// A port of UDP where somebody may knock.
private final class DatagramPort: Sendable {
  let number: UInt16
  private let descriptor: Int32

  init() throws {
    descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    withUnsafeMutablePointer(to: &address) { [descriptor] pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        _ = bind(descriptor, $0, size)
        _ = getsockname(descriptor, $0, &size)
      }
    }
    number = UInt16(bigEndian: address.sin_port)
    try #require(number > 0)
  }

  deinit { Glibc.close(descriptor) }

  /// Whether anything has come, which stays there.
  var isReached: Bool {
    var byte: UInt8 = 0
    return recv(descriptor, &byte, 1, Int32(MSG_DONTWAIT) | Int32(MSG_PEEK)) > 0
  }
}
