import Foundation
import Synchronization
import Testing

extension IntegrationTests {
  /// A sender that falls silent; beside the other tests, for it takes its time.
  @Suite struct FileStallTests {
    @Test(
      "A sender that says nothing more is not waited for: both exit with 75, and what came is kept",
      .timeLimit(.minutes(2)))
    func stopped() async throws {
      let (alice, bob) = (Rig.current.account(), Rig.current.account() + "/files")
      let (path, inbox) = (Rig.current.file("bin"), Rig.current.file("inbox"))
      try FileManager.default.createDirectory(atPath: inbox, withIntermediateDirectories: true)
      #expect(FileManager.default.createFile(atPath: path, contents: nil))
      truncate(path, 2 << 30)
      try await CarillonProcess.run(["receive", "--into", inbox, "--once"] + signingIn(bob)) { receiver in
        try await receiver.event("online")
        let sending = ["send", path, "--to", bob, "--transport", "s5b"] + signingIn(alice)
        try await CarillonProcess.run(sending) { sender in
          try await receiver.event("file.progress", count: 2)
          sender.send(SIGSTOP)
          let received = try await receiver.outcome()
          #expect(received.exitCode == 75 && received.message.contains("Nothing more"), "\(received.message)")
          sender.send(SIGCONT)
          let sent = try await sender.outcome()
          #expect([14, 75].contains(sent.exitCode), "\(sent.message)")
        }
      }
      let names = try FileManager.default.contentsOfDirectory(atPath: inbox)
      #expect(names.filter { $0.hasSuffix(".part") }.count == 1, "\(names)")
    }
  }

  /// Transfers between real processes that are killed at random, and begun again.
  @Suite struct FileResumeTests {
    private static let count = 50
    private static let workers = 4
    private static let size: Int64 = 64 << 20
    /// The same each time; another one tries other offsets.
    private static let seed = ProcessInfo.processInfo.environment["CARILLON_SEED"].flatMap { UInt64($0) } ?? 0x5EED

