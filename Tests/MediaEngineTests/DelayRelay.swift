import Foundation
import MediaTime
import Synchronization

@testable import MediaEngine

/// A pair of loopback sockets between two endpoints; what goes through comes out later.
final class DelayRelay: Sendable {
  private let sockets: [Int32]
  let ports: [UInt16]
  private let isStopped = Atomic(false)
  private let delay: Duration

  init(delay: Duration) {
    self.delay = delay
    var ports: [UInt16] = []
    sockets = (0..<2).map { _ in
      let socket = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
      var size = Int32(4 << 20)
      // As far as the system lets.
      setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &size, 4)
      var address = UDPRelay.loopback(port: 0)
      var length = socklen_t(MemoryLayout<sockaddr_in>.size)
      withUnsafeMutablePointer(to: &address) { address in
        address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          _ = bind(socket, $0, length)
          getsockname(socket, $0, &length)
        }
      }
      ports.append(UInt16(bigEndian: address.sin_port))
      return socket
    }
    self.ports = ports
  }

  /// Relays what comes on each socket out of the other one, to `peers`, until `stop`.
  func run(to peers: [UInt16]) {
    Thread { [self] in
      var waiting: [[(at: Instant, datagram: [UInt8])]] = [[], []]
      var heads = [0, 0]
      var buffer = [UInt8](repeating: 0, count: 2048)
      while !isStopped.load(ordering: .relaxed) {
        var polled = sockets.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        poll(&polled, 2, heads[0] < waiting[0].count || heads[1] < waiting[1].count ? 1 : 50)
        for side in 0..<2 {
          while case let count = recv(sockets[side], &buffer, buffer.count, Int32(MSG_DONTWAIT)), count >= 0 {
            waiting[side].append((SystemClock.now + delay, Array(buffer[..<count])))
          }
        }
        let now = SystemClock.now
        for side in 0..<2 {
          while heads[side] < waiting[side].count, waiting[side][heads[side]].at <= now {
            send(waiting[side][heads[side]].datagram, from: sockets[1 - side], to: peers[1 - side])
            heads[side] += 1
          }
          if heads[side] > 4096 {
            waiting[side].removeSubrange(..<heads[side])
            heads[side] = 0
          }
        }
      }
      for socket in sockets { close(socket) }
    }.start()
  }

  func stop() { isStopped.store(true, ordering: .relaxed) }

  private func send(_ datagram: [UInt8], from socket: Int32, to port: UInt16) {
    var address = UDPRelay.loopback(port: port)
    withUnsafePointer(to: &address) { address in
      address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        _ = sendto(socket, datagram, datagram.count, 0, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
  }
}
