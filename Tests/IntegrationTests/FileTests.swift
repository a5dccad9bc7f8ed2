import Foundation
import Testing

extension IntegrationTests {
  /// Files between two accounts of a real server.
  @Suite(.serialized) struct FileTests {
    private let alice = Rig.current.account()
    private let bob = Rig.current.account()

    private func receiving(_ inbox: String, _ options: String..., host: String? = nil) -> [String] {
      ["receive", "--into", inbox, "--once"] + options + signingIn(bob + "/files", host: host)
    }

    private func sending(_ path: String, _ options: String..., host: String? = nil) -> [String] {
      ["send", path, "--to", bob + "/files"] + options + signingIn(alice, host: host)
    }

    @Test(
      "A file arrives whole by each way through each server",
      .timeLimit(.minutes(2)),
      arguments: [
        (["--transport", "datachannel"], "datachannel", "host to host, DTLSv1.2"),
        (["--transport", "datachannel", "--relay-only"], "datachannel", "relay to "),
        (["--transport", "s5b"], "s5b", "direct"), (["--transport", "s5b", "--relay-only"], "s5b", "proxy proxy."),
        (["--transport", "ibb"], "ibb", "in band"), ([], "datachannel", "host to "),
      ], XMPPServer.allCases)
    func ways(way: (options: [String], transport: String, route: String), server: XMPPServer) async throws {
      let (options, transport, route) = way
      let host = try Rig.current.host(of: server)
      let (path, inbox) = (try makeFile(1_000_003), try makeFolder())
      let isPrivate = options.contains("--relay-only")
      try await CarillonProcess.run(receiving(inbox, host: host) + (isPrivate ? ["--relay-only"] : [])) {
        receiver in
        try await receiver.event("online")
        let sender = try await CarillonProcess.run(sending(path, host: host) + options)
        #expect(sender.exitCode == 0, "\(sender.message)")
        let sent = try sender.event("file.sent")
        let outcome = try await receiver.outcome()
        #expect(outcome.exitCode == 0, "\(outcome.message)")
        let received = try outcome.event("file.received")
        #expect(sent.string("transport") == transport)
        #expect(sent.string("route")?.hasPrefix(route.prefix(8)) == true, "\(sent.line)")
        #expect(received.string("sha256") == sent.string("sha256"))
        let arrived = try #require(received.string("path"))
        #expect(FileManager.default.contentsEqual(atPath: path, andPath: arrived))
        #expect(names(in: inbox).count == 1)
      }
    }

    @Test("To who is away, a file goes by HTTP upload, and is fetched later", .timeLimit(.minutes(1)))
    func away() async throws {
      let (path, inbox) = (try makeFile(3_000_003), try makeFolder())
      let sender = try await CarillonProcess.run(["send", path, "--to", bob] + signingIn(alice))
      #expect(sender.exitCode == 0, "\(sender.message)")
      let sent = try sender.event("file.sent")
      #expect(sent.string("transport") == "upload" && sent.string("route") == "127.0.0.1")
      #expect(sent.boolean("isConfirmed") == false)
      #expect(try sender.event("file.fellBack").string("to") == "upload")
      let receiver = try await CarillonProcess.run(receiving(inbox, "--from", alice))
      #expect(receiver.exitCode == 0, "\(receiver.message)")
      let received = try receiver.event("file.received")
      #expect(received.string("sha256") == sent.string("sha256") && received.boolean("isConfirmed") == true)
      let arrived = try #require(received.string("path"))
      #expect(FileManager.default.contentsEqual(atPath: path, andPath: arrived))
      #expect(names(in: inbox).count == 1)
    }

    @Test("A file that is shared as a link is fetched only where that is wanted", .timeLimit(.minutes(1)))
    func links() async throws {
      let (path, inbox) = (try makeFile(100_000), try makeFolder())
      for (options, isFetched) in [([], false), (["--from", alice, "--relay-only"], false), (["--download"], true)] {
        try await CarillonProcess.run(receiving(inbox) + options) { receiver in
          try await receiver.event("online")
          let sender = try await CarillonProcess.run(sending(path, "--transport", "upload"))
          #expect(sender.exitCode == 0, "\(sender.message)")
          if isFetched {
            let outcome = try await receiver.outcome()
            #expect(outcome.exitCode == 0, "\(outcome.message)")
          } else {
            #expect(try await receiver.event("file.ignored").string("host") == "127.0.0.1")
          }
          #expect(names(in: inbox).count == (isFetched ? 1 : 0))
        }
      }
    }

    @Test("What the server's HTTP upload does not take is told before it is begun", .timeLimit(.minutes(1)))
    func tooLargeToUpload() async throws {
      let sender = try await CarillonProcess.run(sending(try makeFile(8_000_001), "--transport", "upload"))
      #expect(sender.exitCode == 73, "\(sender.message)")
      #expect(sender.message.contains("8000001") && sender.message.contains("8000000"))
    }

