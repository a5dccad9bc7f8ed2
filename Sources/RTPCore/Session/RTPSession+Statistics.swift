extension RTPSession {
  /// A session's figures since its start. Names follow the W3C's webrtc-stats where it has one.
  package struct Statistics: Hashable, Sendable {
    package var audio: AudioStatistics?
    /// As in `Configuration.video`.
    package var video: [VideoStatistics] = []

    /// From reports, RTCP XR where this side sends nothing; nil before the first.
    package var roundTripTime: Duration?
    /// What the path is believed to carry, in bit/s; nil where the peer reports nothing that an estimate could rest on.
    package var availableOutgoingBitrate: Int?
    /// Of no stream that is played: not proven yet, ended, or far from the expected number.
    package var packetsIgnored = 0
    /// With a header of RTP, whatever became of them.
    package var rtpPacketsReceived = 0
    /// Of a payload type that was not agreed on.
    package var packetsOfUnknownPayloadType = 0
    /// Not RTP, RTCP or a payload of their codec.
    package var packetsMalformed = 0
  }

  package struct AudioStatistics: Hashable, Sendable {
    package var outbound: OutboundStatistics
    package var inbound = InboundStatistics()
    package var jitterBuffer = JitterBuffer.Statistics()
    /// What the peer's packets say of their loudness, 0 (full scale) to −127 dBov (RFC 6464); nil when they say nothing.
    package var remoteAudioLevel: Int?
    package var telephoneEventsSent = 0
    package var telephoneEventsReceived = 0
    /// Packets of events that are no keys.
    package var telephoneEventsUnknown = 0
  }

  package struct VideoStatistics: Hashable, Sendable {
    package var outbound: OutboundStatistics
    package var inbound = InboundStatistics()
    package var assembler = FrameAssembler.Statistics()
    /// Frames given to `send` that went out.
    package var framesSent = 0
    package var keyFramesSent = 0
    /// Frames given to `send` that were dropped since the pacer's queue was too long.
    package var framesDropped = 0
    /// In bit/s.
    package var targetBitrate = 0
    /// Of the last key frame received.
    package var frameSize: PictureSize?
  }

  /// What this side sends as one stream, with what the peer says of it.
  package struct OutboundStatistics: Hashable, Sendable {
    package var ssrc: UInt32
    /// Retransmissions included, as their bytes are below.
    package var packetsSent = 0
    /// Payload only, as the sender reports count it.
    package var bytesSent = 0
    package var retransmittedPacketsSent = 0
    package var retransmittedBytesSent = 0
    /// Feedback messages received.
    package var nackCount = 0
    package var pliCount = 0
    package var firCount = 0

    /// What the peer reports; nil before its first report.
    package var remotePacketsLost: Int?
    /// The share that the peer has lost between its last two reports, 0 to 1.
    package var remoteFractionLost: Double?
    package var remoteJitter: Duration?

    package init(ssrc: UInt32) { self.ssrc = ssrc }
  }

  /// What the peer sends as one stream, over all SSRCs that it has used.
  package struct InboundStatistics: Hashable, Sendable {
    /// Nil before the first packet.
    package var ssrc: UInt32?
    /// Includes duplicates and late packets.
    package var packetsReceived = 0
    /// Of a payload type that was not agreed on, though MID or SSRC say that they belong here. Before the stream has
    /// begun they are not among the above.
    package var packetsOfUnknownPayloadType = 0
    /// Payload only.
    package var bytesReceived = 0
    /// Expected less received: negative when duplicates outnumber the losses.
    ///
    /// - Specification: RFC 3550 §6.4.1
    package var cumulativeLost = 0
    package var packetsLost: Int { max(0, cumulativeLost) }
    /// The share of the peer's packets that were lost, 0 to 1.
    package var lossRate: Double {
      let expected = packetsReceived + cumulativeLost
      return expected > 0 ? Double(packetsLost) / Double(expected) : 0
    }
    package var packetsDuplicated = 0
    /// After a packet with a higher number.
    package var packetsReordered = 0
    /// After their time to be played.
    package var packetsLate = 0
    /// - Specification: RFC 3550 §6.4.1, "interarrival jitter"
    package var jitter: Duration = .zero
    /// In streams of their own (RFC 4588).
    package var retransmittedPacketsReceived = 0
    package var retransmittedBytesReceived = 0
    /// Lost packets that came after all, since they were asked for.
    package var packetsRecovered = 0
    /// Feedback messages sent.
    package var nackCount = 0
    package var pliCount = 0
    package var firCount = 0
  }
}
