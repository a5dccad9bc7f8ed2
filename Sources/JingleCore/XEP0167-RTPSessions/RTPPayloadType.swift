package import XMPPCore

/// An encoding and the number that marks its packets.
///
/// - Specification: XEP-0167 §4, RFC 3551 §6
package struct RTPPayloadType: Hashable, Sendable {
  /// 0 to 127.
  package var id: UInt8
  /// Compared without regard to case (RFC 4855 §3).
  package var name: String?
  package var clockrate: UInt32?
  /// Absent means one, though Opus peers mean two: RFC 7587 has no other.
  package var channels: UInt8?
  /// Milliseconds of media in a packet.
  package var ptime: UInt32?
  package var maxptime: UInt32?
  /// SDP's fmtp.
  package var parameters: [Parameter]
  /// What may be asked for and given for this encoding, beside what the description allows for all.
  package var feedback: RTPFeedback
  /// Children of other specifications, untouched.
  package var extensions: [XMLElement]

  package init(
    id: UInt8, name: String?, clockrate: UInt32? = nil, channels: UInt8? = nil, ptime: UInt32? = nil,
    maxptime: UInt32? = nil, parameters: [Parameter] = [], feedback: RTPFeedback = RTPFeedback(),
    extensions: [XMLElement] = []
  ) {
    precondition(id < 128, "a payload type has seven bits")
    self.id = id
    self.name = name
    self.clockrate = clockrate
    self.channels = channels
    self.ptime = ptime
    self.maxptime = maxptime
    self.parameters = parameters
    self.feedback = feedback
    self.extensions = extensions
  }

  package typealias Parameter = RTPParameter

  /// The value of the first parameter of that name. Names are case-sensitive.
  package func parameter(_ name: String) -> String? {
    parameters.first { $0.name == name }?.value
  }
}

extension RTPPayloadType {
  /// Longer names are none of an encoding's.
  static let maximumNameLength = 64

  /// nil when the id is missing or no payload type, another number is none, or the name is too long.
  init?(_ element: XMLElement) {
    if let name = element[attribute: "name"], name.utf8.count > Self.maximumNameLength { return nil }
    guard let id: UInt8 = element.number("id"), id < 128 else { return nil }
    for attribute in ["clockrate", "ptime", "maxptime"]
    where element[attribute: attribute] != nil && element.number(attribute, as: UInt32.self) == nil {
      return nil
    }
    if element[attribute: "channels"] != nil, element.number("channels", as: UInt8.self) == nil { return nil }
    self.init(
      id: id, name: element[attribute: "name"], clockrate: element.number("clockrate"),
      channels: element.number("channels"), ptime: element.number("ptime"), maxptime: element.number("maxptime"),
      parameters: element.parameters())
    for child in element.children
    where !child.is("parameter", RTPDescription.namespace) && !feedback.take(child) {
      extensions.append(child)
    }
  }

  var element: XMLElement {
    var element = XMLElement("payload-type", namespace: RTPDescription.namespace)
    element[attribute: "id"] = String(id)
    element[attribute: "name"] = name
    element[attribute: "clockrate"] = clockrate.map(String.init)
    element[attribute: "channels"] = channels.map(String.init)
    element[attribute: "ptime"] = ptime.map(String.init)
    element[attribute: "maxptime"] = maxptime.map(String.init)
    for parameter in parameters { element.append(parameter.element(in: RTPDescription.namespace, emptyValue: true)) }
    for child in feedback.elements { element.append(child) }
    for child in extensions { element.append(child) }
    return element
  }
}
