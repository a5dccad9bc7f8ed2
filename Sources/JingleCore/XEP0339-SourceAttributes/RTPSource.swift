package import XMPPCore

/// A stream that the describing side sends.
///
/// - Specification: XEP-0339 §2.1, RFC 5576 §4.1
package struct RTPSource: Hashable, Sendable {
  package static let namespace = "urn:xmpp:jingle:apps:rtp:ssma:0"
  /// What a client that describes sources says of itself in disco (XEP-0339 §4).
  package static let feature = "urn:ietf:rfc:5576"
  /// What a peer lists beyond is dropped.
  package static let maximumCount = 64

  package var ssrc: UInt32
  /// Jitsi's name of the source.
  package var name: String?
  package var parameters: [RTPParameter]
  /// Children of other specifications, such as Jitsi's `ssrc-info`, untouched.
  package var extensions: [XMLElement]

  package init(
    ssrc: UInt32, name: String? = nil, parameters: [RTPParameter] = [], extensions: [XMLElement] = []
  ) {
    self.ssrc = ssrc
    self.name = name
    self.parameters = parameters
    self.extensions = extensions
  }

  /// - Parameters:
  ///   - cname: the name that RTCP gives to all sources of one clock.
  ///   - stream: what is played in sync with what.
  package init(ssrc: UInt32, cname: String, stream: String, track: String) {
    self.init(ssrc: ssrc, parameters: [RTPParameter("cname", cname), RTPParameter("msid", "\(stream) \(track)")])
  }

  /// The value of the first parameter of that name; empty when it has none.
  package func parameter(_ name: String) -> String? {
    parameters.first { $0.name == name }?.value
  }

  package var cname: String? { parameter("cname") }

  /// The stream that the source belongs to and its track there, from `msid` or the older `mslabel` and `label`.
  package var msid: (stream: String, track: String?)? { msids.first }

  /// All of them: a track may be in several streams.
  var msids: [(stream: String, track: String?)] {
    let msids = parameters.filter { $0.name == "msid" }.compactMap { parameter -> (stream: String, track: String?)? in
      let parts = parameter.value.split(separator: " ", maxSplits: 1)
      return parts.first.map { (String($0), parts.count > 1 ? String(parts[1]) : nil) }
    }
    return msids.isEmpty ? parameter("mslabel").map { [($0, parameter("label"))] } ?? [] : msids
  }
}

/// Sources that belong together.
///
/// - Specification: XEP-0339 §2.2, RFC 5576 §4.2
package struct RTPSourceGroup: Hashable, Sendable {
  /// What a peer lists beyond is dropped.
  package static let maximumCount = 64

  package var semantics: Semantics
  package var ssrcs: [UInt32]

  package init(_ semantics: Semantics, _ ssrcs: [UInt32]) {
    self.semantics = semantics
    self.ssrcs = ssrcs
  }

  package struct Semantics: RawRepresentable, Hashable, Sendable {
    package var rawValue: String

    package init(rawValue: String) { self.rawValue = rawValue }

    /// A stream and its retransmissions (RFC 4588).
    package static let flowIdentification = Semantics(rawValue: "FID")
    package static let forwardErrorCorrection = Semantics(rawValue: "FEC")
    /// A stream and its FlexFEC repairs.
    package static let forwardErrorCorrectionFraming = Semantics(rawValue: "FEC-FR")
    /// One picture in several sizes, smallest first.
    package static let simulcast = Semantics(rawValue: "SIM")
  }
}

extension RTPDescription {
  package func source(_ ssrc: UInt32) -> RTPSource? {
    sources.first { $0.ssrc == ssrc }
  }

  /// The source that repeats what is lost of another one.
  ///
  /// - Specification: RFC 5576 §4.2, RFC 4588 §8.3
  package func retransmissionSSRC(of ssrc: UInt32) -> UInt32? {
    sourceGroups.first { $0.semantics == .flowIdentification && $0.ssrcs.count == 2 && $0.ssrcs[0] == ssrc }?.ssrcs[1]
  }
}

extension RTPSource {
  /// nil when the number is missing or none.
  init?(_ element: XMLElement) {
    guard let ssrc: UInt32 = element.number("ssrc") else { return nil }
    self.init(
      ssrc: ssrc, name: element.token("name", upTo: 256), parameters: element.parameters(),
      extensions: element.children.filter { $0.namespace != Self.namespace })
  }

  var element: XMLElement {
    var element = XMLElement("source", namespace: Self.namespace, attributes: ["ssrc": String(ssrc)])
    element[attribute: "name"] = name
    for parameter in parameters { element.append(parameter.element(in: Self.namespace, emptyValue: false)) }
    for child in extensions { element.append(child) }
    return element
  }
}

extension RTPSourceGroup {
  /// nil when the semantics are missing, or what is grouped is no source, nothing, the same twice or too much.
  init?(_ element: XMLElement) {
    guard let semantics = element.token("semantics", upTo: 64) else { return nil }
    self.init(Semantics(rawValue: semantics), [])
    for source in element.all("source", RTPSource.namespace) {
      guard
        let ssrc: UInt32 = source.number("ssrc"), !ssrcs.contains(ssrc), ssrcs.count < RTPSource.maximumCount
      else { return nil }
      ssrcs.append(ssrc)
    }
    if ssrcs.isEmpty { return nil }
  }

  var element: XMLElement {
    XMLElement(
      "ssrc-group", namespace: RTPSource.namespace, attributes: ["semantics": semantics.rawValue],
      children: ssrcs.map { XMLElement("source", namespace: RTPSource.namespace, attributes: ["ssrc": String($0)]) })
  }
}
