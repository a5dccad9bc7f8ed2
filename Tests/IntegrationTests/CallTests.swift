import Foundation
import Testing

/// The built command against a real XMPP server and a real TURN server.
@Suite(.rig) enum IntegrationTests {}

extension IntegrationTests {
  /// Calls that come about; one after the other, for sound takes time from the machine.
  @Suite(.serialized) struct CallTests {
    private let alice = Rig.current.account()
    private let bob = Rig.current.account()

    private func expectSameSound(_ source: String, _ recording: String, minimum: Double = 0.9) async throws {
      let outcome = try await CarillonProcess.run(["compare", source, recording, "--minimum", "\(minimum)", "--json"])
      #expect(outcome.exitCode == 0, "\(outcome.events.map(\.line)) \(outcome.standardError)")
    }

    @Test("A call through a server carries each end's sound to the other", .timeLimit(.minutes(1)))
    func bothWays() async throws {
      let (heardByAlice, heardByBob) = (Rig.current.file("wav"), Rig.current.file("wav"))
      let answer = ["answer", "--once", "--audio", "tone:440", "--record", heardByBob] + signingIn(bob)
      try await CarillonProcess.run(answer) { answerer in
        try await answerer.event("online")
        let caller = try await CarillonProcess.run(
          ["call", bob, "--audio", "tone:1000", "--record", heardByAlice, "--for", "4s"] + signingIn(alice))
        #expect(caller.exitCode == 0, "\(caller.message)")
        let story = caller.events.map(\.name).filter { $0 != "call.statistics" }
        #expect(
          story == [
            "online", "call.proposed", "call.ringing", "call.proceeding", "call.connecting", "call.connected",
            "call.ended",
          ])

        let connected = try caller.event("call.connected")
        for key in ["setupTimeMs", "iceTimeMs", "dtlsTimeMs"] { #expect(connected.number(key) != nil, "\(key)") }
        #expect(connected.string("localCandidateType") == "host")
        #expect(connected.string("srtpProfile") == "SRTP_AEAD_AES_128_GCM")
        #expect(connected.string("audioCodec")?.hasPrefix("opus/48000") == true)

        let ended = try caller.event("call.ended")
        #expect(ended.string("reason") == "success")
        #expect(ended.number("packetsSent", of: "audio", "outbound-rtp") ?? 0 > 150)
        #expect(ended.number("packetsReceived", of: "audio", "inbound-rtp") ?? 0 > 150)
        #expect(ended.number("packetsLost", of: "audio", "inbound-rtp") == 0)

        let answered = try await answerer.outcome()
        #expect(answered.exitCode == 0, "\(answered.message)")
        #expect(try answered.event("call.ended").string("reason") == "success")
      }
      try await expectSameSound("tone:440", heardByAlice)
      try await expectSameSound("tone:1000", heardByBob)
    }

    @Test("Speech arrives in each kind of recording", .timeLimit(.minutes(1)), arguments: ["wav", "ogg", "webm"])
    func recordings(ending: String) async throws {
      let recording = Rig.current.file(ending)
      try await CarillonProcess.run(["answer", "--once", "--record", recording] + signingIn(bob)) { answerer in
        try await answerer.event("online")
        let caller = try await CarillonProcess.run(
          ["call", bob, "--audio", "speech", "--for", "5s"] + signingIn(alice))
        #expect(caller.exitCode == 0, "\(caller.message)")
        #expect(try await answerer.outcome().exitCode == 0)
      }
      try await expectSameSound("speech", recording)
    }

    @Test("Pictures go both ways beside the sound, and are kept", .timeLimit(.minutes(1)))
    func video() async throws {
      let (seenByAlice, seenByBob) = (Rig.current.file("webm"), Rig.current.file("y4m"))
      let answer = ["answer", "--once", "--video", "bars:320x180@15", "--record", seenByBob] + signingIn(bob)
      try await CarillonProcess.run(answer) { answerer in
        try await answerer.event("online")
        let call = ["call", bob, "--audio", "tone", "--video", "bars", "--record", seenByAlice, "--for", "5s"]
        let caller = try await CarillonProcess.run(call + signingIn(alice))
        #expect(caller.exitCode == 0, "\(caller.message)")
        #expect(try caller.event("call.connected").string("videoCodec")?.hasSuffix("/90000") == true)
        let ended = try caller.event("call.ended")
        #expect(ended.number("frameWidth", of: "video", "outbound-rtp") == 640)
        #expect(ended.number("frameWidth", of: "video", "inbound-rtp") == 320)
        #expect(ended.number("framesEncoded", of: "video", "outbound-rtp") ?? 0 > 100)
        #expect(ended.number("framesReceived", of: "video", "inbound-rtp") ?? 0 > 50)
        let answered = try await answerer.outcome()
        #expect(answered.exitCode == 0, "\(answered.message)")
        #expect(try answered.event("call.ended").number("framesDecoded", of: "video", "inbound-rtp") ?? 0 > 100)
      }
      for file in [seenByAlice, seenByBob] {
        let size = try FileManager.default.attributesOfItem(atPath: file)[.size] as? Int
        #expect(size ?? 0 > 10_000, "\(file)")
      }
    }

