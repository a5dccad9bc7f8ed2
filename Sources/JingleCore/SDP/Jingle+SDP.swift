import XMPPCore

/// What one side says in SDP, in Jingle's words.
package struct JingleFromSDP: Sendable {
  package var jingle: Jingle
  /// The contents whose m-lines are rejected: those of an answer are to be removed from the session.
  package var rejected: [String]
  /// What Jingle has no words for, each with its line.
  package var omitted: [String]
}

/// What one side says in Jingle, in SDP's words.
package struct SDPFromJingle: Sendable {
  package var description: SessionDescription
  /// What SDP has no words for.
  package var omitted: [String]
}

extension SessionDescription {
  /// The m-lines' content names: their mids or, where there is none, the kind of media and the number of the line.
  ///
  /// - Throws: `malformed` when a mid is none, or occurs twice.
  /// - Specification: XEP-0338 §2, RFC 5888 §4
  package func contentNames() throws(SDPError) -> [String] {
    var names: [String] = []
    for (index, media) in media.enumerated() {
      var name = "\(media.kind)-\(index)"
      if let mid = media["mid"] {
        guard let value = mid.value, value.isToken(upTo: Jingle.maximumNameLength) else { throw mid.malformed() }
        name = value
      } else if !self.media.contains(where: { $0["mid"]?.value == media.kind }), !names.contains(media.kind) {
        name = media.kind
      }
      guard !names.contains(name) else { throw .malformed(line: media.line, "the mid \(name) occurs twice") }
      names.append(name)
    }
    return names
  }

  /// The Jingle that says the same.
  ///
  /// What each action has of a description: `transport-info` the connections without certificates, of the m-lines that
  /// have candidates or, when none has, of all (which starts ICE anew when the credentials are new);
  /// `description-info` the media; the others everything.
  ///
  /// - Parameters:
  ///   - party: whose description this is.
  ///   - offer: what this answers; needed when it has m-lines without a mid.
  /// - Throws: `malformed`, or `noAnswer`
  /// - Specification: XEP-0167 §6, XEP-0338 §2, RFC 8866 §5
  package func jingle(
    _ action: Jingle.Action, sid: String, from party: Jingle.Party, answering offer: SessionDescription? = nil
  ) throws(SDPError) -> JingleFromSDP {
    var names = try contentNames()
    if let offer {
      guard offer.media.count == media.count else {
        throw .noAnswer("the offer has \(offer.media.count) m-lines, the answer \(media.count)")
      }
      let offered = try offer.contentNames()
      for (index, media) in media.enumerated() {
        guard media["mid"] == nil || names[index] == offered[index] else {
          throw .noAnswer("line \(media.line): the offer has \(offered[index]) in place of \(names[index])")
        }
      }
      names = offered
    }
    var result = JingleFromSDP(jingle: Jingle(action, sid: sid), rejected: [], omitted: [])
    for attribute in attributes where !Self.sayableAttributes.contains(attribute.name) {
      result.omit("line \(attribute.line): a=\(attribute.name)")
    }
    let bundled = try groups().filter { $0.semantics == .bundle }.flatMap(\.contents)
    for (name, media) in zip(names, media) {
      if media.isRejected {
        result.rejected.append(name)
      } else if !media.isRTP {
        result.omit("line \(media.line): m=\(media.kind) over \(media.transport)")
      } else {
        var content = try self.content(media, from: party, isBundled: bundled.contains(name), omitting: &result.omitted)
        content.name = name
        content.creator = action.answersOffer ? party.other : action.isOffer ? party : .initiator
        result.jingle.contents.append(content)
      }
    }
    result.jingle.keepWhatBelongs(to: action)
    if action.isOffer || action.answersOffer {
      result.jingle.groups = try groups().compactMap { $0.restricted(to: result.jingle.contents.map(\.name)) }
    }
    return result
  }

  /// Attributes above the first m-line that are carried over, or say nothing.
  private static let sayableAttributes = ICETransport.sessionAttributes.union(RTPDescription.sessionAttributes)
    .union(["group", "msid-semantic", "sendrecv", "sendonly", "recvonly", "inactive"])

  private func groups() throws(SDPError) -> [ContentGroup] {
    var groups: [ContentGroup] = []
    for attribute in attributes where attribute.name == "group" {
      let fields = attribute.fields.map(String.init)
      guard let semantics = fields.first, semantics.isToken(upTo: 64) else { throw attribute.malformed() }
      let group = ContentGroup(.init(rawValue: semantics), Array(fields.dropFirst().prefix(Self.maximumMedia)))
      if !group.contents.isEmpty, groups.count < ContentGroup.maximumCount, !groups.contains(group) {
        groups.append(group)
      }
    }
    return groups
  }

