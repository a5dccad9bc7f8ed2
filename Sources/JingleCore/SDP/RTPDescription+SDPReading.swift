import XMPPCore

extension RTPDescription {
  /// Attributes that count for all m-lines that do not have them when they stand above the first.
  static let sessionAttributes: Set = ["extmap", "extmap-allow-mixed"]

  /// RTCP packets need not be compound (RFC 5506). No extension defines the element, but Chromium's bridges write it.
  static let reducedSize = XMLElement("rtcp-reduced-size", namespace: namespace)

  /// Which RTCP extended reports the describing side takes, as SDP lists them. No extension has a word for it, so it
  /// travels in a namespace that is none of theirs, where those who do not know it pass it by.
  ///
  /// - Specification: RFC 3611 §5.1
  static let extendedReportsNamespace = "urn:ietf:rfc:3611"
  static let maximumExtendedReportsLength = 256

  /// Reads one side's description of a medium, attribute by attribute.
  ///
  /// - Specification: XEP-0167 §6
  struct SDPReader {
    private(set) var description: RTPDescription
    private(set) var omitted: [String] = []
    private let party: Jingle.Party
    /// Where each payload type stands in the description.
    private var indices: [UInt8: Int] = [:]
    private var ptime: UInt32?
    private var maxptime: UInt32?
    private var msids: [String] = []

    /// - Parameter party: whose description it is.
    init(_ media: SessionDescription.Media, from party: Jingle.Party) throws(SDPError) {
      self.party = party
      guard media.kind.isToken(upTo: 64) else { throw .malformed(line: media.line, "m= has no kind") }
      description = RTPDescription(media: media.kind)
      for format in media.formats {
        guard let id: UInt8 = format.decimal(), id < 128 else {
          throw .malformed(line: media.line, "m= has a payload type \(format.prefix(20))")
        }
        guard indices[id] == nil else { continue }
        indices[id] = description.payloadTypes.count
        description.payloadTypes.append(RTPPayloadType(id: id, name: nil))
      }
      // Jingle has room for one: the most exact.
      description.bandwidth = media.bandwidths.first { $0.type == "TIAS" } ?? media.bandwidths.first
      if media.bandwidths.count > 1 { omitted.append("line \(media.line): all but one of the b= lines") }
    }
  }
}

extension RTPDescription.SDPReader {
  /// Takes one attribute.
  ///
  /// - Returns: false when the attribute says nothing about the media.
  /// - Throws: `malformed`
  mutating func take(_ attribute: SessionDescription.Attribute) throws(SDPError) -> Bool {
    switch attribute.name {
    case "rtpmap": try takeEncoding(attribute)
    case "fmtp": try takeFormat(attribute)
    case "ptime": ptime = try number(attribute)
    case "maxptime": maxptime = try number(attribute)
    case "rtcp-fb": try takeFeedback(attribute)
    case "extmap": try takeHeaderExtension(attribute)
    case "extmap-allow-mixed": description.allowsMixedHeaderExtensions = true
    case "rtcp-mux": description.rtcpMux = true
    case "rtcp-rsize":
      if !description.extensions.contains(RTPDescription.reducedSize) {
        description.extensions.append(RTPDescription.reducedSize)
      }
    case "rtcp-xr": try takeExtendedReports(attribute)
    case "ssrc": try takeSource(attribute)
    case "ssrc-group": try takeSourceGroup(attribute)
    case "content": try takeCategories(attribute)
    case "msid": msids.append(attribute.value ?? "")
    case "crypto": try takeCrypto(attribute)
    case "zrtp-hash": try takeZRTPHash(attribute)
    // The transport's candidates say where RTCP goes.
    case "rtcp": break
    default: return false
    }
    return true
  }

