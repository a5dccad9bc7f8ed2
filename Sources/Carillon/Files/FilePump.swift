import Foundation
import JingleCore
import MediaTime
import NIOCore
import XMPPCore
import XMPPNetworking

// Moving the bytes between the disk and the transport.
extension Client {
  func begin(_ part: JingleCore.FileTransfer.Part, of transfer: ActiveTransfer) {
    guard let stream = transfer.stream else { return }
    transfer.meter.start(from: part.offset, at: SystemClock.now)
    transfer.tell(.started(transfer.way, path: transfer.route, offset: part.offset))
    let (id, before, turn) = (transfer.id, transfer.pump, PumpTurn())
    transfer.pump = turn
    if let source = transfer.source {
      spawn { await turn.run(after: before) { await self.sendFile(id, turn, source, part, stream) } }
    } else if let file = transfer.part {
      let algorithms = transfer.file.hashes.algorithms
      spawn { await turn.run(after: before) { await self.receiveFile(id, turn, file, algorithms, part, stream) } }
    }
  }

  /// The transfer that a pump works for; nil when that is over, or another has taken its place.
  private func transfer(_ id: UUID, of turn: PumpTurn) -> ActiveTransfer? {
    turn.isStopped ? nil : transfer(id).flatMap { $0.result == nil ? $0 : nil }
  }

  private func sendFile(
    _ id: UUID, _ turn: PumpTurn, _ source: any FileSource, _ part: JingleCore.FileTransfer.Part,
    _ stream: any Bytestream
  ) async {
    do {
      let hashes = try await source.send(
        part, over: stream, begun: { await self.begun(id, turn) }, moved: { await self.moved($0, id, turn) })
      guard let hashes, let transfer = transfer(id, of: turn) else { return }
      transfer.sha256 = hashes.first { $0.algorithm == .sha256 }?.hexadecimal
      carryOut(transfer.machine.sentAll(Hashes(hashes), at: SystemClock.now), of: transfer)
      rearm()
      // Who has all may well have closed it by then.
      try? await stream.finish()
    } catch {
      broke(id, turn, error)
    }
  }

  private func receiveFile(
    _ id: UUID, _ turn: PumpTurn, _ file: any FileSink, _ algorithms: [HashAlgorithm],
    _ part: JingleCore.FileTransfer.Part, _ stream: any Bytestream
  ) async {
    do {
      let isClosed = try await file.receive(
        part, algorithms, from: stream, begun: { await self.begun(id, turn) },
        moved: { await self.moved($0, id, turn) })
      guard isClosed, let transfer = transfer(id, of: turn) else { return }
      carryOut(transfer.machine.closedByPeer(at: SystemClock.now), of: transfer)
      rearm()
    } catch {
      broke(id, turn, error)
    }
  }

  private func begun(_ id: UUID, _ turn: PumpTurn) { transfer(id, of: turn)?.meter.begin(at: SystemClock.now) }

  /// - Returns: whether the transfer goes on.
  private func moved(_ count: Int, _ id: UUID, _ turn: PumpTurn) -> Bool {
    guard let transfer = transfer(id, of: turn) else { return false }
    let now = SystemClock.now
    transfer.tell(.progress(transfer.meter.move(count, of: transfer.file.size, at: now)))
    carryOut(transfer.machine.moved(count, at: now), of: transfer)
    rearm()
    return transfer.result == nil
  }

  private func broke(_ id: UUID, _ turn: PumpTurn, _ error: any Error) {
    guard let transfer = transfer(id, of: turn) else { return }
    if let error = error as? CallError {
      transfer.fileError = error
      carryOut(transfer.machine.end(.fileFailed), of: transfer)
    } else {
      logger.info("bytestream broke", metadata: ["file.sid": "\(transfer.sid)", "error": "\(error)"])
      transportFailed("\(error)", of: transfer)
    }
    rearm()
  }
}

