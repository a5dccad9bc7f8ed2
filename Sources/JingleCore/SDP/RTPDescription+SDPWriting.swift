import XMPPCore

extension RTPDescription {
  /// Whether SDP has a line for the payload type: without a clock rate, that is for the static ones only.
  ///
  /// - Specification: XEP-0167 §6
  static func isSayable(_ payloadType: RTPPayloadType) -> Bool {
    payloadType.name != nil && payloadType.clockrate != nil || RTPPayloadType.static(payloadType.id) != nil
  }

  /// The attributes that say this, in Chromium's order.
  ///
  /// - Parameters:
  ///   - party: whose description this is.
  ///   - senders: who sends.
  /// - Throws: `unsayable`
  /// - Specification: XEP-0167 §6, XEP-0293 §5, XEP-0294 §5, XEP-0339 §3, XEP-0507 §3, XEP-0262 §1
  func sdpAttributes(
    from party: Jingle.Party, senders: Jingle.Senders, mixedIsSaid: Bool
  ) throws(SDPError) -> [SessionDescription.Attribute] {
    var attributes: [SessionDescription.Attribute] = []
    func append(_ name: String, _ value: String? = nil) { attributes.append(.init(name, value)) }
    if allowsMixedHeaderExtensions, !mixedIsSaid { append("extmap-allow-mixed") }
    for headerExtension in headerExtensions {
      let direction =
        headerExtension.senders == .both ? "" : "/\(SDPDirection(headerExtension.senders, from: party).rawValue)"
      let words = [headerExtension.uri] + (try Self.words(headerExtension.parameters))
      append("extmap", "\(headerExtension.id)\(direction) \(words.joined(separator: " "))")
    }
    append(SDPDirection(senders, from: party).rawValue)
    for msid in mediaStreams { append("msid", msid) }
    if !categories.isEmpty { append("content", categories.map(\.rawValue).joined(separator: ",")) }
    if rtcpMux { append("rtcp-mux") }
    if extensions.contains(Self.reducedSize) { append("rtcp-rsize") }
    if let reports = extensions.first(where: { $0.is("rtcp-xr", Self.extendedReportsNamespace) })?.text {
      guard reports.utf8.count <= Self.maximumExtendedReportsLength,
        reports.utf8.allSatisfy({ (0x20...0x7E).contains($0) })
      else { throw .unsayable("the extended reports '\(reports.prefix(40))'") }
      append("rtcp-xr", reports)
    }
    for crypto in encryption?.cryptos ?? [] {
      append(
        "crypto",
        ["tag", "crypto-suite", "key-params", "session-params"].compactMap { crypto[attribute: $0] }
          .joined(separator: " "))
    }
    for hash in encryption?.zrtpHashes ?? [] {
      let words = [hash[attribute: "version"] ?? "", hash.text].map { $0.filter { !$0.isWhitespace } }
      guard words.allSatisfy({ $0.isToken(upTo: 256) }) else { throw .unsayable("ZRTP's hash") }
      append("zrtp-hash", words.joined(separator: " "))
    }
    for line in try Self.lines(feedback) { append("rtcp-fb", "* \(line)") }
    let sayable = payloadTypes.filter(Self.isSayable)
    for payloadType in sayable {
      if let encoding = try Self.encoding(payloadType) { append("rtpmap", "\(payloadType.id) \(encoding)") }
      for line in try Self.lines(payloadType.feedback) { append("rtcp-fb", "\(payloadType.id) \(line)") }
      let format = try Self.format(payloadType)
      if !format.isEmpty { append("fmtp", "\(payloadType.id) \(format)") }
    }
    // SDP has one for all: what the preferred encoding wants.
    if let maxptime = sayable.lazy.compactMap(\.maxptime).first { append("maxptime", String(maxptime)) }
    if let ptime = sayable.lazy.compactMap(\.ptime).first { append("ptime", String(ptime)) }
    for group in sourceGroups {
      append("ssrc-group", ([group.semantics.rawValue] + group.ssrcs.map(String.init)).joined(separator: " "))
    }
    for source in sources {
      for parameter in source.parameters {
        let name = try Self.checked(parameter.name, without: " :")
        append("ssrc", "\(source.ssrc) \(name)\(parameter.value.isEmpty ? "" : ":\(parameter.value)")")
      }
    }
    return attributes
  }

  /// The streams that the m-line's track is in. It has one track, so what sources say of others stays with them.
  var mediaStreams: [String] {
    let track = sources.lazy.compactMap(\.msid).first?.track
    var streams: [String] = []
    for source in sources {
      for msid in source.msids where msid.track == track {
        let stream = [msid.stream, msid.track].compactMap(\.self).joined(separator: " ")
        if !streams.contains(stream) { streams.append(stream) }
      }
    }
    return streams
  }

  private static func encoding(_ payloadType: RTPPayloadType) throws(SDPError) -> String? {
    guard let name = payloadType.name, let clockrate = payloadType.clockrate else { return nil }
    let channels = payloadType.channels.flatMap { $0 > 1 ? "/\($0)" : nil } ?? ""
    return "\(try checked(name, without: " /"))/\(clockrate)\(channels)"
  }

  private static func format(_ payloadType: RTPPayloadType) throws(SDPError) -> String {
    var parts: [String] = []
    for parameter in payloadType.parameters where parameter != RTPParameter("") {
      let value = parameter.value.isEmpty ? "" : try checked(parameter.value, without: ";")
      let isBare = parameter.name.isEmpty || (payloadType.isTelephoneEvent && parameter.name == RTPParameter.events)
      parts.append(isBare ? value : "\(try checked(parameter.name, without: " =;"))=\(value)")
    }
    return parts.joined(separator: ";")
  }

  private static func lines(_ feedback: RTPFeedback) throws(SDPError) -> [String] {
    var lines: [String] = []
    for message in feedback.messages {
      // Without a subtype, a parameter would be taken for one.
      let parameters = message.subtype == nil ? [] : try words(message.parameters)
      lines.append(([message.type, message.subtype].compactMap(\.self) + parameters).joined(separator: " "))
    }
    if let interval = feedback.minimumInterval { lines.append("trr-int \(interval)") }
    return lines
  }

  /// `name=value` or a name alone.
  private static func words(_ parameters: [RTPParameter]) throws(SDPError) -> [String] {
    var words: [String] = []
    for parameter in parameters {
      let name = try checked(parameter.name, without: " =")
      words.append(parameter.value.isEmpty ? name : "\(name)=\(try checked(parameter.value, without: " "))")
    }
    return words
  }

  /// The text, which comes from the peer and must not become more than one word of the line.
  static func checked(_ text: String, without separators: String) throws(SDPError) -> String {
    guard !text.isEmpty,
      !text.unicodeScalars.contains(where: { $0.value < 0x20 || separators.unicodeScalars.contains($0) })
    else { throw .unsayable("SDP has no way to write '\(text.prefix(40))' here") }
    return text
  }
}
