import Foundation
import Testing

@testable import Carillon

/// What is left in a process when peers have done their worst.
@Suite(.timeLimit(.minutes(3)))
struct FileLeakTests {
  /// Every hostile exchange there is, some at a time.
  private static func misbehave() async throws {
    let (senders, receivers, streams) = (
      HostileFileSenderTests(), HostileFileReceiverTests(), HostileBytestreamTests()
    )
    var exchanges: [@Sendable () async throws -> Void] = []
    exchanges += HostileFileSenderTests.Offence.allCases.map { offence in { try await senders.offences(offence) } }
    exchanges += HostileFileReceiverTests.Offence.allCases.map { offence in { try await receivers.offences(offence) } }
    exchanges += HostileBytestreamTests.Offence.allCases.map { offence in { try await streams.senders(offence) } }
    exchanges += HostileBytestreamTests.Answer.allCases.map { answer in { try await streams.hostileServer(answer) } }
    exchanges += [
      senders.rangeOutside, senders.neverOpens, senders.unknownStreams, senders.sameSession, senders.sameStream,
      senders.leaves, senders.otherHash, streams.noOtherWay, streams.impostor, streams.strangers, streams.neverConnects,
    ]
    var waiting = exchanges[...]
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<6 { if let next = waiting.popFirst() { group.addTask(operation: next) } }
      while try await group.next() != nil { if let next = waiting.popFirst() { group.addTask(operation: next) } }
    }
  }

  private static var descriptorCount: Int {
    (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count) ?? 0
  }

  @Test("After every hostile exchange no descriptor is left, nor a file")
  func descriptors() async {
    // In a process of its own, where nobody else opens anything.
    await #expect(processExitsWith: .success) {
      // What stays open for the process's life is opened now.
      try await Self.misbehave()
      try await Task.sleep(for: .milliseconds(500))
      let before = Self.descriptorCount
      try await Self.misbehave()
      try await until { Self.descriptorCount <= before }
    }
  }
}
