extension RTPSession {
  /// What a session wants done, in this order.
  package enum Output: Hashable, Sendable {
    /// Protect it and send it.
    case packet(OutgoingPacket)
    /// Decode it, or keep it.
    case audio(PlayoutUnit)
    /// Decode it, or keep it.
    ///
    /// - Parameter stream: the index in `Configuration.video`.
    case video(ReceivedVideoFrame, stream: Int)
    /// For the encoder of a video stream.
    ///
    /// - Parameter stream: the index in `Configuration.video`.
    case encoder(EncoderRequest, stream: Int)
    case event(Event)

    /// Moves the packet out, if it is one: bound by a pattern it would be shared with the output, and copied when it is
    /// encrypted in place.
    package mutating func takePacket() -> OutgoingPacket? {
      guard case .packet(let packet) = self else { return nil }
      self = .packet(OutgoingPacket(kind: packet.kind, bytes: []))
      return packet
    }
  }

  /// What an encoder is to do from its next frame on.
  package enum EncoderRequest: Hashable, Sendable {
    /// The peer cannot go on without a key frame.
    case keyFrame
    /// The target: what the path is believed to carry, less the audio's share and the room for retransmissions. Comes
    /// first before the first frame is sent, then with each notable change.
    case bitsPerSecond(Int)
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
    /// The peer sends with one of our SSRCs: ours says BYE, and another one goes on.
    case ssrcCollision(from: UInt32, to: UInt32)
    /// The peer has pressed a key: 0 to 9, *, #, A to D, for so long. Told once, when it is let go.
    case telephoneEvent(Character, Duration)
    /// The peer's stream has ended.
    case byeReceived(reason: String?)
  }
}
