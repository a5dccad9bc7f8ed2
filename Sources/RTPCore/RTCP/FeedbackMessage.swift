/// What a receiver asks of a sender, or tells it, as far as it is understood.
///
/// - Specification: RFC 4585 §6, RFC 5104 §4.3.1
package enum FeedbackMessage: Hashable, Sendable {
  /// Packets to send again, in the order asked for.
  case nack(NACK)
  /// Pictures are missing: a key frame is needed. (PLI)
  case pictureLoss(mediaSSRC: UInt32)
  /// Key frames are asked for. (FIR)
  case fullIntraRequest([FullIntraRequest])
  /// What the receiver believes that the path carries. (REMB)
  case bitrateLimit(BitrateLimit)
  /// When each packet of a transport arrived. (transport-cc)
  case transport(mediaSSRC: UInt32, TransportFeedback)

  /// Understands feedback; nil when its format is another one.
  ///
  /// - Specification: RFC 4585 §6.2, §6.3; RFC 5104 §4.3.1
  package init?(parsing feedback: RTCPFeedback) throws(RTCPError) {
    let information = feedback.information.span
    switch (feedback.layer, feedback.format) {
    case (.transport, 1):
      self = .nack(try NACK(mediaSSRC: feedback.mediaSSRC, parsing: information))
    case (.transport, 15):
      self = .transport(mediaSSRC: feedback.mediaSSRC, try TransportFeedback(parsing: information))
    case (.payload, 1):
      self = .pictureLoss(mediaSSRC: feedback.mediaSSRC)
    case (.payload, 4):
      self = .fullIntraRequest(try FullIntraRequest.parse(information))
    case (.payload, 15):
      // Any application's message: the name tells whether it is REMB.
      guard let limit = try BitrateLimit(parsing: information) else { return nil }
      self = .bitrateLimit(limit)
    default:
      return nil
    }
  }

  /// The feedback as it goes into a compound.
  package func feedback(senderSSRC: UInt32) -> RTCPFeedback {
    var feedback = RTCPFeedback(layer: layer, format: format, senderSSRC: senderSSRC, mediaSSRC: mediaSSRC)
    writeInformation(to: &feedback.information)
    return feedback
  }

  /// Appends the feedback to a compound, as `feedback(senderSSRC:)` would be written.
  package func write(from senderSSRC: UInt32, to compound: inout [UInt8]) {
    let start = compound.beginRTCP()
    compound.append(uint32: senderSSRC)
    compound.append(uint32: mediaSSRC)
    writeInformation(to: &compound)
    compound.endRTCP(from: start, count: Int(format), type: layer.rawValue)
  }

  private var layer: RTCPFeedback.Layer {
    switch self {
    case .nack, .transport: .transport
    case .pictureLoss, .fullIntraRequest, .bitrateLimit: .payload
    }
  }

  private var format: UInt8 {
    switch self {
    case .nack, .pictureLoss: 1
    case .fullIntraRequest: 4
    case .bitrateLimit, .transport: 15
    }
  }

  private var mediaSSRC: UInt32 {
    switch self {
    case .nack(let nack): nack.mediaSSRC
    case .pictureLoss(let mediaSSRC), .transport(let mediaSSRC, _): mediaSSRC
    // RFC 5104 §4.3.1.2: "SSRC of media source" is not used and shall be 0; so it is for REMB.
    case .fullIntraRequest, .bitrateLimit: 0
    }
  }

  private func writeInformation(to information: inout [UInt8]) {
    switch self {
    case .nack(let nack): nack.write(to: &information)
    case .pictureLoss: break
    case .fullIntraRequest(let requests): for request in requests { request.write(to: &information) }
    case .bitrateLimit(let limit): limit.write(to: &information)
    case .transport(_, let feedback): feedback.write(to: &information)
    }
  }
}

