package import XMPPCore

/// What one side tells the other about its end of a SOCKS5 bytestream: candidates, or how the attempts to reach the
/// other side's ended.
///
/// - Specification: XEP-0260 §2
package struct SOCKS5Transport: Hashable, Sendable {
  package static let namespace = "urn:xmpp:jingle:transports:s5b:1"
  /// What a peer sends beyond is dropped.
  package static let maximumCandidates = 64
  static let maximumSIDLength = 256

  /// News about candidates, in transport-info.
  package enum Info: Hashable, Sendable {
    /// The sender has connected to this one of the receiver's candidates.
    case candidateUsed(cid: String)
    /// The sender can connect to none of the receiver's candidates, or need not any more.
    case candidateError
    /// The sender has activated the bytestream at this proxy, which it offered.
    case activated(cid: String)
    /// The sender cannot use the proxy that was nominated.
    case proxyError
  }

  /// Names the bytestream; both sides say the same.
  package var sid: String
  /// What to ask this side's proxies for.
  package var destination: SOCKS5Destination?
  /// Said by the initiator alone; TCP unless said otherwise.
  package var mode: BytestreamQuery.Mode?
  package var candidates: [SOCKS5Candidate]
  package var info: Info?
  /// Candidates that were left out when the element was read, being malformed, repeated or too many.
  package private(set) var droppedCandidates = 0

  package init(
    sid: String, destination: SOCKS5Destination? = nil, mode: BytestreamQuery.Mode? = nil,
    candidates: [SOCKS5Candidate] = [], info: Info? = nil
  ) {
    self.sid = sid
    self.destination = destination
    self.mode = mode
    self.candidates = candidates
    self.info = info
  }
}

extension SOCKS5Transport {
  /// Takes what the same side tells later of where it can be reached.
  package mutating func add(_ later: SOCKS5Transport) {
    destination = later.destination ?? destination
    candidates += later.candidates.prefix(Self.maximumCandidates - candidates.count)
  }
}

/// A place where one side, or a proxy for it, takes SOCKS5 connections.
///
/// - Specification: XEP-0260 §2.2
package struct SOCKS5Candidate: Hashable, Sendable {
  package enum Kind: String, Hashable, Sendable, CaseIterable {
    case direct, assisted, tunnel, proxy

    /// - Specification: XEP-0260 §2.2
    package var typePreference: UInt32 {
      switch self {
      case .direct: 126
      case .assisted: 120
      case .tunnel: 110
      case .proxy: 10
      }
    }

    /// The priority of a candidate of this kind.
    ///
    /// - Parameter localPreference: rates candidates of one kind, the best highest.
    /// - Specification: XEP-0260 §2.2
    package func priority(localPreference: UInt16) -> UInt32 {
      typePreference << 16 + UInt32(localPreference)
    }
  }

  package var cid: String
  /// An IPv4 or IPv6 address, or a name in DNS.
  package var host: String
  /// The party that offers it, or the proxy.
  package var jid: JID
  package var port: UInt16
  package var priority: UInt32
  package var kind: Kind

  package init(
    cid: String, host: String, jid: JID, port: UInt16 = StreamHost.defaultPort, priority: UInt32, kind: Kind = .direct
  ) {
    self.cid = cid
    self.host = host
    self.jid = jid
    self.port = port
    self.priority = priority
    self.kind = kind
  }

  /// A proxy that is offered to the peer.
  package init(cid: String, proxy: StreamHost, localPreference: UInt16 = 0) {
    self.init(
      cid: cid, host: proxy.host, jid: proxy.jid, port: proxy.port,
      priority: Kind.proxy.priority(localPreference: localPreference), kind: .proxy)
  }
}