// The loops run where the disk is: as long as the network keeps up, nothing waits for another thread.
extension FileSource {
  /// Sends a part of the file.
  ///
  /// - Parameters:
  ///   - begun: told when what comes before it was read.
  ///   - moved: told of bytes that were handed over; answers whether to go on.
  /// - Returns: the hashes of the whole file, if that was sent to its end; nil when it is not to go on.
  func send(
    _ part: JingleCore.FileTransfer.Part, over stream: any Bytestream, begun: @Sendable () async -> Void,
    moved: @escaping @Sendable (Int) async -> Bool
  ) async throws -> [HashValue]? {
    try await begin(at: part.offset)
    await begun()
    let size = length ?? .max
    let end = part.length.map { part.offset + $0 } ?? size
    var tally = Tally(moved)
    var stride = Stride(upTo: stream.chunkSize)
    var offset = part.offset
    while offset < end, let chunk = try await next(min(stride.count, Int(clamping: end - offset))) {
      let count = chunk.readableBytes
      offset += Int64(count)
      try await stream.send(chunk)
      stride.moved(count, at: SystemClock.now)
      guard await tally.add(count, isLast: offset >= end) else { return nil }
    }
    // Where no end was known, nothing was the last.
    if offset < end, !(await tally.add(0, isLast: true)) { return nil }
    return try await finish(isWhole: end == size)
  }
}

extension FileSink {
  /// Receives a part of the file.
  ///
  /// - Parameters:
  ///   - algorithms: those that the sender's word will be in.
  ///   - begun: told when the rest of a file begins to come.
  ///   - moved: told of bytes that came; answers whether to go on.
  /// - Returns: whether the peer closed the stream. It is read until then, for what is too much to be seen.
  func receive(
    _ part: JingleCore.FileTransfer.Part, _ algorithms: [HashAlgorithm], from stream: any Bytestream,
    begun: @Sendable () async -> Void, moved: @escaping @Sendable (Int) async -> Bool
  ) async throws -> Bool {
    try await begin(at: part.offset, algorithms)
    var tally = Tally(moved)
    var left = part.length ?? .max
    // A whole file's time begins with the connection: of a small one there may be a single chunk.
    var hasBegun = part.offset == 0
    // Where all is there already, nothing will.
    if left == 0 { await begun() }
    while left > 0 {
      guard var chunk = try await stream.next() else {
        // What came since is told first.
        return await tally.add(0, isLast: true)
      }
      if !hasBegun { await begun() }
      hasBegun = true
      // What is too much is counted, and not kept.
      let surplus = max(0, Int64(chunk.readableBytes) - left)
      if surplus > 0 { chunk = chunk.getSlice(at: chunk.readerIndex, length: Int(left)) ?? ByteBuffer() }
      left -= Int64(chunk.readableBytes)
      let count = chunk.readableBytes + Int(surplus)
      try await append(chunk)
      guard await tally.add(count, isLast: left == 0) else { return false }
    }
    while let surplus = try await stream.next() {
      guard await tally.add(surplus.readableBytes, isLast: true) else { return false }
    }
    return true
  }
}

/// How many bytes to hand over at once: many where they go fast; else few, for only what has been taken tells that it goes
/// on, and before a slow way has taken many it would count as stalled.
struct Stride {
  private static let least = 64 << 10
  /// So many bytes may wait on this machine, and tell nothing of the way's speed.
  private static let hidden = 8 << 20
  /// From so many bytes a second on, many go at once.
  private static let fast = 8e6

  private let most: Int
  private(set) var count: Int
  private var hidden = Stride.hidden
  private var moved = 0
  private var since: Instant?

  init(upTo most: Int) {
    self.most = most
    count = min(most, Self.least)
  }

  mutating func moved(_ bytes: Int, at now: Instant) {
    hidden -= min(bytes, hidden)
    moved += bytes
    guard hidden == 0, let since else {
      (since, moved) = (now, 0)
      return
    }
    let seconds = (now - since).inSeconds
    guard seconds >= 0.1 else { return }
    count = Double(moved) / seconds >= Self.fast ? most : min(most, Self.least)
    (self.since, moved) = (now, 0)
  }
}

/// What was moved and not told yet. The first bytes and the last are told at once, and those between ten times a second.
private struct Tally {
  /// Others' files are on the same thread: after so many bytes it is their turn.
  private static let turn = 4 << 20

  private let tell: @Sendable (Int) async -> Bool
  private var untold = 0
  private var toldAt: Instant?
  private var sinceTurn = 0

  init(_ tell: @escaping @Sendable (Int) async -> Bool) { self.tell = tell }

  /// - Returns: whether to go on.
  nonisolated(nonsending) mutating func add(_ count: Int, isLast: Bool) async -> Bool {
    untold += count
    sinceTurn += count
    let now = SystemClock.now
    if isLast || toldAt.map({ now - $0 >= .milliseconds(100) }) ?? true {
      let count = untold
      (untold, toldAt, sinceTurn) = (0, now, 0)
      return await tell(count)
    }
    if sinceTurn >= Self.turn {
      sinceTurn = 0
      await Task.yield()
    }
    return true
  }
}
