/// Why a SOCKS5 handshake came to nothing.
///
/// - Specification: RFC 1928 §3, §6
package enum SOCKS5Error: Error, Hashable, Sendable, CustomStringConvertible {
  /// The other side does not speak this version, if it speaks SOCKS at all.
  case notSOCKS5
  /// The server wants credentials, or the client offers nothing but them.
  case noAcceptableMethod
  /// The server said no, with this reply.
  case refused(SOCKS5Reply)
  /// What the client asks for is none of the bytestreams that are awaited.
  case unknownDestination
  /// What the client asks for is not done here.
  case unsupported(SOCKS5Reply)
  case malformed

  package var description: String {
    switch self {
    case .notSOCKS5: "The other side does not speak SOCKS5."
    case .noAcceptableMethod: "The two sides share no way to authenticate."
    case .refused(let reply): "The SOCKS5 server refused: \(reply)."
    case .unknownDestination: "A stranger asked for a bytestream that nobody awaits."
    case .unsupported(let reply): "The SOCKS5 client asked for what is not done here: \(reply)."
    case .malformed: "The other side broke the rules of SOCKS5."
    }
  }
}

/// - Specification: RFC 1928 §6
package struct SOCKS5Reply: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
  package var rawValue: UInt8

  package init(rawValue: UInt8) { self.rawValue = rawValue }

  package static let succeeded = Self(rawValue: 0x00)
  package static let notAllowed = Self(rawValue: 0x02)
  package static let commandNotSupported = Self(rawValue: 0x07)
  package static let addressTypeNotSupported = Self(rawValue: 0x08)

  package var description: String {
    switch rawValue {
    case 0x00: "succeeded"
    case 0x01: "general failure"
    case 0x02: "not allowed"
    case 0x03: "network unreachable"
    case 0x04: "host unreachable"
    case 0x05: "connection refused"
    case 0x06: "time to live expired"
    case 0x07: "command not supported"
    case 0x08: "address type not supported"
    default: "code \(rawValue)"
    }
  }
}

private let version: UInt8 = 0x05
private let noAuthentication: UInt8 = 0x00
private let noAcceptableMethods: UInt8 = 0xFF
private let connect: UInt8 = 0x01
private let domainName: UInt8 = 0x03

/// The client's side of a SOCKS5 handshake: asks for a bytestream, without authentication.
///
/// Each step waits for the server's answer to the last: proxies are known that lose what comes early.
///
/// - Specification: RFC 1928 §3–§6, XEP-0065 §10.2
package struct SOCKS5ClientHandshake: Sendable {
  private enum State {
    case awaitsMethod, awaitsReply, ended
  }

  /// What the client says first.
  ///
  /// ```
  /// | VER 05 | NMETHODS 01 | METHODS 00 |
  /// ```
  package static let greeting: [UInt8] = [version, 1, noAuthentication]

  package let destination: SOCKS5Destination
  private var state = State.awaitsMethod
  private var message: [UInt8] = []

  package init(destination: SOCKS5Destination) {
    self.destination = destination
  }

  package enum Action: Hashable, Sendable {
    case send([UInt8])
    /// The bytestream begins with what is left of the input.
    case connected
  }

  /// Takes the handshake's bytes, and no others, from the front of `input`.
  ///
  /// - Returns: what to do before more of the input is taken; nil when more has to come.
  package mutating func receive(_ input: inout ArraySlice<UInt8>) throws(SOCKS5Error) -> Action? {
    while state != .ended, let byte = input.popFirst() {
      message.append(byte)
      guard message[0] == version else { throw .notSOCKS5 }
      switch state {
      case .awaitsMethod:
        guard message.count == 2 else { continue }
        guard byte == noAuthentication else { throw .noAcceptableMethod }
        message = []
        state = .awaitsReply
        return .send(request)
      case .awaitsReply:
        if message.count == 2, byte != SOCKS5Reply.succeeded.rawValue { throw .refused(SOCKS5Reply(rawValue: byte)) }
        guard try replyIsWhole() else { continue }
        message = []
        state = .ended
        return .connected
      case .ended: break
      }
    }
    return nil
  }

  /// ```
  /// | VER 05 | CMD 01 | RSV 00 | ATYP 03 | length | DST.ADDR | DST.PORT 00 00 |
  /// ```
  private var request: [UInt8] {
    let name = Array(destination.text.utf8)
    return [version, connect, 0, domainName, UInt8(name.count)] + name + [0, 0]
  }

  /// What stands in the address is of no use, and not all servers repeat what they were asked for.
  ///
  /// ```
  /// | VER 05 | REP | RSV | ATYP | BND.ADDR | BND.PORT (2) |
  /// ```
  private func replyIsWhole() throws(SOCKS5Error) -> Bool {
    guard message.count >= 5 else { return false }
    let length =
      switch message[3] {
      case 0x01: 4
      case domainName: 1 + Int(message[4])
      case 0x04: 16
      default: throw SOCKS5Error.malformed
      }
    return message.count == 4 + length + 2
  }
}