    private struct Generator: RandomNumberGenerator {
      var state: UInt64
      /// SplitMix64.
      mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ word >> 30) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ word >> 27) &* 0x94D0_49BB_1331_11EB
        return word ^ word >> 31
      }
    }

    /// A file with random islands in it: quickly made, and nowhere like itself at another offset.
    private func makeFile(_ random: inout Generator) throws -> String {
      let path = Rig.current.file("bin")
      #expect(FileManager.default.createFile(atPath: path, contents: nil))
      let file = try #require(FileHandle(forWritingAtPath: path))
      try file.truncate(atOffset: UInt64(Self.size))
      for _ in 0..<64 {
        try file.seek(toOffset: .random(in: 0..<UInt64(Self.size) - 4096, using: &random))
        try file.write(contentsOf: Data((0..<512).flatMap { _ in withUnsafeBytes(of: random.next(), Array.init) }))
      }
      try file.close()
      return path
    }

    private func partLength(in inbox: String) -> Int64 {
      let names = (try? FileManager.default.contentsOfDirectory(atPath: inbox)) ?? []
      var status = stat()
      guard let name = names.first(where: { $0.hasSuffix(".part") }), stat("\(inbox)/\(name)", &status) == 0 else {
        return 0
      }
      return Int64(status.st_size)
    }

    private final class Tally: Sendable {
      private let state = Mutex((next: 0, offsets: [Int64]()))
      var offsets: [Int64] { state.withLock { $0.offsets } }

      func next() -> Int? {
        state.withLock { state in
          guard state.next < FileResumeTests.count else { return nil }
          defer { state.next += 1 }
          return state.next
        }
      }

      func add(_ offset: Int64) { state.withLock { $0.offsets.append(offset) } }
    }

    private struct Account {
      let alice = Rig.current.account()
      let bob = Rig.current.account() + "/files"
    }

    @Test("Of fifty files, each killed somewhere in the middle and begun again, each is whole", .timeLimit(.minutes(5)))
    func fiftyTimes() async throws {
      let tally = Tally()
      try await withThrowingTaskGroup(of: Void.self) { group in
        for account in (0..<Self.workers).map({ _ in Account() }) {
          group.addTask {
            while true {
              guard let number = tally.next() else { return }
              tally.add(try await killAndResume(number, account))
            }
          }
        }
        try await group.waitForAll()
      }
      let all = tally.offsets.sorted()
      #expect(all.count == Self.count && Set(all).count > Self.count / 2, "seed \(Self.seed): \(all)")
    }

    /// - Returns: where it went on.
    private func killAndResume(_ number: Int, _ account: Account) async throws -> Int64 {
      var random = Generator(state: Self.seed &+ UInt64(number))
      let path = try makeFile(&random)
      let inbox = Rig.current.file("inbox")
      try FileManager.default.createDirectory(atPath: inbox, withIntermediateDirectories: true)
      defer {
        try? FileManager.default.removeItem(atPath: inbox)
        try? FileManager.default.removeItem(atPath: path)
      }
      let context = "number \(number) of seed \(Self.seed)"
      let receiving = ["receive", "--into", inbox, "--once"] + signingIn(account.bob)
      let sending = ["send", path, "--to", account.bob, "--transport", "s5b"] + signingIn(account.alice)

      // Killed somewhere, unless it was quicker than its killer.
      var isKilled = false
      while !isKilled {
        let target = Int64.random(in: 1..<Self.size * 3 / 4, using: &random)
        isKilled = try await CarillonProcess.run(receiving) { receiver in
          try await receiver.event("online")
          return try await CarillonProcess.run(sending) { sender in
            while partLength(in: inbox) < target {
              guard sender.isRunning, receiver.isRunning else { break }
              try await Task.sleep(for: .microseconds(200))
            }
            let (killed, other) = number % 5 == 4 ? (sender, receiver) : (receiver, sender)
            killed.send(SIGKILL)
            // A sender that has handed everything over waits long for the receiver's word; people would not.
            for _ in 0..<50 where other.isRunning { try await Task.sleep(for: .milliseconds(100)) }
            if other.isRunning { other.send(SIGTERM) }
            let outcome = try await other.outcome()
            #expect([0, 14, 143].contains(outcome.exitCode), "\(context): \(outcome.message)")
            return outcome.exitCode != 0 && partLength(in: inbox) > 0
          }
        }
        if !isKilled {
          for name in try FileManager.default.contentsOfDirectory(atPath: inbox) {
            try FileManager.default.removeItem(atPath: "\(inbox)/\(name)")
          }
        }
      }

      let length = partLength(in: inbox)
      return try await CarillonProcess.run(receiving) { receiver in
        try await receiver.event("online")
        let sent = try await CarillonProcess.run(sending)
        let outcome = try await receiver.outcome()
        #expect(sent.exitCode == 0 && outcome.exitCode == 0, "\(context): \(sent.message); \(outcome.message)")
        let received = try outcome.event("file.received")
        // Where only the proof was missing, nothing starts.
        let started = outcome.events.last { $0.name == "file.started" }
        let offset = started.map { Int64($0.number("offset") ?? 0) } ?? Self.size
        #expect(offset == length, "\(context)")
        #expect(try sent.event("file.sent").string("sha256") == received.string("sha256"), "\(context)")
        #expect(received.boolean("isConfirmed") == true, "\(context)")
        #expect(received.number("bytes") == Double(Self.size - offset), "\(context)")
        let arrived = try #require(received.string("path"))
        #expect(FileManager.default.contentsEqual(atPath: path, andPath: arrived), "\(context)")
        #expect(try FileManager.default.contentsOfDirectory(atPath: inbox).count == 1, "\(context)")
        return offset
      }
    }
  }
}
