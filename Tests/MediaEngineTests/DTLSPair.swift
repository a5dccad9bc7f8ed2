import Foundation

@testable import MediaEngine

/// Two DTLS ends in one thread, and a line between them that a test may disturb.
final class DTLSPair {
  final class End {
    let certificate: DTLSCertificate
    fileprivate(set) var transport: DTLSTransport?
    fileprivate(set) var events: [DTLSTransport.Event] = []

    init(_ certificate: DTLSCertificate) {
      self.certificate = certificate
    }

    var material: SRTPKeyingMaterial? {
      for case .connected(let material, _) in events { return material }
      return nil
    }

    var version: String? {
      for case .connected(_, let version) in events { return version }
      return nil
    }

    var error: DTLSError? {
      for case .failed(let error) in events { return error }
      return nil
    }

    var sawClose: Bool { events.contains { if case .closed = $0 { true } else { false } } }
  }

  let ends: [End]
  /// What the line makes of one datagram; by default it passes.
  var line: (_ datagram: [UInt8], _ receiver: Int) -> [[UInt8]] = { datagram, _ in [datagram] }
  private var inFlight: [(receiver: Int, datagram: [UInt8])] = []

  /// - Parameters:
  ///   - fingerprints: what each end was told of the other; the truth where it is nil.
  ///   - certificates: each end's own; new ones where it is nil.
  init(
    roles: [DTLSRole] = [.client, .server], fingerprints: [[CertificateFingerprint]?] = [nil, nil],
    profiles: [[SRTPProfile]] = [SRTPProfile.offered, SRTPProfile.offered],
    certificates: [DTLSCertificate]? = nil
  ) throws {
    ends = try (certificates ?? [DTLSCertificate(), DTLSCertificate()]).map(End.init)
    for (index, end) in ends.enumerated() {
      end.transport = try DTLSTransport(
        certificate: end.certificate, role: roles[index],
        fingerprints: fingerprints[index] ?? [ends[1 - index].certificate.fingerprint], profiles: profiles[index],
        send: { [unowned self] in inFlight.append((1 - index, Array($0))) },
        handle: { [unowned end] in end.events.append($0) })
    }
  }

  /// Shakes hands until both ends know how it ended, with as many retransmissions as it takes, up to twelve rounds.
  func handshake() {
    for end in ends { end.transport?.start() }
    deliver()
    for _ in 0..<12 where ends.contains(where: { $0.events.isEmpty }) {
      guard let delay = ends.compactMap({ $0.transport?.timeoutDelay }).min() else { return }
      Thread.sleep(forTimeInterval: delay / .seconds(1) + 0.001)
      for end in ends where end.transport?.timeoutDelay ?? .seconds(1) <= .zero { end.transport?.timeout() }
      deliver()
    }
  }

  /// Carries datagrams until the line is empty.
  func deliver() {
    while !inFlight.isEmpty {
      let (receiver, datagram) = inFlight.removeFirst()
      for datagram in line(datagram, receiver) { receive(datagram, at: receiver) }
    }
  }

  func receive(_ datagram: [UInt8], at index: Int) {
    datagram.withUnsafeBytes { ends[index].transport?.receive($0) }
  }
}