  /// The description, once all attributes are taken.
  ///
  /// - Parameter isEncrypted: whether the m-line's profile insists on encryption that no fingerprint provides.
  mutating func finish(insistingOnEncryption isEncrypted: Bool) -> (description: RTPDescription, omitted: [String]) {
    var finished = description
    finished.payloadTypes = []
    for var payloadType in description.payloadTypes {
      if payloadType.name == nil {
        guard let usual = RTPPayloadType.static(payloadType.id) else {
          omitted.append("the payload type \(payloadType.id), which has no rtpmap")
          continue
        }
        payloadType.name = usual.name
        payloadType.clockrate = usual.clockrate
        payloadType.channels = usual.channels
      }
      if payloadType.isTelephoneEvent {
        for index in payloadType.parameters.indices where payloadType.parameters[index].name.isEmpty {
          payloadType.parameters[index].name = RTPParameter.events
        }
      }
      payloadType.ptime = ptime
      payloadType.maxptime = maxptime
      finished.payloadTypes.append(payloadType)
    }
    // XEP-0339 has a stream's name at its sources only, where Firefox leaves it out, and Chromium all but the first.
    for index in finished.sources.indices {
      let source = finished.sources[index]
      if source.msid != nil, index > 0 { continue }
      for msid in msids where !source.parameters.contains(where: { $0.name == "msid" && $0.value == msid }) {
        if finished.sources[index].parameters.count < RTPParameter.maximumCount {
          finished.sources[index].parameters.append(RTPParameter("msid", msid))
        }
      }
    }
    if finished.sources.isEmpty, !msids.isEmpty { omitted.append("a=msid, since no a=ssrc tells whose it is") }
    finished.encryption?.isRequired = isEncrypted
    return (finished, omitted)
  }

  private func number(_ attribute: SessionDescription.Attribute) throws(SDPError) -> UInt32 {
    guard let number: UInt32 = attribute.value?.decimal() else { throw attribute.malformed() }
    return number
  }

  /// The payload type that the attribute begins with, by its place in the description, and the rest.
  ///
  /// - Returns: nil when the m-line does not list it.
  private func payloadType(
    _ attribute: SessionDescription.Attribute
  ) throws(SDPError) -> (index: Int, rest: Substring)? {
    let parts = (attribute.value ?? "").split(separator: " ", maxSplits: 1)
    guard parts.count == 2, let id: UInt8 = parts[0].decimal(), id < 128 else { throw attribute.malformed() }
    return indices[id].map { ($0, parts[1]) }
  }

  private mutating func takeEncoding(_ attribute: SessionDescription.Attribute) throws(SDPError) {
    guard let (index, rest) = try payloadType(attribute) else { return }
    let parts = rest.split(separator: "/", omittingEmptySubsequences: false)
    guard (2...3).contains(parts.count), parts[0].isToken(upTo: 64), let clockrate: UInt32 = parts[1].decimal() else {
      throw attribute.malformed()
    }
    description.payloadTypes[index].name = String(parts[0])
    description.payloadTypes[index].clockrate = clockrate
    if parts.count == 3 {
      guard let channels: UInt8 = parts[2].decimal() else { throw attribute.malformed() }
      description.payloadTypes[index].channels = channels
    }
  }

  private mutating func takeFormat(_ attribute: SessionDescription.Attribute) throws(SDPError) {
    guard let (index, rest) = try payloadType(attribute) else { return }
    for part in rest.split(separator: ";") {
      let part = part.trimmed
      guard !part.isEmpty, description.payloadTypes[index].parameters.count < RTPParameter.maximumCount else {
        continue
      }
      // Some formats, such as red, have a value without a name.
      let equals = part.firstIndex(of: "=")
      let name = equals.map { part[..<$0] } ?? ""
      let value = equals.map { part[part.index(after: $0)...] } ?? part
      description.payloadTypes[index].parameters.append(RTPParameter(String(name), String(value)))
    }
  }

  private mutating func takeFeedback(_ attribute: SessionDescription.Attribute) throws(SDPError) {
    let fields = attribute.fields
    guard fields.count >= 2 else { throw attribute.malformed() }
    if fields[0] == "*" { return try description.feedback.take(fields[1...], of: attribute) }
    guard let (index, _) = try payloadType(attribute) else { return }
    try description.payloadTypes[index].feedback.take(fields[1...], of: attribute)
  }

