package import MediaTime
package import RTPCore

/// What a media endpoint tells its owner. Few per call.
package enum MediaEvent: Sendable {
  /// A local candidate to signal to the peer: of the newest ICE generation, as the following two events are. Its `ufrag`
  /// says of which, as an event may be read after another restart.
  case candidate(ICECandidate)
  case gatheringDone
  case ice(ICEState)
  /// Encrypted media can flow.
  case connected(MediaConnection)
  /// Media goes another way than `connected` or the last of these said: after a restart, or because ICE found a better
  /// pair.
  case pathChanged(MediaPath)
  /// The restart brought no path in time, or no answer; the path before it stays in use, under its old credentials.
  case restartFailed
  /// No media will flow any more: no path, no DTLS, or consent was lost.
  case failed(MediaFailure)
  /// The peer closed the DTLS association.
  case closedByPeer
  case rtp(RTPSession.Event)
}

/// The way that media goes.
package struct MediaPath: Sendable {
  package var local: ICECandidate
  package var remote: ICECandidate
  /// The TURN server behind a local candidate that is a relayed one, as it was configured: `kind` and `name` say how it
  /// is reached.
  package var relay: ICEServer?

  /// Whether both name the same pair: libnice tells pairs again when it learns more about their candidates.
  func isSameWay(as other: MediaPath?) -> Bool {
    func ends(_ path: MediaPath) -> [AnyHashable] {
      [path.local, path.remote].flatMap { [$0.transport, $0.address, $0.port] as [AnyHashable] } + [path.relay]
    }
    return other.map { ends(self) == ends($0) } ?? false
  }
}

/// How an endpoint's path was set up.
package struct MediaConnection: Sendable {
  package var path: MediaPath
  package var iceTime: Duration
  package var dtlsTime: Duration
  package var dtlsVersion: String
  package var srtpProfile: SRTPProfile

  package var local: ICECandidate { path.local }
  package var remote: ICECandidate { path.remote }
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

/// What an endpoint has tried so far, in its newest ICE generation, to tell people why a call does not connect.
package struct ConnectivityReport: Sendable {
  package var ice: ICEState
  package var localCandidates: [ICECandidate]
  package var remoteCandidates: [ICECandidate]
  /// Of the peer's, those that no agent may take: names, addresses that are no host's, too many.
  package var refusedCandidates: Int
  package var servers: [ICEServer]
  /// Datagrams of DTLS that came from the peer.
  package var dtlsDatagramsReceived: Int
  package var dtlsStarted: Bool
}

/// Packets that were dropped before they reached the RTP session.
package struct TransportStatistics: Sendable {
  /// When the peer was last heard, by what only the peer can have sent.
  package var heardAt: Instant?
  /// Whether the peer lets itself be heard by its reports, even while it sends no media.
  package var carriesRTCP = true
  /// SRTP or SRTCP that did not authenticate.
  package var unauthenticated = 0
  /// SRTP replays and other packets that libsrtp2 refused.
  package var refused = 0
  /// Media that came before there were keys.
  package var early = 0
  /// Datagrams that are neither STUN, DTLS nor RTP, and RTP on RTCP's own port.
  package var unknown = 0
}
