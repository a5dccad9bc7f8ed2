import XMPPCore

/// The RTCP feedback that may be asked for and given, for one payload type or for all of a description.
///
/// - Specification: XEP-0293 §3, RFC 4585 §4.2
package struct RTPFeedback: Hashable, Sendable {
  package static let namespace = "urn:xmpp:jingle:apps:rtp:rtcp-fb:0"
  /// What a peer lists beyond is dropped.
  package static let maximumMessages = 32

  /// Without repetition.
  package var messages: [Message]
  /// Milliseconds between regular RTCP packets, at least: SDP's `trr-int`. An answer keeps the value or leaves it out.
  package var minimumInterval: UInt32?

  package init(_ messages: [Message] = [], minimumInterval: UInt32? = nil) {
    self.messages = messages
    self.minimumInterval = minimumInterval
  }

  /// One kind of feedback. Both sides mean the same only when type, subtype and parameters are the same.
  package struct Message: Hashable, Sendable {
    /// `nack`, `ccm`, …
    package var type: String
    /// `pli`, `fir`, …
    package var subtype: String?
    package var parameters: [RTPParameter]

    package init(_ type: String, _ subtype: String? = nil, parameters: [RTPParameter] = []) {
      self.type = type
      self.subtype = subtype
      self.parameters = parameters
    }

    /// Packets that are missing are asked for again.
    package static let nack = Message("nack")
    /// A picture was lost; a key frame would help.
    package static let pli = Message("nack", "pli")
    /// A key frame is needed.
    package static let fir = Message("ccm", "fir")
    /// The receiver estimates the bandwidth.
    package static let remb = Message("goog-remb")
    /// The sender estimates the bandwidth, from the arrival times that the receiver reports.
    package static let transportCC = Message("transport-cc")
  }
}

extension RTPFeedback {
  package func contains(_ message: Message) -> Bool { messages.contains(message) }

  /// What both allow.
  ///
  /// - Specification: XEP-0293 §4
  package func intersection(_ other: RTPFeedback) -> RTPFeedback {
    RTPFeedback(
      messages.filter(other.contains),
      minimumInterval: minimumInterval == other.minimumInterval ? minimumInterval : nil)
  }

  /// What either allows; where the intervals differ, this one's counts.
  package func union(_ other: RTPFeedback) -> RTPFeedback {
    RTPFeedback(
      messages + other.messages.filter { !contains($0) }, minimumInterval: minimumInterval ?? other.minimumInterval)
  }

  /// What need not be said when the other is said already.
  package func subtracting(_ other: RTPFeedback) -> RTPFeedback {
    RTPFeedback(
      messages.filter { !other.contains($0) },
      minimumInterval: minimumInterval == other.minimumInterval ? nil : minimumInterval)
  }
}

extension RTPFeedback {
  /// Takes one child of a description or payload type. What is malformed, repeated or too much is taken and dropped.
  ///
  /// - Returns: false when the child is none of this specification's.
  mutating func take(_ child: XMLElement) -> Bool {
    if child.is("rtcp-fb", Self.namespace) {
      if messages.count < Self.maximumMessages, let message = Message(child), !contains(message) {
        messages.append(message)
      }
    } else if child.is("rtcp-fb-trr-int", Self.namespace) {
      minimumInterval = minimumInterval ?? child.number("value")
    } else {
      return false
    }
    return true
  }

  var elements: [XMLElement] {
    let interval = minimumInterval.map {
      XMLElement("rtcp-fb-trr-int", namespace: Self.namespace, attributes: ["value": String($0)])
    }
    return messages.map(\.element) + [interval].compactMap(\.self)
  }
}

extension RTPFeedback.Message {
  /// nil when there is no type, or a subtype that cannot be one: without it the message would mean something else.
  init?(_ element: XMLElement) {
    guard let type = element.token("type", upTo: 64) else { return nil }
    var subtype: String?
    if let text = element[attribute: "subtype"], !text.isEmpty {
      subtype = element.token("subtype", upTo: 64)
      if subtype == nil { return nil }
    }
    self.init(type, subtype, parameters: element.parameters())
  }

  var element: XMLElement {
    var element = XMLElement("rtcp-fb", namespace: RTPFeedback.namespace, attributes: ["type": type])
    element[attribute: "subtype"] = subtype
    for parameter in parameters { element.append(parameter.element(in: RTPFeedback.namespace, emptyValue: false)) }
    return element
  }
}

extension RTPDescription {
  /// What holds for one payload type: its own, and what is said for all.
  ///
  /// - Specification: XEP-0293 §3
  package func feedback(for payloadType: RTPPayloadType) -> RTPFeedback {
    payloadType.feedback.union(feedback)
  }
}
