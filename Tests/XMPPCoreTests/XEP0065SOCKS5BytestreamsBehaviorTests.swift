import Testing
import XMPPCore

@Suite struct XEP0065SOCKS5BytestreamsBehaviorTests {
  static let hash = "972b7bf47291ca609517f67f86b5081086052dad"
  static let name = Array(hash.utf8)
  static let request: [UInt8] = [5, 1, 0, 3, 40] + name + [0, 0]
  static let success: [UInt8] = [5, 0, 0, 3, 40] + name + [0, 0]

  private func destination() throws -> SOCKS5Destination { try #require(SOCKS5Destination(Self.hash)) }

  /// Feeds a client in pieces of this size.
  private func client(
    _ bytes: [UInt8], pieces: Int = .max
  ) throws -> (actions: [SOCKS5ClientHandshake.Action], rest: [UInt8]) {
    var handshake = SOCKS5ClientHandshake(destination: try destination())
    var actions: [SOCKS5ClientHandshake.Action] = []
    var rest: [UInt8] = []
    for piece in bytes.pieces(pieces) {
      var input = piece
      while let action = try handshake.receive(&input) { actions.append(action) }
      rest += input
    }
    return (actions, rest)
  }

  private func server(
    _ bytes: [UInt8], pieces: Int = .max, awaits: Set<String> = [hash]
  ) -> (actions: [SOCKS5ServerHandshake.Action], rest: [UInt8]) {
    var handshake = SOCKS5ServerHandshake()
    var actions: [SOCKS5ServerHandshake.Action] = []
    var rest: [UInt8] = []
    for piece in bytes.pieces(pieces) {
      var input = piece
      while let action = handshake.receive(&input, isAwaited: { awaits.contains($0.text) }) { actions.append(action) }
      rest += input
    }
    return (actions, rest)
  }

  @Test("A client asks for the hash at port 0, and leaves what follows the reply", arguments: [1, 2, 3, 7, 48, .max])
  func clientInPieces(pieces: Int) throws {
    #expect(SOCKS5ClientHandshake.greeting == [5, 1, 0])
    let (actions, rest) = try client([5, 0] + Self.success + [5, 5, 1], pieces: pieces)
    #expect(actions == [.send(Self.request), .connected])
    #expect(rest == [5, 5, 1])
  }

  @Test(
    "A client takes whatever address a server repeats",
    arguments: [
      [5, 0, 0, 1, 127, 0, 0, 1, 4, 0x38], [5, 0, 0, 4] + Array(repeating: 0, count: 18), [5, 0, 0, 3, 0, 0, 0],
      [5, 0, 9, 3, 255] + Array(repeating: 0x61, count: 257),
    ] as [[UInt8]])
  func addresses(reply: [UInt8]) throws {
    let (actions, rest) = try client([5, 0] + reply + [1])
    #expect(actions.last == .connected)
    #expect(rest == [1])
    // And waits for the last byte of it.
    #expect(try client([5, 0] + reply.dropLast()).actions == [.send(Self.request)])
  }

  @Test(
    "A client gives up at the first byte that is wrong",
    arguments: [
      ([4], .notSOCKS5), ([0x48, 0x54, 0x54, 0x50], .notSOCKS5), ([5, 0xFF], .noAcceptableMethod),
      ([5, 2], .noAcceptableMethod), ([5, 0, 4], .notSOCKS5), ([5, 0, 5, 1], .refused(.init(rawValue: 1))),
      ([5, 0, 5, 2], .refused(.notAllowed)), ([5, 0, 5, 0xFF], .refused(.init(rawValue: 0xFF))),
      ([5, 0, 5, 0, 0, 2, 0], .malformed), ([5, 0, 5, 0, 0, 0xFF, 0], .malformed),
    ] as [([UInt8], SOCKS5Error)])
  func clientErrors(bytes: [UInt8], error: SOCKS5Error) throws {
    for pieces in [1, .max] {
      #expect(throws: error) { _ = try client(bytes, pieces: pieces) }
      // Nothing was wrong before.
      if bytes.count > 1, bytes[0] == 5 { _ = try client(bytes.dropLast(bytes.count > 6 ? 2 : 1)) }
    }
  }

  @Test(
    "A server lets in who names what is awaited, and leaves what follows the request", arguments: [1, 2, 5, 47, .max])
  func serverInPieces(pieces: Int) throws {
    let (actions, rest) = server([5, 1, 0] + Self.request + [5, 1], pieces: pieces)
    #expect(actions == [.send([5, 0]), .accept(try destination(), Self.success)])
    #expect(rest == [5, 1])
  }

  @Test("A server repeats the address as it was written, in capitals and with a port")
  func repetition() throws {
    let name = Array(Self.hash.uppercased().utf8)
    var handshake = SOCKS5ServerHandshake()
    var input = ([5, 2, 2, 0, 5, 1, 0, 3, 40] + name + [0x1F, 0x90])[...]
    let isAwaited: (SOCKS5Destination) -> Bool = { $0 == SOCKS5Destination(Self.hash) }
    let actions = [
      handshake.receive(&input, isAwaited: isAwaited), handshake.receive(&input, isAwaited: isAwaited),
    ]
    #expect(
      actions == [.send([5, 0]), .accept(try destination(), [5, 0, 0, 3, 40] + name + [0x1F, 0x90])])
  }