/// Packets that are missing: each entry names one and, by a bit mask, which of the 16 behind it are missing too.
///
/// ```
///  0                   1                   2                   3
///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |            PID                |             BLP               |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// ```
///
/// - Specification: RFC 4585 §6.2.1
package struct NACK: Hashable, Sendable {
  /// Numbers read from one message; what is asked for beyond them is left out.
  package static let maximumCount = 1024

  package var mediaSSRC: UInt32
  package var sequenceNumbers: [SequenceNumber]

  package init(mediaSSRC: UInt32, sequenceNumbers: [SequenceNumber]) {
    self.mediaSSRC = mediaSSRC
    self.sequenceNumbers = sequenceNumbers
  }

  init(mediaSSRC: UInt32, parsing information: Span<UInt8>) throws(RTCPError) {
    guard information.count >= 4, information.count % 4 == 0 else { throw .invalidLength }
    self.mediaSSRC = mediaSSRC
    sequenceNumbers = []
    for offset in stride(from: 0, to: information.count, by: 4) {
      guard sequenceNumbers.count + 17 <= Self.maximumCount else { break }
      let first = SequenceNumber(rawValue: information.uint16(at: offset))
      sequenceNumbers.append(first)
      var mask = information.uint16(at: offset + 2)
      while mask != 0 {
        sequenceNumbers.append(first + (mask.trailingZeroBitCount + 1))
        mask &= mask &- 1
      }
    }
  }

  /// Neighbours share an entry when they stand in rising order.
  func write(to information: inout [UInt8]) {
    var entry: (first: SequenceNumber, mask: UInt16)?
    for number in sequenceNumbers {
      if let current = entry, case 1...16 = number - current.first {
        entry?.mask |= 1 << UInt16(number - current.first - 1)
        continue
      }
      information.append(entry: entry)
      entry = (number, 0)
    }
    information.append(entry: entry)
  }
}

/// A key frame asked of one source.
///
/// ```
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |                              SSRC                             |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// | Seq nr.       |    Reserved                                   |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// ```
///
/// - Specification: RFC 5104 §4.3.1.1
package struct FullIntraRequest: Hashable, Sendable {
  package var ssrc: UInt32
  /// A new request has a new number, a repeated one the same.
  package var sequenceNumber: UInt8

  package init(ssrc: UInt32, sequenceNumber: UInt8) {
    self.ssrc = ssrc
    self.sequenceNumber = sequenceNumber
  }

  static func parse(_ information: Span<UInt8>) throws(RTCPError) -> [FullIntraRequest] {
    guard information.count >= 8, information.count % 8 == 0 else { throw .invalidLength }
    return stride(from: 0, to: information.count, by: 8).map {
      FullIntraRequest(ssrc: information.uint32(at: $0), sequenceNumber: information[$0 + 4])
    }
  }

  func write(to information: inout [UInt8]) {
    information.append(uint32: ssrc)
    information.append(contentsOf: [sequenceNumber, 0, 0, 0])
  }
}

/// The most that a receiver believes it can take, over all the sources named.
///
/// ```
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |  Unique identifier 'R' 'E' 'M' 'B'                            |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |  Num SSRC     | BR Exp    |  BR Mantissa                      |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |   SSRC feedback, Num SSRC times                               |
/// ```
///
/// - Specification: draft-alvestrand-rmcat-remb-03 §2.2
package struct BitrateLimit: Hashable, Sendable {
  private static let name: UInt32 = 0x5245_4D42

  /// Written with 18 significant bits, rounded down.
  package var bitsPerSecond: Int
  /// At most 255.
  package var ssrcs: [UInt32]

  package init(bitsPerSecond: Int, ssrcs: [UInt32]) {
    precondition(bitsPerSecond >= 0 && ssrcs.count <= 255, "a count has eight bits")
    self.bitsPerSecond = bitsPerSecond
    self.ssrcs = ssrcs
  }

  /// Nil when another application's message has the same format.
  init?(parsing information: Span<UInt8>) throws(RTCPError) {
    guard information.count >= 4, information.uint32(at: 0) == Self.name else { return nil }
    guard information.count >= 8 else { throw .invalidLength }
    let count = Int(information[4])
    guard information.count >= 8 + 4 * count else { throw .invalidLength }
    let exponent = Int(information[5] >> 2)
    let mantissa = Int(information.uint24(at: 5) & 0x3_FFFF)
    bitsPerSecond = mantissa.leadingZeroBitCount > exponent ? mantissa << exponent : .max
    ssrcs = (0..<count).map { information.uint32(at: 8 + 4 * $0) }
  }

  func write(to information: inout [UInt8]) {
    information.append(uint32: Self.name)
    let exponent = max(0, 64 - bitsPerSecond.leadingZeroBitCount - 18)
    let mantissa = bitsPerSecond >> exponent
    information.append(uint32: UInt32(ssrcs.count) << 24 | UInt32(exponent) << 18 | UInt32(mantissa))
    for ssrc in ssrcs { information.append(uint32: ssrc) }
  }
}

extension Array where Element == UInt8 {
  fileprivate mutating func append(entry: (first: SequenceNumber, mask: UInt16)?) {
    guard let entry else { return }
    append(uint16: entry.first.rawValue)
    append(uint16: entry.mask)
  }
}