  private func content(
    _ media: Media, from party: Jingle.Party, isBundled: Bool, omitting omitted: inout [String]
  ) throws(SDPError) -> Jingle.Content {
    var rtp = try RTPDescription.SDPReader(media, from: party)
    var ice = ICETransport.SDPReader()
    var direction = attributes.lazy.compactMap { SDPDirection(rawValue: $0.name) }.first ?? .sendrecv
    let own = Set(media.attributes.map(\.name))
    let inheritable = ICETransport.sessionAttributes.union(RTPDescription.sessionAttributes).subtracting(own)
    for attribute in attributes.filter({ inheritable.contains($0.name) }) + media.attributes {
      if let said = SDPDirection(rawValue: attribute.name) {
        direction = said
      } else if try !rtp.take(attribute), try !ice.take(attribute), !["mid", "bundle-only"].contains(attribute.name) {
        omitted.append("line \(attribute.line): a=\(attribute.name)")
      }
    }
    let transport = ice.finished ?? (isBundled ? ICETransport() : nil)
    let isEncrypted = media.transport.contains("SAVP") && transport?.fingerprints.isEmpty != false
    let description = rtp.finish(insistingOnEncryption: isEncrypted)
    omitted += description.omitted + ice.omitted
    omitted = Array(omitted.prefix(JingleFromSDP.maximumOmissions))
    return Jingle.Content(
      name: "", senders: direction.senders(from: party), description: .rtp(description.description),
      transport: transport.map { .iceUDP($0) })
  }
}

extension JingleFromSDP {
  /// What is left out beyond is not told.
  package static let maximumOmissions = 64

  fileprivate mutating func omit(_ what: String) {
    if omitted.count < Self.maximumOmissions { omitted.append(what) }
  }
}

extension Jingle.Action {
  /// Whether contents are offered with it.
  package var isOffer: Bool { self == .sessionInitiate || self == .contentAdd }
  /// Whether offered contents are accepted with it.
  package var answersOffer: Bool { self == .sessionAccept || self == .contentAccept }
}

extension Jingle {
  fileprivate mutating func keepWhatBelongs(to action: Action) {
    switch action {
    case .transportInfo:
      for index in contents.indices {
        contents[index].description = nil
        guard var transport = contents[index].transport?.iceUDP else { continue }
        transport.fingerprints = []
        contents[index].transport = .iceUDP(transport)
      }
      let speaking = contents.filter {
        $0.transport?.iceUDP.map { !$0.candidates.isEmpty || $0.hasGatheringComplete } ?? false
      }
      contents = speaking.isEmpty ? contents.filter { $0.transport?.iceUDP?.ufrag != nil } : speaking
    case .descriptionInfo:
      for index in contents.indices { contents[index].transport = nil }
    default: break
    }
  }

  /// The SDP that says the same: an offer's m-lines in the contents' order, an answer's in the offer's, with port 0
  /// where a content is not accepted.
  ///
  /// - Parameters:
  ///   - party: whose description this is.
  ///   - offer: what this answers.
  ///   - version: counts the descriptions of one side.
  /// - Throws: `unsayable`, `malformed` (the offer's), or `noAnswer`
  /// - Specification: XEP-0167 §6, RFC 8866 §5, RFC 3264 §6, RFC 9143 §7
  package func sessionDescription(
    from party: Party, answering offer: SessionDescription? = nil, version: UInt64 = 2
  ) throws(SDPError) -> SDPFromJingle {
    guard action.isOffer || action.answersOffer else {
      throw .unsayable("\(action) has no media that SDP could describe")
    }
    let contents = contents.filter { $0.description?.rtp != nil }
    var result = SDPFromJingle(
      description: SessionDescription(id: sid.sdpSessionID, version: String(version)),
      omitted: self.contents.filter { $0.description?.rtp == nil }.map { "content \($0.name), which is not RTP" })
    var names: Set<String> = []
    for content in contents {
      guard content.name.isToken(upTo: Jingle.maximumNameLength) else {
        throw .unsayable("the content name '\(content.name.prefix(40))' is no mid")
      }
      guard names.insert(content.name).inserted else { throw .unsayable("the content \(content.name) occurs twice") }
    }
    let mixed = !contents.isEmpty && contents.allSatisfy { $0.description?.rtp?.allowsMixedHeaderExtensions == true }
    result.description.attributes = sessionAttributes(contents, mixed: mixed)
    if let offer {
      let offered = try offer.contentNames()
      if let stray = contents.first(where: { !offered.contains($0.name) }) {
        throw .noAnswer("the content \(stray.name) was not offered")
      }
      for (name, offer) in zip(offered, offer.media) {
        let content = contents.first { $0.name == name && !offer.isRejected && offer.isRTP }
        result.description.media.append(
          try content.map { content throws(SDPError) in
            try media(content, from: party, answering: offer, mixed: mixed, omitting: &result.omitted)
          } ?? offer.rejected)
      }
    } else {
      for content in contents {
        result.description.media.append(
          try media(content, from: party, answering: nil, mixed: mixed, omitting: &result.omitted))
      }
    }
    return result
  }

