import JingleCore
import Testing
import XMPPCore

@Suite struct XEP0167VideoNegotiationBehaviorTests {
  static let feedback = RTPFeedback([.nack, .pli, .fir, .remb, .transportCC])
  static let capabilities: [RTPCapability] = [
    .vp8(feedback: feedback, retransmits: true), .vp9(feedback: feedback, retransmits: true),
  ]
  static let extensions = [
    RTPHeaderExtension(id: 1, uri: RTPHeaderExtension.URI.mid),
    RTPHeaderExtension(id: 2, uri: RTPHeaderExtension.URI.transportSequenceNumber),
    RTPHeaderExtension(id: 3, uri: RTPHeaderExtension.URI.absoluteSendTime),
    RTPHeaderExtension(id: 4, uri: RTPHeaderExtension.URI.videoOrientation),
  ]

  func type(_ id: UInt8, _ name: String, _ parameters: [String: String] = [:], clockrate: UInt32 = 90_000)
    -> RTPPayloadType
  {
    RTPPayloadType(
      id: id, name: name, clockrate: clockrate, parameters: parameters.sorted(by: <).map { RTPParameter($0, $1) })
  }

  func offer(_ payloadTypes: RTPPayloadType...) -> RTPDescription {
    RTPDescription(media: "video", payloadTypes: payloadTypes, rtcpMux: true)
  }

  func video(_ text: String) throws -> RTPDescription {
    try #require(try jingle(text).contents.last?.description?.rtp)
  }

