import Foundation
import MediaTime
import Synchronization

/// A path over loopback on which everything arrives later, for TCP: connections to its port go on to another one.
///
/// Bound: 64 MiB are on the way in each direction; then who sends waits.
final class DelayedTCPPath: Sendable {
  let port: UInt16
  private let listener: Int32

  /// - Parameter delay: of one direction.
  init(to host: String, _ target: UInt16, delay: Duration) throws {
    let (listener, port) = try LoopbackSocket.bound(SOCK_STREAM)
    (self.listener, self.port) = (listener, port)
    listen(listener, 16)
    let acceptor = Thread {
      while case let incoming = accept(listener, nil, nil), incoming >= 0 {
        let outgoing = LoopbackSocket.make(SOCK_STREAM)
        guard LoopbackSocket.connect(outgoing, to: host, target) else {
          close(incoming)
          close(outgoing)
          continue
        }
        LoopbackSocket.setNoDelay(incoming)
        LoopbackSocket.setNoDelay(outgoing)
        DelayedPipe(from: incoming, to: outgoing, delay: delay).start()
        DelayedPipe(from: outgoing, to: incoming, delay: delay).start()
      }
    }
    acceptor.start()
  }

  deinit {
    shutdown(listener, Int32(SHUT_RDWR))
    close(listener)
  }
}

/// One direction of a connection.
///
/// `@unchecked Sendable`: everything that changes is touched under `condition`'s lock.
private final class DelayedPipe: @unchecked Sendable {
  private static let maximumBytes = 64 << 20

  private let source: Int32
  private let target: Int32
  private let delay: Duration
  private let condition = NSCondition()
  private var waiting: [(due: Instant, bytes: [UInt8])] = []
  private var first = 0
  private var bytes = 0
  private var isOver = false

  init(from source: Int32, to target: Int32, delay: Duration) {
    (self.source, self.target, self.delay) = (source, target, delay)
  }

  func start() {
    for body in [read, write] {
      let thread = Thread { body() }
      thread.start()
    }
  }

  private func read() {
    var buffer = [UInt8](repeating: 0, count: 256 << 10)
    while case let count = recv(source, &buffer, buffer.count, 0), count > 0 {
      condition.lock()
      while bytes > Self.maximumBytes { condition.wait() }
      waiting.append((SystemClock.now + delay, Array(buffer[..<count])))
      bytes += count
      condition.signal()
      condition.unlock()
    }
    condition.lock()
    isOver = true
    condition.signal()
    condition.unlock()
  }

  private func write() {
    while let next = next() {
      let pause = next.due - SystemClock.now
      if pause > .zero { usleep(UInt32(pause.nanoseconds / 1000)) }
      var sent = 0
      while sent < next.bytes.count {
        let count = next.bytes.withUnsafeBytes {
          send(target, $0.baseAddress! + sent, $0.count - sent, Int32(MSG_NOSIGNAL))
        }
        guard count > 0 else { return }
        sent += count
      }
    }
    shutdown(target, Int32(SHUT_WR))
  }

  private func next() -> (due: Instant, bytes: [UInt8])? {
    condition.lock()
    defer { condition.unlock() }
    while first == waiting.count {
      if isOver { return nil }
      condition.wait()
    }
    let next = waiting[first]
    waiting[first].bytes = []
    first += 1
    if first > 1024 {
      waiting.removeFirst(first)
      first = 0
    }
    bytes -= next.bytes.count
    condition.signal()
    return next
  }
}

/// A path over loopback on which everything arrives later, for UDP: what comes to one of its two ports leaves from the
/// other one. Datagrams that the system's buffers have no room for are lost.
final class DelayedUDPPath: Sendable {
  /// The ports that stand for the two ends, each to be used by the other end.
  let ports: [UInt16]
  private let sockets: [Int32]
  private let ends = Mutex<[UInt16?]>([nil, nil])
  private let isOver = Atomic(false)

  init(delay: Duration) throws {
    let bound = try [LoopbackSocket.bound(SOCK_DGRAM), LoopbackSocket.bound(SOCK_DGRAM)]
    (sockets, ports) = (bound.map(\.socket), bound.map(\.port))
    for socket in sockets {
      var size: Int32 = 8 << 20
      setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &size, 4)
    }
    let thread = Thread { [self] in run(delay) }
    thread.start()
  }

  /// Tells where an end really is.
  func set(_ end: Int, at port: UInt16) { ends.withLock { $0[end] = port } }

  func close() { isOver.store(true, ordering: .relaxed) }

  private func run(_ delay: Duration) {
    var waiting: [[(due: Instant, datagram: [UInt8])]] = [[], []]
    var first = [0, 0]
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while !isOver.load(ordering: .relaxed) {
      var polled = sockets.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
      poll(&polled, 2, first[0] < waiting[0].count || first[1] < waiting[1].count ? 1 : 50)
      for side in 0..<2 {
        // What is for the end that this socket stands for.
        while case let count = recv(sockets[side], &buffer, buffer.count, Int32(MSG_DONTWAIT)), count >= 0 {
          waiting[side].append((SystemClock.now + delay, Array(buffer[..<count])))
        }
        let (now, end) = (SystemClock.now, ends.withLock { $0[side] })
        while first[side] < waiting[side].count, waiting[side][first[side]].due <= now {
          if let end { LoopbackSocket.send(waiting[side][first[side]].datagram, from: sockets[1 - side], to: end) }
          first[side] += 1
        }
        if first[side] > 4096 {
          waiting[side].removeFirst(first[side])
          first[side] = 0
        }
      }
    }
    for socket in sockets { Foundation.close(socket) }
  }
}

/// Sockets on 127.0.0.1.
enum LoopbackSocket {
  struct Failure: Error {}

  static func make(_ type: __socket_type) -> Int32 { socket(AF_INET, Int32(type.rawValue), 0) }

  /// A socket at a free port.
  static func bound(_ type: __socket_type) throws -> (socket: Int32, port: UInt16) {
    let socket = make(type)
    var (address, length) = (address("127.0.0.1", 0), socklen_t(MemoryLayout<sockaddr_in>.size))
    let isBound = withUnsafeMutablePointer(to: &address) { address in
      address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(socket, $0, length) == 0 && getsockname(socket, $0, &length) == 0
      }
    }
    guard isBound else {
      close(socket)
      throw Failure()
    }
    return (socket, UInt16(bigEndian: address.sin_port))
  }

  static func connect(_ socket: Int32, to host: String, _ port: UInt16) -> Bool {
    withAddress(host, port) { Foundation.connect(socket, $0, $1) == 0 }
  }

  static func send(_ datagram: [UInt8], from socket: Int32, to port: UInt16) {
    _ = withAddress("127.0.0.1", port) { sendto(socket, datagram, datagram.count, 0, $0, $1) }
  }

  static func setNoDelay(_ socket: Int32) {
    var one: Int32 = 1
    setsockopt(socket, Int32(IPPROTO_TCP), TCP_NODELAY, &one, 4)
  }

  private static func withAddress<Result>(
    _ host: String, _ port: UInt16, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
  ) -> Result {
    var address = address(host, port)
    return withUnsafePointer(to: &address) { address in
      address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
  }

  private static func address(_ host: String, _ port: UInt16) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    inet_pton(AF_INET, host, &address.sin_addr)
    return address
  }
}
