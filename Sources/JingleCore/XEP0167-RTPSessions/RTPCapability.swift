/// An encoding that this side can send and receive.
package struct RTPCapability: Hashable, Sendable {
  /// The number that it is offered under: a static one, or a dynamic one that everybody gives it. Nil takes the next one.
  /// An answer has the offer's number anyway.
  package var id: UInt8?
  package var name: String
  package var clockrate: UInt32
  package var channels: UInt8
  /// What this side tells the peer about how it wants to receive the encoding.
  package var parameters: [RTPParameter]
  /// The RTCP feedback that this side gives and heeds.
  package var feedback: RTPFeedback
  /// Whether this side repeats lost packets in a stream of their own, and takes such (RFC 4588).
  package var retransmits: Bool

  package init(
    id: UInt8? = nil, name: String, clockrate: UInt32, channels: UInt8 = 1, parameters: [RTPParameter] = [],
    feedback: RTPFeedback = RTPFeedback(), retransmits: Bool = false
  ) {
    self.id = id
    self.name = name
    self.clockrate = clockrate
    self.channels = channels
    self.parameters = parameters
    self.feedback = feedback
    self.retransmits = retransmits
  }

  /// Opus as every peer expects it: 48 kHz and two channels, whatever is really sent.
  ///
  /// - Specification: RFC 7587 §7
  package static func opus(_ parameters: [RTPParameter] = [], feedback: RTPFeedback = RTPFeedback()) -> RTPCapability {
    RTPCapability(name: "opus", clockrate: 48_000, channels: 2, parameters: parameters, feedback: feedback)
  }

  /// G.722, whose clock rate is said to be half its sampling rate.
  ///
  /// - Specification: RFC 3551 §4.5.2, §6
  package static func g722(feedback: RTPFeedback = RTPFeedback()) -> RTPCapability {
    RTPCapability(id: 9, name: "G722", clockrate: 8_000, feedback: feedback)
  }

  /// G.711 in µ-law.
  ///
  /// - Specification: RFC 3551 §4.5.14, §6
  package static func pcmu(feedback: RTPFeedback = RTPFeedback()) -> RTPCapability {
    RTPCapability(id: 0, name: "PCMU", clockrate: 8_000, feedback: feedback)
  }

  /// G.711 in A-law.
  ///
  /// - Specification: RFC 3551 §4.5.14, §6
  package static func pcma(feedback: RTPFeedback = RTPFeedback()) -> RTPCapability {
    RTPCapability(id: 8, name: "PCMA", clockrate: 8_000, feedback: feedback)
  }

  /// - Specification: RFC 7741 §6
  package static func vp8(feedback: RTPFeedback = RTPFeedback(), retransmits: Bool = false) -> RTPCapability {
    RTPCapability(name: "VP8", clockrate: 90_000, feedback: feedback, retransmits: retransmits)
  }

  /// - Parameter profile: 0 has eight bits a sample and half the colour's resolution each way.
  /// - Specification: RFC 9628 §6
  package static func vp9(
    profile: UInt8 = 0, feedback: RTPFeedback = RTPFeedback(), retransmits: Bool = false
  ) -> RTPCapability {
    RTPCapability(
      name: "VP9", clockrate: 90_000, parameters: [RTPParameter("profile-id", String(profile))], feedback: feedback,
      retransmits: retransmits)
  }

  package func payloadType(id: UInt8) -> RTPPayloadType {
    RTPPayloadType(
      id: id, name: name, clockrate: clockrate, channels: channels == 1 ? nil : channels, parameters: parameters)
  }
}

extension RTPPayloadType {
  /// The retransmissions of another payload type.
  ///
  /// - Specification: RFC 4588 §8.1
  package static func retransmission(id: UInt8, of other: RTPPayloadType) -> RTPPayloadType {
    RTPPayloadType(
      id: id, name: "rtx", clockrate: other.clockrate, parameters: [RTPParameter("apt", String(other.id))])
  }

  package var isRetransmission: Bool { name?.lowercased() == "rtx" }

  /// The payload type whose packets this one repeats.
  package var associatedPayloadType: UInt8? {
    isRetransmission ? parameter("apt").flatMap { UInt8($0) }.flatMap { $0 < 128 ? $0 : nil } : nil
  }

  /// With what the number alone says, where it is a static one: the name and clock rate may be left out there.
  ///
  /// - Specification: XEP-0167 §4, RFC 3551 §6
  var completed: RTPPayloadType {
    guard name == nil || clockrate == nil, let meaning = RTPPayloadType.static(id),
      name == nil || name?.lowercased() == meaning.name?.lowercased()
    else { return self }
    var completed = self
    completed.name = name ?? meaning.name
    completed.clockrate = clockrate ?? meaning.clockrate
    completed.channels = channels ?? meaning.channels
    return completed
  }

  /// Whether both mean the same encoding. Missing channels count as one, for Opus as two; a missing clock rate fits.
  package func isSameEncoding(as other: RTPPayloadType) -> Bool {
    guard let name = name?.lowercased(), let otherName = other.name?.lowercased() else {
      // A static type may come without its name (RFC 3551 §6).
      return id == other.id && id < 96
    }
    guard name == otherName else { return false }
    if let clockrate, let otherClockrate = other.clockrate, clockrate != otherClockrate { return false }
    let usual: UInt8 = name == "opus" ? 2 : 1
    return (channels ?? usual) == (other.channels ?? usual) && hasSameFormat(as: other)
  }

  /// Whether the parameters leave both the same encoding. Most only tell what their side would like to receive: so do
  /// all of Opus, and VP8's `max-fr` and `max-fs`.
  ///
  /// - Specification: RFC 7587 §7.1, RFC 7741 §6.2.2, RFC 9628 §6, RFC 4588 §8.1
  private func hasSameFormat(as other: RTPPayloadType) -> Bool {
    switch name?.lowercased() {
    case "vp9": vp9Profile != nil && vp9Profile == other.vp9Profile
    case "rtx": associatedPayloadType != nil && associatedPayloadType == other.associatedPayloadType
    default: true
    }
  }

  /// 0 unless said otherwise; nil when what is said is no profile.
  private var vp9Profile: UInt8? {
    guard let text = parameter("profile-id") else { return 0 }
    return UInt8(text).flatMap { $0 < 4 ? $0 : nil }
  }
}
