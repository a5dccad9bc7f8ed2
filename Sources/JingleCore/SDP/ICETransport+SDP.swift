import XMPPCore

extension ICETransport {
  /// There will be no more candidates.
  ///
  /// - Specification: RFC 8840 §8.2
  static let gatheringComplete = XMLElement("gathering-complete", namespace: namespace)

  /// Whether the peer says that no more candidates follow.
  package var hasGatheringComplete: Bool { extensions.contains { $0.name == "gathering-complete" } }

  /// Where Conversations and Monal write SDP's ICE options, each an element named after it.
  static let optionNamespace = "http://gultsch.de/xmpp/drafts/jingle/transports/ice-udp/option"

  /// Attributes that count for all m-lines that do not have them when they stand above the first.
  static let sessionAttributes: Set = ["ice-ufrag", "ice-pwd", "ice-options", "fingerprint", "setup"]

  /// Reads one side's end of an ICE connection, attribute by attribute.
  struct SDPReader {
    private(set) var transport: ICETransport?
    private(set) var omitted: [String] = []
    private var setup: DTLSSetup?
  }

  /// The attributes that say this, with the candidates first, where Chromium has them.
  ///
  /// - Specification: XEP-0176 §5.3, XEP-0320 §3, RFC 8839 §5, RFC 8122 §5, RFC 4145 §4
  var sdpAttributes: [SessionDescription.Attribute] {
    var attributes = candidates.map { SessionDescription.Attribute("candidate", $0.sdp) }
    func append(_ name: String, _ value: String? = nil) { attributes.append(.init(name, value)) }
    if hasGatheringComplete { append("end-of-candidates") }
    if !remoteCandidates.isEmpty {
      append(
        "remote-candidates", remoteCandidates.map { "\($0.component) \($0.ip) \($0.port)" }.joined(separator: " "))
    }
    if let ufrag { append("ice-ufrag", ufrag) }
    if let pwd { append("ice-pwd", pwd) }
    let options = extensions.filter { $0.namespace == Self.optionNamespace }.map(\.name)
    if !options.isEmpty { append("ice-options", options.joined(separator: " ")) }
    for fingerprint in fingerprints { append("fingerprint", "\(fingerprint.hash.rawValue) \(fingerprint.value)") }
    if let setup = fingerprints.lazy.compactMap(\.setup).first { append("setup", setup.rawValue) }
    return attributes
  }

  /// The address for a peer without ICE: that of the candidate most likely to work, which is where a relay listens.
  /// Port 9 and no address while there is none.
  ///
  /// - Specification: RFC 8839 §4.2.1.2, RFC 8840 §4.1.1
  func defaultDestination(component: UInt8) -> (port: UInt16, connection: String) {
    let possible = candidates.filter {
      $0.component == component && $0.transportProtocol == .udp && !$0.ip.hasSuffix(".local")
    }
    let best = possible.min {
      ($0.ip.contains(":") ? 1 : 0, $0.kind.rank) < ($1.ip.contains(":") ? 1 : 0, $1.kind.rank)
    }
    guard let best else { return (9, "IN IP4 0.0.0.0") }
    return (best.port, "IN \(best.ip.contains(":") ? "IP6" : "IP4") \(best.ip)")
  }
}

extension ICECandidate.Kind {
  fileprivate var rank: Int {
    switch self {
    case .relay: 0
    case .srflx, .prflx: 1
    case .host: 2
    }
  }
}

