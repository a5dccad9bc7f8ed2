import MediaTime

@testable import RTPCore

/// Two sessions with audio and video, their encoders, and the path between them, in virtual time.
struct VideoTestCall {
  static let start = Instant(nanoseconds: 5_000_000_000)
  static let frameInterval = Duration.nanoseconds(33_333_333)

  struct Encoder {
    var target: Int?
    var keyFrameRequests: [Instant] = []
    var isKeyFrameDue = true
    var sentFrames = 0
    var targets: [(time: Instant, bitsPerSecond: Int)] = []
  }

  struct Party {
    var session: RTPSession
    /// Packets on their way to the other side.
    var path: TestLink<[UInt8]>
    var sendsVideo = true
    var sendsAudio = true

    /// By stream; each begins with its first target.
    var encoders: [Int: Encoder] = [:]
    var target: Int? { encoders[0]?.target }
    var keyFrameRequests: [Instant] { encoders[0]?.keyFrameRequests ?? [] }
    var sentFrames: Int { encoders[0]?.sentFrames ?? 0 }
    var nextVideo: Instant
    var nextAudio: Instant
    var audioPosition: Int64 = 0
    var targets: [(time: Instant, bitsPerSecond: Int)] { encoders[0]?.targets ?? [] }

    // What was received.
    var events: [RTPSession.Event] = []
    var received: [(frame: ReceivedVideoFrame, stream: Int, time: Instant)] = []
    var frames: [ReceivedVideoFrame] { received.map(\.frame) }
    var audio: [ReceivedAudioFrame] = []
    var concealments: [Concealment] = []
    var longestPause = Duration.zero
    var lastFrameAt: Instant?
    var packets: [(time: Instant, bytes: [UInt8], kind: RTPSession.OutgoingPacket.Kind)] = []

    var video: RTPSession.VideoStatistics { session.statistics.video[0] }
    var outbound: RTPSession.OutboundStatistics { session.statistics.video[0].outbound }

    func rtpBits(since time: Instant) -> Double {
      Double(packets.reduce(0) { $0 + ($1.time >= time && $1.kind == .rtp ? $1.bytes.count * 8 : 0) })
    }
  }

  var parties: [Party]
  var now = Self.start
  var generator: SeededGenerator

  static func configuration(
    _ index: Int, feedback: RTPSession.VideoStream.Feedback? = nil, hasRTX: Bool = true, maximum: Int = 1_500_000
  ) -> RTPSession.Configuration {
    let base = UInt32(index + 1) * 1000
    let other = UInt32(2 - index) * 1000
    let wrap = SequenceNumber(rawValue: 65_500)
    var configuration = RTPSession.Configuration(
      cname: "party-\(index)",
      wallClock: .init(
        instant: start - .seconds(index), time: NTPTime(sinceUnixEpoch: .seconds(1_700_000_000 - index))),
      seed: UInt64(index) + 9)
    configuration.usesReducedSizeRTCP = true
    configuration.headerExtensions = .init(
      audioLevel: 1, absoluteSendTime: 2, transportSequenceNumber: 3, mid: 4)
    configuration.bandwidth = .init(
      initialBitsPerSecond: 500_000, minimumBitsPerSecond: 50_000, maximumBitsPerSecond: maximum)
    let feedback =
      feedback
      ?? .init(nack: true, pictureLoss: true, fullIntraRequest: true, bitrateLimit: true, transport: true)
    configuration.audio = .init(
      localSSRC: base, remoteSSRCs: [other], mid: "audio", payloadType: 111, acceptedPayloadTypes: [111: .opus],
      usesTransportFeedback: feedback.transport, initialSequenceNumber: wrap,
      initialTimestamp: RTPTimestamp(rawValue: 0xFFFF_0000 &+ base))
    configuration.video = [
      .init(
        localSSRC: base + 1, remoteSSRCs: [other + 1], remoteRetransmissionSSRCs: hasRTX ? [other + 1: other + 2] : [:],
        mid: "video", payloadType: 96, format: .vp8,
        retransmission: hasRTX
          ? .init(localSSRC: base + 2, payloadType: 97, initialSequenceNumber: wrap) : nil,
        acceptedPayloadTypes: [96: .vp8], acceptedRetransmissions: hasRTX ? [97: 96] : [:], feedback: feedback,
        initialSequenceNumber: wrap, initialTimestamp: RTPTimestamp(rawValue: 0xFFFE_0000 &- base))
    ]
    return configuration
  }

