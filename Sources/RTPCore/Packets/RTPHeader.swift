package import MediaTime

/// Why bytes are not an RTP packet.
package enum RTPError: Error, Hashable {
  case truncated
  case unsupportedVersion(UInt8)
  /// The padding's length is 0 or reaches into the header.
  case invalidPadding
}

/// The header of an RTP packet, read in place: what lies behind it is told as ranges of the packet.
///
/// ```
///  0                   1                   2                   3
///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |V=2|P|X|  CC   |M|     PT      |       sequence number         |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |                           timestamp                           |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |           synchronization source (SSRC) identifier            |
/// +=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+
/// |            contributing source (CSRC) identifiers, CC times   |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |  if X:  defined by profile    |     length in 32-bit words    |
/// |         header extension, payload, if P: padding and its size |
/// ```
///
/// - Specification: RFC 3550 §5.1, §5.3.1
package struct RTPHeader: Hashable, Sendable {
  package var marker: Bool
  /// 0 to 127.
  package var payloadType: UInt8
  package var sequenceNumber: SequenceNumber
  package var timestamp: RTPTimestamp
  package var ssrc: UInt32
  /// Where the contributing sources stand, four bytes each.
  package private(set) var contributingSourcesRange: Range<Int> = 12..<12
  package private(set) var headerExtension: HeaderExtension?
  /// Where the payload stands, without padding.
  package internal(set) var payloadRange: Range<Int> = 12..<12

  package init(
    marker: Bool, payloadType: UInt8, sequenceNumber: SequenceNumber, timestamp: RTPTimestamp, ssrc: UInt32
  ) {
    precondition(payloadType < 128, "a payload type has seven bits")
    self.marker = marker
    self.payloadType = payloadType
    self.sequenceNumber = sequenceNumber
    self.timestamp = timestamp
    self.ssrc = ssrc
  }

  /// Reads a packet's header without copying anything.
  package init(parsing packet: Span<UInt8>) throws(RTPError) {
    guard packet.count >= 12 else { throw .truncated }
    let first = packet[0]
    guard first >> 6 == 2 else { throw .unsupportedVersion(first >> 6) }
    marker = packet[1] & 0x80 != 0
    payloadType = packet[1] & 0x7F
    sequenceNumber = SequenceNumber(rawValue: packet.uint16(at: 2))
    timestamp = RTPTimestamp(rawValue: packet.uint32(at: 4))
    ssrc = packet.uint32(at: 8)

    var offset = 12 + 4 * Int(first & 0x0F)
    guard offset <= packet.count else { throw .truncated }
    contributingSourcesRange = 12..<offset

    if first & 0x10 != 0 {
      guard offset + 4 <= packet.count else { throw .truncated }
      let end = offset + 4 + 4 * Int(packet.uint16(at: offset + 2))
      guard end <= packet.count else { throw .truncated }
      headerExtension = HeaderExtension(profile: packet.uint16(at: offset), range: offset + 4..<end)
      offset = end
    }

    var end = packet.count
    if first & 0x20 != 0 {
      guard end > offset else { throw .truncated }
      let padding = Int(packet[end - 1])
      guard padding > 0, padding <= end - offset else { throw .invalidPadding }
      end -= padding
    }
    payloadRange = offset..<end
  }

  /// The contributing sources, from the packet that the header was read from.
  package func contributingSources(in packet: Span<UInt8>) -> [UInt32] {
    stride(from: contributingSourcesRange.lowerBound, to: contributingSourcesRange.upperBound, by: 4)
      .map { packet.uint32(at: $0) }
  }

  /// Appends the header, with the given extension elements but without contributing sources; the payload follows.
  package func write(extensionElements: [HeaderExtensionElement] = [], to packet: inout [UInt8]) {
    packet.append(extensionElements.isEmpty ? 0x80 : 0x90)
    packet.append((marker ? 0x80 : 0) | payloadType)
    packet.append(uint16: sequenceNumber.rawValue)
    packet.append(uint32: timestamp.rawValue)
    packet.append(uint32: ssrc)
    if !extensionElements.isEmpty {
      HeaderExtension.write(extensionElements, to: &packet)
    }
  }
}
