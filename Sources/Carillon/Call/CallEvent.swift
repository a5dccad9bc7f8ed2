/// What happens in a call, in the order in which it happened.
public enum CallEvent: Sendable {
  /// The peer was asked (XEP-0353 `propose`, or directly by `session-initiate`).
  case proposed
  /// A device of the peer rings.
  case ringing(device: JID)
  /// A device of the peer took the call; the session is being negotiated.
  case proceeding(device: JID)
  /// Both sides agreed on media; ICE and DTLS are on their way.
  case connecting
  /// Encrypted media can flow.
  case connected(ConnectionReport)
  /// Once a second while connected.
  case statistics(CallStatistics)
  /// A medium joined the call. What is there from the beginning is not told.
  case added(CallContent, byPeer: Bool)
  /// A medium that the peer wanted to add was not taken.
  case refused(CallContent)
  /// A medium flows in other directions.
  case modified(CallContent, byPeer: Bool)
  /// A medium left the call.
  case removed(CallContent, byPeer: Bool)
  /// One side sends nothing of a kind for now: silence, or no pictures.
  case muted(MediaKind, byPeer: Bool)
  case unmuted(MediaKind, byPeer: Bool)
  /// Nothing flows either way, until both sides are back.
  case held(byPeer: Bool)
  case unheld(byPeer: Bool)
  /// A key of the telephone's pad (RFC 4733): `0`…`9`, `*`, `#`, `A`…`D`.
  case dtmf(Character, duration: Duration, byPeer: Bool)
  /// A new path is looked for, while the old one carries on.
  case restartingICE(byPeer: Bool)
  /// Media goes another way than before: after a restart, or since ICE found a better one.
  case pathChanged(MediaPath)
  /// Nothing of a kind has come for 5 s, though it should.
  case mediaMissing(MediaKind, MediaAbsence)
  /// What was missing comes again.
  case mediaFound(MediaKind)
  /// The stream to the server is down; media goes on.
  case signallingLost
  /// There is a stream again, and the peer still knows the call. Of a call that is still being set up only the former
  /// is known.
  case signallingRestored
  /// Something that does not end the call, but that a person would want to know.
  case warning(CallError)
  /// Always the last event.
  case ended(CallEnd)
}

/// The way that media goes, by the kinds of its two ends: `host`, `srflx`, `prflx` or `relay`.
public struct MediaPath: Hashable, Sendable {
  public var localCandidateType: String
  public var remoteCandidateType: String
  /// `udp` or `tcp`, between the two candidates.
  public var transport: String
  /// How this side reaches its TURN server: `udp`, `tcp` or `tls`; nil when the path is not relayed for it.
  public var relayProtocol: String?

  public init(
    localCandidateType: String, remoteCandidateType: String, transport: String = "udp", relayProtocol: String? = nil
  ) {
    self.localCandidateType = localCandidateType
    self.remoteCandidateType = remoteCandidateType
    self.transport = transport
    self.relayProtocol = relayProtocol
  }
}

/// Why nothing comes, as far as this side knows.
public enum MediaAbsence: String, Hashable, Sendable {
  /// The peer holds the call, or this side does.
  case onHold
  /// The peer said that it is muted.
  case muted
  /// The path is lost: nothing at all comes from the peer (RFC 7675).
  case consentLost
  /// Packets come, and none of them authenticates.
  case nothingDecrypts
  /// Packets come under payload types that were not agreed on.
  case unknownPayloadType
  /// Nothing tells why: the peer's reports come, or there are none to come, and its media does not.
  case notSent
}

/// How the media path was set up.
public struct ConnectionReport: Sendable {
  /// From the proposal (or its arrival) to encrypted media.
  public var setupTime: Duration
  /// From the proposal to the first `ringing`; nil when the peer never rang or this side was called.
  public var ringingTime: Duration?
  /// From the proposal to `proceed`; nil without message initiation or when this side was called.
  public var proceedTime: Duration?
  /// From the first candidate exchanged to a selected pair.
  public var iceTime: Duration
  /// From the selected pair to the DTLS handshake's end.
  public var dtlsTime: Duration
  /// Of the call's first content; where there is no bundle, others have paths of their own.
  public var path: MediaPath
  /// Such as `DTLS 1.2`.
  public var dtlsVersion: String
  /// IANA's name, such as `SRTP_AEAD_AES_128_GCM`.
  public var srtpProfile: String
  /// RTP payload name and clock rate, such as `opus/48000/2`; nil when there is no sound in the call.
  public var audioCodec: String?
  /// Such as `VP8/90000`; nil when there are no pictures in the call.
  public var videoCodec: String?
  /// Whether sound and pictures share one path (BUNDLE, RFC 9143).
  public var isBundled: Bool
}

/// The state of a call's media at one moment; counters run from the call's start.
///
/// Names are those of the W3C's Identifiers for WebRTC's Statistics API where it has one for the fact.
public struct CallStatistics: Sendable {
  /// Since the call connected.
  public var duration: Duration
  /// From RTCP; nil before the first report.
  public var roundTripTime: Duration?
  /// What the path is believed to carry, in bit/s; nil while nothing is known of it.
  public var availableOutgoingBitrate: Int?
  /// By how much pictures come before the sound of the same moment (negative: after it); nil unless both are received and
  /// the sender's reports tell their times.
  public var audioVideoOffset: Duration?
  /// Packets that did not authenticate and were dropped unheard.
  public var packetsRejected: Int
  /// What is sent, sound first.
  public var outbound: [OutboundStreamStatistics]
  /// What is received, sound first.
  public var inbound: [InboundStreamStatistics]