  init(
    _ configurations: [RTPSession.Configuration] = [configuration(0), configuration(1)], seed: UInt64 = 1
  ) {
    parties = configurations.enumerated().map { index, configuration in
      Party(
        session: RTPSession(configuration: configuration, at: Self.start),
        path: TestLink(seed: seed * 10 + UInt64(index)),
        nextVideo: Self.start, nextAudio: Self.start)
    }
    generator = SeededGenerator(seed: seed)
  }

  mutating func run(for duration: Duration) {
    let end = now + duration
    while true {
      var next = end + .nanoseconds(1)
      for index in parties.indices {
        next = min(next, parties[index].nextVideo, parties[index].nextAudio)
        next = min(next, parties[index].session.nextDeadline ?? next, parties[index].path.nextArrival ?? next)
      }
      guard next <= end else { break }
      now = max(now, next)
      for index in parties.indices {
        for packet in parties[index].path.arrived(at: now) {
          parties[1 - index].session.receive(packet.span, at: now)
          drain(1 - index)
        }
      }
      for index in parties.indices {
        if let deadline = parties[index].session.nextDeadline, deadline <= now {
          parties[index].session.timeout(at: now)
          drain(index)
        }
        if parties[index].nextVideo <= now { sendVideo(index) }
        if parties[index].nextAudio <= now { sendAudio(index) }
        drain(index)
      }
    }
    now = end
  }

  private mutating func sendVideo(_ index: Int) {
    parties[index].nextVideo = parties[index].nextVideo + Self.frameInterval
    guard parties[index].sendsVideo else { return }
    for stream in parties[index].encoders.keys.sorted() { sendVideo(index, stream) }
  }

  private mutating func sendVideo(_ index: Int, _ stream: Int) {
    guard let encoder = parties[index].encoders[stream], let target = encoder.target else { return }
    let isKeyFrame = encoder.isKeyFrameDue
    parties[index].encoders[stream]?.isKeyFrameDue = false
    let size = Double(target) / 8 / 30 * Double.random(in: 0.7...1.3, using: &generator) * (isKeyFrame ? 4 : 1)
    parties[index].session.send(
      EncodedVideoFrame(
        payload: VideoFixture.vp8(isKeyFrame: isKeyFrame, count: max(Int(size), 20)), isKeyFrame: isKeyFrame,
        capturedAt: now),
      stream: stream, at: now)
    parties[index].encoders[stream]?.sentFrames += 1
  }

  private mutating func sendAudio(_ index: Int) {
    parties[index].nextAudio = parties[index].nextAudio + .milliseconds(20)
    guard parties[index].sendsAudio else { return }
    parties[index].session.send(
      EncodedAudioFrame(
        payload: [0x08] + [UInt8](repeating: 7, count: 79), position: parties[index].audioPosition, duration: 960,
        level: -30),
      at: now)
    parties[index].audioPosition += 960
  }

  mutating func drain(_ index: Int) {
    while let output = parties[index].session.nextOutput() {
      switch output {
      case .packet(let packet):
        parties[index].packets.append((now, packet.bytes, packet.kind))
        parties[index].path.send(packet.bytes, size: packet.bytes.count, at: now)
      case .audio(.frame(let frame)), .audio(.skipped(let frame)): parties[index].audio.append(frame)
      case .audio(.concealment(let concealment)): parties[index].concealments.append(concealment)
      case .video(let frame, let stream):
        if let last = parties[index].lastFrameAt {
          parties[index].longestPause = max(parties[index].longestPause, now - last)
        }
        parties[index].lastFrameAt = now
        parties[index].received.append((frame, stream, now))
      case .encoder(.bitsPerSecond(let target), let stream):
        parties[index].encoders[stream, default: Encoder()].target = target
        parties[index].encoders[stream]?.targets.append((now, target))
      case .encoder(.keyFrame, let stream):
        parties[index].encoders[stream, default: Encoder()].keyFrameRequests.append(now)
        parties[index].encoders[stream]?.isKeyFrameDue = true
      case .event(let event): parties[index].events.append(event)
      }
    }
  }
}
