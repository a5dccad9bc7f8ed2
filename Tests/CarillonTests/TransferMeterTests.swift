import JingleCore
import MediaCodecs
import MediaTime
import NIOCore
import Synchronization
import Testing
import XMPPCore

@testable import Carillon

@Suite("How much was moved, and how fast", .timeLimit(.minutes(1)))
struct TransferMeterTests {
  private func at(_ seconds: Int) -> Instant { Instant(nanoseconds: 0) + .seconds(seconds) }

  @Test("What was there before counts as there, and neither it nor its time counts for the rate")
  func resumed() {
    var meter = TransferMeter()
    meter.start(from: 5_000, at: at(100))
    // So long it is hashed.
    meter.begin(at: at(190))
    #expect(meter.move(1_000, of: 8_000, at: at(192)) == FileProgress(bytes: 6_000, size: 8_000, bytesPerSecond: 500))
    #expect(meter.move(2_000, of: 8_000, at: at(194)) == FileProgress(bytes: 8_000, size: 8_000, bytesPerSecond: 750))
    #expect((meter.count, meter.seconds(until: at(194))) == (3_000, 4))
  }

  @Test("In no time nothing has a rate")
  func noTime() {
    var meter = TransferMeter()
    #expect(meter.seconds(until: at(1)) == 0)
    meter.start(from: 0, at: at(1))
    #expect(meter.move(1_000, of: nil, at: at(1)).bytesPerSecond == 0)
  }

  @Test("Who sends the rest of a file begins to count when it has read the beginning, before it sends anything")
  func sending() async throws {
    let log = Log<String>()
    let source = LoggedFile(log)
    let hashes = try await source.send(
      .init(offset: 4, length: 2), over: LoggedStream(log), begun: { log.append("begun") },
      moved: { _ in
        log.append("moved")
        return true
      })
    #expect(hashes?.isEmpty == true)
    #expect(log.entries == ["hashed 4", "begun", "read", "sent", "moved"])
  }

  @Test("Who receives the rest of a file begins to count when it begins to come; of a whole one, with the connection")
  func receiving() async throws {
    for offset in [4, 0] as [Int64] {
      let log = Log<String>()
      let isClosed = try await LoggedFile(log).receive(
        .init(offset: offset, length: 2), [], from: LoggedStream(log), begun: { log.append("begun") },
        moved: { _ in
          log.append("moved")
          return true
        })
      #expect(isClosed)
      let begun = offset > 0 ? ["begun"] : []
      #expect(log.entries == ["hashed \(offset)", "came"] + begun + ["written", "moved", "closed"])
    }
  }
}

/// A file of six bytes that tells what is done with it.
private actor LoggedFile: FileSource, FileSink {
  nonisolated let length: Int64? = 6
  nonisolated let date: Duration? = nil
  nonisolated let isSeekable = true
  nonisolated let isResumable = true
  let count: Int64 = 6
  let sha256: String? = nil
  private let log: Log<String>

  init(_ log: Log<String>) { self.log = log }

  func begin(at offset: Int64) { log.append("hashed \(offset)") }
  func begin(at offset: Int64, _ algorithms: [HashAlgorithm]) { log.append("hashed \(offset)") }

  func next(_ count: Int) -> ByteBuffer? {
    log.append("read")
    return ByteBuffer(repeating: 0, count: count)
  }

  func finish(isWhole: Bool) -> [HashValue] { [] }
  func append(_ bytes: ByteBuffer) { log.append("written") }
  func digest(_ algorithm: HashAlgorithm, _ range: JingleCore.FileTransfer.Part?) -> HashValue? { nil }
  func place(as names: some Sequence<String> & Sendable) throws(CallError) -> String? { nil }
  func end(after error: CallError?) {}
}

/// Two bytes come over it, then it is closed.
private final class LoggedStream: Bytestream {
  let chunkSize = 1 << 10
  private let log: Log<String>

  init(_ log: Log<String>) { self.log = log }

  func send(_ bytes: ByteBuffer) { log.append("sent") }
  func finish() {}

  func next() -> ByteBuffer? {
    let isFirst = !log.entries.contains("came")
    log.append(isFirst ? "came" : "closed")
    return isFirst ? ByteBuffer(repeating: 0, count: 2) : nil
  }

  func close() {}
}
