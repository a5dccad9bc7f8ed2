import MediaTime

/// The header extension of the packets that one stream sends.
///
/// The time and the transport-wide number are left blank: they are stamped when the packet leaves.
///
/// - Specification: RFC 8285 §4, RFC 6464 §3, RFC 9143 §15
struct OutgoingExtensions: Sendable {
  private let identifiers: RTPSession.HeaderExtensions
  private let mid: [UInt8]
  private let isOneByte: Bool

  init(_ agreed: RTPSession.HeaderExtensions, mid: String?, isAudio: Bool, usesTransportFeedback: Bool) {
    var identifiers = agreed.withoutZeros
    if !isAudio { identifiers.audioLevel = nil }
    if !usesTransportFeedback { identifiers.transportSequenceNumber = nil }
    let mid = identifiers.mid == nil ? [] : Array((mid ?? "").utf8.prefix(255))
    if mid.isEmpty { identifiers.mid = nil }
    self.identifiers = identifiers
    self.mid = mid
    let used = [
      identifiers.audioLevel, identifiers.absoluteSendTime, identifiers.transportSequenceNumber, identifiers.mid,
    ].compactMap { $0 }
    isOneByte = used.allSatisfy { 1...14 ~= $0 } && mid.count <= 16
  }

  /// What the extension takes at most.
  ///
  /// In the two-byte form, with level, time, number, MID and padding.
  var maximumSize: Int { 4 + 3 + 5 + 4 + 2 + mid.count + 3 }

  /// Appends the extension to a packet that so far is a fixed header; nothing when there is nothing to say.
  func write(tellsMID: Bool, level: Int? = nil, to packet: inout [UInt8]) {
    let levelIdentifier = level == nil ? nil : identifiers.audioLevel
    let midIdentifier = tellsMID ? identifiers.mid : nil
    guard
      levelIdentifier != nil || midIdentifier != nil || identifiers.absoluteSendTime != nil
        || identifiers.transportSequenceNumber != nil
    else { return }
    packet[0] |= 0x10
    let writer = HeaderExtension.Writer(isOneByte: isOneByte, to: &packet)
    if let identifier = levelIdentifier, let level {
      writer.begin(identifier, count: 1, in: &packet)
      packet.append(UInt8(min(max(-level, 0), 127)))
    }
    if let identifier = identifiers.absoluteSendTime {
      writer.begin(identifier, count: 3, in: &packet)
      packet.append(0)
      packet.append(uint16: 0)
    }
    if let identifier = identifiers.transportSequenceNumber {
      writer.begin(identifier, count: 2, in: &packet)
      packet.append(uint16: 0)
    }
    if let identifier = midIdentifier {
      writer.begin(identifier, count: mid.count, in: &packet)
      packet.append(contentsOf: mid)
    }
    writer.finish(&packet)
  }

  /// Fills in what is known only when the packet leaves.
  ///
  /// - Returns: whether it has a transport-wide number.
  func stamp(_ packet: inout [UInt8], sequencer: inout TransportSequencer, at now: Instant) -> Bool {
    if let identifier = identifiers.absoluteSendTime,
      let offset = HeaderExtension.offset(of: identifier, count: 3, in: packet.span)
    {
      let time = AbsoluteSendTime(now).rawValue
      packet[offset] = UInt8(truncatingIfNeeded: time >> 16)
      packet[offset + 1] = UInt8(truncatingIfNeeded: time >> 8)
      packet[offset + 2] = UInt8(truncatingIfNeeded: time)
    }
    guard let identifier = identifiers.transportSequenceNumber else { return false }
    return sequencer.stamp(&packet, identifier: identifier, at: now)
  }
}

extension RTPSession.HeaderExtensions {
  /// 0 is padding, whatever was signalled.
  ///
  /// - Specification: RFC 8285 §4.2
  fileprivate var withoutZeros: Self {
    func valid(_ identifier: UInt8?) -> UInt8? { identifier == 0 ? nil : identifier }
    return Self(
      audioLevel: valid(audioLevel), absoluteSendTime: valid(absoluteSendTime),
      transportSequenceNumber: valid(transportSequenceNumber), mid: valid(mid))
  }
}

/// What the header extension of a packet that came says to the session.
struct IncomingExtensions: Sendable {
  private(set) var midRange: Range<Int>?
  private(set) var transportSequenceNumber: SequenceNumber?
  private(set) var absoluteSendTime: AbsoluteSendTime?
  /// 0 to −127 dBov.
  private(set) var audioLevel: Int?

  init(_ header: RTPHeader, in packet: Span<UInt8>, identifiers: RTPSession.HeaderExtensions) {
    guard var elements = header.headerExtension?.makeIterator() else { return }
    while let element = elements.next(in: packet) {
      let start = element.range.lowerBound
      switch (element.identifier, element.range.count) {
      case (identifiers.mid, 1...):
        midRange = element.range
      case (identifiers.transportSequenceNumber, 2):
        transportSequenceNumber = SequenceNumber(rawValue: packet.uint16(at: start))
      case (identifiers.absoluteSendTime, 3):
        absoluteSendTime = AbsoluteSendTime(rawValue: packet.uint24(at: start))
      case (identifiers.audioLevel, 1):
        audioLevel = -Int(packet[start] & 0x7F)
      default: break
      }
    }
  }
}

/// When a packet was sent, on its sender's clock: 24 bits, 18 of them behind the point, in seconds.
///
/// - Specification: http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time
struct AbsoluteSendTime: Hashable, Sendable {
  private static let ticksPerSecond = 1 << 18

  let rawValue: UInt32

  init(rawValue: UInt32) {
    self.rawValue = rawValue & 0xFF_FFFF
  }

  init(_ now: Instant) {
    self.init(rawValue: UInt32(truncatingIfNeeded: now.ticks(clockRate: Self.ticksPerSecond)))
  }

  /// The time in ticks with the wraps, one each 64 s, counted: the one nearest to an earlier time.
  func ticks(near earlier: Int64) -> Int64 {
    let distance = (Int64(rawValue) &- earlier) & 0xFF_FFFF
    return earlier &+ (distance < 0x80_0000 ? distance : distance - 0x100_0000)
  }

  static func instant(ofTicks ticks: Int64) -> Instant {
    Instant(nanoseconds: Duration.ofTicks(ticks, clockRate: ticksPerSecond).nanoseconds)
  }
}
