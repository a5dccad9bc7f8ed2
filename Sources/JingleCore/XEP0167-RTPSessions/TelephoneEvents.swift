/// The numbers of the packets that tell which keys of a telephone are pressed, beside the audio of one content.
///
/// - Specification: RFC 4733 §2.1 (one clock with the audio)
package struct TelephoneEvents: Hashable, Sendable {
  /// What this side is to mark its events with; nil when the peer takes none with the clock of the audio that is sent.
  package var sending: UInt8?
  /// What the peer marks its events with, by the ticks per second that their timestamps and durations count.
  package var receiving: [UInt8: Int]

  package init(sending: UInt8?, receiving: [UInt8: Int]) {
    self.sending = sending
    self.receiving = receiving
  }

  /// - Parameters:
  ///   - agreements: of one content.
  ///   - clockRate: of the audio that this side sends.
  /// - Returns: nil when no telephone events were agreed on.
  package init?(_ agreements: [RTPAgreement], clockRate: Int) {
    let events = agreements.filter { $0.receiving.isTelephoneEvent }
    guard !events.isEmpty else { return nil }
    sending = events.first { $0.receiving.clockrate.map(Int.init) == clockRate }?.sending.id
    receiving = [:]
    for event in events { receiving[event.receiving.id] = event.receiving.clockrate.map(Int.init) ?? clockRate }
  }
}

extension RTPCapability {
  static let telephoneEventName = "telephone-event"

  /// The sixteen keys of a telephone: 0 to 9, `*`, `#`, A to D.
  ///
  /// - Specification: RFC 4733 §7.1.1 (`events`), §3.2
  package static func telephoneEvent(id: UInt8, clockrate: UInt32) -> RTPCapability {
    RTPCapability(
      id: id, name: telephoneEventName, clockrate: clockrate, parameters: [RTPParameter(RTPParameter.events, "0-15")])
  }

  var isTelephoneEvent: Bool { name == Self.telephoneEventName }
}

extension RTPPayloadType {
  /// Not audio, although it stands among the encodings of it.
  package var isTelephoneEvent: Bool { name?.lowercased() == RTPCapability.telephoneEventName }
}

extension RTPParameter {
  /// Which telephone events are understood. SDP has its value without the name.
  ///
  /// - Specification: RFC 4733 §7.1.1, §2.4.1
  static let events = "events"
}