  private func sessionAttributes(_ contents: [Content], mixed: Bool) -> [SessionDescription.Attribute] {
    var attributes = groups.compactMap { $0.restricted(to: contents.map(\.name)) }.map {
      SessionDescription.Attribute("group", ([$0.semantics.rawValue] + $0.contents).joined(separator: " "))
    }
    if mixed { attributes.append(.init("extmap-allow-mixed")) }
    let streams = contents.flatMap { $0.description?.rtp?.sources ?? [] }.flatMap(\.msids).map(\.stream)
    let named = Set(streams).subtracting(["-"]).sorted()
    attributes.append(.init("msid-semantic", ([" WMS"] + named).joined(separator: " ")))
    return attributes
  }

  private func media(
    _ content: Content, from party: Party, answering offer: SessionDescription.Media?, mixed: Bool,
    omitting omitted: inout [String]
  ) throws(SDPError) -> SessionDescription.Media {
    guard let rtp = content.description?.rtp else { throw .unsayable("the content \(content.name) is not RTP") }
    let ice = content.transport?.iceUDP
    omitted += rtp.payloadTypes.filter { !RTPDescription.isSayable($0) }
      .map { "the payload type \($0.id) of \(content.name), which has no clock rate" }
    let formats = rtp.payloadTypes.filter(RTPDescription.isSayable).map { String($0.id) }
    guard !formats.isEmpty else { throw .unsayable("the content \(content.name) has no payload type to write") }
    let isBundleOnly =
      action.isOffer && ice?.ufrag == nil
      && groups.contains {
        $0.semantics == .bundle && $0.contents.dropFirst().contains(content.name)
      }
    let destination = (ice ?? ICETransport()).defaultDestination(component: 1)
    var media = SessionDescription.Media(
      kind: rtp.media, port: isBundleOnly ? 0 : destination.port, transport: offer?.transport ?? profile(of: rtp),
      formats: formats)
    media.connection = destination.connection
    if let bandwidth = rtp.bandwidth {
      if bandwidth.type.isToken(upTo: 64), bandwidth.value.isDecimal {
        media.bandwidths = [bandwidth]
      } else {
        omitted.append("the bandwidth of \(content.name), which is no number")
      }
    }
    let rtcp = (ice ?? ICETransport()).defaultDestination(component: 2)
    if ice != nil { media.attributes.append(.init("rtcp", "\(rtcp.port) \(rtcp.connection)")) }
    media.attributes += ice?.sdpAttributes ?? []
    if isBundleOnly { media.attributes.append(.init("bundle-only")) }
    if offer == nil || offer?["mid"] != nil { media.attributes.append(.init("mid", content.name)) }
    media.attributes += try rtp.sdpAttributes(from: party, senders: content.senders, mixedIsSaid: mixed)
    return media
  }

  /// - Specification: XEP-0167 §4, RFC 5764 §8
  private func profile(of rtp: RTPDescription) -> String {
    if contents.contains(where: { $0.fingerprint != nil }) { return "UDP/TLS/RTP/SAVPF" }
    let hasFeedback = ([rtp.feedback] + rtp.payloadTypes.map(\.feedback)).contains { $0 != RTPFeedback() }
    let isSecure = rtp.encryption.map { $0.isRequired || !$0.cryptos.isEmpty } ?? false
    return (isSecure ? "RTP/SAVP" : "RTP/AVP") + (hasFeedback ? "F" : "")
  }
}

extension SessionDescription.Media {
  /// The m-line of an answer that does not take this one of an offer.
  ///
  /// - Specification: RFC 3264 §6
  var rejected: SessionDescription.Media {
    var rejected = SessionDescription.Media(kind: kind, port: 0, transport: transport, formats: formats)
    rejected.attributes = attributes.filter { $0.name == "mid" }
    if isRTP { rejected.attributes.append(.init("inactive")) }
    return rejected
  }
}

extension String {
  /// The number in a description's `o=` line: the session's own id if that is one.
  ///
  /// - Specification: RFC 8866 §5.2
  fileprivate var sdpSessionID: String {
    isDecimal && utf8.count < 20 ? self : String(checksum & UInt64(Int64.max))
  }
}