extension SOCKS5Transport {
  /// Malformed candidates, and addresses of many hosts, are dropped one by one and counted.
  ///
  /// - Throws: `bad-request` when what concerns the whole bytestream is missing or malformed.
  package init(_ element: XMLElement) throws(StanzaError) {
    guard let sid = element[attribute: "sid"], (1...Self.maximumSIDLength).contains(sid.utf8.count) else {
      throw .badRequest("a bytestream's sid is missing, empty or too long")
    }
    self.init(sid: sid)
    // A hash that is none is as good as no hash: it is computed then.
    destination = element[attribute: "dstaddr"].flatMap(SOCKS5Destination.init)
    if let text = element[attribute: "mode"] {
      guard let mode = BytestreamQuery.Mode(rawValue: text) else { throw .badRequest("an unknown mode") }
      self.mode = mode
    }
    var cids: Set<String> = []
    for child in element.children where child.namespace == Self.namespace {
      guard child.name == "candidate" else {
        if info == nil { info = try Info(child) }
        continue
      }
      if candidates.count < Self.maximumCandidates, let candidate = SOCKS5Candidate(child),
        cids.insert(candidate.cid).inserted
      {
        candidates.append(candidate)
      } else {
        droppedCandidates += 1
      }
    }
  }

  package var element: XMLElement {
    var element = XMLElement("transport", namespace: Self.namespace, attributes: ["sid": sid])
    element[attribute: "dstaddr"] = destination?.text
    element[attribute: "mode"] = mode?.rawValue
    for candidate in candidates { element.append(candidate.element) }
    if let info { element.append(info.element) }
    return element
  }
}

extension SOCKS5Transport.Info {
  /// nil when it is something that this specification does not know.
  init?(_ element: XMLElement) throws(StanzaError) {
    switch element.name {
    case "candidate-used": self = .candidateUsed(cid: try Self.cid(of: element))
    case "candidate-error": self = .candidateError
    case "activated": self = .activated(cid: try Self.cid(of: element))
    case "proxy-error": self = .proxyError
    default: return nil
    }
  }

  package var element: XMLElement {
    let namespace = SOCKS5Transport.namespace
    return switch self {
    case .candidateUsed(let cid): XMLElement("candidate-used", namespace: namespace, attributes: ["cid": cid])
    case .candidateError: XMLElement("candidate-error", namespace: namespace)
    case .activated(let cid): XMLElement("activated", namespace: namespace, attributes: ["cid": cid])
    case .proxyError: XMLElement("proxy-error", namespace: namespace)
    }
  }

  private static func cid(of element: XMLElement) throws(StanzaError) -> String {
    guard let cid = element[attribute: "cid"], SOCKS5Candidate.cidLengths.contains(cid.utf8.count) else {
      throw .badRequest("<\(element.name)/> without a proper cid")
    }
    return cid
  }
}

extension SOCKS5Candidate {
  static let cidLengths = 1...256

  /// nil when something that a connection needs is missing or malformed.
  package init?(_ element: XMLElement) {
    guard
      let cid = element[attribute: "cid"], Self.cidLengths.contains(cid.utf8.count),
      let host = element[attribute: "host"], Self.isUsable(host),
      let jid = element[attribute: "jid"].flatMap({ try? JID($0) }),
      let priority: UInt32 = element.number("priority"), priority > 0,
      let kind = element[attribute: "type"].map(Kind.init(rawValue:)) ?? .direct
    else { return nil }
    var port = StreamHost.defaultPort
    if element[attribute: "port"] != nil {
      guard let number: UInt16 = element.number("port"), number > 0 else { return nil }
      port = number
    }
    self.init(cid: cid, host: host, jid: jid, port: port, priority: priority, kind: kind)
  }

  package var element: XMLElement {
    XMLElement(
      "candidate", namespace: SOCKS5Transport.namespace,
      attributes: [
        "cid": cid, "host": host, "jid": jid.description, "port": String(port), "priority": String(priority),
        "type": kind.rawValue,
      ])
  }

  /// Names are allowed, which is how proxies are told; addresses only of single hosts.
  private static func isUsable(_ host: String) -> Bool {
    guard StreamHost.isHost(host) else { return false }
    let isAddress = host.contains(":") || host.utf8.allSatisfy { (0x30...0x39).contains($0) || $0 == 0x2E }
    return !isAddress || ICEAddress.isUsable(host)
  }
}
