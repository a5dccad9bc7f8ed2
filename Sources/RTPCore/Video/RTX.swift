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
  /// The payload types that each of RTX's stands for (`apt`, turned round).
  private let payloadTypes: [UInt8: UInt8]

  package init(payloadTypes: [UInt8: UInt8]) {
    precondition(payloadTypes.values.allSatisfy { $0 < 128 }, "a payload type has seven bits")
    self.payloadTypes = payloadTypes
  }

  /// The header of the packet to send in place of one of ours; nil when no RTX was agreed on for its payload type.
  package func header(inPlaceOf header: RTPHeader, ssrc: UInt32, number: SequenceNumber) -> RTPHeader? {
    payloadTypes[header.payloadType].map {
      RTPHeader(
        marker: header.marker, payloadType: $0, sequenceNumber: number, timestamp: header.timestamp, ssrc: ssrc)
    }
  }

  /// Appends what stands behind that header. Padding is left out.
  package func writePayload(of packet: Span<UInt8>, header: RTPHeader, to wrapped: inout [UInt8]) {
    wrapped.append(uint16: header.sequenceNumber.rawValue)
    wrapped.append(packet.extracting(header.payloadRange))
  }
}

/// Restores packets that were sent again.
///
/// - Specification: RFC 4588 §4, §8.6
package struct RTXReceiver: Sendable {
  /// The payload type that each of RTX's payload types stands for (`apt`).
  private let associatedPayloadTypes: [UInt8: UInt8]

  package init(associatedPayloadTypes: [UInt8: UInt8]) {
    self.associatedPayloadTypes = associatedPayloadTypes
  }

  package enum Unwrapped: Hashable, Sendable {
    /// The header of the packet as it was sent first; its payload stands in the packet that wraps it.
    case packet(RTPHeader)
    /// Without an original sequence number: probes the path.
    case padding
    /// Of a payload type that was not agreed on.
    case unknownPayloadType
  }

  package func repeats(_ payloadType: UInt8) -> Bool { associatedPayloadTypes[payloadType] != nil }

  /// Restores a packet whose header has been read.
  ///
  /// - Parameter mediaSSRC: the stream that the packet's own belongs to.
  package func unwrap(_ packet: Span<UInt8>, header: RTPHeader, mediaSSRC: UInt32) -> Unwrapped {
    guard let payloadType = associatedPayloadTypes[header.payloadType] else { return .unknownPayloadType }
    let range = header.payloadRange
    guard range.count >= 2 else { return .padding }
    var original = header
    original.payloadType = payloadType
    original.sequenceNumber = SequenceNumber(rawValue: packet.uint16(at: range.lowerBound))
    original.ssrc = mediaSSRC
    original.payloadRange = range.lowerBound + 2..<range.upperBound
    return .packet(original)
  }
}
