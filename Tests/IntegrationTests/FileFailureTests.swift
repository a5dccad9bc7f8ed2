import Foundation
import Testing

extension IntegrationTests {
  /// Files that do not arrive, or not by the best way: what the command says, how it exits and what it leaves.
  @Suite(.serialized) struct FileFailureTests {
    private let alice = Rig.current.account()
    private let bob = Rig.current.account()

    private func receiving(_ inbox: String, _ options: String...) -> [String] {
      ["receive", "--into", inbox] + options + signingIn(bob + "/files")
    }

    private func sending(_ path: String, _ options: String...) -> [String] {
      ["send", path, "--to", bob + "/files"] + options + signingIn(alice)
    }

    @Test(
      "A part that somebody has spoiled is found out: both exit with 65, and it is not kept", .timeLimit(.minutes(2)))
    func corrupt() async throws {
      let (path, inbox) = (try makeFile(4_000_000), try makeFolder())
      try await CarillonProcess.run(receiving(inbox, "--once")) { receiver in
        try await receiver.event("online")
        try await CarillonProcess.run(sending(path, "--transport", "ibb")) { sender in
          try await receiver.event("file.progress", count: 3)
          receiver.send(SIGKILL)
          // It hears of that by the server, or when nothing is answered.
          sender.send(SIGTERM)
          #expect(try await sender.outcome().exitCode == 143)
        }
      }
      let part = try #require(names(in: inbox).first { $0.hasSuffix(".part") })
      let file = try #require(FileHandle(forUpdatingAtPath: inbox + "/" + part))
      try file.write(contentsOf: Data("spoiled".utf8))
      try file.close()
      try await CarillonProcess.run(receiving(inbox, "--once")) { receiver in
        try await receiver.event("online")
        let sender = try await CarillonProcess.run(sending(path, "--transport", "s5b"))
        let outcome = try await receiver.outcome()
        #expect(sender.exitCode == 65 && outcome.exitCode == 65, "\(sender.message); \(outcome.message)")
        #expect(try sender.event("error").string("code") == "corrupt")
        #expect(try outcome.event("error").string("code") == "corrupt")
        #expect(try outcome.event("file.started").number("offset") ?? 0 > 0)
      }
      #expect(names(in: inbox).isEmpty)
    }

    @Test("A file that is emptied while it is sent: both say so, and what came is kept", .timeLimit(.minutes(1)))
    func emptied() async throws {
      let (path, inbox) = (try makeFile(8_000_000), try makeFolder())
      try await CarillonProcess.run(receiving(inbox, "--once")) { receiver in
        try await receiver.event("online")
        try await CarillonProcess.run(sending(path, "--transport", "ibb")) { sender in
          try await receiver.event("file.progress", count: 2)
          truncate(path, 0)
          let (sent, received) = (try await sender.outcome(), try await receiver.outcome())
          #expect(sent.exitCode == 1 && sent.message.contains(path), "\(sent.message)")
          #expect(try sent.event("error").string("code") == "input")
          #expect(received.exitCode == 1, "\(received.message)")
          #expect(received.message.contains("the file cannot be read or written"), "\(received.message)")
        }
      }
      #expect(names(in: inbox).filter { $0.hasSuffix(".part") }.count == 1)
    }