    @Test("Who does not ask for pictures gets none", .timeLimit(.minutes(1)))
    func audioOnly() async throws {
      try await CarillonProcess.run(["answer", "--once", "--video", "bars"] + signingIn(bob)) { answerer in
        try await answerer.event("online")
        let caller = try await CarillonProcess.run(["call", bob, "--for", "2s"] + signingIn(alice))
        #expect(caller.exitCode == 0, "\(caller.message)")
        #expect(try caller.event("call.connected").string("videoCodec") == nil)
      }
    }

    @Test("Relayed calls show only the relay's addresses", .timeLimit(.minutes(1)))
    func relayed() async throws {
      let recording = Rig.current.file("wav")
      try await CarillonProcess.run(["answer", "--once", "--record", recording] + signingIn(bob)) { answerer in
        try await answerer.event("online")
        let caller = try await CarillonProcess.run(
          ["call", bob, "--audio", "tone:440", "--for", "3s", "--relay-only"] + signingIn(alice))
        #expect(caller.exitCode == 0, "\(caller.message)")
        #expect(try caller.event("call.connected").string("localCandidateType") == "relay")
        // Learnt from a check that came through the relay before the candidate itself, it counts as peer reflexive.
        let remote = try await answerer.outcome().event("call.connected").string("remoteCandidateType")
        #expect(remote == "relay" || remote == "prflx")
      }
      try await expectSameSound("tone:440", recording)
    }

    @Test("A caller who sends nothing still hears", .timeLimit(.minutes(1)))
    func receiveOnly() async throws {
      let recording = Rig.current.file("wav")
      try await CarillonProcess.run(["answer", "--once", "--audio", "tone:440"] + signingIn(bob)) { answerer in
        try await answerer.event("online")
        let caller = try await CarillonProcess.run(
          ["call", bob, "--audio", "none", "--record", recording, "--for", "3s"] + signingIn(alice))
        #expect(caller.exitCode == 0, "\(caller.message)")
      }
      try await expectSameSound("tone:440", recording)
    }

    @Test("A second caller is told busy while the first is answered", .timeLimit(.minutes(1)))
    func busy() async throws {
      let carol = Rig.current.account()
      try await CarillonProcess.run(["answer", "--once"] + signingIn(bob)) { answerer in
        try await answerer.event("online")
        try await CarillonProcess.run(["call", bob] + signingIn(alice)) { first in
          try await first.event("call.connected")
          let second = try await CarillonProcess.run(["call", bob] + signingIn(carol))
          #expect(second.exitCode == 11, "\(second.message)")
          first.send(SIGINT)
          #expect(try await first.outcome().exitCode == 130)
        }
      }
    }

    @Test(
      "Ctrl-C hangs up and says so to the peer", .timeLimit(.minutes(1)),
      arguments: [(SIGINT, 130), (SIGTERM, 143)] as [(Int32, Int32)])
    func interrupted(signal: Int32, exitCode: Int32) async throws {
      try await CarillonProcess.run(["answer", "--once"] + signingIn(bob)) { answerer in
        try await answerer.event("online")
        try await CarillonProcess.run(["call", bob] + signingIn(alice)) { caller in
          try await caller.event("call.statistics")
          caller.send(signal)
          let outcome = try await caller.outcome()
          #expect(outcome.exitCode == exitCode)
          #expect(try outcome.event("call.ended").string("reason") == "success")
        }
        let answered = try await answerer.outcome()
        #expect(answered.exitCode == 0)
        #expect(try answered.event("call.ended").string("reason") == "success")
      }
    }

    @Test(
      "Ctrl-C ends a call at every step of its set-up", .timeLimit(.minutes(1)),
      arguments: ["call.ringing", "call.proceeding", "call.connecting"])
    func interruptedEarly(step: String) async throws {
      try await CarillonProcess.run(["answer", "--once"] + signingIn(bob)) { answerer in
        try await answerer.event("online")
        try await CarillonProcess.run(["call", bob] + signingIn(alice)) { caller in
          try await caller.event(step)
          caller.send(SIGINT)
          #expect(try await caller.outcome().exitCode == 130)
        }
        // The other end may have connected by then or not; it must not stay.
        _ = try await answerer.outcome()
      }
    }

    @Test("When the peer's process is killed, the call ends and the recordings of both play", .timeLimit(.minutes(2)))
    func killedPeer() async throws {
      let (heardByAlice, heardByBob) = (Rig.current.file("wav"), Rig.current.file("ogg"))
      let answer = ["answer", "--audio", "tone:440", "--record", heardByBob] + signingIn(bob)
      try await CarillonProcess.run(answer) { answerer in
        try await answerer.event("online")
        let call = ["call", bob, "--audio", "tone:1000", "--record", heardByAlice] + signingIn(alice)
        try await CarillonProcess.run(call) { caller in
          try await caller.event("call.statistics", count: 3)
          answerer.send(SIGKILL)
          let outcome = try await caller.outcome()
          #expect(outcome.exitCode != 0)
          #expect(try outcome.event("call.ended").string("reason") != "success")
        }
      }
      // After the tone comes half a minute of silence, until the peer was given up.
      try await expectSameSound("tone:440", heardByAlice, minimum: 0.2)
      try await expectSameSound("tone:1000", heardByBob)
    }
  }
}