  static let strangers: [([UInt8], SOCKS5ServerHandshake.Action)] = [
    ([4, 1, 0, 80, 127, 0, 0, 1, 0], .refuse(.notSOCKS5, [])), (Array("GET / HTTP/1.1".utf8), .refuse(.notSOCKS5, [])),
    ([0x16, 3, 1], .refuse(.notSOCKS5, [])), ([5, 0], .refuse(.noAcceptableMethod, [5, 0xFF])),
    ([5, 1, 2], .refuse(.noAcceptableMethod, [5, 0xFF])), ([5, 2, 1, 0xFF], .refuse(.noAcceptableMethod, [5, 0xFF])),
    ([5, 1, 0, 6], .refuse(.notSOCKS5, [])),
    ([5, 1, 0, 5, 2], .refuse(.unsupported(.commandNotSupported), [5, 7, 0, 1, 0, 0, 0, 0, 0, 0])),
    ([5, 1, 0, 5, 3], .refuse(.unsupported(.commandNotSupported), [5, 7, 0, 1, 0, 0, 0, 0, 0, 0])),
    ([5, 1, 0, 5, 1, 0, 1], .refuse(.unsupported(.addressTypeNotSupported), [5, 8, 0, 1, 0, 0, 0, 0, 0, 0])),
    ([5, 1, 0, 5, 1, 0, 4], .refuse(.unsupported(.addressTypeNotSupported), [5, 8, 0, 1, 0, 0, 0, 0, 0, 0])),
    ([5, 1, 0, 5, 1, 0, 3, 0, 0, 80], .refuse(.unknownDestination, [5, 2, 0, 3, 0, 0, 80])),
    ([5, 1, 0, 5, 1, 0, 3, 1, 0x80, 0, 0], .refuse(.unknownDestination, [5, 2, 0, 3, 1, 0x80, 0, 0])),
  ]

  @Test("A server turns strangers away", arguments: strangers)
  func refusals(bytes: [UInt8], last: SOCKS5ServerHandshake.Action) throws {
    for pieces in [1, .max] {
      let (actions, _) = server(bytes, pieces: pieces)
      #expect(actions.last == last)
      // The end is the end.
      #expect(server(bytes + [5, 1, 0] + Self.request, pieces: pieces).actions == actions)
    }
  }

  @Test("A server does not let in who names another hash")
  func otherHash() throws {
    let (actions, _) = server([5, 1, 0] + Self.request, awaits: ["1a12fb7bc625e55f3ed5b29a53dbe0e4aa7d80ba"])
    #expect(actions.last == .refuse(.unknownDestination, [5, 2, 0, 3, 40] + Self.name + [0, 0]))
  }

  @Test("The longest messages are understood")
  func longest() throws {
    let methods: [UInt8] = [5, 255] + Array(repeating: 9, count: 254) + [0]
    #expect(server(methods).actions == [.send([5, 0])])
    let name: [UInt8] = [5, 1, 0, 3, 255] + Array(repeating: 0x30, count: 257)
    #expect(server([5, 1, 0] + name).actions.count == 2)
  }

  @Test("Random bytes neither crash nor let in")
  func noise() throws {
    var random = FixedGenerator()
    for _ in 0..<1000 {
      let noise = (0..<Int.random(in: 0...300, using: &random)).map { _ in
        [0, 1, 3, 5, 40, UInt8.random(in: 0...255, using: &random)].randomElement(using: &random) ?? 0
      }
      for bytes in [noise, [5, 1, 0] + noise, [5, 1, 0, 5, 1, 0, 3] + noise] {
        for action in server(bytes, pieces: 3).actions {
          if case .accept = action { Issue.record("let in by \(bytes)") }
        }
        _ = try? client([5, 0] + bytes, pieces: 3)
      }
    }
  }
}

extension [UInt8] {
  fileprivate func pieces(_ size: Int) -> [ArraySlice<UInt8>] {
    guard size < count else { return [self[...]] }
    return stride(from: 0, to: count, by: size).map { self[$0..<Swift.min($0 + size, count)] }
  }
}
