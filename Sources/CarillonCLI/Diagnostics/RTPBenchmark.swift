import MediaEngine
import MediaTime
import RTPCore

/// Measures the way of packets through an `RTPSession` and SRTP, on one thread and in virtual time: no sockets, no wait.
///
/// One session sends pictures of ten packets, the other receives them. Reports and feedback go back, and count where they
/// are made and read.
struct RTPBenchmark {
  /// What one direction has cost.
  struct Cost: Equatable {
    var packets = 0
    var seconds = 0.0
    /// Nil when nobody counted.
    var allocations: UInt64?

    var packetsPerSecond: Double { seconds > 0 ? Double(packets) / seconds : 0 }
    var allocationsPerPacket: Double? { allocations.map { Double($0) / Double(max(1, packets)) } }
  }

  struct Result: Equatable {
    var profile: SRTPProfile
    /// In bytes, before protection.
    var meanPacketSize = 0
    var send = Cost()
    var receive = Cost()
    /// libsrtp2 alone, on as many packets of that size.
    var protect = Cost()
    var unprotect = Cost()
  }

  private static let batch = 10
  private static let packetsPerFrame = 10
  private static let warmUpBatches = 200
  private static let frameInterval = Duration.microseconds(3_333)

  private let counter = AllocationCounter()

  /// - Parameter count: how many packets to send, at least.
  func run(_ profile: SRTPProfile, packets count: Int) throws -> Result {
    var result = Result(profile: profile)
    var line = try Line(profile)
    for _ in 0..<Self.warmUpBatches {
      try line.run(frames: Self.batch, interval: Self.frameInterval) { _, body in try body() }
    }
    let framesBefore = line.framesReceived
    (line.packetCount, line.byteCount, line.frameCount) = (0, 0, 0)
    while line.packetCount < count {
      try line.run(frames: Self.batch, interval: Self.frameInterval) { direction, body in
        try measure(&result[keyPath: direction], body)
      }
    }
    guard line.framesReceived - framesBefore == line.frameCount else {
      throw CommandFailure(
        code: "failed", message: "Of \(line.frameCount) frames \(line.framesReceived - framesBefore) arrived.",
        status: .failure)
    }
    result.send.packets = line.packetCount
    result.receive.packets = line.packetCount
    result.meanPacketSize = line.byteCount / max(1, line.packetCount)
    try runSRTPAlone(&result)
    return result
  }

  private func measure(_ cost: inout Cost, _ body: () throws -> Void) rethrows {
    let (start, allocations) = (ThreadClock.ownSeconds, counter?.count)
    try body()
    cost.seconds += ThreadClock.ownSeconds - start
    if let counter, let allocations { cost.allocations = (cost.allocations ?? 0) + counter.count - allocations }
  }

  private func runSRTPAlone(_ result: inout Result) throws {
    let (sender, receiver) = try Line.sessions(result.profile)
    let size = result.meanPacketSize
    var number: UInt16 = 0
    // A header of version 2 with one SSRC; the rest may be anything.
    var packets = (0..<Self.batch * Self.packetsPerFrame).map { _ in
      var packet: [UInt8] = [0x80, 96, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]
      packet.reserveCapacity(size + RTPSession.trailerCapacity)
      packet += [UInt8](repeating: 0xA5, count: size - packet.count)
      return packet
    }
    let rounds = max(1, result.send.packets / packets.count)
    for round in 0..<rounds + 10 {
      var (protect, unprotect) = (Cost(), Cost())
      for index in packets.indices {
        number &+= 1
        (packets[index][2], packets[index][3]) = (UInt8(number >> 8), UInt8(truncatingIfNeeded: number))
      }
      try measure(&protect) {
        for index in packets.indices { try sender.protectRTP(&packets[index]) }
      }
      try measure(&unprotect) {
        for index in packets.indices { _ = try packets[index].withUnsafeMutableBytes { try receiver.unprotectRTP($0) } }
      }
      for index in packets.indices { packets[index].removeLast(packets[index].count - size) }
      guard round >= 10 else { continue }
      result.protect.add(protect, packets: packets.count)
      result.unprotect.add(unprotect, packets: packets.count)
    }
  }

  /// Two sessions and what is on its way between them.
  private struct Line {
    private static let frameSize = packetsPerFrame * 1_160

    private var now = Instant(nanoseconds: 1_000_000_000)
    private var sender: RTPSession
    private var receiver: RTPSession
    private let senderSRTP: SRTPSession
    private let receiverSRTP: SRTPSession
    private var forth = Wire()
    private var back = Wire()
    private let keyFrame: [UInt8]
    private let deltaFrame: [UInt8]
    private var needsKeyFrame = true

