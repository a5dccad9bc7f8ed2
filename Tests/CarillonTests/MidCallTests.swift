import CarillonTesting
import JingleCore
import Testing
import XMPPCore

@testable import Carillon

/// What changes in a running call, seen at both ends.
@Suite(.serialized, .timeLimit(.minutes(1)))
struct MidCallTests {
  /// A call between two clients, with all that both ends are told.
  private struct Ends: Sendable {
    let call: Call
    let ours = Log<CallEvent>()
    let theirs: Log<CallEvent>
    let theirCall: Log<Call>

    var peer: Call { theirCall.entries[0] }
  }

  /// Connects a call and runs `body` in it. The caller hangs up when it returns.
  private func withConnected(
    _ mine: MediaOffer, over server: InMemoryServer = InMemoryServer(), _ yours: @escaping @Sendable () -> MediaOffer,
    _ body: @escaping @Sendable (Ends) async throws -> Void
  ) async throws {
    let (theirs, theirCall) = (Log<CallEvent>(), Log<Call>())
    let onCall: OnCall = { incoming in
      try await incoming.answer(with: yours()) { call in
        theirCall.append(call)
        for await event in call.events { theirs.append(event) }
      }
    }
    try await withClient(server, "bob@localhost/desk", onCall: onCall) { _ in
      try await withClient(server, "alice@localhost/laptop") { client in
        try await client.withCall(to: jid("bob@localhost"), offering: mine) { call in
          let ends = Ends(call: call, theirs: theirs, theirCall: theirCall)
          try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { for await event in call.events { ends.ours.append(event) } }
            try await until {
              ends.ours.entries.contains(where: \.isConnected) && theirs.entries.contains(where: \.isConnected)
            }
            try await body(ends)
            await call.hangUp()
            try await group.waitForAll()
          }
        }
      }
    }
    #expect(theirs.entries.end?.error == nil)
  }

  private func hears(_ ear: Ear, _ count: Int = 9_600) async throws {
    let before = ear.count
    try await until { ear.count > before + count }
  }

  private func sees(_ eye: Eye, _ count: Int = 5) async throws {
    let before = eye.count
    try await until { eye.count > before + count }
  }

  @Test(arguments: [VideoCallTests.Habit.none, .noBundle, .noHeaderExtensionsAndNoSources, .noBundleNorMultiplexing])
  func `a call goes from sound to pictures, a shared screen, and back`(habit: VideoCallTests.Habit) async throws {
    let server = InMemoryServer(rewriting: habit.apply)
    let (ear, eye, screen, back) = (Ear(), Eye(), Eye(), Eye())
    let offers = Log<CallContent>()
    let yours: @Sendable () -> MediaOffer = {
      var offer = MediaOffer(audio: Tone(880), audioSink: ear)
      offer.onAdded = { content in
        offers.append(content)
        return content.categories.contains(.slides)
          ? MediaOffer(videoSink: screen) : MediaOffer(video: Paint(Paint.blue), videoSink: eye)
      }
      return offer
    }
    try await withConnected(.tone(440), over: server, yours) { ends in
      let added = try await ends.call.add(MediaOffer(video: Paint(Paint.red), videoSink: back))
      #expect(added.map(\.kind) == [.video] && added[0].sends && added[0].receives)
      try await sees(eye)
      try await sees(back)
      try await until { eye.sees(Paint.red) }
      try await until { back.sees(Paint.blue) }

      let shared = try await ends.call.add(MediaOffer(video: Paint(Paint.blue)), category: .slides)
      #expect(shared.count == 1 && shared[0].sends && !shared[0].receives && shared[0].categories == [.slides])
      try await sees(screen)
      try await sees(eye)
      try await until { screen.sees(Paint.blue) }
      #expect(offers.entries.map(\.categories) == [[], [.slides]])
      #expect(await ends.peer.contents.map(\.kind) == [.audio, .video, .video])

      try await ends.call.remove(added[0].name)
      try await until { ends.theirs.entries.names.last == "removed" }
      try await sees(screen)
      try await hears(ear)
      try await ends.peer.remove(shared[0].name)
      try await until { ends.ours.entries.names.last == "removed" }
      try await hears(ear)
      #expect(await ends.call.contents.map(\.kind) == [.audio])
      #expect(eye.isFinished && screen.isFinished && back.isFinished)
    }
  }

  @Test func `the side that was called adds pictures`() async throws {
    let (eye, ear) = (Eye(), Ear())
    try await withConnected(.tone(440, to: ear), { .tone(880) }) { ends in
      // The call's own offer has no place for pictures.
      await #expect(throws: CallError.self) {
        try await ends.peer.add(MediaOffer(video: Paint(Paint.red)))
      }
      try await until { ends.ours.entries.names.last == "refused" }
    }
    var mine = MediaOffer.tone(440)
    mine.onAdded = { _ in MediaOffer(videoSink: eye) }
    try await withConnected(mine, { .tone(880) }) { ends in
      let added = try await ends.peer.add(MediaOffer(video: Paint(Paint.red)))
      #expect(added[0].sends && !added[0].receives)
      try await sees(eye)
      #expect(ends.ours.entries.names.contains("added"))
    }
  }

  @Test func `hold stops media both ways, and what was there comes back`() async throws {
    let (ear, theirEar, eye, theirEye) = (Ear(), Ear(), Eye(), Eye())
    let mine = MediaOffer(audio: Tone(440), video: Paint(Paint.red), audioSink: ear, videoSink: eye)
    let yours: @Sendable () -> MediaOffer = {
      MediaOffer(audio: Tone(880), video: Paint(Paint.blue), audioSink: theirEar, videoSink: theirEye)
    }
    try await withConnected(mine, yours) { ends in
      try await sees(eye)
      try await sees(theirEye)
      try await ends.call.hold()
      try await until { ends.theirs.entries.names.last == "held" }
      // What is under way still comes.
      var earlier = [-1]
      try await until {
        let now = [eye.count, theirEye.count, await ends.peer.sent]
        defer { earlier = now }
        if now != earlier { try? await Task.sleep(for: .milliseconds(300)) }
        return now == earlier
      }
      try await Task.sleep(for: .milliseconds(1_200))
      #expect([eye.count, theirEye.count, await ends.peer.sent] == earlier)

      try await ends.call.unhold()
      try await until { ends.theirs.entries.names.last == "unheld" }
      try await sees(eye)
      try await sees(theirEye)
      try await hears(ear)
      try await hears(theirEar)
    }
  }

  @Test func `who is muted sends silence, and the peer is told`() async throws {
    let (ear, theirEar) = (Ear(), Ear())
    try await withConnected(.tone(440, to: ear), { .tone(880, to: theirEar) }) { ends in
      try await hears(theirEar)
      try await ends.call.mute(.audio)
      try await until { ends.theirs.entries.names.last == "muted" }
      try await until { theirEar.isSilentAtTheEnd }
      try await hears(ear)
      try await ends.call.unmute(.audio)
      try await until { ends.theirs.entries.names.last == "unmuted" }
      try await until { !theirEar.isSilentAtTheEnd }
      await #expect(throws: CallError.self) { try await ends.call.mute(.video) }
    }
  }

  @Test func `ICE restarts while sound goes on`() async throws {
    let (ear, theirEar) = (Ear(), Ear())
    try await withConnected(.tone(440, to: ear), { .tone(880, to: theirEar) }) { ends in
      try await hears(theirEar)
      try await ends.call.restartICE()
      try await until {
        ends.ours.entries.names.contains("pathChanged") && ends.theirs.entries.names.contains("pathChanged")
      }
      #expect(ends.theirs.entries.names.contains("restartingICE"))
      try await hears(ear)
      try await hears(theirEar)
      try await ends.peer.restartICE()
      try await until { ends.ours.entries.names.filter { $0 == "pathChanged" }.count == 2 }
      try await hears(ear)
      try await hears(theirEar)
    }
  }

  @Test func `a new transport takes the old one's place while sound goes on`() async throws {
    let (ear, theirEar) = (Ear(), Ear())
    try await withConnected(.tone(440, to: ear), { .tone(880, to: theirEar) }) { ends in
      for end in [ends.call, ends.peer] {
        try await hears(theirEar)
        let before = [ends.ours, ends.theirs].map { $0.entries.names.count { $0 == "pathChanged" } }
        try await end.replaceTransports()
        try await until {
          [ends.ours, ends.theirs].map { $0.entries.names.count { $0 == "pathChanged" } } == before.map { $0 + 1 }
        }
        try await hears(ear)
        try await hears(theirEar)
      }
      #expect(ends.ours.entries.warnings.isEmpty && ends.theirs.entries.warnings.isEmpty)
    }
  }

  @Test func `a new transport has a place for RTCP where the old one had none, and restarts with it`() async throws {
    let server = InMemoryServer(rewriting: VideoCallTests.Habit.noBundleNorMultiplexing.apply)
    let (ear, theirEar) = (Ear(), Ear())
    try await withConnected(.tone(440, to: ear), over: server, { .tone(880, to: theirEar) }) { ends in
      let changes: @Sendable () -> [Int] = {
        [ends.ours, ends.theirs].map { $0.entries.names.count { $0 == "pathChanged" } }
      }
      // Long enough for reports, were there any.
      try await until { await ends.call.statistics?.duration ?? .zero > .seconds(3) }
      #expect(await ends.call.statistics?.roundTripTime == nil)
      var before = changes()
      try await ends.call.replaceTransports()
      try await until { changes() == before.map { $0 + 1 } }
      try await until { await ends.call.statistics?.roundTripTime != nil }
      before = changes()
      try await ends.peer.restartICE()
      try await until { changes() == before.map { $0 + 1 } }
      try await hears(ear)
      try await hears(theirEar)
      #expect(ends.ours.entries.warnings.count == 1 && ends.theirs.entries.warnings.isEmpty)
    }
  }

  @Test func `keys are pressed at one end and told at the other`() async throws {
    try await withConnected(.tone(440), { .tone(880) }) { ends in
      try await ends.call.sendDTMF("12#")
      let keys: @Sendable () -> [Character] = {
        ends.theirs.entries.compactMap { if case .dtmf(let key, _, byPeer: true) = $0 { key } else { nil } }
      }
      try await until { keys().count == 3 }
      #expect(keys() == ["1", "2", "#"])
      await #expect(throws: CallError.self) { try await ends.call.sendDTMF("1x") }
    }
  }

  @Test func `the last medium that is removed ends the call`() async throws {
    try await withConnected(.tone(440), { .tone(880) }) { ends in
      try await ends.call.remove("audio")
      try await until { ends.theirs.entries.end != nil }
    }
  }

  @Test func `nothing can be changed that is not there`() async throws {
    try await withConnected(.tone(440), { .tone(880) }) { ends in
      await #expect(throws: CallError.self) { try await ends.call.remove("video") }
      await #expect(throws: CallError.self) { try await ends.call.add(MediaOffer()) }
      await #expect(throws: CallError.self) { try await ends.call.add(.tone(600)) }
    }
  }
}

extension Call {
  /// Packets sent so far.
  fileprivate var sent: Int {
    get async { await statistics?.outbound.reduce(0) { $0 + $1.packetsSent } ?? 0 }
  }
}

extension Ear {
  /// Whether the last 100 ms are silent.
  fileprivate var isSilentAtTheEnd: Bool { last(4_800).allSatisfy { abs(Int($0)) < 50 } }
}