    /// Whether this machine lets a test mount a file system of its own.
    private static let canMount: Bool = {
      let process = Process()
      process.executableURL = URL(filePath: "/usr/bin/unshare")
      process.arguments = ["-rm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
      process.standardError = FileHandle.nullDevice
      guard (try? process.run()) != nil else { return false }
      process.waitUntilExit()
      return process.terminationStatus == 0
    }()

    @Test(
      "A disk that is full before, or is filled meanwhile: 73, and the rest follows when there is room",
      .enabled(if: Self.canMount, "no file system can be mounted here"), .timeLimit(.minutes(2)))
    func fullDisk() async throws {
      let (large, small, inbox) = (try makeFile(90_000_000), try makeFile(75_000_000), try makeFolder())
      let wrapper = [
        "/usr/bin/unshare", "-rm", "/bin/sh", "-c",
        "inbox=$1; shift; mount -t tmpfs -o size=80m tmpfs \"$inbox\" && exec \"$@\"", "sh", inbox,
      ]
      try await CarillonProcess.run(receiving(inbox), by: wrapper) { receiver in
        try await receiver.event("online")
        let seen = "/proc/\(receiver.processIdentifier)/root\(inbox)"

        let before = try await CarillonProcess.run(sending(large))
        #expect(before.exitCode == 10 && before.message.contains("no room"), "\(before.message)")
        let refused = try await receiver.event("error")
        #expect(refused.string("code") == "output" && refused.string("message")?.contains("has room for") == true)
        #expect(names(in: seen).isEmpty, "\(names(in: seen))")

        try await CarillonProcess.run(sending(small, "--transport", "s5b")) { sender in
          try await receiver.event("file.progress")
          // The room for the first 64 MiB is reserved by now, and there is none for more.
          sender.send(SIGSTOP)
          #expect(FileManager.default.createFile(atPath: seen + "/filler", contents: nil))
          let filler = try #require(FileHandle(forWritingAtPath: seen + "/filler"))
          for size in [1 << 20, 4096] {
            while (try? filler.write(contentsOf: Data(count: size))) != nil {}
          }
          try filler.close()
          sender.send(SIGCONT)
          let outcome = try await sender.outcome()
          #expect(outcome.exitCode == 1 && outcome.message.contains("cannot be read or written"), "\(outcome.message)")
        }
        let full = try await receiver.event("error", count: 2)
        #expect(
          full.string("code") == "output" && full.string("message")?.contains("No space left") == true, "\(full.line)")
        #expect(names(in: seen).filter { $0.hasSuffix(".part") }.count == 1)

        try FileManager.default.removeItem(atPath: seen + "/filler")
        let after = try await CarillonProcess.run(sending(small))
        #expect(after.exitCode == 0, "\(after.message)")
        let received = try await receiver.event("file.received")
        #expect((received.number("bytes") ?? .infinity) < 75_000_000, "\(received.line)")
        let name = URL(filePath: small).lastPathComponent
        #expect(FileManager.default.contentsEqual(atPath: small, andPath: seen + "/" + name))
        #expect(names(in: seen) == [name])
      }
      #expect(names(in: inbox).isEmpty)
    }

    @Test(
      "Where direct connections are blocked the relay is used, without that the proxy, and without that the servers",
      .timeLimit(.minutes(2)),
      arguments: [
        ("example.test", "datachannel", "relay to relay", 0), ("proxied.test", "s5b", "proxy proxy.example.test", 1),
        ("badturn.test", "ibb", "in band", 2),
      ])
    func fallBack(domain: String, transport: String, route: String, fallBacks: Int) async throws {
      let (alice, bob) = (Rig.current.account(at: domain), Rig.current.account(at: domain))
      let (path, inbox) = (try makeFile(200_000), try makeFolder())
      let receive = ["receive", "--into", inbox, "--once", "--relay-only"] + signingIn(bob + "/files")
      try await CarillonProcess.run(receive) { receiver in
        try await receiver.event("online")
        let sender = try await CarillonProcess.run(
          ["send", path, "--to", bob + "/files", "--relay-only"] + signingIn(alice))
        #expect(sender.exitCode == 0, "\(sender.message)")
        let sent = try sender.event("file.sent")
        #expect(sent.string("transport") == transport && sent.string("route")?.hasPrefix(route) == true, "\(sent.line)")
        let reasons = sender.events.filter { $0.name == "file.fellBack" }.map { $0.string("reason") ?? "" }
        #expect(reasons.count == fallBacks && !reasons.contains(""), "\(reasons)")
        let outcome = try await receiver.outcome()
        #expect(outcome.exitCode == 0, "\(outcome.message)")
        let arrived = try #require(try outcome.event("file.received").string("path"))
        #expect(FileManager.default.contentsEqual(atPath: path, andPath: arrived))
      }
    }
  }
}
