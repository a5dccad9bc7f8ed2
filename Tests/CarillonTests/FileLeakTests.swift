import Foundation
import Testing

@testable import Carillon

/// What is left in a process when peers have done their worst.
@Suite(.timeLimit(.minutes(4)))
struct FileLeakTests {
  private static let variable = "CARILLON_COUNTS_DESCRIPTORS"

  private static var descriptors: [String] {
    let numbers = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
    return numbers.compactMap { try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\($0)") }
  }

  @Test("After every hostile exchange no descriptor is left")
  func descriptors() async throws {
    // In a process of its own, where nobody else opens anything.
    guard ProcessInfo.processInfo.environment[Self.variable] == nil else { return try await Self.count() }
    let process = Process()
    process.executableURL = URL(filePath: try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"))
    process.arguments = ["--testing-library", "swift-testing", "--filter", "FileLeakTests"]
    process.environment = ProcessInfo.processInfo.environment.merging([Self.variable: "1"]) { $1 }
    let folders = try FileFolders()
    let path = try folders.make("output", 0)
    let output = try #require(FileHandle(forWritingAtPath: path))
    (process.standardOutput, process.standardError) = (output, output)
    let status = try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        process.terminationHandler = { continuation.resume(returning: $0.terminationStatus) }
        do { try process.run() } catch { continuation.resume(throwing: error) }
      }
    } onCancel: {
      process.terminate()
    }
    #expect(status == 0, "\(String(decoding: FileManager.default.contents(atPath: path) ?? Data(), as: UTF8.self))")
  }

  private static func count() async throws {
    // What stays open for the process's life is opened by the first.
    try await misbehave()
    var before = descriptors.count
    // What is about to be closed does not count.
    for _ in 0..<100 {
      try await Task.sleep(for: .milliseconds(10))
      before = min(before, descriptors.count)
    }
    try await misbehave()
    for _ in 0..<1000 where descriptors.count > before { try await Task.sleep(for: .milliseconds(10)) }
    #expect(descriptors.count <= before, "\(descriptors)")
  }

  /// Each hostile exchange there is.
  private static func misbehave() async throws {
    let (senders, receivers, streams) = (HostileFileSenderTests(), HostileFileReceiverTests(), HostileBytestreamTests())
    var inBand: [@Sendable () async throws -> Void] = [
      senders.rangeOutside, senders.neverOpens, senders.unknownStreams, senders.sameSession, senders.sameStream,
      senders.leaves, senders.otherHash,
    ]
    inBand += HostileFileSenderTests.Offence.allCases.map { offence in { try await senders.offences(offence) } }
    inBand += HostileFileReceiverTests.Offence.allCases.map { offence in { try await receivers.offences(offence) } }
    // These block threads, so they come one by one.
    async let others: Void = {
      for offence in HostileBytestreamTests.Offence.allCases { try await streams.senders(offence) }
      for answer in HostileBytestreamTests.Answer.allCases { try await streams.hostileServer(answer) }
      try await streams.noOtherWay()
      try await streams.impostor()
      try await streams.strangers()
      try await streams.neverConnects()
    }()
    var waiting = inBand[...]
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<4 { if let next = waiting.popFirst() { group.addTask(operation: next) } }
      while try await group.next() != nil { if let next = waiting.popFirst() { group.addTask(operation: next) } }
    }
    try await others
  }
}
