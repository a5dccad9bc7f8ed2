import XMPPCore

/// A header extension of RTP packets, with the number that marks it there.
///
/// A side lists what it can do as such values too: it offers them under their ids, and answers an offer under the offer's.
///
/// - Specification: XEP-0294 §3, RFC 8285 §5
package struct RTPHeaderExtension: Hashable, Sendable {
  package static let namespace = "urn:xmpp:jingle:apps:rtp:rtp-hdrext:0"
  /// What a peer lists beyond is dropped.
  package static let maximumCount = 64
  static let maximumURILength = 256

  /// 1 to 14 in one-byte headers, 1 to 255 in two-byte headers. From 4096 on, only in offers, a placeholder: the answer
  /// gives the number, and of several extensions with one placeholder it takes one at most.
  package var id: UInt16
  package var uri: String
  /// Who may send it.
  package var senders: Jingle.Senders
  package var parameters: [RTPParameter]

  package init(id: UInt16, uri: String, senders: Jingle.Senders = .both, parameters: [RTPParameter] = []) {
    precondition(Self.isID(id), "0 is padding, and the ids from 256 to 4095 are none")
    self.id = id
    self.uri = uri
    self.senders = senders
    self.parameters = parameters
  }

  /// The extensions that calls use, by what identifies them.
  package enum URI {
    /// RFC 6464.
    package static let audioLevel = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
    package static let absoluteSendTime = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
    /// The transport-wide sequence number that transport-cc feedback speaks of.
    package static let transportSequenceNumber =
      "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
    /// The content's name.
    package static let mid = "urn:ietf:params:rtp-hdrext:sdes:mid"
    package static let rid = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"
    package static let repairedRID = "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id"
    package static let videoOrientation = "urn:3gpp:video-orientation"
    package static let playoutDelay = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"
  }

  package var isPlaceholder: Bool { id >= 4096 }

  /// Whether the id can stand in packets: beyond 14 only where one-byte and two-byte headers may be mixed.
  ///
  /// - Specification: RFC 8285 §4.1.2, §4.2, §4.3
  package func isUsable(mixed: Bool) -> Bool {
    (1...(mixed ? 255 : 14)).contains(id)
  }

  static func isID(_ id: UInt16) -> Bool { (1...255).contains(id) || id >= 4096 }
}

extension RTPHeaderExtension {
  /// nil when the id is none, or nothing tells what it stands for or who sends it.
  init?(_ element: XMLElement) {
    guard
      let id: UInt16 = element.number("id"), Self.isID(id), let uri = element.token("uri", upTo: Self.maximumURILength),
      let senders = Jingle.Senders(rawValue: element[attribute: "senders"] ?? "both")
    else { return nil }
    self.init(id: id, uri: uri, senders: senders, parameters: element.parameters())
  }

  var element: XMLElement {
    var element = XMLElement("rtp-hdrext", namespace: Self.namespace, attributes: ["id": String(id), "uri": uri])
    if senders != .both { element[attribute: "senders"] = senders.rawValue }
    for parameter in parameters { element.append(parameter.element(in: Self.namespace, emptyValue: false)) }
    return element
  }
}

extension RTPDescription {
  /// What the answer to this offer says: the extensions that both sides know, under the offer's ids and parameters, sent
  /// by those whom both sides would have send.
  ///
  /// - Parameters:
  ///   - ours: what this side can do; the ids do not matter.
  ///   - mixed: whether the answer, like this offer, lets one-byte and two-byte headers be mixed.
  /// - Specification: XEP-0294 §4, RFC 8285 §7
  func answeredHeaderExtensions(_ ours: [RTPHeaderExtension], mixed: Bool) -> [RTPHeaderExtension] {
    var answered: [RTPHeaderExtension] = []
    var usedIDs = Set(headerExtensions.map(\.id))
    var usedPlaceholders: Set<UInt16> = []
    for var accepted in headerExtensions {
      guard let own = ours.first(where: { $0.uri == accepted.uri }), !answered.contains(where: { $0.uri == own.uri })
      else { continue }
      accepted.senders = accepted.senders.intersection(own.senders)
      guard accepted.senders != .none else { continue }
      if accepted.isPlaceholder {
        guard
          !usedPlaceholders.contains(accepted.id),
          // 15 is left out, since one-byte headers cannot carry it and others are often confused by it.
          let free = (1...(mixed ? 255 : 14) as ClosedRange<UInt16>).first(where: { $0 != 15 && !usedIDs.contains($0) })
        else { continue }
        usedPlaceholders.insert(accepted.id)
        usedIDs.insert(free)
        accepted.id = free
      }
      if accepted.isUsable(mixed: mixed) { answered.append(accepted) }
    }
    return answered
  }

  /// The extensions that are agreed on, seen by the side that offered this description. What an answer takes without
  /// its having been offered, or under another id, is not among them.
  ///
  /// The side that answered finds them in its answer.
  ///
  /// - Specification: XEP-0294 §4, RFC 8285 §7
  package func headerExtensions(answeredBy answer: RTPDescription) -> [RTPHeaderExtension] {
    let mixed = allowsMixedHeaderExtensions && answer.allowsMixedHeaderExtensions
    var agreed: [RTPHeaderExtension] = []
    for var accepted in answer.headerExtensions where accepted.isUsable(mixed: mixed) {
      guard
        let offered = headerExtensions.first(where: {
          $0.uri == accepted.uri && ($0.id == accepted.id || $0.isPlaceholder)
        }),
        !agreed.contains(where: { $0.uri == accepted.uri })
      else { continue }
      accepted.senders = accepted.senders.intersection(offered.senders)
      if accepted.senders != .none { agreed.append(accepted) }
    }
    return agreed
  }
}
