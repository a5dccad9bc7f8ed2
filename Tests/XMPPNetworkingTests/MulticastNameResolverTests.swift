import NIOCore
import NIOPosix
import Testing

@testable import XMPPNetworking

@Suite(.timeLimit(.minutes(1))) struct MulticastNameResolverTests {
  static let name = "1f4712db-ea17-4bcf-a596-105139dfd8bf.local"

  @Test func `a name has the addresses that the network answers with`() async throws {
    let responder = try await Responder { question in
      question.type == 1 ? [Responder.answer(question, [192, 0, 2, 1])] : [
        Responder.answer(question, [0x20, 0x01, 0x0D, 0xB8] + [UInt8](repeating: 0, count: 11) + [1])
      ]
    }
    let addresses = await responder.resolver.resolve(Self.name)
    #expect(Set(addresses) == ["192.0.2.1", "2001:db8::1"])
    await responder.stop()
  }

  @Test func `a question that gets lost is repeated`() async throws {
    let responder = try await Responder { question in
      question.count <= 2 ? [] : [Responder.answer(question, question.type == 1 ? [192, 0, 2, 1] : [])]
    }
    #expect(await responder.resolver.resolve(Self.name) == ["192.0.2.1"])
    await responder.stop()
  }

  @Test func `silence and senseless answers give no address`() async throws {
    let responder = try await Responder { question in
      let good = Responder.answer(question, [192, 0, 2, 1])
      var query = good
      query[2] = 0
      var failure = good
      failure[3] = 3
      let goodbye = Responder.answer(question, [192, 0, 2, 1], timeToLive: 0)
      let other = Responder.answer(question, [192, 0, 2, 1], owner: "other-name.local")
      let long = Responder.answer(question, [192, 0, 2, 1, 7])
      return [query, failure, goodbye, other, long] + (0..<good.count - 1).map { Array(good[..<$0]) }
    }
    var resolver = responder.resolver
    resolver.timeout = .milliseconds(300)
    #expect(await resolver.resolve(Self.name) == [])
    await responder.stop()
  }

  @Test func `answers to everyone count too, whose names are compressed and whose class has the cache's bit`() {
    // Two records under one name, the second by a pointer to the first; no question.
    let name = [36] + Array("1f4712db-ea17-4bcf-a596-105139dfd8bf".utf8) + [5] + Array("local".utf8) + [0]
    let first: [UInt8] = name + [0, 1, 0x80, 1, 0, 0, 0, 120, 0, 4, 192, 0, 2, 1]
    let second: [UInt8] = [0xC0, 12, 0, 1, 0x80, 1, 0, 0, 0, 120, 0, 4, 192, 0, 2, 2]
    let message: [UInt8] = [0, 0, 0x84, 0, 0, 0, 0, 2, 0, 0, 0, 0] + first + second
    #expect(MulticastNameResolver.addresses(of: Self.name.uppercased(), in: message) == ["192.0.2.1", "192.0.2.2"])
    for count in 0..<message.count {
      #expect(MulticastNameResolver.addresses(of: Self.name, in: Array(message[..<count])).count <= 1)
    }
    // A name that points at itself.
    let loop: [UInt8] = [0, 0, 0x84, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 1, 2, 3, 4]
    #expect(MulticastNameResolver.addresses(of: Self.name, in: loop) == [])
    var flood: [UInt8] = [0, 0, 0x84, 0, 0, 0, 0xFF, 0xFF, 0, 0, 0, 0] + first
    for host in 0..<100 { flood += second.dropLast() + [UInt8(host)] }
    #expect(MulticastNameResolver.addresses(of: Self.name, in: flood).count == 8)
  }

  @Test(arguments: [
    "", ".local", "example.org", "printer.local", "1f4712db-ea17-4bcf-a596-105139dfd8bf",
    "1f4712db-ea17-4bcf-a596-105139dfd8bf.local.", "1f4712db-ea17-4bcf-a596-105139dfd8bx.local",
    "1f4712db-ea17-4bcf-a596.105139dfd8bf.local", "x.1f4712db-ea17-4bcf-a596-105139dfd8bf.local",
    "１f4712db-ea17-4bcf-a596-105139dfd8bf.local",
  ])
  func `other names are not asked for`(name: String) async throws {
    #expect(!MulticastNameResolver.isName(name))
    #expect(await MulticastNameResolver.resolve(name) == [])
  }

  @Test func `a resolver that is cancelled ends at once`() async throws {
    let responder = try await Responder { _ in [] }
    var resolver = responder.resolver
    resolver.timeout = .seconds(3_600)
    let task = Task { [resolver] in await resolver.resolve(Self.name) }
    try await Task.sleep(for: .milliseconds(20))
    task.cancel()
    #expect(await task.value == [])
    await responder.stop()
  }
}

/// Answers questions at a port of loopback.
private final class Responder: Sendable {
  struct Question {
    var identifier: [UInt8]
    var type: Int
    /// How many have come.
    var count: Int
  }

  private let channel: any Channel

  init(_ answers: @escaping @Sendable (Question) -> [[UInt8]]) async throws {
    channel = try await DatagramBootstrap(group: MultiThreadedEventLoopGroup.singleton).channelInitializer { channel in
      channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(Handler(answers)) }
    }.bind(host: "127.0.0.1", port: 0).get()
  }

  var resolver: MulticastNameResolver {
    var resolver = MulticastNameResolver()
    resolver.listens = false
    if let source = try? SocketAddress(ipAddress: "127.0.0.1", port: 0), let destination = channel.localAddress {
      resolver.paths = [.init(source: source, destination: destination)]
    }
    return resolver
  }

  func stop() async {
    try? await channel.close()
  }

  static func answer(
    _ question: Question, _ address: [UInt8], timeToLive: UInt8 = 120, owner: String = MulticastNameResolverTests.name
  ) -> [UInt8] {
    var message: [UInt8] = question.identifier + [0x84, 0, 0, 0, 0, 1, 0, 0, 0, 0]
    for label in owner.split(separator: ".") {
      message.append(UInt8(label.utf8.count))
      message += label.utf8
    }
    message += [0, 0, UInt8(question.type), 0, 1, 0, 0, 0, timeToLive, 0, UInt8(address.count)]
    return message + address
  }

  private final class Handler: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>
    typealias OutboundOut = AddressedEnvelope<ByteBuffer>

    private let answers: @Sendable (Question) -> [[UInt8]]
    private var count = 0

    init(_ answers: @escaping @Sendable (Question) -> [[UInt8]]) {
      self.answers = answers
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      let envelope = unwrapInboundIn(data)
      let query = Array(envelope.data.readableBytesView)
      count += 1
      let type = Int(query[query.count - 3])
      for answer in answers(Question(identifier: Array(query[..<2]), type: type, count: count)) {
        let data = context.channel.allocator.buffer(bytes: answer)
        context.writeAndFlush(
          wrapOutboundOut(AddressedEnvelope(remoteAddress: envelope.remoteAddress, data: data)), promise: nil)
      }
    }
  }
}
