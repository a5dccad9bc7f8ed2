import Foundation
import Testing

extension IntegrationTests {
  /// What happens while a call runs, asked for by commands on standard input and seen in the events of both ends.
  @Suite(.serialized) struct ChangeTests {
    private let alice = Rig.current.account()
    private let bob = Rig.current.account()

    /// Runs a call between two that tell their events, to its good end.
    ///
    /// - Parameter refusals: whether something that is asked for may be refused.
    private func withCall(
      _ caller: [String] = [], _ answerer: [String] = [], refusals: Bool = false,
      _ body: (_ caller: End, _ answerer: End) async throws -> Void
    ) async throws {
      let answer = ["answer", "--once", "--audio", "tone:440"] + answerer + signingIn(bob)
      try await CarillonProcess.run(answer) { answering in
        try await answering.event("online")
        let call = ["call", bob, "--audio", "tone:1000"] + caller + signingIn(alice)
        try await CarillonProcess.run(call) { calling in
          try await calling.event("call.connected")
          try await answering.event("call.connected")
          let (caller, answerer) = (End(calling), End(answering))
          for end in [caller, answerer] {
            end.receives = Set(try await end.process.event("call.statistics").packetsReceived.keys)
          }
          try await body(caller, answerer)
          for process in [calling, answering] {
            let outcome = try await process.outcome()
            #expect(outcome.exitCode == 0, "\(outcome.message)")
            #expect(try outcome.event("call.ended").string("reason") == "success")
            #expect(refusals || !outcome.events.contains { $0.name == "error" }, "\(outcome.message)")
            #expect(outcome.standardError.isEmpty)
          }
        }
      }
    }

    @Test("A call goes through everything, and media flows again after each step", .timeLimit(.minutes(3)))
    func everything() async throws {
      try await withCall { caller, answerer in
        try await flows(caller, answerer)

        let camera = try await add(["source": "bars:320x180@15"], by: caller, to: answerer)
        try await flows(caller, answerer)

        try await hold(by: caller, with: answerer)
        try await flows(caller, answerer)

        try await restartICE(by: caller, with: answerer)
        try await flows(caller, answerer)

        let screen = try await add(["source": "bars:640x360@10", "category": "slides"], by: caller, to: answerer)
        try await flows(caller, answerer)

        // Without a name, the one that was added last.
        try await remove(nil, expecting: screen, by: caller, with: answerer)
        try await flows(caller, answerer)
        try await remove(camera, expecting: camera, by: caller, with: answerer)
        try await flows(caller, answerer)

        try await press("159#", by: caller, heardBy: answerer)
        try await flows(caller, answerer)

        try caller.process.command("hangUp")
        #expect(try await caller.event("call.ended").boolean("endedByPeer") == false)
        #expect(try await answerer.event("call.ended").boolean("endedByPeer") == true)
      }
    }

    @Test("The called side changes the call as the calling side does", .timeLimit(.minutes(3)))
    func byTheCallee() async throws {
      try await withCall(["--video", "bars:320x180@15"], ["--video", "bars:320x180@15"]) { caller, answerer in
        #expect(caller.receives.count == 2)
        try await flows(caller, answerer)

        try await hold(by: answerer, with: caller)
        try await flows(caller, answerer)

        let screen = try await add(["source": "bars:320x180@10", "category": "slides"], by: answerer, to: caller)
        try await flows(caller, answerer)

        try await restartICE(by: answerer, with: caller)
        try await flows(caller, answerer)

        try await remove(screen, expecting: screen, by: answerer, with: caller)
        try await flows(caller, answerer)

        try await press("0*D", by: answerer, heardBy: caller)
        try answerer.process.command("hangUp")
        #expect(try await answerer.event("call.ended").boolean("endedByPeer") == false)
        #expect(try await caller.event("call.ended").boolean("endedByPeer") == true)
      }
    }