    var frameCount = 0
    var packetCount = 0
    var byteCount = 0
    private(set) var framesReceived = 0

    init(_ profile: SRTPProfile) throws {
      (senderSRTP, receiverSRTP) = try Self.sessions(profile)
      sender = RTPSession(configuration: Self.configuration(sends: true, at: now), at: now)
      receiver = RTPSession(configuration: Self.configuration(sends: false, at: now), at: now)
      let rest = [UInt8](repeating: 0xA5, count: Self.frameSize - 10)
      // VP8's frame header: bit 0 tells a key frame, which goes on with its start code and size (RFC 6386 §9.1).
      keyFrame = [0x10, 0, 0, 0x9D, 0x01, 0x2A, 0x80, 0x02, 0x68, 0x01] + rest
      deltaFrame = [0x11, 0, 0, 0, 0, 0, 0, 0, 0, 0] + rest
    }

    static func sessions(_ profile: SRTPProfile) throws -> (SRTPSession, SRTPSession) {
      let exported = (0..<60).map { UInt8($0) }
      return (
        try SRTPSession(SRTPKeyingMaterial(profile: profile, exported: exported, role: .client)),
        try SRTPSession(SRTPKeyingMaterial(profile: profile, exported: exported, role: .server))
      )
    }

    private static func configuration(sends: Bool, at now: Instant) -> RTPSession.Configuration {
      let (own, peer): (UInt32, UInt32) = sends ? (0x1000, 0x2000) : (0x2000, 0x1000)
      let video = RTPSession.VideoStream(
        localSSRC: own, remoteSSRCs: [peer], remoteRetransmissionSSRCs: [peer + 1: peer], mid: "0", payloadType: 96,
        format: .vp8,
        retransmission: .init(localSSRC: own + 1, payloadType: 97, initialSequenceNumber: SequenceNumber(rawValue: 0)),
        acceptedPayloadTypes: [96: .vp8], acceptedRetransmissions: [97: 96],
        feedback: .init(nack: true, pictureLoss: true, fullIntraRequest: true, transport: true), sends: sends,
        receives: !sends, initialSequenceNumber: SequenceNumber(rawValue: 0),
        initialTimestamp: RTPTimestamp(rawValue: 0))
      return RTPSession.Configuration(
        cname: sends ? "sender" : "receiver", video: [video],
        headerExtensions: .init(absoluteSendTime: 2, transportSequenceNumber: 3, mid: 4),
        usesReducedSizeRTCP: true,
        bandwidth: .init(initialBitsPerSecond: 100_000_000, maximumBitsPerSecond: 100_000_000),
        wallClock: .init(instant: now, time: NTPTime(rawValue: 1 << 62)), seed: 1)
    }

    /// Sends so many frames, then receives them.
    mutating func run(
      frames: Int, interval: Duration,
      measuring measure: (WritableKeyPath<Result, Cost>, () throws -> Void) throws -> Void
    ) throws {
      try measure(\.send) {
        try takeBack()
        for _ in 0..<frames {
          now = now + interval
          try send()
        }
      }
      try measure(\.receive) { try receive() }
    }

    private mutating func takeBack() throws {
      for index in back.packets.indices {
        try back.deliver(index, through: senderSRTP, to: &sender)
      }
      back.clear()
    }

    private mutating func send() throws {
      if let deadline = sender.nextDeadline, deadline <= now { sender.timeout(at: now) }
      let frame = EncodedVideoFrame(
        payload: needsKeyFrame ? keyFrame : deltaFrame, isKeyFrame: needsKeyFrame, capturedAt: now)
      needsKeyFrame = false
      sender.send(frame, stream: 0, at: now)
      frameCount += 1
      while var output = sender.nextOutput() {
        if var packet = output.takePacket() {
          if packet.kind == .rtp {
            packetCount += 1
            byteCount += packet.bytes.count
          }
          try forth.put(&packet, through: senderSRTP, at: now)
          sender.reuse(&packet)
        } else if case .encoder(.keyFrame, _) = output {
          needsKeyFrame = true
        }
      }
    }

    private mutating func receive() throws {
      for index in forth.packets.indices {
        let time = forth.packets[index].time
        try forth.deliver(index, through: receiverSRTP, to: &receiver)
        if let deadline = receiver.nextDeadline, deadline <= time { receiver.timeout(at: time) }
        while var output = receiver.nextOutput() {
          if var packet = output.takePacket() {
            try back.put(&packet, through: receiverSRTP, at: time)
            receiver.reuse(&packet)
          } else if case .video = output {
            framesReceived += 1
          }
        }
      }
      forth.clear()
    }
  }

