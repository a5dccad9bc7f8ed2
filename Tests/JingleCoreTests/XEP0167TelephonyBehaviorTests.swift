import JingleCore
import Testing
import XMPPCore

/// The telephone's codecs and keys beside Opus.
@Suite struct XEP0167TelephonyBehaviorTests {
  static let capabilities: [RTPCapability] = [
    .opus(), .g722(), .pcmu(), .pcma(), .telephoneEvent(id: 110, clockrate: 48_000),
    .telephoneEvent(id: 126, clockrate: 8_000),
  ]

  private func type(_ id: UInt8, _ name: String?, _ clockrate: UInt32? = 8_000) -> RTPPayloadType {
    RTPPayloadType(id: id, name: name, clockrate: clockrate, channels: name == "opus" ? 2 : nil)
  }

  private func offer(_ payloadTypes: [RTPPayloadType]) -> RTPDescription {
    RTPDescription(media: "audio", payloadTypes: payloadTypes, rtcpMux: true)
  }

  @Test func `Static numbers and customary ones are offered, in the order of preference`() {
    let offer = RTPDescription(offering: "audio", Self.capabilities, from: 111)
    #expect(offer.payloadTypes.map(\.id) == [111, 9, 0, 8, 110, 126])
    #expect(
      offer.payloadTypes.map(\.name) == ["opus", "G722", "PCMU", "PCMA", "telephone-event", "telephone-event"])
    #expect(offer.payloadTypes.map(\.clockrate) == [48_000, 8_000, 8_000, 8_000, 48_000, 8_000])
    #expect(offer.payloadTypes.last?.parameters == [RTPParameter("events", "0-15")])
  }

  /// What is offered, and the numbers of the answer.
  static let answers: [([(id: UInt8, name: String?, clockrate: UInt32?)], [UInt8]?)] = [
    ([(0, "PCMU", 8_000), (111, "opus", 48_000)], [111, 0]),
    ([(8, "PCMA", 8_000), (0, "PCMU", 8_000), (9, "G722", 8_000)], [9, 0, 8]),
    ([(0, "PCMU", nil)], [0]),
    ([(0, nil, nil)], [0]),
    ([(8, nil, 8_000), (9, "g722", nil)], [9, 8]),
    ([(0, nil, 90_000)], nil),
    ([(0, "PCMA", nil)], nil),
    ([(98, "PCMU", 8_000)], [98]),
    ([(98, "PCMU", 16_000)], nil),
    ([(98, "G722", 16_000)], nil),
    ([(18, nil, nil), (13, "CN", 8_000), (3, nil, nil)], nil),
    // Events go with the encoding preferred and not without one.
    ([(101, "telephone-event", 8_000)], nil),
    ([(101, "telephone-event", 8_000), (0, "PCMU", 8_000)], [0, 101]),
    ([(101, "telephone-event", 8_000), (111, "opus", 48_000)], [111]),
    ([(101, "telephone-event", 8_000), (111, "opus", 48_000), (100, "Telephone-Event", 48_000)], [111, 100]),
    (
      [(101, "telephone-event", 8_000), (111, "opus", 48_000), (100, "telephone-event", 48_000), (0, "PCMU", 8_000)],
      [111, 0, 100]
    ),
    ([(101, "telephone-event", 16_000), (9, "G722", 8_000)], [9]),
    ([(101, "telephone-event", nil), (0, "PCMU", 8_000)], [0]),
  ]

  @Test(arguments: answers)
  func `The answer`(to offered: [(id: UInt8, name: String?, clockrate: UInt32?)], is numbers: [UInt8]?) throws {
    let offer = offer(offered.map { type($0.id, $0.name, $0.clockrate) })
    let answer = offer.answer(supporting: Self.capabilities)
    #expect(answer?.payloadTypes.map(\.id) == numbers)
    #expect(answer?.payloadTypes.allSatisfy { $0.name != nil && $0.clockrate != nil } != false)
    // Both find the same in it.
    guard let answer else { return }
    #expect(
      try offer.agreements(answeredBy: answer).map(\.receiving) == answer.agreements(answering: offer).map(\.sending))
  }

  @Test func `The numbers of telephone events are those of the clock of the audio`() throws {
    let offered = RTPDescription(offering: "audio", Self.capabilities, from: 111)
    let both = offer([type(111, "opus", 48_000), type(100, "telephone-event", 48_000), type(101, "telephone-event")])
    let agreements = try offered.agreements(answeredBy: both)
    #expect(
      TelephoneEvents(agreements, clockRate: 48_000) == .init(sending: 100, receiving: [110: 48_000, 126: 8_000]))
    #expect(
      TelephoneEvents(agreements, clockRate: 8_000) == .init(sending: 101, receiving: [110: 48_000, 126: 8_000]))
    #expect(TelephoneEvents(agreements, clockRate: 16_000)?.sending == nil)

    let none = try offered.agreements(answeredBy: offer([type(111, "opus", 48_000)]))
    #expect(TelephoneEvents(none, clockRate: 48_000) == nil)

    let theirs = offer([type(0, nil, nil), type(101, "telephone-event")])
    let answer = try #require(theirs.answer(supporting: Self.capabilities))
    #expect(
      TelephoneEvents(answer.agreements(answering: theirs), clockRate: 8_000)
        == .init(sending: 101, receiving: [101: 8_000]))
  }

  @Test func `Gajim's and Chromium's offers are answered with Opus first and its telephone events`() throws {
    let chromium = try #require(try jingle(chromiumsVideoOffer).contents[0].description?.rtp)
    let answer = try #require(chromium.answer(supporting: Self.capabilities))
    #expect(answer.payloadTypes.map(\.id) == [111, 9, 0, 8, 110])
    #expect(answer.payloadTypes.map(\.isTelephoneEvent) == [false, false, false, false, true])
    // As in the recorded exchange.
    let gajim = offer([
      type(97, "opus", 48_000), type(8, "PCMA"), type(0, "PCMU"), type(9, "G722"),
      type(100, "telephone-event", 48_000), type(101, "telephone-event", 16_000), type(102, "telephone-event"),
    ])
    #expect(gajim.answer(supporting: Self.capabilities)?.payloadTypes.map(\.id) == [97, 9, 0, 8, 100])
  }
}
