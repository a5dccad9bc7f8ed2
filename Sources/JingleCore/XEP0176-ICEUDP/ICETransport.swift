package import XMPPCore

/// What one side tells the other about its end of an ICE connection: credentials and candidates.
///
/// - Specification: XEP-0176 §5
package struct ICETransport: Hashable, Sendable {
  package static let namespace = "urn:xmpp:jingle:transports:ice-udp:1"
  /// What a peer sends beyond is dropped.
  package static let maximumCandidates = 256
  static let maximumCredentialLength = 256

  /// Both credentials go into every stanza that carries candidates; Monal refuses others. Peers are laxer: they may be
  /// missing.
  package var ufrag: String?
  package var pwd: String?
  /// The certificates that the DTLS handshake may show (XEP-0320).
  package var fingerprints: [DTLSFingerprint]
  package var candidates: [ICECandidate]
  /// The candidate that the controlling side selected, once for each component.
  package var remoteCandidates: [RemoteCandidate]
  /// Children that this specification does not know, such as `gathering-complete` or an SCTP map.
  package var extensions: [XMLElement]
  /// Candidates that were left out when the element was read, being malformed or too many.
  package private(set) var droppedCandidates = 0

  package init(
    ufrag: String? = nil, pwd: String? = nil, fingerprints: [DTLSFingerprint] = [], candidates: [ICECandidate] = [],
    remoteCandidates: [RemoteCandidate] = [], extensions: [XMLElement] = []
  ) {
    self.ufrag = ufrag
    self.pwd = pwd
    self.fingerprints = fingerprints
    self.candidates = candidates
    self.remoteCandidates = remoteCandidates
    self.extensions = extensions
  }

  package struct RemoteCandidate: Hashable, Sendable {
    package var component: UInt8
    package var ip: String
    package var port: UInt16

    package init(component: UInt8, ip: String, port: UInt16) {
      self.component = component
      self.ip = ip
      self.port = port
    }
  }

  /// Whether this transport starts ICE anew: its credentials differ from those that held before.
  ///
  /// - Specification: XEP-0176 §5.9, RFC 8445 §9
  package func restarts(_ previous: ICETransport) -> Bool {
    func differ(_ new: String?, _ old: String?) -> Bool {
      if let new, let old { new != old } else { false }
    }
    return differ(ufrag, previous.ufrag) || differ(pwd, previous.pwd)
  }

  /// This transport with what another one of the same ICE generation adds, for sending both in one stanza.
  ///
  /// - Returns: nil when they belong to different generations.
  package func merging(_ later: ICETransport) -> ICETransport? {
    guard ufrag == later.ufrag, pwd == later.pwd else { return nil }
    var merged = self
    merged.fingerprints += later.fingerprints.filter { !fingerprints.contains($0) }
    merged.candidates += later.candidates
    merged.remoteCandidates += later.remoteCandidates
    merged.extensions += later.extensions
    return merged
  }
}

/// An address at which one side may be reached.
///
/// - Specification: XEP-0176 §5.3, RFC 8839 §5.1
package struct ICECandidate: Hashable, Sendable {
  package enum Kind: String, Hashable, Sendable, CaseIterable {
    case host, prflx, relay, srflx
  }

  package enum TransportProtocol: String, Hashable, Sendable, CaseIterable {
    case udp, tcp
  }

  /// 1 for RTP; 2 for RTCP, which rtcp-mux makes superfluous (see `isForRTCP`).
  package var component: UInt8
  package var foundation: String
  /// Counts ICE restarts.
  package var generation: UInt8
  package var id: String
  /// An IPv4 or IPv6 address, or a name under `.local`.
  package var ip: String
  /// The index of the network interface; for diagnosis only.
  package var network: UInt8?
  package var port: UInt16
  package var priority: UInt32
  package var transportProtocol: TransportProtocol
  /// `active`, `passive` or `so`; for TCP only.
  package var tcpType: String?
  /// Where a reflexive or relayed candidate comes from.
  package var relatedAddress: String?
  package var relatedPort: UInt16?
  package var kind: Kind

  package init(
    component: UInt8 = 1, foundation: String, generation: UInt8 = 0, id: String, ip: String, network: UInt8? = 0,
    port: UInt16, priority: UInt32, transportProtocol: TransportProtocol = .udp, tcpType: String? = nil,
    relatedAddress: String? = nil, relatedPort: UInt16? = nil, kind: Kind
  ) {
    self.component = component
    self.foundation = foundation
    self.generation = generation
    self.id = id
    self.ip = ip
    self.network = network
    self.port = port
    self.priority = priority
    self.transportProtocol = transportProtocol
    self.tcpType = tcpType
    self.relatedAddress = relatedAddress
    self.relatedPort = relatedPort
    self.kind = kind
  }

  /// Whether the candidate is for a second component, which Dino sends even when it multiplexes.
  package var isForRTCP: Bool { component == 2 }

  /// Whether packets can go to its address without asking a name server and without reaching many hosts.
  package var isForOneHost: Bool { ICEAddress.isUsable(ip) }
}