    @Test("When both ends ask for the same at once, the call is the same for both", .timeLimit(.minutes(3)))
    func atOnce() async throws {
      try await withCall(refusals: true) { caller, answerer in
        let ends = [caller, answerer]
        func askBoth(_ command: String, _ fields: [String: String] = [:]) throws -> [Int] {
          let marks = ends.map(\.process.events.count)
          for end in ends { try end.process.command(command, fields) }
          return marks
        }

        var marks = try askBoth("addVideo", ["source": "bars:320x180@15"])
        // The caller's goes first; the answerer's is refused, unless it came late enough to be another one.
        answerer.receives.insert(try #require(try await caller.event("call.mediaAdded").string("content")))
        let second = try await answerer.process.event(after: marks[1]) {
          $0.name == "error" || $0.name == "call.mediaAdded" && $0.boolean("byPeer") == false
        }
        if let name = second.string("content") { caller.receives.insert(name) }
        try await flows(caller, answerer)

        marks = try askBoth("hold")
        for (end, mark) in zip(ends, marks) {
          for byPeer in [false, true] {
            try await end.process.event("call.held", after: mark) { $0.boolean("byPeer") == byPeer }
          }
        }
        try await standsStill(caller, answerer)
        _ = try askBoth("unhold")
        try await flows(caller, answerer)

        marks = try askBoth("restartICE")
        for (end, mark) in zip(ends, marks) { try await end.process.event("call.pathChanged", after: mark) }
        try await flows(caller, answerer)
        for end in ends { #expect(end.process.events.count { $0.name == "call.iceRestarting" } <= 2) }

        // Again and again, before any is done.
        marks = try askBoth("restartICE")
        for _ in 0..<2 { _ = try askBoth("restartICE") }
        for (end, mark) in zip(ends, marks) { try await end.process.event("call.pathChanged", after: mark) }
        try await flows(caller, answerer)

        _ = try askBoth("hangUp")
      }
    }

    @Test("Who shows only relays names no other address in any stanza, whatever happens", .timeLimit(.minutes(3)))
    func relayed() async throws {
      try await withCall(["--relay-only"], ["--relay-only"]) { caller, answerer in
        try await flows(caller, answerer)
        try await restartICE(by: caller, with: answerer, over: "relay")
        try await flows(caller, answerer)
        _ = try await add(["source": "bars:320x180@15"], by: answerer, to: caller)
        try await flows(caller, answerer)
        for end in [caller, answerer] {
          #expect(try await end.event("call.connected").string("localCandidateType") == "relay")
        }
        try caller.process.command("hangUp")
      }
      let log = try String(contentsOf: Rig.current.folder.appending(path: "prosody.log"), encoding: .utf8)
      let stanzas = log.split(separator: "\n").filter { $0.contains("RECV: <iq") && $0.contains("urn:xmpp:jingle:1") }
      for (from, to) in [(alice, bob), (bob, alice)] {
        let candidates = stanzas.filter { $0.contains("to='\(to)/") }.flatMap { $0.matches(of: /<candidate [^>]*>/) }
        // At first and after the restart.
        #expect(candidates.count >= 2, "\(from)")
        for candidate in candidates.map(\.output) {
          #expect(candidate.contains("type='relay'"), "\(candidate)")
          #expect(!candidate.contains("rel-addr=") || candidate.contains("rel-addr='0.0.0.0'"), "\(candidate)")
        }
      }
    }

    // MARK: Steps

    private func add(_ fields: [String: String], by adder: End, to other: End) async throws -> String {
      try adder.process.command("addVideo", fields)
      let (added, seen) = (try await adder.event("call.mediaAdded"), try await other.event("call.mediaAdded"))
      let name = try #require(added.string("content"))
      #expect(seen.string("content") == name)
      #expect([added.boolean("byPeer"), seen.boolean("byPeer")] == [false, true])
      for event in [added, seen] {
        #expect(event.string("media") == "video")
        #expect(event.strings("categories") == (fields["category"].map { [$0] } ?? []))
      }
      other.receives.insert(name)
      return name
    }

    private func remove(_ name: String?, expecting expected: String, by remover: End, with other: End) async throws {
      try remover.process.command("removeVideo", name.map { ["content": $0] } ?? [:])
      for (end, byPeer) in [(remover, false), (other, true)] {
        let removed = try await end.event("call.mediaRemoved")
        #expect(removed.string("content") == expected)
        #expect(removed.boolean("byPeer") == byPeer)
        end.receives.remove(expected)
      }
    }

    private func hold(by holder: End, with other: End) async throws {
      let ends = [(holder, false), (other, true)]
      let before = try ends.map { end, _ in try #require(end.process.events.last { $0.name == "call.statistics" }) }
      try holder.process.command("hold")
      let held = try await tell("call.held", ends)
      try await standsStill(holder, other)
      try holder.process.command("unhold")
      let unheld = try await tell("call.unheld", ends)
      for (index, (end, _)) in ends.enumerated() {
        let after = try await end.process.event("call.statistics", after: end.process.events.count) {
          $0.number("packetsSent", of: "audio", "outbound-rtp") != nil
        }
        try expectSilence(from: held[index], to: unheld[index], among: before[index], after)
      }
    }

    /// Waits for an event that each of the ends tells.
    private func tell(_ name: String, _ ends: [(end: End, byPeer: Bool)]) async throws -> [Event] {
      var events: [Event] = []
      for (end, byPeer) in ends {
        events.append(try await end.event(name))
        #expect(events.last?.boolean("byPeer") == byPeer)
      }
      return events
    }

    /// No more sound was sent between two statistics than fits, at a packet every 20 ms, into what was not held of the
    /// time between them. What is on hold has no figures of its own.
    private func expectSilence(from held: Event, to unheld: Event, among first: Event, _ last: Event) throws {
      let durations = try [first, last].map { try #require($0.number("durationMs")) }
      let counts = try [first, last].map { try #require($0.number("packetsSent", of: "audio", "outbound-rtp")) }
      let hold = 1000 * (try #require(unheld.time)).timeIntervalSince(try #require(held.time))
      #expect(counts[1] - counts[0] < (durations[1] - durations[0] - hold) / 20 + 25)
    }

    private func restartICE(by restarter: End, with other: End, over type: String = "host") async throws {
      try restarter.process.command("restartICE")
      #expect(try await restarter.event("call.iceRestarting").boolean("byPeer") == false)
      #expect(try await other.event("call.iceRestarting").boolean("byPeer") == true)
      for end in [restarter, other] {
        #expect(try await end.event("call.pathChanged").string("localCandidateType") == type)
      }
    }

    private func press(_ digits: String, by presser: End, heardBy other: End) async throws {
      try presser.process.command("dtmf", ["digits": digits])
      for digit in digits {
        for (end, byPeer) in [(presser, false), (other, true)] {
          let event = try await end.event("call.dtmf")
          #expect(event.string("digit") == String(digit))
          #expect(event.boolean("byPeer") == byPeer)
        }
      }
    }

    /// All that each end should receive grows between two of its statistics, and there is nothing else.
    private func flows(_ ends: End...) async throws {
      let marks = ends.map(\.process.events.count)
      for (end, mark) in zip(ends, marks) {
        let before = try await end.process.event("call.statistics", after: mark) {
          Set($0.packetsReceived.keys) == end.receives
        }.packetsReceived
        try await end.process.event("call.statistics", after: mark) { event in
          let now = event.packetsReceived
          return end.receives.allSatisfy { now[$0] ?? 0 > before[$0] ?? .max } && Set(now.keys) == end.receives
        }
      }
    }

    /// Nothing is sent by either end, and nothing arrives.
    private func standsStill(_ ends: End...) async throws {
      let seen = ends.map { end in end.process.events.count { $0.name == "call.statistics" } }
      for (end, seen) in zip(ends, seen) {
        // What was under way may still come during the first.
        let first = try await end.process.event("call.statistics", count: seen + 2)
        let last = try await end.process.event("call.statistics", count: seen + 4)
        #expect(last.packetsSent == first.packetsSent)
        #expect(last.packetsReceived == first.packetsReceived)
      }
    }
  }
}

/// One end of a call, whose events are looked at in their order.
private final class End {
  let process: CarillonProcess
  /// The contents of which media should arrive.
  var receives: Set<String> = []
  private var seen: [String: Int] = [:]

  init(_ process: CarillonProcess) { self.process = process }

  /// Waits for the event of this name that comes after the last one asked for.
  func event(_ name: String) async throws -> Event {
    seen[name, default: 0] += 1
    let count = seen[name]!
    return try await process.event(name, count: count)
  }
}
