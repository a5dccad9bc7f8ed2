package import MediaTime
package import RTPCore

/// What a media endpoint tells its owner. Few per call.
package enum MediaEvent: Sendable {
  /// A local candidate to signal to the peer.
  case candidate(ICECandidate)
  case gatheringDone
  case ice(ICEState)
  /// Encrypted media can flow.
  case connected(MediaConnection)
  /// No media will flow any more: no path, no DTLS, or consent was lost.
  case failed(MediaFailure)
  /// The peer closed the DTLS association.
  case closedByPeer
  case rtp(RTPSession.Event)
}

/// How an endpoint's path was set up.
package struct MediaConnection: Sendable {
  package var local: ICECandidate
  package var remote: ICECandidate
  package var iceTime: Duration
  package var dtlsTime: Duration
  package var dtlsVersion: String
  package var srtpProfile: SRTPProfile
}

/// Why an endpoint cannot carry media.
package enum MediaFailure: Error, Sendable {
  case noSockets
  /// ICE tried every pair in vain.
  case noPath
  /// The peer stopped answering consent checks (RFC 7675).
  case consentLost
  case dtls(DTLSError)
}

/// What an endpoint has tried so far, to tell people why a call does not connect.
package struct ConnectivityReport: Sendable {
  package var ice: ICEState
  package var localCandidates: [ICECandidate]
  package var remoteCandidates: [ICECandidate]
  package var servers: [ICEServer]
  /// Datagrams of DTLS that came from the peer.
  package var dtlsDatagramsReceived: Int
  package var dtlsStarted: Bool
}

/// Packets that were dropped before they reached the RTP session.
package struct TransportStatistics: Sendable {
  /// When the peer was last heard, by what only the peer can have sent.
  package var heardAt: Instant?
  /// SRTP or SRTCP that did not authenticate.
  package var unauthenticated = 0
  /// SRTP replays and other packets that libsrtp2 refused.
  package var refused = 0
  /// Media that came before there were keys.
  package var early = 0
  /// Datagrams that are neither STUN, DTLS nor RTP.
  package var unknown = 0
}
