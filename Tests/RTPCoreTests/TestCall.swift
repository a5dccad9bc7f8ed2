import MediaTime

@testable import RTPCore

/// What a direction of the line does to packets.
struct Line {
  var delay: Duration = .milliseconds(20)
  /// Evenly spread on both sides of the delay.
  var jitter: Duration = .zero
  var loss = 0.0
  var duplication = 0.0
}

/// One side of a call: a session, a source of 20 ms frames and what was played.
struct Party {
  var session: RTPSession
  var events: [RTPSession.Event] = []
  var units: [PlayoutUnit] = []
  var nextFrame: Instant
  var frameInterval: Duration
  var position: Int64 = 0
  /// Frames are left out while it says so.
  var isSilent: @Sendable (_ position: Int64) -> Bool = { _ in false }

  var inbound: RTPSession.InboundStatistics { session.statistics.audio!.inbound }
  var outbound: RTPSession.OutboundStatistics { session.statistics.audio!.outbound }
  var jitterBuffer: JitterBuffer.Statistics { session.statistics.audio!.jitterBuffer }
  var concealed: Int { jitterBuffer.concealedSamples / 960 }
  var frames: [ReceivedAudioFrame] { units.compactMap { if case .frame(let frame) = $0 { frame } else { nil } } }
  var skips: Int { units.count { if case .skipped = $0 { true } else { false } } }

  init(
    ssrc: UInt32, sequenceNumber: UInt16 = 65_000, timestamp: UInt32 = 0xFFFF_0000, clockError: Double = 0,
    at now: Instant
  ) {
    let configuration = RTPSession.Configuration(
      cname: "party-\(ssrc)",
      audio: .init(
        localSSRC: ssrc, payloadType: 111, acceptedPayloadTypes: [111: .opus],
        initialSequenceNumber: SequenceNumber(rawValue: sequenceNumber),
        initialTimestamp: RTPTimestamp(rawValue: timestamp)),
      wallClock: .init(instant: now, time: NTPTime(sinceUnixEpoch: .seconds(1_700_000_000))), seed: UInt64(ssrc))
    session = RTPSession(configuration: configuration, at: now)
    nextFrame = now
    frameInterval = .nanoseconds(Int64(20_000_000 * (1 - clockError)))
  }
}

/// Two sessions and the line between them, in virtual time.
struct TestCall {
  static let start = Instant(nanoseconds: 5_000_000_000)

  var parties: [Party]
  /// By the sender's index.
  var lines: [Line]
  var now = Self.start
  /// Lost on the line, RTP only, by the sender's index.
  var lost = [0, 0]

  private var generator: SeededGenerator
  private var inFlight: [(arrival: Instant, to: Int, bytes: [UInt8])] = []

  init(line: Line = Line(), clockError: Double = 0, seed: UInt64 = 1) {
    parties = [
      Party(ssrc: 1000, clockError: clockError, at: Self.start), Party(ssrc: 2000, sequenceNumber: 7, at: Self.start),
    ]
    lines = [line, line]
    generator = SeededGenerator(seed: seed)
  }

  mutating func run(for duration: Duration) {
    let end = now + duration
    while true {
      let times =
        parties.flatMap { [$0.nextFrame, $0.session.nextDeadline] }.compactMap { $0 } + inFlight.map(\.arrival)
      guard let next = times.min(), next <= end else { break }
      now = max(now, next)
      let due = inFlight.filter { $0.arrival <= now }.sorted { $0.arrival < $1.arrival }
      inFlight.removeAll { $0.arrival <= now }
      for packet in due { parties[packet.to].session.receive(packet.bytes.span, at: now) }
      for index in parties.indices {
        if parties[index].nextFrame <= now { sendFrame(index) }
        if let deadline = parties[index].session.nextDeadline, deadline <= now {
          parties[index].session.timeout(at: now)
        }
        drain(index)
      }
    }
    now = end
  }

  private mutating func sendFrame(_ index: Int) {
    let position = parties[index].position
    if !parties[index].isSilent(position) {
      // SILK, 20 ms, mono; then the frame's number.
      let number = UInt32(truncatingIfNeeded: position / 960)
      let isLast = parties[index].isSilent(position + 960)
      var payload: [UInt8] = [0x08]
      if !isLast { payload.append(uint32: number) }
      parties[index].session.send(EncodedAudioFrame(payload: payload, position: position, duration: 960), at: now)
    }
    parties[index].position += 960
    parties[index].nextFrame = parties[index].nextFrame + parties[index].frameInterval
  }

  mutating func drain(_ index: Int) {
    while let output = parties[index].session.nextOutput() {
      switch output {
      case .packet(let packet): carry(packet, from: index)
      case .audio(let unit): parties[index].units.append(unit)
      case .event(let event): parties[index].events.append(event)
      case .video, .encoder: break
      }
    }
  }

  private mutating func carry(_ packet: RTPSession.OutgoingPacket, from index: Int) {
    let line = lines[index]
    if Double.random(in: 0..<1, using: &generator) < line.loss {
      if packet.kind == .rtp { lost[index] += 1 }
      return
    }
    let copies = Double.random(in: 0..<1, using: &generator) < line.duplication ? 2 : 1
    for _ in 0..<copies {
      let jitter = line.jitter * Double.random(in: -1...1, using: &generator)
      inFlight.append((now + line.delay + jitter, 1 - index, packet.bytes))
    }
  }
}
