/// Where a bytestream can be had: one of its parties, or a proxy between them.
///
/// - Specification: XEP-0065 §4
package struct StreamHost: Hashable, Sendable {
  package static let defaultPort: UInt16 = 1080
  static let maximumHostLength = 253

  package var jid: JID
  /// An IPv4 or IPv6 address, or a name in DNS.
  package var host: String
  package var port: UInt16

  package init(jid: JID, host: String, port: UInt16 = defaultPort) {
    self.jid = jid
    self.host = host
    self.port = port
  }

  /// Whether `text` may be an address or a name, so that it can be passed on to a resolver.
  package static func isHost(_ text: String) -> Bool {
    (1...maximumHostLength).contains(text.utf8.count)
      && text.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
        case UInt8(ascii: "0")...UInt8(ascii: "9"): true
        // The colon and the percent sign for IPv6 addresses and their scopes.
        case UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: ":"), UInt8(ascii: "%"): true
        default: false
        }
      }
  }
}

/// What entities say to each other about a bytestream, and what a proxy is asked and answers.
///
/// - Specification: XEP-0065 §9.1
package struct BytestreamQuery: Hashable, Sendable {
  package static let namespace = "http://jabber.org/protocol/bytestreams"
  /// What a peer lists beyond is dropped.
  package static let maximumStreamHosts = 64
  /// A longer sid is refused.
  package static let maximumSIDLength = 1024

  package enum Mode: String, Hashable, Sendable, CaseIterable {
    case tcp, udp
  }

  package enum Content: Hashable, Sendable {
    /// Of a request the places offered, of a proxy's answer its own; none of them in the question to the proxy.
    case streamHosts([StreamHost])
    case streamHostUsed(JID)
    /// Wants a proxy to connect the requester with this target.
    case activate(JID)
  }

  package var sid: String?
  package var mode: Mode
  /// What the requester computed for DST.ADDR, where the target could not.
  package var destination: SOCKS5Destination?
  package var content: Content

  package init(
    sid: String? = nil, mode: Mode = .tcp, destination: SOCKS5Destination? = nil, _ content: Content
  ) {
    self.sid = sid
    self.mode = mode
    self.destination = destination
    self.content = content
  }

  /// The question for a proxy's address, for an iq of type get.
  ///
  /// - Specification: XEP-0065 §4
  package static let addressRequest = BytestreamQuery(.streamHosts([])).element

  /// Asks a proxy to let the bytestream flow, in an iq of type set.
  ///
  /// - Parameter target: the peer. The sender of the iq is the requester, who offered the proxy.
  /// - Specification: XEP-0065 §6.3.5
  package static func activation(sid: String, target: JID) -> XMLElement {
    BytestreamQuery(sid: sid, .activate(target)).element
  }
}

extension BytestreamQuery {
  /// Stream hosts without what they must have are left out.
  package init(_ element: XMLElement) throws(StanzaError) {
    guard element.is("query", Self.namespace) else { throw StanzaError(.badRequest, text: "not about a bytestream") }
    let sid = element[attribute: "sid"]
    if let sid, !(1...Self.maximumSIDLength).contains(sid.utf8.count) {
      throw StanzaError(.badRequest, text: "a sid that is empty or too long")
    }
    let mode = element[attribute: "mode"].map(Mode.init(rawValue:)) ?? .tcp
    guard let mode else { throw StanzaError(.badRequest, text: "an unknown mode") }
    let content: Content
    if let activate = element.first("activate", Self.namespace) {
      guard sid != nil else { throw StanzaError(.badRequest, text: "<activate/> without a sid") }
      content = .activate(try Self.address(activate.text))
    } else if let used = element.first("streamhost-used", Self.namespace) {
      content = .streamHostUsed(try Self.address(try used.required("jid")))
    } else {
      let hosts = element.all("streamhost", Self.namespace).lazy.compactMap(StreamHost.init)
      content = .streamHosts(Array(hosts.prefix(Self.maximumStreamHosts)))
    }
    self.init(
      sid: sid, mode: mode, destination: element[attribute: "dstaddr"].flatMap(SOCKS5Destination.init), content)
  }

  package var element: XMLElement {
    var element = XMLElement("query", namespace: Self.namespace)
    element[attribute: "sid"] = sid
    if mode != .tcp { element[attribute: "mode"] = mode.rawValue }
    element[attribute: "dstaddr"] = destination?.text
    switch content {
    case .streamHosts(let hosts):
      for host in hosts { element.append(host.element) }
    case .streamHostUsed(let jid):
      element.append(
        XMLElement("streamhost-used", namespace: Self.namespace, attributes: ["jid": jid.description]))
    case .activate(let target):
      element.append(XMLElement("activate", namespace: Self.namespace, text: target.description))
    }
    return element
  }

  private static func address(_ text: String) throws(StanzaError) -> JID {
    do {
      return try JID(text)
    } catch {
      throw StanzaError(.jidMalformed, text: "\(error)")
    }
  }
}

extension StreamHost {
  /// nil when something is missing or malformed.
  init?(_ element: XMLElement) {
    guard let jid = element[attribute: "jid"].flatMap({ try? JID($0) }), let host = element[attribute: "host"],
      Self.isHost(host)
    else { return nil }
    var port = Self.defaultPort
    if let text = element[attribute: "port"] {
      guard let number = UInt16(text), number > 0 else { return nil }
      port = number
    }
    self.init(jid: jid, host: host, port: port)
  }

  package var element: XMLElement {
    XMLElement(
      "streamhost", namespace: BytestreamQuery.namespace,
      attributes: ["jid": jid.description, "host": host, "port": String(port)])
  }
}

extension DiscoInfo {
  /// - Specification: XEP-0065 §4
  package var isBytestreamProxy: Bool {
    identities.contains { $0.category == "proxy" && $0.type == "bytestreams" }
  }
}
