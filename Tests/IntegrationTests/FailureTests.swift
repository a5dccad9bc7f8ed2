import Foundation
import Testing

extension IntegrationTests {
  /// Calls that do not come about: each has its exit code, a message that helps, and leaves nothing behind.
  @Suite struct FailureTests {
    private let alice = Rig.current.account()
    private let bob = Rig.current.account()

    @Test("A peer who declines", .timeLimit(.minutes(1)))
    func declined() async throws {
      try await CarillonProcess.run(["answer", "--from", "nobody@example.test"] + signingIn(bob)) { answerer in
        try await answerer.event("online")
        let recording = Rig.current.file("wav")
        let outcome = try await CarillonProcess.run(["call", bob, "--record", recording] + signingIn(alice))
        #expect(outcome.exitCode == 10, "\(outcome.message)")
        #expect(try outcome.event("error").string("code") == "declined")
        #expect(!FileManager.default.fileExists(atPath: recording))
      }
    }

    @Test("A peer who lets only contacts ring", .timeLimit(.minutes(1)))
    func stranger() async throws {
      // Contacts are all accounts of one domain.
      let stranger = Rig.current.account(at: "badturn.test")
      try await CarillonProcess.run(["answer", "--from", "contacts", "--once"] + signingIn(bob)) { answerer in
        try await answerer.event("online")
        let refused = try await CarillonProcess.run(["call", bob, "--wait", "2s"] + signingIn(stranger))
        #expect(refused.exitCode == 12, "\(refused.message)")
        #expect(!refused.events.contains { $0.name == "call.ringing" })
        #expect(!answerer.events.contains { $0.name.hasPrefix("call.") })
        let outcome = try await CarillonProcess.run(["call", bob, "--for", "1s"] + signingIn(alice))
        #expect(outcome.exitCode == 0, "\(outcome.message)")
        #expect(try await answerer.outcome().exitCode == 0)
      }
    }

    @Test("A peer who is offline", .timeLimit(.minutes(1)))
    func offline() async throws {
      let outcome = try await CarillonProcess.run(["call", bob, "--wait", "2s"] + signingIn(alice))
      #expect(outcome.exitCode == 12, "\(outcome.message)")
    }

    @Test("A peer who does not exist", .timeLimit(.minutes(1)))
    func nonexistent() async throws {
      let outcome = try await CarillonProcess.run(["call", "nobody@example.test", "--wait", "5s"] + signingIn(alice))
      #expect(outcome.exitCode == 12, "\(outcome.message)")
      #expect(outcome.message.contains("nobody@example.test"))
    }

    @Test("A wrong password", .timeLimit(.minutes(1)))
    func wrongPassword() async throws {
      let outcome = try await CarillonProcess.run(["call", bob] + signingIn(alice), password: "wrong")
      #expect(outcome.exitCode == 77, "\(outcome.message)")
      #expect(!outcome.message.contains("wrong-"))
    }

    @Test(
      "A server whose certificate cannot be trusted", .timeLimit(.minutes(1)),
      arguments: [("expired.test", "expired"), ("misnamed.test", "misnamed.test"), ("example.test", "trust")])
    func certificate(domain: String, reason: String) async throws {
      let authority = domain == "example.test" ? Rig.current.otherCertificateAuthority : nil
      let account = Rig.current.account(at: domain)
      let outcome = try await CarillonProcess.run(["call", bob] + signingIn(account, certificateAuthority: authority))
      #expect([69, 78].contains(outcome.exitCode), "\(outcome.message)")
      #expect(outcome.message.contains(reason), "\(outcome.message)")
    }

    @Test("A server that is not there", .timeLimit(.minutes(1)))
    func noServer() async throws {
      // Port 1 of loopback refuses connections.
      let outcome = try await CarillonProcess.run([
        "call", bob, "--account", alice, "--host", "127.0.0.1:1", "--ca-file", Rig.current.certificateAuthority,
        "--json",
      ])
      #expect(outcome.exitCode == 69, "\(outcome.message)")
      #expect(outcome.message.contains("127.0.0.1"))
    }

    @Test("Relays that refuse the credentials", .timeLimit(.minutes(1)))
    func refusedByRelay() async throws {
      let (caller, callee) = (Rig.current.account(at: "badturn.test"), Rig.current.account(at: "badturn.test"))
      try await CarillonProcess.run(["answer"] + signingIn(callee)) { answerer in
        try await answerer.event("online")
        let outcome = try await CarillonProcess.run(["call", callee, "--relay-only"] + signingIn(caller))
        #expect(outcome.exitCode == 14, "\(outcome.message)")
        #expect(outcome.message.contains("TURN"), "\(outcome.message)")
      }
    }

    @Test("Ctrl-C before anybody answers", .timeLimit(.minutes(1)))
    func interruptedWhileCalling() async throws {
      try await CarillonProcess.run(["call", bob] + signingIn(alice)) { caller in
        try await caller.event("call.proposed")
        caller.send(SIGINT)
        #expect(try await caller.outcome().exitCode == 130)
      }
    }

    @Test("A recording that cannot be made is told before anybody is called", .timeLimit(.minutes(1)))
    func impossibleRecording() async throws {
      let outcome = try await CarillonProcess.run(["call", bob, "--record", "/nonexistent/x.wav"] + signingIn(alice))
      #expect(outcome.exitCode == 73)
      #expect(outcome.events.map(\.name) == ["error"])
    }

    @Test("A source that cannot be read is told before anybody is called", .timeLimit(.minutes(1)))
    func impossibleSource() async throws {
      let outcome = try await CarillonProcess.run(["call", bob, "--audio", "/nonexistent.wav"] + signingIn(alice))
      #expect(outcome.exitCode == 1)
      #expect(outcome.message.contains("/nonexistent.wav"))
    }

    @Test("With --json everything on standard output is JSON, and the password is nowhere", .timeLimit(.minutes(1)))
    func cleanOutput() async throws {
      let outcome = try await CarillonProcess.run(
        ["call", bob, "--wait", "1s", "--log-level", "trace"] + signingIn(alice))
      #expect(outcome.events.allSatisfy { !$0.name.isEmpty && $0.string("time") != nil })
      let everything = outcome.events.map(\.line).joined() + outcome.standardError
      #expect(!everything.contains(Rig.current.password))
      let encoded = Data("\0\(alice.prefix { $0 != "@" })\0\(Rig.current.password)".utf8).base64EncodedString()
      #expect(!everything.contains(encoded))
    }
  }
}
