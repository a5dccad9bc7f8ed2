import Foundation
import MediaTime
import XMPPCore

/// What the machine does without any protocol, for comparison: in bytes a second.
enum FileYardsticks {
  /// SHA-256 on one core, of what is in memory already.
  static func hash() -> Double {
    let block = [UInt8](repeating: 0x5A, count: 1 << 20)
    var hash = RunningHash([.sha256])
    let start = SystemClock.now
    var count = 0
    repeat {
      for _ in 0..<64 { hash.update(block) }
      count += 64 * block.count
    } while SystemClock.now - start < .seconds(1)
    let span = SystemClock.now - start
    _ = hash.finish()
    return Double(count) / (span / .seconds(1))
  }

  /// One TCP connection over loopback, and a thread at each end.
  ///
  /// - Parameter isHashed: whether both ends hash the bytes (SHA-256); else nobody looks at them.
  static func tcp(_ size: Int64, isHashed: Bool = false) throws -> Double {
    let (listener, port) = try LoopbackSocket.bound(SOCK_STREAM)
    defer { close(listener) }
    listen(listener, 1)
    let sender = Thread {
      let socket = LoopbackSocket.make(SOCK_STREAM)
      guard LoopbackSocket.connect(socket, to: "127.0.0.1", port) else { return }
      let block = [UInt8](repeating: 0, count: 256 << 10)
      var hash = RunningHash(isHashed ? [.sha256] : [])
      var left = size
      while left > 0 {
        hash.update(block)
        let count = send(socket, block, min(block.count, Int(left)), Int32(MSG_NOSIGNAL))
        guard count > 0 else { break }
        left -= Int64(count)
      }
      close(socket)
    }
    sender.start()
    let socket = accept(listener, nil, nil)
    defer { close(socket) }
    var buffer = [UInt8](repeating: 0, count: 256 << 10)
    var hash = RunningHash(isHashed ? [.sha256] : [])
    let start = SystemClock.now
    var count: Int64 = 0
    while case let more = recv(socket, &buffer, buffer.count, 0), more > 0 {
      buffer.withUnsafeBytes { hash.update(UnsafeRawBufferPointer(rebasing: $0[..<more])) }
      count += Int64(more)
    }
    return Double(count) / ((SystemClock.now - start) / .seconds(1))
  }

  /// How the system's TCP avoids congestion, such as `cubic`; those that pace what they send, such as `bbr`, do so over
  /// loopback too.
  static var congestionControl: String {
    let name = try? String(contentsOfFile: "/proc/sys/net/ipv4/tcp_congestion_control", encoding: .utf8)
    return name?.trimmingCharacters(in: .whitespacesAndNewlines) ?? ""
  }

  /// Reading a file and writing another, without waiting for the disk.
  static func copy(_ path: String, to target: String) -> Double {
    let (source, destination) = (open(path, O_RDONLY), open(target, O_WRONLY | O_CREAT | O_TRUNC, 0o600))
    defer {
      close(source)
      close(destination)
      unlink(target)
    }
    var buffer = [UInt8](repeating: 0, count: 256 << 10)
    let start = SystemClock.now
    var count: Int64 = 0
    while case let more = read(source, &buffer, buffer.count), more > 0 {
      guard write(destination, buffer, more) == more else { break }
      count += Int64(more)
    }
    return Double(count) / ((SystemClock.now - start) / .seconds(1))
  }

  /// Fills a file with bytes that no two transfers can mistake for each other.
  static func make(_ path: String, _ size: Int64) throws {
    let file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    guard file >= 0 else { throw CommandFailure.cannotWrite(path) }
    defer { close(file) }
    var state = UInt64.random(in: 1...UInt64.max)
    var block = [UInt64](repeating: 0, count: 32 << 10)
    var left = size
    while left > 0 {
      for index in block.indices {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        block[index] = state
      }
      let count = min(left, Int64(block.count * 8))
      guard write(file, block, Int(count)) == count else { throw CommandFailure.cannotWrite(path) }
      left -= count
    }
    // Else the disk is still at it while something is measured.
    fsync(file)
  }
}

extension CommandFailure {
  fileprivate static func cannotWrite(_ path: String) -> CommandFailure {
    CommandFailure(
      code: "output", message: "\(path) cannot be written: \(String(cString: strerror(errno))).",
      status: .cannotCreateOutput)
  }
}
