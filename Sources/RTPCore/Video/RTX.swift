/// Sends packets again, as a stream of its own.
///
/// ```
///  0                   1                   2                   3
///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |                         RTP Header                            |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |            OSN                |                               |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+                               |
/// |                  Original RTP Packet Payload                  |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// ```
///
/// - Specification: RFC 4588 §4
package struct RTXSender: Sendable {
  package let ssrc: UInt32
  /// RTX's payload type by the payload type that it stands for (`apt`, turned round).
  private let payloadTypes: [UInt8: UInt8]
  private var next: SequenceNumber

  /// - Parameters:
  ///   - ssrc: the stream's own, grouped with the media's by FID.
  ///   - initialSequenceNumber: random.
  package init(ssrc: UInt32, payloadTypes: [UInt8: UInt8], initialSequenceNumber: SequenceNumber) {
    precondition(payloadTypes.values.allSatisfy { $0 < 128 }, "a payload type has seven bits")
    self.ssrc = ssrc
    self.payloadTypes = payloadTypes
    next = initialSequenceNumber
  }

  /// The packet to send in place of one of ours; nil when no RTX was agreed on for its payload type.
  ///
  /// Header extensions are kept; a transport-wide sequence number has to be stamped anew. Padding is left out.
  package mutating func wrap(_ packet: Span<UInt8>) -> [UInt8]? {
    guard let header = try? RTPHeader(parsing: packet), let payloadType = payloadTypes[header.payloadType] else {
      return nil
    }
    var wrapped: [UInt8] = []
    wrapped.reserveCapacity(header.payloadRange.upperBound + 2 + RTPSession.trailerCapacity)
    wrapped.append(contentsOf: packet.bytes(in: 0..<header.payloadRange.lowerBound))
    wrapped.replaceHeader(payloadType: payloadType, number: next, ssrc: ssrc)
    wrapped.append(uint16: header.sequenceNumber.rawValue)
    wrapped.append(contentsOf: packet.bytes(in: header.payloadRange))
    next = next + 1
    return wrapped
  }
}

/// Restores packets that were sent again.
///
/// - Specification: RFC 4588 §4, §8.6
package struct RTXReceiver: Sendable {
  /// The payload type that each of RTX's payload types stands for (`apt`).
  private let associatedPayloadTypes: [UInt8: UInt8]

  package init(associatedPayloadTypes: [UInt8: UInt8]) {
    precondition(associatedPayloadTypes.values.allSatisfy { $0 < 128 }, "a payload type has seven bits")
    self.associatedPayloadTypes = associatedPayloadTypes
  }

  package enum Unwrapped: Hashable, Sendable {
    /// The packet as it was sent first.
    case packet([UInt8])
    /// Without an original sequence number: probes the path.
    case padding
    /// Of a payload type that was not agreed on.
    case unknownPayloadType
  }

  /// Restores a packet whose header has been read.
  ///
  /// - Parameter mediaSSRC: the stream that the packet's own belongs to.
  package func unwrap(_ packet: Span<UInt8>, header: RTPHeader, mediaSSRC: UInt32) -> Unwrapped {
    guard let payloadType = associatedPayloadTypes[header.payloadType] else { return .unknownPayloadType }
    let range = header.payloadRange
    guard range.count >= 2 else { return .padding }
    var original: [UInt8] = []
    original.reserveCapacity(range.upperBound)
    original.append(contentsOf: packet.bytes(in: 0..<range.lowerBound))
    original.replaceHeader(
      payloadType: payloadType, number: SequenceNumber(rawValue: packet.uint16(at: range.lowerBound)),
      ssrc: mediaSSRC)
    original.append(contentsOf: packet.bytes(in: range.lowerBound + 2..<range.upperBound))
    return .packet(original)
  }
}

extension Array where Element == UInt8 {
  /// Changes the fixed header of a packet whose padding is left out; the marker and the timestamp stay.
  fileprivate mutating func replaceHeader(payloadType: UInt8, number: SequenceNumber, ssrc: UInt32) {
    self[0] &= ~0x20
    self[1] = self[1] & 0x80 | payloadType
    self[2] = UInt8(number.rawValue >> 8)
    self[3] = UInt8(number.rawValue & 0xFF)
    for index in 0..<4 { self[8 + index] = UInt8(truncatingIfNeeded: ssrc >> UInt32(24 - 8 * index)) }
  }
}
