import MediaTime
import Testing

@testable import RTPCore

@Suite("Two sessions hold a call over a line, in virtual time")
struct CallTests {
  static let seeds: [UInt64] = [1, 2, 3, 4, 5]

  @Test func `On a clean line every frame is played once, in order, and the round trip is the line's`() {
    var call = TestCall()
    call.run(for: .seconds(60))
    for party in call.parties {
      let statistics = party.session.statistics
      #expect(party.concealed == 0)
      #expect(party.skips == 0)
      #expect(party.frames.count >= 2990)
      #expect(party.frames.enumerated().allSatisfy { $1.position == Int64($0) * 960 })
      #expect(party.frames.enumerated().allSatisfy { number($1) == UInt32($0) })
      #expect(party.inbound.packetsLost == 0)
      #expect(party.inbound.jitter < .milliseconds(1))
      #expect(statistics.packetsMalformed + statistics.packetsIgnored + party.inbound.packetsDuplicated == 0)
      #expect(39...41 ~= statistics.roundTripTime?.inMilliseconds ?? 0)
      #expect(party.outbound.remotePacketsLost == 0)
      #expect(party.jitterBuffer.delay <= .milliseconds(80))
      #expect(party.events.count == 1)
    }
    #expect(call.parties[0].events == [.firstMediaReceived(ssrc: 2000)])
    #expect(call.parties[0].outbound.packetsSent == 3001)
    #expect(call.parties[0].inbound.ssrc == 2000)
  }

  @Test(arguments: seeds)
  func `A line of 40 ± 8 ms with 3 % loss costs the lost frames and hardly more`(seed: UInt64) {
    var call = TestCall(line: Line(delay: .milliseconds(40), jitter: .milliseconds(8), loss: 0.03), seed: seed)
    call.run(for: .seconds(60))
    for (index, party) in call.parties.enumerated() {
      let statistics = party.session.statistics
      let lost = call.lost[1 - index]
      #expect(abs(party.inbound.packetsLost - lost) <= 3, "\(party.inbound.packetsLost) of \(lost)")
      #expect(abs(party.inbound.lossRate - 0.03) < 0.01)
      #expect(lost - 5...lost + 5 ~= party.concealed, "\(party.concealed) for \(lost)")
      #expect(party.inbound.packetsLate <= 2)
      #expect(abs(statistics.roundTripTime!.inMilliseconds - 80) <= 17)
      #expect(2...8 ~= party.inbound.jitter.inMilliseconds)
      #expect(abs(Double(party.outbound.remotePacketsLost!) - Double(call.lost[index])) <= 6)
      #expect(party.outbound.remoteJitter! > .milliseconds(2))
      #expect(party.jitterBuffer.delay <= .milliseconds(100))
      #expect(longestGap(party) <= 5 * 960)
      // Nearly all single losses can be mended from the next packet.
      let mendable = party.units.count {
        if case .concealment(let concealment) = $0 { concealment.nextPayload != nil } else { false }
      }
      #expect(mendable * 10 >= lost * 8, "\(mendable) of \(lost)")
    }
  }

  @Test(arguments: seeds)
  func `Jitter that reorders packets is waited for`(seed: UInt64) {
    var call = TestCall(line: Line(delay: .milliseconds(100), jitter: .milliseconds(40)), seed: seed)
    call.run(for: .seconds(10))
    let before = call.parties.map(\.concealed)
    call.run(for: .seconds(60))
    for (party, before) in zip(call.parties, before) {
      #expect(party.inbound.packetsReordered > 100)
      #expect(party.inbound.packetsLost <= 3)
      #expect(party.concealed - before <= 30, "\(party.concealed - before) of 3000")
      #expect(party.jitterBuffer.delay <= .milliseconds(160))
    }
  }

  @Test func `Duplicates are played once and counted`() {
    var call = TestCall(line: Line(jitter: .milliseconds(5), duplication: 0.2))
    call.run(for: .seconds(30))
    for party in call.parties {
      #expect(200...400 ~= party.inbound.packetsDuplicated)
      #expect(abs(party.inbound.cumulativeLost + party.inbound.packetsDuplicated) <= 2)
      #expect(party.inbound.packetsLost == 0)
      #expect(Set(party.frames.map(\.position)).count == party.frames.count)
      #expect(party.concealed == 0)
    }
  }

  @Test(arguments: [0.0002, -0.0002])
  func `A sender's clock that is off by 200 ppm costs a frame now and then`(clockError: Double) {
    var call = TestCall(line: Line(jitter: .milliseconds(3)), clockError: clockError)
    call.run(for: .seconds(600))
    let listener = call.parties[1]
    // 120 ms of difference: six frames.
    #expect(listener.concealed <= 8, "\(listener.concealed)")
    #expect(listener.skips <= 8, "\(listener.skips)")
    #expect(listener.concealed + listener.skips >= 3)
    #expect(listener.jitterBuffer.delay <= .milliseconds(110))
    #expect(listener.inbound.packetsLate == 0)
  }

