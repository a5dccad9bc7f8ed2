package import XMPPCore

/// One encoding that both sides take, with the number and parameters that each side gave it.
package struct RTPAgreement: Hashable, Sendable {
  /// What the peer marks its packets with, and how this side said it wants them.
  package var receiving: RTPPayloadType
  /// What this side is to mark its packets with, and how the peer wants them.
  package var sending: RTPPayloadType
  /// nil when lost packets are not to be repeated in a stream of their own.
  package var retransmission: Retransmission?
  /// What both sides give and heed.
  package var feedback: RTPFeedback

  package init(
    receiving: RTPPayloadType, sending: RTPPayloadType, retransmission: Retransmission? = nil,
    feedback: RTPFeedback = RTPFeedback()
  ) {
    self.receiving = receiving
    self.sending = sending
    self.retransmission = retransmission
    self.feedback = feedback
  }

  /// The numbers that mark retransmitted packets.
  ///
  /// - Specification: RFC 4588 §8.6
  package struct Retransmission: Hashable, Sendable {
    package var receiving: UInt8
    package var sending: UInt8

    package init(receiving: UInt8, sending: UInt8) {
      self.receiving = receiving
      self.sending = sending
    }
  }
}

extension RTPDescription {
  /// An offer of all that this side can do.
  ///
  /// - Parameters:
  ///   - capabilities: best first.
  ///   - first: the first payload type's number. The others that have no number of their own follow, retransmissions behind
  ///     what they repeat.
  /// - Specification: XEP-0167 §5
  package init(
    offering media: String, _ capabilities: [RTPCapability], from first: UInt8 = 96,
    headerExtensions: [RTPHeaderExtension] = [], allowsMixedHeaderExtensions: Bool = false
  ) {
    self.init(
      media: media, headerExtensions: headerExtensions, allowsMixedHeaderExtensions: allowsMixedHeaderExtensions,
      rtcpMux: true)
    var id = first
    for capability in capabilities {
      var payloadType = capability.payloadType(id: capability.id ?? id)
      payloadType.feedback = capability.feedback
      payloadTypes.append(payloadType)
      if capability.id == nil { id += 1 }
      if capability.retransmits {
        payloadTypes.append(.retransmission(id: id, of: payloadType))
        id += 1
      }
    }
  }

  /// The answer to this offer: those of its payload types that this side can use, under the offer's numbers, in this
  /// side's order of preference, with the feedback and header extensions that both sides know.
  ///
  /// Retransmissions are accepted of what is accepted, and telephone events that have the clock of the encoding preferred.
  /// Whatever else is offered, such as `red`, `ulpfec` and `CN`, is left out.
  ///
  /// - Parameters:
  ///   - capabilities: what this side can use, best first.
  ///   - ours: the header extensions that this side can write and read; their ids do not matter.
  ///   - mixing: whether this side can take one-byte and two-byte header extensions in one stream.
  /// - Returns: nil when nothing is in common.
  /// - Specification: XEP-0167 §5, XEP-0293 §4, XEP-0294 §4
  package func answer(
    supporting capabilities: [RTPCapability], headerExtensions ours: [RTPHeaderExtension] = [],
    allowingMixedHeaderExtensions mixing: Bool = false
  ) -> RTPDescription? {
    var accepted: [(offered: RTPPayloadType, capability: RTPCapability)] = []
    let known = payloadTypes.map(\.completed).filter { $0.name != nil && $0.clockrate != nil }
    for capability in capabilities.filter({ !$0.isTelephoneEvent }) + capabilities.filter(\.isTelephoneEvent) {
      // Events are for the encoding preferred, and nothing by themselves.
      if capability.isTelephoneEvent, accepted.first?.capability.clockrate != capability.clockrate { continue }
      let own = capability.payloadType(id: 0)
      let offered = known.first { offered in
        offered.isSameEncoding(as: own) && !accepted.contains { $0.offered.id == offered.id }
      }
      if let offered { accepted.append((offered, capability)) }
    }
    guard !accepted.isEmpty else { return nil }
    var answer = RTPDescription(
      media: media, allowsMixedHeaderExtensions: allowsMixedHeaderExtensions && mixing, rtcpMux: rtcpMux)
    answer.headerExtensions = answeredHeaderExtensions(ours, mixed: answer.allowsMixedHeaderExtensions)
    // What was offered for all stays so where this side gives it to all; otherwise each payload type says its part.
    answer.feedback = accepted.reduce(feedback) { $0.intersection($1.capability.feedback) }
    for (offered, capability) in accepted {
      var payloadType = capability.payloadType(id: offered.id)
      payloadType.name = offered.name
      payloadType.feedback = feedback(for: offered).intersection(capability.feedback).subtracting(answer.feedback)
      answer.payloadTypes.append(payloadType)
      if capability.retransmits, let repeats = retransmission(of: offered) {
        answer.payloadTypes.append(.retransmission(id: repeats.id, of: payloadType))
      }
    }
    return answer
  }

