import CCares
import Glibc
import MediaTime
package import NIOCore
import NIOPosix

/// Asks the local network for the addresses behind the names by which browsers hide theirs in ICE candidates.
///
/// A question goes out on each interface, over IPv4 and IPv6. Answers come to the port that asked, or to everyone.
///
/// - Specification: RFC 6762 §5.1 and §6.7, draft-ietf-mmusic-mdns-ice-candidates §3.2
package struct MulticastNameResolver: Sendable {
  /// Where questions go, and from which address; nil for every interface's multicast groups.
  package var paths: [Path]?
  /// Whether answers to everyone are heard too, at port 5353.
  package var listens = true
  package var timeout = Duration.seconds(2)

  package struct Path: Sendable {
    package var source: SocketAddress
    package var destination: SocketAddress

    package init(source: SocketAddress, destination: SocketAddress) {
      self.source = source
      self.destination = destination
    }
  }

  /// Bounds: interfaces that are asked, addresses that one name may have.
  private static let mostPaths = 16
  private static let mostAddresses = 8
  private static let port = 5353
  /// How long an answer waits for others, of the other family or another interface.
  private static let gathering = TimeAmount.milliseconds(100)

  package init() {}

  /// - Parameter name: `UUID.local`; other names are not asked for.
  /// - Returns: numeric addresses; none when nobody answers within two seconds.
  package static func resolve(_ name: String) async -> [String] {
    await MulticastNameResolver().resolve(name)
  }

  package func resolve(_ name: String) async -> [String] {
    guard Self.isName(name) else { return [] }
    let loop = MultiThreadedEventLoopGroup.singleton.next()
    let paths = (paths ?? Self.interfacePaths()).prefix(Self.mostPaths)
    let answer = loop.makePromise(of: [String].self)
    guard let collector = try? await loop.submit({ NIOLoopBound(Collector(answer), eventLoop: loop) }).get() else {
      answer.succeed([])
      return []
    }
    // Whoever answers to everyone does so at once.
    var channels = listens ? await listeners(on: loop, name, collector) : []
    for path in paths {
      guard let channel = try? await bind(on: loop, to: path.source, name, collector) else { continue }
      channels.append(channel)
      ask(name, path.destination, on: channel)
    }
    let deadline = loop.scheduleTask(in: .nanoseconds(timeout.nanoseconds)) { collector.value.finish() }
    if channels.isEmpty { loop.execute { collector.value.finish() } }
    let addresses = await withTaskCancellationHandler {
      (try? await answer.futureResult.get()) ?? []
    } onCancel: {
      loop.execute { collector.value.finish() }
    }
    deadline.cancel()
    for channel in channels { channel.close(promise: nil) }
    return addresses
  }

  /// Names in this form only: whatever else ends in `.local` is nothing that a peer may make this machine ask for.
  package static func isName(_ name: String) -> Bool {
    let bytes = Array(name.utf8)
    guard bytes.count == 42, name.lowercased().hasSuffix(".local") else { return false }
    return bytes[..<36].enumerated().allSatisfy { index, byte in
      [8, 13, 18, 23].contains(index)
        ? byte == UInt8(ascii: "-") : Character(UnicodeScalar(byte)).isHexDigit && byte < 0x80
    }
  }

  // MARK: Channels

  private func bind(
    on loop: any EventLoop, to source: SocketAddress, _ name: String, _ collector: NIOLoopBound<Collector>,
    isShared: Bool = false
  ) async throws -> any Channel {
    var bootstrap = DatagramBootstrap(group: loop)
    if isShared {
      bootstrap = bootstrap.channelOption(.socketOption(.so_reuseaddr), value: 1)
        .channelOption(.socketOption(.init(rawValue: SO_REUSEPORT)), value: 1)
    }
    return try await bootstrap.channelInitializer { channel in
      channel.eventLoop.makeCompletedFuture {
        try channel.pipeline.syncOperations.addHandler(AnswerHandler(name, collector.value))
      }
    }.bind(to: source).get()
  }

  /// Asks now and, as datagrams get lost, a second later.
  private func ask(_ name: String, _ destination: SocketAddress, on channel: any Channel) {
    let queries = [ns_t_a, ns_t_aaaa].compactMap { Self.query(name, type: Int32($0.rawValue)) }
    for delay in [TimeAmount.zero, .seconds(1)] {
      channel.eventLoop.scheduleTask(in: delay) {
        guard channel.isActive else { return }
        for query in queries {
          let data = channel.allocator.buffer(bytes: query)
          channel.writeAndFlush(AddressedEnvelope(remoteAddress: destination, data: data), promise: nil)
        }
      }
    }
  }

  private func listeners(
    on loop: any EventLoop, _ name: String, _ collector: NIOLoopBound<Collector>
  ) async -> [any Channel] {
    var channels: [any Channel] = []
    let devices = Self.devices()
    for (any, group) in [("0.0.0.0", "224.0.0.251"), ("::", "ff02::fb")] {
      guard let source = try? SocketAddress(ipAddress: any, port: Self.port),
        let group = try? SocketAddress(ipAddress: group, port: Self.port),
        let channel = try? await bind(on: loop, to: source, name, collector, isShared: true)
      else { continue }
      channels.append(channel)
      guard let multicast = channel as? any MulticastChannel else { continue }
      for device in devices where device.address?.protocol == group.protocol {
        try? await multicast.joinGroup(group, device: device).get()
      }
    }
    return channels
  }

  private static func devices() -> [NIONetworkDevice] {
    let devices = (try? System.enumerateDevices()) ?? []
    return Array(devices.filter { $0.multicastSupported && $0.address != nil }.prefix(mostPaths))
  }

  private static func interfacePaths() -> [Path] {
    devices().compactMap { device in
      switch device.address {
      case .v4(let address)?:
        guard let group = try? SocketAddress(ipAddress: "224.0.0.251", port: port) else { return nil }
        var source = address.address
        source.sin_port = 0
        return Path(source: SocketAddress(source), destination: group)
      case .v6(let address)?:
        var source = address.address
        // Of the link itself only: the group is the link's.
        guard source.sin6_scope_id != 0 else { return nil }
        source.sin6_port = 0
        var group = source
        group.sin6_port = in_port_t(port).bigEndian
        guard inet_pton(AF_INET6, "ff02::fb", &group.sin6_addr) == 1 else { return nil }
        return Path(source: SocketAddress(source), destination: SocketAddress(group))
      default: return nil
      }
    }
  }

  // MARK: Messages

  static func query(_ name: String, type: Int32) -> [UInt8]? {
    var bytes: UnsafeMutablePointer<UInt8>?
    var count: Int32 = 0
    let identifier = UInt16.random(in: 1...UInt16.max)
    let status = ares_create_query(name, Int32(ns_c_in.rawValue), type, identifier, 0, &bytes, &count, 0)
    guard status == ARES_SUCCESS, let bytes else { return nil }
    defer { ares_free_string(bytes) }
    return Array(UnsafeBufferPointer(start: bytes, count: Int(count)))
  }

  /// The addresses that a message gives the name: in no message but an answer, and with what is wrong left out.
  ///
  /// Answers to everyone repeat no question and no identifier, so the name alone is looked at.
  ///
  /// - Specification: RFC 1035 §4.1, RFC 6762 §18
  static func addresses(of name: String, in message: [UInt8]) -> [String] {
    guard message.count >= 12, message.count <= 9_000, message[2] & 0xF8 == 0x80, message[3] & 0x0F == 0 else {
      return []
    }
    func number(at offset: Int) -> Int { Int(message[offset]) << 8 | Int(message[offset + 1]) }
    var offset = 12
    func takeName() -> String? {
      message.withUnsafeBufferPointer { bytes in
        guard let start = bytes.baseAddress, offset < bytes.count else { return nil }
        var text: UnsafeMutablePointer<CChar>?
        var length = 0
        guard ares_expand_name(start + offset, start, Int32(bytes.count), &text, &length) == ARES_SUCCESS, let text
        else { return nil }
        defer { ares_free_string(text) }
        offset += length
        return String(cString: text)
      }
    }
    for _ in 0..<min(number(at: 4), 32) {
      guard takeName() != nil, offset + 4 <= message.count else { return [] }
      offset += 4
    }
    var found: [String] = []
    let records = number(at: 6) + number(at: 8) + number(at: 10)
    for _ in 0..<min(records, 64) where found.count < mostAddresses {
      guard let owner = takeName(), offset + 10 <= message.count else { break }
      // The first bit of the class tells caches to forget the rest.
      let (type, kind) = (number(at: offset), number(at: offset + 2) & 0x7FFF)
      let isGoodbye = number(at: offset + 4) == 0 && number(at: offset + 6) == 0
      let (start, length) = (offset + 10, number(at: offset + 8))
      guard start + length <= message.count else { break }
      offset = start + length
      guard owner.lowercased() == name.lowercased(), kind == ns_c_in.rawValue, !isGoodbye else { continue }
      let family: Int32
      switch (UInt32(type), length) {
      case (UInt32(ns_t_a.rawValue), 4): family = AF_INET
      case (UInt32(ns_t_aaaa.rawValue), 16): family = AF_INET6
      default: continue
      }
      var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
      guard inet_ntop(family, Array(message[start..<offset]), &text, socklen_t(text.count)) != nil else { continue }
      found.append(String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self))
    }
    return found
  }

  /// What has come so far. On its event loop.
  private final class Collector {
    private let answer: EventLoopPromise<[String]>
    private var addresses: [String] = []
    private var isFinished = false

    init(_ answer: EventLoopPromise<[String]>) {
      self.answer = answer
    }

    func add(_ new: [String], on loop: any EventLoop) {
      let isFirst = addresses.isEmpty
      for address in new where !addresses.contains(address) && addresses.count < mostAddresses {
        addresses.append(address)
      }
      guard isFirst, !addresses.isEmpty else { return }
      loop.assumeIsolated().scheduleTask(in: gathering) { self.finish() }
    }

    func finish() {
      guard !isFinished else { return }
      isFinished = true
      answer.succeed(addresses)
    }
  }

  private final class AnswerHandler: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>

    private let name: String
    private let collector: Collector

    init(_ name: String, _ collector: Collector) {
      self.name = name
      self.collector = collector
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      let message = Array(unwrapInboundIn(data).data.readableBytesView)
      collector.add(MulticastNameResolver.addresses(of: name, in: message), on: context.eventLoop)
    }

    /// An interface that cannot carry the question says nothing of the others.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {}
  }
}