  @Test func `Chromium's video is answered with all that both can do, and nothing else`() throws {
    let offer = try video(chromiumsVideoOffer)
    let answer = try #require(
      offer.answer(
        supporting: Self.capabilities, headerExtensions: Self.extensions, allowingMixedHeaderExtensions: true))
    #expect(answer.payloadTypes.map(\.id) == [96, 97, 98, 99])
    #expect(answer.payloadTypes.map(\.name) == ["VP8", "rtx", "VP9", "rtx"])
    #expect(answer.payloadTypes.map(\.associatedPayloadType) == [nil, 96, nil, 98])
    #expect(answer.payloadTypes[2].parameter("profile-id") == "0")
    #expect(answer.payloadTypes[0].feedback == RTPFeedback([.remb, .transportCC, .fir, .nack, .pli]))
    #expect(answer.payloadTypes[1].feedback == RTPFeedback())
    #expect(answer.headerExtensions.map(\.id) == [2, 13, 3, 4])
    #expect(answer.allowsMixedHeaderExtensions)
    #expect(answer.rtcpMux)
    #expect(answer.sources.isEmpty)
    #expect(try RTPDescription(answer.element) == answer)
    for agreements in [answer.agreements(answering: offer), try offer.agreements(answeredBy: answer)] {
      #expect(agreements.map(\.sending.id) == [96, 98])
      #expect(
        agreements.map(\.retransmission) == [.init(receiving: 97, sending: 97), .init(receiving: 99, sending: 99)])
      #expect(agreements.map { $0.feedback.messages.count } == [5, 5])
    }
    #expect(offer.retransmissionSSRC(of: 1_510_610_514) == 186_278_542)
    #expect(offer.source(1_510_610_514)?.cname == "PctX0TY6wTfuAesw")
  }

  @Test func `Chromium's two contents can share a transport`() throws {
    let offer = try jingle(chromiumsVideoOffer)
    let descriptions = offer.contents.compactMap { $0.description?.rtp }
    #expect(descriptions.count == 2)
    #expect(descriptions[0].canBeBundled(with: descriptions[1]))
  }

  @Test func `Dino's answer to it agrees on VP8 without retransmission, on two transports`() throws {
    let (offer, answer) = (try jingle(chromiumsVideoOffer), try jingle(dinosVideoAnswer))
    #expect(try answer.groups(answering: offer.groups).isEmpty)
    let (offered, answered) = (try video(chromiumsVideoOffer), try video(dinosVideoAnswer))
    let agreements = try offered.agreements(answeredBy: answered)
    #expect(agreements.map(\.sending.id) == [96])
    #expect(agreements[0].retransmission == nil)
    #expect(agreements[0].feedback == RTPFeedback([.remb, .fir, .nack, .pli]))
    #expect(
      offered.headerExtensions(answeredBy: answered) == [
        RTPHeaderExtension(id: 13, uri: RTPHeaderExtension.URI.videoOrientation)
      ])
    #expect(offered.multiplexesRTCP(answeredBy: answered))
  }

  @Test func `Dino's offer is answered in its numbers, and retransmission is not invented`() throws {
    let offer = try video(dinosVideoOffer)
    let answer = try #require(offer.answer(supporting: Self.capabilities, headerExtensions: Self.extensions))
    #expect(answer.payloadTypes.map(\.id) == [98])
    #expect(answer.payloadTypes[0].feedback == RTPFeedback([.remb, .fir, .nack, .pli]))
    #expect(answer.headerExtensions.map(\.id) == [1])
    #expect(!answer.allowsMixedHeaderExtensions)
    #expect(answer.agreements(answering: offer).map(\.retransmission) == [nil])
  }

  @Test func `This side's own offer is numbered in order, and its own answer takes all of it`() throws {
    let offer = RTPDescription(
      offering: "video", Self.capabilities, headerExtensions: Self.extensions, allowsMixedHeaderExtensions: true)
    #expect(offer.payloadTypes.map(\.id) == [96, 97, 98, 99])
    #expect(try RTPDescription(offer.element) == offer)
    let answer = try #require(
      offer.answer(
        supporting: Self.capabilities, headerExtensions: Self.extensions, allowingMixedHeaderExtensions: true))
    #expect(answer == offer)
    #expect(try offer.agreements(answeredBy: answer) == answer.agreements(answering: offer))
  }

  @Test(
    arguments: [
      // VP8's parameters tell what its receiver can take.
      ("VP8", [:], .vp8(), true), ("vp8", ["max-fs": "12288", "max-fr": "60"], .vp8(), true),
      ("VP8", ["profile-id": "2"], .vp8(), true), ("VP8", [:], .vp9(), false),
      // VP9's profile is another encoding.
      ("VP9", [:], .vp9(), true), ("VP9", ["profile-id": "0"], .vp9(), true),
      ("VP9", ["profile-id": "0", "max-fs": "3600", "max-fr": "30"], .vp9(), true),
      ("VP9", ["profile-id": "2"], .vp9(), false), ("VP9", ["profile-id": "2"], .vp9(profile: 2), true),
      ("VP9", [:], .vp9(profile: 2), false), ("VP9", ["profile-id": "x"], .vp9(), false),
      ("VP9", ["profile-id": ""], .vp9(), false), ("VP9", ["profile-id": "256"], .vp9(), false),
      ("VP9", ["profile-id": "4"], .vp9(), false),
      ("H264", ["packetization-mode": "1"], .vp8(), false), ("red", [:], .vp8(), false),
      ("ulpfec", [:], .vp8(), false),
    ] as [(String, [String: String], RTPCapability, Bool)])
  func `Parameters are compared by each codec's own rules`(
    name: String, parameters: [String: String], own: RTPCapability, fits: Bool
  ) throws {
    let offered = type(100, name, parameters)
    #expect(offer(offered).answer(supporting: [own])?.payloadTypes.map(\.id) == (fits ? [100] : nil))
    let ours = offer(own.payloadType(id: 100))
    if fits {
      #expect(try ours.agreements(answeredBy: offer(offered)).map(\.sending) == [offered])
    } else {
      #expect(throws: StanzaError.self) { try ours.agreements(answeredBy: offer(offered)) }
    }
  }

  @Test func `Each profile is found among several of one name`() throws {
    let offer = offer(
      type(100, "VP9", ["profile-id": "2"]), type(98, "VP9"), type(99, "VP9", ["profile-id": "0", "max-fr": "30"]),
      type(101, "rtx", ["apt": "100"]), type(97, "rtx", ["apt": "98"]))
    let own = [RTPCapability.vp9(retransmits: true), .vp9(profile: 2, retransmits: true)]
    #expect(try #require(offer.answer(supporting: own)).payloadTypes.map(\.id) == [98, 97, 100, 101])
    // A capability listed twice takes two numbers, never one twice.
    let twice = try #require(offer.answer(supporting: [.vp9(), .vp9(), .vp9()]))
    #expect(twice.payloadTypes.map(\.id) == [98, 99])
  }

  @Test(arguments: [
    ("96", true), ("98", false), ("97", false), ("128", false), ("", false), ("x", false), ("-1", false),
    ("224", false),
  ])
  func `Retransmissions are taken of what is taken`(apt: String, isTaken: Bool) throws {
    let offer = offer(type(96, "VP8"), type(97, "rtx", ["apt": apt]), type(98, "H264"))
    let answer = try #require(offer.answer(supporting: Self.capabilities))
    #expect(answer.payloadTypes.map(\.id) == (isTaken ? [96, 97] : [96]))
  }

  @Test func `Retransmissions are not taken by who cannot, without apt, or at another clock rate`() throws {
    let good = offer(type(96, "VP8"), type(97, "rtx", ["apt": "96"]))
    #expect(try #require(good.answer(supporting: [.vp8()])).payloadTypes.map(\.id) == [96])
    for rtx in [type(97, "rtx"), type(97, "rtx", ["apt": "96"], clockrate: 48_000)] {
      let offer = offer(type(96, "VP8"), rtx)
      #expect(try #require(offer.answer(supporting: Self.capabilities)).payloadTypes.map(\.id) == [96])
    }
  }

  @Test func `An answer's retransmissions of what it did not take, or was not offered, are let go`() throws {
    let offered = offer(type(96, "VP8"), type(97, "rtx", ["apt": "96"]), type(98, "VP9"))
    for rtx in [type(97, "rtx", ["apt": "98"]), type(99, "rtx", ["apt": "50"]), type(97, "rtx")] {
      let agreements = try offered.agreements(answeredBy: offer(type(96, "VP8"), rtx))
      #expect(agreements.map(\.sending.id) == [96])
      #expect(agreements[0].retransmission == nil)
    }
    let plain = offer(type(96, "VP8"))
    #expect(
      try plain.agreements(answeredBy: offered.answer(supporting: Self.capabilities[..<1].map(\.self))!)[0]
        .retransmission == nil)
    let error = #expect(throws: StanzaError.self) {
      try offered.agreements(answeredBy: offer(type(97, "rtx", ["apt": "96"])))
    }
    #expect(error?.condition == .notAcceptable)
  }

  @Test func `An answer may number retransmissions for itself`() throws {
    let offered = offer(type(96, "VP8"), type(97, "rtx", ["apt": "96"]))
    let agreements = try offered.agreements(answeredBy: offer(type(120, "VP8"), type(121, "RTX", ["apt": "120"])))
    #expect(agreements[0].retransmission == .init(receiving: 97, sending: 121))
  }

  @Test func `What cannot be taken stays in the offer as it was`() throws {
    let offer = try #require(try jingle(chromiumsVideoOffer).contents[0].description?.rtp)
    let names = offer.payloadTypes.map(\.name)
    #expect(names.contains("red") && names.contains("telephone-event") && names.contains("CN"))
    #expect(offer.answer(supporting: [.opus()])?.payloadTypes.map(\.name) == ["opus"])
  }

  @Test func `A number without a name is no encoding that could be taken`() {
    let nameless = RTPPayloadType(id: 0, name: nil, clockrate: 90_000)
    #expect(offer(nameless).answer(supporting: Self.capabilities) == nil)
  }

  @Test(arguments: [
    (true, true, false, true), (true, false, false, false), (false, true, false, false), (true, false, true, true),
  ])
  func `Multiplexing that is refused is seen, and in a bundle cannot be`(
    offered: Bool, answered: Bool, bundled: Bool, multiplexes: Bool
  ) {
    var (ours, theirs) = (offer(type(96, "VP8")), offer(type(96, "VP8")))
    ours.rtcpMux = offered
    theirs.rtcpMux = answered
    #expect(ours.multiplexesRTCP(answeredBy: theirs, bundled: bundled) == multiplexes)
  }

  @Test(
    arguments: [
      ("AS", "128", 128_000), ("TIAS", "128000", 128_000), ("CT", "128", nil), ("AS", "-1", nil), ("AS", "", nil),
      ("AS", "many", nil), ("AS", "999999999999", 999_999_999_999_000), ("AS", "99999999999999999999", nil),
    ] as [(String, String, Int?)])
  func `Bandwidth is read in its unit`(type: String, value: String, bitsPerSecond: Int?) {
    #expect(RTPDescription.Bandwidth(type: type, value: value).bitsPerSecond == bitsPerSecond)
  }

  @Test(.timeLimit(.minutes(1)))
  func `Whatever one change does to a video call's offer, negotiating it does no harm`() throws {
    let twins = brokenTwins(of: try xml(chromiumsVideoOffer))
    #expect(twins.count > 4000)
    let own = RTPDescription(
      offering: "video", Self.capabilities, headerExtensions: Self.extensions, allowsMixedHeaderExtensions: true)
    var answered = 0
    for twin in twins {
      guard let read = try? Jingle(twin) else { continue }
      let written = read.element
      #expect(try Jingle(written).element == written)
      _ = try? read.groups(answering: read.groups)
      try? read.checkGroups()
      let descriptions = read.contents.compactMap { $0.description?.rtp }
      if let first = descriptions.first, let last = descriptions.last { _ = first.canBeBundled(with: last) }
      for description in descriptions {
        for source in description.sources { _ = (source.msid, description.retransmissionSSRC(of: source.ssrc)) }
        _ = try? own.agreements(answeredBy: description)
        _ = own.headerExtensions(answeredBy: description)
        guard
          let answer = description.answer(
            supporting: Self.capabilities + [.opus()], headerExtensions: Self.extensions,
            allowingMixedHeaderExtensions: true)
        else { continue }
        answered += 1
        // Each side finds the same in an answer of this side.
        let ours = answer.agreements(answering: description)
        let theirs = try description.agreements(answeredBy: answer)
        #expect(ours.map(\.feedback) == theirs.map(\.feedback))
        #expect(ours.map(\.sending) == theirs.map(\.receiving))
        #expect(description.headerExtensions(answeredBy: answer) == answer.headerExtensions)
      }
    }
    #expect(answered > twins.count)
  }
}
