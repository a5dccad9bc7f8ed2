package import XMPPCore

/// An RTP session as one side describes it: what kind of media, in which encodings.
///
/// - Specification: XEP-0167 §4
package struct RTPDescription: Hashable, Sendable {
  package static let namespace = "urn:xmpp:jingle:apps:rtp:1"
  /// There are 128 payload types; what a peer lists beyond is dropped.
  package static let maximumPayloadTypes = 128

  /// What a client that speaks of this kind of media says of itself in disco.
  ///
  /// - Specification: XEP-0167 §8
  package static func feature(_ media: String) -> String { "urn:xmpp:jingle:apps:rtp:\(media)" }

  /// `audio`, `video`, …
  package var media: String
  package var ssrc: UInt32?
  /// In the describing side's order of preference.
  package var payloadTypes: [RTPPayloadType]
  /// What may be asked for and given for all payload types; see `feedback(for:)`.
  package var feedback: RTPFeedback
  package var headerExtensions: [RTPHeaderExtension]
  /// Packets with one-byte and with two-byte header extensions may come in one stream.
  package var allowsMixedHeaderExtensions: Bool
  package var bandwidth: Bandwidth?
  /// SDES keys, which Dino offers beside DTLS. Carillon never uses them.
  package var encryption: Encryption?
  /// RTP and RTCP may share a port (RFC 5761).
  package var rtcpMux: Bool
  /// The streams that the describing side sends, if it names them.
  package var sources: [RTPSource]
  package var sourceGroups: [RTPSourceGroup]
  /// What the describing side says that its medium shows.
  package var categories: [ContentCategory]
  /// Children of other specifications, untouched.
  package var extensions: [XMLElement]
  /// Payload types that were left out when the description was read, being malformed, repeated or too many.
  package private(set) var droppedPayloadTypes = 0
  /// Likewise header extensions, sources and their groups, and categories.
  package private(set) var droppedDetails = 0

  package init(
    media: String, ssrc: UInt32? = nil, payloadTypes: [RTPPayloadType] = [], feedback: RTPFeedback = RTPFeedback(),
    headerExtensions: [RTPHeaderExtension] = [], allowsMixedHeaderExtensions: Bool = false, bandwidth: Bandwidth? = nil,
    encryption: Encryption? = nil, rtcpMux: Bool = false, sources: [RTPSource] = [],
    sourceGroups: [RTPSourceGroup] = [], categories: [ContentCategory] = [], extensions: [XMLElement] = []
  ) {
    self.media = media
    self.ssrc = ssrc
    self.payloadTypes = payloadTypes
    self.feedback = feedback
    self.headerExtensions = headerExtensions
    self.allowsMixedHeaderExtensions = allowsMixedHeaderExtensions
    self.bandwidth = bandwidth
    self.encryption = encryption
    self.rtcpMux = rtcpMux
    self.sources = sources
    self.sourceGroups = sourceGroups
    self.categories = categories
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

    /// nil when the type says something else or the value is no number.
    ///
    /// - Specification: XEP-0167 §4, RFC 3890 §6.2
    package var bitsPerSecond: Int? {
      guard value.utf8.count <= 12, let number = Int(value), number >= 0 else { return nil }
      return switch type {
      case "TIAS": number
      case "AS": number * 1000
      default: nil
      }
    }
  }

  package struct Encryption: Hashable, Sendable {
    package var isRequired: Bool
    package var cryptos: [XMLElement]
    /// What ZRTP would show in the media, untouched.
    ///
    /// - Specification: XEP-0262 §1
    package var zrtpHashes: [XMLElement]

    package static let zrtpNamespace = "urn:xmpp:jingle:apps:rtp:zrtp:1"

    package init(isRequired: Bool = false, cryptos: [XMLElement], zrtpHashes: [XMLElement] = []) {
      self.isRequired = isRequired
      self.cryptos = cryptos
      self.zrtpHashes = zrtpHashes
    }
  }
}