/// The server's side of a SOCKS5 handshake: lets those in who name a bytestream that is awaited.
///
/// Holds no more than the longest message, which has 262 bytes.
///
/// - Specification: RFC 1928 §3–§6, XEP-0065 §5.3.2
package struct SOCKS5ServerHandshake: Sendable {
  private enum State {
    case awaitsMethods, awaitsRequest, ended
  }

  private var state = State.awaitsMethods
  private var message: [UInt8] = []

  package init() {}

  package enum Action: Hashable, Sendable {
    case send([UInt8])
    /// Answer with these bytes; the bytestream begins with what is left of the input.
    case accept(SOCKS5Destination, [UInt8])
    /// Answer with these bytes, if there are any, and disconnect.
    case refuse(SOCKS5Error, [UInt8])
  }

  /// Takes the handshake's bytes, and no others, from the front of `input`.
  ///
  /// - Parameter isAwaited: whether somebody may come for this bytestream.
  /// - Returns: what to do before more of the input is taken; nil when more has to come.
  package mutating func receive(
    _ input: inout ArraySlice<UInt8>, isAwaited: (SOCKS5Destination) -> Bool
  ) -> Action? {
    while state != .ended, let byte = input.popFirst() {
      message.append(byte)
      guard message[0] == version else { return end(.refuse(.notSOCKS5, [])) }
      switch state {
      case .awaitsMethods:
        // | VER 05 | NMETHODS | METHODS (1 to 255) |
        guard message.count >= 2, message.count == 2 + Int(message[1]) else { continue }
        guard message[2...].contains(noAuthentication) else {
          return end(.refuse(.noAcceptableMethod, [version, noAcceptableMethods]))
        }
        message = []
        state = .awaitsRequest
        return .send([version, noAuthentication])
      case .awaitsRequest:
        if let action = request(isAwaited) { return end(action) }
      case .ended: break
      }
    }
    return nil
  }

  /// ```
  /// | VER 05 | CMD | RSV | ATYP 03 | length | DST.ADDR | DST.PORT (2) |
  /// ```
  private func request(_ isAwaited: (SOCKS5Destination) -> Bool) -> Action? {
    if message.count >= 2, message[1] != connect { return refusal(.commandNotSupported) }
    if message.count >= 4, message[3] != domainName { return refusal(.addressTypeNotSupported) }
    guard message.count >= 5, message.count == 4 + 1 + Int(message[4]) + 2 else { return nil }
    // The port is 0, and of no use: what is repeated to the client is what it sent.
    let address = message[4...]
    let name = String(decoding: address.dropFirst().dropLast(2), as: UTF8.self)
    guard let destination = SOCKS5Destination(name), isAwaited(destination) else {
      return .refuse(.unknownDestination, reply(.notAllowed, address))
    }
    return .accept(destination, reply(.succeeded, address))
  }

  private func refusal(_ reply: SOCKS5Reply) -> Action {
    // An IPv4 address of zeros: the reply must have one.
    .refuse(.unsupported(reply), [version, reply.rawValue, 0, 0x01, 0, 0, 0, 0, 0, 0])
  }

  private func reply(_ reply: SOCKS5Reply, _ address: ArraySlice<UInt8>) -> [UInt8] {
    [version, reply.rawValue, 0, domainName] + address
  }

  private mutating func end(_ action: Action) -> Action {
    state = .ended
    message = []
    return action
  }
}