  public init(
    duration: Duration, roundTripTime: Duration? = nil, availableOutgoingBitrate: Int? = nil,
    audioVideoOffset: Duration? = nil, packetsRejected: Int = 0, outbound: [OutboundStreamStatistics] = [],
    inbound: [InboundStreamStatistics] = []
  ) {
    self.duration = duration
    self.roundTripTime = roundTripTime
    self.availableOutgoingBitrate = availableOutgoingBitrate
    self.audioVideoOffset = audioVideoOffset
    self.packetsRejected = packetsRejected
    self.outbound = outbound
    self.inbound = inbound
  }

  public func outbound(_ kind: MediaKind) -> OutboundStreamStatistics? { outbound.first { $0.kind == kind } }
  public func inbound(_ kind: MediaKind) -> InboundStreamStatistics? { inbound.first { $0.kind == kind } }
}

/// A stream that is sent (W3C webrtc-stats `outbound-rtp` and what the peer says of it, `remote-inbound-rtp`).
public struct OutboundStreamStatistics: Sendable {
  public var kind: MediaKind
  /// The content's name.
  public var mid = ""
  /// Payload name and clock rate, such as `opus/48000/2` or `VP8/90000`.
  public var codec: String
  public var ssrc: UInt32
  public var packetsSent = 0
  /// Payload only.
  public var bytesSent = 0
  /// In bit/s, over the last second or so; nil at first.
  public var bitrate: Int?
  /// The encoder's, in bit/s.
  public var targetBitrate: Int?
  public var retransmittedPacketsSent = 0
  public var retransmittedBytesSent = 0
  /// Feedback messages received.
  public var nackCount = 0
  public var pliCount = 0
  public var firCount = 0
  /// Our packets that the peer reports as lost; nil before its first report.
  public var remotePacketsLost: Int?
  /// The jitter that the peer reports; nil before its first report.
  public var remoteJitter: Duration?
  /// Loudness in dBFS of the last 100 ms or so, −127 for silence; nil for pictures.
  public var audioLevel: Double?
  /// What pictures have; nil for sound.
  public var video: OutboundVideoStatistics?

  public init(kind: MediaKind, codec: String, ssrc: UInt32) {
    self.kind = kind
    self.codec = codec
    self.ssrc = ssrc
  }
}

public struct OutboundVideoStatistics: Sendable {
  public var framesEncoded = 0
  public var keyFramesEncoded = 0
  public var framesSent = 0
  /// Left out since the encoder was late, to keep to the bitrate, or since the path was too slow.
  public var framesDropped = 0
  /// Of the last frame encoded; zero before it.
  public var frameWidth = 0
  public var frameHeight = 0
  /// Over the last second or so.
  public var framesPerSecond = 0.0
  /// Spent in the encoder.
  public var totalEncodeTime: Duration = .zero

  public init() {}
}

/// A stream that is received (W3C webrtc-stats `inbound-rtp`).
public struct InboundStreamStatistics: Sendable {
  public var kind: MediaKind
  /// The content's name.
  public var mid = ""
  /// Payload name and clock rate, such as `opus/48000/2` or `VP8/90000`.
  public var codec: String
  /// Nil before the first packet.
  public var ssrc: UInt32?
  public var packetsReceived = 0
  /// Packets from the peer that did not arrive.
  public var packetsLost = 0
  /// Payload only.
  public var bytesReceived = 0
  /// In bit/s, over the last second or so; nil at first.
  public var bitrate: Int?
  /// Interarrival jitter (RFC 3550 §6.4.1).
  public var jitter: Duration = .zero
  /// How long what is played has waited, at present.
  public var jitterBufferDelay: Duration = .zero
  /// Lost packets that came after all since they were asked for.
  public var packetsRecovered = 0
  public var retransmittedPacketsReceived = 0
  /// Feedback messages sent.
  public var nackCount = 0
  public var pliCount = 0
  public var firCount = 0
  /// Loudness in dBFS, −127 for silence; nil for pictures, and while nothing is decoded or told.
  public var audioLevel: Double?
  /// 48 kHz samples that were made up for lost packets.
  public var concealedSamples = 0
  /// What pictures have; nil for sound.
  public var video: InboundVideoStatistics?

  public init(kind: MediaKind, codec: String) {
    self.kind = kind
    self.codec = codec
  }
}

public struct InboundVideoStatistics: Sendable {
  /// Whole frames.
  public var framesReceived = 0
  public var framesDecoded = 0
  public var keyFramesDecoded = 0
  /// Missing, given up, or not decodable.
  public var framesDropped = 0
  /// Frames that came by three times the mean interval, and by 150 ms, later than the ones before.
  public var freezeCount = 0
  public var totalFreezesDuration: Duration = .zero
  /// Of the last frame; zero before it.
  public var frameWidth = 0
  public var frameHeight = 0
  /// That came whole, over the last second or so.
  public var framesPerSecond = 0.0
  /// Spent in the decoder.
  public var totalDecodeTime: Duration = .zero

  public init() {}
}

/// How a call ended.
public struct CallEnd: Sendable {
  /// Jingle's word for it (XEP-0166 §7.4), such as `success`, `decline`, `busy`, `connectivity-error`.
  public var reason: String
  /// Who ended it.
  public var endedByPeer: Bool
  /// From connected to the end; zero when it never connected.
  public var duration: Duration
  /// The last figures, when media flowed.
  public var statistics: CallStatistics?
  /// Set when the call failed.
  public var error: CallError?
  /// The `sid` of the call that goes on in this one's place, when the peer changed devices, came back after it was
  /// lost, or called at the same moment (XEP-0353 §4).
  public var migratedTo: String?
}