  private mutating func takeHeaderExtension(_ attribute: SessionDescription.Attribute) throws(SDPError) {
    let fields = attribute.fields
    let marks = fields.first?.split(separator: "/", omittingEmptySubsequences: false) ?? []
    guard
      fields.count >= 2, (1...2).contains(marks.count), let id: UInt16 = marks[0].decimal(),
      RTPHeaderExtension.isID(id),
      fields[1].isToken(upTo: RTPHeaderExtension.maximumURILength)
    else { throw attribute.malformed() }
    var senders = Jingle.Senders.both
    if marks.count == 2 {
      guard let direction = SDPDirection(rawValue: String(marks[1])) else { throw attribute.malformed() }
      senders = direction.senders(from: party)
    }
    let isTaken = description.headerExtensions.contains {
      $0.id == id && (!$0.isPlaceholder || $0.uri == fields[1])
    }
    guard description.headerExtensions.count < RTPHeaderExtension.maximumCount, !isTaken else {
      omitted.append("line \(attribute.line): a header extension whose id is taken, or one too many")
      return
    }
    description.headerExtensions.append(
      RTPHeaderExtension(id: id, uri: String(fields[1]), senders: senders, parameters: parameters(fields[2...])))
  }

  private mutating func takeSource(_ attribute: SessionDescription.Attribute) throws(SDPError) {
    let parts = (attribute.value ?? "").split(separator: " ", maxSplits: 1)
    guard parts.count == 2, let ssrc: UInt32 = parts[0].decimal() else { throw attribute.malformed() }
    let words = parts[1].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    let parameter = RTPParameter(String(words[0]), words.count == 2 ? String(words[1]) : "")
    guard !parameter.name.isEmpty else { throw attribute.malformed() }
    if let index = description.sources.firstIndex(where: { $0.ssrc == ssrc }) {
      guard description.sources[index].parameters.count < RTPParameter.maximumCount else { return }
      description.sources[index].parameters.append(parameter)
    } else if description.sources.count < RTPSource.maximumCount {
      description.sources.append(RTPSource(ssrc: ssrc, parameters: [parameter]))
    } else {
      omitted.append("line \(attribute.line): a source too many")
    }
  }

  private mutating func takeSourceGroup(_ attribute: SessionDescription.Attribute) throws(SDPError) {
    let fields = attribute.fields
    guard let semantics = fields.first, semantics.isToken(upTo: 64), (2...65).contains(fields.count) else {
      throw attribute.malformed()
    }
    var ssrcs: [UInt32] = []
    for field in fields.dropFirst() {
      guard let ssrc: UInt32 = field.decimal(), !ssrcs.contains(ssrc) else { throw attribute.malformed() }
      ssrcs.append(ssrc)
    }
    let group = RTPSourceGroup(.init(rawValue: String(semantics)), ssrcs)
    guard description.sourceGroups.count < RTPSourceGroup.maximumCount, !description.sourceGroups.contains(group) else {
      omitted.append("line \(attribute.line): a group of sources that is repeated, or one too many")
      return
    }
    description.sourceGroups.append(group)
  }

  private mutating func takeExtendedReports(_ attribute: SessionDescription.Attribute) throws(SDPError) {
    let value = attribute.value ?? ""
    guard
      value.utf8.count <= RTPDescription.maximumExtendedReportsLength,
      value.utf8.allSatisfy({ (0x20...0x7E).contains($0) })
    else { throw attribute.malformed() }
    let element = XMLElement("rtcp-xr", namespace: RTPDescription.extendedReportsNamespace, text: value)
    // There is one such line.
    if !description.extensions.contains(where: { $0.is("rtcp-xr", RTPDescription.extendedReportsNamespace) }) {
      description.extensions.append(element)
    } else {
      omitted.append("line \(attribute.line): a=rtcp-xr, again")
    }
  }

  /// - Specification: XEP-0507 §3, RFC 4796 §4
  private mutating func takeCategories(_ attribute: SessionDescription.Attribute) throws(SDPError) {
    guard let names = attribute.value?.split(separator: ",", omittingEmptySubsequences: false) else {
      throw attribute.malformed()
    }
    for name in names {
      guard let category = ContentCategory(rawValue: String(name)) else { throw attribute.malformed() }
      guard !description.categories.contains(category) else { continue }
      if description.categories.count < ContentCategory.maximumCount {
        description.categories.append(category)
      } else {
        omitted.append("line \(attribute.line): a content category too many")
      }
    }
  }

