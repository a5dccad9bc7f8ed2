extension RTPSession {
  /// What a session wants done, in this order.
  package enum Output: Hashable, Sendable {
    /// Protect it and send it.
    case packet(OutgoingPacket)
    /// Decode it, or keep it.
    case audio(PlayoutUnit)
    case event(Event)
  }

  package struct OutgoingPacket: Hashable, Sendable {
    package enum Kind: Hashable, Sendable {
      case rtp
      case rtcp
    }

    package var kind: Kind
    /// The packet in the clear. The array has room for an SRTP trailer (`RTPSession.trailerCapacity`) without growing.
    package var bytes: [UInt8]
  }

  package enum Event: Hashable, Sendable {
    /// The first packet of an agreed payload type has come.
    case firstMediaReceived(ssrc: UInt32)
    /// The peer has begun a new stream in place of the old one.
    case ssrcChanged(from: UInt32, to: UInt32)
    /// The peer sends with our SSRC. Told once.
    case ssrcCollision
    /// The peer's stream has ended.
    case byeReceived(reason: String?)
    /// The peer asks for a change in what we send, or reports on it; not understood by the session itself.
    case feedbackReceived(RTCPFeedback)
  }
}
