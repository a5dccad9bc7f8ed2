import Foundation
import Testing

extension IntegrationTests {
  /// What is wrong before any file goes: told once, and nothing is left behind.
  @Suite struct FileArgumentTests {
    @Test("That the server cannot be reached is told once, and not for each file", .timeLimit(.minutes(1)))
    func unreachable() async throws {
      let folder = Rig.current.file("outbox")
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      for name in ["a", "b", "c"] { try Data(name.utf8).write(to: URL(filePath: "\(folder)/\(name)")) }
      let outcome = try await CarillonProcess.run(
        ["send", folder, "--to", "bob@localhost"] + signingIn("alice@localhost", host: "127.0.0.1:1"))
      #expect(outcome.exitCode == 69)
      #expect(outcome.events.map(\.name) == ["error"])
      #expect(outcome.message.contains("127.0.0.1:1"))
    }

    @Test("The benchmark's folder must be there, and is not made", .timeLimit(.minutes(1)))
    func benchmarkFolder() async throws {
      let folder = Rig.current.file("nowhere")
      let outcome = try await CarillonProcess.run(["bench", "files", "--into", folder, "--size", "1M", "--json"])
      #expect(outcome.exitCode == 73)
      #expect(!FileManager.default.fileExists(atPath: folder))
    }
  }
}
