import Foundation
import Synchronization

/// A pair of loopback sockets between two endpoints, through which everything they say to each other goes: it may drop,
/// repeat and forge.
final class UDPRelay: Sendable {
  enum Side: Sendable {
    case a, b
    var other: Side { self == .a ? .b : .a }
  }

  struct NoSocket: Error {}

  /// What becomes of a datagram on its way to `Side`; by default it passes.
  typealias Line = @Sendable (_ datagram: [UInt8], _ receiver: Side) -> [[UInt8]]

  private let sockets: [Int32]
  private let ports: [UInt16]
  private let state: Mutex<(line: Line, peers: [UInt16], isStopped: Bool)>
  private let seen = Mutex<[(datagram: [UInt8], receiver: Side)]>([])

  init(_ line: @escaping Line = { datagram, _ in [datagram] }) throws {
    let bound = try [UDPRelay.open(), UDPRelay.open()]
    sockets = bound.map(\.socket)
    ports = bound.map(\.port)
    state = Mutex((line, [], false))
  }

  deinit {
    for socket in sockets { close(socket) }
  }

  /// The port that a side takes for its peer's.
  func port(towards side: Side) -> UInt16 { ports[side == .a ? 0 : 1] }

  /// What came by so far, and whither it went.
  var traffic: [(datagram: [UInt8], receiver: Side)] { seen.withLock { $0 } }

  func setLine(_ line: @escaping Line) {
    state.withLock { $0.line = line }
  }

  /// Relays between the sides' ports until `stop`.
  func run(between a: UInt16, _ b: UInt16) {
    state.withLock { $0.peers = [a, b] }
    Thread { [self] in
      var buffer = [UInt8](repeating: 0, count: 65_536)
      while !state.withLock({ $0.isStopped }) {
        var polled = sockets.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        guard poll(&polled, 2, 50) > 0 else { continue }
        for (index, side) in [Side.a, .b].enumerated() where polled[index].revents != 0 {
          let count = recv(sockets[index], &buffer, buffer.count, Int32(MSG_DONTWAIT))
          guard count >= 0 else { continue }
          let datagram = Array(buffer[..<count])
          seen.withLock { $0.append((datagram, side.other)) }
          for datagram in state.withLock({ $0.line })(datagram, side.other) { send(datagram, to: side.other) }
        }
      }
    }.start()
  }

  func stop() {
    state.withLock { $0.isStopped = true }
  }

  /// Sends as if the peer of that side had.
  func send(_ datagram: [UInt8], to side: Side) {
    let index = side == .a ? 0 : 1
    guard let port = state.withLock({ $0.peers.isEmpty ? nil : $0.peers[index] }) else { return }
    var address = UDPRelay.loopback(port: port)
    withUnsafePointer(to: &address) { address in
      address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        _ = sendto(sockets[index], datagram, datagram.count, 0, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
  }

  private static func open() throws -> (socket: Int32, port: UInt16) {
    let socket = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
    var address = loopback(port: 0)
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isBound = withUnsafeMutablePointer(to: &address) { address in
      address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(socket, $0, length) == 0 && getsockname(socket, $0, &length) == 0
      }
    }
    guard isBound else { throw NoSocket() }
    return (socket, UInt16(bigEndian: address.sin_port))
  }

  static func loopback(port: UInt16) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    return address
  }
}