  /// What is agreed on, seen by the side that offered this description, best first as the answer says.
  ///
  /// Retransmissions and feedback count where both sides have them; what the answer has alone is let go.
  ///
  /// - Throws: `not-acceptable` when the answer takes an encoding that was not offered, or takes none.
  /// - Specification: XEP-0167 §5, RFC 3264 §6.1
  package func agreements(answeredBy answer: RTPDescription) throws(StanzaError) -> [RTPAgreement] {
    guard answer.media == media else { throw .notAcceptable("\(media) was offered and \(answer.media) accepted") }
    var agreements: [RTPAgreement] = []
    for answered in answer.payloadTypes where !answered.isRetransmission {
      // RFC 3264 §6.1 lets each side number for itself, so the encoding counts; the same number is preferred.
      let same = payloadTypes.filter { $0.isSameEncoding(as: answered) }
      guard let offered = same.first(where: { $0.id == answered.id }) ?? same.first else {
        throw .notAcceptable("payload type \(answered.id) was accepted but not offered")
      }
      agreements.append(agreement(receiving: offered, sending: answered, of: answer))
    }
    guard !agreements.isEmpty else { throw .notAcceptable("no payload type was accepted") }
    return agreements
  }

  /// What is agreed on, seen by the side that answered `offer` with this description.
  package func agreements(answering offer: RTPDescription) -> [RTPAgreement] {
    payloadTypes.filter { !$0.isRetransmission }.compactMap { ours in
      offer.payloadTypes.first { $0.id == ours.id }.map { agreement(receiving: ours, sending: $0, of: offer) }
    }
  }

  /// Whether RTP and RTCP share a port. An answer may refuse it, in a bundle it may not: there it goes without saying.
  ///
  /// - Parameter bundled: whether both sides put the content into a bundle.
  /// - Specification: RFC 5761 §5.1.1, RFC 9143 §9.3
  package func multiplexesRTCP(answeredBy answer: RTPDescription, bundled: Bool = false) -> Bool {
    bundled || (rtcpMux && answer.rtcpMux)
  }

  /// The retransmissions of one of the payload types.
  ///
  /// - Specification: RFC 4588 §8.1
  package func retransmission(of payloadType: RTPPayloadType) -> RTPPayloadType? {
    payloadTypes.first {
      $0.associatedPayloadType == payloadType.id && ($0.clockrate ?? payloadType.clockrate) == payloadType.clockrate
    }
  }

  private func agreement(
    receiving: RTPPayloadType, sending: RTPPayloadType, of peer: RTPDescription
  ) -> RTPAgreement {
    var agreement = RTPAgreement(
      receiving: receiving, sending: sending,
      feedback: feedback(for: receiving).intersection(peer.feedback(for: sending)))
    if let ours = retransmission(of: receiving), let theirs = peer.retransmission(of: sending) {
      agreement.retransmission = RTPAgreement.Retransmission(receiving: ours.id, sending: theirs.id)
    }
    return agreement
  }
}