  @Test func `Silence that is left out is neither lost nor concealed`() {
    var call = TestCall(line: Line(delay: .milliseconds(40), jitter: .milliseconds(8)))
    // One second of speech, one of silence with a packet every 400 ms, as Opus does.
    let isSilent: @Sendable (Int64) -> Bool = { position in
      let frame = position / 960 % 100
      return frame >= 50 && frame % 20 != 10
    }
    call.parties[0].isSilent = isSilent
    call.run(for: .seconds(60))
    let listener = call.parties[1]
    #expect(listener.inbound.packetsLost == 0)
    #expect(listener.jitterBuffer.concealedSamples <= 3 * 960)
    #expect(listener.jitterBuffer.silentSamples > 1200 * 960)
    #expect(listener.inbound.packetsLate == 0)
    #expect(listener.frames.count + listener.skips >= 3000 / 100 * 53 - 10)
  }

  @Test func `A delay that jumps up costs the jump, and the buffer comes down after it`() {
    var call = TestCall()
    call.run(for: .seconds(10))
    call.lines[0].delay = .milliseconds(220)
    call.run(for: .seconds(10))
    let listener = call.parties[1]
    #expect(7...11 ~= listener.concealed, "\(listener.concealed)")
    call.lines[0].delay = .milliseconds(20)
    call.run(for: .seconds(40))
    #expect(call.parties[1].jitterBuffer.delay <= .milliseconds(90))
    #expect(call.parties[1].concealed <= 11)
  }

  @Test func `A sender that restarts with other numbers is followed`() {
    var call = TestCall()
    call.run(for: .seconds(5))
    var restarted = Party(ssrc: 1000, sequenceNumber: 20_000, timestamp: 77, at: call.now)
    restarted.position = 0
    call.parties[0] = restarted
    call.run(for: .seconds(5))
    let listener = call.parties[1]
    #expect(listener.session.statistics.packetsIgnored == 1)
    #expect(listener.inbound.packetsLost == 0)
    #expect(listener.frames.count >= 485)
    #expect(listener.frames.map(\.position) == listener.frames.map(\.position).sorted())
    #expect(listener.events == [.firstMediaReceived(ssrc: 1000)])
  }

  @Test func `A new SSRC takes over once the old one is silent`() {
    var call = TestCall()
    call.run(for: .seconds(5))
    call.parties[0] = Party(ssrc: 1001, at: call.now)
    call.run(for: .seconds(5))
    let listener = call.parties[1]
    #expect(listener.events == [.firstMediaReceived(ssrc: 1000), .ssrcChanged(from: 1000, to: 1001)])
    #expect(listener.inbound.ssrc == 1001)
    #expect(listener.inbound.packetsReceived >= 498)
    #expect(listener.frames.count >= 485)
    #expect(call.parties[0].session.statistics.roundTripTime != nil)
  }

  @Test func `BYE ends the stream, with its reason, and playout`() {
    var call = TestCall()
    call.run(for: .seconds(2))
    call.parties[0].session.finish(reason: "going home", at: call.now)
    call.drain(0)
    #expect(call.parties[0].session.nextDeadline == nil)
    call.run(for: .seconds(2))
    let listener = call.parties[1]
    #expect(listener.events == [.firstMediaReceived(ssrc: 1000), .byeReceived(reason: "going home")])
    #expect(listener.concealed == 0)
    #expect(listener.frames.count == 101)
    #expect(call.parties[0].outbound.packetsSent == 101)
  }

  @Test func `What was measured of a stream stays told after its BYE`() {
    var call = TestCall(line: Line(delay: .milliseconds(40), jitter: .milliseconds(8)))
    call.run(for: .seconds(5))
    let before = call.parties[1].inbound
    call.parties[0].session.finish(reason: nil, at: call.now)
    call.drain(0)
    call.run(for: .seconds(1))
    let after = call.parties[1].inbound
    #expect(2...8 ~= after.jitter.inMilliseconds)
    #expect(after.packetsReceived >= before.packetsReceived)
  }

  private func number(_ frame: ReceivedAudioFrame) -> UInt32? {
    frame.payload.count == 5 ? frame.payload.span.uint32(at: 1) : nil
  }

  /// The longest run without a frame, in samples.
  private func longestGap(_ party: Party) -> Int {
    var longest = 0
    var gap = 0
    for unit in party.units {
      switch unit {
      case .frame: gap = 0
      case .skipped: break
      case .concealment(let concealment): gap += concealment.duration
      }
      longest = max(longest, gap)
    }
    return longest
  }
}
