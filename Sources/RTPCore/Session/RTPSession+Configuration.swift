package import MediaTime

extension RTPSession {
  /// What was negotiated, and what a machine without clock and randomness has to be given.
  package struct Configuration: Sendable {
    /// The name that ties this side's streams together: random, at most 255 bytes of UTF-8 (RFC 7022).
    package var cname: String
    /// Nil when no audio was agreed on for this transport.
    package var audio: AudioStream?
    /// One for each video content of this transport; the index names it from then on, and is not used again when the
    /// video is removed.
    package var video: [VideoStream]
    /// The header extensions that were agreed on. One id means one thing in the whole transport.
    package var headerExtensions: HeaderExtensions
    /// Whether feedback may go without a report before it.
    ///
    /// - Specification: RFC 5506 §4.1
    package var usesReducedSizeRTCP: Bool
    /// Where the bandwidth estimate begins and between which bounds it stays.
    package var bandwidth: BandwidthEstimator.Configuration
    /// The wall clock at one moment; sender reports carry it.
    package var wallClock: WallClock
    /// Seeds the variation of the report intervals, and the SSRC that is taken in place of one that collides.
    package var seed: UInt64

    package init(
      cname: String, audio: AudioStream? = nil, video: [VideoStream] = [],
      headerExtensions: HeaderExtensions = HeaderExtensions(), usesReducedSizeRTCP: Bool = false,
      bandwidth: BandwidthEstimator.Configuration = .init(), wallClock: WallClock, seed: UInt64
    ) {
      self.cname = cname
      self.audio = audio
      self.video = video
      self.headerExtensions = headerExtensions
      self.usesReducedSizeRTCP = usesReducedSizeRTCP
      self.bandwidth = bandwidth
      self.wallClock = wallClock
      self.seed = seed
    }
  }

  /// The ids of the header extensions that were agreed on, 1 to 14 or, in the two-byte form, to 255; nil for none.
  ///
  /// - Specification: RFC 8285 §5
  package struct HeaderExtensions: Hashable, Sendable {
    /// RFC 6464.
    package var audioLevel: UInt8?
    /// http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time
    package var absoluteSendTime: UInt8?
    /// draft-holmer-rmcat-transport-wide-cc-extensions-01.
    package var transportSequenceNumber: UInt8?
    /// RFC 9143 §15.
    package var mid: UInt8?

    package init(
      audioLevel: UInt8? = nil, absoluteSendTime: UInt8? = nil, transportSequenceNumber: UInt8? = nil,
      mid: UInt8? = nil
    ) {
      self.audioLevel = audioLevel
      self.absoluteSendTime = absoluteSendTime
      self.transportSequenceNumber = transportSequenceNumber
      self.mid = mid
    }
  }

  /// The audio of a session, both ways.
  package struct AudioStream: Sendable {
    /// Random; this side's name in reports even when it sends nothing.
    package var localSSRC: UInt32
    /// The streams that the peer has announced (XEP-0339); others are found by MID and payload type.
    package var remoteSSRCs: [UInt32]
    /// The value of the MID header extension (RFC 9143 §15.2), both ways; nil when there is none.
    package var mid: String?
    /// The payload type in packets sent: the peer's number for the codec.
    package var payloadType: UInt8
    /// The payload types accepted in packets received: our numbers. Others are counted and dropped.
    package var acceptedPayloadTypes: [UInt8: AudioCodec]
    /// Ticks of the RTP timestamp per second in packets sent. Received ones count as their codec's do.
    package var clockRate: Int
    /// Whether packets are counted in the transport's congestion control: transport-cc was agreed on for the content.
    package var usesTransportFeedback: Bool
    /// False while nothing may be sent: frames given to `send` are dropped.
    package var sends: Bool
    /// False while nothing is wanted: packets are counted, not played.
    package var receives: Bool
    /// Random.
    package var initialSequenceNumber: SequenceNumber
    /// Random: the RTP timestamp of position 0.
    package var initialTimestamp: RTPTimestamp
    package var jitterBuffer: JitterBuffer.Configuration
    /// How keys of a telephone (DTMF) are told; nil where that was not agreed on.
    package var telephoneEvents: TelephoneEvents?

    package init(
      localSSRC: UInt32, remoteSSRCs: [UInt32] = [], mid: String? = nil, payloadType: UInt8,
      acceptedPayloadTypes: [UInt8: AudioCodec], clockRate: Int = 48_000, usesTransportFeedback: Bool = false,
      sends: Bool = true, receives: Bool = true, initialSequenceNumber: SequenceNumber,
      initialTimestamp: RTPTimestamp, jitterBuffer: JitterBuffer.Configuration = .init(),
      telephoneEvents: TelephoneEvents? = nil
    ) {
      self.localSSRC = localSSRC
      self.remoteSSRCs = remoteSSRCs
      self.mid = mid
      self.payloadType = payloadType
      self.acceptedPayloadTypes = acceptedPayloadTypes
      self.clockRate = clockRate
      self.usesTransportFeedback = usesTransportFeedback
      self.sends = sends
      self.receives = receives
      self.initialSequenceNumber = initialSequenceNumber
      self.initialTimestamp = initialTimestamp
      self.jitterBuffer = jitterBuffer
      self.telephoneEvents = telephoneEvents
    }
  }

