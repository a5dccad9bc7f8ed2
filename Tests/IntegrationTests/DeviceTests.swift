import Foundation
import Testing

extension IntegrationTests {
  /// Several devices of one account.
  @Suite(.serialized) struct DeviceTests {
    private let alice = Rig.current.account()
    private let bob = Rig.current.account()

    /// Has three devices ring.
    private func ring(
      _ body: (_ caller: CarillonProcess, _ taker: CarillonProcess, _ others: [CarillonProcess]) async throws -> Void
    ) async throws {
      let answer = ["answer", "--once", "--ask", "--audio", "tone:440"] + signingIn(bob)
      try await CarillonProcess.run(answer) { first in
        try await CarillonProcess.run(answer) { second in
          try await CarillonProcess.run(answer) { third in
            let devices = [first, second, third]
            for device in devices { try await device.event("online") }
            try await CarillonProcess.run(["call", bob, "--audio", "tone:1000"] + signingIn(alice)) { caller in
              for device in devices { try await device.event("call.proposed") }
              try await caller.event("call.ringing", count: 3)
              #expect(Set(caller.events.compactMap { $0.string("device") }).count == 3)
              try await body(caller, second, [first, third])
            }
          }
        }
      }
    }

    /// Prints how long after an event another one was told, which no test is about.
    private func tellDelay(of name: String, at others: [CarillonProcess], since event: Event, _ whose: String) throws {
      for other in others {
        let told = try #require(other.events.first { $0.name == name }?.time)
        let delay = told.timeIntervalSince(try #require(event.time))
        print("\(name): \(Int((1000 * delay).rounded())) ms after \(event.name) at \(whose)")
      }
    }

    /// What a device tells once a call came.
    private func story(_ outcome: CarillonProcess.Outcome) -> [String] {
      outcome.events.map(\.name).filter { $0 != "online" && $0 != "error" }
    }

    @Test("Three devices ring, one takes it, and the others stop", .timeLimit(.minutes(1)))
    func answered() async throws {
      try await ring { caller, taker, others in
        try taker.command("answer")
        for other in others {
          try await other.event("call.answeredElsewhere")
          let outcome = try await other.outcome()
          #expect(story(outcome) == ["call.proposed", "call.answeredElsewhere", "call.ended"])
          #expect(outcome.exitCode == 0, "\(outcome.message)")
        }
        // The call is the taker's alone.
        for end in [caller, taker] {
          try await end.event("call.connected")
          let mark = end.events.count
          let before = try await end.event("call.statistics", after: mark).packetsReceived
          let after = try await end.event("call.statistics", after: mark) { $0.packetsReceived != before }
          #expect(after.packetsReceived.values.reduce(0, +) > before.values.reduce(0, +))
        }
        #expect(caller.events.count { $0.name == "call.proceeding" } == 1)
        try tellDelay(
          of: "call.answeredElsewhere", at: others, since: try await taker.event("call.proceeding"), "the device")
        try tellDelay(
          of: "call.answeredElsewhere", at: others, since: try await caller.event("call.proceeding"), "the caller")
        try caller.command("hangUp")
        for end in [caller, taker] {
          let outcome = try await end.outcome()
          #expect(outcome.exitCode == 0, "\(outcome.message)")
          #expect(try outcome.event("call.ended").string("reason") == "success")
        }
      }
    }

    @Test("Three devices ring, one declines, and the others stop", .timeLimit(.minutes(1)))
    func declined() async throws {
      try await ring { caller, decliner, others in
        try decliner.command("decline")
        for other in others {
          try await other.event("call.declinedElsewhere")
          let outcome = try await other.outcome()
          #expect(story(outcome) == ["call.proposed", "call.declinedElsewhere", "call.ended"])
          #expect(outcome.exitCode == 10, "\(outcome.message)")
        }
        let outcome = try await caller.outcome()
        #expect(outcome.exitCode == 10, "\(outcome.message)")
        #expect(!outcome.events.contains { ["call.proceeding", "call.connected"].contains($0.name) })
        #expect(try await decliner.outcome().exitCode == 10)
        try tellDelay(
          of: "call.declinedElsewhere", at: others, since: try await decliner.event("call.ended"), "the device")
        try tellDelay(
          of: "call.declinedElsewhere", at: others, since: try outcome.event("call.ended"), "the caller")
      }
    }
  }
}
