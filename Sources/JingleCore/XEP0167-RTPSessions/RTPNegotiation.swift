package import XMPPCore

/// An encoding that this side can send and receive, without a payload type's number.
package struct RTPCapability: Hashable, Sendable {
  package var name: String
  package var clockrate: UInt32
  package var channels: UInt8
  /// What this side tells the peer about how it wants to receive the encoding.
  package var parameters: [RTPPayloadType.Parameter]

  package init(name: String, clockrate: UInt32, channels: UInt8 = 1, parameters: [RTPPayloadType.Parameter] = []) {
    self.name = name
    self.clockrate = clockrate
    self.channels = channels
    self.parameters = parameters
  }

  /// Opus as every peer expects it: 48 kHz and two channels, whatever is really sent.
  ///
  /// - Specification: RFC 7587 §7
  package static func opus(_ parameters: [RTPPayloadType.Parameter] = []) -> RTPCapability {
    RTPCapability(name: "opus", clockrate: 48_000, channels: 2, parameters: parameters)
  }

  package func payloadType(id: UInt8) -> RTPPayloadType {
    RTPPayloadType(
      id: id, name: name, clockrate: clockrate, channels: channels == 1 ? nil : channels, parameters: parameters)
  }
}

/// One encoding that both sides take, with the number and parameters that each side gave it.
package struct RTPAgreement: Hashable, Sendable {
  /// What the peer marks its packets with, and how this side said it wants them.
  package var receiving: RTPPayloadType
  /// What this side is to mark its packets with, and how the peer wants them.
  package var sending: RTPPayloadType

  package init(receiving: RTPPayloadType, sending: RTPPayloadType) {
    self.receiving = receiving
    self.sending = sending
  }
}

extension RTPPayloadType {
  /// Whether both mean the same encoding. Missing channels count as one, for Opus as two; a missing clock rate fits any.
  package func isSameEncoding(as other: RTPPayloadType) -> Bool {
    guard let name = name?.lowercased(), let otherName = other.name?.lowercased() else {
      // A static type may come without its name (RFC 3551 §6).
      return id == other.id && id < 96
    }
    guard name == otherName else { return false }
    if let clockrate, let otherClockrate = other.clockrate, clockrate != otherClockrate { return false }
    let usual: UInt8 = name == "opus" ? 2 : 1
    return (channels ?? usual) == (other.channels ?? usual)
  }
}

extension RTPDescription {
  /// The answer to this offer: those of its payload types that this side can use, under the offer's numbers, in this
  /// side's order of preference.
  ///
  /// - Parameter capabilities: what this side can use, best first.
  /// - Returns: nil when nothing is in common.
  /// - Specification: XEP-0167 §5
  package func answer(supporting capabilities: [RTPCapability]) -> RTPDescription? {
    var answered: [RTPPayloadType] = []
    for capability in capabilities {
      let ours = capability.payloadType(id: 0)
      guard let offered = payloadTypes.first(where: { $0.clockrate != nil && $0.isSameEncoding(as: ours) }) else { continue }
      var payloadType = capability.payloadType(id: offered.id)
      payloadType.name = offered.name
      answered.append(payloadType)
    }
    guard !answered.isEmpty else { return nil }
    return RTPDescription(media: media, payloadTypes: answered, rtcpMux: rtcpMux)
  }

  /// What is agreed on, seen by the side that offered this description, best first as the answer says.
  ///
  /// - Throws: `not-acceptable` when the answer takes what was not offered, or takes nothing.
  /// - Specification: XEP-0167 §5, RFC 3264 §6.1
  package func agreements(answeredBy answer: RTPDescription) throws(StanzaError) -> [RTPAgreement] {
    guard answer.media == media else { throw .notAcceptable("\(media) was offered and \(answer.media) accepted") }
    guard !answer.payloadTypes.isEmpty else { throw .notAcceptable("no payload type was accepted") }
    var agreements: [RTPAgreement] = []
    for answered in answer.payloadTypes {
      // RFC 3264 §6.1 lets each side number for itself, so the encoding counts; the same number is preferred.
      let same = payloadTypes.filter { $0.isSameEncoding(as: answered) }
      guard let offered = same.first(where: { $0.id == answered.id }) ?? same.first else {
        throw .notAcceptable("payload type \(answered.id) was accepted but not offered")
      }
      agreements.append(RTPAgreement(receiving: offered, sending: answered))
    }
    return agreements
  }

  /// What is agreed on, seen by the side that answered `offer` with this description.
  package func agreements(answering offer: RTPDescription) -> [RTPAgreement] {
    payloadTypes.compactMap { ours in
      offer.payloadTypes.first { $0.id == ours.id }.map { RTPAgreement(receiving: ours, sending: $0) }
    }
  }
}
