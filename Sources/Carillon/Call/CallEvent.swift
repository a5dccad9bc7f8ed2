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
  /// Something that does not end the call, but that a person would want to know.
  case warning(CallError)
  /// Always the last event.
  case ended(CallEnd)
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
  /// `host`, `srflx`, `prflx` or `relay`.
  public var localCandidateType: String
  public var remoteCandidateType: String
  /// Such as `DTLS 1.2`.
  public var dtlsVersion: String
  /// IANA's name, such as `SRTP_AEAD_AES_128_GCM`.
  public var srtpProfile: String
  /// RTP payload name and clock rate, such as `opus/48000/2`.
  public var audioCodec: String?
}

/// The state of a call's media at one moment; counters run from the call's start.
public struct CallStatistics: Sendable {
  public var duration: Duration
  /// Loudness in dBFS of the last 100 ms or so, −127 for silence; nil when the direction does not exist.
  public var sentAudioLevel: Double?
  public var receivedAudioLevel: Double?
  public var packetsSent: Int
  public var packetsReceived: Int
  /// Packets from the peer that did not arrive.
  public var packetsLost: Int
  /// Our packets that the peer reports as lost.
  public var remotePacketsLost: Int
  /// Interarrival jitter of what was received (RFC 3550 §6.4.1).
  public var jitter: Duration
  /// The jitter that the peer reports of what we sent.
  public var remoteJitter: Duration?
  /// From RTCP; nil before the first report.
  public var roundTripTime: Duration?
  public var bytesSent: Int
  public var bytesReceived: Int
  /// 48 kHz samples that were made up for lost packets.
  public var concealedSamples: Int
  /// Packets that did not authenticate and were dropped unheard.
  public var packetsRejected: Int
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
}
