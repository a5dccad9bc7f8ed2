import JingleCore
import MediaEngine

extension MediaEngine.ICECandidate {
  /// - Returns: nil for components that are neither RTP's nor RTCP's.
  init?(_ candidate: JingleCore.ICECandidate) {
    guard 1...2 ~= candidate.component else { return nil }
    let kind: Kind =
      switch candidate.kind {
      case .host: .host
      case .srflx: .srflx
      case .prflx: .prflx
      case .relay: .relay
      }
    self.init(
      kind: kind, transport: candidate.transportProtocol == .udp ? .udp : .tcp(candidate.tcpType ?? "passive"),
      component: Int(candidate.component), foundation: candidate.foundation, priority: candidate.priority,
      address: candidate.ip, port: candidate.port, relatedAddress: candidate.relatedAddress, relatedPort: candidate.relatedPort)
  }
}

extension MediaPath {
  init(_ path: MediaEngine.MediaPath) {
    var isTCP = false
    if case .tcp = path.local.transport { isTCP = true }
    self.init(
      localCandidateType: path.local.kind.rawValue, remoteCandidateType: path.remote.kind.rawValue,
      transport: isTCP ? "tcp" : "udp")
    guard let relay = path.relay, case .turn(let overTCP, _, _) = relay.kind else { return }
    // TLS is a tunnel in front of TCP.
    relayProtocol = relay.name.hasPrefix("turns") ? "tls" : overTCP ? "tcp" : "udp"
  }
}

extension JingleCore.ICECandidate {
  /// - Parameters:
  ///   - id: unique in the call (XEP-0176 §5.3).
  ///   - hidesBase: leaves out the address that the candidate was learned from, which would tell where this machine is.
  init(_ candidate: MediaEngine.ICECandidate, id: String, hidesBase: Bool) {
    let kind: Kind =
      switch candidate.kind {
      case .host: .host
      case .srflx: .srflx
      case .prflx: .prflx
      case .relay: .relay
      }
    var tcpType: String?
    if case .tcp(let type) = candidate.transport { tcpType = type }
    self.init(
      component: UInt8(clamping: candidate.component), foundation: candidate.foundation, id: id, ip: candidate.address,
      port: candidate.port, priority: candidate.priority, transportProtocol: tcpType == nil ? .udp : .tcp,
      tcpType: tcpType,
      relatedAddress: candidate.kind == .host ? nil : hidesBase ? "0.0.0.0" : candidate.relatedAddress,
      relatedPort: candidate.kind == .host ? nil : hidesBase ? 9 : candidate.relatedPort, kind: kind)
  }
}

extension DTLSFingerprint {
  /// - Returns: nil for a hash function that Jingle's side does not know.
  init?(_ fingerprint: CertificateFingerprint, setup: DTLSSetup) {
    guard let hash = Hash(rawValue: fingerprint.hash), fingerprint.bytes.count == hash.length else { return nil }
    self.init(hash: hash, setup: setup, bytes: fingerprint.bytes)
  }
}

extension CertificateFingerprint {
  init(_ fingerprint: DTLSFingerprint) {
    self.init(hash: fingerprint.hash.rawValue, bytes: fingerprint.bytes)
  }
}

extension ICETransport {
  var credentials: ICECredentials? {
    guard let ufrag, let pwd else { return nil }
    return ICECredentials(ufrag: ufrag, password: pwd)
  }
}