  /// Stands for the sockets: protected packets, one behind the other.
  private struct Wire {
    struct Packet {
      var kind: RTPSession.OutgoingPacket.Kind
      var place: Range<Int>
      var time: Instant
    }

    private var bytes = [UInt8](repeating: 0, count: 1 << 20)
    private(set) var packets: [Packet] = []

    init() { packets.reserveCapacity(1_000) }

    mutating func clear() { packets.removeAll(keepingCapacity: true) }

    mutating func put(
      _ packet: inout RTPSession.OutgoingPacket, through srtp: SRTPSession, at time: Instant
    ) throws {
      switch packet.kind {
      case .rtp: try srtp.protectRTP(&packet.bytes)
      case .rtcp: try srtp.protectRTCP(&packet.bytes)
      }
      let start = packets.last?.place.upperBound ?? 0
      let place = start..<start + packet.bytes.count
      bytes.withUnsafeMutableBytes { bytes in
        packet.bytes.withUnsafeBytes { UnsafeMutableRawBufferPointer(rebasing: bytes[place]).copyMemory(from: $0) }
      }
      packets.append(Packet(kind: packet.kind, place: place, time: time))
    }

    mutating func deliver(_ index: Int, through srtp: SRTPSession, to session: inout RTPSession) throws {
      let packet = packets[index]
      try bytes.withUnsafeMutableBytes { bytes in
        let datagram = UnsafeMutableRawBufferPointer(rebasing: bytes[packet.place])
        let plain = packet.kind == .rtp ? try srtp.unprotectRTP(datagram) : try srtp.unprotectRTCP(datagram)
        session.receive(plain.assumingMemoryBound(to: UInt8.self).span, at: packet.time)
      }
    }
  }
}

extension RTPBenchmark.Cost {
  fileprivate mutating func add(_ other: RTPBenchmark.Cost, packets: Int) {
    self.packets += packets
    seconds += other.seconds
    if let more = other.allocations { allocations = (allocations ?? 0) + more }
  }
}

extension RTPBenchmark.Result {
  static func text(_ results: [RTPBenchmark.Result]) -> String {
    typealias Path = KeyPath<RTPBenchmark.Result, RTPBenchmark.Cost>
    let rows: [(name: String, cost: Path, alone: Path?)] = [
      ("send: RTPSession and protect", \.send, \.protect), ("  libsrtp2 alone: protect", \.protect, nil),
      ("receive: unprotect and RTPSession", \.receive, \.unprotect), ("  libsrtp2 alone: unprotect", \.unprotect, nil),
    ]
    let head = ["", "", "packets/s and core", "µs a packet", "allocations a packet"]
    return table(
      [head]
        + results.flatMap { result in
          rows.map { row in
            let cost = result[keyPath: row.cost]
            return [
              result.profile.name, row.name, decimal(cost.packetsPerSecond, places: 0),
              decimal(cost.seconds * 1e6 / Double(max(1, cost.packets)), places: 2),
              allocations(cost, row.alone.map { result[keyPath: $0] }),
            ]
          }
        })
      + "\n\(results.first?.meanPacketSize ?? 0)-byte packets, ten to a frame; one thread, its processor time"
  }

  /// `0.100 and 5.000 in libsrtp2`: what SRTP alone allocates is not ours to save.
  private static func allocations(_ cost: RTPBenchmark.Cost, _ alone: RTPBenchmark.Cost?) -> String {
    guard let all = cost.allocationsPerPacket else { return "not counted (use Tools/Benchmarks/rtp)" }
    guard let inSRTP = alone?.allocationsPerPacket else { return decimal(all, places: 3) }
    return "\(decimal(max(0, all - inSRTP), places: 3)) and \(decimal(inSRTP, places: 3)) in libsrtp2"
  }

  var object: JSONObject {
    var object: JSONObject = [
      "srtpProfile": .string(profile.name), "packetSize": .integer(meanPacketSize), "packets": .integer(send.packets),
    ]
    for (name, cost) in [("send", send), ("receive", receive), ("protect", protect), ("unprotect", unprotect)] {
      object["\(name)PacketsPerSecond"] = .number(cost.packetsPerSecond)
      object["\(name)AllocationsPerPacket"] = cost.allocationsPerPacket.map { .number($0) }
    }
    return object
  }
}
