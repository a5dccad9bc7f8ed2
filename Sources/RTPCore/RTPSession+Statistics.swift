extension RTPSession {
  /// A session's figures since its start, over all streams that the peer has sent.
  package struct Statistics: Hashable, Sendable {
    package var localSSRC: UInt32
    package var remoteSSRC: UInt32?

    package var packetsSent = 0
    /// Payload only, as the sender reports count it.
    package var bytesSent = 0

    /// Includes duplicates and late packets.
    package var packetsReceived = 0
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
    /// Of a payload type that was not agreed on.
    package var packetsOfUnknownPayloadType = 0
    /// Of no stream that is played: not proven yet, ended, or far from the expected number.
    package var packetsIgnored = 0
    /// Not RTP, RTCP or a payload of their codec.
    package var packetsMalformed = 0
    /// - Specification: RFC 3550 §6.4.1, "interarrival jitter"
    package var jitter: Duration = .zero

    /// Nil until the peer has reported on one of our sender reports.
    package var roundTripTime: Duration?
    /// What the peer reports on the packets we sent; nil before its first report.
    package var remoteCumulativeLost: Int?
    /// The share that the peer has lost between its last two reports, 0 to 1.
    package var remoteFractionLost: Double?
    package var remoteJitter: Duration?

    package var jitterBuffer = JitterBuffer.Statistics()
  }
}
