import MediaTime

/// Why bytes are not RTCP.
package enum RTCPError: Error, Hashable {
  case truncated
  case unsupportedVersion(UInt8)
  /// The padding's length is 0, not a multiple of four, or reaches into the header.
  case invalidPadding
  /// The content is shorter than its counts say.
  case invalidLength
  /// More packets in one datagram than anyone sends.
  case tooManyPackets
}

/// Reads a compound packet piece by piece; what it does not know (APP, …) it steps over.
///
/// A compound that breaks off gives what stood before the break, then an error, then the end.
///
/// - Specification: RFC 3550 §6.1, RFC 5506 §4.2
package struct RTCPReader: Sendable {
  package static let maximumPacketCount = 64

  private var offset = 0
  private var packetCount = 0

  package init() {}

  /// The next known packet, or nil at the end; to be asked with the same compound each time.
  package mutating func next(in compound: Span<UInt8>) throws(RTCPError) -> RTCPPacket? {
    while offset < compound.count {
      let start = offset
      offset = compound.count  // where a thrown error leaves it
      packetCount += 1
      guard packetCount <= Self.maximumPacketCount else { throw .tooManyPackets }
      guard start + 4 <= compound.count else { throw .truncated }
      let end = start + 4 + 4 * Int(compound.uint16(at: start + 2))
      guard end <= compound.count else { throw .truncated }
      if let packet = try RTCPPacket(parsing: compound.extracting(start..<end)) {
        offset = end
        return packet
      }
      offset = end
    }
    return nil
  }
}

extension RTCPPacket {
  /// Reads one packet that fills the span; nil when its type is not known.
  ///
  /// ```
  ///  0                   1                   2                   3
  ///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
  /// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
  /// |V=2|P|  count  |      PT       |    length in words, less 1    |
  /// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
  /// ```
  fileprivate init?(parsing packet: Span<UInt8>) throws(RTCPError) {
    let version = packet[0] >> 6
    guard version == 2 else { throw .unsupportedVersion(version) }
    let count = Int(packet[0] & 0x1F)
    var content = packet.extracting(4..<packet.count)
    if packet[0] & 0x20 != 0 {
      guard !content.isEmpty else { throw .invalidPadding }
      let padding = Int(content[content.count - 1])
      // libwebrtc pads its transport-wide feedback by one to three bytes.
      guard padding > 0, padding % 4 == 0 || packet[1] == 205, padding <= content.count else { throw .invalidPadding }
      content = content.extracting(0..<content.count - padding)
    }
    switch packet[1] {
    case 200: self = .senderReport(try SenderReport(parsing: content, blockCount: count))
    case 201: self = .receiverReport(try ReceiverReport(parsing: content, blockCount: count))
    case 202: self = .sourceDescription(try SourceDescription.parse(content, count: count))
    case 203: self = .goodbye(try Goodbye(parsing: content, count: count))
    case 205: self = .feedback(try RTCPFeedback(parsing: content, layer: .transport, format: UInt8(count)))
    case 206: self = .feedback(try RTCPFeedback(parsing: content, layer: .payload, format: UInt8(count)))
    case 207: self = .extendedReport(try ExtendedReport(parsing: content))
    default: return nil
    }
  }
}

extension SenderReport {
  fileprivate init(parsing content: Span<UInt8>, blockCount: Int) throws(RTCPError) {
    guard content.count >= 24 + ReportBlock.size * blockCount else { throw .invalidLength }
    self.init(
      ssrc: content.uint32(at: 0),
      ntpTime: NTPTime(rawValue: UInt64(content.uint32(at: 4)) << 32 | UInt64(content.uint32(at: 8))),
      rtpTimestamp: RTPTimestamp(rawValue: content.uint32(at: 12)), packetCount: content.uint32(at: 16),
      octetCount: content.uint32(at: 20), reportBlocks: ReportBlock.parse(content, from: 24, count: blockCount))
  }
}

extension ReceiverReport {
  fileprivate init(parsing content: Span<UInt8>, blockCount: Int) throws(RTCPError) {
    guard content.count >= 4 + ReportBlock.size * blockCount else { throw .invalidLength }
    self.init(
      ssrc: content.uint32(at: 0), reportBlocks: ReportBlock.parse(content, from: 4, count: blockCount))
  }
}

extension ReportBlock {
  fileprivate static let size = 24

  fileprivate static func parse(_ content: Span<UInt8>, from start: Int, count: Int) -> [ReportBlock] {
    var blocks: [ReportBlock] = []
    blocks.reserveCapacity(count)
    for index in 0..<count {
      let offset = start + size * index
      blocks.append(
        ReportBlock(
          ssrc: content.uint32(at: offset), fractionLost: content[offset + 4],
          cumulativeLost: Int(Int32(bitPattern: content.uint24(at: offset + 5) << 8) >> 8),
          extendedHighestSequenceNumber: content.uint32(at: offset + 8), jitter: content.uint32(at: offset + 12),
          lastSenderReport: content.uint32(at: offset + 16),
          delaySinceLastSenderReport: content.uint32(at: offset + 20)))
    }
    return blocks
  }
}

extension SourceDescription {
  /// Chunks: an SSRC, items, and one to four zeros up to the next multiple of four.
  fileprivate static func parse(_ content: Span<UInt8>, count: Int) throws(RTCPError) -> [SourceDescription] {
    var chunks: [SourceDescription] = []
    var offset = 0
    for _ in 0..<count {
      guard offset + 4 <= content.count else { throw .invalidLength }
      var chunk = SourceDescription(ssrc: content.uint32(at: offset), items: [])
      offset += 4
      // Some senders leave the last chunk's zeros out.
      while offset < content.count, content[offset] != 0 {
        let type = content[offset]
        guard offset + 2 <= content.count else { throw .invalidLength }
        let start = offset + 2
        let end = start + Int(content[offset + 1])
        guard end <= content.count else { throw .invalidLength }
        chunk.items.append(Item(type: type, text: content.text(in: start..<end)))
        offset = end
      }
      offset = (offset / 4 + 1) * 4
      chunks.append(chunk)
    }
    return chunks
  }
}

extension Goodbye {
  fileprivate init(parsing content: Span<UInt8>, count: Int) throws(RTCPError) {
    let end = 4 * count
    guard end <= content.count else { throw .invalidLength }
    self.init(ssrcs: stride(from: 0, to: end, by: 4).map { content.uint32(at: $0) })
    if end < content.count {
      let reasonEnd = end + 1 + Int(content[end])
      guard reasonEnd <= content.count else { throw .invalidLength }
      reason = content.text(in: end + 1..<reasonEnd)
    }
  }
}

extension RTCPFeedback {
  fileprivate init(parsing content: Span<UInt8>, layer: Layer, format: UInt8) throws(RTCPError) {
    guard content.count >= 8 else { throw .invalidLength }
    self.init(
      layer: layer, format: format, senderSSRC: content.uint32(at: 0), mediaSSRC: content.uint32(at: 4),
      information: content.bytes(in: 8..<content.count))
  }
}
