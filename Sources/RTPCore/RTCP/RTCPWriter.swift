extension RTCPPacket {
  /// Appends the packet; several in a row make a compound.
  ///
  /// - Specification: RFC 3550 §6.4 to §6.6, RFC 4585 §6.1
  package func write(to compound: inout [UInt8]) {
    let start = compound.beginRTCP()
    let count: Int
    let type: UInt8
    switch self {
    case .senderReport(let report):
      type = 200
      count = report.reportBlocks.count
      compound.append(uint32: report.ssrc)
      compound.append(uint32: UInt32(truncatingIfNeeded: report.ntpTime.rawValue >> 32))
      compound.append(uint32: UInt32(truncatingIfNeeded: report.ntpTime.rawValue))
      compound.append(uint32: report.rtpTimestamp.rawValue)
      compound.append(uint32: report.packetCount)
      compound.append(uint32: report.octetCount)
      for block in report.reportBlocks { block.write(to: &compound) }
    case .receiverReport(let report):
      type = 201
      count = report.reportBlocks.count
      compound.append(uint32: report.ssrc)
      for block in report.reportBlocks { block.write(to: &compound) }
    case .sourceDescription(let chunks):
      type = 202
      count = chunks.count
      for chunk in chunks { chunk.write(to: &compound, start: start) }
    case .goodbye(let goodbye):
      type = 203
      count = goodbye.ssrcs.count
      for ssrc in goodbye.ssrcs { compound.append(uint32: ssrc) }
      if let reason = goodbye.reason {
        compound.append(shortText: reason)
      }
    case .feedback(let feedback):
      type = feedback.layer.rawValue
      count = Int(feedback.format)
      compound.append(uint32: feedback.senderSSRC)
      compound.append(uint32: feedback.mediaSSRC)
      compound.append(contentsOf: feedback.information)
    case .extendedReport(let report):
      type = 207
      count = 0
      report.write(to: &compound)
    }
    compound.endRTCP(from: start, count: count, type: type)
  }
}

extension Array where Element == UInt8 {
  /// Appends a header to be filled in.
  ///
  /// - Returns: where the packet begins.
  mutating func beginRTCP() -> Int {
    append(uint32: 0)
    return count - 4
  }

  mutating func endRTCP(from start: Int, count packetCount: Int, type: UInt8) {
    pad(from: start)
    precondition(packetCount <= 31, "a count has five bits")
    let words = (count - start) / 4 - 1
    precondition(words <= 0xFFFF, "a length has 16 bits")
    self[start] = 0x80 | UInt8(packetCount)
    self[start + 1] = type
    write(uint16: UInt16(words), at: start + 2)
  }
}

extension ReportBlock {
  fileprivate func write(to compound: inout [UInt8]) {
    let lost = min(max(cumulativeLost, -0x80_0000), 0x7F_FFFF)
    compound.append(uint32: ssrc)
    compound.append(uint32: UInt32(fractionLost) << 24 | UInt32(truncatingIfNeeded: lost) & 0xFF_FFFF)
    compound.append(uint32: extendedHighestSequenceNumber)
    compound.append(uint32: jitter)
    compound.append(uint32: lastSenderReport)
    compound.append(uint32: delaySinceLastSenderReport)
  }
}

extension SourceDescription {
  fileprivate func write(to compound: inout [UInt8], start: Int) {
    compound.append(uint32: ssrc)
    for item in items {
      precondition(item.type != 0, "0 ends a chunk")
      compound.append(item.type)
      compound.append(shortText: item.text)
    }
    compound.append(0)
    compound.pad(from: start)
  }
}

extension Array where Element == UInt8 {
  /// A length byte and as many whole characters as fit 255 bytes.
  fileprivate mutating func append(shortText text: String) {
    var bytes: [UInt8] = []
    for scalar in text.unicodeScalars {
      let encoded = UTF8.encode(scalar)
      guard let encoded, bytes.count + encoded.count <= 255 else { break }
      bytes.append(contentsOf: encoded)
    }
    append(UInt8(bytes.count))
    append(contentsOf: bytes)
  }

  fileprivate mutating func pad(from start: Int) {
    while (count - start) % 4 != 0 { append(0) }
  }
}