extension RTPDescription {
  /// - Throws: `bad-request` when the kind of media is not told.
  package init(_ element: XMLElement) throws(StanzaError) {
    guard let media = element.token("media", upTo: 64) else { throw .badRequest("description without media") }
    self.init(media: media, ssrc: element.number("ssrc"))
    for child in element.children {
      switch (child.namespace, child.name) {
      case (Self.namespace, "payload-type"):
        if payloadTypes.count < Self.maximumPayloadTypes, let payloadType = RTPPayloadType(child),
          !payloadTypes.contains(where: { $0.id == payloadType.id })
        {
          payloadTypes.append(payloadType)
        } else {
          droppedPayloadTypes += 1
        }
      case (Self.namespace, "bandwidth"):
        if let type = child[attribute: "type"] { bandwidth = Bandwidth(type: type, value: child.text) }
      case (Self.namespace, "encryption"):
        encryption = Encryption(
          isRequired: ["1", "true"].contains(child[attribute: "required"]),
          cryptos: child.all("crypto", Self.namespace),
          zrtpHashes: child.all("zrtp-hash", Encryption.zrtpNamespace))
      case (Self.namespace, "rtcp-mux"):
        rtcpMux = true
      case (RTPHeaderExtension.namespace, "rtp-hdrext"):
        append(RTPHeaderExtension(child), to: \.headerExtensions, upTo: RTPHeaderExtension.maximumCount) { new, old in
          // Alternatives share a placeholder.
          new.id == old.id && (!new.isPlaceholder || new.uri == old.uri)
        }
      case (RTPHeaderExtension.namespace, "extmap-allow-mixed"):
        allowsMixedHeaderExtensions = true
      case (RTPSource.namespace, "source"):
        append(RTPSource(child), to: \.sources, upTo: RTPSource.maximumCount) { $0.ssrc == $1.ssrc }
      case (RTPSource.namespace, "ssrc-group"):
        append(RTPSourceGroup(child), to: \.sourceGroups, upTo: RTPSourceGroup.maximumCount, unless: ==)
      case (ContentCategory.namespace, "category"):
        append(ContentCategory(child), to: \.categories, upTo: ContentCategory.maximumCount, unless: ==)
      default:
        if !feedback.take(child) { extensions.append(child) }
      }
    }
  }

  private mutating func append<Detail>(
    _ detail: Detail?, to list: WritableKeyPath<RTPDescription, [Detail]>, upTo limit: Int,
    unless clash: (Detail, Detail) -> Bool
  ) {
    guard let detail, self[keyPath: list].count < limit, !self[keyPath: list].contains(where: { clash(detail, $0) })
    else {
      droppedDetails += 1
      return
    }
    self[keyPath: list].append(detail)
  }

  package var element: XMLElement {
    var element = XMLElement("description", namespace: Self.namespace)
    element[attribute: "media"] = media
    element[attribute: "ssrc"] = ssrc.map(String.init)
    for child in feedback.elements { element.append(child) }
    for payloadType in payloadTypes { element.append(payloadType.element) }
    for headerExtension in headerExtensions { element.append(headerExtension.element) }
    if allowsMixedHeaderExtensions {
      element.append(XMLElement("extmap-allow-mixed", namespace: RTPHeaderExtension.namespace))
    }
    if let encryption {
      element.append(
        XMLElement(
          "encryption", namespace: Self.namespace, attributes: encryption.isRequired ? ["required": "1"] : [:],
          children: encryption.cryptos + encryption.zrtpHashes))
    }
    if let bandwidth {
      element.append(
        XMLElement("bandwidth", namespace: Self.namespace, attributes: ["type": bandwidth.type], text: bandwidth.value))
    }
    if rtcpMux { element.append(XMLElement("rtcp-mux", namespace: Self.namespace)) }
    for group in sourceGroups { element.append(group.element) }
    for source in sources { element.append(source.element) }
    for category in categories { element.append(category.element) }
    for child in extensions { element.append(child) }
    return element
  }
}
