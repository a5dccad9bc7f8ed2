import Foundation
import Synchronization
import Testing

/// Stands between a client and a server on loopback, and breaks the connections between them when it is told to.
final class TCPProxy: Sendable {
  /// Where clients connect to.
  let host: String
  private let listener: Int32
  private let target: UInt16
  /// Both ends of each connection. None is closed before the end, so that no number is used twice.
  private let sockets = Mutex<[Int32]>([])

  /// - Parameter host: the server's address, `127.0.0.1:PORT`.
  init(to host: String) throws {
    target = try #require(host.split(separator: ":").last.flatMap { UInt16($0) })
    listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = Self.loopback(0)
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isBound = withUnsafeMutablePointer(to: &address) { [listener] pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(listener, $0, size) == 0 && listen(listener, 8) == 0 && getsockname(listener, $0, &size) == 0
      }
    }
    try #require(isBound)
    self.host = "127.0.0.1:\(UInt16(bigEndian: address.sin_port))"
    Thread.detachNewThread { [self] in
      while true {
        let client = accept(listener, nil, nil)
        guard client >= 0 else { return }
        forward(client)
      }
    }
  }

  /// Ends all connections of the moment as a network does that fails: neither side hears why.
  func cut() {
    let cut = sockets.withLock { $0 }
    for socket in cut { shutdown(socket, Int32(SHUT_RDWR)) }
  }

  func stop() {
    shutdown(listener, Int32(SHUT_RDWR))
    cut()
  }

  private func forward(_ client: Int32) {
    let server = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = Self.loopback(target)
    let isConnected = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(server, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
      }
    }
    sockets.withLock { $0 += [client, server] }
    guard isConnected else {
      shutdown(client, Int32(SHUT_RDWR))
      return
    }
    for (source, sink) in [(client, server), (server, client)] {
      Thread.detachNewThread {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
          let count = recv(source, &buffer, buffer.count, 0)
          guard count > 0, send(sink, buffer, count, Int32(MSG_NOSIGNAL)) == count else { break }
        }
        shutdown(sink, Int32(SHUT_RDWR))
      }
    }
  }

  private static func loopback(_ port: UInt16) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    return address
  }
}
