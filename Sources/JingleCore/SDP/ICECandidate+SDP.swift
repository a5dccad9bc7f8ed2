import XMPPCore

extension ICECandidate {
  /// Jingle's attributes for what follows a candidate's type in SDP, in Chromium's order.
  private static let names: [(sdp: String, jingle: String)] = [
    ("raddr", "rel-addr"), ("rport", "rel-port"), ("tcptype", "tcptype"), ("generation", "generation"),
    ("network", "network"),
  ]

  /// Reads what follows `a=candidate:`.
  ///
  /// Jingle wants an id, which SDP has not: it is made of the text, so that equal lines have equal ids.
  ///
  /// - Parameter line: where it was read, for the error.
  /// - Returns: nil when Jingle has no such transport or type, so that the candidate is of no use.
  /// - Throws: `malformed`
  /// - Specification: XEP-0176 §5.3, RFC 8839 §5.1
  package init?(sdp text: Substring, line: Int) throws(SDPError) {
    let fields = text.split(separator: " ").map(String.init)
    guard fields.count >= 8, fields[6] == "typ" else {
      throw .malformed(line: line, "a candidate lacks something")
    }
    guard TransportProtocol(rawValue: fields[2].lowercased()) != nil, Kind(rawValue: fields[7]) != nil else {
      return nil
    }
    var element = XMLElement(
      "candidate", namespace: ICETransport.namespace,
      attributes: [
        "foundation": fields[0], "component": fields[1], "protocol": fields[2], "priority": fields[3], "ip": fields[4],
        "port": fields[5], "type": fields[7], "id": String(text.checksum, radix: 36),
      ])
    for index in stride(from: 8, to: fields.count - 1, by: 2) {
      // libwebrtc calls the network's number by a name of its own.
      let name = fields[index] == "network-id" ? "network" : fields[index]
      if let name = Self.names.first(where: { $0.sdp == name })?.jingle { element[attribute: name] = fields[index + 1] }
    }
    guard let candidate = ICECandidate(element) else { throw .malformed(line: line, "a candidate is malformed") }
    self = candidate
  }

  /// What follows `a=candidate:`.
  package var sdp: String { sdp(ufrag: nil) }

  /// What follows `candidate:`.
  ///
  /// - Parameter ufrag: whose generation the candidate is of. libwebrtc looks for it here, and not in what browsers hand
  ///   out beside the text.
  /// - Specification: XEP-0176 §5.3, RFC 8839 §5.1
  func sdp(ufrag: String?) -> String {
    let element = element
    var text = "\(foundation) \(component) \(transportProtocol) \(priority) \(ip) \(port) typ \(kind)"
    for name in Self.names {
      if name.sdp == "network", let ufrag { text += " ufrag \(ufrag)" }
      if let value = element[attribute: name.jingle] { text += " \(name.sdp) \(value)" }
    }
    return text
  }
}

extension StringProtocol {
  /// FNV-1a: a number that differs where texts differ, as good as always. It protects nothing.
  var checksum: UInt64 {
    utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
  }
}

/// One candidate as browsers hand it out and take it while the call is set up: `RTCIceCandidateInit`.
///
/// - Specification: RFC 8838 §4, RFC 8840 §5
package struct TrickledCandidate: Hashable, Sendable {
  /// The content's name.
  package var mid: String
  /// `candidate:…`, or nothing when there will be no more.
  package var candidate: String
  package var ufrag: String?

  package init(mid: String, candidate: String, ufrag: String? = nil) {
    self.mid = mid
    self.candidate = candidate
    self.ufrag = ufrag
  }
}

extension Jingle {
  /// The `transport-info` that carries these candidates.
  ///
  /// - Parameters:
  ///   - creator: who created the contents.
  ///   - pwd: the password of a ufrag, which browsers do not hand out with the candidates and Monal insists on.
  /// - Throws: `malformed`, with the candidate's number, counted from 1.
  package init(
    trickling candidates: [TrickledCandidate], sid: String, creator: Party = .initiator,
    pwd: (_ mid: String, _ ufrag: String) -> String? = { _, _ in nil }
  ) throws(SDPError) {
    self.init(.transportInfo, sid: sid)
    for (index, trickled) in candidates.enumerated() {
      func malformed(_ what: String) -> SDPError { .malformed(line: index + 1, what) }
      guard trickled.mid.isToken(upTo: Jingle.maximumNameLength) else { throw malformed("the mid is none") }
      let ufrag = trickled.ufrag ?? trickled.ufragInside
      if let ufrag, !ufrag.isToken(upTo: ICETransport.maximumCredentialLength) { throw malformed("the ufrag is none") }
      // Candidates of another ICE generation than the first go into a stanza of their own.
      let known = contents.firstIndex { $0.name == trickled.mid }
      var transport =
        known.flatMap { contents[$0].transport?.iceUDP }
        ?? ICETransport(ufrag: ufrag, pwd: ufrag.flatMap { pwd(trickled.mid, $0) })
      guard transport.ufrag == ufrag else { throw malformed("the ufrag differs from the first one's") }
      if trickled.candidate.isEmpty {
        transport.extensions = [ICETransport.gatheringComplete]
      } else {
        let text =
          trickled.candidate.hasPrefix("candidate:") ? trickled.candidate.dropFirst(10) : trickled.candidate[...]
        if let candidate = try ICECandidate(sdp: text, line: index + 1) { transport.candidates.append(candidate) }
      }
      guard transport.candidates.count <= ICETransport.maximumCandidates else { throw malformed("too many candidates") }
      if let known {
        contents[known].transport = .iceUDP(transport)
      } else {
        guard contents.count < Jingle.maximumContents else { throw malformed("too many contents") }
        contents.append(Content(creator: creator, name: trickled.mid, transport: .iceUDP(transport)))
      }
    }
  }

  /// The candidates of a `transport-info`, one by one.
  package var trickledCandidates: [TrickledCandidate] {
    contents.flatMap { content in
      guard let transport = content.transport?.iceUDP else { return [TrickledCandidate]() }
      let ufrag = transport.ufrag
      return transport.candidates.map {
        TrickledCandidate(mid: content.name, candidate: "candidate:\($0.sdp(ufrag: ufrag))", ufrag: ufrag)
      }
        + (transport.hasGatheringComplete
          ? [TrickledCandidate(mid: content.name, candidate: "", ufrag: ufrag)] : [])
    }
  }
}

extension TrickledCandidate {
  /// The ufrag that libwebrtc writes into the candidate itself.
  fileprivate var ufragInside: String? {
    let fields = candidate.split(separator: " ")
    return fields.firstIndex(of: "ufrag").flatMap { $0 + 1 < fields.count ? String(fields[$0 + 1]) : nil }
  }
}
