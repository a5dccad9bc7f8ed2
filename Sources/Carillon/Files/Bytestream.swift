import NIOCore
import XMPPNetworking

/// Carries bytes both ways, whatever they go over. Each direction is for one task.
protocol Bytestream: Sendable {
  /// Waits while too much is under way.
  func send(_ bytes: ByteBuffer) async throws
  /// Waits until all that was sent has left, and tells the peer that no more comes.
  func finish() async throws
  /// - Returns: what came next; nil when the peer has finished.
  func next() async throws -> ByteBuffer?
  func close() async
}

extension SOCKS5Connection: Bytestream {
  func next() async throws -> ByteBuffer? {
    try await received.makeAsyncIterator().next()
  }
}