    @Test("A receiver that is killed goes on where it was, whenever that is", .timeLimit(.minutes(2)))
    func killed() async throws {
      let (path, inbox) = (try makeFile(6_000_000), try makeFolder())
      var offsets: [Double] = []
      for attempt in 0..<3 {
        try await CarillonProcess.run(receiving(inbox)) { receiver in
          try await receiver.event("online")
          try await CarillonProcess.run(sending(path, "--transport", "ibb")) { sender in
            let started = try await receiver.event("file.started")
            offsets.append(started.number("offset") ?? 0)
            if attempt < 2 {
              try await receiver.event("file.progress", count: 3)
              receiver.send(SIGKILL)
              sender.send(SIGTERM)
            } else {
              let outcome = try await sender.outcome()
              #expect(outcome.exitCode == 0, "\(outcome.message)")
              let received = try await receiver.outcome().event("file.received")
              let arrived = try #require(received.string("path"))
              #expect(FileManager.default.contentsEqual(atPath: path, andPath: arrived))
              #expect(received.number("size") == 6_000_000)
            }
          }
        }
      }
      #expect(offsets[0] == 0 && offsets[1] > 0 && offsets[2] > offsets[1], "\(offsets)")
      #expect(names(in: inbox).count == 1)
    }

    @Test("Standard input arrives as a file, and on standard output", .timeLimit(.minutes(1)))
    func standardInput() async throws {
      let (path, inbox) = (try makeFile(3_000_001), try makeFolder())
      let contents = try Data(contentsOf: URL(filePath: path))
      for target in [inbox, "-"] {
        try await CarillonProcess.run(["receive", "--into", target, "--once"] + signingIn(bob + "/files")) { receiver in
          while !receiver.standardOutput.hasEvent("online"), !receiver.standardError.hasEvent("online") {
            try await Task.sleep(for: .milliseconds(20))
          }
          try await CarillonProcess.run(sending("-", "--name", "pipe.bin")) { sender in
            try await sender.event("file.started")
            try sender.write(contents)
            let outcome = try await sender.outcome()
            #expect(outcome.exitCode == 0, "\(outcome.message)")
            let sent = try outcome.event("file.sent")
            #expect(sent.number("size") == 3_000_001 && sent.boolean("isConfirmed") == true)
          }
          let outcome = try await receiver.outcome()
          #expect(outcome.exitCode == 0, "\(outcome.standardError)")
          if target == "-" {
            #expect(receiver.standardOutput == contents)
            #expect(outcome.standardError.hasEvent("file.received"))
          }
        }
      }
      #expect(names(in: inbox) == ["pipe.bin"])
      #expect(FileManager.default.contentsEqual(atPath: path, andPath: inbox + "/pipe.bin"))
    }

    @Test("Who may not send is not told that anybody is there", .timeLimit(.minutes(1)))
    func strangers() async throws {
      let (path, inbox) = (try makeFile(10), try makeFolder())
      try await CarillonProcess.run(receiving(inbox, "--from", "nobody@example.test")) { receiver in
        try await receiver.event("online")
        let sender = try await CarillonProcess.run(sending(path, "--transport", "s5b"))
        #expect(sender.exitCode == 12, "\(sender.message)")
        #expect(names(in: inbox).isEmpty)
      }
    }

    @Test("A file that is too large is declined, and both say so", .timeLimit(.minutes(1)))
    func tooLarge() async throws {
      let (path, inbox) = (try makeFile(2_000), try makeFolder())
      try await CarillonProcess.run(receiving(inbox, "--max-size", "1K")) { receiver in
        try await receiver.event("online")
        let sender = try await CarillonProcess.run(sending(path))
        let outcome = try await receiver.outcome()
        #expect(sender.exitCode == 10 && outcome.exitCode == 73, "\(sender.message); \(outcome.message)")
        #expect(try sender.event("error").string("code") == "declined")
        #expect(sender.message.contains("takes none as large"), "\(sender.message)")
        #expect(outcome.message.contains("larger than the 1000 bytes"), "\(outcome.message)")
        #expect(names(in: inbox).isEmpty)
      }
    }

    @Test("What cannot be sent, or put anywhere, is said before anything is", .timeLimit(.minutes(1)))
    func beforehand() async throws {
      let folder = try await CarillonProcess.run(["receive", "--into", "/nowhere"] + signingIn(bob))
      #expect(folder.exitCode == 73 && folder.message.contains("/nowhere"))
      let file = try await CarillonProcess.run(["send", "/nowhere", "--to", bob] + signingIn(alice))
      #expect(file.exitCode == 1 && file.message.contains("/nowhere"))
    }

    @Test("The benchmark of files measures each way between two processes", .timeLimit(.minutes(2)))
    func benchmark() async throws {
      let outcome = try await CarillonProcess.run(["bench", "files", "--size", "200K", "--json"])
      #expect(outcome.exitCode == 0, "\(outcome.message)")
      let measured = outcome.events.filter { $0.name == "bench.files" }
      #expect(measured.compactMap { $0.string("transport") } == ["datachannel", "s5b", "s5b", "ibb", "ibb"])
      #expect(measured.allSatisfy { $0.number("bytes") == 200_000 && $0.number("megabytesPerSecond") ?? 0 > 0 })
    }
  }
}

extension String {
  fileprivate func hasEvent(_ name: String) -> Bool { contains("\"event\":\"\(name)\"") }
}

extension Data {
  fileprivate func hasEvent(_ name: String) -> Bool { String(decoding: self, as: UTF8.self).hasEvent(name) }
}