/// A server that goes away needs a rig of its own.
@Suite(.rig, .serialized) struct ServerOutageTests {
  private let alice = Rig.current.account()
  private let bob = Rig.current.account()

  @Test("A call outlives the server, and its end is told when the server is back", .timeLimit(.minutes(2)))
  func outage() async throws {
    try await CarillonProcess.run(["answer", "--once", "--audio", "tone:440"] + signingIn(bob)) { answerer in
      try await answerer.event("online")
      try await CarillonProcess.run(["call", bob, "--audio", "tone:440"] + signingIn(alice)) { caller in
        try await caller.event("call.connected")
        try Rig.current.command("server stop")
        let seen = caller.events.count { $0.name == "call.statistics" }
        let before = try await caller.event("call.statistics", count: seen + 1)
        let after = try await caller.event("call.statistics", count: seen + 4)
        let received = [before, after].map { $0.number("packetsReceived", of: "audio", "inbound-rtp") ?? 0 }
        #expect(received[1] > received[0] + 100)
        try Rig.current.command("server start")
        try await caller.event("online", count: 2)
        try await answerer.event("online", count: 2)
        caller.send(SIGINT)
        #expect(try await caller.outcome().exitCode == 130)
      }
      #expect(try await answerer.outcome().event("call.ended").string("reason") == "success")
    }
  }

  @Test(
    "A server that is restarted in mid-call leaves no gap, and both ends find the call again", .timeLimit(.minutes(2)))
  func restart() async throws {
    try await losingStreams(hosts: [Rig.current.host, Rig.current.host], for: "20s") {
      try Rig.current.command("server stop")
      try await Task.sleep(for: .seconds(1))
      try Rig.current.command("server start")
    }
  }

  @Test(
    "A connection that breaks in mid-call is carried on, of one end or of both", .timeLimit(.minutes(2)),
    arguments: [1, 2])
  func brokenConnections(count: Int) async throws {
    let proxies = try (0..<count).map { _ in try TCPProxy(to: Rig.current.host) }
    defer { for proxy in proxies { proxy.stop() } }
    let hosts = proxies.map(\.host) + Array(repeating: Rig.current.host, count: 2 - count)
    let log = URL(filePath: Rig.current.folder.path).appending(path: "prosody.log")
    func resumptions() throws -> Int {
      try String(contentsOf: log, encoding: .utf8).components(separatedBy: "resuming existing session").count
    }
    let before = try resumptions()
    try await losingStreams(hosts: hosts, losers: count, for: "10s") { for proxy in proxies { proxy.cut() } }
    #expect(try resumptions() == before + count)
  }

  /// A call whose ends, the caller first, lose their streams to `hosts` by `disturb` and get them back.
  ///
  /// - Parameter losers: how many of the two do.
  private func losingStreams(
    hosts: [String], losers: Int = 2, for duration: String, _ disturb: () async throws -> Void
  ) async throws {
    let (heardByAlice, heardByBob) = (Rig.current.file("wav"), Rig.current.file("wav"))
    let answer = ["answer", "--once", "--audio", "tone:440", "--record", heardByBob] + signingIn(bob, host: hosts[1])
    try await CarillonProcess.run(answer) { answerer in
      try await answerer.event("online")
      let call = ["call", bob, "--audio", "tone:1000", "--record", heardByAlice, "--for", duration]
      try await CarillonProcess.run(call + signingIn(alice, host: hosts[0])) { caller in
        try await caller.event("call.statistics", count: 2)
        try await answerer.event("call.statistics", count: 2)
        try await disturb()
        for process in [caller, answerer].prefix(losers) {
          try await process.event("call.signallingLost")
          try await process.event("call.signallingRestored")
        }
        let (called, answered) = (try await caller.outcome(), try await answerer.outcome())
        for outcome in [called, answered] {
          #expect(outcome.exitCode == 0, "\(outcome.message)")
          #expect(try outcome.event("call.ended").string("reason") == "success")
          #expect(try outcome.event("call.ended").number("packetsLost", of: "audio", "inbound-rtp") == 0)
        }
        #expect([called, answered].count { $0.events.contains { $0.name == "call.signallingLost" } } == losers)
      }
    }
    for (source, recording) in [("tone:440", heardByAlice), ("tone:1000", heardByBob)] {
      let outcome = try await CarillonProcess.run(["compare", source, recording, "--minimum", "0.9", "--json"])
      #expect(outcome.exitCode == 0, "\(outcome.message)")
      #expect(try outcome.event("compare").number("longestGapMs") ?? 1000 < 100)
    }
  }
}
