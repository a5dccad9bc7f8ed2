package import XMPPCore

/// An RTP session as one side describes it: what kind of media, in which encodings.
///
/// - Specification: XEP-0167 §4
package struct RTPDescription: Hashable, Sendable {
  package static let namespace = "urn:xmpp:jingle:apps:rtp:1"
  /// There are 128 payload types; what a peer lists beyond is dropped.
  package static let maximumPayloadTypes = 128

  /// `audio`, `video`, …
  package var media: String
  package var ssrc: UInt32?
  /// In the describing side's order of preference.
  package var payloadTypes: [RTPPayloadType]
  package var bandwidth: Bandwidth?
  /// SDES keys, which Dino offers beside DTLS. Carillon never uses them.
  package var encryption: Encryption?
  /// RTP and RTCP may share a port (RFC 5761).
  package var rtcpMux: Bool
  /// Children of other specifications (XEP-0293, 0294, 0339, …), untouched.
  package var extensions: [XMLElement]
  /// Payload types that were left out when the description was read, being malformed, repeated or too many.
  package private(set) var droppedPayloadTypes = 0

  package init(
    media: String, ssrc: UInt32? = nil, payloadTypes: [RTPPayloadType] = [], bandwidth: Bandwidth? = nil,
    encryption: Encryption? = nil, rtcpMux: Bool = false, extensions: [XMLElement] = []
  ) {
    self.media = media
    self.ssrc = ssrc
    self.payloadTypes = payloadTypes
    self.bandwidth = bandwidth
    self.encryption = encryption
    self.rtcpMux = rtcpMux
    self.extensions = extensions
  }

  package struct Bandwidth: Hashable, Sendable {
    /// SDP's bwtype: `AS`, `TIAS`, …
    package var type: String
    package var value: String

    package init(type: String, value: String) {
      self.type = type
      self.value = value
    }
  }

  package struct Encryption: Hashable, Sendable {
    package var isRequired: Bool
    package var cryptos: [XMLElement]

    package init(isRequired: Bool = false, cryptos: [XMLElement]) {
      self.isRequired = isRequired
      self.cryptos = cryptos
    }
  }
}

extension RTPDescription {
  /// - Throws: `bad-request` when the kind of media is not told.
  package init(_ element: XMLElement) throws(StanzaError) {
    guard let media = element.token("media", upTo: 64) else { throw .badRequest("description without media") }
    self.init(media: media, ssrc: element.number("ssrc"))
    var ids: Set<UInt8> = []
    for child in element.children {
      guard child.namespace == Self.namespace else {
        extensions.append(child)
        continue
      }
      switch child.name {
      case "payload-type":
        if payloadTypes.count < Self.maximumPayloadTypes, let payloadType = RTPPayloadType(child),
          ids.insert(payloadType.id).inserted
        {
          payloadTypes.append(payloadType)
        } else {
          droppedPayloadTypes += 1
        }
      case "bandwidth":
        if let type = child[attribute: "type"] { bandwidth = Bandwidth(type: type, value: child.text) }
      case "encryption":
        encryption = Encryption(
          isRequired: ["1", "true"].contains(child[attribute: "required"]),
          cryptos: child.all("crypto", Self.namespace))
      case "rtcp-mux":
        rtcpMux = true
      default:
        extensions.append(child)
      }
    }
  }

  package var element: XMLElement {
    var element = XMLElement("description", namespace: Self.namespace)
    element[attribute: "media"] = media
    element[attribute: "ssrc"] = ssrc.map(String.init)
    for payloadType in payloadTypes { element.append(payloadType.element) }
    if let encryption {
      element.append(
        XMLElement(
          "encryption", namespace: Self.namespace, attributes: encryption.isRequired ? ["required": "1"] : [:],
          children: encryption.cryptos))
    }
    if let bandwidth {
      element.append(
        XMLElement("bandwidth", namespace: Self.namespace, attributes: ["type": bandwidth.type], text: bandwidth.value))
    }
    if rtcpMux { element.append(XMLElement("rtcp-mux", namespace: Self.namespace)) }
    for child in extensions { element.append(child) }
    return element
  }
}
