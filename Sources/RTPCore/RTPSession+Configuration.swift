package import MediaTime

extension RTPSession {
  /// What was negotiated, and what a machine without clock and randomness has to be given.
  package struct Configuration: Sendable {
    /// Random, different from the peer's.
    package var localSSRC: UInt32
    /// The name that ties this side's streams together: random, at most 255 bytes of UTF-8 (RFC 7022).
    package var cname: String
    /// Nil when no audio was agreed on: then only reports go out.
    package var audio: AudioStream?
    /// Whether feedback may go without a report before it.
    ///
    /// - Specification: RFC 5506 §4.1
    package var usesReducedSizeRTCP: Bool
    /// The wall clock at one moment; sender reports carry it.
    package var wallClock: WallClock
    /// Seeds the variation of the report intervals.
    package var seed: UInt64

    package init(
      localSSRC: UInt32, cname: String, audio: AudioStream?, usesReducedSizeRTCP: Bool = false, wallClock: WallClock,
      seed: UInt64
    ) {
      self.localSSRC = localSSRC
      self.cname = cname
      self.audio = audio
      self.usesReducedSizeRTCP = usesReducedSizeRTCP
      self.wallClock = wallClock
      self.seed = seed
    }
  }

  /// The audio of a session, both ways.
  package struct AudioStream: Sendable {
    /// The payload type in packets sent: the peer's number for the codec.
    package var payloadType: UInt8
    /// The payload types accepted in packets received: our numbers. Others are counted and dropped.
    package var acceptedPayloadTypes: [UInt8: AudioCodec]
    /// Ticks of the RTP timestamp per second.
    package var clockRate: Int
    /// False while nothing may be sent: frames given to `send` are dropped.
    package var sends: Bool
    /// False while nothing is wanted: packets are counted, not played.
    package var receives: Bool
    /// Random.
    package var initialSequenceNumber: SequenceNumber
    /// Random: the RTP timestamp of position 0.
    package var initialTimestamp: RTPTimestamp
    package var jitterBuffer: JitterBuffer.Configuration

    package init(
      payloadType: UInt8, acceptedPayloadTypes: [UInt8: AudioCodec], clockRate: Int = 48_000, sends: Bool = true,
      receives: Bool = true, initialSequenceNumber: SequenceNumber, initialTimestamp: RTPTimestamp,
      jitterBuffer: JitterBuffer.Configuration = .init()
    ) {
      self.payloadType = payloadType
      self.acceptedPayloadTypes = acceptedPayloadTypes
      self.clockRate = clockRate
      self.sends = sends
      self.receives = receives
      self.initialSequenceNumber = initialSequenceNumber
      self.initialTimestamp = initialTimestamp
      self.jitterBuffer = jitterBuffer
    }
  }

  /// Ties the monotonic clock to the wall.
  package struct WallClock: Hashable, Sendable {
    package var instant: Instant
    package var time: NTPTime

    package init(instant: Instant, time: NTPTime) {
      self.instant = instant
      self.time = time
    }

    package func time(at now: Instant) -> NTPTime {
      time + (now - instant)
    }
  }
}