  /// The payload types of `telephone-event`.
  ///
  /// - Specification: RFC 4733 §2.1, §7.1
  package struct TelephoneEvents: Hashable, Sendable {
    /// In packets sent: the peer's number for it at the audio's clock rate; nil when there is none, so that no keys can
    /// be sent.
    package var payloadType: UInt8?
    /// Those accepted in packets received (our numbers), with their clock rates.
    package var acceptedPayloadTypes: [UInt8: Int]

    package init(payloadType: UInt8?, acceptedPayloadTypes: [UInt8: Int]) {
      self.payloadType = payloadType
      self.acceptedPayloadTypes = acceptedPayloadTypes.filter { $0.value > 0 }
    }
  }

  /// The video of one content, both ways.
  package struct VideoStream: Sendable {
    /// What is sent again, as a stream of its own (RFC 4588).
    package struct Retransmission: Hashable, Sendable {
      /// Random; announced in a FID group.
      package var localSSRC: UInt32
      /// The peer's number.
      package var payloadType: UInt8
      /// Random.
      package var initialSequenceNumber: SequenceNumber

      package init(localSSRC: UInt32, payloadType: UInt8, initialSequenceNumber: SequenceNumber) {
        self.localSSRC = localSSRC
        self.payloadType = payloadType
        self.initialSequenceNumber = initialSequenceNumber
      }
    }

    /// The feedback that both sides give and heed.
    ///
    /// - Specification: XEP-0293 §3, RFC 4585 §4.2, RFC 5104 §7.1
    package struct Feedback: Hashable, Sendable {
      package var nack: Bool
      package var pictureLoss: Bool
      package var fullIntraRequest: Bool
      package var bitrateLimit: Bool
      package var transport: Bool

      package init(
        nack: Bool = false, pictureLoss: Bool = false, fullIntraRequest: Bool = false, bitrateLimit: Bool = false,
        transport: Bool = false
      ) {
        self.nack = nack
        self.pictureLoss = pictureLoss
        self.fullIntraRequest = fullIntraRequest
        self.bitrateLimit = bitrateLimit
        self.transport = transport
      }
    }

    /// Random; this side's name in reports even when it sends nothing.
    package var localSSRC: UInt32
    /// The streams that the peer has announced (XEP-0339), without their retransmissions.
    package var remoteSSRCs: [UInt32]
    /// The peer's retransmission streams, by what they repeat (FID groups).
    package var remoteRetransmissionSSRCs: [UInt32: UInt32]
    /// The value of the MID header extension (RFC 9143 §15.2), both ways; nil when there is none.
    package var mid: String?
    /// The payload type in packets sent: the peer's number for the codec.
    package var payloadType: UInt8
    package var format: VideoPayloadFormat
    /// How lost packets are sent again; nil sends the packets themselves again where `feedback.nack` says so.
    package var retransmission: Retransmission?
    /// The payload types accepted in packets received: our numbers. Others are counted and dropped.
    package var acceptedPayloadTypes: [UInt8: VideoPayloadFormat]
    /// The payload types of retransmissions accepted (our numbers) and what each repeats (`apt`).
    package var acceptedRetransmissions: [UInt8: UInt8]
    package var feedback: Feedback
    /// False while nothing may be sent: frames given to `send` are dropped.
    package var sends: Bool
    /// False while nothing is wanted: packets are counted, no frames are made and nothing is asked for.
    package var receives: Bool
    /// Random.
    package var initialSequenceNumber: SequenceNumber
    /// Random: the RTP timestamp of the wall clock's instant.
    package var initialTimestamp: RTPTimestamp
    /// The largest packet sent, in bytes, header included and SRTP's trailer not.
    package var maximumPacketSize: Int
    package var assembler: FrameAssembler.Configuration
    /// It has ended; its place is kept, since the others' indices are their names.
    package internal(set) var isRemoved = false

    package init(
      localSSRC: UInt32, remoteSSRCs: [UInt32] = [], remoteRetransmissionSSRCs: [UInt32: UInt32] = [:],
      mid: String? = nil, payloadType: UInt8, format: VideoPayloadFormat, retransmission: Retransmission? = nil,
      acceptedPayloadTypes: [UInt8: VideoPayloadFormat], acceptedRetransmissions: [UInt8: UInt8] = [:],
      feedback: Feedback = Feedback(), sends: Bool = true, receives: Bool = true,
      initialSequenceNumber: SequenceNumber, initialTimestamp: RTPTimestamp, maximumPacketSize: Int = 1_200,
      assembler: FrameAssembler.Configuration = .init()
    ) {
      self.localSSRC = localSSRC
      self.remoteSSRCs = remoteSSRCs
      self.remoteRetransmissionSSRCs = remoteRetransmissionSSRCs
      self.mid = mid
      self.payloadType = payloadType
      self.format = format
      self.retransmission = retransmission
      self.acceptedPayloadTypes = acceptedPayloadTypes
      self.acceptedRetransmissions = acceptedRetransmissions
      self.feedback = feedback
      self.sends = sends
      self.receives = receives
      self.initialSequenceNumber = initialSequenceNumber
      self.initialTimestamp = initialTimestamp
      self.maximumPacketSize = maximumPacketSize
      self.assembler = assembler
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