extension ICETransport {
  /// Malformed candidates, and those that are not for one host, are dropped one by one and counted.
  ///
  /// - Throws: `bad-request` when credentials or fingerprints are malformed, since nothing can be saved then.
  package init(_ element: XMLElement) throws(StanzaError) {
    self.init()
    ufrag = try Self.credential("ufrag", of: element)
    pwd = try Self.credential("pwd", of: element)
    for child in element.children {
      if child.is("fingerprint", DTLSFingerprint.namespace) {
        // Hashes that are unknown or too weak to trust are as good as absent.
        guard let fingerprint = try DTLSFingerprint(child) else { continue }
        guard fingerprints.count < DTLSFingerprint.maximumCount else { throw .badRequest("too many fingerprints") }
        fingerprints.append(fingerprint)
      } else if child.is("candidate", Self.namespace) {
        if candidates.count < Self.maximumCandidates, let candidate = ICECandidate(child), candidate.isForOneHost {
          candidates.append(candidate)
        } else {
          droppedCandidates += 1
        }
      } else if child.is("remote-candidate", Self.namespace) {
        if remoteCandidates.count < Self.maximumCandidates, let candidate = RemoteCandidate(child) {
          remoteCandidates.append(candidate)
        } else {
          droppedCandidates += 1
        }
      } else {
        extensions.append(child)
      }
    }
  }

  package var element: XMLElement {
    var element = XMLElement("transport", namespace: Self.namespace)
    element[attribute: "ufrag"] = ufrag
    element[attribute: "pwd"] = pwd
    for fingerprint in fingerprints { element.append(fingerprint.element) }
    for candidate in candidates { element.append(candidate.element) }
    for candidate in remoteCandidates {
      element.append(
        XMLElement(
          "remote-candidate", namespace: Self.namespace,
          attributes: ["component": String(candidate.component), "ip": candidate.ip, "port": String(candidate.port)]))
    }
    for child in extensions { element.append(child) }
    return element
  }

  private static func credential(_ name: String, of element: XMLElement) throws(StanzaError) -> String? {
    guard let text = element[attribute: name], !text.isEmpty else { return nil }
    guard let token = element.token(name, upTo: maximumCredentialLength) else {
      throw .badRequest("\(name) is too long or holds characters that it may not")
    }
    return token
  }
}

extension ICETransport.RemoteCandidate {
  init?(_ element: XMLElement) {
    guard
      let component: UInt8 = element.number("component"), component > 0,
      let ip = element.token("ip", upTo: ICECandidate.maximumAddressLength), let port: UInt16 = element.number("port")
    else { return nil }
    self.init(component: component, ip: ip, port: port)
  }
}

extension ICECandidate {
  static let maximumAddressLength = 253
  /// RFC 8839 §5.1 allows 32 characters.
  static let maximumFoundationLength = 32

  /// nil when something that a connectivity check needs is missing or malformed.
  package init?(_ element: XMLElement) {
    guard
      let component: UInt8 = element.number("component"), component > 0,
      let foundation = element.token("foundation", upTo: Self.maximumFoundationLength),
      let ip = element.token("ip", upTo: Self.maximumAddressLength),
      let port: UInt16 = element.number("port"),
      let priority: UInt32 = element.number("priority"), priority > 0,
      let transportProtocol = element[attribute: "protocol"].flatMap({ TransportProtocol(rawValue: $0.lowercased()) }),
      let kind = element[attribute: "type"].flatMap(Kind.init),
      // A TCP candidate of type active has no port to connect to (RFC 6544 §4.5).
      port > 0 || transportProtocol == .tcp
    else { return nil }
    self.init(
      component: component, foundation: foundation, generation: element.number("generation") ?? 0,
      id: element.token("id", upTo: 256) ?? "", ip: ip, network: element.number("network"), port: port,
      priority: priority, transportProtocol: transportProtocol, tcpType: element.token("tcptype", upTo: 16),
      relatedAddress: element.token("rel-addr", upTo: Self.maximumAddressLength),
      relatedPort: element.number("rel-port"), kind: kind)
  }

  package var element: XMLElement {
    var element = XMLElement("candidate", namespace: ICETransport.namespace)
    element[attribute: "component"] = String(component)
    element[attribute: "foundation"] = foundation
    element[attribute: "generation"] = String(generation)
    element[attribute: "id"] = id
    element[attribute: "ip"] = ip
    element[attribute: "network"] = network.map(String.init)
    element[attribute: "port"] = String(port)
    element[attribute: "priority"] = String(priority)
    element[attribute: "protocol"] = transportProtocol.rawValue
    element[attribute: "tcptype"] = tcpType
    element[attribute: "rel-addr"] = relatedAddress
    element[attribute: "rel-port"] = relatedPort.map(String.init)
    element[attribute: "type"] = kind.rawValue
    return element
  }
}
