package import MediaTime

/// One packet of a compound RTCP packet.
///
/// - Specification: RFC 3550 §6, RFC 4585 §6.1, RFC 3611 §2
package enum RTCPPacket: Hashable, Sendable {
  case senderReport(SenderReport)
  case receiverReport(ReceiverReport)
  case sourceDescription([SourceDescription])
  case goodbye(Goodbye)
  case feedback(RTCPFeedback)
  case extendedReport(ExtendedReport)
}

/// What a sender says of itself and of what it receives.
///
/// - Specification: RFC 3550 §6.4.1
package struct SenderReport: Hashable, Sendable {
  package var ssrc: UInt32
  package var ntpTime: NTPTime
  /// The same moment as `ntpTime`, in the stream's media time.
  package var rtpTimestamp: RTPTimestamp
  package var packetCount: UInt32
  package var octetCount: UInt32
  /// At most 31.
  package var reportBlocks: [ReportBlock]

  package init(
    ssrc: UInt32, ntpTime: NTPTime, rtpTimestamp: RTPTimestamp, packetCount: UInt32, octetCount: UInt32,
    reportBlocks: [ReportBlock] = []
  ) {
    self.ssrc = ssrc
    self.ntpTime = ntpTime
    self.rtpTimestamp = rtpTimestamp
    self.packetCount = packetCount
    self.octetCount = octetCount
    self.reportBlocks = reportBlocks
  }
}

/// What one who sends nothing says of what it receives.
///
/// - Specification: RFC 3550 §6.4.2
package struct ReceiverReport: Hashable, Sendable {
  package var ssrc: UInt32
  /// At most 31.
  package var reportBlocks: [ReportBlock]

  package init(ssrc: UInt32, reportBlocks: [ReportBlock] = []) {
    self.ssrc = ssrc
    self.reportBlocks = reportBlocks
  }
}

/// How one stream is received.
///
/// ```
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |                 SSRC_1 (SSRC of first source)                 |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// | fraction lost |       cumulative number of packets lost       |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |           extended highest sequence number received           |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |                      interarrival jitter                      |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |                         last SR (LSR)                         |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |                   delay since last SR (DLSR)                  |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// ```
///
/// - Specification: RFC 3550 §6.4.1
package struct ReportBlock: Hashable, Sendable {
  package var ssrc: UInt32
  /// In units of 1/256, since the last report.
  package var fractionLost: UInt8
  /// Clamped to 24 bits when written; negative when duplicates outnumber the losses.
  package var cumulativeLost: Int
  package var extendedHighestSequenceNumber: UInt32
  /// In ticks of the stream's clock rate.
  package var jitter: UInt32
  /// The middle 32 bits of the last sender report's NTP time, 0 if there was none.
  package var lastSenderReport: UInt32
  /// In units of 1/65536 s.
  package var delaySinceLastSenderReport: UInt32

  package init(
    ssrc: UInt32, fractionLost: UInt8, cumulativeLost: Int, extendedHighestSequenceNumber: UInt32, jitter: UInt32,
    lastSenderReport: UInt32, delaySinceLastSenderReport: UInt32
  ) {
    self.ssrc = ssrc
    self.fractionLost = fractionLost
    self.cumulativeLost = cumulativeLost
    self.extendedHighestSequenceNumber = extendedHighestSequenceNumber
    self.jitter = jitter
    self.lastSenderReport = lastSenderReport
    self.delaySinceLastSenderReport = delaySinceLastSenderReport
  }
}

/// What a source says of itself.
///
/// - Specification: RFC 3550 §6.5
package struct SourceDescription: Hashable, Sendable {
  package struct Item: Hashable, Sendable {
    /// 1 is CNAME.
    package var type: UInt8
    /// At most 255 bytes of UTF-8; what is longer is cut when written.
    package var text: String

    package init(type: UInt8, text: String) {
      self.type = type
      self.text = text
    }
  }

  package var ssrc: UInt32
  package var items: [Item]

  package init(ssrc: UInt32, items: [Item]) {
    self.ssrc = ssrc
    self.items = items
  }

  package init(ssrc: UInt32, cname: String) {
    self.init(ssrc: ssrc, items: [Item(type: 1, text: cname)])
  }

  /// - Specification: RFC 3550 §6.5.1
  package var cname: String? { items.first { $0.type == 1 }?.text }
}

/// Sources that leave.
///
/// - Specification: RFC 3550 §6.6
package struct Goodbye: Hashable, Sendable {
  /// At most 31.
  package var ssrcs: [UInt32]
  package var reason: String?

  package init(ssrcs: [UInt32], reason: String? = nil) {
    self.ssrcs = ssrcs
    self.reason = reason
  }
}

/// Feedback on a stream, its content kept as it came.
///
/// - Specification: RFC 4585 §6.1
package struct RTCPFeedback: Hashable, Sendable {
  package enum Layer: UInt8, Hashable, Sendable {
    /// RTPFB
    case transport = 205
    /// PSFB
    case payload = 206
  }

  package var layer: Layer
  /// FMT, 0 to 31.
  package var format: UInt8
  package var senderSSRC: UInt32
  package var mediaSSRC: UInt32
  /// FCI: a multiple of four bytes; less where a peer has padded it.
  package var information: [UInt8]

  package init(layer: Layer, format: UInt8, senderSSRC: UInt32, mediaSSRC: UInt32, information: [UInt8] = []) {
    self.layer = layer
    self.format = format
    self.senderSSRC = senderSSRC
    self.mediaSSRC = mediaSSRC
    self.information = information
  }
}
