package import NIOCore
import NIOPosix
package import XMPPCore

/// Why a SOCKS5 bytestream did not come about, or ended before its time.
package struct SOCKS5ConnectionError: Error, Hashable, Sendable, CustomStringConvertible {
  package enum Kind: Hashable, Sendable {
    /// Nobody is there.
    case unreachable
    /// Somebody is there, but the handshake failed.
    case handshake(SOCKS5Error)
    case timedOut
    case cancelled
    /// This side has closed it.
    case closed
    /// The connection broke.
    case lost
  }

  package let kind: Kind
  package let message: String

  init(_ kind: Kind, _ message: String) {
    self.kind = kind
    self.message = message
  }

  package var description: String { message }

  static let closed = SOCKS5ConnectionError(.closed, "The bytestream is closed.")

  static func lost(_ error: any Error) -> SOCKS5ConnectionError {
    if let error = error as? SOCKS5ConnectionError { return error }
    return SOCKS5ConnectionError(.lost, "The bytestream broke: \(describe(error)).")
  }
}

/// A bytestream over TCP whose SOCKS5 handshake is done.
///
/// Each direction is for one task. What is sent and what is received is bounded: `send` waits for the network, and the
/// network waits for who reads `received`. A task that is cancelled in either closes the connection, as letting go of it
/// does.
///
/// - Specification: XEP-0065 §5
package final class SOCKS5Connection: Sendable {
  /// Bytes that `send` hands over before it waits for the network.
  package static let maximumBytesUnderWay = 2 << 20

  /// The numeric address of the other end.
  package let remoteAddress: String
  private let channel: any Channel
  private let flow: SOCKS5Flow

  init(channel: any Channel, flow: SOCKS5Flow) {
    self.channel = channel
    self.flow = flow
    remoteAddress = channel.remoteAddress?.ipAddress ?? ""
  }

  deinit {
    flow.end(.closed)
    channel.close(promise: nil)
  }

  /// Sends bytes, and waits while more than `maximumBytesUnderWay` have not left. Large buffers, such as of 256 KiB, are
  /// the fastest.
  ///
  /// That it returns does not mean that the bytes are sent: `finish` tells.
  package nonisolated(nonsending) func send(_ bytes: ByteBuffer) async throws {
    let count = bytes.readableBytes
    guard count > 0 else { return }
    if Task.isCancelled { cancel() }
    if !(try flow.reserve(count)) {
      try await closingWhenCancelled { try await self.flow.waitToReserve(count) }
    }
    channel.writeAndFlush(bytes).whenComplete { [flow] result in flow.written(count, result) }
  }

  /// Copies the bytes and sends them.
  package nonisolated(nonsending) func send(_ bytes: ArraySlice<UInt8>) async throws {
    try await send(channel.allocator.buffer(bytes: bytes))
  }

  /// Waits until everything has left, and tells the other side that no more will come. Receiving goes on.
  ///
  /// Some proxies hold the last bytes back until then.
  package nonisolated(nonsending) func finish() async throws {
    guard flow.beginFinishing() else { return }
    try await closingWhenCancelled {
      try await self.flow.waitUntilWritten()
      do {
        try await self.channel.close(mode: .output).get()
      } catch {
        throw self.flow.failure ?? SOCKS5ConnectionError.lost(error)
      }
    }
  }

  /// What comes in, for one reader. Ends when the other side has finished; throws when the connection breaks.
  package var received: Received { Received(connection: self) }

  package struct Received: AsyncSequence, Sendable {
    fileprivate let connection: SOCKS5Connection

    package struct AsyncIterator: AsyncIteratorProtocol {
      fileprivate let connection: SOCKS5Connection

      package func next() async throws -> ByteBuffer? {
        try await connection.next()
      }
    }

    package func makeAsyncIterator() -> AsyncIterator { AsyncIterator(connection: connection) }
  }

  /// Closes both directions at once; what has not left by then is lost.
  package func close() {
    flow.end(.closed)
    channel.close(promise: nil)
  }

  /// The next bytes; nil when the other side has finished.
  package nonisolated(nonsending) func next() async throws -> ByteBuffer? {
    while true {
      if Task.isCancelled { cancel() }
      if let (chunk, wantsMore) = try flow.take() {
        if wantsMore { channel.read() }
        return chunk
      }
      try await closingWhenCancelled { await self.flow.waitForChunk() }
    }
  }

  private nonisolated(nonsending) func closingWhenCancelled<Result: Sendable>(
    _ body: nonisolated(nonsending) () async throws -> Result
  ) async throws -> Result {
    try await withTaskCancellationHandler {
      try await body()
    } onCancel: {
      cancel()
    }
  }

  private func cancel() {
    flow.end(SOCKS5ConnectionError(.cancelled, "The bytestream was cancelled."))
    channel.close(promise: nil)
  }
}

extension SOCKS5Connection {
  /// For files: large reads for what comes fast, small ones for what does not.
  ///
  /// NIO keeps as many buffers for use again as it reads in one turn.
  static let receiveAllocator = AdaptiveRecvByteBufferAllocator(minimum: 4096, initial: 65_536, maximum: 262_144)
  static let maximumReadsPerTurn: UInt = 16

  /// Prepares a channel that is connected: the handshake runs, then the bytestream.
  ///
  /// - Parameter completed: called once, on the event loop.
  static func begin(
    _ side: SOCKS5HandshakeHandler.Side, on channel: any Channel, timeout: Duration,
    completed: @escaping @Sendable (Result<(SOCKS5Connection, SOCKS5Destination), SOCKS5ConnectionError>) -> Void
  ) throws {
    let flow = SOCKS5Flow()
    let handshake = SOCKS5HandshakeHandler(side, timeout: TimeAmount(timeout)) { result in
      completed(result.map { (SOCKS5Connection(channel: channel, flow: flow), $0) })
    }
    try channel.pipeline.syncOperations.addHandlers(handshake, SOCKS5FlowHandler(flow))
  }
}