  /// - Specification: XEP-0167 §7
  private mutating func takeCrypto(_ attribute: SessionDescription.Attribute) throws(SDPError) {
    let parts = (attribute.value ?? "").split(separator: " ", maxSplits: 3)
    guard parts.count >= 3, parts[0].isDecimal else { throw attribute.malformed() }
    var crypto = XMLElement("crypto", namespace: RTPDescription.namespace)
    for (name, value) in zip(["tag", "crypto-suite", "key-params", "session-params"], parts) {
      crypto[attribute: name] = String(value)
    }
    var encryption = description.encryption ?? .init(cryptos: [])
    if encryption.cryptos.count < 32 { encryption.cryptos.append(crypto) }
    description.encryption = encryption
  }

  /// - Specification: XEP-0262 §1
  private mutating func takeZRTPHash(_ attribute: SessionDescription.Attribute) throws(SDPError) {
    let fields = attribute.fields
    guard fields.count == 2, fields.allSatisfy({ $0.isToken(upTo: 256) }) else { throw attribute.malformed() }
    var encryption = description.encryption ?? .init(cryptos: [])
    if encryption.zrtpHashes.count < 32 {
      encryption.zrtpHashes.append(
        XMLElement(
          "zrtp-hash", namespace: RTPDescription.Encryption.zrtpNamespace, attributes: ["version": String(fields[0])],
          text: String(fields[1])))
    }
    description.encryption = encryption
  }

  private func parameters(_ fields: ArraySlice<Substring>) -> [RTPParameter] {
    fields.prefix(RTPParameter.maximumCount).map(RTPParameter.init(sdp:))
  }
}

extension RTPParameter {
  /// `name=value`, or a name alone.
  fileprivate init(sdp text: Substring) {
    let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    self.init(String(parts[0]), parts.count == 2 ? String(parts[1]) : "")
  }
}

extension RTPFeedback {
  /// Takes what follows the payload type; what is repeated or too much is dropped.
  ///
  /// - Specification: XEP-0293 §5, RFC 4585 §4.2
  fileprivate mutating func take(
    _ fields: ArraySlice<Substring>, of attribute: SessionDescription.Attribute
  ) throws(SDPError) {
    var fields = fields
    guard let type = fields.popFirst(), type.isToken(upTo: 64) else { throw attribute.malformed() }
    if type == "trr-int" {
      guard let interval: UInt32 = fields.first?.decimal() else { throw attribute.malformed() }
      minimumInterval = minimumInterval ?? interval
      return
    }
    var message = Message(String(type))
    if let subtype = fields.popFirst() {
      guard subtype.isToken(upTo: 64) else { throw attribute.malformed() }
      message.subtype = String(subtype)
      message.parameters = fields.prefix(RTPParameter.maximumCount).map(RTPParameter.init(sdp:))
    }
    if messages.count < Self.maximumMessages, !contains(message) { messages.append(message) }
  }
}

/// Who sends, as one side sees it.
///
/// - Specification: RFC 8866 §6.7
enum SDPDirection: String {
  case sendrecv, sendonly, recvonly, inactive

  func senders(from party: Jingle.Party) -> Jingle.Senders {
    Jingle.Senders(
      party, sends: self == .sendrecv || self == .sendonly, receives: self == .sendrecv || self == .recvonly)
  }

  init(_ senders: Jingle.Senders, from party: Jingle.Party) {
    switch (senders.include(party), senders.include(party.other)) {
    case (true, true): self = .sendrecv
    case (true, false): self = .sendonly
    case (false, true): self = .recvonly
    case (false, false): self = .inactive
    }
  }
}

extension Substring {
  fileprivate var trimmed: Substring {
    let start = drop { $0 == " " || $0 == "\t" }
    guard let end = start.lastIndex(where: { $0 != " " && $0 != "\t" }) else { return start[start.endIndex...] }
    return start[...end]
  }
}