extension ICETransport.SDPReader {
  /// Takes one attribute.
  ///
  /// - Returns: false when the attribute says nothing about the connection.
  /// - Throws: `malformed`
  mutating func take(_ attribute: SessionDescription.Attribute) throws(SDPError) -> Bool {
    switch attribute.name {
    case "candidate":
      if let candidate = try ICECandidate(sdp: Substring(attribute.value ?? ""), line: attribute.line),
        (transport?.candidates.count ?? 0) < ICETransport.maximumCandidates
      {
        update { $0.candidates.append(candidate) }
      } else {
        omitted.append("line \(attribute.line): a candidate of unknown kind, or one too many")
      }
    case "end-of-candidates":
      update { if !$0.hasGatheringComplete { $0.extensions.append(ICETransport.gatheringComplete) } }
    case "remote-candidates": try takeRemoteCandidates(attribute)
    case "ice-ufrag":
      let value = try credential(attribute)
      update { $0.ufrag = value }
    case "ice-pwd":
      let value = try credential(attribute)
      update { $0.pwd = value }
    case "ice-options":
      for option in attribute.fields.prefix(16) {
        // The option becomes an element's name, where XML wants a letter first and allows no sign.
        guard
          option.isToken(upTo: 64), option.first?.isLetter == true,
          option.allSatisfy({ $0.isLetter || $0.isNumber || $0 == "-" })
        else {
          omitted.append("line \(attribute.line): the ICE option \(option)")
          continue
        }
        let element = XMLElement(String(option), namespace: ICETransport.optionNamespace)
        update { if !$0.extensions.contains(element) { $0.extensions.append(element) } }
      }
    case "fingerprint": try takeFingerprint(attribute)
    case "setup":
      setup = attribute.value.flatMap { DTLSSetup(rawValue: $0.lowercased()) }
      if setup == nil { throw attribute.malformed() }
    default: return false
    }
    return true
  }

  /// The transport, once all attributes are taken; nil when none spoke of it.
  var finished: ICETransport? {
    var finished = transport
    finished?.fingerprints = (transport?.fingerprints ?? []).map {
      DTLSFingerprint(hash: $0.hash, setup: setup, bytes: $0.bytes)
    }
    return finished
  }

  private mutating func update(_ change: (inout ICETransport) -> Void) {
    var changed = transport ?? ICETransport()
    change(&changed)
    transport = changed
  }

  private func credential(_ attribute: SessionDescription.Attribute) throws(SDPError) -> String {
    guard let value = attribute.value, value.isToken(upTo: ICETransport.maximumCredentialLength) else {
      throw attribute.malformed()
    }
    return value
  }

  private mutating func takeFingerprint(_ attribute: SessionDescription.Attribute) throws(SDPError) {
    let fields = attribute.fields
    guard fields.count == 2, (transport?.fingerprints.count ?? 0) < DTLSFingerprint.maximumCount else {
      throw attribute.malformed()
    }
    let element = XMLElement(
      "fingerprint", namespace: DTLSFingerprint.namespace, attributes: ["hash": String(fields[0])],
      text: String(fields[1]))
    let fingerprint: DTLSFingerprint?
    do { fingerprint = try DTLSFingerprint(element) } catch { throw attribute.malformed(error.text) }
    guard let fingerprint else {
      omitted.append("line \(attribute.line): a fingerprint by \(fields[0]), which is too weak or unknown")
      return
    }
    update { $0.fingerprints.append(fingerprint) }
  }

  private mutating func takeRemoteCandidates(_ attribute: SessionDescription.Attribute) throws(SDPError) {
    let fields = attribute.fields
    guard !fields.isEmpty, fields.count % 3 == 0, fields.count <= 3 * ICETransport.maximumCandidates else {
      throw attribute.malformed()
    }
    for index in stride(from: 0, to: fields.count, by: 3) {
      guard
        let component: UInt8 = fields[index].decimal(), component > 0,
        fields[index + 1].isToken(upTo: ICECandidate.maximumAddressLength),
        let port: UInt16 = fields[index + 2].decimal()
      else { throw attribute.malformed() }
      update {
        if $0.remoteCandidates.count < ICETransport.maximumCandidates {
          $0.remoteCandidates.append(.init(component: component, ip: String(fields[index + 1]), port: port))
        }
      }
    }
  }
}
